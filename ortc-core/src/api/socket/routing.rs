//! Which connection a datagram is for: a check by the two ufrags in its user name, an answer by its
//! transaction id, everything else by its pair of addresses. What it costs does not depend on how
//! many connections there are.

use core::net::SocketAddr;
use std::collections::BTreeSet;

use hashbrown::{HashMap, HashTable};
use ortc_ice::stun::{Class, IntegrityKey, Message};
use ortc_ice::{Credentials, Path, TransactionTag};

use super::claims::{Claims, Proof};
use super::held::{Held, HeldCheck, MAX_HELD_CHECK, Pending};
use super::keyed::Keyed;
use super::registry::{GENERATIONS, Local, Registered, Registry};
use super::{ConnectionId, MAX_CONNECTIONS, Route};

/// The tables.
#[derive(Debug)]
pub(super) struct Router {
    keyed: Keyed,
    /// What the numbers in transaction ids are masked with.
    tag_key: zeroize::Zeroizing<[u8; 16]>,
    registry: Registry,
    by_local: HashMap<String, Sharers, Keyed>,
    /// Local and remote ufrag; peers of forks may have chosen the same one.
    by_pair: HashTable<Named>,
    claims: Claims,
    held: Held,
}

/// Connections with one local ufrag.
#[derive(Debug)]
struct Sharers {
    ids: BTreeSet<ConnectionId>,
    sharing: Sharing,
    /// How many of them have no description of their peer yet.
    waiting: usize,
    key: IntegrityKey,
}

/// Whose local credentials are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// All forks have them: whatever peer they were signalled to may use them.
    Forks,
    /// One connection has them, and so does nobody but its peer.
    Own,
}

#[derive(Debug)]
struct Named {
    local: String,
    remote: String,
    id: ConnectionId,
}

