//! The agent: its commands and its polls. What it does with a datagram is in `inbound`, with time
//! in `checks`, with a valid pair in `selection`.

mod candidates;
mod checks;
mod inbound;
mod lite;
mod locals;
mod names;
mod nomination;
mod outbound;
mod removal;
mod reports;
mod restart;
mod selection;
mod streams;
mod tagging;

pub use self::names::NameQuery;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use thiserror::Error;

use self::names::Names;
use self::selection::Active;
use self::streams::Openings;
use crate::attributes::{AttributeError, Attributes, check_len};
use crate::candidate::Candidate;
use crate::checklist::Checklist;
use crate::config::{Config, Implementation, Pacing};
use crate::credentials::Credentials;
use crate::early::EarlyChecks;
use crate::event::{Event, PathState};
use crate::generation::Generation;
use crate::outbox::Outbox;
use crate::pair::PairId;
use crate::path::{Path, Timeout, Timer};
use crate::random::Random;
use crate::role::Role;
use crate::stats::{Counters, PairStats, Stats};
use crate::stun::AttributeType;
use crate::transaction::Transactions;

/// An ICE agent, full or lite, for one data stream with one component (RFC 8445).
///
/// It is created with the local credentials, which signalling takes to the peer together with the
/// candidates. Checks begin with [`connect`](Self::connect). Candidates of either side may come
/// before or after it, and checks of the peer may come before everything.
///
/// Each call that takes `now` may queue output: afterwards poll [`poll_transmit`] and
/// [`poll_event`] until both are empty, and sleep until [`poll_timeout`].
///
/// [`poll_transmit`]: Self::poll_transmit
/// [`poll_event`]: Self::poll_event
/// [`poll_timeout`]: Self::poll_timeout
#[derive(Debug)]
pub struct Agent {
    config: Config,
    random: Random,
    now: Instant,
    phase: Phase,
    role: Role,
    tie_breaker: u64,
    generation: Generation,
    /// The one before, so that the peer's checks on the old pair are still answered.
    previous: Option<Generation>,
    locals: Vec<Candidate>,
    /// Places of local candidates that were removed; nothing refers to them.
    retired: BTreeSet<usize>,
    /// Those that go as soon as data leaves elsewhere.
    withdrawn: BTreeSet<usize>,
    remotes: Vec<Candidate>,
    /// By whether it is over TCP, and the address.
    remote_by_address: BTreeMap<(bool, SocketAddr), usize>,
    foundations: u32,
    /// Local candidates with foundation and priority that do not take part in checks yet.
    prepared: Vec<Candidate>,
    checklist: Checklist,
    transactions: Transactions,
    outbox: Outbox,
    early: EarlyChecks,
    events: VecDeque<Event>,
    /// What the embedder lets ride in our checks and answers.
    attributes: Attributes,
    reports: reports::Reports,
    nomination: nomination::Nomination,
    active: Option<Active>,
    /// The pair that was nominated before it was valid.
    early_nominee: Option<PairId>,
    order: selection::Order,
    /// The active pair of the generation before, in use until the new one has a valid pair.
    retained: Option<Active>,
    progress: Outlook,
    next_slot: Instant,
    /// Something waits for a slot.
    pacing: bool,
    /// When patience is over; `None` when that lies beyond the range of the clock.
    patience_until: Option<Instant>,
    remote_ended: bool,
    /// When the last authenticated check of the peer arrived.
    reached_at: Option<Instant>,
    /// How many remote candidates each base has learned from checks since a pair became valid.
    strays: BTreeMap<SocketAddr, usize>,
    names: Names,
    openings: Openings,
    /// What the peer is, as signalling told.
    remote_implementation: Implementation,
    counters: Counters,
}

/// How far the agent's own life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before `connect`.
    Idle,
    Running,
    Closed,
}

/// What the embedder was last told about connectivity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outlook {
    Trying,
    Connected,
    Failed,
}

/// Why a command was refused; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The agent is closed.
    #[error("agent is closed")]
    Closed,
    /// `connect` needs the remote credentials: set them first.
    #[error("remote credentials are not known")]
    NoRemoteCredentials,
    /// As many candidates as the configuration allows are known already.
    #[error("too many candidates")]
    TooManyCandidates,
    /// Everything runs over component 1 (RFC 5761): leave candidates of others out.
    #[error("component is not 1")]
    Component,
    /// Only host, server-reflexive and relayed candidates made as local ones can be added on the
    /// local side; peer-reflexive ones are learned.
    #[error("candidate is not a local one")]
    NotLocal,
}

