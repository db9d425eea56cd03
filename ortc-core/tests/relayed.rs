//! Calls that need servers: RTCConnections, and an RTCSocket with its connections, through a TURN
//! server on the virtual network.

mod relaying;

use core::net::IpAddr;
use core::time::Duration;

use allocation_counter::measure;
use ortc_core::{
    Event, Frame, LocalCandidates, Path, RTCConnection, RTCIceServer, RTCTrackFilter, ServerError,
};
use ortc_testkit::call::Peer;
use ortc_testkit::laws::{Lawful, due_timeouts_progress, early_timeouts_do_nothing};
use ortc_testkit::link::Link;
use ortc_testkit::net::Net;
use relaying::*;

#[test]
fn two_ends_that_cannot_reach_each_other_talk_through_the_relay() {
    let mut call = Call::new(1).connected();
    assert!(call.says());
    let active = |event: &Event| {
        let Event::ActiveCandidate(pair) = event else {
            return None;
        };
        Some(pair.local.kind.clone())
    };
    let peer = call.net.node_mut(call.a).peer();
    let kinds: Vec<_> = peer.events.iter().filter_map(active).collect();
    assert_eq!(kinds.last().map(String::as_str), Some("relay"));
    assert!(call.net.node_mut(call.server).server().relayed > 10);
    assert!(
        !call
            .net
            .log
            .iter()
            .any(|sent| { (sent.local, sent.remote) == (at(A), at(B)) && sent.contents[0] >= 128 })
    );
}

#[test]
fn candidates_of_servers_are_told_and_then_their_end() {
    let mut call = Call::new(2);
    call.net.run_for(ms(1_000));
    let peer = call.net.node_mut(call.a).peer();
    let kinds: Vec<_> = peer
        .candidates
        .iter()
        .map(|found| found.kind.as_str())
        .collect();
    // There is no NAT, so that the server sees the host candidate (RFC 8445 §5.1.3).
    assert_eq!(kinds, ["host", "relay"]);
    let relay = &peer.candidates[1];
    assert_eq!(relay.connection_address, RELAY);
    assert_eq!(relay.rel_address.as_deref(), Some("10.0.0.1"));
    let ends = |event: &Event| matches!(event, Event::EndOfCandidates);
    assert_eq!(peer.count(ends), 1);
}

#[test]
fn a_call_on_a_shared_socket_goes_through_the_relay_of_the_socket() {
    let mut call = Call::with_socket(3).connected();
    assert!(call.says());
    assert!(call.net.node_mut(call.server).server().relayed > 10);
    assert_eq!(call.load(), 1);
}

#[test]
fn an_allocation_that_is_lost_in_a_call_is_made_anew_and_the_call_goes_on() {
    for mut call in [Call::new(4), Call::with_socket(5)] {
        call = call.connected();
        assert!(call.says());
        call.net.node_mut(call.server).server().reboot();
        call.run(Duration::from_secs(60));
        assert!(call.are_connected());
        assert!(call.says());
        assert_eq!(call.load(), 1);
    }
}

/// The server knows the allocation by the address that the NAT gave (RFC 8656 §3.2): from another
/// one it takes nothing for it.
#[test]
fn a_nat_that_is_restarted_costs_the_allocation_and_not_the_call() {
    let (call, home) = Call::behind_nat(10);
    let mut call = call.connected();
    assert!(call.says());
    let nat = call.net.topology.gateway_mut(home, true).unwrap();
    nat.reboot();
    call.run(Duration::from_secs(25));
    assert!(call.are_connected());
    assert!(call.says());
}

#[test]
fn update_in_a_call_keeps_what_works_and_adds_what_is_new() {
    let mut call = Call::new(6).connected();
    assert!(call.says());
    let (now, new) = (call.net.now(), at("10.0.0.2:5000"));
    call.net.attach(call.a, new);
    let connection = &mut call.net.node_mut(call.a).peer().connection;
    connection.add_local_address(new).unwrap();
    connection.update(now).unwrap();
    call.run(ms(3_000));
    assert!(call.says());
    // The new address reaches the peer, so that the call leaves the relay.
    let relayed = call.net.node_mut(call.server).server().relayed;
    for _ in 0..10 {
        assert!(call.says());
    }
    let more = call.net.node_mut(call.server).server().relayed - relayed;
    assert!(more < 10, "{more} datagrams were still relayed");

    // The old address goes; nothing of the call did.
    let now = call.net.now();
    let connection = &mut call.net.node_mut(call.a).peer().connection;
    connection.remove_local_address(at(A));
    connection.update(now).unwrap();
    call.run(ms(5_000));
    assert!(call.says() && call.are_connected());
    // The new address has an allocation of its own; nobody can give back that of the old one, which
    // expires by itself.
    assert_eq!(call.load(), 2);
}

