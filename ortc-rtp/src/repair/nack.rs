//! Which packets to ask for again, and when (RFC 4585 §6.2.1).

use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use crate::sequence::truncate;
use crate::timestamp::later;

/// Bounds of a NACK generator.
///
/// ```
/// use core::time::Duration;
/// use ortc_rtp::repair::NackConfig;
///
/// let config = NackConfig::default().tries(4).reorder_delay(Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NackConfig {
    outstanding: usize,
    tries: u8,
    max_age: Duration,
    reorder_delay: Duration,
    minimum_interval: Duration,
    batch: usize,
}

impl Default for NackConfig {
    fn default() -> Self {
        Self {
            outstanding: 512,
            tries: 10,
            max_age: Duration::from_secs(1),
            reorder_delay: Duration::from_millis(10),
            minimum_interval: Duration::from_millis(20),
            batch: 128,
        }
    }
}

impl NackConfig {
    /// Packets that may be missing at once, each 40 octets of memory.
    ///
    /// Default 512, several frames of video. Of a larger gap only the latest are asked for; beyond
    /// that a key frame is cheaper than the packets.
    #[must_use]
    pub const fn outstanding(mut self, packets: usize) -> Self {
        self.outstanding = packets;
        self
    }

    /// Requests for one packet, at least 1. Default 10, within the age.
    #[must_use]
    pub const fn tries(mut self, tries: u8) -> Self {
        self.tries = if tries == 0 { 1 } else { tries };
        self
    }

    /// After this time a packet is given up. Default 1 s, longer than a jitter buffer waits.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Time for a packet to arrive late before it is asked for.
    ///
    /// Default 10 ms: paths that reorder do so by a few milliseconds. Longer repairs later, shorter
    /// asks for what is under way.
    #[must_use]
    pub const fn reorder_delay(mut self, delay: Duration) -> Self {
        self.reorder_delay = delay;
        self
    }

    /// The least time between two requests for one packet, when the round trip is shorter.
    ///
    /// Default 20 ms, the pace of audio: the sender has not sent more in the meantime.
    #[must_use]
    pub const fn minimum_interval(mut self, interval: Duration) -> Self {
        self.minimum_interval = interval;
        self
    }

