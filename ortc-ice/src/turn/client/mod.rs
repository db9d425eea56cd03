//! The public type: it composes transactions, authentication, permissions and channels.

mod answers;
mod connections;
mod data;
mod probe;
mod requests;
mod state;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use thiserror::Error;

use self::answers::has_family;
use self::state::{Allocation, Asks, Link, State, Ticket};
use super::channel::{Bind, CHANNELS, Channels};
use super::connection::Connections;
use super::inbound::Inbound;
use super::permission::{Known, Permissions};
use super::transaction::{Due, Kind, Transactions};
use super::{Config, Counters, DropReason, Event, Failure, Framer};
use crate::path::{Ecn, Path, Timeout, Timer, Transmit};
use crate::random::Random;
use crate::stun::{Session, TransactionId};

pub use self::data::{Received, SendError};

/// Why a peer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PeerError {
    /// [`PeerPolicy`](super::PeerPolicy) refuses the address.
    #[error("address may not be a peer")]
    Policy,
    /// No relayed address is of its family.
    #[error("no relayed address of the peer's family")]
    Family,
    /// The server refuses it.
    #[error("server refuses the address")]
    Refused,
    /// As many as the configuration allows are there already.
    #[error("too many peers")]
    Full,
    /// The client is closed.
    #[error("client is closed")]
    Closed,
}

/// Why a client cannot go on over another path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MoveError {
    /// The allocation has no ticket (RFC 8016): a new client is needed.
    #[error("allocation is bound to its path")]
    NotMobile,
    /// The client is closed.
    #[error("client is closed")]
    Closed,
}

/// A TURN client: one allocation on one server over one transport (RFC 8656).
///
/// See the [module](super) for what it does and an example. After [`Event::Failed`],
/// [`Event::Lost`] or [`Event::Closed`] it is closed: what is queued may still leave, then there is
/// no deadline, and all input is ignored.
#[derive(Debug)]
pub struct Client {
    config: Config,
    path: Path,
    random: Random,
    session: Session,
    state: State,
    asks: Asks,
    transactions: Transactions,
    /// Requests that leave with the next polls, and again after a time-out.
    outbox: VecDeque<TransactionId>,
    /// The last Refresh, with a lifetime of zero.
    goodbye: Option<Vec<u8>>,
    permissions: Permissions,
    channels: Channels,
    connections: Connections,
    framer: Framer,
    inbound: Inbound,
    events: VecDeque<Event>,
    counters: Counters,
    /// Servers that were asked, against redirection in a loop.
    visited: Vec<(SocketAddr, Instant)>,
    /// Addresses of ours that the server saw as in use.
    mismatches: u8,
    now: Instant,
}

/// The largest share of a lifetime that is kept for the Refresh request, which can take 39.5 s.
const MARGIN: Duration = Duration::from_secs(60);
/// Addresses of ours that are tried at most (RFC 8656 §7.4).
const ADDRESSES_MAX: u8 = 3;
/// Servers to which we let ourselves be sent on.
const REDIRECTIONS_MAX: usize = 4;
/// For how long a server that was asked is not asked again (RFC 8489 §10).
const REDIRECTED: Duration = Duration::from_secs(300);

impl Client {
    /// Asks for an allocation over this path: the request is queued at once. The seed comes from
    /// the operating system's generator; transaction ids are drawn from it.
    #[must_use]
    pub fn new(config: Config, path: Path, seed: [u8; 32], now: Instant) -> Self {
        let asks = Asks {
            dont_fragment: config.dont_fragment,
            mobility: config.mobility,
        };
        let mut client = Self {
            session: Session::new(config.credentials.clone()),
            config,
            path,
            random: Random::new(seed),
            state: State::Allocating,
            asks,
            transactions: Transactions::default(),
            outbox: VecDeque::new(),
            goodbye: None,
            permissions: Permissions::default(),
            channels: Channels::default(),
            connections: Connections::default(),
            framer: Framer::new(),
            inbound: Inbound::default(),
            events: VecDeque::new(),
            counters: Counters::default(),
            visited: vec![(path.remote, now)],
            mismatches: 0,
            now,
        };
        client.start(Kind::Allocate, 0);
        client
    }

