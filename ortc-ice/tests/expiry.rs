//! When a path is suspected, when consent ends, and what brings it back (RFC 7675).
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::net::SocketAddr;
use core::time::Duration;
use std::time::Instant;

use ortc_ice::stun::{Class, Message};
use ortc_ice::{
    Agent, Candidate, CandidateKind, Config, DropReason, Event, Path, PathState, RolePolicy,
};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{Check, Node, address, answer, deliver, puppet, run_alone, sent};

const SECOND: Duration = Duration::from_secs(1);
const PROBE: Duration = Duration::from_millis(500);

/// A controlled agent and a peer played by hand, with one pair for each of the peer's candidates.
struct Call {
    agent: Agent,
    now: Instant,
    numbers: u32,
    events: Vec<(Instant, Event)>,
}

/// What the peer does with our checks.
#[derive(Clone, Copy, PartialEq)]
enum Peer {
    Answers,
    Silent,
}

impl Call {
    /// All pairs are valid, nothing is due.
    fn new(candidates: usize) -> Self {
        let now = Net::<Node>::new(0).now();
        let config = Config::default().role(RolePolicy::Controlled);
        let mut agent = Node::new(config, 1, &[address(1, 0)], now).agent;
        agent.set_remote_credentials(puppet(), now).unwrap();
        for (index, priority) in (0..candidates).zip([900, 800, 700]) {
            let remote = address(2, index);
            let candidate = Candidate::remote("1", 1, priority, remote, CandidateKind::Host, None);
            agent.add_remote_candidate(candidate.unwrap(), now).unwrap();
        }
        agent.connect(now).unwrap();
        let mut call = Self {
            agent,
            now,
            numbers: 0,
            events: Vec::new(),
        };
        call.run(SECOND, Peer::Answers);
        assert_eq!(call.agent.data_path(), Some(path(0)));
        call.events.clear();
        call
    }

    /// Lets time pass; what the agent sent, and when.
    fn run(&mut self, span: Duration, peer: Peer) -> Vec<(Instant, SocketAddr, Vec<u8>)> {
        let end = self.now + span;
        let mut all = Vec::new();
        while self.now < end {
            let (now, out) = run_alone(&mut self.agent, self.now, end);
            self.now = now;
            for (remote, octets) in out {
                if peer == Peer::Answers {
                    let _ = self.answer(remote, &octets);
                }
                all.push((now, remote, octets));
            }
            self.take_events();
        }
        all
    }

    fn take_events(&mut self) {
        let now = self.now;
        self.events
            .extend(core::iter::from_fn(|| self.agent.poll_event()).map(|event| (now, event)));
    }

    fn answer(&mut self, remote: SocketAddr, request: &[u8]) -> Result<(), DropReason> {
        if Message::parse(request).unwrap().class() != Class::Request {
            return Ok(());
        }
        let good = answer(request, &puppet(), address(1, 0), None);
        let outcome = deliver(&mut self.agent, address(1, 0), remote, &good, self.now);
        self.take_events();
        outcome
    }

    /// The peer checks us, and wants the pair; what the agent sends at once.
    fn check(&mut self, index: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        self.numbers += 1;
        let mut check = Check::new(self.agent.local_credentials(), "puppet", self.numbers);
        check.use_candidate = true;
        let remote = address(2, index);
        deliver(
            &mut self.agent,
            address(1, 0),
            remote,
            &check.encode(),
            self.now,
        )
        .unwrap();
        self.take_events();
        sent(&mut self.agent, self.now)
    }

    fn traffic(&mut self) {
        self.agent.authenticated_traffic(path(0), self.now);
    }

    fn saw(&self, wanted: &Event) -> Option<Instant> {
        let found = self.events.iter().find(|(_, event)| event == wanted);
        found.map(|(at, _)| *at)
    }

    /// Nobody answers until consent is over; the checks that were sent before.
    fn expire(&mut self) -> Vec<Vec<u8>> {
        let mut before = Vec::new();
        while self.agent.data_path().is_some() {
            let out = self.run(SECOND / 10, Peer::Silent);
            before.extend(out);
        }
        let end = self.saw(&Event::ConsentExpired).unwrap();
        let before = before.into_iter().filter(|(at, ..)| *at < end);
        before.map(|(.., octets)| octets).collect()
    }
}

