//! Connection ids: who writes which, and what is made of records with others (RFC 9146).

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod craft13;
mod pair;

use core::cell::Cell;
use core::time::Duration;
use std::sync::Arc;

use craft::Forger;
use craft13::Epoch;
use ortc_dtls::crypto::{NamedGroup, Provider};
use ortc_dtls::wire::{ContentType, ExtensionType, HandshakeType, ParseError};
use ortc_dtls::{
    CloseReason, Config, ConnectionId, CookieGate, DropReason, Endpoint, Event, PeerVerification,
    ProtocolError, Receipt, Role, SendError, Verdict, Version,
};
use pair::{DELAY, Pair, hello_of, pair_of, provider, verified};

const VERSIONS: [Version; 2] = [Version::DTLS12, Version::DTLS13];
const LIMIT: Duration = Duration::from_secs(20);

/// A pair whose sides want ids of these lengths.
fn pair_with(
    version: Version,
    lengths: [Option<u8>; 2],
    adapt: impl Fn(Config) -> Config,
) -> (Pair, Arc<dyn Provider>) {
    let provider = provider();
    let turn = Cell::new(0);
    let pair = pair_of([&[version]; 2], &provider, |config| {
        let length = lengths[turn.replace(turn.get() + 1)];
        adapt(config.key_log(true).connection_id_length(length))
    });
    (pair, provider)
}

fn connected(version: Version, lengths: [Option<u8>; 2]) -> (Pair, Arc<dyn Provider>) {
    let (mut pair, provider) = pair_with(version, lengths, |config| config);
    assert!(pair.connect());
    pair.settle();
    (pair, provider)
}

fn own(endpoint: &Endpoint) -> Vec<u8> {
    endpoint
        .connection_ids()
        .next()
        .map_or_else(Vec::new, |id| id.octets().to_vec())
}

/// The records of a datagram whose ids have so many octets: the first octet, the epoch as far as it
/// is there, and the id.
fn records(datagram: &[u8], id_len: usize) -> Vec<(u8, u8, Vec<u8>)> {
    let mut found = Vec::new();
    let mut rest = datagram;
    while let [first, ..] = *rest {
        let (epoch, id_at, header) = match first {
            0x2c..=0x2f => (first & 3, 1, 5),
            0x3c..=0x3f => (first & 3, 1, 5 + id_len),
            25 => (rest[4], 11, 13 + id_len),
            20..=26 => (rest[4], 11, 13),
            _ => panic!("no record: {rest:02x?}"),
        };
        let has_id = first == 25 || first & 0xf0 == 0x30;
        let id = &rest[id_at..id_at + if has_id { id_len } else { 0 }];
        let length = u16::from_be_bytes([rest[header - 2], rest[header - 1]]);
        found.push((first, epoch, id.to_vec()));
        rest = &rest[header + usize::from(length)..];
    }
    found
}

#[test]
fn each_side_writes_what_the_other_asked_for_in_whatever_is_protected() {
    for version in VERSIONS {
        for lengths in [
            [Some(8), Some(8)],
            [Some(1), Some(20)],
            [Some(0), Some(4)],
            [Some(255), Some(0)],
            [Some(0), Some(0)],
        ] {
            let (mut pair, _) = connected(version, lengths);
            pair.assert_works();
            let ids = [own(&pair.client), own(&pair.server)];
            for (id, length) in ids.iter().zip(lengths) {
                assert_eq!(id.len(), usize::from(length.unwrap()));
            }
            let peer = |endpoint: &Endpoint| endpoint.peer_connection_id().unwrap().clone();
            assert_eq!(peer(&pair.client).octets(), ids[1]);
            assert_eq!(peer(&pair.server).octets(), ids[0]);
            for (role, datagram) in &pair.sent {
                let expected = &ids[1 - *role as usize];
                for (first, epoch, id) in records(datagram, expected.len()) {
                    let expected = if epoch > 0 { &expected[..] } else { &[] };
                    assert_eq!(id, expected, "{version} {lengths:?} {first}");
                }
                if datagram[0] == 25 || datagram[0] & 0xf0 == 0x30 {
                    let found = ConnectionId::of_datagram(datagram, expected.len());
                    assert_eq!(found, Some(&expected[..]));
                }
            }
            // Nothing else is dropped: in DTLS 1.2 the epoch says what that message would.
            for endpoint in [&pair.client, &pair.server] {
                let stats = endpoint.stats();
                let other = stats.dropped(DropReason::ChangeCipherSpec);
                assert_eq!(stats.dropped_total(), other);
            }
        }
    }
}

