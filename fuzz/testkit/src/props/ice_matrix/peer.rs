//! A peer of the matrix as an embedder would build it: sockets, a gatherer, an agent, and data that
//! goes wherever the agent says.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use ortc_ice::stun::{Class, Message, is_stun};
use ortc_ice::{
    Agent, Candidate, CandidateKind, Config, Credentials, Datagram, DropReason, Ecn, Event,
    GatherConfig, GatherEvent, Gathered, Gatherer, LocalCandidate, Path, ServerError, Transmit,
};

use super::scenario::Manners;
use crate::net::Machine;
use crate::servers::stun_server::StunServer;
use crate::servers::turn_server::TurnServer;

/// Everybody on the network of the matrix.
#[derive(Debug)]
pub enum Host {
    /// One of the two.
    Peer(Box<Peer>),
    /// The STUN server.
    Stun(StunServer),
    /// The TURN server.
    Turn(Box<TurnServer>),
}

impl Host {
    /// The peer that it is.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        match self {
            Self::Peer(peer) => peer,
            Self::Stun(_) | Self::Turn(_) => panic!("a server is no peer"),
        }
    }

    /// The peer that it is.
    pub fn peer_mut(&mut self) -> &mut Peer {
        match self {
            Self::Peer(peer) => peer,
            Self::Stun(_) | Self::Turn(_) => panic!("a server is no peer"),
        }
    }

    fn machine(&self) -> &dyn Machine {
        match self {
            Self::Peer(peer) => peer.as_ref(),
            Self::Stun(server) => server,
            Self::Turn(server) => server.as_ref(),
        }
    }

    fn machine_mut(&mut self) -> &mut dyn Machine {
        match self {
            Self::Peer(peer) => peer.as_mut(),
            Self::Stun(server) => server,
            Self::Turn(server) => server.as_mut(),
        }
    }
}

/// What one peer tells the other by signalling.
#[derive(Clone, Debug)]
pub enum Signal {
    /// Its credentials.
    Credentials(Credentials),
    /// A candidate of its own, as the agent described it.
    Candidate(Candidate),
    /// There are no more.
    End,
}

/// What the data of the matrix begins with: it is neither STUN nor ChannelData (RFC 7983).
pub const DATA: u8 = 0x80;
/// How often data is sent.
const DATA_INTERVAL: Duration = Duration::from_millis(500);

/// One of the two.
#[derive(Debug)]
pub struct Peer {
    /// Its agent.
    pub agent: Agent,
    /// Its gatherer.
    pub gatherer: Gatherer,
    /// What the agent said, and when.
    pub events: Vec<(Instant, Event)>,
    /// What the agent dropped.
    pub drops: BTreeMap<DropReason, usize>,
    /// What waits to be signalled.
    pub signals: Vec<Signal>,
    /// When an answer to a check was last accepted, by path.
    pub answered: BTreeMap<Path, Instant>,
    /// When data was last sent, and when it last came in over a path that may carry it.
    pub data: [Option<Instant>; 2],
    manners: Manners,
    /// What was described to the other, to be told again after a restart.
    described: Vec<Candidate>,
    ended: bool,
    next_data: Instant,
    /// How many remote candidates the relays have been told of.
    permitted: usize,
    /// How many datagrams it sent.
    pub sent: usize,
}

impl Peer {
    /// A peer that has its sockets and has not begun.
    #[must_use]
    pub fn new(config: Config, manners: Manners, seeds: [[u8; 32]; 2], now: Instant) -> Self {
        let [agent, gatherer] = seeds;
        Self {
            agent: Agent::new(config, agent, now),
            gatherer: Gatherer::new(GatherConfig::default(), gatherer, now),
            events: Vec::new(),
            drops: BTreeMap::new(),
            signals: Vec::new(),
            answered: BTreeMap::new(),
            data: [None, None],
            manners,
            described: Vec::new(),
            ended: false,
            next_data: now,
            permitted: 0,
            sent: 0,
        }
    }

