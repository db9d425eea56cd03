//! Attributes: their registry, the walk over them, and the values with a structure of their own.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{ATTRIBUTE_HEADER_LEN, MAGIC_COOKIE, TransactionId};

/// The type of an attribute (RFC 8489 §18.3); prints in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeType(pub u16);

impl AttributeType {
    /// MAPPED-ADDRESS (RFC 8489 §14.1).
    pub const MAPPED_ADDRESS: Self = Self(0x0001);
    /// USERNAME (RFC 8489 §14.3).
    pub const USERNAME: Self = Self(0x0006);
    /// MESSAGE-INTEGRITY (RFC 8489 §14.5).
    pub const MESSAGE_INTEGRITY: Self = Self(0x0008);
    /// ERROR-CODE (RFC 8489 §14.8).
    pub const ERROR_CODE: Self = Self(0x0009);
    /// UNKNOWN-ATTRIBUTES (RFC 8489 §14.13).
    pub const UNKNOWN_ATTRIBUTES: Self = Self(0x000A);
    /// REALM (RFC 8489 §14.9).
    pub const REALM: Self = Self(0x0014);
    /// NONCE (RFC 8489 §14.10).
    pub const NONCE: Self = Self(0x0015);
    /// MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.6).
    pub const MESSAGE_INTEGRITY_SHA256: Self = Self(0x001C);
    /// PASSWORD-ALGORITHM (RFC 8489 §14.12).
    pub const PASSWORD_ALGORITHM: Self = Self(0x001D);
    /// USERHASH (RFC 8489 §14.4).
    pub const USERHASH: Self = Self(0x001E);
    /// XOR-MAPPED-ADDRESS (RFC 8489 §14.2).
    pub const XOR_MAPPED_ADDRESS: Self = Self(0x0020);
    /// PRIORITY (RFC 8445 §16.1).
    pub const PRIORITY: Self = Self(0x0024);
    /// USE-CANDIDATE (RFC 8445 §16.1).
    pub const USE_CANDIDATE: Self = Self(0x0025);
    /// SOFTWARE (RFC 8489 §14.14).
    pub const SOFTWARE: Self = Self(0x8022);
    /// FINGERPRINT (RFC 8489 §14.7).
    pub const FINGERPRINT: Self = Self(0x8028);
    /// ICE-CONTROLLED (RFC 8445 §16.1).
    pub const ICE_CONTROLLED: Self = Self(0x8029);
    /// ICE-CONTROLLING (RFC 8445 §16.1).
    pub const ICE_CONTROLLING: Self = Self(0x802A);

    /// NOMINATION (draft-thatcher-ice-renomination §4), by the number and with the 32 bits that
    /// libwebrtc gives it.
    pub const NOMINATION: Self = Self(0xC001);

    /// A receiver that does not know it must not act on the message (RFC 8489 §14).
    #[must_use]
    pub const fn is_comprehension_required(self) -> bool {
        self.0 < 0x8000
    }

    /// Understood here, or optional.
    pub(super) const fn is_known(self) -> bool {
        matches!(
            self,
            Self::MAPPED_ADDRESS
                | Self::USERNAME
                | Self::MESSAGE_INTEGRITY
                | Self::ERROR_CODE
                | Self::UNKNOWN_ATTRIBUTES
                | Self::REALM
                | Self::NONCE
                | Self::MESSAGE_INTEGRITY_SHA256
                | Self::PASSWORD_ALGORITHM
                | Self::USERHASH
                | Self::XOR_MAPPED_ADDRESS
                | Self::PRIORITY
                | Self::USE_CANDIDATE
        )
    }
}

impl fmt::Debug for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttributeType({:#06x})", self.0)
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// One attribute of a message, without its padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its type.
    pub kind: AttributeType,
    /// Its value as it stands in the message.
    pub value: &'a [u8],
}

/// The attributes of a message in their order; from [`Message::attributes`](super::Message::attributes).
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// Octets not walked over yet.
    pub(super) const fn remaining(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    /// Ends early when an attribute overruns the message; parsing refuses such a message, so that
    /// this happens to nobody else.
    fn next(&mut self) -> Option<Attribute<'a>> {
        let (&[k0, k1, l0, l1], rest) = self.rest.split_first_chunk::<ATTRIBUTE_HEADER_LEN>()?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let (value, _) = rest.split_at_checked(length)?;
        self.rest = rest.get(length.next_multiple_of(4)..)?;
        let kind = AttributeType(u16::from_be_bytes([k0, k1]));
        Some(Attribute { kind, value })
    }
}

