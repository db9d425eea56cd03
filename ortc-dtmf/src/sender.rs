//! Plays tones as telephone events: the sending side of RFC 4733 §2.5.1, under the rules that
//! the ORTC draft of October 2013 gives insertDTMF (§4.2.2.1).

use core::mem;
use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use crate::clock::{ClockRate, ClockRateError};
use crate::tones::{
    self, DEFAULT_DURATION, DEFAULT_GAP, MAX_DURATION, MAX_GAP, MAX_TONES, MIN_DURATION, MIN_GAP,
    PAUSE, Tone, TonesError,
};
use crate::wire::{TelephoneEvent, Volume};

/// Time between two reports of an event: the spacing of ordinary audio packets, which
/// RFC 4733 §2.5.1.2 calls natural, and that of browsers.
pub const UPDATE_INTERVAL: Duration = Duration::from_millis(20);

/// How often the last report of an event, and of each segment of a long one, is sent
/// (RFC 4733 §2.5.1.4).
pub const FINAL_REPORTS: u8 = 3;

/// Most [`SenderEvent`]s that wait; beyond it the oldest is forgotten.
pub const MAX_SENDER_EVENTS: usize = 64;

/// Longest segment of an event (RFC 4733 §2.5.1.3).
const MAX_SEGMENT: u16 = u16::MAX;

/// Plays a buffer of tones as telephone-event packets.
///
/// [`insert`](Self::insert) puts tones in, [`poll_packet`](Self::poll_packet) yields one report
/// at a time, and [`handle_timeout`](Self::handle_timeout) must be called when
/// [`poll_timeout`](Self::poll_timeout) says so.
///
/// A tone of 100 ms leaves as reports at 0, 20, 40 and 60 ms, and three times its last one at
/// 80, 100 and 120 ms. Like an audio packet, each report covers the 20 ms that begin when it
/// leaves: the first one says 20 ms, never zero, and the one that reaches the end of the tone is
/// its last. The retransmissions keep the update interval (RFC 4733 §2.5.1.4), so that one burst
/// of loss does not take all three, and are done before the shortest gap is over.
///
/// A late caller gets one report with the current duration instead of those that were missed. The
/// next tone waits until all packets of the one before have been taken, so the queue is bounded:
/// one tone holds at most a few reports for each of its segments.
#[derive(Debug)]
pub struct Sender {
    clock: ClockRate,
    buffer: String,
    duration: Duration,
    gap: Duration,
    state: State,
    /// Last reports that are still owed copies; never more than one for each segment of a tone.
    repeats: Vec<Repeat>,
    packets: VecDeque<EventPacket>,
    events: VecDeque<SenderEvent>,
    latest: Option<Instant>,
}

/// One packet to send. RTP sequence number and payload type are the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a report that is not sent is lost"]
pub struct EventPacket {
    /// RTP marker bit: the first packet of an event (RFC 4733 §2.2.2).
    pub marker: bool,
    /// When the event began. The RTP timestamp of the packet is that of this instant, on the
    /// clock of the audio stream, plus [`offset`](Self::offset).
    pub started_at: Instant,
    /// Where the reported segment begins, in timestamp units since `started_at`: zero but in the
    /// later segments of an event that does not fit in one (RFC 4733 §2.5.1.3).
    pub offset: u32,
    /// The payload.
    pub report: TelephoneEvent,
}

/// How far the tone buffer has been played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderEvent {
    /// This tone has left the buffer and begun.
    ToneStarted(Tone),
    /// Everything inserted has been played, the last gap included.
    BufferEmpty,
}

#[derive(Debug)]
enum State {
    Idle,
    Playing(Playing),
    /// The last report has left once; its copies follow at `next`.
    Ending {
        next: Instant,
        resume_at: Instant,
    },
    /// The gap after a tone, or a pause.
    Waiting {
        until: Instant,
    },
}

#[derive(Debug)]
struct Playing {
    tone: Tone,
    clock: ClockRate,
    started_at: Instant,
    duration: Duration,
    gap: Duration,
    /// How much of the tone the reports so far cover, and when the next is due.
    covered: Duration,
    due: Instant,
    /// Where the current segment begins.
    offset: u32,
    opening: Opening,
}

/// Whether the marker is still to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    Unsent,
    Sent,
}

#[derive(Debug)]
struct Repeat {
    packet: EventPacket,
    left: u8,
}

