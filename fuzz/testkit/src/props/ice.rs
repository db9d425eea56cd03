//! Two ICE agents on the virtual network, and what holds whatever happens to them.
#![expect(
    clippy::missing_panics_doc,
    reason = "test code: a failed expectation is the report"
)]

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use ortc_ice::stun::{
    AttributeType, Class, ErrorCode, IntegrityKey, Message, MessageBuilder, Method, TransactionId,
};
use ortc_ice::{
    Agent, Candidate, Config, Credentials, Datagram, DropReason, Event, PairState, Path, PathState,
    Role,
};

use crate::link::Link;
use crate::net::{Machine, Net, NodeId};

/// An agent on the virtual network, with what it said and when.
#[derive(Debug)]
pub struct Node {
    /// The agent.
    pub agent: Agent,
    /// Its events so far.
    pub events: Vec<(Instant, Event)>,
    /// The datagrams that it dropped, with the reason.
    pub drops: Vec<DropReason>,
    /// When it last accepted an answer to a check, by path.
    pub answered: BTreeMap<Path, Instant>,
}

impl Node {
    /// An agent with these host candidates.
    #[must_use]
    pub fn new(config: Config, seed: u8, addresses: &[SocketAddr], now: Instant) -> Self {
        let mut agent = Agent::new(config, [seed; 32], now);
        for address in addresses {
            agent
                .add_local_candidate(Candidate::host(*address).unwrap(), now)
                .unwrap();
        }
        Self {
            agent,
            events: Vec::new(),
            drops: Vec::new(),
            answered: BTreeMap::new(),
        }
    }

    /// Takes out what the agent has to say; commands given outside the network need it after them.
    pub fn drain(&mut self, now: Instant) {
        while let Some(event) = self.agent.poll_event() {
            self.events.push((now, event));
        }
    }

    /// The last event that says whether data may flow.
    #[must_use]
    pub fn outlook(&self) -> Option<&Event> {
        let tells = |event: &&Event| {
            matches!(
                event,
                Event::Connected | Event::ConsentExpired | Event::Failed
            )
        };
        self.events.iter().rev().map(|(_, event)| event).find(tells)
    }

    /// Whether an event that satisfies this was seen.
    pub fn saw(&self, is: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(|(_, event)| is(event))
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
        let path = Path::udp(local, remote);
        let datagram = Datagram {
            path,
            contents: &mut *contents,
            ecn: Default::default(),
        };
        match self.agent.handle_datagram(datagram, now) {
            Err(reason) => self.drops.push(reason),
            Ok(()) => {
                if Message::parse(contents).unwrap().class() == Class::Success {
                    self.answered.insert(path, now);
                }
            }
        }
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
        self.drain(now);
    }

    fn poll_transmit(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let transmit = self.agent.poll_transmit(buf, now)?;
        assert_eq!(buf.len(), transmit.len, "len counts what was appended");
        Some((transmit.path.local, transmit.path.remote))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout().map(|timeout| timeout.at)
    }
}

/// The address of candidate `index` of a side.
#[must_use]
pub fn address(side: u8, index: usize) -> SocketAddr {
    let index = u8::try_from(index).unwrap();
    SocketAddr::from(([10, side, index, 1], 5000))
}

/// A network with two agents that have this many host candidates each, on addresses of their own.
#[must_use]
pub fn two_agents(
    seed: u64,
    configs: [Config; 2],
    candidates: [usize; 2],
) -> (Net<Node>, NodeId, NodeId) {
    let mut net = Net::new(seed);
    let [first, second] = configs;
    let [count_a, count_b] = candidates;
    let byte = seed.to_le_bytes()[0];
    let addresses_a: Vec<_> = (0..count_a).map(|index| address(1, index)).collect();
    let addresses_b: Vec<_> = (0..count_b).map(|index| address(2, index)).collect();
    let now = net.now();
    let a = Node::new(first, byte.wrapping_mul(2), &addresses_a, now);
    let b = Node::new(
        second,
        byte.wrapping_mul(2).wrapping_add(1),
        &addresses_b,
        now,
    );
    let a = net.add(a, &addresses_a);
    let b = net.add(b, &addresses_b);
    (net, a, b)
}

/// Tells `to` the credentials and the ICE options of `from`.
pub fn signal_credentials(net: &mut Net<Node>, from: NodeId, to: NodeId) {
    let now = net.now();
    let credentials = net.node(from).agent.local_credentials().clone();
    let renomination = net.node(from).agent.offers_renomination();
    let agent = &mut net.node_mut(to).agent;
    agent.set_remote_credentials(credentials, now).unwrap();
    agent.set_remote_renomination(renomination);
    net.node_mut(to).drain(now);
}

