//! When something is due: an index in which nothing that is not due is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::QueryId;
use super::task::TaskId;

/// What a deadline belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Task(TaskId),
    /// The TURN client of a task.
    Relay(TaskId),
    Query(QueryId),
}

#[derive(Debug, Default)]
pub(super) struct Deadlines {
    order: BTreeSet<(Instant, Key)>,
    by_key: BTreeMap<Key, Instant>,
}

impl Deadlines {
    /// Sets, moves or ends the one deadline of a key.
    pub(super) fn set(&mut self, key: Key, at: Option<Instant>) {
        let old = match at {
            Some(at) => self.by_key.insert(key, at),
            None => self.by_key.remove(&key),
        };
        if old == at {
            return;
        }
        if let Some(old) = old {
            self.order.remove(&(old, key));
        }
        if let Some(at) = at {
            self.order.insert((at, key));
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Key> {
        let (at, key) = *self.order.first()?;
        if at > now {
            return None;
        }
        self.set(key, None);
        Some(key)
    }
}
