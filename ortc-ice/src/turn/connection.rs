//! TCP connections of a relay (RFC 6062), each to be joined with a stream of the embedder's.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use super::Framer;
use crate::path::Path;

/// How long the server waits for a connection to be bound (RFC 6062 §5.2, §5.3).
const UNBOUND: Duration = Duration::from_secs(30);

/// A connection between the relay and a peer, by the number that the server gave it (CONNECTION-ID,
/// RFC 6062 §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    pub(super) state: ConnectionState,
}

#[derive(Debug)]
pub(super) enum ConnectionState {
    /// No stream has been opened for it yet.
    Unbound(Instant),
    /// `ConnectionBind` is out over this path.
    Binding(Path, Framer),
    Bound,
}

#[derive(Debug, Default)]
pub(super) struct Connections {
    by_id: BTreeMap<ConnectionId, Connection>,
    /// Peers to which a Connect request is out.
    pub(super) connecting: Vec<SocketAddr>,
}

impl Connections {
    /// Whether there is room for one more; those that nobody bound in time make it.
    pub(super) fn has_room(&mut self, most: usize, now: Instant) -> bool {
        if self.by_id.len() + self.connecting.len() >= most {
            self.by_id.retain(|_, connection| match connection.state {
                ConnectionState::Unbound(since) => now < since + UNBOUND,
                ConnectionState::Binding(..) | ConnectionState::Bound => true,
            });
        }
        self.by_id.len() + self.connecting.len() < most
    }

    /// A connection of the server; whether it was not known.
    pub(super) fn add(&mut self, id: ConnectionId, peer: SocketAddr, now: Instant) -> bool {
        let state = ConnectionState::Unbound(now);
        let known = self.by_id.contains_key(&id);
        if !known {
            self.by_id.insert(id, Connection { peer, state });
        }
        !known
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        self.by_id.remove(&id)
    }

    /// The Connect request to this peer was answered.
    pub(super) fn connected(&mut self, peer: SocketAddr) {
        self.connecting.retain(|connecting| *connecting != peer);
    }
}
