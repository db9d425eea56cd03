//! A sans-I/O DTLS endpoint for WebRTC: RFC 6347, 5764, 7627, 8122.

mod alert;
mod certificate;
mod config;
mod context;
pub mod crypto;
mod endpoint;
mod event;
mod fingerprint;
mod flight;
pub mod keying;
pub mod reassembly;
mod record;
mod stats;
mod transcript;
mod v12;
pub mod wire;

pub use alert::AlertDescription;
pub use certificate::{Certificate, CertificateConfig, CertificateError, subject_public_key};
pub use config::{Config, ConfigError, PeerVerification, Role};
pub use endpoint::{Endpoint, SendError, VerificationError};
pub use event::{CloseReason, Event, KeyLogLine, ProtocolError};
pub use fingerprint::{Fingerprint, FingerprintError, HashAlgorithm};
pub use keying::{KeyingError, SrtpKeying};
pub use stats::{DropReason, Stats};
pub use wire::record::{is_client_hello, is_dtls};
pub use wire::{CipherSuite, ProtocolVersion as Version};
