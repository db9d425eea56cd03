//! Properties of stun.
