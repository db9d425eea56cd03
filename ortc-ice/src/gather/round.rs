//! A round: what there is to ask, name by name and address by address, until all of it is settled.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeSet;
use std::time::Instant;

use super::reflexive::Outgoing;
use super::relayed::Farewell;
use super::server::reaches;
use super::task::{Outcome, State, Task};
use super::{
    CandidateKind, GatherError, GatherEvent, Gatherer, Key, LocalCandidate, Lookup, Phase, QueryId,
    ServerError, ServerId, Source, TaskId,
};
use crate::address::{in_zone, zone};
use crate::candidate::TcpType;

impl Gatherer {
    /// Begins a round: host candidates of new bases are reported, servers are asked from bases that
    /// have not asked them, and those that failed are asked anew, their names resolved again. What
    /// works is left alone. [`GatherEvent::Complete`] ends the round, at once when there is nothing
    /// to ask.
    ///
    /// # Errors
    ///
    /// [`GatherError::Closed`].
    pub fn gather(&mut self, now: Instant) -> Result<(), GatherError> {
        self.advance(now)?;
        self.phase = Phase::Gathering;
        for base in self.bases.clone() {
            self.report(host(base), Source::Base);
        }
        for (base, tcp) in self.tcp_bases.clone() {
            self.report(host_tcp(base, tcp), Source::Base);
        }
        let servers: Vec<_> = self.servers.keys().copied().collect();
        for id in servers {
            self.refresh_server(id);
            self.judge(id);
        }
        self.pump();
        Ok(())
    }

    /// Asks a server for what is missing.
    fn refresh_server(&mut self, id: ServerId) {
        let failed =
            |(id, task): (TaskId, &Task)| matches!(task.state, State::Failed).then_some(id);
        let failed: Vec<_> = self.tasks.of_server(id).filter_map(failed).collect();
        for task in failed {
            self.end_task(task, Farewell::None);
        }
        // An allocation that was lost is not waited for any longer.
        let lost = |(id, task): (TaskId, &Task)| matches!(task.state, State::Lost).then_some(id);
        let lost: Vec<_> = self.tasks.of_server(id).filter_map(lost).collect();
        for task in lost {
            self.release(task);
        }
        let idle = self.tasks.of_server(id).next().is_none();
        let Some(server) = self.servers.get_mut(&id) else {
            return;
        };
        server.reported = false;
        server.last_error = server.obstacle();
        if server.last_error.is_some() {
            return;
        }
        if idle && !matches!(server.lookup, Lookup::Asked(_)) {
            server.forget_addresses();
        }
        match server.lookup {
            Lookup::Asked(_) => {}
            Lookup::Known(_) => self.plan(id),
            Lookup::Unknown => {
                let host = server.uri.host.clone();
                let query = self.ask_name(host);
                if let Some(server) = self.servers.get_mut(&id) {
                    server.lookup = Lookup::Asked(query);
                }
            }
        }
    }

    /// Servers of one host share a query.
    fn ask_name(&mut self, host: String) -> QueryId {
        let asked = |(query, known): (&QueryId, &String)| (*known == host).then_some(*query);
        if let Some(query) = self.queries.iter().find_map(asked) {
            return query;
        }
        let query = QueryId(self.query_serial);
        self.query_serial += 1;
        self.queries.insert(query, host.clone());
        let at = self.now.checked_add(self.config.answer_timeout);
        self.deadlines.set(Key::Query(query), at);
        self.events.push_back(GatherEvent::Resolve { query, host });
        query
    }

    /// Names that no server waits for are nobody's any more.
    pub(super) fn forget_queries(&mut self) {
        let (servers, deadlines) = (&self.servers, &mut self.deadlines);
        self.queries.retain(|query, _| {
            let wanted = |server: &super::Server| server.lookup == Lookup::Asked(*query);
            let wanted = servers.values().any(wanted);
            if !wanted {
                deadlines.set(Key::Query(*query), None);
            }
            wanted
        });
    }

