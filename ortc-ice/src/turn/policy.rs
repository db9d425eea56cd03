//! Which peers a relay may be asked to reach.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses may be peers.
///
/// A peer's candidates come from whoever signals, and a relay in a private network could be made to
/// reach what it alone can reach: its own loopback, for one. By default these are refused:
/// 0.0.0.0/8, `::`, IPv4 addresses written as IPv6 (`::ffff:0:0/96`), loopback, multicast and
/// broadcast. Private ranges (RFC 1918) are not: peers in one network are reached there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerPolicy {
    /// As above.
    #[default]
    Safe,
    /// Loopback as well: for tests, and for a server on this machine that is meant to relay here.
    AllowLoopback,
}

impl PeerPolicy {
    /// Whether this address may be a peer.
    #[must_use]
    pub fn allows(self, peer: IpAddr) -> bool {
        let loopback = matches!(self, Self::AllowLoopback);
        match peer {
            IpAddr::V4(ip) => {
                let [net, ..] = ip.octets();
                net != 0
                    && !ip.is_multicast()
                    && ip != Ipv4Addr::BROADCAST
                    && (loopback || !ip.is_loopback())
            }
            IpAddr::V6(ip) => {
                ip != Ipv6Addr::UNSPECIFIED
                    && ip.to_ipv4_mapped().is_none()
                    && !ip.is_multicast()
                    && (loopback || !ip.is_loopback())
            }
        }
    }
}
