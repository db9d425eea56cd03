//! Candidates of the peer, and the pairs that both sides' form (RFC 8445 §6.1.2, RFC 8838).

use core::net::SocketAddr;
use std::time::Instant;

use super::selection::Order;
use super::{Agent, AgentError};
use crate::address::in_zone;
use crate::candidate::{COMPONENT, Candidate, CandidateKind, TcpType};
use crate::lanes::Lane;
use crate::pair::{self, Pair, PairId, PairState, State};
use crate::path::Path;

/// Remote candidates that each base learns from checks, from one pair that becomes valid to the
/// next. Two NATs that take another port for every destination, and let everybody in, show a new
/// candidate with every check, without end: each side answers to a port that the other asked
/// nothing of.
const STRAYS_MAX: usize = 32;

impl Agent {
    /// Adds a candidate that the peer signalled, before or after `connect` (RFC 8838). One that a
    /// check has shown already keeps its pairs, their states and their nomination.
    ///
    /// # Errors
    ///
    /// [`AgentError::Component`] for a component other than 1,
    /// [`AgentError::TooManyCandidates`], [`AgentError::Closed`]: go on with the next candidate.
    pub fn add_remote_candidate(
        &mut self,
        candidate: Candidate,
        now: Instant,
    ) -> Result<(), AgentError> {
        self.advance(now)?;
        if candidate.component() != COMPONENT {
            return Err(AgentError::Component);
        }
        if let Some(index) = self.known_remote(candidate.is_tcp(), candidate.address()) {
            self.identify(index, candidate);
            return Ok(());
        }
        let index = self
            .insert_remote(candidate)
            .ok_or(AgentError::TooManyCandidates)?;
        if self.is_checking() {
            self.form_pairs_with(index);
            self.pump();
        }
        Ok(())
    }

    /// The peer has no more candidates (RFC 8838 §13): failure need not wait for the patience of RFC
    /// 8863 once every pair has been checked to its end.
    pub fn end_of_remote_candidates(&mut self, now: Instant) {
        if self.advance(now).is_ok() {
            self.remote_ended = true;
            self.pump();
        }
    }

    /// Pairs everything with everything; `connect` and a restart begin with this.
    pub(super) fn form_all_pairs(&mut self) {
        for remote in 0..self.remotes.len() {
            self.form_pairs_with(remote);
        }
        // RFC 8445 §6.1.2.6: of each foundation the best pair waits and the others are frozen.
        let mut order: Vec<_> = self
            .checklist
            .iter()
            .filter(|(_, pair)| pair.generation == self.generation.number)
            .map(|(id, pair)| (pair.priority, id, pair.foundation))
            .collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        for (_, id, _) in &order {
            self.checklist.set_state(*id, State::Frozen);
        }
        for (_, id, foundation) in order {
            if !self.checklist.is_foundation_busy(foundation) {
                self.checklist.set_state(id, State::Waiting);
            }
        }
    }

    fn form_pairs_with(&mut self, remote: usize) {
        for local in 0..self.locals.len() {
            self.form_pair(local, remote, Formation::Ordinary);
        }
    }

    /// Forms a pair, or finds it; `None` when the two do not match or a full list holds better ones.
    pub(super) fn form_pair(
        &mut self,
        local: usize,
        remote: usize,
        formation: Formation,
    ) -> Option<PairId> {
        let (ours, theirs) = (self.locals.get(local)?, self.remotes.get(remote)?);
        let path = match formation {
            // RFC 8445 §6.1.2.4: reflexive candidates are replaced by their bases.
            Formation::Ordinary
                if !(self.stands_for_base(local) && ours.pairs_with(theirs))
                    || (self.config.is_lite() && !self.is_remote_lite())
                    || self.withdrawn.contains(&local) =>
            {
                return None;
            }
            Formation::Ordinary => ours.path_to(theirs),
            Formation::Triggered(path) => path,
        };
        if let Some(id) = self.checklist.by_path(&path) {
            self.rebase(id, local);
            return Some(id);
        }
        let mut pair = Pair::new(path, local, remote, self.generation.number);
        pair.priority = pair::priority(self.role, ours.priority(), theirs.priority());
        pair.foundation = self.pair_foundation(ours, theirs);
        pair.lane = Lane::of(ours, theirs);
        if self.checklist.len() >= self.config.max_pairs {
            // RFC 8445 §6.1.2.5: the lowest priorities fall out.
            let (alive, lowest, id) = self.checklist.dispensable()?;
            if formation == Formation::Ordinary && alive && lowest >= pair.priority {
                return None;
            }
            let gone = self.checklist.remove(id);
            self.transactions.remove_all(gone);
        }
        let waits = !self.checklist.is_foundation_busy(pair.foundation);
        let id = self.checklist.insert(pair);
        if waits {
            self.checklist.set_state(id, State::Waiting);
        }
        self.revive();
        Some(id)
    }

    /// A pair that a reflexive candidate stood for belongs to its base once that is a candidate.
    fn rebase(&mut self, id: PairId, local: usize) {
        let is_base = |index: usize| self.locals.get(index).is_some_and(Candidate::is_base);
        let stood_for = self
            .checklist
            .get(id)
            .is_some_and(|pair| !is_base(pair.local));
        if stood_for
            && is_base(local)
            && let Some(pair) = self.checklist.get_mut(id)
        {
            pair.local = local;
            self.reprioritize_pair(id);
        }
    }

    /// The remote candidate with this address as it is signalled, without a zone; a check may have
    /// shown it with one.
    pub(super) fn known_remote(&self, is_tcp: bool, address: SocketAddr) -> Option<usize> {
        let zones = (is_tcp, in_zone(address, 0))..=(is_tcp, in_zone(address, u32::MAX));
        let (_, index) = self.remote_by_address.range(zones).next()?;
        Some(*index)
    }

