//! What was sent lately, kept to be sent again, and how often that may be.

use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

/// Bounds of a send history.
///
/// ```
/// use core::time::Duration;
/// use ortc_rtp::repair::HistoryConfig;
///
/// let config = HistoryConfig::default().packets(1024).max_age(Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryConfig {
    packets: usize,
    max_age: Duration,
    burst: u32,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self {
            packets: 512,
            max_age: Duration::from_secs(3),
            burst: 128,
        }
    }
}

impl HistoryConfig {
    /// Packets kept, at least 1. Default 512, about two seconds of video at 2 Mbit/s.
    #[must_use]
    pub const fn packets(mut self, packets: usize) -> Self {
        self.packets = if packets == 0 { 1 } else { packets };
        self
    }

    /// Age after which a packet is not sent again. Default 3 s, above any request of
    /// [`NackConfig`](crate::repair::NackConfig) and a long round trip.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Resends beyond one for each packet inserted. Default 128.
    ///
    /// Each inserted packet earns one resend, up to this many: however often a peer asks, at most
    /// twice the packets of the stream and this burst leave.
    #[must_use]
    pub const fn burst(mut self, resends: u32) -> Self {
        self.burst = resends;
        self
    }
}

#[derive(Clone, Debug)]
struct Entry<T> {
    sequence: u16,
    sent_at: Instant,
    resent_at: Option<Instant>,
    packet: T,
}

/// The latest packets of one stream, by sequence number.
///
/// Memory grows with the packets up to the bound; old ones leave as new ones come.
///
/// ```
/// use core::time::Duration;
/// use ortc_rtp::repair::{HistoryConfig, SendHistory};
///
/// let start = std::time::Instant::now();
/// let rtt = Duration::from_millis(50);
/// let mut history = SendHistory::new(HistoryConfig::default());
/// history.insert(7, "packet", start);
/// assert_eq!(history.get(7, start + rtt, rtt), Some(&"packet"));
/// assert_eq!(history.get(7, start + rtt, rtt), None); // the answer is still under way
/// assert_eq!(history.get(8, start + rtt, rtt), None); // never sent
/// ```
#[derive(Clone, Debug)]
pub struct SendHistory<T> {
    config: HistoryConfig,
    /// In the order of sending, which is the order of the numbers.
    entries: VecDeque<Entry<T>>,
    tokens: u32,
}

impl<T> SendHistory<T> {
    /// An empty history; it allocates with the first packet.
    #[must_use]
    pub const fn new(config: HistoryConfig) -> Self {
        Self {
            config,
            entries: VecDeque::new(),
            tokens: config.burst,
        }
    }

    /// Keeps a packet that is sent now.
    ///
    /// Numbers ascend; one that does not begins the history anew.
    #[inline]
    pub fn insert(&mut self, sequence: u16, packet: T, now: Instant) {
        if self
            .entries
            .back()
            .is_some_and(|last| !crate::sequence::is_newer(sequence, last.sequence))
        {
            self.entries.clear();
        }
        self.expire(now);
        // Numbers with holes can span more than half of their space; order would be lost there.
        while self.entries.len() >= self.config.packets
            || self
                .entries
                .front()
                .is_some_and(|first| !crate::sequence::is_newer(sequence, first.sequence))
        {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry {
            sequence,
            sent_at: now,
            resent_at: None,
            packet,
        });
        self.tokens = self.tokens.saturating_add(1).min(self.config.burst);
    }

    /// Keeps a packet that is sent now with a number that was left out before.
    ///
    /// It takes its place among the others; older than all of a full history, it is not kept.
    pub fn insert_late(&mut self, sequence: u16, packet: T, now: Instant) {
        let Some(last) = self.entries.back() else {
            return self.insert(sequence, packet, now);
        };
        if crate::sequence::is_newer(sequence, last.sequence) {
            return self.insert(sequence, packet, now);
        }
        let newest = last.sequence;
        let age = newest.wrapping_sub(sequence);
        let is_older = |entry: &Entry<T>| newest.wrapping_sub(entry.sequence) > age;
        let mut at = self.entries.partition_point(is_older);
        if self
            .entries
            .get(at)
            .is_some_and(|entry| entry.sequence == sequence)
        {
            return;
        }
        if self.entries.len() >= self.config.packets {
            let Some(left) = at.checked_sub(1) else {
                return;
            };
            self.entries.pop_front();
            at = left;
        }
        self.entries.insert(
            at,
            Entry {
                sequence,
                sent_at: now,
                resent_at: None,
                packet,
            },
        );
        self.tokens = self.tokens.saturating_add(1).min(self.config.burst);
    }

    /// A packet to send again now, which counts as sent.
    ///
    /// `None` when it is not there or too old, when it was sent again less than a round trip `rtt`
    /// ago, or when the stream has used up its resends.
    pub fn get(&mut self, sequence: u16, now: Instant, rtt: Duration) -> Option<&T> {
        let first = self.entries.front()?.sequence;
        let offset = sequence.wrapping_sub(first);
        let at = self
            .entries
            .binary_search_by_key(&offset, |entry| entry.sequence.wrapping_sub(first))
            .ok()?;
        let entry = self.entries.get_mut(at)?;
        let old = now.saturating_duration_since(entry.sent_at) > self.config.max_age;
        let just_resent = entry
            .resent_at
            .is_some_and(|resent| now.saturating_duration_since(resent) < rtt);
        if old || just_resent {
            return None;
        }
        self.tokens = self.tokens.checked_sub(1)?;
        entry.resent_at = Some(now);
        Some(&entry.packet)
    }

    /// Drops what is too old, for a stream that has fallen silent.
    pub fn expire(&mut self, now: Instant) {
        while self
            .entries
            .front()
            .is_some_and(|first| now.saturating_duration_since(first.sent_at) > self.config.max_age)
        {
            self.entries.pop_front();
        }
    }

    /// Packets kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets all packets and keeps the memory.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}
