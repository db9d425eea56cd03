use core::ops::Deref;

use bytes::Bytes;
use thiserror::Error;

use super::vp8::{self, PictureId};
use super::{Format, h264};

/// Octets that stand before the frame's own in a payload, held inline.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Prefix {
    octets: [u8; Self::CAPACITY],
    len: usize,
}

impl Prefix {
    /// The most octets that a prefix holds; the longest in use is a VP8 descriptor with 6.
    pub const CAPACITY: usize = 16;

    /// No octets: the payload is the body.
    pub const EMPTY: Self = Self {
        octets: [0; Self::CAPACITY],
        len: 0,
    };

    /// Builds a prefix of `N` octets; more than [`Prefix::CAPACITY`] does not compile.
    #[must_use]
    pub fn new<const N: usize>(head: [u8; N]) -> Self {
        const { assert!(N <= Self::CAPACITY) };
        let mut prefix = Self::EMPTY;
        for octet in head {
            prefix.push(octet);
        }
        prefix
    }

    /// Appends one octet; beyond the capacity nothing happens.
    pub(super) fn push(&mut self, octet: u8) {
        if let Some(slot) = self.octets.get_mut(self.len) {
            *slot = octet;
            self.len += 1;
        }
    }
}

impl Deref for Prefix {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }
}

impl core::fmt::Debug for Prefix {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Prefix({:02x?})", &**self)
    }
}

/// The payload of one packet: `prefix`, then `body`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Payload descriptor or fragmentation header; often empty.
    pub prefix: Prefix,
    /// A slice of the frame, shared and not copied (but an H.264 aggregate is a copy).
    pub body: Bytes,
    /// The RTP marker bit: the last packet of a video frame.
    ///
    /// Always false for audio, where it says that a talk spurt begins (RFC 3551 §4.1, RFC 7587
    /// §4.1): only the caller knows that.
    pub marker: bool,
}

impl Segment {
    /// Octets of the payload.
    #[must_use]
    pub fn len(&self) -> usize {
        self.prefix.len() + self.body.len()
    }

    /// Whether the payload has no octets; a packetizer never makes such a segment.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the payload.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(&self.body);
    }
}

/// Why a frame was refused; nothing of it was put out.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PacketizeError {
    /// The frame has no octets, or an access unit no NAL unit.
    #[error("the frame is empty")]
    Empty,
    /// The format has no fragments and this does not fit: an audio frame, or a NAL unit in
    /// packetization mode 0.
    #[error("{len} octets cannot be fragmented and exceed a payload of {max}")]
    TooLarge {
        /// Octets that must go into one payload.
        len: usize,
        /// Octets that a payload may have.
        max: usize,
    },
    /// A payload of this size has no room for the format's own header and one octet.
    #[error("a payload of {max} octets is too small, {need} are needed")]
    PayloadSize {
        /// Octets that a payload may have.
        max: usize,
        /// The least that works.
        need: usize,
    },
    /// An H.264 frame does not begin with an Annex B start code.
    #[error("the access unit does not begin with a start code")]
    NotAnnexB,
    /// A NAL unit has a type that RFC 6184 uses for itself (0 and 24 to 31).
    #[error("NAL unit type {0} cannot be sent")]
    UnitType(u8),
}

/// Splits encoded frames into RTP payloads.
///
/// What is cut in pieces, a VP8 frame or a large NAL unit, leaves as segments of one length with
/// the last shorter, so that a run of them can leave in one segmented send. A frame that fits one
/// packet costs no allocation.
#[derive(Debug)]
pub struct Packetizer {
    format: Format,
    picture_id: PictureId,
    units: h264::Sender,
}

impl Packetizer {
    /// A packetizer; of `seed` the low 15 bits are the first VP8 picture id, which may be random
    /// (RFC 7741 §4.2). Other formats ignore it.
    #[must_use]
    pub fn new(format: Format, seed: u64) -> Self {
        Self {
            format,
            picture_id: PictureId::from_seed(seed),
            units: h264::Sender::default(),
        }
    }

    /// The format given at construction.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Puts the payloads of `frame` into `out` and returns how many there are.
    ///
    /// `max_payload` is in octets: what the path leaves after the RTP header, its extensions and
    /// the SRTP tag. H.264 frames are Annex B access units (start codes of three or four octets);
    /// every NAL unit is sent, in order, access unit delimiters and filler included.
    ///
    /// # Errors
    ///
    /// [`PacketizeError`]; the frame is refused whole, and the next one is not affected.
    pub fn packetize(
        &mut self,
        frame: &Bytes,
        max_payload: usize,
        out: &mut impl Extend<Segment>,
    ) -> Result<usize, PacketizeError> {
        if frame.is_empty() {
            return Err(PacketizeError::Empty);
        }
        match self.format {
            Format::Opus | Format::Pcmu | Format::Pcma => {
                if frame.len() > max_payload {
                    return Err(PacketizeError::TooLarge {
                        len: frame.len(),
                        max: max_payload,
                    });
                }
                out.extend(Some(Segment {
                    prefix: Prefix::EMPTY,
                    body: frame.clone(),
                    marker: false,
                }));
                Ok(1)
            }
            Format::Vp8 => {
                let count = vp8::packetize(frame, self.picture_id, max_payload, out)?;
                self.picture_id = self.picture_id.next();
                Ok(count)
            }
            Format::H264 { mode } => self.units.packetize(frame, mode, max_payload, out),
        }
    }
}

/// Cuts `data` into the fewest pieces of at most `max` octets, all of one length but a shorter
/// last. Nothing comes of an empty `data` or a zero `max`.
pub(super) fn equal_pieces(data: Bytes, max: usize) -> impl ExactSizeIterator<Item = Bytes> {
    let count = data
        .len()
        .checked_div(max)
        .map_or(0, |_| data.len().div_ceil(max));
    let size = if count == 0 {
        0
    } else {
        data.len().div_ceil(count)
    };
    (0..count).map(move |index| {
        let from = index * size;
        data.slice(from..data.len().min(from + size))
    })
}
