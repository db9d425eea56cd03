//! Which valid pair carries data: nomination (RFC 8445 §8), suspicion, the end of consent.
//!
//! The controlling side nominates the best valid pair as soon as there is one, by sending another
//! check with USE-CANDIDATE, and nominates again whenever a better one becomes valid or the one in
//! use is suspected and another answers.
//!
//! DEVIATION(RFC 8445 §8.1.1): nomination goes on for the life of the session, with plain
//! USE-CANDIDATE, as browsers do. The RFC ends it with the first pair, and so gives up a better one
//! that is found a moment later, and a path that breaks until both sides restart.

use core::time::Duration;
use std::time::Instant;

use super::{Agent, Outlook};
use crate::event::Event;
use crate::pair::{Pair, PairId, PairState, Queue, Valid};
use crate::path::Path;
use crate::role::Role;

/// The pair that carries data, where every packet finds it.
#[derive(Clone, Debug)]
pub(super) struct Active {
    pub(super) id: PairId,
    pub(super) path: Path,
    /// When authenticated traffic last arrived.
    pub(super) heard_at: Option<Instant>,
    /// It is suspected: the next traffic ends that.
    pub(super) suspected: bool,
}

/// Whether the valid pairs compare with each other as when the pair for data was last chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Settled,
    /// A priority or the role is another.
    Changed,
}

/// Whether a pair works as far as is known, whether the peer wished it, its priority.
type Rank = (bool, bool, u64);

/// A pair that was suspected is not preferred to a working one again for this long.
const DISTRUST: Duration = Duration::from_secs(10);

/// A peer that nominates several pairs within this time means the best of them (the aggressive
/// nomination of RFC 5245 §8.1.1.2), later it means the last.
const AGGRESSIVE: Duration = Duration::from_millis(400);

impl Agent {
    /// Takes the other role (RFC 8445 §7.2.5.1, §7.3.1.1).
    pub(super) fn switch_role(&mut self) {
        self.role = self.role.opposite();
        self.forget_nomination();
        self.order = Order::Changed;
        self.early_nominee = None;
        self.push_event(Event::RoleChanged(self.role));
        self.reprioritize();
        for id in self.checklist.ids() {
            if let Some(pair) = self.checklist.get_mut(id) {
                pair.nominate = false;
            }
        }
        if let Some(active) = &self.active {
            let id = active.id;
            self.nominate(id);
        }
    }

    /// The controlling side tells the peer to use the pair.
    pub(super) fn nominate(&mut self, id: PairId) {
        if self.role != Role::Controlling {
            return;
        }
        if self.early_nominee.take() == Some(id)
            && let Some(pair) = self.checklist.get(id).filter(|pair| pair.nominate)
            && let Some(valid) = pair.valid()
        {
            if !valid.nominated {
                self.checklist.queue(id, Queue::Triggered);
            }
            return;
        }
        let value = self.next_nomination();
        if let Some(pair) = self.checklist.get_mut(id) {
            pair.nominate = true;
            pair.nomination = value;
            if let Some(valid) = pair.valid_mut() {
                valid.nominated = false;
                valid.awaiting = None;
            }
        }
        self.checklist.queue(id, Queue::Triggered);
    }

    /// The peer has checked a pair that is the only one there is: the triggered check nominates it
    /// already, as nothing else could be chosen when it is answered.
    ///
    /// DEVIATION(RFC 8445 §8.1.1): nominated before it is valid. The peer waits for its own check
    /// (§7.3.1.5), and a better pair that comes later is nominated in its turn.
    pub(super) fn nominate_early(&mut self, id: PairId) {
        let only = self.checklist.len() == 1 && self.early_nominee.is_none();
        if self.role != Role::Controlling || self.config.is_strict() || !only {
            return;
        }
        let value = self.next_nomination();
        if let Some(pair) = self.checklist.get_mut(id) {
            pair.nominate = true;
            pair.nomination = value;
            self.early_nominee = Some(id);
        }
    }

    /// The controlled side follows USE-CANDIDATE (RFC 8445 §7.3.1.5); `fresh` when the peer's last
    /// check on the pair did not carry it. A pair without a success of our own has to wait for it.
    pub(super) fn follow_wish(&mut self, id: PairId, fresh: bool) {
        if self.role != Role::Controlled || self.is_consent_over(id) || self.is_numbered() {
            return;
        }
        let now = self.now;
        let Some(pair) = self.checklist.get_mut(id) else {
            return;
        };
        let priority = pair.priority;
        let Some(valid) = pair.valid_mut() else {
            return;
        };
        let known = core::mem::replace(&mut valid.nominated, true);
        if known && self.active.as_ref().is_some_and(|active| active.id == id) {
            return; // once more what was done already
        }
        let switch = match self
            .active
            .as_ref()
            .and_then(|active| self.checklist.get(active.id))
        {
            None => true,
            Some(current) => {
                let older = current.wish.at.is_none_or(|at| now - at > AGGRESSIVE);
                !current.valid().is_some_and(|valid| valid.nominated)
                    || current.is_suspected()
                    || priority > current.priority
                    || (fresh && (older || !current.wish.now))
            }
        };
        if switch {
            self.adopt(id);
        }
    }

