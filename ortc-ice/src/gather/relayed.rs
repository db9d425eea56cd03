//! Relayed candidates: one TURN client for each allocation, found by the path to its server, by the
//! relayed address, and by nothing else.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::server::reaches;
use super::task::State;
use super::{
    CandidateKind, GatherEvent, Gatherer, Key, LocalCandidate, Phase, ServerError, Source, TaskId,
};
use crate::path::{Path, Timer, Transmit, Transport};
use crate::stream::Security;
use crate::stun::LongTermCredentials;
use crate::turn::{Client, Config, Counters, Event, Failure};

/// An allocation that was lost is made anew after this long, doubling ...
const RETRY: Duration = Duration::from_secs(1);
/// ... as often as this, unless it lasted for longer than `STABLE`.
const RETRY_DOUBLINGS: u32 = 6;
const STABLE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Relay {
    pub(super) client: Box<Client>,
    path: Path,
    began: Instant,
    pub(super) allocated: Vec<SocketAddr>,
    /// The server-reflexive candidate that the Allocate response gave.
    reflexive: Option<SocketAddr>,
    /// It is in the list of those with output.
    ready: bool,
}

#[derive(Debug, Default)]
pub(super) struct Relays {
    pub(super) by_task: BTreeMap<TaskId, Relay>,
    pub(super) by_path: BTreeMap<Path, TaskId>,
    pub(super) by_address: BTreeMap<SocketAddr, TaskId>,
    /// Those with output.
    ready: VecDeque<TaskId>,
    /// Those with payloads that came over a stream.
    pub(super) data: VecDeque<TaskId>,
    /// Closed ones whose last words have not left.
    closing: VecDeque<Box<Client>>,
}

impl Relays {
    pub(super) fn has_output(&self) -> bool {
        !self.ready.is_empty() || !self.closing.is_empty()
    }

    pub(super) fn client(&mut self, relayed: SocketAddr) -> Option<(TaskId, &mut Client)> {
        let task = *self.by_address.get(&relayed)?;
        Some((task, &mut self.by_task.get_mut(&task)?.client))
    }

    /// Forgets a client and everything that leads to it.
    fn remove(&mut self, task: TaskId) -> Option<Relay> {
        let relay = self.by_task.remove(&task)?;
        if self.by_path.get(&relay.path) == Some(&task) {
            self.by_path.remove(&relay.path);
        }
        for relayed in &relay.allocated {
            self.by_address.remove(relayed);
        }
        self.ready.retain(|known| *known != task);
        self.data.retain(|known| *known != task);
        Some(relay)
    }
}

/// What is left of a relay that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// The server is told.
    Refresh,
    /// There is no socket to tell it from, or it knows.
    None,
}

impl Gatherer {
    /// Whether the task is for a TURN server.
    pub(super) fn is_relay(&self, task: TaskId) -> bool {
        let server = self.tasks.get(task).map(|task| task.server);
        server
            .and_then(|server| self.servers.get(&server))
            .is_some_and(super::Server::is_turn)
    }

    pub(super) fn counters_of(&self, relayed: &SocketAddr) -> Option<&Counters> {
        let task = self.relays.by_address.get(relayed)?;
        Some(self.relays.by_task.get(task)?.client.counters())
    }

    /// Our address as the server of a task's allocation sees it.
    pub(super) fn mapped_of(&self, task: TaskId) -> Option<SocketAddr> {
        self.relays.by_task.get(&task)?.client.mapped()
    }

    /// The path of a task's allocation.
    pub(super) fn relay_of(&self, task: TaskId) -> Option<Path> {
        self.relays.by_task.get(&task).map(|relay| relay.path)
    }

    /// The slot of the task has come: allocate over UDP, or ask for a stream first.
    pub(super) fn begin_relay(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let (base, remote) = (task.base, task.remote);
        let server = self.servers.get(&task.server);
        match server.and_then(super::Server::security) {
            None => self.relay_path(id, Path::udp(base, remote)),
            Some(security) => {
                self.tasks.set(id, State::Opening);
                self.open_stream(id, base, remote, security);
            }
        }
    }

