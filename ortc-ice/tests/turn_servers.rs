//! What servers may say to an Allocate request but yes, and where an allocation goes.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::net::SocketAddr;

use ortc_ice::Path;
use ortc_ice::stun::{AttributeType, Class, ErrorCode, Message, Method};
use ortc_ice::turn::{
    DropReason, Event, Failure, Families, Family, MoveError, PeerError, SendError,
};
use ortc_testkit::servers::scripted::{Scripted, config, mapped, relayed, stream, udp};

fn peer() -> SocketAddr {
    "192.0.2.77:7777".parse().unwrap()
}

fn method(request: &[u8]) -> Method {
    Message::parse(request).unwrap().method()
}

#[test]
fn a_server_that_has_forgotten_the_allocation_ends_it() {
    for what in ["refresh", "permission", "channel"] {
        let mut server = Scripted::allocated(config(), udp());
        match what {
            "refresh" => {
                let _ = server.wait();
            }
            _ => server.client.permit(peer().ip(), server.now).unwrap(),
        }
        if what == "channel" {
            server.serve();
            server.events();
            server.client.bind_channel(peer(), server.now).unwrap();
        }
        let request = server.sent().unwrap();
        let gone = server.error(&request, 437, |_| {});
        server.hand_in(&gone);
        assert_eq!(server.events(), [Event::Lost(Failure::Mismatch)], "{what}");
        assert!(server.sent().is_none() && server.client.poll_timeout().is_none());
    }
}

fn alternate(server: &Scripted, request: &[u8], to: [u8; 4]) -> Vec<u8> {
    server.error(request, 300, |answer| {
        let value = [&[0, 1, 0x0D, 0x96], &to[..]].concat();
        answer
            .attribute(AttributeType::ALTERNATE_SERVER, &value)
            .and_then(|answer| answer.attribute(AttributeType::ALTERNATE_DOMAIN, b"b.example"))
            .unwrap();
    })
}

#[test]
fn an_alternate_server_is_followed_but_not_in_a_circle() {
    let mut server = Scripted::new(config(), udp());
    let request = server.sent().unwrap();
    let redirect = alternate(&server, &request, [198, 51, 100, 2]);
    server.hand_in(&redirect);
    let other: SocketAddr = "198.51.100.2:3478".parse().unwrap();
    let expected = Event::AlternateServer {
        server: other,
        domain: Some(String::from("b.example")),
    };
    assert_eq!(server.events(), [expected]);
    assert!(server.sent().is_none() && server.client.poll_timeout().is_none());

    let path = Path::udp(udp().local, other);
    server.client.move_to(path, server.now).unwrap();
    let request = server.sent().unwrap();
    let unsigned = !Message::parse(&request).unwrap().has_integrity();
    assert!(unsigned, "the first request to another server");
    let back = alternate(&server, &request, [198, 51, 100, 1]);
    server.hand_in(&back);
    assert_eq!(server.events(), [Event::Failed(Failure::Redirection)]);
}

#[test]
fn redirections_have_an_end() {
    let mut server = Scripted::new(config(), udp());
    for last in 10..30 {
        let Some(request) = server.sent() else {
            break;
        };
        let redirect = alternate(&server, &request, [198, 51, 100, last]);
        server.hand_in(&redirect);
        if let Some(Event::AlternateServer { server: to, .. }) = server.client.poll_event() {
            let path = Path::udp(udp().local, to);
            server.client.move_to(path, server.now).unwrap();
        } else {
            assert_eq!(last, 14, "after four servers");
            return;
        }
    }
    panic!("no end");
}

/// RFC 8656 §7.4: three addresses.
#[test]
fn an_address_in_use_is_left_for_another_two_times() {
    let mut server = Scripted::new(config(), udp());
    for port in [50_001, 50_002, 50_003] {
        let first = server.sent().unwrap();
        let request = if Message::parse(&first).unwrap().has_integrity() {
            first
        } else {
            let challenge = server.good(&first);
            server.hand_in(&challenge);
            server.sent().unwrap()
        };
        let mismatch = server.error(&request, 437, |_| {});
        server.hand_in(&mismatch);
        if port == 50_003 {
            break;
        }
        assert_eq!(server.events(), [Event::AddressInUse]);
        let local = SocketAddr::new(udp().local.ip(), port);
        let path = Path::udp(local, udp().remote);
        server.client.move_to(path, server.now).unwrap();
        assert_eq!(server.client.path(), path);
    }
    assert_eq!(server.events(), [Event::Failed(Failure::Mismatch)]);
}

