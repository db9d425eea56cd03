//! Attributes of the embedder's that ride in checks and answers.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::time::Duration;
use std::time::Instant;

use ortc_ice::stun::{AttributeType, Class, IntegrityKey, Message, MessageBuilder, Method};
use ortc_ice::{
    Agent, AttributeError, Candidate, CandidateKind, Config, ConfigError, Credentials, DropReason,
    Event, Path, RolePolicy,
};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{
    Check, Node, address, answer, connect, deliver, puppet, run_alone, run_until_usable, sent,
    two_agents,
};

/// The numbers under which libwebrtc lets a DTLS handshake ride.
const DATA: AttributeType = AttributeType(0xC070);
const ACK: AttributeType = AttributeType(0xC071);

#[test]
fn what_one_side_sends_the_other_is_told_by_path_in_checks_and_in_answers() {
    let config = || Config::default().report_attributes(&[DATA, ACK]).unwrap();
    let (mut net, a, b) = two_agents(3, [config(), config()], [1, 1]);
    let flight = vec![vec![1; 900], vec![2; 901], vec![3; 3]];
    net.node_mut(a)
        .agent
        .set_check_attribute(DATA, flight.clone())
        .unwrap();
    net.node_mut(b)
        .agent
        .set_check_attribute(DATA, Some(vec![9; 500]))
        .unwrap();
    net.node_mut(b)
        .agent
        .set_check_attribute(ACK, Some(vec![]))
        .unwrap();
    connect(&mut net, a, b, [1, 1]);
    assert!(run_until_usable(&mut net, a, b, Duration::from_secs(1)));
    net.run_for(Duration::from_secs(30));

    let told = |node, wanted| {
        let of = move |event: &Event| {
            let Event::CheckAttribute {
                path,
                kind,
                value,
                in_response,
            } = event
            else {
                return None;
            };
            (*kind == wanted).then(|| (*path, value.clone(), *in_response))
        };
        net.node(node)
            .events
            .iter()
            .filter_map(|(_, event)| of(event))
            .collect::<Vec<_>>()
    };
    let at_b = told(b, DATA);
    let path = Path::udp(address(2, 0), address(1, 0));
    assert!(at_b.iter().all(|(way, ..)| *way == path));
    let values: Vec<_> = at_b
        .iter()
        .map(|(_, value, _)| value.clone().unwrap())
        .collect();
    let in_turn = flight.iter().cycle().take(values.len());
    assert!(
        values.len() > 6 && values.iter().eq(in_turn),
        "each message carries the next one"
    );
    for place in [false, true] {
        assert!(at_b.iter().any(|(.., in_response)| *in_response == place));
    }
    assert!(
        told(a, ACK)
            .iter()
            .all(|(_, value, _)| value.as_deref() == Some(&[]))
    );
    // A sends no ACK: B is told so once.
    let missing = told(b, ACK);
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].1, None);
}

#[test]
fn nobody_is_told_what_was_not_asked_for_and_nothing_rides_that_was_ended() {
    let (mut net, a, b) = two_agents(3, [Config::default(), Config::default()], [1, 1]);
    net.node_mut(a)
        .agent
        .set_check_attribute(DATA, Some(vec![1]))
        .unwrap();
    connect(&mut net, a, b, [1, 1]);
    assert!(run_until_usable(&mut net, a, b, Duration::from_secs(1)));
    net.run_for(Duration::from_secs(1));
    assert!(
        !net.node(b)
            .saw(|event| matches!(event, Event::CheckAttribute { .. }))
    );
    let riding = |net: &Net<Node>| {
        let has = |contents: &[u8]| {
            let message = Message::parse(contents).unwrap();
            message
                .covered_attributes()
                .any(|attribute| attribute.kind == DATA)
        };
        let ours = net.log.iter().filter(|sent| sent.by == a);
        ours.map(|sent| has(&sent.contents)).collect::<Vec<_>>()
    };
    assert!(riding(&net).iter().all(|rides| *rides));
    net.log.clear();
    net.node_mut(a)
        .agent
        .set_check_attribute(DATA, None)
        .unwrap();
    net.run_for(Duration::from_secs(30));
    assert!(!riding(&net).is_empty() && riding(&net).iter().all(|rides| !*rides));
}

