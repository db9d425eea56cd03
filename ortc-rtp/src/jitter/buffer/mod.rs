//! The window: what has arrived, what is waited for, and what is given up.

mod assembly;

use std::collections::VecDeque;
use std::time::Instant;

use core::time::Duration;

use super::pool::Pool;
use super::window::{Slot, Stored, Window};
use super::{Config, Output, Packet, PushError, Stats};
use crate::payload::{Depacketizer, Format, FrameStart, Part};

/// The most slots that a configuration can ask for: the span of a 16-bit sequence number.
const MAX_PACKETS: usize = 1 << 16;

/// The longest wait that a configuration can ask for.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// How long a stream that seems to begin inside a frame waits for the packets before it.
///
/// Reordering is a matter of milliseconds; two retransmissions over a round trip of 100 ms fit too,
/// where they are asked for ([`ReorderBuffer::awaits_beginning`]).
const ORIGIN_WAIT: Duration = Duration::from_millis(250);

/// Puts the packets of one SSRC in order and gives whole frames; see the [module](super).
///
/// Before its first packet it holds no heap memory; afterwards it keeps the widest window that it
/// needed and room for up to four of its largest assembled frames. One packet costs the same whatever has been lost before it, but
/// for the walk over a gap's missing numbers, of which there are never more than the window has.
#[derive(Debug)]
pub struct ReorderBuffer {
    config: Config,
    depacketizer: Depacketizer,
    window: Window,
    pool: Pool,
    /// The first number that is still held or waited for.
    head: u64,
    /// The first number that has not been looked at; those from `head` to here are one frame.
    scan: u64,
    /// One more than the highest number that arrived.
    end: u64,
    phase: Phase,
    blocked: Option<Blocked>,
    /// Timestamp of the packet looked at last.
    timestamp: Option<u32>,
    continuity: Continuity,
    ready: VecDeque<Output>,
    stats: Stats,
    /// The latest time seen.
    now: Option<Instant>,
}

/// What is known about the place at `scan`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No packet has been looked at: those before the first may still come.
    Origin,
    /// A frame begins here.
    Boundary,
    /// A frame goes on here, perhaps.
    Building(Building),
    /// What stood before here is missing.
    Lost,
    /// The rest of a frame that is being dropped.
    Discarding { timestamp: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Building {
    timestamp: u32,
    last: u64,
    begun: Begun,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    /// The packet before it ended a frame.
    AtBoundary,
    /// The packet before it is unknown.
    AfterLoss,
}

/// Whether the next frame follows the last one delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Continuity {
    Unbroken,
    Broken,
}

#[derive(Clone, Copy, Debug)]
struct Blocked {
    /// The first number after the missing ones.
    next: u64,
    deadline: Instant,
}

/// Whether the time limit of a gap is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    UntilDeadline,
    None,
}

impl ReorderBuffer {
    /// An empty buffer. The first packet pushed sets where the sequence numbers begin.
    #[must_use]
    pub fn new(format: Format, config: Config) -> Self {
        Self {
            config: Config {
                max_packets: config.max_packets.clamp(1, MAX_PACKETS),
                max_wait: config.max_wait.min(MAX_WAIT),
                ..config
            },
            depacketizer: Depacketizer::new(format, config.max_frame),
            window: Window::default(),
            pool: Pool::default(),
            head: 0,
            scan: 0,
            end: 0,
            phase: Phase::Origin,
            blocked: None,
            timestamp: None,
            continuity: Continuity::Unbroken,
            ready: VecDeque::new(),
            stats: Stats::default(),
            now: None,
        }
    }

