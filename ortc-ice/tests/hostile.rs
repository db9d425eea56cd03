//! What arrives from strangers and broken peers, and what must be true after.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::net::SocketAddr;
use core::time::Duration;
use std::time::Instant;

use ortc_ice::stun::{
    AttributeType, Class, ErrorCode, IntegrityKey, Message, MessageBuilder, Method, ParseError,
    TransactionId,
};
use ortc_ice::{
    Agent, Candidate, CandidateKind, Config, DropReason, Event, PairState, Path, PathState,
    RolePolicy, Stats,
};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{Check, Node, address, answer, deliver, puppet, run_alone, sent};

/// What of an agent may not change because of a datagram that it drops.
fn visible(agent: &Agent) -> (Vec<String>, Option<Path>, String) {
    let Stats { pairs, .. } = agent.stats();
    let pairs = pairs.iter().map(|pair| format!("{pair:?}")).collect();
    let timeout = format!("{:?} {:?}", agent.poll_timeout(), agent.role());
    (pairs, agent.data_path(), timeout)
}

#[test]
fn every_truncation_and_every_flipped_bit_of_a_check_changes_nothing() {
    let (mut agent, now, _) = checking_agent(Config::default());
    let mut check = Check::new(agent.local_credentials(), "puppet", 1);
    check.use_candidate = true;
    let good = check.encode();
    let before = visible(&agent);
    let mut wrong: Vec<Vec<u8>> = (0..good.len()).map(|len| good[..len].to_vec()).collect();
    wrong.extend((0..good.len() * 8).map(|bit| flipped(&good, bit)));
    wrong.push([good.clone(), vec![0; 4]].concat());
    for datagram in &wrong {
        assert!(deliver(&mut agent, address(1, 0), address(2, 0), datagram, now).is_err());
        assert!(agent.poll_event().is_none());
    }
    assert_eq!(visible(&agent), before);
    assert!(sent(&mut agent, now).is_empty());
    assert_eq!(
        deliver(&mut agent, address(1, 0), address(2, 0), &good, now),
        Ok(())
    );
}

#[test]
fn every_truncation_and_every_flipped_bit_of_an_answer_changes_nothing() {
    let (mut agent, now, first) = checking_agent(Config::default());
    let good = answer(&first, &puppet(), address(1, 0), None);
    let before = visible(&agent);
    for len in 0..good.len() {
        let cut = deliver(&mut agent, address(1, 0), address(2, 0), &good[..len], now);
        assert_eq!(cut, Err(DropReason::Malformed));
    }
    for bit in 0..good.len() * 8 {
        let datagram = flipped(&good, bit);
        assert!(deliver(&mut agent, address(1, 0), address(2, 0), &datagram, now).is_err());
    }
    assert_eq!(visible(&agent), before);
    assert_eq!(agent.data_path(), None);
    assert_eq!(
        deliver(&mut agent, address(1, 0), address(2, 0), &good, now),
        Ok(())
    );
    assert!(agent.data_path().is_some());
}

#[test]
fn an_answer_from_an_address_that_was_not_asked_selects_nothing() {
    let (mut agent, now, first) = checking_agent(Config::default());
    let good = answer(&first, &puppet(), address(1, 0), None);
    let before = visible(&agent);
    let elsewhere = deliver(&mut agent, address(1, 0), address(3, 0), &good, now);
    assert_eq!(elsewhere, Err(DropReason::WrongAddress));
    let other_socket = deliver(&mut agent, address(1, 5), address(2, 0), &good, now);
    assert_eq!(other_socket, Err(DropReason::WrongAddress));
    assert_eq!(visible(&agent), before);
    assert_eq!(agent.stats().counters.dropped(DropReason::WrongAddress), 2);
}

#[test]
fn a_replayed_answer_counts_once() {
    let (mut agent, now, first) = checking_agent(Config::default());
    let good = answer(&first, &puppet(), address(1, 0), None);
    assert_eq!(
        deliver(&mut agent, address(1, 0), address(2, 0), &good, now),
        Ok(())
    );
    let again = deliver(&mut agent, address(1, 0), address(2, 0), &good, now);
    assert_eq!(again, Err(DropReason::UnknownTransaction));
}

