//! Acknowledgements in plaintext, which anyone can make: that somebody says a flight has arrived
//! never keeps it from being sent, carried or repeated; and what anyone can repeat does not make a
//! server that waits for a cookie send more than it gets.

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod pair;

use core::time::Duration;

use craft::{message, record, records};
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::{ContentType, HandshakeType};
use ortc_dtls::{Carrier, Endpoint, Role, Version};
use pair::{DELAY, Flying, Pair, hello_of, pair_of, pair13, provider};

const DTLS13: &[Version] = &[Version::DTLS13];
const BOTH: &[Version] = &[Version::DTLS13, Version::DTLS12];
const DTLS12: &[Version] = &[Version::DTLS12];

/// Between two injections: several of them in each interval of the timer.
const STEP: Duration = Duration::from_millis(5);

/// Says that the first hundred records in plaintext have arrived.
fn everything_arrived() -> Vec<u8> {
    let numbers = (0..100_u64).flat_map(|sequence| [[0; 8], sequence.to_be_bytes()].concat());
    let contents: Vec<u8> = (16 * 100_u16)
        .to_be_bytes()
        .into_iter()
        .chain(numbers)
        .collect();
    record(ContentType::ACK, 0, 5, &contents)
}

/// Says that what arrived cannot be read (RFC 9147 §7.1): asks for all of it again.
fn nothing_arrived() -> Vec<u8> {
    record(ContentType::ACK, 0, 6, &[0, 0])
}

/// Loses the first datagrams of one side, while somebody says all the time that they arrived and
/// asks for more.
fn connects(versions: [&[Version]; 2], loser: Role, pokes: impl Fn(&Pair) -> Vec<Vec<u8>>) {
    let mut pair = pair_of(versions, &provider(), |config| config);
    let mut lost_until = None;
    while !pair.connected() {
        assert!(
            pair.elapsed() < Duration::from_secs(2),
            "{versions:?}, the first flight of the {loser:?} lost"
        );
        let now = pair.now;
        pair.run(
            STEP,
            |_, from, _| {
                if from == loser && *lost_until.get_or_insert(now + STEP) >= now {
                    vec![]
                } else {
                    vec![DELAY]
                }
            },
            Pair::connected,
        );
        if lost_until.is_none() {
            continue;
        }
        // They come before whatever timer ends at that instant.
        for contents in pokes(&pair) {
            let (at, to) = (pair.now + STEP, loser);
            pair.flying.push(Flying { at, to, contents });
        }
    }
    pair.assert_works();
}

#[test]
fn a_client_repeats_its_hello_whatever_anyone_says_of_it() {
    for versions in [[DTLS13; 2], [BOTH; 2], [BOTH, DTLS12]] {
        connects(versions, Role::Client, |_| {
            vec![everything_arrived(), nothing_arrived()]
        });
    }
}

#[test]
fn a_server_repeats_its_hello_whatever_anyone_says_of_it() {
    for versions in [[DTLS13; 2], [BOTH; 2]] {
        connects(versions, Role::Server, |pair| {
            let (_, hello) = pair.sent.first().unwrap();
            vec![everything_arrived(), hello.clone(), nothing_arrived()]
        });
    }
}

/// It has no timer: whoever lost it has nothing but his own repetition.
#[test]
fn a_request_for_a_cookie_is_repeated_whatever_anyone_says_of_it() {
    let mut pair = pair13(&provider(), |config| config.cookie_exchange(true));
    let now = pair.now;
    let hello = hello_of(&mut pair.client, now);
    pair.server.handle_datagram(&mut hello.clone(), now);
    let lost = hello_of(&mut pair.server, now);
    pair.server.handle_datagram(&mut everything_arrived(), now);
    assert_eq!(pair.server.poll_transmit(&mut Vec::new(), now), None);
    pair.server.handle_datagram(&mut hello.clone(), now);
    assert_eq!(hello_of(&mut pair.server, now).len(), lost.len());
}

#[test]
fn a_path_that_comes_up_gets_the_hello_at_once_whatever_anyone_said_of_it() {
    let mut pair = pair13(&provider(), |config| config);
    let now = pair.now;
    let hello = hello_of(&mut pair.client, now);
    pair.client.handle_datagram(&mut everything_arrived(), now);
    pair.client.restart_timer(now);
    assert_eq!(hello_of(&mut pair.client, now).len(), hello.len());
}

