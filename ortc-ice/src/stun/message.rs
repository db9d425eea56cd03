//! The view of a received message: parsed once, then trusted in form, not yet in origin.

use core::fmt;
use core::net::SocketAddr;

use thiserror::Error;

use super::attribute::parse_xor_address;
use super::integrity::TAG_LEN;
use super::{
    ATTRIBUTE_HEADER_LEN, Attribute, AttributeType, Attributes, ErrorCode, HEADER_LEN,
    IntegrityKey, MAGIC_COOKIE, fingerprint,
};

/// Whether a datagram is STUN: the first octet of RFC 7983 §7 (0 to 3) and the magic cookie.
#[must_use]
pub fn is_stun(datagram: &[u8]) -> bool {
    matches!(
        datagram.first_chunk(),
        Some(&[0..=3, _, _, _, c0, c1, c2, c3])
            if u32::from_be_bytes([c0, c1, c2, c3]) == MAGIC_COOKIE
    ) && datagram.len() >= HEADER_LEN
}

/// The class of a message (RFC 8489 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A request, to be answered.
    Request,
    /// An indication, never answered.
    Indication,
    /// A success response.
    Success,
    /// An error response.
    Error,
}

impl Class {
    /// C1 is bit 8 of the type, C0 is bit 4 (RFC 8489 §5, figure 3).
    const fn bits(self) -> u16 {
        match self {
            Self::Request => 0x0000,
            Self::Indication => 0x0010,
            Self::Success => 0x0100,
            Self::Error => 0x0110,
        }
    }

    const fn from_bits(kind: u16) -> Self {
        match (kind & 0x0100 != 0, kind & 0x0010 != 0) {
            (false, false) => Self::Request,
            (false, true) => Self::Indication,
            (true, false) => Self::Success,
            (true, true) => Self::Error,
        }
    }
}

/// The method of a message, 12 bits (RFC 8489 §5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(u16);

impl Method {
    /// Binding (RFC 8489 §18.2).
    pub const BINDING: Self = Self(0x001);

    /// A method by its number; `None` above 0xFFF.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number <= 0xFFF {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    const fn bits(self) -> u16 {
        (self.0 & 0xF80) << 2 | (self.0 & 0x070) << 1 | self.0 & 0x00F
    }

    const fn from_bits(kind: u16) -> Self {
        Self((kind & 0x3E00) >> 2 | (kind & 0x00E0) >> 1 | kind & 0x000F)
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Method({:#05x})", self.0)
    }
}

/// The first field of the header.
pub(crate) const fn message_type(class: Class, method: Method) -> u16 {
    class.bits() | method.bits()
}

/// A transaction id, 96 bits (RFC 8489 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub [u8; 12]);

/// Why octets are not a STUN message that we can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Shorter than the header says, or than a header.
    #[error("message needs {need} octets and has {have}")]
    Truncated {
        /// Octets that the message claims.
        need: usize,
        /// Octets that arrived.
        have: usize,
    },
    /// The first two bits or the magic cookie are not those of STUN.
    #[error("not a stun message")]
    NotStun,
    /// The length is not a multiple of four, or octets follow the message.
    #[error("length field does not fit the datagram")]
    Length,
    /// An attribute overruns the message.
    #[error("attribute overruns the message")]
    AttributeOverrun,
    /// The value of this attribute has a wrong length or form.
    #[error("attribute {0} is malformed")]
    Attribute(AttributeType),
    /// Something follows FINGERPRINT, which is the last attribute by RFC 8489 §14.7.
    #[error("fingerprint is not the last attribute")]
    AfterFingerprint,
}

/// A STUN message, borrowed from the datagram that it came in.
///
/// Of an attribute that occurs twice the first counts (RFC 8489 §14), and what follows
/// MESSAGE-INTEGRITY is ignored but for FINGERPRINT (§14.5), so that nothing which integrity does
/// not cover is ever read.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    class: Class,
    method: Method,
    id: TransactionId,
    /// Where MESSAGE-INTEGRITY begins.
    integrity: Option<u16>,
    /// Where FINGERPRINT begins.
    fingerprint: Option<u16>,
    unknown: bool,
    username: Option<&'a str>,
    priority: Option<u32>,
    controlling: Option<u64>,
    controlled: Option<u64>,
    use_candidate: bool,
    nomination: Option<u32>,
    mapped: Option<SocketAddr>,
    error: Option<ErrorCode<'a>>,
}

