//! Consent (RFC 7675), keepalives, and paths that break.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::time::Duration;
use std::time::Instant;

use ortc_ice::stun::{Class, Message};
use ortc_ice::{
    Agent, Candidate, CandidateKind, Config, DropReason, Event, Path, PathState, RolePolicy,
};
use ortc_testkit::link::Link;
use ortc_testkit::net::{Net, NodeId};
use ortc_testkit::props::ice::{
    Check, Node, address, answer, connect, deliver, puppet, run_alone, run_until_usable, sent,
    two_agents,
};

const SECOND: Duration = Duration::from_secs(1);

fn connected(candidates: usize) -> (Net<Node>, NodeId, NodeId) {
    let controlling = Config::default().role(RolePolicy::Controlling);
    let counts = [candidates, candidates];
    let (mut net, a, b) = two_agents(9, [controlling, Config::default()], counts);
    connect(&mut net, a, b, counts);
    assert!(run_until_usable(&mut net, a, b, SECOND));
    net.run_for(SECOND);
    net.log.clear();
    (net, a, b)
}

#[test]
fn consent_is_asked_for_every_four_to_six_seconds_at_random() {
    let (mut net, a, _) = connected(1);
    net.run_for(300 * SECOND);
    let requests = requests_of(&net, a);
    let gaps: Vec<_> = requests.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let slack = Duration::from_millis(50); // from the answer, not from the question
    assert!(
        gaps.iter()
            .all(|gap| (4 * SECOND..=6 * SECOND + slack).contains(gap)),
        "{gaps:?}"
    );
    let (least, most) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
    assert!(*most - *least > SECOND, "{least:?} to {most:?}");
}

#[test]
fn an_idle_agent_wakes_for_consent_only() {
    let (mut net, a, _) = connected(1);
    let mut wakes = 0;
    let end = net.now() + 60 * SECOND;
    while net.now() < end {
        let next = net.next_event().unwrap();
        net.run_until(next, |_| false);
        wakes += 1;
    }
    let requests = requests_of(&net, a).len();
    assert!(
        requests >= 10 && wakes <= requests * 8,
        "{wakes} wakes for {requests} checks"
    );
}

#[test]
fn consent_expires_thirty_seconds_after_the_last_answer_and_nothing_may_be_sent() {
    let (mut net, a, b) = connected(1);
    let last_answer = net
        .log
        .iter()
        .filter(|sent| sent.by == b)
        .map(|sent| sent.at + Duration::from_millis(25))
        .max()
        .unwrap_or(net.now());
    net.block(address(1, 0), address(2, 0));
    let blocked = net.now();
    assert!(net.run_until(blocked + 40 * SECOND, |net| {
        net.node(a).agent.data_path().is_none()
    }));
    let silent = net.now() - blocked;
    assert!(
        silent <= 30 * SECOND && net.now() - last_answer <= 31 * SECOND,
        "{silent:?}"
    );
    assert!(silent >= 24 * SECOND, "{silent:?}");
    let (at, event) = net.node(a).events.last().unwrap();
    assert_eq!((at, event), (&net.now(), &Event::ConsentExpired));
    let path = Path::udp(address(1, 0), address(2, 0));
    assert_ne!(net.node(a).agent.path_state(&path), PathState::Valid);
}

#[test]
fn a_new_successful_check_gives_consent_again() {
    let (mut net, a, b) = connected(1);
    net.block(address(1, 0), address(2, 0));
    net.run_for(40 * SECOND);
    assert!(net.node(a).agent.data_path().is_none() && net.node(b).agent.data_path().is_none());
    net.unblock(address(1, 0), address(2, 0));
    assert!(run_until_usable(&mut net, a, b, 3 * SECOND));
    let connected = |event: &&(Instant, Event)| event.1 == Event::Connected;
    assert_eq!(net.node(a).events.iter().filter(connected).count(), 2);
    assert!(!net.node(a).saw(|event| *event == Event::Failed));
}

#[test]
fn answers_that_come_after_the_end_of_consent_do_not_revive_it() {
    let (mut agent, mut now, first) = checking_agent();
    let local = address(1, 0);
    deliver(
        &mut agent,
        local,
        address(2, 0),
        &answer(&first, &puppet(), local, None),
        now,
    )
    .unwrap();
    let expiry = now + 30 * SECOND;
    let mut late = Vec::new();
    while agent.data_path().is_some() {
        let (next, out) = run_alone(&mut agent, now, expiry);
        late.extend(
            out.into_iter()
                .map(|(_, bytes)| bytes)
                .filter(|_| next < expiry),
        );
        now = next;
        agent.handle_timeout(now);
    }
    assert_eq!(now, expiry);
    assert!(late.len() > 5);
    for request in &late {
        let outcome = deliver(
            &mut agent,
            local,
            address(2, 0),
            &answer(request, &puppet(), local, None),
            now,
        );
        assert_eq!(outcome, Err(DropReason::UnknownTransaction));
    }
    assert_eq!(agent.data_path(), None);
    // A check that is sent now is another matter.
    let (now, out) = run_alone(&mut agent, now, now + SECOND);
    let fresh = answer(&out.last().unwrap().1, &puppet(), local, None);
    deliver(&mut agent, local, address(2, 0), &fresh, now).unwrap();
    assert!(agent.data_path().is_some());
}

