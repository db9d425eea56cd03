//! A closer look at a message: the attributes that its integrity covers, with their places.

use core::net::{IpAddr, SocketAddr};
use core::ops::Range;

use super::Sha256Key;
use super::attribute::parse_xor_address;
use super::sha256::{TAG_LEN, TAG_MIN};
use super::{ATTRIBUTE_HEADER_LEN, Attribute, AttributeType, Attributes, HEADER_LEN, Message};

/// The attributes in front of MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256, in their order, each
/// with the place of its value in the message; from [`Message::covered`].
///
/// What follows either attribute is ignored (RFC 8489 §14.5, §14.6), so that nothing which
/// integrity does not cover is ever read.
#[derive(Clone, Debug)]
pub struct Covered<'a> {
    attributes: Attributes<'a>,
    total: usize,
}

impl<'a> Iterator for Covered<'a> {
    type Item = (Attribute<'a>, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.total - self.attributes.remaining() + ATTRIBUTE_HEADER_LEN;
        let attribute = self.attributes.next()?;
        if is_end(attribute.kind) {
            self.attributes = Attributes::new(&[]);
            return None;
        }
        Some((attribute, start..start + attribute.value.len()))
    }
}

const fn is_end(kind: AttributeType) -> bool {
    matches!(
        kind,
        AttributeType::MESSAGE_INTEGRITY
            | AttributeType::MESSAGE_INTEGRITY_SHA256
            | AttributeType::FINGERPRINT
    )
}

impl<'a> Message<'a> {
    /// The attributes that integrity covers, with their places.
    #[must_use]
    pub fn covered(&self) -> Covered<'a> {
        Covered {
            attributes: self.attributes(),
            total: self.octets().len(),
        }
    }

    /// The first attribute of this type among those that integrity covers (RFC 8489 §14).
    #[must_use]
    pub fn find(&self, kind: AttributeType) -> Option<&'a [u8]> {
        self.covered()
            .find(|(attribute, _)| attribute.kind == kind)
            .map(|(attribute, _)| attribute.value)
    }

    /// The first attribute of this type as an address obfuscated like XOR-MAPPED-ADDRESS; `None`
    /// also when its value is none.
    #[must_use]
    pub fn find_xor_address(&self, kind: AttributeType) -> Option<SocketAddr> {
        parse_xor_address(self.find(kind)?, self.transaction_id())
    }

    /// The first attribute of this type as a big-endian number of four octets; `None` also when
    /// its value has another length.
    #[must_use]
    pub fn find_u32(&self, kind: AttributeType) -> Option<u32> {
        let octets = <[u8; 4]>::try_from(self.find(kind)?).ok()?;
        Some(u32::from_be_bytes(octets))
    }

    /// Whether MESSAGE-INTEGRITY-SHA256 is there, right or wrong.
    #[must_use]
    pub fn has_integrity_sha256(&self) -> bool {
        self.place_of_sha256().is_some()
    }

    /// Whether MESSAGE-INTEGRITY-SHA256 is there in full length and this key made it; compared in
    /// constant time. STUN usages that do not say otherwise, TURN among them, take no truncated
    /// one (RFC 8489 §14.6).
    #[must_use]
    pub fn verify_integrity_sha256(&self, key: &Sha256Key) -> bool {
        self.verify_truncated_sha256(key, TAG_LEN)
    }

    /// The same for a usage that takes MESSAGE-INTEGRITY-SHA256 truncated to no less than
    /// `shortest` octets; below 16 octets, above 32, and between multiples of four nothing is
    /// taken (RFC 8489 §14.6).
    #[must_use]
    pub fn verify_truncated_sha256(&self, key: &Sha256Key, shortest: usize) -> bool {
        let Some(place) = self.place_of_sha256() else {
            return false;
        };
        let len = place.len();
        if len < shortest.max(TAG_MIN) || len > TAG_LEN || !len.is_multiple_of(4) {
            return false;
        }
        let octets = self.octets();
        let (Some(before), Some(tag), Ok(length)) = (
            octets.get(..place.start - ATTRIBUTE_HEADER_LEN),
            octets.get(place.clone()),
            u16::try_from(place.end - HEADER_LEN),
        ) else {
            return false;
        };
        key.verify(before, length, tag)
    }

    /// Where the value of MESSAGE-INTEGRITY-SHA256 is. It may follow MESSAGE-INTEGRITY; what is
    /// between the two is ignored by both sides but covered by this one (RFC 8489 §14.5).
    fn place_of_sha256(&self) -> Option<Range<usize>> {
        let total = self.octets().len();
        let mut attributes = self.attributes();
        loop {
            let start = total - attributes.remaining() + ATTRIBUTE_HEADER_LEN;
            let attribute = attributes.next()?;
            if attribute.kind == AttributeType::MESSAGE_INTEGRITY_SHA256 {
                return Some(start..start + attribute.value.len());
            }
        }
    }
}

/// The value of a plain address, as in ALTERNATE-SERVER (RFC 8489 §14.1, §14.15).
pub(crate) fn parse_plain_address(value: &[u8]) -> Option<SocketAddr> {
    let (&[_, family, p0, p1], address) = value.split_first_chunk()?;
    let ip = match family {
        1 => IpAddr::from(<[u8; 4]>::try_from(address).ok()?),
        2 => IpAddr::from(<[u8; 16]>::try_from(address).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes([p0, p1])))
}