    /// Says who it is, and looks for candidates.
    pub fn begin(&mut self, now: Instant) {
        self.introduce();
        self.gatherer.gather(now).unwrap();
        self.drain(now);
    }

    fn introduce(&mut self) {
        let credentials = self.agent.local_credentials().clone();
        self.signals.push(Signal::Credentials(credentials));
    }

    /// Says everything again that the other needs after a restart.
    pub fn tell_again(&mut self) {
        self.introduce();
        let again = self.described.iter().cloned().map(Signal::Candidate);
        self.signals.extend(again);
        if self.ended && self.manners.end_is_told {
            self.signals.push(Signal::End);
        }
    }

    /// Something of the other's signalling arrives.
    pub fn hear(&mut self, signal: Signal, now: Instant) {
        match signal {
            Signal::Credentials(credentials) => {
                self.agent.set_remote_credentials(credentials, now).unwrap();
                self.agent.connect(now).unwrap();
            }
            Signal::Candidate(candidate) => {
                let theirs = Candidate::remote(
                    candidate.foundation(),
                    candidate.component(),
                    candidate.priority(),
                    candidate.address(),
                    candidate.kind(),
                    candidate.related_address(),
                );
                self.agent
                    .add_remote_candidate(theirs.unwrap(), now)
                    .unwrap();
            }
            Signal::End => self.agent.end_of_remote_candidates(now),
        }
        self.permit(now);
        self.drain(now);
    }

    /// It has another socket.
    pub fn gain(&mut self, base: SocketAddr, now: Instant) {
        self.gatherer.add_base(base).unwrap();
        self.gatherer.gather(now).unwrap();
        self.drain(now);
    }

    /// One of its sockets is gone.
    pub fn lose(&mut self, base: SocketAddr, now: Instant) {
        self.gatherer.remove_base(base, now);
        self.drain(now);
    }

    /// Takes out what gatherer and agent have to say.
    pub fn drain(&mut self, now: Instant) {
        while let Some(event) = self.gatherer.poll_event() {
            match event {
                GatherEvent::Candidate(found) => {
                    self.describe(&found, now);
                    self.permit(now);
                }
                GatherEvent::CandidateGone(gone) => {
                    self.described
                        .retain(|known| known.address() != gone.address);
                    self.agent
                        .remove_local_candidate(gone.address, now)
                        .unwrap();
                }
                GatherEvent::Complete => {
                    self.ended = true;
                    if self.manners.end_is_told {
                        self.signals.push(Signal::End);
                    }
                }
                // What a storm ate is asked for again.
                GatherEvent::ServerFailed {
                    reason: ServerError::Timeout,
                    ..
                } => self.gatherer.gather(now).unwrap(),
                _ => {}
            }
        }
        if self.agent.remote_addresses().count() != self.permitted {
            self.permit(now);
        }
        while let Some(event) = self.agent.poll_event() {
            if let Event::ActivePair { path, .. } = event
                && self.gatherer.is_relayed(&path.local)
            {
                let _ = self.gatherer.bind_channel(path.local, path.remote, now);
            }
            self.events.push((now, event));
        }
    }

    fn describe(&mut self, found: &LocalCandidate, now: Instant) {
        let candidate = found.candidate().unwrap();
        let described = self.agent.add_local_candidate(candidate, now).unwrap();
        if self
            .described
            .iter()
            .all(|known| known.address() != described.address())
        {
            self.described.push(described.clone());
            self.signals.push(Signal::Candidate(described));
        }
    }

    /// Whether an event that satisfies this was seen, and when the last one was.
    pub fn last(&self, is: impl Fn(&Event) -> bool) -> Option<Instant> {
        let mut events = self.events.iter().rev();
        events.find(|(_, event)| is(event)).map(|(at, _)| *at)
    }

