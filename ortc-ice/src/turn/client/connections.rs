//! TCP allocations (RFC 6062): connections from and to peers.

use core::net::SocketAddr;
use std::time::Instant;

use super::{Client, PeerError, Received};
use crate::path::Path;
use crate::stun::{AttributeType, Message};
use crate::turn::connection::{ConnectionId, ConnectionState};
use crate::turn::permission::Known;
use crate::turn::transaction::Kind;
use crate::turn::{DropReason, Event, Failure, Framer, NotFramed, RelayTransport};

impl Client {
    /// Asks the server to connect to a peer (RFC 6062 §4.3); [`Event::Connection`] says when it has,
    /// [`Event::ConnectFailed`] when it could not. A peer is connected to once at a time.
    ///
    /// # Errors
    ///
    /// [`PeerError`]: nothing is asked for. Without an allocation for TCP, and with
    /// [`Config::connections_max`](crate::turn::Config::connections_max) connections, it is full.
    pub fn connect(&mut self, peer: SocketAddr, now: Instant) -> Result<(), PeerError> {
        self.advance(now);
        if self.is_closed() {
            return Err(PeerError::Closed);
        }
        if !self.config.policy.allows(peer.ip()) {
            return Err(PeerError::Policy);
        }
        let most = self.config.connections_max;
        if self.connections.connecting.contains(&peer) {
            return Ok(());
        }
        if self.config.relay != RelayTransport::Tcp
            || !self.is_up()
            || !self.connections.has_room(most, self.now)
        {
            return Err(PeerError::Full);
        }
        self.connections.connecting.push(peer);
        self.start(Kind::Connect(peer), 0);
        Ok(())
    }

    /// A stream to the server was opened for this connection: `ConnectionBind` (RFC 6062 §4.4)
    /// leaves over it, and [`Event::ConnectionBound`] follows. What the stream brings until then is
    /// for [`Self::handle_connection`].
    ///
    /// # Errors
    ///
    /// [`PeerError::Closed`]: the connection is not known, or has a stream already.
    pub fn bind_connection(
        &mut self,
        connection: ConnectionId,
        path: Path,
        now: Instant,
    ) -> Result<(), PeerError> {
        self.advance(now);
        let known = self.connections.get_mut(connection);
        let Some(known) = known.filter(|it| matches!(it.state, ConnectionState::Unbound(_))) else {
            return Err(PeerError::Closed);
        };
        known.state = ConnectionState::Binding(path, Framer::new());
        self.start(Kind::Bind(connection), 0);
        Ok(())
    }

    /// Takes octets of a connection's stream and says how many of them were the server's answer:
    /// what is left, and all that comes once the connection is bound, is the peer's.
    pub fn handle_connection(
        &mut self,
        connection: ConnectionId,
        octets: &[u8],
        now: Instant,
    ) -> usize {
        self.advance(now);
        let mut rest = octets;
        while let Some(mut framer) = self.framer_of(connection) {
            let frame = framer.next(&mut rest);
            let result = match frame {
                Ok(Some(frame)) => Message::parse(frame)
                    .map_err(|_| DropReason::Malformed)
                    .and_then(|message| self.answered(&message, Some(connection))),
                Ok(None) => {
                    self.keep_framer(connection, framer);
                    break;
                }
                Err(NotFramed) => {
                    self.connection_failed(connection, Failure::NotFramed);
                    break;
                }
            };
            if let Err(reason) = result {
                self.counters.count(reason);
            }
            framer = Framer::new(); // one message was taken, and nothing of another
            self.keep_framer(connection, framer);
        }
        octets.len() - rest.len()
    }

    /// The stream of a connection is gone, or never came to be.
    pub fn connection_closed(&mut self, connection: ConnectionId) {
        self.connections.remove(connection);
    }

    fn framer_of(&mut self, connection: ConnectionId) -> Option<Framer> {
        match &mut self.connections.get_mut(connection)?.state {
            ConnectionState::Binding(_, framer) => Some(core::mem::take(framer)),
            ConnectionState::Unbound(_) | ConnectionState::Bound => None,
        }
    }

    fn keep_framer(&mut self, connection: ConnectionId, framer: Framer) {
        if let Some(known) = self.connections.get_mut(connection)
            && let ConnectionState::Binding(_, place) = &mut known.state
        {
            *place = framer;
        }
    }

    /// The path over which a request leaves.
    pub(super) fn path_of(&self, connection: Option<ConnectionId>) -> Path {
        let connection = connection.and_then(|connection| self.connections.get(connection));
        match connection.map(|connection| &connection.state) {
            Some(ConnectionState::Binding(path, _)) => *path,
            Some(ConnectionState::Unbound(_) | ConnectionState::Bound) | None => self.path,
        }
    }

    /// Connect succeeded: there is a connection to bind (RFC 6062 §4.3).
    pub(super) fn connected(&mut self, peer: SocketAddr, message: &Message<'_>) {
        self.connections.connected(peer);
        let connection = message.find_u32(AttributeType::CONNECTION_ID);
        match connection.map(ConnectionId) {
            Some(connection) if self.connections.add(connection, peer, self.now) => {
                self.events
                    .push_back(Event::Connection { connection, peer });
            }
            Some(_) | None => self.connect_failed(peer, Failure::Code(447)),
        }
    }

    pub(super) fn connect_failed(&mut self, peer: SocketAddr, failure: Failure) {
        self.connections.connected(peer);
        self.events
            .push_back(Event::ConnectFailed { peer, failure });
    }

    pub(super) fn connection_bound(&mut self, connection: ConnectionId) {
        if let Some(known) = self.connections.get_mut(connection) {
            known.state = ConnectionState::Bound;
            let peer = known.peer;
            self.events
                .push_back(Event::ConnectionBound { connection, peer });
        }
    }

    pub(super) fn connection_failed(&mut self, connection: ConnectionId, failure: Failure) {
        if self.connections.remove(connection).is_some() {
            let failed = Event::ConnectionFailed {
                connection,
                failure,
            };
            self.events.push_back(failed);
        }
    }

    /// A peer has connected to the relay (RFC 6062 §4.5).
    pub(super) fn connection_attempt(
        &mut self,
        message: &Message<'_>,
    ) -> Result<Received, DropReason> {
        let peer = message.find_xor_address(AttributeType::XOR_PEER_ADDRESS);
        let connection = message.find_u32(AttributeType::CONNECTION_ID);
        let (Some(peer), Some(connection)) = (peer, connection.map(ConnectionId)) else {
            return Err(DropReason::Malformed);
        };
        if self.config.relay != RelayTransport::Tcp || !self.is_up() {
            return Err(DropReason::NotAllocated);
        }
        if self.permissions.get(peer.ip()) != Known::Permitted {
            return Err(DropReason::UnknownPeer);
        }
        let most = self.config.connections_max;
        if !self.connections.has_room(most, self.now) {
            return Err(DropReason::Overload);
        }
        if self.connections.add(connection, peer, self.now) {
            self.events
                .push_back(Event::Connection { connection, peer });
        }
        Ok(Received::Consumed)
    }
}
