//! From handshake records to messages, and what they lead to.

use core::mem;

use super::handshake::{self, Handshake};
use super::{Connected, Endpoint, Renegotiation, State};
use crate::config::Role;
use crate::established::{Secrets, Step};
use crate::event::{CloseReason, ProtocolError};
use crate::flight::{Acked, Voucher};
use crate::gate::MAX_SEQUENCE;
use crate::hello::Asking;
use crate::reassembly::{Message, Reassembly, Stored};
use crate::stats::DropReason;
use crate::v13;
use crate::wire::handshake::Fragment;
use crate::wire::{ContentType, HandshakeType, ParseError, ProtocolVersion, RecordNumber, ack};

/// What became of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Kept.
    New,
    /// Known, and of the flight that is coming in: the peer does not know that it came.
    Known,
}

impl Endpoint {
    /// A record may hold several messages or fragments of them.
    pub(super) fn on_fragments(
        &mut self,
        contents: &[u8],
        number: RecordNumber,
    ) -> Result<(), DropReason> {
        self.mirror(number);
        if contents.is_empty() && number.epoch > 0 {
            return Err(self.on_empty_record());
        }
        let mut rest = contents;
        let mut first_error = None;
        let mut received = !contents.is_empty();
        let mut new = false;
        while !rest.is_empty() {
            let (fragment, tail) = match Fragment::split(rest) {
                Ok(split) => split,
                Err(error) if number.epoch > 0 => {
                    self.finish(error.into());
                    return Err(DropReason::Fragment);
                }
                Err(_) => {
                    // Of what came before it in the record, this says nothing.
                    received = false;
                    first_error.get_or_insert(DropReason::Fragment);
                    break;
                }
            };
            match self.on_fragment(&fragment, number.epoch) {
                Ok(Outcome::New) => new = true,
                Ok(Outcome::Known) => {
                    first_error.get_or_insert(DropReason::Duplicate);
                }
                Err(reason) => {
                    received = false;
                    first_error.get_or_insert(reason);
                }
            }
            if matches!(self.state, State::Closed) {
                break;
            }
            rest = tail;
        }
        // Only what was kept may be acknowledged (RFC 9147 §7).
        if received && self.acknowledges(number.epoch) {
            if new && self.connected().is_some() {
                self.cx.acks.renew();
            }
            self.cx.acks.note(number);
        } else {
            received = false;
        }
        self.advance();
        if received && self.cx.is_dtls13() {
            match self.state {
                State::Handshake(_) => {
                    let interval = self.cx.flight.interval();
                    self.cx.acks.schedule(interval, self.cx.now);
                }
                // No flight answers what comes now: the client's last one, and what is after it.
                State::Connected(_) => self.cx.acks.flush(),
                State::Closed => {}
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Whether records of this epoch can be acknowledged: not in DTLS 1.2, and no plaintext once
    /// there is better.
    fn acknowledges(&self, epoch: u64) -> bool {
        match self.cx.version {
            Some(version) if version != ProtocolVersion::DTLS13 => false,
            Some(_) | None => {
                epoch > 0 || (self.cx.config.has_dtls13() && !self.cx.inbound.has_keys())
            }
        }
    }

    fn on_fragment(&mut self, fragment: &Fragment<'_>, epoch: u64) -> Result<Outcome, DropReason> {
        let dtls13 = self.cx.is_dtls13();
        let protected13 = dtls13 && epoch > 0;
        if epoch > 0 && !dtls13 && self.begins_again(fragment.kind) {
            self.refuse_renegotiation();
            return Err(DropReason::Renegotiation);
        }
        let (role, cx) = (self.role, &self.cx);
        if !protected13 && !handshake::accepts(role, fragment.kind, cx.version, &cx.config) {
            return Err(DropReason::Role);
        }
        if epoch == 0 {
            self.on_asked_hello(fragment)?;
        }
        let past = fragment.message_seq < self.reassembly.next_seq();
        let verify = !protected13 && fragment.kind == HandshakeType::HELLO_VERIFY_REQUEST;
        if verify && !self.is_first_verify() {
            return self.on_verify_again(fragment, past, epoch);
        }
        if past {
            return self.on_past(fragment, epoch);
        }
        if self.connected().is_some() && !protected13 {
            if epoch == 0 {
                return Err(DropReason::PlaintextHandshake);
            }
            // Nothing is kept of it.
            let refusal = self.reassembly.refusal(fragment);
            let violation = refusal.and_then(|refusal| self.violation(refusal, fragment.kind));
            return Err(violation.unwrap_or(DropReason::Renegotiation));
        }
        if !protected13 {
            self.check_turn(fragment)?;
        }
        let stored = self.reassembly.insert_or_contest(fragment, epoch);
        if epoch > 0
            && let Some(violation) = self.violation(stored, fragment.kind)
        {
            return Err(violation);
        }
        let outcome = match stored {
            Stored::New => Ok(Outcome::New),
            Stored::Repeated => Ok(Outcome::Known),
            Stored::Past => Err(DropReason::Duplicate),
            Stored::Ahead => Err(DropReason::Ahead),
            Stored::TooLong => Err(DropReason::TooLong),
            Stored::Inconsistent | Stored::Superseded | Stored::TooManyPieces => {
                Err(DropReason::Fragment)
            }
        };
        if protected13 && outcome.is_ok() {
            self.on_next_flight();
        }
        outcome
    }

    /// A server that asks for cookies gives its answers the numbers of the records that they answer,
    /// or higher ones where it has used those (RFC 6347 §4.2.1).
    fn mirror(&mut self, number: RecordNumber) {
        if self.cx.config.cookie
            && matches!(self.state, State::Handshake(Handshake::ClientHello(_)))
            && number.epoch == 0
            && number.sequence <= MAX_SEQUENCE
        {
            let outbound = &mut self.cx.outbound;
            let next = outbound.next_number(0).sequence;
            outbound.number_from(next.max(number.sequence));
        }
    }

    /// A whole hello where a cookie was asked for: one that has it begins the handshake, whatever
    /// its number, others are asked for theirs.
    fn on_asked_hello(&mut self, fragment: &Fragment<'_>) -> Result<(), DropReason> {
        let State::Handshake(Handshake::ClientHello(state)) = &mut self.state else {
            return Ok(());
        };
        match state.on_whole(fragment, &mut self.cx) {
            Asking::Nothing => Ok(()),
            Asking::Again => {
                self.cx.stats.retransmissions += 1;
                Err(DropReason::Duplicate)
            }
            Asking::Over => {
                let limit = self.cx.config.max_handshake_message;
                self.reassembly = Reassembly::starting_at(limit, fragment.message_seq);
                Ok(())
            }
        }
    }

    /// Closes where an authenticated fragment cannot be one of any message that we would take
    /// (RFC 5246 §7.2.2, RFC 8446 §6.2): nobody else can have sent it, and nothing better follows.
    fn violation(&mut self, stored: Stored, kind: HandshakeType) -> Option<DropReason> {
        let (reason, error) = match stored {
            Stored::TooLong => (DropReason::TooLong, ProtocolError::MessageTooLong(kind)),
            Stored::Inconsistent => {
                let error = ParseError::Length("handshake fragment");
                (DropReason::Fragment, ProtocolError::Malformed(error))
            }
            Stored::New
            | Stored::Repeated
            | Stored::Past
            | Stored::Ahead
            | Stored::Superseded
            | Stored::TooManyPieces => return None,
        };
        self.finish(error.into());
        Some(reason)
    }

    /// An authenticated handshake record without contents, which nobody may send; DTLS 1.3 names the
    /// alert (RFC 5246 §6.2.1, RFC 8446 §5.4).
    fn on_empty_record(&mut self) -> DropReason {
        let error = if self.cx.is_dtls13() {
            ProtocolError::ContentType(ContentType::HANDSHAKE)
        } else {
            ProtocolError::Malformed(ParseError::Length("handshake record"))
        };
        self.finish(error.into());
        DropReason::Fragment
    }

    /// Whether a message of DTLS 1.2 asks this side for another handshake.
    fn begins_again(&self, kind: HandshakeType) -> bool {
        let request = match self.role {
            Role::Client => HandshakeType::HELLO_REQUEST,
            Role::Server => HandshakeType::CLIENT_HELLO,
        };
        kind == request && self.connected().is_some()
    }

    /// RFC 5246 §7.2.2, §7.4.1.1, RFC 5746 §4.2, §4.4.
    const fn refuse_renegotiation(&mut self) {
        if let State::Connected(connected) = &mut self.state
            && let Renegotiation::Unasked = connected.renegotiation
        {
            connected.renegotiation = Renegotiation::Refusing;
        }
    }

    /// Whether a HelloVerifyRequest is the first.
    fn is_first_verify(&self) -> bool {
        match &self.state {
            State::Handshake(Handshake::ServerHello(state)) => state.is_first(),
            State::Handshake(_) | State::Connected(_) | State::Closed => false,
        }
    }

    /// A further one, which takes no part in the order of messages: servers that keep nothing give
    /// each the same number, or that of the hello.
    fn on_verify_again(
        &mut self,
        fragment: &Fragment<'_>,
        past: bool,
        epoch: u64,
    ) -> Result<Outcome, DropReason> {
        let whole = fragment.body.len() as u64 == u64::from(fragment.length);
        if let State::Handshake(Handshake::ServerHello(state)) = &mut self.state
            && whole
            && state.on_verify_again(fragment, &self.cx)
            && past
        {
            // The hello that answers it was lost.
            return self.on_past(fragment, epoch);
        }
        Err(DropReason::Duplicate)
    }

    /// A hello in plaintext has one place in the handshake, and nothing else comes before the
    /// first: kept for later, it would take the place of a message that counts.
    fn check_turn(&self, fragment: &Fragment<'_>) -> Result<(), DropReason> {
        let State::Handshake(handshake) = &self.state else {
            return Ok(());
        };
        let is_next = fragment.message_seq == self.reassembly.next_seq();
        match handshake {
            Handshake::ClientHello(_) if !is_next => Err(DropReason::Ahead),
            Handshake::ClientHello(_) => Ok(()),
            _ if !handshake::is_hello(fragment.kind) => Ok(()),
            Handshake::ServerHello(_) if is_next => Ok(()),
            Handshake::ServerHello(_)
            | Handshake::Client12(_)
            | Handshake::Server12(_)
            | Handshake::Client13(_)
            | Handshake::Server13(_) => Err(DropReason::Role),
        }
    }

    /// A message of the peer's next flight, authenticated: it has all of ours
    /// (RFC 9147 §7.1, §7.2).
    fn on_next_flight(&mut self) {
        match self.state {
            State::Handshake(_) => self.cx.flight.settle(self.cx.now),
            // Messages after the handshake answer nothing.
            State::Connected(_) | State::Closed => {}
        }
    }

    /// A message that was processed comes again.
    fn on_past(&mut self, fragment: &Fragment<'_>, epoch: u64) -> Result<Outcome, DropReason> {
        // Once there are keys, a repetition in plaintext may be anyone's.
        let counts = epoch > 0 || self.connected().is_none();
        let voucher = if epoch > 0 {
            Voucher::Peer
        } else {
            Voucher::Anyone
        };
        let flight = &mut self.cx.flight;
        if counts && flight.on_repeated(fragment, voucher, self.cx.now) {
            tracing::debug!(role = ?self.role, "flight repeated since the peer repeats its own");
            self.cx.stats.retransmissions += 1;
        }
        let answered = self.cx.flight.answers();
        if epoch > 0 && answered.is_none_or(|answered| fragment.message_seq > answered) {
            Ok(Outcome::Known)
        } else {
            Err(DropReason::Duplicate)
        }
    }

    /// Processes the messages that are complete and in sequence.
    fn advance(&mut self) {
        loop {
            let expected = match &self.state {
                State::Handshake(handshake) => handshake.expects_epoch(),
                State::Connected(_) if self.cx.is_dtls13() => v13::APPLICATION,
                State::Connected(_) | State::Closed => return,
            };
            if expected > 0 && self.reassembly.discard_plaintext() {
                self.cx.stats.count(DropReason::PlaintextHandshake);
            }
            let Some(message) = self.reassembly.pop() else {
                if self.connected().is_some() {
                    self.reassembly.release_if_idle();
                }
                return;
            };
            if let Err(reason) = self.on_message(&message, expected) {
                tracing::debug!(role = ?self.role, message = %message.kind, %reason, "handshake failed");
                // The state was consumed by the message.
                self.enter_closed(reason);
            }
        }
    }

    pub(super) fn on_message(
        &mut self,
        message: &Message,
        expected: u64,
    ) -> Result<(), CloseReason> {
        let cx = &mut self.cx;
        let unexpected = ProtocolError::UnexpectedMessage(message.kind);
        match mem::replace(&mut self.state, State::Closed) {
            State::Handshake(handshake) => {
                if message.epoch != expected {
                    return Err(unexpected.into());
                }
                match handshake.on_message(message, cx)? {
                    Step::Next(handshake) => {
                        self.state = State::Handshake(handshake);
                        if self.deadline.is_none() {
                            self.start_deadline();
                        }
                        Ok(())
                    }
                    Step::Done(established) => self.connect(*established),
                }
            }
            State::Connected(mut connected) => {
                let result = match &mut connected.established.secrets {
                    Secrets::V13(traffic) if message.epoch >= expected => {
                        traffic.on_message(message, cx)
                    }
                    Secrets::V13(_) | Secrets::V12(_) => Err(unexpected.into()),
                };
                self.state = State::Connected(connected);
                result
            }
            State::Closed => Ok(()),
        }
    }

    /// An ACK that anyone can have sent; it says nothing of protected records (RFC 9147 §7).
    pub(super) fn on_plaintext_ack(&mut self, contents: &[u8]) -> Result<(), DropReason> {
        let State::Handshake(_) = self.state else {
            return Err(DropReason::Ack);
        };
        let (flight, now) = (&mut self.cx.flight, self.cx.now);
        let numbers = ack::parse(contents).map_err(|_| DropReason::Ack)?;
        let mut numbers = numbers.filter(|number| number.epoch == 0).peekable();
        let again = if numbers.peek().is_some() {
            flight.on_acknowledged(numbers, Voucher::Anyone, now) == Acked::Part
        } else if contents != [0, 0] {
            false
        } else {
            // The peer cannot read what it got (RFC 9147 §7.1). Without a timer it is for the
            // peer to ask again by repeating its own.
            flight.awaits_answer() && flight.hurry(now)
        };
        if !again {
            return Err(DropReason::Ack);
        }
        self.cx.stats.retransmissions += u64::from(self.cx.flight.is_queued());
        Ok(())
    }

    pub(super) fn on_ack(&mut self, contents: &[u8]) -> Result<(), DropReason> {
        let numbers = match ack::parse(contents) {
            Ok(numbers) => numbers,
            Err(error) => {
                self.finish(error.into());
                return Err(DropReason::Ack);
            }
        };
        let now = self.cx.now;
        match self.cx.flight.on_acknowledged(numbers, Voucher::Peer, now) {
            Acked::Nothing => Err(DropReason::Ack),
            Acked::Part => {
                self.cx.stats.retransmissions += u64::from(self.cx.flight.is_queued());
                Ok(())
            }
            Acked::All => {
                if let Err(error) = self.on_all_acknowledged() {
                    self.finish(error);
                }
                Ok(())
            }
        }
    }

    fn on_all_acknowledged(&mut self) -> Result<(), CloseReason> {
        let State::Connected(Connected { established, .. }) = &mut self.state else {
            self.cx.flight.settle(self.cx.now);
            return Ok(());
        };
        self.deadline = None;
        match &mut established.secrets {
            Secrets::V13(traffic) => Ok(traffic.on_all_acknowledged(&mut self.cx)?),
            Secrets::V12(_) => Ok(()),
        }
    }

    /// Sends what waits for earlier messages to be acknowledged.
    #[inline]
    pub(super) fn advance_keys(&mut self) {
        if let State::Connected(Connected { established, .. }) = &self.state
            && let Secrets::V13(traffic) = &established.secrets
        {
            let untimed = self.deadline.is_none() && self.cx.flight.deadline().is_some();
            if untimed || traffic.may_advance(&self.cx) {
                self.advance_keys_now();
            }
        }
    }

    // Seldom, and asked about with every record.
    #[cold]
    fn advance_keys_now(&mut self) {
        if let State::Connected(Connected { established, .. }) = &mut self.state
            && let Secrets::V13(traffic) = &mut established.secrets
        {
            if let Err(error) = traffic.advance(&mut self.cx) {
                self.finish(error.into());
            } else if self.deadline.is_none() && self.cx.flight.deadline().is_some() {
                // It is not repeated without end.
                self.start_deadline();
            }
        }
    }
}