#[test]
fn there_are_none_unless_both_sides_know_them() {
    for version in VERSIONS {
        for lengths in [[Some(8), None], [None, Some(8)], [None, None]] {
            let (mut pair, _) = connected(version, lengths);
            pair.assert_works();
            for endpoint in [&pair.client, &pair.server] {
                assert_eq!(endpoint.peer_connection_id(), None);
                assert_eq!(endpoint.connection_ids().count(), 0);
            }
            for (_, datagram) in &pair.sent {
                assert_eq!(ConnectionId::of_datagram(datagram, 8), None);
            }
        }
    }
}

#[test]
fn an_endpoint_can_be_given_its_id() {
    for version in VERSIONS {
        let provider = provider();
        let certificates = [(); 2].map(|()| ortc_dtls::Certificate::generate(&provider).unwrap());
        let configs = certificates.clone().map(|certificate| {
            Config::new(certificate, provider.clone())
                .versions(&[version])
                .unwrap()
        });
        let [client, server] = configs;
        let [client, server] = verified(client, server, [&certificates[0], &certificates[1]]);
        let mut pair = Pair::new(client.clone(), server.clone());
        let [of_client, of_server] =
            [&b"client"[..], b"server 7"].map(|id| ConnectionId::new(id).unwrap());
        let now = pair.now;
        let give = Endpoint::with_connection_id;
        pair.client = give(Arc::new(client), Role::Client, of_client.clone(), now);
        pair.server = give(Arc::new(server), Role::Server, of_server.clone(), now);
        assert!(pair.connect());
        pair.assert_works();
        assert_eq!(pair.client.peer_connection_id(), Some(&of_server));
        assert_eq!(pair.server.peer_connection_id(), Some(&of_client));
    }
    assert!(ConnectionId::new(&[1; 255]).is_some());
    assert_eq!(ConnectionId::new(&[1; 256]), None);
}

/// The gate asks for a cookie, in either version, and the client repeats its id.
#[test]
fn a_client_that_a_gate_let_in_meets_the_id_that_was_chosen_for_it() {
    for version in VERSIONS {
        for given in [None, ConnectionId::new(b"routed")] {
            let (mut pair, provider) = pair_with(version, [Some(4), Some(6)], |config| config);
            let certificate = ortc_dtls::Certificate::generate(&provider).unwrap();
            let server = Config::new(certificate, provider)
                .versions(&[version])
                .unwrap()
                .connection_id_length(Some(6));
            let server = Arc::new(server.verification(PeerVerification::TrustFirst));
            let mut gate = CookieGate::new(server.clone(), pair.now).unwrap();
            let now = pair.now;
            let client = Config::clone(&server).connection_id_length(Some(4));
            pair.client = Endpoint::new(Arc::new(client), Role::Client, now);
            let mut admitted = None;
            while admitted.is_none() {
                let hello = hello_of(&mut pair.client, now);
                let mut answer = Vec::new();
                match gate.admit(b"address", &hello, now, &mut answer) {
                    Verdict::Admit(admission) => admitted = Some(admission),
                    other @ (Verdict::Refuse(..) | Verdict::Wait | Verdict::Drop(_)) => {
                        panic!("{other:?}")
                    }
                    Verdict::Ask(_) => {
                        pair.client.handle_datagram(&mut answer, now);
                    }
                }
            }
            let admission = admitted.unwrap();
            let admission = match &given {
                Some(id) => admission.connection_id(id.clone()),
                None => admission,
            };
            pair.server = Endpoint::accept(server, admission, now);
            assert!(pair.connect(), "{version}");
            pair.assert_works();
            let own = pair.server.connection_ids().next().cloned().unwrap();
            assert_eq!(own.octets().len(), 6);
            assert!(given.is_none_or(|id| id == own));
            assert_eq!(pair.client.peer_connection_id(), Some(&own));
        }
    }
}

