//! What strangers send in DTLS 1.3: noise has no effect, and nothing grows.

mod craft;
mod craft13;
mod pair;

use core::time::Duration;
use std::collections::BTreeSet;

use craft::{ack, message, record};
use craft13::Epoch;
use ortc_dtls::wire::{ContentType, HandshakeType};
use ortc_dtls::{DropReason, Endpoint, Role, Version};
use pair::{DELAY, Pair, hello_of, pair_of, pair13, provider};

const BOTH: &[Version] = &[Version::DTLS13, Version::DTLS12];
const LIMIT: Duration = Duration::from_secs(2);

/// Datagrams that anyone can make and that must not matter to anyone at any time.
fn noise() -> Vec<Vec<u8>> {
    let ciphertext = |first: u8, len: u8| {
        let mut out = vec![first, 0, 1, 0, len];
        out.resize(5 + usize::from(len), 0xaa);
        out
    };
    let mut noise = vec![
        vec![],
        vec![0x2e],
        vec![0x20; 9],
        vec![0x3f; 60],
        vec![26; 13],
        record(ContentType::ACK, 0, 0, &[]),
        record(ContentType::ACK, 0, 0, &ack(&[])),
        record(ContentType::ACK, 0, 0, &ack(&[(2, 0), (3, 0), (9, 9)])),
        record(ContentType::ACK, 0, 0, &[0, 5, 1]),
        record(ContentType::ACK, 1, 0, &ack(&[(0, 0)])),
        record(ContentType::ALERT, 0, 2, &[2, 40]),
        record(ContentType::ALERT, 0, 2, &[1, 0]),
        record(ContentType::CHANGE_CIPHER_SPEC, 0, 1, &[1]),
        record(ContentType::APPLICATION_DATA, 0, 3, b"plaintext"),
        record(ContentType::APPLICATION_DATA, 3, 0, &[0; 40]),
        record(ContentType::HANDSHAKE, 2, 0, &[0; 40]),
        record(ContentType::HANDSHAKE, 0, 0, &[]),
        message(HandshakeType::HELLO_REQUEST, 0, &[]),
        message(HandshakeType::ENCRYPTED_EXTENSIONS, 1, &[0, 0]),
        message(HandshakeType::KEY_UPDATE, 6, &[0]),
        message(HandshakeType::NEW_SESSION_TICKET, 6, &[0; 40]),
        message(HandshakeType::CERTIFICATE, 60_000, &[0; 8]),
    ];
    for first in 0x20..0x40 {
        noise.push(ciphertext(first, 40));
        noise.push(ciphertext(first, 3));
    }
    noise
}

#[test]
fn noise_at_every_step_changes_nothing() {
    let provider = provider();
    for to in [Role::Client, Role::Server] {
        let mut pair = pair_of([BOTH; 2], &provider, |config| config);
        loop {
            for mut contents in noise() {
                let now = pair.now;
                pair.side(to).handle_datagram(&mut contents, now);
            }
            if to == Role::Client {
                let now = pair.now;
                let mut other = pair_of([BOTH; 2], &provider, |config| config);
                pair.client
                    .handle_datagram(&mut hello_of(&mut other.client, now), now);
            }
            if pair.connected() {
                break;
            }
            assert!(pair.elapsed() < LIMIT);
            let pause = Duration::from_millis(5);
            pair.run(pause, |_, _, _| vec![DELAY], |_| false);
        }
        assert_eq!(pair.elapsed(), 3 * DELAY, "{to:?}");
        let stats = pair.side(to).stats();
        assert!(stats.dropped_total() > 10 * 30, "{stats:?}");
        pair.settle();
        pair.assert_works();
        let closed = pair.closed(Role::Client).or(pair.closed(Role::Server));
        assert_eq!(closed, None);
    }
}

/// Anyone can claim that our hello came. It is repeated all the same.
#[test]
fn a_forged_acknowledgement_of_the_hello_does_not_silence_the_client() {
    let provider = provider();
    let mut pair = pair_of([BOTH; 2], &provider, |config| config);
    let now = pair.now;
    hello_of(&mut pair.client, now);
    let mut forged = record(ContentType::ACK, 0, 0, &ack(&[(0, 0)]));
    pair.client.handle_datagram(&mut forged, now);
    let mut out = Vec::new();
    assert_eq!(pair.client.poll_transmit(&mut out, now), None);
    let at = pair.client.poll_timeout().unwrap();
    assert_eq!(at, now + Duration::from_millis(50));
    pair.client.handle_timeout(at);
    assert!(pair.client.poll_transmit(&mut out, at).is_some());
}

