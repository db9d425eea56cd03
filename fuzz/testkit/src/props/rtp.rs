//! Properties of rtp.
