//! Records and extensions with connection ids that nobody asked for, or that are none.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod craft13;
mod ids;
mod pair;

use core::time::Duration;

use craft::Forger;
use craft13::Epoch;
use ids::{VERSIONS, connected, own, pair_with};
use ortc_dtls::wire::{ContentType, ExtensionType, ParseError};
use ortc_dtls::{CloseReason, DropReason, Event, ProtocolError, Role, Version};
use pair::{DELAY, Pair, hello_of};

const LIMIT: Duration = Duration::from_secs(20);

/// Hands a record to the client, which drops it; says how often for a reason.
fn dropped(pair: &mut Pair, mut record: Vec<u8>) -> impl Fn(DropReason) -> u64 + use<> {
    let before = pair.client.stats();
    pair.client.handle_datagram(&mut record, pair.now);
    assert_eq!(pair.client.poll_event(), None);
    let after = pair.client.stats();
    // A length that was changed leaves another piece behind.
    assert!(after.dropped_total() > before.dropped_total());
    move |reason| after.dropped(reason) - before.dropped(reason)
}

/// All of a record matters, and it is read once, after others that do not count.
fn assert_good(pair: &mut Pair, good: &[u8], others: &[Vec<u8>]) {
    for at in 0..good.len() {
        for bit in [1, 0x80] {
            let mut flipped = good.to_vec();
            flipped[at] ^= bit;
            let _ = dropped(pair, flipped);
        }
    }
    for end in 1..good.len() {
        let reasons = dropped(pair, good[..end].to_vec());
        assert_eq!(reasons(DropReason::Malformed), 1);
    }
    let now = pair.now;
    let mut all = [&others.concat(), good].concat();
    pair.client.handle_datagram(&mut all, now);
    let data = Event::ApplicationData(b"data".to_vec().into());
    assert_eq!(pair.client.poll_event(), Some(data));
    let reasons = dropped(pair, good.to_vec());
    assert_eq!(reasons(DropReason::Replayed), 1);
    pair.assert_works();
}

#[test]
fn nothing_of_dtls12_counts_but_what_has_the_id() {
    let (mut pair, provider) = connected(Version::DTLS12, [Some(5), Some(8)]);
    let server = Forger::new(&provider, &pair, Role::Server);
    let id = own(&pair.client);
    let data = [&b"data"[..], &[23]].concat();
    let good = server.seal_with_id(&id, 100, &data);
    let mut other = id.clone();
    other[4] ^= 1;
    // The id is authenticated: another one cannot be put over it.
    let mut replaced = server.seal_with_id(&other, 103, &data);
    replaced[11..16].copy_from_slice(&id);
    let of_epoch = |epoch| {
        let mut record = good.clone();
        record[4] = epoch;
        record
    };
    for (record, reason) in [
        (
            server.seal(ContentType::APPLICATION_DATA, 101, &[1, 0]),
            DropReason::ConnectionId,
        ),
        (
            server.seal(ContentType::ALERT, 101, &[1, 0]),
            DropReason::ConnectionId,
        ),
        (
            server.seal_with_id(&other, 102, &data),
            DropReason::ConnectionId,
        ),
        (replaced, DropReason::BadRecord),
        (of_epoch(0), DropReason::Epoch),
        (of_epoch(2), DropReason::Epoch),
        // No type at all, and the type of the envelope inside it.
        (
            server.seal_with_id(&id, 104, &[0; 9]),
            DropReason::ContentType,
        ),
        (
            server.seal_with_id(&id, 105, &[1, 25]),
            DropReason::ContentType,
        ),
        (
            server.seal_with_id(&id, 106, &[23; 16_385]),
            DropReason::RecordTooLong,
        ),
    ] {
        assert_eq!(dropped(&mut pair, record)(reason), 1, "{reason:?}");
    }
    let others = [server.seal_with_id(&other, 107, &data)];
    assert_good(&mut pair, &good, &others);
}

#[test]
fn nothing_of_dtls13_counts_but_what_has_the_id() {
    let (mut pair, provider) = connected(Version::DTLS13, [Some(5), Some(8)]);
    let server = Epoch::of(&provider, &pair, Role::Server, 3);
    let id = own(&pair.client);
    let kind = ContentType::APPLICATION_DATA;
    let good = server.seal_with_id(&id, kind, 100, b"data");
    let mut other = id.clone();
    other[4] ^= 1;
    let mut replaced = server.seal_with_id(&other, kind, 103, b"data");
    replaced[1..6].copy_from_slice(&id);
    for (record, reason) in [
        (server.seal(kind, 101, &[1, 0]), DropReason::ConnectionId),
        (
            server.seal(ContentType::ALERT, 101, &[1, 0]),
            DropReason::ConnectionId,
        ),
        (
            server.seal_with_id(&other, kind, 102, b"data"),
            DropReason::ConnectionId,
        ),
        (replaced, DropReason::BadRecord),
    ] {
        assert_eq!(dropped(&mut pair, record)(reason), 1, "{reason:?}");
    }
    let others = [
        server.seal_with_id(&other, kind, 104, b"data"),
        server.seal(kind, 105, b"data"),
    ];
    assert_good(&mut pair, &good, &others);
}

