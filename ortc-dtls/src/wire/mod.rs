//! Octets to values and back: one file per structure.
//!
//! Parsing borrows, checks everything, and is total; what was parsed is trusted from then on.

pub(crate) mod ack;
pub(crate) mod certificate;
pub(crate) mod certificate13;
pub mod extension;
pub mod handshake;
pub mod hello;
pub(crate) mod key_exchange;
pub(crate) mod key_share;
mod reader;
pub mod record;
mod registry;
pub mod unified;
pub(crate) mod writer;

pub use ack::RecordNumber;
pub use reader::ParseError;
pub(crate) use reader::{Reader, u16_elements};
pub use registry::{
    CipherSuite, ContentType, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion,
    SignatureScheme,
};
