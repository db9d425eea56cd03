//! Candidates of the peer behind `.local` names (draft-ietf-mmusic-mdns-ice-candidates).
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::time::Instant;

use ortc_ice::{
    Agent, AgentError, Candidate, CandidateError, CandidateKind, Config, Event, NameQuery,
    NamedCandidate, Path, SignalledCandidate, TcpType, Transport,
};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{Check, Node, deliver, puppet};
use ortc_testkit::props::ice_candidates::{World, host, relay};

const SECOND: Duration = Duration::from_secs(1);

/// A name as browsers make them.
fn name(number: u32) -> String {
    format!("{number:08x}-5f4c-4d7e-9c4a-2f1f6f0d9b11.local")
}

fn named(number: u32) -> NamedCandidate {
    let priority = 2_113_937_151 - number;
    NamedCandidate::new("1", 1, priority, &name(number), 5000, CandidateKind::Host).unwrap()
}

/// A running agent with one host candidate, and no candidate of the peer.
fn start() -> (Agent, Instant) {
    let now = Net::<Node>::new(0).now();
    let mut agent = Agent::new(Config::default(), [1; 32], now);
    agent
        .add_local_candidate(Candidate::host(host(0, 0)).unwrap(), now)
        .unwrap();
    agent.set_remote_credentials(puppet(), now).unwrap();
    agent.connect(now).unwrap();
    while agent.poll_event().is_some() {}
    (agent, now)
}

fn asked(agent: &mut Agent) -> Vec<(NameQuery, String)> {
    let mut asked = Vec::new();
    while let Some(event) = agent.poll_event() {
        if let Event::Resolve { query, name } = event {
            asked.push((query, name));
        }
    }
    asked
}

#[test]
fn a_name_that_resolves_becomes_a_pair() {
    let mut world = World::new([Config::default(), Config::default()], 9);
    for side in [0, 1] {
        world.add_silently(side, Candidate::host(host(side, 0)).unwrap());
    }
    world.connect();
    let now = world.now;
    world.sides[0].agent.add_remote_name(named(1), now).unwrap();
    let (query, asked_for) = asked(&mut world.sides[0].agent).pop().unwrap();
    assert_eq!(asked_for, name(1));
    world.run_for(SECOND);
    assert!(!world.is_usable());
    let now = world.now;
    world.sides[0]
        .agent
        .resolved(query, Some(host(1, 0).ip()), now);
    assert!(world.run_until(SECOND, World::is_usable));
    assert_eq!(
        world.data_paths()[0],
        Some(Path::udp(host(0, 0), host(1, 0)))
    );
}

#[test]
fn names_that_no_browser_makes_are_refused() {
    let try_name = |name: &str| NamedCandidate::new("1", 1, 5, name, 5000, CandidateKind::Host);
    for name in [
        "",
        ".local",
        "printer.local",
        "10.0.0.1",
        "00000001-5f4c-4d7e-9c4a-2f1f6f0d9b11.example",
        "a.00000001-5f4c-4d7e-9c4a-2f1f6f0d9b11.local",
        "00000001-5f4c-1d7e-9c4a-2f1f6f0d9b11.local",
        "00000001-5f4c-4d7e-7c4a-2f1f6f0d9b11.local",
        "0000000g-5f4c-4d7e-9c4a-2f1f6f0d9b11.local",
        "00000001-5f4c-4d7e-9c4a-2f1f6f0d9b11.local.",
        "000000015f4c4d7e9c4a2f1f6f0d9b11-----.local",
    ] {
        assert_eq!(try_name(name), Err(CandidateError::Name), "{name}");
    }
    let upper = name(0xABC).to_ascii_uppercase().replace("LOCAL", "local");
    assert_eq!(try_name(&upper).unwrap().name(), name(0xABC));
    let no_port = NamedCandidate::new("1", 1, 5, &name(1), 0, CandidateKind::Host);
    assert_eq!(no_port, Err(CandidateError::Address));
}

#[test]
fn a_name_in_sdp_is_read() {
    let line = format!(
        "candidate:1 1 udp 2113937151 {} 61234 typ host generation 0",
        name(7)
    );
    let Ok(SignalledCandidate::Name(candidate)) = line.parse() else {
        panic!("it has a name");
    };
    assert_eq!(
        (candidate.name(), candidate.port()),
        (name(7).as_str(), 61_234)
    );
}

#[test]
fn candidates_of_one_name_ask_once() {
    let (mut agent, now) = start();
    agent
        .add_local_candidate(
            Candidate::host_tcp(host(0, 0), TcpType::Active).unwrap(),
            now,
        )
        .unwrap();
    agent.add_remote_name(named(1), now).unwrap();
    agent.add_remote_name(named(1), now).unwrap();
    agent
        .add_remote_name(named(1).with_tcp_type(TcpType::Passive), now)
        .unwrap();
    let questions = asked(&mut agent);
    assert_eq!(questions.len(), 1);
    agent.resolved(questions.first().unwrap().0, Some(host(1, 0).ip()), now);
    let transports: Vec<_> = agent
        .stats()
        .pairs
        .iter()
        .map(|pair| pair.path.transport)
        .collect();
    assert_eq!(transports, [Transport::Udp, Transport::Unopened]);
}

