//! The TURN client and its peers: permissions, channels, data.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use ortc_ice::stun::{AttributeType, Class, Message, Method};
use ortc_ice::turn::{DropReason, Event, Failure, PeerError, PeerPolicy, Received, SendError};
use ortc_testkit::servers::scripted::{
    Scripted, channel_data, config, data_indication, relayed, stream, udp,
};

fn peer() -> SocketAddr {
    "192.0.2.77:7777".parse().unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn permissions_are_asked_for_together_and_kept_while_idle() {
    let mut server = Scripted::allocated(config(), udp());
    let peers: Vec<IpAddr> = (1..=40).map(|last| [192, 0, 2, last].into()).collect();
    for peer in &peers {
        server.client.permit(*peer, server.now).unwrap();
        server.client.permit(*peer, server.now).unwrap();
    }
    assert_eq!(server.serve(), [Method::CREATE_PERMISSION; 2], "32 and 8");
    assert_eq!(server.events().len(), 40);

    // Nothing is sent or received for an hour; every permission is renewed within 5 minutes.
    let served = server.pass(secs(3600));
    let at: Vec<_> = served
        .iter()
        .filter(|(_, method)| *method == Method::CREATE_PERMISSION)
        .map(|(at, _)| at.as_secs())
        .collect();
    assert_eq!(at.len(), 15 * 2);
    assert!(at.windows(3).all(|at| at[2] - at[0] <= 300));
    assert!(server.events().is_empty(), "nothing new to tell");

    for peer in &peers[1..] {
        server.client.release(*peer);
    }
    let served = server.pass(secs(300));
    let asked = served
        .iter()
        .filter(|(_, method)| *method == Method::CREATE_PERMISSION);
    assert_eq!(asked.count(), 1);
}

#[test]
fn a_forbidden_peer_does_not_take_the_others_with_it() {
    let mut server = Scripted::allocated(config(), udp());
    let (good, bad): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    server.client.permit(good, server.now).unwrap();
    server.client.permit(bad, server.now).unwrap();
    while let Some(request) = server.sent() {
        let message = Message::parse(&request).unwrap();
        let forbidden = message.covered().any(|(attribute, _)| {
            attribute.kind == AttributeType::XOR_PEER_ADDRESS
                && attribute.value.last() == Some(&(0x42 ^ 2))
        });
        let answer = if forbidden {
            server.error(&request, 403, |_| {})
        } else {
            server.good(&request)
        };
        server.hand_in(&answer);
    }
    let refused = Event::PermissionRefused {
        peer: bad,
        failure: Failure::Code(403),
    };
    let mut events = server.events();
    events.sort_by_key(|event| *event == refused);
    assert_eq!(events, [Event::Permitted { peer: good }, refused]);
    let again = server.client.permit(bad, server.now);
    assert_eq!(again, Err(PeerError::Refused));
    let to_bad = server
        .client
        .encapsulate(SocketAddr::new(bad, 1), &mut vec![1], 0, None);
    assert_eq!(to_bad, Err(SendError::NotPermitted));
}

#[test]
fn data_goes_in_indications_until_the_channel_is_bound() {
    let mut server = Scripted::allocated(config(), udp());
    let mut buf = b"early".to_vec();
    let denied = server.client.encapsulate(peer(), &mut buf, 0, None);
    assert_eq!(
        (denied, &buf[..]),
        (Err(SendError::NotPermitted), &b"early"[..])
    );

    server.client.bind_channel(peer(), server.now).unwrap();
    let _ = server
        .client
        .encapsulate(peer(), &mut buf, 0, None)
        .unwrap();
    let message = Message::parse(&buf).unwrap();
    assert_eq!(
        (message.class(), message.method()),
        (Class::Indication, Method::SEND)
    );
    let to = message.find_xor_address(AttributeType::XOR_PEER_ADDRESS);
    assert_eq!(to, Some(peer()));
    assert_eq!(message.find(AttributeType::DATA), Some(&b"early"[..]));

    server.serve();
    let mut buf = b"later".to_vec();
    let sent = server
        .client
        .encapsulate(peer(), &mut buf, 0, None)
        .unwrap();
    assert_eq!((sent.path, sent.segment), (udp(), None));
    assert_eq!(buf, [&[0x40, 0, 0, 5][..], b"later"].concat());

    let data = channel_data(0x4000, b"back");
    let got = server.client.handle_datagram(&data, server.now);
    let expected = Received::Data {
        peer: peer(),
        range: 4..8,
    };
    assert_eq!(got, Ok(expected));
    let data = data_indication(peer(), b"other way");
    match server.client.handle_datagram(&data, server.now) {
        Ok(Received::Data { peer: from, range }) => {
            assert_eq!((from, &data[range]), (peer(), &b"other way"[..]));
        }
        other => panic!("{other:?}"),
    }
}

/// RFC 8656 §12: a binding lasts 10 minutes; number and peer stay together for 5 more.
#[test]
fn a_channel_is_kept_and_its_number_rests_after_it() {
    let mut server = Scripted::allocated(config().channels_max(1), udp());
    server.client.bind_channel(peer(), server.now).unwrap();
    server.serve();
    let served = server.pass(secs(3600));
    let binds = served
        .iter()
        .filter(|(_, method)| *method == Method::CHANNEL_BIND);
    let at: Vec<_> = binds.map(|(at, _)| at.as_secs()).collect();
    assert_eq!(at, [540, 1080, 1620, 2160, 2700, 3240]);

    let other: SocketAddr = "192.0.2.78:1".parse().unwrap();
    server.client.release(peer().ip());
    server.events();
    let full = server.client.bind_channel(other, server.now);
    assert_eq!(full, Err(PeerError::Full));
    let mut buf = vec![1];
    let _ = server.client.encapsulate(other, &mut buf, 0, None).unwrap();
    assert_eq!(buf[..2], [0, 0x16], "an indication does it meanwhile");

    // The last binding was made at 3240 s: it ends at 3840 s, and rests until 4140 s.
    server.pass(secs(539));
    assert!(server.client.bind_channel(other, server.now).is_err());
    server.pass(secs(2));
    server.client.bind_channel(other, server.now).unwrap();
    server.serve();
    assert!(
        server
            .events()
            .contains(&Event::ChannelBound { peer: other })
    );
}

#[test]
fn a_refused_channel_leaves_indications() {
    let mut server = Scripted::allocated(config(), udp());
    server.client.permit(peer().ip(), server.now).unwrap();
    server.serve();
    server.events();
    server.client.bind_channel(peer(), server.now).unwrap();
    let request = server.sent().unwrap();
    let refused = server.error(&request, 508, |_| {});
    server.hand_in(&refused);
    let failure = Failure::Code(508);
    let peer = peer();
    assert_eq!(server.events(), [Event::ChannelRefused { peer, failure }]);
    let mut buf = vec![1];
    assert!(server.client.encapsulate(peer, &mut buf, 0, None).is_ok());
    assert_eq!(buf[..2], [0, 0x16]);
}

#[test]
fn peers_that_only_the_relay_can_reach_are_refused() {
    let safe = config().peer_policy(PeerPolicy::Safe);
    let mut server = Scripted::new(safe, udp());
    for refused in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.255.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:192.0.2.1",
        "::ffff:127.0.0.1",
        "ff02::1",
    ] {
        let ip: IpAddr = refused.parse().unwrap();
        let permit = server.client.permit(ip, server.now);
        assert_eq!(permit, Err(PeerError::Policy), "{refused}");
        let bind = server
            .client
            .bind_channel(SocketAddr::new(ip, 5), server.now);
        assert_eq!(bind, Err(PeerError::Policy), "{refused}");
    }
    for allowed in [
        "10.0.0.1",
        "192.168.1.1",
        "203.0.113.5",
        "2001:db8::1",
        "fd00::1",
    ] {
        let ip: IpAddr = allowed.parse().unwrap();
        assert_eq!(server.client.permit(ip, server.now), Ok(()), "{allowed}");
    }
}

