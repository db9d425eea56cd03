//! Who is on the socket: connections in numbered places, found without a search.

use std::collections::VecDeque;

use ortc_ice::stun::{IntegrityKey, Message};
use ortc_ice::{Credentials, Path};

use super::ConnectionId;

/// What the socket remembers of one connection.
#[derive(Debug)]
pub(super) struct Registered {
    /// Local credentials, newest last: a restart adds some, and the old ones stay in use until the
    /// new pair is valid.
    pub(super) locals: VecDeque<Local>,
    /// Remote ufrags, newest last.
    pub(super) remotes: VecDeque<String>,
    /// Paths that the table of claims gives to it, oldest first.
    pub(super) paths: Vec<Path>,
    /// Paths that another connection took over from it; emptied by new credentials.
    pub(super) lost: Vec<Path>,
    /// The path that its data leaves on.
    pub(super) active: Option<Path>,
}

#[derive(Debug)]
pub(super) struct Local {
    pub(super) ufrag: String,
    pub(super) key: IntegrityKey,
}

/// Generations of credentials that lead to a connection: the one in use and the one to come, and
/// one more for a restart of both sides that crossed.
pub(super) const GENERATIONS: usize = 3;

impl Local {
    pub(super) fn new(credentials: &Credentials) -> Self {
        Self {
            ufrag: credentials.ufrag().to_owned(),
            key: IntegrityKey::new(credentials.password().as_bytes()),
        }
    }
}

impl Registered {
    pub(super) fn new(credentials: &Credentials) -> Self {
        Self {
            locals: VecDeque::from([Local::new(credentials)]),
            remotes: VecDeque::new(),
            paths: Vec::new(),
            lost: Vec::new(),
            active: None,
        }
    }

    pub(super) fn authenticates(&self, message: &Message<'_>) -> bool {
        let Some((ufrag, _)) = message.split_username() else {
            return false;
        };
        let local = self.locals.iter().find(|local| local.ufrag == ufrag);
        local.is_some_and(|local| message.verify_integrity(&local.key))
    }

    /// Whether the peer's description is still to come.
    pub(super) fn is_waiting(&self) -> bool {
        self.remotes.is_empty()
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.locals.iter().flat_map(|local| {
            let remotes = self.remotes.iter();
            remotes.map(|remote| (local.ufrag.as_str(), remote.as_str()))
        })
    }
}

/// Connections by the number of their place; a place is used again, a serial is not.
#[derive(Debug, Default)]
pub(super) struct Registry {
    places: Vec<Option<(u64, Registered)>>,
    free: Vec<u32>,
    serial: u64,
    len: usize,
}

impl Registry {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Takes a place; `None` when `limit` are taken.
    pub(super) fn insert(&mut self, registered: Registered, limit: usize) -> Option<ConnectionId> {
        if self.len >= limit {
            return None;
        }
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                let place = u32::try_from(self.places.len()).ok()?;
                self.places.push(None);
                place
            }
        };
        let serial = self.serial;
        *self.places.get_mut(index(place))? = Some((serial, registered));
        self.serial += 1;
        self.len += 1;
        Some(ConnectionId { serial, place })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Registered> {
        self.places
            .iter()
            .flatten()
            .map(|(_, registered)| registered)
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Registered> {
        let (serial, registered) = self.places.get(index(id.place))?.as_ref()?;
        (*serial == id.serial).then_some(registered)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Registered> {
        let (serial, registered) = self.places.get_mut(index(id.place))?.as_mut()?;
        (*serial == id.serial).then_some(registered)
    }

    /// Who has this place now.
    pub(super) fn at(&self, place: u32) -> Option<(ConnectionId, &Registered)> {
        let (serial, registered) = self.places.get(index(place))?.as_ref()?;
        let id = ConnectionId {
            serial: *serial,
            place,
        };
        Some((id, registered))
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Registered> {
        self.get(id)?;
        let (_, registered) = self.places.get_mut(index(id.place))?.take()?;
        self.free.push(id.place);
        self.len -= 1;
        Some(registered)
    }
}

fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}