impl Router {
    pub(super) fn new(hash_key: [u8; 16], tag_key: [u8; 16]) -> Self {
        let keyed = Keyed(hash_key);
        Self {
            tag_key: tag_key.into(),
            registry: Registry::default(),
            by_local: HashMap::with_hasher(keyed.clone()),
            by_pair: HashTable::new(),
            claims: Claims::new(keyed.clone()),
            keyed,
            held: Held::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.registry.len()
    }

    pub(super) fn is_ufrag_used(&self, ufrag: &str) -> bool {
        self.by_local.contains_key(ufrag)
    }

    /// Registers a connection; `None` when there are too many.
    pub(super) fn insert(
        &mut self,
        credentials: &Credentials,
        sharing: Sharing,
    ) -> Option<ConnectionId> {
        let registered = Registered::new(credentials);
        let id = self.registry.insert(registered, MAX_CONNECTIONS)?;
        self.join(credentials, sharing, id);
        Some(id)
    }

    /// The tag of a connection's transaction ids.
    pub(super) fn tag(&self, id: ConnectionId) -> TransactionTag {
        TransactionTag::new(*self.tag_key, id.place)
    }

    /// By the pair of addresses.
    pub(super) fn route(&self, path: &Path) -> Route {
        self.claims
            .owner(path)
            .map_or(Route::Unknown, Route::Connection)
    }

    pub(super) fn route_stun(&mut self, path: Path, contents: &[u8]) -> Route {
        let Ok(message) = Message::parse(contents) else {
            return Route::Unknown;
        };
        match message.class() {
            Class::Request => self.route_request(path, &message, contents),
            Class::Success | Class::Error => self.route_answer(&path, &message),
            Class::Indication => self.route(&path),
        }
    }

    fn route_answer(&self, path: &Path, message: &Message<'_>) -> Route {
        let number = TransactionTag::number(&self.tag_key, message.transaction_id());
        match self.registry.at(number) {
            Some((_, connection)) if connection.lost.contains(path) => Route::Unknown,
            Some((id, _)) => Route::Connection(id),
            // To a check from before the socket was shared.
            None => self.route(path),
        }
    }

    fn route_request(&mut self, path: Path, message: &Message<'_>, contents: &[u8]) -> Route {
        let Some((local, remote)) = message.split_username() else {
            return Route::Unknown;
        };
        let named = match self.named(local, remote, &path) {
            Ok(named) => named,
            Err(Ambiguous) => return Route::Unknown,
        };
        if let Some(id) = named {
            return self.deliver_check(id, path, message);
        }
        let Some(sharers) = self.by_local.get(local) else {
            return Route::Unknown;
        };
        let mut ids = sharers.ids.iter();
        let open = sharers.waiting != 0 || sharers.sharing == Sharing::Own;
        if let (Some(&alone), None, true) = (ids.next(), ids.next(), open) {
            // It takes early checks itself, before its peer's description and before that of a
            // restart.
            return self.deliver_check(alone, path, message);
        }
        let fits = contents.len() <= MAX_HELD_CHECK;
        if sharers.waiting == 0 || !fits || !message.verify_integrity(&sharers.key) {
            return Route::Unknown;
        }
        let check = HeldCheck {
            local_ufrag: local.to_owned(),
            remote_ufrag: remote.to_owned(),
            pending: Pending {
                path,
                contents: contents.to_vec(),
            },
        };
        if self.held.push(check) {
            Route::Held
        } else {
            Route::Unknown
        }
    }

    /// The connection with these ufrags. Of several, whose peers have chosen the same, the one that
    /// the path belongs to: the password that they share cannot tell them apart.
    fn named(
        &self,
        local: &str,
        remote: &str,
        path: &Path,
    ) -> Result<Option<ConnectionId>, Ambiguous> {
        let hash = self.keyed.pair(local, remote);
        let fits = |named: &&Named| named.local == local && named.remote == remote;
        let mut found = self.by_pair.iter_hash(hash).filter(fits);
        let (Some(first), more) = (found.next(), found.next()) else {
            return Ok(None);
        };
        if more.is_none() {
            return Ok(Some(first.id));
        }
        let owner = self.claims.owner(path).ok_or(Ambiguous)?;
        let mut found = self.by_pair.iter_hash(hash).filter(fits);
        match found.any(|named| named.id == owner) {
            true => Ok(Some(owner)),
            false => Err(Ambiguous),
        }
    }

    fn deliver_check(&mut self, id: ConnectionId, path: Path, message: &Message<'_>) -> Route {
        let Some(connection) = self.registry.get(id) else {
            return Route::Unknown;
        };
        if connection.lost.contains(&path) {
            return Route::Unknown;
        }
        if self.claims.would_take(id, &path, Proof::Checked) && connection.authenticates(message) {
            let registry = &mut self.registry;
            self.claims.claim(id, path, Proof::Checked, registry);
        }
        Route::Connection(id)
    }

    pub(super) fn claim(&mut self, id: ConnectionId, path: Path, proof: Proof) {
        self.claims.claim(id, path, proof, &mut self.registry);
    }

    /// The data of a connection leaves on this path now.
    pub(super) fn uses(&mut self, id: ConnectionId, path: Path) {
        if let Some(connection) = self.registry.get_mut(id) {
            connection.active = Some(path);
        }
    }

    /// The addresses that data leaves from; a walk over all connections, for what is rare.
    pub(super) fn in_use(&self) -> Vec<SocketAddr> {
        let active = self.registry.iter().filter_map(|known| known.active);
        active.map(|path| path.local).collect()
    }

    pub(super) fn add_remote(&mut self, id: ConnectionId, remote: String) {
        let Some(connection) = self.registry.get_mut(id) else {
            return;
        };
        // Told again: the generations before it are still wanted.
        if connection.remotes.back() == Some(&remote) {
            return;
        }
        if connection.is_waiting() {
            for local in &connection.locals {
                if let Some(sharers) = self.by_local.get_mut(local.ufrag.as_str()) {
                    sharers.waiting -= 1;
                }
            }
        }
        self.unname(id);
        if let Some(connection) = self.registry.get_mut(id) {
            connection.remotes.retain(|known| *known != remote);
            connection.remotes.push_back(remote);
            if connection.remotes.len() > GENERATIONS {
                connection.remotes.pop_front();
            }
            connection.lost.clear();
        }
        self.name(id);
        self.release_held(id);
    }

    pub(super) fn add_local(&mut self, id: ConnectionId, credentials: &Credentials) {
        let Some(connection) = self.registry.get(id) else {
            return;
        };
        let mut known = connection.locals.iter();
        if known.any(|local| local.ufrag == credentials.ufrag()) {
            return;
        }
        self.unname(id);
        self.join(credentials, Sharing::Own, id);
        let mut gone = None;
        if let Some(connection) = self.registry.get_mut(id) {
            connection.locals.push_back(Local::new(credentials));
            if connection.locals.len() > GENERATIONS {
                gone = connection.locals.pop_front();
            }
            connection.lost.clear();
        }
        let waiting = self.is_waiting(id);
        if let Some(gone) = gone {
            self.leave(&gone.ufrag, id, waiting);
        }
        self.name(id);
    }

    pub(super) fn forget(&mut self, id: ConnectionId) {
        self.unname(id);
        let Some(gone) = self.registry.remove(id) else {
            return;
        };
        for local in &gone.locals {
            self.leave(&local.ufrag, id, gone.is_waiting());
        }
        self.claims.release(&gone.paths);
        self.held.forget(id);
    }

    pub(super) fn poll_pending(&mut self) -> Option<(ConnectionId, Pending)> {
        self.held.pop()
    }

    fn is_waiting(&self, id: ConnectionId) -> bool {
        self.registry.get(id).is_some_and(Registered::is_waiting)
    }

    /// A connection begins to use this local ufrag.
    fn join(&mut self, credentials: &Credentials, sharing: Sharing, id: ConnectionId) {
        let waiting = self.is_waiting(id);
        let new = || Sharers {
            ids: BTreeSet::new(),
            sharing,
            waiting: 0,
            key: IntegrityKey::new(credentials.password().as_bytes()),
        };
        let ufrag = credentials.ufrag().to_owned();
        let sharers = self.by_local.entry(ufrag).or_insert_with(new);
        if sharers.ids.insert(id) {
            sharers.waiting += usize::from(waiting);
        }
    }

    /// A connection uses this local ufrag no longer.
    fn leave(&mut self, ufrag: &str, id: ConnectionId, waiting: bool) {
        let Some(sharers) = self.by_local.get_mut(ufrag) else {
            return;
        };
        if sharers.ids.remove(&id) {
            sharers.waiting -= usize::from(waiting);
        }
        if sharers.ids.is_empty() {
            self.by_local.remove(ufrag);
        }
    }

    fn name(&mut self, id: ConnectionId) {
        let Some(connection) = self.registry.get(id) else {
            return;
        };
        let keyed = &self.keyed;
        for (local, remote) in connection.pairs() {
            let named = Named {
                local: local.to_owned(),
                remote: remote.to_owned(),
                id,
            };
            let hash = keyed.pair(local, remote);
            let rehash = |named: &Named| keyed.pair(&named.local, &named.remote);
            self.by_pair.insert_unique(hash, named, rehash);
        }
    }

    fn unname(&mut self, id: ConnectionId) {
        let Some(connection) = self.registry.get(id) else {
            return;
        };
        for (local, remote) in connection.pairs() {
            let hash = self.keyed.pair(local, remote);
            let same =
                |named: &Named| named.id == id && named.local == local && named.remote == remote;
            if let Ok(entry) = self.by_pair.find_entry(hash, same) {
                entry.remove();
            }
        }
    }

    fn release_held(&mut self, id: ConnectionId) {
        let Self {
            held,
            registry,
            claims,
            ..
        } = self;
        held.release(id, |check| {
            let Some(connection) = registry.get(id) else {
                return false;
            };
            let named = (check.local_ufrag.as_str(), check.remote_ufrag.as_str());
            if !connection.pairs().any(|pair| pair == named) {
                return false;
            }
            // It was authenticated when it came.
            claims.claim(id, check.pending.path, Proof::Checked, registry);
            true
        });
    }
}

/// Several connections have these ufrags, and the path is none of theirs.
#[derive(Debug)]
struct Ambiguous;
