//! SSRC to slot: the one look-up that every media packet pays.

/// Open addressing with a keyed multiplicative hash, and the last answer remembered: a run of
/// packets of one source costs one comparison. A peer that chooses SSRCs cannot choose collisions
/// without the key.
#[derive(Debug)]
pub(crate) struct SsrcTable {
    entries: Vec<Option<(u32, u32)>>,
    used: usize,
    key: u64,
    last: Option<(u32, u32)>,
}

/// Entries of a table with one source; before, it has none and costs nothing.
const INITIAL: usize = 4;

impl SsrcTable {
    pub(crate) fn new(key: u64) -> Self {
        Self {
            entries: Vec::new(),
            used: 0,
            key: key | 1,
            last: None,
        }
    }

    pub(crate) fn get(&mut self, ssrc: u32) -> Option<u32> {
        if let Some((known, slot)) = self.last
            && known == ssrc
        {
            return Some(slot);
        }
        let found = self
            .probe(ssrc)
            .find_map(|index| match self.entries.get(index) {
                Some(Some((known, slot))) if *known == ssrc => Some(Some(*slot)),
                Some(Some(_)) => None,
                Some(None) | None => Some(None),
            })??;
        self.last = Some((ssrc, found));
        Some(found)
    }

    pub(crate) fn insert(&mut self, ssrc: u32, slot: u32) {
        self.remove(ssrc);
        if (self.used + 1) * 2 > self.entries.len() {
            let larger = vec![None; (self.entries.len() * 2).max(INITIAL)];
            for (known, slot) in core::mem::replace(&mut self.entries, larger)
                .into_iter()
                .flatten()
            {
                self.place(known, slot);
            }
        }
        self.place(ssrc, slot);
        self.used += 1;
    }

    pub(crate) fn remove(&mut self, ssrc: u32) {
        self.last = None;
        if !self
            .entries
            .iter()
            .flatten()
            .any(|(known, _)| *known == ssrc)
        {
            return;
        }
        // Removal is rare; placing the rest anew keeps every probe sequence whole.
        let same_size = vec![None; self.entries.len()];
        for (known, slot) in core::mem::replace(&mut self.entries, same_size)
            .into_iter()
            .flatten()
        {
            if known != ssrc {
                self.place(known, slot);
            }
        }
        self.used -= 1;
    }

    fn place(&mut self, ssrc: u32, slot: u32) {
        let free = self
            .probe(ssrc)
            .find(|index| matches!(self.entries.get(*index), Some(None)));
        if let Some(entry) = free.and_then(|index| self.entries.get_mut(index)) {
            *entry = Some((ssrc, slot));
        }
    }

    fn probe(&self, ssrc: u32) -> impl Iterator<Item = usize> + use<> {
        let mask = self.entries.len().saturating_sub(1);
        let hash = (u64::from(ssrc) ^ self.key).wrapping_mul(self.key) >> 32;
        let start = usize::try_from(hash).unwrap_or_default();
        (0..self.entries.len()).map(move |step| (start + step) & mask)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_agrees_with_an_ordered_map() {
        let (mut table, mut model) = (SsrcTable::new(0x1234_5678_9abc_def1), BTreeMap::new());
        let mut state = 7_u32;
        for step in 0..5_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let ssrc = (state >> 8) % 200;
            match state % 3 {
                0 => {
                    table.insert(ssrc, step);
                    model.insert(ssrc, step);
                }
                1 => {
                    table.remove(ssrc);
                    model.remove(&ssrc);
                }
                _ => assert_eq!(table.get(ssrc), model.get(&ssrc).copied()),
            }
        }
        assert!(model.len() > 50, "the model was exercised");
    }
}
