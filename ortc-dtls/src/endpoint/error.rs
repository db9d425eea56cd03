//! What a command of the owner can come to.

/// Why application data was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The handshake is not complete, or the endpoint is closed.
    #[error("not connected")]
    NotConnected,
    /// Nobody has vouched for the peer's certificate yet.
    #[error("the peer is not verified")]
    Unverified,
    /// [`Endpoint::close_write`](crate::Endpoint::close_write) was called.
    #[error("closed for writing")]
    WriteClosed,
    /// It does not fit one datagram of the configured size.
    #[error("longer than the {max} octets that fit")]
    TooLarge {
        /// What fits.
        max: usize,
    },
    /// Too much waits for `poll_transmit`.
    #[error("too much application data is queued")]
    QueueFull,
    /// The key has reached the number of records that it may protect; close the connection.
    #[error("the key reached its limit")]
    KeyLimit,
}

/// Whose keys change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUpdate {
    /// Those that we write with.
    Own,
    /// Those of the peer as well.
    Both,
}

/// Why keys cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyUpdateError {
    /// The handshake is not complete, or the endpoint is closed.
    #[error("not connected")]
    NotConnected,
    /// DTLS 1.2 changes keys by a new handshake only, which WebRTC does not do.
    #[error("the version has no key updates")]
    Version,
}

/// Why the peer was not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerificationError {
    /// The certificate is another one; the endpoint is closed.
    #[error("the peer's certificate does not match")]
    Mismatch,
    /// There is no peer whose handshake is complete.
    #[error("not connected")]
    NotConnected,
    /// The endpoint was closed before.
    #[error("closed")]
    Closed,
    /// The list of fingerprints is empty.
    #[error("no fingerprint given")]
    Empty,
}

/// Why connection ids cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionIdError {
    /// The handshake is not complete, or the endpoint is closed.
    #[error("not connected")]
    NotConnected,
    /// In DTLS 1.2 they stay as they are (RFC 9146 §3).
    #[error("the version has no messages for it")]
    Version,
    /// The peers did not agree on any in this direction.
    #[error("no connection id was negotiated")]
    NotNegotiated,
    /// All of one side have the same length.
    #[error("the length is another one")]
    Length,
    /// The same was wanted before, and has not come to anything yet.
    #[error("the peer has not answered yet")]
    Outstanding,
}
