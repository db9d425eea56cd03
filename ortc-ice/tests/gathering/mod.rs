//! A gatherer and its servers on the virtual network.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "test code: a failed expectation is the report"
)]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test uses what it needs of this"
)]

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::time::Instant;

use ortc_ice::stun::{
    AttributeType, Class, ErrorCode, Message, MessageBuilder, Method, TransactionId,
};
use ortc_ice::{
    CandidateKind, Datagram, GatherConfig, GatherEvent, Gathered, Gatherer, LocalCandidate, Path,
    QueryId, ServerError, ServerId, ServerUri,
};
use ortc_testkit::laws::Lawful;
use ortc_testkit::net::{Machine, Net, NodeId, Sent};

pub fn a(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// What is on the network.
pub enum Node {
    Gatherer(Gatherer),
    Server(StunServer),
}

/// A STUN server beyond a NAT with endpoint-independent mapping.
pub struct StunServer {
    answers: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    now: Option<Instant>,
    /// Answers with this error.
    pub refuse: Option<u16>,
    /// Answers as RFC 3489.
    pub classic: bool,
    /// Added to the port that it sees.
    pub shift: u16,
}

/// 10.0.N.1:P is seen as 203.0.113.1:P+N, IPv6 as one address; others as they are.
fn nat(from: SocketAddr, shift: u16) -> SocketAddr {
    match from.ip() {
        IpAddr::V4(ip) if ip.octets()[0] == 10 => {
            let port = from.port() + u16::from(ip.octets()[2]) + shift;
            SocketAddr::new("203.0.113.1".parse().unwrap(), port)
        }
        IpAddr::V6(ip) if ip.is_unique_local() => {
            SocketAddr::new("2001:db8:ffff::1".parse().unwrap(), from.port() + shift)
        }
        _ => from,
    }
}

/// A success response.
pub fn success(id: &[u8], mapped: SocketAddr) -> Vec<u8> {
    let mut out = Vec::new();
    let id = TransactionId(id.try_into().unwrap());
    let mut builder = MessageBuilder::new(&mut out, Class::Success, Method::BINDING, id);
    builder.xor_mapped_address(mapped);
    builder.fingerprint();
    out
}

impl StunServer {
    fn answer(&self, request: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
        let message = Message::parse(request).ok()?;
        if message.class() != Class::Request {
            return None;
        }
        let id = message.transaction_id();
        let mapped = nat(from, self.shift);
        let mut out = Vec::new();
        if let Some(code) = self.refuse {
            let mut builder = MessageBuilder::new(&mut out, Class::Error, message.method(), id);
            let reason = b"no";
            builder.error_code(ErrorCode { code, reason }).unwrap();
            return Some(out);
        }
        let mut builder = MessageBuilder::new(&mut out, Class::Success, message.method(), id);
        if self.classic {
            let IpAddr::V4(ip) = mapped.ip() else {
                panic!("IPv4 only")
            };
            let value = [&[0, 1][..], &mapped.port().to_be_bytes(), &ip.octets()].concat();
            builder
                .attribute(AttributeType::MAPPED_ADDRESS, &value)
                .unwrap();
        } else {
            builder.xor_mapped_address(mapped);
            builder.fingerprint();
        }
        Some(out)
    }
}

impl Machine for Node {
    fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
        now: Instant,
    ) {
        match self {
            Self::Gatherer(gatherer) => {
                let path = Path::udp(local, remote);
                let datagram = Datagram {
                    path,
                    contents,
                    ecn: Default::default(),
                };
                let _ = gatherer.handle_datagram(datagram, now);
            }
            Self::Server(server) => {
                if let Some(answer) = server.answer(contents, remote) {
                    server.answers.push((local, remote, answer));
                    server.now = Some(now);
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Gatherer(gatherer) => gatherer.handle_timeout(now),
            Self::Server(_) => {}
        }
    }

    fn poll_transmit(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            Self::Gatherer(gatherer) => {
                let transmit = gatherer.poll_transmit(buf, now)?;
                assert_eq!(buf.len(), transmit.len, "len counts what was appended");
                Some((transmit.path.local, transmit.path.remote))
            }
            Self::Server(server) => {
                let (local, remote, answer) = server.answers.pop()?;
                buf.extend_from_slice(&answer);
                Some((local, remote))
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Gatherer(gatherer) => gatherer.poll_timeout().map(|timeout| timeout.at),
            Self::Server(server) if server.answers.is_empty() => None,
            Self::Server(server) => server.now,
        }
    }
}

/// One gatherer, what it said and when.
pub struct Story {
    pub net: Net<Lawful<Node>>,
    id: NodeId,
    servers: Vec<NodeId>,
    pub events: Vec<(u128, GatherEvent)>,
}

impl Story {
    pub fn new(config: GatherConfig, bases: &[&str]) -> Self {
        let mut net = Net::new(1);
        let mut gatherer = Gatherer::new(config, [1; 32], net.now());
        let bases: Vec<_> = bases.iter().map(|base| a(base)).collect();
        for base in &bases {
            gatherer.add_base(*base).unwrap();
        }
        let id = net.add(Lawful::new(Node::Gatherer(gatherer)), &bases);
        Self {
            net,
            id,
            servers: Vec::new(),
            events: Vec::new(),
        }
    }

    pub fn stun_server(&mut self, address: &str) {
        let server = StunServer {
            answers: Vec::new(),
            now: None,
            refuse: None,
            classic: false,
            shift: 0,
        };
        let id = self
            .net
            .add(Lawful::new(Node::Server(server)), &[a(address)]);
        self.servers.push(id);
    }

    /// The first server.
    pub fn server_mut(&mut self) -> &mut StunServer {
        match &mut self.net.node_mut(self.servers[0]).machine {
            Node::Server(server) => server,
            Node::Gatherer(_) => panic!("a server"),
        }
    }

    pub fn attach(&mut self, address: &str) {
        self.net.attach(self.id, a(address));
    }

    pub fn add_server(&mut self, uri: &str) -> ServerId {
        let uri = ServerUri::parse(uri).unwrap();
        self.gatherer_mut().add_server(uri, None).unwrap()
    }

    pub fn gatherer(&self) -> &Gatherer {
        match &self.net.node(self.id).machine {
            Node::Gatherer(gatherer) => gatherer,
            Node::Server(_) => panic!("the gatherer"),
        }
    }

    pub fn gatherer_mut(&mut self) -> &mut Gatherer {
        match &mut self.net.node_mut(self.id).machine {
            Node::Gatherer(gatherer) => gatherer,
            Node::Server(_) => panic!("the gatherer"),
        }
    }

    pub fn gather(&mut self) {
        let now = self.net.now();
        self.gatherer_mut().gather(now).unwrap();
        self.drain();
    }

    pub fn resolve(&mut self, query: QueryId, addresses: &[&str]) {
        let now = self.net.now();
        self.gatherer_mut().resolved(query, &ips(addresses), now);
        self.drain();
    }

    pub fn resolve_failed(&mut self, query: QueryId) {
        let now = self.net.now();
        self.gatherer_mut().resolve_failed(query, now);
        self.drain();
    }

    /// Hands a datagram to the gatherer, past the network.
    pub fn inject(&mut self, local: SocketAddr, remote: SocketAddr, contents: &[u8]) -> Gathered {
        let (now, path) = (self.net.now(), Path::udp(local, remote));
        let mut contents = contents.to_vec();
        let datagram = Datagram {
            path,
            contents: &mut contents,
            ecn: Default::default(),
        };
        let gathered = self.gatherer_mut().handle_datagram(datagram, now);
        self.drain();
        gathered
    }

    pub fn drain(&mut self) {
        let at = self.net.elapsed().as_millis();
        while let Some(event) = self.gatherer_mut().poll_event() {
            self.events.push((at, event));
        }
    }

    /// Runs on, taking events out at the instants when they happen.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.net.now() + duration;
        let (id, mut events) = (self.id, core::mem::take(&mut self.events));
        self.net.run_until(end, |net| {
            let at = net.elapsed().as_millis();
            let Node::Gatherer(gatherer) = &mut net.node_mut(id).machine else {
                panic!("the gatherer")
            };
            while let Some(event) = gatherer.poll_event() {
                events.push((at, event));
            }
            false
        });
        self.events = events;
    }

    /// What the gatherer sent.
    pub fn sent(&self) -> Vec<Sent> {
        let own = |sent: &&Sent| sent.by == self.id;
        self.net.log.iter().filter(own).cloned().collect()
    }

    /// When, in milliseconds.
    pub fn sent_at(&self) -> Vec<u128> {
        let start = self.net.now() - self.net.elapsed();
        let at = |sent: &Sent| (sent.at - start).as_millis();
        self.sent().iter().map(at).collect()
    }

    pub fn candidates(&self) -> Vec<LocalCandidate> {
        let found = |(_, event): &(u128, GatherEvent)| match event {
            GatherEvent::Candidate(candidate) => Some(*candidate),
            _ => None,
        };
        self.events.iter().filter_map(found).collect()
    }

    pub fn candidate(&self, kind: CandidateKind) -> LocalCandidate {
        let mut found = self.candidates().into_iter();
        found.find(|candidate| candidate.kind == kind).unwrap()
    }

    pub fn addresses(&self, kind: CandidateKind) -> Vec<SocketAddr> {
        let found = self.candidates().into_iter();
        let of_kind = found.filter(|candidate| candidate.kind == kind);
        of_kind.map(|candidate| candidate.address).collect()
    }

    pub fn gone(&self) -> Vec<SocketAddr> {
        let gone = |(_, event): &(u128, GatherEvent)| match event {
            GatherEvent::CandidateGone(candidate) => Some(candidate.address),
            _ => None,
        };
        self.events.iter().filter_map(gone).collect()
    }

    pub fn failures(&self) -> Vec<(ServerId, ServerError)> {
        let failed = |(_, event): &(u128, GatherEvent)| match event {
            GatherEvent::ServerFailed { server, reason } => Some((*server, *reason)),
            _ => None,
        };
        self.events.iter().filter_map(failed).collect()
    }

    pub fn queries(&self) -> Vec<(QueryId, String)> {
        let asked = |(_, event): &(u128, GatherEvent)| match event {
            GatherEvent::Resolve { query, host } => Some((*query, host.clone())),
            _ => None,
        };
        self.events.iter().filter_map(asked).collect()
    }

    pub fn completed_at(&self) -> Vec<u128> {
        let complete = |(at, event): &(u128, GatherEvent)| {
            matches!(event, GatherEvent::Complete).then_some(*at)
        };
        self.events.iter().filter_map(complete).collect()
    }

    pub fn is_complete(&self) -> bool {
        !self.completed_at().is_empty() && self.gatherer().is_complete()
    }
}