    /// Follows the peer to a pair: one is nominated, and what the peer wished before is over.
    pub(super) fn adopt(&mut self, id: PairId) {
        for other in self.checklist.ids() {
            if let Some(valid) = self
                .checklist
                .get_mut(other)
                .and_then(|pair| pair.valid_mut())
            {
                valid.nominated = other == id;
            }
        }
        self.activate(id);
    }

    /// Chooses the pair for data again after something changed.
    pub(super) fn select(&mut self) {
        self.order = Order::Settled;
        if let Some(id) = self.choose(None) {
            self.activate(id);
        }
    }

    /// The same when nothing changed but that this pair has just been answered: only it can be
    /// better than the pair in use, so that an answer costs the same however many pairs there are.
    pub(super) fn select_for(&mut self, answered: PairId) {
        if self.order == Order::Changed {
            return self.select();
        }
        if let Some(id) = self.choose(Some(answered)) {
            self.activate(id);
        }
    }

    fn choose(&self, answered: Option<PairId>) -> Option<PairId> {
        let current = self.active.as_ref().and_then(|active| {
            let pair = self.checklist.get(active.id)?;
            Some((active.id, pair, pair.valid()?))
        });
        let rank = |id: PairId, pair: &Pair| Some((self.rank(pair, current)?, id));
        let best = match (answered, current) {
            (Some(id), Some(_)) => self.checklist.get(id).and_then(|pair| rank(id, pair)),
            (None, _) | (_, None) => self
                .checklist
                .iter()
                .filter_map(|(id, pair)| rank(id, pair))
                .max(),
        };
        best.map(|(_, id)| id).or(current.map(|(id, ..)| id))
    }

    /// How a pair compares with others as a successor of the current one; `None` when it is none.
    fn rank(&self, pair: &Pair, current: Option<(PairId, &Pair, &Valid)>) -> Option<Rank> {
        let now = self.now;
        // After a sleep several consents are over, and only the first was dealt with.
        let valid = pair.valid().filter(|valid| valid.consent_until > now)?;
        if pair.generation != self.generation.number {
            return None;
        }
        let by_wish = self.role == Role::Controlled;
        let working = !pair.is_suspected();
        let rank = |pair: &Pair, valid: &Valid| (by_wish && valid.nominated, pair.priority);
        let own = rank(pair, valid);
        let succeeds = match current {
            None => true,
            // Only what has answered since then is known to be better.
            Some((
                ..,
                Valid {
                    suspected_at: Some(since),
                    ..
                },
            )) => working && valid.answered_at >= *since,
            // Only the peer moves us.
            Some((.., current)) if by_wish && current.nominated => false,
            Some((_, current, current_valid)) => {
                working && (valid.trust_at <= now || own.0) && own > rank(current, current_valid)
            }
        };
        succeeds.then_some((working, own.0, own.1))
    }

    pub(super) fn activate(&mut self, id: PairId) {
        if self.active.as_ref().is_some_and(|active| active.id == id) {
            return;
        }
        let interval = self.regular_interval(true);
        let Some(pair) = self.checklist.get_mut(id) else {
            return;
        };
        let (path, heard_at, remote) = (pair.path, pair.heard_at, pair.remote);
        let Some(valid) = pair.valid_mut() else {
            return;
        };
        let suspected = valid.suspected_at.is_some();
        valid.next_at = valid.next_at.min(self.now + interval);
        let (local, next_at) = (valid.local, valid.next_at.min(valid.consent_until));
        if valid.awaiting.is_none() {
            self.checklist.set_deadline(id, Some(next_at));
        }
        let active = Active {
            id,
            path,
            heard_at,
            suspected,
        };
        if let Some(old) = self.active.replace(active)
            && let Some(old) = self.checklist.get_mut(old.id)
        {
            old.heard_at = old.heard_at.max(heard_at);
            old.nominate = false;
        }
        self.release_retained();
        if let Some(early) = self.early_nominee.filter(|early| *early != id) {
            self.early_nominee = None;
            if let Some(pair) = self.checklist.get_mut(early) {
                pair.nominate = false;
            }
        }
        self.nominate(id);
        if self.progress != Outlook::Connected {
            self.progress = Outlook::Connected;
            self.push_event(Event::Connected);
        }
        if let (Some(ours), Some(theirs)) = (self.locals.get(local), self.remotes.get(remote)) {
            let (local, remote) = (ours.clone(), theirs.clone());
            tracing::debug!(?local, ?remote, "active pair");
            self.push_event(Event::ActivePair {
                local,
                remote,
                path,
            });
        }
    }

