//! Generic negative acknowledgements (RFC 4585 §6.2.1).

use super::feedback::{self, FeedbackView};
use super::{GENERIC_NACK, TRANSPORT_FEEDBACK};
use crate::wire::ParseError;

/// Entries in one packet that we send: with its header it fits the 1200 octets of a datagram.
const MAX_ENTRIES: usize = 256;

/// Bits of the bitmask of following lost packets.
const BITMASK_LEN: u16 = 16;

/// A generic NACK that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NackView<'a> {
    feedback: FeedbackView<'a>,
    entries: &'a [[u8; 4]],
}

impl<'a> NackView<'a> {
    pub(super) fn parse(feedback: FeedbackView<'a>) -> Result<Self, ParseError> {
        let (entries, rest) = feedback.fci().as_chunks();
        if !rest.is_empty() {
            return Err(ParseError::Trailing {
                what: "NACK entries",
                left: rest.len(),
            });
        }
        Ok(Self { feedback, entries })
    }

    /// Who asks.
    #[must_use]
    pub const fn sender_ssrc(&self) -> u32 {
        self.feedback.sender_ssrc()
    }

    /// The source whose packets are missing.
    #[must_use]
    pub const fn media_ssrc(&self) -> u32 {
        self.feedback.media_ssrc()
    }

    /// The missing sequence numbers, in the order of the packet.
    ///
    /// Up to seventeen for each entry, so up to 17 for each four octets that arrived; what is sent
    /// in answer is bounded by [`SendHistory`](crate::repair::SendHistory).
    pub fn lost(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.entries.iter().flat_map(|&[p0, p1, b0, b1]| {
            let first = u16::from_be_bytes([p0, p1]);
            let mask = u16::from_be_bytes([b0, b1]);
            let following = (0..BITMASK_LEN)
                .filter(move |bit| mask & (1 << bit) != 0)
                .map(move |bit| first.wrapping_add(bit + 1));
            core::iter::once(first).chain(following)
        })
    }

    /// Appends the packet as it arrived.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.feedback.encode(out);
    }
}

/// A generic NACK to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nack<'a> {
    /// Who asks.
    pub sender_ssrc: u32,
    /// The source whose packets are missing.
    pub media_ssrc: u32,
    /// The missing sequence numbers; in ascending order they pack best.
    pub lost: &'a [u16],
}

impl Nack<'_> {
    /// Appends a packet for each 256 entries of up to 17 numbers; nothing without numbers.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut rest = self.lost;
        while !rest.is_empty() {
            let kind = (TRANSPORT_FEEDBACK, GENERIC_NACK);
            feedback::write(out, kind, self.sender_ssrc, self.media_ssrc, |out| {
                for _ in 0..MAX_ENTRIES {
                    let Some((&first, after)) = rest.split_first() else {
                        return;
                    };
                    rest = after;
                    let mut mask = 0_u16;
                    while let Some((&next, after)) = rest.split_first() {
                        let bit = next.wrapping_sub(first).wrapping_sub(1);
                        if bit >= BITMASK_LEN {
                            break;
                        }
                        mask |= 1 << bit;
                        rest = after;
                    }
                    out.extend_from_slice(&first.to_be_bytes());
                    out.extend_from_slice(&mask.to_be_bytes());
                }
            });
        }
    }
}