    /// There is a path to the server: begin on it, or go on.
    pub(super) fn relay_path(&mut self, id: TaskId, path: Path) {
        if self.relays.by_path.contains_key(&path) {
            self.fail(id, ServerError::InUse); // one allocation on a five-tuple (RFC 8656 §3.2)
            return;
        }
        let now = self.now;
        if let Some(relay) = self.relays.by_task.get_mut(&id) {
            let moved = relay.client.move_to(path, now);
            let old = core::mem::replace(&mut relay.path, path);
            self.relays.by_path.remove(&old);
            self.relays.by_path.insert(path, id);
            match moved {
                Ok(()) => self.schedule_relay(id),
                Err(_) => self.fail(id, ServerError::Stream),
            }
            return;
        }
        let Some(config) = self.relay_config(id) else {
            self.fail(id, ServerError::BadCredentials);
            return;
        };
        let client = Box::new(Client::new(config, path, self.random.seed(), now));
        let relay = Relay {
            client,
            path,
            began: now,
            allocated: Vec::new(),
            reflexive: None,
            ready: false,
        };
        self.relays.by_path.insert(path, id);
        self.relays.by_task.insert(id, relay);
        self.tasks.set(id, State::Allocating);
        self.schedule_relay(id);
    }

    fn relay_config(&self, id: TaskId) -> Option<Config> {
        let server = self.servers.get(&self.tasks.get(id)?.server)?;
        let credentials = server.credentials.as_ref()?;
        let credentials =
            LongTermCredentials::new(&credentials.username, &credentials.password).ok()?;
        let config = Config::new(credentials)
            .families(self.config.families)
            .peer_policy(self.config.peer_policy);
        Some(config)
    }

    /// Octets on a stream to a TURN server.
    pub(super) fn relay_stream(&mut self, id: TaskId, octets: &[u8]) {
        let now = self.now;
        if let Some(relay) = self.relays.by_task.get_mut(&id) {
            relay.client.handle_stream(octets, now);
            if !self.relays.data.contains(&id) {
                self.relays.data.push_back(id);
            }
            self.after_client(id);
        }
    }

    pub(super) fn relay_stream_closed(&mut self, id: TaskId) {
        let now = self.now;
        match self.relays.by_task.get_mut(&id) {
            Some(relay) => {
                relay.client.stream_closed(now);
                self.after_client(id);
            }
            None => self.not_made(id, ServerError::Stream),
        }
    }

    /// The client's deadline has come.
    pub(super) fn relay_is_due(&mut self, id: TaskId) {
        let now = self.now;
        if let Some(relay) = self.relays.by_task.get_mut(&id) {
            relay.client.handle_timeout(now);
            self.after_client(id);
        }
    }

    /// Hears what a client has to say, and when it wants to be called next.
    pub(super) fn after_client(&mut self, id: TaskId) {
        while let Some(relay) = self.relays.by_task.get_mut(&id)
            && let Some(event) = relay.client.poll_event()
        {
            self.relay_event(id, event);
        }
        self.schedule_relay(id);
    }

    pub(super) fn schedule_relay(&mut self, id: TaskId) {
        let Some(relay) = self.relays.by_task.get_mut(&id) else {
            self.deadlines.set(Key::Relay(id), None);
            return;
        };
        let timeout = relay.client.poll_timeout();
        match timeout {
            Some(timeout) if timeout.timer == Timer::Output => {
                if !core::mem::replace(&mut relay.ready, true) {
                    self.relays.ready.push_back(id);
                }
            }
            Some(timeout) => self.deadlines.set(Key::Relay(id), Some(timeout.at)),
            None => self.deadlines.set(Key::Relay(id), None),
        }
    }