#[test]
fn what_does_not_fit_or_is_not_free_is_refused_and_changes_nothing() {
    let (mut agent, now) = checking_agent();
    for taken in [
        AttributeType::USERNAME,
        AttributeType(0x7FFF),
        AttributeType::FINGERPRINT,
        AttributeType::ICE_CONTROLLED,
        AttributeType::ICE_CONTROLLING,
        AttributeType::NOMINATION,
    ] {
        assert_eq!(
            agent.set_check_attribute(taken, Some(vec![])),
            Err(AttributeError::Kind(taken))
        );
        let reported = Config::default().report_attributes(&[taken]).err();
        assert_eq!(reported, Some(ConfigError::Attribute));
    }
    let Err(AttributeError::TooLong { have: 1200, room }) =
        agent.set_check_attribute(DATA, Some(vec![0; 1200]))
    else {
        panic!("too long for a datagram of 1200 octets")
    };
    assert!(room > 1000, "{room}");
    agent
        .set_check_attribute(DATA, Some(vec![0; room]))
        .unwrap();
    let full = AttributeError::TooLong { have: 0, room: 0 };
    assert_eq!(agent.set_check_attribute(ACK, Some(vec![])), Err(full));
    assert_eq!(
        agent.set_check_attribute(DATA, vec![vec![0]; 17]),
        Err(AttributeError::TooMany)
    );
    agent.set_check_attribute(DATA, None).unwrap();
    for kind in 0..4 {
        agent
            .set_check_attribute(AttributeType(0xD000 + kind), Some(vec![1]))
            .unwrap();
    }
    assert_eq!(
        agent.set_check_attribute(DATA, Some(vec![1])),
        Err(AttributeError::TooMany)
    );
    sent(&mut agent, now);
    agent.close();
    assert_eq!(
        agent.set_check_attribute(DATA, None),
        Err(AttributeError::Closed)
    );
}

/// What is said to fit fits, in the longest check of a session; a fragment of the peer's that comes
/// later and leaves no room makes a check go without.
#[test]
fn no_check_is_longer_than_the_option_says() {
    for (len, late) in [(576, false), (1200, false), (1500, false), (1200, true)] {
        let config = Config::default().role(RolePolicy::Controlling);
        let now = Net::<Node>::new(0).now();
        let mut agent =
            Node::new(config.max_check_len(len).unwrap(), 1, &[address(1, 0)], now).agent;
        agent.set_remote_renomination(true);
        let ufrag = "u".repeat(256);
        let peer = Credentials::new(ufrag, "passwordpasswordpassword").unwrap();
        let candidate = Candidate::remote("1", 1, 9, address(2, 0), CandidateKind::Host, None);
        agent.add_remote_candidate(candidate.unwrap(), now).unwrap();
        if !late {
            agent.set_remote_credentials(peer.clone(), now).unwrap();
        }
        let Err(AttributeError::TooLong { room, .. }) =
            agent.set_check_attribute(DATA, Some(vec![0; 9000]))
        else {
            panic!("there is not so much room")
        };
        agent
            .set_check_attribute(DATA, Some(vec![7; room]))
            .unwrap();
        agent.set_remote_credentials(peer.clone(), now).unwrap();
        agent.connect(now).unwrap();
        let (_, first) = sent(&mut agent, now).remove(0);
        let good = answer(&first, &peer, address(1, 0), None);
        deliver(&mut agent, address(1, 0), address(2, 0), &good, now).unwrap();
        let (_, mut out) = run_alone(&mut agent, now, now + Duration::from_secs(5));
        let nominating = out.remove(0).1;
        let message = Message::parse(&nominating).unwrap();
        assert_eq!(message.nomination(), Some(1));
        let rides = message
            .covered_attributes()
            .any(|attribute| attribute.kind == DATA);
        assert_eq!(rides, !late);
        assert!(
            nominating.len() <= len && (late || nominating.len() + 4 > len),
            "{}",
            nominating.len()
        );
    }
}

