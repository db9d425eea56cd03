//! The flight that was sent last, and when it is sent again (RFC 6347 §4.2.4).

use core::mem;
use core::ops::Range;
use core::time::Duration;
use std::time::Instant;

use crate::crypto::CryptoError;
use crate::record::Outbound;
use crate::wire::handshake::Fragment;
use crate::wire::{ContentType, HandshakeType, writer};

/// Time-outs after which datagrams shrink, in case the path is narrower than it was said to be
/// (RFC 6347 §4.1.1.1).
const NARROW_AFTER: u32 = 3;
/// The size they shrink to: IPv4's 576 without IP and UDP headers.
const NARROW_MTU: usize = 548;

/// A fragment below this is not worth starting in what is left of a datagram.
const MIN_FRAGMENT: usize = 32;

#[derive(Clone, Debug)]
enum Item {
    /// A message, header included, in `Flight::octets`.
    Handshake {
        kind: HandshakeType,
        message_seq: u16,
        epoch: u16,
        body: Range<usize>,
    },
    ChangeCipherSpec,
}

/// Whether an answer is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Await {
    /// Sent again until the peer's next flight is complete.
    Answer,
    /// The last flight of the handshake: sent again only when the peer repeats its own.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    at: Instant,
    interval: Duration,
}

/// Messages that leave together, and the timer that repeats them.
#[derive(Debug)]
pub(crate) struct Flight {
    octets: Vec<u8>,
    items: Vec<Item>,
    next_seq: u16,
    /// The next item to be sent and the octets of it that were; past the end when all were.
    item: usize,
    offset: usize,
    /// The last message of the peer's flight that this one answers.
    answers: Option<u16>,
    timer: Option<Timer>,
    first_interval: Duration,
    max_interval: Duration,
    timeouts: u32,
    sent_at: Option<Instant>,
}

impl Flight {
    pub(crate) const fn new(first_interval: Duration, max_interval: Duration) -> Self {
        Self {
            octets: Vec::new(),
            items: Vec::new(),
            next_seq: 0,
            item: 0,
            offset: 0,
            answers: None,
            timer: None,
            first_interval,
            max_interval,
            timeouts: 0,
            sent_at: None,
        }
    }

    /// Starts a new flight: the peer has seen the one before.
    pub(crate) fn begin(&mut self, answers: Option<u16>) {
        let (mut octets, mut items) = (mem::take(&mut self.octets), mem::take(&mut self.items));
        octets.clear();
        items.clear();
        self.clear();
        self.octets = octets;
        self.items = items;
        self.answers = answers;
    }

    /// Forgets the flight, gives its memory back and stops the timer.
    pub(crate) fn clear(&mut self) {
        self.octets = Vec::new();
        self.items = Vec::new();
        self.item = 0;
        self.offset = 0;
        self.answers = None;
        self.timer = None;
        self.timeouts = 0;
    }