    /// The path to the server: what came on another one must not be handed in.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }

    /// The relayed addresses: IPv4 first.
    pub fn relayed(&self) -> impl Iterator<Item = SocketAddr> + use<> {
        let relayed = self.allocation().map(|allocation| allocation.relayed);
        relayed.into_iter().flatten().flatten()
    }

    /// Our address as the server sees it, once there is an allocation.
    #[must_use]
    pub fn mapped(&self) -> Option<SocketAddr> {
        self.allocation().map(|allocation| allocation.mapped)
    }

    /// Whether it has had its last event.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// The counters.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Takes a datagram that came from the server over our path.
    ///
    /// # Errors
    ///
    /// [`DropReason`]: nothing changed, and nobody has to act on it. With
    /// [`DropReason::UnknownTransaction`] it may be for somebody else who asks the same server.
    pub fn handle_datagram(
        &mut self,
        contents: &[u8],
        now: Instant,
    ) -> Result<Received, DropReason> {
        self.advance(now);
        let result = self.receive(contents);
        if let Err(reason) = result {
            self.counters.count(reason);
        }
        result
    }

    /// Takes octets that came over our stream, however they are cut. Data of peers waits for
    /// [`Self::poll_data`].
    pub fn handle_stream(&mut self, mut octets: &[u8], now: Instant) {
        self.advance(now);
        let mut framer = core::mem::take(&mut self.framer);
        while !self.is_closed() {
            match framer.next(&mut octets) {
                Ok(Some(frame)) => match self.receive(frame) {
                    Ok(Received::Consumed) => {}
                    Ok(Received::Data { peer, range }) => {
                        let payload = frame.get(range).unwrap_or_default();
                        if !self.inbound.push(peer, payload, self.config.inbound_max) {
                            self.counters.count(DropReason::Overload);
                        }
                    }
                    Err(reason) => self.counters.count(reason),
                },
                Ok(None) => break,
                Err(super::NotFramed) => self.lose(Failure::NotFramed),
            }
        }
        self.framer = framer;
    }

    /// Takes the next payload that a peer sent and our stream brought.
    pub fn poll_data(&mut self) -> Option<(SocketAddr, &[u8])> {
        self.inbound.pop()
    }

    /// The stream is gone. An allocation with a ticket waits for another path.
    pub fn stream_closed(&mut self, now: Instant) {
        self.advance(now);
        self.framer = Framer::new();
        match &mut self.state {
            State::Allocating => self.lose(Failure::StreamClosed),
            State::Allocated(Allocation {
                link: Link::Down(_),
                ..
            }) => {}
            State::Allocated(allocation) if allocation.ticket.is_some() => {
                let mut held = allocation.link.take();
                held.extend(
                    self.transactions
                        .drain()
                        .map(|transaction| transaction.kind),
                );
                allocation.link = Link::Down(held);
                allocation.refresh_at = None;
                self.outbox.clear();
                self.events.push_back(Event::Detached);
            }
            State::Allocated(_) => self.lose(Failure::StreamClosed),
            State::Waiting | State::Closed => {}
        }
    }

    /// Goes on over another path: to the server of [`Event::AlternateServer`], from another address
    /// after [`Event::AddressInUse`], or with the ticket when our address has changed (RFC 8016).
    ///
    /// # Errors
    ///
    /// [`MoveError`]: nothing changed.
    pub fn move_to(&mut self, path: Path, now: Instant) -> Result<(), MoveError> {
        self.advance(now);
        match &mut self.state {
            State::Closed => return Err(MoveError::Closed),
            State::Allocating => return Err(MoveError::NotMobile),
            State::Waiting => {
                if path.remote != self.path.remote {
                    // Realm and nonce are those of the other server (RFC 8489 §9.2.3).
                    self.session.reset();
                }
                self.visited.push((path.remote, self.now));
                self.path = path;
                self.framer = Framer::new();
                self.state = State::Allocating;
                self.start(Kind::Allocate, 0);
            }
            State::Allocated(allocation) => {
                if allocation.ticket.is_none() {
                    return Err(MoveError::NotMobile);
                }
                let mut held = allocation.link.take();
                held.extend(
                    self.transactions
                        .drain()
                        .map(|transaction| transaction.kind),
                );
                allocation.link = Link::Moving(held);
                allocation.refresh_at = None;
                self.outbox.clear();
                self.path = path;
                self.framer = Framer::new();
                self.start(Kind::Move, 0);
            }
        }
        Ok(())
    }

