//! The one generator of an agent: secrets, transaction ids, tie-breakers and jitter alike.

use core::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::stun::TransactionId;
use crate::tag::TransactionTag;

/// The 64 ice-chars (RFC 8839 §5.1).
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `ChaCha20` (RFC 8439) from the embedder's seed.
#[derive(Debug)]
pub(crate) struct Random {
    rng: ChaCha20Rng,
    /// Whose the transaction ids are, when a socket is shared.
    pub(crate) tag: Option<TransactionTag>,
}

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            rng: ChaCha20Rng::from_seed(seed),
            tag: None,
        }
    }

    /// Six bits a character, so that all are equally likely.
    pub(crate) fn ice_chars(&mut self, len: usize) -> String {
        let mut octets = zeroize::Zeroizing::new(vec![0; len]); // as secret as the characters
        self.rng.fill_bytes(&mut octets);
        let char = |octet: &u8| {
            ICE_CHARS
                .get(usize::from(octet & 63))
                .copied()
                .unwrap_or(b'A')
        };
        octets.iter().map(|octet| char::from(char(octet))).collect()
    }

    pub(crate) fn transaction_id(&mut self) -> TransactionId {
        if let Some(tag) = &self.tag {
            return tag.id(self.rng.next_u64().to_be_bytes());
        }
        let mut id = [0; 12];
        self.rng.fill_bytes(&mut id);
        TransactionId(id)
    }

    /// The seed of another generator.
    pub(crate) fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        seed
    }

    pub(crate) fn tie_breaker(&mut self) -> u64 {
        self.rng.next_u64()
    }

    pub(crate) fn index_key(&mut self) -> [u64; 2] {
        [self.rng.next_u64(), self.rng.next_u64()]
    }

    /// `period` times 0.8 to 1.2 (RFC 7675 §5.1).
    pub(crate) fn spread(&mut self, period: Duration) -> Duration {
        let thousandths = 800 + self.rng.next_u32() % 401;
        period * thousandths / 1000
    }
}
