//! Counters.

/// Why something that arrived had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// What follows in the datagram is not a record.
    Malformed,
    /// The record belongs to an epoch that has no keys.
    Epoch,
    /// Too much already waits for keys or for the end of the handshake.
    EarlyFull,
    /// The record's number was accepted before or is too old (RFC 6347 §4.1.2.6).
    Replayed,
    /// A protected record without the connection id that was agreed on, or with another
    /// (RFC 9146 §3).
    ConnectionId,
    /// The record failed authentication.
    BadRecord,
    /// An alert in plaintext: anyone can send it.
    PlaintextAlert,
    /// Application data in plaintext.
    PlaintextData,
    /// A ChangeCipherSpec; the epoch of a record already says all that it could.
    ChangeCipherSpec,
    /// An unknown content type.
    ContentType,
    /// A handshake message that a peer in its role does not send, or not now: a HelloRequest before
    /// the end of the handshake or in plaintext, a ClientHello to a client, a hello in plaintext
    /// where none is due.
    Role,
    /// A handshake fragment that is malformed, empty, or contradicts earlier ones. In plaintext the
    /// message may still be completed by the next of its kind; an authenticated one closes.
    Fragment,
    /// A fragment of a message that was processed, or octets that were already there.
    Duplicate,
    /// A fragment of a message too far ahead.
    Ahead,
    /// A fragment of a message above the limit; an authenticated one closes.
    TooLong,
    /// A handshake message in plaintext where only a protected one counts.
    PlaintextHandshake,
    /// A handshake message of DTLS 1.2 after the handshake. The first that asks for another
    /// handshake is answered with the warning no_renegotiation (RFC 5246 §7.2.2).
    Renegotiation,
    /// A record that is longer than was allowed (RFC 8449 §4, RFC 8446 §5.2).
    RecordTooLong,
    /// An ACK in plaintext where only a protected one counts, a malformed one, or one that
    /// acknowledges nothing of ours.
    Ack,
    /// A warning alert without effect.
    Warning,
    /// The queue of received application data is full.
    QueueFull,
    /// The endpoint is closed, or the peer had said that no application data follows.
    Closed,
}

const REASONS: usize = DropReason::Closed as usize + 1;

/// A snapshot of what an endpoint counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Datagrams handed in.
    pub datagrams_received: u64,
    /// Datagrams handed out.
    pub datagrams_sent: u64,
    /// Records accepted: authenticated, or plaintext of a handshake.
    pub records_received: u64,
    /// Flights sent again, by the timer or because the peer repeated its own.
    pub retransmissions: u64,
    dropped: [u64; REASONS],
}

impl Stats {
    /// What was dropped for this reason: records, fragments or messages.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped
            .get(reason as usize)
            .copied()
            .unwrap_or_default()
    }

    /// The sum over all reasons.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    pub(crate) fn count(&mut self, reason: DropReason) {
        tracing::trace!(?reason, "dropped");
        if let Some(counter) = self.dropped.get_mut(reason as usize) {
            *counter += 1;
        }
    }
}
