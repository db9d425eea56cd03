//! HMAC-SHA1 that starts from saved states (RFC 2104 §4).

use sha1::block_api::compress;
use zeroize::{Zeroize, ZeroizeOnDrop};

const BLOCK: usize = 64;
const IPAD: u8 = 0x36;
const OPAD: u8 = 0x5c;
/// SHA-1's initial hash value (FIPS 180-4 §5.3.1).
const INITIAL: State = [
    0x6745_2301,
    0xefcd_ab89,
    0x98ba_dcfe,
    0x1032_5476,
    0xc3d2_e1f0,
];
/// What padding adds at least: a one bit in an octet, and the length in bits.
const PADDING: usize = 9;

type State = [u32; 5];

/// The states after the padded key, from which each message continues: two compressions less
/// per packet than from the key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct HmacSha1 {
    inner: State,
    outer: State,
}

impl HmacSha1 {
    /// A key of at most one block, which SRTP's 20 octets are.
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut pad = [IPAD; BLOCK];
        for (octet, key) in pad.iter_mut().zip(key) {
            *octet ^= key;
        }
        let mut inner = INITIAL;
        compress(&mut inner, &[pad]);
        for octet in &mut pad {
            *octet ^= IPAD ^ OPAD;
        }
        let mut outer = INITIAL;
        compress(&mut outer, &[pad]);
        pad.zeroize();
        Self { inner, outer }
    }

    /// The tag of `message` followed by `word`.
    pub(crate) fn tag(&self, message: &[u8], word: u32) -> [u8; 20] {
        let (blocks, rest) = message.as_chunks::<BLOCK>();
        let mut state = self.inner;
        compress(&mut state, blocks);

        let mut last = [0; 2 * BLOCK];
        let (head, after) = last.split_at_mut(rest.len());
        head.copy_from_slice(rest);
        if let Some((to, padding)) = after.split_first_chunk_mut() {
            *to = word.to_be_bytes();
            if let Some(one) = padding.first_mut() {
                *one = 0x80;
            }
        }
        // The key's block was hashed before; lengths are in bits.
        let bits = (BLOCK + message.len() + size_of_val(&word)) as u64 * 8;
        let (last, _) = last.as_chunks_mut::<BLOCK>();
        let count = if rest.len() + size_of_val(&word) + PADDING <= BLOCK {
            1
        } else {
            2
        };
        let (last, _) = last.split_at_mut(count);
        if let Some(length) = last.last_mut().and_then(|block| block.last_chunk_mut()) {
            *length = bits.to_be_bytes();
        }
        compress(&mut state, last);

        let mut outer = [0; BLOCK];
        put(&mut outer, &state);
        if let Some(one) = outer.get_mut(20) {
            *one = 0x80;
        }
        if let Some(length) = outer.last_chunk_mut() {
            *length = ((BLOCK as u64 + 20) * 8).to_be_bytes();
        }
        let mut state = self.outer;
        compress(&mut state, &[outer]);
        let mut tag = [0; 20];
        put(&mut tag, &state);
        tag
    }
}

fn put(to: &mut [u8], state: &State) {
    for (octets, word) in to.as_chunks_mut().0.iter_mut().zip(state) {
        *octets = word.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};

    use super::*;

    /// Every length around the block boundaries, against an independent implementation.
    #[test]
    fn agrees_with_the_hmac_crate_at_every_length() {
        let key: Vec<u8> = (0..20).collect();
        let ours = HmacSha1::new(&key);
        let message: Vec<u8> = (0..=250).cycle().take(300).collect();
        for len in 0..message.len() {
            let word = 0xdead_beef_u32;
            let mut theirs = Hmac::<sha1::Sha1>::new_from_slice(&key).unwrap();
            theirs.update(&message[..len]);
            theirs.update(&word.to_be_bytes());
            let expected: [u8; 20] = theirs.finalize().into_bytes().into();
            assert_eq!(ours.tag(&message[..len], word), expected, "{len} octets");
        }
    }
}