#[test]
fn a_hello_retry_request_keeps_the_id_and_a_second_hello_with_another_is_refused() {
    let adapt = |config: Config| config.cookie_exchange(true);
    let (mut pair, _) = pair_with(Version::DTLS13, [Some(8), Some(8)], adapt);
    let offered = own(&pair.client);
    assert!(pair.connect());
    pair.assert_works();
    assert_eq!(own(&pair.client), offered);

    let (mut pair, _) = pair_with(Version::DTLS13, [Some(8), Some(8)], adapt);
    let offered = own(&pair.client);
    let now = pair.now;
    let mut hello = hello_of(&mut pair.client, now);
    pair.server.handle_datagram(&mut hello, now);
    let mut request = Vec::new();
    pair.server.poll_transmit(&mut request, now).unwrap();
    pair.client.handle_datagram(&mut request, now);
    let mut second = hello_of(&mut pair.client, now);
    let at = second.windows(8).position(|window| window == offered);
    second[at.unwrap()] ^= 1;
    pair.server.handle_datagram(&mut second, now);
    let reason = CloseReason::Protocol(ProtocolError::SecondHello);
    assert_eq!(pair.server.poll_event(), Some(Event::Closed(reason)));
}

#[test]
fn a_group_that_must_be_asked_for_changes_nothing() {
    let provider = provider();
    let turn = Cell::new(0);
    let groups = [NamedGroup::X25519, NamedGroup::SECP384R1];
    let mut pair = pair_of([&[Version::DTLS13]; 2], &provider, |config| {
        let first = turn.replace(turn.get() + 1);
        let groups = if first == 0 {
            &groups[..]
        } else {
            &groups[1..]
        };
        let config = config.groups(groups.to_vec()).unwrap();
        config.connection_id_length(Some(3))
    });
    assert!(pair.connect());
    pair.assert_works();
    assert_eq!(pair.server.peer_connection_id().unwrap().octets().len(), 3);
}

#[test]
fn whatever_is_lost_or_late_the_handshake_completes_with_ids() {
    for version in VERSIONS {
        for mtu in [256, 576, 1200] {
            let adapt = |config: Config| config.mtu(mtu).unwrap();
            let lengths = [Some(100), Some(8)];
            let (mut clean, _) = pair_with(version, lengths, adapt);
            assert!(clean.connect());
            clean.settle();
            for bad in 0..clean.sent.len() {
                for late in [None, Some(DELAY * 3)] {
                    let (mut pair, _) = pair_with(version, lengths, adapt);
                    let path = |index, _, _: &[u8]| {
                        if index == bad {
                            Vec::from_iter(late)
                        } else {
                            vec![DELAY]
                        }
                    };
                    let done = pair.run(LIMIT, path, Pair::connected);
                    assert!(done, "{version}, {mtu}: {bad} is {late:?}");
                    pair.assert_works();
                    assert!(pair.sent.iter().all(|(_, contents)| contents.len() <= mtu));
                }
            }
        }
    }
}

