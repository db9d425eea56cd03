//! The flight that was sent last, and when it is sent again (RFC 6347 §4.2.4, RFC 9147 §5.8, §7).

mod carrier;
mod ranges;
mod write;

use core::mem;
use core::ops::Range;
use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

pub(crate) use self::carrier::Carried;
pub use self::carrier::Carrier;
use self::ranges::Ranges;
use crate::wire::handshake::Fragment;
use crate::wire::{HandshakeType, RecordNumber, writer};

/// Records whose contents are remembered for acknowledgements: several times the longest flight.
const MAX_SENT: usize = 256;

/// How often a flight may be sent until the first records of it are forgotten: an acknowledgement
/// that comes later than that says nothing new.
const REMEMBERED: usize = 4;

/// No round trip is so short that a repetition comes before this, unless the configuration says so:
/// the peer has signatures to make.
const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// Record numbers of one acknowledgement that are looked at: as many as are remembered.
pub(crate) const MAX_ACKED: usize = MAX_SENT;

/// Octets that the longest flight with one certificate of the usual length has.
const USUAL: usize = 1024;

#[derive(Clone, Debug)]
enum Item {
    /// A message, header included, in `Flight::octets`.
    Handshake {
        kind: HandshakeType,
        message_seq: u16,
        epoch: u64,
        body: Range<usize>,
        acknowledged: Ranges,
    },
    ChangeCipherSpec,
}

/// What a record carried of one message.
#[derive(Clone, Debug)]
struct Sent {
    record: RecordNumber,
    item: usize,
    octets: Range<usize>,
}

/// Whether an answer is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Await {
    /// Sent again until the peer's next flight is complete, or all of it is acknowledged.
    Answer,
    /// Sent again only when the peer repeats its own.
    Nothing,
}

/// Whether the peer can acknowledge records: from DTLS 1.3 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledgements {
    Possible,
    Unknown,
}

/// Who says that records were received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voucher {
    /// A protected record.
    Peer,
    /// Plaintext: good for sending the rest at once, but not for never sending it again.
    Anyone,
}

/// What an acknowledgement led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acked {
    Nothing,
    Part,
    All,
}

/// RFC 9147 §5.8.2.
fn interval_for(round_trip: Duration) -> Duration {
    round_trip.saturating_add(round_trip / 2)
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
    /// The next item to be sent and the octet of it; past the end when all were.
    item: usize,
    offset: usize,
    sent: VecDeque<Sent>,
    /// How many of them belong to the latest time that the flight was sent.
    sent_now: usize,
    acknowledgements: Acknowledgements,
    /// Somebody whom we cannot trust acknowledged a part.
    vouched_by_anyone: bool,
    /// The last message of the peer's flight that this one answers.
    answers: Option<u16>,
    /// Octets of it that came again since this flight was sent, whoever sent them.
    came_again: usize,
    timer: Option<Timer>,
    /// As long as nothing is measured, and the most that is waited first.
    first_interval: Duration,
    /// The least.
    shortest: Duration,
    max_interval: Duration,
    /// With which the timer of the next flight begins.
    interval: Duration,
    timeouts: u32,
    /// Something of it was sent twice, so that an answer may be one to either.
    repeated: bool,
    sent_at: Option<Instant>,
    carrier: Carrier,
    /// Counts what changes of what the peer lacks.
    generation: u32,
}

impl Flight {
    pub(crate) fn new(first_interval: Duration, max_interval: Duration) -> Self {
        Self {
            shortest: MIN_INTERVAL.min(first_interval),
            octets: Vec::new(),
            items: Vec::new(),
            next_seq: 0,
            item: 0,
            offset: 0,
            sent: VecDeque::new(),
            sent_now: 0,
            acknowledgements: Acknowledgements::Unknown,
            vouched_by_anyone: false,
            answers: None,
            came_again: 0,
            timer: None,
            first_interval,
            max_interval,
            interval: first_interval,
            timeouts: 0,
            repeated: false,
            sent_at: None,
            carrier: Carrier::Datagrams,
            generation: 0,
        }
    }

    /// The next message has this number: those before were sent by somebody else.
    pub(crate) const fn number_from(&mut self, message_seq: u16) {
        self.next_seq = message_seq;
    }

    /// Says whether what records carry is worth remembering.
    pub(crate) fn set_acknowledgements(&mut self, acknowledgements: Acknowledgements) {
        self.acknowledgements = acknowledgements;
        if acknowledgements == Acknowledgements::Unknown {
            self.sent = VecDeque::new();
            self.sent_now = 0;
        }
    }

    /// Starts a new flight: the peer has seen the one before, which is answered if this one
    /// answers.
    pub(crate) fn begin(&mut self, answers: Option<u16>, now: Instant) {
        if answers.is_some() {
            self.measure(now);
        }
        self.forget();
        self.renew();
        self.answers = answers;
    }

