//! The check list (RFC 8445 §6.1): pairs, their order, the queues of what to check, the deadlines.
//!
//! Every change of a pair's state goes through [`Checklist::set_state`], which keeps the indexes;
//! so a deadline, the next check or a pair by its path are found without a walk over the pairs.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::lanes::{Lanes, Turns};
use crate::pair::{Pair, PairId, PairState, Queue, State};
use crate::path::{Path, StreamId, Transport};
use crate::slots::{PathIndex, Slots};
use crate::stun::TransactionId;

/// After this many new checks in a row a repetition that is due goes first, so that a long check
/// list does not turn one lost datagram into a long wait.
const NEW_IN_A_ROW: u32 = 18;
/// Triggered checks that leave before another one that waits.
const TRIGGERED_IN_A_ROW: u32 = 7;

/// The foundations of both candidates (RFC 8445 §6.1.2.6), as numbers.
type Foundation = (usize, usize);

#[derive(Debug)]
pub(crate) struct Checklist {
    pairs: Slots,
    by_path: PathIndex,
    waiting: Lanes,
    frozen: Lanes,
    /// The frozen pairs again, those of one foundation together.
    frozen_alike: BTreeSet<(Foundation, Reverse<u64>, PairId)>,
    /// The frozen pairs of foundations that nothing is waiting or in progress for.
    free: Lanes,
    /// Whose turn it is among the waiting and the frozen pairs.
    turns: Turns,
    /// How many pairs of a foundation are waiting or in progress, and of all together.
    busy: BTreeMap<Foundation, usize>,
    busy_count: usize,
    triggered: Line,
    repeats: Line,
    deadlines: BTreeSet<(Instant, PairId)>,
    /// Pairs that are not failed.
    live: usize,
    new_in_a_row: u32,
    /// Triggered checks since another one left.
    triggered_in_a_row: u32,
    tickets: u64,
    /// Streams that no pair is on any more.
    orphans: Vec<StreamId>,
}

/// Pairs in the order of their tickets.
type Line = BTreeSet<(u64, PairId)>;

impl Checklist {
    /// An empty list; the key is for the index of paths.
    pub(crate) fn new(key: [u64; 2]) -> Self {
        Self {
            pairs: Slots::default(),
            by_path: PathIndex::new(key),
            waiting: Lanes::default(),
            frozen: Lanes::default(),
            frozen_alike: BTreeSet::new(),
            free: Lanes::default(),
            turns: Turns::default(),
            busy: BTreeMap::new(),
            busy_count: 0,
            triggered: BTreeSet::new(),
            repeats: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            live: 0,
            new_in_a_row: 0,
            triggered_in_a_row: 0,
            tickets: 0,
            orphans: Vec::new(),
        }
    }

    pub(crate) fn get(&self, id: PairId) -> Option<&Pair> {
        self.pairs.get(id)
    }

