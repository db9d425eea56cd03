//! Nominations that carry a value (draft-thatcher-ice-renomination, in the form that libwebrtc gave
//! it): the highest one counts, whatever the priority of its pair and whenever it arrives.

use super::Agent;
use crate::pair::{Pair, PairId};
use crate::role::Role;

/// What both directions of it have to remember.
#[derive(Debug, Default)]
pub(super) struct Nomination {
    /// The peer offers the ICE option.
    remote: bool,
    /// The value of our last nomination. It counts for the life of the agent, over restarts and
    /// changes of the role, and does not wrap: one nomination each 5 ms would take eight months.
    sent: u32,
    /// The highest value of the peer's in this session and role, and its pair.
    followed: Option<(u32, PairId)>,
}

impl Agent {
    /// Learns whether the peer reads values.
    pub(super) fn numbers_nominations(&mut self, offered: bool) {
        let new = offered && !self.nomination.remote;
        self.nomination.remote = offered;
        if new && let Some(active) = &self.active {
            let id = active.id;
            self.nominate(id); // anew, with a value
        }
    }

    /// The value of our next nomination; 0, which is none, for a peer that does not read it.
    pub(super) fn next_nomination(&mut self) -> u32 {
        if !(self.nomination.remote && self.config.offers_renomination()) {
            return 0;
        }
        self.nomination.sent = self.nomination.sent.saturating_add(1);
        self.nomination.sent
    }

    /// Whether the peer's nominations carry values, beside which one without counts for nothing.
    pub(super) const fn is_numbered(&self) -> bool {
        self.nomination.followed.is_some()
    }

    pub(super) fn forget_nomination(&mut self) {
        self.nomination.followed = None;
    }

    /// The controlled side follows a nomination that carries a value, unless it has seen a higher
    /// one, or the same one for another pair. A pair without a success of our own has to wait for
    /// it, and is followed to then.
    pub(super) fn follow_nomination(&mut self, id: PairId, value: u32) {
        if self.role != Role::Controlled {
            return;
        }
        let repeated = match self.nomination.followed {
            Some((highest, _)) if value < highest => return,
            Some((highest, pair)) if value == highest && pair != id => return,
            Some((highest, _)) => value == highest,
            None => false,
        };
        self.nomination.followed = Some((value, id));
        let pair = self.checklist.get(id);
        // What is repeated does not call back a pair on which we are not answered.
        let follows = pair
            .and_then(Pair::valid)
            .is_some_and(|valid| !repeated || (!valid.nominated && valid.suspected_at.is_none()));
        if follows && !self.is_consent_over(id) {
            self.adopt(id);
        }
    }

    /// A pair has become valid: the peer may have nominated it before.
    pub(super) fn follow_when_valid(&mut self, id: PairId, wished: bool) {
        match self.nomination.followed {
            Some((_, pair)) if pair == id => self.adopt(id),
            Some(_) => {}
            None if wished => self.follow_wish(id, true),
            None => {}
        }
    }
}
