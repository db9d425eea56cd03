//! Properties of dtls.
