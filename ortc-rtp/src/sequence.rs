//! Sequence numbers: their order modulo 2^16, and the endless count behind them.

/// Half of the number space: what is closer counts as ahead.
const HALF: u16 = 0x8000;

/// What one wrap of the sequence number adds.
const CYCLE: u64 = 0x1_0000;

/// Whether `a` comes after `b`, by the shorter way around.
///
/// ```
/// assert!(ortc_rtp::sequence::is_newer(2, 65_534));
/// assert!(!ortc_rtp::sequence::is_newer(65_534, 2));
/// ```
#[inline]
#[must_use]
pub const fn is_newer(a: u16, b: u16) -> bool {
    let ahead = a.wrapping_sub(b);
    ahead != 0 && ahead < HALF
}

/// The low 16 bits of an extended sequence number: what stands in the packet.
#[inline]
#[must_use]
pub const fn truncate(extended: u64) -> u16 {
    let [.., high, low] = extended.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// Extends sequence numbers of 16 bits to 64, relative to the highest one seen.
///
/// The first number n becomes 65,536 + n, so that packets from before it have a value too. A number
/// less than 2^15 ahead of the highest is newer and becomes the highest; any other one is older.
///
/// ```
/// use ortc_rtp::sequence::Unwrapper;
///
/// let mut unwrapper = Unwrapper::new();
/// assert_eq!(unwrapper.unwrap(65_535), 0x1_FFFF);
/// assert_eq!(unwrapper.unwrap(0), 0x2_0000);
/// assert_eq!(unwrapper.unwrap(65_534), 0x1_FFFE); // late
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unwrapper {
    highest: Option<u64>,
}

impl Unwrapper {
    /// Nothing seen yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { highest: None }
    }

    /// The extended number.
    #[inline]
    pub fn unwrap(&mut self, sequence: u16) -> u64 {
        let extended = self.peek(sequence);
        if self.highest.is_none_or(|highest| extended > highest) {
            self.highest = Some(extended);
        }
        extended
    }

    /// What [`unwrap`](Self::unwrap) would return, without moving the highest.
    #[inline]
    #[must_use]
    pub const fn peek(&self, sequence: u16) -> u64 {
        let Some(highest) = self.highest else {
            return CYCLE + sequence as u64;
        };
        let ahead = sequence.wrapping_sub(truncate(highest));
        if ahead < HALF {
            highest.saturating_add(ahead as u64)
        } else {
            // The highest is never below 65,536, so this stays above 32,767.
            highest - (CYCLE - ahead as u64)
        }
    }

    /// The highest number so far.
    #[inline]
    #[must_use]
    pub const fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// One that has seen nothing; restarted, its first number lies more than a cycle above these.
    pub(crate) const fn successor(&self) -> Self {
        let highest = match self.highest {
            Some(highest) => Some(highest.saturating_add(CYCLE)),
            None => None,
        };
        Self { highest }
    }

    /// Goes on after `sequence` in the next cycle: the source restarted elsewhere.
    ///
    /// The extended number grows, however the new sequence number lies to the old.
    pub(crate) fn restart(&mut self, sequence: u16) -> u64 {
        let extended = self.highest.map_or(CYCLE + u64::from(sequence), |highest| {
            let ahead = sequence.wrapping_sub(truncate(highest));
            highest.saturating_add(if ahead == 0 { CYCLE } else { ahead.into() })
        });
        self.highest = Some(extended);
        extended
    }
}
