//! RTP, RTCP, payload formats and reception streams without I/O: RFC 3550, 8285, 4585, 7741, 6184.

pub mod jitter;
pub mod payload;
pub mod pool;
pub mod repair;
pub mod sequence;
pub mod stream;
pub mod timestamp;
pub mod wire;

pub use wire::ParseError;
