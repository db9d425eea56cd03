//! AES in counter mode over octets in place.

use aes::cipher::array::Array;
use aes::cipher::consts::U16;
use aes::cipher::typenum::Unsigned;
use aes::cipher::{
    BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, ParBlocks,
};

const BLOCK: usize = 16;

/// Adds the key stream that starts with the encryption of `first_block` (RFC 3711 §4.1.1).
///
/// The counter runs over all 128 bits; SRTP bounds a packet so that only the last 16 change.
pub(crate) fn apply<C>(cipher: &C, first_block: u128, data: &mut [u8])
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    cipher.encrypt_with_backend(Apply { first_block, data });
}

/// All of one packet inside one call of the cipher, so that the processor's features are
/// looked up, and wide round keys prepared, once.
struct Apply<'a> {
    first_block: u128,
    data: &'a mut [u8],
}

impl BlockSizeUser for Apply<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Apply<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let Self {
            first_block: mut counter,
            data,
        } = self;

        let wide = B::ParBlocksSize::USIZE * BLOCK;
        let mut wide_chunks = data.chunks_exact_mut(wide);
        for chunk in &mut wide_chunks {
            let mut blocks = ParBlocks::<B>::default();
            for block in &mut blocks {
                *block = Array(counter.to_be_bytes());
                counter = counter.wrapping_add(1);
            }
            backend.encrypt_par_blocks_inplace(&mut blocks);
            for (octets, block) in chunk.as_chunks_mut::<BLOCK>().0.iter_mut().zip(&blocks) {
                xor(octets, &block.0);
            }
        }

        let (chunks, tail) = wide_chunks.into_remainder().as_chunks_mut::<BLOCK>();
        for octets in chunks {
            let mut block = Array(counter.to_be_bytes());
            backend.encrypt_block_inplace(&mut block);
            xor(octets, &block.0);
            counter = counter.wrapping_add(1);
        }
        if !tail.is_empty() {
            let mut block = Array(counter.to_be_bytes());
            backend.encrypt_block_inplace(&mut block);
            for (octet, key) in tail.iter_mut().zip(&block.0) {
                *octet ^= key;
            }
        }
    }
}

#[inline(always)]
fn xor(octets: &mut [u8; BLOCK], key: &[u8; BLOCK]) {
    *octets = (u128::from_ne_bytes(*octets) ^ u128::from_ne_bytes(*key)).to_ne_bytes();
}
