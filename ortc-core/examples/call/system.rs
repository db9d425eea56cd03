//! What the stack does not take from the operating system by itself: time and entropy.

use core::error::Error;
use core::time::Duration;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};

#[expect(clippy::disallowed_methods, reason = "here time enters the stack")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Time since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "here the date enters the stack")]
pub(crate) fn wall_clock() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A fresh seed.
pub(crate) fn seed() -> Result<[u8; 32], Box<dyn Error>> {
    let mut seed = [0; 32];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| "the operating system gives no random octets")?;
    Ok(seed)
}
