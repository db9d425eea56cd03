//! One run: the peers on the map, signalling between them, and what is checked at every step.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use ortc_ice::stun::{
    AttributeType, Class, ErrorCode, IntegrityKey, Message, MessageBuilder, Method, TransactionId,
};
use ortc_ice::{Config, Credentials, PairState, Path, PathState, Role, ServerCredentials};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::layout::{Layout, service, stun_ips, turn_ips};
use super::peer::{Host, Peer, Signal};
use super::scenario::{Roles, Scenario};
use crate::net::{Net, NodeId, Sent};
use crate::servers::stun_server::StunServer;
use crate::servers::turn_server::{TurnConfig, TurnServer};
use crate::topology::Realm;

/// How long signalling takes at least.
const SIGNALLING: Duration = Duration::from_millis(40);
/// Pairs that an agent keeps: the bound of its configuration, and one from before a restart.
const PAIRS_MAX: usize = 101;
/// Datagrams that a peer sends in a second: a check every 5 ms, an answer to each of the other (to
/// some of them twice, where they are doubled on the way), requests to servers, data.
const RATE_MAX: usize = 600;

/// A run.
#[derive(Debug)]
pub struct Run {
    /// What it is about.
    pub scenario: Scenario,
    /// The network.
    pub net: Net<Host>,
    /// The peers.
    pub peers: [NodeId; 2],
    /// The TURN server.
    pub turn: NodeId,
    /// The map.
    pub layout: Layout,
    signals: [VecDeque<(Instant, Signal)>; 2],
    dice: ChaCha8Rng,
    watch: Watch,
}

/// What is remembered from step to step.
#[derive(Debug)]
struct Watch {
    second: Instant,
    sent: usize,
    /// The most that was sent in one second.
    peak: usize,
}