impl Agent {
    /// An agent that listens, answers early checks, and waits for commands.
    ///
    /// `seed` comes from the operating system's generator: credentials, transaction ids and
    /// tie-breakers are drawn from it, and a seed used twice gives the same ones twice.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        let mut random = Random::new(seed);
        let drawn = Credentials::random(&mut random);
        let local = config.local_credentials.clone().unwrap_or(drawn);
        Self {
            role: config.role.first(),
            tie_breaker: random.tie_breaker(),
            config,
            now,
            phase: Phase::Idle,
            generation: Generation::new(0, local),
            previous: None,
            locals: Vec::new(),
            retired: BTreeSet::new(),
            withdrawn: BTreeSet::new(),
            remotes: Vec::new(),
            remote_by_address: BTreeMap::new(),
            foundations: 0,
            prepared: Vec::new(),
            checklist: Checklist::new(random.index_key()),
            random,
            transactions: Transactions::default(),
            outbox: Outbox::default(),
            early: EarlyChecks::default(),
            events: VecDeque::new(),
            attributes: Attributes::default(),
            reports: reports::Reports::default(),
            nomination: nomination::Nomination::default(),
            active: None,
            early_nominee: None,
            order: selection::Order::Settled,
            retained: None,
            progress: Outlook::Trying,
            next_slot: now,
            pacing: false,
            patience_until: None,
            remote_ended: false,
            reached_at: None,
            strays: BTreeMap::new(),
            names: Names::default(),
            openings: Openings::default(),
            remote_implementation: Implementation::Full,
            counters: Counters::default(),
        }
    }

    /// The credentials that the peer needs.
    #[must_use]
    pub const fn local_credentials(&self) -> &Credentials {
        &self.generation.local
    }

    /// The peer's credentials of the current generation.
    #[must_use]
    pub fn remote_credentials(&self) -> Option<&Credentials> {
        self.generation
            .remote
            .as_ref()
            .map(|remote| &remote.credentials)
    }

    /// Sets the peer's credentials. After [`connect`](Self::connect), other credentials than before
    /// are the peer's restart (RFC 8445 §9): its old candidates are forgotten, the pair in use stays
    /// until a new one is valid. Call it before adding the candidates that belong to them.
    ///
    /// # Errors
    ///
    /// [`AgentError::Closed`].
    pub fn set_remote_credentials(
        &mut self,
        credentials: Credentials,
        now: Instant,
    ) -> Result<(), AgentError> {
        self.advance(now)?;
        if self.remote_credentials() == Some(&credentials) {
            return Ok(());
        }
        if self.phase == Phase::Running && self.generation.remote.is_some() {
            self.begin_generation(self.generation.local.clone());
        }
        if self.phase == Phase::Idle {
            self.role = self.settled_role(&credentials);
        }
        self.generation.set_remote(credentials);
        if self.phase == Phase::Running {
            self.begin_checks();
            self.pump();
        }
        Ok(())
    }

    /// Starts the checks (RFC 8445 §6.1). A second call changes nothing.
    ///
    /// # Errors
    ///
    /// [`AgentError::NoRemoteCredentials`] before
    /// [`set_remote_credentials`](Self::set_remote_credentials), [`AgentError::Closed`].
    pub fn connect(&mut self, now: Instant) -> Result<(), AgentError> {
        self.advance(now)?;
        if self.phase == Phase::Running {
            return Ok(());
        }
        if self.generation.remote.is_none() {
            return Err(AgentError::NoRemoteCredentials);
        }
        self.phase = Phase::Running;
        self.push_event(Event::RoleChanged(self.role));
        self.begin_checks();
        self.pump();
        Ok(())
    }

    /// The role now; before the credentials have settled it, see
    /// [`RolePolicy`](crate::RolePolicy).
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Whether the role is [`Role::Controlling`].
    #[must_use]
    pub fn is_controlling(&self) -> bool {
        self.role == Role::Controlling
    }

    /// Does what is due; called early or again it does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.advance(now).is_ok() {
            self.pump();
        }
    }

    /// Whether a check waits for a slot of [`Config::external_pacing`]; ask after every other call.
    #[must_use]
    pub fn wants_slot(&self) -> bool {
        self.pacing && self.config.pacing == Pacing::External && self.outbox.takes_check()
    }

    /// From when on a check wants a slot: already, with [`Config::external_pacing`]; without, when
    /// the agent gives itself the next one. `None` while nothing is to be checked.
    #[must_use]
    pub fn next_slot_wanted(&self) -> Option<Instant> {
        match self.config.pacing {
            Pacing::Own => self.pacing.then_some(self.next_slot),
            Pacing::External => self.wants_slot().then_some(self.now),
        }
    }

    /// Uses a slot of [`Config::external_pacing`] for one check; says whether there was one to
    /// send. Without that option it does nothing.
    pub fn grant_slot(&mut self, now: Instant) -> bool {
        if self.advance(now).is_err() || self.config.pacing == Pacing::Own {
            return false;
        }
        self.pump();
        self.use_slot()
    }

    /// Whether signalling has to offer the ICE option `renomination`: see
    /// [`Config::renomination`].
    #[must_use]
    pub fn offers_renomination(&self) -> bool {
        self.config.offers_renomination()
    }

    /// Says whether the peer offers the ICE option `renomination`. From then on nominations carry
    /// a value, if [`Config::renomination`] offers it too; until then, and with every other peer,
    /// they are plain USE-CANDIDATE.
    pub fn set_remote_renomination(&mut self, offered: bool) {
        if self.phase != Phase::Closed {
            self.numbers_nominations(offered);
            // A nomination that has to be repeated is due; no time is known to send it at.
            self.pacing |= self.is_checking() && self.has_check();
        }
    }

    /// Lets an attribute ride in every check and every success answer from now on, whatever the
    /// pair. Several values take turns, one a message, as the datagrams of a flight have to;
    /// `None`, or none at all, ends it. It costs nothing while unused.
    ///
    /// What the peer sends of the kind is told by
    /// [`Event::CheckAttribute`], if [`Config::report_attributes`] lists it.
    ///
    /// # Errors
    ///
    /// [`AttributeError`]: it has to be of a kind that the peer may ignore, and all kinds together
    /// have to fit [`Config::max_check_len`]. Should the peer's username fragment come later and
    /// be so long that they do not, a message goes without.
    pub fn set_check_attribute(
        &mut self,
        kind: AttributeType,
        values: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<(), AttributeError> {
        if self.phase == Phase::Closed {
            return Err(AttributeError::Closed);
        }
        let ufrags = self.generation.local.ufrag().len()
            + self
                .remote_credentials()
                .map_or(0, |peer| peer.ufrag().len());
        let free = self.config.max_check_len.saturating_sub(check_len(ufrags));
        self.attributes
            .set(kind, values.into_iter().collect(), free)
    }

    /// Takes the oldest event.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if self.events.is_empty() {
            self.events.shrink_to_fit(); // they are large and rare
        }
        if let Some(Event::CheckAttribute { .. }) = &event {
            self.reports.taken();
        }
        event
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; an instant already reached while
    /// output is queued.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timeout> {
        if self.phase == Phase::Closed {
            return None;
        }
        if !self.outbox.is_empty() {
            return Some(Timeout {
                at: self.now,
                timer: Timer::Output,
            });
        }
        let pair = self.checklist.next_deadline().map(|at| (at, Timer::Pair));
        let pacing = (self.pacing && self.config.pacing == Pacing::Own)
            .then_some((self.next_slot, Timer::Pacing));
        let patience = self.failure_at().map(|at| (at, Timer::Patience));
        let (at, timer) = [pacing, pair, patience].into_iter().flatten().min()?;
        Some(Timeout { at, timer })
    }

    /// Tells the agent that something authenticated arrived over a path (SRTP, or DTLS after its
    /// handshake). It costs a comparison, so call it for every packet: while they arrive, a path
    /// whose checks stay unanswered is not suspected, and a lite agent keeps its pair.
    pub fn authenticated_traffic(&mut self, path: Path, now: Instant) {
        self.now = self.now.max(now);
        if self.config.is_lite() {
            self.prolong(&path);
        }
        match &mut self.active {
            Some(active) if active.path == path => {
                active.heard_at = Some(self.now);
                if active.suspected {
                    let id = active.id;
                    self.trust(id);
                }
            }
            Some(_) | None => self.heard_elsewhere(&path),
        }
    }

    /// The pair to send data on now: the nominated one, or the best valid one; after a restart the
    /// old one until the new session has a valid pair. `None` while no pair is valid, and from the
    /// moment when consent has expired (RFC 7675 §5.1), by the time of the last call, whether
    /// [`handle_timeout`](Self::handle_timeout) has told of it or not.
    #[must_use]
    pub fn data_path(&self) -> Option<Path> {
        self.active
            .as_ref()
            .or(self.retained.as_ref())
            .filter(|active| !self.is_consent_over(active.id))
            .map(|active| active.path)
    }

    /// How much a path has proved; a look-up, however many paths there are.
    #[must_use]
    pub fn path_state(&self, path: &Path) -> PathState {
        if self
            .retained
            .as_ref()
            .is_some_and(|active| active.path == *path)
        {
            return PathState::Valid;
        }
        match self
            .checklist
            .by_path(path)
            .and_then(|id| self.checklist.get(id))
        {
            Some(pair) if pair.valid().is_some() => PathState::Valid,
            Some(pair) if pair.check_received => PathState::CheckReceived,
            Some(_) | None if self.early.has(path) => PathState::CheckReceived,
            Some(_) | None => PathState::Unknown,
        }
    }

    /// Addresses of the remote candidates known so far, signalled or learned from checks.
    pub fn remote_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.remote_by_address.keys().map(|(_, address)| *address)
    }

    /// The pairs and the counters as they are now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let active = self
            .active
            .as_ref()
            .or(self.retained.as_ref())
            .map(|active| active.id);
        let pair = |(id, pair): (PairId, &crate::pair::Pair)| PairStats {
            path: pair.path,
            state: pair.pair_state(),
            priority: pair.priority,
            nominated: pair.valid().is_some_and(|valid| valid.nominated),
            active: active == Some(id),
            rtt: pair.rtt,
        };
        Stats {
            pairs: self.checklist.iter().map(pair).collect(),
            counters: self.counters.clone(),
        }
    }

    /// Ends the agent: nothing is sent, answered or reported any more. Its streams are the
    /// embedder's to close.
    pub fn close(&mut self) {
        self.phase = Phase::Closed;
        self.outbox.clear();
        self.events.clear();
        self.reports = reports::Reports::default();
        self.early.clear();
        let gone = self.checklist.retain_only(None);
        self.transactions.remove_all(gone);
        self.active = None;
        self.retained = None;
        self.pacing = false;
        self.names = Names::default();
    }

    /// Time never runs backwards: an earlier `now` counts as the latest one seen.
    fn advance(&mut self, now: Instant) -> Result<(), AgentError> {
        self.now = self.now.max(now);
        if self.phase == Phase::Closed {
            Err(AgentError::Closed)
        } else {
            Ok(())
        }
    }

    /// Queues an event. Of those that report a value only the latest matters, so that a peer that
    /// keeps changing its mind cannot make the queue grow.
    fn push_event(&mut self, event: Event) {
        let kind = core::mem::discriminant(&event);
        match event {
            Event::ActivePair { .. } | Event::RoleChanged(_) | Event::PathSuspected(_) => {
                self.events
                    .retain(|queued| core::mem::discriminant(queued) != kind);
            }
            Event::Connected
            | Event::ConsentExpired
            | Event::CheckAttribute { .. }
            | Event::OpenStream(_)
            | Event::CloseStream(_)
            | Event::Resolve { .. }
            | Event::Failed => {}
        }
        self.events.push_back(event);
    }

    /// Whether checks may be sent at all.
    fn is_checking(&self) -> bool {
        self.phase == Phase::Running && self.generation.remote.is_some()
    }

    /// When failure is declared, if nothing changes until then.
    fn failure_at(&self) -> Option<Instant> {
        if !self.is_checking()
            || self.progress != Outlook::Trying
            || self.active.is_some()
            || self.retained.is_some()
            || self.checklist.live() != 0
        {
            return None;
        }
        // DEVIATION(RFC 8863 §4): once the peer has no more candidates, and every pair has been
        // checked to the end of its schedule, the rest of the patience timer is not waited for.
        let over = self.remote_ended
            && self.names.is_empty()
            && self.checklist.len() != 0
            && !self.config.is_strict();
        let patience = if over { self.now } else { self.patience_until? };
        let reached = self.reached_at.map_or(patience, |at| at + REACHED);
        Some(patience.max(reached))
    }
}

/// A peer whose check arrived less than this ago still reaches us: its own consent checks come
/// every 4 to 6 s (RFC 7675 §5.1), two of which may be lost.
const REACHED: Duration = Duration::from_secs(15);