    /// The remote candidate with the address that a check to this local one came from, learned from
    /// it if need be (RFC 8445 §7.3.1.3).
    pub(super) fn learn_remote(
        &mut self,
        local: usize,
        address: SocketAddr,
        priority: u32,
    ) -> Option<usize> {
        let tcp = self.locals.get(local)?.tcp_type().map(TcpType::counterpart);
        let key = (tcp.is_some(), address);
        if let Some(&index) = self.remote_by_address.get(&key) {
            return Some(index);
        }
        if let Some(index) = self.known_remote(tcp.is_some(), address)
            && let (Some(ours), Some(theirs)) = (self.locals.get(local), self.remotes.get(index))
            && ours.destination(theirs) == address
        {
            return Some(index);
        }
        let base = self.locals.get(local)?.base();
        let strays = self.strays.get(&base).copied().unwrap_or_default();
        if strays >= STRAYS_MAX {
            return None;
        }
        let place = self.place_for_remote()?;
        self.strays.insert(base, strays + 1);
        self.foundations += 1;
        let foundation = format!("prflx{}", self.foundations);
        let candidate = Candidate::remote_reflexive(foundation, priority, address, tcp);
        self.remote_by_address.insert(key, place);
        match self.remotes.get_mut(place) {
            Some(old) => *old = candidate,
            None => self.remotes.push(candidate),
        }
        Some(place)
    }

    /// Where one more remote candidate goes.
    fn place_for_remote(&mut self) -> Option<usize> {
        if self.remotes.len() < self.config.max_remote_candidates {
            Some(self.remotes.len())
        } else {
            self.vacate_remote()
        }
    }

    /// A peer whose NAT moves it again and again must not run out of candidates: one that was only
    /// learned from a check, and whose pairs have all failed, makes room.
    /// One walk over the pairs, as a hostile peer can ask for it with every check.
    fn vacate_remote(&mut self) -> Option<usize> {
        let mut alive = vec![false; self.remotes.len()];
        for (_, pair) in self.checklist.iter() {
            if pair.generation == self.generation.number
                && pair.pair_state() != PairState::Failed
                && let Some(alive) = alive.get_mut(pair.remote)
            {
                *alive = true;
            }
        }
        let index =
            self.remotes.iter().zip(alive).position(|(known, alive)| {
                known.kind() == CandidateKind::PeerReflexive && !alive
            })?;
        for id in self.checklist.of_remote(self.generation.number, index) {
            let gone = self.checklist.remove(id);
            self.transactions.remove_all(gone);
        }
        let gone = self.remotes.get(index)?;
        self.remote_by_address
            .remove(&(gone.is_tcp(), gone.address()));
        Some(index)
    }

    /// Priorities depend on the role (RFC 8445 §6.1.2.3).
    pub(super) fn reprioritize(&mut self) {
        for id in self.checklist.ids() {
            self.reprioritize_pair(id);
        }
    }

    pub(super) fn reprioritize_pair(&mut self, id: PairId) {
        let Some(pair) = self.checklist.get(id) else {
            return;
        };
        if pair.generation != self.generation.number {
            return;
        }
        let local = pair.valid().map_or(pair.local, |valid| valid.local);
        let (Some(ours), Some(theirs)) = (self.locals.get(local), self.remotes.get(pair.remote))
        else {
            return;
        };
        let priority = pair::priority(self.role, ours.priority(), theirs.priority());
        self.checklist.set_priority(id, priority);
        self.order = Order::Changed;
    }

    /// A peer-reflexive candidate has been signalled (RFC 8838 §11.4): it takes its real kind,
    /// priority and foundation, and nothing else about its pairs changes.
    fn identify(&mut self, index: usize, candidate: Candidate) {
        let Some(known) = self.remotes.get_mut(index) else {
            return;
        };
        if known.kind() != CandidateKind::PeerReflexive {
            return;
        }
        *known = candidate.at(known.address());
        for id in self.checklist.ids() {
            let Some(pair) = self.checklist.get(id).filter(|pair| pair.remote == index) else {
                continue;
            };
            if pair.generation != self.generation.number {
                continue;
            }
            let (local, remote) = (pair.local, pair.remote);
            if let (Some(ours), Some(theirs)) = (self.locals.get(local), self.remotes.get(remote)) {
                let foundation = self.pair_foundation(ours, theirs);
                self.checklist.set_foundation(id, foundation);
            }
            self.reprioritize_pair(id);
        }
        if self.is_checking() {
            // A socket that was added meanwhile pairs with it like with any other.
            self.form_pairs_with(index);
            self.pump();
        }
    }

    fn insert_remote(&mut self, candidate: Candidate) -> Option<usize> {
        let index = self.place_for_remote()?;
        self.remote_by_address
            .insert((candidate.is_tcp(), candidate.address()), index);
        match self.remotes.get_mut(index) {
            Some(old) => *old = candidate,
            None => self.remotes.push(candidate),
        }
        Some(index)
    }

    /// Ours are numbers already, which stay when other candidates come and go.
    fn pair_foundation(&self, ours: &Candidate, theirs: &Candidate) -> (usize, usize) {
        let remote = self
            .remotes
            .iter()
            .position(|known| known.foundation() == theirs.foundation());
        (
            ours.foundation().parse().unwrap_or(usize::MAX),
            remote.unwrap_or(usize::MAX),
        )
    }
}

/// Why a pair is formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Formation {
    /// By pairing the candidates of both sides.
    Ordinary,
    /// A check of the peer came over this path, so that it surely matches and finds room.
    Triggered(Path),
}
