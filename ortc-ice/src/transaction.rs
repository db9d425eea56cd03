//! The table of our outstanding requests, found by transaction id.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::pair::PairId;
use crate::path::Path;
use crate::role::Role;
use crate::stun::TransactionId;

/// One check of ours that may still be answered, with everything that it was sent with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transaction {
    pub(crate) pair: PairId,
    pub(crate) path: Path,
    /// The generation of credentials.
    pub(crate) generation: u32,
    /// The role that it claims, so that a late 487 cannot flip a role that changed since.
    pub(crate) role: Role,
    pub(crate) tie_breaker: u64,
    pub(crate) priority: u32,
    /// It carries USE-CANDIDATE, and this value of NOMINATION unless it is 0.
    pub(crate) nominate: Option<u32>,
    pub(crate) sent_at: Instant,
    /// Whether it left more than once, so that its answer measures no round trip.
    pub(crate) repeated: bool,
}

/// Outstanding requests of one pair; the oldest makes room. At the default schedule that is more
/// than four seconds of them.
pub(crate) const OUTSTANDING_MAX: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Transactions(BTreeMap<TransactionId, Transaction>);

impl Transactions {
    pub(crate) fn insert(&mut self, id: TransactionId, transaction: Transaction) {
        self.0.insert(id, transaction);
    }

    pub(crate) fn get(&self, id: TransactionId) -> Option<&Transaction> {
        self.0.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.0.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: TransactionId) {
        self.0.remove(&id);
    }

    pub(crate) fn remove_all(&mut self, ids: impl IntoIterator<Item = TransactionId>) {
        for id in ids {
            self.0.remove(&id);
        }
    }
}