    fn relay_event(&mut self, id: TaskId, event: Event) {
        match event {
            Event::Allocated { relayed, mapped } => self.allocated(id, relayed, mapped),
            Event::AlternateServer { server, domain } => self.redirect(id, server, domain),
            Event::AddressInUse | Event::Detached => self.reconnect(id),
            Event::Failed(failure) if is_passing(failure) => self.not_made(id, failed(failure)),
            Event::Failed(failure) => {
                self.end_relay(id, Farewell::None);
                self.fail(id, failed(failure));
            }
            Event::Lost(failure) => self.lost(id, failure),
            Event::PermissionRefused { peer, .. } => {
                let same = |known: &&SocketAddr| known.is_ipv4() == peer.is_ipv4();
                let relay = self.relays.by_task.get(&id);
                if let Some(relayed) = relay.and_then(|relay| relay.allocated.iter().find(same)) {
                    let relayed = *relayed;
                    self.events
                        .push_back(GatherEvent::PermissionRefused { relayed, peer });
                }
            }
            Event::FamilyRefused { .. }
            | Event::Moved
            | Event::Permitted { .. }
            | Event::ChannelBound { .. }
            | Event::ChannelRefused { .. }
            | Event::Connection { .. }
            | Event::ConnectFailed { .. }
            | Event::ConnectionBound { .. }
            | Event::ConnectionFailed { .. }
            | Event::Closed => {}
        }
    }

    /// A relayed address; over UDP the server also says what the NAT made of the base.
    fn allocated(&mut self, id: TaskId, relayed: SocketAddr, mapped: SocketAddr) {
        let now = self.now;
        self.tasks.set(id, State::Allocated);
        let (Some(relay), Some(task)) = (self.relays.by_task.get_mut(&id), self.tasks.get(id))
        else {
            return;
        };
        let first = relay.allocated.is_empty();
        relay.allocated.push(relayed);
        let candidate = LocalCandidate {
            kind: CandidateKind::Relayed,
            address: relayed,
            base: relayed,
            tcp: None,
            related: Some(mapped),
            server: Some((task.server, relay.path.remote.ip())),
            rtt: first.then(|| now.saturating_duration_since(relay.began)),
        };
        let reflexive = LocalCandidate {
            kind: CandidateKind::ServerReflexive,
            address: mapped,
            base: task.base,
            related: Some(task.base),
            ..candidate
        };
        let udp = relay.path.transport == Transport::Udp;
        let usable = udp && mapped.is_ipv4() == task.base.is_ipv4() && first;
        if usable && crate::address::check_address(mapped).is_ok() {
            relay.reflexive = Some(mapped);
            self.report(reflexive, Source::Task(id));
        }
        self.tasks.measure(id, candidate.rtt);
        self.relays.by_address.insert(relayed, id);
        self.report(candidate, Source::Task(id));
        self.drop_siblings(id);
        self.schedule_keepalive(id);
    }

