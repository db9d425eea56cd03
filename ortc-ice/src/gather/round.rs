//! A round: what there is to ask, name by name and address by address, until all of it is settled.

use core::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::server::reaches;
use super::task::{Outcome, State, Task};
use super::{
    CandidateKind, GatherError, GatherEvent, Gatherer, Key, LocalCandidate, Lookup, Phase, QueryId,
    ServerError, ServerId, Source, TaskId,
};

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
            self.end_task(task);
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

    /// Makes the tasks of a server whose addresses are known, for the bases that have none.
    fn plan(&mut self, id: ServerId) {
        let Some(server) = self.servers.get(&id) else {
            return;
        };
        if server.is_turn() || server.security().is_some() {
            return;
        }
        let addresses = server.addresses().to_vec();
        for base in self.bases.clone() {
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
                    remote: *remote,
                    state,
                });
                if first {
                    self.waiting.push_back(task);
                } else {
                    // An address that is dead does not delay the next by its whole ladder.
                    let at = self.now.checked_add(self.config.stagger * rank);
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
            State::Held => self.release(id),
            State::Bound(_) => self.waiting.push_back(id), // a keepalive; it is paced as well
            State::Asking(_) | State::Refreshing(..) => self.repeat(id),
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
            State::Waiting | State::Bound(_) => {
                self.ask(id);
                true
            }
            State::Held | State::Asking(_) | State::Refreshing(..) | State::Failed => false,
        }
    }

    /// One address of the server has worked: the others are not needed from this base.
    pub(super) fn drop_siblings(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let siblings = self.tasks.group(task.server, task.base).to_vec();
        for sibling in siblings.into_iter().filter(|sibling| *sibling != id) {
            self.end_task(sibling);
        }
    }

    /// A task failed: the next address of the server has its turn.
    pub(super) fn fail(&mut self, id: TaskId, error: ServerError) {
        self.deadlines.set(Key::Task(id), None);
        self.forget_request(id);
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
    pub(super) fn end_task(&mut self, id: TaskId) {
        self.deadlines.set(Key::Task(id), None);
        self.forget_request(id);
        let Some(task) = self.tasks.remove(id) else {
            return;
        };
        match task.state {
            State::Bound(mapped) | State::Refreshing(mapped, _) => {
                self.withdraw(mapped, task.base, Source::Task(id));
            }
            State::Held | State::Waiting | State::Asking(_) | State::Failed => {}
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
