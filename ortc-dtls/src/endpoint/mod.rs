//! The public machine: state and verification of the peer. `receive.rs` and `messages.rs` are what
//! comes, `transmit.rs` is what leaves, `outcome.rs` is what a handshake came to.

mod accept;
mod carrier;
mod connection_id;
mod error;
mod handshake;
mod messages;
mod outcome;
mod outgoing;
mod receive;
mod restart;
mod transmit;
#[cfg(test)]
mod worn_keys;

use core::mem;
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

pub use self::carrier::Flight;
pub use self::error::{ConnectionIdError, KeyUpdate, KeyUpdateError, SendError, VerificationError};
use self::handshake::Handshake;
use self::outgoing::Outgoing;
pub use self::receive::Receipt;
use crate::alert::{Alert, AlertDescription};
use crate::config::{Config, PeerVerification, Role};
use crate::connection_id::{ConnectionId, Ids, Source};
use crate::context::Context;
use crate::established::{Established, Secrets};
use crate::event::{CloseReason, Event};
use crate::fingerprint::Fingerprint;
use crate::hello::{AwaitClientHello, AwaitServerHello};
use crate::reassembly::Reassembly;
use crate::stats::{DropReason, Stats};
use crate::v13::PeerUpdate;
use crate::wire::RecordNumber;

/// What a queued record counts besides its contents, so that empty ones have a bound too.
const ENTRY: usize = 64;

/// One side of a DTLS connection.
///
/// See the [crate documentation](crate) for the loop that drives it. Datagrams that are not the
/// peer's work, or come twice, late or early, are dropped and counted in [`Endpoint::stats`].
#[derive(Debug)]
pub struct Endpoint {
    role: Role,
    cx: Context,
    state: State,
    reassembly: Reassembly,
    /// When the handshake, or a message after it, is given up.
    deadline: Option<Instant>,
    alert: Option<Alert>,
    /// The last alert that came in plaintext; a hint, never obeyed.
    hint: Option<AlertDescription>,
    outgoing: Outgoing,
    slab: BytesMut,
    /// Octets that `slab` was last made with.
    slab_len: usize,
    /// Octets of application data in events that were not taken out.
    incoming: usize,
    receipt: Receipt,
}

#[derive(Debug)]
enum State {
    Handshake(Handshake),
    Connected(Connected),
    Closed,
}

#[derive(Debug)]
struct Connected {
    established: Established,
    verification: Verification,
    writing: Writing,
    /// The record in which the peer said that no application data follows.
    peer_closed: Option<RecordNumber>,
    renegotiation: Renegotiation,
}

/// Whether the peer, in DTLS 1.2, wanted another handshake. It is told once that there is none,
/// however often it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Renegotiation {
    Unasked,
    /// The warning is queued.
    Refusing,
    Refused,
}

/// Whether application data can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Open,
    /// The peer was told that no more follows.
    Closed,
}

/// Who vouches for the peer's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verification {
    /// Nobody yet: everything is held.
    Nobody,
    /// Nobody, and the configuration does not mind, or the application does not that there is no
    /// certificate.
    Policy,
    /// An expected fingerprint, or the application.
    Verified,
}

impl Endpoint {
    /// Begins: a client's ClientHello is queued at once.
    #[must_use]
    pub fn new(config: Arc<Config>, role: Role, now: Instant) -> Self {
        let length = config.connection_id_length;
        let own = length.map(|length| ConnectionId::random(&*config.provider, length));
        match own.transpose() {
            Ok(own) => {
                let ids = own.map(|own| Ids::offer(own, Source::Provider));
                Self::begin(config, role, ids, now)
            }
            Err(error) => {
                let mut endpoint = Self::begin(config, Role::Server, None, now);
                endpoint.role = role;
                endpoint.enter_closed(error.into());
                endpoint
            }
        }
    }

    /// As [`Endpoint::new`] with this connection id instead of one that
    /// [`Config::connection_id_length`] describes: for owners that choose ids which say more than
    /// random ones, or that no other connection has. Further ones, where DTLS 1.3 would use them,
    /// are the owner's as well: a peer that asks for more gets none.
    #[must_use]
    pub fn with_connection_id(
        config: Arc<Config>,
        role: Role,
        own: ConnectionId,
        now: Instant,
    ) -> Self {
        let ids = Ids::offer(own, Source::Application);
        Self::begin(config, role, Some(ids), now)
    }

