//! Clocks that leap, options at the ends of their range, and calls in any order.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::time::Duration;
use std::time::Instant;

use ortc_ice::stun::{ErrorCode, Message};
use ortc_ice::{
    Agent, Candidate, CandidateKind, Config, DropReason, Event, PairState, PairStats, Role,
    RolePolicy,
};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{Check, Node, address, answer, deliver, puppet, run_alone, sent};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn patience_without_end_never_declares_failure() {
    let (mut agent, now, _) = checking_agent(Config::default().patience(Duration::MAX));
    let mut clock = now;
    while clock < now + HOUR {
        clock = run_alone(&mut agent, clock, now + HOUR).0;
    }
    assert_eq!(agent.stats().pairs[0].state, PairState::Failed);
    assert_eq!(agent.poll_event(), None);
    assert_eq!(agent.poll_timeout(), None);
}

#[test]
fn a_sleep_of_hours_in_the_middle_of_checking_is_no_reason_to_give_up() {
    let (mut agent, now, _) = checking_agent(Config::default());
    agent.end_of_remote_candidates(now);
    let now = now + 5 * HOUR;
    agent.handle_timeout(now);
    let (_, first) = sent(&mut agent, now).remove(0);
    // The peer is a tenth of a second away.
    let mut clock = now;
    let arrival = now + SECOND / 10;
    while clock < arrival {
        clock = run_alone(&mut agent, clock, arrival).0;
    }
    assert_eq!(agent.stats().pairs[0].state, PairState::InProgress);
    let good = answer(&first, &puppet(), address(1, 0), None);
    deliver(&mut agent, address(1, 0), address(2, 0), &good, arrival).unwrap();
    assert!(agent.data_path().is_some());
    while let Some(event) = agent.poll_event() {
        assert_ne!(event, Event::Failed);
    }
}

#[test]
fn pairs_that_wait_long_for_their_slots_are_given_up_all_the_same() {
    let (mut agent, now, _) = checking_agent(Config::default().ta(SECOND).unwrap());
    for index in 1..40 {
        let remote = Candidate::remote("1", 1, 99, address(2, index), CandidateKind::Host, None);
        agent.add_remote_candidate(remote.unwrap(), now).unwrap();
    }
    let end = now + HOUR;
    let mut clock = now;
    while clock < end {
        clock = run_alone(&mut agent, clock, end).0;
    }
    let failed = |pair: &PairStats| pair.state == PairState::Failed;
    assert!(agent.stats().pairs.iter().all(failed));
    assert_eq!(agent.poll_event(), Some(Event::Failed));
}

#[test]
fn an_answer_after_the_end_of_consent_comes_too_late_before_the_time_out_is_handled_as_well() {
    let (mut agent, now, first) = checking_agent(Config::default());
    let (local, remote) = (address(1, 0), address(2, 0));
    let good = answer(&first, &puppet(), local, None);
    deliver(&mut agent, local, remote, &good, now).unwrap();
    let expiry = now + 30 * SECOND;
    let mut clock = now;
    let mut last = None;
    while clock < expiry - SECOND / 100 {
        let (next, out) = run_alone(&mut agent, clock, expiry - SECOND / 100);
        clock = next;
        last = out.into_iter().last().or(last);
    }
    while agent.poll_event().is_some() {}
    // The embedder finds a datagram and a deadline at once, and takes the datagram first.
    let late = answer(&last.unwrap().1, &puppet(), local, None);
    let outcome = deliver(&mut agent, local, remote, &late, expiry);
    assert_eq!(outcome, Err(DropReason::UnknownTransaction));
    assert_eq!(agent.data_path(), None);
    assert_eq!(agent.poll_event(), Some(Event::ConsentExpired));
}

#[test]
fn after_a_sleep_no_pair_without_consent_takes_over_from_another() {
    let (mut agent, now) = five_valid_pairs(RolePolicy::Controlling);
    agent.handle_timeout(now + HOUR);
    let events: Vec<_> = core::iter::from_fn(|| agent.poll_event()).collect();
    assert_eq!(events, [Event::ConsentExpired]);
}

#[test]
fn after_a_sleep_the_peer_cannot_nominate_a_pair_without_consent() {
    let (mut agent, now) = five_valid_pairs(RolePolicy::Controlled);
    let mut check = Check::new(agent.local_credentials(), "puppet", 1);
    check.use_candidate = true;
    let path = agent.data_path().unwrap();
    let other = (0..5)
        .map(|index| address(2, index))
        .find(|other| *other != path.remote);
    deliver(
        &mut agent,
        path.local,
        other.unwrap(),
        &check.encode(),
        now + HOUR,
    )
    .unwrap();
    let events: Vec<_> = core::iter::from_fn(|| agent.poll_event()).collect();
    assert_eq!(events, [Event::ConsentExpired]);
}

#[test]
fn an_answer_that_waited_for_an_hour_does_not_slow_the_checks_down() {
    let (mut agent, now, first) = checking_agent(Config::default());
    let (local, remote) = (address(1, 0), address(2, 0));
    let good = answer(&first, &puppet(), local, None);
    // The datagram lay in the socket while the embedder slept.
    let now = now + HOUR;
    deliver(&mut agent, local, remote, &good, now).unwrap();
    assert_eq!(agent.stats().pairs[0].rtt, Some(HOUR));
    // Nobody answers any more: the path is suspected as soon as after a long round trip.
    let end = now + 25 * SECOND;
    let mut clock = now;
    while clock < end {
        clock = run_alone(&mut agent, clock, end).0;
    }
    let suspected = core::iter::from_fn(|| agent.poll_event())
        .any(|event| matches!(event, Event::PathSuspected(_)));
    assert!(suspected);
}

