//! The handshake header and fragments (RFC 6347 §4.2.2).

use super::{HandshakeType, ParseError, Reader};

/// One fragment of a handshake message; most messages are one fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The kind of message.
    pub kind: HandshakeType,
    /// Octets of the whole message, without header; 24 bits.
    pub length: u32,
    /// The message's place in the handshake.
    pub message_seq: u16,
    /// Where in the message `body` belongs.
    pub offset: u32,
    /// Octets of this fragment.
    pub body: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Octets of the header.
    pub const HEADER: usize = 12;

    /// Splits the first fragment off the contents of a record; a record may hold several.
    ///
    /// # Errors
    ///
    /// [`ParseError::Truncated`] when header or body end early, [`ParseError::Length`] when the
    /// fragment reaches over the end of its message.
    pub fn split(contents: &'a [u8]) -> Result<(Self, &'a [u8]), ParseError> {
        let mut reader = Reader::new(contents, "handshake fragment");
        let kind = HandshakeType(reader.u8()?);
        let length = reader.u24()?;
        let message_seq = reader.u16()?;
        let offset = reader.u24()?;
        let body = reader.vector24()?;
        let end = u64::from(offset) + body.len() as u64;
        if end > u64::from(length) {
            return Err(ParseError::Length("handshake fragment"));
        }
        let fragment = Self {
            kind,
            length,
            message_seq,
            offset,
            body,
        };
        Ok((fragment, reader.rest()))
    }

    /// Appends header and body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let [_, l0, l1, l2] = self.length.to_be_bytes();
        let [_, o0, o1, o2] = self.offset.to_be_bytes();
        let [m0, m1] = self.message_seq.to_be_bytes();
        out.extend_from_slice(&[self.kind.0, l0, l1, l2, m0, m1, o0, o1, o2]);
        super::writer::vector24(out, |out| out.extend_from_slice(self.body));
    }
}
