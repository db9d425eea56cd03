//! Goodbye (RFC 3550 §6.6).

use super::GOODBYE;
use super::frame::{self, Frame, MAX_COUNT};
use super::text::Text;
use crate::wire::ParseError;

/// A goodbye that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByeView<'a> {
    frame: Frame<'a>,
    ssrcs: &'a [u8],
    reason: Option<&'a [u8]>,
}

impl<'a> ByeView<'a> {
    pub(super) fn parse(frame: Frame<'a>) -> Result<Self, ParseError> {
        let len = usize::from(frame.count()) * 4;
        let (ssrcs, rest) = frame::take_slice(frame.body(), len, "BYE sources")?;
        let reason = match rest.split_first() {
            None => None,
            Some((&len, rest)) => {
                let (reason, padding) = frame::take_slice(rest, len.into(), "BYE reason")?;
                // Null octets fill the last word and no more than that.
                if padding.len() >= 4 {
                    return Err(ParseError::Trailing {
                        what: "BYE reason",
                        left: padding.len(),
                    });
                }
                Some(reason)
            }
        };
        Ok(Self {
            frame,
            ssrcs,
            reason,
        })
    }

    /// The sources that leave; none is legal and means nothing.
    #[must_use]
    pub fn ssrcs(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        frame::words(self.ssrcs)
    }

    /// Why; should be UTF-8.
    #[must_use]
    pub const fn reason(&self) -> Option<&'a [u8]> {
        self.reason
    }

    /// Appends the packet as it arrived.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.frame.encode(out);
    }
}

/// A goodbye to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bye<'a> {
    /// The sources that leave; one packet is written for each 31.
    pub ssrcs: &'a [u32],
    /// Why.
    pub reason: Option<Text<'a>>,
}

impl Bye<'_> {
    /// Appends the packets; nothing without sources.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for ssrcs in self.ssrcs.chunks(MAX_COUNT) {
            frame::write(out, ssrcs.len(), GOODBYE, |out| {
                for ssrc in ssrcs {
                    out.extend_from_slice(&ssrc.to_be_bytes());
                }
                if let Some(reason) = &self.reason {
                    reason.write(out);
                }
            });
        }
    }
}
