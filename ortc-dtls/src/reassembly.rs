//! Handshake messages out of fragments that come in any order (RFC 6347 §4.2.2, §4.2.3,
//! RFC 9147 §5.2, §5.5).
//!
//! Memory grows with the octets that were received and could belong to a coming message, never
//! with the lengths that fragments claim: eight messages ahead, each up to a limit, and the next one
//! a second time. What is not authenticated may be forged, so that whoever is first with a fragment
//! must not hold its message's place: what contradicts it is collected beside it, and the one that
//! is complete first counts.

use core::mem;

use crate::wire::HandshakeType;
use crate::wire::handshake::Fragment;

/// Messages that may wait: the longest flight of DTLS 1.2 and 1.3 is shorter.
const SLOTS: u16 = 8;
/// Pieces with gaps between that one message may consist of: 16 KiB in fragments of 128 octets.
const MAX_PIECES: usize = 128;

/// A complete message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The kind of message.
    pub kind: HandshakeType,
    /// Its place in the handshake.
    pub message_seq: u16,
    /// The epoch of the records that brought it.
    pub epoch: u64,
    /// Its octets, without header.
    pub body: Vec<u8>,
}

/// What became of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stored {
    /// It brought octets that were missing.
    New,
    /// It brought nothing that was missing.
    Repeated,
    /// Its message was taken out before.
    Past,
    /// Its message is too far ahead.
    Ahead,
    /// Its message is longer than the limit.
    TooLong,
    /// It contradicts earlier fragments of its message, or is empty although the message is not.
    Inconsistent,
    /// Earlier fragments of its message came in a newer epoch, or protected where it is not.
    Superseded,
    /// Its message is in too many pieces.
    TooManyPieces,
}

/// Collects fragments and hands out messages in sequence.
#[derive(Debug)]
pub struct Reassembly {
    next: u16,
    limit: usize,
    /// None while nothing waits, so that an endpoint whose handshake is over is small.
    slots: Vec<Slot>,
    /// The next message, as fragments have it that its slot refused.
    rival: Option<Box<Slot>>,
}

#[derive(Debug, Default)]
struct Slot {
    /// `None` while no fragment of the message has come.
    head: Option<Head>,
    /// The octets of all pieces in the order of their arrival.
    octets: Vec<u8>,
    /// Disjoint, sorted by `start`; none of a message that came whole.
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    kind: HandshakeType,
    length: usize,
    epoch: u64,
}

/// Octets `start..end` of the message, which lie at `at` in the slot.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: usize,
    end: usize,
    at: usize,
}

impl Reassembly {
    /// Awaits message 0; messages above `limit` octets are refused.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            next: 0,
            limit,
            slots: Vec::new(),
            rival: None,
        }
    }

    /// As [`Reassembly::new`], awaiting this message.
    pub(crate) const fn starting_at(limit: usize, next: u16) -> Self {
        Self {
            next,
            limit,
            slots: Vec::new(),
            rival: None,
        }
    }

    /// The sequence number of the next message.
    #[must_use]
    pub const fn next_seq(&self) -> u16 {
        self.next
    }

    /// Octets held for messages that are not complete or not taken out.
    #[must_use]
    pub fn held(&self) -> usize {
        let slots = self.slots.iter().chain(self.rival.as_deref());
        slots.map(|slot| slot.octets.len()).sum()
    }

    /// What is wrong with a fragment, whatever else came of its message.
    pub(crate) fn refusal(&self, fragment: &Fragment<'_>) -> Option<Stored> {
        let ahead = fragment.message_seq.wrapping_sub(self.next);
        let length = usize::try_from(fragment.length);
        if fragment.message_seq < self.next {
            Some(Stored::Past)
        } else if ahead >= SLOTS {
            Some(Stored::Ahead)
        } else if length.is_ok_and(|length| length > self.limit) {
            Some(Stored::TooLong)
        } else if fragment.body.is_empty() && fragment.length > 0 {
            Some(Stored::Inconsistent)
        } else {
            None
        }
    }

    /// Keeps what is new in a fragment.
    pub fn insert(&mut self, fragment: &Fragment<'_>, epoch: u64) -> Stored {
        if let Some(refusal) = self.refusal(fragment) {
            return refusal;
        }
        let (Ok(length), Ok(start)) = (
            usize::try_from(fragment.length),
            usize::try_from(fragment.offset),
        ) else {
            return Stored::TooLong;
        };
        let head = Head {
            kind: fragment.kind,
            length,
            epoch,
        };
        let index = usize::from(fragment.message_seq % SLOTS);
        if self.slots.is_empty() {
            self.slots.resize_with(usize::from(SLOTS), Slot::default);
        }
        let Some(slot) = self.slots.get_mut(index) else {
            return Stored::Ahead;
        };
        match slot.head {
            Some(known) if known == head => {}
            // Protected records displace what came in plaintext under the same number.
            Some(known) if known.epoch < epoch => {
                slot.clear();
                if fragment.message_seq == self.next {
                    self.rival = None;
                }
            }
            Some(known) if known.epoch > epoch => return Stored::Superseded,
            Some(_) => return Stored::Inconsistent,
            None => {}
        }
        slot.insert(head, start, fragment.body)
    }

    /// As [`Reassembly::insert`], but a fragment in plaintext that the next message has no room for
    /// begins the message anew beside what came of it. Of what contradicts the first version, the
    /// newest stays.
    ///
    /// What is said of the fragment is the same: nothing may be acknowledged that can still be
    /// displaced.
    pub(crate) fn insert_or_contest(&mut self, fragment: &Fragment<'_>, epoch: u64) -> Stored {
        let stored = self.insert(fragment, epoch);
        let is_refused = matches!(stored, Stored::Inconsistent | Stored::TooManyPieces);
        if is_refused || self.rival.is_some() {
            self.contest(fragment, epoch, is_refused);
        }
        stored
    }

    fn contest(&mut self, fragment: &Fragment<'_>, epoch: u64, is_refused: bool) {
        let index = usize::from(self.next % SLOTS);
        let first = self.slots.get(index).and_then(|slot| slot.head);
        let (Ok(length), Ok(start)) = (
            usize::try_from(fragment.length),
            usize::try_from(fragment.offset),
        ) else {
            return;
        };
        let is_empty = fragment.body.is_empty() && length > 0;
        let in_plaintext = epoch == 0 && first.is_some_and(|first| first.epoch == 0);
        if fragment.message_seq != self.next || is_empty || !in_plaintext {
            return;
        }
        let head = Head {
            kind: fragment.kind,
            length,
            epoch,
        };
        let rival = self.rival.get_or_insert_default();
        if rival.head != Some(head) {
            if !is_refused {
                return;
            }
            rival.clear();
        }
        if rival.insert(head, start, fragment.body) == Stored::TooManyPieces {
            rival.clear();
            rival.insert(head, start, fragment.body);
        }
    }

    /// Takes out the next message if it is complete.
    pub fn pop(&mut self) -> Option<Message> {
        let message_seq = self.next;
        let slot = self.slots.get_mut(usize::from(message_seq % SLOTS))?;
        let rival = self.rival.as_deref_mut();
        let (head, body) = match slot.take_complete() {
            Some(first) => first,
            None => rival?.take_complete()?,
        };
        slot.clear();
        self.rival = None;
        self.next = self.next.wrapping_add(1);
        Some(Message {
            kind: head.kind,
            message_seq,
            epoch: head.epoch,
            body,
        })
    }

    /// Forgets the next message if it came in plaintext; says whether there was anything.
    pub(crate) fn discard_plaintext(&mut self) -> bool {
        let index = usize::from(self.next % SLOTS);
        match self.slots.get_mut(index) {
            Some(slot) if slot.head.is_some_and(|head| head.epoch == 0) => {
                slot.clear();
                self.rival = None;
                true
            }
            _ => false,
        }
    }

    /// Gives the memory back if nothing waits: another message may never come.
    pub(crate) fn release_if_idle(&mut self) {
        if self.rival.is_none() && self.slots.iter().all(|slot| slot.head.is_none()) {
            self.release();
        }
    }

    /// Forgets everything that waits and gives its memory back: the handshake is over.
    pub(crate) fn release(&mut self) {
        self.slots = Vec::new();
        self.rival = None;
    }
}

