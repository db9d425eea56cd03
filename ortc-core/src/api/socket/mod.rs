//! RTCSocket: one local socket for many connections (draft §2.3.5).

mod registry;

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::Certificate;
use ortc_dtls::crypto::{Provider, ring_provider};
use ortc_ice::stun::{self, IntegrityKey, Message};
use ortc_ice::{Credentials, Path};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use thiserror::Error;

use crate::demux::{Layer, layer};

use registry::{Claim, GENERATIONS, HeldCheck, Local, Proof, Registered};

/// Names a connection on its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(u64);

/// How a socket is made.
#[derive(Clone)]
pub struct SocketOptions {
    seed: [u8; 32],
    addresses: Vec<SocketAddr>,
    certificate: Option<Certificate>,
    provider: Arc<dyn Provider>,
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
        }
    }

    /// Adds an address that the embedder has bound a UDP socket to.
    #[must_use]
    pub fn local_address(mut self, address: SocketAddr) -> Self {
        self.addresses.push(address);
        self
    }

    /// The certificate of all connections on this socket. Default: a new one.
    #[must_use]
    pub fn certificate(self, certificate: Certificate) -> Self {
        Self {
            certificate: Some(certificate),
            ..self
        }
    }

    /// The cryptography behind DTLS. Default ring.
    #[must_use]
    pub fn provider(self, provider: Arc<dyn Provider>) -> Self {
        Self { provider, ..self }
    }
}

/// Why a socket could not be made or shared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SocketError {
    /// A certificate could not be made.
    #[error("the certificate could not be made")]
    Certificate(#[from] ortc_dtls::CertificateError),
    /// As many connections as the bound allows.
    #[error("the socket has {MAX_CONNECTIONS} connections: close some or bind another socket")]
    Full,
}

/// A place on a socket, for [`RTCConnectionOptions::socket`](super::RTCConnectionOptions::socket).
/// Immutable: the connection that gets it can live on another thread.
#[derive(Clone, Debug)]
pub struct SharedSocket {
    pub(crate) id: ConnectionId,
    pub(crate) credentials: Credentials,
    pub(crate) certificate: Certificate,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl SharedSocket {
    /// The connection's name on the socket.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.id
    }
}

/// What a connection tells its socket: carry it from
/// [`RTCConnection::poll_socket_update`](super::RTCConnection::poll_socket_update) to
/// [`RTCSocket::handle_update`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketUpdate {
    pub(crate) id: ConnectionId,
    pub(crate) change: SocketChange,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SocketChange {
    /// The peer's ufrag: checks for this pair of ufrags are the connection's.
    RemoteUfrag(String),
    /// New local credentials after a restart.
    Credentials(Credentials),
    /// The connection sends there and expects answers.
    Path(Path),
    /// It is gone.
    Closed,
}

/// Where a datagram belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Hand it to this connection.
    Connection(ConnectionId),
    /// Kept: a check of a peer whose description has not come yet. It comes out of
    /// [`RTCSocket::poll_pending`] when it has.
    Held,
    /// Nobody's: drop it.
    Unknown,
}

/// A datagram that waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Between which addresses it came.
    pub path: Path,
    /// Its octets.
    pub contents: Vec<u8>,
}

/// Connections on one socket.
pub const MAX_CONNECTIONS: usize = 65_536;
/// Paths that one connection may claim; one that a check came over takes the place of one that was
/// only said.
const MAX_CLAIMS: usize = 256;
/// Checks that wait for a description.
pub const MAX_HELD_CHECKS: usize = 64;
/// Octets of a check that may wait; browsers send about 120.
const MAX_HELD_CHECK: usize = 576;

/// A local socket that several connections use: media forking, where one signalled description
/// gets many answers, or many connections behind one port.
///
/// It owns the addresses and tells which connection a datagram is for: checks by the two ufrags in
/// their STUN username, everything else by the pair of addresses. It is not a container of
/// connections: those may live on other threads, and talk to it by [`SocketUpdate`].
///
/// ```
/// use std::time::Instant;
/// use ortc_core::{RTCConnection, RTCConnectionOptions, RTCSocket, SocketOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let address = "192.0.2.1:5000".parse()?;
/// let mut socket = RTCSocket::new(SocketOptions::new([1; 32]).local_address(address))?;
/// // Two answers to one description: same credentials, same certificate.
/// let now = Instant::now();
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
    next_id: u64,
    connections: BTreeMap<ConnectionId, Registered>,
    /// Local ufrag to the connections that use it.
    by_local: BTreeMap<String, BTreeSet<ConnectionId>>,
    /// Local and remote ufrag to the connection.
    by_pair: BTreeMap<(String, String), ConnectionId>,
    by_path: BTreeMap<Path, Claim>,
    held: VecDeque<HeldCheck>,
    ready: VecDeque<(ConnectionId, Pending)>,
}