impl Sender {
    /// A sender for a telephone-event payload type whose RTP clock is `clock_rate` Hz, with an
    /// empty tone buffer.
    ///
    /// # Errors
    ///
    /// [`ClockRateError`] outside [`MIN_CLOCK_RATE`](crate::MIN_CLOCK_RATE) to
    /// [`MAX_CLOCK_RATE`](crate::MAX_CLOCK_RATE).
    pub fn new(clock_rate: u32) -> Result<Self, ClockRateError> {
        Ok(Self {
            clock: ClockRate::new(clock_rate)?,
            buffer: String::new(),
            duration: DEFAULT_DURATION,
            gap: DEFAULT_GAP,
            state: State::Idle,
            repeats: Vec::new(),
            packets: VecDeque::new(),
            events: VecDeque::new(),
            latest: None,
        })
    }

    /// Changes the RTP clock to `clock_rate` Hz, from the next tone on: the one that is playing
    /// keeps the clock it began with.
    ///
    /// # Errors
    ///
    /// [`ClockRateError`] as in [`new`](Self::new); the clock is unchanged.
    pub fn set_clock_rate(&mut self, clock_rate: u32) -> Result<(), ClockRateError> {
        self.clock = ClockRate::new(clock_rate)?;
        Ok(())
    }

    /// The RTP clock of the next tone, in Hz.
    #[must_use]
    pub const fn clock_rate(&self) -> u32 {
        self.clock.hertz()
    }

    /// Plays `tones`, each for `duration` and followed by `inter_tone_gap` of silence (ORTC draft
    /// of October 2013 §4.2.2.1; defaults [`DEFAULT_DURATION`] and [`DEFAULT_GAP`]).
    ///
    /// `0` to `9`, `A` to `D`, `*` and `#` are tones, `a` to `d` the same as `A` to `D`, `,` is a
    /// pause of two seconds, anything else is ignored. The tones replace what is left in the tone
    /// buffer; what has begun, a tone with its gap or a pause, is finished first and as it was
    /// begun. With no tones, nothing follows it. When nothing has begun, the first packet is
    /// queued at once.
    ///
    /// # Errors
    ///
    /// [`TonesError`], and nothing changes: `duration` is outside [`MIN_DURATION`] to
    /// [`MAX_DURATION`], `inter_tone_gap` outside [`MIN_GAP`] to [`MAX_GAP`], or there are more
    /// than [`MAX_TONES`] tones and pauses.
    pub fn insert(
        &mut self,
        tones: &str,
        duration: Duration,
        inter_tone_gap: Duration,
        now: Instant,
    ) -> Result<(), TonesError> {
        if !(MIN_DURATION..=MAX_DURATION).contains(&duration) {
            return Err(TonesError::Duration { got: duration });
        }
        if !(MIN_GAP..=MAX_GAP).contains(&inter_tone_gap) {
            return Err(TonesError::Gap {
                got: inter_tone_gap,
            });
        }
        let have = tones::recognised(tones).count();
        if have > MAX_TONES {
            return Err(TonesError::TooMany { have });
        }
        // Tones can be a secret (a PIN): how many is all that a log may hold.
        tracing::debug!(tones = have, ?duration, gap = ?inter_tone_gap, "tones inserted");
        let now = self.observe(now);
        self.buffer.clear();
        self.buffer.extend(tones::recognised(tones));
        self.duration = duration;
        self.gap = inter_tone_gap;
        if matches!(self.state, State::Idle) {
            self.state = self.begin_next(now);
        }
        self.advance(now);
        Ok(())
    }

    /// What has not begun: tones and pauses (the draft's toneBuffer), as they will be played.
    #[must_use]
    pub fn tone_buffer(&self) -> &str {
        &self.buffer
    }

    /// Tone duration of the last [`insert`](Self::insert), [`DEFAULT_DURATION`] before it.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// Gap between tones of the last [`insert`](Self::insert), [`DEFAULT_GAP`] before it.
    #[must_use]
    pub const fn inter_tone_gap(&self) -> Duration {
        self.gap
    }

