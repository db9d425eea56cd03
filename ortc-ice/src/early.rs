//! Checks of the peer that come before its credentials, or before `connect`: answered at once,
//! remembered here, and triggered checks once we can send them.

use std::collections::BTreeMap;

use crate::path::Path;
use crate::role::Claim;

/// How many are remembered; one a path.
const MAX: usize = 100;

/// What a request asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    pub(crate) priority: u32,
    pub(crate) use_candidate: bool,
    /// The value of NOMINATION; 0, which is none, without it.
    pub(crate) nomination: u32,
    pub(crate) claim: Claim,
}

#[derive(Debug, Default)]
pub(crate) struct EarlyChecks(BTreeMap<Path, (String, Check)>);

impl EarlyChecks {
    /// Remembers the last check of a path; says whether there was room.
    pub(crate) fn remember(&mut self, path: Path, remote_ufrag: &str, check: Check) -> bool {
        if self.0.len() >= MAX && !self.0.contains_key(&path) {
            return false;
        }
        if let Some((ufrag, known)) = self.0.get_mut(&path)
            && ufrag == remote_ufrag
        {
            *known = Check {
                use_candidate: known.use_candidate || check.use_candidate,
                nomination: known.nomination.max(check.nomination),
                ..check
            };
            return true;
        }
        self.0.insert(path, (remote_ufrag.to_owned(), check));
        true
    }

    /// Takes those of this peer, and forgets the rest.
    pub(crate) fn take(&mut self, remote_ufrag: &str) -> impl Iterator<Item = (Path, Check)> {
        let of_this_peer = move |(path, (ufrag, check)): (Path, (String, Check))| {
            (ufrag == remote_ufrag).then_some((path, check))
        };
        core::mem::take(&mut self.0)
            .into_iter()
            .filter_map(of_this_peer)
    }

    pub(crate) fn has(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&Path) -> bool) {
        self.0.retain(|path, _| keep(path));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
