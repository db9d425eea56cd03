//! Two ICE agents with candidates of every kind, on a small network of their own with NATs, relays
//! and byte streams.
#![expect(
    clippy::missing_panics_doc,
    reason = "test code: a failed expectation is the report"
)]

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ortc_ice::{
    Agent, AgentError, Candidate, CandidateKind, Config, Datagram, Deframer, Event, NameQuery,
    NamedCandidate, OpenStream, Path, PathState, SignalledCandidate, StreamId, TcpType, Transport,
};

use crate::net::Net;
use crate::props::ice::Node;

/// One way, for everything.
pub const DELAY: Duration = Duration::from_millis(25);

/// One agent and the host that it runs on.
#[derive(Debug)]
pub struct Side {
    /// The agent.
    pub agent: Agent,
    /// What it said, in order.
    pub events: Vec<Event>,
    /// Its UDP sockets and relayed addresses.
    pub sockets: BTreeSet<SocketAddr>,
    /// Its listening TCP sockets.
    pub listeners: BTreeSet<SocketAddr>,
    /// What a NAT shows of a socket.
    pub nat: BTreeMap<SocketAddr, SocketAddr>,
    /// Its open streams, with the paths that they are.
    pub streams: BTreeMap<StreamId, Path>,
    deframers: BTreeMap<StreamId, Deframer>,
}

/// Something that is on its way to a side.
#[derive(Debug)]
enum Transit {
    Datagram(SocketAddr, SocketAddr, Vec<u8>),
    Connect(OpenStream),
    Connected(OpenStream, Option<(StreamId, SocketAddr)>),
    Octets(StreamId, Vec<u8>),
    Closed(StreamId),
    Resolved(NameQuery, Option<IpAddr>),
}

/// Both sides and what is between them.
#[derive(Debug)]
pub struct World {
    /// The time.
    pub now: Instant,
    start: Instant,
    /// The sides.
    pub sides: [Side; 2],
    /// Addresses that nothing reaches, over UDP.
    pub dark: BTreeSet<SocketAddr>,
    /// What `.local` names stand for.
    pub names: BTreeMap<String, IpAddr>,
    /// Whether connections are refused.
    pub refusing: bool,
    transit: BTreeMap<(Instant, u64), (usize, Transit)>,
    serial: u64,
    /// Each datagram and frame that left, by side, with the time.
    pub log: Vec<(Duration, usize, Path, usize)>,
    /// How many connections were asked for.
    pub connects: usize,
    buf: Vec<u8>,
}

impl World {
    /// Two agents that know each other's credentials and are not connected yet.
    #[must_use]
    pub fn new(configs: [Config; 2], seed: u8) -> Self {
        let now = Net::<Node>::new(0).now();
        let mut number = 0;
        let sides = configs.map(|config| {
            number += 1;
            Side {
                agent: Agent::new(config, [seed.wrapping_mul(2).wrapping_add(number); 32], now),
                events: Vec::new(),
                sockets: BTreeSet::new(),
                listeners: BTreeSet::new(),
                nat: BTreeMap::new(),
                streams: BTreeMap::new(),
                deframers: BTreeMap::new(),
            }
        });
        Self {
            now,
            start: now,
            sides,
            dark: BTreeSet::new(),
            names: BTreeMap::new(),
            refusing: false,
            transit: BTreeMap::new(),
            serial: 0,
            log: Vec::new(),
            connects: 0,
            buf: Vec::new(),
        }
    }

    /// Tells both sides the credentials of the other.
    pub fn introduce(&mut self) {
        let [a, b] = [0, 1].map(|side: usize| self.sides[side].agent.local_credentials().clone());
        self.sides[0]
            .agent
            .set_remote_credentials(b, self.now)
            .unwrap();
        self.sides[1]
            .agent
            .set_remote_credentials(a, self.now)
            .unwrap();
    }

    /// Connects both sides.
    pub fn connect(&mut self) {
        self.introduce();
        for side in &mut self.sides {
            side.agent.connect(self.now).unwrap();
        }
    }

    /// Adds a candidate to a side, with its socket, and signals it to the other as SDP does.
    pub fn add(&mut self, side: usize, candidate: Candidate) -> Candidate {
        let line = self.add_silently(side, candidate);
        self.signal(side, &line);
        line
    }

