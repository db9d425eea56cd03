//! What servers have said so far, for whoever looks after them.

use core::net::SocketAddr;
use core::time::Duration;

use super::task::State;
use super::{Gatherer, ServerId};
use crate::turn;

/// How far one address of a server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ServerState {
    /// It was not asked yet: the pacer, another address, or a stream comes first; or its allocation
    /// was lost, and will be asked for again.
    Waiting,
    /// It has not answered yet.
    Asking,
    /// It answered, and gives candidates, or would if they were not redundant.
    Working,
    /// It gives nothing.
    Failed,
}

/// One address of a server, asked from one base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// The server.
    pub server: ServerId,
    /// The address of ours that it is asked from; port 0 where a stream has any.
    pub base: SocketAddr,
    /// Its address.
    pub address: SocketAddr,
    /// How far it has come.
    pub state: ServerState,
    /// Where it sees us.
    pub mapped: Option<SocketAddr>,
    /// How long it took to answer, when last measured: for a relay the two round trips, or more, of
    /// an allocation.
    pub rtt: Option<Duration>,
}

impl Gatherer {
    /// What was asked of whom, and what came of it, in the order in which it was begun.
    #[must_use]
    pub fn server_stats(&self) -> Vec<ServerStats> {
        let of = |(id, task): (super::TaskId, &super::task::Task)| {
            let (state, mapped) = match task.state {
                State::Held | State::Lost | State::Waiting | State::Opening => {
                    (ServerState::Waiting, None)
                }
                State::Asking(_) | State::Allocating => (ServerState::Asking, None),
                State::Bound(mapped) | State::Refreshing(mapped, _) => {
                    (ServerState::Working, Some(mapped))
                }
                State::Allocated => (ServerState::Working, self.mapped_of(id)),
                State::Failed => (ServerState::Failed, None),
            };
            ServerStats {
                server: task.server,
                base: task.base,
                address: task.remote,
                state,
                mapped,
                rtt: task.rtt,
            }
        };
        self.tasks.iter().map(of).collect()
    }

    /// What the client of a relayed address has counted: requests, relayed packets, drops by reason.
    #[must_use]
    pub fn relay_counters(&self, relayed: &SocketAddr) -> Option<&turn::Counters> {
        self.counters_of(relayed)
    }
}