    /// Forgets the flight, gives its memory back and stops the timer.
    pub(crate) fn clear(&mut self) {
        self.forget();
        self.octets = Vec::new();
        self.items = Vec::new();
        self.sent = VecDeque::new();
    }

    fn forget(&mut self) {
        if !self.items.is_empty() {
            self.renew();
        }
        self.octets.clear();
        self.items.clear();
        self.sent.clear();
        self.sent_now = 0;
        self.vouched_by_anyone = false;
        self.item = 0;
        self.offset = 0;
        self.answers = None;
        self.came_again = 0;
        self.timer = None;
        self.timeouts = 0;
        self.repeated = false;
    }

    /// The peer has all of it: nothing is repeated any more. Its memory serves the next one.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.measure(now);
        let answers = self.answers;
        self.forget();
        self.answers = answers;
    }

    /// An answer came: unless it may be one to a repetition, it says how long a round trip takes
    /// at most. The next timer need not be longer than one and a half of it (RFC 9147 §5.8.2).
    fn measure(&mut self, now: Instant) {
        if let Some(sent_at) = self.sent_at
            && self.timer.is_some()
            && !self.repeated
            && !self.is_unsent()
        {
            let measured = interval_for(now.saturating_duration_since(sent_at));
            self.interval = measured.max(self.shortest).min(self.first_interval);
        }
    }

    /// Somebody else has measured a round trip.
    pub(crate) fn set_round_trip(&mut self, round_trip: Duration) {
        let interval = interval_for(round_trip).max(self.shortest);
        self.interval = interval.min(self.max_interval);
        self.first_interval = self.interval;
    }

    /// The last message of the peer's flight that this one answers.
    pub(crate) const fn answers(&self) -> Option<u16> {
        self.answers
    }

    /// Whether the peer has, or may have, all of it.
    pub(crate) const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The interval before the first repetition of a flight.
    pub(crate) const fn interval(&self) -> Duration {
        self.interval
    }

    /// Adds a message; returns it unfragmented, header included (RFC 6347 §4.2.6).
    pub(crate) fn message(
        &mut self,
        kind: HandshakeType,
        epoch: u64,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> &[u8] {
        if self.octets.is_empty() {
            // At once, also after a flight that had given its room back.
            self.octets.reserve(USUAL);
        }
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
            acknowledged: Ranges::default(),
        });
        self.next_seq = self.next_seq.wrapping_add(1);
        self.octets.get(start..).unwrap_or_default()
    }

    /// The messages of the flight, headers included.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Whether message numbers are left (RFC 9147 §5.2); they do not wrap.
    pub(crate) const fn can_continue(&self) -> bool {
        self.next_seq < u16::MAX
    }

    pub(crate) fn change_cipher_spec(&mut self) {
        self.items.push(Item::ChangeCipherSpec);
    }

    /// Ends the flight and starts its timer.
    pub(crate) fn launch(&mut self, awaiting: Await, now: Instant) {
        self.sent_at = Some(now);
        self.timer = match awaiting {
            Await::Answer => Some(Timer {
                at: now + self.interval,
                interval: self.interval,
            }),
            Await::Nothing => {
                // It stays for as long as the connection does.
                self.octets.shrink_to_fit();
                self.items.shrink_to_fit();
                None
            }
        };
    }

    /// Whether something of it is to be sent in a datagram.
    pub(crate) const fn is_queued(&self) -> bool {
        self.is_unsent() && self.is_own()
    }

    const fn is_unsent(&self) -> bool {
        self.item < self.items.len()
    }

    const fn is_own(&self) -> bool {
        matches!(self.carrier, Carrier::Datagrams)
    }

    /// Whether the peer must answer or acknowledge it.
    pub(crate) const fn awaits_answer(&self) -> bool {
        self.timer.is_some()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let timer = self.timer.filter(|_| self.is_own());
        timer.map(|timer| timer.at)
    }

    /// Whether it would be sent again now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        !self.is_queued() && self.deadline().is_some_and(|at| at <= now)
    }

    /// Sends the flight again if its time has come; says whether it did.
    pub(crate) fn on_timeout(&mut self, now: Instant) -> bool {
        let queued = self.is_unsent();
        let own = self.is_own();
        let Some(timer) = (self.timer.as_mut()).filter(|timer| own && timer.at <= now) else {
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
        self.distrust();
        self.rewind(now);
        true
    }

    /// Forgets what anyone acknowledged: it did not help, or nobody is left who finds that out.
    fn distrust(&mut self) {
        if mem::take(&mut self.vouched_by_anyone) {
            self.renew();
            for item in &mut self.items {
                match item {
                    Item::Handshake {
                        epoch: 0,
                        acknowledged,
                        ..
                    } => acknowledged.clear(),
                    Item::Handshake { .. } | Item::ChangeCipherSpec => {}
                }
            }
        }
    }

    /// The peer repeated a message: if it ends the flight that this one answers, ours was lost.
    ///
    /// While the timer runs it would repair that by itself, but late after many time-outs; so it
    /// is helped, at most once per first interval. Says whether the flight is sent again.
    pub(crate) fn on_repeated(
        &mut self,
        fragment: &Fragment<'_>,
        voucher: Voucher,
        now: Instant,
    ) -> bool {
        if self.answers != Some(fragment.message_seq) {
            return false;
        }
        self.came_again = self.came_again.saturating_add(fragment.body.len());
        // Nothing else spaces what has no timer, and the end of a message is short and may be
        // anyone's (RFC 9147 §5.1).
        let spaced = self.timer.is_some() || voucher == Voucher::Peer;
        let ends = fragment.offset as usize + fragment.body.len() == fragment.length as usize;
        if !ends || !(spaced || self.octets.len() <= self.came_again.saturating_mul(2)) {
            return false;
        }
        self.came_again = 0;
        self.hurry(now)
    }

    /// Sends the flight again at once, all that only anyone has acknowledged included, unless that
    /// has just been done; without a timer always.
    pub(crate) fn hurry(&mut self, now: Instant) -> bool {
        if self.is_unsent() || self.items.is_empty() || !self.is_own() {
            return false;
        }
        let spaced = self
            .sent_at
            .is_none_or(|at| now.saturating_duration_since(at) >= self.interval);
        if let Some(timer) = &mut self.timer {
            if !spaced {
                return false;
            }
            timer.at = timer.at.max(now + self.interval);
        }
        self.distrust();
        self.rewind(now);
        self.is_queued()
    }

    /// The path came up only now: forget the time-outs before, and send at once.
    pub(crate) fn restart(&mut self, now: Instant) -> bool {
        let own = self.is_own();
        let Some(timer) = self.timer.as_mut().filter(|_| own) else {
            return false;
        };
        timer.interval = self.interval;
        timer.at = now + timer.interval;
        self.timeouts = 0;
        let unsent = self.is_unsent() && self.item == 0 && self.offset == 0;
        let repeated = self.repeated || !unsent;
        self.distrust();
        self.rewind(now);
        self.repeated = repeated;
        !unsent
    }

    /// The peer has received these records. What is left of the flight is sent again at once
    /// (RFC 9147 §7.2); when nothing is, the caller ends the flight.
    pub(crate) fn on_acknowledged(
        &mut self,
        records: impl Iterator<Item = RecordNumber>,
        voucher: Voucher,
        now: Instant,
    ) -> Acked {
        // A carrier that shows less than all has no timer to show the rest again; and what is about
        // to leave, perhaps because such a word did not help, leaves.
        if voucher == Voucher::Anyone && (!self.is_own() || self.is_unsent()) {
            return Acked::Nothing;
        }
        let mut news = false;
        for record in records.take(MAX_ACKED) {
            for sent in self.sent.iter().filter(|sent| sent.record == record) {
                match self.items.get_mut(sent.item) {
                    Some(Item::Handshake {
                        acknowledged, body, ..
                    }) => {
                        news |= acknowledged.insert(&sent.octets, body.len());
                    }
                    Some(Item::ChangeCipherSpec) | None => {}
                }
            }
        }
        if !news {
            return Acked::Nothing;
        }
        self.renew();
        self.vouched_by_anyone |= voucher == Voucher::Anyone;
        if self.items.iter().all(|item| Self::rest(item, 0).is_none()) {
            self.skip();
            return Acked::All;
        }
        if self.is_unsent() {
            self.skip();
        } else {
            if let Some(timer) = &mut self.timer {
                timer.at = now + timer.interval;
            }
            self.rewind(now);
        }
        Acked::Part
    }

    fn rewind(&mut self, now: Instant) {
        self.sent_now = 0;
        self.item = 0;
        self.offset = 0;
        self.sent_at = Some(now);
        self.repeated = true;
        self.skip();
    }

    /// What of an item is to be sent from `offset` on.
    fn rest(item: &Item, offset: usize) -> Option<Range<usize>> {
        match item {
            Item::ChangeCipherSpec => Some(0..0),
            // It has no octets that could be missing.
            Item::Handshake { body, .. } if body.is_empty() => Some(0..0),
            Item::Handshake {
                body, acknowledged, ..
            } => acknowledged.gap(offset, body.len()),
        }
    }

    /// Moves on to what was not acknowledged; returns it.
    fn skip(&mut self) -> Option<Range<usize>> {
        while let Some(item) = self.items.get(self.item) {
            if let Some(rest) = Self::rest(item, self.offset) {
                self.offset = rest.start;
                return Some(rest);
            }
            self.item += 1;
            self.offset = 0;
        }
        None
    }
}
