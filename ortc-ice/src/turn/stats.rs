//! Counters of one client, every reason for a drop among them.

use thiserror::Error;

/// Why something from the server was dropped. Nothing changed because of it but this counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
#[non_exhaustive]
pub enum DropReason {
    /// Neither a STUN message nor `ChannelData`, or a broken one.
    #[error("not a well-formed message")]
    Malformed,
    /// A request, or an indication that no client gets.
    #[error("not a message for a client")]
    Method,
    /// FINGERPRINT is there and wrong.
    #[error("fingerprint is wrong")]
    BadFingerprint,
    /// A response to nothing that we asked and still remember.
    #[error("response to no outstanding request")]
    UnknownTransaction,
    /// MESSAGE-INTEGRITY is missing or wrong.
    #[error("message integrity missing or wrong")]
    BadIntegrity,
    /// A response that RFC 8489 §9.2.5 wants ignored.
    #[error("response to be ignored")]
    Ignored,
    /// A response with an attribute that has to be understood and is not (RFC 8489 §6.3.3).
    #[error("response with an unknown attribute")]
    UnknownAttribute,
    /// Data on a channel that is not ours.
    #[error("data on an unknown channel")]
    UnknownChannel,
    /// Data of a peer without a permission.
    #[error("data of a peer without a permission")]
    UnknownPeer,
    /// Too many octets wait for `poll_data` already.
    #[error("too much data waits")]
    Overload,
    /// There is no allocation.
    #[error("no allocation")]
    NotAllocated,
    /// The client is closed.
    #[error("client is closed")]
    Closed,
}

/// How many reasons there are.
const REASONS: usize = DropReason::Closed as usize + 1;

/// Counters of one client since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Requests sent, repetitions included.
    pub requests_sent: u64,
    /// Responses that were acted on, errors and challenges included.
    pub responses_received: u64,
    /// Payloads wrapped for the server.
    pub data_sent: u64,
    /// Payloads of peers that came.
    pub data_received: u64,
    dropped: [u64; REASONS],
}

impl Counters {
    /// How many messages were dropped for this reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped
            .get(reason as usize)
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn count(&mut self, reason: DropReason) {
        if let Some(counter) = self.dropped.get_mut(reason as usize) {
            *counter = counter.saturating_add(1);
        }
    }
}
