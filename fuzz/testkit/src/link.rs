//! One direction between two addresses: delay, jitter, loss, duplication, all from a seed.

use core::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// What one direction of the network does to a datagram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// One-way delay.
    pub delay: Duration,
    /// Added to the delay, uniform in `0..jitter`; more than the spacing of packets reorders them.
    pub jitter: Duration,
    /// Probability that a datagram is lost, 0.0 to 1.0.
    pub loss: f64,
    /// Probability that a datagram arrives twice, 0.0 to 1.0.
    pub duplicate: f64,
}

impl Link {
    /// Nothing lost, nothing reordered, `delay` one way.
    #[must_use]
    pub const fn perfect(delay: Duration) -> Self {
        Self {
            delay,
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
        }
    }

    /// Everything is lost.
    #[must_use]
    pub const fn black_hole() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 1.0,
            duplicate: 0.0,
        }
    }

    /// The same link with this probability of loss.
    #[must_use]
    pub const fn with_loss(self, loss: f64) -> Self {
        Self { loss, ..self }
    }

    /// The same link with this jitter.
    #[must_use]
    pub const fn with_jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }

    /// The same link with this probability of duplication.
    #[must_use]
    pub const fn with_duplicate(self, duplicate: f64) -> Self {
        Self { duplicate, ..self }
    }
}

/// The random choices of the network: one stream for all links, so that a seed is a whole history.
#[derive(Debug)]
pub struct Fate(ChaCha8Rng);

impl Fate {
    /// A history.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Uniform in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let value = (self.0.next_u64() >> 11) as f64;
        value / (1_u64 << 53) as f64
    }

    /// The delays after which copies of one datagram arrive: none when it is lost.
    pub fn arrivals(&mut self, link: &Link) -> impl Iterator<Item = Duration> + use<> {
        let lost = self.unit() < link.loss;
        let twice = self.unit() < link.duplicate;
        let first = link.delay + link.jitter.mul_f64(self.unit());
        let second = link.delay + link.jitter.mul_f64(self.unit());
        [(!lost).then_some(first), (!lost && twice).then_some(second)]
            .into_iter()
            .flatten()
    }
}