/// The value of ERROR-CODE (RFC 8489 §14.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode<'a> {
    /// 300 to 699.
    pub code: u16,
    /// The reason phrase: meant to be UTF-8, for humans only, and not checked.
    pub reason: &'a [u8],
}

impl ErrorCode<'static> {
    /// 400 Bad Request.
    pub const BAD_REQUEST: Self = Self::new(400, b"Bad Request");
    /// 420 Unknown Attribute.
    pub const UNKNOWN_ATTRIBUTE: Self = Self::new(420, b"Unknown Attribute");
    /// 487 Role Conflict (RFC 8445 §16.2).
    pub const ROLE_CONFLICT: Self = Self::new(487, b"Role Conflict");

    const fn new(code: u16, reason: &'static [u8]) -> Self {
        Self { code, reason }
    }
}

impl<'a> ErrorCode<'a> {
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let (&[_, _, class, number], reason) = value.split_first_chunk()?;
        let class = class & 0x07; // the 21 bits before it are reserved
        if !(3..=6).contains(&class) || number > 99 {
            return None;
        }
        let code = u16::from(class) * 100 + u16::from(number);
        Some(Self { code, reason })
    }
}

/// Family octet of an IPv4 address (RFC 8489 §14.1).
const FAMILY_V4: u8 = 0x01;
/// Family octet of an IPv6 address (RFC 8489 §14.1).
const FAMILY_V6: u8 = 0x02;

/// XOR-MAPPED-ADDRESS and its kind (RFC 8489 §14.2).
pub(crate) fn parse_xor_address(value: &[u8], id: TransactionId) -> Option<SocketAddr> {
    let (&[_, family, p0, p1], address) = value.split_first_chunk()?;
    let port = u16::from_be_bytes([p0, p1]) ^ PORT_MASK;
    let ip = match family {
        FAMILY_V4 => {
            let bits = u32::from_be_bytes(*<&[u8; 4]>::try_from(address).ok()?);
            IpAddr::V4(Ipv4Addr::from_bits(bits ^ MAGIC_COOKIE))
        }
        FAMILY_V6 => {
            let bits = u128::from_be_bytes(*<&[u8; 16]>::try_from(address).ok()?);
            IpAddr::V6(Ipv6Addr::from_bits(bits ^ mask(id)))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// The value of XOR-MAPPED-ADDRESS for an IPv4 address.
pub(crate) fn encode_xor_v4(ip: Ipv4Addr, port: u16) -> [u8; 8] {
    let [p0, p1] = (port ^ PORT_MASK).to_be_bytes();
    let [a, b, c, d] = (ip.to_bits() ^ MAGIC_COOKIE).to_be_bytes();
    [0, FAMILY_V4, p0, p1, a, b, c, d]
}

/// The value of XOR-MAPPED-ADDRESS for an IPv6 address.
pub(crate) fn encode_xor_v6(ip: Ipv6Addr, port: u16, id: TransactionId) -> [u8; 20] {
    let [p0, p1] = (port ^ PORT_MASK).to_be_bytes();
    let mut value = [
        0, FAMILY_V6, p0, p1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    if let Some(to) = value.last_chunk_mut::<16>() {
        *to = (ip.to_bits() ^ mask(id)).to_be_bytes();
    }
    value
}

/// The most significant half of the cookie, which the port is XORed with.
const PORT_MASK: u16 = 0x2112;

/// Cookie and transaction id, which an IPv6 address is XORed with.
fn mask(id: TransactionId) -> u128 {
    let tail =
        id.0.iter()
            .fold(0_u128, |bits, octet| bits << 8 | u128::from(*octet));
    u128::from(MAGIC_COOKIE) << 96 | tail
}