impl<'a> Message<'a> {
    /// Reads a datagram that is one STUN message, and nothing more.
    ///
    /// # Errors
    ///
    /// [`ParseError`] says what is wrong with it; nobody needs to be told.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let mut message = Self::unread(bytes);
        message.read()?;
        Ok(message)
    }

    /// A view that nothing was read into: for [`read`](Self::read), which leaves it where it is.
    /// Moving what has just been written in small parts costs as much as reading it.
    #[inline]
    pub(crate) const fn unread(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            class: Class::Request,
            method: Method(0),
            id: TransactionId([0; 12]),
            integrity: None,
            fingerprint: None,
            unknown: false,
            username: None,
            priority: None,
            controlling: None,
            controlled: None,
            use_candidate: false,
            nomination: None,
            mapped: None,
            error: None,
        }
    }

    /// What [`parse`](Self::parse) does, once.
    #[inline]
    pub(crate) fn read(&mut self) -> Result<(), ParseError> {
        let bytes = self.bytes;
        let Some((&[t0, t1, l0, l1, c0, c1, c2, c3, id @ ..], body)) =
            bytes.split_first_chunk::<HEADER_LEN>()
        else {
            return Err(ParseError::Truncated {
                need: HEADER_LEN,
                have: bytes.len(),
            });
        };
        let kind = u16::from_be_bytes([t0, t1]);
        if kind & 0xC000 != 0 || u32::from_be_bytes([c0, c1, c2, c3]) != MAGIC_COOKIE {
            return Err(ParseError::NotStun);
        }
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if length > body.len() {
            let need = HEADER_LEN + length;
            return Err(ParseError::Truncated {
                need,
                have: bytes.len(),
            });
        }
        if length % 4 != 0 || length != body.len() {
            return Err(ParseError::Length);
        }
        self.class = Class::from_bits(kind);
        self.method = Method::from_bits(kind);
        self.id = TransactionId(id);
        let mut rest = body;
        while let Some((&[k0, k1, l0, l1], after)) =
            rest.split_first_chunk::<ATTRIBUTE_HEADER_LEN>()
        {
            if self.fingerprint.is_some() {
                return Err(ParseError::AfterFingerprint);
            }
            let kind = AttributeType(u16::from_be_bytes([k0, k1]));
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            let Some((padded, next)) = after.split_at_checked(length.next_multiple_of(4)) else {
                return Err(ParseError::AttributeOverrun);
            };
            let value = padded.get(..length).unwrap_or_default();
            self.take(kind, value, bytes.len() - rest.len())?;
            rest = next;
        }
        Ok(())
    }

    #[inline]
    fn take(&mut self, kind: AttributeType, value: &'a [u8], at: usize) -> Result<(), ParseError> {
        let malformed = ParseError::Attribute(kind);
        if kind == AttributeType::FINGERPRINT {
            if value.len() != 4 {
                return Err(malformed);
            }
            self.fingerprint = u16::try_from(at).ok();
            return Ok(());
        }
        if self.integrity.is_some() {
            return Ok(()); // RFC 8489 §14.5: ignored
        }
        match kind {
            AttributeType::MESSAGE_INTEGRITY => {
                if value.len() != TAG_LEN {
                    return Err(malformed);
                }
                self.integrity = u16::try_from(at).ok();
            }
            AttributeType::USERNAME => {
                let text = core::str::from_utf8(value).map_err(|_| malformed)?;
                self.username.get_or_insert(text);
            }
            AttributeType::PRIORITY => {
                let octets = *<&[u8; 4]>::try_from(value).map_err(|_| malformed)?;
                self.priority.get_or_insert(u32::from_be_bytes(octets));
            }
            AttributeType::USE_CANDIDATE => {
                if !value.is_empty() {
                    return Err(malformed);
                }
                self.use_candidate = true;
            }
            AttributeType::ICE_CONTROLLING => {
                let octets = *<&[u8; 8]>::try_from(value).map_err(|_| malformed)?;
                self.controlling.get_or_insert(u64::from_be_bytes(octets));
            }
            AttributeType::ICE_CONTROLLED => {
                let octets = *<&[u8; 8]>::try_from(value).map_err(|_| malformed)?;
                self.controlled.get_or_insert(u64::from_be_bytes(octets));
            }
            AttributeType::NOMINATION => {
                // Not ours to refuse a check for: it is optional, and others gave it other forms.
                if let Ok(octets) = <&[u8; 4]>::try_from(value) {
                    self.nomination.get_or_insert(u32::from_be_bytes(*octets));
                }
            }
            AttributeType::XOR_MAPPED_ADDRESS => {
                let address = parse_xor_address(value, self.id).ok_or(malformed)?;
                self.mapped.get_or_insert(address);
            }
            AttributeType::ERROR_CODE => {
                let error = ErrorCode::parse(value).ok_or(malformed)?;
                self.error.get_or_insert(error);
            }
            _ => self.unknown |= kind.is_comprehension_required() && !kind.is_known(),
        }
        Ok(())
    }

    /// The whole message.
    pub(super) const fn octets(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its class.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// Its method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// Its transaction id.
    #[must_use]
    pub const fn transaction_id(&self) -> TransactionId {
        self.id
    }

    /// All its attributes in their order, those that are ignored included.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes.get(HEADER_LEN..).unwrap_or_default())
    }

    /// USERNAME.
    #[must_use]
    pub const fn username(&self) -> Option<&'a str> {
        self.username
    }

    /// The two halves of an ICE USERNAME: first the fragment of the message's receiver, then that
    /// of its sender (RFC 8445 §7.2.2). An ice-char is never a colon, so the first one divides.
    #[must_use]
    pub fn split_username(&self) -> Option<(&'a str, &'a str)> {
        let text = self.username?;
        // Shorter than what a search through words is made for.
        let colon = text.bytes().position(|octet| octet == b':')?;
        Some((text.get(..colon)?, text.get(colon + 1..)?))
    }

    /// PRIORITY.
    #[must_use]
    pub const fn priority(&self) -> Option<u32> {
        self.priority
    }

    /// The tie-breaker in ICE-CONTROLLING.
    #[must_use]
    pub const fn controlling(&self) -> Option<u64> {
        self.controlling
    }

    /// The tie-breaker in ICE-CONTROLLED.
    #[must_use]
    pub const fn controlled(&self) -> Option<u64> {
        self.controlled
    }

    /// Whether USE-CANDIDATE is there.
    #[must_use]
    pub const fn use_candidate(&self) -> bool {
        self.use_candidate
    }

    /// NOMINATION, when it has 32 bits.
    #[must_use]
    pub const fn nomination(&self) -> Option<u32> {
        self.nomination
    }

    /// XOR-MAPPED-ADDRESS.
    #[must_use]
    pub const fn xor_mapped_address(&self) -> Option<SocketAddr> {
        self.mapped
    }

    /// ERROR-CODE.
    #[must_use]
    pub const fn error_code(&self) -> Option<ErrorCode<'a>> {
        self.error
    }

    /// Whether MESSAGE-INTEGRITY is there, right or wrong.
    #[must_use]
    pub const fn has_integrity(&self) -> bool {
        self.integrity.is_some()
    }

    /// Whether FINGERPRINT is there, right or wrong.
    #[must_use]
    pub const fn has_fingerprint(&self) -> bool {
        self.fingerprint.is_some()
    }

    /// The attributes that count: those in front of MESSAGE-INTEGRITY, or all when there is none.
    pub fn covered_attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        self.attributes()
            .take_while(|attribute| attribute.kind != AttributeType::MESSAGE_INTEGRITY)
    }

    /// The comprehension-required attributes that we do not know (RFC 8489 §6.3), in their order;
    /// those after MESSAGE-INTEGRITY are ignored like everything there.
    pub fn unknown_comprehension_required(&self) -> impl Iterator<Item = AttributeType> + use<'a> {
        let covered = if self.unknown {
            self.attributes()
        } else {
            Attributes::new(&[])
        };
        covered
            .map(|attribute| attribute.kind)
            .take_while(|kind| *kind != AttributeType::MESSAGE_INTEGRITY)
            .filter(|kind| kind.is_comprehension_required() && !kind.is_known())
    }

    /// Whether MESSAGE-INTEGRITY is there and this key made it; compared in constant time.
    #[must_use]
    pub fn verify_integrity(&self, key: &IntegrityKey) -> bool {
        let Some(offset) = self.integrity.map(usize::from) else {
            return false;
        };
        let Some((before, attribute)) = self.bytes.split_at_checked(offset) else {
            return false;
        };
        let end = offset + ATTRIBUTE_HEADER_LEN + TAG_LEN - HEADER_LEN;
        let (Ok(length), Some(tag)) = (
            u16::try_from(end),
            attribute
                .get(ATTRIBUTE_HEADER_LEN..)
                .and_then(<[u8]>::first_chunk),
        ) else {
            return false;
        };
        key.verify(before, length, tag)
    }

    /// Whether FINGERPRINT is there and right.
    #[must_use]
    pub fn verify_fingerprint(&self) -> bool {
        let Some((before, attribute)) = self
            .fingerprint
            .and_then(|offset| self.bytes.split_at_checked(usize::from(offset)))
        else {
            return false;
        };
        attribute.get(ATTRIBUTE_HEADER_LEN..)
            == Some(fingerprint::of(before).to_be_bytes().as_slice())
    }
}
