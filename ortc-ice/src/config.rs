//! What an embedder chooses; everything has a default that works on the internet.

use core::time::Duration;

use thiserror::Error;

use crate::attributes::{ATTRIBUTES_MAX, is_opaque};
use crate::credentials::Credentials;
use crate::ladder::Ladder;
use crate::role::RolePolicy;
use crate::stun::AttributeType;

/// Options of an [`Agent`](crate::Agent): [`Config::default`] for the field's practice,
/// [`Config::rfc8445`] for the letter.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) role: RolePolicy,
    pub(crate) ta: Duration,
    pub(crate) ladder: Ladder,
    pub(crate) consent_interval: Duration,
    pub(crate) consent_timeout: Duration,
    pub(crate) patience: Duration,
    pub(crate) max_pairs: usize,
    pub(crate) max_remote_candidates: usize,
    pub(crate) local_credentials: Option<Credentials>,
    pub(crate) pacing: Pacing,
    pub(crate) renomination: Renomination,
    pub(crate) max_check_len: usize,
    pub(crate) reported: Vec<AttributeType>,
    pub(crate) implementation: Implementation,
}

/// Whose clock gives out the slots for checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pacing {
    /// The agent's own.
    Own,
    /// That of the socket's owner.
    External,
}

/// Whether we offer to follow the last nomination instead of the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renomination {
    Offered,
    Refused,
}

/// Why an option was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// `Ta` is below 5 ms (RFC 8445 §14.2) or above one second.
    #[error("ta is not 5 ms to 1 s")]
    Ta,
    /// The interval of repetitions is below 20 ms or above 3 s; in the strict profile, below
    /// 500 ms (RFC 8445 §14.3).
    #[error("rto is out of range")]
    Rto,
    /// The consent interval is below 5 s (its 0.8-fold may not fall below 4 s, RFC 7675 §5.1) or
    /// above 15 s.
    #[error("consent interval is not 5 to 15 s")]
    ConsentInterval,
    /// The consent time-out is below 5 s or above the 30 s of RFC 7675 §5.1.
    #[error("consent timeout is not 5 to 30 s")]
    ConsentTimeout,
    /// A bound is 0 or above 1000.
    #[error("bound is not 1 to 1000")]
    Bound,
    /// The length of a check is below 576 or above 9000.
    #[error("length of checks is not 576 to 9000")]
    CheckLength,
    /// More than four attributes, or one that has to be understood or that the agent itself uses.
    #[error("attribute cannot be reported")]
    Attribute,
}

/// Whether the agent checks, or only answers (RFC 8445 §2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Implementation {
    Full,
    Lite,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            role: RolePolicy::ByCredentials,
            ta: Duration::from_millis(5),
            ladder: Ladder::Flat {
                rto: Duration::from_millis(60),
            },
            consent_interval: Duration::from_secs(5),
            consent_timeout: Duration::from_secs(30),
            patience: Duration::from_millis(39_500),
            max_pairs: 100,
            max_remote_candidates: 100,
            local_credentials: None,
            pacing: Pacing::Own,
            renomination: Renomination::Offered,
            max_check_len: 1200,
            reported: Vec::new(),
            implementation: Implementation::Full,
        }
    }
}

impl Config {
    /// The letter of RFC 8445: `Ta` 50 ms (§14.2), RTO at least 500 ms (§14.3) with the
    /// retransmissions of RFC 8489 §6.2.1, frozen pairs unfrozen by §6.1.4.2 only, patience by RFC
    /// 8863 §4 even after the end of candidates, no renomination.
    #[must_use]
    pub fn rfc8445() -> Self {
        Self {
            ta: Duration::from_millis(50),
            ladder: Ladder::Rfc8489 {
                rto: Duration::from_millis(500),
            },
            renomination: Renomination::Refused,
            ..Self::default()
        }
    }

    /// A lite agent (RFC 8445 §2.5), for a host that everybody can reach: it has host candidates
    /// only, answers checks and sends none. Against a full peer it is controlled whatever the role
    /// policy says, and a pair is valid when the peer nominates it, for as long as the peer's
    /// checks or [authenticated traffic](crate::Agent::authenticated_traffic) keep coming:
    /// [`consent_timeout`](Self::consent_timeout) after the last of them it is not used any more.
    /// Signal `ice-lite`, and tell the agent when the peer does
    /// ([`Agent::set_remote_lite`](crate::Agent::set_remote_lite)).
    #[must_use]
    pub fn lite() -> Self {
        Self {
            implementation: Implementation::Lite,
            ..Self::default()
        }
    }

    pub(crate) const fn is_lite(&self) -> bool {
        matches!(self.implementation, Implementation::Lite)
    }

    /// How the first role is chosen; by default by the credentials.
    #[must_use]
    pub fn role(mut self, role: RolePolicy) -> Self {
        self.role = role;
        self
    }

