//! When an unanswered check is repeated, and when it is given up.

use core::time::Duration;

/// The schedule of repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ladder {
    /// Early and flat, then backing off; every repetition is a transaction of its own, so that a
    /// late answer to any of them counts and the round trip is never ambiguous.
    Flat { rto: Duration },
    /// Retransmissions of one transaction (RFC 8489 §6.2.1).
    Rfc8489 { rto: Duration },
}

/// Repetitions at the flat interval.
const FLAT: u32 = 5;
/// The longest interval between repetitions.
const CEILING: Duration = Duration::from_secs(2);
/// How long a pair is tried without an answer.
const LIFETIME: Duration = Duration::from_secs(30);
/// How long the last check is waited for at least, however late it left.
const LAST: Duration = Duration::from_millis(500);
/// Transmissions of one request, `Rc` (RFC 8489 §6.2.1).
const RC: u32 = 7;
/// How long the last one is waited for, in RTO, `Rm` (RFC 8489 §6.2.1).
const RM: u32 = 16;

/// What follows a transmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Transmit again after this long.
    Repeat(Duration),
    /// Give up after this long.
    GiveUp(Duration),
}

impl Ladder {
    /// What follows transmission number `sent` (the first is 1) at `since` after the first one,
    /// with `busy` pairs waiting or in progress and this `ta`.
    pub(crate) fn after(self, sent: u32, since: Duration, busy: usize, ta: Duration) -> Next {
        match self {
            Self::Flat { rto } => {
                let grown = sent.saturating_sub(FLAT).min(16);
                let interval = (0..grown).fold(rto, |interval, _| interval * 3 / 2);
                let interval = interval.min(CEILING.max(rto));
                let left = LIFETIME.saturating_sub(since);
                if interval < left {
                    Next::Repeat(interval)
                } else {
                    Next::GiveUp(left.max(LAST))
                }
            }
            Self::Rfc8489 { rto } => {
                // RFC 8445 §14.3 also multiplies by the total number of checks, which gives minutes
                // for a few dozen pairs, and lets agents use another formula.
                let scaled = ta * u32::try_from(busy).unwrap_or(u32::MAX).min(1000);
                let rto = rto.max(scaled);
                if sent < RC {
                    Next::Repeat(rto * (1 << (sent.max(1) - 1)))
                } else {
                    Next::GiveUp(rto * RM)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(ladder: Ladder) -> (Vec<u128>, u128) {
        let (mut at, mut sent) = (Duration::ZERO, 1);
        let mut times = vec![0];
        loop {
            match ladder.after(sent, at, 1, Duration::from_millis(50)) {
                Next::Repeat(interval) => {
                    at += interval;
                    sent += 1;
                    times.push(at.as_millis());
                }
                Next::GiveUp(rest) => return (times, (at + rest).as_millis()),
            }
        }
    }

    /// RFC 8489 §6.2.1 prints this sequence.
    #[test]
    fn the_strict_ladder_is_that_of_the_rfc() {
        let (times, end) = times(Ladder::Rfc8489 {
            rto: Duration::from_millis(500),
        });
        assert_eq!(times, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert_eq!(end, 39_500);
    }

    #[test]
    fn the_default_ladder_is_flat_then_grows_and_ends() {
        let (times, end) = times(Ladder::Flat {
            rto: Duration::from_millis(60),
        });
        assert_eq!(times[..8], [0, 60, 120, 180, 240, 300, 390, 525]);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 2_000));
        assert_eq!(end, 30_000);
        assert!(times.len() < 32);
    }
}
