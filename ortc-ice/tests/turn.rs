//! The TURN client against a server whose answers each story chooses: authentication, and the life
//! of an allocation.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::net::SocketAddr;
use core::time::Duration;

use ortc_ice::Timer;
use ortc_ice::stun::{AttributeType, Class, Message, Method, Refusal};
use ortc_ice::turn::{DropReason, Event, Failure, PeerError};
use ortc_testkit::servers::scripted::{Scripted, config, mapped, relayed, stream, udp};

fn peer() -> SocketAddr {
    "192.0.2.77:7777".parse().unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
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