impl Run {
    /// Everybody is in place, and nothing has happened.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let layout = Layout::new(scenario);
        let mut net = Net::new(scenario.seed.into()).link(scenario.weather.link());
        net.topology = layout.topology.clone();
        // A scenario that is run again by hand is written down.
        net.record = std::env::var_os("ICE_MATRIX").is_some();
        let now = net.now();
        let ports = [service(IpAddr::from([0; 4])).port(), 3_479];
        let server = StunServer::new(stun_ips().to_vec(), ports);
        let listen = server.addresses();
        net.add(Host::Stun(server), &listen);
        let config = TurnConfig {
            listen: turn_ips().map(service).to_vec(),
            relays: turn_ips().to_vec(),
            username: "alice".to_owned(),
            password: "secret".to_owned(),
            realm: "example.org".to_owned(),
            nonce_lifetime: Duration::from_secs(100),
            capacity: 8,
        };
        let turn = net.add(Host::Turn(Box::new(TurnServer::new(config))), &[]);
        for ip in turn_ips() {
            net.attach_all(turn, ip);
        }
        let peers = [0, 1].map(|side| {
            let config = config_of(scenario, side);
            let peer = Peer::new(config, scenario.manners, seeds_of(scenario, side), now);
            let id = net.add(Host::Peer(Box::new(peer)), &[]);
            for (realm, address) in &layout.sockets[side] {
                net.attach_in(*realm, id, *address);
            }
            id
        });
        let mut run = Self {
            scenario: *scenario,
            net,
            peers,
            turn,
            layout,
            signals: Default::default(),
            dice: ChaCha8Rng::seed_from_u64(scenario.seed.into()),
            watch: Watch {
                second: now,
                sent: 0,
                peak: 0,
            },
        };
        for side in [0, 1] {
            run.equip(side);
        }
        if scenario.roles == Roles::Tie {
            // One seed gives both the same tie-breaker; from here on they draw different numbers.
            run.peer_mut(0).agent.restart(now);
        }
        run
    }

    fn equip(&mut self, side: usize) {
        let (stun, turn) = self.scenario.sites[side].servers.has();
        let sockets = self.layout.sockets[side].clone();
        let peer = self.peer_mut(side);
        for (_, address) in sockets {
            peer.gatherer.add_base(address).unwrap();
        }
        if stun {
            for ip in [stun_ips()[0], stun_ips()[2]] {
                let uri = format!("stun:{}", service(ip)).parse().unwrap();
                peer.gatherer.add_server(uri, None).unwrap();
            }
        }
        if turn {
            for ip in turn_ips() {
                let uri = format!("turn:{}?transport=udp", service(ip))
                    .parse()
                    .unwrap();
                let credentials = ServerCredentials::new("alice", "secret");
                peer.gatherer.add_server(uri, Some(credentials)).unwrap();
            }
        }
    }

    /// One of the two.
    #[must_use]
    pub fn peer(&self, side: usize) -> &Peer {
        self.net.node(self.peers[side]).peer()
    }

    /// One of the two, to give it a command.
    pub fn peer_mut(&mut self, side: usize) -> &mut Peer {
        self.net.node_mut(self.peers[side]).peer_mut()
    }

    /// Both begin.
    pub fn begin(&mut self) {
        let now = self.net.now();
        for side in [0, 1] {
            self.peer_mut(side).begin(now);
        }
    }

    /// Runs for this long.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    /// Runs until `done` says so, or for this long; says whether `done` did.
    pub fn run_until(&mut self, most: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.net.now() + most;
        loop {
            // Everything that is due now.
            let now = self.net.now();
            self.net.run_until(now, |_| false);
            self.collect_signals();
            self.check();
            if done(self) {
                return true;
            }
            let signal = self.signals.iter().filter_map(VecDeque::front);
            let next = signal
                .map(|(at, _)| *at)
                .chain(self.net.next_event())
                .min()
                .map_or(end, |at| at.min(end).max(now));
            if next == end && now == end {
                return false;
            }
            self.net.run_until(next, |_| false);
            self.deliver_signals();
        }
    }

    /// What the peers want to tell each other sets out, in order, the second hearing later.
    fn collect_signals(&mut self) {
        for side in [0, 1] {
            let now = self.net.now();
            for signal in core::mem::take(&mut self.peer_mut(side).signals) {
                let mut at = now + SIGNALLING;
                if side == 0 {
                    at += self.scenario.skew;
                }
                if matches!(signal, Signal::Candidate(_)) {
                    at += self.scenario.trickle.mul_f64(self.unit());
                }
                let last = self.signals[side].back().map(|(at, _)| *at);
                self.signals[side].push_back((last.map_or(at, |last| at.max(last)), signal));
            }
        }
    }

    /// What is still being signalled is lost.
    pub fn hush(&mut self) {
        self.signals = Default::default();
    }

    fn deliver_signals(&mut self) {
        let now = self.net.now();
        for side in [0, 1] {
            while let Some((at, _)) = self.signals[side].front()
                && *at <= now
                && let Some((_, signal)) = self.signals[side].pop_front()
            {
                self.peer_mut(1 - side).hear(signal, now);
            }
        }
    }

    fn unit(&mut self) -> f64 {
        f64::from(self.dice.next_u32()) / f64::from(u32::MAX)
    }

    /// Whether data may be sent in both directions.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        [0, 1]
            .iter()
            .all(|side| self.peer(*side).agent.data_path().is_some())
    }

    /// Whether each sends to where the other sends from: a packet on the path of the one would arrive
    /// on the path of the other. One controls, one does not.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let paths = [0, 1].map(|side| self.peer(side).agent.data_path());
        let [Some(ours), Some(theirs)] = paths else {
            return false;
        };
        let roles = [0, 1].map(|side| self.peer(side).agent.role());
        self.carry(0, ours) == Some(theirs)
            && self.carry(1, theirs) == Some(ours)
            && roles[0] != roles[1]
            && roles.contains(&Role::Controlling)
    }

    /// On which path a packet arrives that leaves on this one.
    fn carry(&self, side: usize, path: Path) -> Option<Path> {
        let mut topology = self.net.topology.clone();
        let now = self.net.now();
        let realm = self.realm_of(side, path);
        let leg = topology.leave(realm, path.local, path.remote, now)?;
        let leg = topology.enter(leg, now)?;
        Some(Path::udp(leg.to, leg.from))
    }

    fn realm_of(&self, side: usize, path: Path) -> Realm {
        let sockets = self.layout.sockets[side].iter();
        let known = sockets
            .clone()
            .find(|(_, address)| *address == path.local)
            .map(|(realm, _)| *realm);
        known.unwrap_or(Realm::PUBLIC)
    }

    /// What holds at every instant.
    fn check(&mut self) {
        let now = self.net.now();
        for side in [0, 1] {
            let peer = self.peer(side);
            let stats = peer.agent.stats();
            assert!(
                stats.pairs.len() <= PAIRS_MAX,
                "{} pairs",
                stats.pairs.len()
            );
            let active: Vec<_> = stats.pairs.iter().filter(|pair| pair.active).collect();
            match peer.agent.data_path() {
                Some(path) => {
                    assert_eq!(active.len(), 1);
                    let found = (active[0].path, active[0].state);
                    assert_eq!(found, (path, PairState::Succeeded));
                    assert_eq!(peer.agent.path_state(&path), PathState::Valid);
                    // RFC 7675 §5.1: consent lasts 30 s.
                    let answered = peer.answered[&path];
                    assert!(now - answered <= Duration::from_secs(30), "no consent");
                }
                None => assert!(active.is_empty()),
            }
        }
        let sent = [0, 1].map(|side| self.peer(side).sent).into_iter().max();
        let sent = sent.unwrap_or_default();
        if now - self.watch.second >= Duration::from_secs(1) {
            let rate = sent - self.watch.sent;
            let seconds = (now - self.watch.second).as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            let rate = rate as f64 / seconds;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a small positive number"
            )]
            let rate = rate as usize;
            self.watch.peak = self.watch.peak.max(rate);
            assert!(rate <= RATE_MAX, "{rate} datagrams in a second");
            (self.watch.second, self.watch.sent) = (now, sent);
        }
    }

    /// The most datagrams that were sent in a second.
    #[must_use]
    pub const fn peak(&self) -> usize {
        self.watch.peak
    }

    /// Strangers send what they can make up; nothing changes.
    pub fn forge(&mut self) {
        let now = self.net.now();
        for side in [0, 1] {
            let peer = self.peer(side);
            let Some((_, local)) = self.layout.sockets[side].first().copied() else {
                continue;
            };
            let ours = peer.agent.local_credentials().clone();
            let theirs = peer.agent.remote_credentials().cloned();
            let mut sources = vec![stun_ips()[0], IpAddr::from([198, 51, 100, 66])];
            sources.extend(peer.agent.remote_addresses().map(|known| known.ip()));
            let before = state(peer);
            for ip in sources
                .into_iter()
                .filter(|ip| ip.is_ipv4() == local.is_ipv4())
            {
                for mut contents in forgeries(&ours, theirs.as_ref()) {
                    let remote = service(ip);
                    self.net
                        .inject(self.peers[side], local, remote, &mut contents);
                }
            }
            assert_eq!(
                state(self.peer(side)),
                before,
                "a stranger changed something"
            );
            let mut buf = Vec::new();
            let node = self.net.node_mut(self.peers[side]).peer_mut();
            assert_eq!(node.agent.poll_transmit(&mut buf, now), None, "an answer");
        }
    }
}

