//! The NATs of the virtual network behave as RFC 4787 words it, so that what agents do behind them
//! means something.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::time::Instant;

use ortc_testkit::nat::{Behaviour, Dependence, Hairpin, Nat, Refresh};
use ortc_testkit::net::{Machine, Net};
use ortc_testkit::topology::{Realm, Topology};

const ALL: [Dependence; 3] = Dependence::ALL;

/// RFC 4787 §4.1: one external endpoint for all destinations, for each address, or for each
/// endpoint.
#[test]
fn a_mapping_depends_on_the_destination_as_its_name_says() {
    for filtering in ALL {
        let expected = [
            (Dependence::Independent, [true, true]),
            (Dependence::Address, [true, false]),
            (Dependence::AddressAndPort, [false, false]),
        ];
        for (mapping, [same_address, other_address]) in expected {
            let mut nat = nat(Behaviour::new(mapping, filtering));
            let first = nat.outbound(INSIDE, peer(1, 1), start());
            assert_eq!(first.ip(), external(), "addresses are paired (REQ-2)");
            let again = nat.outbound(INSIDE, peer(1, 1), start());
            assert_eq!(again, first, "a binding is used again");
            let other_port = nat.outbound(INSIDE, peer(1, 2), start());
            assert_eq!(other_port == first, same_address, "{mapping:?}");
            let other_host = nat.outbound(INSIDE, peer(2, 1), start());
            assert_eq!(other_host == first, other_address, "{mapping:?}");
        }
    }
}

/// RFC 4787 §5: who may send to an external endpoint from which something went to `peer(1, 1)`.
#[test]
fn a_filter_depends_on_the_source_as_its_name_says() {
    let expected = [
        (Dependence::Independent, [true, true, true]),
        (Dependence::Address, [true, true, false]),
        (Dependence::AddressAndPort, [true, false, false]),
    ];
    for mapping in ALL {
        for (filtering, passes) in expected {
            let mut nat = nat(Behaviour::new(mapping, filtering));
            let external = nat.outbound(INSIDE, peer(1, 1), start());
            let sources = [peer(1, 1), peer(1, 2), peer(2, 1)];
            for (source, passes) in sources.into_iter().zip(passes) {
                let wanted = passes.then_some(INSIDE);
                assert_eq!(nat.inbound(source, external, start()), wanted);
            }
        }
    }
}

#[test]
fn nothing_comes_in_where_nothing_went_out() {
    let mut nat = nat(Behaviour::new(
        Dependence::Independent,
        Dependence::Independent,
    ));
    let external = nat.outbound(INSIDE, peer(1, 1), start());
    let next = SocketAddr::new(external.ip(), external.port() + 1);
    assert_eq!(nat.inbound(peer(1, 1), next, start()), None);
    assert_eq!(nat.bindings(), 1, "a stranger's packet makes no binding");
}

#[test]
fn two_sockets_inside_never_share_an_external_endpoint() {
    let mut nat = nat(Behaviour::new(
        Dependence::Independent,
        Dependence::Independent,
    ));
    let other = SocketAddr::from(([192, 168, 1, 3], INSIDE.port()));
    let first = nat.outbound(INSIDE, peer(1, 1), start());
    let second = nat.outbound(other, peer(1, 1), start());
    assert_ne!(first, second);
    assert_eq!(nat.inbound(peer(1, 1), second, start()), Some(other));
}

/// RFC 4787 §4.3, REQ-6: packets from inside keep a binding, those from outside only where the NAT
/// says so.
#[test]
fn a_binding_lives_as_long_as_packets_refresh_it() {
    for refresh in [Refresh::Outbound, Refresh::Both] {
        let behaviour = Behaviour::new(Dependence::Independent, Dependence::AddressAndPort)
            .with_expiry(Duration::from_secs(30))
            .with_refresh(refresh);
        let mut nat = nat(behaviour);
        let mut now = start();
        let external = nat.outbound(INSIDE, peer(1, 1), now);
        for _ in 0..3 {
            now += Duration::from_secs(29);
            assert_eq!(nat.outbound(INSIDE, peer(1, 1), now), external);
        }
        now += Duration::from_secs(29);
        assert_eq!(nat.inbound(peer(1, 1), external, now), Some(INSIDE));
        now += Duration::from_secs(29);
        let kept = nat.inbound(peer(1, 1), external, now).is_some();
        assert_eq!(kept, refresh == Refresh::Both);
        now += Duration::from_secs(30);
        assert_eq!(nat.inbound(peer(1, 1), external, now), None);
        let anew = nat.outbound(INSIDE, peer(1, 1), now);
        assert_ne!(anew, external, "the new binding has a new port");
    }
}

