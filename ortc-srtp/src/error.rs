//! What each operation can refuse, one variant per reason, so that a caller can count them.

/// Key material of the wrong length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key does not have the length that the profile asks for.
    #[error("key of {have} octets where the profile takes {need}")]
    Key {
        /// Octets that the profile takes.
        need: usize,
        /// Octets that were given.
        have: usize,
    },
    /// The salt does not have the length that the profile asks for.
    #[error("salt of {have} octets where the profile takes {need}")]
    Salt {
        /// Octets that the profile takes.
        need: usize,
        /// Octets that were given.
        have: usize,
    },
    /// The session authentication key does not have the length that the profile asks for.
    #[error("authentication key of {have} octets where the profile takes {need}")]
    AuthenticationKey {
        /// Octets that the profile takes.
        need: usize,
        /// Octets that were given.
        have: usize,
    },
}

/// Why a packet was not protected. The buffer and the sender are as they were before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ProtectError {
    /// The packet ends inside its header, or `start` is behind the end of the buffer.
    #[error("packet ends inside its header")]
    Truncated,
    /// Not version 2 of RTP or RTCP.
    #[error("not an RTP version 2 packet")]
    Malformed,
    /// More payload than one packet's key stream covers: 2^20 octets (RFC 3711 §4.1.1).
    #[error("packet is longer than its key stream")]
    TooLong,
    /// The sequence number is older than the 1024 last ones, lies before the first one by more
    /// than the rollover counter can express, or before the removal of its SSRC. No receiver would take the packet, and
    /// whether its nonce has been used is no longer known.
    #[error("sequence number is behind the window")]
    TooOld,
    /// Another packet already went out under this SSRC and sequence number. Two different
    /// packets under one nonce would reveal both, and with AES-GCM also the key that forges
    /// tags (RFC 7714 §8.4). The same packet, octet for octet, may be repeated.
    #[error("sequence number was used for a different packet")]
    NonceReuse,
    /// The key has protected all it may: 2^48 RTP or 2^31 RTCP packets, or the rollover
    /// counter is used up (RFC 3711 §9.2). Establish new keys.
    #[error("key is used up")]
    KeyExhausted,
    /// More SSRCs than the sender was told to keep.
    #[error("too many sources")]
    TooManySources,
}

/// Why a packet was refused. The receiver is as it was before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum UnprotectError {
    /// Too short for its own header and the tag.
    #[error("packet is truncated")]
    Truncated,
    /// Not version 2 of RTP or RTCP, or longer than any key stream.
    #[error("not an RTP version 2 packet")]
    Malformed,
    /// The tag does not match: forged, damaged, or protected with other keys.
    #[error("authentication failed")]
    Authentication,
    /// The packet was received before.
    #[error("packet is a replay")]
    Replay,
    /// The packet lies 1024 or more behind the newest, where replays cannot be told apart, or
    /// before the removal of its SSRC.
    #[error("packet is behind the replay window")]
    TooOld,
    /// From a new SSRC, while as many as allowed are known. Its tag was not checked.
    #[error("too many sources")]
    TooManySources,
    /// The rollover counter of this SSRC is used up (RFC 3711 §9.2).
    #[error("key is used up")]
    KeyExhausted,
}
