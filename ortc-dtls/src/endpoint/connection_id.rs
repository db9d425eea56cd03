//! Connection ids as the owner sees them (RFC 9146, RFC 9147 §9).

use std::time::Instant;

use super::{ConnectionIdError, Endpoint, State};
use crate::connection_id::{ConnectionId, Ids};

impl Endpoint {
    /// The connection ids that the peer may write, all of one length: where a datagram has one of
    /// them, it belongs here. The first is there from the start; it is gone once the peer turns
    /// out to have no use for it.
    pub fn connection_ids(&self) -> impl Iterator<Item = &ConnectionId> {
        self.cx.ids.iter().flat_map(|ids| ids.own())
    }

    /// The connection id that we write, which the peer chose; empty if it wants none. `None` until
    /// both sides have agreed to use them, and when they have not.
    #[must_use]
    pub fn peer_connection_id(&self) -> Option<&ConnectionId> {
        let ids = self.cx.ids.as_ref()?;
        ids.is_agreed().then(|| self.cx.outbound.id())
    }

    /// Tells the peer to write this connection id from now on. Those before count until it does and
    /// for a while after.
    ///
    /// # Errors
    ///
    /// [`ConnectionIdError`]: not connected, not in DTLS 1.3, none in use, of another length than
    /// those before, or the peer was not yet told of another one.
    pub fn replace_connection_id(
        &mut self,
        own: ConnectionId,
        now: Instant,
    ) -> Result<(), ConnectionIdError> {
        self.observe(now);
        let ids = self.changeable_ids()?;
        if own.octets().len() != ids.len() || own.is_empty() {
            return Err(ConnectionIdError::Length);
        }
        if !ids.replace(own) {
            return Err(ConnectionIdError::Outstanding);
        }
        self.advance_keys();
        Ok(())
    }

    /// Asks the peer for so many connection ids, to be used by
    /// [`Endpoint::use_next_connection_id`]. It may give fewer, or none; four are kept.
    ///
    /// # Errors
    ///
    /// [`ConnectionIdError`]: not connected, not in DTLS 1.3, the peer wants none, or it has not
    /// answered yet.
    pub fn request_connection_ids(
        &mut self,
        count: u8,
        now: Instant,
    ) -> Result<(), ConnectionIdError> {
        self.observe(now);
        let wants = !self.cx.outbound.id().is_empty();
        let ids = self.changeable_ids()?;
        if !wants {
            return Err(ConnectionIdError::NotNegotiated);
        }
        if !ids.want(count) {
            return Err(ConnectionIdError::Outstanding);
        }
        self.advance_keys();
        Ok(())
    }

    /// Writes the next of the connection ids that the peer gave, so that what is sent on another
    /// path cannot be recognised by its id (RFC 9147 §9); says whether there was one.
    pub fn use_next_connection_id(&mut self) -> bool {
        let next = self.cx.ids.as_mut().and_then(|ids| ids.take_spare());
        next.map(|id| self.cx.write_id(id)).is_some()
    }

    fn changeable_ids(&mut self) -> Result<&mut Ids, ConnectionIdError> {
        if !matches!(self.state, State::Connected(_)) {
            return Err(ConnectionIdError::NotConnected);
        }
        if !self.cx.is_dtls13() {
            return Err(ConnectionIdError::Version);
        }
        let ids = self.cx.ids.as_deref_mut();
        ids.ok_or(ConnectionIdError::NotNegotiated)
    }
}