#[test]
fn records_with_an_id_that_nobody_asked_for_are_rejected() {
    for version in VERSIONS {
        for lengths in [[None, None], [Some(0), Some(4)]] {
            let (mut pair, provider) = connected(version, lengths);
            let now = pair.now;
            let mut record = match version {
                Version::DTLS12 => {
                    Forger::new(&provider, &pair, Role::Server).seal_with_id(&[7], 100, &[1, 2, 23])
                }
                _ => Epoch::of(&provider, &pair, Role::Server, 3).seal_with_id(
                    &[7],
                    ContentType::APPLICATION_DATA,
                    100,
                    &[1, 2],
                ),
            };
            pair.client.handle_datagram(&mut record, now);
            assert_eq!(pair.client.poll_event(), None);
            assert_eq!(pair.client.stats().dropped(DropReason::ConnectionId), 1);
            pair.assert_works();
        }
    }
}

/// Somebody who cannot decrypt sends records with ids, right and wrong ones, after each datagram.
#[test]
fn injected_records_with_ids_disturb_no_handshake() {
    for version in VERSIONS {
        for lengths in [[Some(8), Some(8)], [Some(8), Some(0)], [None, Some(8)]] {
            let (mut pair, _) = pair_with(version, lengths, |config| config);
            let ids = [own(&pair.client), own(&pair.server), vec![1; 8]];
            let mut junk = Vec::new();
            for id in &ids {
                for epoch in 0..3_u8 {
                    let head = [25, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 9];
                    junk.push([&head[..], id, &[0, 40], &[5; 40]].concat());
                }
                for first in 0x30..=0x3f {
                    junk.push([&[first][..], id, &[0, 9, 0, 40], &[5; 40]].concat());
                }
            }
            let end = pair.now + LIMIT;
            while !pair.connected() {
                assert!(pair.now < end, "{version} {lengths:?}");
                for role in [Role::Client, Role::Server] {
                    let now = pair.now;
                    for datagram in &junk {
                        pair.side(role).handle_datagram(&mut datagram.clone(), now);
                    }
                    assert!(pair.side(role).held_octets() <= 64 * 1024);
                }
                pair.run(DELAY, |_, _, _| vec![DELAY], Pair::connected);
            }
            pair.assert_works();
        }
    }
}

/// What a side makes of such a `connection_id` of the other.
fn verdict(version: Version, of: Role, contents: &[u8]) -> Option<CloseReason> {
    let (mut pair, _) = pair_with(version, [Some(4), Some(4)], |config| config);
    let now = pair.now;
    let offered = match of {
        Role::Client => own(&pair.client),
        Role::Server => own(&pair.server),
    };
    let ExtensionType(kind) = ExtensionType::CONNECTION_ID;
    let found = [&kind.to_be_bytes()[..], &[0, 5, 4], &offered].concat();
    let mut flight = hello_of(&mut pair.client, now);
    if of == Role::Server {
        pair.server.handle_datagram(&mut flight, now);
        flight.clear();
        pair.server.poll_transmit(&mut flight, now).unwrap();
    }
    let at = flight
        .windows(found.len())
        .position(|window| window == found);
    let at = at.unwrap();
    assert_eq!(contents.len(), 5, "all lengths around it stay right");
    flight[at + 4..at + 9].copy_from_slice(contents);
    let other = match of {
        Role::Client => &mut pair.server,
        Role::Server => &mut pair.client,
    };
    other.handle_datagram(&mut flight, now);
    match other.poll_event() {
        Some(Event::Closed(reason)) => Some(reason),
        Some(_) | None => None,
    }
}

#[test]
fn an_extension_that_is_no_id_is_refused() {
    for version in VERSIONS {
        for of in [Role::Client, Role::Server] {
            let malformed = |error| Some(ProtocolError::Malformed(error).into());
            assert_eq!(verdict(version, of, &[4, 9, 9, 9, 9]), None);
            let truncated = ParseError::Truncated("connection_id");
            assert_eq!(verdict(version, of, &[5, 0, 0, 0, 0]), malformed(truncated));
            let trailing = ParseError::Trailing("connection_id");
            assert_eq!(verdict(version, of, &[3, 0, 0, 0, 0]), malformed(trailing));
        }
    }
}

/// The same extension twice, in the place of another.
#[test]
fn an_extension_that_comes_twice_is_refused() {
    for version in VERSIONS {
        let (mut pair, _) = pair_with(version, [Some(3), Some(3)], |config| config);
        let now = pair.now;
        let mut hello = hello_of(&mut pair.client, now);
        // record_size_limit, two octets long as the id of one octet would be.
        let at = hello.windows(4).position(|window| window == [0, 28, 0, 2]);
        let at = at.unwrap();
        hello[at..at + 6].copy_from_slice(&[0, 54, 0, 2, 1, 7]);
        pair.server.handle_datagram(&mut hello, now);
        let error = ProtocolError::Malformed(ParseError::Duplicate("extension"));
        assert_eq!(pair.server.poll_event(), Some(Event::Closed(error.into())));
    }
}

#[test]
fn an_answer_to_what_was_not_offered_is_refused() {
    for version in VERSIONS {
        let (mut pair, _) = pair_with(version, [None, Some(3)], |config| config);
        let (mut with, _) = pair_with(version, [Some(3), Some(3)], |config| config);
        let now = pair.now;
        // The server answers another client's hello, in which only the random is this one's.
        let own_hello = hello_of(&mut pair.client, now);
        let mut hello = hello_of(&mut with.client, now);
        hello[27..59].copy_from_slice(&own_hello[27..59]);
        with.server.handle_datagram(&mut hello, now);
        let mut answer = Vec::new();
        with.server.poll_transmit(&mut answer, now).unwrap();
        pair.client.handle_datagram(&mut answer, now);
        let error = ProtocolError::UnsolicitedExtension(ExtensionType::CONNECTION_ID);
        assert_eq!(pair.client.poll_event(), Some(Event::Closed(error.into())));
    }
}
