//! A gatherer, an agent and the sockets of both: the event loop.

use core::error::Error;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ortc_ice::turn::PeerPolicy;
use ortc_ice::{
    Agent, Candidate, CandidateKind, Config, Datagram, Ecn, Event, GatherConfig, GatherEvent,
    Gathered, Gatherer, LocalCandidate, RolePolicy, ServerCredentials, ServerError, ServerId,
    ServerScheme, ServerState, ServerStats, ServerTransport, ServerUri, Transmit,
};

use crate::io::{Input, Io};
use crate::tls::Trust;
use crate::{Arguments, sentence, system, table};

pub(crate) struct Endpoint {
    pub(crate) agent: Agent,
    gatherer: Gatherer,
    io: Io,
    bases: Vec<SocketAddr>,
    servers: Vec<(ServerId, ServerUri)>,
    /// What names were resolved to.
    names: BTreeMap<String, Vec<IpAddr>>,
    /// The candidates as they will be signalled, and where they come from.
    found: Vec<(LocalCandidate, Candidate)>,
    failures: Vec<(ServerId, ServerError)>,
    /// What could not be connected, and why.
    complaints: Vec<String>,
    /// Lines of standard input.
    pub(crate) lines: Vec<String>,
    pub(crate) events: Vec<Event>,
    relay_only: bool,
    buf: Vec<u8>,
}

impl Endpoint {
    pub(crate) fn new(arguments: &Arguments) -> Result<Self, Box<dyn Error>> {
        let now = system::now();
        let mut config = GatherConfig::default();
        if arguments.loopback_peers {
            config = config.peer_policy(PeerPolicy::AllowLoopback);
        }
        let role = if arguments.offer {
            RolePolicy::Controlling
        } else {
            RolePolicy::Controlled
        };
        let mut gatherer = Gatherer::new(config, system::seed()?, now);
        let mut io = Io::new(Trust::new(arguments.ca.as_deref())?);
        let mut bases = Vec::new();
        for ip in local_addresses(arguments) {
            let base = io
                .bind(ip)
                .map_err(|error| format!("{ip} cannot be bound: {error}"))?;
            gatherer.add_base(base)?;
            bases.push(base);
        }
        if bases.is_empty() {
            return Err("this machine has no address that reaches a server".into());
        }
        let mut servers = Vec::new();
        for uri in &arguments.servers {
            let user = uri.user.as_ref().or(arguments.username.as_ref());
            let credentials = user
                .zip(arguments.credential.as_ref())
                .map(|(user, password)| ServerCredentials::new(user, password));
            let id = gatherer.add_server(uri.clone(), credentials)?;
            servers.push((id, uri.clone()));
        }
        Ok(Self {
            agent: Agent::new(Config::default().role(role), system::seed()?, now),
            gatherer,
            io,
            bases,
            servers,
            names: BTreeMap::new(),
            found: Vec::new(),
            failures: Vec::new(),
            complaints: Vec::new(),
            lines: Vec::new(),
            events: Vec::new(),
            relay_only: arguments.relay_only,
            buf: Vec::with_capacity(2048),
        })
    }

    /// Gathers until all servers have answered or failed, or time is up.
    pub(crate) fn gather(&mut self, longest: Duration) {
        if self.gatherer.gather(system::now()).is_ok() {
            self.run(longest, |endpoint| endpoint.gatherer.is_complete());
        }
    }

    /// Runs until `done`, or until time is up; says whether it was done.
    pub(crate) fn run(
        &mut self,
        longest: Duration,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let end = system::now() + longest;
        loop {
            self.settle();
            let now = system::now();
            if done(self) {
                return true;
            }
            if now >= end {
                return false;
            }
            let agent = self.agent.poll_timeout().map(|timeout| timeout.at);
            let gatherer = self.gatherer.poll_timeout().map(|timeout| timeout.at);
            let deadlines = [Some(end), agent, gatherer].into_iter().flatten();
            let next = deadlines.min().unwrap_or(end);
            if let Some(input) = self.io.wait(next.saturating_duration_since(now)) {
                self.take(input);
            }
            let now = system::now();
            self.agent.handle_timeout(now);
            self.gatherer.handle_timeout(now);
        }
    }

