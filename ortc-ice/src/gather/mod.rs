//! The gatherer: its commands and its polls. What it is told of is in `bases`, what it asks in a
//! round in `round`, of STUN servers in `reflexive`, of TURN servers in `relayed`; what relays carry
//! is in `carried`.

mod bases;
mod behaviour;
mod carried;
mod config;
mod deadlines;
mod event;
mod known;
mod reflexive;
mod relayed;
mod round;
mod server;
mod stats;
mod streams;
mod task;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use thiserror::Error;

pub use self::behaviour::{Behaviour, BehaviourCheck, BehaviourError, Filtering, Mapping};
pub use self::config::{GatherConfig, GatherConfigError};
use self::deadlines::{Deadlines, Key};
pub use self::event::{GatherEvent, Gathered, LocalCandidate, QueryId, ServerError, ServerId};
use self::known::{Known, Source};
use self::reflexive::Outgoing;
use self::relayed::Relays;
pub use self::server::ServerCredentials;
use self::server::{Lookup, Server};
pub use self::stats::{ServerState, ServerStats};
use self::streams::Streams;
use self::task::{TaskId, Tasks};
use crate::candidate::{CandidateError, CandidateKind, TcpType};
use crate::path::{Datagram, Path, Timeout, Timer, Transmit};
use crate::random::Random;
use crate::stun::TransactionId;

/// Finds the candidates of this side: host, server-reflexive and relayed ones (RFC 8445 §5.1.1).
///
/// It is told which local addresses there are ([`add_base`](Self::add_base)) and which servers
/// ([`add_server`](Self::add_server)); [`gather`](Self::gather) begins, and again looks for what
/// changed. Candidates come out as events, and go to every agent that uses these bases.
///
/// It answers only for what it asked: answers are matched by transaction id and server address,
/// relayed data by the path to its server. Everything else is [`Gathered::NotMine`], and costs a
/// look-up, however many bases and servers there are.
///
/// # The loop
///
/// With an [`Agent`](crate::Agent) on the same sockets. The server is played by the last lines.
///
/// ```
/// use std::time::Instant;
///
/// use ortc_ice::stun::{Class, Message, MessageBuilder, Method};
/// use ortc_ice::{
///     Agent, Config, Datagram, Ecn, GatherConfig, GatherEvent, Gathered, Gatherer, Path, ServerUri,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[expect(clippy::disallowed_methods, reason = "an embedder has a clock")]
/// let mut now = Instant::now();
/// // Seeds come from the operating system's generator; these are for reading only.
/// let mut agent = Agent::new(Config::default(), [1; 32], now);
/// let mut gatherer = Gatherer::new(GatherConfig::default(), [2; 32], now);
/// gatherer.add_base("10.0.0.1:5000".parse()?)?;
/// gatherer.add_server(ServerUri::parse("stun:192.0.2.1")?, None)?;
/// gatherer.gather(now)?;
///
/// let mut arrived: Vec<(Path, Vec<u8>)> = Vec::new();
/// let mut buf = Vec::with_capacity(1500);
/// while !gatherer.is_complete() {
///     // What came in is the gatherer's, or the agent's, or came through a relay for the agent.
///     for (path, mut octets) in arrived.drain(..) {
///         let ecn = Ecn::NotEct;
///         let datagram = Datagram { path, contents: &mut octets, ecn };
///         let (path, range) = match gatherer.handle_datagram(datagram, now) {
///             Gathered::Consumed => continue,
///             Gathered::NotMine => (path, 0..octets.len()),
///             Gathered::Relayed { path, range } => (path, range),
///         };
///         let datagram = Datagram { path, contents: &mut octets[range], ecn };
///         let _ = agent.handle_datagram(datagram, now);
///     }
///     while let Some(event) = gatherer.poll_event() {
///         match event {
///             GatherEvent::Candidate(found) => {
///                 let candidate = agent.add_local_candidate(found.candidate()?, now)?;
///                 println!("for the peer: {candidate:?}");
///             }
///             GatherEvent::CandidateGone(gone) => agent.remove_local_candidate(gone.address, now)?,
///             GatherEvent::Resolve { query, host } => {
///                 println!("who is {host}?");
///                 gatherer.resolve_failed(query, now);
///             }
///             GatherEvent::OpenStream(open) => gatherer.stream_failed(open.local, open.remote, now),
///             other => println!("{other:?}"),
///         }
///     }
///     // What the agent sends from a relayed address is wrapped for the relay's server.
///     while let Some(transmit) = agent.poll_transmit(&mut buf, now) {
///         let _send = if gatherer.is_relayed(&transmit.path.local) {
///             gatherer.encapsulate(transmit, &mut buf, 0).ok()
///         } else {
///             Some(transmit)
///         };
///         buf.clear();
///     }
///     while let Some(transmit) = gatherer.poll_transmit(&mut buf, now) {
///         // Here a socket would send `buf`; instead the server answers.
///         let request = Message::parse(&buf)?.transaction_id();
///         let mut answer = Vec::new();
///         MessageBuilder::new(&mut answer, Class::Success, Method::BINDING, request)
///             .xor_mapped_address("203.0.113.9:61000".parse()?);
///         arrived.push((transmit.path, answer));
///         buf.clear();
///     }
///     // Sleep until the earlier deadline or a datagram, whichever comes first.
///     let deadlines = [agent.poll_timeout(), gatherer.poll_timeout()];
///     now = deadlines.iter().flatten().map(|due| due.at).min().unwrap_or(now);
///     agent.handle_timeout(now);
///     gatherer.handle_timeout(now);
/// }
/// assert_eq!(gatherer.candidates().count(), 2);
/// # Ok(())
/// # }
/// ```
///
/// # Streams
///
/// TURN over TCP and TLS, and `stuns`, run over byte streams of the embedder:
/// [`GatherEvent::OpenStream`] asks for one, [`stream_opened`](Self::stream_opened) or
/// [`stream_failed`](Self::stream_failed) is the answer. Octets go in by
/// [`handle_stream`](Self::handle_stream), with [`poll_data`](Self::poll_data) after it, and come out
/// by [`poll_transmit`](Self::poll_transmit).
///
/// # Bounds
///
/// 64 bases, 16 servers, four addresses of each family for one name, one question for one name at a
/// time. An answer of a server is a few dozen octets, of which none are kept but the address. A lost
/// allocation is made anew after a second, and later when it does not last, or the server is out of
/// reach: after 2 s, 4 s and so on to 64 s.
#[derive(Debug)]
pub struct Gatherer {
    config: GatherConfig,
    random: Random,
    now: Instant,
    phase: Phase,
    bases: BTreeSet<SocketAddr>,
    tcp_bases: BTreeSet<(SocketAddr, TcpType)>,
    servers: BTreeMap<ServerId, Server>,
    server_serial: u32,
    /// The names that are being resolved.
    queries: BTreeMap<QueryId, String>,
    query_serial: u64,
    tasks: Tasks,
    transactions: BTreeMap<TransactionId, TaskId>,
    deadlines: Deadlines,
    /// Tasks that wait for a slot.
    waiting: VecDeque<TaskId>,
    next_slot: Instant,
    outbox: VecDeque<Outgoing>,
    relays: Relays,
    streams: Streams,
    known: Known,
    events: VecDeque<GatherEvent>,
}