    /// Queues what is due. A call before the deadline does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.observe(now);
        self.advance(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; an instant already reached
    /// while packets wait to be taken; `None` when nothing is being played.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.packets.is_empty() {
            return self.latest;
        }
        match &self.state {
            State::Idle => None,
            State::Playing(playing) => Some(playing.due),
            State::Ending { next, .. } => Some(*next),
            State::Waiting { until } => Some(*until),
        }
    }

    /// Takes the next packet to send, until there is none.
    pub fn poll_packet(&mut self, now: Instant) -> Option<EventPacket> {
        self.observe(now);
        self.packets.pop_front()
    }

    /// Takes the next sign of progress, until there is none. At most [`MAX_SENDER_EVENTS`] wait,
    /// the oldest is forgotten first: ignoring them is fine.
    pub fn poll_event(&mut self) -> Option<SenderEvent> {
        self.events.pop_front()
    }

    /// An earlier instant counts as the latest one seen.
    fn observe(&mut self, now: Instant) -> Instant {
        let now = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(now);
        now
    }

    fn advance(&mut self, now: Instant) {
        loop {
            self.state = match mem::replace(&mut self.state, State::Idle) {
                State::Playing(playing) if playing.due <= now => self.report(playing, now),
                State::Ending { next, resume_at } if next <= now => self.repeat(resume_at, now),
                // What the tone before still has to say must leave first.
                State::Waiting { until } if until <= now && self.packets.is_empty() => {
                    self.begin_next(now)
                }
                unchanged @ (State::Idle
                | State::Playing(_)
                | State::Ending { .. }
                | State::Waiting { .. }) => {
                    self.state = unchanged;
                    return;
                }
            };
        }
    }

    fn begin_next(&mut self, now: Instant) -> State {
        let Some(key) = self.buffer.chars().next() else {
            self.push_event(SenderEvent::BufferEmpty);
            return State::Idle;
        };
        self.buffer.drain(..key.len_utf8());
        let Some(tone) = Tone::from_char(key) else {
            // The buffer holds tones and pauses only.
            return State::Waiting { until: now + PAUSE };
        };
        self.push_event(SenderEvent::ToneStarted(tone));
        let playing = Playing {
            tone,
            clock: self.clock,
            started_at: now,
            duration: self.duration,
            gap: self.gap,
            covered: Duration::ZERO,
            due: now,
            offset: 0,
            opening: Opening::Unsent,
        };
        self.report(playing, now)
    }

    /// Reports the event up to `now`: one report, however many steps were missed, and before it
    /// the full segments that it left behind.
    fn report(&mut self, mut playing: Playing, now: Instant) -> State {
        self.push_copies();
        while playing.due <= now && playing.covered < playing.duration {
            playing.covered += UPDATE_INTERVAL;
            playing.due += UPDATE_INTERVAL;
        }
        let covered = playing.covered.min(playing.duration);
        let end = covered == playing.duration;
        let units = playing.clock.units(covered);
        let length = loop {
            match u16::try_from(units.saturating_sub(playing.offset)) {
                Ok(length) => break length,
                // Beyond the segment: say that it was full, go on in the next (§2.5.1.3).
                Err(_) => {
                    let full = playing.packet(MAX_SEGMENT, End::NotYet);
                    self.push_update(full);
                    self.owe(full);
                    playing.offset += u32::from(MAX_SEGMENT);
                }
            }
        };
        let last = playing.packet(length, if end { End::Reached } else { End::NotYet });
        self.push_update(last);
        if !end {
            return State::Playing(playing);
        }
        self.owe(last);
        State::Ending {
            next: now + UPDATE_INTERVAL,
            resume_at: playing.started_at + playing.duration + playing.gap,
        }
    }

    fn repeat(&mut self, resume_at: Instant, now: Instant) -> State {
        self.push_copies();
        if self.repeats.is_empty() {
            State::Waiting { until: resume_at }
        } else {
            State::Ending {
                next: now + UPDATE_INTERVAL,
                resume_at,
            }
        }
    }

    /// An update that nobody has taken yet gives way to the next one of its segment, which says
    /// all that it said.
    fn push_update(&mut self, packet: EventPacket) {
        if let Some(waiting) = self.packets.back_mut()
            && (waiting.started_at, waiting.offset) == (packet.started_at, packet.offset)
        {
            waiting.report = packet.report;
        } else {
            self.packets.push_back(packet);
        }
    }

    /// The final packet of each segment and event leaves three times (RFC 4733 §2.5.1.4). The first
    /// packet of an event, the one with the marker, is never a final one: it covers one update
    /// interval, and tones and segments are longer.
    fn owe(&mut self, packet: EventPacket) {
        self.repeats.push(Repeat {
            packet,
            left: FINAL_REPORTS - 1,
        });
    }

    fn push_copies(&mut self) {
        for repeat in &mut self.repeats {
            repeat.left -= 1;
            self.packets.push_back(repeat.packet);
        }
        self.repeats.retain(|repeat| repeat.left > 0);
    }

    fn push_event(&mut self, event: SenderEvent) {
        if self.events.len() == MAX_SENDER_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

/// What the E bit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NotYet,
    Reached,
}

impl Playing {
    fn packet(&mut self, length: u16, end: End) -> EventPacket {
        let opening = mem::replace(&mut self.opening, Opening::Sent);
        EventPacket {
            marker: opening == Opening::Unsent,
            started_at: self.started_at,
            offset: self.offset,
            report: TelephoneEvent {
                event: self.tone.event(),
                end: end == End::Reached,
                volume: Volume::DEFAULT,
                duration: length,
            },
        }
    }
}