impl RTCSocket {
    /// A socket.
    ///
    /// # Errors
    ///
    /// [`SocketError::Certificate`] when none was given and none could be made.
    pub fn new(options: SocketOptions) -> Result<Self, SocketError> {
        let certificate = match options.certificate {
            Some(certificate) => certificate,
            None => Certificate::generate(&options.provider)?,
        };
        let mut rng = ChaCha20Rng::from_seed(options.seed);
        let shared = generate_credentials(&mut rng);
        Ok(Self::with(options.addresses, certificate, shared, rng))
    }

    /// The socket of a connection that owned it, with that connection on it.
    pub(crate) fn of(
        addresses: Vec<SocketAddr>,
        certificate: Certificate,
        credentials: Credentials,
        seed: [u8; 32],
    ) -> (Self, ConnectionId) {
        let rng = ChaCha20Rng::from_seed(seed);
        let mut socket = Self::with(addresses, certificate, credentials, rng);
        let id = socket.insert(socket.shared.clone());
        (socket, id)
    }

    fn with(
        addresses: Vec<SocketAddr>,
        certificate: Certificate,
        shared: Credentials,
        rng: ChaCha20Rng,
    ) -> Self {
        Self {
            addresses,
            certificate,
            shared,
            rng,
            next_id: 0,
            connections: BTreeMap::new(),
            by_local: BTreeMap::new(),
            by_pair: BTreeMap::new(),
            by_path: BTreeMap::new(),
            held: VecDeque::new(),
            ready: VecDeque::new(),
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
        self.register(credentials)
    }

    /// A place with credentials of its own.
    ///
    /// # Errors
    ///
    /// [`SocketError::Full`].
    pub fn admit(&mut self) -> Result<SharedSocket, SocketError> {
        let credentials = generate_credentials(&mut self.rng);
        self.register(credentials)
    }

    fn register(&mut self, credentials: Credentials) -> Result<SharedSocket, SocketError> {
        if self.connections.len() >= MAX_CONNECTIONS {
            return Err(SocketError::Full);
        }
        let id = self.insert(credentials.clone());
        Ok(SharedSocket {
            id,
            credentials,
            certificate: self.certificate.clone(),
            addresses: self.addresses.clone(),
        })
    }

    fn insert(&mut self, credentials: Credentials) -> ConnectionId {
        let id = ConnectionId(self.next_id);
        self.next_id += 1;
        let local_ufrag = credentials.ufrag().to_owned();
        self.by_local
            .entry(local_ufrag.clone())
            .or_default()
            .insert(id);
        let key = IntegrityKey::new(credentials.password().as_bytes());
        let local = Local {
            ufrag: local_ufrag,
            key,
        };
        let registered = Registered {
            locals: VecDeque::from([local]),
            remotes: VecDeque::new(),
            claims: BTreeSet::new(),
        };
        self.connections.insert(id, registered);
        id
    }

    /// Addresses of the socket.
    #[must_use]
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Says whose a datagram is. It is not changed and, unless held, not copied.
    pub fn handle_datagram(&mut self, path: Path, contents: &[u8], _now: Instant) -> Route {
        if layer(contents) == Some(Layer::Stun) && stun::is_stun(contents) {
            return self.route_stun(path, contents);
        }
        self.by_path
            .get(&path)
            .map_or(Route::Unknown, |claim| Route::Connection(claim.id))
    }

    fn route_stun(&mut self, path: Path, contents: &[u8]) -> Route {
        let Ok(message) = Message::parse(contents) else {
            return Route::Unknown;
        };
        let Some((local, remote)) = message.split_username() else {
            // Answers and indications carry no username: by their path.
            return self
                .by_path
                .get(&path)
                .map_or(Route::Unknown, |claim| Route::Connection(claim.id));
        };
        // Both look-ups borrow nothing of the message; ufrags are at most 256 octets.
        if let Some(&id) = self.by_pair.get(&(local.to_owned(), remote.to_owned())) {
            self.note_checked(id, path, &message);
            return Route::Connection(id);
        }
        let Some(sharers) = self.by_local.get(local) else {
            return Route::Unknown;
        };
        let waiting = |id: &&ConnectionId| {
            self.connections
                .get(id)
                .is_some_and(|connection| connection.remotes.is_empty())
        };
        let mut open = sharers.iter().filter(waiting);
        match (sharers.len(), open.next()) {
            // A connection alone on its ufrag takes early checks itself.
            (1, Some(&id)) => {
                self.note_checked(id, path, &message);
                Route::Connection(id)
            }
            (_, None) => Route::Unknown,
            (_, Some(_)) => {
                let fits = contents.len() <= MAX_HELD_CHECK;
                let authentic = sharers
                    .first()
                    .and_then(|id| self.connections.get(id))
                    .is_some_and(|connection| connection.authenticates(&message));
                if !fits || !authentic {
                    return Route::Unknown;
                }
                if self.held.len() == MAX_HELD_CHECKS {
                    self.held.pop_front();
                }
                self.held.push_back(HeldCheck {
                    local_ufrag: local.to_owned(),
                    remote_ufrag: remote.to_owned(),
                    pending: Pending {
                        path,
                        contents: contents.to_vec(),
                    },
                });
                Route::Held
            }
        }
    }

    /// A check over a path that is not known to be the connection's: if its password authenticates
    /// the check, the path is its own, unless another connection has proved the same.
    fn note_checked(&mut self, id: ConnectionId, path: Path, message: &Message<'_>) {
        let known = self.by_path.get(&path);
        if known.is_some_and(|claim| claim.proof == Proof::Checked || claim.id == id) {
            return;
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if !connection.authenticates(message) {
            return;
        }
        if connection.claims.len() >= MAX_CLAIMS {
            // A check is worth more than what was only said.
            let claimed = |path: &&Path, proof| {
                let claim = self.by_path.get(path);
                claim.is_some_and(|claim| claim.id == id && claim.proof == proof)
            };
            let mut claims = connection.claims.iter();
            let spare = claims.find(|path| !claimed(path, Proof::Checked)).copied();
            if let Some(spare) = spare {
                if claimed(&&spare, Proof::Said) {
                    self.by_path.remove(&spare);
                }
                connection.claims.remove(&spare);
            }
        }
        if connection.claims.len() < MAX_CLAIMS {
            connection.claims.insert(path);
            self.by_path.insert(
                path,
                Claim {
                    id,
                    proof: Proof::Checked,
                },
            );
        }
    }

    /// Takes what a connection says; what is about a connection that is gone is ignored.
    pub fn handle_update(&mut self, update: SocketUpdate) {
        let SocketUpdate { id, change } = update;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        match change {
            // Told again: the generations before it are still wanted.
            SocketChange::RemoteUfrag(remote) if connection.remotes.back() == Some(&remote) => {}
            SocketChange::RemoteUfrag(remote) => {
                let old = connection.pairs().collect();
                connection.remotes.push_back(remote);
                if connection.remotes.len() > GENERATIONS {
                    connection.remotes.pop_front();
                }
                self.reindex(id, old);
                self.release_held(id);
            }
            SocketChange::Credentials(credentials) => {
                let old = connection.pairs().collect();
                let key = IntegrityKey::new(credentials.password().as_bytes());
                let ufrag = credentials.ufrag().to_owned();
                connection.locals.push_back(Local {
                    ufrag: ufrag.clone(),
                    key,
                });
                let gone = if connection.locals.len() > GENERATIONS {
                    connection.locals.pop_front()
                } else {
                    None
                };
                self.by_local.entry(ufrag).or_default().insert(id);
                if let Some(gone) = gone {
                    self.leave(&gone.ufrag, id);
                }
                self.reindex(id, old);
            }
            SocketChange::Path(path) => {
                if connection.claims.len() < MAX_CLAIMS {
                    let claim = Claim {
                        id,
                        proof: Proof::Said,
                    };
                    if self.by_path.entry(path).or_insert(claim).id == id {
                        connection.claims.insert(path);
                    }
                }
            }
            SocketChange::Closed => self.forget(id),
        }
    }

    /// The pairs of ufrags that lead to a connection have changed.
    fn reindex(&mut self, id: ConnectionId, old: Vec<(String, String)>) {
        for pair in old {
            if self.by_pair.get(&pair) == Some(&id) {
                self.by_pair.remove(&pair);
            }
        }
        if let Some(connection) = self.connections.get(&id) {
            for pair in connection.pairs() {
                self.by_pair.entry(pair).or_insert(id);
            }
        }
    }

    /// A connection uses this local ufrag no longer.
    fn leave(&mut self, ufrag: &str, id: ConnectionId) {
        if let Some(sharers) = self.by_local.get_mut(ufrag) {
            sharers.remove(&id);
            if sharers.is_empty() {
                self.by_local.remove(ufrag);
            }
        }
    }

    fn release_held(&mut self, id: ConnectionId) {
        for check in core::mem::take(&mut self.held) {
            let pair = (check.local_ufrag, check.remote_ufrag);
            if self.by_pair.get(&pair) == Some(&id) {
                if let Ok(message) = Message::parse(&check.pending.contents) {
                    self.note_checked(id, check.pending.path, &message);
                }
                self.ready.push_back((id, check.pending));
            } else {
                let (local_ufrag, remote_ufrag) = pair;
                self.held.push_back(HeldCheck {
                    local_ufrag,
                    remote_ufrag,
                    pending: check.pending,
                });
            }
        }
    }

    fn forget(&mut self, id: ConnectionId) {
        let Some(gone) = self.connections.remove(&id) else {
            return;
        };
        for pair in gone.pairs() {
            if self.by_pair.get(&pair) == Some(&id) {
                self.by_pair.remove(&pair);
            }
        }
        for local in &gone.locals {
            self.leave(&local.ufrag, id);
        }
        for path in gone.claims {
            if self.by_path.get(&path).is_some_and(|claim| claim.id == id) {
                self.by_path.remove(&path);
            }
        }
        self.ready.retain(|(owner, _)| *owner != id);
    }

    /// The next datagram that waited for a description which has come.
    pub fn poll_pending(&mut self) -> Option<(ConnectionId, Pending)> {
        self.ready.pop_front()
    }

    /// Connections on the socket.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }
}

fn generate_credentials(rng: &mut ChaCha20Rng) -> Credentials {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    Credentials::generate(seed)
}
