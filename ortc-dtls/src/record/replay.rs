//! The replay window (RFC 6347 §4.1.2.6).

/// Records behind the newest that are still told apart.
pub(crate) const WINDOW: u64 = 64 * WORDS as u64;
const WORDS: usize = 4;

/// Which of the newest sequence numbers were accepted: a ring of bits.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplayWindow {
    /// One above the newest accepted number; 0 before the first.
    top: u64,
    bits: [u64; WORDS],
}

impl ReplayWindow {
    /// Whether this number may still be accepted; changes nothing.
    pub(crate) fn is_fresh(&self, sequence: u64) -> bool {
        if sequence >= self.top {
            return true;
        }
        self.top - sequence <= WINDOW && self.word(sequence) & bit(sequence) == 0
    }

    /// Whether no accepted number is above this one, which is.
    pub(crate) const fn is_newest(&self, sequence: u64) -> bool {
        self.top == sequence + 1
    }

    /// Remembers a number whose record was authenticated.
    pub(crate) fn accept(&mut self, sequence: u64) {
        if sequence >= self.top {
            // What the ring wraps over is forgotten, whole words at a time where possible.
            let advance = sequence - self.top + 1;
            if advance >= WINDOW {
                self.bits = [0; WORDS];
            } else {
                for skipped in self.top..sequence {
                    self.update(skipped, |word, bit| *word &= !bit);
                }
            }
            self.top = sequence + 1;
        }
        self.update(sequence, |word, bit| *word |= bit);
    }

    fn word(&self, sequence: u64) -> u64 {
        self.bits.get(index(sequence)).copied().unwrap_or(u64::MAX)
    }

    fn update(&mut self, sequence: u64, change: impl FnOnce(&mut u64, u64)) {
        if let Some(word) = self.bits.get_mut(index(sequence)) {
            change(word, bit(sequence));
        }
    }
}

const fn bit(sequence: u64) -> u64 {
    1 << (sequence % 64)
}

const fn index(sequence: u64) -> usize {
    // Of the quotient only its remainder by a power of two counts: nothing is lost.
    (sequence / 64 % WORDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_agrees_with_a_set_of_all_accepted_numbers() {
        let mut window = ReplayWindow::default();
        let mut accepted = std::collections::BTreeSet::new();
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let newest = accepted.last().copied().unwrap_or(0);
            let sequence = (newest + (state >> 33) % 700).saturating_sub(400);
            let expected = !accepted.contains(&sequence)
                && (accepted.is_empty() || newest < sequence + WINDOW);
            assert_eq!(
                window.is_fresh(sequence),
                expected,
                "{sequence} of {newest}"
            );
            if expected {
                window.accept(sequence);
                accepted.insert(sequence);
                assert!(!window.is_fresh(sequence));
            }
        }
    }

    #[test]
    fn the_last_number_of_an_epoch_is_accepted_once() {
        let mut window = ReplayWindow::default();
        let last = (1 << 48) - 1;
        assert!(window.is_fresh(last));
        window.accept(last);
        assert!(!window.is_fresh(last));
        assert!(window.is_fresh(last - 1));
        assert!(!window.is_fresh(last - WINDOW));
    }
}
