//! A gatherer among strangers: whatever arrives, only what it asked for changes what it says.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ortc_ice::stun::{Class, Message, MessageBuilder, Method, TransactionId};
use ortc_ice::{
    Datagram, Ecn, GatherConfig, GatherEvent, Gathered, Gatherer, LocalCandidate, OpenStream, Path,
    QueryId, ServerCredentials, ServerId, ServerUri, StreamId, TcpType, Transmit, Transport,
};

use crate::net::{Machine, Net};

/// Steps of one script at most, so that a long input costs no more than a short one.
const STEPS: usize = 64;
/// Datagrams that one step may make a gatherer send: one for each base and server.
const BURST: usize = 128;

const URIS: [&str; 8] = [
    "stun:192.0.2.1",
    "stun:[2001:db8::1]",
    "stun:stun.example.org",
    "stuns:stun.example.org",
    "turn:192.0.2.1",
    "turn:turn.example.org?transport=tcp",
    "turns:turn.example.org",
    "turns:192.0.2.1?transport=udp",
];

const BASES: [&str; 5] = [
    "10.0.0.1:5000",
    "10.0.0.1:5001",
    "[2001:db8:1::1]:5000",
    "127.0.0.1:5000",
    "[fe80::1]:5000",
];

const REMOTES: [&str; 5] = [
    "192.0.2.1:3478",
    "[2001:db8::1]:3478",
    "192.0.2.7:3478",
    "198.51.100.1:9",
    "127.0.0.1:3478",
];

/// A script in octets: commands, answers right and wrong, noise, and time.
///
/// What holds throughout: the candidates are those that were reported and did not end; nothing is
/// reported twice; noise is nobody's and changes nothing; a round ends once. Afterwards everything
/// comes to rest.
pub fn script(data: &[u8]) {
    let mut story = Story::new();
    let mut octets = Octets(data);
    for _ in 0..STEPS {
        if octets.0.is_empty() {
            break;
        }
        story.step(&mut octets);
        story.drain();
        story.check();
    }
    story.rest();
}

/// What is left of the input.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn one(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[usize::from(self.one()) % from.len()]
    }

    fn ip(&mut self) -> IpAddr {
        if self.one().is_multiple_of(2) {
            let mut ip = [192, 0, 2, 0];
            for (to, from) in ip.iter_mut().rev().zip(self.take(2)) {
                *to = *from;
            }
            ip.into()
        } else {
            let mut ip = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            for (to, from) in ip.iter_mut().rev().zip(self.take(2)) {
                *to = *from;
            }
            ip.into()
        }
    }
}

struct Story {
    gatherer: Gatherer,
    now: Instant,
    rounds: usize,
    completed: usize,
    closed: bool,
    /// What was reported and has not ended.
    reported: Vec<LocalCandidate>,
    queries: BTreeSet<QueryId>,
    opens: Vec<OpenStream>,
    streams: u64,
    servers: Vec<ServerId>,
    /// Requests that left, with where they went to.
    asked: BTreeMap<TransactionId, Path>,
    /// Where TURN requests went to.
    relays: BTreeSet<Path>,
}

impl Story {
    fn new() -> Self {
        let now = Net::<Nobody>::new(0).now();
        Self {
            gatherer: Gatherer::new(GatherConfig::default(), [7; 32], now),
            now,
            rounds: 0,
            completed: 0,
            closed: false,
            reported: Vec::new(),
            queries: BTreeSet::new(),
            opens: Vec::new(),
            streams: 0,
            servers: Vec::new(),
            asked: BTreeMap::new(),
            relays: BTreeSet::new(),
        }
    }

