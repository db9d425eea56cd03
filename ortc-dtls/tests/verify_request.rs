//! A server of DTLS 1.2 that asks for a cookie by itself (RFC 6347 §4.2.1): what it asks, of whom,
//! and what it takes for an answer.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod pair;

use core::time::Duration;
use std::sync::Arc;

use craft::{handshake, record, records};
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::hello::ClientHello;
use ortc_dtls::wire::record::RecordHeader;
use ortc_dtls::wire::{ContentType, HandshakeType, ProtocolVersion};
use ortc_dtls::{CloseReason, CookieGate, Endpoint, Event, ProtocolError, Role, Verdict, Version};
use pair::{DELAY, Pair, configs, hello_of, pair_by_role, pair_of, provider};

const V12: &[Version] = &[Version::DTLS12];
const BOTH: &[Version] = &[Version::DTLS13, Version::DTLS12];

fn asking(versions: [&[Version]; 2]) -> Pair {
    pair_of(versions, &provider(), |config| config.cookie_exchange(true))
}

/// The body of the ClientHello that a client has queued.
fn body_of(pair: &mut Pair) -> Vec<u8> {
    let hello = hello_of(&mut pair.client, pair.now);
    let (_, contents) = records(&hello).remove(0);
    Fragment::split(&contents).unwrap().0.body.to_vec()
}

/// Where in a hello without a session the cookie's length is.
const COOKIE_AT: usize = 2 + 32 + 1;

/// The hello with this cookie instead of none.
fn with_cookie(body: &[u8], cookie: &[u8]) -> Vec<u8> {
    assert_eq!(body[COOKIE_AT - 1..=COOKIE_AT], [0, 0]);
    let len = [u8::try_from(cookie.len()).unwrap()];
    [&body[..COOKIE_AT], &len, cookie, &body[COOKIE_AT + 1..]].concat()
}

/// A hello with this number in a record with that one.
fn hello(message_seq: u16, sequence: u64, body: &[u8]) -> Vec<u8> {
    let contents = handshake(HandshakeType::CLIENT_HELLO, message_seq, body);
    record(ContentType::HANDSHAKE, 0, sequence, &contents)
}

/// All that the server says to it.
fn answer(pair: &mut Pair, mut datagram: Vec<u8>) -> Vec<(RecordHeader, Vec<u8>)> {
    let now = pair.now;
    pair.server.handle_datagram(&mut datagram, now);
    let mut out = Vec::new();
    while pair.server.poll_transmit(&mut out, now).is_some() {}
    records(&out)
}

/// The cookie, the number of the message and that of the record of an answer that is a request.
fn request(answer: &[(RecordHeader, Vec<u8>)]) -> Option<(Vec<u8>, u16, u64)> {
    let [(header, contents)] = answer else {
        return None;
    };
    let (fragment, rest) = Fragment::split(contents).unwrap();
    if fragment.kind != HandshakeType::HELLO_VERIFY_REQUEST {
        return None;
    }
    assert_eq!(header.version, ProtocolVersion::DTLS10);
    assert!(rest.is_empty());
    assert_eq!(fragment.body[..3], [0xfe, 0xff, 32]);
    let cookie = fragment.body[3..].to_vec();
    assert_eq!(cookie.len(), 32);
    Some((cookie, fragment.message_seq, header.sequence))
}

/// Whether the answer is the flight of a server.
fn is_flight(answer: &[(RecordHeader, Vec<u8>)]) -> bool {
    answer
        .first()
        .is_some_and(|(_, contents)| contents[0] == HandshakeType::SERVER_HELLO.0)
}

