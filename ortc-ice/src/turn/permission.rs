//! Permissions (RFC 8656 §9): asked for ahead of need, in batches, and refreshed while they are
//! wanted.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

/// A permission is asked for again this long after it was: they last 300 s (RFC 8656 §9), and a
/// request may take 39.5 s.
const REFRESH: Duration = Duration::from_secs(240);
/// Those that are due within this time are refreshed together.
const BATCH: Duration = Duration::from_secs(20);
/// Addresses in one request: 768 octets of IPv6 ones.
pub(super) const BATCH_MAX: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Not answered yet.
    Asked,
    /// Installed on the server; to be refreshed then, or just being refreshed.
    Installed(Option<Instant>),
    Refused,
}

#[derive(Debug, Default)]
pub(super) struct Permissions {
    by_address: BTreeMap<IpAddr, Standing>,
    /// To be asked for with the next request.
    wanted: VecDeque<IpAddr>,
    due: BTreeSet<(Instant, IpAddr)>,
}

/// What is known of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    No,
    Permitted,
    Refused,
}

impl Permissions {
    pub(super) fn len(&self) -> usize {
        self.by_address.len()
    }

    pub(super) fn get(&self, peer: IpAddr) -> Known {
        match self.by_address.get(&peer) {
            None => Known::No,
            Some(Standing::Asked | Standing::Installed(_)) => Known::Permitted,
            Some(Standing::Refused) => Known::Refused,
        }
    }

    pub(super) fn want(&mut self, peer: IpAddr) {
        self.by_address.insert(peer, Standing::Asked);
        self.wanted.push_back(peer);
    }

    /// Forgets it; on the server it ends by itself.
    pub(super) fn remove(&mut self, peer: IpAddr) {
        if let Some(Standing::Installed(Some(at))) = self.by_address.remove(&peer) {
            self.due.remove(&(at, peer));
        }
        self.wanted.retain(|wanted| *wanted != peer);
    }

    /// Forgets those that are wanted and not asked for, if this says so.
    pub(super) fn drop_wanted(&mut self, drop: impl Fn(IpAddr) -> bool) -> Vec<IpAddr> {
        let dropped: Vec<_> = self
            .wanted
            .iter()
            .copied()
            .filter(|peer| drop(*peer))
            .collect();
        self.wanted.retain(|peer| !drop(*peer));
        for peer in &dropped {
            self.by_address.remove(peer);
        }
        dropped
    }

    pub(super) fn is_wanted(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// The addresses for the next request.
    pub(super) fn take_batch(&mut self) -> Vec<IpAddr> {
        let count = self.wanted.len().min(BATCH_MAX);
        self.wanted.drain(..count).collect()
    }

    /// A request that was first sent at `since` succeeded; whether this address is new.
    pub(super) fn installed(&mut self, peer: IpAddr, since: Instant) -> bool {
        let Some(standing) = self.by_address.get_mut(&peer) else {
            return false; // no longer wanted
        };
        let at = since + REFRESH;
        let before = core::mem::replace(standing, Standing::Installed(Some(at)));
        if let Standing::Installed(Some(at)) = before {
            self.due.remove(&(at, peer));
        }
        self.due.insert((at, peer));
        before == Standing::Asked
    }

    /// The server refuses it; whether it was wanted.
    pub(super) fn refused(&mut self, peer: IpAddr) -> bool {
        let Some(standing) = self.by_address.get_mut(&peer) else {
            return false;
        };
        if let Standing::Installed(Some(at)) = core::mem::replace(standing, Standing::Refused) {
            self.due.remove(&(at, peer));
        }
        true
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Wants those again that are due, and those that soon will be.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.next_due().is_none_or(|at| at > now) {
            return;
        }
        while let Some((at, peer)) = self.due.first().copied() {
            if at > now + BATCH {
                break;
            }
            self.due.remove(&(at, peer));
            if let Some(standing) = self.by_address.get_mut(&peer) {
                *standing = Standing::Installed(None);
                self.wanted.push_back(peer);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Wants these again, which were asked for over another path.
    pub(super) fn again(&mut self, peers: Vec<IpAddr>) {
        for peer in peers {
            if self.by_address.contains_key(&peer) {
                self.wanted.push_back(peer);
            }
        }
    }
}
