//! What all feedback messages share (RFC 4585 §6.1), and those without a type of their own.

use super::frame::{self, Frame};
use crate::wire::ParseError;

/// A feedback message: transport layer (205) or payload specific (206).
///
/// Route on [`media_ssrc`](Self::media_ssrc): some senders put a constant into the other field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedbackView<'a> {
    frame: Frame<'a>,
    sender_ssrc: u32,
    media_ssrc: u32,
    fci: &'a [u8],
}

impl<'a> FeedbackView<'a> {
    pub(super) fn parse(frame: Frame<'a>) -> Result<Self, ParseError> {
        let (sender_ssrc, rest) = frame::take(frame.body(), "feedback sender")?;
        let (media_ssrc, fci) = frame::take(rest, "feedback source")?;
        Ok(Self {
            frame,
            sender_ssrc: u32::from_be_bytes(*sender_ssrc),
            media_ssrc: u32::from_be_bytes(*media_ssrc),
            fci,
        })
    }

    /// The packet type: 205 or 206.
    #[must_use]
    pub const fn packet_type(&self) -> u8 {
        self.frame.packet_type()
    }

    /// The feedback message type, 0 to 31.
    #[must_use]
    pub const fn message_type(&self) -> u8 {
        self.frame.count()
    }

    /// Who sends the feedback.
    #[must_use]
    pub const fn sender_ssrc(&self) -> u32 {
        self.sender_ssrc
    }

    /// The source that it is about; 0 where the message names its sources in the content.
    #[must_use]
    pub const fn media_ssrc(&self) -> u32 {
        self.media_ssrc
    }

    /// The feedback control information, in 32-bit words.
    #[must_use]
    pub const fn fci(&self) -> &'a [u8] {
        self.fci
    }

    /// Appends the packet as it arrived.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.frame.encode(out);
    }
}

/// Appends a feedback message; `fci` writes what follows the two sources.
pub(super) fn write(
    out: &mut Vec<u8>,
    (packet_type, message_type): (u8, u8),
    sender_ssrc: u32,
    media_ssrc: u32,
    fci: impl FnOnce(&mut Vec<u8>),
) {
    frame::write(out, message_type.into(), packet_type, |out| {
        out.extend_from_slice(&sender_ssrc.to_be_bytes());
        out.extend_from_slice(&media_ssrc.to_be_bytes());
        fci(out);
    });
}
