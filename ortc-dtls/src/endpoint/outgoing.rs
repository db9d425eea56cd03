//! Application data that waits to be protected.

use std::collections::VecDeque;

use super::ENTRY;

/// Application data that waits to be protected, in one buffer that is used again.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    octets: Vec<u8>,
    taken: usize,
    lengths: VecDeque<usize>,
}

impl Outgoing {
    pub(super) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    pub(super) fn cost(&self) -> usize {
        self.octets.len() - self.taken + self.lengths.len() * ENTRY
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        self.octets.extend_from_slice(data);
        self.lengths.push_back(data.len());
    }

    pub(super) fn front(&self) -> Option<&[u8]> {
        let len = *self.lengths.front()?;
        self.octets.get(self.taken..self.taken + len)
    }

    pub(super) fn pop(&mut self) {
        self.taken += self.lengths.pop_front().unwrap_or_default();
        if self.lengths.is_empty() {
            self.octets.clear();
            self.taken = 0;
        } else if self.taken > self.octets.len() / 2 {
            self.octets.drain(..self.taken);
            self.taken = 0;
        }
    }
}
