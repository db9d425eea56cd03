//! A socket that the agent shares with others.

use super::Agent;
use crate::config::Pacing;
use crate::tag::TransactionTag;

impl Agent {
    /// From now on the agent shares its socket with others: the transaction ids of its checks say
    /// whose they are, and its slots come from outside as with
    /// [`Config::external_pacing`](crate::Config::external_pacing).
    pub fn share_socket(&mut self, tag: TransactionTag) {
        self.random.tag = Some(tag);
        self.config.pacing = Pacing::External;
    }
}