/// Tells `to` these host candidates, as the agent `from` described them.
pub fn signal_candidates(net: &mut Net<Node>, from: NodeId, to: NodeId, addresses: &[SocketAddr]) {
    let now = net.now();
    for address in addresses {
        let ours = Candidate::host(*address).unwrap();
        let described = net
            .node_mut(from)
            .agent
            .add_local_candidate(ours, now)
            .unwrap();
        let theirs = Candidate::remote(
            described.foundation(),
            described.component(),
            described.priority(),
            described.address(),
            described.kind(),
            described.related_address(),
        );
        net.node_mut(to)
            .agent
            .add_remote_candidate(theirs.unwrap(), now)
            .unwrap();
    }
    net.node_mut(to).drain(now);
}

/// Everything that signalling does, both ways, and `connect` on both sides at this instant.
pub fn connect(net: &mut Net<Node>, a: NodeId, b: NodeId, candidates: [usize; 2]) {
    let [count_a, count_b] = candidates;
    let addresses_a: Vec<_> = (0..count_a).map(|index| address(1, index)).collect();
    let addresses_b: Vec<_> = (0..count_b).map(|index| address(2, index)).collect();
    signal_credentials(net, a, b);
    signal_credentials(net, b, a);
    signal_candidates(net, a, b, &addresses_a);
    signal_candidates(net, b, a, &addresses_b);
    let now = net.now();
    for node in [a, b] {
        net.node_mut(node).agent.connect(now).unwrap();
        net.node_mut(node).drain(now);
    }
}

/// Runs until both sides have a path for data; says whether they do.
pub fn run_until_usable(net: &mut Net<Node>, a: NodeId, b: NodeId, patience: Duration) -> bool {
    let end = net.now() + patience;
    net.run_until(end, |net| {
        net.node(a).agent.data_path().is_some() && net.node(b).agent.data_path().is_some()
    })
}

/// A peer played by hand: a check as an agent with these credentials would send it.
#[derive(Clone, Debug)]
pub struct Check {
    /// The fragment of whoever receives it, and the password that authenticates it.
    pub to: Credentials,
    /// The fragment of whoever sends it.
    pub from: String,
    /// Its transaction id.
    pub id: TransactionId,
    /// PRIORITY.
    pub priority: Option<u32>,
    /// The role of the sender and its tie-breaker.
    pub role: (Role, u64),
    /// USE-CANDIDATE.
    pub use_candidate: bool,
    /// The value of NOMINATION.
    pub nomination: Option<u32>,
    /// An attribute that nobody knows.
    pub unknown: Option<AttributeType>,
    /// Attributes with these values, after the others.
    pub extra: Vec<(AttributeType, Vec<u8>)>,
}

impl Check {
    /// A check to `to` from a controlling peer.
    #[must_use]
    pub fn new(to: &Credentials, from: &str, number: u32) -> Self {
        let mut id = [0xEE; 12];
        id[..4].copy_from_slice(&number.to_be_bytes());
        Self {
            to: to.clone(),
            from: from.to_owned(),
            id: TransactionId(id),
            priority: Some(0x6eff_feff),
            role: (Role::Controlling, u64::MAX / 2),
            use_candidate: false,
            nomination: None,
            unknown: None,
            extra: Vec::new(),
        }
    }

    /// Its octets.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let key = IntegrityKey::new(self.to.password().as_bytes());
        let mut out = Vec::new();
        let mut message = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, self.id);
        message.username(self.to.ufrag(), &self.from).unwrap();
        if let Some(priority) = self.priority {
            message.priority(priority);
        }
        match self.role {
            (Role::Controlling, tie_breaker) => message.controlling(tie_breaker),
            (Role::Controlled, tie_breaker) => message.controlled(tie_breaker),
        };
        if self.use_candidate {
            message.use_candidate();
        }
        if let Some(value) = self.nomination {
            message.nomination(value);
        }
        for (kind, value) in &self.extra {
            message.attribute(*kind, value).unwrap();
        }
        if let Some(kind) = self.unknown {
            message.attribute(kind, &[1, 2, 3]).unwrap();
        }
        message.integrity(&key).fingerprint();
        out
    }
}

/// The answer of a peer with these credentials to `request`, which came from `source`: success,
/// or an error.
#[must_use]
pub fn answer(
    request: &[u8],
    credentials: &Credentials,
    source: SocketAddr,
    error: Option<ErrorCode<'_>>,
) -> Vec<u8> {
    let key = IntegrityKey::new(credentials.password().as_bytes());
    let request = Message::parse(request).unwrap();
    let class = if error.is_some() {
        Class::Error
    } else {
        Class::Success
    };
    let mut out = Vec::new();
    let mut message =
        MessageBuilder::new(&mut out, class, Method::BINDING, request.transaction_id());
    match error {
        Some(error) => message.error_code(error).unwrap(),
        None => message.xor_mapped_address(source),
    };
    message.integrity(&key).fingerprint();
    out
}

