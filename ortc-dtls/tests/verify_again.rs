//! Servers that ask for a cookie more than once, and others who do (RFC 6347 §4.2.1).

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod pair;

use core::time::Duration;
use std::sync::Arc;

use craft::{message, records};
use ortc_dtls::wire::HandshakeType;
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::hello::ClientHello;
use ortc_dtls::{Config, CookieGate, DropReason, Endpoint, Event, Role, Verdict, Version};
use pair::{DELAY, Pair, configs, provider};

const ADDRESS: &[u8] = b"192.0.2.1:4711";
/// The versions of the client; the server has DTLS 1.2.
const VERSIONS: [&[Version]; 2] = [&[Version::DTLS12], &[Version::DTLS13, Version::DTLS12]];

/// A client, and the configuration of its server.
fn parts(versions: &[Version]) -> (Pair, Arc<Config>) {
    let provider = provider();
    let [client, server] = configs([versions, &[Version::DTLS12]], &provider, |_, config| {
        config
    });
    let server = Arc::new(server);
    (Pair::new(client, (*server).clone()), server)
}

fn hello_verify_request(message_seq: u16, cookie: &[u8]) -> Vec<u8> {
    let len = u8::try_from(cookie.len()).unwrap();
    let body = [&[0xfe, 0xff, len], cookie].concat();
    message(HandshakeType::HELLO_VERIFY_REQUEST, message_seq, &body)
}

/// Number and cookie of the hello in a datagram.
fn hello(datagram: &[u8]) -> (u16, Vec<u8>) {
    let contents = records(datagram).swap_remove(0).1;
    let (fragment, _) = Fragment::split(&contents).unwrap();
    let hello = ClientHello::parse(fragment.body).unwrap();
    (fragment.message_seq, hello.cookie.to_vec())
}

fn transmit(client: &mut Endpoint, now: std::time::Instant) -> Option<Vec<u8>> {
    let mut datagram = Vec::new();
    client.poll_transmit(&mut datagram, now).map(|_| datagram)
}

/// The first gate asks, and is gone with its secret when the cookie comes: the second one asks
/// again, with the number of the hello or always with the first.
#[test]
fn a_server_that_changed_its_secret_is_answered() {
    for versions in VERSIONS {
        for number in [None, Some(0)] {
            let (mut pair, server) = parts(versions);
            let mut gates = [(); 2].map(|()| CookieGate::new(server.clone(), pair.now).unwrap());
            let mut asked = 0;
            let mut cookies = Vec::new();
            loop {
                assert!(pair.elapsed() < Duration::from_secs(3), "{versions:?}");
                let now = pair.now;
                let Some(datagram) = transmit(&mut pair.client, now) else {
                    pair.now = pair.client.poll_timeout().unwrap();
                    let now = pair.now;
                    pair.client.handle_timeout(now);
                    continue;
                };
                let (sequence, cookie) = hello(&datagram);
                assert_eq!(sequence, u16::from(asked > 0));
                if cookies.last() != Some(&cookie) {
                    cookies.push(cookie);
                }
                let gate = &mut gates[usize::from(asked > 0)];
                let mut answer = Vec::new();
                match gate.admit(ADDRESS, &datagram, now, &mut answer) {
                    Verdict::Admit(admission) => {
                        pair.server = Endpoint::accept(server.clone(), admission, now);
                        break;
                    }
                    Verdict::Ask(_) => {
                        asked += 1;
                        if let Some(number) = number {
                            answer[17..19].copy_from_slice(&u16::to_be_bytes(number));
                        }
                        pair.client.handle_datagram(&mut answer, now);
                    }
                    other @ (Verdict::Refuse(..) | Verdict::Wait | Verdict::Drop(_)) => {
                        panic!("{other:?}")
                    }
                }
            }
            assert_eq!(cookies.len(), 3, "none, one, the other");
            assert!(pair.connect(), "{versions:?} {number:?}");
            assert_eq!(pair.client.version(), Some(Version::DTLS12));
            pair.assert_works();
        }
    }
}

