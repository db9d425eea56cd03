//! One pair of candidates: its state, and what each state has to remember.

use core::time::Duration;
use std::time::Instant;

use crate::lanes::Lane;
use crate::path::Path;
use crate::role::Role;
use crate::stun::TransactionId;

/// The state of a pair (RFC 8445 §6.1.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PairState {
    /// Held back for another pair of the same foundation.
    Frozen,
    /// To be checked.
    Waiting,
    /// Checked, not answered yet.
    InProgress,
    /// Answered, and consent lasts.
    Succeeded,
    /// Given up.
    Failed,
}

impl PairState {
    /// The transitions of RFC 8445 §6.1.2.6 (figure 2), and those that consent and triggered checks
    /// add to them. A state may always be entered again.
    pub(crate) const fn may_become(self, next: Self) -> bool {
        use PairState::{Failed, Frozen, InProgress, Succeeded, Waiting};
        matches!(
            (self, next),
            (Frozen, Frozen)
                // Unfrozen, and set back while the initial states are computed.
                | (Frozen, Waiting)
                | (Waiting, Frozen)
                // Picked for a slot that nothing else wanted.
                | (Frozen, InProgress)
                | (Waiting, Waiting | InProgress)
                | (InProgress, InProgress | Succeeded | Failed)
                // Another check is due at once: of a role conflict (§7.2.5.1), or triggered (§7.3.1.4).
                | (InProgress, Waiting)
                // An older check is answered, or refused, while the next one waits for its slot.
                | (Waiting, Succeeded | Failed)
                | (Succeeded, Succeeded)
                // Consent is over (RFC 7675 §5.1).
                | (Succeeded, Waiting)
                | (Failed, Failed)
                // The peer has checked it, or other pairs are needed.
                | (Failed, Waiting)
        )
    }
}

/// Names a pair for the life of an agent; the serial is never used again, so that it cannot go
/// stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PairId {
    pub(crate) serial: u64,
    pub(crate) slot: usize,
}

/// A state with what belongs to it.
#[derive(Clone, Debug)]
pub(crate) enum State {
    Frozen,
    Waiting,
    InProgress(Progress),
    Succeeded(Valid),
    Failed,
}

impl State {
    /// Which state it is.
    pub(crate) const fn of(&self) -> PairState {
        match self {
            Self::Frozen => PairState::Frozen,
            Self::Waiting => PairState::Waiting,
            Self::InProgress(_) => PairState::InProgress,
            Self::Succeeded(_) => PairState::Succeeded,
            Self::Failed => PairState::Failed,
        }
    }
}

/// An unanswered series of checks.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// When the series began; moved on when the peer proves that it still reaches us.
    pub(crate) since: Instant,
    /// When the last check left.
    pub(crate) sent_at: Instant,
    pub(crate) sent: u32,
    /// What is due at the pair's deadline.
    pub(crate) give_up: bool,
}

/// A valid pair (RFC 8445 §7.2.5.3.2) and its consent (RFC 7675).
#[derive(Clone, Debug)]
pub(crate) struct Valid {
    /// Index of the local candidate that the peer sees: the pair's own, or a peer-reflexive one.
    pub(crate) local: usize,
    /// When the last answer arrived.
    pub(crate) answered_at: Instant,
    /// When consent ends unless another answer comes.
    pub(crate) consent_until: Instant,
    /// When the next regular check is due.
    pub(crate) next_at: Instant,
    /// The regular time, while `next_at` is an earlier one at which silence is looked for.
    pub(crate) watch_until: Option<Instant>,
    /// A check that is not answered yet.
    pub(crate) awaiting: Option<Awaiting>,
    /// The peer has confirmed our nomination, or has nominated it itself.
    pub(crate) nominated: bool,
    /// Since when it is thought broken.
    pub(crate) suspected_at: Option<Instant>,
    /// Not preferred to a pair that works before this instant.
    pub(crate) trust_at: Instant,
}

/// An unanswered check on a valid pair.
#[derive(Clone, Debug)]
pub(crate) struct Awaiting {
    /// When the first one left.
    pub(crate) since: Instant,
    /// How many left since then.
    pub(crate) sent: u32,
    /// When the next one leaves.
    pub(crate) retry_at: Instant,
}

/// Which queue of the check list holds the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    Triggered,
    Repeat,
}

/// The peer's wish to use the pair, from USE-CANDIDATE in its checks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish {
    /// The last check carried it.
    pub(crate) now: bool,
    /// When the last one that carried it arrived.
    pub(crate) at: Option<Instant>,
}

