//! Lite agents (RFC 8445 §2.5): as one, and facing one.

use core::time::Duration;

use super::{Agent, Phase};
use crate::config::Implementation;
use crate::credentials::Credentials;
use crate::pair::{Pair, PairId, State, Valid};
use crate::path::Path;
use crate::role::{Claim, Role, Verdict};

/// Between two lite agents nobody asks for consent (RFC 7675 §1): the pair lasts as long as the
/// session, whose end is signalled.
const SESSION: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Agent {
    /// Says whether the peer is a lite agent, as signalling told (`ice-lite`, RFC 8839 §5.3). A full
    /// agent is then controlling, and takes no word of the peer for a conflict of roles (RFC 8445
    /// §6.1.1). Two lite agents send no checks: both use the pair with the highest priority, which
    /// is the same on both sides once each knows the candidates of the other (§8.2); the roles come
    /// from [`Config::role`](crate::Config::role).
    ///
    /// Call it before [`connect`](Self::connect), or when a restart changes it.
    pub fn set_remote_lite(&mut self, lite: bool) {
        if self.phase == Phase::Closed || self.is_remote_lite() == lite {
            return;
        }
        self.remote_implementation = match lite {
            true => Implementation::Lite,
            false => Implementation::Full,
        };
        let Some(remote) = self.remote_credentials().cloned() else {
            return;
        };
        let role = self.settled_role(&remote);
        let settles = lite || self.phase == Phase::Idle;
        if settles && role != self.role {
            self.switch_role();
        }
        if self.is_checking() {
            self.form_all_pairs();
        }
        self.pump();
    }

    pub(super) const fn is_remote_lite(&self) -> bool {
        matches!(self.remote_implementation, Implementation::Lite)
    }

    /// The first role (RFC 8445 §6.1.1).
    pub(super) fn settled_role(&self, remote: &Credentials) -> Role {
        match (self.config.is_lite(), self.is_remote_lite()) {
            (false, true) => Role::Controlling,
            (true, false) => Role::Controlled,
            (false, false) | (true, true) => {
                self.config.role.settle(&self.generation.local, remote)
            }
        }
    }

    /// RFC 8445 §7.3.1.1, where a lite side has no choice.
    pub(super) fn verdict(&self, claim: Claim) -> Verdict {
        match (self.config.is_lite(), self.is_remote_lite()) {
            (false, false) => claim.against(self.role, self.tie_breaker),
            (true, false) if claim.controlled.is_some() => Verdict::Refuse,
            (_, true) | (true, false) => Verdict::NoConflict,
        }
    }

    /// A check of a full peer arrived at a lite agent, which has nothing else to judge a pair by: the
    /// first one that nominates makes it valid (RFC 8445 §8.2), each one keeps it so.
    pub(super) fn vouch(&mut self, id: PairId, nominates: bool) {
        let now = self.now;
        let consent_until = now + self.config.consent_timeout;
        let Some(pair) = self.checklist.get_mut(id) else {
            return;
        };
        let local = pair.local;
        match pair.valid_mut() {
            Some(valid) => {
                valid.answered_at = now;
                valid.consent_until = consent_until;
                valid.next_at = consent_until;
            }
            None if nominates => {
                let valid = Valid {
                    local,
                    answered_at: now,
                    consent_until,
                    next_at: consent_until,
                    watch_until: None,
                    awaiting: None,
                    nominated: true,
                    suspected_at: None,
                    trust_at: now,
                };
                self.checklist.unqueue(id);
                self.checklist.set_state(id, State::Waiting);
                self.checklist.set_state(id, State::Succeeded(valid));
            }
            None => return,
        }
        self.checklist.set_deadline(id, Some(consent_until));
    }

    /// Authenticated traffic keeps the pair in use as a check does. A full peer that knows only the
    /// keepalives of RFC 5245 §10 sends no check once it has chosen, and its indications prove
    /// nothing.
    pub(super) fn prolong(&mut self, path: &Path) {
        let in_use = [&self.active, &self.retained];
        let found = in_use.into_iter().flatten().find(|pair| pair.path == *path);
        let Some(id) = found.map(|pair| pair.id) else {
            return;
        };
        if self.is_consent_over(id) {
            return;
        }
        let consent_until = self.now + self.config.consent_timeout;
        if let Some(valid) = self.checklist.get_mut(id).and_then(Pair::valid_mut) {
            // The deadline stays as it is, and is set anew when it comes.
            valid.consent_until = valid.consent_until.max(consent_until);
            valid.next_at = valid.consent_until;
        }
    }

    /// The peer's check on the pair from before a restart.
    pub(super) fn vouch_retained(&mut self, path: &Path) {
        let retained = self.retained.as_ref();
        let id = retained
            .filter(|retained| retained.path == *path)
            .map(|retained| retained.id);
        if let Some(id) = id.filter(|_| self.config.is_lite()) {
            self.vouch(id, false);
        }
    }

    /// Whether both are lite agents.
    pub(super) const fn agrees(&self) -> bool {
        self.config.is_lite() && self.is_remote_lite()
    }

    /// Two lite agents use the pair with the highest priority.
    pub(super) fn agree(&mut self) {
        if !(self.agrees() && self.is_checking()) {
            return;
        }
        let number = self.generation.number;
        let best = self
            .checklist
            .iter()
            .filter(|(_, pair)| pair.generation == number)
            .max_by_key(|(id, pair)| (pair.priority, core::cmp::Reverse(*id)))
            .map(|(id, _)| id);
        let active = self.active.as_ref().map(|active| active.id);
        let Some(id) = best.filter(|best| Some(*best) != active) else {
            return;
        };
        let now = self.now;
        let consent_until = now
            .checked_add(SESSION)
            .unwrap_or(now + self.config.consent_timeout);
        let Some(local) = self.checklist.get(id).map(|pair| pair.local) else {
            return;
        };
        if let Some(active) = active {
            self.checklist.set_state(active, State::Waiting);
        }
        let valid = Valid {
            local,
            answered_at: now,
            consent_until,
            next_at: consent_until,
            watch_until: None,
            awaiting: None,
            nominated: true,
            suspected_at: None,
            trust_at: now,
        };
        self.checklist.set_state(id, State::Waiting);
        self.checklist.set_state(id, State::Succeeded(valid));
        self.activate(id);
        self.checklist.unqueue(id);
        if let Some(valid) = self.checklist.get_mut(id).and_then(|pair| pair.valid_mut()) {
            valid.nominated = true;
            valid.awaiting = None;
            valid.next_at = consent_until;
        }
        self.checklist.set_deadline(id, Some(consent_until));
    }
}