    fn begin(config: Arc<Config>, role: Role, ids: Option<Ids>, now: Instant) -> Self {
        let reassembly = Reassembly::new(config.max_handshake_message);
        let mut endpoint = Self {
            role,
            cx: Context::new(config, ids, now),
            state: State::Handshake(Handshake::ClientHello(AwaitClientHello::default())),
            reassembly,
            deadline: None,
            alert: None,
            hint: None,
            outgoing: Outgoing::default(),
            slab: BytesMut::new(),
            slab_len: 0,
            incoming: 0,
            receipt: Receipt::Nothing,
        };
        if role == Role::Client {
            match AwaitServerHello::start(&mut endpoint.cx) {
                Ok(state) => endpoint.state = State::Handshake(Handshake::ServerHello(state)),
                Err(reason) => endpoint.enter_closed(reason),
            }
            endpoint.start_deadline();
        }
        endpoint
    }

    /// A datagram arrived. Records are decrypted in place. What it proved can be left aside; an
    /// owner with several paths learns from it which of them the peer is on.
    pub fn handle_datagram(&mut self, contents: &mut [u8], now: Instant) -> Receipt {
        self.observe(now);
        self.cx.stats.datagrams_received += 1;
        if matches!(self.state, State::Closed) {
            self.cx.stats.count(DropReason::Closed);
            return Receipt::Nothing;
        }
        self.receipt = Receipt::Nothing;
        self.on_records(contents);
        // What was held came in another datagram.
        let receipt = self.receipt;
        while mem::take(&mut self.cx.early_due) {
            self.on_early();
        }
        self.advance_keys();
        receipt
    }

