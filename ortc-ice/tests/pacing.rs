//! `Ta` shared by all agents of one socket.

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use ortc_ice::stun::{Class, Message};
use ortc_ice::{Agent, Candidate, CandidateKind, Config, ConfigError, Pacer, RolePolicy};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{Node, address, answer, deliver, puppet, sent};

const MS: Duration = Duration::from_millis(1);
const TA: Duration = Duration::from_millis(5);

#[test]
fn slots_go_round_and_keep_their_distance() {
    let now = Net::<Node>::new(0).now();
    let mut pacer = Pacer::new(TA, now).unwrap();
    for id in [3, 1, 2, 1] {
        pacer.want(id, now);
    }
    let mut given = Vec::new();
    while let Some(at) = pacer.poll_timeout() {
        assert_eq!(pacer.next(at - Duration::from_nanos(1)), None);
        let id = pacer.next(at).unwrap();
        given.push((at - now, id));
        if given.len() < 5 {
            pacer.want(id, at);
        }
    }
    let slots = (0..).map(|slot| TA * slot);
    let expected: Vec<_> = slots.zip([3, 1, 2, 3, 1, 2, 3]).collect();
    assert_eq!(given, expected);
}

#[test]
fn a_slot_that_was_not_used_goes_to_the_next_and_one_that_is_closed_gets_none() {
    let now = Net::<Node>::new(0).now();
    let mut pacer = Pacer::new(TA, now).unwrap();
    for id in [1, 2, 3] {
        pacer.want(id, now);
    }
    assert_eq!(pacer.next(now), Some(1));
    pacer.put_back();
    pacer.remove(2);
    assert_eq!(pacer.next(now), Some(3));
    assert_eq!(pacer.next(now), None);
    assert_eq!(pacer.poll_timeout(), None);
}

#[test]
fn a_late_call_catches_up_on_eight_slots_and_idle_ones_are_gone() {
    let now = Net::<Node>::new(0).now();
    let mut pacer = Pacer::new(TA, now).unwrap();
    (0..100).for_each(|id| pacer.want(id, now));
    let late = now + Duration::from_secs(60);
    assert_eq!(core::iter::from_fn(|| pacer.next(late)).count(), 9);
    let mut pacer = Pacer::new(TA, now).unwrap();
    (0..100).for_each(|id| pacer.want(id, late));
    assert_eq!(core::iter::from_fn(|| pacer.next(late)).count(), 1);
    assert_eq!(Pacer::<u8>::new(MS, now).err(), Some(ConfigError::Ta));
}

/// Fifty sessions begin at once on one socket: what leaves it is what one would send, and all of
/// them come up.
#[test]
fn fifty_agents_of_one_socket_start_no_more_checks_than_one() {
    let mut now = Net::<Node>::new(0).now();
    let mut pacer = Pacer::new(TA, now).unwrap();
    let config = Config::default()
        .role(RolePolicy::Controlled)
        .external_pacing(true);
    let mut agents: BTreeMap<u8, Agent> = BTreeMap::new();
    for id in 0..50 {
        let mut agent = Node::new(config.clone(), id, &[address(1, 0)], now).agent;
        agent.set_remote_credentials(puppet(), now).unwrap();
        for index in 0..4 {
            let candidate =
                Candidate::remote("1", 1, 99, address(2, index), CandidateKind::Host, None);
            agent.add_remote_candidate(candidate.unwrap(), now).unwrap();
        }
        agent.connect(now).unwrap();
        assert!(sent(&mut agent, now).is_empty(), "no slot was granted");
        agents.insert(id, agent);
    }
    let mut checks: Vec<Instant> = Vec::new();
    let start = now;
    let end = now + Duration::from_secs(2);
    while now < end {
        for (id, agent) in &mut agents {
            agent.handle_timeout(now);
            if agent.wants_slot() {
                pacer.want(*id, now);
            }
        }
        while let Some(id) = pacer.next(now) {
            let agent = agents.get_mut(&id).unwrap();
            assert!(agent.grant_slot(now));
            if agent.wants_slot() {
                pacer.want(id, now);
            }
        }
        for agent in agents.values_mut() {
            for (remote, request) in sent(agent, now) {
                checks.push(now);
                let good = answer(&request, &puppet(), address(1, 0), None);
                deliver(agent, address(1, 0), remote, &good, now).unwrap();
            }
        }
        let deadlines = agents.values().filter_map(|agent| agent.poll_timeout());
        let next = deadlines
            .map(|timeout| timeout.at)
            .chain(pacer.poll_timeout())
            .min();
        now = next.unwrap().max(now);
    }
    assert!(
        checks.windows(2).all(|pair| pair[1] - pair[0] >= TA),
        "{checks:?}"
    );
    assert!(agents.values().all(|agent| agent.data_path().is_some()));
    let all = *checks.get(199).unwrap();
    assert_eq!(
        all - start,
        TA * 199,
        "4 pairs of 50 agents, no slot wasted"
    );
}

/// Consent is no connectivity check: it leaves when it is due, however many sessions there are.
#[test]
fn consent_checks_need_no_slot() {
    let now = Net::<Node>::new(0).now();
    let config = Config::default()
        .role(RolePolicy::Controlled)
        .external_pacing(true);
    let mut agent = Node::new(config, 1, &[address(1, 0)], now).agent;
    agent.set_remote_credentials(puppet(), now).unwrap();
    let candidate = Candidate::remote("1", 1, 99, address(2, 0), CandidateKind::Host, None);
    agent.add_remote_candidate(candidate.unwrap(), now).unwrap();
    agent.connect(now).unwrap();
    assert_eq!(agent.next_slot_wanted(), Some(now));
    assert!(agent.grant_slot(now));
    let mut clock = now;
    let mut consents = 0;
    while clock < now + Duration::from_secs(60) {
        for (remote, request) in sent(&mut agent, clock) {
            assert_eq!(Message::parse(&request).unwrap().class(), Class::Request);
            let good = answer(&request, &puppet(), address(1, 0), None);
            deliver(&mut agent, address(1, 0), remote, &good, clock).unwrap();
            consents += 1;
        }
        assert!(!agent.wants_slot());
        clock = agent.poll_timeout().unwrap().at;
        agent.handle_timeout(clock);
    }
    assert!(consents > 10);
    assert!(!agent.grant_slot(clock), "nothing waits for one");
}

/// The slots of an agent that paces itself are its own.
#[test]
fn without_the_option_a_slot_from_outside_is_not_used() {
    let now = Net::<Node>::new(0).now();
    let mut agent = Node::new(Config::default(), 1, &[address(1, 0)], now).agent;
    agent.set_remote_credentials(puppet(), now).unwrap();
    for index in 0..4 {
        let candidate = Candidate::remote("1", 1, 99, address(2, index), CandidateKind::Host, None);
        agent.add_remote_candidate(candidate.unwrap(), now).unwrap();
    }
    agent.connect(now).unwrap();
    assert_eq!(sent(&mut agent, now).len(), 1);
    assert!(!agent.grant_slot(now) && !agent.wants_slot());
    assert!(sent(&mut agent, now).is_empty());
    assert_eq!(agent.next_slot_wanted(), Some(now + TA));
}