#[test]
fn what_fits_a_datagram_shrinks_by_the_id() {
    for (version, extra) in [(Version::DTLS12, 1), (Version::DTLS13, 0)] {
        let max = |lengths| {
            let (mut pair, _) = connected(version, lengths);
            let now = pair.now;
            let Err(SendError::TooLarge { max }) = pair.client.send(&[0; 2000], now) else {
                panic!("2000 octets in a datagram");
            };
            pair.client.send(&vec![7; max], now).unwrap();
            let mut datagram = Vec::new();
            pair.client.poll_transmit(&mut datagram, now).unwrap();
            assert_eq!(datagram.len(), 1200);
            pair.server.handle_datagram(&mut datagram, now);
            let data = Event::ApplicationData(vec![7; max].into());
            assert_eq!(pair.server.poll_event(), Some(data));
            max
        };
        let without = max([None, None]);
        assert_eq!(max([Some(3), Some(0)]), without, "it is not ours to write");
        assert_eq!(max([None, Some(9)]), without);
        assert_eq!(max([Some(3), Some(9)]), without - 9 - extra);
    }
}

#[test]
fn an_id_that_leaves_no_room_is_not_answered_and_not_accepted() {
    for version in VERSIONS {
        for (length, fits) in [(154, true), (155, false), (255, false)] {
            let narrow = |narrow: usize| {
                let turn = Cell::new(0);
                move |config: Config| {
                    let mtu = if turn.replace(turn.get() + 1) == narrow {
                        256
                    } else {
                        1200
                    };
                    config.mtu(mtu).unwrap()
                }
            };
            // The client's is too long for the server: there are none.
            let (mut pair, _) = pair_with(version, [Some(length), Some(8)], narrow(1));
            assert!(pair.connect());
            pair.assert_works();
            assert_eq!(pair.client.peer_connection_id().is_some(), fits);
            // The server's is too long for the client, which can only give up.
            let (mut pair, _) = pair_with(version, [Some(8), Some(length)], narrow(0));
            assert_eq!(pair.connect(), fits);
            if !fits {
                let error = ProtocolError::NothingInCommon("connection id");
                let reason = CloseReason::Protocol(error);
                assert_eq!(pair.closed(Role::Client), Some(reason));
            }
        }
    }
}

/// The record layer of RFC 9146 as its text has it, written down a second time.
#[test]
fn records_of_dtls12_are_those_of_the_rfc() {
    let (mut pair, provider) = connected(Version::DTLS12, [Some(5), Some(8)]);
    let [client, server] =
        [Role::Client, Role::Server].map(|role| Forger::new(&provider, &pair, role));
    let [of_client, of_server] = [own(&pair.client), own(&pair.server)];
    let now = pair.now;
    pair.client.send(b"hello", now).unwrap();
    let mut datagram = Vec::new();
    pair.client.poll_transmit(&mut datagram, now).unwrap();
    let inner = client.open_with_id(&of_server, &datagram).unwrap();
    assert_eq!(inner, [&b"hello"[..], &[23]].concat());

    for padding in [0, 1, 100] {
        let inner = [&b"hello"[..], &[23], &vec![0; padding]].concat();
        let mut record = server.seal_with_id(&of_client, 500 + padding as u64, &inner);
        pair.client.handle_datagram(&mut record, now);
        let data = Event::ApplicationData(b"hello".to_vec().into());
        assert_eq!(pair.client.poll_event(), Some(data));
    }
}

