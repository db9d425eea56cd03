//! Text whose length one octet counts: SDES items and the reason of a BYE.

/// Text of at most 255 octets (RFC 3550 §6.5, §6.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text<'a> {
    text: &'a str,
    len: u8,
}

/// Text of more octets than a length octet can count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("text of {0} octets exceeds 255")]
pub struct TextTooLong(pub usize);

impl<'a> Text<'a> {
    /// Text to send; empty is allowed.
    ///
    /// # Errors
    ///
    /// [`TextTooLong`] above 255 octets of UTF-8.
    pub fn new(text: &'a str) -> Result<Self, TextTooLong> {
        let len = u8::try_from(text.len()).map_err(|_| TextTooLong(text.len()))?;
        Ok(Self { text, len })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.len);
        out.extend_from_slice(self.text.as_bytes());
    }
}
