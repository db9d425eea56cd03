//! Candidates of the peer that hide their address behind a `.local` name
//! (draft-ietf-mmusic-mdns-ice-candidates): the embedder resolves the name, and nothing waits for it.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;
use std::time::Instant;

use super::{Agent, AgentError};
use crate::candidate::COMPONENT;
use crate::event::Event;
use crate::named_candidate::NamedCandidate;

/// Names that are being resolved at most; each is a multicast on the embedder's network.
const ASKED_MAX: usize = 16;

/// Names the question of an [`Event::Resolve`] in its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameQuery(u64);

/// The candidates whose names are being resolved.
#[derive(Debug, Default)]
pub(super) struct Names {
    asked: BTreeMap<NameQuery, Vec<NamedCandidate>>,
    serial: u64,
    /// Candidates in all that were given since the peer's last restart.
    given: usize,
}

impl Names {
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Answers that are still to come mean nothing any more.
    pub(super) fn forget(&mut self) {
        self.asked.clear();
        self.given = 0;
    }
}

impl Agent {
    /// Adds a candidate of the peer that was signalled with a `.local` name, before or after
    /// `connect`: [`Event::Resolve`] asks for its address, once for all candidates with the name.
    /// Until it is known the other candidates are checked as if there were none like it, and the
    /// agent's patience (RFC 8863) does not become longer by it.
    ///
    /// # Errors
    ///
    /// [`AgentError::Component`] for a component other than 1, [`AgentError::TooManyCandidates`]
    /// beyond 16 names at a time, or as many candidates in all as the peer may have,
    /// [`AgentError::Closed`]: go on with the next candidate.
    pub fn add_remote_name(
        &mut self,
        candidate: NamedCandidate,
        now: Instant,
    ) -> Result<(), AgentError> {
        self.advance(now)?;
        if candidate.component() != COMPONENT {
            return Err(AgentError::Component);
        }
        if self.names.given >= self.config.max_remote_candidates {
            return Err(AgentError::TooManyCandidates);
        }
        let same = |known: &&mut Vec<NamedCandidate>| {
            known.iter().any(|known| known.name() == candidate.name())
        };
        if let Some(asked) = self.names.asked.values_mut().find(same) {
            if !asked.contains(&candidate) {
                asked.push(candidate);
                self.names.given += 1;
            }
            return Ok(());
        }
        if self.names.asked.len() >= ASKED_MAX {
            return Err(AgentError::TooManyCandidates);
        }
        let query = NameQuery(self.names.serial);
        self.names.serial += 1;
        self.names.given += 1;
        let name = candidate.name().to_owned();
        self.names.asked.insert(query, vec![candidate]);
        self.events.push_back(Event::Resolve { query, name });
        Ok(())
    }

    /// The answer to an [`Event::Resolve`]: the one address of the name, or `None` when there is
    /// none, or more than one (§3.2.2 of the draft asks to ignore the candidate then). The second
    /// answer to a question, and one that comes after a restart of the peer, change nothing.
    pub fn resolved(&mut self, query: NameQuery, address: Option<IpAddr>, now: Instant) {
        if self.advance(now).is_err() {
            return;
        }
        let candidates = self.names.asked.remove(&query).unwrap_or_default();
        for candidate in address.iter().flat_map(|ip| {
            let at = |known: &NamedCandidate| known.at(SocketAddr::new(*ip, known.port()));
            candidates.iter().filter_map(at)
        }) {
            // One that does not fit, or nothing can be sent to, is left out like any other.
            let _ = self.add_remote_candidate(candidate, now);
        }
        self.pump();
    }
}
