//! What all RTCP packets share: the first word, the length, the padding (RFC 3550 §6.4.1).

use super::TRANSPORT_FEEDBACK;
use crate::wire::ParseError;

const VERSION: u8 = 2;
const VERSION_SHIFT: u32 = 6;
const PADDING: u8 = 0x20;
const COUNT: u8 = 0x1F;

/// The largest value of the five-bit count, of reports, chunks or sources in one packet.
pub(super) const MAX_COUNT: usize = 31;

/// One RTCP packet cut out of its datagram: bounds, version and padding have been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    bytes: &'a [u8],
    body: &'a [u8],
    count: u8,
    packet_type: u8,
}

impl<'a> Frame<'a> {
    /// Octets before the body.
    pub(super) const HEADER_LEN: usize = 4;

    /// Cuts the first packet off; the rest of the datagram is returned with it.
    pub(super) fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), ParseError> {
        let Some((&[first, packet_type, l0, l1], _)) = bytes.split_first_chunk() else {
            return Err(ParseError::Truncated {
                what: "RTCP header",
                need: Self::HEADER_LEN,
                have: bytes.len(),
            });
        };
        if first >> VERSION_SHIFT != VERSION {
            return Err(ParseError::Version(first >> VERSION_SHIFT));
        }
        if !super::is_rtcp(packet_type) {
            return Err(ParseError::PacketType(packet_type));
        }
        let need = (usize::from(u16::from_be_bytes([l0, l1])) + 1) * 4;
        let Some((packet, rest)) = bytes.split_at_checked(need) else {
            return Err(ParseError::Truncated {
                what: "RTCP packet",
                need,
                have: bytes.len(),
            });
        };
        let mut body = packet.get(Self::HEADER_LEN..).unwrap_or_default();
        if first & PADDING != 0 {
            // DEVIATION(RFC 3550 §6.4.1): only the last packet should be padded. Browsers pad
            // transport-wide feedback wherever it stands.
            if !rest.is_empty() && packet_type != TRANSPORT_FEEDBACK {
                return Err(ParseError::EarlyPadding);
            }
            let count = body.last().copied().unwrap_or(0);
            let kept = body.len().checked_sub(usize::from(count));
            body = match kept.and_then(|kept| body.get(..kept)) {
                // DEVIATION(RFC 3550 §6.4.1): the count should be a multiple of four. Browsers pad
                // transport-wide feedback by one to three octets.
                Some(kept) if count != 0 => kept,
                Some(_) | None => {
                    return Err(ParseError::Padding {
                        count,
                        have: body.len(),
                    });
                }
            };
        }
        let frame = Self {
            bytes: packet,
            body,
            count: first & COUNT,
            packet_type,
        };
        Ok((frame, rest))
    }

    /// The whole packet, header and padding included.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What stands between the first word and the padding.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The five bits after version and padding: a count, a subtype or a feedback message type.
    #[must_use]
    pub const fn count(&self) -> u8 {
        self.count
    }

    /// The packet type, 192 to 223.
    #[must_use]
    pub const fn packet_type(&self) -> u8 {
        self.packet_type
    }

    /// Appends the packet as it arrived.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.bytes);
    }
}

/// Splits `N` octets off the front of `body`, or says what is missing.
pub(super) fn take<'a, const N: usize>(
    body: &'a [u8],
    what: &'static str,
) -> Result<(&'a [u8; N], &'a [u8]), ParseError> {
    body.split_first_chunk().ok_or(ParseError::Truncated {
        what,
        need: N,
        have: body.len(),
    })
}

/// Splits `len` octets off the front of `body`, or says what is missing.
pub(super) fn take_slice<'a>(
    body: &'a [u8],
    len: usize,
    what: &'static str,
) -> Result<(&'a [u8], &'a [u8]), ParseError> {
    body.split_at_checked(len).ok_or(ParseError::Truncated {
        what,
        need: len,
        have: body.len(),
    })
}

/// Whole 32-bit words as numbers; what does not fill a word is left out.
pub(super) fn words<'a>(bytes: &'a [u8]) -> impl ExactSizeIterator<Item = u32> + use<'a> {
    let (words, _) = bytes.as_chunks();
    words.iter().map(|word| u32::from_be_bytes(*word))
}

/// Appends one packet; `body` writes what follows the first word.
///
/// The callers bound their bodies far below the 65,535 words that the length can count.
pub(super) fn write(
    out: &mut Vec<u8>,
    count: usize,
    packet_type: u8,
    body: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    let count = u8::try_from(count).unwrap_or(COUNT) & COUNT;
    out.extend_from_slice(&[(VERSION << VERSION_SHIFT) | count, packet_type, 0, 0]);
    body(out);
    let len = (out.len() - start).next_multiple_of(4);
    out.resize(start + len, 0);
    let words = u16::try_from(len / 4 - 1).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(start + 2..start + Frame::HEADER_LEN) {
        field.copy_from_slice(&words.to_be_bytes());
    }
}