/// Credentials for a peer played by hand.
#[must_use]
pub fn puppet() -> Credentials {
    Credentials::new("puppet", "puppetpuppetpuppetpuppet").unwrap()
}

/// Hands a datagram to an agent, as from `remote` to `local`.
///
/// # Errors
///
/// The reason why the agent dropped it.
pub fn deliver(
    agent: &mut Agent,
    local: SocketAddr,
    remote: SocketAddr,
    datagram: &[u8],
    now: Instant,
) -> Result<(), DropReason> {
    let mut contents = datagram.to_vec();
    let path = Path::udp(local, remote);
    let datagram = Datagram {
        path,
        contents: &mut contents,
        ecn: Default::default(),
    };
    agent.handle_datagram(datagram, now)
}

/// Everything that the agent has to send now: the remote address and the octets.
pub fn sent(agent: &mut Agent, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut all = Vec::new();
    let mut buf = Vec::new();
    while let Some(transmit) = agent.poll_transmit(&mut buf, now) {
        all.push((transmit.path.remote, core::mem::take(&mut buf)));
    }
    all
}

/// Lets the agent's own time pass until `end`, or until it sends; what it sent, and when.
pub fn run_alone(
    agent: &mut Agent,
    mut now: Instant,
    end: Instant,
) -> (Instant, Vec<(SocketAddr, Vec<u8>)>) {
    loop {
        let out = sent(agent, now);
        if !out.is_empty() {
            return (now, out);
        }
        match agent.poll_timeout() {
            Some(timeout) if timeout.at <= end => {
                now = now.max(timeout.at);
                agent.handle_timeout(now);
            }
            _ => return (end, out),
        }
    }
}

/// What one side believes about what its peer signalled, to be told again after a restart.
#[derive(Clone, Copy, Debug)]
struct Side {
    node: NodeId,
    index: u8,
    sockets: usize,
}

/// Octets as a script for two agents on a network with loss, jitter and broken paths: candidates
/// trickle, paths break and heal, traffic flows, both sides restart, and each offers renomination
/// or does not. Whatever happens,
///
/// - no agent has a path for data without an answer less than 30 s old on it,
/// - the path for data is always one that counts as valid,
/// - the machine comes to rest (the network asserts it), and its lists keep their bounds,
///
/// and once everything heals and everything is signalled, both connect, on the same pair, with
/// opposite roles.
pub fn agents(script: &[u8]) {
    let (head, body) = script.split_at_checked(2).unwrap_or((&[0, 0], script));
    let config = |byte: u8| match byte % 4 {
        0 => Config::default(),
        1 => Config::default().role(ortc_ice::RolePolicy::Controlling),
        2 => Config::default().role(ortc_ice::RolePolicy::Controlled),
        _ => Config::rfc8445(),
    };
    let seed = u64::from(head[1]);
    let offers = |bit: u8| head[0] >> bit & 1 == 0;
    let configs = [
        config(head[0]).renomination(offers(4)),
        config(head[0] >> 2).renomination(offers(5)),
    ];
    let (net, a, b) = two_agents(seed, configs, [1, 1]);
    let lossy = Link::perfect(Duration::from_millis(20))
        .with_loss(f64::from(head[1] % 4) * 0.1)
        .with_jitter(Duration::from_millis(15))
        .with_duplicate(0.05);
    let mut net = net.link(lossy);
    net.record = false;
    let mut sides = [
        Side {
            node: a,
            index: 1,
            sockets: 1,
        },
        Side {
            node: b,
            index: 2,
            sockets: 1,
        },
    ];
    for byte in body.iter().take(60) {
        operate(&mut net, &mut sides, *byte);
        check_invariants(&mut net, &sides);
    }

    // Everything heals, and signalling catches up.
    for i in 0..SOCKETS {
        for j in 0..SOCKETS {
            net.unblock(address(1, i), address(2, j));
        }
    }
    net.set_link(Link::perfect(Duration::from_millis(20)));
    synchronize(&mut net, &sides);
    let end = net.now() + Duration::from_secs(120);
    if !net.run_until(end, |net| agrees(net, a, b)) {
        for side in &sides {
            let node = net.node_mut(side.node);
            assert_eq!(
                node.outlook(),
                Some(&Event::Failed),
                "else it would have connected"
            );
            node.agent.restart(end);
        }
        synchronize(&mut net, &sides);
        net.run_until(end + Duration::from_secs(30), |net| agrees(net, a, b));
    }
    let states = [a, b].map(|node| net.node(node).agent.stats());
    assert!(agrees(&net, a, b), "{states:#?}");
    // A value is sent by whoever controls when both offer it, and by nobody else; from now on,
    // as a check that is on its way may be from before the last change of roles.
    net.run_for(Duration::from_secs(1));
    net.record = true;
    assert_ne!(net.node(a).agent.role(), net.node(b).agent.role());
    // And it stays so, without another word.
    net.run_for(Duration::from_secs(40));
    assert!(agrees(&net, a, b));
    let both = [a, b].map(|node| net.node(node).agent.offers_renomination()) == [true, true];
    for sent in &net.log {
        let check = Message::parse(&sent.contents).unwrap();
        let controls = net.node(sent.by).agent.is_controlling();
        assert!(controls || !check.use_candidate());
        assert_eq!(check.nomination().is_some(), both && check.use_candidate());
    }
}

