//! Local candidates of every kind (RFC 8445 §5.1, §6.1.2): what is signalled of them, and what is
//! sent from where.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "test helpers"
)]

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::time::Instant;

use ortc_ice::stun::Message;
use ortc_ice::{
    Agent, AgentError, Candidate, CandidateAttributeError, CandidateError, CandidateKind, Config,
    Event, Path, SignalledCandidate, TcpType,
};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{Node, puppet};
use ortc_testkit::props::ice_candidates::{DELAY, World, host, host6, relay};

const SECOND: Duration = Duration::from_secs(1);

fn start() -> (Agent, Instant) {
    let now = Net::<Node>::new(0).now();
    (Agent::new(Config::default(), [1; 32], now), now)
}

fn world() -> World {
    World::new([Config::default(), Config::default()], 1)
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn server(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn reflexive(address: &str, base: SocketAddr, last: u8) -> Candidate {
    Candidate::server_reflexive(at(address), base, server(last)).unwrap()
}

fn relayed(address: &str, last: u8) -> Candidate {
    Candidate::relayed(at(address), at("203.0.113.1:6000"), server(last)).unwrap()
}

#[test]
fn foundations_are_equal_for_one_kind_base_server_and_transport_only() {
    let (mut agent, now) = start();
    let mut foundation = |candidate: Candidate| {
        let placed = agent.add_local_candidate(candidate, now).unwrap();
        placed.foundation().to_owned()
    };
    let base = at("10.0.0.1:5000");
    let first = foundation(Candidate::host(base).unwrap());
    let same_ip = foundation(Candidate::host(at("10.0.0.1:5001")).unwrap());
    let other_ip = foundation(Candidate::host(at("10.0.0.2:5000")).unwrap());
    let tcp = foundation(Candidate::host_tcp(base, TcpType::Passive).unwrap());
    let active = foundation(Candidate::host_tcp(base, TcpType::Active).unwrap());
    let mapped = foundation(reflexive("203.0.113.1:6000", base, 1));
    let again = foundation(reflexive("203.0.113.1:6001", at("10.0.0.1:5001"), 1));
    let other_server = foundation(reflexive("203.0.113.1:6002", base, 2));
    let relay = foundation(relayed("198.51.100.1:7000", 1));
    let relay_elsewhere = foundation(relayed("198.51.100.1:7001", 2));

    assert_eq!(first, same_ip);
    assert_eq!(tcp, active);
    assert_eq!(mapped, again);
    let mut all = [
        first,
        other_ip,
        tcp,
        mapped,
        other_server,
        relay,
        relay_elsewhere,
    ];
    all.sort_unstable();
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
}

#[test]
fn priorities_are_unique_and_prefer_hosts_to_reflexive_to_tcp_to_relays() {
    let (mut agent, now) = start();
    let mut priority = |candidate| {
        agent
            .add_local_candidate(candidate, now)
            .unwrap()
            .priority()
    };
    let base = at("10.0.0.1:5000");
    let host4 = priority(Candidate::host(base).unwrap());
    let host6 = priority(Candidate::host(at("[2001:db8::1]:5000")).unwrap());
    let second4 = priority(Candidate::host(at("10.0.0.2:5000")).unwrap());
    let mapped = priority(reflexive("203.0.113.1:6000", base, 1));
    let mapped_again = priority(reflexive("203.0.113.2:6000", base, 2));
    let active = priority(Candidate::host_tcp(base, TcpType::Active).unwrap());
    let passive = priority(Candidate::host_tcp(base, TcpType::Passive).unwrap());
    let so = priority(Candidate::host_tcp(base, TcpType::SimultaneousOpen).unwrap());
    let relay = priority(relayed("198.51.100.1:7000", 1));
    let relay_again = priority(relayed("198.51.100.1:7001", 1));
    let order = [
        host6,
        host4,
        second4,
        mapped,
        mapped_again,
        active,
        passive,
        so,
        relay,
        relay_again,
    ];
    assert!(order.windows(2).all(|pair| pair[0] > pair[1]), "{order:?}");
    // RFC 8445 §5.1.2.1 and RFC 6544 §4.2, to the bit.
    assert_eq!(mapped, 100 << 24 | (host4 & 0xFFFF00) | 255);
    assert_eq!(active >> 21 & 7, 6);
    assert_eq!(passive >> 21 & 7, 4);
    assert_eq!(so >> 21 & 7, 2);
}

#[test]
fn a_reflexive_candidate_is_signalled_and_checked_from_its_base() {
    let mut world = world();
    let inside = host(0, 0);
    world.dark.insert(inside); // nobody outside reaches it but through the NAT
    world.add(0, Candidate::host(inside).unwrap());
    let mapped = world.add(0, reflexive("203.0.113.1:6000", inside, 1));
    assert_eq!(mapped.related_address(), Some(inside));
    assert_eq!(
        mapped.to_sdp_attribute(),
        format!(
            "candidate:{} 1 udp {} 203.0.113.1 6000 typ srflx raddr 10.1.0.1 rport 5000",
            mapped.foundation(),
            mapped.priority()
        )
    );
    world.add(1, Candidate::host(host(1, 0)).unwrap());
    world.dark.clear();
    world.connect();
    assert!(world.run_until(SECOND, World::is_usable));
    let path = Path::udp(inside, host(1, 0));
    assert_eq!(world.data_paths()[0], Some(path));
    let own = world.sides[0].events.iter().find_map(|event| {
        let Event::ActivePair { local, .. } = event else {
            return None;
        };
        Some(local.clone())
    });
    assert_eq!(
        own,
        Some(mapped),
        "what the peer sees is the candidate that it was told"
    );
    let pairs = world.sides[0].agent.stats().pairs;
    assert_eq!(
        pairs.len(),
        1,
        "the reflexive candidate makes no pair of its own"
    );
}

#[test]
fn a_reflexive_candidate_whose_base_is_not_signalled_is_checked_all_the_same() {
    let mut world = world();
    world.add(0, reflexive("203.0.113.1:6000", host(0, 0), 1));
    world.add(1, Candidate::host(host(1, 0)).unwrap());
    world.connect();
    assert!(world.run_until(SECOND, World::is_usable));
    assert_eq!(
        world.data_paths(),
        [
            Some(Path::udp(host(0, 0), host(1, 0))),
            Some(Path::udp(host(1, 0), at("203.0.113.1:6000")))
        ]
    );
    // The base becomes a candidate: the pair is its own, with its priority.
    let before = world.sides[0].agent.stats().pairs;
    world.add_silently(0, Candidate::host(host(0, 0)).unwrap());
    let after = world.sides[0].agent.stats().pairs;
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_eq!(before[0].path, after[0].path);
}

#[test]
fn checks_of_a_relayed_candidate_leave_from_it_with_the_priority_of_a_reflexive_one() {
    let (mut agent, now) = start();
    let ours = agent
        .add_local_candidate(relayed("198.51.100.1:7000", 1), now)
        .unwrap();
    assert_eq!(ours.base(), ours.address());
    assert_eq!(ours.related_address(), Some(at("203.0.113.1:6000")));
    agent.set_remote_credentials(puppet(), now).unwrap();
    agent.connect(now).unwrap();
    let theirs = at("10.2.0.1:5000");
    let remote = Candidate::remote("1", 1, 77, theirs, CandidateKind::Host, None).unwrap();
    agent.add_remote_candidate(remote, now).unwrap();
    let mut check = Vec::new();
    let transmit = agent.poll_transmit(&mut check, now).unwrap();
    assert_eq!(transmit.path, Path::udp(ours.address(), theirs));
    // RFC 8445 §7.1.1.
    let priority = Message::parse(&check).unwrap().priority();
    assert_eq!(priority, Some(110 << 24 | (ours.priority() & 0xFF_FFFF)));
}

#[test]
fn two_relays_of_one_server_reach_each_other() {
    let mut world = world();
    for side in [0, 1] {
        let mapped = at("203.0.113.1:6000");
        let relayed = Candidate::relayed(relay(0, side), mapped, server(1)).unwrap();
        world.add(side, relayed);
    }
    world.connect();
    assert!(world.run_until(SECOND, World::is_usable));
    assert_eq!(
        world.data_paths()[0],
        Some(Path::udp(relay(0, 0), relay(0, 1)))
    );
}

#[test]
fn hosts_win_over_relays_that_were_faster() {
    let mut world = world();
    for side in [0, 1] {
        world.dark.insert(host(side, 0));
        world.add(side, Candidate::host(host(side, 0)).unwrap());
        let mapped = at("203.0.113.1:6000");
        world.add(
            side,
            Candidate::relayed(relay(side, 0), mapped, server(1)).unwrap(),
        );
    }
    world.connect();
    assert!(world.run_until(SECOND, World::is_usable));
    let relays = Path::udp(relay(0, 0), relay(1, 0));
    assert_eq!(world.data_paths()[0], Some(relays));
    world.dark.clear();
    world.run_for(2 * SECOND);
    let hosts = Path::udp(host(0, 0), host(1, 0));
    assert_eq!(world.data_paths()[0], Some(hosts));
    assert_eq!(
        world.data_paths()[1],
        Some(Path::udp(host(1, 0), host(0, 0)))
    );
}

#[test]
fn both_families_and_several_addresses_work_side_by_side() {
    let mut world = world();
    for side in [0, 1] {
        for index in 0..3 {
            world.add(side, Candidate::host(host(side, index)).unwrap());
            world.add(side, Candidate::host(host6(side, index)).unwrap());
        }
    }
    world.connect();
    world.run_for(SECOND);
    let pairs = world.sides[0].agent.stats().pairs;
    assert_eq!(pairs.len(), 18, "no pair mixes the families");
    assert_eq!(
        world.data_paths()[0],
        Some(Path::udp(host6(0, 0), host6(1, 0)))
    );
}

#[test]
fn redundant_candidates_are_eliminated() {
    let (mut agent, now) = start();
    let base = at("10.0.0.1:5000");
    let host = agent
        .add_local_candidate(Candidate::host(base).unwrap(), now)
        .unwrap();
    // No NAT: the server saw the base itself (RFC 8445 §5.1.3).
    let unmapped = Candidate::server_reflexive(base, base, server(1)).unwrap();
    assert_eq!(agent.add_local_candidate(unmapped, now).unwrap(), host);
    let first = reflexive("203.0.113.1:6000", base, 1);
    let first = agent.add_local_candidate(first, now).unwrap();
    // Another server saw the same.
    let second = reflexive("203.0.113.1:6000", base, 2);
    assert_eq!(
        agent.prepare_local_candidate(second.clone(), now).unwrap(),
        first
    );
    assert_eq!(agent.add_local_candidate(second, now).unwrap(), first);
    // The same address over TCP is something else.
    let tcp = Candidate::host_tcp(base, TcpType::Passive).unwrap();
    assert_ne!(agent.add_local_candidate(tcp, now).unwrap(), host);
}

#[test]
fn what_is_prepared_is_what_is_added() {
    let (mut agent, now) = start();
    let base = at("10.0.0.1:5000");
    for candidate in [
        Candidate::host(base).unwrap(),
        reflexive("203.0.113.1:6000", base, 1),
        relayed("198.51.100.1:7000", 1),
        Candidate::host_tcp(base, TcpType::Active).unwrap(),
        Candidate::host_tcp(base, TcpType::Passive).unwrap(),
    ] {
        let prepared = agent
            .prepare_local_candidate(candidate.clone(), now)
            .unwrap();
        assert!(!prepared.foundation().is_empty());
        assert_eq!(
            agent
                .prepare_local_candidate(candidate.clone(), now)
                .unwrap(),
            prepared
        );
        assert_eq!(agent.add_local_candidate(candidate, now).unwrap(), prepared);
    }
}

#[test]
fn candidates_that_are_not_ours_are_refused() {
    let (mut agent, now) = start();
    for kind in [
        CandidateKind::ServerReflexive,
        CandidateKind::PeerReflexive,
        CandidateKind::Relayed,
    ] {
        let theirs = Candidate::remote("1", 1, 5, at("10.0.0.1:1"), kind, None).unwrap();
        assert_eq!(
            agent.add_local_candidate(theirs.clone(), now),
            Err(AgentError::NotLocal)
        );
        assert_eq!(
            agent.prepare_local_candidate(theirs, now),
            Err(AgentError::NotLocal)
        );
    }
    let base = at("10.0.0.1:5000");
    let nowhere = Candidate::server_reflexive(at("0.0.0.0:1"), base, server(1));
    assert_eq!(nowhere, Err(CandidateError::Address));
    assert_eq!(
        Candidate::relayed(at("224.0.0.1:1"), base, server(1)),
        Err(CandidateError::Address)
    );
}

#[test]
fn a_flood_of_local_candidates_is_bounded() {
    let (mut agent, now) = start();
    let relay = |number: u32| {
        let address = SocketAddr::from(([198, 51, 100, 1], 1000 + number as u16));
        Candidate::relayed(address, at("203.0.113.1:6000"), server(1)).unwrap()
    };
    for number in 0..100 {
        agent.add_local_candidate(relay(number), now).unwrap();
    }
    assert_eq!(
        agent.add_local_candidate(relay(100), now),
        Err(AgentError::TooManyCandidates)
    );
    // One that goes makes room, for as long as one likes.
    for number in 100..2000 {
        agent
            .remove_local_candidate(relay(number - 100).address(), now)
            .unwrap();
        agent.add_local_candidate(relay(number), now).unwrap();
    }
}

#[test]
fn a_related_address_can_be_kept_private() {
    let (mut agent, now) = start();
    let mapped = reflexive("203.0.113.1:6000", at("10.0.0.1:5000"), 1);
    let mapped = agent.add_local_candidate(mapped, now).unwrap();
    let line = mapped.with_hidden_related_address().to_sdp_attribute();
    assert!(
        line.ends_with(" 203.0.113.1 6000 typ srflx raddr 0.0.0.0 rport 9"),
        "{line}"
    );
    let host = Candidate::host(at("10.0.0.1:5000")).unwrap();
    let host = agent.add_local_candidate(host, now).unwrap();
    assert_eq!(host.clone().with_hidden_related_address(), host);
}

#[test]
fn the_attribute_of_sdp_reads_as_the_rfcs_print_it() {
    let read = |line: &str| line.parse::<SignalledCandidate>();
    // RFC 8839 §5.1.
    let line =
        "a=candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998";
    let Ok(SignalledCandidate::Address(candidate)) = read(line) else {
        panic!("it has an address");
    };
    assert_eq!(candidate.kind(), CandidateKind::ServerReflexive);
    assert_eq!(candidate.address(), at("192.0.2.3:45664"));
    assert_eq!(candidate.related_address(), Some(at("203.0.113.141:8998")));
    // RFC 6544, appendix C.
    let tcp = "candidate:1 1 TCP 2128609279 10.0.1.1 9 typ host tcptype active";
    let Ok(SignalledCandidate::Address(candidate)) = read(tcp) else {
        panic!("it has an address");
    };
    assert_eq!(candidate.tcp_type(), Some(TcpType::Active));
    assert_eq!(candidate.to_sdp_attribute(), tcp.replace("TCP", "tcp"));

    use CandidateAttributeError::{Candidate as Part, Form, Kind, TcpType as Tcp, Transport};
    for (line, error) in [
        ("candidate", Form),
        ("candidate:", Form),
        ("candidate:1  1 udp 5 10.0.0.1 1 typ host", Form),
        ("candidate:1 1 udp +5 10.0.0.1 1 typ host", Form),
        ("candidate:1 1 udp 5 10.0.0.1 99999 typ host", Form),
        ("candidate:1 1 udp 5 10.0.0.1 1 type host", Form),
        ("candidate:1 1 udp 5 10.0.0.1 1 typ host odd", Form),
        ("candidate:1 1 sctp 5 10.0.0.1 1 typ host", Transport),
        ("candidate:1 1 udp 5 10.0.0.1 1 typ nat", Kind),
        ("candidate:1 1 tcp 5 10.0.0.1 1 typ host", Tcp),
        ("candidate:1 1 udp 5 10.0.0.1 1 typ host tcptype so", Tcp),
        (
            "candidate:1 0 udp 5 10.0.0.1 1 typ host",
            Part(CandidateError::Component),
        ),
        (
            "candidate:1 1 udp 0 10.0.0.1 1 typ host",
            Part(CandidateError::Priority),
        ),
        (
            "candidate:- 1 udp 5 10.0.0.1 1 typ host",
            Part(CandidateError::Foundation),
        ),
        (
            "candidate:1 1 udp 5 10.0.0.1 0 typ host",
            Part(CandidateError::Address),
        ),
        (
            "candidate:1 1 udp 5 printer.local 1 typ host",
            Part(CandidateError::Name),
        ),
    ] {
        assert_eq!(read(line), Err(error), "{line}");
    }
}

/// Of a hundred pairs of hosts that lead nowhere and one relay, nothing waits for the hundred.
#[test]
fn the_other_family_and_the_relay_are_among_the_first_checks() {
    let mut world = world();
    for side in [0, 1] {
        for index in 0..9 {
            world.add(side, Candidate::host(host6(side, index)).unwrap());
            world.dark.insert(host6(side, index));
        }
        world.add(side, Candidate::host(host(side, 0)).unwrap());
        world.dark.insert(host(side, 0));
    }
    let mapped = at("203.0.113.1:6000");
    world.add(
        0,
        Candidate::relayed(relay(0, 0), mapped, server(1)).unwrap(),
    );
    world.connect();
    // The peer's own checks reach the relay, so that it takes its pair for a good one.
    world.run_for(DELAY);
    let checks: Vec<_> = world
        .log
        .iter()
        .filter(|(_, side, ..)| *side == 0)
        .collect();
    let position = |of: &dyn Fn(&Path) -> bool| checks.iter().position(|check| of(&check.2));
    let family = position(&|path| path.local == host(0, 0)).unwrap();
    let relay = position(&|path| path.local == relay(0, 0)).unwrap();
    println!("position of the other family {family}, of the relay {relay}");
    assert!(family <= 1 && relay <= 3, "{family} {relay}");
}

#[test]
fn a_path_through_both_relays_is_found_among_dead_hosts_of_both_families() {
    let mut world = world();
    for side in [0, 1] {
        for index in 0..4 {
            for dark in [host(side, index), host6(side, index)] {
                world.dark.insert(dark);
                world.add(side, Candidate::host(dark).unwrap());
            }
        }
        let mapped = at("203.0.113.1:6000");
        world.add(
            side,
            Candidate::relayed(relay(side, 0), mapped, server(1)).unwrap(),
        );
    }
    world.connect();
    assert!(world.run_until(SECOND, World::is_usable));
    println!("through both relays, 40 dead pairs: {:?}", world.elapsed());
    assert!(world.elapsed() <= Duration::from_millis(100));
    assert_eq!(
        world.data_paths()[0],
        Some(Path::udp(relay(0, 0), relay(1, 0)))
    );
}