#[test]
fn only_authenticated_octets_are_told_and_a_bounded_number_of_them() {
    let (mut agent, now) = checking_agent();
    let (local, remote) = (address(1, 0), address(2, 0));
    let (_, request) = sent(&mut agent, now).remove(0);
    let mut check = Check::new(agent.local_credentials(), "puppet", 1);
    check.extra = vec![(DATA, vec![5; 40])];
    let mut forged = check.encode();
    let place = forged.windows(4).position(|four| four == [5; 4]).unwrap();
    forged[place] ^= 1;
    assert!(deliver(&mut agent, local, remote, &forged, now).is_err());
    // After MESSAGE-INTEGRITY nothing counts, and a response has to be one.
    let mut late = Vec::new();
    let id = Message::parse(&request).unwrap().transaction_id();
    let key = IntegrityKey::new(puppet().password().as_bytes());
    let mut message = MessageBuilder::new(&mut late, Class::Success, Method::BINDING, id);
    message.xor_mapped_address(local).integrity(&key);
    message.attribute(DATA, &[6; 8]).unwrap().fingerprint();
    deliver(&mut agent, local, remote, &late, now).unwrap();
    let unasked = deliver(&mut agent, local, remote, &late, now);
    assert_eq!(unasked, Err(DropReason::UnknownTransaction));
    let told = attributes(&mut agent);
    assert_eq!(told, [(None, true)], "told that it is missing, once");

    for number in 0..100 {
        check.id = Check::new(agent.local_credentials(), "puppet", number).id;
        deliver(&mut agent, local, remote, &check.encode(), now).unwrap();
        sent(&mut agent, now);
    }
    assert_eq!(agent.stats().counters.attributes_unreported, 68);
    let told = attributes(&mut agent);
    assert_eq!(told.len(), 32);
    assert!(
        told.iter()
            .all(|(value, _)| value.as_deref() == Some(&[5; 40]))
    );
    // Taken out, there is room again; a value beyond every datagram of ours is not told.
    check.extra = vec![(DATA, vec![5; 1201])];
    deliver(&mut agent, local, remote, &check.encode(), now).unwrap();
    assert!(attributes(&mut agent).is_empty());
    check.extra = vec![(DATA, vec![4; 1200])];
    deliver(&mut agent, local, remote, &check.encode(), now).unwrap();
    assert_eq!(attributes(&mut agent).len(), 1);
}

/// A check that loses the role conflict is no part of the session, nor is one from before a restart.
#[test]
fn a_refused_check_tells_nothing() {
    let (mut agent, now) = checking_agent();
    let mut check = Check::new(agent.local_credentials(), "puppet", 1);
    check.role = (ortc_ice::Role::Controlled, u64::MAX);
    check.extra = vec![(DATA, vec![5])];
    let old = check.encode();
    deliver(&mut agent, address(1, 0), address(2, 0), &old, now).unwrap();
    assert!(attributes(&mut agent).is_empty());
    agent.restart(now);
    deliver(&mut agent, address(1, 0), address(2, 0), &old, now).unwrap();
    assert!(attributes(&mut agent).is_empty());
}

fn attributes(agent: &mut Agent) -> Vec<(Option<Vec<u8>>, bool)> {
    let of = |event| {
        let Event::CheckAttribute {
            value, in_response, ..
        } = event
        else {
            return None;
        };
        Some((value, in_response))
    };
    core::iter::from_fn(|| agent.poll_event())
        .filter_map(of)
        .collect()
}

/// A controlled agent that has just begun to check one candidate of a peer played by hand.
fn checking_agent() -> (Agent, Instant) {
    let now = Net::<Node>::new(0).now();
    let config = Config::default()
        .role(RolePolicy::Controlled)
        .report_attributes(&[DATA]);
    let mut agent = Node::new(config.unwrap(), 1, &[address(1, 0)], now).agent;
    agent.set_remote_credentials(puppet(), now).unwrap();
    let candidate = Candidate::remote("1", 1, 99, address(2, 0), CandidateKind::Host, None);
    agent.add_remote_candidate(candidate.unwrap(), now).unwrap();
    agent.connect(now).unwrap();
    (agent, now)
}
