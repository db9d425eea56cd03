//! Candidates and credentials in any order (RFC 8838), checks that come too early, and the
//! patience of RFC 8863.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::net::SocketAddr;
use core::time::Duration;

use ortc_ice::stun::{Class, Message};
use ortc_ice::{
    AgentError, Candidate, CandidateKind, Config, DropReason, Event, PairState, Path, PathState,
    RolePolicy,
};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{
    Check, Node, address, deliver, puppet, run_alone, run_until_usable, sent, signal_candidates,
    signal_credentials, two_agents,
};

const SECOND: Duration = Duration::from_secs(1);

fn defaults() -> [Config; 2] {
    [Config::default(), Config::default()]
}

#[test]
fn connect_without_remote_credentials_is_an_error() {
    let now = Net::<Node>::new(0).now();
    let mut agent = Node::new(Config::default(), 1, &[], now).agent;
    assert_eq!(agent.connect(now), Err(AgentError::NoRemoteCredentials));
    assert_eq!(agent.poll_timeout(), None);
}

#[test]
fn candidates_of_both_sides_may_come_after_connect() {
    let (mut net, a, b) = two_agents(1, defaults(), [1, 1]);
    signal_credentials(&mut net, a, b);
    signal_credentials(&mut net, b, a);
    for node in [a, b] {
        let now = net.now();
        net.node_mut(node).agent.connect(now).unwrap();
    }
    net.run_for(SECOND);
    assert!(net.log.is_empty(), "there is nothing to check yet");
    signal_candidates(&mut net, a, b, &[address(1, 0)]);
    assert!(
        run_until_usable(&mut net, a, b, SECOND),
        "one side's candidates are enough"
    );
    let learned = net.node(a).agent.stats().pairs;
    assert_eq!(learned.len(), 1);
}

#[test]
fn a_peer_that_checks_before_its_credentials_are_known_is_answered_and_remembered() {
    let (mut net, a, b) = two_agents(2, defaults(), [1, 1]);
    signal_credentials(&mut net, a, b);
    signal_candidates(&mut net, a, b, &[address(1, 0)]);
    let now = net.now();
    net.node_mut(b).agent.connect(now).unwrap();
    net.run_for(SECOND);

    // B's check succeeded, so B may send; A knows nobody yet, and only listens.
    assert!(net.node(b).agent.data_path().is_some());
    let path = Path::udp(address(1, 0), address(2, 0));
    assert_eq!(
        net.node(a).agent.path_state(&path),
        PathState::CheckReceived
    );
    assert_eq!(net.node(a).agent.data_path(), None);

    // No candidate of B is ever signalled: the early check is all that A needs.
    signal_credentials(&mut net, b, a);
    let (start, now) = (net.elapsed(), net.now());
    net.node_mut(a).agent.connect(now).unwrap();
    assert!(run_until_usable(&mut net, a, b, SECOND));
    assert_eq!(net.elapsed() - start, Duration::from_millis(50));
    assert_eq!(net.node(a).agent.path_state(&path), PathState::Valid);
}

#[test]
fn early_checks_are_remembered_up_to_one_hundred() {
    let now = Net::<Node>::new(0).now();
    let mut agent = Node::new(Config::default(), 1, &[address(1, 0)], now).agent;
    let credentials = agent.local_credentials().clone();
    for number in 0..1000 {
        let check = Check::new(&credentials, puppet().ufrag(), number);
        let remote = from(number);
        deliver(&mut agent, address(1, 0), remote, &check.encode(), now).unwrap();
        assert_eq!(sent(&mut agent, now).len(), 1, "each is answered at once");
    }
    assert_eq!(agent.stats().counters.early_checks_forgotten, 900);
    agent.set_remote_credentials(puppet(), now).unwrap();
    agent.connect(now).unwrap();
    assert_eq!(agent.stats().pairs.len(), 100);
}

#[test]
fn a_peer_reflexive_candidate_that_is_signalled_later_keeps_pair_state_and_nomination() {
    let controlling = Config::default().role(RolePolicy::Controlling);
    let (mut net, a, b) = two_agents(3, [controlling, Config::default()], [1, 1]);
    signal_credentials(&mut net, a, b);
    signal_credentials(&mut net, b, a);
    signal_candidates(&mut net, a, b, &[address(1, 0)]);
    for node in [a, b] {
        let now = net.now();
        net.node_mut(node).agent.connect(now).unwrap();
    }
    net.run_for(SECOND);
    let before = net.node(a).agent.stats().pairs;
    assert_eq!(
        (before.len(), before[0].state, before[0].nominated),
        (1, PairState::Succeeded, true)
    );
    let events = net.node(a).events.len();
    let was_reflexive = |event: &Event| matches!(event, Event::ActivePair { remote, .. } if remote.kind() == CandidateKind::PeerReflexive);
    assert!(net.node(a).saw(was_reflexive));

    signal_candidates(&mut net, b, a, &[address(2, 0)]);
    net.run_for(SECOND);

    let after = net.node(a).agent.stats().pairs;
    assert_eq!(
        (after.len(), after[0].state, after[0].nominated),
        (1, PairState::Succeeded, true)
    );
    assert!(after[0].active && after[0].priority > before[0].priority);
    assert_eq!(
        net.node(a).events.len(),
        events,
        "nothing changed for the embedder"
    );
}

#[test]
fn failure_waits_for_patience_without_the_end_of_candidates() {
    let (first, failed) = time_to_failure(Config::default(), false);
    assert_eq!(failed - first, Duration::from_millis(39_500));
}

#[test]
fn failure_after_the_end_of_candidates_waits_for_the_last_pair_only() {
    let (first, failed) = time_to_failure(Config::default(), true);
    assert_eq!(failed - first, Duration::from_secs(30));
}

