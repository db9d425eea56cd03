//! From datagrams to records, fragments, messages; what is noise stops on the way.

use core::mem;

use bytes::{Bytes, BytesMut};

use super::{ENTRY, Endpoint, State};
use crate::alert::{Alert, AlertDescription};
use crate::config::Role;
use crate::event::{CloseReason, Event, ProtocolError};
use crate::reassembly::{Message, Stored};
use crate::stats::DropReason;
use crate::v12::{self, Step};
use crate::wire::ContentType;
use crate::wire::handshake::Fragment;
use crate::wire::record::RecordHeader;

/// Octets of a buffer that received application data is copied into.
const SLAB: usize = 16 * 1024;

impl Endpoint {
    pub(super) fn on_records(&mut self, datagram: &mut [u8]) {
        let mut rest = datagram;
        while !rest.is_empty() {
            let Some((header, fragment, tail)) = RecordHeader::split(rest) else {
                self.cx.stats.count(DropReason::Malformed);
                return;
            };
            let outcome = match header.epoch {
                0 => self.on_plaintext(&header, fragment),
                1 => self.on_protected(&header, fragment),
                _ => Err(DropReason::Epoch),
            };
            match outcome {
                Ok(()) => self.cx.stats.records_received += 1,
                Err(reason) => self.cx.stats.count(reason),
            }
            if matches!(self.state, State::Closed) {
                return;
            }
            rest = tail;
        }
    }

    /// Nothing but handshake messages counts before keys exist (RFC 6347 §4.1.2.7).
    fn on_plaintext(&mut self, header: &RecordHeader, fragment: &[u8]) -> Result<(), DropReason> {
        match header.content_type {
            ContentType::HANDSHAKE => self.on_fragments(fragment, 0),
            ContentType::CHANGE_CIPHER_SPEC => Err(DropReason::ChangeCipherSpec),
            ContentType::ALERT => {
                self.hint = Alert::parse(fragment).map(|alert| alert.description);
                Err(DropReason::PlaintextAlert)
            }
            ContentType::APPLICATION_DATA => Err(DropReason::PlaintextData),
            _ => Err(DropReason::ContentType),
        }
    }

    fn on_protected(
        &mut self,
        header: &RecordHeader,
        fragment: &mut [u8],
    ) -> Result<(), DropReason> {
        if !self.cx.inbound.has_keys() {
            let held = self.cx.inbound.hold(header, fragment);
            return if held {
                Ok(())
            } else {
                Err(DropReason::EarlyFull)
            };
        }
        let contents = match self.cx.inbound.open(header, fragment) {
            Ok(contents) => contents,
            Err(reason) => {
                if self.cx.inbound.is_worn_out() {
                    self.finish(CloseReason::KeyLimit);
                }
                return Err(reason);
            }
        };
        match header.content_type {
            ContentType::HANDSHAKE => self.on_fragments(contents, 1),
            ContentType::APPLICATION_DATA if self.open().is_ok() => self.on_data(contents),
            ContentType::APPLICATION_DATA if self.cx.inbound.hold_data(contents) => Ok(()),
            ContentType::APPLICATION_DATA => Err(DropReason::EarlyFull),
            ContentType::ALERT => self.on_alert(contents),
            ContentType::CHANGE_CIPHER_SPEC => Err(DropReason::ChangeCipherSpec),
            _ => Err(DropReason::ContentType),
        }
    }

    fn on_alert(&mut self, contents: &[u8]) -> Result<(), DropReason> {
        let alert = Alert::parse(contents).ok_or(DropReason::Warning)?;
        if alert.description == AlertDescription::CLOSE_NOTIFY {
            self.finish(CloseReason::PeerClosed);
            Ok(())
        } else if alert.is_fatal() {
            self.finish(CloseReason::PeerAlert(alert.description));
            Ok(())
        } else {
            Err(DropReason::Warning)
        }
    }

    fn on_data(&mut self, contents: &[u8]) -> Result<(), DropReason> {
        let cost = contents.len() + ENTRY;
        if self.incoming + cost > self.cx.config.max_queued {
            return Err(DropReason::QueueFull);
        }
        self.incoming += cost;
        let data = self.copy(contents);
        self.cx.events.push_back(Event::ApplicationData(data));
        Ok(())
    }

