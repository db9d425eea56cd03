//! Application-defined packets (RFC 3550 §6.7).

use super::frame::{self, Frame};
use crate::wire::ParseError;

/// An application-defined packet that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppView<'a> {
    frame: Frame<'a>,
    ssrc: u32,
    name: [u8; 4],
    data: &'a [u8],
}

impl<'a> AppView<'a> {
    pub(super) fn parse(frame: Frame<'a>) -> Result<Self, ParseError> {
        let (ssrc, rest) = frame::take(frame.body(), "APP source")?;
        let (name, data) = frame::take(rest, "APP name")?;
        Ok(Self {
            frame,
            ssrc: u32::from_be_bytes(*ssrc),
            name: *name,
            data,
        })
    }

    /// What tells packets of one name apart, 0 to 31.
    #[must_use]
    pub const fn subtype(&self) -> u8 {
        self.frame.count()
    }

    /// Who sends it.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Four ASCII characters chosen by the application.
    #[must_use]
    pub const fn name(&self) -> [u8; 4] {
        self.name
    }

    /// Whatever the application put there.
    #[must_use]
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Appends the packet as it arrived.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.frame.encode(out);
    }
}
