//! RTCConnection, the object API of the ORTC draft of October 2013, without I/O.

mod api;
mod demux;
mod media;
mod queue;
mod stats;
mod timer;
mod transport;

pub use api::*;
pub use ortc_dtls::{self as dtls, Certificate, Fingerprint, HashAlgorithm, PeerVerification};
pub use ortc_ice::{self as ice, Datagram, Ecn, Path, RolePolicy, Transmit};
pub use ortc_srtp::Profile;
pub use stats::{ConnectionStats, DropReason, Drops, DtlsStats, ReceiveTrackStats, SendTrackStats};
