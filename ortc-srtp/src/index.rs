//! The 48-bit packet index: rollover counter and sequence number (RFC 3711 §3.3.1).

/// Half of the sequence number space.
const HALF: u16 = 1 << 15;

/// `i = 2^16 * ROC + SEQ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) roc: u32,
    pub(crate) seq: u16,
}

/// Why a sequence number has no index near the highest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndexError {
    /// It would lie before the first packet there can be.
    Negative,
    /// It would lie behind the last, 2^48 - 1.
    Exhausted,
}

impl Index {
    /// The index of a stream's first packet: the rollover counter starts at zero
    /// (RFC 3711 §3.3.1).
    pub(crate) const fn first(seq: u16) -> Self {
        Self { roc: 0, seq }
    }

    /// The inverse of [`value`](Self::value), for numbers below 2^48.
    #[inline]
    pub(crate) const fn from_value(value: u64) -> Self {
        let [_, _, r0, r1, r2, r3, s0, s1] = value.to_be_bytes();
        Self {
            roc: u32::from_be_bytes([r0, r1, r2, r3]),
            seq: u16::from_be_bytes([s0, s1]),
        }
    }

    #[inline]
    pub(crate) fn value(self) -> u64 {
        u64::from(self.roc) << 16 | u64::from(self.seq)
    }

    /// The index of `seq` that is nearest to `self`, the highest one so far
    /// (RFC 3711 §3.3.1, Appendix A).
    #[inline]
    pub(crate) fn estimate(self, seq: u16) -> Result<Self, IndexError> {
        let roc = if self.seq < HALF {
            if seq > self.seq && seq - self.seq > HALF {
                self.roc.checked_sub(1).ok_or(IndexError::Negative)?
            } else {
                self.roc
            }
        } else if self.seq - HALF > seq {
            self.roc.checked_add(1).ok_or(IndexError::Exhausted)?
        } else {
            self.roc
        };
        Ok(Self { roc, seq })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(roc: u32, seq: u16) -> Index {
        Index { roc, seq }
    }

    #[test]
    fn wraps_in_both_directions() {
        assert_eq!(at(0, 65_535).estimate(0), Ok(at(1, 0)));
        assert_eq!(at(1, 0).estimate(65_535), Ok(at(0, 65_535)));
        assert_eq!(at(7, 40_000).estimate(7_231), Ok(at(8, 7_231)));
        assert_eq!(at(7, 40_000).estimate(7_232), Ok(at(7, 7_232)));
        assert_eq!(at(7, 100).estimate(32_868), Ok(at(7, 32_868)));
        assert_eq!(at(7, 100).estimate(32_869), Ok(at(6, 32_869)));
    }

    #[test]
    fn neither_end_of_the_index_space_wraps() {
        assert_eq!(at(0, 5).estimate(65_535), Err(IndexError::Negative));
        let last = at(u32::MAX, 65_535);
        assert_eq!(last.estimate(0), Err(IndexError::Exhausted));
        assert_eq!(last.value(), (1 << 48) - 1);
        assert_eq!(Index::from_value(last.value()), last);
    }
}
