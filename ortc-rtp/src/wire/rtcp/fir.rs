//! Full intra request (RFC 5104 §4.3.1).

use super::feedback::{self, FeedbackView};
use super::{FULL_INTRA_REQUEST, PAYLOAD_FEEDBACK};
use crate::wire::ParseError;

/// Entries in one packet that we send: it stays below 1200 octets.
const MAX_ENTRIES: usize = 128;

/// One request for a decoder refresh point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirEntry {
    /// The source that shall send it.
    pub ssrc: u32,
    /// Raised by one for each new request and kept in repetitions (RFC 5104 §4.3.1.1).
    pub sequence: u8,
}

impl FirEntry {
    const LEN: usize = 8;

    const fn read(bytes: &[u8; Self::LEN]) -> Self {
        let [a, b, c, d, sequence, _, _, _] = *bytes;
        Self {
            ssrc: u32::from_be_bytes([a, b, c, d]),
            sequence,
        }
    }
}

/// A full intra request that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirView<'a> {
    feedback: FeedbackView<'a>,
    entries: &'a [[u8; FirEntry::LEN]],
}

impl<'a> FirView<'a> {
    pub(super) fn parse(feedback: FeedbackView<'a>) -> Result<Self, ParseError> {
        let (entries, rest) = feedback.fci().as_chunks();
        if !rest.is_empty() {
            return Err(ParseError::Trailing {
                what: "FIR entries",
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

    /// Unused and 0 (RFC 5104 §4.3.1.2): the sources stand in the entries.
    #[must_use]
    pub const fn media_ssrc(&self) -> u32 {
        self.feedback.media_ssrc()
    }

    /// The requests.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = FirEntry> + use<'a> {
        self.entries.iter().map(FirEntry::read)
    }

    /// Appends the packet as it arrived.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.feedback.encode(out);
    }
}

/// A full intra request to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fir<'a> {
    /// Who asks.
    pub sender_ssrc: u32,
    /// The requests; one packet is written for each 128.
    pub entries: &'a [FirEntry],
}

impl Fir<'_> {
    /// Appends the packets; nothing without entries.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for entries in self.entries.chunks(MAX_ENTRIES) {
            let kind = (PAYLOAD_FEEDBACK, FULL_INTRA_REQUEST);
            feedback::write(out, kind, self.sender_ssrc, 0, |out| {
                for entry in entries {
                    out.extend_from_slice(&entry.ssrc.to_be_bytes());
                    out.extend_from_slice(&[entry.sequence, 0, 0, 0]);
                }
            });
        }
    }
}