    /// ALTERNATE-SERVER (RFC 8489 §10); the client refuses to go round in circles.
    fn redirect(&mut self, id: TaskId, server: SocketAddr, domain: Option<String>) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let base = task.base;
        if !reaches(base, server) || crate::address::check_address(server).is_err() {
            self.end_relay(id, Farewell::None);
            self.fail(id, ServerError::NoBase);
            return;
        }
        let known = self.servers.get(&task.server);
        match known.and_then(super::Server::security) {
            None => self.relay_path(id, Path::udp(base, server)),
            Some(security) => {
                let security = match (security, domain) {
                    (Security::Tls { .. }, Some(server_name)) => Security::Tls { server_name },
                    (security, _) => security,
                };
                self.open_stream(id, base, server, security);
            }
        }
    }

    /// The client needs another address of ours: a stream gets one, a base has only one.
    fn reconnect(&mut self, id: TaskId) {
        let Some((task, relay)) = self.tasks.get(id).zip(self.relays.by_task.get(&id)) else {
            return;
        };
        let (base, remote) = (task.base, relay.path.remote);
        let server = self.servers.get(&task.server);
        match server.and_then(super::Server::security) {
            Some(security) => self.open_stream(id, base, remote, security),
            // The server may still have the allocation of before; it ends by itself.
            None => self.not_made(id, ServerError::Relay(Failure::Mismatch)),
        }
    }

    /// An allocation is gone: its candidates end, and it is made anew after a while.
    fn lost(&mut self, id: TaskId, failure: Failure) {
        tracing::debug!(%failure, "allocation lost");
        let relay = self.relays.by_task.get(&id);
        let lasted =
            relay.is_some_and(|relay| self.now.saturating_duration_since(relay.began) > STABLE);
        self.end_relay(id, Farewell::None);
        if let Some(task) = self.tasks.get_mut(id) {
            task.losses = if lasted { 1 } else { task.losses.max(1) + 1 };
            self.make_anew(id);
        }
    }

    /// An allocation was not granted, for a reason that may pass. One that was there before is asked
    /// for again and again: the network was away, and may come back.
    pub(super) fn not_made(&mut self, id: TaskId, error: ServerError) {
        self.end_relay(id, Farewell::None);
        let Some(task) = self.tasks.get_mut(id).filter(|task| task.losses > 0) else {
            self.fail(id, error);
            return;
        };
        task.losses = task.losses.saturating_add(1);
        let server = task.server;
        if let Some(server) = self.servers.get_mut(&server) {
            server.last_error = Some(error);
        }
        self.make_anew(id);
        if self.phase == Phase::Gathering {
            self.judge(server); // the round that asked wants to know
        }
    }

    fn make_anew(&mut self, id: TaskId) {
        let losses = self.tasks.get(id).map_or(1, |task| task.losses);
        let wait = RETRY * (1 << losses.saturating_sub(1).min(RETRY_DOUBLINGS));
        self.tasks.set(id, State::Lost);
        let at = self.after(wait);
        self.deadlines.set(Key::Task(id), at);
    }

    /// Takes a client away with all that it gave.
    pub(super) fn end_relay(&mut self, id: TaskId, farewell: Farewell) {
        self.deadlines.set(Key::Relay(id), None);
        if let Some(mut relay) = self.relays.remove(id) {
            for relayed in &relay.allocated {
                self.withdraw(*relayed, *relayed, None, Source::Task(id));
            }
            if let (Some(mapped), Some(task)) = (relay.reflexive, self.tasks.get(id)) {
                self.withdraw(mapped, task.base, None, Source::Task(id));
            }
            if farewell == Farewell::Refresh {
                relay.client.close(self.now);
                self.relays.closing.push_back(relay.client);
            }
        }
        self.close_stream(id);
    }

    /// What a client has to send.
    pub(super) fn transmit_relay(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        while let Some(client) = self.relays.closing.front_mut() {
            if let Some(transmit) = client.poll_transmit(buf, self.now) {
                return Some(transmit);
            }
            self.relays.closing.pop_front();
        }
        while let Some(id) = self.relays.ready.front().copied() {
            let relay = self.relays.by_task.get_mut(&id);
            if let Some(relay) = relay {
                if let Some(transmit) = relay.client.poll_transmit(buf, self.now) {
                    return Some(transmit);
                }
                relay.ready = false;
            }
            self.relays.ready.pop_front();
            self.schedule_relay(id);
        }
        None
    }

    /// Gives all allocations back.
    pub(super) fn close_relays(&mut self) {
        let ids: Vec<_> = self.relays.by_task.keys().copied().collect();
        for id in ids {
            self.end_relay(id, Farewell::Refresh);
        }
    }
}

/// Whether the same request may be granted later.
const fn is_passing(failure: Failure) -> bool {
    match failure {
        Failure::TimedOut | Failure::StreamClosed | Failure::Mismatch => true,
        Failure::Code(_)
        | Failure::NotFramed
        | Failure::IntegrityViolated
        | Failure::Refused(_)
        | Failure::Challenges
        | Failure::Redirection
        | Failure::Family
        | Failure::Expired => false,
    }
}

/// A failure in the words of a gatherer.
const fn failed(failure: Failure) -> ServerError {
    match failure {
        Failure::TimedOut => ServerError::Timeout,
        Failure::Code(code) => ServerError::Refused(code),
        Failure::StreamClosed | Failure::NotFramed => ServerError::Stream,
        Failure::IntegrityViolated
        | Failure::Refused(_)
        | Failure::Challenges
        | Failure::Redirection
        | Failure::Mismatch
        | Failure::Family
        | Failure::Expired => ServerError::Relay(failure),
    }
}
