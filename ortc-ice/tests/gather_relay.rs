//! Relayed candidates on the virtual network, with a server that knows nothing of the client.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod gathering;

use core::net::IpAddr;
use core::time::Duration;

use gathering::{Story, a};
use ortc_ice::turn::{PeerError, SendError};
use ortc_ice::{
    CandidateKind, GatherConfig, GatherEvent, OpenStream, Path, Security, ServerCredentials,
    ServerError, ServerUri, StreamId, TcpType,
};

const SECOND: Duration = Duration::from_secs(1);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A gatherer on one base, and a TURN server with these relayed addresses.
fn with_turn(relays: &[&str]) -> (Story, ortc_testkit::net::NodeId) {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    let server = story.turn_server("192.0.2.1:3478", relays);
    story.add_turn("turn:192.0.2.1", "secret");
    (story, server)
}

#[test]
fn an_allocation_gives_a_relayed_candidate_and_a_server_reflexive_one() {
    let (mut story, server) = with_turn(&["192.0.2.100"]);
    story.gather();
    story.run_for(SECOND);

    let relayed = story.candidate(CandidateKind::Relayed);
    assert_eq!(relayed.address.ip(), ip("192.0.2.100"));
    assert_eq!(relayed.base, relayed.address);
    assert_eq!(relayed.related, Some(a("10.0.0.1:5000")));
    assert_eq!(relayed.server.map(|(_, ip)| ip), Some(ip("192.0.2.1")));
    assert!(story.gatherer().is_relayed(&relayed.address));
    // No NAT: what the server sees is the base, which is a host candidate already.
    assert_eq!(story.addresses(CandidateKind::ServerReflexive), []);
    assert!(story.is_complete());
    assert_eq!(story.turn(server).load().0, 1);
    let candidate = relayed.candidate().unwrap();
    assert_eq!(candidate.kind(), CandidateKind::Relayed);
    assert_eq!(candidate.related_address(), relayed.related);
}

#[test]
fn a_server_with_both_families_gives_a_candidate_of_each() {
    let (mut story, _) = with_turn(&["192.0.2.100", "2001:db8::100"]);
    story.gather();
    story.run_for(SECOND);
    let relayed = story.addresses(CandidateKind::Relayed);
    assert_eq!(relayed.len(), 2);
    assert!(relayed[0].is_ipv4() != relayed[1].is_ipv4());
    assert!(story.is_complete());
}

#[test]
fn data_goes_through_the_relay_both_ways() {
    let (mut story, _) = with_turn(&["192.0.2.100"]);
    let peer = story.peer("198.51.100.9:9000");
    story.gather();
    story.run_for(SECOND);
    let relayed = story.candidate(CandidateKind::Relayed).address;
    let path = Path::udp(relayed, a("198.51.100.9:9000"));

    assert_eq!(story.send(path, b"early"), Err(SendError::NotPermitted));
    let now = story.net.now();
    story
        .gatherer_mut()
        .permit(relayed, path.remote.ip(), now)
        .unwrap();
    story.run_for(SECOND);
    for channel in [false, true] {
        if channel {
            let now = story.net.now();
            let gatherer = story.gatherer_mut();
            gatherer.bind_channel(relayed, path.remote, now).unwrap();
            story.run_for(SECOND);
        }
        story.send(path, b"hello").unwrap();
        story.run_for(SECOND);
        let received = story.peer_received(peer);
        assert_eq!(received, [(relayed, b"hello".to_vec())]);
        let back = core::mem::take(&mut story.own().received);
        assert_eq!(back, [(path, b"olleh".to_vec())]);
    }
}

