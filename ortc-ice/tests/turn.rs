//! The TURN client against a server whose answers each story chooses.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use ortc_ice::stun::{AttributeType, Class, Message, Method, Refusal};
use ortc_ice::turn::{
    DropReason, Event, Failure, Families, Family, MoveError, PeerError, PeerPolicy, Received,
    SendError,
};
use ortc_ice::{Path, Timer};
use ortc_testkit::servers::scripted::{
    Scripted, channel_data, config, data_indication, mapped, relayed, stream, udp,
};

fn peer() -> SocketAddr {
    "192.0.2.77:7777".parse().unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn method(request: &[u8]) -> Method {
    Message::parse(request).unwrap().method()
}

/// RFC 8656 §7, RFC 8489 §9.2.3.
#[test]
fn the_first_request_has_no_credentials_and_the_second_has() {
    let mut server = Scripted::new(config().software("test"), udp());
    let first = server.sent().unwrap();
    let message = Message::parse(&first).unwrap();
    assert_eq!(message.method(), Method::ALLOCATE);
    let transport = message.find(AttributeType::REQUESTED_TRANSPORT);
    assert_eq!(transport, Some(&[17, 0, 0, 0][..]));
    assert_eq!(message.find(AttributeType::SOFTWARE), Some(&b"test"[..]));
    assert!(message.username().is_none() && !message.has_integrity());
    let challenge = server.good(&first);
    server.hand_in(&challenge);

    let second = server.sent().unwrap();
    let message = Message::parse(&second).unwrap();
    assert_eq!(message.username(), Some("alice"));
    assert!(message.verify_integrity(server.key.sha1()) && message.verify_fingerprint());
    let success = server.good(&second);
    server.hand_in(&success);
    let allocated = Event::Allocated {
        relayed: relayed(),
        mapped: mapped(),
    };
    assert_eq!(server.events(), [allocated]);
    assert!(server.client.relayed().eq([relayed()]));
    assert_eq!(server.client.mapped(), Some(mapped()));
}

/// RFC 8489 §6.2.1: RTO 500 ms, Rc 7, Rm 16.
#[test]
fn an_unanswered_request_is_sent_seven_times_then_fails() {
    let mut server = Scripted::new(config(), udp());
    let mut at = Vec::new();
    loop {
        while server.sent().is_some() {
            at.push((server.now - server.origin).as_millis());
        }
        if server.wait().is_none() {
            break;
        }
    }
    assert_eq!(at, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert_eq!(server.now - server.origin, Duration::from_millis(39_500));
    assert_eq!(server.events(), [Event::Failed(Failure::TimedOut)]);
    assert!(server.client.is_closed() && server.client.poll_timeout().is_none());
}

/// RFC 8489 §6.2.2: Ti 39.5 s.
#[test]
fn over_a_stream_a_request_is_sent_once() {
    let mut server = Scripted::new(config(), stream());
    assert!(server.sent().is_some());
    assert_eq!(server.wait(), Some(Duration::from_millis(39_500)));
    assert!(server.sent().is_none());
    assert_eq!(server.events(), [Event::Failed(Failure::TimedOut)]);
}

#[test]
fn a_repetition_is_the_same_to_the_octet_and_a_retry_has_another_id() {
    let mut server = Scripted::new(config(), udp());
    let first = server.sent().unwrap();
    let _ = server.wait();
    let again = server.sent().unwrap();
    assert_eq!(first, again);
    let challenge = server.good(&again);
    server.hand_in(&challenge);
    let retry = server.sent().unwrap();
    let id = |octets: &[u8]| Message::parse(octets).unwrap().transaction_id();
    assert_ne!(id(&retry), id(&again));
    assert_eq!(
        server.client.handle_datagram(&challenge, server.now),
        Err(DropReason::UnknownTransaction)
    );
}

/// A server restarts its nonces: each kind of request meets 438, and each goes again.
#[test]
fn a_stale_nonce_is_replaced_on_every_kind_of_request() {
    let mut server = Scripted::allocated(config(), udp());
    server.nonce = b"nonce-2".to_vec();
    server.client.permit(peer().ip(), server.now).unwrap();
    assert_eq!(server.serve(), [Method::CREATE_PERMISSION; 2]);
    assert_eq!(server.events(), [Event::Permitted { peer: peer().ip() }]);

    server.nonce = b"nonce-3".to_vec();
    server.client.bind_channel(peer(), server.now).unwrap();
    assert_eq!(server.serve(), [Method::CHANNEL_BIND; 2]);
    assert_eq!(server.events(), [Event::ChannelBound { peer: peer() }]);

    server.client.release(peer().ip());
    server.nonce = b"nonce-4".to_vec();
    let served = server.pass(secs(560));
    let refreshes: Vec<_> = served.iter().map(|(_, method)| *method).collect();
    assert_eq!(refreshes, [Method::REFRESH; 2]);
    assert!(server.events().is_empty());
}

#[test]
fn the_same_stale_nonce_again_ends_the_request() {
    for kind in ["allocate", "refresh", "permission", "channel"] {
        let mut server = Scripted::allocated(config(), udp());
        match kind {
            "allocate" => {
                server = Scripted::new(config(), udp());
                let first = server.sent().unwrap();
                let challenge = server.good(&first);
                server.hand_in(&challenge);
            }
            "refresh" => {
                let _ = server.wait();
            }
            "permission" => server.client.permit(peer().ip(), server.now).unwrap(),
            _ => {
                server.client.permit(peer().ip(), server.now).unwrap();
                server.serve();
                server.events();
                server.client.bind_channel(peer(), server.now).unwrap();
            }
        }
        let mut sent = 0;
        while let Some(request) = server.sent() {
            if method(&request) == Method::REFRESH && kind != "refresh" {
                break; // the goodbye
            }
            let stale = server.challenge(&request, 438);
            server.hand_in(&stale);
            sent += 1;
            assert!(sent < 5, "{kind} loops");
        }
        let failure = Failure::Refused(Refusal::SameNonce);
        let expected = match kind {
            "allocate" => Event::Failed(failure),
            "refresh" => Event::Lost(failure),
            "permission" => Event::PermissionRefused {
                peer: peer().ip(),
                failure,
            },
            _ => Event::ChannelRefused {
                peer: peer(),
                failure,
            },
        };
        assert_eq!(server.events(), [expected], "{kind}");
    }
}

#[test]
fn ever_new_nonces_end_the_request_as_well() {
    let mut server = Scripted::new(config(), udp());
    let mut sent = 0_u8;
    while let Some(request) = server.sent() {
        if method(&request) == Method::REFRESH {
            break;
        }
        server.nonce = vec![b'n', sent];
        let code = if sent == 0 { 401 } else { 438 };
        let stale = server.challenge(&request, code);
        server.hand_in(&stale);
        sent += 1;
    }
    assert_eq!(sent, 4);
    assert_eq!(server.events(), [Event::Failed(Failure::Challenges)]);
}

#[test]
fn a_wrong_password_fails_at_once() {
    let mut server = Scripted::new(config(), udp());
    for _ in 0..2 {
        let request = server.sent().unwrap();
        let challenge = server.challenge(&request, 401);
        server.hand_in(&challenge);
    }
    let failure = Failure::Refused(Refusal::Credentials);
    assert_eq!(server.events(), [Event::Failed(failure)]);
}

/// What the server did not sign changes nothing, and the right answer still counts.
#[test]
fn an_answer_without_integrity_changes_nothing() {
    let mut server = Scripted::new(config(), udp());
    let first = server.sent().unwrap();
    // Success to a request without credentials: anybody could have made it.
    let bare = {
        let mut out = Vec::new();
        let mut answer = ortc_testkit::servers::scripted::answer(&mut out, Class::Success, &first);
        answer.xor_address(AttributeType::XOR_RELAYED_ADDRESS, relayed());
        answer.xor_mapped_address(mapped());
        out
    };
    assert_eq!(
        server.client.handle_datagram(&bare, server.now),
        Err(DropReason::BadIntegrity)
    );
    let challenge = server.good(&first);
    server.hand_in(&challenge);
    let second = server.sent().unwrap();
    let mut forged = server.good(&second);
    let middle = forged.len() - 20;
    forged[middle] ^= 1;
    assert!(server.client.handle_datagram(&forged, server.now).is_err());
    assert!(server.events().is_empty());
    let good = server.good(&second);
    server.hand_in(&good);
    assert_eq!(server.events().len(), 1);
}

/// RFC 8489 §9.2.5: integrity violated, not timed out; over a stream at once.
#[test]
fn answers_with_wrong_integrity_only_are_told_from_none() {
    for path in [udp(), stream()] {
        let mut server = Scripted::new(config(), path);
        let first = server.sent().unwrap();
        let challenge = server.good(&first);
        server.hand_in(&challenge);
        let second = server.sent().unwrap();
        server.key = ortc_ice::stun::LongTermCredentials::new("alice", "other")
            .unwrap()
            .key("example.org", ortc_ice::stun::PasswordAlgorithm::Md5)
            .unwrap();
        let forged = server.success(&second, |_| {});
        server.hand_in(&forged);
        if path == udp() {
            assert!(server.events().is_empty());
            while server.wait().is_some() {
                while server.sent().is_some() {}
            }
        }
        assert_eq!(server.events(), [Event::Failed(Failure::IntegrityViolated)]);
    }
}

#[test]
fn an_allocation_is_refreshed_before_its_end_however_short_it_is() {
    for (lifetime, period) in [(600, 540), (3600, 3540), (30, 15)] {
        let mut server = Scripted::new(config().lifetime(secs(600)), udp());
        server.lifetime = lifetime;
        server.serve();
        let served = server.pass(secs(4 * period + 1));
        let at: Vec<_> = served.iter().map(|(at, _)| at.as_secs()).collect();
        assert_eq!(
            at,
            [period, 2 * period, 3 * period, 4 * period],
            "{lifetime}"
        );
        assert!(served.iter().all(|(_, method)| *method == Method::REFRESH));
    }
}

#[test]
fn an_allocation_whose_refresh_is_not_answered_is_lost() {
    let mut server = Scripted::allocated(config(), udp());
    while server.wait().is_some() {
        while server.sent().is_some() {}
    }
    assert_eq!(server.events(), [Event::Lost(Failure::TimedOut)]);
    assert!(server.now - server.origin < secs(600));
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

#[test]
fn closing_gives_the_allocation_back_and_is_final() {
    let mut server = Scripted::allocated(config(), udp());
    server.client.close(server.now);
    assert_eq!(server.client.poll_timeout().unwrap().timer, Timer::Output);
    let goodbye = server.sent().unwrap();
    let message = Message::parse(&goodbye).unwrap();
    assert_eq!(message.method(), Method::REFRESH);
    assert_eq!(message.find_u32(AttributeType::LIFETIME), Some(0));
    assert!(message.verify_integrity(server.key.sha1()));
    assert_eq!(server.events(), [Event::Closed]);
    assert!(server.client.poll_timeout().is_none() && server.sent().is_none());

    let answer = server.good(&goodbye);
    let dropped = server.client.handle_datagram(&answer, server.now);
    assert_eq!(dropped, Err(DropReason::Closed));
    server.client.close(server.now);
    let permit = server.client.permit(peer().ip(), server.now);
    assert_eq!(permit, Err(PeerError::Closed));
    assert_eq!(server.client.counters().dropped(DropReason::Closed), 1);
    assert!(server.events().is_empty());
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
        server.client.permit(peer.ip(), server.now).unwrap();
        let sent = server.client.encapsulate(peer, &mut vec![1], 0, None);
        assert_eq!(sent.is_ok(), both);
        assert_eq!(sent.err(), (!both).then_some(SendError::Family));
    }
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

#[test]
fn peers_that_only_the_relay_can_reach_are_refused() {
    let safe = config().peer_policy(PeerPolicy::Safe);
    let mut server = Scripted::allocated(safe, udp());
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

#[test]
fn a_stream_that_carries_something_else_ends_the_allocation() {
    let mut server = Scripted::allocated(config(), stream());
    server
        .client
        .handle_stream(b"\x16\x03\x01\x00\x05hello", server.now);
    assert_eq!(server.events(), [Event::Lost(Failure::NotFramed)]);
}

/// Short and damaged messages of all lengths; among them an ERROR-CODE that is too short, an address
/// of an unknown family, and a reason that is no UTF-8.
#[test]
fn damaged_answers_change_nothing() {
    let mut server = Scripted::new(config(), udp());
    let first = server.sent().unwrap();
    let challenge = server.good(&first);
    for len in 0..challenge.len() {
        let cut = server.client.handle_datagram(&challenge[..len], server.now);
        assert!(cut.is_err(), "{len}");
    }
    let mut short_error = Vec::new();
    ortc_testkit::servers::scripted::answer(&mut short_error, Class::Error, &first)
        .attribute(AttributeType::ERROR_CODE, &[0, 0])
        .unwrap();
    assert!(
        server
            .client
            .handle_datagram(&short_error, server.now)
            .is_err()
    );
    assert!(server.sent().is_none() && server.events().is_empty());

    // The reason phrase is for humans, whatever it is made of.
    let mut odd = Vec::new();
    let mut answer = ortc_testkit::servers::scripted::answer(&mut odd, Class::Error, &first);
    let reason = b"\xff\xfe not utf-8";
    answer
        .error_code(ortc_ice::stun::ErrorCode { code: 401, reason })
        .and_then(|answer| answer.attribute(AttributeType::REALM, b"example.org"))
        .and_then(|answer| answer.attribute(AttributeType::NONCE, b"nonce-1"))
        .unwrap();
    server.hand_in(&odd);
    let second = server.sent().unwrap();
    let good = server.success(&second, |answer| {
        answer
            .attribute(
                AttributeType::XOR_RELAYED_ADDRESS,
                &[0, 7, 1, 1, 1, 1, 1, 1],
            )
            .unwrap();
    });
    server.hand_in(&good);
    assert_eq!(server.events(), [Event::Failed(Failure::Family)]);
}

#[test]
fn secrets_do_not_show() {
    let server = Scripted::allocated(config().mobility(true), udp());
    let shown = format!("{:?}", server.client);
    assert!(!shown.contains("secret"), "{shown}");
    assert!(!shown.contains("ticket-1") && shown.contains("Ticket(..)"));
}

#[test]
fn an_earlier_now_counts_as_the_latest_one_seen() {
    let mut server = Scripted::allocated(config(), udp());
    let before = server.client.poll_timeout();
    server.client.handle_timeout(server.now - secs(5));
    assert_eq!(server.client.poll_timeout(), before);
    for _ in 0..3 {
        server.client.handle_timeout(server.now);
    }
    assert_eq!(server.client.poll_timeout(), before);
    assert!(server.sent().is_none());
}