/// Two sides behind one server, or one side with itself: nothing stands in the way.
#[test]
fn a_relayed_address_may_be_a_peer_its_own_included() {
    let mut server = Scripted::allocated(config().peer_policy(PeerPolicy::Safe), udp());
    server.client.bind_channel(relayed(), server.now).unwrap();
    server.serve();
    let mut buf = b"to myself".to_vec();
    let _ = server
        .client
        .encapsulate(relayed(), &mut buf, 0, None)
        .unwrap();
    let got = server.client.handle_datagram(&buf, server.now);
    let peer = relayed();
    assert_eq!(got, Ok(Received::Data { peer, range: 4..13 }));
}

#[test]
fn what_peers_can_make_it_hold_has_bounds() {
    let bounded = config().permissions_max(2).inbound_max(1000);
    let mut server = Scripted::allocated(bounded, stream());
    for last in [1, 2] {
        server
            .client
            .permit([192, 0, 2, last].into(), server.now)
            .unwrap();
    }
    let third = server.client.permit([192, 0, 2, 3].into(), server.now);
    assert_eq!(third, Err(PeerError::Full));
    server.serve();

    // Nobody polls the data.
    let from = SocketAddr::new([192, 0, 2, 1].into(), 5);
    for _ in 0..1000 {
        let data = data_indication(from, &[7; 100]);
        server.client.handle_stream(&data, server.now);
    }
    let mut waiting = 0;
    while server.client.poll_data().is_some() {
        waiting += 1;
    }
    assert_eq!(waiting, 10);
    let dropped = server.client.counters().dropped(DropReason::Overload);
    assert_eq!(dropped, 990);
    let stranger = data_indication(peer(), &[7; 100]);
    server.client.handle_stream(&stranger, server.now);
    assert!(server.client.poll_data().is_none());
}