#[test]
fn a_permission_costs_one_request_however_often_it_is_asked_for() {
    let (mut story, server) = with_turn(&["192.0.2.100"]);
    story.gather();
    story.run_for(SECOND);
    let relayed = story.candidate(CandidateKind::Relayed).address;
    let sent = story.sent().len();
    for _ in 0..100 {
        let now = story.net.now();
        story
            .gatherer_mut()
            .permit(relayed, ip("198.51.100.9"), now)
            .unwrap();
        story.run_for(Duration::from_millis(10));
    }
    assert_eq!(story.sent().len(), sent + 1);
    assert_eq!(story.turn(server).load(), (1, 1));
    let now = story.net.now();
    let gatherer = story.gatherer_mut();
    let refused = gatherer.permit(relayed, ip("127.0.0.1"), now);
    assert_eq!(refused, Err(PeerError::Policy));
    let elsewhere = gatherer.permit(a("192.0.2.100:1"), ip("198.51.100.9"), now);
    assert_eq!(elsewhere, Err(PeerError::Closed));
}

#[test]
fn wrong_credentials_fail_the_server_and_nothing_else() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.turn_server("192.0.2.1:3478", &["192.0.2.100"]);
    story.stun_server("192.0.2.2:3478");
    let server = story.add_turn("turn:192.0.2.1", "wrong");
    story.add_server("stun:192.0.2.2");
    story.gather();
    story.run_for(SECOND);
    let failures = story.failures();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].0, server);
    assert_eq!(story.addresses(CandidateKind::ServerReflexive).len(), 1);
    assert!(story.is_complete());
}

#[test]
fn new_credentials_count_at_the_next_round() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.turn_server("192.0.2.1:3478", &["192.0.2.100"]);
    let server = story.add_turn("turn:192.0.2.1", "wrong");
    story.gather();
    story.run_for(SECOND);
    assert_eq!(story.failures().len(), 1);
    assert_eq!(story.add_turn("turn:192.0.2.1", "secret"), server);
    story.gather();
    story.run_for(SECOND);
    assert_eq!(story.addresses(CandidateKind::Relayed).len(), 1);
    assert_eq!(story.failures().len(), 1);
}

#[test]
fn a_lost_allocation_ends_its_candidate_and_is_made_anew() {
    let (mut story, server) = with_turn(&["192.0.2.100"]);
    story.gather();
    story.run_for(SECOND);
    let first = story.candidate(CandidateKind::Relayed).address;
    story.turn(server).reboot();
    let now = story.net.now();
    // What it asks next is answered by 437: there is no such allocation.
    let gatherer = story.gatherer_mut();
    gatherer.permit(first, ip("198.51.100.9"), now).unwrap();
    story.run_for(10 * SECOND);

    assert_eq!(story.gone(), [first]);
    assert!(!story.gatherer().is_relayed(&first));
    let relayed = story.addresses(CandidateKind::Relayed);
    assert_eq!(relayed.len(), 2);
    assert_ne!(relayed[1], first);
    assert_eq!(story.completed_at().len(), 1, "the round was over");
    assert_eq!(story.failures(), []);
}

#[test]
fn an_allocation_is_kept_for_hours_without_an_event() {
    let (mut story, server) = with_turn(&["192.0.2.100"]);
    story.gather();
    story.run_for(SECOND);
    let events = story.events.len();
    story.run_for(7_200 * SECOND);
    assert_eq!(story.events.len(), events);
    assert_eq!(story.turn(server).load().0, 1);
}

#[test]
fn a_nat_binding_to_the_relay_is_kept_by_indications() {
    let (mut story, _) = with_turn(&["192.0.2.100"]);
    story.gather();
    story.run_for(SECOND);
    let sent = story.sent().len();
    story.run_for(60 * SECOND);
    let later = &story.sent()[sent..];
    assert_eq!(later.len(), 4);
    assert!(later.iter().all(|sent| sent.contents[..2] == [0x00, 0x11]));

    let now = story.net.now();
    story.gatherer_mut().set_keepalive(None, now).unwrap();
    let sent = story.sent().len();
    story.run_for(60 * SECOND);
    assert_eq!(story.sent().len(), sent);
}

#[test]
fn closing_gives_the_allocation_back() {
    let (mut story, server) = with_turn(&["192.0.2.100"]);
    story.gather();
    story.run_for(SECOND);
    let now = story.net.now();
    story.gatherer_mut().close(now);
    story.run_for(SECOND);
    assert_eq!(story.turn(server).load().0, 0);
    assert_eq!(story.gatherer().poll_timeout(), None);
    let sent = story.sent().len();
    story.run_for(100 * SECOND);
    assert_eq!(story.sent().len(), sent);
}

