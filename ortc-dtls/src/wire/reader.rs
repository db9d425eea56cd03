//! Reading length-prefixed structures (RFC 5246 §4) without copying.

use core::fmt;

/// Why octets of a peer do not form the structure they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// The octets end inside the named structure.
    Truncated(&'static str),
    /// Octets follow the end of the named structure.
    Trailing(&'static str),
    /// The named list or field has a length that its definition excludes: none, odd, too many.
    Length(&'static str),
    /// The named field has a value that its definition excludes.
    Invalid(&'static str),
    /// The named element may occur once and occurred again.
    Duplicate(&'static str),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated(what) => write!(f, "{what} ends early"),
            Self::Trailing(what) => write!(f, "octets follow {what}"),
            Self::Length(what) => write!(f, "{what} has an excluded length"),
            Self::Invalid(what) => write!(f, "{what} has an excluded value"),
            Self::Duplicate(what) => write!(f, "{what} occurs twice"),
        }
    }
}

impl core::error::Error for ParseError {}

/// The octets of one structure that are not read yet; `what` names it in errors.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(octets: &'a [u8], what: &'static str) -> Self {
        Self { rest: octets, what }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], ParseError> {
        let (head, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(ParseError::Truncated(self.what))?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], ParseError> {
        let (head, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(ParseError::Truncated(self.what))?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ParseError> {
        let [value] = *self.array()?;
        Ok(value)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, ParseError> {
        Ok(u16::from_be_bytes(*self.array()?))
    }

    pub(crate) fn u24(&mut self) -> Result<u32, ParseError> {
        let [a, b, c] = *self.array()?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// The contents of a vector with a one-octet length.
    pub(crate) fn vector8(&mut self) -> Result<&'a [u8], ParseError> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    /// The contents of a vector with a two-octet length.
    pub(crate) fn vector16(&mut self) -> Result<&'a [u8], ParseError> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// The contents of a vector with a three-octet length.
    pub(crate) fn vector24(&mut self) -> Result<&'a [u8], ParseError> {
        let [a, b, c] = *self.array()?;
        let len = (usize::from(a) << 16) | (usize::from(b) << 8) | usize::from(c);
        self.take(len)
    }

    /// A vector with a two-octet length as a structure of its own: reading stops at its end.
    pub(crate) fn sub16(&mut self, what: &'static str) -> Result<Self, ParseError> {
        Ok(Self::new(self.vector16()?, what))
    }

    /// Everything that is left.
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Ends the structure: octets that are left over are an error.
    pub(crate) const fn finish(self) -> Result<(), ParseError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(ParseError::Trailing(self.what))
        }
    }
}

/// The 16-bit elements of a vector whose length was checked to be even.
pub(crate) fn u16_elements(octets: &[u8]) -> impl Iterator<Item = u16> + Clone + '_ {
    octets
        .as_chunks::<2>()
        .0
        .iter()
        .map(|chunk| u16::from_be_bytes(*chunk))
}
