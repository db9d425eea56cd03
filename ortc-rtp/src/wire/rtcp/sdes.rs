//! Source descriptions (RFC 3550 §6.5).

use super::SOURCE_DESCRIPTION;
use super::frame::{self, Frame};
use super::text::Text;
use crate::wire::ParseError;

/// The kind of an SDES item (RFC 3550 §12.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SdesItem(pub u8);

impl SdesItem {
    const END: u8 = 0;
    /// The canonical name, which binds the SSRCs of one participant.
    pub const CNAME: Self = Self(1);
    /// The identification of a media description (RFC 9143 §15.2).
    pub const MID: Self = Self(15);
}

/// A source description that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdesView<'a> {
    frame: Frame<'a>,
}

impl<'a> SdesView<'a> {
    pub(super) fn parse(frame: Frame<'a>) -> Result<Self, ParseError> {
        let mut rest = frame.body();
        for _ in 0..frame.count() {
            (_, rest) = SdesChunk::split(rest)?;
        }
        if !rest.is_empty() {
            return Err(ParseError::Trailing {
                what: "SDES chunks",
                left: rest.len(),
            });
        }
        Ok(Self { frame })
    }

    /// One chunk for each source, at most 31.
    #[must_use]
    pub const fn chunks(&self) -> SdesChunks<'a> {
        SdesChunks {
            rest: self.frame.body(),
        }
    }

    /// Appends the packet as it arrived.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.frame.encode(out);
    }
}

/// The chunks of a source description.
#[derive(Clone, Debug)]
pub struct SdesChunks<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for SdesChunks<'a> {
    type Item = SdesChunk<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (chunk, rest) = SdesChunk::split(self.rest).ok()?;
        self.rest = rest;
        Some(chunk)
    }
}

/// What is said about one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdesChunk<'a> {
    ssrc: u32,
    items: &'a [u8],
}

impl<'a> SdesChunk<'a> {
    /// Cuts the first chunk off, its terminator and padding included.
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), ParseError> {
        const WHAT: &str = "SDES chunk";
        let (ssrc, mut rest) = frame::take(bytes, WHAT)?;
        let items = rest;
        while let ([kind], after) = frame::take::<1>(rest, WHAT)?
            && *kind != SdesItem::END
        {
            let ([len], after) = frame::take::<1>(after, WHAT)?;
            (_, rest) = frame::take_slice(after, usize::from(*len), WHAT)?;
        }
        let used = items.len() - rest.len();
        // At least one null octet, then more up to the next word (RFC 3550 §6.5).
        let (whole, after) = frame::take_slice(items, (used + 1).next_multiple_of(4), WHAT)?;
        let chunk = Self {
            ssrc: u32::from_be_bytes(*ssrc),
            items: whole.get(..used).unwrap_or_default(),
        };
        Ok((chunk, after))
    }

    /// The source.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The items in the order of the packet; the text should be UTF-8, and may be empty.
    #[must_use]
    pub const fn items(&self) -> SdesItems<'a> {
        SdesItems { rest: self.items }
    }

    /// The canonical name, the first if there are several.
    #[must_use]
    pub fn cname(&self) -> Option<&'a [u8]> {
        self.items()
            .find(|(item, _)| *item == SdesItem::CNAME)
            .map(|(_, text)| text)
    }
}

/// The items of one chunk.
#[derive(Clone, Debug)]
pub struct SdesItems<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for SdesItems<'a> {
    type Item = (SdesItem, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[kind, len], rest) = self.rest.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(usize::from(len))?;
        self.rest = rest;
        Some((SdesItem(kind), text))
    }
}

/// A source description to send: the canonical name of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sdes<'a> {
    /// The source.
    pub ssrc: u32,
    /// Its canonical name (RFC 7022).
    pub cname: Text<'a>,
}

impl Sdes<'_> {
    /// Appends the packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        frame::write(out, 1, SOURCE_DESCRIPTION, |out| {
            out.extend_from_slice(&self.ssrc.to_be_bytes());
            out.push(SdesItem::CNAME.0);
            self.cname.write(out);
            out.push(SdesItem::END);
        });
    }
}
