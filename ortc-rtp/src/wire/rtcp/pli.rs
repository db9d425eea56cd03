//! Picture loss indication (RFC 4585 §6.3.1).

use super::feedback::{self, FeedbackView};
use super::{PAYLOAD_FEEDBACK, PICTURE_LOSS};
use crate::wire::ParseError;

/// A picture loss indication that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PliView<'a>(FeedbackView<'a>);

impl<'a> PliView<'a> {
    pub(super) const fn parse(feedback: FeedbackView<'a>) -> Result<Self, ParseError> {
        if feedback.fci().is_empty() {
            Ok(Self(feedback))
        } else {
            // "PLI does not require parameters", length 2 (RFC 4585 §6.3.1.2).
            Err(ParseError::Trailing {
                what: "PLI",
                left: feedback.fci().len(),
            })
        }
    }

    /// Who asks.
    #[must_use]
    pub const fn sender_ssrc(&self) -> u32 {
        self.0.sender_ssrc()
    }

    /// The source whose picture is lost.
    #[must_use]
    pub const fn media_ssrc(&self) -> u32 {
        self.0.media_ssrc()
    }

    /// Appends the packet as it arrived.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

/// A picture loss indication to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pli {
    /// Who asks.
    pub sender_ssrc: u32,
    /// The source whose picture is lost.
    pub media_ssrc: u32,
}

impl Pli {
    /// Appends the packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = (PAYLOAD_FEEDBACK, PICTURE_LOSS);
        feedback::write(out, kind, self.sender_ssrc, self.media_ssrc, |_| {});
    }
}
