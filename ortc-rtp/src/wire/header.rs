//! The fixed RTP header (RFC 3550 §5.1): a view for what arrives, a value for what leaves.

use super::ParseError;
use super::extension::{Elements, Extension, ExtensionElements};

const VERSION: u8 = 2;
const VERSION_SHIFT: u32 = 6;
const PADDING: u8 = 0x20;
const EXTENSION: u8 = 0x10;
const CSRC_COUNT: u8 = 0x0F;
const MARKER: u8 = 0x80;
const PAYLOAD_TYPE: u8 = 0x7F;

/// Contributing sources that the four bits of CC can count (RFC 3550 §5.1).
const MAX_CSRCS: usize = 15;

/// An RTP packet whose every length has been checked; fields are read when asked for.
///
/// ```
/// use ortc_rtp::wire::RtpPacket;
///
/// let packet = RtpPacket::parse(&[
///     0x80, 0xEF, 0x00, 0x07, 0, 0, 0, 160, 0, 0, 0, 9, b'a', b'b',
/// ])?;
/// assert!(packet.marker());
/// assert_eq!(packet.payload_type(), 111);
/// assert_eq!(packet.sequence(), 7);
/// assert_eq!(packet.payload(), b"ab");
/// # Ok::<(), ortc_rtp::wire::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    fixed: &'a [u8; Header::LEN],
    csrcs: &'a [u8],
    extension: Option<Extension<'a>>,
    payload: &'a [u8],
    padding_len: u8,
}

impl<'a> RtpPacket<'a> {
    /// Checks version, contributing sources, extension and padding against the length.
    ///
    /// # Errors
    ///
    /// [`ParseError`] when any of them does not fit; drop the packet.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let Some((fixed, rest)) = bytes.split_first_chunk::<{ Header::LEN }>() else {
            return Err(ParseError::Truncated {
                what: "RTP header",
                need: Header::LEN,
                have: bytes.len(),
            });
        };
        let first = fixed[0];
        if first >> VERSION_SHIFT != VERSION {
            return Err(ParseError::Version(first >> VERSION_SHIFT));
        }
        let csrcs_len = usize::from(first & CSRC_COUNT) * 4;
        let Some((csrcs, rest)) = rest.split_at_checked(csrcs_len) else {
            return Err(ParseError::Truncated {
                what: "CSRC list",
                need: csrcs_len,
                have: rest.len(),
            });
        };
        let (extension, rest) = if first & EXTENSION == 0 {
            (None, rest)
        } else {
            let (extension, rest) = Extension::split(rest)?;
            (Some(extension), rest)
        };
        let (payload, padding_len) = if first & PADDING == 0 {
            (rest, 0)
        } else {
            let count = rest.last().copied().unwrap_or(0);
            let kept = rest.len().checked_sub(usize::from(count));
            match kept.and_then(|kept| rest.get(..kept)) {
                Some(payload) if count != 0 => (payload, count),
                Some(_) | None => {
                    return Err(ParseError::Padding {
                        count,
                        have: rest.len(),
                    });
                }
            }
        };
        Ok(Self {
            fixed,
            csrcs,
            extension,
            payload,
            padding_len,
        })
    }

    /// The marker bit; its meaning is the payload format's.
    #[inline]
    #[must_use]
    pub const fn marker(&self) -> bool {
        self.fixed[1] & MARKER != 0
    }

    /// The payload type, 0 to 127.
    #[inline]
    #[must_use]
    pub const fn payload_type(&self) -> u8 {
        self.fixed[1] & PAYLOAD_TYPE
    }

    /// The sequence number.
    #[inline]
    #[must_use]
    pub const fn sequence(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// The timestamp, in units of the payload type's clock rate.
    #[inline]
    #[must_use]
    pub const fn timestamp(&self) -> u32 {
        let [_, _, _, _, a, b, c, d, ..] = *self.fixed;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The synchronisation source.
    #[inline]
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        let [.., a, b, c, d] = *self.fixed;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The contributing sources, at most 15.
    #[inline]
    #[must_use]
    pub fn csrcs(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        let (words, _) = self.csrcs.as_chunks();
        words.iter().map(|word| u32::from_be_bytes(*word))
    }

    /// The header extension, whatever its profile.
    #[inline]
    #[must_use]
    pub const fn extension(&self) -> Option<Extension<'a>> {
        self.extension
    }

    /// The elements `(id, data)` of a header extension of RFC 8285.
    ///
    /// Without an extension, or with one of another profile, there are none.
    #[inline]
    #[must_use]
    pub fn extensions(&self) -> Elements<'a> {
        self.extension
            .map_or_else(Elements::none, |extension| extension.elements())
    }

    /// Octets before the payload: fixed header, contributing sources, extension.
    #[inline]
    #[must_use]
    pub fn header_len(&self) -> usize {
        let extension = self
            .extension
            .map_or(0, |extension| Extension::PREFIX + extension.data.len());
        Header::LEN + self.csrcs.len() + extension
    }

    /// The payload without its padding.
    #[inline]
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Octets of padding after the payload, 0 to 255.
    ///
    /// Part of the packet for whoever measures bandwidth.
    #[inline]
    #[must_use]
    pub fn padding_len(&self) -> usize {
        usize::from(self.padding_len)
    }

    /// The fixed fields as a value, to be changed and sent on.
    #[inline]
    #[must_use]
    pub const fn header(&self) -> Header {
        Header {
            marker: self.marker(),
            payload_type: self.payload_type(),
            sequence: self.sequence(),
            timestamp: self.timestamp(),
            ssrc: self.ssrc(),
        }
    }
}