impl Drop for Run {
    #[expect(clippy::print_stderr, reason = "the report of a failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            for sent in &self.net.log {
                eprintln!("{}", line(&self.net, sent));
            }
        }
    }
}

/// One datagram as a line: when, from where to where, what.
fn line(net: &Net<Host>, sent: &Sent) -> String {
    let at = (sent.at - (net.now() - net.elapsed())).as_secs_f64();
    let what = match Message::parse(&sent.contents) {
        Ok(message) => format!(
            "{:?} {:?}{} {:?} {}",
            message.class(),
            message.method(),
            if message.use_candidate() { " use" } else { "" },
            message.split_username().map(|(to, _)| to),
            match (message.controlling(), message.error_code()) {
                (Some(tie), _) => format!("controlling {tie:x}"),
                (None, Some(error)) => error.code.to_string(),
                (None, None) => String::new(),
            },
        ),
        Err(_) => format!("{} octets", sent.contents.len()),
    };
    let lost = if sent.lost { " lost" } else { "" };
    format!(
        "{at:9.4} {:?} {} > {}{lost} {what}",
        sent.by, sent.local, sent.remote
    )
}

/// What a stranger must not change.
fn state(
    peer: &Peer,
) -> (
    usize,
    Option<Path>,
    Role,
    Vec<ortc_ice::PairStats>,
    Vec<String>,
) {
    let mut pairs = peer.agent.stats().pairs;
    pairs.sort_by_key(|pair| pair.path);
    let remotes = peer.agent.remote_addresses().map(|at| at.to_string());
    let candidates = peer.gatherer.candidates().map(|known| format!("{known:?}"));
    let known = remotes.chain(candidates).collect();
    (
        peer.events.len(),
        peer.agent.data_path(),
        peer.agent.role(),
        pairs,
        known,
    )
}

