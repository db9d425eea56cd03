//! Fourteen recorded calls of Chromium and Firefox, replayed against every layer and against whole
//! connections. `tests/data/captures/README.md` says what is in the recordings.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "test code: a failed expectation is the report"
)]

mod connection;
mod descriptions;
mod far_end;
mod frames;
mod handshake;
mod recording;
mod rtcp;
mod rtp;
mod secured;
mod stun;
