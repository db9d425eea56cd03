//! Somebody who can send to an endpoint and cannot decrypt what it sends: what he injects, at every
//! step of a handshake and after it, in both roles and versions, is dropped and counted, and the
//! handshake takes as long as without him.
//!
//! Two steps are left out, at which any message in plaintext is as good as the peer's: a server
//! takes the first ClientHello that comes, a client that awaits an answer to its own the first
//! answer. Behind ICE, only what comes over the validated path gets there; on an open port a
//! [`CookieGate`] is asked first.

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod pair;

use core::time::Duration;
use std::sync::Arc;

use craft::{ack, extensions, message, record, records};
use ortc_dtls::crypto::Provider;
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::{ContentType, HandshakeType};
use ortc_dtls::{CookieGate, DropReason, Endpoint, Role, Stats, Verdict, Version};
use pair::{DELAY, Pair, configs, hello_of, pair_of, provider};

const VERSIONS: [&[Version]; 3] = [
    &[Version::DTLS12],
    &[Version::DTLS13],
    &[Version::DTLS13, Version::DTLS12],
];
const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// Between two injections: several of them on each trip.
const STEP: Duration = Duration::from_millis(5);

/// SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The body of a ClientHello of somebody else's.
fn stranger(versions: &[Version], provider: &Arc<dyn Provider>) -> Vec<u8> {
    let mut other = pair_of([versions; 2], provider, |config| config);
    let hello = hello_of(&mut other.client, other.now);
    let (_, contents) = records(&hello).remove(0);
    Fragment::split(&contents).unwrap().0.body.to_vec()
}

fn retry_request() -> Vec<u8> {
    let chosen = extensions(&[(43, &[0xfe, 0xfc]), (51, &[0, 0x17])]);
    [&[0xfe, 0xfd][..], &RETRY, &[0, 0x13, 0x01, 0], &chosen].concat()
}

/// What can be made without keys, with every number that a message of a handshake can have.
fn forged(versions: &[Version], hello: &[u8]) -> Vec<(HandshakeType, u16, Vec<u8>)> {
    const NONE: HandshakeType = HandshakeType(0xff);
    let mut all = Vec::new();
    // Of DTLS 1.3 these are never sent in plaintext.
    let protected = [
        HandshakeType::ENCRYPTED_EXTENSIONS,
        HandshakeType::CERTIFICATE,
        HandshakeType::SERVER_KEY_EXCHANGE,
        HandshakeType::CERTIFICATE_REQUEST,
        HandshakeType::SERVER_HELLO_DONE,
        HandshakeType::CERTIFICATE_VERIFY,
        HandshakeType::CLIENT_KEY_EXCHANGE,
        HandshakeType::FINISHED,
        HandshakeType::KEY_UPDATE,
    ];
    for kind in protected {
        for seq in (1..10).filter(|_| versions.contains(&Version::DTLS13)) {
            all.push((kind, seq, message(kind, seq, &[0; 12])));
        }
    }
    for seq in (0..10).chain([u16::MAX]) {
        for (kind, body) in [
            (HandshakeType::HELLO_REQUEST, &[][..]),
            (HandshakeType::CLIENT_HELLO, hello),
            (HandshakeType::HELLO_VERIFY_REQUEST, &[0xfe, 0xff, 1, 7]),
            (HandshakeType::SERVER_HELLO, &retry_request()),
        ] {
            all.push((kind, seq, message(kind, seq, body)));
        }
    }
    let acks = [
        &[][..],
        &[(0, 0)],
        &[(0, 0), (0, 1), (0, 2)],
        &[(2, 0), (2, 1), (3, 0)],
    ];
    let contents = [
        (ContentType::ALERT, vec![2, 40]),
        (ContentType::ALERT, vec![1, 0]),
        (ContentType::ALERT, vec![1, 100]),
        (ContentType::ALERT, vec![2]),
        (ContentType::CHANGE_CIPHER_SPEC, vec![1]),
        (ContentType::APPLICATION_DATA, b"plaintext".to_vec()),
    ];
    let contents = contents
        .into_iter()
        .chain(acks.map(|numbers| (ContentType::ACK, ack(numbers))));
    for (kind, contents) in contents {
        for epoch in 0..4 {
            for sequence in [0, 5, (1 << 48) - 1] {
                all.push((NONE, 0, record(kind, epoch, sequence, &contents)));
            }
        }
    }
    // Protected records of DTLS 1.3, by their first octet.
    for first in 0x20..0x40 {
        let mut sealed = vec![first, 0, 1, 0, 40];
        sealed.resize(45, 0xaa);
        all.push((NONE, 0, sealed));
    }
    all
}

/// What became of a datagram: dropped, kept for later, or good for sending again.
fn is_counted(before: &Stats, held: usize, side: &Endpoint) -> bool {
    let after = side.stats();
    after.dropped_total() > before.dropped_total()
        || after.retransmissions > before.retransmissions
        || side.held_octets() > held
}

fn inject(
    pair: &mut Pair,
    to: Role,
    forged: &[(HandshakeType, u16, Vec<u8>)],
    (left_out, last): (&[HandshakeType], u16),
) -> usize {
    let now = pair.now;
    let mut injected = 0;
    for (kind, seq, contents) in forged {
        if *seq <= last && left_out.contains(kind) {
            continue;
        }
        let side = pair.side(to);
        let (before, held) = (side.stats(), side.held_octets());
        side.handle_datagram(&mut contents.clone(), now);
        assert!(is_counted(&before, held, side), "{kind} {seq} {contents:?}");
        injected += 1;
    }
    injected
}

