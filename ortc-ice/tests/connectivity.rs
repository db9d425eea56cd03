//! Two agents find each other.

use core::net::SocketAddr;
use core::time::Duration;

use ortc_ice::{Candidate, CandidateKind, Config, Event, Path, PathState, Role, RolePolicy};
use ortc_testkit::link::Link;
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{
    Node, address, answer, connect, deliver, puppet, run_until_usable, sent, signal_candidates,
    signal_credentials, two_agents,
};

#[test]
fn two_agents_with_one_candidate_each_agree_on_the_pair() {
    let (mut net, a, b) = two_agents(1, [Config::default(), Config::default()], [1, 1]);
    connect(&mut net, a, b, [1, 1]);

    assert!(run_until_usable(&mut net, a, b, Duration::from_secs(1)));
    net.run_for(Duration::from_secs(1));

    let (agent_a, agent_b) = (&net.node(a).agent, &net.node(b).agent);
    let (path_a, path_b) = (agent_a.data_path().unwrap(), agent_b.data_path().unwrap());
    assert_eq!(
        (path_a.local, path_a.remote),
        (address(1, 0), address(2, 0))
    );
    assert_eq!((path_b.local, path_b.remote), (path_a.remote, path_a.local));
    assert_eq!(agent_a.path_state(&path_a), PathState::Valid);
    assert_ne!(agent_a.role(), agent_b.role());
    for node in [a, b] {
        let node = net.node(node);
        assert!(node.saw(|event| *event == Event::Connected));
        assert!(node.drops.is_empty(), "{:?}", node.drops);
        assert!(node.agent.stats().pairs[0].nominated);
    }
}

#[test]
fn the_side_with_the_greater_credentials_controls() {
    for seed in 0..16 {
        let (mut net, a, b) = two_agents(seed, [Config::default(), Config::default()], [1, 1]);
        connect(&mut net, a, b, [1, 1]);
        let text = |node| {
            let credentials = net.node(node).agent.local_credentials();
            format!("{}:{}", credentials.ufrag(), credentials.password())
        };
        let (role_a, role_b) = (net.node(a).agent.role(), net.node(b).agent.role());
        assert_eq!(role_a == Role::Controlling, text(a) > text(b));
        assert_ne!(role_a, role_b);
    }
}

#[test]
fn strict_profile_connects_too() {
    let controlling = Config::rfc8445().role(RolePolicy::Controlling);
    let (mut net, a, b) = two_agents(3, [controlling, Config::rfc8445()], [2, 2]);
    connect(&mut net, a, b, [2, 2]);
    assert!(run_until_usable(&mut net, a, b, Duration::from_secs(2)));
    net.run_for(Duration::from_secs(2));
    let (path_a, path_b) = (net.node(a).agent.data_path(), net.node(b).agent.data_path());
    assert_eq!(path_a.unwrap().remote, path_b.unwrap().local);
}

#[test]
fn a_better_pair_that_works_later_takes_over_on_both_sides() {
    let (mut net, a, b) = two_agents(4, [Config::default(), Config::default()], [2, 2]);
    for other in [(0, 0), (0, 1), (1, 0)] {
        net.block(address(1, other.0), address(2, other.1));
    }
    connect(&mut net, a, b, [2, 2]);
    assert!(run_until_usable(&mut net, a, b, Duration::from_secs(1)));
    assert_eq!(
        net.node(a).agent.data_path(),
        Some(Path::udp(address(1, 1), address(2, 1)))
    );

    net.unblock(address(1, 0), address(2, 0));
    net.run_for(Duration::from_secs(5));

    assert_eq!(
        net.node(a).agent.data_path(),
        Some(Path::udp(address(1, 0), address(2, 0)))
    );
    assert_eq!(
        net.node(b).agent.data_path(),
        Some(Path::udp(address(2, 0), address(1, 0)))
    );
}