    /// Adds a candidate to a side, with its socket.
    pub fn add_silently(&mut self, side: usize, candidate: Candidate) -> Candidate {
        let ours = &mut self.sides[side];
        match candidate.tcp_type() {
            None => _ = ours.sockets.insert(candidate.base()),
            Some(TcpType::Active) => {}
            Some(TcpType::Passive | TcpType::SimultaneousOpen) => {
                ours.listeners.insert(candidate.base());
            }
        }
        if candidate.base() != candidate.address() && candidate.tcp_type().is_none() {
            ours.nat.insert(candidate.base(), candidate.address());
        }
        ours.agent.add_local_candidate(candidate, self.now).unwrap()
    }

    /// Tells the other side of a candidate.
    pub fn signal(&mut self, from: usize, candidate: &Candidate) {
        let SignalledCandidate::Address(theirs) = candidate.to_sdp_attribute().parse().unwrap()
        else {
            unreachable!("it has an address");
        };
        let now = self.now;
        let _ = self.sides[1 - from].agent.add_remote_candidate(theirs, now);
    }

    /// The socket with this address is gone, and its side says so.
    pub fn unplug(&mut self, side: usize, base: SocketAddr) {
        let ours = &mut self.sides[side];
        ours.sockets.remove(&base);
        ours.listeners.remove(&base);
        ours.nat.remove(&base);
        ours.agent.remove_local_candidate(base, self.now).unwrap();
    }

    /// A stream breaks: both ends learn of it.
    pub fn cut(&mut self, stream: StreamId) {
        for side in [0, 1] {
            self.send(side, Duration::ZERO, Transit::Closed(stream));
        }
    }

    /// The pairs for data of both sides.
    #[must_use]
    pub fn data_paths(&self) -> [Option<Path>; 2] {
        [0, 1].map(|side: usize| self.sides[side].agent.data_path())
    }