#[test]
fn nothing_of_dtls12_counts_but_what_has_the_id() {
    let (mut pair, provider) = connected(Version::DTLS12, [Some(5), Some(8)]);
    let server = Forger::new(&provider, &pair, Role::Server);
    let id = own(&pair.client);
    let now = pair.now;
    let data = [&b"data"[..], &[23]].concat();
    let good = server.seal_with_id(&id, 100, &data);
    let mut other = id.clone();
    other[4] ^= 1;
    let mut dropped = |mut record: Vec<u8>| {
        let before = pair.client.stats();
        pair.client.handle_datagram(&mut record, now);
        assert_eq!(pair.client.poll_event(), None);
        let after = pair.client.stats();
        // A length that was changed leaves another piece behind.
        assert!(after.dropped_total() > before.dropped_total());
        move |reason| after.dropped(reason) - before.dropped(reason) == 1
    };
    for kind in [ContentType::APPLICATION_DATA, ContentType::ALERT] {
        let without = server.seal(kind, 101, &[1, 0]);
        assert!(dropped(without)(DropReason::ConnectionId));
    }
    let wrong = server.seal_with_id(&other, 102, &data);
    assert!(dropped(wrong)(DropReason::ConnectionId));
    // The id is authenticated: another one cannot be put over it.
    let mut replaced = server.seal_with_id(&other, 103, &data);
    replaced[11..16].copy_from_slice(&id);
    assert!(dropped(replaced)(DropReason::BadRecord));
    for epoch in [0, 2] {
        let mut record = good.clone();
        record[4] = epoch;
        assert!(dropped(record)(DropReason::Epoch));
    }
    for at in 0..good.len() {
        for bit in [1, 0x80] {
            let mut flipped = good.clone();
            flipped[at] ^= bit;
            let _ = dropped(flipped);
        }
    }
    for end in 1..good.len() {
        assert!(dropped(good[..end].to_vec())(DropReason::Malformed));
    }
    // No type at all, and the type of the envelope inside it.
    assert!(dropped(server.seal_with_id(&id, 104, &[0; 9]))(
        DropReason::ContentType
    ));
    assert!(dropped(server.seal_with_id(&id, 105, &[1, 25]))(
        DropReason::ContentType
    ));
    let long = vec![23; 16_385];
    assert!(dropped(server.seal_with_id(&id, 106, &long))(
        DropReason::RecordTooLong
    ));

    // What follows a record with another id in the datagram is read, and once.
    let both = [server.seal_with_id(&other, 107, &data), good.clone()].concat();
    pair.client.handle_datagram(&mut both.clone(), now);
    let data = Event::ApplicationData(b"data".to_vec().into());
    assert_eq!(pair.client.poll_event(), Some(data));
    pair.client.handle_datagram(&mut good.clone(), now);
    assert_eq!(pair.client.poll_event(), None);
    assert_eq!(pair.client.stats().dropped(DropReason::Replayed), 1);
    pair.assert_works();
}