#[test]
fn one_lost_consent_check_neither_suspects_nor_ends_anything() {
    let (mut net, a, b) = connected(2);
    let events = net.node(a).events.len();
    for _ in 0..20 {
        // The next datagram of A and what follows in half a second is lost.
        let sent = net.log.len();
        net.run_until(net.now() + 10 * SECOND, |net| net.log.len() > sent);
        net.set_link(Link::black_hole());
        net.run_for(Duration::from_millis(450));
        net.set_link(Link::perfect(Duration::from_millis(25)));
        net.run_for(2 * SECOND);
    }
    assert_eq!(net.node(a).events.len(), events, "{:?}", net.node(a).events);
    assert!(net.node(b).agent.data_path().is_some());
}

#[test]
fn a_broken_path_is_left_for_another_within_three_seconds_of_the_last_packet() {
    let (mut net, a, b) = connected(2);
    let old = net.node(a).agent.data_path().unwrap();
    let traffic = |net: &mut Net<Node>, span: Duration| {
        let end = net.now() + span;
        while net.now() < end {
            let now = net.now();
            for node in [a, b] {
                let path = net.node(node).agent.data_path().unwrap();
                net.node_mut(node).agent.authenticated_traffic(path, now);
            }
            net.run_for(Duration::from_millis(20));
        }
    };
    traffic(&mut net, 12 * SECOND);
    net.block(old.local, old.remote);
    let broken = net.now();

    let moved = |net: &mut Net<Node>| {
        let path = |node| net.node(node).agent.data_path().unwrap();
        path(a) != old && path(b).local == path(a).remote && path(b).remote == path(a).local
    };
    assert!(net.run_until(broken + 10 * SECOND, moved));
    let took = net.now() - broken;
    println!("failover took {took:?}");
    assert!(took <= 3 * SECOND, "{took:?}");
    assert!(net.node(a).saw(|event| *event == Event::PathSuspected(old)));
    assert!(!net.node(a).saw(|event| *event == Event::ConsentExpired));

    // Once the old path works again and has done so for a while, it is the better one.
    net.unblock(old.local, old.remote);
    net.run_for(60 * SECOND);
    assert_eq!(net.node(a).agent.data_path(), Some(old));
    assert_eq!(net.node(b).agent.data_path().unwrap().remote, old.local);
}

#[test]
fn nothing_is_suspected_while_authenticated_traffic_arrives() {
    let (mut agent, mut now, first) = checking_agent();
    let local = address(1, 0);
    deliver(
        &mut agent,
        local,
        address(2, 0),
        &answer(&first, &puppet(), local, None),
        now,
    )
    .unwrap();
    let path = agent.data_path().unwrap();
    let end = now + 29 * SECOND;
    while now < end {
        now = run_alone(&mut agent, now, now + Duration::from_millis(20)).0;
        agent.authenticated_traffic(path, now);
        agent.handle_timeout(now);
    }
    while let Some(event) = agent.poll_event() {
        assert!(!matches!(event, Event::PathSuspected(_)));
    }
    // Traffic of the peer is not consent (RFC 7675 §5.1).
    agent.handle_timeout(now + SECOND);
    assert_eq!(agent.data_path(), None);
}

#[test]
fn a_check_on_a_valid_pair_is_answered_and_triggers_nothing() {
    let (mut agent, now, first) = checking_agent();
    let (local, remote) = (address(1, 0), address(2, 0));
    deliver(
        &mut agent,
        local,
        remote,
        &answer(&first, &puppet(), local, None),
        now,
    )
    .unwrap();
    sent(&mut agent, now);
    for number in 0..100 {
        let mut check = Check::new(agent.local_credentials(), "puppet", number);
        check.use_candidate = true;
        deliver(&mut agent, local, remote, &check.encode(), now).unwrap();
        let out = sent(&mut agent, now);
        assert_eq!(out.len(), 1);
        assert_eq!(Message::parse(&out[0].1).unwrap().class(), Class::Success);
    }
}

#[test]
fn the_controlled_side_sends_only_after_its_own_check_succeeded() {
    let (mut agent, now, first) = checking_agent();
    let (local, remote) = (address(1, 0), address(2, 0));
    let path = Path::udp(local, remote);
    let mut check = Check::new(agent.local_credentials(), "puppet", 1);
    check.use_candidate = true;
    deliver(&mut agent, local, remote, &check.encode(), now).unwrap();
    assert_eq!(agent.data_path(), None);
    assert_eq!(agent.path_state(&path), PathState::CheckReceived);
    deliver(
        &mut agent,
        local,
        remote,
        &answer(&first, &puppet(), local, None),
        now,
    )
    .unwrap();
    assert_eq!(agent.data_path(), Some(path));
    assert!(
        agent.stats().pairs[0].nominated,
        "the wish was kept for this moment"
    );
}

fn requests_of(net: &Net<Node>, node: NodeId) -> Vec<Instant> {
    net.log
        .iter()
        .filter(|sent| {
            sent.by == node && Message::parse(&sent.contents).unwrap().class() == Class::Request
        })
        .map(|sent| sent.at)
        .collect()
}

/// A controlled agent that has just begun to check one candidate of a peer played by hand, and
/// its first check.
fn checking_agent() -> (Agent, Instant, Vec<u8>) {
    let now = Net::<Node>::new(0).now();
    let config = Config::default().role(RolePolicy::Controlled);
    let mut agent = Node::new(config, 1, &[address(1, 0)], now).agent;
    agent.set_remote_credentials(puppet(), now).unwrap();
    let candidate = Candidate::remote("1", 1, 99, address(2, 0), CandidateKind::Host, None);
    agent.add_remote_candidate(candidate.unwrap(), now).unwrap();
    agent.connect(now).unwrap();
    let first = sent(&mut agent, now).remove(0).1;
    (agent, now, first)
}