    /// Whether both sides have a pair for data.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.data_paths().iter().all(Option::is_some)
    }

    /// How long it has run.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Runs until this is so; says whether it came to be.
    pub fn run_until(&mut self, patience: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + patience;
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            let due = |side: &Side| side.agent.poll_timeout().map(|timeout| timeout.at);
            let agents = self.sides.iter().filter_map(due);
            let transit = self.transit.keys().next().map(|(at, _)| *at);
            match agents.chain(transit).min() {
                Some(at) if at <= end => self.now = self.now.max(at),
                Some(_) | None => {
                    self.now = end;
                    return false;
                }
            }
            for side in &mut self.sides {
                side.agent.handle_timeout(self.now);
            }
            while let Some(entry) = self.transit.first_entry()
                && entry.key().0 <= self.now
            {
                let (to, what) = entry.remove();
                self.arrive(to, what);
            }
        }
    }

    /// Runs for this long.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    fn settle(&mut self) {
        for _ in 0..10_000 {
            let mut quiet = true;
            for side in [0, 1] {
                while let Some(event) = self.sides[side].agent.poll_event() {
                    quiet = false;
                    self.obey(side, &event);
                    self.sides[side].events.push(event);
                }
                self.buf.clear();
                let mut buf = core::mem::take(&mut self.buf);
                while let Some(transmit) = self.sides[side].agent.poll_transmit(&mut buf, self.now)
                {
                    quiet = false;
                    assert_eq!(buf.len(), transmit.len);
                    self.leave(side, transmit.path, &buf);
                    buf.clear();
                }
                self.buf = buf;
            }
            if quiet {
                return;
            }
        }
        panic!("the agents never come to rest");
    }

    fn obey(&mut self, side: usize, event: &Event) {
        match event {
            Event::OpenStream(wish) => {
                self.connects += 1;
                self.send(1 - side, DELAY, Transit::Connect(wish.clone()));
            }
            Event::CloseStream(stream) => {
                self.sides[side].streams.remove(stream);
                self.send(1 - side, DELAY, Transit::Closed(*stream));
            }
            Event::Resolve { query, name } => {
                let address = self.names.get(name).copied();
                self.send(side, DELAY, Transit::Resolved(*query, address));
            }
            _ => {}
        }
    }

    fn leave(&mut self, side: usize, path: Path, octets: &[u8]) {
        self.log.push((self.elapsed(), side, path, octets.len()));
        match path.transport {
            Transport::Udp => {
                let ours = &self.sides[side];
                assert!(
                    ours.sockets.contains(&path.local),
                    "{path:?} leaves from a socket that is gone, {:?}",
                    self.sides[side].agent
                );
                let source = *ours.nat.get(&path.local).unwrap_or(&path.local);
                let datagram = Transit::Datagram(path.remote, source, octets.to_vec());
                if !self.dark.contains(&path.remote) && !self.dark.contains(&source) {
                    self.send(1 - side, DELAY, datagram);
                }
            }
            Transport::Stream(stream) => {
                let known = self.sides[side].streams.get(&stream);
                assert_eq!(known, Some(&path), "only open streams are written to");
                // In two pieces, as streams do.
                let (head, tail) = octets.split_at(octets.len() / 3);
                for piece in [head, tail] {
                    self.send(1 - side, DELAY, Transit::Octets(stream, piece.to_vec()));
                }
            }
            _ => panic!("nothing is sent on {path:?}"),
        }
    }

    fn send(&mut self, to: usize, delay: Duration, what: Transit) {
        self.serial += 1;
        self.transit
            .insert((self.now + delay, self.serial), (to, what));
    }

    fn arrive(&mut self, to: usize, what: Transit) {
        let now = self.now;
        let serial = self.serial;
        let ours = &mut self.sides[to];
        match what {
            Transit::Datagram(destination, source, mut octets) => {
                let mapped = ours.nat.iter().find(|(_, mapped)| **mapped == destination);
                let local = mapped.map_or(destination, |(base, _)| *base);
                if ours.sockets.contains(&local) {
                    let datagram = Datagram {
                        path: Path::udp(local, source),
                        contents: &mut octets,
                        ecn: Default::default(),
                    };
                    let _ = ours.agent.handle_datagram(datagram, now);
                }
            }
            Transit::Connect(wish) => {
                let answer = (ours.listeners.contains(&wish.remote) && !self.refusing).then(|| {
                    let stream = StreamId(serial);
                    let port = u16::try_from(40_000 + serial % 20_000).unwrap();
                    let mut source = wish.local;
                    if source.port() == 0 {
                        source.set_port(port);
                    }
                    let path = Path::stream(stream, wish.remote, source);
                    ours.streams.insert(stream, path);
                    ours.deframers.insert(stream, Deframer::default());
                    (stream, source)
                });
                self.send(1 - to, DELAY, Transit::Connected(wish, answer));
            }
            Transit::Connected(wish, Some((stream, source))) => {
                let path = Path::stream(stream, source, wish.remote);
                ours.streams.insert(stream, path);
                ours.deframers.insert(stream, Deframer::default());
                ours.agent
                    .stream_opened(wish.local, wish.remote, stream, source, now);
            }
            Transit::Connected(wish, None) => {
                ours.agent.stream_failed(wish.local, wish.remote, now);
            }
            Transit::Octets(stream, octets) => {
                let Some(path) = ours.streams.get(&stream).copied() else {
                    return;
                };
                let deframer = ours.deframers.get_mut(&stream).unwrap();
                let mut octets = octets.as_slice();
                while let Some(frame) = deframer.next(&mut octets) {
                    let datagram = Datagram {
                        path,
                        contents: frame,
                        ecn: Default::default(),
                    };
                    let _ = ours.agent.handle_datagram(datagram, now);
                }
            }
            Transit::Resolved(query, address) => {
                ours.agent.resolved(query, address, now);
                ours.agent.resolved(query, Some([10, 9, 9, 9].into()), now);
            }
            Transit::Closed(stream) => {
                if ours.streams.remove(&stream).is_some() {
                    ours.agent.stream_closed(stream, now);
                }
            }
        }
    }
}

/// An address of a side.
#[must_use]
pub fn host(side: usize, index: usize) -> SocketAddr {
    let [side, index] = [side, index].map(|number| u8::try_from(number).unwrap());
    SocketAddr::from(([10, side + 1, index, 1], 5000))
}

/// An IPv6 address of a side.
#[must_use]
pub fn host6(side: usize, index: usize) -> SocketAddr {
    let [side, index] = [side, index].map(|number| u16::try_from(number).unwrap());
    SocketAddr::from(([0x2001, 0xdb8, side + 1, index, 0, 0, 0, 1], 5000))
}

/// A relayed address of a side.
#[must_use]
pub fn relay(side: usize, index: usize) -> SocketAddr {
    let [side, index] = [side, index].map(|number| u8::try_from(number).unwrap());
    SocketAddr::from(([198, 51, 100, side * 100 + index], 49152))
}

/// A candidate of a side, of the kind and at the place that one octet says.
#[must_use]
pub fn candidate(side: usize, octet: u8) -> Candidate {
    let index = usize::from(octet >> 4 & 3);
    let server = [192, 0, 2, 9].into();
    let base = host(side, index);
    let mut mapped = SocketAddr::from(([203, 0, 113, u8::try_from(side).unwrap()], 6000));
    mapped.set_port(6000 + u16::from(octet >> 4 & 3));
    match octet & 7 {
        0 => Candidate::host(base),
        1 => Candidate::host(host6(side, index)),
        2 => Candidate::server_reflexive(mapped, base, server),
        3 | 4 => Candidate::relayed(relay(side, index), mapped, server),
        5 => Candidate::host_tcp(base, TcpType::Active),
        6 => Candidate::host_tcp(base, TcpType::Passive),
        _ => Candidate::host_tcp(base, TcpType::SimultaneousOpen),
    }
    .unwrap()
}

