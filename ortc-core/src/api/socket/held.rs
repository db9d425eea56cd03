//! Checks of peers that were faster than their own descriptions.

use std::collections::VecDeque;

use ortc_ice::Path;

use super::ConnectionId;

/// A datagram that waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Between which addresses it came.
    pub path: Path,
    /// Its octets.
    pub contents: Vec<u8>,
}

/// Checks that wait for a description, or to be taken out after it came.
pub const MAX_HELD_CHECKS: usize = 64;
/// Octets of a check that may wait; browsers send about 120.
pub(super) const MAX_HELD_CHECK: usize = 576;

/// At most [`MAX_HELD_CHECKS`] in both queues together.
#[derive(Debug, Default)]
pub(super) struct Held {
    waiting: VecDeque<HeldCheck>,
    ready: VecDeque<(ConnectionId, Pending)>,
}

#[derive(Debug)]
pub(super) struct HeldCheck {
    pub(super) local_ufrag: String,
    pub(super) remote_ufrag: String,
    pub(super) pending: Pending,
}

impl Held {
    /// Keeps a check; the oldest one that waits makes room. Says no when all are ready and nobody
    /// takes them out.
    pub(super) fn push(&mut self, check: HeldCheck) -> bool {
        if self.waiting.len() + self.ready.len() >= MAX_HELD_CHECKS
            && self.waiting.pop_front().is_none()
        {
            return false;
        }
        self.waiting.push_back(check);
        true
    }

    /// Moves those that `is_for` says are the connection's to where they are taken out, in order.
    pub(super) fn release(&mut self, id: ConnectionId, mut is_for: impl FnMut(&HeldCheck) -> bool) {
        for check in core::mem::take(&mut self.waiting) {
            if is_for(&check) {
                self.ready.push_back((id, check.pending));
            } else {
                self.waiting.push_back(check);
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<(ConnectionId, Pending)> {
        self.ready.pop_front()
    }

    pub(super) fn forget(&mut self, id: ConnectionId) {
        self.ready.retain(|(owner, _)| *owner != id);
    }
}