/// The fields that differ from packet to packet (RFC 3550 §5.1), to be written.
///
/// The padding bit is never set: several receivers in the field mishandle padded media, and
/// padding for bandwidth probing travels as retransmissions instead.
///
/// ```
/// use ortc_rtp::wire::{Header, RtpPacket};
///
/// let header = Header { marker: true, payload_type: 111, sequence: 7, timestamp: 960, ssrc: 9 };
/// let mut out = Vec::new();
/// header.encode(&mut out);
/// out.extend_from_slice(b"payload");
/// assert_eq!(RtpPacket::parse(&out)?.header(), header);
/// # Ok::<(), ortc_rtp::wire::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The marker bit.
    pub marker: bool,
    /// The payload type, 0 to 127; the bit above is the marker's and is not written.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp, in units of the payload type's clock rate.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
}

impl Header {
    /// Octets of the fixed header.
    pub const LEN: usize = 12;

    /// Appends the twelve octets of a header without contributing sources and extension.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.fixed(0));
    }

    /// Appends the header with contributing sources and a header extension.
    ///
    /// Of more than fifteen contributing sources the first fifteen are identified, as RFC 3550
    /// §5.1 has it. Without elements the X bit stays clear.
    #[inline]
    pub fn encode_with(&self, out: &mut Vec<u8>, csrcs: &[u32], elements: &ExtensionElements) {
        let csrcs = csrcs.get(..MAX_CSRCS).unwrap_or(csrcs);
        let count = u8::try_from(csrcs.len()).unwrap_or(CSRC_COUNT);
        let extension = if elements.is_empty() { 0 } else { EXTENSION };
        out.extend_from_slice(&self.fixed(extension | count));
        for csrc in csrcs {
            out.extend_from_slice(&csrc.to_be_bytes());
        }
        out.extend_from_slice(elements.as_bytes());
    }

    #[inline]
    const fn fixed(&self, flags: u8) -> [u8; Self::LEN] {
        let marker = if self.marker { MARKER } else { 0 };
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [i0, i1, i2, i3] = self.ssrc.to_be_bytes();
        [
            (VERSION << VERSION_SHIFT) | flags,
            marker | (self.payload_type & PAYLOAD_TYPE),
            s0,
            s1,
            t0,
            t1,
            t2,
            t3,
            i0,
            i1,
            i2,
            i3,
        ]
    }
}
