//! Data of peers that came over a stream and waits to be polled.

use core::net::SocketAddr;
use std::collections::VecDeque;

/// Payloads one behind the other in one buffer, which is used again once all are taken.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    octets: Vec<u8>,
    taken: usize,
    queue: VecDeque<(SocketAddr, usize)>,
}

impl Inbound {
    /// Whether there was room for it among `most` octets; a payload counts as 64 at least.
    pub(super) fn push(&mut self, peer: SocketAddr, payload: &[u8], most: usize) -> bool {
        if self.queue.is_empty() {
            self.octets.clear();
            self.taken = 0;
        }
        let fits =
            self.octets.len().saturating_add(payload.len()) <= most && self.queue.len() < most / 64;
        if fits {
            self.octets.extend_from_slice(payload);
            self.queue.push_back((peer, payload.len()));
        }
        fits
    }

    pub(super) fn pop(&mut self) -> Option<(SocketAddr, &[u8])> {
        let (peer, len) = self.queue.pop_front()?;
        let start = self.taken;
        self.taken += len;
        Some((peer, self.octets.get(start..start + len)?))
    }
}