/// A filter forgets a peer that was not sent to, though another keeps the binding.
#[test]
fn a_permission_to_pass_expires_on_its_own() {
    let behaviour = Behaviour::new(Dependence::Independent, Dependence::Address)
        .with_expiry(Duration::from_secs(30));
    let mut nat = nat(behaviour);
    let begin = start();
    let external = nat.outbound(INSIDE, peer(1, 1), begin);
    let later = begin + Duration::from_secs(20);
    nat.outbound(INSIDE, peer(2, 1), later);
    let end = begin + Duration::from_secs(40);
    assert_eq!(nat.inbound(peer(1, 1), external, end), None);
    assert_eq!(nat.inbound(peer(2, 9), external, end), Some(INSIDE));
}

#[test]
fn a_restarted_nat_knows_nobody() {
    let mut nat = nat(Behaviour::new(
        Dependence::Independent,
        Dependence::Independent,
    ));
    let external = nat.outbound(INSIDE, peer(1, 1), start());
    nat.reboot();
    assert_eq!(nat.inbound(peer(1, 1), external, start()), None);
}

/// RFC 4787 §6, REQ-9 a: the one inside sees the external endpoint of the other as the source.
#[test]
fn two_hosts_behind_one_nat_meet_outside_it_only_with_hairpinning() {
    for hairpin in [Hairpin::On, Hairpin::Off] {
        let behaviour =
            Behaviour::new(Dependence::Independent, Dependence::Independent).with_hairpin(hairpin);
        let (mut net, lan) = behind(nat(behaviour));
        let (one, two) = (INSIDE, SocketAddr::from(([192, 168, 1, 3], 5_000)));
        let first = net.add(Echo::default(), &[]);
        net.attach_in(lan, first, one);
        let second = net.add(Echo::default(), &[]);
        net.attach_in(lan, second, two);
        let server = net.add(Echo::default(), &[peer(1, 1)]);
        for (id, from) in [(first, one), (second, two)] {
            net.node_mut(id).queue.push((from, peer(1, 1)));
        }
        net.run_for(Duration::from_secs(1));
        let [seen_one, seen_two] = net.node(server).seen[..] else {
            panic!("the server hears both");
        };
        net.node_mut(first).queue.push((one, seen_two));
        net.run_for(Duration::from_secs(1));
        let wanted = match hairpin {
            Hairpin::On => vec![seen_one],
            Hairpin::Off => vec![],
        };
        assert_eq!(net.node(second).seen, wanted);
    }
}

/// A NAT behind a NAT: each translates, and both have to agree to let something in.
#[test]
fn a_nat_behind_a_nat_translates_twice_and_filters_twice() {
    for (inner, outer, arrives) in [
        (Dependence::Independent, Dependence::Independent, true),
        (Dependence::AddressAndPort, Dependence::Independent, false),
        (Dependence::Independent, Dependence::AddressAndPort, false),
    ] {
        let mut topology = Topology::default();
        let provider = topology.add_realm();
        let home = topology.add_realm();
        let carrier = Behaviour::new(Dependence::Independent, outer);
        topology.set_gateway(provider, Realm::PUBLIC, nat(carrier));
        let middle = IpAddr::from([100, 64, 0, 9]);
        let box_ = Behaviour::new(Dependence::Independent, inner);
        topology.set_gateway(home, provider, Nat::new(box_, middle));
        topology.place(home, INSIDE.ip());
        topology.place(Realm::PUBLIC, peer(1, 1).ip());
        topology.place(Realm::PUBLIC, peer(2, 1).ip());
        let leg = topology
            .leave(home, INSIDE, peer(1, 1), start())
            .expect("there is a way out");
        assert_eq!((leg.realm, leg.from.ip()), (Realm::PUBLIC, external()));
        let back = topology
            .leave(Realm::PUBLIC, peer(2, 1), leg.from, start())
            .and_then(|leg| topology.enter(leg, start()));
        assert_eq!(back.is_some(), arrives, "{inner:?} {outer:?}");
        assert_eq!(back.map(|leg| leg.to), arrives.then_some(INSIDE));
        assert_eq!(topology.filtered, usize::from(!arrives));
    }
}

