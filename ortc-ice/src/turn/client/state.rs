//! What a client is in the middle of.

use core::net::SocketAddr;
use std::time::Instant;

use crate::turn::transaction::Kind;

#[derive(Debug)]
pub(super) enum State {
    /// An Allocate request is out.
    Allocating,
    /// For another path, before there is an allocation.
    Waiting,
    Allocated(Allocation),
    Closed,
}

/// What is worth asking for, as far as the server is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asks {
    pub(super) dont_fragment: bool,
    pub(super) mobility: bool,
}

#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) relayed: [Option<SocketAddr>; 2],
    pub(super) mapped: SocketAddr,
    /// When it ends unless it is refreshed.
    pub(super) expires: Instant,
    /// When it is to be refreshed; none while it is.
    pub(super) refresh_at: Option<Instant>,
    pub(super) ticket: Option<Ticket>,
    pub(super) link: Link,
}

/// What identifies an allocation in place of its 5-tuple (RFC 8016 §4.1): a secret.
pub(super) struct Ticket(pub(super) zeroize::Zeroizing<Vec<u8>>);

impl core::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Ticket(..)")
    }
}

/// Whether the server knows our path.
#[derive(Debug)]
pub(super) enum Link {
    Up,
    /// The Refresh with the ticket is out; these requests wait for its answer.
    Moving(Vec<Kind>),
    /// The stream is gone.
    Down(Vec<Kind>),
}

impl Link {
    pub(super) fn take(&mut self) -> Vec<Kind> {
        match core::mem::replace(self, Self::Up) {
            Self::Up => Vec::new(),
            Self::Moving(held) | Self::Down(held) => held,
        }
    }
}