#[test]
fn a_replayed_check_redirects_nothing_and_gains_no_validity() {
    // A check copied by an observer and sent from its own address (a spoofed peer-reflexive
    // candidate) is answered and checked back, and carries no data.
    let (mut agent, now, first) = checking_agent(Config::default());
    let good = answer(&first, &puppet(), address(1, 0), None);
    deliver(&mut agent, address(1, 0), address(2, 0), &good, now).unwrap();
    let path = agent.data_path();
    let mut check = Check::new(agent.local_credentials(), "puppet", 1);
    check.use_candidate = true;
    deliver(
        &mut agent,
        address(1, 0),
        address(3, 0),
        &check.encode(),
        now,
    )
    .unwrap();
    assert_eq!(agent.data_path(), path);
    let theirs = Path::udp(address(1, 0), address(3, 0));
    assert_eq!(agent.path_state(&theirs), PathState::CheckReceived);
}

#[test]
fn a_check_without_or_with_a_wrong_fingerprint_is_dropped() {
    let (mut agent, now, _) = checking_agent(Config::default());
    let key = IntegrityKey::new(agent.local_credentials().password().as_bytes());
    let ufrag = agent.local_credentials().ufrag().to_owned();
    let mut bytes = Vec::new();
    let id = TransactionId([9; 12]);
    let mut message = MessageBuilder::new(&mut bytes, Class::Request, Method::BINDING, id);
    message.username(&ufrag, "puppet").unwrap();
    message.priority(1).controlling(1).integrity(&key);
    let without = deliver(&mut agent, address(1, 0), address(2, 0), &bytes, now);
    assert_eq!(without, Err(DropReason::BadFingerprint));
    let mut check = Check::new(agent.local_credentials(), "puppet", 1).encode();
    *check.last_mut().unwrap() ^= 1;
    let wrong = deliver(&mut agent, address(1, 0), address(2, 0), &check, now);
    assert_eq!(wrong, Err(DropReason::BadFingerprint));
    assert!(sent(&mut agent, now).is_empty());
}

#[test]
fn an_unknown_attribute_that_must_be_understood_gets_420_and_nothing_else_happens() {
    let (mut agent, now, _) = checking_agent(Config::default());
    let before = visible(&agent).0;
    let mut check = Check::new(agent.local_credentials(), "puppet", 1);
    check.unknown = Some(AttributeType(0x7abc));
    deliver(
        &mut agent,
        address(1, 0),
        address(2, 0),
        &check.encode(),
        now,
    )
    .unwrap();
    let out = sent(&mut agent, now);
    assert_eq!(out.len(), 1);
    let message = Message::parse(&out[0].1).unwrap();
    assert_eq!(
        (message.class(), message.error_code().unwrap().code),
        (Class::Error, 420)
    );
    let listed = message
        .attributes()
        .find(|attribute| attribute.kind == AttributeType::UNKNOWN_ATTRIBUTES);
    assert_eq!(listed.unwrap().value, [0x7a, 0xbc]);
    let key = IntegrityKey::new(agent.local_credentials().password().as_bytes());
    assert!(message.verify_integrity(&key) && message.verify_fingerprint());
    assert_eq!(visible(&agent).0, before);
}

#[test]
fn no_answer_is_longer_than_100_octets() {
    let (mut agent, now, _) = checking_agent(Config::default());
    let to = agent.local_credentials();
    let mut bytes = Vec::new();
    let id = TransactionId([9; 12]);
    let mut message = MessageBuilder::new(&mut bytes, Class::Request, Method::BINDING, id);
    message.username(to.ufrag(), "puppet").unwrap();
    for kind in 0x7a00..0x7a20 {
        message.attribute(AttributeType(kind), &[]).unwrap();
    }
    let key = IntegrityKey::new(to.password().as_bytes());
    message.integrity(&key).fingerprint();
    deliver(&mut agent, address(1, 0), address(2, 0), &bytes, now).unwrap();
    assert_eq!(sent(&mut agent, now).remove(0).1.len(), 100);
}

#[test]
fn an_unknown_attribute_that_may_be_ignored_is() {
    let (mut agent, now, _) = checking_agent(Config::default());
    let mut check = Check::new(agent.local_credentials(), "puppet", 1);
    check.unknown = Some(AttributeType(0xC057)); // NETWORK-COST, which a browser sends
    deliver(
        &mut agent,
        address(1, 0),
        address(2, 0),
        &check.encode(),
        now,
    )
    .unwrap();
    let out = sent(&mut agent, now);
    assert_eq!(Message::parse(&out[0].1).unwrap().class(), Class::Success);
}

