//! One pacer for many agents: `Ta` between checks is a property of the socket, not of a session.

use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use crate::config::ConfigError;

/// Slots that a late call may catch up on, so that pacing depends on the clock and not on how often
/// the embedder calls, and a long sleep does not end in a burst.
pub(crate) const CATCH_UP: u32 = 8;

/// Hands the slots of one socket, `Ta` apart (RFC 8445 §14.2), to all who want one, in turn.
///
/// For the owner of a socket that many [`Agent`](crate::Agent)s send on, each with
/// [`Config::external_pacing`](crate::Config::external_pacing): together they then start no more
/// checks than one agent alone would. `K` names an agent; a look-up and a hand-over cost the same
/// with one and with thousands of them.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::time::Instant;
///
/// use ortc_ice::{Agent, Pacer};
///
/// /// After every other call on an agent: does it want a slot?
/// fn note(agents: &BTreeMap<u32, Agent>, pacer: &mut Pacer<u32>, id: u32, now: Instant) {
///     if agents.get(&id).is_some_and(Agent::wants_slot) {
///         pacer.want(id, now);
///     }
/// }
///
/// /// When `pacer.poll_timeout()` is reached, and after `note`; then poll the agents' output.
/// fn hand_out(agents: &mut BTreeMap<u32, Agent>, pacer: &mut Pacer<u32>, now: Instant) {
///     while let Some(id) = pacer.next(now) {
///         if let Some(agent) = agents.get_mut(&id) {
///             if !agent.grant_slot(now) {
///                 pacer.put_back(); // it wants none any more: for somebody else
///             }
///         }
///         note(agents, pacer, id, now);
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Pacer<K> {
    ta: Duration,
    /// From when on the next slot may be taken.
    next: Instant,
    /// The slot that was given last, for [`put_back`](Self::put_back).
    given: Instant,
    queue: VecDeque<K>,
    queued: BTreeSet<K>,
}

impl<K: Copy + Ord> Pacer<K> {
    /// A pacer with this interval, 5 ms to 1 s.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Ta`] out of range.
    pub fn new(ta: Duration, now: Instant) -> Result<Self, ConfigError> {
        if !(Duration::from_millis(5)..=Duration::from_secs(1)).contains(&ta) {
            return Err(ConfigError::Ta);
        }
        Ok(Self {
            ta,
            next: now,
            given: now,
            queue: VecDeque::new(),
            queued: BTreeSet::new(),
        })
    }

    /// Puts an agent at the end of the line; one that stands in it keeps its place. Slots that
    /// passed while nobody stood there are gone.
    pub fn want(&mut self, id: K, now: Instant) {
        if self.queue.is_empty() {
            self.next = self.next.max(now);
        }
        if self.queued.insert(id) {
            self.queue.push_back(id);
        }
    }

    /// Takes an agent out of the line: it is closed.
    pub fn remove(&mut self, id: K) {
        if self.queued.remove(&id) {
            self.queue.retain(|queued| *queued != id);
        }
    }

    /// Gives the slot of this instant to whoever waits longest; `None` before the slot is due, or
    /// when nobody waits. Of the slots that a late call missed, eight are caught up on.
    pub fn next(&mut self, now: Instant) -> Option<K> {
        if self.next > now {
            return None;
        }
        let id = self.queue.pop_front()?;
        self.queued.remove(&id);
        let earliest = now.checked_sub(self.ta * CATCH_UP).unwrap_or(now);
        self.given = self.next.max(earliest);
        self.next = self.given + self.ta;
        Some(id)
    }

    /// The slot that [`next`](Self::next) gave last was not used: somebody else may have it.
    pub fn put_back(&mut self) {
        self.next = self.given;
    }

    /// When to call [`next`](Self::next); `None` while nobody waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.queue.is_empty()).then_some(self.next)
    }
}
