//! The order in which pairs get their first check: by priority, but every kind of path early.
//!
//! Pairs run in lanes by address family, by how many relays are on the way, and by whether it is a
//! stream. By priority alone a family that is broken, or a network that lets only the relay through,
//! would be found out after all the host pairs (RFC 8421 §4 asks to interleave).

use core::cmp::Reverse;
use std::collections::BTreeSet;

use crate::candidate::{Candidate, CandidateKind};
use crate::pair::PairId;

/// How many lanes there are.
const LANES: usize = 16;

/// Once every lane has had a turn, one slot in this many goes to the lane that waits longest.
const TURN: u32 = 4;

/// The lane of a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane(u8);

impl Lane {
    /// That of a pair of these, ours first.
    pub(crate) fn of(ours: &Candidate, theirs: &Candidate) -> Self {
        let is_ipv4 = ours.base().is_ipv4();
        let relayed = |end: &Candidate| u8::from(end.kind() == CandidateKind::Relayed);
        let relays = relayed(ours) + relayed(theirs);
        Self(u8::from(is_ipv4) | relays << 1 | u8::from(ours.is_tcp()) << 3)
    }
}

type Key = (Reverse<u64>, PairId);

/// Pairs in one state, best first in each lane.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: [BTreeSet<Key>; LANES],
    /// How many there are in all: asked for with every datagram.
    len: usize,
}

impl Lanes {
    pub(crate) fn insert(&mut self, lane: Lane, key: Key) {
        let lane = self.lanes.get_mut(usize::from(lane.0));
        let is_new = lane.is_some_and(|lane| lane.insert(key));
        self.len += usize::from(is_new);
    }

    pub(crate) fn remove(&mut self, lane: Lane, key: &Key) {
        let lane = self.lanes.get_mut(usize::from(lane.0));
        let was_there = lane.is_some_and(|lane| lane.remove(key));
        self.len -= usize::from(was_there);
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The best of each lane, with the lane.
    fn firsts(&self) -> impl Iterator<Item = (Key, usize)> {
        let lanes = self.lanes.iter().enumerate();
        lanes.filter_map(|(lane, keys)| Some((*keys.first()?, lane)))
    }
}

/// Whose turn it is.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    slots: u32,
    /// For each lane the slot that it had last, counted from 1; 0 for none.
    served: [u32; LANES],
}

impl Turns {
    /// The pair for the next slot.
    pub(crate) fn next(&mut self, pairs: &Lanes) -> Option<PairId> {
        let served = |lane: usize| self.served.get(lane).copied().unwrap_or_default();
        let best = pairs.firsts().min()?;
        let waits = pairs.firsts().map(|(key, lane)| (served(lane), key, lane));
        let waits = waits.min()?;
        let (last, key, lane) = waits;
        // At first every second slot opens a lane, with the best lane in between.
        let turn = if last == 0 {
            self.slots % 2 == 1
        } else {
            self.slots % TURN == TURN - 1
        };
        let ((_, id), lane) = if turn { (key, lane) } else { best };
        self.slots = self.slots.wrapping_add(1);
        if let Some(served) = self.served.get_mut(lane) {
            *served = self.slots.max(1);
        }
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(serial: u64) -> PairId {
        PairId { serial, slot: 0 }
    }

    fn order(pairs: &[(Lane, u64)]) -> Vec<u64> {
        let mut lanes = Lanes::default();
        for (lane, priority) in pairs {
            lanes.insert(*lane, (Reverse(*priority), pair(*priority)));
        }
        let (mut turns, mut order) = (Turns::default(), Vec::new());
        while let Some(id) = turns.next(&lanes) {
            order.push(id.serial);
            for (lane, priority) in pairs {
                if *priority == id.serial {
                    lanes.remove(*lane, &(Reverse(*priority), id));
                }
            }
        }
        assert!(lanes.is_empty());
        order
    }

    #[test]
    fn one_lane_goes_by_priority() {
        let lane = Lane(1);
        assert_eq!(order(&[(lane, 2), (lane, 9), (lane, 5)]), [9, 5, 2]);
    }

    #[test]
    fn each_lane_has_an_early_slot_and_then_one_in_four() {
        let (six, four) = (Lane(0), Lane(1));
        let relay = Lane(3);
        let pairs: Vec<_> = (10..20)
            .map(|priority| (six, priority * 10))
            .chain([(four, 9), (four, 8), (relay, 2), (relay, 1)])
            .collect();
        let order = order(&pairs);
        assert_eq!(order[..4], [190, 9, 180, 2]);
        assert_eq!(order[4..8], [170, 160, 150, 8]);
    }
}