/// What can be made up without a password: the fragments travel in the clear.
fn forgeries(ours: &Credentials, theirs: Option<&Credentials>) -> Vec<Vec<u8>> {
    let wrong = IntegrityKey::new(b"a password that nobody has");
    let id = TransactionId([0xF0; 12]);
    let from = theirs.map_or("x", Credentials::ufrag);
    let mut all = vec![vec![], vec![0], vec![0x40; 8], vec![0xFF; 64], vec![0; 20]];
    for has_integrity in [true, false] {
        let mut out = Vec::new();
        let mut request = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, id);
        request.username(ours.ufrag(), from).unwrap();
        request.priority(0x6E00_00FF);
        request.controlling(u64::MAX);
        request.use_candidate();
        if has_integrity {
            request.integrity(&wrong);
        }
        request.fingerprint();
        all.push(out);
        for code in [None, Some(ErrorCode::ROLE_CONFLICT)] {
            let mut out = Vec::new();
            let class = code.map_or(Class::Success, |_| Class::Error);
            let mut answer = MessageBuilder::new(&mut out, class, Method::BINDING, id);
            match code {
                Some(code) => _ = answer.error_code(code).unwrap(),
                None => _ = answer.xor_mapped_address(service(IpAddr::from([8, 8, 8, 8]))),
            }
            if has_integrity {
                answer.integrity(&wrong);
            }
            answer.fingerprint();
            all.push(out);
        }
    }
    let mut data = Vec::new();
    let method = Method::new(7).unwrap();
    let mut indication = MessageBuilder::new(&mut data, Class::Indication, method, id);
    let peer = AttributeType(0x0012);
    indication
        .attribute(peer, &[0, 1, 1, 1, 1, 1, 1, 1])
        .unwrap();
    indication
        .attribute(AttributeType(0x0013), b"data")
        .unwrap();
    all.push(data);
    all
}

fn config_of(scenario: &Scenario, side: usize) -> Config {
    let config = if scenario.strict {
        Config::rfc8445()
    } else {
        Config::default()
    };
    config.role(scenario.roles.policy(side))
}

fn seeds_of(scenario: &Scenario, side: usize) -> [[u8; 32]; 2] {
    let own = if scenario.roles == Roles::Tie {
        0
    } else {
        side
    };
    [own, side].map(|number| {
        let mut seed = [u8::try_from(number).unwrap(); 32];
        seed[..2].copy_from_slice(&scenario.seed.to_be_bytes());
        seed
    })
}