    /// The new session has a pair: that of the old one has done its service. The old credentials
    /// stay for the peer, who may need it a little longer.
    pub(super) fn release_retained(&mut self) {
        if let Some(retained) = self.retained.take() {
            let gone = self.checklist.remove(retained.id);
            self.transactions.remove_all(gone);
        }
    }

    /// The pair in use is thought broken: all others are tried at once.
    pub(super) fn suspect(&mut self, id: PairId) {
        let now = self.now;
        let Some(pair) = self.checklist.get_mut(id) else {
            return;
        };
        let path = pair.path;
        let Some(valid) = pair.valid_mut() else {
            return;
        };
        valid.suspected_at = Some(now);
        valid.trust_at = now + DISTRUST;
        if let Some(active) = self.active.as_mut().filter(|active| active.id == id) {
            active.suspected = true;
        }
        self.push_event(Event::PathSuspected(path));
        self.try_others(id);
    }

    /// Something authenticated came over the pair: it is not thought broken any more.
    #[cold]
    pub(super) fn trust(&mut self, id: PairId) {
        if let Some(valid) = self.checklist.get_mut(id).and_then(|pair| pair.valid_mut()) {
            valid.suspected_at = None;
        }
        if let Some(active) = self.active.as_mut().filter(|active| active.id == id) {
            active.suspected = false;
        }
    }

    pub(super) fn try_others(&mut self, id: PairId) {
        let number = self.generation.number;
        let mut others: Vec<_> = self
            .checklist
            .iter()
            .filter(|(other, pair)| *other != id && pair.generation == number)
            .map(|(other, pair)| (pair.priority, other, pair.pair_state()))
            .collect();
        others.sort_unstable_by(|a, b| b.cmp(a));
        for (_, other, state) in others {
            match state {
                PairState::Succeeded => self.checklist.queue(other, Queue::Triggered),
                PairState::Frozen | PairState::Failed => self.try_again(other),
                PairState::Waiting | PairState::InProgress => {
                    self.checklist.queue(other, Queue::Triggered);
                }
            }
        }
    }

    /// Consent of a pair has expired (RFC 7675 §5.1).
    ///
    /// DEVIATION(RFC 7675 §5.1): a new check that succeeds gives consent again, with the same
    /// credentials; the RFC asks for a restart, which the embedder may do as well.
    pub(super) fn expire(&mut self, id: PairId) {
        if self.is_retained(id) {
            self.release_retained();
            self.consent_lost();
            return;
        }
        self.try_again(id);
        if let Some(pair) = self.checklist.get_mut(id) {
            pair.nominate = false;
            pair.wish = Default::default();
        }
        if self.active.as_ref().is_some_and(|active| active.id == id) {
            self.active = None;
            self.select();
            if self.active.is_none() {
                self.consent_lost();
                self.try_others(id);
            }
        }
    }

    /// Whether consent of a valid pair has expired, told to the embedder or not yet.
    pub(super) fn is_consent_over(&self, id: PairId) -> bool {
        self.checklist
            .get(id)
            .and_then(Pair::valid)
            .is_some_and(|valid| valid.consent_until <= self.now)
    }

    pub(super) fn consent_lost(&mut self) {
        if self.active.is_none() && self.progress == Outlook::Connected {
            self.progress = Outlook::Trying;
            self.push_event(Event::ConsentExpired);
        }
    }

    /// Whether data leaves on the pair.
    pub(super) fn in_use(&self, id: PairId) -> bool {
        self.active.as_ref().is_some_and(|active| active.id == id) || self.is_retained(id)
    }

    pub(super) fn is_retained(&self, id: PairId) -> bool {
        self.retained
            .as_ref()
            .is_some_and(|retained| retained.id == id)
    }

    /// When authenticated traffic last came over a pair in use.
    pub(super) fn traffic_at(&self, id: PairId) -> Option<Instant> {
        let of = |active: &Option<Active>| {
            active
                .as_ref()
                .filter(|active| active.id == id)
                .and_then(|active| active.heard_at)
        };
        of(&self.active).max(of(&self.retained))
    }

    /// When anything authenticated last came over a pair.
    pub(super) fn heard_at(&self, id: PairId) -> Option<Instant> {
        self.traffic_at(id)
            .max(self.checklist.get(id).and_then(|pair| pair.heard_at))
    }

    /// Authenticated traffic, or a check, on a path that is not the active one.
    pub(super) fn heard_elsewhere(&mut self, path: &Path) {
        let now = self.now;
        if let Some(retained) = self
            .retained
            .as_mut()
            .filter(|retained| retained.path == *path)
        {
            retained.heard_at = Some(now);
        }
        let id = self.checklist.by_path(path);
        if let Some(pair) = id.and_then(|id| self.checklist.get_mut(id)) {
            pair.heard_at = Some(now);
        }
    }
}