#[test]
fn a_check_without_priority_gets_400_and_one_without_credentials_gets_nothing() {
    let (mut agent, now, _) = checking_agent(Config::default());
    let mut check = Check::new(agent.local_credentials(), "puppet", 1);
    check.priority = None;
    deliver(
        &mut agent,
        address(1, 0),
        address(2, 0),
        &check.encode(),
        now,
    )
    .unwrap();
    let out = sent(&mut agent, now);
    let refused = Message::parse(&out[0].1).unwrap();
    assert_eq!(refused.error_code(), Some(ErrorCode::BAD_REQUEST));

    let mut bytes = Vec::new();
    let id = TransactionId([9; 12]);
    MessageBuilder::new(&mut bytes, Class::Request, Method::BINDING, id)
        .priority(1)
        .fingerprint();
    let bare = deliver(&mut agent, address(1, 0), address(2, 0), &bytes, now);
    assert_eq!(bare, Err(DropReason::NoCredentials));
    let stranger = Check::new(&puppet(), "puppet", 1).encode();
    let stranger = deliver(&mut agent, address(1, 0), address(2, 0), &stranger, now);
    assert_eq!(stranger, Err(DropReason::UnknownUsername));
    assert!(sent(&mut agent, now).is_empty());
}

#[test]
fn an_indication_is_taken_in_silence() {
    let (mut agent, now, _) = checking_agent(Config::default());
    let before = visible(&agent);
    let mut bytes = Vec::new();
    let id = TransactionId([9; 12]);
    MessageBuilder::new(&mut bytes, Class::Indication, Method::BINDING, id).fingerprint();
    assert_eq!(
        deliver(&mut agent, address(1, 0), address(2, 0), &bytes, now),
        Ok(())
    );
    assert_eq!(visible(&agent), before);
    assert!(sent(&mut agent, now).is_empty());
    assert_eq!(agent.stats().counters.indications_received, 1);
}

#[test]
fn short_and_odd_messages_are_refused_by_the_parser() {
    let attribute = |kind: u16, value: &[u8]| {
        let mut out = Vec::new();
        let id = TransactionId([1; 12]);
        let mut message = MessageBuilder::new(&mut out, Class::Error, Method::BINDING, id);
        message.attribute(AttributeType(kind), value).unwrap();
        out
    };
    let parse = |bytes: &[u8]| Message::parse(bytes).map(|_| ());
    for (kind, value) in [
        (0x0009, &b""[..]),                  // ERROR-CODE below its four octets
        (0x0009, &[0, 0, 9, 0]),             // class 9
        (0x0009, &[0, 0, 4, 100]),           // number 100
        (0x0020, &[0, 1, 0, 0, 1, 2, 3]),    // an IPv4 address of three octets
        (0x0020, &[0, 3, 0, 0, 1, 2, 3, 4]), // family 3
        (0x0020, b""),
        (0x0024, &[1, 2, 3]),
        (0x0025, &[0]),
        (0x8029, &[0; 7]),
        (0x802A, &[0; 9]),
        (0x0008, &[0; 19]),
        (0x8028, &[0; 5]),
        (0x0006, &[0xff, 0xfe]),
    ] {
        let expected = ParseError::Attribute(AttributeType(kind));
        assert_eq!(parse(&attribute(kind, value)), Err(expected));
    }
    // A reason phrase that is not UTF-8 hurts nobody.
    let reason = attribute(0x0009, &[0, 0, 4, 1, 0xff, 0xff]);
    assert_eq!(
        Message::parse(&reason).unwrap().error_code().unwrap().code,
        401
    );

    let empty = attribute(0x8022, b"");
    assert_eq!(parse(&empty), Ok(()));
    let mut overrun = empty.clone();
    *overrun.last_mut().unwrap() = 1;
    assert_eq!(parse(&overrun), Err(ParseError::AttributeOverrun));
    let mut length = empty.clone();
    length[3] = 3;
    assert_eq!(parse(&length), Err(ParseError::Length));
    let mut cookie = empty;
    cookie[4] ^= 1;
    assert_eq!(parse(&cookie), Err(ParseError::NotStun));
    let mut after = Vec::new();
    let id = TransactionId([1; 12]);
    let mut message = MessageBuilder::new(&mut after, Class::Success, Method::BINDING, id);
    message.fingerprint();
    message.use_candidate();
    assert_eq!(parse(&after), Err(ParseError::AfterFingerprint));
}

#[test]
fn what_integrity_does_not_cover_is_not_read() {
    let credentials = puppet();
    let key = IntegrityKey::new(credentials.password().as_bytes());
    let mut bytes = Vec::new();
    let id = TransactionId([1; 12]);
    let mut message = MessageBuilder::new(&mut bytes, Class::Request, Method::BINDING, id);
    message.username("puppet", "other").unwrap();
    message
        .integrity(&key)
        .use_candidate()
        .priority(9)
        .controlling(9);
    message
        .attribute(AttributeType(0x7000), &[])
        .unwrap()
        .fingerprint();
    let message = Message::parse(&bytes).unwrap();
    assert!(message.verify_integrity(&key) && message.verify_fingerprint());
    assert!(!message.use_candidate());
    assert_eq!((message.priority(), message.controlling()), (None, None));
    assert_eq!(message.unknown_comprehension_required().count(), 0);
}