    fn step(&mut self, octets: &mut Octets<'_>) {
        let now = self.now;
        match octets.one() % 16 {
            0 => {
                let _ = self.gatherer.add_base(address(octets.pick(&BASES)));
            }
            1 => {
                let uri = ServerUri::parse(octets.pick(&URIS)).unwrap();
                let credentials = ServerCredentials::new("alice", "secret");
                let credentials = (!octets.one().is_multiple_of(4)).then_some(credentials);
                if let Ok(server) = self.gatherer.add_server(uri, credentials) {
                    self.servers.push(server);
                }
            }
            2 => {
                if self.gatherer.gather(now).is_ok() {
                    self.rounds += 1;
                }
            }
            3 => {
                let base = address(octets.pick(&BASES));
                self.gatherer.remove_base(base, now);
            }
            4 => {
                let count = octets.one() % 12;
                let ips: Vec<_> = (0..count).map(|_| octets.ip()).collect();
                if let Some(query) = self.queries.pop_first() {
                    self.gatherer.resolved(query, &ips, now);
                    self.gatherer.resolved(query, &ips, now); // the second is late
                }
            }
            5 => {
                if let Some(query) = self.queries.pop_last() {
                    self.gatherer.resolve_failed(query, now);
                }
            }
            6 => self.noise(octets),
            7 | 8 => self.answer(octets),
            9 => {
                let wait = u64::from(octets.one()) * 64;
                self.now += Duration::from_millis(wait);
                self.gatherer.handle_timeout(self.now);
            }
            10 => {
                if let Some(open) = self.opens.pop() {
                    let id = StreamId(self.streams);
                    self.streams += 1;
                    let local = SocketAddr::new(open.local.ip(), 40_000);
                    self.gatherer
                        .stream_opened(open.local, open.remote, id, local, now);
                }
            }
            11 => {
                if let Some(open) = self.opens.pop() {
                    self.gatherer.stream_failed(open.local, open.remote, now);
                }
            }
            12 => {
                let id = StreamId(u64::from(octets.one() % 4));
                let length = usize::from(octets.one());
                let given = octets.take(length);
                let gathered = self.gatherer.handle_stream(id, given, now);
                assert!(!matches!(gathered, Gathered::Relayed { .. }));
                let mut buf = Vec::new();
                while self.gatherer.poll_data(&mut buf).is_some() {}
                assert!(buf.is_empty(), "data without an allocation");
            }
            13 => {
                let id = StreamId(u64::from(octets.one() % 4));
                self.gatherer.stream_closed(id, now);
            }
            14 => self.relay(octets),
            _ => match octets.one() {
                0..=15 => {
                    self.gatherer.close(now);
                    self.closed = true;
                    self.reported.clear();
                }
                16..=63 => {
                    if let Some(server) = self.servers.pop() {
                        self.gatherer.remove_server(server, now);
                    }
                }
                _ => {
                    let base = address(octets.pick(&BASES));
                    let _ = self.gatherer.add_tcp_base(base, TcpType::Passive);
                }
            },
        }
    }

    /// Octets that answer nothing that was asked.
    fn noise(&mut self, octets: &mut Octets<'_>) {
        let path = Path::udp(address(octets.pick(&BASES)), address(octets.pick(&REMOTES)));
        let length = usize::from(octets.one());
        let mut contents = octets.take(length).to_vec();
        let id = contents.get(8..20).and_then(<[u8]>::first_chunk).copied();
        let ours = id.and_then(|id| self.asked.get(&TransactionId(id)));
        if ours == Some(&path) || self.relays.contains(&path) {
            return;
        }
        let before = self.outline();
        let datagram = Datagram {
            path,
            contents: &mut contents,
            ecn: Ecn::NotEct,
        };
        let gathered = self.gatherer.handle_datagram(datagram, self.now);
        assert_eq!(gathered, Gathered::NotMine, "noise was taken");
        assert_eq!(self.outline(), before, "noise changed something");
    }

    /// An answer to something that was asked, more or less right.
    fn answer(&mut self, octets: &mut Octets<'_>) {
        let place = usize::from(octets.one());
        let Some((id, path)) = self.asked.iter().nth(place % self.asked.len().max(1)) else {
            return;
        };
        let (id, path) = (*id, *path);
        let mut contents = Vec::new();
        let kind = octets.one();
        let class = match kind % 4 {
            0 => Class::Error,
            1 => Class::Indication,
            _ => Class::Success,
        };
        let mut builder = MessageBuilder::new(&mut contents, class, Method::BINDING, id);
        let mapped = octets.ip();
        builder.xor_mapped_address(SocketAddr::new(mapped, 1000 + u16::from(octets.one())));
        builder.fingerprint();
        if kind & 0x40 != 0 {
            // One octet of it is another.
            let at = usize::from(octets.one()) % contents.len();
            contents[at] ^= octets.one();
        }
        if let Transport::Stream(stream) = path.transport {
            let _ = self.gatherer.handle_stream(stream, &contents, self.now);
            return;
        }
        let relays = self.relays.contains(&path);
        let datagram = Datagram {
            path,
            contents: &mut contents,
            ecn: Ecn::NotEct,
        };
        let gathered = self.gatherer.handle_datagram(datagram, self.now);
        let relayed = matches!(gathered, Gathered::Relayed { .. });
        assert!(!relayed || relays, "data from no relay");
        assert!(!relayed, "no allocation can have been made");
    }

