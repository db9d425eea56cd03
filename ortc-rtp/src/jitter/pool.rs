use core::mem;

use bytes::{Bytes, BytesMut};

/// How many chunks are kept; while an application holds frames of all of them, a further frame
/// costs an allocation.
const CHUNKS: usize = 4;

/// The least that is allocated at once, in octets: several small frames share it.
const SMALLEST: usize = 4_096;

/// Memory for assembled frames, used again when the application has dropped them.
#[derive(Debug, Default)]
pub(super) struct Pool {
    chunks: [BytesMut; CHUNKS],
    oldest: usize,
}

impl Pool {
    /// Makes a frame of what `fill` writes into a buffer with room for `len` octets.
    pub(super) fn frame(&mut self, len: usize, fill: impl FnOnce(&mut BytesMut)) -> Bytes {
        let usable = self
            .chunks
            .iter_mut()
            .position(|chunk| chunk.try_reclaim(len));
        let at = usable.unwrap_or_else(|| {
            self.oldest = (self.oldest + 1) % CHUNKS;
            self.oldest
        });
        let mut spare = BytesMut::new();
        let place = self.chunks.get_mut(at).unwrap_or(&mut spare);
        let mut chunk = match usable {
            Some(_) => mem::take(place),
            None => BytesMut::with_capacity(len.next_power_of_two().max(SMALLEST)),
        };
        fill(&mut chunk);
        let frame = chunk.split().freeze();
        *place = chunk;
        frame
    }
}