#[test]
fn removing_a_server_gives_its_allocation_back() {
    let (mut story, server) = with_turn(&["192.0.2.100"]);
    let other = story.add_turn("turn:192.0.2.1", "secret");
    story.gather();
    story.run_for(SECOND);
    let relayed = story.candidate(CandidateKind::Relayed).address;
    let now = story.net.now();
    story.gatherer_mut().remove_server(other, now);
    story.run_for(SECOND);
    assert_eq!(story.gone(), [relayed]);
    assert_eq!(story.turn(server).load().0, 0);
}

#[test]
fn removing_a_base_ends_its_relay_without_a_word() {
    let (mut story, _) = with_turn(&["192.0.2.100"]);
    story.gather();
    story.run_for(SECOND);
    let relayed = story.candidate(CandidateKind::Relayed).address;
    let (now, sent) = (story.net.now(), story.sent().len());
    story.gatherer_mut().remove_base(a("10.0.0.1:5000"), now);
    story.run_for(SECOND);
    assert!(story.gone().contains(&relayed));
    assert_eq!(story.sent().len(), sent);
    assert_eq!(story.gatherer().poll_timeout(), None);
}

#[test]
fn two_uris_of_one_server_are_one_allocation() {
    let (mut story, server) = with_turn(&["192.0.2.100"]);
    let again = story.add_turn("turn:192.0.2.1?transport=udp", "secret");
    story.gather();
    story.run_for(SECOND);
    assert_eq!(story.turn(server).load().0, 1);
    assert_eq!(story.failures(), [(again, ServerError::InUse)]);
}

#[test]
fn each_base_has_a_relay_of_its_own() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000", "10.0.1.1:5000"]);
    let server = story.turn_server("192.0.2.1:3478", &["192.0.2.100"]);
    story.add_turn("turn:192.0.2.1", "secret");
    story.gather();
    story.run_for(SECOND);
    assert_eq!(story.turn(server).load().0, 2);
    assert_eq!(story.addresses(CandidateKind::Relayed).len(), 2);
}

#[test]
fn a_relay_over_a_stream_is_asked_for_once_an_address() {
    let bases = ["10.0.0.1:5000", "10.0.0.1:5001", "10.0.1.1:5000"];
    let mut story = Story::new(GatherConfig::default(), &bases);
    story.add_turn("turns:turn.example.org", "secret");
    story.gather();
    let query = story.queries()[0].0;
    story.resolve(query, &["192.0.2.1"]);
    story.run_for(SECOND);
    let tls = || Security::Tls {
        server_name: "turn.example.org".into(),
    };
    let open = |local| OpenStream {
        local: a(local),
        remote: a("192.0.2.1:5349"),
        security: tls(),
    };
    assert_eq!(story.opened(), [open("10.0.0.1:0"), open("10.0.1.1:0")]);

    // The Allocate request leaves once the stream is there.
    assert_eq!(story.own().streamed, []);
    let now = story.net.now();
    let (local, actual) = (a("10.0.0.1:0"), a("10.0.0.1:40000"));
    let gatherer = story.gatherer_mut();
    gatherer.stream_opened(local, a("192.0.2.1:5349"), StreamId(7), actual, now);
    story.run_for(Duration::from_millis(1));
    let streamed = core::mem::take(&mut story.own().streamed);
    assert_eq!(streamed.len(), 1);
    assert_eq!(
        (streamed[0].0, &streamed[0].1[..2]),
        (StreamId(7), &[0, 3][..])
    );

    // One is refused, the other breaks.
    let now = story.net.now();
    let gatherer = story.gatherer_mut();
    gatherer.stream_failed(a("10.0.1.1:0"), a("192.0.2.1:5349"), now);
    gatherer.stream_closed(StreamId(7), now);
    story.run_for(SECOND);
    assert_eq!(story.failures().len(), 1);
    assert_eq!(story.failures()[0].1, ServerError::Stream);
    assert!(story.is_complete());
    assert_eq!(story.gatherer().poll_timeout(), None);
}

