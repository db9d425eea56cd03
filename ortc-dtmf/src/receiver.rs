//! Turns telephone-event packets back into tones: the receiving side of RFC 4733 §2.5.2.

use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use crate::clock::{ClockRate, ClockRateError};
use crate::tones::Tone;
use crate::wire::{EventCode, ParseError, TelephoneEvent, Volume};

/// A tone whose reports stop coming ends after this long: three update periods, beyond which
/// RFC 4733 §2.5.2.2 does not want it extended, of the 50 ms that §2.5.1.2 recommends.
pub const REPORT_TIMEOUT: Duration = Duration::from_millis(150);

/// Most [`ReceiverEvent`]s that wait. A tone for which there is no room is not reported at all,
/// neither its start nor its end, and [`Receiver::dropped`] counts it.
pub const MAX_RECEIVER_EVENTS: usize = 64;

/// How much later than the newest event a packet of an earlier one may arrive. Older timestamps
/// than that are no stragglers: the sender has begun its timestamps anew.
const STRAGGLER: Duration = Duration::from_secs(30);

/// Full segment of a long event (RFC 4733 §2.5.2.3).
const FULL_SEGMENT: u32 = 0xFFFF;

/// Half of the timestamp's range: what lies less than this ahead is newer (RFC 3550 §4).
const HALF: u32 = 1 << 31;

/// Recognises the events of one stream (one SSRC) of telephone-event packets.
///
/// The timestamp tells events apart, never the marker: an event begins with the first of its
/// packets that arrives, be it the last one sent, and all later packets with that timestamp are
/// updates or copies. Events come out in the order of their timestamps; a packet of an event
/// before the newest is too late and ignored. Tones and all other events are followed
/// independently, so that the latter never cut a tone short.
///
/// What it keeps is of fixed size, whatever is received.
#[derive(Debug)]
pub struct Receiver {
    clock: ClockRate,
    tone: Option<Heard<Tone>>,
    other: Option<Heard<EventCode>>,
    events: VecDeque<ReceiverEvent>,
    dropped: u64,
    latest: Option<Instant>,
}

/// What was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverEvent {
    /// A tone began. Once for each tone, with the first of its packets.
    Tone {
        /// Which.
        tone: Tone,
        /// RTP timestamp of its beginning, as far as the packets received tell.
        timestamp: u32,
        /// How loud.
        volume: Volume,
    },
    /// The tone that began last is over: its end was reported, another event followed, or its
    /// reports stopped coming for [`REPORT_TIMEOUT`].
    ToneEnded {
        /// Which.
        tone: Tone,
        /// How long it lasted, all segments together, by the last report received.
        duration: Duration,
    },
    /// An event that is no DTMF tone, once for each timestamp, with the first of its packets.
    Event(EventCode),
}

/// The newest event of one sort.
#[derive(Debug)]
struct Heard<E> {
    event: E,
    /// RTP timestamp of the current segment.
    segment: u32,
    /// Timestamp units of the segments before it.
    before: u64,
    /// Of the current segment, the longest reported.
    length: u16,
    phase: Phase,
    announced: Announced,
    heard_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Active,
    /// Over for us, but the sender may still be at it: further reports and segments are ignored
    /// (RFC 4733 §2.5.2.2: not restarted).
    TimedOut,
    Ended,
}

/// Whether the application was told of the beginning, and must be told of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announced {
    Yes,
    No,
}

/// How a report relates to the newest event.
enum Relation {
    /// Same segment.
    Same,
    /// A segment that follows it without a gap.
    NextSegment,
    /// Another event, later.
    New,
    /// Another event, earlier.
    Stale,
}

impl Receiver {
    /// A receiver for a telephone-event payload type whose RTP clock is `clock_rate` Hz.
    ///
    /// # Errors
    ///
    /// [`ClockRateError`] outside [`MIN_CLOCK_RATE`](crate::MIN_CLOCK_RATE) to
    /// [`MAX_CLOCK_RATE`](crate::MAX_CLOCK_RATE).
    pub fn new(clock_rate: u32) -> Result<Self, ClockRateError> {
        Ok(Self {
            clock: ClockRate::new(clock_rate)?,
            tone: None,
            other: None,
            events: VecDeque::new(),
            dropped: 0,
            latest: None,
        })
    }

    /// Takes the payload of a telephone-event packet and its RTP timestamp. Copies and stragglers
    /// are harmless; the packets need no order.
    ///
    /// # Errors
    ///
    /// [`ParseError`] if the payload is not a whole number of reports. Nothing has changed; drop
    /// the packet.
    pub fn handle_packet(
        &mut self,
        timestamp: u32,
        payload: &[u8],
        now: Instant,
    ) -> Result<(), ParseError> {
        let reports = TelephoneEvent::reports(payload)?;
        let now = self.observe(now);
        self.expire(now);
        let mut start = timestamp;
        for report in reports {
            self.on_report(start, report, now);
            // Packed events follow each other without a gap (RFC 4733 §2.5.2.4).
            start = start.wrapping_add(u32::from(report.duration));
        }
        Ok(())
    }