    /// Sends what is queued, and hears what there is to hear.
    fn settle(&mut self) {
        let now = system::now();
        while let Some(transmit) = self.gatherer.poll_transmit(&mut self.buf, now) {
            self.io.send(&transmit, &self.buf);
            self.buf.clear();
        }
        while let Some(transmit) = self.agent.poll_transmit(&mut self.buf, now) {
            self.send(transmit);
            self.buf.clear();
        }
        while let Some(event) = self.gatherer.poll_event() {
            self.gathered(event, now);
        }
        while let Some(event) = self.agent.poll_event() {
            self.events.push(event);
        }
    }

    /// What leaves from a relayed address is wrapped for its server.
    fn send(&mut self, transmit: Transmit) {
        let transmit = if self.gatherer.is_relayed(&transmit.path.local) {
            match self.gatherer.encapsulate(transmit, &mut self.buf, 0) {
                Ok(wrapped) => wrapped,
                Err(_) => return, // no permission yet: the check is repeated
            }
        } else {
            transmit
        };
        self.io.send(&transmit, &self.buf);
    }

    fn gathered(&mut self, event: GatherEvent, now: Instant) {
        match event {
            GatherEvent::Candidate(local) => {
                let wanted = !self.relay_only || local.kind == CandidateKind::Relayed;
                if let Ok(candidate) = local.candidate()
                    && let Ok(placed) = if wanted {
                        self.agent.add_local_candidate(candidate, now)
                    } else {
                        self.agent.prepare_local_candidate(candidate, now)
                    }
                {
                    self.found.push((local, placed));
                }
            }
            GatherEvent::CandidateGone(gone) => {
                let is_gone = |known: &LocalCandidate| {
                    (known.address, known.base) == (gone.address, gone.base)
                };
                self.found.retain(|(local, _)| !is_gone(local));
                let _ = self.agent.remove_local_candidate(gone.address, now); // closed, at the end
            }
            GatherEvent::Resolve { query, host } => self.io.resolve(query, host),
            GatherEvent::OpenStream(open) => self.io.connect(open),
            GatherEvent::CloseStream(id) => self.io.close(id),
            GatherEvent::ServerFailed { server, reason } => self.failures.push((server, reason)),
            GatherEvent::PermissionRefused { relayed, peer } => self
                .complaints
                .push(format!("{relayed} may not relay to {peer}")),
            GatherEvent::Complete => {} // seen in `is_complete`
            _ => {}
        }
    }

    fn take(&mut self, input: Input) {
        let now = system::now();
        match input {
            Input::Datagram(path, mut octets) => self.datagram(path, &mut octets, now),
            Input::Resolved(query, host, ips) => {
                match ips.as_slice() {
                    [] => self.gatherer.resolve_failed(query, now),
                    ips => self.gatherer.resolved(query, ips, now),
                }
                self.names.insert(host, ips);
            }
            Input::Connected(open, stream) => {
                let adopted = stream
                    .map_err(|error| error.to_string())
                    .and_then(|stream| self.io.adopt(&open, stream));
                match adopted {
                    Ok((id, local)) => {
                        self.gatherer
                            .stream_opened(open.local, open.remote, id, local, now);
                    }
                    Err(error) => {
                        self.complaints.push(format!("{}: {error}", open.remote));
                        self.gatherer.stream_failed(open.local, open.remote, now);
                    }
                }
            }
            Input::Octets(id, octets) if octets.is_empty() => self.gatherer.stream_closed(id, now),
            Input::Octets(id, octets) => match self.io.open(id, octets) {
                Some(inside) => {
                    let _ = self.gatherer.handle_stream(id, &inside, now);
                    let mut payload = Vec::new();
                    while let Some(path) = self.gatherer.poll_data(&mut payload) {
                        self.for_agent(path, &mut payload, now);
                        payload.clear();
                    }
                }
                None => self.gatherer.stream_closed(id, now),
            },
            Input::Line(line) => self.lines.push(line),
        }
    }