/// RFC 6092 §3: an IPv6 firewall changes no address and lets in what was asked for.
#[test]
fn a_firewall_filters_and_leaves_addresses_alone() {
    let inside: SocketAddr = "[2001:db8:1::2]:5000".parse().unwrap();
    let outside: SocketAddr = "[2001:db8:2::2]:5000".parse().unwrap();
    let mut topology = Topology::default();
    let lan = topology.add_realm();
    let strict = Behaviour::new(Dependence::Independent, Dependence::AddressAndPort);
    topology.set_gateway(lan, Realm::PUBLIC, Nat::firewall(strict));
    topology.place(lan, inside.ip());
    topology.place(Realm::PUBLIC, outside.ip());
    let now = start();
    let unasked = topology.leave(Realm::PUBLIC, outside, inside, now).unwrap();
    assert_eq!(topology.enter(unasked, now), None);
    let leg = topology.leave(lan, inside, outside, now).unwrap();
    assert_eq!(leg.from, inside);
    assert_eq!(topology.enter(leg, now), Some(leg));
    let entered = topology.enter(unasked, now).unwrap();
    assert_eq!((entered.realm, entered.to), (lan, inside));
}

/// A packet that arrives before the answer to it has opened the filter is lost: what a NAT lets in is
/// decided when it comes, not when it was sent.
#[test]
fn a_filter_opens_for_packets_that_are_on_their_way() {
    let strict = Behaviour::new(Dependence::Independent, Dependence::AddressAndPort);
    let (mut net, lan) = behind(nat(strict));
    let host = net.add(Echo::default(), &[]);
    net.attach_in(lan, host, INSIDE);
    let other = net.add(Echo::default(), &[peer(1, 1)]);
    // The first port that the NAT gives out; the packet takes 25 ms.
    let guess = SocketAddr::new(external(), 20_001);
    net.node_mut(other).queue.push((peer(1, 1), guess));
    net.run_for(Duration::from_millis(10));
    net.node_mut(host).queue.push((INSIDE, peer(1, 1)));
    net.run_for(Duration::from_secs(1));
    assert_eq!(net.node(host).seen, [peer(1, 1)]);
    assert_eq!(net.topology.filtered, 0);
}

#[test]
fn a_host_that_has_left_neither_sends_nor_receives() {
    let open = Behaviour::new(Dependence::Independent, Dependence::Independent);
    let (mut net, lan) = behind(nat(open));
    let host = net.add(Echo::default(), &[]);
    net.attach_in(lan, host, INSIDE);
    let other = net.add(Echo::default(), &[peer(1, 1)]);
    net.node_mut(host).queue.push((INSIDE, peer(1, 1)));
    net.run_for(Duration::from_secs(1));
    let seen = net.node(other).seen[0];
    net.detach(host, INSIDE);
    net.node_mut(host).queue.push((INSIDE, peer(1, 1)));
    net.node_mut(other).queue.push((peer(1, 1), seen));
    net.run_for(Duration::from_secs(1));
    assert_eq!(net.node(other).seen.len(), 1);
    assert!(net.node(host).seen.is_empty());
}

/// A host that sends what it is told to, and remembers who sent to it.
#[derive(Debug, Default)]
struct Echo {
    queue: Vec<(SocketAddr, SocketAddr)>,
    seen: Vec<SocketAddr>,
}

impl Machine for Echo {
    fn handle_datagram(&mut self, _: SocketAddr, from: SocketAddr, _: &mut [u8], _: Instant) {
        self.seen.push(from);
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_transmit(&mut self, buf: &mut Vec<u8>, _: Instant) -> Option<(SocketAddr, SocketAddr)> {
        let next = self.queue.pop()?;
        buf.extend_from_slice(b"ping");
        Some(next)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

const INSIDE: SocketAddr =
    SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::new(192, 168, 1, 2)), 5_000);

fn external() -> IpAddr {
    IpAddr::from([203, 0, 113, 1])
}

fn peer(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, host], port))
}

fn nat(behaviour: Behaviour) -> Nat {
    Nat::new(behaviour, external())
}

/// A network with one realm behind this NAT.
fn behind(nat: Nat) -> (Net<Echo>, Realm) {
    let mut net = Net::new(1);
    let lan = net.topology.add_realm();
    net.topology.set_gateway(lan, Realm::PUBLIC, nat);
    (net, lan)
}

/// The virtual clock's origin.
fn start() -> Instant {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(|| Net::<Echo>::new(0).now())
}