#[test]
fn a_flood_of_checks_makes_a_bounded_number_of_answers() {
    let (mut agent, now, _) = checking_agent(Config::default());
    for number in 0..10_000 {
        let check = Check::new(agent.local_credentials(), "puppet", number);
        let outcome = deliver(
            &mut agent,
            address(1, 0),
            address(2, 0),
            &check.encode(),
            now,
        );
        assert_eq!(outcome.is_ok(), number < 64);
    }
    let out = sent(&mut agent, now);
    assert!(out.len() <= 66, "{}", out.len());
    assert_eq!(
        agent.stats().counters.dropped(DropReason::Overload),
        10_000 - 64
    );
}

#[test]
fn a_peer_that_checks_from_everywhere_finds_bounded_lists_and_paced_checks() {
    let (mut agent, start, _) = checking_agent(Config::default());
    let (mut now, mut checks, mut octets) = (start, 0, 0);
    for number in 0..5_000_u32 {
        let [_, _, high, low] = number.to_be_bytes();
        let source = SocketAddr::from(([10, 9, high, low], 4000));
        let check = Check::new(agent.local_credentials(), "puppet", number);
        now += Duration::from_micros(200);
        deliver(&mut agent, address(1, 0), source, &check.encode(), now).unwrap();
        for (_, bytes) in sent(&mut agent, now) {
            octets += bytes.len();
            let class = Message::parse(&bytes).unwrap().class();
            checks += u32::from(class == Class::Request);
        }
    }
    let pairs = agent.stats().pairs.len();
    assert!((30..=100).contains(&pairs), "{pairs} pairs");
    // One second of time at Ta = 5 ms.
    assert!(checks <= 201, "{checks} checks");
    assert!(
        octets < 5_000 * 100,
        "{octets} octets for {} in",
        5_000 * 100
    );
    assert_eq!(agent.data_path(), None);
}

#[test]
fn a_peer_that_moves_for_ever_is_still_found_after_hundreds_of_addresses() {
    let (mut agent, mut now, _) = checking_agent(Config::default());
    for number in 0..250_u32 {
        let [_, _, high, low] = number.to_be_bytes();
        let source = SocketAddr::from(([10, 9, high, low], 4000));
        let check = Check::new(agent.local_credentials(), "puppet", number);
        deliver(&mut agent, address(1, 0), source, &check.encode(), now).unwrap();
        let end = now + Duration::from_secs(31);
        let mut asked = false;
        while now < end {
            let (next, out) = run_alone(&mut agent, now, end);
            now = next;
            asked |= out.iter().any(|(to, bytes)| {
                *to == source && Message::parse(bytes).unwrap().class() == Class::Request
            });
        }
        assert!(asked, "address {number}");
    }
    assert!(agent.stats().pairs.len() <= 100);
}

#[test]
fn a_candidate_flood_of_signalling_is_bounded_and_paced() {
    let now = Net::<Node>::new(0).now();
    let locals: Vec<_> = (0..20).map(|index| address(1, index)).collect();
    let mut agent = Node::new(Config::default(), 1, &locals, now).agent;
    agent.set_remote_credentials(puppet(), now).unwrap();
    agent.connect(now).unwrap();
    let mut accepted = 0;
    for index in 0..200 {
        let remote = Candidate::remote("1", 1, 99, address(2, index), CandidateKind::Host, None);
        accepted += u32::from(agent.add_remote_candidate(remote.unwrap(), now).is_ok());
    }
    assert_eq!((accepted, agent.stats().pairs.len()), (100, 100));
    let (mut clock, mut count) = (now, 0);
    while clock < now + Duration::from_secs(1) {
        let (next, out) = run_alone(&mut agent, clock, now + Duration::from_secs(1));
        clock = next;
        count += out.len();
    }
    assert!((150..=201).contains(&count), "{count} checks in a second");
}

