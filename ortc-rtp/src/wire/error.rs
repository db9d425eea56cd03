//! Why octets are not what they claim to be.

/// A packet that cannot be read. It allocates nothing; drop the packet and count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// A field reaches past the end.
    #[error("{what} needs {need} octets and has {have}")]
    Truncated {
        /// The field.
        what: &'static str,
        /// Octets that it needs.
        need: usize,
        /// Octets that are there.
        have: usize,
    },
    /// Not version 2, the only one of RFC 3550.
    #[error("version {0} instead of 2")]
    Version(u8),
    /// The padding count is zero, longer than the packet, or not allowed where it is.
    #[error("a padding count of {count} in {have} octets")]
    Padding {
        /// The last octet, which counts the padding and itself.
        count: u8,
        /// Octets that could be padding.
        have: usize,
    },
    /// Padding in an RTCP packet that is not the last of its compound (RFC 3550 §6.4.1); transport
    /// feedback, which browsers pad anywhere, may have it.
    #[error("padding before the last packet of a compound")]
    EarlyPadding,
    /// A second octet outside the range that RTCP uses beside RTP (RFC 5761 §4).
    #[error("packet type {0} is not RTCP")]
    PacketType(u8),
    /// Octets are left over where a structure had to end.
    #[error("{left} octets after the end of {what}")]
    Trailing {
        /// The structure.
        what: &'static str,
        /// Octets after it.
        left: usize,
    },
    /// A value that the format reserves, so that what follows cannot be told apart.
    #[error("reserved value in {what}")]
    Reserved {
        /// The field.
        what: &'static str,
    },
}
