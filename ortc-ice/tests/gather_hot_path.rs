//! What happens for each packet that a relay carries, and that a gatherer keeps the laws of time.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod gathering;

use core::time::Duration;

use gathering::{Node, Story, a};
use ortc_ice::{
    CandidateKind, Datagram, GatherConfig, Gathered, Path, ServerCredentials, ServerUri, Transmit,
};
use ortc_testkit::laws;
use ortc_testkit::net::NodeId;

const SECOND: Duration = Duration::from_secs(1);
const PEER: &str = "198.51.100.9:9000";

/// A gatherer with an allocation, a channel to the peer, and this many idle bases more.
fn relaying(idle: u8) -> (Story, NodeId, Path) {
    let idle: Vec<String> = (0..idle).map(|n| format!("10.9.{n}.1:5000")).collect();
    let bases: Vec<&str> = ["10.0.0.1:5000"]
        .into_iter()
        .chain(idle.iter().map(String::as_str))
        .collect();
    let mut story = Story::new(GatherConfig::default(), &bases);
    story.turn_server("192.0.2.1:3478", &["192.0.2.100"]);
    let peer = story.peer(PEER);
    story.add_turn("turn:192.0.2.1", "secret");
    story.gather();
    story.run_for(5 * SECOND);
    let found = story.candidates();
    let ours = |found: &&ortc_ice::LocalCandidate| {
        found.kind == CandidateKind::Relayed && found.related == Some(a("10.0.0.1:5000"))
    };
    let relayed = found.iter().find(ours).unwrap().address;
    let path = Path::udp(relayed, a(PEER));
    let now = story.net.now();
    story
        .gatherer_mut()
        .permit(relayed, path.remote.ip(), now)
        .unwrap();
    story.run_for(SECOND);
    (story, peer, path)
}

#[test]
fn a_relayed_packet_allocates_nothing_either_way() {
    let (mut story, _, path) = relaying(0);
    for channel in [false, true] {
        if channel {
            let now = story.net.now();
            let gatherer = story.gatherer_mut();
            gatherer.bind_channel(path.local, path.remote, now).unwrap();
            story.run_for(SECOND);
        }
        story.send(path, &[7; 1100]).unwrap();
        story.run_for(SECOND);
        let (from, arrived) = story.own().last.clone().unwrap();
        assert_eq!(arrived.len() > 1110, !channel, "channels save octets");
        let now = story.net.now();
        let gatherer = story.gatherer_mut();
        let (mut buf, mut contents) = (Vec::with_capacity(2048), arrived.clone());
        let counted = allocation_counter::measure(|| {
            for _ in 0..1000 {
                let datagram = Datagram {
                    path: from,
                    contents: &mut contents,
                    ecn: Default::default(),
                };
                let gathered = gatherer.handle_datagram(datagram, now);
                let Gathered::Relayed { path: came, range } = gathered else {
                    panic!("{gathered:?}")
                };
                assert_eq!((came, range.len()), (path, 1100));
                buf.clear();
                buf.resize(1100, 7);
                let transmit = Transmit {
                    path,
                    len: 1100,
                    segment: None,
                    ecn: Default::default(),
                };
                let wrapped = gatherer.encapsulate(transmit, &mut buf, 0).unwrap();
                assert_eq!(wrapped.len, buf.len());
            }
        });
        assert_eq!(counted.count_total, 0, "channel: {channel}");
    }
}

#[test]
fn a_relay_counts_what_it_carries() {
    let (mut story, _, path) = relaying(0);
    let counted = |story: &Story| {
        let counters = story.gatherer().relay_counters(&path.local).unwrap();
        format!("{counters:?}")
    };
    let before = counted(&story);
    story.send(path, b"hello").unwrap();
    story.run_for(SECOND);
    assert_ne!(counted(&story), before);
    assert!(story.gatherer().relay_counters(&a(PEER)).is_none());
}

