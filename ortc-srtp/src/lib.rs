//! SRTP and SRTCP transforms that work in place: RFC 3711, 7714.

mod cipher;
mod error;
mod history;
mod index;
mod kdf;
mod keys;
mod profile;
mod receiver;
mod replay;
mod rtcp;
mod rtp;
mod sender;
mod sources;

pub use error::{KeyError, ProtectError, UnprotectError};
pub use keys::{MasterKey, SessionKey, SessionKeys};
pub use profile::Profile;
pub use receiver::Receiver;
pub use sender::Sender;
