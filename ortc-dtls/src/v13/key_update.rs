//! What a connection goes on with after the handshake: its secrets, and KeyUpdates
//! (RFC 9147 §8, RFC 8446 §4.6.3).

use super::schedule::Secret;
use super::{APPLICATION, Suite, connection_id, unexpected};
use crate::config::Role;
use crate::context::Context;
use crate::crypto::{CryptoError, Output, Provider};
use crate::event::{CloseReason, ProtocolError};
use crate::flight::Await;
use crate::keying::{KeyingError, dtls13_export};
use crate::reassembly::Message;
use crate::record::{ReadEpoch, TrafficKeys, WriteEpoch};
use crate::wire::{HandshakeType, ParseError, Reader};

/// KeyUpdates of the peer without application data in between.
const MAX_IN_A_ROW: u32 = 32;

/// A key is not used beyond this epoch (RFC 9147 §8).
const MAX_EPOCH: u64 = (1 << 48) - 1;

/// Whether the peer is asked to change its keys as well; the values are those on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerUpdate {
    NotRequested = 0,
    Requested = 1,
}

/// Our own change of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Update {
    Idle,
    /// As soon as all that was sent before is acknowledged.
    Wanted(PeerUpdate),
    /// Sent: the new key is used once it is acknowledged.
    Sent,
}

/// The secrets of both directions, and how far they have moved on.
#[derive(Debug)]
pub(crate) struct Traffic {
    role: Role,
    suite: Suite,
    client_random: [u8; 32],
    read: Output,
    write: Output,
    exporter: Output,
    update: Update,
    in_a_row: u32,
}

impl Traffic {
    pub(super) const fn new(
        role: Role,
        suite: Suite,
        client_random: [u8; 32],
        read: Output,
        write: Output,
        exporter: Output,
    ) -> Self {
        Self {
            role,
            suite,
            client_random,
            read,
            write,
            exporter,
            update: Update::Idle,
            in_a_row: 0,
        }
    }

    /// The random of the ClientHello that counts.
    pub(crate) const fn client_random(&self) -> &[u8; 32] {
        &self.client_random
    }

    /// Exports key material (RFC 8446 §7.5).
    pub(crate) fn export(
        &self,
        provider: &dyn Provider,
        label: &str,
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), KeyingError> {
        let context = context.unwrap_or_default();
        if context.len() > usize::from(u16::MAX) {
            return Err(KeyingError::Length);
        }
        let secret = self.exporter.as_ref();
        dtls13_export(provider, self.suite.hash, secret, label, context, out)
    }

    /// Our keys are to change, and those of the peer if requested.
    pub(crate) const fn want_update(&mut self, peer: PeerUpdate) {
        match (self.update, peer) {
            (Update::Idle, _) | (Update::Wanted(_), PeerUpdate::Requested) => {
                self.update = Update::Wanted(peer);
            }
            // The one that is under way serves this wish too (RFC 9147 §8).
            (Update::Wanted(_), PeerUpdate::NotRequested) | (Update::Sent, _) => {}
        }
    }

    /// Whether [`Traffic::advance`] may have something to do: seldom, and it is asked about every
    /// record.
    pub(crate) fn may_advance(&self, cx: &Context) -> bool {
        matches!(self.update, Update::Wanted(_))
            || cx.ids.is_some()
            || cx.outbound.is_worn(cx.config.update_keys_after)
    }

    /// Sends what waits for earlier messages to be acknowledged.
    pub(crate) fn advance(&mut self, cx: &mut Context) -> Result<(), CryptoError> {
        if self.update == Update::Idle && cx.outbound.is_worn(cx.config.update_keys_after) {
            self.update = Update::Wanted(PeerUpdate::NotRequested);
        }
        if !cx.flight.is_empty() || !cx.flight.can_continue() {
            return Ok(());
        }
        let epoch = cx.outbound.epoch();
        let peer = match self.update {
            // The request is ignored then; what is left of the key is used up (RFC 9147 §8).
            Update::Wanted(peer) if epoch < MAX_EPOCH => peer,
            Update::Idle | Update::Wanted(_) | Update::Sent => return connection_id::advance(cx),
        };
        tracing::debug!(role = ?self.role, epoch, "updating keys");
        cx.flight.begin(None, cx.now);
        cx.flight
            .message(HandshakeType::KEY_UPDATE, epoch, |out| out.push(peer as u8));
        cx.flight.launch(Await::Answer, cx.now);
        self.update = Update::Sent;
        Ok(())
    }