    /// A deadline passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.observe(now);
        if self.deadline.is_some_and(|at| at <= self.cx.now) {
            // What answers nothing was sent after the handshake.
            let reason = match (&self.state, self.cx.flight.answers()) {
                (State::Connected(_), None) => CloseReason::Unacknowledged,
                (State::Connected(_), Some(_)) | (State::Handshake(_) | State::Closed, _) => {
                    CloseReason::Timeout { alert: self.hint }
                }
            };
            self.finish(reason);
            return;
        }
        self.cx.acks.on_timeout(self.cx.now);
        if self.cx.flight.is_due(self.cx.now)
            && let State::Handshake(Handshake::ServerHello(state)) = &mut self.state
        {
            state.before_repetition(&mut self.cx);
        }
        if self.cx.flight.on_timeout(self.cx.now) {
            tracing::debug!(role = ?self.role, "flight repeated after a time-out");
            self.cx.stats.retransmissions += 1;
        }
        self.advance_keys();
    }

    /// Appends one datagram of at most the configured size to `buf` and returns its length.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>, now: Instant) -> Option<usize> {
        self.observe(now);
        let start = buf.len();
        match self.write_datagram(buf) {
            Ok(true) => {
                self.cx.stats.datagrams_sent += 1;
                Some(buf.len() - start)
            }
            Ok(false) => None,
            Err(_) => {
                buf.truncate(start);
                self.alert = None;
                self.outgoing = Outgoing::default();
                self.finish(CloseReason::Internal);
                self.alert = None;
                None
            }
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.cx.events.pop_front()?;
        if let Event::ApplicationData(data) = &event {
            self.incoming -= data.len() + ENTRY;
        }
        Some(event)
    }

    /// When to call [`Endpoint::handle_timeout`], or, when something is queued, an instant that
    /// is already reached.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.has_output() {
            return Some(self.cx.now);
        }
        let retransmission = self.cx.flight.deadline();
        let others = [self.deadline, self.cx.acks.deadline()];
        retransmission
            .into_iter()
            .chain(others.into_iter().flatten())
            .min()
    }

    /// The path came up only now: sends the current flight at once and times it from here.
    pub fn restart_timer(&mut self, now: Instant) {
        self.observe(now);
        if self.cx.flight.restart(self.cx.now) {
            self.cx.stats.retransmissions += 1;
        }
        if self.deadline.is_some() {
            self.start_deadline();
        }
    }

    /// How long a round trip over the path takes, as a connectivity check has shown: the next
    /// flight, or the current one after [`Endpoint::restart_timer`], is repeated after one and a
    /// half of it (RFC 9147 §5.8.2), at least 50 ms or the configured first interval, whichever is
    /// shorter, and at most the longest.
    ///
    /// Without it, flights begin with the configured interval, or less once an answer has come
    /// sooner. On a path whose round trip is longer than that, each is sent more than once.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.cx.flight.set_round_trip(round_trip);
    }

    /// Queues one record of application data, which will fill one datagram. If the peer asks for a
    /// longer connection id before it leaves, and it does not fit any more, it is dropped.
    ///
    /// # Errors
    ///
    /// [`SendError`]: not connected or not verified yet, too long for a datagram, too much
    /// queued, or the key is used up. Nothing is queued then.
    pub fn send(&mut self, data: &[u8], now: Instant) -> Result<(), SendError> {
        self.observe(now);
        match &self.state {
            State::Connected(connected) => match (connected.verification, connected.writing) {
                (_, Writing::Closed) => return Err(SendError::WriteClosed),
                (Verification::Nobody, Writing::Open) => return Err(SendError::Unverified),
                (Verification::Policy | Verification::Verified, Writing::Open) => {}
            },
            State::Handshake(_) | State::Closed => {
                return Err(SendError::NotConnected);
            }
        }
        let (outbound, mtu) = (&self.cx.outbound, self.cx.config.mtu);
        let max = outbound.room(mtu);
        if data.len() > max {
            return Err(SendError::TooLarge { max });
        }
        let queued = self.outgoing.cost() + data.len() + ENTRY;
        if queued > self.cx.config.max_queued {
            return Err(SendError::QueueFull);
        }
        if !self.cx.outbound.can_seal(queued) {
            return Err(SendError::KeyLimit);
        }
        self.outgoing.push(data);
        self.advance_keys();
        Ok(())
    }

    /// Changes the key that we write with, and the peer's if it is asked to (RFC 9147 §8). It
    /// happens by itself when a key comes near its limit.
    ///
    /// # Errors
    ///
    /// [`KeyUpdateError`]: not connected, or the version has no such thing.
    pub fn update_keys(&mut self, scope: KeyUpdate, now: Instant) -> Result<(), KeyUpdateError> {
        self.observe(now);
        let State::Connected(connected) = &mut self.state else {
            return Err(KeyUpdateError::NotConnected);
        };
        let Secrets::V13(traffic) = &mut connected.established.secrets else {
            return Err(KeyUpdateError::Version);
        };
        traffic.want_update(match scope {
            KeyUpdate::Own => PeerUpdate::NotRequested,
            KeyUpdate::Both => PeerUpdate::Requested,
        });
        self.advance_keys();
        Ok(())
    }

    /// Says which certificate the peer must have, replacing what was expected before; possible
    /// before, during and after the handshake.
    ///
    /// # Errors
    ///
    /// [`VerificationError::Mismatch`] when the peer has already shown another one: the endpoint
    /// is then closed. [`VerificationError::Closed`] when it was before.
    pub fn set_expected_fingerprint(
        &mut self,
        fingerprint: Fingerprint,
    ) -> Result<(), VerificationError> {
        self.set_expected_fingerprints(&[fingerprint])
    }

    /// As [`Endpoint::set_expected_fingerprint`] for a list: one of those with its strongest hash
    /// must match (RFC 8122 §5.1).
    ///
    /// # Errors
    ///
    /// As there, and [`VerificationError::Empty`] for an empty list.
    pub fn set_expected_fingerprints(
        &mut self,
        fingerprints: &[Fingerprint],
    ) -> Result<(), VerificationError> {
        if matches!(self.state, State::Closed) {
            return Err(VerificationError::Closed);
        }
        if fingerprints.is_empty() {
            return Err(VerificationError::Empty);
        }
        if let Err(reason) = self.cx.expect(fingerprints) {
            self.finish(reason);
            return Err(VerificationError::Mismatch);
        }
        if self.cx.peer.is_some() {
            self.vouched_for();
        } else if self.connected().is_some() {
            // A client without certificate is not who was expected.
            self.finish(CloseReason::FingerprintMismatch);
            return Err(VerificationError::Mismatch);
        }
        Ok(())
    }

    /// Accepts the certificate that the peer has shown: the application vouches for it. A client that
    /// showed none is let in, and stays unverified.
    ///
    /// # Errors
    ///
    /// [`VerificationError::NotConnected`] before the handshake is complete: there is nothing to
    /// accept yet. [`VerificationError::Closed`] after the end.
    pub fn accept_peer(&mut self) -> Result<(), VerificationError> {
        match self.state {
            State::Connected(_) => {
                self.vouched_for();
                Ok(())
            }
            State::Handshake(_) => Err(VerificationError::NotConnected),
            State::Closed => Err(VerificationError::Closed),
        }
    }

    /// Whether an expected fingerprint matched or the application accepted the peer. Stays false
    /// under [`PeerVerification::TrustFirst`] as long as neither happened, and for a client without
    /// certificate.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.connected()
            .is_some_and(|connected| connected.verification == Verification::Verified)
    }

    /// The role.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Says that no application data follows what was sent before, and goes on reading until the
    /// peer says the same or [`Endpoint::close`] is called (RFC 8446 §6.1). DTLS 1.2 has no such
    /// thing: there, before the connection is up, and after [`Event::ReadClosed`], it is
    /// [`Endpoint::close`].
    pub fn close_write(&mut self, now: Instant) {
        self.observe(now);
        match &mut self.state {
            State::Connected(connected)
                if self.cx.is_dtls13() && connected.peer_closed.is_none() =>
            {
                if connected.writing == Writing::Open {
                    connected.writing = Writing::Closed;
                    self.alert = Alert::for_reason(&CloseReason::Local);
                }
            }
            State::Connected(_) | State::Handshake(_) | State::Closed => self.close(now),
        }
    }

    /// Ends the connection: queues close_notify after what was sent before.
    pub fn close(&mut self, now: Instant) {
        self.observe(now);
        self.finish(CloseReason::Local);
    }

    /// Octets of the peer's that wait here: fragments of messages, records that came early,
    /// application data that was not taken out. Bounded by [`Config`].
    #[must_use]
    pub fn held_octets(&self) -> usize {
        self.reassembly.held() + self.cx.inbound.held() + self.incoming
    }

    /// The last alert that came in plaintext: anyone can have sent it, nothing is done about it, and
    /// it often says what the peer disliked. An authenticated one is in
    /// [`CloseReason::PeerAlert`], what the peer was told in [`CloseReason::alert`].
    #[must_use]
    pub const fn plaintext_alert(&self) -> Option<AlertDescription> {
        self.hint
    }

    /// What was counted so far.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.cx.stats
    }

    fn observe(&mut self, now: Instant) {
        self.cx.now = self.cx.now.max(now);
    }

    const fn connected(&self) -> Option<&Connected> {
        match &self.state {
            State::Connected(connected) => Some(connected),
            State::Handshake(_) | State::Closed => None,
        }
    }

    fn start_deadline(&mut self) {
        if !matches!(self.state, State::Closed) {
            let timeout = self.cx.config.handshake_timeout;
            // What lies beyond the clock's range never comes.
            self.deadline = timeout.and_then(|timeout| self.cx.now.checked_add(timeout));
        }
    }

    fn connect(&mut self, established: Established) -> Result<(), CloseReason> {
        let is_expected = match &self.cx.peer {
            Some(peer) => peer.is_expected,
            None if established.is_anonymous() => false,
            None => return Err(CloseReason::Internal),
        };
        let verification = if is_expected {
            Verification::Verified
        } else if self.cx.expects_someone() {
            return Err(CloseReason::FingerprintMismatch);
        } else {
            match self.cx.config.verification {
                PeerVerification::HoldUntilVerified => Verification::Nobody,
                PeerVerification::TrustFirst => Verification::Policy,
            }
        };
        tracing::info!(role = ?self.role, version = %established.negotiated.version, suite = %established.negotiated.suite, ?verification, "connected");
        self.state = State::Connected(Connected {
            established,
            verification,
            writing: Writing::Open,
            peer_closed: None,
            renegotiation: Renegotiation::Unasked,
        });
        if !self.cx.flight.awaits_answer() {
            // Else the peer has not confirmed our last flight, which it must do in time.
            self.deadline = None;
        }
        self.reassembly.release();
        match verification {
            Verification::Nobody => self.cx.events.push_back(Event::Unverified),
            Verification::Policy | Verification::Verified => {
                self.cx.events.push_back(Event::Connected);
                self.release_data();
            }
        }
        Ok(())
    }

    /// Somebody vouches for the peer: what was held is let go.
    fn vouched_for(&mut self) {
        let State::Connected(connected) = &mut self.state else {
            return;
        };
        let verification = if connected.established.is_anonymous() {
            // There is nothing that could have been verified.
            Verification::Policy
        } else {
            Verification::Verified
        };
        let before = mem::replace(&mut connected.verification, verification);
        if before != Verification::Verified && verification == Verification::Verified {
            self.cx.events.push_back(Event::Verified);
        }
        if before == Verification::Nobody {
            self.cx.events.push_back(Event::Connected);
            self.release_data();
        }
    }

    /// Goes to the final state: one event, and what must still leave.
    fn finish(&mut self, reason: CloseReason) {
        if !matches!(self.state, State::Closed) {
            self.enter_closed(reason);
        }
    }

    fn enter_closed(&mut self, reason: CloseReason) {
        // In DTLS 1.3 the peer's close_notify ends what it sends, not what we do.
        let may_still_leave = reason == CloseReason::Local
            || (reason == CloseReason::PeerClosed && self.cx.is_dtls13());
        if !may_still_leave {
            self.outgoing = Outgoing::default();
        }
        tracing::info!(role = ?self.role, %reason, "closed");
        let said = matches!(&self.state, State::Connected(connected) if connected.writing == Writing::Closed);
        if !(said && may_still_leave) {
            self.alert = Alert::for_reason(&reason);
        }
        self.state = State::Closed;
        self.deadline = None;
        self.cx.flight.clear();
        self.cx.acks.clear();
        self.cx.inbound = crate::record::Inbound::default();
        self.cx.early_due = false;
        self.cx.carried = None;
        self.reassembly.release();
        self.cx.events.push_back(Event::Closed(reason));
    }
}