    /// For the agent, or data.
    fn deliver(&mut self, path: Path, contents: &mut [u8], now: Instant) {
        if !is_stun(contents) {
            let may = self.agent.path_state(&path) != ortc_ice::PathState::Unknown;
            if contents.first() == Some(&DATA) && may {
                self.data[1] = Some(now);
                if self.manners.data_counts {
                    self.agent.authenticated_traffic(path, now);
                }
            }
            return;
        }
        let datagram = Datagram {
            path,
            contents: &mut *contents,
            ecn: Default::default(),
        };
        match self.agent.handle_datagram(datagram, now) {
            Err(reason) => *self.drops.entry(reason).or_default() += 1,
            Ok(()) => {
                if Message::parse(contents).unwrap().class() == Class::Success {
                    self.answered.insert(path, now);
                }
            }
        }
    }
}

impl Machine for Peer {
    fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
        now: Instant,
    ) {
        let path = Path::udp(local, remote);
        let datagram = Datagram {
            path,
            contents: &mut *contents,
            ecn: Default::default(),
        };
        match self.gatherer.handle_datagram(datagram, now) {
            Gathered::NotMine => self.deliver(path, contents, now),
            Gathered::Consumed => {}
            Gathered::Relayed { path, range } => self.deliver(path, &mut contents[range], now),
        }
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.gatherer.handle_timeout(now);
        self.agent.handle_timeout(now);
        self.drain(now);
    }

    fn poll_transmit(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let ends = self.next_datagram(buf, now);
        self.sent += usize::from(ends.is_some());
        ends
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let data = self.agent.data_path().map(|_| self.next_data);
        let agent = self.agent.poll_timeout().map(|timeout| timeout.at);
        let gatherer = self.gatherer.poll_timeout().map(|timeout| timeout.at);
        data.into_iter().chain(agent).chain(gatherer).min()
    }
}

impl Peer {
    fn next_datagram(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let start = buf.len();
        if let Some(transmit) = self.gatherer.poll_transmit(buf, now) {
            return Some((transmit.path.local, transmit.path.remote));
        }
        while let Some(transmit) = self.agent.poll_transmit(buf, now) {
            if let Some(ends) = self.forward(transmit, buf, start, now) {
                return Some(ends);
            }
        }
        if let Some(path) = self.agent.data_path().filter(|_| self.next_data <= now) {
            self.next_data = now + DATA_INTERVAL;
            self.data[0] = Some(now);
            buf.extend_from_slice(&[DATA, 0, 0, 0]);
            let transmit = Transmit {
                path,
                len: buf.len() - start,
                segment: None,
                ecn: Ecn::default(),
            };
            return self.forward(transmit, buf, start, now);
        }
        None
    }

    /// What is to leave on a path: as it is, or through the relay.
    fn forward(
        &mut self,
        transmit: Transmit,
        buf: &mut Vec<u8>,
        start: usize,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let Path { local, remote, .. } = transmit.path;
        let mut path = transmit.path;
        if self.gatherer.is_relayed(&local) {
            // A peer that was learned from a check through this relay is permitted already.
            let _ = self.gatherer.permit(local, remote.ip(), now);
            match self.gatherer.encapsulate(transmit, buf, start) {
                Ok(wrapped) => path = wrapped.path,
                Err(_) => {
                    buf.truncate(start);
                    return None;
                }
            }
        }
        Some((path.local, path.remote))
    }

    /// Each relay lets in each candidate of the other.
    fn permit(&mut self, now: Instant) {
        self.permitted = self.agent.remote_addresses().count();
        let relays: Vec<_> = self
            .gatherer
            .candidates()
            .filter(|known| known.kind == CandidateKind::Relayed)
            .map(|known| known.address)
            .collect();
        for relay in relays {
            let peers: Vec<_> = self.agent.remote_addresses().collect();
            for peer in peers {
                if peer.is_ipv4() == relay.is_ipv4() {
                    let _ = self.gatherer.permit(relay, peer.ip(), now);
                }
            }
        }
    }
}

impl Machine for Host {
    fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
        now: Instant,
    ) {
        self.machine_mut()
            .handle_datagram(local, remote, contents, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.machine_mut().handle_timeout(now);
    }

    fn poll_transmit(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        self.machine_mut().poll_transmit(buf, now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.machine().poll_timeout()
    }
}