    /// The gatherer's answers first; all else is the agent's.
    fn datagram(&mut self, path: ortc_ice::Path, octets: &mut [u8], now: Instant) {
        let datagram = Datagram {
            path,
            contents: &mut *octets,
            ecn: Ecn::NotEct,
        };
        match self.gatherer.handle_datagram(datagram, now) {
            Gathered::Consumed => {}
            Gathered::NotMine => self.for_agent(path, octets, now),
            Gathered::Relayed { path, range } => {
                if let Some(payload) = octets.get_mut(range) {
                    self.for_agent(path, payload, now);
                }
            }
        }
    }

    fn for_agent(&mut self, path: ortc_ice::Path, contents: &mut [u8], now: Instant) {
        let ecn = Ecn::NotEct;
        let datagram = Datagram {
            path,
            contents,
            ecn,
        };
        let _ = self.agent.handle_datagram(datagram, now); // what is dropped was noise
    }

    /// Lets a peer through all relays.
    pub(crate) fn permit(&mut self, peer: IpAddr) {
        let relayed = |(local, _): &(LocalCandidate, Candidate)| {
            (local.kind == CandidateKind::Relayed).then_some(local.address)
        };
        let relayed: Vec<_> = self.found.iter().filter_map(relayed).collect();
        for address in relayed {
            if let Err(error) = self.gatherer.permit(address, peer, system::now()) {
                self.complaints
                    .push(format!("{address} may not relay to {peer}: {error}"));
            }
        }
    }

    /// What the peer is told about.
    pub(crate) fn signalled(&self) -> impl Iterator<Item = &Candidate> {
        let wanted =
            |local: &LocalCandidate| !self.relay_only || local.kind == CandidateKind::Relayed;
        self.found
            .iter()
            .filter(move |(local, _)| wanted(local))
            .map(|(_, candidate)| candidate)
    }

