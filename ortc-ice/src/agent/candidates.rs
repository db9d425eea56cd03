//! Candidates of both sides, and the pairs that they form (RFC 8445 §6.1.2, RFC 8838).

use core::net::SocketAddr;
use std::time::Instant;

use super::selection::Order;
use super::{Agent, AgentError};
use crate::candidate::{COMPONENT, Candidate, CandidateKind, in_zone, zone};
use crate::pair::{self, Pair, PairId, PairState, State};
use crate::path::Path;

/// Addresses of ours that are learned from responses at most; a NAT shows few.
const LOCAL_REFLEXIVE_MAX: usize = 32;

/// The loopback interface is preferred less than any other.
const LOOPBACK_PENALTY: u16 = 32_768;

impl Agent {
    /// Gives a host candidate the foundation and priority that it will have, without letting it take
    /// part in checks: for an application that signals candidates before it applies them.
    ///
    /// # Errors
    ///
    /// [`AgentError::NotLocal`] unless it is a host candidate, [`AgentError::Closed`].
    pub fn prepare_local_candidate(
        &mut self,
        mut candidate: Candidate,
        now: Instant,
    ) -> Result<Candidate, AgentError> {
        self.advance(now)?;
        if candidate.kind() != CandidateKind::Host || candidate.component() != COMPONENT {
            return Err(AgentError::NotLocal);
        }
        let address = candidate.address();
        let known = |known: &&Candidate| known.base() == address && known.address() == address;
        if let Some(known) = self.locals.iter().chain(&self.prepared).find(known) {
            return Ok(known.clone());
        }
        self.place(&mut candidate);
        if self.prepared.len() >= self.config.max_pairs {
            self.prepared.remove(0);
        }
        self.prepared.push(candidate.clone());
        Ok(candidate)
    }

    fn place(&mut self, candidate: &mut Candidate) {
        let preference = candidate
            .local_preference()
            .unwrap_or_else(|| self.preference_of(candidate.address()));
        let foundation = self.foundation_of(candidate);
        candidate.place(foundation, preference);
    }

