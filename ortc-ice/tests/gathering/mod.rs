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
use ortc_ice::turn::SendError;
use ortc_ice::{
    CandidateKind, Datagram, GatherConfig, GatherEvent, Gathered, Gatherer, LocalCandidate,
    OpenStream, Path, QueryId, ServerCredentials, ServerError, ServerId, ServerUri, StreamId,
    Transmit, Transport,
};
use ortc_testkit::laws::Lawful;
use ortc_testkit::net::{Machine, Net, NodeId, Sent};
use ortc_testkit::servers::turn_server::{TurnConfig, TurnServer};

pub fn a(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// What is on the network.
#[expect(clippy::large_enum_variant, reason = "a test has a handful")]
pub enum Node {
    Gatherer(Lawful<Own>),
    Server(Lawful<StunServer>),
    Turn(TurnServer),
    Peer(Peer),
}

/// The gatherer, and what came through its relays.
#[derive(Debug)]
pub struct Own {
    pub gatherer: Gatherer,
    pub received: Vec<(Path, Vec<u8>)>,
    /// The last datagram that arrived, as it was.
    pub last: Option<(Path, Vec<u8>)>,
    /// What it wrote to streams.
    pub streamed: Vec<(StreamId, Vec<u8>)>,
    /// What the test had wrapped for a relay.
    pub wrapped: Vec<(Instant, SocketAddr, SocketAddr, Vec<u8>)>,
}

/// Sends back what it receives.
#[derive(Debug, Default)]
pub struct Peer {
    pub received: Vec<(SocketAddr, Vec<u8>)>,
    out: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
}

impl Machine for Own {
    fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
        now: Instant,
    ) {
        self.last = Some((Path::udp(local, remote), contents.to_vec()));
        let datagram = Datagram {
            path: Path::udp(local, remote),
            contents,
            ecn: Default::default(),
        };
        if let Gathered::Relayed { path, range } = self.gatherer.handle_datagram(datagram, now) {
            self.received.push((path, contents[range].to_vec()));
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.gatherer.handle_timeout(now);
    }

    fn poll_transmit(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        if let Some((_, local, remote, payload)) = self.wrapped.pop() {
            buf.extend_from_slice(&payload);
            return Some((local, remote));
        }
        loop {
            let transmit = self.gatherer.poll_transmit(buf, now)?;
            assert_eq!(buf.len(), transmit.len, "len counts what was appended");
            match transmit.path.transport {
                Transport::Stream(id) => self.streamed.push((id, core::mem::take(buf))),
                _ => return Some((transmit.path.local, transmit.path.remote)),
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let gatherer = self.gatherer.poll_timeout().map(|timeout| timeout.at);
        let wrapped = self.wrapped.first().map(|(at, ..)| *at);
        [gatherer, wrapped].into_iter().flatten().min()
    }
}

impl Machine for Peer {
    fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
        _: Instant,
    ) {
        self.received.push((remote, contents.to_vec()));
        contents.reverse();
        self.out.push((local, remote, contents.to_vec()));
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_transmit(&mut self, buf: &mut Vec<u8>, _: Instant) -> Option<(SocketAddr, SocketAddr)> {
        let (local, remote, contents) = self.out.pop()?;
        buf.extend_from_slice(&contents);
        Some((local, remote))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

/// A STUN server beyond a NAT with endpoint-independent mapping.
#[derive(Debug)]
pub struct StunServer {
    answers: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    now: Option<Instant>,
    /// Answers with this error.
    pub refuse: Option<u16>,
    /// Sends those that it refuses there.
    pub alternate: Option<SocketAddr>,
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

/// The answer of a TURN server that sends us elsewhere.
pub fn redirect(request: &[u8], to: SocketAddr) -> Vec<u8> {
    let server = StunServer {
        answers: Vec::new(),
        now: None,
        refuse: Some(300),
        alternate: Some(to),
        classic: false,
        shift: 0,
    };
    server.answer(request, to).unwrap()
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
            if let Some(SocketAddr::V4(to)) = self.alternate {
                let value = [&[0, 1][..], &to.port().to_be_bytes(), &to.ip().octets()].concat();
                let kind = AttributeType(0x8023); // ALTERNATE-SERVER
                builder.attribute(kind, &value).unwrap();
            }
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

impl Machine for StunServer {
    fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
        now: Instant,
    ) {
        if let Some(answer) = self.answer(contents, remote) {
            self.answers.push((local, remote, answer));
            self.now = Some(now);
        }
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_transmit(&mut self, buf: &mut Vec<u8>, _: Instant) -> Option<(SocketAddr, SocketAddr)> {
        let (local, remote, answer) = self.answers.pop()?;
        buf.extend_from_slice(&answer);
        Some((local, remote))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.now.filter(|_| !self.answers.is_empty())
    }
}

impl Node {
    fn machine(&self) -> &dyn Machine {
        match self {
            Self::Gatherer(machine) => machine,
            Self::Server(machine) => machine,
            Self::Turn(machine) => machine,
            Self::Peer(machine) => machine,
        }
    }

    fn machine_mut(&mut self) -> &mut dyn Machine {
        match self {
            Self::Gatherer(machine) => machine,
            Self::Server(machine) => machine,
            Self::Turn(machine) => machine,
            Self::Peer(machine) => machine,
        }
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

/// One gatherer, what it said and when.
pub struct Story {
    pub net: Net<Node>,
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
        let own = Own {
            gatherer,
            received: Vec::new(),
            last: None,
            streamed: Vec::new(),
            wrapped: Vec::new(),
        };
        let id = net.add(Node::Gatherer(Lawful::new(own)), &bases);
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
            alternate: None,
            classic: false,
            shift: 0,
        };
        let id = self
            .net
            .add(Node::Server(Lawful::new(server)), &[a(address)]);
        self.servers.push(id);
    }

    /// The first server.
    pub fn server_mut(&mut self) -> &mut StunServer {
        match self.net.node_mut(self.servers[0]) {
            Node::Server(server) => &mut server.machine,
            _ => panic!("a server"),
        }
    }

    /// A TURN server for alice with the password secret.
    pub fn turn_server(&mut self, listen: &str, relays: &[&str]) -> NodeId {
        let config = TurnConfig {
            listen: vec![a(listen)],
            relays: ips(relays),
            username: "alice".into(),
            password: "secret".into(),
            realm: "example.org".into(),
            nonce_lifetime: Duration::from_secs(600),
            capacity: 8,
        };
        let id = self
            .net
            .add(Node::Turn(TurnServer::new(config)), &[a(listen)]);
        for relay in ips(relays) {
            self.net.attach_all(id, relay);
        }
        id
    }

    pub fn turn(&mut self, id: NodeId) -> &mut TurnServer {
        match self.net.node_mut(id) {
            Node::Turn(server) => server,
            _ => panic!("a TURN server"),
        }
    }

    pub fn peer(&mut self, address: &str) -> NodeId {
        self.net.add(Node::Peer(Peer::default()), &[a(address)])
    }

    /// What a peer received.
    pub fn peer_received(&mut self, id: NodeId) -> Vec<(SocketAddr, Vec<u8>)> {
        match self.net.node_mut(id) {
            Node::Peer(peer) => core::mem::take(&mut peer.received),
            _ => panic!("a peer"),
        }
    }

    pub fn add_turn(&mut self, uri: &str, password: &str) -> ServerId {
        let uri = ServerUri::parse(uri).unwrap();
        let credentials = ServerCredentials::new("alice", password);
        self.gatherer_mut()
            .add_server(uri, Some(credentials))
            .unwrap()
    }

    /// Sends a payload from a relayed address.
    pub fn send(&mut self, path: Path, payload: &[u8]) -> Result<(), SendError> {
        let mut buf = payload.to_vec();
        let transmit = Transmit {
            path,
            len: buf.len(),
            segment: None,
            ecn: Default::default(),
        };
        let wrapped = self.gatherer_mut().encapsulate(transmit, &mut buf, 0)?;
        assert_eq!(wrapped.len, buf.len());
        let (now, Path { local, remote, .. }) = (self.net.now(), wrapped.path);
        self.own().wrapped.push((now, local, remote, buf));
        Ok(())
    }

    pub fn attach(&mut self, address: &str) {
        self.net.attach(self.id, a(address));
    }

    pub fn add_server(&mut self, uri: &str) -> ServerId {
        let uri = ServerUri::parse(uri).unwrap();
        self.gatherer_mut().add_server(uri, None).unwrap()
    }

    pub const fn id(&self) -> NodeId {
        self.id
    }

    pub fn own(&mut self) -> &mut Own {
        match self.net.node_mut(self.id) {
            Node::Gatherer(own) => &mut own.machine,
            _ => panic!("the gatherer"),
        }
    }

    pub fn gatherer(&self) -> &Gatherer {
        match self.net.node(self.id) {
            Node::Gatherer(own) => &own.machine.gatherer,
            _ => panic!("the gatherer"),
        }
    }

    pub fn gatherer_mut(&mut self) -> &mut Gatherer {
        &mut self.own().gatherer
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
            let Node::Gatherer(own) = net.node_mut(id) else {
                panic!("the gatherer")
            };
            while let Some(event) = own.machine.gatherer.poll_event() {
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

    pub fn opened(&self) -> Vec<OpenStream> {
        let opened = |(_, event): &(u128, GatherEvent)| match event {
            GatherEvent::OpenStream(open) => Some(open.clone()),
            _ => None,
        };
        self.events.iter().filter_map(opened).collect()
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
