//! What a datagram costs: no allocation, nothing that grows, and the same with many pairs.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::time::Duration;
use std::time::Instant;

use allocation_counter::measure;
use ortc_ice::stun::{Class, Message};
use ortc_ice::{Agent, Candidate, CandidateKind, Config, Datagram, Path, RolePolicy};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{Check, Node, address, answer, deliver, puppet, sent};

const SECOND: Duration = Duration::from_secs(1);

/// An agent with this many pairs.
fn agent(pairs: usize) -> (Agent, Instant) {
    let now = Net::<Node>::new(0).now();
    let config = Config::default().role(RolePolicy::Controlled);
    let mut agent = Node::new(config, 1, &[address(1, 0)], now).agent;
    agent.set_remote_credentials(puppet(), now).unwrap();
    for index in 0..pairs {
        let remote = Candidate::remote("1", 1, 99, address(2, index), CandidateKind::Host, None);
        agent.add_remote_candidate(remote.unwrap(), now).unwrap();
    }
    agent.connect(now).unwrap();
    (agent, now)
}

/// The same, and all pairs are valid.
fn valid(pairs: usize) -> (Agent, Instant) {
    let (mut agent, mut now) = agent(pairs);
    run(&mut agent, &mut now, SECOND);
    while agent.poll_event().is_some() {}
    (agent, now)
}

/// Lets time pass with a peer that answers; how many checks there were.
fn run(agent: &mut Agent, now: &mut Instant, span: Duration) -> u32 {
    let end = *now + span;
    let mut checks = 0;
    while *now < end {
        for (remote, request) in sent(agent, *now) {
            if Message::parse(&request).unwrap().class() == Class::Request {
                let good = answer(&request, &puppet(), address(1, 0), None);
                deliver(agent, address(1, 0), remote, &good, *now).unwrap();
                checks += 1;
            }
        }
        let next = agent.poll_timeout().map_or(end, |timeout| timeout.at);
        *now = next.min(end);
        agent.handle_timeout(*now);
    }
    checks
}

fn take(agent: &mut Agent, index: usize, check: &mut [u8], out: &mut Vec<u8>, now: Instant) {
    let datagram = Datagram {
        path: Path::udp(address(1, 0), address(2, index)),
        contents: check,
        ecn: Default::default(),
    };
    agent.handle_datagram(datagram, now).unwrap();
    out.clear();
    assert!(agent.poll_transmit(out, now).is_some());
}

#[test]
fn a_check_is_verified_and_answered_without_an_allocation() {
    let (mut agent, now) = valid(2);
    let mut check = Check::new(agent.local_credentials(), "puppet", 1);
    check.use_candidate = true;
    let mut check = check.encode();
    let mut out = Vec::with_capacity(256);
    take(&mut agent, 0, &mut check, &mut out, now); // the nomination is new once
    let counted = measure(|| {
        for _ in 0..1000 {
            take(&mut agent, 0, &mut check, &mut out, now);
        }
    });
    assert_eq!(counted.count_total, 0);
}

/// Requests that arrive while our own check has no answer: they are answered, and leave nothing
/// behind.
#[test]
fn checks_of_the_peer_while_ours_is_unanswered_grow_nothing() {
    let (mut agent, now) = agent(1);
    sent(&mut agent, now);
    let mut check = Check::new(agent.local_credentials(), "puppet", 1).encode();
    let mut out = Vec::with_capacity(256);
    take(&mut agent, 0, &mut check, &mut out, now);
    let counted = measure(|| {
        for _ in 0..10_000 {
            take(&mut agent, 0, &mut check, &mut out, now);
        }
    });
    assert_eq!(counted.count_total, 0);
}

/// The least time of many short runs, a few thousand operations.
fn least(mut run: impl FnMut()) -> Duration {
    let once = |_| {
        #[expect(clippy::disallowed_methods, reason = "what is measured is time")]
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..40).map(once).min().unwrap()
}

/// Noise of three times is allowed; a walk over the pairs would cost eleven times.
fn assert_alike(what: &str, few: Duration, many: Duration) {
    println!("{what}: {few:?} with 9 pairs, {many:?} with 100");
    assert!(
        many < few * 3,
        "{what}: {few:?} with 9 pairs, {many:?} with 100"
    );
}

#[test]
fn a_check_costs_the_same_with_100_pairs_as_with_9() {
    let [few, many] = [9, 100].map(|pairs| {
        let (mut agent, now) = valid(pairs);
        let mut check = Check::new(agent.local_credentials(), "puppet", 1).encode();
        let mut out = Vec::with_capacity(256);
        let mut index = 0;
        least(|| {
            for _ in 0..200 {
                index = (index + 1) % pairs;
                take(&mut agent, index, &mut check, &mut out, now);
            }
        })
    });
    assert_alike("a check", few, many);
}

/// A time-out, the check that it sends, and its answer; both roles' worth of selection included.
#[test]
fn a_check_of_ours_costs_the_same_with_100_pairs_as_with_9() {
    let [few, many] = [9, 100].map(|pairs| {
        let (mut agent, mut now) = valid(pairs);
        let mut checks = 0;
        let mut spent = Duration::MAX;
        for _ in 0..10 {
            let mut sent = 0;
            #[expect(clippy::disallowed_methods, reason = "what is measured is time")]
            let start = Instant::now();
            while sent < 100 {
                sent += run(&mut agent, &mut now, SECOND);
            }
            spent = spent.min(start.elapsed() / sent);
            checks += sent;
        }
        assert!(checks >= 1000);
        spent
    });
    assert_alike("a check of ours", few, many);
}

#[test]
fn traffic_and_an_early_call_cost_the_same_with_100_pairs_as_with_9() {
    let [few, many] = [9, 100].map(|pairs| {
        let (mut agent, now) = valid(pairs);
        let path = agent.data_path().unwrap();
        least(|| {
            for _ in 0..1000 {
                agent.authenticated_traffic(path, now);
                agent.handle_timeout(now);
                assert!(agent.poll_timeout().unwrap().at > now);
            }
        })
    });
    assert_alike("traffic", few, many);
}
