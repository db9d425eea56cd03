//! MESSAGE-INTEGRITY (RFC 8489 §14.5): HMAC-SHA1 (RFC 2104) from a key schedule that is kept.

use core::fmt;

use sha1::block_api::compress;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Octets of an HMAC-SHA1.
pub(super) const TAG_LEN: usize = 20;

/// Octets of one block of SHA-1.
const BLOCK: usize = 64;

/// Blocks that are hashed at once at the end of a message.
const LAST_BLOCKS: usize = 2;

/// The least padding of SHA-1: a marker, and the length in bits.
const PADDING_MIN: usize = 9;

/// Bits that the outer hash is over: the padded key and the inner digest.
const OUTER_BITS: u32 = (64 + 20) * 8;

/// The initial state of SHA-1 (FIPS 180-4 §5.3.1).
const INITIAL: [u32; 5] = [
    0x6745_2301,
    0xefcd_ab89,
    0x98ba_dcfe,
    0x1032_5476,
    0xc3d2_e1f0,
];

/// A key for MESSAGE-INTEGRITY, expanded once: the state of SHA-1 after the inner and the outer
/// padded key. A message then costs its own blocks and one more.
///
/// A short-term password (RFC 8489 §9.1.1) and the 16 octets of a long-term key (§9.2.2) are both
/// keys. The states are erased on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct IntegrityKey {
    inner: [u32; 5],
    outer: [u32; 5],
}

impl IntegrityKey {
    /// Expands a key of any length; longer than 64 octets it is hashed first (RFC 2104 §2).
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        let mut block = [0_u8; BLOCK];
        if key.len() > BLOCK {
            let mut digest = Sha1::digest(key);
            for (to, from) in block.iter_mut().zip(digest.iter()) {
                *to = *from;
            }
            digest.as_mut_slice().zeroize();
        } else {
            for (to, from) in block.iter_mut().zip(key) {
                *to = *from;
            }
        }
        let (mut inner, mut outer) = (INITIAL, INITIAL);
        let mut padded = block.map(|octet| octet ^ 0x36);
        compress(&mut inner, &[padded]);
        padded = block.map(|octet| octet ^ 0x5c);
        compress(&mut outer, &[padded]);
        padded.zeroize();
        block.zeroize();
        Self { inner, outer }
    }

    /// The tag of a message: `before` is everything in front of the attribute, and `length` what
    /// the header's length field has to say while it is computed (it ends with the attribute).
    pub(super) fn tag(&self, before: &[u8], length: u16) -> [u8; TAG_LEN] {
        let mut state = self.inner;
        // All blocks but the last few as they stand, but for the length in the first; then the rest
        // with the padding of SHA-1 in one go. A check fits there as a whole.
        let mut last = [[0_u8; BLOCK]; LAST_BLOCKS];
        let whole = before
            .len()
            .saturating_sub(LAST_BLOCKS * BLOCK - PADDING_MIN);
        let whole = whole.next_multiple_of(BLOCK).min(before.len());
        let (head, tail) = before.split_at_checked(whole).unwrap_or((before, &[]));
        if let Some(to) = last.as_flattened_mut().get_mut(..tail.len()) {
            to.copy_from_slice(tail);
        }
        let (blocks, _) = head.as_chunks::<BLOCK>();
        match blocks.split_first() {
            Some((first, more)) => {
                let mut first = *first;
                patch_length(&mut first, length);
                compress(&mut state, &[first]);
                compress(&mut state, more);
            }
            None => patch_length(last.as_flattened_mut(), length),
        }
        finish(&mut state, &mut last, tail.len(), BLOCK + before.len());

        let mut outer = self.outer;
        compress(&mut outer, &[outer_block(state)]);
        octets(outer)
    }

    /// Compares in constant time, by words: each comparison that the compiler may not look into
    /// costs as much for a word as for an octet.
    pub(super) fn verify(&self, before: &[u8], length: u16, tag: &[u8; TAG_LEN]) -> bool {
        let (ours, theirs) = (words(&self.tag(before, length)), words(tag));
        (ours.0.ct_eq(&theirs.0) & ours.1.ct_eq(&theirs.1)).into()
    }
}

impl fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(..)")
    }
}

/// Overwrites the length field of the STUN header at the start of `bytes`.
fn patch_length(bytes: &mut [u8], length: u16) {
    let [high, low] = length.to_be_bytes();
    if let [_, _, to_high, to_low, ..] = bytes {
        (*to_high, *to_low) = (high, low);
    }
}

/// The padding of SHA-1 and the blocks that it ends; `used` octets of `last` are message, the others
/// are zero, and `total` octets have been hashed including them.
#[inline]
fn finish(state: &mut [u32; 5], last: &mut [[u8; BLOCK]; LAST_BLOCKS], used: usize, total: usize) {
    if let Some(marker) = last.as_flattened_mut().get_mut(used) {
        *marker = 0x80;
    }
    let count = (used + PADDING_MIN).div_ceil(BLOCK);
    let Some(blocks) = last.get_mut(..count) else {
        return; // `tag` leaves room for the padding
    };
    if let Some(to) = blocks.last_mut().and_then(|block| block.last_chunk_mut()) {
        *to = (total as u64 * 8).to_be_bytes();
    }
    compress(state, blocks);
}

/// The only block of the outer hash: the inner digest, a marker, and 84 octets as bits.
fn outer_block(state: [u32; 5]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let (words, _) = block.as_chunks_mut::<4>();
    let tail = [0x8000_0000, 0, 0, 0, 0, 0, 0, 0, 0, 0, OUTER_BITS];
    for (to, word) in words.iter_mut().zip(state.into_iter().chain(tail)) {
        *to = word.to_be_bytes();
    }
    block
}

fn words(tag: &[u8; TAG_LEN]) -> (u128, u32) {
    let [head @ .., a, b, c, d] = *tag;
    (u128::from_ne_bytes(head), u32::from_ne_bytes([a, b, c, d]))
}

fn octets(state: [u32; 5]) -> [u8; TAG_LEN] {
    let mut tag = [0; TAG_LEN];
    let (words, _) = tag.as_chunks_mut::<4>();
    for (to, word) in words.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2104 by its formula, for every length around the block boundaries.
    #[test]
    fn the_kept_key_schedule_agrees_with_the_formula() {
        for key_len in [0_u16, 1, 16, 22, 63, 64, 65, 200] {
            let key: Vec<u8> = (0..key_len).map(|i| (i * 7 + 1).to_be_bytes()[1]).collect();
            let cached = IntegrityKey::new(&key);
            for len in 20..300_u16 {
                let mut text: Vec<u8> = (0..len).map(|i| (i * 13).to_be_bytes()[1]).collect();
                let [high, low] = 0x1234_u16.to_be_bytes();
                let tag = cached.tag(&text, 0x1234);
                (text[2], text[3]) = (high, low);
                assert_eq!(tag.as_slice(), formula(&key, &text), "{key_len} {len}");
            }
        }
    }

    fn formula(key: &[u8], text: &[u8]) -> Vec<u8> {
        let key = if key.len() > BLOCK {
            Sha1::digest(key).to_vec()
        } else {
            key.to_vec()
        };
        let pad = |with: u8| -> Vec<u8> {
            let octet = |i: usize| key.get(i).copied().unwrap_or(0) ^ with;
            (0..BLOCK).map(octet).collect()
        };
        let inner = Sha1::digest([pad(0x36), text.to_vec()].concat());
        Sha1::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
    }
}
