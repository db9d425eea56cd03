//! What an embedder chooses about gathering.

use core::time::Duration;

use thiserror::Error;

use crate::turn::{Families, PeerPolicy};

/// Options of a [`Gatherer`](crate::Gatherer).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatherConfig {
    pub(super) ta: Duration,
    pub(super) rto: Duration,
    pub(super) transmissions: u32,
    pub(super) last_wait: u32,
    pub(super) keepalive: Option<Duration>,
    pub(super) answer_timeout: Duration,
    pub(super) stagger: Duration,
    pub(super) families: Families,
    pub(super) peer_policy: PeerPolicy,
}

/// Why an option was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GatherConfigError {
    /// `Ta` is below 5 ms (RFC 8445 §14.2) or above one second.
    #[error("ta is not 5 ms to 1 s")]
    Ta,
    /// The RTO is below 100 ms or above 3 s.
    #[error("rto is not 100 ms to 3 s")]
    Rto,
    /// `Rc` is 0 or above 10.
    #[error("transmissions are not 1 to 10")]
    Transmissions,
    /// `Rm` is 0 or above 64.
    #[error("last wait is not 1 to 64 times the rto")]
    LastWait,
    /// The period is below one second or above an hour.
    #[error("keepalive is not 1 s to 1 h")]
    Keepalive,
    /// The time is below 100 ms or above five minutes.
    #[error("answer timeout is not 100 ms to 5 min")]
    AnswerTimeout,
}

impl Default for GatherConfig {
    fn default() -> Self {
        Self {
            ta: Duration::from_millis(5),
            rto: Duration::from_millis(500),
            transmissions: 7,
            last_wait: 16,
            keepalive: Some(Duration::from_secs(15)),
            answer_timeout: Duration::from_secs(10),
            stagger: Duration::from_secs(1),
            families: Families::Both,
            peer_policy: PeerPolicy::Safe,
        }
    }
}

impl GatherConfig {
    /// Pacing interval between new requests to servers, `Ta` (RFC 8445 §14.2).
    ///
    /// Default 5 ms, the floor, where the RFC recommends 50 ms; at most 1 s. Smaller finishes sooner
    /// and bursts harder.
    ///
    /// # Errors
    ///
    /// [`GatherConfigError::Ta`] out of range.
    pub fn ta(mut self, ta: Duration) -> Result<Self, GatherConfigError> {
        if !(Duration::from_millis(5)..=Duration::from_secs(1)).contains(&ta) {
            return Err(GatherConfigError::Ta);
        }
        self.ta = ta;
        Ok(self)
    }

    /// How long an unanswered request waits for its first repetition (RFC 8445 §14.3); with many
    /// requests at once it is `Ta` times their number, when that is more.
    ///
    /// Default 500 ms, which RFC 8489 §6.2.1 asks for at least; 100 ms to 3 s.
    ///
    /// # Errors
    ///
    /// [`GatherConfigError::Rto`] out of range.
    pub fn rto(mut self, rto: Duration) -> Result<Self, GatherConfigError> {
        if !(Duration::from_millis(100)..=Duration::from_secs(3)).contains(&rto) {
            return Err(GatherConfigError::Rto);
        }
        self.rto = rto;
        Ok(self)
    }

    /// How often one request is sent, `Rc` (RFC 8489 §6.2.1), the interval doubling each time.
    ///
    /// Default 7, 1 to 10.
    ///
    /// # Errors
    ///
    /// [`GatherConfigError::Transmissions`] out of range.
    pub fn transmissions(mut self, rc: u32) -> Result<Self, GatherConfigError> {
        if !(1..=10).contains(&rc) {
            return Err(GatherConfigError::Transmissions);
        }
        self.transmissions = rc;
        Ok(self)
    }

    /// How long the last repetition is waited for, in RTO, `Rm` (RFC 8489 §6.2.1).
    ///
    /// Default 16, 1 to 64. With the defaults a dead server has failed after 39.5 s.
    ///
    /// # Errors
    ///
    /// [`GatherConfigError::LastWait`] out of range.
    pub fn last_wait(mut self, rm: u32) -> Result<Self, GatherConfigError> {
        if !(1..=64).contains(&rm) {
            return Err(GatherConfigError::LastWait);
        }
        self.last_wait = rm;
        Ok(self)
    }

    /// How often a server-reflexive candidate is refreshed, so that the NAT keeps its binding (RFC
    /// 8445 §5.1.1.4, §11); `None` when nobody wants it kept. See
    /// [`Gatherer::set_keepalive`](crate::Gatherer::set_keepalive) for later.
    ///
    /// Default 15 s, `Tr`; 1 s to 1 h.
    ///
    /// # Errors
    ///
    /// [`GatherConfigError::Keepalive`] out of range.
    pub fn keepalive(mut self, period: Option<Duration>) -> Result<Self, GatherConfigError> {
        check_keepalive(period)?;
        self.keepalive = period;
        Ok(self)
    }

    /// How long the embedder has for an answer: to resolve a name, to open a stream.
    ///
    /// Default 10 s, 100 ms to 5 min.
    ///
    /// # Errors
    ///
    /// [`GatherConfigError::AnswerTimeout`] out of range.
    pub fn answer_timeout(mut self, timeout: Duration) -> Result<Self, GatherConfigError> {
        if !(Duration::from_millis(100)..=Duration::from_secs(300)).contains(&timeout) {
            return Err(GatherConfigError::AnswerTimeout);
        }
        self.answer_timeout = timeout;
        Ok(self)
    }

    /// Of which families relayed addresses are asked for.
    ///
    /// Default [`Families::Both`]: a server that has only one of them gives that one.
    #[must_use]
    pub const fn relay_families(mut self, families: Families) -> Self {
        self.families = families;
        self
    }

    /// Which addresses may be peers of a relay; by default none that only the relay itself should
    /// reach.
    #[must_use]
    pub const fn peer_policy(mut self, policy: PeerPolicy) -> Self {
        self.peer_policy = policy;
        self
    }
}

pub(super) fn check_keepalive(period: Option<Duration>) -> Result<(), GatherConfigError> {
    match period {
        Some(period) if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&period) => {
            Err(GatherConfigError::Keepalive)
        }
        Some(_) | None => Ok(()),
    }
}
