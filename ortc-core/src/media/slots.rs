//! Tracks by a small number that stays the same while they live.

/// A slab: boxed, so that an empty slot costs a pointer and a look-up moves nothing.
#[derive(Debug)]
pub(crate) struct Slots<T>(Vec<Option<Box<T>>>);

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Slots<T> {
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let free = self
            .0
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.0.len());
        match self.0.get_mut(free) {
            Some(slot) => *slot = Some(Box::new(value)),
            None => self.0.push(Some(Box::new(value))),
        }
        // Callers bound the number of tracks far below 2^32.
        u32::try_from(free).unwrap_or(u32::MAX)
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.0.get(usize::try_from(slot).ok()?)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.0.get_mut(usize::try_from(slot).ok()?)?.as_deref_mut()
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<Box<T>> {
        self.0.get_mut(usize::try_from(slot).ok()?)?.take()
    }

    /// Those that live, in order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..)
            .zip(&self.0)
            .filter_map(|(slot, value)| Some((slot, value.as_deref()?)))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().flatten().count()
    }
}
