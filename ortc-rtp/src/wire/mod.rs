//! Octets to values and back: the RTP header, its extensions, and RTCP.

mod error;
mod extension;
mod header;
pub mod rtcp;

pub use error::ParseError;
pub use extension::{Elements, Extension, ExtensionElements, ExtensionError};
pub use header::{Header, RtpPacket};
