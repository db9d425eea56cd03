//! Local candidates: which are added, where they are kept, what foundation and preference they get.

use core::net::SocketAddr;
use std::collections::BTreeSet;
use std::time::Instant;

use super::candidates::Formation;
use super::{Agent, AgentError};
use crate::address::{in_zone, zone};
use crate::candidate::{COMPONENT, Candidate, CandidateKind};
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
        let stays = |known: &(usize, &Candidate)| !self.withdrawn.contains(&known.0);
        let live = self.live_locals().filter(stays).map(|(_, known)| known);
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
        let stays = |known: &(usize, &Candidate)| !self.withdrawn.contains(&known.0);
        if let Some((_, known)) = self
            .live_locals()
            .filter(stays)
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
        self.withdrawn.remove(&place);
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

    /// Whether pairs are formed with this one: a base, or what was learned from one that is no
    /// candidate itself.
    pub(super) fn stands_for_base(&self, local: usize) -> bool {
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
                if let Some(old) = self.locals.get_mut(place) {
                    *old = candidate;
                }
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
        let taken: BTreeSet<u16> = known()
            .filter(|other| alike(other) && !is_twin(other, candidate))
            .filter_map(Candidate::local_preference)
            .collect();
        while preference != 0 && taken.contains(&preference) {
            preference -= 1;
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
