//! MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.6): HMAC-SHA256 (RFC 2104) of a message.

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Octets of an HMAC-SHA256.
pub(super) const TAG_LEN: usize = 32;
/// The shortest truncation that RFC 8489 §14.6 knows.
pub(super) const TAG_MIN: usize = 16;

/// A key for MESSAGE-INTEGRITY-SHA256, expanded once.
///
/// A short-term password (RFC 8489 §9.1.1) and a long-term key (§9.2.2) of either algorithm are
/// both keys. It is erased on drop.
#[derive(Clone)]
pub struct Sha256Key(Hmac<Sha256>);

impl Sha256Key {
    /// Expands a key of any length.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "HMAC takes keys of any length")]
    pub fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    /// The tag of a message: `before` is everything in front of the attribute, and `length` what
    /// the header's length field has to say while it is computed (it ends with the attribute).
    pub(super) fn tag(&self, before: &[u8], length: u16) -> [u8; TAG_LEN] {
        let mut hmac = self.0.clone();
        if let Some((&[t0, t1, _, _], rest)) = before.split_first_chunk() {
            let [high, low] = length.to_be_bytes();
            hmac.update(&[t0, t1, high, low]);
            hmac.update(rest);
        }
        hmac.finalize().into_bytes().into()
    }

    /// Compares the octets that are there, in constant time; their number is for the caller to
    /// judge.
    pub(super) fn verify(&self, before: &[u8], length: u16, tag: &[u8]) -> bool {
        let ours = self.tag(before, length);
        ours.get(..tag.len())
            .is_some_and(|ours| ours.ct_eq(tag).into())
    }
}

impl fmt::Debug for Sha256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha256Key(..)")
    }
}
