//! Whose a pair of addresses is: what DTLS, SRTP and everything else without a name in it is routed
//! by.
//!
//! A claim is as strong as its proof, and gives way to a stronger one only:
//!
//! 1. [`Said`](Proof::Said): the connection may send there, for its peer signalled that address.
//! 2. [`Checked`](Proof::Checked): a check that its password authenticates came from there. Whoever
//!    knows the password can send one with any source address.
//! 3. [`Valid`](Proof::Valid): a check of its own was answered from there. An answer repeats 64 bits
//!    that only whoever receives at the address has seen, and is authenticated by the peer's
//!    password. Nobody can forge that from elsewhere.
//!
//! Of two valid claims the later wins: a client that comes back from the same address with new
//! credentials takes it over as soon as its own pair is valid. The connection that lost gets nothing
//! more over this pair of addresses, checks and their answers included, until one side of it has new
//! credentials; without another path its consent expires (RFC 7675 §5.1). So one pair of addresses
//! carries one connection at a time.
//!
//! What is protected: who knows the credentials of one connection, but does not receive what is sent
//! to an address, takes nothing from the connection at that address. Who does receive it, a router
//! on the way, could as well have dropped it; and to open or make media it needs the keys of DTLS.

use hashbrown::HashMap;
use ortc_ice::Path;

use super::ConnectionId;
use super::keyed::Keyed;
use super::registry::Registry;

/// Paths that one connection may claim, and paths that it may have lost.
pub(super) const MAX_CLAIMS: usize = 256;

/// How well it is known whose a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proof {
    Said,
    Checked,
    Valid,
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    owner: ConnectionId,
    proof: Proof,
}

#[derive(Debug)]
pub(super) struct Claims(HashMap<Path, Claim, Keyed>);

impl Claims {
    pub(super) fn new(keyed: Keyed) -> Self {
        Self(HashMap::with_hasher(keyed))
    }

    pub(super) fn owner(&self, path: &Path) -> Option<ConnectionId> {
        self.0.get(path).map(|claim| claim.owner)
    }

    /// Whether a claim with this proof would change anything: to be asked before a proof that
    /// costs something is looked at.
    pub(super) fn would_take(&self, id: ConnectionId, path: &Path, proof: Proof) -> bool {
        match self.0.get(path) {
            None => true,
            Some(claim) if claim.owner == id => claim.proof < proof,
            Some(claim) => claim.proof < proof || proof == Proof::Valid,
        }
    }

    pub(super) fn claim(
        &mut self,
        id: ConnectionId,
        path: Path,
        proof: Proof,
        registry: &mut Registry,
    ) {
        let Some(claimant) = registry.get(id) else {
            return;
        };
        if claimant.lost.contains(&path) || !self.would_take(id, &path, proof) {
            return;
        }
        let claim = Claim { owner: id, proof };
        let before = self.0.get(&path).map(|claim| claim.owner);
        if before != Some(id) {
            if !self.make_room(id, proof, registry) {
                return;
            }
            if let Some(loser) = before.and_then(|before| registry.get_mut(before)) {
                loser.paths.retain(|known| *known != path);
                if proof == Proof::Valid {
                    if loser.lost.len() == MAX_CLAIMS {
                        loser.lost.remove(0);
                    }
                    loser.lost.push(path);
                }
            }
            if let Some(claimant) = registry.get_mut(id) {
                claimant.paths.push(path);
            }
        }
        self.0.insert(path, claim);
    }

    /// A connection with as many claims as it may have gives up its oldest weakest one, if that is
    /// weaker than the new one, or valid as well.
    fn make_room(&mut self, id: ConnectionId, proof: Proof, registry: &mut Registry) -> bool {
        let Some(connection) = registry.get_mut(id) else {
            return false;
        };
        if connection.paths.len() < MAX_CLAIMS {
            return true;
        }
        let proofs = connection
            .paths
            .iter()
            .enumerate()
            .map(|(place, path)| (self.0.get(path).map(|claim| claim.proof), place));
        let Some((weakest, place)) = proofs.min() else {
            return true;
        };
        if weakest >= Some(proof) && proof != Proof::Valid {
            return false;
        }
        let spare = connection.paths.remove(place);
        self.0.remove(&spare);
        true
    }

    /// The paths of a connection that is gone.
    pub(super) fn release(&mut self, paths: &[Path]) {
        for path in paths {
            self.0.remove(path);
        }
    }
}