    /// Ends a tone whose reports have stopped coming. A call before the deadline does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.observe(now);
        self.expire(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` unless a tone is on.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let tone = self.tone.as_ref()?;
        (tone.phase == Phase::Active).then(|| tone.heard_at + REPORT_TIMEOUT)
    }

    /// Takes the next event, until there is none. At most [`MAX_RECEIVER_EVENTS`] wait.
    pub fn poll_event(&mut self) -> Option<ReceiverEvent> {
        self.events.pop_front()
    }

    /// How many tones and other events were never reported because too many were waiting.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// An earlier instant counts as the latest one seen.
    fn observe(&mut self, now: Instant) -> Instant {
        let now = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(now);
        now
    }

    fn expire(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            tracing::debug!("reports of a tone stopped coming");
            self.end_tone(Phase::TimedOut);
        }
    }

    fn on_report(&mut self, start: u32, report: TelephoneEvent, now: Instant) {
        match report.event.to_tone() {
            // Only states last for ever, and no tone is one (RFC 4733 §2.3.5).
            Some(_) if report.duration == 0 => tracing::trace!("tone without duration ignored"),
            Some(tone) => self.on_tone(tone, start, report, now),
            None => self.on_other(start, report, now),
        }
    }

    fn on_tone(&mut self, tone: Tone, start: u32, report: TelephoneEvent, now: Instant) {
        let relation = relation(self.tone.as_ref(), tone, start, self.clock, now);
        if matches!(relation, Relation::New) {
            self.end_tone(Phase::Ended);
            let room = self.events.len() + 2 <= MAX_RECEIVER_EVENTS; // and for its end
            let announced = self.announce(
                ReceiverEvent::Tone {
                    tone,
                    timestamp: start,
                    volume: report.volume,
                },
                room,
            );
            self.tone = Some(Heard::new(tone, start, report, announced, now));
        }
        let Some(heard) = &mut self.tone else { return };
        let moved = heard.follow(&relation, start, report, now);
        if moved == Moved::ToTheEnd {
            self.end_tone(Phase::Ended);
        }
    }

    fn on_other(&mut self, start: u32, report: TelephoneEvent, now: Instant) {
        let relation = relation(self.other.as_ref(), report.event, start, self.clock, now);
        if matches!(relation, Relation::New) {
            let owed = usize::from(self.tone.as_ref().is_some_and(Heard::owes_its_end));
            let room = self.events.len() + owed < MAX_RECEIVER_EVENTS;
            let announced = self.announce(ReceiverEvent::Event(report.event), room);
            self.other = Some(Heard::new(report.event, start, report, announced, now));
        }
        let Some(heard) = &mut self.other else { return };
        if heard.follow(&relation, start, report, now) == Moved::ToTheEnd {
            heard.phase = Phase::Ended;
        }
    }

    /// Ends the tone that is on, if one is; one that had timed out has now ended for good.
    fn end_tone(&mut self, phase: Phase) {
        let Some(heard) = &mut self.tone else { return };
        let owed = heard.owes_its_end();
        heard.phase = phase;
        if owed {
            // Room was kept for it when the tone was announced.
            self.events.push_back(ReceiverEvent::ToneEnded {
                tone: heard.event,
                duration: self.clock.span(heard.units()),
            });
        }
    }

    fn announce(&mut self, event: ReceiverEvent, room: bool) -> Announced {
        if room {
            self.events.push_back(event);
            Announced::Yes
        } else {
            self.dropped += 1;
            Announced::No
        }
    }
}

fn relation<E: PartialEq>(
    newest: Option<&Heard<E>>,
    event: E,
    start: u32,
    clock: ClockRate,
    now: Instant,
) -> Relation {
    let Some(heard) = newest else {
        return Relation::New;
    };
    let ahead = start.wrapping_sub(heard.segment);
    if ahead == 0 {
        // One instant begins one event: another code under its timestamp is not believed.
        return if heard.event == event {
            Relation::Same
        } else {
            Relation::Stale
        };
    }
    if ahead < HALF {
        // No gap and no end: the event goes on (RFC 4733 §2.5.2.3), full segments between them
        // having been lost, perhaps. Inside redundancy the segments are shorter, and that they
        // adjoin is what tells (§2.5.2.3.1).
        let adjoins = ahead.is_multiple_of(FULL_SEGMENT) || ahead == u32::from(heard.length);
        return if adjoins && heard.event == event && heard.phase != Phase::Ended {
            Relation::NextSegment
        } else {
            Relation::New
        };
    }
    // A straggler's timestamp is older than its packet by no more than one segment.
    let behind = u64::from(heard.segment.wrapping_sub(start));
    let window = u64::from(clock.units(STRAGGLER)) + u64::from(FULL_SEGMENT);
    if behind <= window && now.saturating_duration_since(heard.heard_at) <= STRAGGLER {
        Relation::Stale
    } else {
        Relation::New
    }
}

/// What a report did to its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    NotAtAll,
    On,
    ToTheEnd,
}

impl<E> Heard<E> {
    const fn new(
        event: E,
        start: u32,
        report: TelephoneEvent,
        announced: Announced,
        now: Instant,
    ) -> Self {
        Self {
            event,
            segment: start,
            before: 0,
            length: report.duration,
            phase: Phase::Active,
            announced,
            heard_at: now,
        }
    }

    fn owes_its_end(&self) -> bool {
        self.phase == Phase::Active && self.announced == Announced::Yes
    }

    fn units(&self) -> u64 {
        self.before.saturating_add(u64::from(self.length))
    }

    fn follow(
        &mut self,
        relation: &Relation,
        start: u32,
        report: TelephoneEvent,
        now: Instant,
    ) -> Moved {
        match relation {
            Relation::Stale => return Moved::NotAtAll,
            Relation::Same if report.duration < self.length => return Moved::NotAtAll,
            Relation::Same if report.duration == self.length && !report.end => {
                return Moved::NotAtAll;
            }
            Relation::NextSegment => {
                let whole = start.wrapping_sub(self.segment);
                self.before = self.before.saturating_add(u64::from(whole));
                self.segment = start;
            }
            Relation::Same | Relation::New => {}
        }
        self.length = report.duration;
        self.heard_at = now;
        if report.end {
            Moved::ToTheEnd
        } else {
            Moved::On
        }
    }
}
