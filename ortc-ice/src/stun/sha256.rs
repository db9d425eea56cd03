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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stun::{LongTermCredentials, PasswordAlgorithm};

    /// RFC 8489 §B.1 up to its MESSAGE-INTEGRITY-SHA256.
    const BEFORE: &str = "
        00 01 00 9c  21 12 a4 42  78 ad 34 33  c6 ad 72 c0  29 da 41 2e
        00 1e 00 20  4a 3c f3 8f  ef 69 92 bd  a9 52 c6 78  04 17 da 0f
                     24 81 94 15  56 9e 60 b2  05 c4 6e 41  40 7f 17 04
        00 15 00 29  6f 62 4d 61  74 4a 6f 73  32 41 41 41  43 66 2f 2f
                     34 39 39 6b  39 35 34 64  36 4f 4c 33  34 6f 4c 39
                     46 53 54 76  79 36 34 73  41 00 00 00
        00 14 00 0b  65 78 61 6d  70 6c 65 2e  6f 72 67 00";
    /// Its value.
    const TAG: &str = "
        e4 68 6c 8f  0e de b5 90  13 e0 70 90  01 0a 93 ef
        cc bc cc 54  4c 0a 45 d9  f8 30 aa 6d  6f 73 5a 01";

    fn octets(text: &str) -> Vec<u8> {
        hex::decode(text.split_whitespace().collect::<String>()).unwrap()
    }

    /// The length field of the vector is 156, which counts the header; the tag was made over that.
    #[test]
    fn the_integrity_of_section_b_1_is_right_as_printed() {
        let user = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}";
        let credentials = LongTermCredentials::new(user, "TheMatrIX").unwrap();
        let key = credentials.key("example.org", PasswordAlgorithm::Sha256);
        let key = key.unwrap();
        let (before, tag) = (octets(BEFORE), octets(TAG));
        assert_eq!(key.sha256().tag(&before, 156).as_slice(), tag);
        assert!(key.sha256().verify(&before, 156, &tag));
        assert!(!key.sha256().verify(&before, 136, &tag));
    }

    /// RFC 4231, cases 2 and 6 (a key longer than a block), through the length that `tag` writes.
    #[test]
    fn the_kept_key_schedule_is_hmac() {
        let cases = [
            (
                b"Jefe".to_vec(),
                &b"what do ya want for nothing?"[..],
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, text, expected) in cases {
            let length = u16::from_be_bytes([text[2], text[3]]);
            let tag = Sha256Key::new(&key).tag(text, length);
            assert_eq!(hex::encode(tag), expected);
        }
    }
}