    /// Adds a message; returns it as the transcript covers it, unfragmented, header included
    /// (RFC 6347 §4.2.6).
    pub(crate) fn message(
        &mut self,
        kind: HandshakeType,
        epoch: u16,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> &[u8] {
        let start = self.octets.len();
        let [seq_high, seq_low] = self.next_seq.to_be_bytes();
        // type, length, message_seq, fragment_offset = 0, fragment_length = length
        self.octets
            .extend_from_slice(&[kind.0, 0, 0, 0, seq_high, seq_low, 0, 0, 0]);
        writer::vector24(&mut self.octets, body);
        let body = start + Fragment::HEADER..self.octets.len();
        self.octets.copy_within(start + 9..start + 12, start + 1);
        self.items.push(Item::Handshake {
            kind,
            message_seq: self.next_seq,
            epoch,
            body,
        });
        self.next_seq += 1;
        self.octets.get(start..).unwrap_or_default()
    }

    pub(crate) fn change_cipher_spec(&mut self) {
        self.items.push(Item::ChangeCipherSpec);
    }

    /// Ends the flight and starts its timer.
    pub(crate) fn launch(&mut self, awaiting: Await, now: Instant) {
        self.sent_at = Some(now);
        self.timer = match awaiting {
            Await::Answer => Some(Timer {
                at: now + self.first_interval,
                interval: self.first_interval,
            }),
            Await::Nothing => {
                // It stays for as long as the connection does.
                self.octets.shrink_to_fit();
                self.items.shrink_to_fit();
                None
            }
        };
    }

    pub(crate) const fn is_queued(&self) -> bool {
        self.item < self.items.len()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timer.map(|timer| timer.at)
    }

    /// Sends the flight again if its time has come; says whether it did.
    pub(crate) fn on_timeout(&mut self, now: Instant) -> bool {
        let queued = self.is_queued();
        let Some(timer) = self.timer.as_mut().filter(|timer| timer.at <= now) else {
            return false;
        };
        if queued {
            // Nobody has taken it out yet: it is not late but unsent.
            timer.at = now + timer.interval;
            return false;
        }
        timer.interval = (timer.interval * 2).min(self.max_interval);
        timer.at = now + timer.interval;
        self.timeouts = self.timeouts.saturating_add(1);
        self.rewind(now);
        true
    }

    /// The peer repeated a message: if it ends the flight that this one answers, ours was lost.
    ///
    /// While the timer runs it would repair that by itself, but late after many time-outs; so it
    /// is helped, at most once per first interval. Says whether the flight is sent again.
    pub(crate) fn on_repeated(&mut self, message_seq: u16, now: Instant) -> bool {
        if self.answers != Some(message_seq) || self.is_queued() || self.items.is_empty() {
            return false;
        }
        let spaced = self
            .sent_at
            .is_none_or(|at| now.saturating_duration_since(at) >= self.first_interval);
        if let Some(timer) = &mut self.timer {
            if !spaced {
                return false;
            }
            timer.at = timer.at.max(now + self.first_interval);
        }
        self.rewind(now);
        true
    }

    /// The path came up only now: forget the time-outs before, and send at once.
    pub(crate) fn restart(&mut self, now: Instant) -> bool {
        let Some(timer) = self.timer.as_mut() else {
            return false;
        };
        timer.interval = self.first_interval;
        timer.at = now + timer.interval;
        self.timeouts = 0;
        let unsent = self.is_queued() && self.item == 0 && self.offset == 0;
        self.rewind(now);
        !unsent
    }

    fn rewind(&mut self, now: Instant) {
        self.item = 0;
        self.offset = 0;
        self.sent_at = Some(now);
    }

    /// Appends the next datagram of the flight to `buf`, if one is left: at most `mtu` octets,
    /// one message or fragment per record. The timer counts from the last of them.
    pub(crate) fn write_datagram(
        &mut self,
        outbound: &mut Outbound,
        mtu: usize,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Result<bool, CryptoError> {
        let mtu = if self.timeouts >= NARROW_AFTER {
            mtu.min(NARROW_MTU)
        } else {
            mtu
        };
        let start = buf.len();
        while let Some(item) = self.items.get(self.item) {
            let left = mtu.saturating_sub(buf.len() - start);
            match item {
                Item::ChangeCipherSpec => {
                    if outbound.overhead(0) + 1 > left {
                        break;
                    }
                    outbound.record(0, ContentType::CHANGE_CIPHER_SPEC, buf, |out| out.push(1))?;
                }
                Item::Handshake {
                    kind,
                    message_seq,
                    epoch,
                    body,
                } => {
                    let overhead = outbound.overhead(*epoch) + Fragment::HEADER;
                    let Some(room) = left.checked_sub(overhead) else {
                        break;
                    };
                    let rest = body.len() - self.offset;
                    if room < rest.min(MIN_FRAGMENT) {
                        break;
                    }
                    let len = rest.min(room);
                    let from = body.start + self.offset;
                    let fragment = Fragment {
                        kind: *kind,
                        length: u32::try_from(body.len()).map_err(|_| CryptoError)?,
                        message_seq: *message_seq,
                        offset: u32::try_from(self.offset).map_err(|_| CryptoError)?,
                        body: self.octets.get(from..from + len).unwrap_or_default(),
                    };
                    outbound.record(*epoch, ContentType::HANDSHAKE, buf, |out| {
                        fragment.encode(out);
                    })?;
                    if len < rest {
                        self.offset += len;
                        continue;
                    }
                }
            }
            self.item += 1;
            self.offset = 0;
        }
        let wrote = buf.len() > start;
        if wrote && !self.is_queued() {
            // It is on its way only now, however long it waited here.
            self.sent_at = Some(now);
            if let Some(timer) = &mut self.timer {
                timer.at = timer.at.max(now + timer.interval);
            }
        }
        Ok(wrote)
    }
}