/// Somebody sends requests with cookies of his own at every step; the server's is the first.
#[test]
fn requests_of_somebody_else_change_nothing() {
    for versions in VERSIONS {
        let run = |disturbed: bool| {
            let (mut pair, server) = parts(versions);
            let mut gate = CookieGate::new(server.clone(), pair.now).unwrap();
            let now = pair.now;
            let first = transmit(&mut pair.client, now).unwrap();
            let mut answer = Vec::new();
            let verdict = gate.admit(ADDRESS, &first, now, &mut answer);
            assert!(matches!(verdict, Verdict::Ask(_)));
            pair.client.handle_datagram(&mut answer, now);
            let second = transmit(&mut pair.client, now).unwrap();
            let Verdict::Admit(admission) = gate.admit(ADDRESS, &second, now, &mut answer) else {
                panic!("the cookie was good");
            };
            pair.server = Endpoint::accept(server, admission, now);
            let mut injected = 0_u64;
            while !pair.connected() {
                assert!(pair.elapsed() < Duration::from_secs(1));
                for message_seq in 0..9_u16 {
                    for cookie in [&[][..], &[7; 20], &[8; 255]] {
                        if disturbed {
                            let now = pair.now;
                            let mut request = hello_verify_request(message_seq, cookie);
                            pair.client.handle_datagram(&mut request, now);
                            injected += 1;
                        }
                    }
                }
                pair.run(DELAY, |_, _, _| vec![DELAY], Pair::connected);
            }
            let dropped = pair.client.stats().dropped(DropReason::Duplicate);
            assert!(dropped >= injected);
            pair.assert_works();
            (pair.sent.len(), pair.elapsed())
        };
        assert_eq!(run(true), run(false));
    }
}

/// A request never makes the client send anything that it would not have sent anyway.
#[test]
fn a_flood_of_requests_is_answered_with_nothing() {
    let (mut pair, _) = parts(VERSIONS[0]);
    let start = pair.now;
    let mut client = pair.client;
    transmit(&mut client, start).unwrap();
    client.handle_datagram(&mut hello_verify_request(0, b"first"), start);
    let second = transmit(&mut client, start).unwrap();
    assert_eq!(hello(&second), (1, b"first".to_vec()));
    let mut sent = Vec::new();
    for step in 1..3000_u32 {
        let now = start + Duration::from_millis(step.into());
        let cookie = format!("cookie {step}");
        let mut request = hello_verify_request(u16::from(step % 2 == 0), cookie.as_bytes());
        client.handle_datagram(&mut request, now);
        client.handle_timeout(now);
        if let Some(datagram) = transmit(&mut client, now) {
            sent.push((step, hello(&datagram)));
        }
        assert_eq!(client.poll_event(), None);
    }
    // 50 ms, doubled each time; after a second without an answer, another cookie.
    let steps: Vec<u32> = sent.iter().map(|(step, _)| *step).collect();
    assert_eq!(steps[..5], [50, 150, 350, 750, 1550]);
    assert_eq!(sent[3].1, (1, b"first".to_vec()));
    assert_eq!(sent[4].1, (1, b"cookie 1550".to_vec()));
    assert!(sent.len() <= 12, "{steps:?}");
    assert!(sent.iter().all(|(_, (number, _))| *number == 1));
    pair.now = start;
}

#[test]
fn a_repetition_of_the_request_says_that_the_hello_was_lost() {
    let (mut pair, _) = parts(VERSIONS[0]);
    let start = pair.now;
    let client = pair.side(Role::Client);
    transmit(client, start).unwrap();
    client.handle_datagram(&mut hello_verify_request(0, b"cookie"), start);
    transmit(client, start).unwrap();
    let now = start + Duration::from_millis(49);
    client.handle_datagram(&mut hello_verify_request(0, b"cookie"), now);
    assert_eq!(transmit(client, now), None, "it may be on its way");
    // Whatever else it is, it is no reason to close.
    for mut request in [
        hello_verify_request(1, b"cookie"),
        hello_verify_request(2, b"cookie"),
        message(HandshakeType::HELLO_VERIFY_REQUEST, 1, &[0xfe, 0xff, 9, 1]),
        message(HandshakeType::HELLO_VERIFY_REQUEST, 0, &[]),
    ] {
        client.handle_datagram(&mut request, now);
        assert_eq!(transmit(client, now), None);
        assert_eq!(client.poll_event(), None::<Event>);
    }
}
