//! Pairs over TCP (RFC 6544): the agent asks for a stream when a check needs one, and follows what
//! becomes of it. The octets are the embedder's; what it accepts at the address of a passive or
//! simultaneous-open candidate needs no call, only its path on the datagrams that arrive.
//!
//! DEVIATION(RFC 6544 §8): streams of valid pairs that carry no data are not closed; they stand in
//! reserve like other valid pairs, as nomination never ends.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use super::Agent;
use crate::candidate::TcpType;
use crate::event::Event;
use crate::pair::{PairId, PairState, Progress, Queue, State};
use crate::path::{Path, StreamId, Transport};
use crate::stream::{OpenStream, Security};

/// How long a stream may take to open.
const OPENING: Duration = Duration::from_secs(15);
/// How long a check over a stream waits for its answer: Ti, the time of a transaction over a
/// reliable transport (RFC 8489 §6.2.2).
pub(super) const TI: Duration = Duration::from_millis(39_500);
/// A pair opens its stream this often at most ...
const OPENINGS_MAX: u32 = 5;
/// ... within this time, so that a peer that accepts and closes cannot keep us busy.
const OPENINGS_PER: Duration = Duration::from_secs(30);

/// How often pairs have asked for streams.
#[derive(Debug, Default)]
pub(super) struct Openings(BTreeMap<PairId, (u32, Instant)>);

impl Openings {
    /// Whether this pair may ask once more.
    fn allow(&mut self, id: PairId, now: Instant) -> bool {
        let (count, since) = self.0.entry(id).or_insert((0, now));
        if now.saturating_duration_since(*since) >= OPENINGS_PER {
            (*count, *since) = (0, now);
        }
        *count += 1;
        *count <= OPENINGS_MAX
    }
}

impl Agent {
    /// The stream of an [`Event::OpenStream`] is open: `local` and `remote` as they were asked for,
    /// and `actual`, the local address that it has. Its path is from then on
    /// `Path::stream(stream, actual, remote)`. When nothing needs it any more,
    /// [`Event::CloseStream`] says so.
    pub fn stream_opened(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        stream: StreamId,
        actual: SocketAddr,
        now: Instant,
    ) {
        if self.advance(now).is_err() {
            return;
        }
        let path = Path::stream(stream, actual, remote);
        let opening = self.opening(local, remote);
        match opening.filter(|_| self.checklist.by_path(&path).is_none()) {
            Some(id) => {
                self.checklist.set_path(id, path);
                self.checklist.set_deadline(id, None);
                self.checklist.queue(id, Queue::Triggered);
            }
            None => self.events.push_back(Event::CloseStream(stream)),
        }
        self.pump();
    }

    /// The stream of an [`Event::OpenStream`] cannot be opened: its pair fails (RFC 6544 §7.1).
    pub fn stream_failed(&mut self, local: SocketAddr, remote: SocketAddr, now: Instant) {
        if self.advance(now).is_err() {
            return;
        }
        if let Some(id) = self.opening(local, remote) {
            self.fail(id);
        }
        self.pump();
    }

    /// A stream was closed, by the peer, the network or the embedder: what ran over it ends at once,
    /// and data moves to another valid pair. The side that opened it opens it again when data used
    /// it (RFC 6544 §11.1), five times in 30 s at most.
    pub fn stream_closed(&mut self, stream: StreamId, now: Instant) {
        if self.advance(now).is_err() {
            return;
        }
        let over = |path: &Path| path.transport == Transport::Stream(stream);
        self.early.retain(|path| !over(path));
        self.outbox.retain_answers(|path| !over(path));
        let pairs: Vec<_> = self
            .checklist
            .iter()
            .filter(|(_, pair)| over(&pair.path))
            .map(|(id, pair)| (id, pair.pair_state()))
            .collect();
        let mut ends = Vec::new();
        for (id, state) in pairs {
            if self.is_retained(id) || !self.reopens(id) {
                ends.push(id);
                continue;
            }
            self.detach(id);
            match state {
                PairState::Succeeded => self.expire(id),
                PairState::InProgress | PairState::Waiting => self.fail(id),
                PairState::Frozen | PairState::Failed => {}
            }
        }
        self.end_pairs(&ends);
        self.checklist.forget_stream(stream);
        self.pump();
    }

    /// A pair that has no stream needs one for its check.
    pub(super) fn open_stream(&mut self, id: PairId) {
        let now = self.now;
        let Some(pair) = self.checklist.get(id) else {
            return;
        };
        if matches!(pair.state, State::InProgress(_)) {
            return; // it was asked for
        }
        let path = pair.path;
        self.checklist.set_state(id, State::Waiting);
        if !self.openings.allow(id, now) {
            return self.fail(id);
        }
        let progress = Progress {
            since: now,
            sent_at: now,
            sent: 0,
            give_up: true,
        };
        self.checklist.set_state(id, State::InProgress(progress));
        self.checklist.set_deadline(id, Some(now + OPENING));
        self.events.push_back(Event::OpenStream(OpenStream {
            local: path.local,
            remote: path.remote,
            security: Security::Plain,
        }));
    }

    /// Streams whose pairs are gone are the embedder's to close.
    pub(super) fn close_orphans(&mut self) {
        for stream in self.checklist.take_orphans() {
            let gone = Transport::Stream(stream);
            self.outbox.retain_answers(|path| path.transport != gone);
            self.events.push_back(Event::CloseStream(stream));
        }
        let checklist = &self.checklist;
        if self.openings.0.len() > checklist.len() {
            self.openings.0.retain(|id, _| checklist.get(*id).is_some());
        }
    }

    /// A pair is given up: the stream that did not answer is not used again.
    pub(super) fn abandon_stream(&mut self, id: PairId) {
        let path = self.checklist.get(id).map(|pair| pair.path.transport);
        if matches!(path, Some(Transport::Stream(_))) && self.reopens(id) && !self.is_retained(id) {
            self.detach(id);
        }
    }

    /// Takes its stream away from a pair that can open another.
    fn detach(&mut self, id: PairId) {
        let Some(pair) = self.checklist.get(id) else {
            return;
        };
        let (Some(ours), remote) = (self.locals.get(pair.local), pair.path.remote) else {
            return;
        };
        let path = Path {
            transport: Transport::Unopened,
            local: ours.base(),
            remote,
        };
        self.checklist.set_path(id, path);
    }

    /// Whether a pair opens its stream itself.
    fn reopens(&self, id: PairId) -> bool {
        let Some(pair) = self.checklist.get(id) else {
            return false;
        };
        let known = |index: usize, base: SocketAddr| {
            let ours = self.locals.get(index);
            ours.is_some_and(|ours| match ours.tcp_type() {
                Some(TcpType::Active) => true,
                // What the peer opened is from a port that nobody listens on.
                Some(TcpType::SimultaneousOpen) => self.known_remote(true, base).is_some(),
                Some(TcpType::Passive) | None => false,
            })
        };
        known(pair.local, pair.path.remote)
    }

    /// The pair that waits for a stream between these.
    fn opening(&self, local: SocketAddr, remote: SocketAddr) -> Option<PairId> {
        let path = Path {
            transport: Transport::Unopened,
            local,
            remote,
        };
        let id = self.checklist.by_path(&path)?;
        let pair = self.checklist.get(id)?;
        matches!(pair.state, State::InProgress(_)).then_some(id)
    }
}
