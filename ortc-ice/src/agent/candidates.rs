//! Candidates of both sides, and the pairs that they form (RFC 8445 §6.1.2, RFC 8838).

use core::net::SocketAddr;
use std::time::Instant;

use super::{Agent, AgentError};
use crate::candidate::{COMPONENT, Candidate, CandidateKind, TcpType, in_zone, zone};
use crate::lanes::Lane;
use crate::pair::{self, Pair, PairId, PairState, State};
use crate::path::Path;

/// Addresses of ours that are learned from responses at most; a NAT shows few.
const LOCAL_REFLEXIVE_MAX: usize = 32;

impl Agent {
    /// Gives a local candidate the foundation and priority that it will have, without letting it
    /// take part in checks: for an application that signals candidates before it applies them. A
    /// redundant one (RFC 8445 §5.1.3: the address and base of another) returns that other.
    ///
    /// # Errors
    ///
    /// [`AgentError::NotLocal`] for one that is not ours to add, [`AgentError::Closed`].
    pub fn prepare_local_candidate(
        &mut self,
        mut candidate: Candidate,
        now: Instant,
    ) -> Result<Candidate, AgentError> {
        self.advance(now)?;
        self.check_addable(&candidate)?;
        let live = self.live_locals().map(|(_, known)| known);
        if let Some(known) = live
            .chain(&self.prepared)
            .find(|known| makes_redundant(known, &candidate))
        {
            return Ok(known.clone());
        }
        self.place(&mut candidate);
        self.prepared.retain(|known| !is_twin(known, &candidate));
        if self.prepared.len() >= self.config.max_pairs {
            self.prepared.remove(0);
        }
        self.prepared.push(candidate.clone());
        Ok(candidate)
    }

    /// Adds a local candidate of any kind (host, server-reflexive or relayed, over UDP or TCP) whose
    /// socket is bound, and returns it with foundation and priority as the peer needs them. A
    /// redundant one (RFC 8445 §5.1.3: the address and base of another) returns that other.
    ///
    /// Checks of a server-reflexive candidate leave from its base (§6.1.2.4); those of a relayed one
    /// from the relayed address.
    ///
    /// # Errors
    ///
    /// [`AgentError::NotLocal`] for one that is not ours to add: made by [`Candidate::remote`] and
    /// not a host candidate, of another component, or not a host candidate in a lite agent.
    /// [`AgentError::TooManyCandidates`] beyond as many as there may be pairs,
    /// [`AgentError::Closed`].
    pub fn add_local_candidate(
        &mut self,
        mut candidate: Candidate,
        now: Instant,
    ) -> Result<Candidate, AgentError> {
        self.advance(now)?;
        self.check_addable(&candidate)?;
        if let Some((_, known)) = self
            .live_locals()
            .find(|(_, known)| makes_redundant(known, &candidate))
        {
            return Ok(known.clone());
        }
        let given = |known: &(usize, &Candidate)| known.1.is_addable();
        if self.live_locals().filter(given).count() >= self.config.max_pairs {
            return Err(AgentError::TooManyCandidates);
        }
        let prepared = |known: &Candidate| is_twin(known, &candidate);
        match self.prepared.iter().position(prepared) {
            Some(index) => candidate = self.prepared.remove(index),
            None => self.place(&mut candidate),
        }
        let local = self.insert_local(candidate.clone());
        if self.is_checking() {
            for remote in 0..self.remotes.len() {
                self.form_pair(local, remote, Formation::Ordinary);
            }
            self.pump();
        }
        Ok(candidate)
    }

    fn check_addable(&self, candidate: &Candidate) -> Result<(), AgentError> {
        let lite = self.config.is_lite() && !candidate.is_lite();
        if candidate.component() == COMPONENT && candidate.is_addable() && !lite {
            Ok(())
        } else {
            Err(AgentError::NotLocal)
        }
    }

    /// The local candidates that were not removed, with their places.
    pub(super) fn live_locals(&self) -> impl Iterator<Item = (usize, &Candidate)> {
        let live = |(index, _): &(usize, &Candidate)| !self.retired.contains(index);
        self.locals.iter().enumerate().filter(live)
    }

    /// Puts a local candidate where a twin of it is or was, else into a new place, as long as there
    /// are not many that nothing uses.
    fn insert_local(&mut self, candidate: Candidate) -> usize {
        let full = self.locals.len() >= 2 * (self.config.max_pairs + LOCAL_REFLEXIVE_MAX);
        let twin = |known: &Candidate| is_twin(known, &candidate);
        let place = self.locals.iter().position(twin);
        let place = place.or_else(|| self.retired.first().copied().filter(|_| full));
        let place = place.unwrap_or(self.locals.len());
        self.retired.remove(&place);
        match self.locals.get_mut(place) {
            Some(old) => *old = candidate,
            None => self.locals.push(candidate),
        }
        self.reprioritize(); // it may have been learned from a check before
        place
    }