#[test]
fn a_stream_that_opens_too_late_is_closed_again() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.add_turn("turn:192.0.2.1?transport=tcp", "secret");
    story.gather();
    story.run_for(11 * SECOND);
    assert_eq!(story.failures()[0].1, ServerError::Stream);
    assert!(story.is_complete());
    let now = story.net.now();
    let (local, actual) = (a("10.0.0.1:0"), a("10.0.0.1:40000"));
    let gatherer = story.gatherer_mut();
    gatherer.stream_opened(local, a("192.0.2.1:3478"), StreamId(7), actual, now);
    story.drain();
    let last = story.events.last().map(|(_, event)| event.clone());
    assert_eq!(last, Some(GatherEvent::CloseStream(StreamId(7))));
    assert_eq!(story.own().streamed, []);
}

/// RFC 6544 §5.2: the mapped address of a listening socket.
#[test]
fn a_stuns_server_gives_a_tcp_candidate_of_a_base_that_listens() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    let gatherer = story.gatherer_mut();
    gatherer
        .add_tcp_base(a("10.0.0.1:6000"), TcpType::Passive)
        .unwrap();
    gatherer
        .add_tcp_base(a("10.0.0.1:0"), TcpType::Active)
        .unwrap();
    story.add_server("stuns:192.0.2.1");
    story.gather();
    let tcp: Vec<_> = story
        .candidates()
        .iter()
        .filter_map(|found| found.tcp)
        .collect();
    assert_eq!(tcp, [TcpType::Active, TcpType::Passive]);
    assert_eq!(story.opened().len(), 1);
    assert_eq!(story.opened()[0].local, a("10.0.0.1:6000"));

    let now = story.net.now();
    let (local, remote) = (a("10.0.0.1:6000"), a("192.0.2.1:5349"));
    story
        .gatherer_mut()
        .stream_opened(local, remote, StreamId(1), local, now);
    story.run_for(Duration::from_millis(1));
    let request = story.own().streamed[0].1.clone();
    let answer = gathering::success(&request[8..20], a("203.0.113.1:6000"));
    let now = story.net.now();
    for octet in answer {
        let _ = story
            .gatherer_mut()
            .handle_stream(StreamId(1), &[octet], now);
    }
    story.drain();
    let found = story.candidate(CandidateKind::ServerReflexive);
    assert_eq!((found.address, found.base), (a("203.0.113.1:6000"), local));
    assert_eq!(found.tcp, Some(TcpType::Passive));
    assert_eq!(
        found.candidate().unwrap().tcp_type(),
        Some(TcpType::Passive)
    );

    story.gatherer_mut().stream_closed(StreamId(1), now);
    story.drain();
    assert_eq!(story.gone(), [a("203.0.113.1:6000")]);
}

#[test]
fn a_stream_that_carries_something_else_fails_its_server() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    let gatherer = story.gatherer_mut();
    gatherer
        .add_tcp_base(a("10.0.0.1:6000"), TcpType::Passive)
        .unwrap();
    let server = story.add_server("stuns:192.0.2.1");
    story.gather();
    let now = story.net.now();
    let (local, remote) = (a("10.0.0.1:6000"), a("192.0.2.1:5349"));
    let gatherer = story.gatherer_mut();
    gatherer.stream_opened(local, remote, StreamId(1), local, now);
    let _ = gatherer.handle_stream(StreamId(1), b"SSH-2.0-OpenSSH_9.2\r\n", now);
    story.drain();
    assert_eq!(story.failures(), [(server, ServerError::Stream)]);
    let last = story.events.iter().rev().map(|(_, event)| event);
    let closes: Vec<_> = last
        .filter(|event| matches!(event, GatherEvent::CloseStream(_)))
        .collect();
    assert_eq!(closes, [&GatherEvent::CloseStream(StreamId(1))]);
}

#[test]
fn credentials_show_no_password() {
    let credentials = ServerCredentials::new("alice", "hunter2");
    assert!(!format!("{credentials:?}").contains("hunter2"));
    assert!(ServerUri::parse("turn:a").is_ok());
}

