//! Lite agents (RFC 8445 §2.5, §6.1.1, §7.3, §8.2), as one and facing one.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use core::time::Duration;

use ortc_ice::stun::{Class, ErrorCode, Message};
use ortc_ice::{
    Agent, AgentError, Candidate, Config, Event, Path, PathState, Role, RolePolicy, TcpType,
};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{Check, Node, answer, deliver, puppet, sent};
use ortc_testkit::props::ice_candidates::{World, host, host6, relay};

const SECOND: Duration = Duration::from_secs(1);

/// A full side 0, and a lite side 1 with so many hosts, told of each other.
fn full_and_lite(full: Config, hosts: usize) -> World {
    let mut world = World::new([full, Config::lite()], 11);
    world.sides[0].agent.set_remote_lite(true);
    world.add(0, Candidate::host(host(0, 0)).unwrap());
    for index in 0..hosts {
        world.add(1, Candidate::host(host(1, index)).unwrap());
    }
    world
}

fn requests(world: &World, side: usize) -> u64 {
    world.sides[side].agent.stats().counters.requests_sent
}

#[test]
fn a_full_agent_controls_and_a_lite_one_only_answers() {
    for role in [
        RolePolicy::Controlled,
        RolePolicy::Controlling,
        RolePolicy::ByCredentials,
    ] {
        let mut world = full_and_lite(Config::default().role(role), 2);
        world.connect();
        assert!(world.run_until(SECOND, World::is_usable));
        assert_eq!(world.sides[0].agent.role(), Role::Controlling, "{role:?}");
        assert_eq!(world.sides[1].agent.role(), Role::Controlled);
        world.run_for(120 * SECOND);
        assert_eq!(
            world.data_paths(),
            [
                Some(Path::udp(host(0, 0), host(1, 0))),
                Some(Path::udp(host(1, 0), host(0, 0)))
            ]
        );
        assert_eq!(
            requests(&world, 1),
            0,
            "a lite agent sends no check, for consent neither"
        );
        for side in [0, 1] {
            let lost = |event: &Event| matches!(event, Event::ConsentExpired | Event::Failed);
            assert!(!world.sides[side].events.iter().any(lost));
        }
    }
}

#[test]
fn a_lite_agent_has_host_candidates_only() {
    let now = Net::<Node>::new(0).now();
    let mut agent = Agent::new(Config::lite(), [1; 32], now);
    let mapped = "203.0.113.1:6000".parse().unwrap();
    let server = [192, 0, 2, 1].into();
    for candidate in [
        Candidate::server_reflexive(mapped, host(0, 0), server),
        Candidate::relayed(relay(0, 0), mapped, server),
        Candidate::host_tcp(host(0, 0), TcpType::Active),
        Candidate::host_tcp(host(0, 0), TcpType::SimultaneousOpen),
    ] {
        let added = agent.add_local_candidate(candidate.unwrap(), now);
        assert_eq!(added, Err(AgentError::NotLocal));
    }
    for candidate in [
        Candidate::host(host(0, 0)),
        Candidate::host_tcp(host(0, 0), TcpType::Passive),
    ] {
        agent.add_local_candidate(candidate.unwrap(), now).unwrap();
    }
}

#[test]
fn a_lite_agent_answers_over_tcp_too() {
    let mut world = World::new([Config::default(), Config::lite()], 11);
    world.sides[0].agent.set_remote_lite(true);
    world.add(0, Candidate::host_tcp(host(0, 0), TcpType::Active).unwrap());
    world.add(
        1,
        Candidate::host_tcp(host(1, 0), TcpType::Passive).unwrap(),
    );
    world.connect();
    assert!(world.run_until(SECOND, World::is_usable));
    world.run_for(60 * SECOND);
    assert!(world.is_usable());
}

#[test]
fn the_lite_side_follows_when_the_full_one_moves() {
    let mut world = full_and_lite(Config::default(), 2);
    world.connect();
    assert!(world.run_until(SECOND, World::is_usable));
    world.run_for(5 * SECOND);
    world.dark.insert(host(1, 0));
    world.run_for(30 * SECOND);
    assert_eq!(
        world.data_paths(),
        [
            Some(Path::udp(host(0, 0), host(1, 1))),
            Some(Path::udp(host(1, 1), host(0, 0)))
        ]
    );
}

/// A lite agent, running, and the instant.
fn lite() -> (Agent, std::time::Instant) {
    let now = Net::<Node>::new(0).now();
    let mut agent = Agent::new(Config::lite(), [1; 32], now);
    agent
        .add_local_candidate(Candidate::host(host(0, 0)).unwrap(), now)
        .unwrap();
    agent.set_remote_credentials(puppet(), now).unwrap();
    agent.connect(now).unwrap();
    (agent, now)
}

