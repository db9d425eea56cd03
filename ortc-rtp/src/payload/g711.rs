//! PCMU and PCMA (RFC 3551 §4.5.14): one octet a sample, 8000 a second, no header.
//!
//! Samples could be split anywhere, but each packet has its own timestamp, so the caller
//! decides: a frame is one packet, 20 ms by default (RFC 3551 §4.2, Table 1).

use core::time::Duration;

/// How long `payload` sounds: 125 µs an octet.
#[must_use]
pub fn duration(payload: &[u8]) -> Duration {
    let samples = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    Duration::from_micros(125).saturating_mul(samples)
}
