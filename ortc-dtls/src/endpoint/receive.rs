//! From datagrams to records and their contents; what is noise stops on the way.

use bytes::{Bytes, BytesMut};

use super::{ENTRY, Endpoint, State, Verification, Writing};
use crate::alert::{Alert, AlertDescription};
use crate::config::{Closing, Role};
use crate::established::Secrets;
use crate::event::{CloseReason, Event, ProtocolError};
use crate::stats::DropReason;
use crate::v13;
use crate::wire::record::RecordHeader;
use crate::wire::unified::UnifiedHeader;
use crate::wire::{ContentType, ParseError, ProtocolVersion, RecordNumber};

/// The most octets of a buffer that received application data is copied into.
const SLAB: usize = 16 * 1024;

/// What a datagram proved of where it came from; each is more than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Receipt {
    /// Nothing: anyone can have sent it. All of a handshake that is plaintext is so, and what came
    /// before.
    Nothing,
    /// The peer made it: a record was authenticated, and came for the first time.
    Authentic,
    /// As [`Receipt::Authentic`], and no record that was made later came before: the peer is where
    /// it came from, or somebody who passes on what it sends (RFC 9146 §6).
    Newest,
}

impl Endpoint {
    pub(super) fn on_records(&mut self, datagram: &mut [u8]) {
        let mut rest = datagram;
        while let Some(&first) = rest.first() {
            let id_len = self.cx.id_len();
            let unified = UnifiedHeader::is_unified(first) && self.may_be_dtls13();
            let has_id = if unified {
                UnifiedHeader::has_id(first)
            } else {
                RecordHeader::has_id(first)
            };
            let split = if unified {
                UnifiedHeader::split_with_id(rest, id_len)
                    .map(|(header, record, tail)| (self.on_unified(&header, record), tail))
            } else if has_id {
                RecordHeader::split_with_id(rest, id_len).map(|(header, record, tail)| {
                    (self.on_protected_with_id(&header, record), tail)
                })
            } else {
                RecordHeader::split(rest).map(|(header, fragment, tail)| {
                    let outcome = match header.epoch {
                        0 => self.on_plaintext(&header, fragment),
                        1 if !self.cx.is_dtls13() => self.on_protected(&header, fragment),
                        _ => Err(DropReason::Epoch),
                    };
                    (outcome, tail)
                })
            };
            let Some((outcome, tail)) = split else {
                // Of an id that nobody asked for, not even the length is known.
                self.cx.stats.count(if has_id && id_len == 0 {
                    DropReason::ConnectionId
                } else {
                    DropReason::Malformed
                });
                return;
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

    /// Hands in again what came too early.
    // When keys are new, not with every record.
    #[cold]
    pub(super) fn on_early(&mut self) {
        let mut early = self.cx.inbound.take_early();
        let mut rest = &mut early[..];
        while let Some((len, tail)) = rest.split_first_chunk_mut()
            && let Some((record, tail)) =
                tail.split_at_mut_checked(usize::from(u16::from_be_bytes(*len)))
        {
            if matches!(self.state, State::Closed) {
                return;
            }
            self.on_records(record);
            rest = tail;
        }
    }

    /// Whether DTLS 1.3 was chosen, or can be still.
    fn may_be_dtls13(&self) -> bool {
        match self.cx.version {
            Some(version) => version == ProtocolVersion::DTLS13,
            None => self.cx.config.has_dtls13(),
        }
    }

    /// Nothing but handshake messages counts before keys exist (RFC 6347 §4.1.2.7).
    fn on_plaintext(&mut self, header: &RecordHeader, fragment: &[u8]) -> Result<(), DropReason> {
        match header.content_type {
            ContentType::HANDSHAKE => {
                let number = RecordNumber {
                    epoch: 0,
                    sequence: header.sequence,
                };
                self.on_fragments(fragment, number)
            }
            ContentType::CHANGE_CIPHER_SPEC => Err(DropReason::ChangeCipherSpec),
            ContentType::ALERT => {
                self.hint = Alert::parse(fragment).map(|alert| alert.description);
                Err(DropReason::PlaintextAlert)
            }
            ContentType::APPLICATION_DATA => Err(DropReason::PlaintextData),
            ContentType::ACK if self.may_be_dtls13() => self.on_plaintext_ack(fragment),
            _ => Err(DropReason::ContentType),
        }
    }

    /// A protected record of DTLS 1.2.
    fn on_protected(
        &mut self,
        header: &RecordHeader,
        fragment: &mut [u8],
    ) -> Result<(), DropReason> {
        if !self.cx.accepts_id(&[]) {
            return Err(DropReason::ConnectionId);
        }
        if !self.cx.inbound.has_keys() {
            let held = self.cx.config.has_dtls12() && self.cx.inbound.hold(header, fragment);
            return if held {
                Ok(())
            } else {
                Err(DropReason::EarlyFull)
            };
        }
        let opened = self.cx.inbound.open(header, fragment);
        let contents = self.opened(opened)?;
        self.authenticated(self.cx.inbound.is_newest(header.sequence));
        if contents.len() > self.cx.receive_limit {
            return Err(DropReason::RecordTooLong);
        }
        self.on_contents(header.content_type, header.sequence, contents)
    }

    /// A protected record of DTLS 1.2 with a connection id (RFC 9146 §4).
    fn on_protected_with_id(
        &mut self,
        header: &RecordHeader,
        record: &mut [u8],
    ) -> Result<(), DropReason> {
        let id_len = self.cx.id_len();
        let id = record.get(RecordHeader::ID_AT..RecordHeader::ID_AT + id_len);
        if !self.cx.accepts_id(id.unwrap_or_default()) {
            return Err(DropReason::ConnectionId);
        }
        // Plaintext has no id.
        if header.epoch != 1 || self.cx.is_dtls13() {
            return Err(DropReason::Epoch);
        }
        if !self.cx.inbound.has_keys() {
            let held = self.cx.config.has_dtls12() && self.cx.inbound.hold_record(record);
            return if held {
                Ok(())
            } else {
                Err(DropReason::EarlyFull)
            };
        }
        let opened = self.cx.inbound.open_with_id(header, id_len, record);
        let opened = self.opened(opened)?;
        self.authenticated(opened.newest);
        // The type counts as well (RFC 8449 §4, RFC 9146 §5).
        if opened.padded_len + 1 > self.cx.receive_limit {
            return Err(DropReason::RecordTooLong);
        }
        self.on_contents(opened.content_type, opened.sequence, opened.contents)
    }

    /// What an authentic record of DTLS 1.2 carries.
    fn on_contents(
        &mut self,
        kind: ContentType,
        sequence: u64,
        contents: &[u8],
    ) -> Result<(), DropReason> {
        match kind {
            ContentType::HANDSHAKE => {
                let number = RecordNumber { epoch: 1, sequence };
                self.on_fragments(contents, number)
            }
            ContentType::APPLICATION_DATA => self.on_protected_data(contents),
            ContentType::ALERT => self.on_alert(contents),
            ContentType::CHANGE_CIPHER_SPEC => Err(DropReason::ChangeCipherSpec),
            _ => Err(DropReason::ContentType),
        }
    }

    /// A protected record of DTLS 1.3.
    fn on_unified(&mut self, header: &UnifiedHeader, record: &mut [u8]) -> Result<(), DropReason> {
        if !self.cx.accepts_id(header.id(record)) {
            return Err(DropReason::ConnectionId);
        }
        let opened = match self.cx.inbound.open_unified(header, record, self.cx.now) {
            Ok(opened) => opened,
            Err(DropReason::Epoch) => return self.on_unknown_epoch(header, record),
            Err(reason) => return self.opened(Err(reason)),
        };
        self.authenticated(opened.newest);
        if opened.padded_len > self.cx.receive_limit {
            return Err(DropReason::RecordTooLong);
        }
        let number = RecordNumber {
            epoch: opened.epoch,
            sequence: opened.sequence,
        };
        match opened.content_type {
            ContentType::HANDSHAKE => self.on_fragments(opened.contents, number),
            ContentType::ACK => self.on_ack(opened.contents),
            ContentType::ALERT => self.on_alert13(opened.contents, number),
            ContentType::APPLICATION_DATA if opened.epoch > v13::HANDSHAKE => {
                if let State::Connected(connected) = &self.state
                    && connected.peer_closed.is_some_and(|closed| number > closed)
                {
                    // RFC 9147 §5.10
                    return Err(DropReason::Closed);
                }
                if let State::Connected(connected) = &mut self.state
                    && let Secrets::V13(traffic) = &mut connected.established.secrets
                {
                    traffic.on_data();
                }
                self.on_protected_data(opened.contents)
            }
            kind => {
                self.finish(ProtocolError::ContentType(kind).into());
                Err(DropReason::ContentType)
            }
        }
    }

    /// A protected record of DTLS 1.3 of an epoch that has no keys, or none any more.
    fn on_unknown_epoch(
        &mut self,
        header: &UnifiedHeader,
        record: &[u8],
    ) -> Result<(), DropReason> {
        // Epochs 2 and 3 come; 1 is early data, which nobody offered. A client sends nothing
        // protected before the server has its keys.
        let early = matches!(self.state, State::Handshake(_))
            && header.epoch_bits >= 2
            && (self.role == Role::Client || self.cx.inbound.has_keys());
        if !early {
            Err(DropReason::Epoch)
        } else if self.cx.inbound.hold_record(record) {
            Ok(())
        } else {
            Err(DropReason::EarlyFull)
        }
    }

    /// A record was authenticated and had not come before.
    fn authenticated(&mut self, newest: bool) {
        let receipt = if newest {
            Receipt::Newest
        } else {
            Receipt::Authentic
        };
        self.receipt = self.receipt.max(receipt);
    }

    /// A key that too many records did not fit is given up.
    fn opened<T>(&mut self, opened: Result<T, DropReason>) -> Result<T, DropReason> {
        if opened.is_err() && self.cx.inbound.is_worn_out() {
            self.finish(CloseReason::KeyLimit);
        }
        opened
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

    /// The level says nothing: all are errors but two (RFC 8446 §6).
    fn on_alert13(&mut self, contents: &[u8], number: RecordNumber) -> Result<(), DropReason> {
        let &[_, description] = contents else {
            self.finish(ParseError::Length("alert").into());
            return Err(DropReason::Warning);
        };
        match AlertDescription(description) {
            AlertDescription::CLOSE_NOTIFY => self.on_close_notify13(number),
            // A close_notify follows (RFC 8446 §6.1).
            AlertDescription::USER_CANCELED => return Err(DropReason::Warning),
            description => self.finish(CloseReason::PeerAlert(description)),
        }
        Ok(())
    }

    /// It ends what the peer sends, and says nothing of what we do (RFC 8446 §6.1).
    fn on_close_notify13(&mut self, number: RecordNumber) {
        match &mut self.state {
            State::Connected(connected)
                if self.cx.config.closing == Closing::Half
                    && connected.writing == Writing::Open
                    && connected.verification != Verification::Nobody =>
            {
                if connected.peer_closed.is_none() {
                    connected.peer_closed = Some(number);
                    self.cx.events.push_back(Event::ReadClosed);
                }
            }
            State::Connected(_) | State::Handshake(_) | State::Closed => {
                self.finish(CloseReason::PeerClosed);
            }
        }
    }

    fn on_protected_data(&mut self, contents: &[u8]) -> Result<(), DropReason> {
        if self.open().is_ok() {
            self.on_data(contents)
        } else if self.cx.inbound.hold_data(contents) {
            Ok(())
        } else {
            Err(DropReason::EarlyFull)
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

    /// Copies into a buffer that is used again once its readers have dropped it. As long as they
    /// have not, the next is twice as long, so that who holds much costs few allocations and who
    /// holds one record no more than that.
    fn copy(&mut self, contents: &[u8]) -> Bytes {
        if !self.slab.try_reclaim(contents.len()) {
            self.slab_len = (2 * self.slab_len).min(SLAB).max(contents.len());
            self.slab = BytesMut::with_capacity(self.slab_len);
        }
        self.slab.extend_from_slice(contents);
        self.slab.split().freeze()
    }
}
