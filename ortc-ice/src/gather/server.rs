//! Servers: what they are asked with, and how their names become addresses.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use zeroize::Zeroizing;

use super::{QueryId, ServerError};
use crate::address::check_address;
use crate::server_uri::{ServerTransport, ServerUri};
use crate::stream::Security;

/// A user and a password for a TURN server (RFC 8489 §9.2). `Debug` shows neither password nor
/// anything of it, and the memory is erased on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerCredentials {
    pub(super) username: String,
    pub(super) password: Zeroizing<String>,
}

impl ServerCredentials {
    /// A user and a password, as the operator of the server gave them out.
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: Zeroizing::new(password.into()),
        }
    }

    /// The user.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }
}

impl fmt::Debug for ServerCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCredentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Addresses of one server that are tried at most, of each family.
const ADDRESSES_MAX: usize = 4;

#[derive(Debug)]
pub(super) struct Server {
    pub(super) uri: ServerUri,
    pub(super) credentials: Option<ServerCredentials>,
    pub(super) lookup: Lookup,
    /// Whether its failure was reported in this round.
    pub(super) reported: bool,
    /// Why its last address failed.
    pub(super) last_error: Option<ServerError>,
}

/// How far its name has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    Unknown,
    Asked(QueryId),
    Known(Vec<SocketAddr>),
}

impl Server {
    pub(super) fn new(uri: ServerUri, credentials: Option<ServerCredentials>) -> Self {
        let mut server = Self {
            uri,
            credentials,
            lookup: Lookup::Unknown,
            reported: false,
            last_error: None,
        };
        server.forget_addresses();
        server
    }

    /// Before a new look-up; a literal address asks nobody.
    pub(super) fn forget_addresses(&mut self) {
        match self.uri.address() {
            Some(ip) => self.learn_addresses(&[ip]),
            None => self.lookup = Lookup::Unknown,
        }
    }

    /// Keeps the first usable addresses of each family.
    pub(super) fn learn_addresses(&mut self, ips: &[IpAddr]) {
        let (mut known, mut families) = (Vec::<SocketAddr>::new(), [0_usize; 2]);
        for ip in ips {
            let address = SocketAddr::new(ip.to_canonical(), self.uri.port);
            let [v4, v6] = &mut families;
            let count = if address.is_ipv4() { v4 } else { v6 };
            if *count < ADDRESSES_MAX && check_address(address).is_ok() && !known.contains(&address)
            {
                *count += 1;
                known.push(address);
            }
        }
        self.lookup = Lookup::Known(known);
    }

    pub(super) fn addresses(&self) -> &[SocketAddr] {
        match &self.lookup {
            Lookup::Known(addresses) => addresses,
            Lookup::Unknown | Lookup::Asked(_) => &[],
        }
    }

    pub(super) const fn is_turn(&self) -> bool {
        self.uri.scheme.is_turn()
    }

    /// What protects the streams to it; `None` when it is asked over UDP.
    pub(super) fn security(&self) -> Option<Security> {
        match (self.uri.transport(), self.uri.scheme.is_secure()) {
            (ServerTransport::Udp, _) => None,
            (ServerTransport::Tcp, false) => Some(Security::Plain),
            (ServerTransport::Tcp, true) => Some(Security::Tls {
                server_name: self.uri.host.clone(),
            }),
        }
    }

    /// What can be said before anybody is asked.
    pub(super) fn obstacle(&self) -> Option<ServerError> {
        if self.uri.scheme.is_secure() && self.uri.transport() == ServerTransport::Udp {
            return Some(ServerError::Unsupported);
        }
        (self.is_turn() && self.credentials.is_none()).then_some(ServerError::NoCredentials)
    }
}

/// Whether datagrams from a base to a server arrive and say something useful: same family, and
/// loopback and link-local addresses only among their like.
pub(super) fn reaches(base: SocketAddr, server: SocketAddr) -> bool {
    base.is_ipv4() == server.is_ipv4() && scope(base.ip()) == scope(server.ip())
}

/// How far an address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Loopback,
    Link,
    Wider,
}

fn scope(ip: IpAddr) -> Scope {
    let link = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    if ip.is_loopback() {
        Scope::Loopback
    } else if link {
        Scope::Link
    } else {
        Scope::Wider
    }
}
