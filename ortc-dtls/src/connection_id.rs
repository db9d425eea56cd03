//! Connection ids (RFC 9146, RFC 9147 §9): the value, and what an endpoint keeps of them.

use core::borrow::Borrow;
use core::fmt;
use std::collections::VecDeque;

use crate::crypto::{CryptoError, Provider};
use crate::wire::record::RecordHeader;
use crate::wire::unified::UnifiedHeader;

/// Octets that name a connection in each protected record, whatever address it comes from.
///
/// Who receives records chooses the octets; an empty id means that none is wanted. All ids of one
/// socket should have the same length, which records do not tell ([`ConnectionId::of_datagram`]).
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(Box<[u8]>);

impl ConnectionId {
    /// Octets of the longest (RFC 9146 §3).
    pub const MAX_LEN: usize = 255;

    /// These octets; `None` above [`ConnectionId::MAX_LEN`] of them.
    #[must_use]
    pub fn new(octets: &[u8]) -> Option<Self> {
        (octets.len() <= Self::MAX_LEN).then(|| Self(octets.into()))
    }

    /// So many random octets.
    ///
    /// # Errors
    ///
    /// [`CryptoError`]: the provider's generator failed.
    pub fn random(provider: &dyn Provider, length: u8) -> Result<Self, CryptoError> {
        let mut octets = vec![0; usize::from(length)];
        if length > 0 {
            provider.random(&mut octets)?;
        }
        Ok(Self(octets.into()))
    }

    /// The id in the first record of a datagram, where ids have `length` octets, and `None` where
    /// the record has none: it is plaintext, or the peer was not told to use one. All records of a
    /// datagram belong to one connection.
    ///
    /// It says where to hand the datagram in, and proves nothing.
    #[must_use]
    pub fn of_datagram(datagram: &[u8], length: usize) -> Option<&[u8]> {
        let &first = datagram.first()?;
        let at = if UnifiedHeader::has_id(first) {
            UnifiedHeader::ID_AT
        } else if RecordHeader::has_id(first) {
            RecordHeader::ID_AT
        } else {
            return None;
        };
        datagram
            .get(at..at + length)
            .filter(|octets| !octets.is_empty())
    }

    /// The octets.
    #[must_use]
    pub const fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Whether none is wanted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl AsRef<[u8]> for ConnectionId {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for ConnectionId {
    /// A map from ids to connections can be asked with what a datagram has.
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionId(")?;
        for octet in &self.0 {
            write!(f, "{octet:02x}")?;
        }
        f.write_str(")")
    }
}

/// Ids of ours that a peer may have at once.
pub(crate) const MAX_OWN: usize = 8;
/// Ids of the peer's that are kept for later; more are discarded (RFC 9147 §9).
pub(crate) const MAX_SPARE: usize = 4;

/// Whether ids are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agreement {
    /// Until the other side has said its own.
    Offered,
    Agreed,
}

/// Where further ids of ours come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Provider,
    /// The application gives each.
    Application,
}

/// What the peer is to be told of our ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    Immediate = 0,
    Spare = 1,
}

/// Everything of an endpoint that has to do with ids, but the one that it writes.
#[derive(Debug)]
pub(crate) struct Ids {
    /// Those that the peer may use, all of one length; the first is that of the hello.
    own: Vec<ConnectionId>,
    agreement: Agreement,
    source: Source,
    /// Of the peer's, in the order in which it gave them.
    spare: VecDeque<ConnectionId>,
    /// The peer asked for so many and was not answered yet.
    owed: Option<u8>,
    /// The application gave a new one, which the peer was not told yet.
    replacement: Option<ConnectionId>,
    /// We want so many, and have not said so yet.
    wanted: Option<u8>,
    /// We have asked and not got any yet.
    asked: bool,
    /// A message of ours about ids is on its way.
    sent: bool,
    /// So many of the first ones does the peer use no more once it has what is on its way.
    replaced: usize,
    /// So many of the first ones does the peer use no more.
    stale: usize,
}

/// What is to be sent next.
#[derive(Debug)]
pub(crate) enum Message {
    /// The last so many of ours are new.
    New(usize, Usage),
    Request(u8),
}