    /// The end of a query; one that has ended already is nobody's.
    pub(super) fn settle_query(&mut self, query: QueryId, result: Outcome<&[IpAddr]>) {
        if self.queries.remove(&query).is_none() {
            return;
        }
        self.deadlines.set(Key::Query(query), None);
        let waits = |(id, server): (&ServerId, &super::Server)| {
            (server.lookup == Lookup::Asked(query)).then_some(*id)
        };
        let servers: Vec<_> = self.servers.iter().filter_map(waits).collect();
        for id in servers {
            let Some(server) = self.servers.get_mut(&id) else {
                continue;
            };
            match result {
                Ok(addresses) => {
                    server.learn_addresses(addresses);
                    if server.addresses().is_empty() {
                        server.last_error = Some(ServerError::Unresolved);
                    }
                    self.plan(id);
                }
                Err(error) => {
                    server.lookup = Lookup::Known(Vec::new());
                    server.last_error = Some(error);
                }
            }
            self.judge(id);
        }
    }

    /// Where a server is asked from: over UDP the bases; over streams any port of the addresses that
    /// there are bases on, or, for a server-reflexive candidate, the address that others connect to
    /// (RFC 6544 §5.2).
    fn origins(&self, server: &super::Server) -> BTreeSet<(SocketAddr, Option<TcpType>)> {
        let listens = |tcp: &TcpType| *tcp != TcpType::Active;
        let tcp = self.tcp_bases.iter().copied();
        match (server.security().is_some(), server.is_turn()) {
            (false, _) => self.bases.iter().map(|base| (*base, None)).collect(),
            (true, false) => tcp
                .filter(|(_, tcp)| listens(tcp))
                .map(|(base, tcp)| (base, Some(tcp)))
                .collect(),
            (true, true) => {
                let tcp = tcp.map(|(base, _)| base);
                let any_port = |base| (any_port(base), None);
                self.bases
                    .iter()
                    .copied()
                    .chain(tcp)
                    .map(any_port)
                    .collect()
            }
        }
    }

    /// Makes the tasks of a server whose addresses are known, for the bases that have none.
    fn plan(&mut self, id: ServerId) {
        let Some(server) = self.servers.get(&id) else {
            return;
        };
        let addresses = server.addresses().to_vec();
        for (base, tcp) in self.origins(server) {
            if !self.tasks.group(id, base).is_empty() {
                continue;
            }
            let reachable = addresses.iter().filter(|to| reaches(base, **to));
            for (rank, remote) in (0_u32..).zip(reachable) {
                let first = rank == 0;
                let state = if first { State::Waiting } else { State::Held };
                let task = self.tasks.insert(Task {
                    server: id,
                    base,
                    tcp,
                    remote: in_zone(*remote, zone(base)),
                    state,
                    losses: 0,
                    rtt: None,
                });
                if first {
                    self.waiting.push_back(task);
                } else {
                    // An address that is dead does not delay the next by its whole ladder.
                    let at = self.after(self.config.stagger * rank);
                    self.deadlines.set(Key::Task(task), at);
                }
            }
        }
    }

    /// What a task's deadline is for depends on how far it has come.
    pub(super) fn task_is_due(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        match task.state {
            State::Held | State::Lost => self.release(id),
            State::Bound(_) => self.waiting.push_back(id), // a keepalive; it is paced as well
            State::Asking(_) | State::Refreshing(..) => self.repeat(id),
            State::Opening | State::Allocating => self.stream_is_late(id),
            State::Allocated => {
                self.outbox.push_back(Outgoing::Keepalive(id));
                self.schedule_keepalive(id);
            }
            State::Waiting | State::Failed => {}
        }
    }

    /// A held task has its turn.
    fn release(&mut self, id: TaskId) {
        self.deadlines.set(Key::Task(id), None);
        self.tasks.set(id, State::Waiting);
        self.waiting.push_back(id);
    }

    /// The slot of a task has come; says whether it used it.
    pub(super) fn begin(&mut self, id: TaskId) -> bool {
        let Some(task) = self.tasks.get(id) else {
            return false; // it ended while it waited
        };
        match task.state {
            State::Waiting if self.is_relay(id) => self.begin_relay(id),
            State::Waiting => self.begin_binding(id),
            State::Bound(_) => self.ask(id),
            State::Held
            | State::Lost
            | State::Opening
            | State::Asking(_)
            | State::Refreshing(..)
            | State::Allocating
            | State::Allocated
            | State::Failed => return false,
        }
        true
    }

    /// A Binding request can leave, or needs a stream first.
    fn begin_binding(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let (base, remote) = (task.base, task.remote);
        let server = self.servers.get(&task.server);
        match server.and_then(super::Server::security) {
            None => self.ask(id),
            Some(security) => {
                self.tasks.set(id, State::Opening);
                self.open_stream(id, base, remote, security);
            }
        }
    }

