//! Requests that may still be answered, and when they are sent again.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::ConnectionId;
use super::channel::Number;
use crate::path::Transport;
use crate::stun::{Method, Signed, TransactionId};

/// Challenges that one request may meet: the first 401, a stale nonce on its heels, and one more.
pub const CHALLENGES_MAX: u8 = 3;

/// The first interval between retransmissions (RFC 8489 §6.2.1).
const RTO: Duration = Duration::from_millis(500);
/// Transmissions of one request, `Rc` (RFC 8489 §6.2.1).
const RC: u32 = 7;
/// How long the last one is waited for, in RTO, `Rm` (RFC 8489 §6.2.1).
const RM: u32 = 16;
/// How long a request over a stream is waited for (RFC 8489 §6.2.2).
const TI: Duration = Duration::from_millis(39_500);

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Allocate,
    Refresh,
    /// A Refresh with the ticket, over another path (RFC 8016 §3.2).
    Move,
    Permissions(Vec<IpAddr>),
    Channel(Number, SocketAddr),
    /// Connect (RFC 6062 §4.3).
    Connect(SocketAddr),
    /// `ConnectionBind` (RFC 6062 §4.4).
    Bind(ConnectionId),
}

impl Kind {
    /// The connection whose stream it belongs to; none for the client's own path.
    pub(super) const fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Bind(connection) => Some(*connection),
            Self::Allocate
            | Self::Refresh
            | Self::Move
            | Self::Permissions(_)
            | Self::Channel(..)
            | Self::Connect(_) => None,
        }
    }

    pub(super) const fn method(&self) -> Method {
        match self {
            Self::Allocate => Method::ALLOCATE,
            Self::Refresh | Self::Move => Method::REFRESH,
            Self::Permissions(_) => Method::CREATE_PERMISSION,
            Self::Channel(..) => Method::CHANNEL_BIND,
            Self::Connect(_) => Method::CONNECT,
            Self::Bind(_) => Method::CONNECTION_BIND,
        }
    }
}

/// One request.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) kind: Kind,
    pub(super) octets: Vec<u8>,
    pub(super) signed: Signed,
    /// How many challenges this request has met, under its former ids included.
    pub(super) challenges: u8,
    /// An answer came whose integrity was missing or wrong.
    pub(super) violated: bool,
    /// When it was first sent.
    pub(super) since: Option<Instant>,
    sent: u32,
    /// When it is due again; none while it is queued.
    due: Option<Instant>,
}

impl Transaction {
    pub(super) const fn new(kind: Kind, octets: Vec<u8>, signed: Signed, challenges: u8) -> Self {
        Self {
            kind,
            octets,
            signed,
            challenges,
            violated: false,
            since: None,
            sent: 0,
            due: None,
        }
    }
}

/// The outstanding requests by id; there are as many as there are kinds, channels, and batches of
/// permissions, at most.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    by_id: BTreeMap<TransactionId, Transaction>,
    due: BTreeSet<(Instant, TransactionId)>,
}

/// What a due request does.
#[derive(Debug)]
pub(super) enum Due {
    SendAgain(TransactionId),
    GiveUp(Transaction),
}

impl Transactions {
    pub(super) fn insert(&mut self, id: TransactionId, transaction: Transaction) {
        self.by_id.insert(id, transaction);
    }

    pub(super) fn get_mut(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: TransactionId) -> Option<Transaction> {
        let transaction = self.by_id.remove(&id)?;
        if let Some(due) = transaction.due {
            self.due.remove(&(due, id));
        }
        Some(transaction)
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Transaction> {
        self.due.clear();
        core::mem::take(&mut self.by_id).into_values()
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The request leaves now; its octets.
    pub(super) fn send(
        &mut self,
        id: TransactionId,
        transport: Transport,
        now: Instant,
    ) -> Option<(&[u8], Option<ConnectionId>)> {
        let transaction = self.by_id.get_mut(&id)?;
        transaction.sent += 1;
        transaction.since.get_or_insert(now);
        let wait = match transport {
            Transport::Udp if transaction.sent < RC => RTO * (1 << (transaction.sent - 1)),
            Transport::Udp => RTO * RM,
            Transport::Stream(_) | Transport::Unopened => TI,
        };
        let at = now + wait;
        if let Some(before) = transaction.due.replace(at) {
            self.due.remove(&(before, id));
        }
        self.due.insert((at, id));
        Some((&transaction.octets, transaction.kind.connection()))
    }

    /// Takes one request that is due.
    pub(super) fn pop_due(&mut self, transport: Transport, now: Instant) -> Option<Due> {
        let (at, id) = self.due.first().copied()?;
        if at > now {
            return None;
        }
        self.due.remove(&(at, id));
        let transaction = self.by_id.get_mut(&id)?;
        transaction.due = None;
        if transport == Transport::Udp && transaction.sent < RC {
            return Some(Due::SendAgain(id));
        }
        self.by_id.remove(&id).map(Due::GiveUp)
    }
}