/// In the order in which a driver may hand it in that looks at its timers first.
#[test]
fn what_is_about_to_leave_again_leaves_whatever_anyone_says_of_it() {
    let mut pair = pair13(&provider(), |config| config.cookie_exchange(true));
    let now = pair.now;
    let hello = hello_of(&mut pair.client, now);
    pair.server.handle_datagram(&mut hello.clone(), now);
    let request = hello_of(&mut pair.server, now);
    pair.server.handle_datagram(&mut hello.clone(), now);
    pair.server.handle_datagram(&mut everything_arrived(), now);
    assert_eq!(hello_of(&mut pair.server, now).len(), request.len());
    let mut now = now;
    for _ in 0..5 {
        now = pair.client.poll_timeout().unwrap();
        pair.client.handle_timeout(now);
        pair.client.handle_datagram(&mut everything_arrived(), now);
        assert_eq!(hello_of(&mut pair.client, now).len(), hello.len());
    }
    pair.client.restart_timer(now);
    pair.client.handle_datagram(&mut everything_arrived(), now);
    assert_eq!(hello_of(&mut pair.client, now).len(), hello.len());
}

fn carried(side: &mut Endpoint) -> Vec<Vec<u8>> {
    let flight = side.flight(1200).unwrap();
    flight.datagrams().map(<[u8]>::to_vec).collect()
}

#[test]
fn what_anyone_says_has_arrived_is_carried_all_the_same() {
    for versions in [DTLS13, BOTH] {
        for before in [Carrier::Datagrams, Carrier::Outside] {
            let mut pair = pair_of([versions; 2], &provider(), |config| config);
            let now = pair.now;
            let mut flights: Vec<Vec<u8>> = Vec::new();
            for role in [Role::Client, Role::Server] {
                let side = pair.side(role);
                side.carry_flights(before, now);
                for mut datagram in flights {
                    side.handle_datagram(&mut datagram, now);
                }
                if before == Carrier::Datagrams {
                    let mut out = Vec::new();
                    while side.poll_transmit(&mut out, now).is_some() {}
                }
                let whole = carried(side);
                side.handle_datagram(&mut everything_arrived(), now);
                side.carry_flights(Carrier::Outside, now);
                side.handle_datagram(&mut everything_arrived(), now);
                let rest = carried(side);
                assert_eq!(
                    rest.iter().map(Vec::len).sum::<usize>(),
                    whole.iter().map(Vec::len).sum::<usize>(),
                    "{versions:?}, {role:?}, {before:?} before"
                );
                flights = rest;
            }
        }
    }
}

/// A retransmission by the sender himself starts with everything, whoever acknowledged it.
#[test]
fn a_flight_that_comes_back_from_a_carrier_is_sent_whole() {
    let mut pair = pair13(&provider(), |config| config);
    let now = pair.now;
    let hello = hello_of(&mut pair.client, now);
    pair.client.carry_flights(Carrier::Outside, now);
    assert_eq!(carried(&mut pair.client).len(), 1);
    pair.client.handle_datagram(&mut everything_arrived(), now);
    pair.client.carry_flights(Carrier::Datagrams, now);
    assert_eq!(hello_of(&mut pair.client, now).len(), hello.len());
}

/// The end of a hello is not the hello: a request is sent again when half as many octets have come
/// again as it has (RFC 9147 §5.1).
#[test]
fn a_server_that_asked_for_a_cookie_is_no_amplifier() {
    let mut pair = pair13(&provider(), |config| config.cookie_exchange(true));
    let now = pair.now;
    let hello = hello_of(&mut pair.client, now);
    let (_, contents) = records(&hello).remove(0);
    let body = Fragment::split(&contents).unwrap().0.body.to_vec();
    let mut octets = [0, 0];
    let mut give = |server: &mut Endpoint, mut datagram: Vec<u8>| {
        octets[0] += datagram.len();
        server.handle_datagram(&mut datagram, now);
        let mut out = Vec::new();
        while let Some(len) = server.poll_transmit(&mut out, now) {
            octets[1] += len;
        }
        assert!(octets[1] <= 3 * octets[0], "{octets:?}");
        out.len()
    };
    assert!(give(&mut pair.server, hello) > 0);
    for left in [0, 1, 8] {
        let offset = body.len() - left;
        let mut tail = Vec::new();
        Fragment {
            kind: HandshakeType::CLIENT_HELLO,
            length: body.len().try_into().unwrap(),
            message_seq: 0,
            offset: offset.try_into().unwrap(),
            body: body.get(offset..).unwrap(),
        }
        .encode(&mut tail);
        let tail = record(ContentType::HANDSHAKE, 0, 9, &tail);
        for _ in 0..200 {
            give(&mut pair.server, tail.clone());
        }
    }
    // Whole, it is answered each time.
    for _ in 0..3 {
        let again = message(HandshakeType::CLIENT_HELLO, 0, &body);
        assert!(give(&mut pair.server, again) > 0);
    }
}
