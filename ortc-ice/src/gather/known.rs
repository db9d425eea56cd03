//! The candidates that were reported, each with who vouches for it.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use super::LocalCandidate;
use super::task::TaskId;
use crate::candidate::TcpType;

/// Who vouches for a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The base itself.
    Base,
    /// The answer of a server.
    Task(TaskId),
}

/// Of candidates with the same address and base one is reported (RFC 8445 §5.1.3), for as long as
/// any source stands for it.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<Place, (LocalCandidate, Vec<Source>)>);

/// Address, base and transport, by which candidates are told apart.
type Place = (SocketAddr, SocketAddr, Option<TcpType>);

impl Known {
    /// Adds a source; says whether the candidate is new.
    pub(super) fn add(&mut self, candidate: LocalCandidate, source: Source) -> bool {
        let key = (candidate.address, candidate.base, candidate.tcp);
        let (_, sources) = self
            .0
            .entry(key)
            .or_insert_with(|| (candidate, Vec::with_capacity(1)));
        let new = sources.is_empty();
        if !sources.contains(&source) {
            sources.push(source);
        }
        new
    }

    /// Takes a source away; returns the candidate if that was the last.
    pub(super) fn remove(
        &mut self,
        address: SocketAddr,
        base: SocketAddr,
        tcp: Option<TcpType>,
        source: Source,
    ) -> Option<LocalCandidate> {
        let (candidate, sources) = self.0.get_mut(&(address, base, tcp))?;
        sources.retain(|known| *known != source);
        if !sources.is_empty() {
            return None;
        }
        let candidate = *candidate;
        self.0.remove(&(address, base, tcp));
        Some(candidate)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &LocalCandidate> {
        self.0.values().map(|(candidate, _)| candidate)
    }
}