#[test]
fn update_with_other_addresses_keeps_the_relay_in_use_until_another_pair_works() {
    let mut call = Call::new(11).connected();
    let new = at("10.0.0.2:5000");
    call.net.attach(call.a, new);
    let now = call.net.now();
    let connection = &mut call.net.node_mut(call.a).peer().connection;
    connection.remove_local_address(at(A));
    connection.add_local_address(new).unwrap();
    connection.update(now).unwrap();
    for _ in 0..8 {
        assert!(call.says(), "nothing is lost meanwhile");
        call.trickle();
    }
    let gone = |event: &Event| matches!(event, Event::Disconnected(_));
    assert_eq!(call.net.node_mut(call.a).peer().count(gone), 0);
    let from = call.net.log.len();
    assert!(call.says());
    let old = |sent: &ortc_testkit::net::Sent| sent.local == at(A);
    assert!(!call.net.log[from..].iter().any(old), "the address is free");
}

#[test]
fn update_of_a_shared_socket_keeps_the_relay_in_use_until_another_pair_works() {
    let mut call = Call::with_socket(15).connected();
    let new = at("10.0.0.2:5000");
    call.net.attach(call.a, new);
    let now = call.net.now();
    let Node::Hub(hub) = call.net.node_mut(call.a) else {
        panic!("not a hub");
    };
    let socket = &mut hub.machine.socket;
    socket.remove_local_address(at(A));
    socket.add_local_address(new);
    socket.update(now).unwrap();
    for _ in 0..8 {
        assert!(call.says(), "nothing is lost meanwhile");
        call.trickle();
    }
    let gone = |event: &Event| matches!(event, Event::Disconnected(_));
    assert_eq!(call.net.node_mut(call.a).peer().count(gone), 0);
    let from = call.net.log.len();
    assert!(call.says());
    let old = |sent: &ortc_testkit::net::Sent| sent.local == at(A);
    assert!(!call.net.log[from..].iter().any(old), "the address is free");
}

#[test]
fn closing_says_goodbye_through_the_relay_and_then_gives_it_back() {
    let mut call = Call::new(7).connected();
    assert!(call.says());
    assert_eq!(call.load(), 1);
    let now = call.net.now();
    call.net.node_mut(call.a).peer().connection.close(now);
    call.net.run_for(ms(200));
    assert_eq!(call.load(), 0);
    let ended = |event: &Event| matches!(event, Event::Disconnected(_));
    let b = call.net.node_mut(call.b).peer();
    assert!(b.saw(ended), "close_notify came through");
    let gone = |event: &Event| matches!(event, Event::TrackDisconnected(_));
    assert!(b.saw(gone), "BYE came through");
    let a = &call.net.node_mut(call.a).peer().connection;
    assert!(a.is_closed() && a.poll_timeout().is_none());
}

#[test]
fn a_socket_gives_its_allocations_back() {
    let mut call = Call::with_socket(8).connected();
    let now = call.net.now();
    call.net.node_mut(call.a).peer().connection.close(now);
    call.net.run_for(ms(200));
    let Node::Hub(hub) = call.net.node_mut(call.a) else {
        panic!("not a hub");
    };
    hub.machine.socket.close(now);
    call.net.run_for(ms(200));
    assert_eq!(call.load(), 0);
}