#[test]
fn pacing_does_not_depend_on_how_often_the_embedder_calls() {
    for step in [100, 1_000, 5_000, 15_600] {
        let now = Net::<Node>::new(0).now();
        let locals: Vec<_> = (0..6).map(|index| address(1, index)).collect();
        let mut agent = Node::new(Config::default(), 1, &locals, now).agent;
        agent.set_remote_credentials(puppet(), now).unwrap();
        for index in 0..6 {
            let remote =
                Candidate::remote("1", 1, 99, address(2, index), CandidateKind::Host, None);
            agent.add_remote_candidate(remote.unwrap(), now).unwrap();
        }
        agent.connect(now).unwrap();
        let (mut clock, mut count) = (now, 0);
        while clock < now + Duration::from_millis(150) {
            agent.handle_timeout(clock);
            count += sent(&mut agent, clock).len();
            clock += Duration::from_micros(step);
        }
        assert!(
            (27..=31).contains(&count),
            "{count} checks with a step of {step} us"
        );
    }
}

#[test]
fn a_deadline_moves_or_there_is_output() {
    let (mut agent, mut now, _) = checking_agent(Config::default());
    let end = now + Duration::from_secs(120);
    let mut steps = 0;
    while let Some(timeout) = agent.poll_timeout().filter(|timeout| timeout.at < end) {
        now = now.max(timeout.at);
        agent.handle_timeout(now);
        let moved = agent.poll_timeout().is_none_or(|next| next.at > timeout.at);
        let output = !sent(&mut agent, now).is_empty();
        assert!(moved || output);
        // Early and repeated calls do nothing.
        let before = visible(&agent);
        agent.handle_timeout(now);
        agent.handle_timeout(now - Duration::from_secs(1));
        assert_eq!(visible(&agent), before);
        steps += 1;
        assert!(steps < 1_000);
    }
}

#[test]
fn closed_is_final() {
    let (mut agent, now, first) = checking_agent(Config::default());
    agent.close();
    assert_eq!((agent.poll_timeout(), agent.data_path()), (None, None));
    let good = answer(&first, &puppet(), address(1, 0), None);
    let outcome = deliver(&mut agent, address(1, 0), address(2, 0), &good, now);
    assert_eq!(outcome, Err(DropReason::Closed));
    agent.handle_timeout(now + Duration::from_secs(5));
    assert!(agent.connect(now).is_err() && sent(&mut agent, now).is_empty());
    assert_eq!(agent.poll_event(), None);
}

#[test]
fn an_error_that_cannot_be_repaired_fails_the_pair_and_a_check_of_the_peer_brings_it_back() {
    let (mut agent, now, first) = checking_agent(Config::default());
    let refused = answer(
        &first,
        &puppet(),
        address(1, 0),
        Some(ErrorCode::BAD_REQUEST),
    );
    deliver(&mut agent, address(1, 0), address(2, 0), &refused, now).unwrap();
    assert_eq!(agent.stats().pairs[0].state, PairState::Failed);
    let check = Check::new(agent.local_credentials(), "puppet", 1);
    let now = now + Duration::from_millis(20);
    deliver(
        &mut agent,
        address(1, 0),
        address(2, 0),
        &check.encode(),
        now,
    )
    .unwrap();
    assert_eq!(agent.stats().pairs[0].state, PairState::InProgress);
    assert_eq!(sent(&mut agent, now).len(), 2);
}

#[test]
fn the_agent_is_send() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&checking_agent(Config::default()).0);
}

#[test]
fn the_same_seed_and_script_give_the_same_octets() {
    let run = |seed: u8| {
        let now = Net::<Node>::new(0).now();
        let mut agent = Node::new(Config::default(), seed, &[address(1, 0)], now).agent;
        agent.set_remote_credentials(puppet(), now).unwrap();
        let check = Check::new(agent.local_credentials(), "puppet", 1);
        deliver(
            &mut agent,
            address(1, 0),
            address(2, 0),
            &check.encode(),
            now,
        )
        .unwrap();
        agent.connect(now).unwrap();
        sent(&mut agent, now)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_role_change_storm_leaves_a_short_event_queue() {
    let (mut agent, now, _) = checking_agent(Config::default().role(RolePolicy::Controlled));
    for number in 0..1_000 {
        let mut check = Check::new(agent.local_credentials(), "puppet", number);
        check.role = if agent.is_controlling() {
            (ortc_ice::Role::Controlling, u64::MAX)
        } else {
            (ortc_ice::Role::Controlled, 0)
        };
        deliver(
            &mut agent,
            address(1, 0),
            address(2, 0),
            &check.encode(),
            now,
        )
        .unwrap();
        sent(&mut agent, now);
    }
    let events: Vec<Event> = core::iter::from_fn(|| agent.poll_event()).collect();
    assert_eq!(events.len(), 1, "{events:?}");
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    if let Some(octet) = changed.get_mut(bit / 8) {
        *octet ^= 1 << (bit % 8);
    }
    changed
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
