//! Local candidates that go: an interface that went down, a relay that was lost, a network that
//! shall not be used any more.

use core::net::SocketAddr;
use std::collections::BTreeSet;
use std::time::Instant;

use super::{Agent, AgentError};
use crate::candidate::Candidate;
use crate::pair::PairId;
use crate::path::Path;

impl Agent {
    /// Removes the local candidates with this address, over UDP and TCP. The address of a base (host
    /// or relayed) says that its socket is gone: what was learned from it goes with it, and its pairs
    /// end at once, the one in use too; data moves to the best of the other valid pairs, and all
    /// others are tried at once. Of any other address only the candidate goes; the pairs are those
    /// of its base.
    ///
    /// An address that no candidate has changes nothing. A removed candidate can be added again.
    ///
    /// # Errors
    ///
    /// [`AgentError::Closed`].
    pub fn remove_local_candidate(
        &mut self,
        address: SocketAddr,
        now: Instant,
    ) -> Result<(), AgentError> {
        self.advance(now)?;
        self.prepared
            .retain(|known| known.address() != address && known.base() != address);
        let named = self
            .live_locals()
            .filter(|(_, known)| known.address() == address || known.base() == address);
        let named: Vec<_> = named.map(|(index, _)| index).collect();
        self.remove_locals(&named);
        self.pump();
        Ok(())
    }

    /// The local candidates with this address shall not be used any more, though their sockets still
    /// work: a network that costs, or will be left soon. Pairs that carry no data end, the others
    /// are tried at once, and the pair in use ends, with the candidate, as soon as data leaves on
    /// another. The controlled side waits for the peer to move, so tell the peer (RFC 8838 has no
    /// message for it) or restart.
    ///
    /// # Errors
    ///
    /// [`AgentError::Closed`].
    pub fn withdraw_local_candidate(
        &mut self,
        address: SocketAddr,
        now: Instant,
    ) -> Result<(), AgentError> {
        self.advance(now)?;
        self.prepared.retain(|known| known.address() != address);
        let named = self
            .live_locals()
            .filter(|(_, known)| known.address() == address);
        let named: Vec<_> = named.map(|(index, _)| index).collect();
        for index in &named {
            if let Some(candidate) = self.locals.get_mut(*index) {
                candidate.demote();
            }
        }
        self.withdrawn.extend(named);
        let idle: Vec<_> = self
            .checklist
            .iter()
            .filter(|(id, pair)| self.withdrawn.contains(&pair.local) && !self.in_use(*id))
            .map(|(id, _)| id)
            .collect();
        self.end_pairs(&idle);
        self.reprioritize();
        let active = self.active.as_ref().map(|active| active.id);
        let leaving = active.filter(|id| {
            let pair = self.checklist.get(*id);
            pair.is_some_and(|pair| self.withdrawn.contains(&pair.local))
        });
        if let Some(id) = leaving {
            self.try_others(id);
            self.select();
        }
        self.pump();
        Ok(())
    }

    /// Whether something is to be done that no deadline tells of.
    #[inline]
    pub(super) fn has_chores(&self) -> bool {
        !self.withdrawn.is_empty() || self.checklist.has_orphans() || self.agrees()
    }

    /// Withdrawn candidates whose pairs carry no data any more are removed.
    pub(super) fn finish_withdrawals(&mut self) {
        if self.withdrawn.is_empty() {
            return;
        }
        let mut used = self.withdrawn.clone();
        used.retain(|index| {
            self.checklist
                .iter()
                .any(|(id, pair)| pair.local == *index && self.in_use(id))
        });
        let done: Vec<_> = self.withdrawn.difference(&used).copied().collect();
        self.remove_locals(&done);
    }

    /// Removes the candidates in these places; the bases among them with all that they carry.
    fn remove_locals(&mut self, named: &[usize]) {
        let named: BTreeSet<usize> = named.iter().copied().collect();
        let socket = |known: &Candidate| (known.base(), known.is_tcp());
        let of_named = named.iter().filter_map(|index| self.locals.get(*index));
        let sockets: BTreeSet<_> = of_named.filter(|gone| gone.is_base()).map(socket).collect();
        let gone: BTreeSet<usize> = self
            .live_locals()
            .filter(|(index, known)| named.contains(index) || sockets.contains(&socket(known)))
            .map(|(index, _)| index)
            .collect();
        self.withdrawn.retain(|index| !gone.contains(index));
        self.retired.extend(&gone);
        let mut ends = Vec::new();
        for id in self.checklist.ids() {
            let Some(own) = self.checklist.get(id).map(|pair| pair.local) else {
                continue;
            };
            let heir = match gone.contains(&own) {
                true => self.locals.get(own).and_then(|own| {
                    // Another may stand for a base that is no candidate itself.
                    let same = |known: &(usize, &Candidate)| socket(known.1) == socket(own);
                    self.live_locals().find(same).map(|(index, _)| index)
                }),
                false => Some(own),
            };
            let (Some(heir), Some(pair)) = (heir, self.checklist.get_mut(id)) else {
                ends.push(id);
                continue;
            };
            pair.local = heir;
            if let Some(valid) = pair.valid_mut().filter(|valid| gone.contains(&valid.local)) {
                valid.local = heir;
            }
        }
        self.end_pairs(&ends);
        let left: BTreeSet<_> = self.live_locals().map(|(_, known)| known.base()).collect();
        let went = |path: &Path| {
            let of_gone = gone.iter().filter_map(|index| self.locals.get(*index));
            let mut of_path = of_gone.filter(|known| known.receives_on(path));
            of_path.any(|known| !left.contains(&known.base()))
        };
        self.early.retain(|path| !went(path));
        self.outbox.retain_answers(|path| !went(path));
        self.reprioritize();
    }

    /// Takes pairs out whose socket or stream is gone: what is in use moves at once.
    pub(super) fn end_pairs(&mut self, ids: &[PairId]) {
        for id in ids {
            let gone = self.checklist.remove(*id);
            self.transactions.remove_all(gone);
        }
        let is_gone = |id: PairId| ids.contains(&id);
        let retained = self.retained.as_ref().map(|retained| retained.id);
        if retained.is_some_and(is_gone) {
            self.retained = None;
            self.consent_lost();
        }
        let active = self.active.as_ref().map(|active| active.id);
        if let Some(id) = active.filter(|id| is_gone(*id)) {
            self.active = None;
            self.select();
            if self.active.is_none() && self.retained.is_none() {
                self.consent_lost();
            }
            self.try_others(id);
        }
    }
}