fn path(index: usize) -> Path {
    Path::udp(address(1, 0), address(2, index))
}

#[test]
fn three_unanswered_checks_half_a_second_apart_are_suspicious_and_the_others_are_tried_at_once() {
    let mut call = Call::new(3);
    // The round trip of this peer is nothing, so that nothing prolongs the time for an answer.
    let out = call.run(8 * SECOND, Peer::Silent);
    let suspected = call.saw(&Event::PathSuspected(path(0))).unwrap();
    let asked = |index: usize| {
        let remote = address(2, index);
        out.iter()
            .filter(move |(_, to, _)| *to == remote)
            .map(|(at, ..)| *at)
    };
    let asked_before: Vec<_> = asked(0).filter(|at| *at < suspected).collect();
    assert_eq!(asked_before.len(), 3);
    assert!(
        asked_before
            .windows(2)
            .all(|pair| pair[1] - pair[0] == PROBE)
    );
    assert_eq!(suspected - asked_before[2], PROBE);
    for other in [1, 2] {
        let tried = asked(other).find(|at| *at >= suspected).unwrap();
        assert!(tried - suspected <= SECOND / 50, "{:?}", tried - suspected);
    }
    assert_eq!(
        call.agent.data_path(),
        Some(path(0)),
        "nothing better answers"
    );
}

#[test]
fn traffic_or_a_check_of_the_peer_ends_suspicion() {
    for by_check in [false, true] {
        let mut call = Call::new(2);
        let out = call.run(8 * SECOND, Peer::Silent);
        assert!(call.saw(&Event::PathSuspected(path(0))).is_some());
        if by_check {
            call.check(0);
        } else {
            call.traffic();
        }
        // The other pair answers now: it is no better any more.
        let other = out.iter().rev().find(|(_, to, _)| *to == address(2, 1));
        let (_, remote, request) = other.unwrap();
        call.answer(*remote, request).unwrap();
        assert_eq!(call.agent.data_path(), Some(path(0)));
    }
    // Without either it takes over.
    let mut call = Call::new(2);
    let out = call.run(8 * SECOND, Peer::Silent);
    let other = out.iter().rev().find(|(_, to, _)| *to == address(2, 1));
    let (_, remote, request) = other.unwrap();
    call.answer(*remote, request).unwrap();
    assert_eq!(call.agent.data_path(), Some(path(1)));
}

#[test]
fn after_the_end_nothing_but_checks_leaves_and_no_traffic_brings_it_back() {
    let mut call = Call::new(1);
    call.expire();
    call.events.clear();
    for _ in 0..20 {
        call.traffic();
        assert_ne!(call.agent.path_state(&path(0)), PathState::Valid);
        for (.., octets) in call.run(SECOND, Peer::Silent) {
            assert_eq!(Message::parse(&octets).unwrap().class(), Class::Request);
        }
        assert_eq!(call.agent.data_path(), None);
    }
    assert!(call.events.is_empty(), "{:?}", call.events);
}

#[test]
fn an_answer_to_a_check_from_before_the_end_does_not_bring_it_back_and_one_from_after_does() {
    let mut call = Call::new(1);
    let before = call.expire();
    assert!(before.len() > 5);
    for request in before {
        assert_eq!(
            call.answer(address(2, 0), &request),
            Err(DropReason::UnknownTransaction)
        );
        assert_eq!(call.agent.data_path(), None);
    }
    call.run(SECOND, Peer::Answers);
    assert_eq!(call.agent.data_path(), Some(path(0)));
    assert!(call.saw(&Event::Connected).is_some());
}

#[test]
fn a_check_of_the_peer_does_not_bring_it_back_but_makes_us_ask() {
    let mut call = Call::new(1);
    call.expire();
    call.run(10 * SECOND, Peer::Silent);
    let out = call.check(0);
    let classes: Vec<_> = out
        .iter()
        .map(|(_, octets)| Message::parse(octets).unwrap().class())
        .collect();
    assert_eq!(classes, [Class::Success, Class::Request]);
    assert_eq!(call.agent.data_path(), None);
    let (remote, request) = &out[1];
    call.answer(*remote, request).unwrap();
    assert_eq!(call.agent.data_path(), Some(path(0)));
}

