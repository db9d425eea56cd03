//! The record header (RFC 6347 §4.1).

use super::handshake::Fragment;
use super::{ContentType, ProtocolVersion};

/// The header before every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// What the record carries.
    pub content_type: ContentType,
    /// The version that the sender wrote; the first octet is always 0xfe.
    pub version: ProtocolVersion,
    /// Counts the changes of keys: 0 is plaintext.
    pub epoch: u16,
    /// Counts the records of the epoch; 48 bits.
    pub sequence: u64,
    /// Octets that follow the header.
    pub length: u16,
}

impl RecordHeader {
    /// Octets of the header.
    pub const LEN: usize = 13;
    /// Octets that a record may carry at most: 2^14, and what protection may add
    /// (RFC 5246 §6.2.3).
    pub const MAX_LENGTH: u16 = (1 << 14) + 2048;
    /// Octets before the connection id of a record that has one (RFC 9146 §4).
    pub const ID_AT: usize = 11;

    /// Whether a record that begins so has a connection id (RFC 9146 §4).
    #[must_use]
    pub const fn has_id(first_octet: u8) -> bool {
        first_octet == ContentType::TLS12_CID.0
    }

    /// As [`RecordHeader::split`] for a record that has a connection id of `id_len` octets, which
    /// stands before the length: its header, the whole record, and what follows.
    #[must_use]
    pub fn split_with_id(
        datagram: &mut [u8],
        id_len: usize,
    ) -> Option<(Self, &mut [u8], &mut [u8])> {
        let &first = datagram.first()?;
        if !Self::has_id(first) || id_len == 0 {
            return None;
        }
        let numbers = *datagram.first_chunk::<{ Self::ID_AT }>()?;
        let length = *datagram.get(Self::ID_AT + id_len..)?.first_chunk::<2>()?;
        let mut header = [0; Self::LEN];
        let (head, tail) = header.split_at_mut_checked(Self::ID_AT)?;
        head.copy_from_slice(&numbers);
        tail.copy_from_slice(&length);
        let header = Self::parse(&header)?;
        let len = Self::LEN + id_len + usize::from(header.length);
        let (record, rest) = datagram.split_at_mut_checked(len)?;
        Some((header, record, rest))
    }

    /// Splits the first record off a datagram: its header, its contents, and what follows.
    ///
    /// `None` when what follows cannot be a record: the rest of the datagram is then dropped
    /// (RFC 6347 §4.1.2.7).
    #[must_use]
    pub fn split(datagram: &mut [u8]) -> Option<(Self, &mut [u8], &mut [u8])> {
        let header = Self::parse(datagram)?;
        let (_, rest) = datagram.split_at_mut_checked(Self::LEN)?;
        let (fragment, rest) = rest.split_at_mut_checked(usize::from(header.length))?;
        Some((header, fragment, rest))
    }

    /// Reads the header at the start of a datagram; says nothing about whether its contents follow.
    #[must_use]
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let (&[kind, major, minor, e0, e1, s0, s1, s2, s3, s4, s5, l0, l1], _) =
            datagram.split_first_chunk::<{ Self::LEN }>()?;
        let length = u16::from_be_bytes([l0, l1]);
        if major != 0xfe || length > Self::MAX_LENGTH {
            return None;
        }
        Some(Self {
            content_type: ContentType(kind),
            version: ProtocolVersion(u16::from_be_bytes([major, minor])),
            epoch: u16::from_be_bytes([e0, e1]),
            sequence: u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]),
            length,
        })
    }

    /// Epoch and sequence number as the one 64-bit number that protection uses
    /// (RFC 6347 §4.1.2.1).
    #[must_use]
    pub const fn number(&self) -> u64 {
        ((self.epoch as u64) << 48) | (self.sequence & 0xffff_ffff_ffff)
    }

    /// Appends the header.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = self.content_type.0;
        let [v0, v1] = self.version.0.to_be_bytes();
        let [n0, n1, n2, n3, n4, n5, n6, n7] = self.number().to_be_bytes();
        let [l0, l1] = self.length.to_be_bytes();
        let header: [u8; Self::LEN] = [kind, v0, v1, n0, n1, n2, n3, n4, n5, n6, n7, l0, l1];
        out.extend_from_slice(&header);
    }
}

/// Whether the first octet of a datagram says DTLS (RFC 7983 §7).
#[must_use]
pub const fn is_dtls(first_octet: u8) -> bool {
    matches!(first_octet, 20..=63)
}

/// Whether a datagram begins with (a fragment of) a plaintext ClientHello.
#[must_use]
pub fn is_client_hello(datagram: &[u8]) -> bool {
    RecordHeader::parse(datagram)
        .is_some_and(|header| header.content_type == ContentType::HANDSHAKE && header.epoch == 0)
        && datagram.get(RecordHeader::LEN) == Some(&super::HandshakeType::CLIENT_HELLO.0)
}

/// The random of the ClientHello whose beginning a datagram begins with.
pub(crate) fn client_hello_random(datagram: &[u8]) -> Option<&[u8; 32]> {
    if !is_client_hello(datagram) {
        return None;
    }
    let (fragment, _) = Fragment::split(datagram.get(RecordHeader::LEN..)?).ok()?;
    if fragment.offset != 0 {
        return None;
    }
    fragment.body.get(2..)?.first_chunk()
}