/// RFC 8489 §10, RFC 8656 §7.4.
#[test]
fn a_server_that_sends_us_elsewhere_is_followed_there() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    let other = story.turn_server("192.0.2.2:3478", &["192.0.2.100"]);
    story.stun_server("192.0.2.1:3478");
    story.server_mut().refuse = Some(300);
    story.server_mut().alternate = Some(a("192.0.2.2:3478"));
    story.add_turn("turn:192.0.2.1", "secret");
    story.gather();
    story.run_for(SECOND);
    let relayed = story.candidate(CandidateKind::Relayed);
    assert_eq!(relayed.server.map(|(_, ip)| ip), Some(ip("192.0.2.2")));
    assert_eq!(story.turn(other).load().0, 1);
    assert!(story.is_complete());
}

#[test]
fn a_server_that_sends_us_in_circles_or_nowhere_is_given_up() {
    for alternate in ["192.0.2.1:3478", "127.0.0.1:3478", "224.0.0.1:3478"] {
        let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
        story.stun_server("192.0.2.1:3478");
        story.server_mut().refuse = Some(300);
        story.server_mut().alternate = Some(a(alternate));
        let server = story.add_turn("turn:192.0.2.1", "secret");
        story.gather();
        story.run_for(SECOND);
        assert_eq!(story.failures().len(), 1, "{alternate}");
        assert_eq!(story.failures()[0].0, server);
        let sent = story.sent();
        assert!(sent.iter().all(|sent| sent.remote == a("192.0.2.1:3478")));
        assert!(sent.len() <= 2);
        assert!(story.is_complete());
        assert_eq!(story.gatherer().poll_timeout(), None);
    }
}

/// Over a stream the other server needs another one.
#[test]
fn being_sent_elsewhere_over_tls_asks_for_a_stream_there() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.add_turn("turns:turn.example.org", "secret");
    story.gather();
    let query = story.queries()[0].0;
    story.resolve(query, &["192.0.2.1"]);
    let now = story.net.now();
    let (local, actual) = (a("10.0.0.1:0"), a("10.0.0.1:40000"));
    let gatherer = story.gatherer_mut();
    gatherer.stream_opened(local, a("192.0.2.1:5349"), StreamId(1), actual, now);
    story.run_for(Duration::from_millis(1));
    let request = story.own().streamed[0].1.clone();
    let answer = gathering::redirect(&request, a("192.0.2.2:5349"));
    let now = story.net.now();
    let _ = story
        .gatherer_mut()
        .handle_stream(StreamId(1), &answer, now);
    story.drain();
    let opened = story.opened();
    assert_eq!(opened.len(), 2);
    assert_eq!(opened[1].remote, a("192.0.2.2:5349"));
    assert_eq!(opened[1].security, opened[0].security);
    let closes = story.events.iter().map(|(_, event)| event);
    let closes = closes.filter(|event| **event == GatherEvent::CloseStream(StreamId(1)));
    assert_eq!(closes.count(), 1);
    let gatherer = story.gatherer_mut();
    gatherer.stream_opened(local, a("192.0.2.2:5349"), StreamId(2), actual, now);
    story.run_for(Duration::from_millis(1));
    assert_eq!(story.own().streamed[1].0, StreamId(2));
}

#[test]
fn gathering_again_does_not_wait_for_an_allocation_that_was_lost() {
    let (mut story, server) = with_turn(&["192.0.2.100"]);
    story.gather();
    story.run_for(SECOND);
    let first = story.candidate(CandidateKind::Relayed).address;
    story.turn(server).reboot();
    let now = story.net.now();
    let gatherer = story.gatherer_mut();
    gatherer.permit(first, ip("198.51.100.9"), now).unwrap();
    story.run_for(Duration::from_millis(200));
    assert_eq!(story.gone(), [first]);
    story.gather();
    story.run_for(Duration::from_millis(200));
    assert_eq!(story.addresses(CandidateKind::Relayed).len(), 2);
    assert_eq!(story.completed_at().len(), 2);
}