    /// All that we sent is acknowledged: the epoch after a KeyUpdate begins.
    pub(crate) fn on_all_acknowledged(&mut self, cx: &mut Context) -> Result<(), CryptoError> {
        cx.flight.clear();
        if self.update == Update::Sent {
            let provider = cx.config.provider.clone();
            let (next, keys) = next(&*provider, self.suite, &self.write)?;
            self.write = next;
            let epoch = cx.outbound.epoch() + 1;
            cx.outbound.install_epoch(WriteEpoch::new(keys, epoch));
            self.log(cx, self.role, epoch, &self.write);
            self.update = Update::Idle;
        } else if cx.ids.as_mut().is_some_and(|ids| ids.on_acknowledged()) {
            // What the peer wrote before stays readable.
        } else if self.role == Role::Client {
            // The server has our last flight, and will not repeat its own. What it writes with may
            // still be the key before the newest that it has announced (RFC 9147 §8).
            cx.inbound.retire_epochs(APPLICATION);
        }
        cx.outbound.retire_epochs();
        Ok(())
    }

    /// A message after the handshake.
    pub(crate) fn on_message(
        &mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<(), CloseReason> {
        match (message.kind, self.role) {
            (HandshakeType::KEY_UPDATE, _) => self.on_key_update(message, cx),
            // Nothing is resumed.
            (HandshakeType::NEW_SESSION_TICKET, Role::Client) => Ok(()),
            (HandshakeType::NEW_CONNECTION_ID, _) => connection_id::on_new(message, cx),
            (HandshakeType::REQUEST_CONNECTION_ID, _) => connection_id::on_request(message, cx),
            // Authentication after the handshake was not offered.
            _ => Err(unexpected(message)),
        }
    }

    fn on_key_update(&mut self, message: &Message, cx: &mut Context) -> Result<(), CloseReason> {
        let mut reader = Reader::new(&message.body, "KeyUpdate");
        let request = reader.u8()?;
        reader.finish()?;
        if request > PeerUpdate::Requested as u8 {
            return Err(ParseError::Invalid("request_update").into());
        }
        self.in_a_row += 1;
        if self.in_a_row > MAX_IN_A_ROW {
            return Err(ProtocolError::KeyUpdates.into());
        }
        let (next, keys) = next(&*cx.config.provider, self.suite, &self.read)?;
        self.read = next;
        let epoch = cx.inbound.newest_epoch().ok_or(CryptoError)? + 1;
        cx.install_read_epoch(ReadEpoch::new(keys, epoch));
        let peer = match self.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        self.log(cx, peer, epoch, &self.read);
        if request == PeerUpdate::Requested as u8 {
            self.want_update(PeerUpdate::NotRequested);
        }
        Ok(())
    }

    /// Application data came: the peer's KeyUpdates have a purpose.
    pub(crate) const fn on_data(&mut self) {
        self.in_a_row = 0;
    }

    fn log(&self, cx: &mut Context, writer: Role, epoch: u64, secret: &Output) {
        if cx.config.key_log {
            let writer = match writer {
                Role::Client => "CLIENT",
                Role::Server => "SERVER",
            };
            let label = format!("{writer}_TRAFFIC_SECRET_{}", epoch - 3);
            cx.log_key(&label, &self.client_random, secret.as_ref());
        }
    }
}

/// The secret after a KeyUpdate, and its keys (RFC 8446 §7.2).
fn next(
    provider: &dyn Provider,
    suite: Suite,
    secret: &Output,
) -> Result<(Output, TrafficKeys), CryptoError> {
    let next = Secret::new(suite.hash, secret.clone()).next(provider)?;
    let keys = next.traffic_keys(provider, suite)?;
    Ok((next.into_octets(), keys))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::assert_wiped;

    /// The secrets of a connection wipe themselves.
    const _: fn(Traffic) = |traffic| {
        let Traffic {
            role: _,
            suite: _,
            client_random: _,
            read,
            write,
            exporter,
            update: _,
            in_a_row: _,
        } = &traffic;
        assert_wiped(read);
        assert_wiped(write);
        assert_wiped(exporter);
    };
}
