//! The hash of tables whose keys strangers choose.

use core::fmt;
use core::hash::{BuildHasher, Hash};

use siphasher::sip::SipHasher13;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// SipHash with a key from the socket's seed, so that nobody outside can choose addresses or ufrags
/// that collide. The tables are never iterated: their order reaches nothing.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct Keyed(pub(super) [u8; 16]);

impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyed(..)")
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

impl Keyed {
    pub(super) fn pair(&self, local: &str, remote: &str) -> u64 {
        self.hash_one(Pair(local, remote))
    }
}

#[derive(Hash)]
struct Pair<'a>(&'a str, &'a str);
