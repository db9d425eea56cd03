//! Which addresses can be sent to, and the zones of link-local ones (RFC 4007).

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::candidate::CandidateError;

/// Whether checks may be sent there at all; a stranger's request is held to this too.
pub(crate) fn check_address(address: SocketAddr) -> Result<(), CandidateError> {
    let ip = match address.ip() {
        IpAddr::V4(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast()),
        IpAddr::V6(ip) => {
            !(ip.is_unspecified() || ip.is_multicast() || ip.to_ipv4_mapped().is_some())
        }
    };
    if ip && address.port() != 0 {
        Ok(())
    } else {
        Err(CandidateError::Address)
    }
}

/// The address in a zone of this host (RFC 4007 §6); others than link-local ones have none.
pub(crate) fn in_zone(address: SocketAddr, zone: u32) -> SocketAddr {
    match address {
        SocketAddr::V6(mut address) if address.ip().is_unicast_link_local() => {
            address.set_scope_id(zone);
            address.into()
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => address,
    }
}

/// Its zone, 0 for none.
pub(crate) const fn zone(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V6(address) => address.scope_id(),
        SocketAddr::V4(_) => 0,
    }
}

pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false, // 169.254/16 may be paired with anything by RFC 8445 §6.1.2.2
        IpAddr::V6(ip) => Ipv6Addr::is_unicast_link_local(&ip),
    }
}