#[test]
fn a_server_of_dtls_1_2_asks_for_a_cookie_and_the_handshake_takes_a_round_trip_more() {
    for versions in [[V12; 2], [BOTH, V12], [V12, BOTH]] {
        for mtu in [256, 1200] {
            let mut pair = pair_of(versions, &provider(), |config| {
                config.cookie_exchange(true).mtu(mtu).unwrap()
            });
            assert!(pair.connect());
            assert_eq!(pair.elapsed(), 6 * DELAY, "{versions:?} {mtu}");
            assert_eq!(pair.client.version(), Some(Version::DTLS12));
            let kinds = |role| {
                let sent = pair.sent.iter().filter(move |(from, _)| *from == role);
                sent.flat_map(|(_, datagram)| records(datagram))
                    .filter(|(header, _)| header.content_type == ContentType::HANDSHAKE)
                    .map(|(_, contents)| (contents[0], contents[5]))
                    .collect::<Vec<_>>()
            };
            assert_eq!(kinds(Role::Server)[..2], [(3, 0), (2, 1)]);
            assert_eq!(kinds(Role::Client)[0], (1, 0));
            assert!(kinds(Role::Client).contains(&(1, 1)));
            for role in [Role::Client, Role::Server] {
                assert_eq!(pair.side(role).stats().retransmissions, 0);
            }
            pair.assert_works();
        }
    }
}

#[test]
fn what_came_through_a_gate_is_not_asked_again() {
    let [client, server] = configs([V12; 2], &provider(), |_, config| {
        config.cookie_exchange(true)
    });
    let mut pair = Pair::new(client, server.clone());
    let (server, now) = (Arc::new(server), pair.now);
    let mut gate = CookieGate::new(server.clone(), now).unwrap();
    let mut request = Vec::new();
    let first = hello_of(&mut pair.client, now);
    assert!(matches!(
        gate.admit(b"client", &first, now, &mut request),
        Verdict::Ask(_)
    ));
    pair.client.handle_datagram(&mut request, now);
    let second = hello_of(&mut pair.client, now);
    let Verdict::Admit(admission) = gate.admit(b"client", &second, now, &mut Vec::new()) else {
        panic!("the client is not let in");
    };
    pair.server = Endpoint::accept(server, admission, now);
    assert!(pair.connect());
    assert_eq!(pair.elapsed(), 3 * DELAY);
    pair.assert_works();
}

/// Nothing is used twice, and what is answered is said by the number of its record.
#[test]
fn an_answer_has_the_numbers_of_the_hello_that_it_answers() {
    let mut pair = asking([V12; 2]);
    let body = body_of(&mut pair);
    let (cookie, seq, number) = request(&answer(&mut pair, hello(0, 40, &body))).unwrap();
    assert_eq!((seq, number), (0, 40));
    // Again, later, and again under a number that was used.
    for (comes, leaves) in [(60, 60), (41, 61), (1 << 47, 62)] {
        let again = request(&answer(&mut pair, hello(0, comes, &body))).unwrap();
        assert_eq!(again, (cookie.clone(), 0, leaves));
    }
    let flight = answer(&mut pair, hello(1, 70, &with_cookie(&body, &cookie)));
    assert!(is_flight(&flight));
    assert_eq!(flight[0].0.sequence, 70);
    assert_eq!(flight[0].1[4..6], [0, 1]);
}

#[test]
fn a_cookie_that_is_wrong_missing_or_of_another_hello_is_asked_for_again() {
    let mut pair = asking([V12; 2]);
    let body = body_of(&mut pair);
    let (cookie, ..) = request(&answer(&mut pair, hello(0, 0, &body))).unwrap();
    let right = with_cookie(&body, &cookie);
    let parsed = ClientHello::parse(&right).unwrap();
    let suites = COOKIE_AT + 1 + cookie.len() + 2;
    let compression = suites + 2 * parsed.cipher_suites().count();
    let changed = |at: usize| {
        let mut changed = right.clone();
        changed[at] ^= 1;
        changed
    };
    let mut longer = right.clone();
    // Another compression method that nobody has, behind the null method.
    longer[compression] = 2;
    longer.insert(compression + 2, 64);
    let mut session = right.clone();
    session[COOKIE_AT - 1] = 1;
    session.insert(COOKIE_AT, 7);
    let wrong = [
        body.clone(),
        with_cookie(&body, &cookie[..31]),
        with_cookie(&body, &[cookie.as_slice(), &[0]].concat()),
        with_cookie(&body, &[7; 32]),
        changed(COOKIE_AT + 1),
        changed(COOKIE_AT + 32),
        changed(2),  // random
        changed(33), // random
        changed(suites + 1),
        longer,
        session,
    ];
    // The client that counts on, and the one that does not.
    for late in [wrong.len().try_into().unwrap(), 1, 2, 12, 16] {
        let mut pair = asking([V12; 2]);
        let body = body_of(&mut pair);
        let (cookie, ..) = request(&answer(&mut pair, hello(0, 0, &body))).unwrap();
        for (wrong, place) in wrong.iter().zip(1_u16..) {
            let asked = answer(&mut pair, hello(place, place.into(), wrong));
            let (_, number, _) = request(&asked).unwrap();
            assert_eq!(number, place);
        }
        assert_eq!(pair.server.poll_event(), None);
        let flight = answer(&mut pair, hello(late, 90, &with_cookie(&body, &cookie)));
        assert!(is_flight(&flight), "{late}");
        let [high, low] = late.to_be_bytes();
        assert_eq!(flight[0].1[4..6], [high, low]);
        // From here on it is a handshake like any other.
        let forged = hello(late + 1, 91, &body);
        assert!(answer(&mut pair, forged).is_empty());
    }
}

