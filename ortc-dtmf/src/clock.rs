//! The RTP clock of a telephone-event payload type.

use core::time::Duration;

/// Slowest clock rate taken, in Hz. Real payload types use 8000 or the audio clock next to them.
pub const MIN_CLOCK_RATE: u32 = 1_000;

/// Fastest clock rate taken, in Hz. It bounds into how many segments one tone can split
/// (RFC 4733 §2.5.1.3): 18 for six seconds at this rate.
pub const MAX_CLOCK_RATE: u32 = 192_000;

/// A clock rate outside [`MIN_CLOCK_RATE`]`..=`[`MAX_CLOCK_RATE`]; choose another payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("clock rate of {got} Hz is outside {MIN_CLOCK_RATE} to {MAX_CLOCK_RATE} Hz")]
pub struct ClockRateError {
    /// The rate that was given, in Hz.
    pub got: u32,
}

/// A clock rate that has been checked: conversions cannot fail or overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockRate(u32);

impl ClockRate {
    pub(crate) fn new(hertz: u32) -> Result<Self, ClockRateError> {
        if (MIN_CLOCK_RATE..=MAX_CLOCK_RATE).contains(&hertz) {
            Ok(Self(hertz))
        } else {
            Err(ClockRateError { got: hertz })
        }
    }

    pub(crate) const fn hertz(self) -> u32 {
        self.0
    }

    /// Whole timestamp units in `span`.
    pub(crate) fn units(self, span: Duration) -> u32 {
        let units = span.as_nanos() * u128::from(self.0) / NANOS;
        u32::try_from(units).unwrap_or(u32::MAX)
    }

    /// How long `units` of the timestamp last.
    pub(crate) fn span(self, units: u64) -> Duration {
        let nanos = u128::from(units) * NANOS / u128::from(self.0);
        u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
    }
}

const NANOS: u128 = 1_000_000_000;
