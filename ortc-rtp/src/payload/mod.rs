//! Payload formats: encoded frames to RTP payloads and back.
//!
//! | format | specification | here |
//! |---|---|---|
//! | Opus | RFC 7587 | one packet, one payload |
//! | PCMU, PCMA | RFC 3551 §4.5.14 | one frame, one payload |
//! | VP8 | RFC 7741 | 15-bit picture id sent, every descriptor field read; partitions are not told apart |
//! | H.264 | RFC 6184 | modes 0 and 1: single NAL unit, STAP-A, FU-A; frames are Annex B access units |
//!
//! A [`Packetizer`] splits a frame into [`Segment`]s that share the frame's memory. A
//! [`Depacketizer`] checks one payload at a time and says what it adds to a frame; the
//! [reorder buffer](crate::jitter) puts it behind a window of packets and gives whole frames.
//!
//! ```
//! use bytes::Bytes;
//! use ortc_rtp::payload::{Format, Packetizer, Segment};
//!
//! let frame = Bytes::from(vec![0x10; 3_000]);
//! let mut packetizer = Packetizer::new(Format::Vp8, 4_711);
//! let mut segments: Vec<Segment> = Vec::new();
//! let count = packetizer.packetize(&frame, 1_160, &mut segments)?;
//!
//! assert_eq!(count, 3);
//! assert!(segments.iter().all(|segment| segment.len() <= 1_160));
//! assert!(segments.last().is_some_and(|segment| segment.marker));
//! # Ok::<(), ortc_rtp::payload::PacketizeError>(())
//! ```

mod depacketize;
pub mod g711;
pub mod h264;
pub mod opus;
mod packetize;
pub mod vp8;

pub use self::depacketize::{Depacketizer, FrameStart, ParseError, Part, Whole};
pub use self::h264::PacketizationMode;
pub use self::packetize::{PacketizeError, Packetizer, Prefix, Segment};

/// Sound or picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    /// Sound: every packet is a frame.
    Audio,
    /// Picture: a frame is one or more packets of one timestamp.
    Video,
}

/// A payload format that this crate packetizes and depacketizes.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Opus (RFC 7587).
    Opus,
    /// G.711 µ-law (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law (RFC 3551 §4.5.14).
    Pcma,
    /// VP8 (RFC 7741).
    Vp8,
    /// H.264 (RFC 6184).
    H264 {
        /// What the receiver has said that it takes; `packetization-mode` in its parameters.
        mode: PacketizationMode,
    },
}

impl Format {
    /// RTP timestamp units per second.
    ///
    /// Opus is always 48000, whatever rate the codec runs at (RFC 7587 §4.1).
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Pcmu | Self::Pcma => 8_000,
            Self::Vp8 | Self::H264 { .. } => 90_000,
        }
    }

    /// Sound or picture.
    #[must_use]
    pub const fn kind(self) -> MediaKind {
        match self {
            Self::Opus | Self::Pcmu | Self::Pcma => MediaKind::Audio,
            Self::Vp8 | Self::H264 { .. } => MediaKind::Video,
        }
    }
}

/// Whether a decoder can start at this frame.
///
/// VP8: the inverse key frame flag is 0 (RFC 7741 §4.3). H.264: the access unit holds an IDR
/// slice or a sequence parameter set. Audio frames are always a place to start.
#[must_use]
pub fn is_key_frame(format: Format, frame: &[u8]) -> bool {
    match format {
        Format::Opus | Format::Pcmu | Format::Pcma => true,
        Format::Vp8 => vp8::is_key_frame(frame),
        Format::H264 { .. } => h264::is_key_frame(frame),
    }
}
