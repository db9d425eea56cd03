//! Acknowledgements of the peer's handshake records (RFC 9147 §7).

use core::time::Duration;
use std::time::Instant;

use crate::wire::RecordNumber;
use crate::wire::ack::NUMBER;

/// Record numbers of one ACK; a flight has fewer records. Above, the oldest are left out, which
/// were acknowledged first.
const MAX_NUMBERS: usize = 32;

/// Records of the peer's current flight that came, and when to say so.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    /// Ascending.
    numbers: Vec<RecordNumber>,
    at: Option<Instant>,
    queued: bool,
    /// Counts what changes of what there is to say.
    generation: u32,
}

impl Acks {
    /// The peer's flight is complete and answered, which acknowledges it (RFC 9147 §7.1).
    pub(crate) fn clear(&mut self) {
        if !self.numbers.is_empty() {
            self.generation = self.generation.wrapping_add(1);
        }
        self.numbers.clear();
        self.at = None;
        self.queued = false;
    }

    pub(crate) const fn generation(&self) -> u32 {
        self.generation
    }

    /// Something came that is of another flight, which acknowledges what was acknowledged before:
    /// it is sent when all before it has arrived (RFC 9147 §5.8.4).
    pub(crate) fn renew(&mut self) {
        if !self.queued {
            self.numbers.clear();
        }
    }

    /// A record came whose messages are processed or kept.
    pub(crate) fn note(&mut self, number: RecordNumber) {
        let Err(place) = self.numbers.binary_search(&number) else {
            return;
        };
        if self.numbers.len() < MAX_NUMBERS {
            self.numbers.insert(place, number);
        } else if let Some(before) = place.checked_sub(1) {
            self.numbers.copy_within(1..=before, 0);
            if let Some(slot) = self.numbers.get_mut(before) {
                *slot = number;
            }
        }
    }

    /// If the rest of the flight does not follow within a quarter of the sender's interval,
    /// something is missing. Nothing happens when there is nothing to acknowledge.
    pub(crate) fn schedule(&mut self, interval: Duration, now: Instant) {
        if !self.numbers.is_empty() && !self.queued && self.at.is_none() {
            self.at = Some(now + interval / 4);
        }
    }

    /// An answer will not come: acknowledges at once what there is.
    pub(crate) const fn flush(&mut self) {
        if !self.numbers.is_empty() {
            self.generation = self.generation.wrapping_add(1);
            self.queued = true;
        }
        self.at = None;
    }

    pub(crate) fn on_timeout(&mut self, now: Instant) {
        if self.at.is_some_and(|at| at <= now) {
            self.flush();
        }
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.at
    }

    pub(crate) const fn is_queued(&self) -> bool {
        self.queued
    }

    /// The newest numbers of which an ACK of so many octets has room, and marks them sent. They
    /// are named again in the next ACK of this flight, in case this one is lost.
    pub(crate) fn take(&mut self, room: usize) -> &[RecordNumber] {
        self.queued = false;
        let fits = room.saturating_sub(2) / NUMBER;
        let first = self.numbers.len().saturating_sub(fits);
        self.numbers.get(first..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_numbers_are_kept_in_order_and_once() {
        let number = |epoch, sequence| RecordNumber { epoch, sequence };
        let mut acks = Acks::default();
        for sequence in [5, 3, 4, 3, 5] {
            acks.note(number(2, sequence));
        }
        acks.note(number(0, 9));
        let expected = [number(0, 9), number(2, 3), number(2, 4), number(2, 5)];
        assert_eq!(*acks.take(1000), expected);
        assert_eq!(*acks.take(2 + 16 * 2 + 15), expected[2..]);
        assert!(acks.take(17).is_empty());
        for sequence in 10..60 {
            acks.note(number(2, sequence));
        }
        let numbers = acks.take(1000);
        assert_eq!(numbers.len(), MAX_NUMBERS);
        assert!(numbers.is_sorted_by(|a, b| a < b));
        assert_eq!(numbers.first(), Some(&number(2, 28)));
        acks.note(number(2, 1));
        assert_eq!(
            acks.take(1000).first(),
            Some(&number(2, 28)),
            "older than all"
        );
    }
}
