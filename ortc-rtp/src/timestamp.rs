//! Media clocks and the wall clock: `Instant` to RTP timestamps (RFC 3550 §5.1) and NTP (§4).

use core::time::Duration;
use std::time::Instant;

/// Seconds from 1900, where NTP starts, to 1970.
const UNIX_EPOCH: u64 = 2_208_988_800;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The low 32 bits: both clocks wrap.
#[inline]
const fn low32(value: u64) -> u32 {
    let [_, _, _, _, a, b, c, d] = value.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// A span in units of a clock, rounded down, modulo 2^32.
#[inline]
#[must_use]
pub const fn to_units(span: Duration, rate: u32) -> u32 {
    // Modulo 2^32 the overflow of absurd spans does not matter.
    let whole = span.as_secs().wrapping_mul(rate as u64);
    let part = span.subsec_nanos() as u64 * rate as u64 / NANOS_PER_SECOND;
    low32(whole.wrapping_add(part))
}

/// Units of a clock as a span; nothing at rate 0.
#[inline]
#[must_use]
pub const fn to_span(units: u32, rate: u32) -> Duration {
    if rate == 0 {
        return Duration::ZERO;
    }
    Duration::from_nanos(units as u64 * NANOS_PER_SECOND / rate as u64)
}

/// A year: what an absurd span of a configuration counts as.
const FAR: Duration = Duration::from_secs(31_536_000);

/// The instant after a span that a configuration chose; at most a year, so that it always exists.
#[inline]
pub(crate) fn later(now: Instant, span: Duration) -> Instant {
    now.checked_add(span.min(FAR)).unwrap_or(now)
}

/// A media clock: `rate` units a second, starting anywhere.
///
/// ```
/// use core::time::Duration;
/// use ortc_rtp::timestamp::RtpClock;
///
/// let start = std::time::Instant::now();
/// let clock = RtpClock::new(u32::MAX, 48_000, start);
/// assert_eq!(clock.timestamp(start + Duration::from_millis(20)), 959); // it wrapped
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpClock {
    offset: u32,
    rate: u32,
    at: Instant,
}

impl RtpClock {
    /// A clock that shows `offset`, which should be random (RFC 3550 §5.1), at the instant `at`.
    #[must_use]
    pub const fn new(offset: u32, rate: u32, at: Instant) -> Self {
        Self { offset, rate, at }
    }

    /// Units a second.
    #[must_use]
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// What the clock shows at `now`, also before its start.
    #[inline]
    #[must_use]
    pub fn timestamp(&self, now: Instant) -> u32 {
        match now.checked_duration_since(self.at) {
            Some(since) => self.offset.wrapping_add(to_units(since, self.rate)),
            None => self
                .offset
                .wrapping_sub(to_units(self.at.duration_since(now), self.rate)),
        }
    }

    /// The timestamp of a position in the media, counted from the start of this clock.
    #[inline]
    #[must_use]
    pub const fn at_position(&self, position: Duration) -> u32 {
        self.offset.wrapping_add(to_units(position, self.rate))
    }
}

/// The wall clock, told once and then carried on by elapsed time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NtpClock {
    unix: Duration,
    at: Instant,
}

impl NtpClock {
    /// A clock that shows `unix`, the time since 1970, at the instant `at`.
    ///
    /// Only differences matter to a peer, so an embedder without a wall clock may say zero.
    #[must_use]
    pub const fn new(unix: Duration, at: Instant) -> Self {
        Self { unix, at }
    }

    /// The NTP timestamp: seconds since 1900 in the upper 32 bits (they wrap in 2036), fractions
    /// of 2^-32 s in the lower.
    #[must_use]
    pub fn ntp(&self, now: Instant) -> u64 {
        let unix = match now.checked_duration_since(self.at) {
            Some(since) => self.unix.saturating_add(since),
            None => self.unix.saturating_sub(self.at.duration_since(now)),
        };
        let seconds = low32(unix.as_secs().wrapping_add(UNIX_EPOCH));
        let fraction = (u64::from(unix.subsec_nanos()) << 32) / NANOS_PER_SECOND;
        (u64::from(seconds) << 32) | fraction
    }
}

/// The middle 32 bits of an NTP timestamp, in 1/65536 s: what LSR and DLSR count in (RFC 3550 §6.4.1).
#[inline]
#[must_use]
pub const fn middle32(ntp: u64) -> u32 {
    low32(ntp >> 16)
}

/// A span in 1/65536 s; what 32 bits cannot hold (18 hours) is the largest value.
#[must_use]
pub fn to_short_ntp(span: Duration) -> u32 {
    let part = (u64::from(span.subsec_nanos()) << 16) / NANOS_PER_SECOND;
    let units = span.as_secs().saturating_mul(1 << 16).saturating_add(part);
    u32::try_from(units).unwrap_or(u32::MAX)
}

/// 1/65536 s as a span.
#[must_use]
pub const fn from_short_ntp(units: u32) -> Duration {
    Duration::from_nanos((units as u64 * NANOS_PER_SECOND) >> 16)
}