#[test]
fn nothing_of_dtls13_counts_but_what_has_the_id() {
    let (mut pair, provider) = connected(Version::DTLS13, [Some(5), Some(8)]);
    let server = Epoch::of(&provider, &pair, Role::Server, 3);
    let id = own(&pair.client);
    let now = pair.now;
    let kind = ContentType::APPLICATION_DATA;
    let good = server.seal_with_id(&id, kind, 100, b"data");
    let mut other = id.clone();
    other[4] ^= 1;
    let mut dropped = |mut record: Vec<u8>| {
        let before = pair.client.stats();
        pair.client.handle_datagram(&mut record, now);
        assert_eq!(pair.client.poll_event(), None);
        let after = pair.client.stats();
        // A length that was changed leaves another piece behind.
        assert!(after.dropped_total() > before.dropped_total());
        move |reason| after.dropped(reason) - before.dropped(reason) == 1
    };
    for kind in [ContentType::APPLICATION_DATA, ContentType::ALERT] {
        let without = server.seal(kind, 101, &[1, 0]);
        assert!(dropped(without)(DropReason::ConnectionId));
    }
    let wrong = server.seal_with_id(&other, kind, 102, b"data");
    assert!(dropped(wrong)(DropReason::ConnectionId));
    let mut replaced = server.seal_with_id(&other, kind, 103, b"data");
    replaced[1..6].copy_from_slice(&id);
    assert!(dropped(replaced)(DropReason::BadRecord));
    for at in 0..good.len() {
        for bit in [1, 0x80] {
            let mut flipped = good.clone();
            flipped[at] ^= bit;
            let _ = dropped(flipped);
        }
    }
    for end in 1..good.len() {
        assert!(dropped(good[..end].to_vec())(DropReason::Malformed));
    }
    let wrong = server.seal_with_id(&other, kind, 104, b"data");
    let both = [wrong, server.seal(kind, 105, b"data"), good.clone()].concat();
    pair.client.handle_datagram(&mut both.clone(), now);
    let data = Event::ApplicationData(b"data".to_vec().into());
    assert_eq!(pair.client.poll_event(), Some(data));
    pair.client.handle_datagram(&mut good.clone(), now);
    assert_eq!(pair.client.poll_event(), None);
    assert_eq!(pair.client.stats().dropped(DropReason::Replayed), 1);
    pair.assert_works();
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

#[test]
fn the_ids_of_one_socket_are_found_by_their_length() {
    let dtls12 = [
        &[25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0][..],
        &[7; 8],
        &[0, 0],
    ]
    .concat();
    let dtls13 = [&[0x3d][..], &[7; 8], &[0, 0]].concat();
    for datagram in [&dtls12, &dtls13] {
        for length in [1, 8] {
            let found = ConnectionId::of_datagram(datagram, length);
            assert_eq!(found, Some(&[7; 8][..length]));
        }
        assert_eq!(ConnectionId::of_datagram(datagram, 0), None);
        assert_eq!(ConnectionId::of_datagram(datagram, 100), None);
    }
    for first in [0, 20, 22, 23, 26, 0x2c, 0x2f, 0x40, 0x80, 0xff] {
        assert_eq!(ConnectionId::of_datagram(&[first; 40], 8), None);
    }
    assert_eq!(ConnectionId::of_datagram(&[], 8), None);
    // A map from ids is asked without making one.
    let map = std::collections::BTreeMap::from([(ConnectionId::new(&[7; 8]).unwrap(), "it")]);
    let found = ConnectionId::of_datagram(&dtls13, 8).and_then(|id| map.get(id));
    assert_eq!(found, Some(&"it"));
    let kind = HandshakeType::NEW_CONNECTION_ID;
    assert_eq!(kind.to_string(), "new_connection_id");
}

/// What RFC 9146 §6 asks for before the address of a peer may change: each record counts once, and
/// one that was overtaken says nothing of where the peer is now.
#[test]
fn only_the_newest_authentic_record_says_where_the_peer_is() {
    for version in VERSIONS {
        for lengths in [[Some(8), Some(8)], [None, None]] {
            let (mut pair, _) = pair_with(version, lengths, |config| config);
            let now = pair.now;
            let mut hello = hello_of(&mut pair.client, now);
            assert_eq!(
                pair.server.handle_datagram(&mut hello, now),
                Receipt::Nothing
            );
            let (mut pair, _) = connected(version, lengths);
            let now = pair.now;
            let mut datagrams = Vec::new();
            for _ in 0..3 {
                pair.client.send(b"data", now).unwrap();
                let mut datagram = Vec::new();
                pair.client.poll_transmit(&mut datagram, now).unwrap();
                datagrams.push(datagram);
            }
            let mut receive = |datagram: &[u8]| {
                let mut copy = datagram.to_vec();
                pair.server.handle_datagram(&mut copy, now)
            };
            let [first, second, third] = &datagrams[..] else {
                panic!("three datagrams");
            };
            assert_eq!(receive(first), Receipt::Newest);
            assert_eq!(receive(first), Receipt::Nothing);
            assert_eq!(receive(third), Receipt::Newest);
            assert_eq!(receive(second), Receipt::Authentic);
            assert_eq!(receive(second), Receipt::Nothing);
            let mut forged = third.clone();
            *forged.last_mut().unwrap() ^= 1;
            assert_eq!(receive(&forged), Receipt::Nothing);
            assert_eq!(receive(&[22; 40]), Receipt::Nothing);
            let event = Event::ApplicationData(b"data".to_vec().into());
            let mut count = 0;
            while let Some(next) = pair.server.poll_event() {
                count += usize::from(next == event);
            }
            assert_eq!(count, 3, "what was overtaken is data all the same");
        }
    }
}