#[test]
fn ipv6_is_preferred_where_both_families_work() {
    let four = |side: u8| SocketAddr::from(([10, side, 0, 1], 5000));
    let six = |side: u16| SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, side], 5000));
    let mut net = Net::new(5).link(Link::perfect(Duration::from_millis(25)));
    let now = net.now();
    let addresses = [[four(1), six(1)], [four(2), six(2)]];
    let [a, b] = [1, 2].map(|seed: u8| {
        let addresses = addresses[usize::from(seed) - 1];
        net.add(
            Node::new(Config::default(), seed, &addresses, now),
            &addresses,
        )
    });
    signal_credentials(&mut net, a, b);
    signal_credentials(&mut net, b, a);
    signal_candidates(&mut net, a, b, &addresses[0]);
    signal_candidates(&mut net, b, a, &addresses[1]);
    for node in [a, b] {
        net.node_mut(node).agent.connect(now).unwrap();
    }
    net.run_for(Duration::from_secs(1));
    assert_eq!(
        net.node(a).agent.data_path(),
        Some(Path::udp(six(1), six(2)))
    );
    assert_eq!(
        net.node(a).agent.stats().pairs.len(),
        2,
        "families are not mixed"
    );
}

#[test]
fn behind_a_nat_the_local_candidate_of_the_pair_is_what_the_peer_saw() {
    let now = Net::<Node>::new(0).now();
    let (local, remote) = (address(1, 0), address(2, 0));
    let outside: SocketAddr = "192.0.2.7:61000".parse().unwrap();
    let mut agent = Node::new(Config::default(), 1, &[local], now).agent;
    agent.set_remote_credentials(puppet(), now).unwrap();
    let candidate = Candidate::remote("1", 1, 99, remote, CandidateKind::Host, None).unwrap();
    agent.add_remote_candidate(candidate, now).unwrap();
    agent.connect(now).unwrap();
    let request = sent(&mut agent, now).remove(0).1;

    deliver(
        &mut agent,
        local,
        remote,
        &answer(&request, &puppet(), outside, None),
        now,
    )
    .unwrap();

    let mut seen = None;
    while let Some(event) = agent.poll_event() {
        if let Event::ActivePair { local, path, .. } = event {
            seen = Some((local, path));
        }
    }
    let (candidate, path) = seen.unwrap();
    assert_eq!(
        (candidate.kind(), candidate.address()),
        (CandidateKind::PeerReflexive, outside)
    );
    assert_eq!(
        (candidate.base(), candidate.related_address()),
        (local, Some(local))
    );
    assert_eq!(
        path,
        Path::udp(local, remote),
        "data still leaves from the base"
    );
}

#[test]
fn foundations_are_shared_by_candidates_of_one_address_and_priorities_differ() {
    let now = Net::<Node>::new(0).now();
    let mut agent = Node::new(Config::default(), 1, &[], now).agent;
    let mut add = |text: &str| {
        let candidate = Candidate::host(text.parse().unwrap()).unwrap();
        agent.add_local_candidate(candidate, now).unwrap()
    };
    let first = add("10.0.0.1:1");
    let second = add("10.0.0.1:2");
    let third = add("10.0.0.2:1");
    let loopback = add("127.0.0.1:1");
    assert_eq!(first.foundation(), second.foundation());
    assert_ne!(first.foundation(), third.foundation());
    assert_eq!(add("10.0.0.1:1"), first, "known already");
    // RFC 8445 §5.1.2.1: type preference, local preference, 256 - component.
    assert_eq!(first.priority(), (126 << 24) + (65_534 << 8) + 255);
    assert!(first.priority() > second.priority() && third.priority() > loopback.priority());
    for wrong in [
        "0.0.0.0:1",
        "10.0.0.1:0",
        "224.0.0.1:1",
        "255.255.255.255:9",
        "[ff02::1]:1",
    ] {
        assert!(Candidate::host(wrong.parse().unwrap()).is_err(), "{wrong}");
    }
}
