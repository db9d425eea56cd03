use core::mem;
use std::time::Instant;

use bytes::Bytes;

use crate::payload::{ParseError, Part};

/// What is known of one sequence number.
#[derive(Debug, Default)]
pub(super) enum Slot {
    /// Nothing has arrived.
    #[default]
    Empty,
    /// It belongs to another payload type, or to padding.
    Skipped(Instant),
    /// A packet.
    Packet(Stored),
}

#[derive(Debug)]
pub(super) struct Stored {
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    /// A malformed packet keeps its place, so that nobody waits for it.
    pub(super) part: Result<Part, ParseError>,
    pub(super) payload: Bytes,
    pub(super) arrived: Instant,
}

/// A ring of slots, indexed by sequence number. It has no memory until its first use and then
/// grows to the widest span seen.
///
/// The caller keeps all numbers in use within one span, as [`Window::reserve`] was told.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Empty, or a power of two.
    slots: Vec<Slot>,
}

/// Slots of the first allocation: 2 KB, enough while nothing is lost.
const FIRST: usize = 16;

impl Window {
    /// Makes room for `span` numbers from `head` on.
    pub(super) fn reserve(&mut self, head: u64, span: usize) {
        if span <= self.slots.len() {
            return;
        }
        let mut old = mem::take(self);
        let len = span.next_power_of_two().max(FIRST);
        self.slots.resize_with(len, Slot::default);
        for offset in 0..old.slots.len() as u64 {
            // At the very end of the numbers they begin again, in the ring's order too.
            let number = head.wrapping_add(offset);
            let slot = old.take(number);
            self.put(number, slot);
        }
    }

    pub(super) fn get(&self, number: u64) -> &Slot {
        const EMPTY: &Slot = &Slot::Empty;
        self.slots.get(self.index(number)).unwrap_or(EMPTY)
    }

    pub(super) fn put(&mut self, number: u64, slot: Slot) {
        let index = self.index(number);
        if let Some(place) = self.slots.get_mut(index) {
            *place = slot;
        }
    }

    pub(super) fn take(&mut self, number: u64) -> Slot {
        let index = self.index(number);
        self.slots.get_mut(index).map(mem::take).unwrap_or_default()
    }

    fn index(&self, number: u64) -> usize {
        let mask = self.slots.len().wrapping_sub(1) as u64;
        usize::try_from(number & mask).unwrap_or_default()
    }
}