impl Ids {
    pub(crate) fn offer(own: ConnectionId, source: Source) -> Self {
        Self {
            own: vec![own],
            agreement: Agreement::Offered,
            source,
            spare: VecDeque::new(),
            owed: None,
            replacement: None,
            wanted: None,
            asked: false,
            sent: false,
            replaced: 0,
            stale: 0,
        }
    }

    pub(crate) fn own(&self) -> &[ConnectionId] {
        &self.own
    }

    /// The one that the hello says.
    pub(crate) fn first(&self) -> &[u8] {
        self.own.first().map_or(&[], ConnectionId::octets)
    }

    /// Octets of each of ours.
    pub(crate) fn len(&self) -> usize {
        self.first().len()
    }

    pub(crate) fn agree(&mut self) {
        self.agreement = Agreement::Agreed;
    }

    pub(crate) fn is_agreed(&self) -> bool {
        self.agreement == Agreement::Agreed
    }

    /// Whether a protected record with this id may be ours; empty for none.
    pub(crate) fn accepts(&self, id: &[u8]) -> bool {
        let open = self.agreement == Agreement::Offered && id.is_empty();
        open || self.own.iter().any(|own| own.octets() == id)
    }

    /// The peer asked for more; says no when it did so twice in a row.
    pub(crate) fn on_request(&mut self, count: u8) -> bool {
        self.owed.replace(count).is_none()
    }

    /// The peer gives ids to be used later.
    pub(crate) fn add_spare(&mut self, ids: impl Iterator<Item = ConnectionId>) {
        let room = MAX_SPARE.saturating_sub(self.spare.len());
        self.spare.extend(ids.take(room));
    }

    /// Those before are not to be used any more.
    pub(crate) fn forget_spare(&mut self) {
        self.spare.clear();
    }

    pub(crate) fn take_spare(&mut self) -> Option<ConnectionId> {
        self.spare.pop_front()
    }

    /// What we asked for came.
    pub(crate) fn fulfilled(&mut self) {
        self.asked = false;
    }

    /// Asks for more unless that was done; says whether it is.
    pub(crate) fn want(&mut self, count: u8) -> bool {
        let free = !self.asked && self.wanted.is_none();
        if free {
            self.wanted = Some(count);
        }
        free
    }

    /// The peer is to use this one from now on; says no while it is not done with another.
    pub(crate) fn replace(&mut self, id: ConnectionId) -> bool {
        let free = self.replacement.is_none();
        if free {
            self.replacement = Some(id);
        }
        free
    }

    /// What is to be sent now; the caller has seen that nothing of ours is unacknowledged.
    pub(crate) fn next_message(
        &mut self,
        provider: &dyn Provider,
    ) -> Result<Option<Message>, CryptoError> {
        let message = if let Some(id) = self.replacement.take() {
            self.forget_stale();
            self.replaced = self.own.len();
            self.own.push(id);
            Message::New(1, Usage::Immediate)
        } else if let Some(count) = self.owed.take() {
            self.forget_stale();
            Message::New(self.issue(count, provider)?, Usage::Spare)
        } else if let Some(count) = self.wanted.take() {
            self.asked = true;
            Message::Request(count)
        } else {
            return Ok(None);
        };
        self.sent = true;
        Ok(Some(message))
    }

    /// Adds so many, or fewer; says how many.
    fn issue(&mut self, count: u8, provider: &dyn Provider) -> Result<usize, CryptoError> {
        let before = self.own.len();
        let room = MAX_OWN.saturating_sub(before);
        if self.source == Source::Application {
            return Ok(0);
        }
        let length = u8::try_from(self.len()).unwrap_or(u8::MAX);
        for _ in 0..usize::from(count).min(room) {
            let id = ConnectionId::random(provider, length)?;
            // Short ones may repeat; then there are fewer.
            if !self.own.contains(&id) {
                self.own.push(id);
            }
        }
        Ok(self.own.len() - before)
    }

    fn forget_stale(&mut self) {
        self.own.drain(..self.stale.min(self.own.len()));
        self.stale = 0;
    }

    /// The peer has our last message; says whether it was about ids.
    pub(crate) fn on_acknowledged(&mut self) -> bool {
        let replaced = core::mem::take(&mut self.replaced);
        // What was sent before may still arrive: they are forgotten only when others follow.
        self.stale = self.stale.max(replaced);
        core::mem::take(&mut self.sent)
    }
}