#[test]
fn a_clock_that_runs_backwards_stands_still() {
    let (mut agent, now, first) = checking_agent(Config::default());
    let later = now + SECOND;
    agent.handle_timeout(later);
    sent(&mut agent, later);
    let before = agent.poll_timeout();
    agent.handle_timeout(now);
    assert!(sent(&mut agent, now).is_empty());
    assert_eq!(agent.poll_timeout(), before);
    let good = answer(&first, &puppet(), address(1, 0), None);
    deliver(&mut agent, address(1, 0), address(2, 0), &good, now).unwrap();
    assert_eq!(agent.stats().pairs[0].rtt, Some(SECOND));
}

#[test]
fn a_restart_before_connect_leaves_the_role_to_the_credentials() {
    let now = Net::<Node>::new(0).now();
    for seed in 0..8 {
        let mut agents = [seed, seed + 100]
            .map(|seed| Node::new(Config::default(), seed, &[address(1, 0)], now).agent);
        agents[0].restart(now);
        let theirs = agents
            .each_ref()
            .map(|agent| agent.local_credentials().clone());
        agents[0]
            .set_remote_credentials(theirs[1].clone(), now)
            .unwrap();
        agents[1]
            .set_remote_credentials(theirs[0].clone(), now)
            .unwrap();
        let mut roles = agents.each_ref().map(Agent::role);
        roles.sort();
        assert_eq!(roles, [Role::Controlling, Role::Controlled]);
    }
}

#[test]
fn a_pair_that_was_refused_is_not_repeated_from_the_queue() {
    // With slots a second apart, the repetition waits for one when the refusal comes.
    let config = Config::default().ta(SECOND).unwrap();
    let (mut agent, now, first) = checking_agent(config);
    let now = now + SECOND / 10;
    agent.handle_timeout(now);
    assert!(sent(&mut agent, now).is_empty());
    let refused = answer(
        &first,
        &puppet(),
        address(1, 0),
        Some(ErrorCode::BAD_REQUEST),
    );
    deliver(&mut agent, address(1, 0), address(2, 0), &refused, now).unwrap();
    assert_eq!(agent.stats().pairs[0].state, PairState::Failed);
    let (_, out) = run_alone(&mut agent, now, now + 10 * SECOND);
    assert!(out.is_empty(), "nobody asked for another check");
}

#[test]
fn a_pair_that_was_refused_while_the_peer_checks_it_is_checked_again() {
    let config = Config::default().role(RolePolicy::Controlled).ta(SECOND);
    let (mut agent, now, first) = checking_agent(config.unwrap());
    agent.end_of_remote_candidates(now);
    let now = now + SECOND / 10;
    let check = Check::new(agent.local_credentials(), "puppet", 1).encode();
    deliver(&mut agent, address(1, 0), address(2, 0), &check, now).unwrap();
    let refused = answer(
        &first,
        &puppet(),
        address(1, 0),
        Some(ErrorCode::BAD_REQUEST),
    );
    deliver(&mut agent, address(1, 0), address(2, 0), &refused, now).unwrap();
    assert_eq!(agent.stats().pairs[0].state, PairState::Waiting);
    sent(&mut agent, now);
    let (_, out) = run_alone(&mut agent, now, now + 2 * SECOND);
    let again = Message::parse(&out[0].1).unwrap();
    assert_ne!(
        Some(again.transaction_id()),
        Message::parse(&first).ok().map(|m| m.transaction_id())
    );
    assert_eq!(agent.stats().pairs[0].state, PairState::InProgress);
}

/// An agent whose five pairs are all valid, and which has nothing to tell.
fn five_valid_pairs(role: RolePolicy) -> (Agent, Instant) {
    let (mut agent, mut now, first) = checking_agent(Config::default().role(role));
    let local = address(1, 0);
    let mut remotes = vec![(address(2, 0), first)];
    for index in 1..5 {
        let remote = Candidate::remote("1", 1, 99, address(2, index), CandidateKind::Host, None);
        agent.add_remote_candidate(remote.unwrap(), now).unwrap();
    }
    let end = now + SECOND / 10;
    while now < end {
        for (remote, check) in core::mem::take(&mut remotes) {
            let good = answer(&check, &puppet(), local, None);
            deliver(&mut agent, local, remote, &good, now).unwrap();
        }
        (now, remotes) = run_alone(&mut agent, now, end);
    }
    let succeeded = |pair: &PairStats| pair.state == PairState::Succeeded;
    assert!(agent.stats().pairs.iter().all(succeeded));
    while agent.poll_event().is_some() {}
    (agent, now)
}

/// An agent that has just begun to check one candidate of a peer played by hand, and its first
/// check.
fn checking_agent(config: Config) -> (Agent, Instant, Vec<u8>) {
    let now = Net::<Node>::new(0).now();
    let mut agent = Node::new(config, 1, &[address(1, 0)], now).agent;
    agent.set_remote_credentials(puppet(), now).unwrap();
    let candidate = Candidate::remote("1", 1, 99, address(2, 0), CandidateKind::Host, None);
    agent.add_remote_candidate(candidate.unwrap(), now).unwrap();
    agent.connect(now).unwrap();
    while agent.poll_event().is_some() {}
    let first = sent(&mut agent, now).remove(0).1;
    (agent, now, first)
}