#[test]
fn errors_of_the_server_are_told_by_their_code() {
    for code in [403, 440, 441, 442, 486, 500, 508] {
        let mut server = Scripted::new(config(), udp());
        let first = server.sent().unwrap();
        let challenge = server.good(&first);
        server.hand_in(&challenge);
        let request = server.sent().unwrap();
        let error = server.error(&request, code, |_| {});
        server.hand_in(&error);
        assert_eq!(server.events(), [Event::Failed(Failure::Code(code))]);
    }
}

#[test]
fn what_a_server_does_not_know_is_left_out() {
    let mut server = Scripted::new(config().dont_fragment(true).mobility(true), udp());
    let first = server.sent().unwrap();
    let challenge = server.good(&first);
    server.hand_in(&challenge);
    let request = server.sent().unwrap();
    let has = |octets: &[u8], kind| Message::parse(octets).unwrap().find(kind).is_some();
    assert!(has(&request, AttributeType::DONT_FRAGMENT));
    let unknown = server.error(&request, 420, |answer| {
        answer
            .unknown_attributes(&[AttributeType::DONT_FRAGMENT])
            .unwrap();
    });
    server.hand_in(&unknown);
    let request = server.sent().unwrap();
    assert!(!has(&request, AttributeType::DONT_FRAGMENT));
    assert!(has(&request, AttributeType::MOBILITY_TICKET));
    let forbidden = server.error(&request, 405, |_| {});
    server.hand_in(&forbidden);
    let request = server.sent().unwrap();
    assert!(!has(&request, AttributeType::MOBILITY_TICKET));
    let good = server.good(&request);
    server.hand_in(&good);
    assert_eq!(server.events().len(), 1);
}

/// RFC 8656 §7.2: one family may be refused on its own.
#[test]
fn two_families_are_asked_for_at_once() {
    let v6: SocketAddr = "[2001:db8::9]:50001".parse().unwrap();
    for both in [true, false] {
        let mut server = Scripted::new(config().families(Families::Both), udp());
        let first = server.sent().unwrap();
        let challenge = server.good(&first);
        server.hand_in(&challenge);
        let request = server.sent().unwrap();
        let message = Message::parse(&request).unwrap();
        let additional = message.find(AttributeType::ADDITIONAL_ADDRESS_FAMILY);
        assert_eq!(additional, Some(&[2, 0, 0, 0][..]));
        let answer = server.success(&request, |answer| {
            answer.xor_address(AttributeType::XOR_RELAYED_ADDRESS, relayed());
            if both {
                answer.xor_address(AttributeType::XOR_RELAYED_ADDRESS, v6);
            } else {
                let kind = AttributeType::ADDRESS_ERROR_CODE;
                answer.attribute(kind, &[2, 0, 4, 40]).unwrap();
            }
            answer.xor_mapped_address(mapped());
        });
        server.hand_in(&answer);
        let mapped = mapped();
        let first = Event::Allocated {
            relayed: relayed(),
            mapped,
        };
        let second = if both {
            Event::Allocated {
                relayed: v6,
                mapped,
            }
        } else {
            let family = Family::V6;
            Event::FamilyRefused { family, code: 440 }
        };
        assert_eq!(server.events(), [first, second]);
        let peer: SocketAddr = "[2001:db8::77]:7".parse().unwrap();
        let permit = server.client.permit(peer.ip(), server.now);
        assert_eq!(permit.err(), (!both).then_some(PeerError::Family));
        let sent = server.client.encapsulate(peer, &mut vec![1], 0, None);
        assert_eq!(sent.err(), (!both).then_some(SendError::Family));
    }
}

/// In one request with the others it would have them all refused.
#[test]
fn a_peer_of_a_family_that_did_not_come_is_not_asked_for() {
    let mut server = Scripted::new(config(), udp());
    let v6: SocketAddr = "[2001:db8::77]:7".parse().unwrap();
    server.client.permit(v6.ip(), server.now).unwrap();
    server.client.permit(peer().ip(), server.now).unwrap();
    let served = server.serve();
    assert_eq!(served[2..], [Method::CREATE_PERMISSION]);
    let refused = Event::PermissionRefused {
        peer: v6.ip(),
        failure: Failure::Code(443),
    };
    let permitted = Event::Permitted { peer: peer().ip() };
    assert_eq!(server.events()[1..], [refused, permitted]);
}

