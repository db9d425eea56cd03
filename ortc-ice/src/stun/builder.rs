//! The builder: it appends one message to a buffer, correct after every step.

use core::net::{IpAddr, SocketAddr};

use thiserror::Error;

use super::attribute::{encode_xor_v4, encode_xor_v6};
use super::integrity::TAG_LEN;
use super::message::message_type;
use super::{
    ATTRIBUTE_HEADER_LEN, AttributeType, Class, ErrorCode, HEADER_LEN, IntegrityKey, MAGIC_COOKIE,
    Method, Sha256Key, TransactionId, fingerprint, sha256,
};

/// A message cannot hold this attribute: its length field counts 65,535 octets (RFC 8489 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("attribute does not fit the message")]
pub struct TooLong;

/// Room that is kept for what has to be appended last: MESSAGE-INTEGRITY, FINGERPRINT and the
/// attributes of fixed length, of which a message needs a few.
const RESERVE: usize = 1024;

/// Appends one STUN message to a buffer.
///
/// After each step the octets are a complete message. The order is the caller's; integrity covers
/// what was appended before it, and the fingerprint comes last.
#[derive(Debug)]
pub struct MessageBuilder<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> MessageBuilder<'a> {
    /// Begins a message at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>, class: Class, method: Method, id: TransactionId) -> Self {
        let start = out.len();
        out.reserve(192); // a check with everything in it, so that a fresh buffer grows once
        let [t0, t1] = message_type(class, method).to_be_bytes();
        let [c0, c1, c2, c3] = MAGIC_COOKIE.to_be_bytes();
        let [i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11] = id.0;
        let header: [u8; HEADER_LEN] = [
            t0, t1, 0, 0, c0, c1, c2, c3, i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11,
        ];
        out.extend_from_slice(&header);
        Self { out, start }
    }

    /// Appends any attribute, padded with zeros.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the message would outgrow its length field; nothing is appended then.
    pub fn attribute(&mut self, kind: AttributeType, value: &[u8]) -> Result<&mut Self, TooLong> {
        self.parts(kind, &[value])
    }

    /// Appends USERNAME for an ICE check: the peer's fragment, a colon, ours (RFC 8445 §7.2.2).
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the message would outgrow its length field; nothing is appended then.
    pub fn username(&mut self, remote: &str, local: &str) -> Result<&mut Self, TooLong> {
        let parts = [remote.as_bytes(), b":", local.as_bytes()];
        self.parts(AttributeType::USERNAME, &parts)
    }

    /// Appends PRIORITY.
    pub fn priority(&mut self, priority: u32) -> &mut Self {
        self.fixed(AttributeType::PRIORITY, priority.to_be_bytes())
    }

    /// Appends ICE-CONTROLLING with this tie-breaker.
    pub fn controlling(&mut self, tie_breaker: u64) -> &mut Self {
        self.fixed(AttributeType::ICE_CONTROLLING, tie_breaker.to_be_bytes())
    }

    /// Appends ICE-CONTROLLED with this tie-breaker.
    pub fn controlled(&mut self, tie_breaker: u64) -> &mut Self {
        self.fixed(AttributeType::ICE_CONTROLLED, tie_breaker.to_be_bytes())
    }

    /// Appends USE-CANDIDATE.
    pub fn use_candidate(&mut self) -> &mut Self {
        self.fixed(AttributeType::USE_CANDIDATE, [])
    }

    /// Appends NOMINATION.
    pub fn nomination(&mut self, value: u32) -> &mut Self {
        self.fixed(AttributeType::NOMINATION, value.to_be_bytes())
    }

    /// Appends XOR-MAPPED-ADDRESS.
    pub fn xor_mapped_address(&mut self, address: SocketAddr) -> &mut Self {
        const KIND: AttributeType = AttributeType::XOR_MAPPED_ADDRESS;
        match address.ip() {
            IpAddr::V4(ip) => self.fixed(KIND, encode_xor_v4(ip, address.port())),
            IpAddr::V6(ip) => self.fixed(KIND, encode_xor_v6(ip, address.port(), self.id())),
        }
    }

    /// Appends an address under any type, obfuscated like XOR-MAPPED-ADDRESS (RFC 8489 §14.2):
    /// XOR-PEER-ADDRESS and XOR-RELAYED-ADDRESS (RFC 8656 §18.3, §18.5) are made so.
    pub fn xor_address(&mut self, kind: AttributeType, address: SocketAddr) -> &mut Self {
        match address.ip() {
            IpAddr::V4(ip) => self.fixed(kind, encode_xor_v4(ip, address.port())),
            IpAddr::V6(ip) => self.fixed(kind, encode_xor_v6(ip, address.port(), self.id())),
        }
    }

    /// Appends ERROR-CODE.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the reason does not fit; nothing is appended then.
    pub fn error_code(&mut self, error: ErrorCode<'_>) -> Result<&mut Self, TooLong> {
        let class = u8::try_from(error.code / 100).map_err(|_| TooLong)?;
        let number = u8::try_from(error.code % 100).map_err(|_| TooLong)?;
        self.parts(
            AttributeType::ERROR_CODE,
            &[&[0, 0, class, number], error.reason],
        )
    }

    /// Appends UNKNOWN-ATTRIBUTES (RFC 8489 §14.13).
    ///
    /// # Errors
    ///
    /// [`TooLong`] when there are too many; nothing is appended then.
    pub fn unknown_attributes(&mut self, kinds: &[AttributeType]) -> Result<&mut Self, TooLong> {
        self.check(2 * kinds.len())?;
        let length = u16::try_from(2 * kinds.len()).map_err(|_| TooLong)?;
        self.open(AttributeType::UNKNOWN_ATTRIBUTES, length);
        for kind in kinds {
            self.out.extend_from_slice(&kind.0.to_be_bytes());
        }
        self.close();
        Ok(self)
    }

    /// Appends MESSAGE-INTEGRITY over everything before it.
    pub fn integrity(&mut self, key: &IntegrityKey) -> &mut Self {
        let length = self.body_len() + ATTRIBUTE_HEADER_LEN + TAG_LEN;
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        let before = self.out.get(self.start..).unwrap_or_default();
        let tag = key.tag(before, length);
        self.fixed(AttributeType::MESSAGE_INTEGRITY, tag)
    }

    /// Appends MESSAGE-INTEGRITY-SHA256 over everything before it, in full length.
    pub fn integrity_sha256(&mut self, key: &Sha256Key) -> &mut Self {
        let length = self.body_len() + ATTRIBUTE_HEADER_LEN + sha256::TAG_LEN;
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        let before = self.out.get(self.start..).unwrap_or_default();
        let tag = key.tag(before, length);
        self.fixed(AttributeType::MESSAGE_INTEGRITY_SHA256, tag)
    }

    /// Appends FINGERPRINT over everything before it.
    pub fn fingerprint(&mut self) -> &mut Self {
        self.set_length(self.body_len() + ATTRIBUTE_HEADER_LEN + 4);
        let crc = fingerprint::of(self.out.get(self.start..).unwrap_or_default());
        self.fixed(AttributeType::FINGERPRINT, crc.to_be_bytes())
    }

    /// How many octets the message has so far.
    #[must_use]
    pub fn message_len(&self) -> usize {
        self.out.len() - self.start
    }

    fn id(&self) -> TransactionId {
        let id = self.out.get(self.start + 8..).and_then(<[u8]>::first_chunk);
        TransactionId(id.copied().unwrap_or_default())
    }

    fn body_len(&self) -> usize {
        self.out.len() - self.start - HEADER_LEN
    }

    /// Refuses what would leave no room for the attributes of fixed length.
    fn check(&self, value: usize) -> Result<(), TooLong> {
        let most = usize::from(u16::MAX) - RESERVE;
        let needed = self
            .body_len()
            .saturating_add(value)
            .saturating_add(ATTRIBUTE_HEADER_LEN);
        if needed > most { Err(TooLong) } else { Ok(()) }
    }

    fn parts(&mut self, kind: AttributeType, parts: &[&[u8]]) -> Result<&mut Self, TooLong> {
        let length = parts.iter().map(|part| part.len()).sum();
        self.check(length)?;
        self.open(kind, u16::try_from(length).map_err(|_| TooLong)?);
        for part in parts {
            self.out.extend_from_slice(part);
        }
        self.close();
        Ok(self)
    }

    /// An attribute for which `check` kept room, of a length that needs no padding.
    fn fixed<const N: usize>(&mut self, kind: AttributeType, value: [u8; N]) -> &mut Self {
        const { assert!(N.is_multiple_of(4) && N <= 32) };
        self.open(kind, u16::try_from(N).unwrap_or(0));
        self.out.extend_from_slice(&value);
        self.set_length(self.body_len());
        self
    }

    fn open(&mut self, kind: AttributeType, length: u16) {
        let ([k0, k1], [l0, l1]) = (kind.0.to_be_bytes(), length.to_be_bytes());
        self.out.extend_from_slice(&[k0, k1, l0, l1]);
    }

    /// Pads to four octets and counts the attribute in the header.
    fn close(&mut self) {
        let padded = self.body_len().next_multiple_of(4);
        self.out.resize(self.start + HEADER_LEN + padded, 0);
        self.set_length(padded);
    }

    fn set_length(&mut self, length: usize) {
        let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        if let Some([_, _, to_high, to_low, ..]) = self.out.get_mut(self.start..) {
            (*to_high, *to_low) = (high, low);
        }
    }
}
