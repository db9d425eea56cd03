//! How a socket is made.

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;

use ortc_dtls::Certificate;
use ortc_dtls::crypto::{Provider, ring_provider};
use ortc_ice::{GatherConfig, TcpType};

use super::super::ice_server::RTCIceServer;

/// How a socket is made.
#[derive(Clone)]
pub struct SocketOptions {
    pub(super) seed: [u8; 32],
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) certificate: Option<Certificate>,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) ta: Duration,
    pub(super) ice_servers: Vec<RTCIceServer>,
    pub(super) tcp_addresses: Vec<(SocketAddr, TcpType)>,
    pub(super) gathering: GatherConfig,
}

impl core::fmt::Debug for SocketOptions {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SocketOptions")
            .field("seed", &"<redacted>")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl SocketOptions {
    /// Options with this seed: 32 octets from the operating system, other ones for each socket.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            addresses: Vec::new(),
            certificate: None,
            provider: ring_provider(),
            ta: Duration::from_millis(5),
            ice_servers: Vec::new(),
            tcp_addresses: Vec::new(),
            gathering: GatherConfig::default(),
        }
    }

    /// Adds an address that the embedder has bound a UDP socket to.
    #[must_use]
    pub fn local_address(mut self, address: SocketAddr) -> Self {
        self.addresses.push(address);
        self
    }

    /// STUN and TURN servers, asked once for all connections of the socket: what is found comes as
    /// [`SocketEvent::Candidates`](crate::SocketEvent::Candidates).
    #[must_use]
    pub fn ice_servers(self, ice_servers: Vec<RTCIceServer>) -> Self {
        Self {
            ice_servers,
            ..self
        }
    }

    /// Adds an address for candidates over TCP (RFC 6544): one that the embedder listens at for
    /// [`TcpType::Passive`], one to connect from, its port 0, for [`TcpType::Active`].
    #[must_use]
    pub fn local_tcp_address(mut self, address: SocketAddr, kind: TcpType) -> Self {
        self.tcp_addresses.push((address, kind));
        self
    }

    /// How servers are asked: repetitions, keep-alives, which addresses a relay may send to.
    #[must_use]
    pub fn gathering(self, gathering: GatherConfig) -> Self {
        Self { gathering, ..self }
    }

    /// The certificate of all connections on this socket. Default: a new one.
    #[must_use]
    pub fn certificate(self, certificate: Certificate) -> Self {
        Self {
            certificate: Some(certificate),
            ..self
        }
    }

    /// Pacing interval between the checks of all connections together, `Ta` (RFC 8445 §14.2); it
    /// takes the place of each connection's own. Default 5 ms, the least that the RFC allows; at
    /// most 1 s. The checks of pairs that are valid already (consent) are not paced.
    #[must_use]
    pub fn ta(self, ta: Duration) -> Self {
        Self { ta, ..self }
    }

    /// The cryptography behind DTLS. Default ring.
    #[must_use]
    pub fn provider(self, provider: Arc<dyn Provider>) -> Self {
        Self { provider, ..self }
    }
}