/// A pair of the check list.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) path: Path,
    /// Index of the local candidate.
    pub(crate) local: usize,
    /// Index of the remote candidate; of a retained pair, in a table that is gone.
    pub(crate) remote: usize,
    pub(crate) priority: u64,
    /// The number of the generation of credentials that it is checked with.
    pub(crate) generation: u32,
    /// What kind of path it is, for the order of checks; set before it enters the check list.
    pub(crate) lane: Lane,
    /// The foundations of both candidates (RFC 8445 §6.1.2.6), as numbers.
    pub(crate) foundation: (usize, usize),
    pub(crate) state: State,
    /// The queue that holds it, and its place there.
    pub(crate) queue: Option<(Queue, u64)>,
    pub(crate) deadline: Option<Instant>,
    /// A check of the peer, authenticated, came over it.
    pub(crate) check_received: bool,
    /// When anything authenticated last came over it.
    pub(crate) heard_at: Option<Instant>,
    /// Since when the peer's checks over it had no answer to ours.
    pub(crate) tried_since: Option<Instant>,
    /// We are controlling and want it: its checks carry USE-CANDIDATE.
    pub(crate) nominate: bool,
    /// The value of that nomination; 0 when it is a plain one.
    pub(crate) nomination: u32,
    pub(crate) wish: Wish,
    pub(crate) rtt: Option<Duration>,
    pub(crate) last_role: Option<Role>,
    /// Outstanding transactions, oldest first.
    pub(crate) outstanding: Vec<TransactionId>,
}

/// How long the checks of a peer that was learned from them are taken up without an answer to ours:
/// whoever hears us has answered by then, and two NATs that show new ports all the time do not keep
/// each other's pairs alive. After a silence it begins anew.
pub(crate) const TRIAL: Duration = Duration::from_secs(30);
/// The silence that ends a trial. A peer that keeps to the letter of RFC 8445 §14.3, with the 100
/// pairs of §6.1.2.5, repeats a check 16 RTO of 5 s after the one before: that is no silence.
const SILENCE: Duration = Duration::from_secs(120);

impl Pair {
    pub(crate) fn new(path: Path, local: usize, remote: usize, generation: u32) -> Self {
        Self {
            path,
            local,
            remote,
            priority: 0,
            generation,
            lane: Lane::default(),
            foundation: (0, 0),
            state: State::Frozen,
            queue: None,
            deadline: None,
            check_received: false,
            heard_at: None,
            tried_since: None,
            nominate: false,
            nomination: 0,
            wish: Wish::default(),
            rtt: None,
            last_role: None,
            outstanding: Vec::new(),
        }
    }

    pub(crate) const fn pair_state(&self) -> PairState {
        self.state.of()
    }

    /// Waiting or in progress.
    pub(crate) const fn is_busy(&self) -> bool {
        matches!(self.state, State::Waiting | State::InProgress(_))
    }

    /// Whether a check of the peer, the first since `heard_at`, starts one of ours on a pair that was
    /// never answered.
    pub(crate) fn is_worth_trying(&mut self, heard_at: Option<Instant>, now: Instant) -> bool {
        if heard_at.is_none_or(|at| now - at > SILENCE) {
            self.tried_since = None;
        }
        now - *self.tried_since.get_or_insert(now) <= TRIAL
    }

    pub(crate) const fn valid(&self) -> Option<&Valid> {
        match &self.state {
            State::Succeeded(valid) => Some(valid),
            State::Frozen | State::Waiting | State::InProgress(_) | State::Failed => None,
        }
    }

    pub(crate) const fn valid_mut(&mut self) -> Option<&mut Valid> {
        match &mut self.state {
            State::Succeeded(valid) => Some(valid),
            State::Frozen | State::Waiting | State::InProgress(_) | State::Failed => None,
        }
    }

    /// Twice the round trip, for timers: one that was measured across a sleep of the embedder, or
    /// that a peer prolonged, must not stop the checks.
    pub(crate) fn patience(&self) -> Duration {
        (self.rtt.unwrap_or_default() * 2).min(PATIENCE_MAX)
    }

    pub(crate) fn is_suspected(&self) -> bool {
        self.valid()
            .is_some_and(|valid| valid.suspected_at.is_some())
    }
}

/// Twice the longest round trip that timers take into account.
const PATIENCE_MAX: Duration = Duration::from_secs(4);

/// RFC 8445 §6.1.2.3: `G` is the priority of the controlling side's candidate.
pub(crate) fn priority(role: Role, local: u32, remote: u32) -> u64 {
    let (g, d) = match role {
        Role::Controlling => (local, remote),
        Role::Controlled => (remote, local),
    };
    (u64::from(g.min(d)) << 32) + 2 * u64::from(g.max(d)) + u64::from(g > d)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row by row what cannot happen: nothing succeeds or fails that was not checked, and nothing
    /// that is valid fails without the end of its consent.
    #[test]
    fn transitions_that_make_no_sense_are_refused() {
        use PairState::{Failed, Frozen, InProgress, Succeeded, Waiting};
        let all = [Frozen, Waiting, InProgress, Succeeded, Failed];
        let refused = all.map(|from| {
            let no = |to: &PairState| !from.may_become(*to);
            all.into_iter().filter(no).collect::<Vec<_>>()
        });
        let expected = [
            vec![Succeeded, Failed],
            vec![],
            vec![Frozen],
            vec![Frozen, InProgress, Failed],
            vec![Frozen, InProgress, Succeeded],
        ];
        assert_eq!(refused, expected);
    }

    #[test]
    fn both_sides_compute_the_same_priority() {
        for (local, remote) in [(1, 2), (2, 1), (7, 7), (u32::MAX >> 1, 1)] {
            let here = priority(Role::Controlling, local, remote);
            assert_eq!(here, priority(Role::Controlled, remote, local));
        }
        assert_eq!(priority(Role::Controlling, 3, 2), (2 << 32) + 6 + 1);
        assert_eq!(priority(Role::Controlled, 3, 2), (2 << 32) + 6);
    }
}
