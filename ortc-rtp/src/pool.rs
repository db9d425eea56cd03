//! Memory for payloads that arrived: one copy into a recycled block, then shared.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Octets of a block: three video packets or some twenty of audio.
const BLOCK: usize = 4096;

/// Blocks kept at most: 256 KiB, about 200 video packets that consumers hold.
const MAX_BLOCKS: usize = 64;

/// Blocks looked at before a new one is made: the oldest are the likeliest to be free.
const LOOK_AHEAD: usize = 4;

/// Copies payloads into blocks that are used again when all their consumers have let go.
///
/// Once there are enough blocks for what consumers hold, [`copy`](Self::copy) allocates nothing. A
/// consumer that keeps a payload keeps its whole block from being used again; it should copy what it
/// wants to keep for long.
///
/// ```
/// use ortc_rtp::pool::PayloadPool;
///
/// let mut pool = PayloadPool::new();
/// let payload = pool.copy(b"opus");
/// let shared = payload.clone(); // the same octets
/// assert_eq!(&shared[..], b"opus");
/// ```
#[derive(Debug)]
pub struct PayloadPool {
    /// The front one is being filled; the next ones were filled the longest time ago.
    blocks: VecDeque<BytesMut>,
    max_blocks: usize,
}

impl Default for PayloadPool {
    fn default() -> Self {
        Self::new()
    }
}

impl PayloadPool {
    /// An empty pool of at most 64 blocks of 4 KiB; the first payload makes the first block.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_limit(MAX_BLOCKS)
    }

    /// An empty pool of at most this many blocks of 4 KiB; with none, every payload is allocated.
    #[must_use]
    pub const fn with_limit(max_blocks: usize) -> Self {
        Self {
            blocks: VecDeque::new(),
            max_blocks,
        }
    }

    /// The payload, in memory of its own that can be shared.
    ///
    /// Larger than a block, or with all blocks held, it is allocated.
    #[inline]
    pub fn copy(&mut self, payload: &[u8]) -> Bytes {
        if payload.is_empty() {
            return Bytes::new();
        }
        if let Some(block) = self.blocks.front_mut()
            && block.capacity() >= payload.len()
        {
            return fill(block, payload);
        }
        self.next_block(payload)
    }

    /// Octets of the blocks, whether free or held by consumers.
    #[must_use]
    pub fn heap(&self) -> usize {
        self.blocks.len() * BLOCK + self.blocks.capacity() * size_of::<BytesMut>()
    }

    /// Lets all blocks but one go; those that consumers hold live until they are done.
    pub fn shrink(&mut self) {
        self.blocks.truncate(1);
        self.blocks.shrink_to_fit();
    }

    fn next_block(&mut self, payload: &[u8]) -> Bytes {
        if payload.len() > BLOCK {
            return Bytes::copy_from_slice(payload);
        }
        for _ in 0..self.blocks.len().min(LOOK_AHEAD) {
            self.blocks.rotate_left(1);
            if let Some(block) = self.blocks.front_mut()
                && block.try_reclaim(BLOCK)
            {
                return fill(block, payload);
            }
        }
        if self.blocks.len() >= self.max_blocks {
            return Bytes::copy_from_slice(payload);
        }
        self.blocks.push_front(BytesMut::with_capacity(BLOCK));
        self.blocks
            .front_mut()
            .map_or_else(Bytes::new, |block| fill(block, payload))
    }
}

/// The payload at the front of a block that has room for it.
#[inline]
fn fill(block: &mut BytesMut, payload: &[u8]) -> Bytes {
    block.extend_from_slice(payload);
    block.split().freeze()
}
