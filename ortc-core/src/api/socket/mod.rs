//! RTCSocket: one local socket for many connections (draft §2.3.5).

mod claims;
mod held;
mod keyed;
mod link;
mod network;
mod options;
mod registry;
mod routing;
mod slots;

use core::net::SocketAddr;
use core::ops::Range;
use core::time::Duration;
use std::time::Instant;

use ortc_dtls::Certificate;
use ortc_ice::{Credentials, Gatherer, Path, stun};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use thiserror::Error;

use crate::demux::{Layer, layer};

use super::error::DescriptionError;
use super::ice_server::{SourceError, Sources};

use self::claims::Proof;
use self::network::Network;
use self::routing::{Router, Sharing};
use self::slots::SlotClock;

pub use self::held::{MAX_HELD_CHECKS, Pending};
pub(crate) use self::link::SocketChange;
pub use self::link::{SharedSocket, SocketCandidates, SocketUpdate};
pub use self::network::SocketEvent;
pub use self::options::SocketOptions;
pub(crate) use self::slots::Slots;

/// Names a connection on its socket; of two, the later one is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    serial: u64,
    place: u32,
}

/// Why a socket could not be made or shared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SocketError {
    /// A server URI cannot be read.
    #[error("a server cannot be used")]
    Server(#[from] DescriptionError),
    /// The gatherer refused an address or a server.
    #[error("candidates cannot be gathered like this")]
    Gather(#[from] ortc_ice::GatherError),
    /// A certificate could not be made.
    #[error("the certificate could not be made")]
    Certificate(#[from] ortc_dtls::CertificateError),
    /// `Ta` is out of its range.
    #[error("ta must be 5 ms to 1 s")]
    Ta,
    /// As many connections as the bound allows.
    #[error("the socket has {MAX_CONNECTIONS} connections: close some or bind another socket")]
    Full,
}

/// Where a datagram belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Hand it to this connection.
    Connection(ConnectionId),
    /// Kept: a check of a peer whose description has not come yet. It comes out of
    /// [`RTCSocket::poll_pending`] when it has.
    Held,
    /// A server's, and dealt with.
    Consumed,
    /// A peer's, behind a relay: hand these octets of it to this connection, as if they had arrived
    /// on this path.
    Relayed {
        /// The connection.
        id: ConnectionId,
        /// From the relayed address to the peer.
        path: Path,
        /// Which octets.
        range: Range<usize>,
    },
    /// Nobody's: drop it.
    Unknown,
}

/// Connections on one socket.
pub const MAX_CONNECTIONS: usize = 65_536;

/// Pacing intervals that an option may name (RFC 8445 §14.2).
const TA_RANGE: core::ops::RangeInclusive<Duration> =
    Duration::from_millis(5)..=Duration::from_secs(1);

/// A local socket that several connections use: media forking, where one signalled description
/// gets many answers, or many connections behind one port.
///
/// It owns the addresses and tells which connection a datagram is for: checks by the two ufrags in
/// their STUN username, answers to checks by their transaction id, everything else by the pair of
/// addresses. What that costs does not depend on how many connections there are, and nothing is
/// allocated for it. It is not a container of connections: those may live on other threads, and
/// talk to it by [`SocketUpdate`].
///
/// # One pair of addresses, one connection
///
/// A pair of addresses belongs to the connection that proved best that its peer is there: the weakest
/// proof is that the peer signalled the address, a better one an authenticated check from there, the
/// best an answered check of our own. Of two connections with the best proof the later has it, which
/// is how a client comes back from the same address with new credentials; the other one gets nothing
/// more from there, until a restart, and its consent expires. Who knows the credentials of one
/// connection takes nothing from another unless datagrams to that address really arrive at him: a
/// forged source address proves nothing.
///
/// # With servers
///
/// With [`SocketOptions::ice_servers`] the socket is a machine like the others: call
/// [`handle_timeout`](Self::handle_timeout) and poll [`poll_transmit`](Self::poll_transmit),
/// [`poll_event`](Self::poll_event) and [`poll_timeout`](Self::poll_timeout). The candidates that it
/// finds go to every connection, and what these want to send passes through
/// [`encapsulate`](Self::encapsulate). Without servers none of that has anything to do.
///
/// ```
/// use std::time::Instant;
/// use ortc_core::{RTCConnection, RTCConnectionOptions, RTCSocket, SocketOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let address = "192.0.2.1:5000".parse()?;
/// let now = Instant::now();
/// let mut socket = RTCSocket::new(SocketOptions::new([1; 32]).local_address(address), now)?;
/// // Two answers to one description: same credentials, same certificate.
/// let desk = RTCConnection::new(RTCConnectionOptions::new([2; 32]).socket(socket.fork()?), now)?;
/// let mobile = RTCConnection::new(RTCConnectionOptions::new([3; 32]).socket(socket.fork()?), now)?;
/// assert_eq!(desk.local().ice, mobile.local().ice);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "RtcSocket")]
#[derive(Debug)]
pub struct RTCSocket {
    addresses: Vec<SocketAddr>,
    certificate: Certificate,
    /// Credentials of everyone made by `fork`.
    shared: Credentials,
    rng: ChaCha20Rng,
    router: Router,
    slots: SlotClock,
    network: Network,
}

impl RTCSocket {
    /// A socket.
    ///
    /// # Errors
    ///
    /// [`SocketError::Certificate`] when none was given and none could be made,
    /// [`SocketError::Ta`] for an interval out of its range, [`SocketError::Server`] and
    /// [`SocketError::Gather`] for servers and addresses that cannot be used.
    pub fn new(options: SocketOptions, now: Instant) -> Result<Self, SocketError> {
        if !TA_RANGE.contains(&options.ta) {
            return Err(SocketError::Ta);
        }
        let certificate = match options.certificate {
            Some(certificate) => certificate,
            None => Certificate::generate(&options.provider)?,
        };
        let mut rng = ChaCha20Rng::from_seed(options.seed);
        let shared = generate_credentials(&mut rng);
        let mut gather_seed = [0; 32];
        rng.fill_bytes(&mut gather_seed);
        let sources = Sources {
            servers: &options.ice_servers,
            tcp: &options.tcp_addresses,
            config: options.gathering,
        };
        let uplink = sources.uplink(gather_seed, now)?.map(|uplink| *uplink);
        let slots = SlotClock::new(options.ta, now);
        let addresses = options.addresses;
        let mut socket = Self::with(addresses, certificate, shared, slots, rng);
        socket.network.uplink = uplink.unwrap_or_default();
        socket.update(now)?;
        socket.tells_nothing_old();
        Ok(socket)
    }

    /// The socket of a connection that owned it, with a place for that connection.
    pub(crate) fn of(
        addresses: Vec<SocketAddr>,
        certificate: Certificate,
        credentials: Credentials,
        gatherer: Option<Box<Gatherer>>,
        seed: [u8; 32],
        now: Instant,
    ) -> (Self, SharedSocket) {
        let rng = ChaCha20Rng::from_seed(seed);
        let mut socket = Self::with(
            addresses,
            certificate,
            credentials,
            SlotClock::new(*TA_RANGE.start(), now),
            rng,
        );
        socket.network.uplink.gatherer = gatherer;
        socket.drain_gatherer();
        let place = socket.fork().expect("an empty socket has a place");
        (socket, place)
    }

    fn with(
        addresses: Vec<SocketAddr>,
        certificate: Certificate,
        shared: Credentials,
        slots: SlotClock,
        mut rng: ChaCha20Rng,
    ) -> Self {
        let (mut hash_key, mut tag_key) = ([0; 16], [0; 16]);
        rng.fill_bytes(&mut hash_key);
        rng.fill_bytes(&mut tag_key);
        Self {
            addresses,
            certificate,
            shared,
            rng,
            router: Router::new(hash_key, tag_key),
            slots,
            network: Network::default(),
        }
    }

    /// A place that shares this socket's credentials and certificate with every other fork: one
    /// description is signalled, each peer that answers gets a connection.
    ///
    /// # Errors
    ///
    /// [`SocketError::Full`].
    pub fn fork(&mut self) -> Result<SharedSocket, SocketError> {
        let credentials = self.shared.clone();
        self.register(credentials, Sharing::Forks)
    }

    /// A place with credentials of its own.
    ///
    /// # Errors
    ///
    /// [`SocketError::Full`].
    pub fn admit(&mut self) -> Result<SharedSocket, SocketError> {
        let mut credentials = generate_credentials(&mut self.rng);
        while self.router.is_ufrag_used(credentials.ufrag()) {
            credentials = generate_credentials(&mut self.rng);
        }
        self.register(credentials, Sharing::Own)
    }

    fn register(
        &mut self,
        credentials: Credentials,
        sharing: Sharing,
    ) -> Result<SharedSocket, SocketError> {
        let id = self
            .router
            .insert(&credentials, sharing)
            .ok_or(SocketError::Full)?;
        Ok(SharedSocket {
            id,
            credentials,
            certificate: self.certificate.clone(),
            tag: self.router.tag(id),
            slots: self.slots.clone(),
            candidates: self.candidates(),
        })
    }

    /// Addresses of the socket.
    #[must_use]
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Says whose a datagram is. It is not changed and, unless held, not copied.
    pub fn handle_datagram(&mut self, path: Path, contents: &[u8], now: Instant) -> Route {
        if self.network.uplink.gatherer.is_some() {
            return self.handle_from_network(path, contents, now);
        }
        self.route(path, contents)
    }

    fn route(&mut self, path: Path, contents: &[u8]) -> Route {
        if layer(contents) == Some(Layer::Stun) && stun::is_stun(contents) {
            self.router.route_stun(path, contents)
        } else {
            self.router.route(&path)
        }
    }

    /// Takes what a connection says; what is about a connection that is gone is ignored.
    pub fn handle_update(&mut self, update: SocketUpdate, now: Instant) {
        let SocketUpdate { id, change } = update;
        match change {
            SocketChange::RemoteUfrag(remote) => self.router.add_remote(id, remote),
            SocketChange::Credentials(credentials) => self.router.add_local(id, &credentials),
            SocketChange::Path(path) => {
                self.network.uplink.permit(&path, now);
                self.router.claim(id, path, Proof::Said);
                self.drain_gatherer();
            }
            SocketChange::Valid(path) => {
                self.network.uplink.bind_channel(&path, now);
                self.router.claim(id, path, Proof::Valid);
                self.router.uses(id, path);
                self.drain_gatherer();
                self.let_go(now);
            }
            SocketChange::Suspected(path) => {
                self.network.uplink.probe(&path, now);
                self.drain_gatherer();
            }
            SocketChange::Closed => {
                self.router.forget(id);
                self.let_go(now);
            }
        }
    }

    /// The next datagram that waited for a description which has come.
    pub fn poll_pending(&mut self) -> Option<(ConnectionId, Pending)> {
        self.router.poll_pending()
    }

    /// Connections on the socket.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.router.len()
    }
}

impl From<SourceError> for SocketError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Uri(error) => Self::Server(error),
            SourceError::Gather(error) => Self::Gather(error),
        }
    }
}

fn generate_credentials(rng: &mut ChaCha20Rng) -> Credentials {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    Credentials::generate(seed)
}