/// A challenge that asks for what we do not understand is not taken (RFC 8489 §6.3.3).
#[test]
fn a_challenge_with_an_unknown_attribute_changes_nothing() {
    let mut server = Scripted::new(config(), udp());
    let first = server.sent().unwrap();
    let mut odd = Vec::new();
    let mut answer = ortc_testkit::servers::scripted::answer(&mut odd, Class::Error, &first);
    answer
        .error_code(ErrorCode {
            code: 401,
            reason: b"",
        })
        .and_then(|answer| answer.attribute(AttributeType::REALM, b"example.net"))
        .and_then(|answer| answer.attribute(AttributeType::NONCE, b"theirs"))
        .and_then(|answer| answer.attribute(AttributeType(0x7777), b"what?"))
        .unwrap();
    let dropped = server.client.handle_datagram(&odd, server.now);
    assert_eq!(dropped, Err(DropReason::UnknownAttribute));
    assert!(server.sent().is_none());
    let challenge = server.good(&first);
    server.hand_in(&challenge);
    assert_eq!(server.serve(), [Method::ALLOCATE]);
    assert_eq!(server.events().len(), 1);
}

#[test]
fn an_address_of_a_family_that_was_not_asked_for_is_given_back() {
    let mut server = Scripted::new(config().families(Families::V6), udp());
    server.serve(); // with an IPv4 address
    assert_eq!(server.events(), [Event::Failed(Failure::Family)]);
}

/// RFC 8016 §3.2.
#[test]
fn a_ticket_takes_the_allocation_to_another_address() {
    let mut server = Scripted::allocated(config().mobility(true), udp());
    server.client.permit(peer().ip(), server.now).unwrap();
    let lost = server.sent().unwrap();
    assert_eq!(method(&lost), Method::CREATE_PERMISSION);

    let elsewhere = Path::udp("192.0.2.200:6000".parse().unwrap(), udp().remote);
    server.client.move_to(elsewhere, server.now).unwrap();
    let request = server.sent().unwrap();
    let message = Message::parse(&request).unwrap();
    assert_eq!(message.method(), Method::REFRESH);
    let ticket = message.find(AttributeType::MOBILITY_TICKET);
    assert_eq!(ticket, Some(&b"ticket-1"[..]));
    assert!(
        server.sent().is_none(),
        "nothing else before the server agrees"
    );
    let early = server.client.encapsulate(peer(), &mut vec![1], 0, None);
    assert_eq!(early, Err(SendError::NotAllocated));

    let answer = server.success(&request, |answer| {
        let ticket = AttributeType::MOBILITY_TICKET;
        answer
            .attribute(AttributeType::LIFETIME, &[0, 0, 2, 88])
            .and_then(|answer| answer.attribute(ticket, b"ticket-2"))
            .unwrap();
    });
    server.hand_in(&answer);
    assert_eq!(server.events(), [Event::Moved]);
    assert_eq!(
        server.serve(),
        [Method::CREATE_PERMISSION],
        "what got no answer before"
    );
    assert_eq!(server.events(), [Event::Permitted { peer: peer().ip() }]);

    server.client.move_to(udp(), server.now).unwrap();
    let request = server.sent().unwrap();
    let message = Message::parse(&request).unwrap();
    let ticket = message.find(AttributeType::MOBILITY_TICKET);
    assert_eq!(ticket, Some(&b"ticket-2"[..]));
}

#[test]
fn without_a_ticket_an_allocation_stays_where_it_is() {
    let mut server = Scripted::allocated(config(), udp());
    let moved = server.client.move_to(stream(), server.now);
    assert_eq!(moved, Err(MoveError::NotMobile));
    assert_eq!(server.client.path(), udp());
    let mut server = Scripted::allocated(config(), stream());
    server.client.stream_closed(server.now);
    assert_eq!(server.events(), [Event::Lost(Failure::StreamClosed)]);
    let mut server = Scripted::allocated(config().mobility(true), stream());
    server.client.stream_closed(server.now);
    assert_eq!(server.events(), [Event::Detached]);
}