impl Slot {
    fn clear(&mut self) {
        self.head = None;
        self.octets.clear();
        self.pieces.clear();
    }

    fn insert(&mut self, head: Head, start: usize, body: &[u8]) -> Stored {
        self.head = Some(head);
        let end = start + body.len();
        let mut from = start;
        let mut outcome = Stored::Repeated;
        if head.length == 0 {
            return Stored::New;
        }
        if self.octets.len() == head.length {
            return Stored::Repeated;
        }
        if start == 0 && body.len() == head.length {
            // Whole, it needs no pieces, which may be somebody else's.
            self.octets.clear();
            self.pieces.clear();
            self.octets.extend_from_slice(body);
            return Stored::New;
        }
        while from < end {
            // The first piece that ends after `from` covers it, or bounds the gap that it is in.
            let index = self.pieces.partition_point(|piece| piece.end <= from);
            let (covered, gap_end) = match self.pieces.get(index) {
                Some(piece) if piece.start <= from => (true, piece.end),
                Some(piece) => (false, piece.start.min(end)),
                None => (false, end),
            };
            if covered {
                from = gap_end;
                continue;
            }
            let Some(octets) = body.get(from - start..gap_end - start) else {
                return Stored::Inconsistent;
            };
            let at = self.octets.len();
            let full = self.pieces.len() == MAX_PIECES;
            let previous = index
                .checked_sub(1)
                .and_then(|before| self.pieces.get_mut(before))
                .filter(|piece| piece.end == from && piece.at + (piece.end - piece.start) == at);
            match previous {
                Some(piece) => piece.end = gap_end,
                None if full => return Stored::TooManyPieces,
                None => self.pieces.insert(
                    index,
                    Piece {
                        start: from,
                        end: gap_end,
                        at,
                    },
                ),
            }
            self.octets.extend_from_slice(octets);
            outcome = Stored::New;
            from = gap_end;
        }
        outcome
    }

    fn take_complete(&mut self) -> Option<(Head, Vec<u8>)> {
        let head = self.head?;
        // Pieces are disjoint: all octets of all of them are the message.
        (self.octets.len() == head.length).then(|| (head, self.take_body()))
    }

    fn take_body(&mut self) -> Vec<u8> {
        if self.pieces.len() <= 1 {
            return mem::take(&mut self.octets);
        }
        let mut body = Vec::with_capacity(self.octets.len());
        for piece in &self.pieces {
            let octets = self
                .octets
                .get(piece.at..piece.at + piece.end - piece.start);
            body.extend_from_slice(octets.unwrap_or_default());
        }
        body
    }
}
