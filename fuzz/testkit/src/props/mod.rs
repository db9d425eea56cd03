//! One function per property; proptest, the corpus replay and the fuzz target call the same one.

pub mod core;
pub mod dtls;
pub mod dtls_gate;
pub mod dtmf;
pub mod framing;
pub mod gather;
pub mod ice;
pub mod ice_candidates;
pub mod ice_matrix;
pub mod jitter;
pub mod network;
pub mod payload;
pub mod repair;
pub mod rtcp;
pub mod rtp;
pub mod socket;
pub mod srtp;
pub mod stun;
pub mod turn;
