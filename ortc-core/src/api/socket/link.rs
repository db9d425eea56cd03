//! What passes between a socket and its connections, which may live on other threads.

use std::sync::Arc;

use ortc_dtls::Certificate;
use ortc_ice::{Credentials, LocalCandidate, Path, TransactionTag};

use super::ConnectionId;
use super::slots::SlotClock;

/// A place on a socket, for [`RTCConnectionOptions::socket`](crate::RTCConnectionOptions::socket).
/// The connection that gets it can live on another thread: what it shares with the socket does not
/// change, but for the time of the next free slot for a check, which needs no lock.
#[derive(Clone, Debug)]
pub struct SharedSocket {
    pub(crate) id: ConnectionId,
    pub(crate) credentials: Credentials,
    pub(crate) certificate: Certificate,
    /// What its transaction ids say, so that answers find it.
    pub(crate) tag: TransactionTag,
    pub(crate) slots: SlotClock,
    /// What the socket has found so far.
    pub(crate) candidates: SocketCandidates,
}

impl SharedSocket {
    /// The connection's name on the socket.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.id
    }
}

/// The candidates that a socket has, of its addresses and from its servers, and whether there are more to come: to
/// be given to all its connections, on whatever threads they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketCandidates {
    list: Arc<[LocalCandidate]>,
    complete: bool,
}

impl Default for SocketCandidates {
    fn default() -> Self {
        Self {
            list: Arc::default(),
            complete: true,
        }
    }
}

impl SocketCandidates {
    pub(super) fn new(list: Arc<[LocalCandidate]>, complete: bool) -> Self {
        Self { list, complete }
    }

    /// The candidates.
    #[must_use]
    pub fn list(&self) -> &[LocalCandidate] {
        &self.list
    }

    /// Whether every server has answered or failed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    pub(crate) fn has(&self, candidate: &LocalCandidate) -> bool {
        self.list.contains(candidate)
    }
}

/// What a connection tells its socket: carry it from
/// [`RTCConnection::poll_socket_update`](crate::RTCConnection::poll_socket_update) to
/// [`RTCSocket::handle_update`](crate::RTCSocket::handle_update).
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
    /// The connection may send there.
    Path(Path),
    /// A check of its own was answered there.
    Valid(Path),
    /// Nothing answers there any more.
    Suspected(Path),
    /// It is gone.
    Closed,
}