#[test]
fn the_strict_profile_retransmits_as_the_rfc_says_and_waits_for_patience() {
    let now = Net::<Node>::new(0).now();
    let mut node = silent_peer(Config::rfc8445(), now);
    node.agent.end_of_remote_candidates(now);
    let (mut clock, mut at, mut ids) = (now, Vec::new(), Vec::new());
    while clock < now + Duration::from_secs(60) {
        let (next, out) = run_alone(&mut node.agent, clock, now + Duration::from_secs(60));
        clock = next;
        for (_, bytes) in out {
            at.push((clock - now).as_millis());
            ids.push(Message::parse(&bytes).unwrap().transaction_id());
        }
    }
    // RFC 8489 §6.2.1: one transaction.
    assert_eq!(at, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    ids.dedup();
    assert_eq!(ids.len(), 1);
    node.drain(clock);
    assert!(node.saw(|event| *event == Event::Failed));
}

#[test]
fn never_failed_while_the_peer_still_reaches_us() {
    let now = Net::<Node>::new(0).now();
    let mut node = silent_peer(Config::default(), now);
    node.agent.end_of_remote_candidates(now);
    let credentials = node.agent.local_credentials().clone();
    let mut clock = now;
    for number in 0..60 {
        // The peer's checks arrive, and our own are never answered.
        let check = Check::new(&credentials, puppet().ufrag(), number);
        deliver(
            &mut node.agent,
            address(1, 0),
            address(2, 0),
            &check.encode(),
            clock,
        )
        .unwrap();
        let end = clock + 5 * SECOND;
        while clock < end {
            clock = run_alone(&mut node.agent, clock, end).0;
        }
        node.drain(clock);
    }
    assert!(!node.saw(|event| *event == Event::Failed));
    assert_eq!(
        node.agent.data_path(),
        None,
        "and nothing is sent there but checks"
    );
}

#[test]
fn a_candidate_after_failure_is_tried() {
    let (mut net, a, b) = two_agents(5, defaults(), [1, 1]);
    signal_credentials(&mut net, a, b);
    signal_credentials(&mut net, b, a);
    for node in [a, b] {
        let now = net.now();
        net.node_mut(node).agent.connect(now).unwrap();
        net.node_mut(node).agent.end_of_remote_candidates(now);
    }
    net.run_for(45 * SECOND);
    assert!(net.node(a).saw(|event| *event == Event::Failed));
    signal_candidates(&mut net, b, a, &[address(2, 0)]);
    assert!(run_until_usable(&mut net, a, b, SECOND));
}

#[test]
fn candidates_of_another_component_or_beyond_the_bound_are_errors() {
    let now = Net::<Node>::new(0).now();
    let config = Config::default().max_remote_candidates(2).unwrap();
    let mut agent = Node::new(config, 1, &[address(1, 0)], now).agent;
    let remote = |component, index| {
        let address = address(2, index);
        Candidate::remote("1", component, 1, address, CandidateKind::Host, None).unwrap()
    };
    assert_eq!(
        agent.add_remote_candidate(remote(2, 0), now),
        Err(AgentError::Component)
    );
    assert_eq!(agent.add_remote_candidate(remote(1, 0), now), Ok(()));
    assert_eq!(
        agent.add_remote_candidate(remote(1, 0), now),
        Ok(()),
        "known already"
    );
    assert_eq!(agent.add_remote_candidate(remote(1, 1), now), Ok(()));
    let third = agent.add_remote_candidate(remote(1, 2), now);
    assert_eq!(third, Err(AgentError::TooManyCandidates));
}

#[test]
fn requests_are_answered_before_connect_too() {
    let now = Net::<Node>::new(0).now();
    let mut agent = Node::new(Config::default(), 1, &[address(1, 0)], now).agent;
    let check = Check::new(agent.local_credentials(), "puppet", 1);
    deliver(
        &mut agent,
        address(1, 0),
        address(2, 0),
        &check.encode(),
        now,
    )
    .unwrap();
    let out = sent(&mut agent, now);
    let message = Message::parse(&out[0].1).unwrap();
    assert_eq!(
        (message.class(), message.xor_mapped_address()),
        (Class::Success, Some(address(2, 0)))
    );
    let elsewhere = deliver(
        &mut agent,
        address(1, 7),
        address(2, 0),
        &check.encode(),
        now,
    );
    assert_eq!(elsewhere, Err(DropReason::UnknownLocal));
}

fn from(number: u32) -> SocketAddr {
    let [_, _, high, low] = number.to_be_bytes();
    SocketAddr::from(([10, 9, high, low], 4000))
}

/// An agent that checks one candidate behind which nobody answers.
fn silent_peer(config: Config, now: std::time::Instant) -> Node {
    let mut node = Node::new(config, 1, &[address(1, 0)], now);
    node.agent.set_remote_credentials(puppet(), now).unwrap();
    let candidate = Candidate::remote("1", 1, 99, address(2, 0), CandidateKind::Host, None);
    node.agent
        .add_remote_candidate(candidate.unwrap(), now)
        .unwrap();
    node.agent.connect(now).unwrap();
    node
}

fn time_to_failure(config: Config, ended: bool) -> (std::time::Instant, std::time::Instant) {
    let now = Net::<Node>::new(0).now();
    let mut node = silent_peer(config, now);
    if ended {
        node.agent.end_of_remote_candidates(now);
    }
    let mut clock = now;
    while !node.saw(|event| *event == Event::Failed) {
        let timeout = node.agent.poll_timeout().unwrap();
        clock = clock.max(timeout.at);
        sent(&mut node.agent, clock);
        node.agent.handle_timeout(clock);
        node.drain(clock);
    }
    assert_eq!(node.agent.poll_timeout(), None, "nothing is left to do");
    (now, clock)
}