/// A run of segments leaves in one go.
#[test]
fn segments_are_wrapped_one_by_one_in_place() {
    let (mut story, peer, path) = relaying(0);
    let now = story.net.now();
    let gatherer = story.gatherer_mut();
    gatherer.bind_channel(path.local, path.remote, now).unwrap();
    story.run_for(SECOND);
    let mut buf = vec![0xEE; 10]; // what the caller had there before
    buf.extend([1; 100]);
    buf.extend([2; 100]);
    buf.extend([3; 50]);
    let transmit = Transmit {
        path,
        len: 250,
        segment: Some(100),
        ecn: Default::default(),
    };
    let wrapped = story
        .gatherer_mut()
        .encapsulate(transmit, &mut buf, 10)
        .unwrap();
    assert_eq!(buf[..10], [0xEE; 10]);
    assert_eq!(wrapped.len, buf.len() - 10);
    let segment = wrapped.segment.unwrap();
    let at = story.net.now();
    for part in buf[10..].chunks(segment).rev() {
        let (local, remote) = (wrapped.path.local, wrapped.path.remote);
        story.own().wrapped.push((at, local, remote, part.to_vec()));
    }
    story.run_for(SECOND);
    let received = story.peer_received(peer);
    let lengths: Vec<_> = received.iter().map(|(_, part)| part.len()).collect();
    assert_eq!(lengths, [100, 100, 50]);
}

/// Nothing is looked at for a packet or a deadline but what it is about.
#[test]
fn idle_bases_make_no_events_and_no_output_of_their_own() {
    let (mut story, _, path) = relaying(60);
    let now = story.net.now();
    story.gatherer_mut().set_keepalive(None, now).unwrap();
    let sent = story.sent().len();
    story.run_for(60 * SECOND);
    assert_eq!(story.sent().len(), sent);
    story.send(path, b"hello").unwrap();
    story.run_for(SECOND);
    assert_eq!(story.own().received.len(), 1);
}

#[test]
fn early_and_repeated_timeouts_do_nothing_and_due_ones_progress() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000", "10.0.1.1:5000"]);
    story.add_server("stun:192.0.2.1");
    story.add_server("stun:nobody.example");
    story.add_turn("turn:192.0.2.2", "secret");
    story.gather();
    let id = story.id();
    for _ in 0..40 {
        let now = story.net.now();
        let Node::Gatherer(own) = story.net.node_mut(id) else {
            panic!("the gatherer")
        };
        laws::early_timeouts_do_nothing(own, now);
        story.run_for(Duration::from_millis(997));
    }
    let Node::Gatherer(own) = story.net.node_mut(id) else {
        panic!("the gatherer")
    };
    laws::due_timeouts_progress(own);
}

#[test]
fn a_closed_gatherer_ignores_everything() {
    let (mut story, ..) = relaying(0);
    let (id, now) = (story.id(), story.net.now());
    story.gatherer_mut().close(now);
    let last = story.own().last.clone().unwrap();
    let Node::Gatherer(own) = story.net.node_mut(id) else {
        panic!("the gatherer")
    };
    let (local, remote) = (last.0.local, last.0.remote);
    laws::closed_is_final(own, local, remote, &[last.1, vec![0; 20], vec![]], now);
}

#[test]
fn the_same_story_is_told_twice_in_the_same_octets() {
    let story = || relaying(3).0.net;
    laws::replay_is_exact(story, |first, second| first.contents == second.contents);
}

/// RFC 8489 §9.2: a password with characters that PRECIS refuses is not sent as something else.
#[test]
fn a_password_that_cannot_be_sent_fails_the_server() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    let uri = ServerUri::parse("turn:192.0.2.1").unwrap();
    let credentials = ServerCredentials::new("alice", "tab\there");
    let gatherer = story.gatherer_mut();
    let server = gatherer.add_server(uri, Some(credentials)).unwrap();
    story.gather();
    assert_eq!(
        story.failures(),
        [(server, ortc_ice::ServerError::BadCredentials)]
    );
    assert!(!story.gatherer().is_pending(server));
    assert_eq!(story.sent(), []);
}
