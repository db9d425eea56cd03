//! Role conflicts (RFC 8445 §7.2.5.1, §7.3.1.1).
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::time::Duration;
use std::time::Instant;

use ortc_ice::stun::{Class, ErrorCode, Message};
use ortc_ice::{
    Agent, Candidate, CandidateKind, Config, Credentials, DropReason, Role, RolePolicy,
};
use ortc_testkit::link::Link;
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{
    Check, Node, address, answer, connect, deliver, puppet, run_alone, run_until_usable, sent,
    two_agents,
};

#[test]
fn one_side_controls_in_the_end_whatever_both_began_with() {
    let all = [
        RolePolicy::ByCredentials,
        RolePolicy::Controlling,
        RolePolicy::Controlled,
    ];
    for seed in 0..60 {
        for (first, second) in [
            (all[1], all[1]),
            (all[2], all[2]),
            (all[0], all[1]),
            (all[2], all[0]),
        ] {
            let configs = [
                Config::default().role(first),
                Config::default().role(second),
            ];
            let (net, a, b) = two_agents(seed, configs, [2, 2]);
            let link = Link::perfect(Duration::from_millis(25));
            let mut net = net.link(link.with_loss(0.2).with_jitter(Duration::from_millis(30)));
            connect(&mut net, a, b, [2, 2]);

            assert!(run_until_usable(&mut net, a, b, Duration::from_secs(20)));
            net.set_link(link);
            net.run_for(Duration::from_secs(15));

            let (first, second) = (&net.node(a).agent, &net.node(b).agent);
            assert_ne!(first.role(), second.role(), "seed {seed}");
            let (path_a, path_b) = (first.data_path().unwrap(), second.data_path().unwrap());
            assert_eq!(
                (path_a.local, path_a.remote),
                (path_b.remote, path_b.local),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn a_request_with_a_wrong_integrity_moves_no_role_and_gets_no_answer() {
    let (mut agent, now) = controlling_agent();
    let wrong = Credentials::new(agent.local_credentials().ufrag(), "x".repeat(24)).unwrap();
    let mut check = Check::new(&wrong, "puppet", 1);
    check.role = (Role::Controlling, u64::MAX);
    sent(&mut agent, now);

    let outcome = deliver(
        &mut agent,
        address(1, 0),
        address(2, 0),
        &check.encode(),
        now,
    );

    assert_eq!(outcome, Err(DropReason::BadIntegrity));
    assert_eq!(agent.role(), Role::Controlling);
    assert!(sent(&mut agent, now).is_empty());
}

#[test]
fn a_conflict_gets_one_answer_either_487_or_success() {
    for (tie_breaker, class, role) in [
        (0, Class::Error, Role::Controlling),
        (u64::MAX, Class::Success, Role::Controlled),
    ] {
        let (mut agent, now) = controlling_agent();
        let mut check = Check::new(agent.local_credentials(), "puppet", 1);
        check.role = (Role::Controlling, tie_breaker);
        sent(&mut agent, now);

        deliver(
            &mut agent,
            address(1, 0),
            address(2, 0),
            &check.encode(),
            now,
        )
        .unwrap();

        let answers: Vec<_> = sent(&mut agent, now)
            .into_iter()
            .filter(|(_, bytes)| Message::parse(bytes).unwrap().class() != Class::Request)
            .collect();
        assert_eq!(answers.len(), 1);
        let message = Message::parse(&answers[0].1).unwrap();
        assert_eq!(
            (message.class(), message.transaction_id()),
            (class, check.id)
        );
        assert_eq!(agent.role(), role);
        if class == Class::Error {
            assert_eq!(message.error_code().unwrap().code, 487);
        }
    }
}

#[test]
fn after_a_487_the_check_is_sent_again_at_once_with_the_new_role() {
    let (mut agent, now) = controlling_agent();
    let (_, first) = sent(&mut agent, now).remove(0);
    assert!(Message::parse(&first).unwrap().controlling().is_some());
    let now = now + Duration::from_millis(50);
    let conflict = answer(
        &first,
        &puppet(),
        address(1, 0),
        Some(ErrorCode::ROLE_CONFLICT),
    );

    deliver(&mut agent, address(1, 0), address(2, 0), &conflict, now).unwrap();

    assert_eq!(agent.role(), Role::Controlled);
    let (_, again) = sent(&mut agent, now).remove(0);
    let again = Message::parse(&again).unwrap();
    assert!(again.controlled().is_some());
    // RFC 8445 §7.2.5.1: the tie-breaker is a new one.
    assert_ne!(
        again.controlled(),
        Message::parse(&first).unwrap().controlling()
    );
}

#[test]
fn two_487s_for_checks_of_the_same_role_move_it_once() {
    let (mut agent, now) = controlling_agent();
    let (_, first) = sent(&mut agent, now).remove(0);
    let (now, mut more) = run_alone(&mut agent, now, now + Duration::from_millis(100));
    let (_, second) = more.remove(0);

    for request in [&first, &second] {
        let conflict = answer(
            request,
            &puppet(),
            address(1, 0),
            Some(ErrorCode::ROLE_CONFLICT),
        );
        deliver(&mut agent, address(1, 0), address(2, 0), &conflict, now).unwrap();
    }

    assert_eq!(agent.role(), Role::Controlled);
    assert!(
        sent(&mut agent, now).len() <= 1,
        "one check again, not one for each answer"
    );
}

/// An agent that has just begun to check one candidate of a peer played by hand.
fn controlling_agent() -> (Agent, Instant) {
    let now = Net::<Node>::new(0).now();
    let config = Config::default().role(RolePolicy::Controlling);
    let mut agent = Node::new(config, 1, &[address(1, 0)], now).agent;
    agent.set_remote_credentials(puppet(), now).unwrap();
    let candidate = Candidate::remote(
        "1",
        1,
        2_130_706_431,
        address(2, 0),
        CandidateKind::Host,
        None,
    );
    agent.add_remote_candidate(candidate.unwrap(), now).unwrap();
    agent.connect(now).unwrap();
    (agent, now)
}
