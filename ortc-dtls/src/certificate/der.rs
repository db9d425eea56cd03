//! As much of DER (ITU-T X.690) as a self-signed certificate needs, both ways.

use crate::wire::ParseError;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// `[0] EXPLICIT`, around the version.
pub(super) const CONTEXT_0: u8 = 0xa0;

/// The elements of one constructed value that are not read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Der<'a>(pub(super) &'a [u8]);

impl<'a> Der<'a> {
    /// The next element, whatever it is: tag and contents. Only low tags and definite, minimal
    /// lengths of at most 64 KiB exist here.
    pub(super) fn any(&mut self) -> Result<(u8, &'a [u8]), ParseError> {
        const WHAT: &str = "DER element";
        let (&[tag, first], rest) = self
            .0
            .split_first_chunk()
            .ok_or(ParseError::Truncated(WHAT))?;
        if tag & 0x1f == 0x1f {
            return Err(ParseError::Invalid("DER tag"));
        }
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 => {
                let (&[len], rest) = rest
                    .split_first_chunk()
                    .ok_or(ParseError::Truncated(WHAT))?;
                (usize::from(len), rest)
            }
            0x82 => {
                let (len, rest) = rest
                    .split_first_chunk()
                    .ok_or(ParseError::Truncated(WHAT))?;
                (usize::from(u16::from_be_bytes(*len)), rest)
            }
            _ => return Err(ParseError::Invalid("DER length")),
        };
        let minimal = match first {
            0x81 => len >= 0x80,
            0x82 => len >= 0x100,
            _ => true,
        };
        if !minimal {
            return Err(ParseError::Invalid("DER length"));
        }
        let (contents, rest) = rest
            .split_at_checked(len)
            .ok_or(ParseError::Truncated(WHAT))?;
        self.0 = rest;
        Ok((tag, contents))
    }

    /// The contents of the next element, which has this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<Self, ParseError> {
        match self.any()? {
            (found, contents) if found == tag => Ok(Self(contents)),
            _ => Err(ParseError::Invalid("DER tag")),
        }
    }

    pub(super) fn next_is(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    pub(super) const fn finish(self) -> Result<(), ParseError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ParseError::Trailing("DER element"))
        }
    }
}

/// Appends one element whose contents `body` appends.
pub(super) fn element(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let mut contents = Vec::new();
    body(&mut contents);
    out.push(tag);
    match contents.len().to_be_bytes() {
        [.., 0, len @ 0..=0x7f] => out.push(len),
        [.., 0, len] => out.extend_from_slice(&[0x81, len]),
        [.., high, low] => out.extend_from_slice(&[0x82, high, low]),
    }
    out.append(&mut contents);
}

/// Appends one element with these contents.
pub(super) fn primitive(out: &mut Vec<u8>, tag: u8, contents: &[u8]) {
    element(out, tag, |out| out.extend_from_slice(contents));
}
