//! Records with connection ids: those of the RFC, those of another implementation, how they are
//! found and what they prove.

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod craft13;
mod ids;
mod pair;

use craft::Forger;
use craft13::Epoch;
use ids::{VERSIONS, connected, own, pair_with};
use ortc_dtls::wire::ContentType;
use ortc_dtls::{ConnectionId, Event, Receipt, Role, Version};
use pair::{hello_of, providers};

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// Records that wolfSSL 5.9.4 made, with the keys of its connections to this crate: the RFCs have no
/// such vectors.
#[test]
fn dtls12_with_aes_128_gcm() {
    let client_random = hex("2f615c25ac0be0f5b4d984ee2a6e1ea13ae69c453f23194a4cb326e75758c2b8");
    let server_random = hex("4a79f7dd2642cb764d89c773207977ddfe9d99855668bc62f0a5b7524bdf1c8c");
    let master = hex(concat!(
        "4d264c10652fc5855203749c94705163445f00f243a1b7da",
        "e689b27d01f762eb5e1137c773430449ee6ca20d42eb92c2",
    ));
    let id = hex("28c07d3d76e4b676");
    // The epoch's first record is the Finished.
    for (number, record) in [
        "19fefd000100000000000128c07d3d76e4b6760020814057009d25c7f7314439832c1460d97e8132bf93f343f9940aa0017a7c21f8",
        "19fefd000100000000000228c07d3d76e4b6760020814057009d25c7f8c25b8ab3c374953a67f49dd14e9ba3cd5fe8aa0470321e75",
        "19fefd000100000000000328c07d3d76e4b6760020814057009d25c7f914e1b164a4963555637706c69828c5ba1d062d6fb0d5fe50",
    ]
    .into_iter()
    .enumerate()
    {
        for provider in providers() {
            let randoms = [&client_random[..], &server_random];
            let server = Forger::from_secrets(&provider, &master, randoms, Role::Server);
            let inner = server.open_with_id(&id, &hex(record)).unwrap();
            let expected = [format!("hello {number}").as_bytes(), &[23]].concat();
            assert_eq!(inner, expected);
        }
    }
}

/// As above.
#[test]
fn dtls13_with_aes_128_gcm() {
    let secret = hex("f61046747da8a152769d18e97f3abe290e76565c73b5eb9c9d027461c0f860db");
    let id = hex("8b1a37d10bec8bc5");
    for (number, record) in [
        "3f8b1a37d10bec8bc546d80018d99da4d14d8d48efae4d01727e5a03f4d6ae2df20c58ef44",
        "3f8b1a37d10bec8bc58f9a0018a5c10913775d36a53b57a8e947653d68c6fd800410817bd1",
        "3f8b1a37d10bec8bc558790018a80198a17f7cf8a2f5c528c31c01aee7eeae0f3c57e6108d",
    ]
    .into_iter()
    .enumerate()
    {
        for provider in providers() {
            let server = Epoch::new(&provider, &secret, 3);
            let plain = server.open_with_id(&id, &hex(record)).unwrap();
            assert_eq!(plain.kind, ContentType::APPLICATION_DATA);
            assert_eq!(plain.contents, format!("hello {number}").as_bytes());
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
