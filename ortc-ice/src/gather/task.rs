//! What is asked of one address of a server from one base, and how far that has come.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use super::{ServerError, ServerId};
use crate::candidate::TcpType;
use crate::path::Path;
use crate::stun::TransactionId;

/// Numbers tasks in the order in which they were made; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TaskId(u64);

/// One address of one server, from one base.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) server: ServerId,
    pub(super) base: SocketAddr,
    /// The kind of the base, when it is one over TCP.
    pub(super) tcp: Option<TcpType>,
    pub(super) remote: SocketAddr,
    pub(super) state: State,
    /// How often in a row an allocation was lost soon or not made anew; 0 as long as none was lost.
    pub(super) losses: u32,
    /// How long the server took to answer.
    pub(super) rtt: Option<Duration>,
}

/// How far a task has come.
#[derive(Debug)]
pub(super) enum State {
    /// Another address of the server has its turn first.
    Held,
    /// It had an allocation, and tries to get one again; no round waits for that.
    Lost,
    /// It waits for a slot of the pacer.
    Waiting,
    /// The embedder opens a stream.
    Opening,
    /// A Binding request is on its way.
    Asking(Request),
    /// The server sees the base at this address.
    Bound(SocketAddr),
    /// The same, and a Binding request is on its way that keeps it so.
    Refreshing(SocketAddr, Request),
    /// A TURN client asks for an allocation.
    Allocating,
    /// A TURN client has an allocation.
    Allocated,
    /// It gives nothing.
    Failed,
}

impl State {
    /// Whether the round waits for it.
    pub(super) const fn is_pending(&self) -> bool {
        match self {
            Self::Held | Self::Waiting | Self::Opening | Self::Asking(_) | Self::Allocating => true,
            Self::Lost | Self::Bound(_) | Self::Refreshing(..) | Self::Allocated | Self::Failed => {
                false
            }
        }
    }

    /// Whether it gives candidates.
    pub(super) const fn works(&self) -> bool {
        match self {
            Self::Bound(_) | Self::Refreshing(..) | Self::Allocated => true,
            Self::Held
            | Self::Lost
            | Self::Waiting
            | Self::Opening
            | Self::Asking(_)
            | Self::Allocating
            | Self::Failed => false,
        }
    }

    pub(super) const fn request(&self) -> Option<&Request> {
        match self {
            Self::Asking(request) | Self::Refreshing(_, request) => Some(request),
            Self::Held
            | Self::Lost
            | Self::Waiting
            | Self::Opening
            | Self::Bound(_)
            | Self::Allocating
            | Self::Allocated
            | Self::Failed => None,
        }
    }

    const fn request_mut(&mut self) -> Option<&mut Request> {
        match self {
            Self::Asking(request) | Self::Refreshing(_, request) => Some(request),
            Self::Held
            | Self::Lost
            | Self::Waiting
            | Self::Opening
            | Self::Bound(_)
            | Self::Allocating
            | Self::Allocated
            | Self::Failed => None,
        }
    }
}

/// One STUN transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) id: TransactionId,
    pub(super) path: Path,
    pub(super) first_sent: Instant,
    /// How often it was sent.
    pub(super) sent: u32,
}

/// All tasks, those of one server and base together, and how many of them are pending.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    by_id: BTreeMap<TaskId, Task>,
    groups: BTreeMap<(ServerId, SocketAddr), Vec<TaskId>>,
    serial: u64,
    pending: usize,
}

impl Tasks {
    pub(super) fn insert(&mut self, task: Task) -> TaskId {
        let id = TaskId(self.serial);
        self.serial += 1;
        self.pending += usize::from(task.state.is_pending());
        self.groups
            .entry((task.server, task.base))
            .or_default()
            .push(id);
        self.by_id.insert(id, task);
        id
    }

    pub(super) fn get(&self, id: TaskId) -> Option<&Task> {
        self.by_id.get(&id)
    }

    /// The one way to change a state, so that the count of pending ones is right.
    pub(super) fn set(&mut self, id: TaskId, state: State) -> Option<State> {
        let task = self.by_id.get_mut(&id)?;
        self.pending += usize::from(state.is_pending());
        self.pending -= usize::from(task.state.is_pending());
        Some(core::mem::replace(&mut task.state, state))
    }

    /// The request of a task, to count its repetitions.
    pub(super) fn request_mut(&mut self, id: TaskId) -> Option<&mut Request> {
        self.by_id.get_mut(&id)?.state.request_mut()
    }

    /// Keeps the latest round trip.
    pub(super) fn measure(&mut self, id: TaskId, rtt: Option<Duration>) {
        if let Some(task) = self.by_id.get_mut(&id)
            && rtt.is_some()
        {
            task.rtt = rtt;
        }
    }

    /// A task whose state stays.
    pub(super) fn get_mut(&mut self, id: TaskId) -> Option<&mut Task> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: TaskId) -> Option<Task> {
        let task = self.by_id.remove(&id)?;
        self.pending -= usize::from(task.state.is_pending());
        let key = (task.server, task.base);
        if let Some(group) = self.groups.get_mut(&key) {
            group.retain(|known| *known != id);
            if group.is_empty() {
                self.groups.remove(&key);
            }
        }
        Some(task)
    }

    pub(super) const fn pending(&self) -> usize {
        self.pending
    }

    /// The tasks of one server from one base, in the order of its addresses.
    pub(super) fn group(&self, server: ServerId, base: SocketAddr) -> &[TaskId] {
        self.groups.get(&(server, base)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn of_server(&self, server: ServerId) -> impl Iterator<Item = (TaskId, &Task)> {
        let lowest = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        self.groups
            .range((server, lowest)..)
            .take_while(move |((known, _), _)| *known == server)
            .flat_map(|(_, group)| group)
            .filter_map(|id| Some((*id, self.by_id.get(id)?)))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.by_id.iter().map(|(id, task)| (*id, task))
    }
}

/// What ended an attempt.
pub(super) type Outcome<T> = Result<T, ServerError>;
