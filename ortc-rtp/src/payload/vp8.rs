//! VP8 (RFC 7741): the payload descriptor, and frames cut without regard to partitions (§4.4).

use bytes::Bytes;

use super::depacketize::{Content, FrameStart, Layout, Part};
use super::packetize::equal_pieces;
use super::{PacketizeError, ParseError, Prefix, Segment};

// First octet of the descriptor (§4.2).
const X: u8 = 0x80;
const N: u8 = 0x20;
const S: u8 = 0x10;
const PID: u8 = 0x07;
// Extension octet.
const I: u8 = 0x80;
const L: u8 = 0x40;
const T: u8 = 0x20;
const K: u8 = 0x10;
// First octet of the picture id: 15 bits follow.
const M: u8 = 0x80;
// The octet that TID, Y and KEYIDX share.
const Y: u8 = 0x20;
const KEYIDX: u8 = 0x1f;

/// First octet of the VP8 payload header: 0 says key frame (§4.3).
const P: u8 = 0x01;

/// The running index of a frame, in one of its two widths (RFC 7741 §4.2).
///
/// A sender may change the width in mid-stream, so compare only numbers of one width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureId {
    /// 0..=127
    Short(u8),
    /// 0..=32767
    Long(u16),
}

impl PictureId {
    /// A 15-bit id from the low bits of `seed`.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let [low, high, ..] = seed.to_le_bytes();
        Self::Long(u16::from_le_bytes([low, high & !M]))
    }

    /// The id of the next frame: one more, and 0 after the largest of the width.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Short(id) => Self::Short(id.wrapping_add(1) & 0x7f),
            Self::Long(id) => Self::Long(id.wrapping_add(1) & 0x7fff),
        }
    }

    /// The number, whatever its width.
    #[must_use]
    pub fn value(self) -> u16 {
        match self {
            Self::Short(id) => u16::from(id),
            Self::Long(id) => id,
        }
    }
}

/// The temporal layer of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemporalLayer {
    /// TID, 0..=3; 0 is the base layer.
    pub id: u8,
    /// Y: the frame depends on the base layer alone.
    pub sync: bool,
}

/// The VP8 payload descriptor (RFC 7741 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Descriptor {
    /// N: no other frame refers to this one.
    pub non_reference: bool,
    /// S: the first octet of the payload begins a partition.
    pub partition_start: bool,
    /// PID, 0..=7: the partition that the first octet of the payload belongs to.
    pub partition: u8,
    /// The frame's running index.
    pub picture_id: Option<PictureId>,
    /// TL0PICIDX: running index of base-layer frames.
    pub base_layer_index: Option<u8>,
    /// TID and Y.
    pub temporal_layer: Option<TemporalLayer>,
    /// KEYIDX, 0..=31: running index of key frames.
    pub key_index: Option<u8>,
}

impl Descriptor {
    /// Reads a descriptor and returns it with its length in octets.
    ///
    /// Reserved bits are ignored, as §4.2 asks of receivers.
    ///
    /// # Errors
    ///
    /// [`ParseError::Truncated`] when the payload ends inside it.
    pub fn parse(payload: &[u8]) -> Result<(Self, usize), ParseError> {
        let mut rest = payload;
        let mut octet = || match rest.split_first() {
            Some((&first, tail)) => {
                rest = tail;
                Ok(first)
            }
            None => Err(ParseError::Truncated {
                what: "VP8 descriptor",
                need: payload.len() + 1,
                have: payload.len(),
            }),
        };

        let first = octet()?;
        let mut descriptor = Self {
            non_reference: first & N != 0,
            partition_start: first & S != 0,
            partition: first & PID,
            ..Self::default()
        };
        if first & X != 0 {
            let extension = octet()?;
            if extension & I != 0 {
                let high = octet()?;
                descriptor.picture_id = Some(if high & M == 0 {
                    PictureId::Short(high)
                } else {
                    PictureId::Long(u16::from_be_bytes([high & !M, octet()?]))
                });
            }
            if extension & L != 0 {
                descriptor.base_layer_index = Some(octet()?);
            }
            if extension & (T | K) != 0 {
                let shared = octet()?;
                if extension & T != 0 {
                    descriptor.temporal_layer = Some(TemporalLayer {
                        id: shared >> 6,
                        sync: shared & Y != 0,
                    });
                }
                if extension & K != 0 {
                    descriptor.key_index = Some(shared & KEYIDX);
                }
            }
        }
        Ok((descriptor, payload.len() - rest.len()))
    }