/// Sockets that one side has at most.
const SOCKETS: usize = 3;

fn operate(net: &mut Net<Node>, sides: &mut [Side; 2], byte: u8) {
    let which = usize::from(byte >> 7);
    let (me, peer) = (sides[which], sides[1 - which]);
    let now = net.now();
    let argument = usize::from(byte >> 4 & 7);
    match byte & 15 {
        0 => synchronize(net, sides),
        1 if me.sockets < SOCKETS => {
            let address = address(me.index, me.sockets);
            let candidate = Candidate::host(address).unwrap();
            net.node_mut(me.node)
                .agent
                .add_local_candidate(candidate, now)
                .unwrap();
            sides[which].sockets += 1;
        }
        2 => {
            let index = argument % me.sockets;
            signal_candidates(net, me.node, peer.node, &[address(me.index, index)]);
        }
        3 => signal_credentials(net, me.node, peer.node),
        4 => _ = net.node_mut(me.node).agent.connect(now),
        5 => net.block(
            address(1, argument % SOCKETS),
            address(2, argument / SOCKETS),
        ),
        6 => net.unblock(
            address(1, argument % SOCKETS),
            address(2, argument / SOCKETS),
        ),
        7 => _ = net.node_mut(me.node).agent.restart(now),
        8 => net.node_mut(me.node).agent.end_of_remote_candidates(now),
        9 => {
            let node = net.node_mut(me.node);
            if let Some(path) = node.agent.data_path() {
                node.agent.authenticated_traffic(path, now);
            }
        }
        10 => net.run_for(Duration::from_secs(7)),
        11 => net.run_for(Duration::from_secs(35)),
        12 => net.run_for(Duration::from_millis(1)),
        _ => net.run_for(Duration::from_millis(40 * (argument as u64 + 1))),
    }
    net.node_mut(me.node).drain(now);
}

/// Signals everything in both directions, and connects.
fn synchronize(net: &mut Net<Node>, sides: &[Side; 2]) {
    let now = net.now();
    for (me, peer) in [(sides[0], sides[1]), (sides[1], sides[0])] {
        signal_credentials(net, me.node, peer.node);
        for index in 0..me.sockets {
            signal_candidates(net, me.node, peer.node, &[address(me.index, index)]);
        }
    }
    for side in sides {
        net.node_mut(side.node).agent.connect(now).unwrap();
        net.node_mut(side.node).drain(now);
    }
}

fn check_invariants(net: &mut Net<Node>, sides: &[Side; 2]) {
    for side in sides {
        let now = net.now();
        net.node_mut(side.node).drain(now);
        let node = net.node(side.node);
        let stats = node.agent.stats();
        assert!(
            stats.pairs.len() <= 101,
            "the bound, and one from before a restart"
        );
        let active: Vec<_> = stats.pairs.iter().filter(|pair| pair.active).collect();
        match node.agent.data_path() {
            Some(path) => {
                assert_eq!(active.len(), 1);
                assert_eq!(
                    (active[0].path, active[0].state),
                    (path, PairState::Succeeded)
                );
                assert_eq!(node.agent.path_state(&path), PathState::Valid);
                let answered = node.answered[&path];
                assert!(
                    now - answered <= Duration::from_secs(30),
                    "consent lasts 30 s"
                );
            }
            None => assert!(active.is_empty()),
        }
    }
}

/// Both send on the same pair, and nothing from before a restart is in use.
fn agrees(net: &Net<Node>, a: NodeId, b: NodeId) -> bool {
    let (first, second) = (&net.node(a).agent, &net.node(b).agent);
    match (first.data_path(), second.data_path()) {
        (Some(ours), Some(theirs)) => {
            (ours.local, ours.remote) == (theirs.remote, theirs.local)
                && first.role() != second.role()
        }
        _ => false,
    }
}
