//! RTP, RTCP, payload formats and reception streams without I/O: RFC 3550, 8285, 4585, 7741, 6184.

pub mod jitter;
pub mod payload;
