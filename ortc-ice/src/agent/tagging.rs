//! Transaction ids that say whose they are.

use super::Agent;
use crate::tag::TransactionTag;

impl Agent {
    /// Tags the transaction ids of every check from now on, for an agent that shares its socket
    /// with others: see [`TransactionTag`].
    pub fn set_transaction_tag(&mut self, tag: TransactionTag) {
        self.random.tag = Some(tag);
    }
}
