//! The state of each SSRC, found in a few nanoseconds.

/// One value per SSRC, in a dense list with an open-addressing index beside it.
///
/// The hash is keyed, so that nobody who picks SSRCs can make them collide, and the order of
/// the list is that of first use and removal, so that nothing depends on the key. Who removes an
/// entry remembers its highest index: one forgotten is a replay accepted or a nonce used again.
#[derive(Clone, Debug)]
pub(crate) struct Sources<T> {
    entries: Vec<Entry<T>>,
    /// Position in `entries` plus one; zero is free. A power of two, at most half full.
    slots: Vec<u32>,
    /// Where the last packet's SSRC was: media comes in runs.
    last: usize,
    multiplier: u64,
    limit: usize,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    ssrc: u32,
    state: T,
}

/// How many removed SSRCs are remembered for each that may be in use.
pub(crate) const REMOVED_PER_SOURCE: usize = 64;

/// Slots to begin with: four sources, as many as most connections have.
const FIRST_SLOTS: usize = 8;

/// 2^64 divided by the golden ratio.
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;

impl<T> Sources<T> {
    pub(crate) fn new(hash_seed: [u8; 8], limit: usize) -> Self {
        Self {
            entries: Vec::new(),
            slots: Vec::new(),
            last: 0,
            // Multiply-shift hashing takes an odd multiplier; a constant in it keeps a seed of
            // zeros usable.
            multiplier: (u64::from_le_bytes(hash_seed) ^ GOLDEN_RATIO) | 1,
            limit,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= self.limit
    }

    /// Where the state of an SSRC is, if it is known.
    #[inline]
    pub(crate) fn find(&self, ssrc: u32) -> Option<usize> {
        match self.entries.get(self.last) {
            Some(entry) if entry.ssrc == ssrc => Some(self.last),
            Some(_) => self.probe(ssrc),
            None => None,
        }
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.entries.get(at).map(|entry| &entry.state)
    }

    /// The state at a position that [`find`](Self::find) returned, to be changed by an
    /// authentic packet.
    #[inline]
    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.last = at;
        self.entries.get_mut(at).map(|entry| &mut entry.state)
    }

    /// Adds an SSRC that [`find`](Self::find) did not find, after [`is_full`](Self::is_full)
    /// was asked.
    pub(crate) fn insert(&mut self, ssrc: u32, state: T) {
        self.last = self.entries.len();
        self.entries.push(Entry { ssrc, state });
        if self.entries.len() * 2 > self.slots.len() {
            let slots = (self.slots.len() * 2).max(FIRST_SLOTS);
            self.slots = vec![0; slots];
            for at in 0..self.entries.len() {
                self.place(at);
            }
        } else {
            self.place(self.last);
        }
    }

    /// Takes an SSRC out. The index is built anew, which is rare enough not to be done in place.
    pub(crate) fn remove(&mut self, ssrc: u32) -> Option<T> {
        let at = self.find(ssrc)?;
        let entry = self.entries.swap_remove(at);
        self.last = 0;
        self.slots.fill(0);
        for at in 0..self.entries.len() {
            self.place(at);
        }
        Some(entry.state)
    }

    fn place(&mut self, at: usize) {
        let (Some(entry), Ok(tag)) = (self.entries.get(at), u32::try_from(at + 1)) else {
            return;
        };
        let mut slot = self.home(entry.ssrc);
        while let Some(taken) = self.slots.get_mut(slot) {
            if *taken == 0 {
                *taken = tag;
                return;
            }
            slot = self.after(slot);
        }
    }

    fn probe(&self, ssrc: u32) -> Option<usize> {
        let mut slot = self.home(ssrc);
        loop {
            let at = usize::try_from(*self.slots.get(slot)?)
                .ok()?
                .checked_sub(1)?;
            if self.entries.get(at)?.ssrc == ssrc {
                return Some(at);
            }
            slot = self.after(slot);
        }
    }

    fn home(&self, ssrc: u32) -> usize {
        let hash = u64::from(ssrc).wrapping_mul(self.multiplier);
        (hash >> 32) as usize & self.slots.len().wrapping_sub(1)
    }

    fn after(&self, slot: usize) -> usize {
        (slot + 1) & self.slots.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_source_and_no_other() {
        for seed in [[0; 8], [0xff; 8], *b"8 octets"] {
            let mut sources = Sources::new(seed, 4096);
            for i in 0..1000_u32 {
                let ssrc = i.wrapping_mul(0x9e37_79b9);
                assert_eq!(sources.find(ssrc), None);
                sources.insert(ssrc, i);
            }
            assert!(sources.len() * 2 <= sources.slots.len());
            for i in 0..1000_u32 {
                let at = sources.find(i.wrapping_mul(0x9e37_79b9)).unwrap();
                assert_eq!(sources.get(at), Some(&i));
            }
            assert_eq!(sources.find(1), None);
        }
    }

    #[test]
    fn what_is_removed_is_found_no_more_and_all_else_is() {
        let mut sources = Sources::new(*b"8 octets", 4096);
        (0..100_u32).for_each(|ssrc| sources.insert(ssrc, ssrc + 7));
        for ssrc in (0..100).step_by(3) {
            assert_eq!(sources.remove(ssrc), Some(ssrc + 7));
            assert_eq!(sources.remove(ssrc), None);
        }
        for ssrc in 0..100 {
            let state = sources.find(ssrc).and_then(|at| sources.get(at)).copied();
            assert_eq!(state, (ssrc % 3 != 0).then_some(ssrc + 7));
        }
        for ssrc in 0..100 {
            sources.remove(ssrc);
        }
        assert_eq!((sources.len(), sources.find(1)), (0, None));
        sources.insert(1, 1);
        assert_eq!(sources.find(1), Some(0));
    }
}