#[test]
fn what_somebody_without_keys_injects_at_any_step_changes_nothing() {
    for versions in VERSIONS {
        assert_unmoved(versions, false);
    }
}

/// As with a gate, hellos without the cookie are nobody's there.
#[test]
fn nor_does_it_where_a_server_of_dtls_1_2_asks_for_a_cookie() {
    assert_unmoved(VERSIONS[0], true);
}

fn assert_unmoved(versions: &[Version], cookie: bool) {
    let provider = provider();
    let forged = forged(versions, &stranger(versions, &provider));
    for mtu in [256, 1200] {
        for to in ROLES {
            let mut pair = pair_of([versions; 2], &provider, |config| {
                config.mtu(mtu).unwrap().cookie_exchange(cookie)
            });
            // A client that is asked for a cookie awaits two answers, with these numbers.
            let (answered, last) = if cookie {
                (4 * DELAY, u16::from(to == Role::Client))
            } else {
                (2 * DELAY, 0)
            };
            let mut steps = 0;
            while !pair.connected() {
                let left_out: &[HandshakeType] = match to {
                    Role::Client if pair.elapsed() < answered => &[
                        HandshakeType::SERVER_HELLO,
                        HandshakeType::HELLO_VERIFY_REQUEST,
                    ],
                    Role::Server if pair.elapsed() < DELAY => &[HandshakeType::CLIENT_HELLO],
                    Role::Client | Role::Server => &[],
                };
                inject(&mut pair, to, &forged, (left_out, last));
                steps += 1;
                assert!(
                    steps < 40,
                    "{versions:?} {mtu} {to:?} {:?}",
                    pair.side(to).stats()
                );
                pair.run(STEP, |_, _, _| vec![DELAY], |_| false);
            }
            let trips = if versions.contains(&Version::DTLS13) {
                3
            } else {
                4 + 2 * u32::from(cookie)
            };
            assert_eq!(pair.elapsed(), trips * DELAY, "{versions:?} {mtu} {to:?}");
            pair.settle();
            let injected = inject(&mut pair, to, &forged, (&[], 0));
            assert!(injected > 150);
            pair.settle();
            let stats = pair.side(to).stats();
            for reason in [
                DropReason::PlaintextAlert,
                DropReason::ChangeCipherSpec,
                DropReason::PlaintextData,
                DropReason::Role,
                DropReason::Epoch,
            ] {
                assert!(stats.dropped(reason) > 3, "{reason:?} {stats:?}");
            }
            let closed = ROLES.map(|role| pair.closed(role));
            assert_eq!(closed, [None, None]);
            pair.assert_works();
        }
    }
}

/// Without a gate, the hello that came first counts.
#[test]
fn a_second_hello_from_elsewhere_does_not_take_the_place_of_the_first() {
    let provider = provider();
    for versions in VERSIONS {
        let hello = message(
            HandshakeType::CLIENT_HELLO,
            0,
            &stranger(versions, &provider),
        );
        let mut pair = pair_of([versions; 2], &provider, |config| config);
        pair.run(DELAY, |_, _, _| vec![DELAY], |_| false);
        let mut raced = 0;
        while !pair.connected() {
            let now = pair.now;
            pair.server.handle_datagram(&mut hello.clone(), now);
            raced += 1;
            pair.run(STEP, |_, _, _| vec![DELAY], |_| false);
        }
        assert_eq!(pair.server.stats().dropped(DropReason::Duplicate), raced);
        pair.assert_works();
    }
}

/// With a gate, whoever does not hear the request is nobody, before and after the hello that counts.
#[test]
fn hellos_from_elsewhere_do_not_get_past_a_gate() {
    let provider = provider();
    for versions in VERSIONS {
        let [client, server] = configs([versions; 2], &provider, |_, config| config);
        let mut pair = Pair::new(client, server.clone());
        let (server, now) = (Arc::new(server), pair.now);
        let mut gate = CookieGate::new(server.clone(), now).unwrap();
        let first = hello_of(&mut pair.client, now);
        let race = |gate: &mut CookieGate, hello: &[u8]| {
            let strange = message(
                HandshakeType::CLIENT_HELLO,
                0,
                &stranger(versions, &provider),
            );
            for hello in [&strange[..], hello] {
                let mut answer = Vec::new();
                let verdict = gate.admit(b"elsewhere", hello, now, &mut answer);
                assert!(
                    matches!(verdict, Verdict::Ask(_) | Verdict::Refuse(..)),
                    "{verdict:?}"
                );
            }
        };
        race(&mut gate, &first);
        let mut request = Vec::new();
        assert!(matches!(
            gate.admit(b"client", &first, now, &mut request),
            Verdict::Ask(_)
        ));
        race(&mut gate, &first);
        pair.client.handle_datagram(&mut request, now);
        let second = hello_of(&mut pair.client, now);
        // The cookie is of no use to others, even to those who have seen it.
        race(&mut gate, &second);
        let Verdict::Admit(admission) = gate.admit(b"client", &second, now, &mut Vec::new()) else {
            panic!("the client is not let in");
        };
        race(&mut gate, &second);
        pair.server = Endpoint::accept(server, admission, now);
        assert!(pair.connect());
        pair.assert_works();
    }
}
