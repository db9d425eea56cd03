//! What the library does not take from the operating system by itself: time and entropy.

use core::error::Error;
use std::time::Instant;

use rustls::crypto::ring;

#[expect(clippy::disallowed_methods, reason = "here time enters the stack")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A fresh seed.
pub(crate) fn seed() -> Result<[u8; 32], Box<dyn Error>> {
    let mut seed = [0; 32];
    ring::default_provider()
        .secure_random
        .fill(&mut seed)
        .map_err(|_| "the operating system gives no random octets")?;
    Ok(seed)
}