    /// The format given at construction.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.depacketizer.format()
    }

    /// Takes one packet.
    ///
    /// # Errors
    ///
    /// [`PushError`] when it was not taken. Only [`PushError::Full`] asks for anything: poll.
    pub fn push(&mut self, packet: Packet, now: Instant) -> Result<(), PushError> {
        if packet.payload.is_empty() {
            self.skip(packet.extended, now);
            return Ok(());
        }
        let part = self.depacketizer.parse(&packet.payload);
        let slot = Slot::Packet(Stored {
            timestamp: packet.timestamp,
            marker: packet.marker,
            part,
            payload: packet.payload,
            arrived: self.observe(now),
        });
        let taken = self
            .insert(packet.extended, slot)
            .and(part.map_err(Into::into));
        match taken {
            Ok(_) => self.stats.packets += 1,
            Err(PushError::Late) => self.stats.late += 1,
            Err(PushError::Duplicate) => self.stats.duplicate += 1,
            Err(PushError::Full) => self.stats.full += 1,
            Err(PushError::Malformed(_)) => self.stats.malformed += 1,
        }
        self.advance(Patience::UntilDeadline);
        taken.map(drop)
    }

    /// Says that a sequence number belonged to another payload type of the SSRC, such as
    /// telephone-event, or to padding: it is not missing.
    ///
    /// A number that is late or known already is ignored; so is one beyond the window while what is
    /// ready has not been taken out, of which [`push`](Self::push) would say [`PushError::Full`].
    pub fn skip(&mut self, extended: u64, now: Instant) {
        let arrived = self.observe(now);
        if self.insert(extended, Slot::Skipped(arrived)).is_ok() {
            self.stats.skipped += 1;
        }
        self.advance(Patience::UntilDeadline);
    }

    /// The next frame or gap, in order.
    pub fn poll(&mut self, now: Instant) -> Option<Output> {
        self.handle_timeout(now);
        self.ready.pop_front()
    }

    /// When to call [`ReorderBuffer::handle_timeout`]: a gap's limit, or an instant already
    /// reached when [`ReorderBuffer::poll`] has something.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.ready.is_empty() {
            self.blocked.map(|blocked| blocked.deadline)
        } else {
            self.now
        }
    }

    /// Gives up what has been waited for long enough.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.observe(now);
        self.advance(Patience::UntilDeadline);
    }

    /// Whether the stream seems to begin inside a frame, and what stands before its first packet is
    /// waited for: the moment to ask for it
    /// ([`NackGenerator::look_back`](crate::repair::NackGenerator::look_back)).
    #[must_use]
    pub fn awaits_beginning(&self) -> bool {
        self.phase == Phase::Origin && self.scan < self.end
    }

    /// Counters since construction.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Time never goes back.
    fn observe(&mut self, now: Instant) -> Instant {
        let now = self.now.map_or(now, |latest| latest.max(now));
        self.now = Some(now);
        now
    }

    fn insert(&mut self, number: u64, slot: Slot) -> Result<(), PushError> {
        // The very last number has no successor to wait for.
        let after = number.checked_add(1).ok_or(PushError::Late)?;
        if self.end == 0 {
            (self.head, self.scan, self.end) = (number, number, number);
        }
        if number < self.head {
            self.rewind(number)?;
        }
        self.make_room(number)?;
        if number < self.end && !matches!(self.window.get(number), Slot::Empty) {
            return Err(PushError::Duplicate);
        }
        self.end = self.end.max(after);
        self.window.reserve(self.head, self.distance(number) + 1);
        self.window.put(number, slot);
        if let Some(blocked) = &mut self.blocked {
            blocked.next = blocked.next.min(number);
        }
        Ok(())
    }

    /// Before anything has been decided, the first packet to arrive need not be the first sent.
    fn rewind(&mut self, number: u64) -> Result<(), PushError> {
        let span = usize::try_from(self.end - number).unwrap_or(usize::MAX);
        if self.phase != Phase::Origin || span > self.config.max_packets {
            return Err(PushError::Late);
        }
        self.window.reserve(self.head, span);
        (self.head, self.scan) = (number, number);
        self.blocked = None;
        Ok(())
    }

    /// Gives up what stands before `number` until it fits the window. The work is bounded by what
    /// is in the window, not by how far `number` leaps.
    fn make_room(&mut self, number: u64) -> Result<(), PushError> {
        while self.distance(number) >= self.config.max_packets {
            if self.ready.len() >= self.config.max_packets {
                return Err(PushError::Full);
            }
            if self.scan < self.end {
                self.advance(Patience::None);
                continue;
            }
            // All there is has been looked at, and at most an unfinished frame is left.
            let missing = number - self.end;
            let unfinished = self.phase;
            self.discard_frame();
            if missing > 0 {
                self.stats.restarts += 1;
                self.report_gap(number);
            } else if let Phase::Building(Building { timestamp, .. }) = unfinished {
                self.phase = Phase::Discarding { timestamp };
            }
            (self.head, self.scan, self.end) = (number, number, number);
        }
        Ok(())
    }

    fn distance(&self, number: u64) -> usize {
        usize::try_from(number.saturating_sub(self.head)).unwrap_or(usize::MAX)
    }

    /// Looks at every number that can be decided now.
    ///
    /// Each round moves `scan`, changes the phase towards one that does, or stops. With no
    /// patience, it stops after the first thing that it had to give up.
    fn advance(&mut self, mut patience: Patience) {
        while self.scan < self.end && self.ready.len() < self.config.max_packets {
            let moved = match self.window.get(self.scan) {
                Slot::Empty => self.cross_gap(&mut patience),
                Slot::Skipped(_) => {
                    self.pass_skipped();
                    true
                }
                Slot::Packet(stored) => {
                    let seen = Seen {
                        timestamp: stored.timestamp,
                        marker: stored.marker,
                        part: stored.part.ok(),
                        arrived: stored.arrived,
                    };
                    self.look_at(seen, &mut patience)
                }
            };
            if !moved {
                return;
            }
        }
    }

    fn pass_skipped(&mut self) {
        if matches!(self.phase, Phase::Building(_)) {
            self.step();
        } else {
            if self.phase == Phase::Origin {
                self.phase = Phase::Lost;
            }
            self.window.take(self.scan);
            self.step();
            self.head = self.scan;
        }
    }

    /// Goes on to the next number; a gap further on keeps its deadline.
    fn step(&mut self) {
        self.scan += 1;
        self.blocked = self.blocked.filter(|blocked| blocked.next > self.scan);
    }

    /// Reports a gap when its time has come; false: go on waiting.
    fn cross_gap(&mut self, patience: &mut Patience) -> bool {
        let blocked = self.blocked.filter(|blocked| blocked.next > self.scan);
        let Some(blocked) = blocked.or_else(|| self.next_present()) else {
            // Not reached: the last number below `end` has arrived.
            self.end = self.scan;
            return false;
        };
        if !self.is_over(blocked.deadline, patience) {
            self.blocked = Some(blocked);
            return false;
        }
        self.discard_frame();
        self.report_gap(blocked.next);
        (self.head, self.scan) = (blocked.next, blocked.next);
        true
    }

    /// The first number behind `scan` of which something is known.
    fn next_present(&self) -> Option<Blocked> {
        (self.scan..self.end).find_map(|next| {
            let arrived = match self.window.get(next) {
                Slot::Empty => return None,
                Slot::Skipped(arrived) => *arrived,
                Slot::Packet(stored) => stored.arrived,
            };
            Some(Blocked {
                next,
                deadline: arrived + self.config.max_wait,
            })
        })
    }

    fn is_over(&self, deadline: Instant, patience: &mut Patience) -> bool {
        let forced = *patience == Patience::None;
        *patience = Patience::UntilDeadline;
        forced || self.now.is_some_and(|now| now >= deadline)
    }

    /// From `scan` up to `next` nothing has come.
    fn report_gap(&mut self, next: u64) {
        let packets = next - self.scan;
        self.stats.lost += packets;
        self.ready.push_back(Output::Gap {
            first: self.scan,
            packets,
        });
        self.blocked = None;
        self.phase = Phase::Lost;
        self.continuity = Continuity::Broken;
    }

    /// Decides about the packet at `scan`; false: wait for what stands before it.
    fn look_at(&mut self, seen: Seen, patience: &mut Patience) -> bool {
        match self.phase {
            Phase::Origin => match seen.part {
                Some(part) if part.start() == FrameStart::Certain => {
                    self.begin(seen, Begun::AtBoundary);
                }
                Some(_) | None => {
                    let deadline = seen.arrived + ORIGIN_WAIT.min(self.config.max_wait);
                    if !self.is_over(deadline, patience) {
                        self.blocked = Some(Blocked {
                            next: self.scan,
                            deadline,
                        });
                        return false;
                    }
                    self.continuity = Continuity::Broken;
                    self.phase = Phase::Lost;
                }
            },
            Phase::Boundary => self.begin(seen, Begun::AtBoundary),
            Phase::Lost if self.can_begin(&seen) => self.begin(seen, Begun::AfterLoss),
            Phase::Lost => self.discard(seen),
            Phase::Discarding { timestamp } if timestamp == seen.timestamp => self.discard(seen),
            Phase::Discarding { .. } => self.phase = Phase::Boundary,
            Phase::Building(frame) if frame.timestamp == seen.timestamp => self.add(seen, frame),
            // No number is missing, but the last packet of a frame must have the marker (RFC 7741
            // §4.1): whoever forwarded the packets left the rest of this one out. H.264 decoders
            // must not rely on the marker (RFC 6184 §5.1).
            Phase::Building(_) if self.format() == Format::Vp8 => {
                self.discard_frame();
                self.phase = Phase::Boundary;
            }
            Phase::Building(frame) => self.finish(frame),
        }
        true
    }
}

/// What matters of the packet at `scan`, but for its octets.
#[derive(Clone, Copy)]
struct Seen {
    timestamp: u32,
    marker: bool,
    part: Option<Part>,
    arrived: Instant,
}
