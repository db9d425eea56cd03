//! Where pairs are kept and found: by number without a search, by path through a keyed hash.

use core::hash::{BuildHasher, Hash, Hasher};
use core::net::IpAddr;

use crate::pair::{Pair, PairId};
use crate::path::Path;

/// Pairs in numbered places; a place is used again, its serial is not.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Option<(u64, Pair)>>,
    serial: u64,
}

impl Slots {
    pub(crate) fn get(&self, id: PairId) -> Option<&Pair> {
        let (serial, pair) = self.slots.get(id.slot)?.as_ref()?;
        (*serial == id.serial).then_some(pair)
    }

    pub(crate) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        let (serial, pair) = self.slots.get_mut(id.slot)?.as_mut()?;
        (*serial == id.serial).then_some(pair)
    }

    /// Takes the first free place.
    pub(crate) fn insert(&mut self, pair: Pair) -> PairId {
        let serial = self.serial;
        self.serial += 1;
        let slot = self
            .slots
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.slots.len());
        match self.slots.get_mut(slot) {
            Some(free) => *free = Some((serial, pair)),
            None => self.slots.push(Some((serial, pair))),
        }
        PairId { serial, slot }
    }

    pub(crate) fn remove(&mut self, id: PairId) -> Option<Pair> {
        self.get(id)?;
        let (_, pair) = self.slots.get_mut(id.slot)?.take()?;
        Some(pair)
    }

    /// All pairs in the order of their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PairId, &Pair)> {
        self.slots.iter().enumerate().filter_map(|(slot, place)| {
            let (serial, pair) = place.as_ref()?;
            Some((
                PairId {
                    serial: *serial,
                    slot,
                },
                pair,
            ))
        })
    }
}

#[expect(
    clippy::disallowed_types,
    reason = "found for every datagram; keyed from the agent's seed, and never iterated"
)]
type Map = std::collections::HashMap<Key, PairId, Keyed>;

/// Finds a pair by its path.
#[derive(Debug)]
pub(crate) struct PathIndex(Map);

impl PathIndex {
    pub(crate) fn new(key: [u64; 2]) -> Self {
        Self(Map::with_hasher(Keyed(key)))
    }

    pub(crate) fn get(&self, path: &Path) -> Option<PairId> {
        self.0.get(&Key(*path)).copied()
    }

    pub(crate) fn insert(&mut self, path: Path, id: PairId) {
        self.0.insert(Key(path), id);
    }

    pub(crate) fn remove(&mut self, path: &Path) {
        self.0.remove(&Key(*path));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A path that hashes as a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key(Path);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for address in [self.0.local, self.0.remote] {
            let port = u64::from(address.port());
            match address.ip() {
                IpAddr::V4(ip) => state.write_u64(u64::from(ip.to_bits()) << 16 | port),
                IpAddr::V6(ip) => {
                    let [a, b, c, d, e, f, g, h] = ip.segments().map(u64::from);
                    state.write_u64(a << 48 | b << 32 | c << 16 | d);
                    state.write_u64(e << 48 | f << 32 | g << 16 | h);
                    state.write_u64(port);
                }
            }
        }
    }
}

/// A hasher whose key comes from the agent's seed, so that nobody outside can choose addresses that
/// collide; entries are few, and only authenticated peers make them.
#[derive(Clone, Copy)]
struct Keyed([u64; 2]);

impl core::fmt::Debug for Keyed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keyed(..)")
    }
}

impl BuildHasher for Keyed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        let [state, key] = self.0;
        Folded {
            state,
            key: key | 1,
        }
    }
}

/// Multiplies to 128 bits and folds, word by word.
struct Folded {
    state: u64,
    key: u64,
}

impl Folded {
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.key);
        let low = u64::try_from(product & u128::from(u64::MAX)).unwrap_or_default();
        let high = u64::try_from(product >> 64).unwrap_or_default();
        self.state = (low ^ high).wrapping_add(self.key.rotate_left(23));
    }
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.state ^ self.state >> 29
    }

    fn write(&mut self, bytes: &[u8]) {
        for octet in bytes {
            self.fold(u64::from(*octet));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.fold(word);
    }
}