#[test]
fn a_success_on_any_pair_brings_it_back() {
    let mut call = Call::new(2);
    call.expire();
    let out = call.run(5 * SECOND, Peer::Silent);
    let second = out
        .iter()
        .rev()
        .find(|(_, to, _)| *to == address(2, 1))
        .unwrap();
    call.answer(second.1, &second.2).unwrap();
    assert_eq!(call.agent.data_path(), Some(path(1)));
}

#[test]
fn a_restart_brings_it_back() {
    let mut call = Call::new(1);
    call.expire();
    call.agent.restart(call.now);
    let now = call.now;
    call.agent.set_remote_credentials(puppet(), now).unwrap();
    let candidate = Candidate::remote("1", 1, 900, address(2, 0), CandidateKind::Host, None);
    call.agent
        .add_remote_candidate(candidate.unwrap(), now)
        .unwrap();
    call.run(SECOND, Peer::Answers);
    assert_eq!(call.agent.data_path(), Some(path(0)));
}

/// The answers of the peer are lost for a while, its media arrives: nothing happens.
#[test]
fn answers_that_are_lost_for_twenty_seconds_end_nothing() {
    let mut call = Call::new(1);
    for _ in 0..20 {
        call.traffic();
        call.run(SECOND, Peer::Silent);
    }
    call.run(20 * SECOND, Peer::Answers);
    assert!(call.events.is_empty(), "{:?}", call.events);
    // Nor without media, but for the suspicion.
    call.run(20 * SECOND, Peer::Silent);
    call.run(20 * SECOND, Peer::Answers);
    let events: Vec<_> = call.events.iter().map(|(_, event)| event).collect();
    assert_eq!(events, [&Event::PathSuspected(path(0))]);
}

/// A browser may stop answering while it still checks us. Its checks show that the path works, so
/// that it is not suspected; they are no consent, as somebody else could send them again; and as
/// long as they arrive the session does not fail.
#[test]
fn a_peer_that_checks_but_does_not_answer_is_sent_to_until_consent_ends_and_never_given_up() {
    let mut call = Call::new(2);
    let until = |call: &mut Call, seconds: u32, data: bool| {
        for _ in 0..seconds {
            call.check(0);
            call.run(SECOND, Peer::Silent);
            assert_eq!(call.agent.data_path().is_some(), data);
        }
    };
    until(&mut call, 24, true);
    assert!(call.events.is_empty(), "{:?}", call.events);
    call.run(7 * SECOND, Peer::Silent);
    assert!(call.saw(&Event::ConsentExpired).is_some());
    until(&mut call, 300, false);
    assert_eq!(call.saw(&Event::Failed), None);
    call.run(3 * SECOND, Peer::Answers);
    assert!(call.agent.data_path().is_some());
}

/// The end of consent and failure are told of a session that was up, not of one that begins.
#[test]
fn nothing_is_lost_before_there_was_anything() {
    let now = Net::<Node>::new(0).now();
    let mut agent = Node::new(Config::default(), 1, &[address(1, 0)], now).agent;
    agent.set_remote_credentials(puppet(), now).unwrap();
    agent.connect(now).unwrap();
    let end = now + 39 * SECOND;
    let mut clock = now;
    while clock < end {
        clock = run_alone(&mut agent, clock, end).0;
        let events: Vec<_> = core::iter::from_fn(|| agent.poll_event()).collect();
        let only_role = |event: &Event| matches!(event, Event::RoleChanged(_));
        assert!(events.iter().all(only_role), "{events:?}");
    }
}

/// One deadline a check, and none in between: the pair in use 12 times a minute, another 4 times.
#[test]
fn an_idle_agent_wakes_for_its_checks_and_for_nothing_else() {
    for (pairs, most) in [(1, 15), (3, 15 + 2 * 5)] {
        let mut call = Call::new(pairs);
        let (mut wakes, mut checks) = (0, 0);
        let end = call.now + 60 * SECOND;
        loop {
            let at = call.agent.poll_timeout().unwrap().at;
            if at >= end {
                break;
            }
            assert!(at > call.now, "due once");
            call.now = at;
            call.agent.handle_timeout(at);
            wakes += 1;
            for (remote, request) in sent(&mut call.agent, at) {
                call.answer(remote, &request).unwrap();
                checks += 1;
            }
        }
        assert_eq!(wakes, checks);
        assert!((10..=most).contains(&wakes), "{wakes} wakes a minute");
    }
}
