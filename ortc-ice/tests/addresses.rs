//! Addresses that are not what they seem: zones, families, ports, and peers that use many.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use core::time::Duration;
use std::time::Instant;

use ortc_ice::stun::{Class, Message};
use ortc_ice::{
    Agent, Candidate, CandidateError, CandidateKind, Config, DropReason, Event, Path, PathState,
};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{Check, Node, address, answer, deliver, puppet, run_alone, sent};

/// A link-local address as a socket shows it.
fn link_local(host: u16, zone: u32) -> SocketAddr {
    SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host), 5000, 0, zone).into()
}

#[test]
fn a_link_local_candidate_is_checked_in_the_zone_of_our_own() {
    let (ours, theirs) = (link_local(1, 3), link_local(2, 3));
    // Signalling names no zone, or the peer's, which means nothing here.
    for signalled in [link_local(2, 0), link_local(2, 9)] {
        let (mut agent, now) = checking(ours, signalled);
        let (to, check) = sent(&mut agent, now).remove(0);
        assert_eq!(to, theirs);
        // The peer sees us in its own zone, of which an answer says nothing.
        let good = answer(&check, &puppet(), link_local(1, 0), None);
        deliver(&mut agent, ours, theirs, &good, now).unwrap();
        assert_eq!(agent.data_path(), Some(Path::udp(ours, theirs)));
        let local = core::iter::from_fn(|| agent.poll_event()).find_map(|event| {
            let Event::ActivePair { local, .. } = event else {
                return None;
            };
            Some((local.kind(), local.address()))
        });
        assert_eq!(local, Some((CandidateKind::Host, ours)));
        assert_eq!(
            agent.remote_addresses().collect::<Vec<_>>(),
            [link_local(2, 0)]
        );
    }
}

#[test]
fn a_check_from_a_zone_is_that_of_the_signalled_candidate() {
    let (ours, theirs) = (link_local(1, 3), link_local(2, 3));
    let check = |agent: &Agent, number| Check::new(agent.local_credentials(), "puppet", number);
    // Signalled first, or seen first: one pair in both cases.
    let (mut agent, now) = checking(ours, link_local(2, 0));
    let seen = check(&agent, 1).encode();
    deliver(&mut agent, ours, theirs, &seen, now).unwrap();
    assert_eq!(agent.stats().pairs.len(), 1);

    let (mut agent, now) = checking(ours, link_local(7, 0));
    let seen = check(&agent, 2).encode();
    deliver(&mut agent, ours, theirs, &seen, now).unwrap();
    assert_eq!(
        agent.path_state(&Path::udp(ours, theirs)),
        PathState::CheckReceived
    );
    agent
        .add_remote_candidate(remote(link_local(2, 0)), now)
        .unwrap();
    assert_eq!(agent.stats().pairs.len(), 2);
    // One that our own candidate does not share is another one.
    let elsewhere = check(&agent, 3).encode();
    deliver(&mut agent, ours, link_local(2, 4), &elsewhere, now).unwrap();
    assert_eq!(agent.stats().pairs.len(), 3);
}

#[test]
fn addresses_to_which_nothing_can_be_sent_are_no_candidates() {
    let refused = [
        "0.0.0.0:5000",
        "224.0.0.1:5000",
        "255.255.255.255:5000",
        "10.0.0.1:0",
        "[::]:5000",
        "[ff02::1]:5000",
        "[::ffff:10.0.0.1]:5000",
    ];
    for text in refused {
        let bad: SocketAddr = text.parse().unwrap();
        let theirs = Candidate::remote("1", 1, 99, bad, CandidateKind::Host, None);
        assert_eq!(theirs, Err(CandidateError::Address), "{text}");
        assert_eq!(Candidate::host(bad), Err(CandidateError::Address), "{text}");
        let (mut agent, now) = checking(address(1, 0), address(2, 0));
        sent(&mut agent, now);
        let check = Check::new(agent.local_credentials(), "puppet", 1).encode();
        let outcome = deliver(&mut agent, address(1, 0), bad, &check, now);
        assert_eq!(outcome, Err(DropReason::RemoteAddress), "{text}");
        assert!(sent(&mut agent, now).is_empty());
    }
}

#[test]
fn a_priority_that_no_candidate_can_have_is_brought_into_range() {
    for (claimed, kept) in [(0, 1), (u32::MAX, 0x7fff_ffff), (7, 7)] {
        let (mut agent, now) = checking(address(1, 0), address(2, 0));
        sent(&mut agent, now);
        let mut check = Check::new(agent.local_credentials(), "puppet", 1);
        check.priority = Some(claimed);
        deliver(
            &mut agent,
            address(1, 0),
            address(3, 0),
            &check.encode(),
            now,
        )
        .unwrap();
        let (now, out) = run_alone(&mut agent, now, now + Duration::from_millis(50));
        let triggered = out.iter().find(|(to, bytes)| {
            *to == address(3, 0) && Message::parse(bytes).unwrap().class() == Class::Request
        });
        let triggered = triggered.cloned().unwrap_or_else(|| {
            run_alone(&mut agent, now, now + Duration::from_millis(50))
                .1
                .remove(0)
        });
        let good = answer(&triggered.1, &puppet(), address(1, 0), None);
        deliver(&mut agent, address(1, 0), address(3, 0), &good, now).unwrap();
        let priority = core::iter::from_fn(|| agent.poll_event()).find_map(|event| {
            let Event::ActivePair { remote, .. } = event else {
                return None;
            };
            Some(remote.priority())
        });
        assert_eq!(priority, Some(kept));
    }
}

#[test]
fn addresses_of_ours_that_a_peer_invents_leave_room_for_sockets() {
    let (local, remote) = (address(1, 0), address(2, 0));
    let now = Net::<Node>::new(0).now();
    let config = Config::default().max_pairs(2).unwrap();
    let mut agent = Node::new(config, 1, &[local], now).agent;
    agent.set_remote_credentials(puppet(), now).unwrap();
    agent
        .add_remote_candidate(self::remote(remote), now)
        .unwrap();
    agent.connect(now).unwrap();
    let check = sent(&mut agent, now).remove(0).1;
    let mapped = answer(&check, &puppet(), address(9, 9), None);
    deliver(&mut agent, local, remote, &mapped, now).unwrap();
    let second = Candidate::host(address(1, 1)).unwrap();
    assert!(agent.add_local_candidate(second, now).is_ok());
    let third = Candidate::host(address(1, 2)).unwrap();
    assert!(agent.add_local_candidate(third, now).is_err());
}

fn remote(address: SocketAddr) -> Candidate {
    Candidate::remote("1", 1, 99, address, CandidateKind::Host, None).unwrap()
}

/// An agent with one socket that has begun to check one candidate of a peer played by hand.
fn checking(local: SocketAddr, theirs: SocketAddr) -> (Agent, Instant) {
    let now = Net::<Node>::new(0).now();
    let mut agent = Node::new(Config::default(), 1, &[local], now).agent;
    agent.set_remote_credentials(puppet(), now).unwrap();
    agent.add_remote_candidate(remote(theirs), now).unwrap();
    agent.connect(now).unwrap();
    while agent.poll_event().is_some() {}
    (agent, now)
}