    /// Adds a local candidate whose socket is bound, and returns it with foundation and priority as
    /// the peer needs them. An address that is known already returns what is known.
    ///
    /// # Errors
    ///
    /// [`AgentError::NotLocal`] unless it is a host candidate, [`AgentError::TooManyCandidates`]
    /// beyond as many as there may be pairs, [`AgentError::Closed`].
    pub fn add_local_candidate(
        &mut self,
        mut candidate: Candidate,
        now: Instant,
    ) -> Result<Candidate, AgentError> {
        self.advance(now)?;
        if candidate.kind() != CandidateKind::Host || candidate.component() != COMPONENT {
            return Err(AgentError::NotLocal);
        }
        if let Some(index) = self.local_by_base(candidate.address())
            && let Some(known) = self.locals.get(index)
        {
            return Ok(known.clone());
        }
        let is_host = |known: &&Candidate| known.kind() == CandidateKind::Host;
        if self.locals.iter().filter(is_host).count() >= self.config.max_pairs {
            return Err(AgentError::TooManyCandidates);
        }
        let address = candidate.address();
        match self
            .prepared
            .iter()
            .position(|known| known.address() == address)
        {
            Some(index) => candidate = self.prepared.remove(index),
            None => self.place(&mut candidate),
        }
        self.locals.push(candidate.clone());
        if self.is_checking() {
            let local = self.locals.len() - 1;
            for remote in 0..self.remotes.len() {
                self.form_pair(local, remote, Formation::Ordinary);
            }
            self.pump();
        }
        Ok(candidate)
    }

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
        if let Some(index) = self.known_remote(candidate.address()) {
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
        // RFC 8445 §6.1.2.4: reflexive candidates are replaced by their bases, which are there.
        let is_base = ours.address() == ours.base();
        if !is_base || (formation == Formation::Ordinary && !ours.pairs_with(theirs)) {
            return None;
        }
        let transport = ours.transport();
        let path = Path {
            transport,
            local: ours.base(),
            remote: ours.destination(theirs),
        };
        if let Some(id) = self.checklist.by_path(&path) {
            return Some(id);
        }
        let mut pair = Pair::new(path, local, remote, self.generation.number);
        pair.priority = pair::priority(self.role, ours.priority(), theirs.priority());
        pair.foundation = self.pair_foundation(ours, theirs);
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

    /// The remote candidate with this address as it is signalled, without a zone; a check may have
    /// shown it with one.
    fn known_remote(&self, address: SocketAddr) -> Option<usize> {
        let zones = in_zone(address, 0)..=in_zone(address, u32::MAX);
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
        if let Some(&index) = self.remote_by_address.get(&address) {
            return Some(index);
        }
        if let Some(index) = self.known_remote(address)
            && let (Some(ours), Some(theirs)) = (self.locals.get(local), self.remotes.get(index))
            && ours.destination(theirs) == address
        {
            return Some(index);
        }
        let place = if self.remotes.len() < self.config.max_remote_candidates {
            self.remotes.len()
        } else {
            self.vacate_remote()?
        };
        self.foundations += 1;
        let foundation = format!("prflx{}", self.foundations);
        let candidate = Candidate::remote_reflexive(foundation, priority, address);
        self.remote_by_address.insert(address, place);
        match self.remotes.get_mut(place) {
            Some(old) => *old = candidate,
            None => self.remotes.push(candidate),
        }
        Some(place)
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
        self.remote_by_address
            .remove(&self.remotes.get(index)?.address());
        Some(index)
    }

    /// Our own candidate as the peer sees it (RFC 8445 §7.2.5.3.1): the pair's, or a peer-reflexive
    /// one with its base.
    pub(super) fn learn_local(&mut self, local: usize, mapped: SocketAddr) -> usize {
        let Some(base) = self.locals.get(local) else {
            return local;
        };
        let mapped = in_zone(mapped, zone(base.base())); // which the peer cannot know
        let same = |known: &Candidate| known.address() == mapped && known.base() == base.base();
        if let Some(known) = self.locals.iter().position(same) {
            return known;
        }
        let reflexive = |known: &&Candidate| known.kind() == CandidateKind::PeerReflexive;
        if self.locals.iter().filter(reflexive).count() >= LOCAL_REFLEXIVE_MAX {
            return local;
        }
        let mut candidate = base.local_reflexive(String::new(), mapped);
        let foundation = self.foundation_of(&candidate);
        let preference = candidate.local_preference().unwrap_or_default();
        candidate.place(foundation, preference);
        self.locals.push(candidate);
        self.locals.len() - 1
    }

    /// The local candidate that is bound to this address.
    pub(super) fn local_by_base(&self, address: SocketAddr) -> Option<usize> {
        let bound = |known: &Candidate| known.base() == address && known.address() == address;
        self.locals.iter().position(bound)
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
        if self.remotes.len() >= self.config.max_remote_candidates {
            return None;
        }
        let index = self.remotes.len();
        self.remote_by_address.insert(candidate.address(), index);
        self.remotes.push(candidate);
        Some(index)
    }

    /// RFC 8445 §5.1.1.3: the number of the first candidate that shares it.
    fn foundation_of(&mut self, candidate: &Candidate) -> String {
        let shared = self
            .locals
            .iter()
            .chain(&self.prepared)
            .find(|known| known.shares_foundation(candidate));
        if let Some(known) = shared {
            return known.foundation().to_owned();
        }
        self.foundations += 1;
        self.foundations.to_string()
    }

    fn pair_foundation(&self, ours: &Candidate, theirs: &Candidate) -> (usize, usize) {
        let index = |of: &[Candidate], foundation: &str| {
            of.iter()
                .position(|known| known.foundation() == foundation)
                .unwrap_or(usize::MAX)
        };
        (
            index(&self.locals, ours.foundation()),
            index(&self.remotes, theirs.foundation()),
        )
    }

    /// The families take turns, IPv6 first (RFC 8421 §4), each in the order of addition.
    fn preference_of(&self, address: SocketAddr) -> u16 {
        let alike = |known: &&Candidate| {
            known.kind() == CandidateKind::Host && known.address().is_ipv4() == address.is_ipv4()
        };
        let before = self
            .locals
            .iter()
            .chain(&self.prepared)
            .filter(alike)
            .count();
        let turn = u16::try_from(before).unwrap_or(u16::MAX).saturating_mul(2);
        let best = u16::MAX - u16::from(address.is_ipv4());
        let penalty = if address.ip().is_loopback() {
            LOOPBACK_PENALTY
        } else {
            0
        };
        best.saturating_sub(turn).saturating_sub(penalty)
    }
}

/// Why a pair is formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Formation {
    /// By pairing the candidates of both sides.
    Ordinary,
    /// A check of the peer came over it, so that it surely matches and finds room.
    Triggered,
}