    /// Wants a permission for peers at this address, before it is needed: asked for with the next
    /// poll, together with all others that are wanted then, and refreshed until [`Self::release`].
    /// Again for the same address it does nothing.
    ///
    /// # Errors
    ///
    /// [`PeerError`]: nothing changed.
    pub fn permit(&mut self, peer: IpAddr, now: Instant) -> Result<(), PeerError> {
        self.advance(now);
        if self.is_closed() {
            return Err(PeerError::Closed);
        }
        match self.permissions.get(peer) {
            Known::Permitted => return Ok(()),
            Known::Refused => return Err(PeerError::Refused),
            Known::No => {}
        }
        if !self.config.policy.allows(peer) {
            return Err(PeerError::Policy);
        }
        let relayed = self.allocation().map(|allocation| allocation.relayed);
        if relayed.is_some_and(|relayed| !has_family(relayed, peer)) {
            return Err(PeerError::Family);
        }
        if self.permissions.len() >= self.config.permissions_max {
            return Err(PeerError::Full);
        }
        self.permissions.want(peer);
        Ok(())
    }

    /// Wants a channel to this peer, which saves 32 octets a packet; it brings the permission, and
    /// until it is bound data goes in indications. Kept until [`Self::release`]. Again for the same
    /// peer it does nothing. Before there is an allocation it is refused as full.
    ///
    /// # Errors
    ///
    /// [`PeerError`]: no channel is asked for.
    pub fn bind_channel(&mut self, peer: SocketAddr, now: Instant) -> Result<(), PeerError> {
        self.permit(peer.ip(), now)?;
        if self.allocation().is_none() {
            return Err(PeerError::Full);
        }
        let peer = SocketAddr::new(peer.ip(), peer.port());
        let most = self.config.channels_max.min(CHANNELS);
        match self.channels.bind(peer, most, self.now) {
            Bind::Already => Ok(()),
            Bind::Full => Err(PeerError::Full),
            Bind::Ask(number) => {
                self.start(Kind::Channel(number, peer), 0);
                Ok(())
            }
        }
    }

    /// Peers at this address are of no more interest: permission and channels are not refreshed and
    /// end by themselves.
    pub fn release(&mut self, peer: IpAddr) {
        self.permissions.remove(peer);
        self.channels.retire_all(peer);
    }