/// How far the gatherer's own life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before `gather`.
    Idle,
    /// `Complete` is owed.
    Gathering,
    Complete,
    Closed,
}

/// Why a command was refused; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GatherError {
    /// The gatherer is closed.
    #[error("gatherer is closed")]
    Closed,
    /// The base is no address that datagrams can come from.
    #[error("base is not a unicast address with a port")]
    Address(#[source] CandidateError),
    /// There are 64 bases already.
    #[error("too many bases")]
    TooManyBases,
    /// There are 16 servers already.
    #[error("too many servers")]
    TooManyServers,
    /// The option is out of range.
    #[error(transparent)]
    Config(#[from] GatherConfigError),
}

impl Gatherer {
    /// A gatherer that waits for commands.
    ///
    /// `seed` comes from the operating system's generator: transaction ids are drawn from it, and
    /// who can guess them can answer in the name of a server.
    #[must_use]
    pub fn new(config: GatherConfig, seed: [u8; 32], now: Instant) -> Self {
        Self {
            config,
            random: Random::new(seed),
            now,
            phase: Phase::Idle,
            bases: BTreeSet::new(),
            tcp_bases: BTreeSet::new(),
            servers: BTreeMap::new(),
            server_serial: 0,
            queries: BTreeMap::new(),
            query_serial: 0,
            tasks: Tasks::default(),
            transactions: BTreeMap::new(),
            deadlines: Deadlines::default(),
            waiting: VecDeque::new(),
            next_slot: now,
            outbox: VecDeque::new(),
            relays: Relays::default(),
            streams: Streams::default(),
            known: Known::default(),
            events: VecDeque::new(),
        }
    }

    /// The candidates that were reported and are still good.
    pub fn candidates(&self) -> impl Iterator<Item = &LocalCandidate> {
        self.known.iter()
    }

    /// Whether a round has ended with nothing left to ask.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.phase == Phase::Complete
    }

    /// From now on server-reflexive candidates are refreshed with this period, or not at all once
    /// nobody needs them.
    ///
    /// # Errors
    ///
    /// [`GatherError::Config`] out of the range of [`GatherConfig::keepalive`],
    /// [`GatherError::Closed`].
    pub fn set_keepalive(
        &mut self,
        period: Option<Duration>,
        now: Instant,
    ) -> Result<(), GatherError> {
        config::check_keepalive(period)?;
        self.advance(now)?;
        self.config.keepalive = period;
        self.restart_keepalives();
        Ok(())
    }

    /// The addresses that a [`Resolve`](GatherEvent::Resolve) event asked for. Nobody waits for an
    /// answer that comes late; the first four usable addresses of each family count.
    pub fn resolved(&mut self, query: QueryId, addresses: &[IpAddr], now: Instant) {
        if self.advance(now).is_ok() {
            self.settle_query(query, Ok(addresses));
            self.pump();
        }
    }

    /// The name cannot be resolved.
    pub fn resolve_failed(&mut self, query: QueryId, now: Instant) {
        if self.advance(now).is_ok() {
            self.settle_query(query, Err(ServerError::Unresolved));
            self.pump();
        }
    }

    /// Hands in a datagram that arrived at a base. Everything that was not asked for is
    /// [`Gathered::NotMine`], at the cost of a look-up.
    pub fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) -> Gathered {
        self.handle_octets(datagram.path, datagram.contents, now)
    }

    /// The same for who may only read the datagram.
    pub fn handle_octets(&mut self, path: Path, contents: &[u8], now: Instant) -> Gathered {
        if self.advance(now).is_err() {
            return Gathered::NotMine;
        }
        let mut gathered = self.handle_answer(path, contents);
        if gathered == Gathered::NotMine {
            gathered = self.handle_relay(path, contents);
        }
        if gathered == Gathered::Consumed {
            self.pump();
        }
        gathered
    }

    /// Does what is due; called early or again it does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.advance(now).is_ok() {
            self.pump();
        }
    }

    /// Appends the next datagram to `buf`, and says where it goes.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>, now: Instant) -> Option<Transmit> {
        self.now = self.now.max(now);
        while let Some(outgoing) = self.outbox.pop_front() {
            if let Some(transmit) = self.write(outgoing, buf) {
                return Some(transmit);
            }
        }
        self.transmit_relay(buf)
    }

    /// Takes the oldest event.
    pub fn poll_event(&mut self) -> Option<GatherEvent> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; an instant already reached while
    /// output is queued.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timeout> {
        if !self.outbox.is_empty() || self.relays.has_output() {
            return Some(Timeout {
                at: self.now,
                timer: Timer::Output,
            });
        }
        let slot = (!self.waiting.is_empty()).then_some((self.next_slot, Timer::Pacing));
        let server = self.deadlines.next().map(|at| (at, Timer::Server));
        let (at, timer) = [slot, server].into_iter().flatten().min()?;
        Some(Timeout { at, timer })
    }

    /// Ends the gatherer: nothing is asked or reported any more. What gives allocations back is
    /// queued and due, and [`CloseStream`](GatherEvent::CloseStream) events follow for the streams
    /// that it leaves by: send first, then take the events.
    pub fn close(&mut self, now: Instant) {
        if self.advance(now).is_err() {
            return;
        }
        self.close_relays();
        let streams: Vec<_> = self.streams.ids().collect();
        self.phase = Phase::Closed;
        self.events
            .retain(|event| matches!(event, GatherEvent::CloseStream(_)));
        let close = streams.into_iter().map(GatherEvent::CloseStream);
        self.events.extend(close);
        self.streams = Streams::default();
        self.waiting.clear();
        self.outbox.clear();
        self.deadlines = Deadlines::default();
        self.tasks = Tasks::default();
        self.transactions.clear();
        self.queries.clear();
        self.known = Known::default();
    }

    /// Does everything that is due by now.
    fn pump(&mut self) {
        while let Some(key) = self.deadlines.pop_due(self.now) {
            match key {
                Key::Task(task) => self.task_is_due(task),
                Key::Relay(task) => self.relay_is_due(task),
                Key::Query(query) => self.settle_query(query, Err(ServerError::ResolverSilent)),
            }
        }
        while self.next_slot <= self.now
            && let Some(task) = self.waiting.pop_front()
        {
            if self.begin(task) {
                self.next_slot = self.after(self.config.ta).unwrap_or(self.now);
            }
        }
        self.complete();
    }

    /// Reports a candidate unless another source did (RFC 8445 §5.1.3).
    fn report(&mut self, candidate: LocalCandidate, source: Source) {
        let own =
            candidate.kind == CandidateKind::ServerReflexive && candidate.address == candidate.base;
        if !own && self.known.add(candidate, source) {
            self.events.push_back(GatherEvent::Candidate(candidate));
        }
    }

    /// Ends a candidate that no other source stands for.
    fn withdraw(
        &mut self,
        address: SocketAddr,
        base: SocketAddr,
        tcp: Option<TcpType>,
        source: Source,
    ) {
        if let Some(candidate) = self.known.remove(address, base, tcp, source) {
            self.events.push_back(GatherEvent::CandidateGone(candidate));
        }
    }

    /// Time never runs backwards: an earlier `now` counts as the latest one seen.
    fn advance(&mut self, now: Instant) -> Result<(), GatherError> {
        self.now = self.now.max(now);
        self.check_open()
    }

    fn check_open(&self) -> Result<(), GatherError> {
        if self.phase == Phase::Closed {
            Err(GatherError::Closed)
        } else {
            Ok(())
        }
    }
}