    /// Pacing interval between checks, `Ta` (RFC 8445 §14.2).
    ///
    /// Default 5 ms (strict profile 50 ms), floor 5 ms, at most 1 s. Smaller connects sooner and
    /// bursts harder.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Ta`] out of range.
    pub fn ta(mut self, ta: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_millis(5)..=Duration::from_secs(1)).contains(&ta) {
            return Err(ConfigError::Ta);
        }
        self.ta = ta;
        Ok(self)
    }

    /// How long an unanswered check waits for its first repetition.
    ///
    /// Default 60 ms, 20 ms to 3 s: repeated five times at this interval, with a new transaction
    /// each time, then at intervals that grow by half up to 2 s. In the strict profile the RTO of
    /// RFC 8445 §14.3, 500 ms to 3 s, doubling.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Rto`] out of range.
    pub fn rto(mut self, rto: Duration) -> Result<Self, ConfigError> {
        let (floor, ladder) = match self.ladder {
            Ladder::Flat { .. } => (20, Ladder::Flat { rto }),
            Ladder::Rfc8489 { .. } => (500, Ladder::Rfc8489 { rto }),
        };
        if !(Duration::from_millis(floor)..=Duration::from_secs(3)).contains(&rto) {
            return Err(ConfigError::Rto);
        }
        self.ladder = ladder;
        Ok(self)
    }

    /// The mean time between consent checks, each 0.8 to 1.2 times it (RFC 7675 §5.1).
    ///
    /// Default 5 s, 5 to 15 s.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ConsentInterval`] out of range.
    pub fn consent_interval(mut self, interval: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_secs(5)..=Duration::from_secs(15)).contains(&interval) {
            return Err(ConfigError::ConsentInterval);
        }
        self.consent_interval = interval;
        Ok(self)
    }

    /// How long consent lasts after an answer (RFC 7675 §5.1).
    ///
    /// Default 30 s, 5 to 30 s.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ConsentTimeout`] out of range.
    pub fn consent_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_secs(5)..=Duration::from_secs(30)).contains(&timeout) {
            return Err(ConfigError::ConsentTimeout);
        }
        self.consent_timeout = timeout;
        Ok(self)
    }

    /// How long failure is not declared without the end of the remote candidates (RFC 8863 §4).
    ///
    /// Default 39.5 s, the length of a STUN transaction. One that no clock reaches has no end.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How many pairs the check list holds (RFC 8445 §6.1.2.5); the lowest priorities fall out.
    ///
    /// Default 100, 1 to 1000.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Bound`] out of range.
    pub fn max_pairs(mut self, max: usize) -> Result<Self, ConfigError> {
        self.max_pairs = bound(max)?;
        Ok(self)
    }

    /// How many candidates of the peer are kept, signalled and peer-reflexive ones together.
    ///
    /// Default 100, 1 to 1000.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Bound`] out of range.
    pub fn max_remote_candidates(mut self, max: usize) -> Result<Self, ConfigError> {
        self.max_remote_candidates = bound(max)?;
        Ok(self)
    }

    /// Whether somebody else gives out the slots for checks, so that all agents of one socket keep
    /// one `Ta` together (RFC 8445 §14.2); see [`Pacer`](crate::Pacer).
    ///
    /// Default no: the agent gives them to itself. With it, a new check leaves only in
    /// [`Agent::grant_slot`](crate::Agent::grant_slot), asked for by
    /// [`Agent::wants_slot`](crate::Agent::wants_slot). The regular checks of valid pairs (consent,
    /// RFC 7675) leave when they are due, as they are no part of what `Ta` paces: thousands of
    /// sessions have more of them than a slot each.
    #[must_use]
    pub fn external_pacing(mut self, external: bool) -> Self {
        self.pacing = if external {
            Pacing::External
        } else {
            Pacing::Own
        };
        self
    }

    /// Whether we offer the ICE option `renomination` (draft-thatcher-ice-renomination, as
    /// libwebrtc speaks it): signalling then has to carry the option.
    ///
    /// Default yes (strict profile no). A controlled agent that offers it follows the highest value
    /// of the attribute 0xC001, whatever the priority of its pair; a controlling one numbers its
    /// nominations once
    /// [`Agent::set_remote_renomination`](crate::Agent::set_remote_renomination) says that the peer
    /// offers it as well.
    #[must_use]
    pub fn renomination(mut self, offered: bool) -> Self {
        self.renomination = if offered {
            Renomination::Offered
        } else {
            Renomination::Refused
        };
        self
    }

    /// The longest check or answer, in octets of UDP payload: the room for what
    /// [`Agent::set_check_attribute`](crate::Agent::set_check_attribute) adds to them.
    ///
    /// Default 1200, which every path of today carries; 576 to 9000.
    ///
    /// # Errors
    ///
    /// [`ConfigError::CheckLength`] out of range.
    pub fn max_check_len(mut self, octets: usize) -> Result<Self, ConfigError> {
        if !(576..=9000).contains(&octets) {
            return Err(ConfigError::CheckLength);
        }
        self.max_check_len = octets;
        Ok(self)
    }

    /// The attributes of the peer's checks and answers that become
    /// [`Event::CheckAttribute`](crate::Event::CheckAttribute).
    ///
    /// Default none, at most four. They have to be such that a receiver may ignore them, and not
    /// those that the agent itself reads or writes.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Attribute`] otherwise.
    pub fn report_attributes(mut self, kinds: &[AttributeType]) -> Result<Self, ConfigError> {
        if kinds.len() > ATTRIBUTES_MAX || !kinds.iter().all(|kind| is_opaque(*kind)) {
            return Err(ConfigError::Attribute);
        }
        self.reported = kinds.to_vec();
        Ok(self)
    }

    /// The local credentials, instead of drawing them from the seed: for agents that share one
    /// description, and for tests.
    #[must_use]
    pub fn local_credentials(mut self, credentials: Credentials) -> Self {
        self.local_credentials = Some(credentials);
        self
    }

    /// Whether nominations may carry a value, as far as it is up to us.
    pub(crate) fn offers_renomination(&self) -> bool {
        self.renomination == Renomination::Offered
    }

    /// Whether the letter of RFC 8445 is followed where the default departs from it.
    pub(crate) const fn is_strict(&self) -> bool {
        matches!(self.ladder, Ladder::Rfc8489 { .. })
    }
}

fn bound(max: usize) -> Result<usize, ConfigError> {
    if (1..=1000).contains(&max) {
        Ok(max)
    } else {
        Err(ConfigError::Bound)
    }
}