/// Only protected records can say that protected records came.
#[test]
fn a_forged_acknowledgement_of_protected_records_has_no_effect() {
    let provider = provider();
    let mut pair = pair13(&provider, |config| config.mtu(256).unwrap());
    let now = pair.now;
    pair.server
        .handle_datagram(&mut hello_of(&mut pair.client, now), now);
    let mut out = Vec::new();
    while pair.server.poll_transmit(&mut out, now).is_some() {}
    let numbers: Vec<(u64, u64)> = (0..40).map(|sequence| (2, sequence)).collect();
    let mut forged = record(ContentType::ACK, 0, 0, &ack(&numbers));
    pair.server.handle_datagram(&mut forged, now);
    assert_eq!(pair.server.stats().dropped(DropReason::Ack), 1);
    let later = now + Duration::from_millis(50);
    pair.server.handle_timeout(later);
    let mut again = Vec::new();
    while pair.server.poll_transmit(&mut again, later).is_some() {}
    assert_eq!(again.len(), out.len(), "all of it");
}

#[test]
fn forged_acknowledgements_do_not_make_a_server_an_amplifier() {
    let provider = provider();
    let mut pair = pair13(&provider, |config| config.mtu(256).unwrap());
    let now = pair.now;
    pair.server
        .handle_datagram(&mut hello_of(&mut pair.client, now), now);
    let mut out = Vec::new();
    while pair.server.poll_transmit(&mut out, now).is_some() {}
    let before = pair.server.stats().datagrams_sent;
    for sequence in 0..1000 {
        for numbers in [&[][..], &[(0, sequence)], &[(2, sequence)]] {
            let mut forged = record(ContentType::ACK, 0, sequence, &ack(numbers));
            pair.server.handle_datagram(&mut forged, now);
            while pair.server.poll_transmit(&mut out, now).is_some() {}
        }
    }
    let more = pair.server.stats().datagrams_sent - before;
    assert!(more <= before * 6, "{more} after {before}");
}

#[test]
fn no_number_is_used_twice_under_one_key() {
    let provider = provider();
    let mut pair = pair13(&provider, |config| config.mtu(256).unwrap().key_log(true));
    let mut lost = 0;
    let path = |index: usize, _, _: &[u8]| {
        let lose = index % 3 == 1 && lost < 12;
        lost += usize::from(lose);
        if lose { vec![] } else { vec![DELAY] }
    };
    assert!(pair.run(Duration::from_secs(60), path, Pair::connected));
    for _ in 0..20 {
        pair.assert_works();
    }
    let now = pair.now;
    pair.client.close(now);
    pair.settle();
    let mut total = 0;
    for role in [Role::Client, Role::Server] {
        for number in [2, 3] {
            let epoch = Epoch::of(&provider, &pair, role, number);
            let mut ledger = BTreeSet::new();
            for (from, datagram) in &pair.sent {
                if *from == role {
                    for record in epoch.open_all(datagram) {
                        assert!(ledger.insert(record.sequence), "{role:?} {number}");
                    }
                }
            }
            total += ledger.len();
        }
    }
    assert!(total > 50, "{total}");
}

/// Datagrams of a finished handshake to everyone, in the wrong order.
#[test]
fn what_was_sent_before_changes_nothing_later() {
    let provider = provider();
    let mut pair = pair13(&provider, |config| config.mtu(256).unwrap());
    assert!(pair.connect());
    pair.settle();
    for (_, contents) in pair.sent.clone().into_iter().rev() {
        let now = pair.now;
        pair.client.handle_datagram(&mut contents.clone(), now);
        pair.server.handle_datagram(&mut contents.clone(), now);
    }
    assert_eq!(pair.client.poll_timeout(), None);
    assert_eq!(
        pair.server.poll_timeout(),
        None,
        "replays are not acknowledged"
    );
    pair.assert_works();
}

/// Endpoints of both versions take part in what was a flood: no panic, no half connection.
#[test]
fn a_server_of_one_version_survives_a_client_of_another() {
    let provider = provider();
    for (client, server) in [
        (Version::DTLS12, Version::DTLS13),
        (Version::DTLS13, Version::DTLS12),
    ] {
        let mut one = pair_of([&[client], &[client]], &provider, |config| config);
        let mut other = pair_of([&[server], &[server]], &provider, |config| config);
        assert!(one.connect() && other.connect());
        for (_, contents) in &one.sent {
            let now = other.now;
            let mut fresh = pair_of([&[server], &[server]], &provider, |config| config);
            for side in [&mut fresh.server, &mut fresh.client, &mut other.server] {
                side.handle_datagram(&mut contents.clone(), now);
            }
        }
        other.assert_works();
        let stranger: &Endpoint = &one.server;
        assert!(stranger.srtp_keying().is_ok());
    }
}
