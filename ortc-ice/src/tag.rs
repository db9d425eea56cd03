//! Whose an answer is, told by its transaction id: for those who share one socket among agents.

use core::fmt;
use core::hash::Hasher;

use siphasher::sip::SipHasher13;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::stun::TransactionId;

/// Marks the transaction ids of one agent with a number that whoever has the key can read.
///
/// STUN answers carry no user name, and two agents may wait for answers from one address. An id is
/// eight random octets (RFC 8489 §5 asks for 96 random bits; 64 are still more than a stranger can
/// guess while a check waits) and the number, masked with a keyed hash of those eight: without the
/// key it looks as random as the rest, and two ids of one agent have nothing in common.
///
/// ```
/// use ortc_ice::TransactionTag;
/// use ortc_ice::stun::TransactionId;
///
/// let tag = TransactionTag::new([7; 16], 40_000);
/// let id = tag.id([1, 2, 3, 4, 5, 6, 7, 8]);
/// assert_eq!(TransactionTag::number(&[7; 16], id), 40_000);
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct TransactionTag {
    key: [u8; 16],
    number: u32,
}

impl fmt::Debug for TransactionTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionTag")
            .field("key", &"<redacted>")
            .field("number", &self.number)
            .finish()
    }
}

impl TransactionTag {
    /// The tag of the agent with this number. The key is secret and the same for all agents of a
    /// socket.
    #[must_use]
    pub const fn new(key: [u8; 16], number: u32) -> Self {
        Self { key, number }
    }

    /// A transaction id with this tag.
    #[must_use]
    pub fn id(&self, random: [u8; 8]) -> TransactionId {
        let masked = self.number ^ mask(&self.key, random);
        let mut id = [0; 12];
        let octets = random.into_iter().chain(masked.to_be_bytes());
        for (to, from) in id.iter_mut().zip(octets) {
            *to = from;
        }
        TransactionId(id)
    }

    /// The number in an id; any number at all when nobody tagged it with this key.
    #[must_use]
    pub fn number(key: &[u8; 16], id: TransactionId) -> u32 {
        let [a, b, c, d, e, f, g, h, masked @ ..] = id.0;
        u32::from_be_bytes(masked) ^ mask(key, [a, b, c, d, e, f, g, h])
    }
}

fn mask(key: &[u8; 16], random: [u8; 8]) -> u32 {
    let mut hasher = SipHasher13::new_with_key(key);
    hasher.write(&random);
    let [a, b, c, d, ..] = hasher.finish().to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
