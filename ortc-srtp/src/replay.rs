//! The replay list: which of the last indices have been received (RFC 3711 §3.3.2).

/// How far behind the newest index a packet may be. RFC 3711 asks for 64 at least; video at
/// tens of megabits a second reorders and retransmits across hundreds.
pub(crate) const WINDOW_LEN: usize = 1024;
pub(crate) const WINDOW: u64 = WINDOW_LEN as u64;

const WORD: u64 = u64::BITS as u64;
const WORDS: usize = WINDOW_LEN / u64::BITS as usize;

/// A ring bitmap: index modulo 1024 is the bit, so that advancing by one clears one bit and
/// moves nothing.
#[derive(Clone, Debug)]
pub(crate) struct ReplayWindow {
    highest: u64,
    seen: [u64; WORDS],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplayError {
    Seen,
    Behind,
}

impl ReplayWindow {
    /// A window that has seen one index.
    pub(crate) fn starting_with(index: u64) -> Self {
        let mut window = Self {
            highest: index,
            seen: [0; WORDS],
        };
        window.set(index);
        window
    }

    /// The window of a stream of which only the highest index is remembered: `index`, which is
    /// above it, is the first that counts as new, and all up to `highest` as seen.
    pub(crate) fn resuming(highest: u64, index: u64) -> Self {
        let mut window = Self {
            highest,
            seen: [u64::MAX; WORDS],
        };
        window.record(index);
        window
    }

    #[inline]
    pub(crate) const fn highest(&self) -> u64 {
        self.highest
    }

    /// Whether an index is new. Changes nothing: the packet is not authenticated yet.
    #[inline]
    pub(crate) fn check(&self, index: u64) -> Result<(), ReplayError> {
        if index > self.highest {
            return Ok(());
        }
        if self.highest - index >= WINDOW {
            return Err(ReplayError::Behind);
        }
        let word = self.seen.get(word_of(index)).copied().unwrap_or(0);
        if word & bit_of(index) == 0 {
            Ok(())
        } else {
            Err(ReplayError::Seen)
        }
    }

    /// Records an index that [`check`](Self::check) accepted and whose packet is authentic.
    #[inline]
    pub(crate) fn record(&mut self, index: u64) {
        if index > self.highest {
            self.advance(index);
        }
        self.set(index);
    }

    #[inline]
    fn advance(&mut self, index: u64) {
        let gap = index - self.highest;
        if gap == 1 {
            self.clear(index);
        } else if gap >= WINDOW {
            self.seen = [0; WORDS];
        } else {
            for between in self.highest + 1..=index {
                self.clear(between);
            }
        }
        self.highest = index;
    }

    #[inline]
    fn set(&mut self, index: u64) {
        if let Some(word) = self.seen.get_mut(word_of(index)) {
            *word |= bit_of(index);
        }
    }

    #[inline]
    fn clear(&mut self, index: u64) {
        if let Some(word) = self.seen.get_mut(word_of(index)) {
            *word &= !bit_of(index);
        }
    }
}

#[inline]
fn word_of(index: u64) -> usize {
    (index % WINDOW / WORD) as usize
}

#[inline]
fn bit_of(index: u64) -> u64 {
    1 << (index % WORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_each_index_once_and_none_behind_the_window() {
        let mut window = ReplayWindow::starting_with(5_000);
        assert_eq!(window.check(5_000), Err(ReplayError::Seen));
        assert_eq!(window.check(5_000 - 1023), Ok(()));
        assert_eq!(window.check(5_000 - 1024), Err(ReplayError::Behind));
        window.record(5_000 - 1023);
        assert_eq!(window.check(5_000 - 1023), Err(ReplayError::Seen));
        // What now shares a bit with an old index is new all the same.
        window.record(5_001);
        assert_eq!(window.check(5_001 - 1023), Ok(()));
        window.record(5_001 + 700);
        assert_eq!(window.check(5_002), Ok(()));
        assert_eq!(window.check(5_001), Err(ReplayError::Seen));
        window.record(1 << 47);
        assert_eq!(window.check((1 << 47) - 1), Ok(()));
        assert_eq!(window.check(5_701), Err(ReplayError::Behind));
    }

    #[test]
    fn what_lies_before_a_resumption_counts_as_seen() {
        for gap in [1, 2, 64, 1023, 1024, 5_000] {
            let window = ReplayWindow::resuming(9_000, 9_000 + gap);
            for index in 0..9_000 + gap {
                assert_eq!(
                    window.check(index).is_ok(),
                    index > 9_000 && index + WINDOW > 9_000 + gap
                );
            }
            assert_eq!(window.check(9_000 + gap), Err(ReplayError::Seen));
            assert_eq!(window.check(9_001 + gap), Ok(()));
        }
    }

    /// Bits that were set a round ago mean nothing for the indices skipped now.
    #[test]
    fn skipped_indices_are_new_after_a_gap_of_any_length() {
        for gap in [1, 2, 63, 64, 65, 500, 1022, 1023, 1024, 1025, 3000] {
            let mut window = ReplayWindow::starting_with(0);
            (1..=5_000).for_each(|index| window.record(index));
            let highest = 5_000 + gap;
            window.record(highest);
            for index in 0..=highest {
                let expected = if index + WINDOW <= highest {
                    Err(ReplayError::Behind)
                } else if index <= 5_000 || index == highest {
                    Err(ReplayError::Seen)
                } else {
                    Ok(())
                };
                assert_eq!(
                    window.check(index),
                    expected,
                    "{index} after a gap of {gap}"
                );
            }
        }
    }
}
