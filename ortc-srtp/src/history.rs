//! What one SSRC has sent: the rule that no nonce protects two different packets.

use crate::cipher::Fingerprint;
use crate::index::Index;
use crate::replay::{WINDOW, WINDOW_LEN};

/// The highest index sent and, for the last 1024, the start of each tag: 4 KiB per SSRC.
///
/// Equal tags under one key and index mean equal packets, but for one in 2^32 with this much of
/// the tag, so a retransmission is told from a reuse without keeping the packet.
pub(crate) struct History {
    highest: Index,
    /// Below it nothing is known: the SSRC was removed after that many.
    floor: u64,
    /// By index modulo 1024; zero where nothing was sent.
    sent: Box<[u32; WINDOW_LEN]>,
}

/// What is known of an index before its packet is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    First,
    /// Its packet had this mark.
    Again(Mark),
    /// Too old to be known.
    Unknown,
}

/// A fingerprint that is never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u32);

impl From<Fingerprint> for Mark {
    fn from(fingerprint: Fingerprint) -> Self {
        Self(fingerprint.0.max(1))
    }
}

impl History {
    /// A stream whose first packet has this index.
    pub(crate) fn starting_with(index: Index, mark: Mark) -> Self {
        let mut history = Self {
            highest: index,
            floor: 0,
            sent: Box::new([0; WINDOW_LEN]),
        };
        history.set(index.value(), mark.0);
        history
    }

    /// A stream that goes on, of which only the highest index so far is remembered.
    pub(crate) fn resuming(highest: Index, index: Index, mark: Mark) -> Self {
        Self {
            floor: highest.value() + 1,
            ..Self::starting_with(index, mark)
        }
    }

    #[inline]
    pub(crate) const fn highest(&self) -> Index {
        self.highest
    }

    #[inline]
    pub(crate) fn look_up(&self, index: Index) -> Use {
        let (index, highest) = (index.value(), self.highest.value());
        if index > highest {
            return Use::First;
        }
        if highest - index >= WINDOW || index < self.floor {
            return Use::Unknown;
        }
        match self.sent.get(place_of(index)) {
            Some(&mark) if mark != 0 => Use::Again(Mark(mark)),
            Some(_) | None => Use::First,
        }
    }

    /// Records the packet of an index that [`look_up`](Self::look_up) called its first use.
    #[inline]
    pub(crate) fn record(&mut self, index: Index, mark: Mark) {
        let (value, highest) = (index.value(), self.highest.value());
        if value > highest {
            let gap = value - highest;
            if gap >= WINDOW {
                self.sent.fill(0);
            } else {
                for between in highest + 1..value {
                    self.set(between, 0);
                }
            }
            self.highest = index;
        }
        self.set(value, mark.0);
    }

    #[inline]
    fn set(&mut self, index: u64, mark: u32) {
        if let Some(place) = self.sent.get_mut(place_of(index)) {
            *place = mark;
        }
    }
}

#[inline]
fn place_of(index: u64) -> usize {
    (index % WINDOW) as usize
}