    /// Gives the allocation back: a Refresh with a lifetime of zero is queued (RFC 8656 §8), then
    /// the client is closed.
    pub fn close(&mut self, now: Instant) {
        self.advance(now);
        if !self.is_closed() {
            self.end(Event::Closed);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        if self.is_closed() {
            return;
        }
        if let State::Allocated(allocation) = &mut self.state {
            if allocation.expires <= self.now {
                self.lose(Failure::Expired);
                return;
            }
            if allocation.refresh_at.is_some_and(|at| at <= self.now) {
                allocation.refresh_at = None;
                self.start(Kind::Refresh, 0);
            }
        }
        while let Some(due) = self.transactions.pop_due(self.path.transport, self.now) {
            match due {
                Due::SendAgain(id) => self.outbox.push_back(id),
                Due::GiveUp(transaction) => {
                    let failure = if transaction.violated {
                        Failure::IntegrityViolated
                    } else {
                        Failure::TimedOut
                    };
                    self.fail(transaction.kind, failure);
                }
            }
        }
        if self.is_up() {
            self.permissions.handle_timeout(self.now);
            while let Some((number, peer)) = self.channels.pop_due(self.now) {
                self.start(Kind::Channel(number, peer), 0);
            }
        }
    }

    /// Appends the next request to `buf` and says where it goes.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>, now: Instant) -> Option<Transmit> {
        self.advance(now);
        if let Some(goodbye) = self.goodbye.take() {
            buf.extend_from_slice(&goodbye);
            self.counters.requests_sent += 1;
            return Some(self.transmit(goodbye.len(), None));
        }
        if self.outbox.is_empty() && self.permissions.is_wanted() && self.is_up() {
            let batch = self.permissions.take_batch();
            self.start(Kind::Permissions(batch), 0);
        }
        while let Some(id) = self.outbox.pop_front() {
            let sent = self.transactions.send(id, self.path.transport, self.now);
            if let Some((octets, connection)) = sent {
                buf.extend_from_slice(octets);
                let len = octets.len();
                let transmit = self.transmit(len, None);
                self.counters.requests_sent += 1;
                let path = self.path_of(connection);
                return Some(Transmit { path, ..transmit });
            }
        }
        None
    }

    /// Takes the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timeout> {
        let wanted = self.permissions.is_wanted() && self.is_up();
        if self.goodbye.is_some() || !self.outbox.is_empty() || wanted {
            return Some(Timeout {
                at: self.now,
                timer: Timer::Output,
            });
        }
        let kept = match &self.state {
            State::Allocated(allocation) => [Some(allocation.expires), allocation.refresh_at],
            State::Allocating | State::Waiting | State::Closed => [None; 2],
        };
        let peers = if self.is_up() {
            [self.permissions.next_due(), self.channels.next_due()]
        } else {
            [None; 2]
        };
        let due = kept.into_iter().chain(peers).flatten();
        let at = due.chain(self.transactions.next_due()).min()?;
        Some(Timeout {
            at,
            timer: Timer::Relay,
        })
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    const fn allocation(&self) -> Option<&Allocation> {
        match &self.state {
            State::Allocated(allocation) => Some(allocation),
            State::Allocating | State::Waiting | State::Closed => None,
        }
    }

    /// Whether the server knows our path and an allocation on it.
    fn is_up(&self) -> bool {
        self.allocation()
            .is_some_and(|allocation| matches!(allocation.link, Link::Up))
    }

    const fn transmit(&self, len: usize, segment: Option<usize>) -> Transmit {
        Transmit {
            path: self.path,
            len,
            segment,
            ecn: Ecn::NotEct,
        }
    }

    /// The allocation, or the hope for it, is gone.
    fn lose(&mut self, failure: Failure) {
        let event = match &self.state {
            State::Closed => return,
            State::Allocating | State::Waiting => Event::Failed(failure),
            State::Allocated(_) => Event::Lost(failure),
        };
        tracing::info!(%failure, "no relay");
        tracing::debug!(server = ?self.path.remote, "server without a relay for us");
        self.end(event);
    }

    fn end(&mut self, last: Event) {
        // Otherwise there is nothing to give back, or nobody who would take it.
        let held = matches!(
            last,
            Event::Closed | Event::Failed(Failure::Family) | Event::Lost(Failure::Code(_))
        );
        if held && self.may_exist() {
            self.goodbye = self.goodbye();
        }
        self.state = State::Closed;
        self.transactions = Transactions::default();
        self.outbox.clear();
        self.permissions.clear();
        self.channels.clear();
        self.connections = Connections::default();
        self.session.reset();
        self.events.push_back(last);
    }

    /// Whether the server may hold an allocation of ours that we can speak of.
    fn may_exist(&self) -> bool {
        match &self.state {
            State::Allocating => self.session.is_challenged(),
            State::Allocated(allocation) => matches!(allocation.link, Link::Up),
            State::Waiting | State::Closed => false,
        }
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Client>();
};