    /// The kind of a local address, for tables.
    pub(crate) fn kind_of(&self, address: SocketAddr) -> &'static str {
        let found = self
            .found
            .iter()
            .find(|(local, _)| local.address == address);
        found.map_or("?", |(local, _)| kind(local.kind))
    }

    pub(crate) fn read_lines(&self) {
        self.io.read_lines();
    }

    /// Whether every server gave what it can give.
    pub(crate) fn is_well(&self) -> bool {
        self.failures.is_empty() && self.gatherer.is_complete()
    }

    /// Two UDP servers for the tests of RFC 5780, and a base that reaches them.
    pub(crate) fn behaviour_servers(&self) -> Option<(IpAddr, SocketAddr, Option<SocketAddr>)> {
        let of = |uri: &ServerUri| {
            let literal: Vec<IpAddr> = uri.address().into_iter().collect();
            let known = self.names.get(&uri.host).cloned().unwrap_or(literal);
            let usable = uri.transport() == ServerTransport::Udp
                && matches!(uri.scheme, ServerScheme::Stun | ServerScheme::Turn);
            let usable = if usable { known } else { Vec::new() };
            let port = uri.port;
            usable.into_iter().map(move |ip| SocketAddr::new(ip, port))
        };
        let servers: Vec<_> = self
            .servers
            .iter()
            .map(|(_, uri)| uri)
            .flat_map(of)
            .collect();
        for first in &servers {
            let base = self.bases.iter().find(|base| {
                base.is_ipv4() == first.is_ipv4()
                    && base.ip().is_loopback() == first.ip().is_loopback()
            });
            if let Some(base) = base {
                let other = |second: &&SocketAddr| {
                    second.is_ipv4() == first.is_ipv4() && second.ip() != first.ip()
                };
                return Some((base.ip(), *first, servers.iter().find(other).copied()));
            }
        }
        None
    }

    pub(crate) fn print(&self, longest: Duration) {
        let row = |base: &SocketAddr| vec![base.to_string()];
        let rows: Vec<_> = self.bases.iter().map(row).collect();
        table::print("Local addresses", &["base"], &rows);
        let row = |(local, candidate): &(LocalCandidate, Candidate)| {
            let server = local.server.and_then(|(id, _)| self.gatherer.server(id));
            vec![
                kind(local.kind).into(),
                local.address.to_string(),
                local
                    .related
                    .map_or("-".into(), |related| related.to_string()),
                server.map_or("-".into(), ServerUri::to_string),
                table::rtt(local.rtt),
                candidate.priority().to_string(),
            ]
        };
        let mut rows: Vec<_> = self.found.iter().collect();
        rows.sort_by_key(|(_, candidate)| core::cmp::Reverse(candidate.priority()));
        let rows: Vec<_> = rows.into_iter().map(row).collect();
        let heads = ["kind", "address", "related", "server", "time", "priority"];
        table::print("Candidates", &heads, &rows);
        self.print_servers();
        for (id, uri) in &self.servers {
            if self.gatherer.is_pending(*id) {
                println!("\n{uri} has not answered in {} s.", longest.as_secs_f64());
            }
        }
        for (server, reason) in &self.failures {
            if let Some(uri) = self.gatherer.server(*server) {
                println!("\n{uri} gives nothing: {reason}.");
            }
        }
        for complaint in &self.complaints {
            println!("  {}", sentence(complaint));
        }
    }

    fn print_servers(&self) {
        let row = |stats: ServerStats| {
            let uri = self.gatherer.server(stats.server);
            let state = match stats.state {
                ServerState::Waiting => "not asked yet",
                ServerState::Asking => "no answer yet",
                ServerState::Working => "works",
                ServerState::Failed => "failed",
                _ => "?",
            };
            vec![
                uri.map_or("-".into(), ServerUri::to_string),
                stats.address.to_string(),
                stats.base.to_string(),
                stats.mapped.map_or("-".into(), |mapped| mapped.to_string()),
                table::rtt(stats.rtt),
                state.into(),
            ]
        };
        let rows: Vec<_> = self.gatherer.server_stats().into_iter().map(row).collect();
        let heads = ["server", "address", "asked from", "sees", "time", "state"];
        table::print("Servers", &heads, &rows);
    }

    /// Gives back what the servers hold for us.
    pub(crate) fn close(&mut self) {
        let now = system::now();
        self.agent.close();
        self.gatherer.close(now);
        while let Some(transmit) = self.gatherer.poll_transmit(&mut self.buf, now) {
            self.io.send(&transmit, &self.buf);
            self.buf.clear();
        }
        while let Some(event) = self.gatherer.poll_event() {
            self.gathered(event, now);
        }
    }
}

/// As SDP writes it (RFC 8839 §5.1).
pub(crate) const fn kind(kind: CandidateKind) -> &'static str {
    match kind {
        CandidateKind::Host => "host",
        CandidateKind::ServerReflexive => "srflx",
        CandidateKind::PeerReflexive => "prflx",
        CandidateKind::Relayed => "relay",
    }
}

/// Those that were named, else those from which the servers are reached, else those of the default
/// routes.
fn local_addresses(arguments: &Arguments) -> BTreeSet<IpAddr> {
    if !arguments.bind.is_empty() {
        return arguments.bind.iter().copied().collect();
    }
    let literal = arguments
        .servers
        .iter()
        .filter_map(|uri| Some(SocketAddr::new(uri.address()?, uri.port)));
    // Addresses for documentation (RFC 5737, RFC 3849), that the default route leads to.
    let anywhere = [
        SocketAddr::from(([192, 0, 2, 1], 9)),
        SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 9)),
    ];
    literal.chain(anywhere).filter_map(Io::route_to).collect()
}