#[test]
fn wrong_late_and_repeated_answers_change_nothing() {
    let (mut agent, now) = start();
    for number in 0..4 {
        agent.add_remote_name(named(number), now).unwrap();
    }
    let questions = asked(&mut agent);
    let answer = |agent: &mut Agent, which: usize, ip: Option<IpAddr>| {
        agent.resolved(questions.get(which).unwrap().0, ip, now);
        agent.stats().pairs.len()
    };
    assert_eq!(answer(&mut agent, 0, None), 0);
    assert_eq!(
        answer(&mut agent, 0, Some(host(1, 0).ip())),
        0,
        "the second answer"
    );
    assert_eq!(
        answer(&mut agent, 1, Some([224, 0, 0, 251].into())),
        0,
        "nothing can be sent there"
    );
    assert_eq!(answer(&mut agent, 2, Some(host(1, 0).ip())), 1);
    assert_eq!(answer(&mut agent, 2, Some(host(1, 1).ip())), 1);
    // The peer has restarted: its old names mean nothing.
    let again = ortc_ice::Credentials::new("other", "p".repeat(24)).unwrap();
    agent.set_remote_credentials(again, now).unwrap();
    assert_eq!(answer(&mut agent, 3, Some(host(1, 0).ip())), 0);
    agent.close();
    assert_eq!(answer(&mut agent, 3, Some(host(1, 0).ip())), 0);
}

#[test]
fn questions_are_bounded() {
    let (mut agent, now) = start();
    for number in 0..16 {
        agent.add_remote_name(named(number), now).unwrap();
    }
    let refused = agent.add_remote_name(named(16), now);
    assert_eq!(refused, Err(AgentError::TooManyCandidates));
    let questions = asked(&mut agent);
    assert_eq!(questions.len(), 16);
    for (query, _) in questions {
        agent.resolved(query, None, now);
    }
    // And in all, whatever becomes of them.
    let mut given = 16;
    for number in 16..1000 {
        given += usize::from(agent.add_remote_name(named(number), now).is_ok());
        for (query, _) in asked(&mut agent) {
            agent.resolved(query, None, now);
        }
    }
    assert_eq!(given, 100);
}

#[test]
fn a_name_that_never_resolves_holds_nothing_back() {
    let (mut agent, start) = start();
    agent.add_remote_name(named(1), start).unwrap();
    // Another candidate is checked at once ...
    let theirs = Candidate::remote("2", 1, 9, host(1, 1), CandidateKind::Host, None).unwrap();
    agent.add_remote_candidate(theirs, start).unwrap();
    let mut buf = Vec::new();
    let transmit = agent.poll_transmit(&mut buf, start).unwrap();
    assert_eq!(transmit.path.remote, host(1, 1));
    // ... and failure comes when patience is over.
    agent.end_of_remote_candidates(start);
    let mut now = start;
    let failed = loop {
        agent.handle_timeout(now);
        while agent.poll_transmit(&mut buf, now).is_some() {}
        let failed = core::iter::from_fn(|| agent.poll_event()).any(|event| event == Event::Failed);
        if failed {
            break now - start;
        }
        now = agent.poll_timeout().unwrap().at;
    };
    assert_eq!(failed, Duration::from_millis(39_500));
}

#[test]
fn an_unresolved_name_is_waited_for_before_failure_is_told() {
    let (mut agent, start) = start();
    let theirs = Candidate::remote("2", 1, 9, host(1, 1), CandidateKind::Host, None).unwrap();
    agent.add_remote_candidate(theirs, start).unwrap();
    agent.add_remote_name(named(1), start).unwrap();
    agent.end_of_remote_candidates(start);
    let (query, _) = asked(&mut agent).pop().unwrap();
    let (mut now, mut buf) = (start, Vec::new());
    while now < start + 35 * SECOND {
        agent.handle_timeout(now);
        while agent.poll_transmit(&mut buf, now).is_some() {}
        now = agent.poll_timeout().unwrap().at;
        assert_eq!(agent.poll_event(), None);
    }
    let now = start + 35 * SECOND;
    agent.resolved(query, None, now);
    assert_eq!(
        agent.poll_event(),
        Some(Event::Failed),
        "nothing else can come"
    );
}

#[test]
fn a_relay_never_learns_what_a_name_conceals() {
    let (mut agent, now) = start();
    let mapped: SocketAddr = "203.0.113.1:6000".parse().unwrap();
    let relayed = Candidate::relayed(relay(0, 0), mapped, [192, 0, 2, 1].into()).unwrap();
    agent.add_local_candidate(relayed, now).unwrap();
    agent.add_remote_name(named(1), now).unwrap();
    let (query, _) = asked(&mut agent).pop().unwrap();
    agent.resolved(query, Some(host(1, 0).ip()), now);
    let pairs = agent.stats().pairs;
    assert_eq!(pairs.len(), 1);
    assert_eq!(pairs.first().unwrap().path.local, host(0, 0));
}

#[test]
fn a_peer_whose_check_was_faster_than_its_name_keeps_its_pair() {
    let (mut agent, now) = start();
    agent.add_remote_name(named(1), now).unwrap();
    let (query, _) = asked(&mut agent).pop().unwrap();
    let credentials = agent.local_credentials().clone();
    let check = Check::new(&credentials, puppet().ufrag(), 1).encode();
    deliver(&mut agent, host(0, 0), host(1, 0), &check, now).unwrap();
    let before = agent.stats().pairs;
    agent.resolved(query, Some(host(1, 0).ip()), now);
    let after = agent.stats().pairs;
    assert_eq!((before.len(), after.len()), (1, 1));
    let states = [before, after].map(|pairs| pairs.first().unwrap().state);
    assert_eq!(states.first(), states.last());
}
