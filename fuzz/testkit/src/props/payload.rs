//! Properties of payload.
