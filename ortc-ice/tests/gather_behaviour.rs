//! RFC 5780 against every NAT of RFC 4787, firewalls, and servers that do not play along.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

use core::net::SocketAddr;
use core::time::Duration;
use std::time::Instant;

use ortc_ice::stun::{
    AttributeType, Class, ErrorCode, Message, MessageBuilder, Method, TransactionId,
};
use ortc_ice::{
    Behaviour, BehaviourCheck, BehaviourError, Datagram, Filtering, Gathered, Mapping, Path,
};
use ortc_testkit::laws::Lawful;
use ortc_testkit::nat::{Behaviour as NatBehaviour, Dependence, Hairpin, Nat};
use ortc_testkit::net::{Machine, Net, NodeId};
use ortc_testkit::servers::stun_server::StunServer;
use ortc_testkit::topology::Realm;

const LOCAL: &str = "10.0.0.1:5000";

fn a(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// RFC 4787: each mapping with each filtering.
#[test]
fn every_nat_is_found_out() {
    for mapping in Dependence::ALL {
        for filtering in Dependence::ALL {
            for hairpin in [Hairpin::On, Hairpin::Off] {
                let nat = NatBehaviour::new(mapping, filtering).with_hairpin(hairpin);
                let found = behind(Some(nat), &["192.0.2.1", "192.0.2.2"], None);
                let expected = match mapping {
                    Dependence::Independent => Mapping::EndpointIndependent,
                    Dependence::Address => Mapping::AddressDependent,
                    Dependence::AddressAndPort => Mapping::AddressAndPortDependent,
                };
                assert_eq!(found.mapping, Ok(expected), "{mapping:?} {filtering:?}");
                let expected = match filtering {
                    Dependence::Independent => Filtering::EndpointIndependent,
                    Dependence::Address => Filtering::AddressDependent,
                    Dependence::AddressAndPort => Filtering::AddressAndPortDependent,
                };
                assert_eq!(found.filtering, Ok(expected), "{mapping:?} {filtering:?}");
                assert!(found.hairpinning.is_some());
                if filtering == Dependence::Independent {
                    let expected = Some(hairpin == Hairpin::On);
                    assert_eq!(found.hairpinning, expected, "{mapping:?}");
                }
            }
        }
    }
}

#[test]
fn without_a_nat_everything_comes_in() {
    let found = behind(None, &["192.0.2.1", "192.0.2.2"], None);
    assert_eq!(
        found,
        Behaviour {
            mapped: Ok(a(LOCAL)),
            mapping: Ok(Mapping::EndpointIndependent),
            filtering: Ok(Filtering::EndpointIndependent),
            hairpinning: None,
        }
    );
}

#[test]
fn a_plain_server_leaves_both_unknown_and_says_why() {
    let nat = NatBehaviour::new(Dependence::Address, Dependence::Address);
    let found = behind(Some(nat), &["192.0.2.1"], None);
    assert_eq!(found.mapping, Err(BehaviourError::NoOtherAddress));
    assert_eq!(found.filtering, Err(BehaviourError::NoOtherAddress));
    assert!(found.mapped.is_ok());
}

#[test]
fn two_plain_servers_tell_whether_the_mapping_depends_on_the_destination() {
    for (mapping, expected) in [
        (Dependence::Independent, Mapping::EndpointIndependent),
        (Dependence::Address, Mapping::Dependent),
        (Dependence::AddressAndPort, Mapping::Dependent),
    ] {
        let nat = NatBehaviour::new(mapping, Dependence::AddressAndPort);
        let found = behind(Some(nat), &["192.0.2.1"], Some("192.0.2.50:3478"));
        assert_eq!(found.mapping, Ok(expected));
        assert_eq!(found.filtering, Err(BehaviourError::NoOtherAddress));
    }
}

#[test]
fn a_dead_server_is_given_up_after_three_requests() {
    let mut net = Net::new(1);
    let now = net.now();
    let check = BehaviourCheck::new(a(LOCAL), a("192.0.2.1:3478"), [1; 32], now);
    let id = net.add(Node::Check(Lawful::new(Check(check))), &[a(LOCAL)]);
    net.run_for(Duration::from_secs(60));
    assert_eq!(net.log.len(), 3);
    let found = result(&mut net, id);
    assert_eq!(found.mapped, Err(BehaviourError::NoAnswer));
    assert_eq!(found.mapping, Err(BehaviourError::NoAnswer));
}

/// A server that names the address of a victim: bounded, and only one that could be a server's.
#[test]
fn a_hostile_server_gets_little_sent_to_whom_it_names() {
    for (other, asked) in [
        ("198.51.100.66:80", 6),
        ("127.0.0.1:3479", 0),
        ("224.0.0.1:3479", 0),
        ("0.0.0.0:3479", 0),
        ("192.0.2.1:3479", 0),     // the same address
        ("198.51.100.66:3478", 0), // the same port
        ("169.254.169.254:80", 0),
    ] {
        let mut puppet = Puppet::new();
        let [first] = &puppet.take()[..] else {
            panic!("one request")
        };
        let answer = answer(&first.1, a("203.0.113.1:5000"), Some(a(other)));
        assert_eq!(puppet.give("192.0.2.1:3478", &answer), Gathered::Consumed);
        let sent = puppet.run();
        let to_victim = sent.iter().filter(|(to, _)| to.ip() == a(other).ip());
        let to_victim = to_victim.filter(|(to, _)| to.ip() != a("192.0.2.1:1").ip());
        assert_eq!(to_victim.count(), asked, "{other}");
        assert!(sent.len() <= 21);
    }
}

#[test]
fn answers_from_elsewhere_and_to_other_questions_are_none() {
    let mut puppet = Puppet::new();
    let first = puppet.take()[0].1.clone();
    let right = answer(&first, a("203.0.113.1:5000"), None);
    for from in ["192.0.2.2:3478", "192.0.2.1:3479"] {
        assert_eq!(puppet.give(from, &right), Gathered::NotMine);
    }
    let other_id = answer(&[0; 20], a("203.0.113.1:5000"), None);
    assert_eq!(puppet.give("192.0.2.1:3478", &other_id), Gathered::NotMine);
    // Our own request, come back to the first question, is no hairpin.
    assert_eq!(puppet.give("192.0.2.1:3478", &first), Gathered::NotMine);
    assert!(puppet.check.poll_behaviour().is_none());
    assert_eq!(puppet.give("192.0.2.1:3478", &right), Gathered::Consumed);
    assert_eq!(puppet.give("192.0.2.1:3478", &right), Gathered::NotMine);
}

#[test]
fn a_server_that_ignores_what_is_asked_leaves_the_filtering_unknown() {
    for refuse in [false, true] {
        let mut puppet = Puppet::new();
        let first = puppet.take()[0].1.clone();
        let other = Some(a("192.0.2.2:3479"));
        let found = answer(&first, a("203.0.113.1:5000"), other);
        let _ = puppet.give("192.0.2.1:3478", &found);
        for (_, request) in puppet.take() {
            let reply = if refuse {
                error(&request, 420)
            } else {
                answer(&request, a("203.0.113.1:5000"), other)
            };
            assert_eq!(puppet.give("192.0.2.1:3478", &reply), Gathered::Consumed);
        }
        puppet.run();
        let expected = if refuse {
            BehaviourError::Refused(420)
        } else {
            BehaviourError::NoChange
        };
        let found = puppet.check.poll_behaviour().unwrap();
        assert_eq!(found.filtering, Err(expected));
        assert_eq!(found.mapping, Err(BehaviourError::SecondSilent));
    }
}

/// What a check finds out behind a NAT, from servers on these addresses.
fn behind(nat: Option<NatBehaviour>, servers: &[&str], second: Option<&str>) -> Behaviour {
    let mut net = Net::new(1);
    let ips = servers.iter().map(|ip| ip.parse().unwrap()).collect();
    let server = StunServer::new(ips, [3478, 3479]);
    let addresses = server.addresses();
    net.add(Node::Server(server), &addresses);
    let mut check = BehaviourCheck::new(a(LOCAL), addresses[0], [1; 32], net.now());
    if let Some(second) = second {
        let other = StunServer::new(vec![a(second).ip()], [3478, 3479]);
        let addresses = other.addresses();
        net.add(Node::Server(other), &addresses);
        check = check.second_server(a(second));
    }
    let id = net.add(Node::Check(Lawful::new(Check(check))), &[]);
    let realm = match nat {
        Some(behaviour) => {
            let inside = net.topology.add_realm();
            let nat = Nat::new(behaviour, "203.0.113.1".parse().unwrap());
            net.topology.set_gateway(inside, Realm::PUBLIC, nat);
            inside
        }
        None => Realm::PUBLIC,
    };
    net.attach_in(realm, id, a(LOCAL));
    net.run_for(Duration::from_secs(11));
    result(&mut net, id)
}

fn result(net: &mut Net<Node>, id: NodeId) -> Behaviour {
    let Node::Check(check) = net.node_mut(id) else {
        panic!("the check")
    };
    let found = check.machine.0.poll_behaviour().unwrap();
    assert!(check.machine.0.poll_timeout().is_none());
    assert!(check.machine.0.poll_behaviour().is_none());
    found
}

fn answer(request: &[u8], mapped: SocketAddr, other: Option<SocketAddr>) -> Vec<u8> {
    let id = TransactionId(request[8..20].try_into().unwrap());
    let mut out = Vec::new();
    let mut builder = MessageBuilder::new(&mut out, Class::Success, Method::BINDING, id);
    builder.xor_mapped_address(mapped);
    if let Some(SocketAddr::V4(other)) = other {
        let value = [
            &[0, 1][..],
            &other.port().to_be_bytes(),
            &other.ip().octets(),
        ]
        .concat();
        builder.attribute(AttributeType(0x802C), &value).unwrap();
    }
    builder.fingerprint();
    out
}

fn error(request: &[u8], code: u16) -> Vec<u8> {
    let message = Message::parse(request).unwrap();
    let mut out = Vec::new();
    let id = message.transaction_id();
    let mut builder = MessageBuilder::new(&mut out, Class::Error, Method::BINDING, id);
    let reason = b"";
    builder.error_code(ErrorCode { code, reason }).unwrap();
    out
}

/// A check whose server is the test.
struct Puppet {
    check: BehaviourCheck,
    now: Instant,
}

impl Puppet {
    fn new() -> Self {
        let now = Net::<Node>::new(0).now();
        let check = BehaviourCheck::new(a(LOCAL), a("192.0.2.1:3478"), [1; 32], now);
        Self { check, now }
    }

    fn take(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut sent = Vec::new();
        let mut buf = Vec::new();
        while let Some(transmit) = self.check.poll_transmit(&mut buf, self.now) {
            sent.push((transmit.path.remote, core::mem::take(&mut buf)));
        }
        sent
    }

    fn give(&mut self, from: &str, contents: &[u8]) -> Gathered {
        let datagram = Datagram {
            path: Path::udp(a(LOCAL), a(from)),
            contents: &mut contents.to_vec(),
            ecn: Default::default(),
        };
        self.check.handle_datagram(datagram, self.now)
    }

    /// To the end, without an answer.
    fn run(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut sent = self.take();
        while let Some(timeout) = self.check.poll_timeout() {
            self.now = timeout.at;
            self.check.handle_timeout(self.now);
            sent.extend(self.take());
        }
        sent
    }
}

#[derive(Debug)]
struct Check(BehaviourCheck);

#[expect(clippy::large_enum_variant, reason = "a test has a handful")]
enum Node {
    Check(Lawful<Check>),
    Server(StunServer),
}

impl Machine for Check {
    fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
        now: Instant,
    ) {
        let datagram = Datagram {
            path: Path::udp(local, remote),
            contents,
            ecn: Default::default(),
        };
        let _ = self.0.handle_datagram(datagram, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    fn poll_transmit(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let transmit = self.0.poll_transmit(buf, now)?;
        Some((transmit.path.local, transmit.path.remote))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout().map(|timeout| timeout.at)
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
            Self::Check(check) => check.handle_datagram(local, remote, contents, now),
            Self::Server(server) => server.handle_datagram(local, remote, contents, now),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Self::Check(check) = self {
            check.handle_timeout(now);
        }
    }

    fn poll_transmit(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            Self::Check(check) => check.poll_transmit(buf, now),
            Self::Server(server) => server.poll_transmit(buf, now),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Check(check) => check.poll_timeout(),
            Self::Server(_) => None,
        }
    }
}
