//! Properties of srtp.