    /// Hands on the application data that came too early.
    pub(super) fn release_data(&mut self) {
        let held = self.cx.inbound.take_data();
        let mut rest = &held[..];
        while let Some((len, tail)) = rest.split_first_chunk()
            && let Some((data, tail)) = tail.split_at_checked(usize::from(u16::from_be_bytes(*len)))
        {
            if let Err(reason) = self.on_data(data) {
                self.cx.stats.count(reason);
            }
            rest = tail;
        }
    }

    /// Copies into a buffer that is used again once its readers have dropped it.
    fn copy(&mut self, contents: &[u8]) -> Bytes {
        if !self.slab.try_reclaim(contents.len()) {
            self.slab = BytesMut::with_capacity(contents.len().max(SLAB));
        }
        self.slab.extend_from_slice(contents);
        self.slab.split().freeze()
    }

    /// A record may hold several messages or fragments of them.
    fn on_fragments(&mut self, contents: &[u8], epoch: u16) -> Result<(), DropReason> {
        let mut rest = contents;
        let mut first_error = None;
        while !rest.is_empty() {
            let Ok((fragment, tail)) = Fragment::split(rest) else {
                return Err(DropReason::Fragment);
            };
            if let Err(reason) = self.on_fragment(&fragment, epoch) {
                first_error.get_or_insert(reason);
            }
            rest = tail;
        }
        self.advance();
        first_error.map_or(Ok(()), Err)
    }

    fn on_fragment(&mut self, fragment: &Fragment<'_>, epoch: u16) -> Result<(), DropReason> {
        let past = fragment.message_seq < self.reassembly.next_seq();
        let acceptable = match self.role {
            Role::Client => v12::client::State::accepts(fragment.kind),
            Role::Server => v12::server::State::accepts(fragment.kind),
        };
        if !acceptable {
            return Err(DropReason::Role);
        }
        let connected = self.connected().is_some();
        if past {
            let ends = fragment.offset as usize + fragment.body.len() == fragment.length as usize;
            // Once there are keys, a repetition in plaintext may be anyone's.
            if ends
                && (epoch > 0 || !connected)
                && self
                    .cx
                    .flight
                    .on_repeated(fragment.message_seq, self.cx.now)
            {
                tracing::debug!(role = ?self.role, "flight repeated since the peer repeats its own");
                self.cx.stats.retransmissions += 1;
            }
            return Err(DropReason::Duplicate);
        }
        if connected {
            return Err(if epoch > 0 {
                DropReason::Renegotiation
            } else {
                DropReason::PlaintextHandshake
            });
        }
        match self.reassembly.insert(fragment, epoch) {
            Stored::New => Ok(()),
            Stored::Repeated | Stored::Past => Err(DropReason::Duplicate),
            Stored::Ahead => Err(DropReason::Ahead),
            Stored::TooLong => Err(DropReason::TooLong),
            Stored::Inconsistent | Stored::TooManyPieces => Err(DropReason::Fragment),
        }
    }

    /// Processes the messages that are complete and in sequence.
    fn advance(&mut self) {
        loop {
            let expected = match &self.state {
                State::Client(state) => state.expects_epoch(),
                State::Server(state) => state.expects_epoch(),
                State::Connected(_) | State::Closed => return,
            };
            if expected > 0 && self.reassembly.discard_plaintext() {
                self.cx.stats.count(DropReason::PlaintextHandshake);
            }
            let Some(message) = self.reassembly.pop() else {
                return;
            };
            if let Err(reason) = self.on_message(&message, expected) {
                tracing::debug!(role = ?self.role, message = %message.kind, %reason, "handshake failed");
                // The state was consumed by the message.
                self.enter_closed(reason);
            }
        }
    }

    fn on_message(&mut self, message: &Message, expected: u16) -> Result<(), CloseReason> {
        if message.epoch != expected {
            return Err(ProtocolError::UnexpectedMessage(message.kind).into());
        }
        let cx = &mut self.cx;
        let step = match mem::replace(&mut self.state, State::Closed) {
            State::Client(state) => state.on_message(message, cx)?.map(State::Client),
            State::Server(state) => state.on_message(message, cx)?.map(State::Server),
            state @ (State::Connected(_) | State::Closed) => Step::Next(state),
        };
        match step {
            Step::Next(state) => {
                self.state = state;
                if self.handshake_deadline.is_none() {
                    self.start_deadline();
                }
                Ok(())
            }
            Step::Done(established) => self.connect(established),
        }
    }
}