/// Somebody else's hello was there first: the client is asked for another cookie, and takes it when
/// nothing else has come for a second.
#[test]
fn whoever_is_first_with_a_hello_takes_nobodys_place() {
    let mut pair = asking([V12; 2]);
    let mut other = asking([V12; 2]);
    let (strange, now) = (body_of(&mut other), pair.now);
    for seq in 0..3 {
        let body = with_cookie(&strange, &[9; 32]);
        pair.server.handle_datagram(&mut hello(seq, 0, &body), now);
    }
    assert!(pair.connect());
    assert!(
        pair.elapsed() < Duration::from_secs(3),
        "{:?}",
        pair.elapsed()
    );
    pair.assert_works();
}

#[test]
fn a_request_has_no_timer_and_is_no_amplifier() {
    let mut pair = pair_by_role([V12; 2], &provider(), |_, config| {
        config.cookie_exchange(true).handshake_timeout(None)
    });
    let body = body_of(&mut pair);
    assert!(request(&answer(&mut pair, hello(0, 0, &body))).is_some());
    assert_eq!(pair.server.poll_timeout(), None);
    pair.now += Duration::from_secs(100);
    let now = pair.now;
    pair.server.handle_timeout(now);
    assert_eq!(pair.server.poll_transmit(&mut Vec::new(), now), None);
    // Whole, by their ends, and with cookies that do not count.
    let (mut came, mut left) = (0, 0);
    let len = u32::try_from(body.len()).unwrap();
    for round in 0..1000_u16 {
        let end = Fragment {
            kind: HandshakeType::CLIENT_HELLO,
            length: len,
            message_seq: 0,
            offset: len - 1,
            body: &body[body.len() - 1..],
        };
        for datagram in [
            hello(0, 1, &body),
            craft::fragment(1, &end),
            hello(1 + round, 1, &with_cookie(&body, &[])),
        ] {
            came += datagram.len();
            let octets = |(_, contents): &(_, Vec<u8>)| RecordHeader::LEN + contents.len();
            left += answer(&mut pair, datagram)
                .iter()
                .map(octets)
                .sum::<usize>();
        }
    }
    assert!(left > 0 && left <= 2 * came, "{left} for {came}");
    assert_eq!(pair.server.poll_event(), None);
}

#[test]
fn a_hello_that_offers_another_version_than_the_one_that_asked_is_refused() {
    let provider = provider();
    let mut pair = pair_of([V12, BOTH], &provider, |config| {
        config.cookie_exchange(true)
    });
    let mut newer = pair_of([BOTH; 2], &provider, |config| config);
    let body = body_of(&mut pair);
    assert!(request(&answer(&mut pair, hello(0, 0, &body))).is_some());
    let alert = answer(&mut pair, hello(1, 1, &body_of(&mut newer)));
    assert_eq!(alert[0].1, [2, 47]);
    let reason = CloseReason::Protocol(ProtocolError::SecondHello);
    assert_eq!(pair.server.poll_event(), Some(Event::Closed(reason)));
}