    fn place(&mut self, candidate: &mut Candidate) {
        let preference = candidate
            .local_preference()
            .unwrap_or_else(|| self.preference_of(candidate));
        let foundation = self.foundation_of(candidate);
        candidate.place(foundation, preference);
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

    /// Whether pairs are formed with this one: a base, or what was learned from one that is no
    /// candidate itself.
    fn stands_for_base(&self, local: usize) -> bool {
        let Some(ours) = self
            .locals
            .get(local)
            .filter(|_| !self.retired.contains(&local))
        else {
            return false;
        };
        if ours.is_base() {
            return true;
        }
        let same_base = |known: &(usize, &Candidate)| {
            known.1.is_addable()
                && known.1.base() == ours.base()
                && known.1.is_tcp() == ours.is_tcp()
        };
        let mut same_base = self.live_locals().filter(same_base);
        let first = same_base.next().map(|(index, _)| index);
        first == Some(local) && !same_base.any(|(_, known)| known.is_base())
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
        let place = if self.remotes.len() < self.config.max_remote_candidates {
            self.remotes.len()
        } else {
            self.vacate_remote()?
        };
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

    /// Our own candidate as the peer sees it (RFC 8445 §7.2.5.3.1): the pair's, or a peer-reflexive
    /// one with its base.
    pub(super) fn learn_local(&mut self, local: usize, mapped: SocketAddr) -> usize {
        let Some(base) = self.locals.get(local) else {
            return local;
        };
        let mapped = in_zone(mapped, zone(base.base())); // which the peer cannot know
        let same = |known: &(usize, &Candidate)| {
            let known = known.1;
            known.address() == mapped
                && known.base() == base.base()
                && known.is_tcp() == base.is_tcp()
        };
        if let Some((known, _)) = self.live_locals().find(same) {
            return known;
        }
        let reflexive =
            |known: &(usize, &Candidate)| known.1.kind() == CandidateKind::PeerReflexive;
        if self.live_locals().filter(reflexive).count() >= LOCAL_REFLEXIVE_MAX {
            return local;
        }
        let mut candidate = base.local_reflexive(String::new(), mapped);
        let foundation = self.foundation_of(&candidate);
        let preference = candidate.local_preference().unwrap_or_default();
        candidate.place(foundation, preference);
        let twin = |known: &Candidate| is_twin(known, &candidate);
        match self.locals.iter().position(twin) {
            Some(place) => {
                self.retired.remove(&place);
                place
            }
            None => {
                self.locals.push(candidate);
                self.locals.len() - 1
            }
        }
    }

    /// The local candidate at whose socket this path ends: a base, or what stands for it.
    pub(super) fn local_by_path(&self, path: &Path) -> Option<usize> {
        let received = |(index, known): &(usize, &Candidate)| {
            known.receives_on(path) && !self.withdrawn.contains(index)
        };
        let bases = |known: &(usize, &Candidate)| known.1.is_base();
        let mut of_path = self.live_locals().filter(received);
        let mut bases_first = self.live_locals().filter(received).filter(bases);
        let (index, _) = bases_first.next().or_else(|| of_path.next())?;
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
                if let Some(pair) = self.checklist.get_mut(id) {
                    pair.foundation = foundation;
                }
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
        self.remote_by_address
            .insert((candidate.is_tcp(), candidate.address()), index);
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

    /// The families take turns, IPv6 first (RFC 8421 §4), each in the order of addition; a reflexive
    /// candidate is preferred as much as its base. No two of a kind have the same (RFC 8445 §5.1.2.1).
    fn preference_of(&self, candidate: &Candidate) -> u16 {
        let known = || {
            let live = self.live_locals().map(|(_, known)| known);
            live.chain(&self.prepared)
        };
        let alike = |other: &Candidate| {
            other.kind() == candidate.kind() && other.tcp_type() == candidate.tcp_type()
        };
        let base = known().find(|other| {
            other.is_base()
                && other.base() == candidate.base()
                && other.is_tcp() == candidate.is_tcp()
        });
        let is_ipv4 = candidate.address().is_ipv4();
        let family = |other: &&Candidate| alike(other) && other.address().is_ipv4() == is_ipv4;
        let before = u16::try_from(known().filter(family).count()).unwrap_or(u16::MAX);
        let rank = before.saturating_mul(2).saturating_add(u16::from(is_ipv4));
        let mut preference = match base.and_then(Candidate::local_preference) {
            Some(of_base) => candidate.preference_like(of_base),
            None => candidate.preference_at(rank),
        };
        while known().any(|other| alike(other) && other.local_preference() == Some(preference)) {
            preference = preference.saturating_sub(1);
            if preference == 0 {
                break;
            }
        }
        preference
    }
}

/// Whether a known local candidate makes another one redundant (RFC 8445 §5.1.3). One that only a
/// check has shown gives way to one that can be signalled, and a reflexive one to its base.
fn makes_redundant(known: &Candidate, candidate: &Candidate) -> bool {
    is_twin(known, candidate)
        && known.kind() != CandidateKind::PeerReflexive
        && (known.is_base() || !candidate.is_base())
}

/// The same address and base.
fn is_twin(known: &Candidate, candidate: &Candidate) -> bool {
    known.address() == candidate.address()
        && known.base() == candidate.base()
        && known.tcp_type() == candidate.tcp_type()
}

/// Why a pair is formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Formation {
    /// By pairing the candidates of both sides.
    Ordinary,
    /// A check of the peer came over this path, so that it surely matches and finds room.
    Triggered(Path),
}
