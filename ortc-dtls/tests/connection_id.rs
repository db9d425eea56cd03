//! Connection ids: who writes which, and what that takes (RFC 9146).

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: a failed expectation is the report"
)]

mod ids;
mod pair;

use core::time::Duration;
use std::sync::Arc;

use ids::{VERSIONS, connected, own, pair_with};
use ortc_dtls::crypto::NamedGroup;
use ortc_dtls::{
    CloseReason, Config, ConnectionId, CookieGate, DropReason, Endpoint, Event, PeerVerification,
    ProtocolError, Role, SendError, Verdict, Version,
};
use pair::{DELAY, Pair, configs, hello_of, pair_by_role, provider};

const LIMIT: Duration = Duration::from_secs(20);

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
        let [client, server] = configs([&[version]; 2], &provider, |_, config| config);
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
    let groups = [NamedGroup::X25519, NamedGroup::SECP384R1];
    let mut pair = pair_by_role([&[Version::DTLS13]; 2], &provider, |role, config| {
        let config = config.groups(groups[role as usize..].to_vec()).unwrap();
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
            let with_narrow = |narrow: Role, lengths: [u8; 2]| {
                pair_by_role([&[version]; 2], &provider(), |role, config| {
                    let mtu = if role == narrow { 256 } else { 1200 };
                    let length = Some(lengths[role as usize]);
                    config.mtu(mtu).unwrap().connection_id_length(length)
                })
            };
            // The client's is too long for the server: there are none.
            let mut pair = with_narrow(Role::Server, [length, 8]);
            assert!(pair.connect());
            pair.assert_works();
            assert_eq!(pair.client.peer_connection_id().is_some(), fits);
            // The server's is too long for the client, which can only give up.
            let mut pair = with_narrow(Role::Client, [8, length]);
            assert_eq!(pair.connect(), fits);
            if !fits {
                let error = ProtocolError::NothingInCommon("connection id");
                let reason = CloseReason::Protocol(error);
                assert_eq!(pair.closed(Role::Client), Some(reason));
            }
        }
    }
}