fn check(agent: &mut Agent, number: u32, nominates: bool, now: std::time::Instant) {
    let credentials = agent.local_credentials().clone();
    let mut check = Check::new(&credentials, puppet().ufrag(), number);
    check.use_candidate = nominates;
    deliver(agent, host(0, 0), host(1, 0), &check.encode(), now).unwrap();
    let out = sent(agent, now);
    assert_eq!(out.len(), 1, "an answer, and no check");
    assert_eq!(Message::parse(&out[0].1).unwrap().class(), Class::Success);
}

#[test]
fn a_pair_is_valid_from_its_nomination_for_as_long_as_checks_come() {
    let (mut agent, start) = lite();
    let path = Path::udp(host(0, 0), host(1, 0));
    check(&mut agent, 1, false, start);
    assert_eq!(agent.path_state(&path), PathState::CheckReceived);
    assert_eq!(agent.data_path(), None);
    check(&mut agent, 2, true, start);
    assert_eq!(agent.path_state(&path), PathState::Valid);
    assert_eq!(agent.data_path(), Some(path));
    // Consent checks, one of them very late: the pair is not torn down in between.
    let mut now = start;
    for (number, gap) in [(3, 5), (4, 5), (5, 29)] {
        let next = now + Duration::from_secs(gap);
        while let Some(timeout) = agent.poll_timeout().filter(|timeout| timeout.at < next) {
            agent.handle_timeout(timeout.at);
        }
        now = next;
        assert_eq!(agent.data_path(), Some(path));
        check(&mut agent, number, false, now);
    }
    // Then silence.
    let mut expired = None;
    while let Some(timeout) = agent.poll_timeout() {
        agent.handle_timeout(timeout.at);
        assert!(sent(&mut agent, timeout.at).is_empty());
        let events: Vec<_> = core::iter::from_fn(|| agent.poll_event()).collect();
        if events.contains(&Event::ConsentExpired) {
            expired = Some(timeout.at - now);
        }
    }
    assert_eq!(expired, Some(30 * SECOND));
    assert_eq!(agent.data_path(), None);
    // A nomination brings it back.
    check(&mut agent, 9, true, now + 60 * SECOND);
    assert_eq!(agent.data_path(), Some(path));
}

/// Some full peers send no check once they have nominated, only indications and media.
#[test]
fn a_lite_agent_keeps_its_pair_while_authenticated_traffic_comes() {
    let (mut agent, start) = lite();
    let path = Path::udp(host(0, 0), host(1, 0));
    check(&mut agent, 1, true, start);
    let mut now = start;
    for _ in 0..100 {
        now += SECOND;
        agent.authenticated_traffic(path, now);
        while let Some(timeout) = agent.poll_timeout().filter(|timeout| timeout.at <= now) {
            agent.handle_timeout(timeout.at);
        }
        assert_eq!(agent.data_path(), Some(path));
        assert!(sent(&mut agent, now).is_empty());
    }
    // Traffic over another path says nothing of this one, and nothing revives a pair that is over.
    let elsewhere = Path::udp(host(0, 0), host(1, 1));
    let mut expired = None;
    while let Some(timeout) = agent.poll_timeout() {
        agent.authenticated_traffic(elsewhere, timeout.at);
        agent.handle_timeout(timeout.at);
        if core::iter::from_fn(|| agent.poll_event()).any(|event| event == Event::ConsentExpired) {
            expired = Some(timeout.at - now);
        }
    }
    assert_eq!(expired, Some(30 * SECOND));
    agent.authenticated_traffic(path, now + 31 * SECOND);
    assert_eq!(agent.data_path(), None);
}

#[test]
fn a_full_peer_that_calls_itself_controlled_is_corrected() {
    let (mut agent, now) = lite();
    let credentials = agent.local_credentials().clone();
    for tie_breaker in [0, u64::MAX] {
        let mut check = Check::new(&credentials, puppet().ufrag(), 1);
        check.role = (Role::Controlled, tie_breaker);
        deliver(&mut agent, host(0, 0), host(1, 0), &check.encode(), now).unwrap();
        let out = sent(&mut agent, now);
        let message = Message::parse(&out[0].1).unwrap();
        let code = message.error_code().map(|error| error.code);
        assert_eq!(code, Some(ErrorCode::ROLE_CONFLICT.code));
        assert_eq!(
            agent.role(),
            Role::Controlled,
            "whatever the tie-breaker says"
        );
    }
}