#[test]
fn a_server_is_found_by_its_name_and_a_silent_one_is_told() {
    let net = Net::<Node>::new(9);
    let now = net.now();
    let mut named = turn();
    named.url = vec!["turn:relay.example:3478".to_owned()];
    let nowhere = RTCIceServer::new("stun:nowhere.example");
    let asks = options(9, at(A)).ice_servers(vec![named, nowhere]);
    let mut connection = RTCConnection::new(asks, now).unwrap();
    let mut names = 0;
    let events: Vec<_> = core::iter::from_fn(|| connection.poll_event()).collect();
    for event in events {
        if let Event::Resolve { query, name } = event {
            names += 1;
            let known: &[IpAddr] = match name.as_str() {
                "relay.example" => &[at(SERVER).ip()],
                _ => &[],
            };
            connection.resolved(query, known, now);
        }
    }
    assert_eq!(names, 2);
    let mut buf = Vec::new();
    let sent = connection.poll_transmit(&mut buf, now).unwrap();
    assert_eq!(sent.path, Path::udp(at(A), at(SERVER)));
    let failed = core::iter::from_fn(|| connection.poll_event()).any(|event| {
        matches!(event, Event::IceServerFailed { reason, .. } if reason == ServerError::Unresolved)
    });
    assert!(failed);
}

/// Frames in one datagram run: what leaves for the relay in one go arrives one by one.
#[test]
fn a_run_of_segments_goes_through_the_relay() {
    let net = Net::new(10).link(Link::perfect(ms(10)));
    let now = net.now();
    let asks = options(10, at(A))
        .ice_servers(vec![turn()])
        .local_candidates(LocalCandidates::AtOnce)
        .max_segments(8);
    let a = Peer::new(RTCConnection::new(asks, now).unwrap());
    let mut call = Call::of(net, Node::Peer(Box::new(Lawful::new(a))), 10).connected();
    assert!(call.says());
    let now = call.net.now();
    let ours = &mut call.net.node_mut(call.a).peer().connection;
    let track = ours.tracks(&RTCTrackFilter::default())[0];
    for index in 0..5 {
        let frame = Frame::new(vec![index; 100], 10_000_000 + u64::from(index) * 960);
        ours.send_frame(track, &frame, now).unwrap();
    }
    let mut buf = b"before".to_vec();
    let sent = ours.poll_transmit(&mut buf, now).unwrap();
    assert_eq!(sent.path, Path::udp(at(A), at(SERVER)));
    let segment = sent.segment.unwrap();
    assert_eq!(sent.len, buf.len() - 6);
    assert_eq!(sent.len.div_ceil(segment), 5);
    let before = call.frames();
    for piece in buf[6..].chunks(segment) {
        let mut piece = piece.to_vec();
        call.net.inject(call.server, at(SERVER), at(A), &mut piece);
    }
    call.net.run_for(ms(500));
    assert_eq!(call.frames(), before + 5);
}

/// The laws hold for whoever asks servers: the network checks the calls, this the deadlines.
#[test]
fn deadlines_of_servers_are_kept_once_and_output_is_due() {
    for mut call in [Call::new(11), Call::with_socket(12)] {
        call = call.connected();
        for _ in 0..40 {
            call.net.run_for(Duration::from_secs(7));
        }
        assert!(call.are_connected());
        let now = call.net.now();
        match call.net.node_mut(call.a) {
            Node::Peer(peer) => early_timeouts_do_nothing(peer, now),
            Node::Hub(hub) => early_timeouts_do_nothing(hub, now),
            Node::Server(_) => panic!("a server"),
        }
        // From here on nobody answers.
        for _ in 0..200 {
            match call.net.node_mut(call.a) {
                Node::Peer(peer) => due_timeouts_progress(peer),
                Node::Hub(hub) => due_timeouts_progress(hub),
                Node::Server(_) => panic!("a server"),
            }
        }
    }
}

/// What goes through a relay allocates no more than what does not.
#[test]
fn a_packet_through_the_relay_allocates_nothing() {
    let mut call = Call::new(13).connected();
    assert!(call.says());
    call.net.run_for(ms(2_000)); // the channel is bound
    let now = call.net.now();
    let ours = &mut call.net.node_mut(call.a).peer().connection;
    let track = ours.tracks(&RTCTrackFilter::default())[0];
    let payload = bytes::Bytes::from(vec![7; 160]);
    let mut buf = Vec::with_capacity(2_000);
    let mut send = |range: core::ops::Range<u64>| {
        for index in range {
            let frame = Frame::new(payload.clone(), 50_000_000 + index * 960);
            ours.send_frame(track, &frame, now).unwrap();
            buf.clear();
            let sent = ours.poll_transmit(&mut buf, now).unwrap();
            assert_eq!(sent.path.remote, at(SERVER));
            assert!(buf.len() < 250, "a channel, not an indication");
        }
    };
    send(0..2_000);
    let info = measure(|| send(2_000..4_000));
    assert_eq!(info.count_total, 0);
}