    /// For everything but state, priority, foundation, queue and deadline, which have indexes.
    pub(crate) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        self.pairs.get_mut(id)
    }

    pub(crate) fn by_path(&self, path: &Path) -> Option<PairId> {
        self.by_path.get(path)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PairId, &Pair)> {
        self.pairs.iter()
    }

    pub(crate) fn ids(&self) -> Vec<PairId> {
        self.pairs.iter().map(|(id, _)| id).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_path.len()
    }

    pub(crate) const fn live(&self) -> usize {
        self.live
    }

    /// Pairs waiting or in progress.
    pub(crate) const fn busy(&self) -> usize {
        self.busy_count
    }

    /// Adds a frozen pair under its path.
    pub(crate) fn insert(&mut self, pair: Pair) -> PairId {
        let path = pair.path;
        let id = self.pairs.insert(pair);
        self.by_path.insert(path, id);
        self.live += 1;
        self.enter_index(id);
        id
    }

    /// Takes a pair out of everything; returns its outstanding transactions.
    pub(crate) fn remove(&mut self, id: PairId) -> Vec<TransactionId> {
        self.set_deadline(id, None);
        self.unqueue(id);
        self.leave_index(id);
        let Some(pair) = self.pairs.remove(id) else {
            return Vec::new();
        };
        if pair.is_busy() {
            self.less_busy(pair.foundation);
        }
        if pair.pair_state() != PairState::Failed {
            self.live -= 1;
        }
        if self.by_path.get(&pair.path) == Some(id) {
            self.by_path.remove(&pair.path);
        }
        self.leave_path(&pair.path);
        pair.outstanding
    }

    /// Moves a pair to another path; a stream that it leaves may have to be closed.
    pub(crate) fn set_path(&mut self, id: PairId, path: Path) {
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        let old = core::mem::replace(&mut pair.path, path);
        if self.by_path.get(&old) == Some(id) {
            self.by_path.remove(&old);
            self.by_path.insert(path, id);
        }
        self.leave_path(&old);
    }

    /// Remembers the stream of a path when no pair is on it any more.
    fn leave_path(&mut self, path: &Path) {
        let mut others = self.pairs.iter().map(|(_, pair)| pair.path.transport);
        if let Transport::Stream(stream) = path.transport
            && !others.any(|other| other == path.transport)
        {
            self.orphans.push(stream);
        }
    }

    pub(crate) const fn has_orphans(&self) -> bool {
        !self.orphans.is_empty()
    }

    /// Streams that no pair is on any more.
    pub(crate) fn take_orphans(&mut self) -> Vec<StreamId> {
        core::mem::take(&mut self.orphans)
    }

    /// A stream is closed already.
    pub(crate) fn forget_stream(&mut self, stream: StreamId) {
        self.orphans.retain(|orphan| *orphan != stream);
    }

    /// A pair of the generation before stays, but is no longer found by its path.
    pub(crate) fn retain_only(&mut self, keep: Option<PairId>) -> Vec<TransactionId> {
        let mut gone = Vec::new();
        for id in self.ids() {
            if Some(id) != keep {
                gone.append(&mut self.remove(id));
            }
        }
        self.by_path.clear();
        gone
    }

    /// The only way to change a state; what the table of transitions omits is refused.
    pub(crate) fn set_state(&mut self, id: PairId, state: State) {
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        let (before, after) = (pair.pair_state(), state.of());
        if !before.may_become(after) {
            debug_assert!(false, "a pair that is {before:?} cannot become {after:?}");
            return;
        }
        if before == after {
            pair.state = state;
            return;
        }
        let (was_busy, foundation) = (pair.is_busy(), pair.foundation);
        self.leave_index(id);
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        pair.state = state;
        match (was_busy, pair.is_busy()) {
            (false, true) => self.more_busy(foundation),
            (true, false) => self.less_busy(foundation),
            (true, true) | (false, false) => {}
        }
        self.enter_index(id);
        if before == PairState::Failed {
            self.live += 1;
        }
        if after == PairState::Failed {
            self.live -= 1;
        }
        if matches!(
            after,
            PairState::Frozen | PairState::Waiting | PairState::Failed
        ) {
            self.set_deadline(id, None);
        }
    }

    pub(crate) fn set_priority(&mut self, id: PairId, priority: u64) {
        self.leave_index(id);
        if let Some(pair) = self.pairs.get_mut(id) {
            pair.priority = priority;
        }
        self.enter_index(id);
    }

    pub(crate) fn set_foundation(&mut self, id: PairId, foundation: Foundation) {
        self.leave_index(id);
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        let old = core::mem::replace(&mut pair.foundation, foundation);
        if pair.is_busy() {
            self.more_busy(foundation);
            self.less_busy(old);
        }
        self.enter_index(id);
    }

    /// Takes a pair out of the indexes by priority, before anything that they depend on changes.
    fn leave_index(&mut self, id: PairId) {
        let Some(pair) = self.pairs.get(id) else {
            return;
        };
        let key = (Reverse(pair.priority), id);
        match pair.pair_state() {
            PairState::Waiting => self.waiting.remove(pair.lane, &key),
            PairState::Frozen => {
                self.frozen.remove(pair.lane, &key);
                self.free.remove(pair.lane, &key);
                self.frozen_alike.remove(&(pair.foundation, key.0, id));
            }
            PairState::InProgress | PairState::Succeeded | PairState::Failed => {}
        }
    }

    fn enter_index(&mut self, id: PairId) {
        let Some(pair) = self.pairs.get(id) else {
            return;
        };
        let key = (Reverse(pair.priority), id);
        match pair.pair_state() {
            PairState::Waiting => self.waiting.insert(pair.lane, key),
            PairState::Frozen => {
                self.frozen.insert(pair.lane, key);
                self.frozen_alike.insert((pair.foundation, key.0, id));
                if !self.busy.contains_key(&pair.foundation) {
                    self.free.insert(pair.lane, key);
                }
            }
            PairState::InProgress | PairState::Succeeded | PairState::Failed => {}
        }
    }

    fn more_busy(&mut self, foundation: Foundation) {
        self.busy_count += 1;
        let count = self.busy.entry(foundation).or_default();
        *count += 1;
        if *count == 1 {
            for (_, priority, id) in self.frozen_alike.range(all_of(foundation)) {
                if let Some(pair) = self.pairs.get(*id) {
                    self.free.remove(pair.lane, &(*priority, *id));
                }
            }
        }
    }

    fn less_busy(&mut self, foundation: Foundation) {
        self.busy_count = self.busy_count.saturating_sub(1);
        let Some(count) = self.busy.get_mut(&foundation) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.busy.remove(&foundation);
            for (_, priority, id) in self.frozen_alike.range(all_of(foundation)) {
                if let Some(pair) = self.pairs.get(*id) {
                    self.free.insert(pair.lane, (*priority, *id));
                }
            }
        }
    }

    pub(crate) fn set_deadline(&mut self, id: PairId, at: Option<Instant>) {
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        if pair.deadline == at {
            return;
        }
        if let Some(old) = core::mem::replace(&mut pair.deadline, at) {
            self.deadlines.remove(&(old, id));
        }
        if let Some(new) = at {
            self.deadlines.insert((new, id));
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Takes the next pair whose deadline has passed; it has none from then on.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, PairId)> {
        let (at, id) = *self.deadlines.first().filter(|(at, _)| *at <= now)?;
        self.set_deadline(id, None);
        Some((at, id))
    }

    /// Queues a pair for a check; a triggered one overtakes a repetition, and none is queued twice.
    pub(crate) fn queue(&mut self, id: PairId, queue: Queue) {
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        match (pair.queue, queue) {
            (None, _) => {}
            (Some((Queue::Repeat, ticket)), Queue::Triggered) => {
                self.repeats.remove(&(ticket, id));
            }
            (Some(_), _) => return,
        }
        let ticket = self.tickets;
        self.tickets += 1;
        pair.queue = Some((queue, ticket));
        match queue {
            Queue::Triggered => self.triggered.insert((ticket, id)),
            Queue::Repeat => self.repeats.insert((ticket, id)),
        };
    }

    /// Takes a pair out of the queue that holds it.
    pub(crate) fn unqueue(&mut self, id: PairId) {
        let place = self.pairs.get_mut(id).and_then(|pair| pair.queue.take());
        match place {
            Some((Queue::Triggered, ticket)) => _ = self.triggered.remove(&(ticket, id)),
            Some((Queue::Repeat, ticket)) => _ = self.repeats.remove(&(ticket, id)),
            None => {}
        }
    }

    /// Takes the pair to check next (RFC 8445 §6.1.4.2): triggered, then waiting by
    /// priority with an early slot for each kind of path, then repetitions. A slot that nothing
    /// else wants goes to a frozen pair: by the RFC to one of a
    /// foundation that nothing is in progress for, else, when `any_frozen`, to the best of all.
    pub(crate) fn next_check(&mut self, any_frozen: bool) -> Option<PairId> {
        // DEVIATION(RFC 8445 §6.1.4.2): a peer that never stops to trigger checks leaves a slot now
        // and then to the others.
        if self.triggered_in_a_row < TRIGGERED_IN_A_ROW
            && let Some((_, id)) = self.triggered.pop_first()
        {
            self.triggered_in_a_row += 1;
            return self.dequeued(id);
        }
        self.triggered_in_a_row = 0;
        if let Some(id) = self.next_ordinary(any_frozen) {
            return Some(id);
        }
        let (_, id) = self.triggered.pop_first()?;
        self.dequeued(id)
    }

    fn next_ordinary(&mut self, any_frozen: bool) -> Option<PairId> {
        if self.new_in_a_row >= NEW_IN_A_ROW
            && let Some((_, id)) = self.repeats.pop_first()
        {
            self.new_in_a_row = 0;
            return self.dequeued(id);
        }
        let next = self.turns.next(&self.waiting).or_else(|| {
            let from = if any_frozen { &self.frozen } else { &self.free };
            self.turns.next(from)
        });
        if let Some(id) = next {
            self.new_in_a_row = self.new_in_a_row.saturating_add(1);
            return Some(id);
        }
        self.new_in_a_row = 0;
        let (_, id) = self.repeats.pop_first()?;
        self.dequeued(id)
    }

    /// Whether `next_check` would find one.
    pub(crate) fn has_check(&self, any_frozen: bool) -> bool {
        let frozen = if any_frozen { &self.frozen } else { &self.free };
        !(self.triggered.is_empty()
            && self.waiting.is_empty()
            && self.repeats.is_empty()
            && frozen.is_empty())
    }

    fn dequeued(&mut self, id: PairId) -> Option<PairId> {
        let pair = self.pairs.get_mut(id)?;
        pair.queue = None;
        Some(id)
    }

    /// Whether a pair of this foundation is waiting or in progress.
    pub(crate) fn is_foundation_busy(&self, foundation: Foundation) -> bool {
        self.busy.contains_key(&foundation)
    }

    /// RFC 8445 §7.2.5.3.3: success thaws the pairs of the same foundation.
    pub(crate) fn thaw(&mut self, foundation: Foundation) {
        while let Some((_, _, id)) = self.frozen_alike.range(all_of(foundation)).next() {
            let id = *id;
            self.set_state(id, State::Waiting);
        }
    }

    /// The pair that makes room for a better one: a failed one, else the lowest priority among
    /// those on which nothing was heard and nothing is valid.
    pub(crate) fn dispensable(&self) -> Option<(bool, u64, PairId)> {
        self.pairs
            .iter()
            .map(|(id, pair)| (pair, pair.pair_state() != PairState::Failed, id))
            .filter(|(pair, alive, _)| !alive || !(pair.check_received || pair.valid().is_some()))
            .map(|(pair, alive, id)| (alive, pair.priority, id))
            .min()
    }

    /// The pairs with this remote candidate.
    pub(crate) fn of_remote(&self, generation: u32, remote: usize) -> Vec<PairId> {
        self.pairs
            .iter()
            .filter(|(_, pair)| pair.generation == generation && pair.remote == remote)
            .map(|(id, _)| id)
            .collect()
    }
}

/// The keys of the pairs of one foundation.
fn all_of(foundation: Foundation) -> core::ops::RangeInclusive<(Foundation, Reverse<u64>, PairId)> {
    let first = PairId { serial: 0, slot: 0 };
    let last = PairId {
        serial: u64::MAX,
        slot: usize::MAX,
    };
    (foundation, Reverse(u64::MAX), first)..=(foundation, Reverse(0), last)
}