    /// Numbers in one request, at least 1; the others follow in the next.
    ///
    /// Default 128: at worst, with none next to another, 512 octets of a datagram.
    #[must_use]
    pub const fn batch(mut self, numbers: usize) -> Self {
        self.batch = if numbers == 0 { 1 } else { numbers };
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Missing {
    extended: u64,
    since: Instant,
    due: Instant,
    tries: u8,
}

/// Watches the sequence numbers of one stream and says which packets to ask for.
///
/// Feed it authenticated packets only, numbered without wraps
/// ([`Reception::extended`](crate::stream::Reception::extended)), repaired ones included.
///
/// ```
/// use core::time::Duration;
/// use ortc_rtp::repair::{NackConfig, NackGenerator};
///
/// let start = std::time::Instant::now();
/// let mut nack = NackGenerator::new(NackConfig::default());
/// nack.on_packet(100, start);
/// nack.on_packet(103, start);
///
/// let due = nack.poll_timeout().expect("two packets are missing");
/// nack.handle_timeout(due);
/// let mut lost = Vec::new();
/// nack.take(due, Duration::from_millis(50), &mut lost);
/// assert_eq!(lost, [101, 102]);
/// ```
#[derive(Clone, Debug)]
pub struct NackGenerator {
    config: NackConfig,
    highest: Option<u64>,
    /// Ascending by number.
    missing: VecDeque<Missing>,
    /// No entry is due earlier; it may be earlier than all of them.
    due: Option<Instant>,
    given_up: u64,
    recovered: u64,
}

impl NackGenerator {
    /// A generator that has seen no packet; it allocates when the first one is missing.
    #[must_use]
    pub const fn new(config: NackConfig) -> Self {
        Self {
            config,
            highest: None,
            missing: VecDeque::new(),
            due: None,
            given_up: 0,
            recovered: 0,
        }
    }

    /// A packet arrived, in order, late or repaired.
    #[inline]
    pub fn on_packet(&mut self, extended: u64, now: Instant) {
        match self.highest {
            Some(highest) if extended <= highest => {
                if !self.missing.is_empty() {
                    self.found(extended);
                }
            }
            Some(highest) => {
                self.highest = Some(extended);
                if extended - highest > 1 {
                    self.lost(highest + 1, extended, now);
                }
            }
            None => self.highest = Some(extended),
        }
    }

    fn found(&mut self, extended: u64) {
        if let Ok(at) = self
            .missing
            .binary_search_by_key(&extended, |missing| missing.extended)
        {
            let asked = self.missing.remove(at).is_some_and(|found| found.tries > 0);
            self.recovered += u64::from(asked);
            if self.missing.is_empty() {
                self.due = None;
            }
        }
    }

    /// The packets from `from` up to but not including `to` are missing.
    fn lost(&mut self, from: u64, to: u64, now: Instant) {
        let bound = self.config.outstanding as u64;
        let first = from.max(to.saturating_sub(bound));
        self.given_up += first - from;
        for extended in first..to {
            if self.missing.len() >= self.config.outstanding {
                self.missing.pop_front();
                self.given_up += 1;
            }
            self.missing.push_back(Missing {
                extended,
                since: now,
                due: later(now, self.config.reorder_delay),
                tries: 0,
            });
        }
        if first < to {
            let due = later(now, self.config.reorder_delay);
            self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        }
    }

    /// The stream begins inside a frame: asks for this many packets before its first, `extended`.
    ///
    /// There may be fewer; a sender ignores requests for what it never sent. Call it at once after
    /// [`on_packet`](Self::on_packet) of the first packet, and
    /// [`forget_before`](Self::forget_before) when the beginning has come.
    pub fn look_back(&mut self, extended: u64, packets: u64, now: Instant) {
        if self.missing.is_empty() && self.highest == Some(extended) {
            self.lost(extended.saturating_sub(packets), extended, now);
        }
    }

    /// Gives up what has been missing for too long or asked for too often.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        let NackConfig { tries, max_age, .. } = self.config;
        let before = self.missing.len();
        self.missing.retain(|missing| {
            let old = now.saturating_duration_since(missing.since) >= max_age;
            let exhausted = missing.tries >= tries && missing.due <= now;
            !old && !exhausted
        });
        self.given_up += (before - self.missing.len()) as u64;
        self.due = self.earliest();
    }

    /// When [`handle_timeout`](Self::handle_timeout) and then [`take`](Self::take) have work; `None` with
    /// nothing missing.
    #[inline]
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Appends the numbers to ask for now, ascending, at most a batch; each is due again after the
    /// round trip `rtt` and a little more.
    pub fn take(&mut self, now: Instant, rtt: Duration, out: &mut Vec<u16>) {
        self.handle_timeout(now);
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        let interval = rtt.saturating_add(self.config.reorder_delay);
        let again = later(now, interval.max(self.config.minimum_interval));
        let mut left = self.config.batch;
        for missing in &mut self.missing {
            if left == 0 {
                break;
            }
            if missing.due <= now {
                left -= 1;
                missing.tries += 1;
                // Not past the instant at which it is given up, so that this happens in time.
                missing.due = again.min(later(missing.since, self.config.max_age));
                out.push(truncate(missing.extended));
            }
        }
        self.due = self.earliest();
    }

    /// Packets missing and not given up.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.missing.len()
    }

    /// Packets given up so far; when it rises, video needs a key frame.
    #[must_use]
    pub const fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Packets that came after they had been asked for: repaired, or so late that nobody can tell.
    #[must_use]
    pub const fn recovered(&self) -> u64 {
        self.recovered
    }

    /// Forgets what is missing below this number: the buffer has given it up, and what would still
    /// come is too late.
    pub fn forget_before(&mut self, extended: u64) {
        while self
            .missing
            .front()
            .is_some_and(|missing| missing.extended < extended)
        {
            self.missing.pop_front();
            self.given_up += 1;
        }
        self.due = self.earliest();
    }

    /// Forgets all that is missing, after a key frame made it useless.
    pub fn clear(&mut self) {
        self.missing.clear();
        self.due = None;
    }

    /// Begins anew at this packet: the source restarted
    /// ([`Order::Restart`](crate::stream::Order::Restart)), and what lies between was never sent.
    pub fn restart(&mut self, extended: u64) {
        self.clear();
        self.highest = Some(extended);
    }

    fn earliest(&self) -> Option<Instant> {
        self.missing.iter().map(|missing| missing.due).min()
    }
}
