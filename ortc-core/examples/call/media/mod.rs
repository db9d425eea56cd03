//! Media files: encoded frames from and to Ogg Opus, IVF and Annex B files.
//!
//! Nothing is decoded. A file that is read packet by packet and written again decodes to the same
//! samples and pictures.

mod h264;
mod ivf;
mod ogg;

use core::time::Duration;
use std::io;

use bytes::Bytes;
use thiserror::Error;

pub(crate) use self::h264::{H264Reader, H264Writer};
pub(crate) use self::ivf::{IvfHeader, IvfReader, IvfWriter};
pub(crate) use self::ogg::{OggOpusReader, OggOpusWriter, OpusPacket};

/// Why a file could not be read or written.
#[derive(Debug, Error)]
pub(crate) enum MediaError {
    /// The operating system's answer.
    #[error("cannot read or write the file")]
    Io(#[from] io::Error),
    /// Not an Ogg file, or a damaged one.
    #[error("the Ogg pages are damaged")]
    Ogg(#[from] ::ogg::OggReadError),
    /// An Ogg file without the two header packets of RFC 7845 §5.
    #[error("the Ogg file has no {0} header")]
    NoOpus(&'static str),
    /// An Opus packet that is not one (RFC 6716 §3.4).
    #[error("an Opus packet is malformed")]
    Opus(#[from] ortc_rtp::payload::ParseError),
    /// A file that does not begin as IVF files do, or runs at no rate.
    #[error("the IVF header is malformed")]
    IvfHeader,
    /// A frame larger than any that a real-time encoder makes.
    #[error("a frame of {0} octets exceeds the limit")]
    FrameSize(u32),
    /// An Annex B file without a NAL unit.
    #[error("the file has no NAL unit")]
    NoUnits,
}

/// One encoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VideoFrame {
    /// Presentation time in units of the file's [`TimeBase`].
    pub(crate) pts: u64,
    /// The frame as its packetizer takes it.
    pub(crate) data: Bytes,
}

/// What a file's time stamps mean: `scale / rate` seconds each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeBase {
    /// Units per `scale` seconds; not 0.
    pub(crate) rate: u32,
    /// Seconds per `rate` units.
    pub(crate) scale: u32,
}

impl TimeBase {
    /// When a frame is shown, counted from the first.
    pub(crate) fn time(self, pts: u64) -> Duration {
        let nanoseconds =
            u128::from(pts) * u128::from(self.scale) * 1_000_000_000 / u128::from(self.rate.max(1));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}
