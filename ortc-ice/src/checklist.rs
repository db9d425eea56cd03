//! The check list (RFC 8445 §6.1): pairs, their order, the queues of what to check, the deadlines.
//!
//! Every change of a pair's state goes through [`Checklist::set_state`], which keeps the indexes;
//! so a deadline, the next check or a pair by its path are found without a walk over the pairs.

use core::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use crate::lanes::{Lanes, Turns};
use crate::pair::{Pair, PairId, PairState, Queue, State};
use crate::path::{Path, StreamId, Transport};
use crate::slots::{PathIndex, Slots};
use crate::stun::TransactionId;

/// After this many new checks in a row a repetition that is due goes first, so that a long check
/// list does not turn one lost datagram into a long wait.
const NEW_IN_A_ROW: u32 = 7;

#[derive(Debug)]
pub(crate) struct Checklist {
    pairs: Slots,
    by_path: PathIndex,
    waiting: Lanes,
    frozen: Lanes,
    turns: Turns,
    triggered: VecDeque<PairId>,
    repeats: VecDeque<PairId>,
    deadlines: BTreeSet<(Instant, PairId)>,
    /// Pairs that are not failed.
    live: usize,
    new_in_a_row: u32,
    /// Streams that no pair is on any more.
    orphans: Vec<StreamId>,
}

impl Checklist {
    /// An empty list; the key is for the index of paths.
    pub(crate) fn new(key: [u64; 2]) -> Self {
        Self {
            pairs: Slots::default(),
            by_path: PathIndex::new(key),
            waiting: Lanes::default(),
            frozen: Lanes::default(),
            turns: Turns::default(),
            triggered: VecDeque::new(),
            repeats: VecDeque::new(),
            deadlines: BTreeSet::new(),
            live: 0,
            new_in_a_row: 0,
            orphans: Vec::new(),
        }
    }

    pub(crate) fn get(&self, id: PairId) -> Option<&Pair> {
        self.pairs.get(id)
    }

    /// For everything but state, priority, queue and deadline, which have indexes.
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
    pub(crate) fn busy(&self) -> usize {
        self.pairs.iter().filter(|(_, pair)| pair.is_busy()).count()
    }

    /// Adds a frozen pair under its path.
    pub(crate) fn insert(&mut self, pair: Pair) -> PairId {
        let (path, priority, lane) = (pair.path, pair.priority, pair.lane);
        let id = self.pairs.insert(pair);
        self.by_path.insert(path, id);
        self.frozen.insert(lane, (Reverse(priority), id));
        self.live += 1;
        id
    }

    /// Takes a pair out of everything; returns its outstanding transactions.
    pub(crate) fn remove(&mut self, id: PairId) -> Vec<TransactionId> {
        self.set_deadline(id, None);
        self.unqueue(id);
        let Some(pair) = self.pairs.remove(id) else {
            return Vec::new();
        };
        let key = (Reverse(pair.priority), id);
        self.waiting.remove(pair.lane, &key);
        self.frozen.remove(pair.lane, &key);
        if pair.pair_state() != PairState::Failed {
            self.live -= 1;
        }
        if self.by_path.get(&pair.path) == Some(id) {
            self.by_path.remove(&pair.path);
        }
        self.leave(&pair.path);
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
        self.leave(&old);
    }