    /// The descriptor's octets: 1 to 6. Numbers are cut to the width of their fields.
    #[must_use]
    pub fn encode(&self) -> Prefix {
        let mut extension = 0;
        if self.picture_id.is_some() {
            extension |= I;
        }
        if self.base_layer_index.is_some() {
            extension |= L;
        }
        if self.temporal_layer.is_some() {
            extension |= T;
        }
        if self.key_index.is_some() {
            extension |= K;
        }

        let mut first = self.partition & PID;
        if self.non_reference {
            first |= N;
        }
        if self.partition_start {
            first |= S;
        }
        if extension == 0 {
            return Prefix::new([first]);
        }
        let mut prefix = Prefix::new([first | X, extension]);
        match self.picture_id {
            Some(PictureId::Short(id)) => prefix.push(id & !M),
            Some(PictureId::Long(id)) => {
                let [high, low] = id.to_be_bytes();
                prefix.push(high | M);
                prefix.push(low);
            }
            None => {}
        }
        if let Some(index) = self.base_layer_index {
            prefix.push(index);
        }
        if extension & (T | K) != 0 {
            let mut shared = self.key_index.unwrap_or_default() & KEYIDX;
            if let Some(layer) = self.temporal_layer {
                shared |= layer.id << 6;
                if layer.sync {
                    shared |= Y;
                }
            }
            prefix.push(shared);
        }
        prefix
    }

    /// Whether the payload begins a frame: S is set and the partition is the first (§4.3).
    #[must_use]
    pub const fn begins_frame(&self) -> bool {
        self.partition_start && self.partition == 0
    }
}

pub(super) fn is_key_frame(frame: &[u8]) -> bool {
    frame.first().is_some_and(|octet| octet & P == 0)
}

/// PID stays 0 and S is set once, which is what §4.4 allows to a sender that does not look at
/// partitions. N stays 0: whether a frame is a reference is known to its encoder alone (§4.2).
pub(super) fn packetize(
    frame: &Bytes,
    picture_id: PictureId,
    max_payload: usize,
    out: &mut impl Extend<Segment>,
) -> Result<usize, PacketizeError> {
    let mut descriptor = Descriptor {
        partition_start: true,
        picture_id: Some(picture_id),
        ..Descriptor::default()
    };
    let header = descriptor.encode().len();
    if max_payload <= header {
        return Err(PacketizeError::PayloadSize {
            max: max_payload,
            need: header + 1,
        });
    }
    let pieces = equal_pieces(frame.clone(), max_payload - header);
    let count = pieces.len();
    out.extend(pieces.enumerate().map(|(index, body)| {
        descriptor.partition_start = index == 0;
        Segment {
            prefix: descriptor.encode(),
            body,
            marker: index + 1 == count,
        }
    }));
    Ok(count)
}

pub(super) fn parse(payload: &[u8]) -> Result<Part, ParseError> {
    let (descriptor, header) = Descriptor::parse(payload)?;
    let data = payload.get(header..).unwrap_or_default();
    let Some(&first) = data.first() else {
        return Err(ParseError::Truncated {
            what: "VP8 payload",
            need: header + 1,
            have: payload.len(),
        });
    };
    let begins = descriptor.begins_frame();
    Ok(Part {
        start: if begins {
            FrameStart::Certain
        } else {
            FrameStart::No
        },
        layout: Layout::After(header),
        len: data.len(),
        content: Content {
            key: begins && first & P == 0,
            idr: false,
        },
        picture_id: descriptor.picture_id,
    })
}
