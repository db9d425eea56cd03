//! What a socket remembers of each connection: the credentials and the paths that lead to it.

use std::collections::{BTreeSet, VecDeque};

use ortc_ice::Path;
use ortc_ice::stun::{IntegrityKey, Message};

use super::{ConnectionId, Pending};

#[derive(Debug)]
pub(super) struct Registered {
    /// Local credentials, newest last: a restart adds some, and the old ones stay in use until the
    /// new pair is valid.
    pub(super) locals: VecDeque<Local>,
    /// Remote ufrags, newest last.
    pub(super) remotes: VecDeque<String>,
    pub(super) claims: BTreeSet<Path>,
}

#[derive(Debug)]
pub(super) struct Local {
    pub(super) ufrag: String,
    pub(super) key: IntegrityKey,
}

/// Generations of credentials that lead to a connection: the one in use and the one to come, and
/// one more for a restart of both sides that crossed.
pub(super) const GENERATIONS: usize = 3;

impl Registered {
    pub(super) fn authenticates(&self, message: &Message<'_>) -> bool {
        let Some((ufrag, _)) = message.split_username() else {
            return false;
        };
        let local = self.locals.iter().find(|local| local.ufrag == ufrag);
        local.is_some_and(|local| message.verify_integrity(&local.key))
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (String, String)> {
        self.locals.iter().flat_map(|local| {
            let remotes = self.remotes.iter();
            remotes.map(|remote| (local.ufrag.clone(), remote.clone()))
        })
    }
}

/// Whose a pair of addresses is, and how well that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) id: ConnectionId,
    pub(super) proof: Proof,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proof {
    /// The connection says that it sends there.
    Said,
    /// A check that its password authenticates came from there.
    Checked,
}

#[derive(Debug)]
pub(super) struct HeldCheck {
    pub(super) local_ufrag: String,
    pub(super) remote_ufrag: String,
    pub(super) pending: Pending,
}