    /// The embedder did not open a stream in time.
    fn stream_is_late(&mut self, id: TaskId) {
        if self.streams.is_opening(id) {
            self.stream_missing(id);
        }
    }

    /// A stream cannot be opened.
    pub(super) fn stream_missing(&mut self, id: TaskId) {
        self.not_made(id, ServerError::Stream);
    }

    /// One address of the server has worked: the others are not needed from this base.
    pub(super) fn drop_siblings(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let siblings = self.tasks.group(task.server, task.base).to_vec();
        for sibling in siblings.into_iter().filter(|sibling| *sibling != id) {
            self.end_task(sibling, Farewell::None);
        }
    }

    /// A task failed: the next address of the server has its turn.
    pub(super) fn fail(&mut self, id: TaskId, error: ServerError) {
        self.deadlines.set(Key::Task(id), None);
        self.forget_request(id);
        self.end_relay(id, Farewell::None);
        self.tasks.set(id, State::Failed);
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let (server, base) = (task.server, task.base);
        if let Some(server) = self.servers.get_mut(&server) {
            server.last_error = Some(error);
        }
        let is_held = |id: &&TaskId| {
            self.tasks
                .get(**id)
                .is_some_and(|task| matches!(task.state, State::Held))
        };
        let next = self.tasks.group(server, base).iter().find(is_held).copied();
        match next {
            Some(next) => self.release(next),
            None => self.judge(server),
        }
    }

    /// A task ends with everything that it gave.
    pub(super) fn end_task(&mut self, id: TaskId, farewell: Farewell) {
        self.deadlines.set(Key::Task(id), None);
        self.forget_request(id);
        self.end_relay(id, farewell);
        let Some(task) = self.tasks.remove(id) else {
            return;
        };
        if let State::Bound(mapped) | State::Refreshing(mapped, _) = task.state {
            self.withdraw(mapped, task.base, task.tcp, Source::Task(id));
        }
    }

    /// Its answer is not waited for any more.
    pub(super) fn forget_request(&mut self, id: TaskId) {
        if let Some(request) = self.tasks.get(id).and_then(|task| task.state.request()) {
            self.transactions.remove(&request.id);
        }
    }

    /// Reports a server that came to nothing, as soon as that is sure.
    pub(super) fn judge(&mut self, id: ServerId) {
        let alive = |(_, task): (TaskId, &Task)| task.state.is_pending() || task.state.works();
        if self.tasks.of_server(id).any(alive) {
            return;
        }
        let Some(server) = self.servers.get_mut(&id) else {
            return;
        };
        if server.reported || matches!(server.lookup, Lookup::Asked(_)) {
            return;
        }
        server.reported = true;
        let reason = server.last_error.unwrap_or(ServerError::NoBase);
        self.events
            .push_back(GatherEvent::ServerFailed { server: id, reason });
    }

    /// Reports the end of the round.
    pub(super) fn complete(&mut self) {
        if self.phase == Phase::Gathering && self.tasks.pending() == 0 && self.queries.is_empty() {
            self.phase = Phase::Complete;
            self.events.push_back(GatherEvent::Complete);
        }
    }

    /// The instant after a while; `None` beyond the range of the clock.
    pub(super) fn after(&self, wait: core::time::Duration) -> Option<Instant> {
        self.now.checked_add(wait)
    }
}

/// The same address with any port.
pub(super) const fn any_port(mut base: SocketAddr) -> SocketAddr {
    base.set_port(0);
    base
}

/// The host candidate of a base over TCP: an active one is signalled with port 9, and connects from
/// any port (RFC 6544 §4.5).
pub(super) const fn host_tcp(base: SocketAddr, tcp: TcpType) -> LocalCandidate {
    let mut candidate = host(base);
    candidate.tcp = Some(tcp);
    if matches!(tcp, TcpType::Active) {
        candidate.address.set_port(9);
        candidate.base = any_port(base);
    }
    candidate
}

/// The host candidate of a base.
const fn host(base: SocketAddr) -> LocalCandidate {
    LocalCandidate {
        kind: CandidateKind::Host,
        address: base,
        base,
        tcp: None,
        related: None,
        server: None,
        rtt: None,
    }
}
