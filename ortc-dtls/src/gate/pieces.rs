//! ClientHellos in fragments, of a bounded number of clients for a bounded time.

use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use crate::reassembly::{Message, Reassembly, Stored};
use crate::wire::handshake::Fragment;

/// Octets of a ClientHello: one with a share of X25519MLKEM768 has about 1500.
const LIMIT: usize = 4096;

/// What leaves together arrives together; what is lost comes again with all the rest.
const PATIENCE: Duration = Duration::from_secs(1);

/// Fragments that wait for the rest of their hello.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// Clients at once.
    clients: usize,
    /// Oldest first.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    peer: Vec<u8>,
    message_seq: u16,
    since: Instant,
    /// The highest number of its records.
    sequence: u64,
    reassembly: Reassembly,
}

impl Pieces {
    pub(super) fn new(clients: usize) -> Self {
        Self {
            clients,
            waiting: VecDeque::with_capacity(clients),
        }
    }

    pub(super) const fn is_off(&self) -> bool {
        self.clients == 0
    }

    /// Keeps a fragment; returns the hello that is complete with it, and the number of a record
    /// of it.
    pub(super) fn insert(
        &mut self,
        peer: &[u8],
        fragment: &Fragment<'_>,
        sequence: u64,
        now: Instant,
    ) -> Option<(Message, u64)> {
        self.waiting
            .retain(|waiting| now.saturating_duration_since(waiting.since) < PATIENCE);
        let known = self.waiting.iter().position(|waiting| {
            waiting.message_seq == fragment.message_seq && waiting.peer == peer
        });
        let mut waiting = known
            .and_then(|at| self.waiting.remove(at))
            .unwrap_or_else(|| Waiting::new(peer, fragment.message_seq, now));
        let mut stored = waiting.reassembly.insert(fragment, 0);
        if stored == Stored::Inconsistent {
            // Another hello, or somebody's who is not the client: the newest counts.
            waiting = Waiting::new(peer, fragment.message_seq, now);
            stored = waiting.reassembly.insert(fragment, 0);
        }
        waiting.sequence = waiting.sequence.max(sequence);
        if let Some(message) = waiting.reassembly.pop() {
            return Some((message, waiting.sequence));
        }
        if matches!(stored, Stored::New | Stored::Repeated) {
            // The oldest makes room.
            while self.waiting.len() >= self.clients {
                self.waiting.pop_front();
            }
            self.waiting.push_back(waiting);
        }
        None
    }
}

impl Waiting {
    fn new(peer: &[u8], message_seq: u16, now: Instant) -> Self {
        Self {
            peer: peer.to_vec(),
            message_seq,
            since: now,
            sequence: 0,
            reassembly: Reassembly::starting_at(LIMIT, message_seq),
        }
    }
}