    /// Remembers the stream of a path when no pair is on it any more.
    fn leave(&mut self, path: &Path) {
        if let Transport::Stream(stream) = path.transport
            && !self
                .pairs
                .iter()
                .any(|(_, pair)| pair.path.transport == path.transport)
        {
            self.orphans.push(stream);
        }
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

    /// The only way to change a state.
    pub(crate) fn set_state(&mut self, id: PairId, state: State) {
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        let (key, lane) = ((Reverse(pair.priority), id), pair.lane);
        let before = pair.pair_state();
        pair.state = state;
        let after = pair.pair_state();
        if before == after {
            return;
        }
        match before {
            PairState::Frozen => _ = self.frozen.remove(lane, &key),
            PairState::Waiting => _ = self.waiting.remove(lane, &key),
            PairState::Failed => self.live += 1,
            PairState::InProgress | PairState::Succeeded => {}
        }
        match after {
            PairState::Frozen => self.frozen.insert(lane, key),
            PairState::Waiting => self.waiting.insert(lane, key),
            PairState::Failed => self.live -= 1,
            PairState::InProgress | PairState::Succeeded => {}
        }
        if matches!(
            after,
            PairState::Frozen | PairState::Waiting | PairState::Failed
        ) {
            self.set_deadline(id, None);
        }
    }

    pub(crate) fn set_priority(&mut self, id: PairId, priority: u64) {
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        let (old, new) = ((Reverse(pair.priority), id), (Reverse(priority), id));
        let lane = pair.lane;
        pair.priority = priority;
        for index in [&mut self.frozen, &mut self.waiting] {
            if index.remove(lane, &old) {
                index.insert(lane, new);
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
            (None, Queue::Repeat) => {
                pair.queue = Some(queue);
                self.repeats.push_back(id);
            }
            (None, Queue::Triggered) => {
                pair.queue = Some(queue);
                self.triggered.push_back(id);
            }
            (Some(Queue::Repeat), Queue::Triggered) => {
                pair.queue = Some(queue);
                self.repeats.retain(|queued| *queued != id);
                self.triggered.push_back(id);
            }
            (Some(_), _) => {}
        }
    }

    /// Takes a pair out of the queue that holds it.
    pub(crate) fn unqueue(&mut self, id: PairId) {
        let queue = self.pairs.get_mut(id).and_then(|pair| pair.queue.take());
        match queue {
            Some(Queue::Triggered) => self.triggered.retain(|queued| *queued != id),
            Some(Queue::Repeat) => self.repeats.retain(|queued| *queued != id),
            None => {}
        }
    }

    /// Takes the pair to check next (RFC 8445 §6.1.4.2): triggered, then waiting by
    /// priority with an early slot for each kind of path, then
    /// repetitions. A slot that nothing else wants goes to a frozen pair: by the RFC to one of a
    /// foundation that nothing is in progress for, else, when `any_frozen`, to the best of all.
    pub(crate) fn next_check(&mut self, any_frozen: bool) -> Option<PairId> {
        if let Some(id) = self.triggered.pop_front() {
            return self.dequeued(id);
        }
        if self.new_in_a_row >= NEW_IN_A_ROW
            && let Some(id) = self.repeats.pop_front()
        {
            self.new_in_a_row = 0;
            return self.dequeued(id);
        }
        if let Some(id) = self.turns.next(&self.waiting, |_| true) {
            self.new_in_a_row = self.new_in_a_row.saturating_add(1);
            return Some(id);
        }
        if let Some(id) = self.next_frozen(any_frozen) {
            self.new_in_a_row = self.new_in_a_row.saturating_add(1);
            return Some(id);
        }
        self.new_in_a_row = 0;
        let id = self.repeats.pop_front()?;
        self.dequeued(id)
    }

    /// Whether `next_check` would find one.
    pub(crate) fn has_check(&self, any_frozen: bool) -> bool {
        !(self.triggered.is_empty() && self.waiting.is_empty() && self.repeats.is_empty())
            || self.has_frozen(any_frozen)
    }

    /// The frozen pair that a free slot goes to.
    fn next_frozen(&mut self, any: bool) -> Option<PairId> {
        let busy = self.busy_foundations(any);
        let is_free = |id: PairId| is_free(&self.pairs, &busy, id);
        self.turns.next(&self.frozen, is_free)
    }

    fn has_frozen(&self, any: bool) -> bool {
        if any || self.frozen.is_empty() {
            return !self.frozen.is_empty();
        }
        let busy = self.busy_foundations(any);
        self.frozen.iter().any(|id| is_free(&self.pairs, &busy, id))
    }

    /// The foundations that hold back their frozen pairs; none, when `any` frozen pair may go.
    fn busy_foundations(&self, any: bool) -> BTreeSet<(usize, usize)> {
        if any || self.frozen.is_empty() {
            return BTreeSet::new();
        }
        let pairs = self.pairs.iter().map(|(_, pair)| pair);
        let busy = pairs.filter(|pair| pair.is_busy());
        busy.map(|pair| pair.foundation).collect()
    }

    fn dequeued(&mut self, id: PairId) -> Option<PairId> {
        let pair = self.pairs.get_mut(id)?;
        pair.queue = None;
        Some(id)
    }

    /// Whether a pair of this foundation is waiting or in progress.
    pub(crate) fn is_foundation_busy(&self, foundation: (usize, usize)) -> bool {
        self.pairs
            .iter()
            .any(|(_, pair)| pair.foundation == foundation && pair.is_busy())
    }

    /// RFC 8445 §7.2.5.3.3: success thaws the pairs of the same foundation.
    pub(crate) fn thaw(&mut self, foundation: (usize, usize)) {
        for id in self.ids() {
            let frozen = self.pairs.get(id).is_some_and(|pair| {
                pair.foundation == foundation && pair.pair_state() == PairState::Frozen
            });
            if frozen {
                self.set_state(id, State::Waiting);
            }
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

fn is_free(pairs: &Slots, busy: &BTreeSet<(usize, usize)>, id: PairId) -> bool {
    pairs
        .get(id)
        .is_some_and(|pair| !busy.contains(&pair.foundation))
}
