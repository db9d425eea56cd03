//! The receive buffer: packets of one SSRC in any order become whole frames in order.
//!
//! A missing packet blocks what follows until it arrives or [`Config::max_wait`] has passed. Then
//! it is reported once, as an [`Output::Gap`], the frame that it belonged to is dropped, and
//! delivery goes on with the next frame that is surely whole. A frame is never delivered in part.
//!
//! Where a frame begins after a gap, when packets before it are unknown:
//!
//! - Audio: every packet is a frame.
//! - VP8: S is set and the partition is the first (RFC 7741 §4.2).
//! - H.264 has no such bit. A packet whose predecessor arrived and ended a frame begins one. Directly after a gap, it must have another timestamp than what
//!   stood before the gap, and open an access unit: delimiter, parameter set, SEI, or the slice
//!   with the first macroblock. An access unit with an IDR slice must then begin with its sequence
//!   parameter set or a delimiter, because the parameter sets could be what was lost. A lost SEI
//!   or delimiter before a slice cannot be noticed; decoding does not need it.
//!
//! A frame ends with the marker bit, or before the next packet when that has another timestamp. Of
//! a timestamp of which one video packet was dropped, no frame is delivered. A VP8 frame must end
//! with the marker (RFC 7741 §4.1): if it does not, its end was left out by whoever forwarded it
//! under sequence numbers of their own, and it is dropped.
//!
//! The first packet to arrive need not be the first sent: a stream that seems to begin inside a
//! frame waits 100 ms (or `max_wait`, if that is less) for what came before it.
//!
//! ```
//! use core::time::Duration;
//! use bytes::Bytes;
//! use ortc_rtp::jitter::{Config, Output, Packet, ReorderBuffer};
//! use ortc_rtp::payload::Format;
//!
//! # #[expect(clippy::disallowed_methods, reason = "the embedder's clock")]
//! # let start = std::time::Instant::now();
//! let packet = |extended: u64, octet: u8| Packet {
//!     extended,
//!     timestamp: u32::try_from(extended).unwrap_or_default() * 960,
//!     marker: false,
//!     payload: Bytes::copy_from_slice(&[octet]),
//! };
//! let mut buffer = ReorderBuffer::new(Format::Opus, Config::new(Format::Opus));
//! buffer.push(packet(7, 0xb0), start)?;
//! buffer.push(packet(9, 0xb2), start)?;
//!
//! assert!(matches!(buffer.poll(start), Some(Output::Frame(frame)) if frame.first == 7));
//! assert!(buffer.poll(start).is_none()); // 8 may still come
//!
//! let due = buffer.poll_timeout().unwrap_or(start);
//! assert_eq!(due, start + Duration::from_millis(120));
//! buffer.handle_timeout(due);
//! assert_eq!(buffer.poll(due), Some(Output::Gap { first: 8, packets: 1 }));
//! assert!(matches!(buffer.poll(due), Some(Output::Frame(frame)) if frame.after_gap));
//! # Ok::<(), ortc_rtp::jitter::PushError>(())
//! ```

mod buffer;
mod pool;
mod window;

use core::time::Duration;

use bytes::Bytes;
use thiserror::Error;

pub use self::buffer::ReorderBuffer;
use crate::payload::{Format, MediaKind, ParseError};

/// Bounds of a [`ReorderBuffer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The widest span of sequence numbers held at once, and the most outputs that wait for
    /// [`ReorderBuffer::poll`]; default 512. Numbers outside 1 to 65536 count as the nearer one.
    ///
    /// 512 packets are two seconds of video at 2.5 Mbit/s. Together with the size of a datagram
    /// this bounds the memory that a peer can make the buffer hold.
    pub max_packets: usize,
    /// How long a missing packet blocks what follows, counted from the arrival of the first packet
    /// behind it. Default 120 ms for audio, 500 ms for video; more than 60 s counts as 60 s.
    ///
    /// Audio: six packets of 20 ms; a listener notices a longer delay more than a concealed gap.
    /// Video: room for a NACK and two retransmissions at a round-trip time of 150 ms, since the
    /// price of a lost packet is a key frame.
    pub max_wait: Duration,
    /// The largest frame, in octets; default 1 MiB for video, 64 KiB for audio. A larger one is
    /// dropped.
    pub max_frame: usize,
}

impl Config {
    /// The defaults for a format.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        match format.kind() {
            MediaKind::Audio => Self {
                max_packets: 512,
                max_wait: Duration::from_millis(120),
                max_frame: 1 << 16,
            },
            MediaKind::Video => Self {
                max_packets: 512,
                max_wait: Duration::from_millis(500),
                max_frame: 1 << 20,
            },
        }
    }
}

/// One RTP packet of the stream, without its header and its padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Extended sequence number: the 16 bits of the header and the wraps before them.
    pub extended: u64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// The payload. An empty one (a packet of padding alone) counts as [`ReorderBuffer::skip`].
    pub payload: Bytes,
}

/// What comes out of a [`ReorderBuffer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A whole frame.
    Frame(Frame),
    /// Packets that never came, reported once.
    Gap {
        /// Extended sequence number of the first.
        first: u64,
        /// How many in a row.
        packets: u64,
    },
}

/// A whole frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// RTP timestamp of its packets.
    pub timestamp: u32,
    /// The frame as its decoder takes it; H.264 as an Annex B access unit with start codes of four
    /// octets. A frame of one packet is a slice of that packet, except for H.264.
    pub payload: Bytes,
    /// Whether a decoder can start here; true for audio.
    pub key_frame: bool,
    /// Extended sequence number of its first packet.
    pub first: u64,
    /// Extended sequence number of its last packet.
    pub last: u64,
    /// Whether something between the frame before and this one was lost or dropped.
    pub after_gap: bool,
}

/// Why a packet was not taken; each is counted in [`Stats`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PushError {
    /// Its place has been delivered, or given up.
    #[error("the packet came too late")]
    Late,
    /// A packet of this number is there already.
    #[error("the packet is a duplicate")]
    Duplicate,
    /// It is too far ahead, and what is ready has not been taken out: poll, then push again.
    #[error("the window is full")]
    Full,
    /// The payload is not of the format. Its frame will be dropped without waiting for it.
    #[error("the payload is malformed")]
    Malformed(#[from] ParseError),
}

/// Counters since construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stats {
    /// Packets taken.
    pub packets: u64,
    /// Frames delivered.
    pub frames: u64,
    /// Sequence numbers reported as missing.
    pub lost: u64,
    /// Packets refused as [`PushError::Late`].
    pub late: u64,
    /// Packets refused as [`PushError::Duplicate`].
    pub duplicate: u64,
    /// Packets refused as [`PushError::Full`].
    pub full: u64,
    /// Packets refused as [`PushError::Malformed`].
    pub malformed: u64,
    /// Sequence numbers that belonged to another payload type, or to padding.
    pub skipped: u64,
    /// Packets that were taken and then dropped, because their frame was not whole, not well formed
    /// or too large.
    pub dropped: u64,
    /// Jumps of the sequence number beyond the window.
    pub restarts: u64,
}
