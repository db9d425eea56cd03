//! STUN (RFC 8489): a borrowed view of a message, a builder, the integrity checks, and the client's
//! side of long-term credentials ([`Session`]).
//!
//! ```
//! use ortc_ice::stun::{Class, IntegrityKey, Message, MessageBuilder, Method, TransactionId};
//!
//! let key = IntegrityKey::new(b"VOkJxbRl1RmTxUk/WvJxBt");
//! let mut datagram = Vec::new();
//! let mut builder =
//!     MessageBuilder::new(&mut datagram, Class::Request, Method::BINDING, TransactionId([7; 12]));
//! builder.username("evtj", "h6vY")?;
//! builder.priority(0x6e00_01ff);
//! builder.integrity(&key);
//! builder.fingerprint();
//!
//! let message = Message::parse(&datagram)?;
//! assert_eq!(message.split_username(), Some(("evtj", "h6vY")));
//! assert!(message.verify_fingerprint() && message.verify_integrity(&key));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attribute;
mod builder;
mod covered;
mod fingerprint;
mod integrity;
mod long_term;
mod message;
mod registry;
mod session;
mod sha256;

pub use self::attribute::{Attribute, AttributeType, Attributes, ErrorCode};
pub(crate) use self::attribute::{encode_xor_v4, encode_xor_v6, parse_xor_address};
pub use self::builder::{MessageBuilder, TooLong};
pub use self::covered::Covered;
pub(crate) use self::covered::parse_plain_address;
pub use self::integrity::IntegrityKey;
pub use self::long_term::{
    LongTermCredentials, LongTermKey, PasswordAlgorithm, PrecisError, user_hash,
};
pub(crate) use self::message::message_type;
pub use self::message::{Class, Message, Method, ParseError, TransactionId, is_stun};
pub use self::session::{Refusal, SecurityFeatures, Session, Signed, Verdict};
pub use self::sha256::Sha256Key;

/// The magic cookie (RFC 8489 §5).
pub const MAGIC_COOKIE: u32 = 0x2112_A442;

/// Octets of the header (RFC 8489 §5).
pub const HEADER_LEN: usize = 20;

/// Octets of the length field that every attribute begins with (RFC 8489 §14).
const ATTRIBUTE_HEADER_LEN: usize = 4;