/// A full agent that calls itself controlled nominates nothing, and one success keeps it from asking
/// again: the answer is its only chance to learn better, even before its credentials have come.
#[test]
fn a_full_peer_that_calls_itself_controlled_early_is_corrected_at_once() {
    let now = Net::<Node>::new(0).now();
    let mut agent = Agent::new(Config::lite(), [1; 32], now);
    agent
        .add_local_candidate(Candidate::host(host(0, 0)).unwrap(), now)
        .unwrap();
    let credentials = agent.local_credentials().clone();
    let mut request = Check::new(&credentials, puppet().ufrag(), 1);
    request.role = (Role::Controlled, 0);
    request.use_candidate = true;
    deliver(&mut agent, host(0, 0), host(1, 0), &request.encode(), now).unwrap();
    let out = sent(&mut agent, now);
    let message = Message::parse(&out[0].1).unwrap();
    let code = message.error_code().map(|error| error.code);
    assert_eq!(code, Some(ErrorCode::ROLE_CONFLICT.code));
    agent.set_remote_credentials(puppet(), now).unwrap();
    agent.connect(now).unwrap();
    assert_eq!(
        agent.data_path(),
        None,
        "who does not control nominates nothing"
    );
    check(&mut agent, 2, true, now);
    assert_eq!(agent.data_path(), Some(Path::udp(host(0, 0), host(1, 0))));
}

#[test]
fn a_lite_peer_cannot_flip_our_role() {
    let now = Net::<Node>::new(0).now();
    let mut agent = Agent::new(Config::default(), [1; 32], now);
    agent.set_remote_lite(true);
    agent
        .add_local_candidate(Candidate::host(host(0, 0)).unwrap(), now)
        .unwrap();
    agent.set_remote_credentials(puppet(), now).unwrap();
    agent.connect(now).unwrap();
    let theirs = Candidate::remote("1", 1, 9, host(1, 0), ortc_ice::CandidateKind::Host, None);
    agent.add_remote_candidate(theirs.unwrap(), now).unwrap();
    let request = sent(&mut agent, now).remove(0).1;
    let conflict = answer(
        &request,
        &puppet(),
        host(0, 0),
        Some(ErrorCode::ROLE_CONFLICT),
    );
    deliver(&mut agent, host(0, 0), host(1, 0), &conflict, now).unwrap();
    assert_eq!(agent.role(), Role::Controlling);
    // And a request, which a lite agent never sends, decides nothing either.
    let credentials = agent.local_credentials().clone();
    let mut check = Check::new(&credentials, puppet().ufrag(), 1);
    check.role = (Role::Controlling, u64::MAX);
    deliver(&mut agent, host(0, 0), host(1, 0), &check.encode(), now).unwrap();
    assert_eq!(agent.role(), Role::Controlling);
}

#[test]
fn two_lite_agents_use_the_best_pair_without_a_check() {
    let mut world = World::new([Config::lite(), Config::lite()], 11);
    for side in [0, 1] {
        world.sides[side].agent.set_remote_lite(true);
        for index in 0..2 {
            world.add(side, Candidate::host(host(side, index)).unwrap());
        }
    }
    world.connect();
    world.run_for(Duration::ZERO);
    let pair = |a, b| [Some(Path::udp(a, b)), Some(Path::udp(b, a))];
    assert_eq!(world.data_paths(), pair(host(0, 0), host(1, 0)));
    let [a, b] = [0, 1].map(|side: usize| world.sides[side].agent.role());
    assert_ne!(a, b, "one of them is controlling");
    // A better one is signalled.
    for side in [0, 1] {
        world.add(side, Candidate::host(host6(side, 0)).unwrap());
    }
    world.run_for(300 * SECOND);
    assert_eq!(world.data_paths(), pair(host6(0, 0), host6(1, 0)));
    // And goes.
    world.unplug(0, host6(0, 0));
    assert_eq!(
        world.data_paths()[0],
        Some(Path::udp(host(0, 0), host(1, 0)))
    );
    assert!(world.log.is_empty(), "nothing was ever sent");
}

#[test]
fn a_lite_agent_keeps_its_pair_over_a_restart() {
    let mut world = full_and_lite(Config::default(), 1);
    world.connect();
    assert!(world.run_until(SECOND, World::is_usable));
    let now = world.now;
    world.sides[0].agent.restart(now);
    world.sides[1].agent.restart(now);
    world.run_until(20 * SECOND, |world| {
        assert!(world.is_usable(), "the old pair is kept up");
        false
    });
    world.introduce();
    world.add(0, Candidate::host(host(0, 0)).unwrap());
    world.add(1, Candidate::host(host(1, 0)).unwrap());
    world.run_until(60 * SECOND, |world| {
        assert!(world.is_usable());
        false
    });
    assert_eq!(requests(&world, 1), 0);
}
