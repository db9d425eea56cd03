//! Counters, every reason for a drop among them, and the pairs as they stand.

use core::time::Duration;

use crate::pair::PairState;
use crate::path::Path;

/// Why a datagram was dropped. Nothing changed because of it but this counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DropReason {
    /// Not a STUN message, or a broken one.
    #[error("not a well-formed stun message")]
    Malformed,
    /// A method other than Binding.
    #[error("not a binding message")]
    Method,
    /// No FINGERPRINT, or a wrong one (RFC 8445 §7.1.3 requires it).
    #[error("fingerprint missing or wrong")]
    BadFingerprint,
    /// A request without USERNAME or MESSAGE-INTEGRITY.
    #[error("request without credentials")]
    NoCredentials,
    /// The request is not for our username fragment.
    #[error("username is not ours")]
    UnknownUsername,
    /// MESSAGE-INTEGRITY is missing or wrong.
    #[error("message integrity missing or wrong")]
    BadIntegrity,
    /// It arrived at an address that is no local candidate.
    #[error("local address is no candidate")]
    UnknownLocal,
    /// It came from an address to which nothing can be sent.
    #[error("remote address is not a unicast destination")]
    RemoteAddress,
    /// A response to nothing that we asked and still remember.
    #[error("response to no outstanding request")]
    UnknownTransaction,
    /// A response that did not come the way the request went (RFC 8445 §7.2.5.2.1).
    #[error("response over another path than its request")]
    WrongAddress,
    /// A response with an attribute that has to be understood and is not (RFC 8489 §6.3.3).
    #[error("response with an unknown attribute")]
    UnknownAttribute,
    /// Too many answers are queued already.
    #[error("too many answers are queued")]
    Overload,
    /// The agent is closed.
    #[error("agent is closed")]
    Closed,
}

/// How many reasons there are.
const REASONS: usize = DropReason::Closed as usize + 1;

/// Counters of one agent since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Checks sent, repetitions included.
    pub requests_sent: u64,
    /// Authenticated requests received.
    pub requests_received: u64,
    /// Answers sent, errors included.
    pub responses_sent: u64,
    /// Authenticated responses received, errors included.
    pub responses_received: u64,
    /// Binding indications received (RFC 8445 §11).
    pub indications_received: u64,
    /// Early checks that were answered but not remembered, as there were too many.
    pub early_checks_forgotten: u64,
    /// Attributes that were not reported, as too many events about them were queued.
    pub attributes_unreported: u64,
    dropped: [u64; REASONS],
}

impl Counters {
    /// How many datagrams were dropped for this reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped
            .get(reason as usize)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn count(&mut self, reason: DropReason) {
        if let Some(counter) = self.dropped.get_mut(reason as usize) {
            *counter = counter.saturating_add(1);
        }
    }
}

/// One pair of the check list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairStats {
    /// What it sends on.
    pub path: Path,
    /// Its state.
    pub state: PairState,
    /// Its priority (RFC 8445 §6.1.2.3).
    pub priority: u64,
    /// Whether it is nominated, by us or by the peer.
    pub nominated: bool,
    /// Whether data leaves on it.
    pub active: bool,
    /// The round trip of the last answered check.
    pub rtt: Option<Duration>,
}

/// A snapshot; see [`Agent::stats`](crate::Agent::stats).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// All pairs, in the order in which they were formed.
    pub pairs: Vec<PairStats>,
    /// The counters.
    pub counters: Counters,
}