/// The configurations that one octet says.
fn configs(octet: u8) -> [Config; 2] {
    let one = |bits: u8| match bits & 3 {
        0 | 1 => Config::default(),
        2 => Config::rfc8445(),
        _ => Config::lite(),
    };
    [one(octet), one(octet >> 2)]
}

/// Candidates of all kinds come and go on both sides, streams break, addresses turn dark, names
/// resolve or do not, sides restart: nothing is ever sent from what is gone, bounds hold, and once a pair of hosts is there
/// the sides connect.
pub fn come_and_go(data: &[u8]) {
    let (head, script) = data.split_first().unwrap_or((&0, &[]));
    let mut world = World::new(configs(*head), 7);
    let lite = [head & 3 == 3, head >> 2 & 3 == 3];
    for side in [0, 1] {
        world.sides[side].agent.set_remote_lite(lite[1 - side]);
    }
    world.connect();
    for step in script.chunks_exact(2).take(64) {
        let &[what, octet] = step else { continue };
        let side = usize::from(what & 1);
        let candidate = candidate(side, octet);
        let now = world.now;
        match what >> 1 & 7 {
            0..=2 if lite[side] && !(octet & 7 < 2 || octet & 7 == 6) => {
                let refused = world.sides[side].agent.add_local_candidate(candidate, now);
                assert_eq!(refused, Err(AgentError::NotLocal));
            }
            0..=2 => _ = world.add(side, candidate),
            3 => world.unplug(side, candidate.base()),
            4 => {
                let ours = &mut world.sides[side].agent;
                ours.withdraw_local_candidate(candidate.address(), now)
                    .unwrap();
            }
            5 if octet & 0x80 != 0 => {
                world.sides[side].agent.restart(now);
                world.introduce();
            }
            5 => {
                let stream = world.sides[side].streams.keys().next().copied();
                if let Some(stream) = stream {
                    world.cut(stream);
                }
            }
            6 if !world.dark.remove(&candidate.base()) => _ = world.dark.insert(candidate.base()),
            6 => {}
            _ if octet & 0x80 != 0 => {
                let name = format!("0000000{}-5f4c-4d7e-9c4a-2f1f6f0d9b11.local", octet & 7);
                if octet & 8 == 0 {
                    world.names.insert(name.clone(), candidate.base().ip());
                }
                let kind = CandidateKind::Host;
                let named = NamedCandidate::new("n", 1, 9, &name, 5000, kind).unwrap();
                let _ = world.sides[1 - side].agent.add_remote_name(named, now);
            }
            _ => world.refusing = !world.refusing,
        }
        let pause = Duration::from_millis(u64::from(what >> 4) * 20);
        world.run_until(pause, |world| {
            check(world);
            false
        });
    }
    world.dark.clear();
    for side in &mut world.sides {
        assert!(side.agent.stats().pairs.len() <= 101);
    }
    for side in [0, 1] {
        let _ = world.add(side, Candidate::host(host(side, 9)).unwrap());
    }
    let usable = world.run_until(Duration::from_secs(70), |world| {
        check(world);
        world.is_usable()
    });
    assert!(usable, "a pair of hosts that works is found");
    let elapsed = usize::try_from(world.elapsed().as_secs()).unwrap();
    let generations = script.len() / 2 + 1;
    let bound = 100 * 2 * 5 * (elapsed / 30 + 2) * generations;
    assert!(world.connects <= bound, "{} connections", world.connects);
}

/// What holds at every instant.
fn check(world: &World) {
    for side in &world.sides {
        let stats = side.agent.stats();
        assert!(stats.pairs.len() <= 101, "pairs are bounded");
        assert!(stats.pairs.iter().filter(|pair| pair.active).count() <= 1);
        let Some(path) = side.agent.data_path() else {
            continue;
        };
        assert_eq!(side.agent.path_state(&path), PathState::Valid);
        match path.transport {
            Transport::Udp => assert!(side.sockets.contains(&path.local), "{path:?}"),
            Transport::Stream(stream) => assert_eq!(side.streams.get(&stream), Some(&path)),
            _ => panic!("data leaves on {path:?}"),
        }
    }
}