    /// Nothing is relayed, as nobody knows the password.
    fn relay(&mut self, octets: &mut Octets<'_>) {
        let relayed = SocketAddr::new(octets.ip(), 50_000);
        let peer = SocketAddr::new(octets.ip(), 9);
        assert!(!self.gatherer.is_relayed(&relayed));
        assert!(self.gatherer.permit(relayed, peer.ip(), self.now).is_err());
        let mut buf = octets.take(64).to_vec();
        let before = buf.clone();
        let transmit = Transmit {
            path: Path::udp(relayed, peer),
            len: buf.len(),
            segment: None,
            ecn: Ecn::NotEct,
        };
        let wrapped = self.gatherer.encapsulate(transmit, &mut buf, 0);
        assert!(wrapped.is_err() && buf == before);
    }

    /// What can be seen of the gatherer from outside, without taking anything out.
    fn outline(&self) -> (Vec<LocalCandidate>, Option<Instant>, bool) {
        let candidates = self.gatherer.candidates().copied().collect();
        let timeout = self.gatherer.poll_timeout().map(|timeout| timeout.at);
        (candidates, timeout, self.gatherer.is_complete())
    }

    /// Takes everything out.
    fn drain(&mut self) {
        let mut buf = Vec::new();
        let mut sent = 0;
        while let Some(transmit) = self.gatherer.poll_transmit(&mut buf, self.now) {
            assert_eq!(transmit.len, buf.len());
            let message = Message::parse(&buf).unwrap();
            if message.method() == Method::BINDING {
                self.asked.insert(message.transaction_id(), transmit.path);
            } else {
                self.relays.insert(transmit.path);
            }
            buf.clear();
            sent += 1;
            assert!(sent <= BURST, "one step made it send without end");
        }
        let mut events = 0;
        while let Some(event) = self.gatherer.poll_event() {
            self.hear(event);
            events += 1;
            assert!(events <= 4 * BURST, "one step made it talk without end");
        }
    }

    fn hear(&mut self, event: GatherEvent) {
        match event {
            GatherEvent::Candidate(candidate) => {
                let key = |known: &LocalCandidate| (known.address, known.base, known.tcp);
                let known = self
                    .reported
                    .iter()
                    .any(|known| key(known) == key(&candidate));
                assert!(!known, "reported twice: {candidate:?}");
                assert!(
                    candidate.candidate().is_ok(),
                    "no agent takes {candidate:?}"
                );
                self.reported.push(candidate);
            }
            GatherEvent::CandidateGone(gone) => {
                let place = self.reported.iter().position(|known| *known == gone);
                self.reported.remove(place.expect("what ends was reported"));
            }
            GatherEvent::Resolve { query, .. } => {
                self.queries.insert(query);
            }
            GatherEvent::OpenStream(open) => self.opens.push(open),
            GatherEvent::Complete => self.completed += 1,
            _ => {}
        }
    }

    fn check(&self) {
        assert!(self.completed <= self.rounds, "more ends than rounds");
        if self.closed {
            assert_eq!(self.gatherer.poll_timeout(), None);
            return;
        }
        assert_eq!(self.gatherer.candidates().count(), self.reported.len());
        let known = |known| self.gatherer.candidates().any(|other| other == known);
        assert!(self.reported.iter().all(known));
    }

    /// With nobody answering, everything ends in time.
    fn rest(&mut self) {
        let _ = self.gatherer.set_keepalive(None, self.now);
        self.drain();
        for _ in 0..20_000 {
            let Some(timeout) = self.gatherer.poll_timeout() else {
                assert!(self.closed || self.rounds == 0 || self.gatherer.is_complete());
                return;
            };
            self.now = self.now.max(timeout.at);
            self.gatherer.handle_timeout(self.now);
            self.drain();
        }
        panic!("it never comes to rest");
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Only for the origin of time.
struct Nobody;

impl Machine for Nobody {
    fn handle_datagram(&mut self, _: SocketAddr, _: SocketAddr, _: &mut [u8], _: Instant) {}

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_transmit(&mut self, _: &mut Vec<u8>, _: Instant) -> Option<(SocketAddr, SocketAddr)> {
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
