//! MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.6): HMAC-SHA256 (RFC 2104) of a message.

use core::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Octets of an HMAC-SHA256.
pub(super) const TAG_LEN: usize = 32;
/// The shortest truncation that RFC 8489 §14.6 knows.
pub(super) const TAG_MIN: usize = 16;

/// Octets of one block of SHA-256.
const BLOCK: usize = 64;

/// A key for MESSAGE-INTEGRITY-SHA256, expanded once: SHA-256 after the inner and the outer padded
/// key.
///
/// A short-term password (RFC 8489 §9.1.1) and a long-term key (§9.2.2) of either algorithm are
/// both keys. Both states are erased on drop.
#[derive(Clone)]
pub struct Sha256Key {
    inner: Sha256,
    outer: Sha256,
}

impl Sha256Key {
    /// Expands a key of any length; longer than 64 octets it is hashed first (RFC 2104 §2).
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0_u8; BLOCK]);
        let mut hashed = Zeroizing::new([0_u8; TAG_LEN]);
        let key = if key.len() > BLOCK {
            *hashed = Sha256::digest(key).into();
            hashed.as_slice()
        } else {
            key
        };
        for (to, from) in block.iter_mut().zip(key) {
            *to = *from;
        }
        let padded = |with: u8| Zeroizing::new(block.map(|octet| octet ^ with));
        Self {
            inner: Sha256::new_with_prefix(padded(0x36).as_slice()),
            outer: Sha256::new_with_prefix(padded(0x5c).as_slice()),
        }
    }

    /// The tag of a message: `before` is everything in front of the attribute, and `length` what
    /// the header's length field has to say while it is computed (it ends with the attribute).
    pub(super) fn tag(&self, before: &[u8], length: u16) -> [u8; TAG_LEN] {
        let mut inner = self.inner.clone();
        if let Some((&[t0, t1, _, _], rest)) = before.split_first_chunk() {
            let [high, low] = length.to_be_bytes();
            inner.update([t0, t1, high, low]);
            inner.update(rest);
        }
        let mut outer = self.outer.clone();
        outer.update(inner.finalize());
        outer.finalize().into()
    }

    /// Compares the octets that are there, in constant time; their number is for the caller to
    /// judge.
    pub(super) fn verify(&self, before: &[u8], length: u16, tag: &[u8]) -> bool {
        let ours = self.tag(before, length);
        ours.get(..tag.len())
            .is_some_and(|ours| ours.ct_eq(tag).into())
    }
}

impl ZeroizeOnDrop for Sha256Key {}

/// The states erase themselves.
const _: () = {
    const fn erased<T: ZeroizeOnDrop>() {}
    erased::<Sha256>();
};

impl fmt::Debug for Sha256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha256Key(..)")
    }
}
