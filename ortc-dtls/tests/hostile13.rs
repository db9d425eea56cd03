//! What strangers and hostile peers send in DTLS 1.3: noise has no effect, what breaks the protocol
//! closes, and nobody connects without the proofs.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod craft13;
mod pair;

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use craft::{message, record};
use craft13::{Epoch, split};
use ortc_dtls::crypto::Provider;
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::{ContentType, ExtensionType, HandshakeType, ParseError};
use ortc_dtls::{
    AlertDescription, CloseReason, DropReason, Endpoint, Event, ProtocolError, Role, Version,
};
use pair::{DELAY, Pair, hello_of, pair_of, pair13, provider};

const BOTH: &[Version] = &[Version::DTLS13, Version::DTLS12];
const LIMIT: Duration = Duration::from_secs(2);

fn ack(numbers: &[(u64, u64)]) -> Vec<u8> {
    let mut contents = u16::try_from(16 * numbers.len())
        .unwrap()
        .to_be_bytes()
        .to_vec();
    for (epoch, sequence) in numbers {
        contents.extend_from_slice(&epoch.to_be_bytes());
        contents.extend_from_slice(&sequence.to_be_bytes());
    }
    contents
}

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

/// What a machine in the middle that has the keys of the handshake does with the messages of a
/// flight.
fn rewrite(
    provider: &Arc<dyn Provider>,
    pair: &mut Pair,
    from: Role,
    change: impl Fn(&mut Vec<(HandshakeType, Vec<u8>)>),
) {
    let mut flight = Vec::new();
    let now = pair.now;
    while pair.side(from).poll_transmit(&mut flight, now).is_some() {}
    while let Some(event) = pair.side(from).poll_event() {
        pair.events[from as usize].push(event);
    }
    let epoch = Epoch::of(provider, pair, from, 2);
    let to = match from {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    };
    let (mut messages, mut first) = (Vec::new(), None);
    for datagram_record in split(&flight) {
        let Some(plain) = epoch.open(&datagram_record) else {
            // The ServerHello.
            pair.side(to)
                .handle_datagram(&mut datagram_record.clone(), now);
            continue;
        };
        assert_eq!(plain.kind, ContentType::HANDSHAKE);
        let mut rest = &plain.contents[..];
        while !rest.is_empty() {
            let (fragment, tail) = Fragment::split(rest).unwrap();
            assert_eq!(fragment.body.len(), fragment.length as usize);
            first.get_or_insert(fragment.message_seq);
            messages.push((fragment.kind, fragment.body.to_vec()));
            rest = tail;
        }
    }
    change(&mut messages);
    for (index, (kind, body)) in messages.iter().enumerate() {
        let seq = first.unwrap() + u16::try_from(index).unwrap();
        let contents = craft::handshake(*kind, seq, body);
        let sequence = 1000 + u64::try_from(index).unwrap();
        let mut record = epoch.seal(ContentType::HANDSHAKE, sequence, &contents);
        pair.side(to).handle_datagram(&mut record, now);
    }
}

/// A pair whose given side has its flight of the handshake epoch queued.
fn before_flight(provider: &Arc<dyn Provider>, from: Role) -> Pair {
    let mut pair = pair13(provider, |config| config.key_log(true));
    let now = pair.now;
    pair.server
        .handle_datagram(&mut hello_of(&mut pair.client, now), now);
    if from == Role::Client {
        rewrite(provider, &mut pair, Role::Server, |_| ());
    }
    pair
}

fn verdict(pair: &mut Pair, role: Role) -> Option<Event> {
    loop {
        match pair.side(role).poll_event() {
            Some(Event::KeyLog(_)) => {}
            other => return other,
        }
    }
}

#[test]
fn a_flight_goes_through_the_hands_of_a_test_unharmed() {
    let provider = provider();
    for from in [Role::Server, Role::Client] {
        let mut pair = before_flight(&provider, from);
        rewrite(&provider, &mut pair, from, |_| ());
        let to = if from == Role::Server {
            Role::Client
        } else {
            Role::Server
        };
        assert_eq!(verdict(&mut pair, to), Some(Event::Connected));
    }
}

#[test]
fn no_handshake_completes_without_each_of_its_messages() {
    let provider = provider();
    for (from, count) in [(Role::Server, 5), (Role::Client, 3)] {
        for without in 0..count {
            let mut pair = before_flight(&provider, from);
            rewrite(&provider, &mut pair, from, |messages| {
                assert_eq!(messages.len(), count);
                messages.remove(without);
            });
            let to = if from == Role::Server {
                Role::Client
            } else {
                Role::Server
            };
            let event = verdict(&mut pair, to);
            match event {
                // The last message alone is missing: it waits.
                None => assert_eq!(without, count - 1),
                Some(Event::Closed(CloseReason::Protocol(error))) => assert!(
                    matches!(
                        error,
                        ProtocolError::UnexpectedMessage(_) | ProtocolError::Signature
                    ),
                    "{error}"
                ),
                other => panic!("{other:?}"),
            }
            assert!(pair.side(to).srtp_keying().is_err());
        }
    }
}

#[test]
fn no_message_can_be_changed_repeated_or_put_elsewhere() {
    let provider = provider();
    for (from, count) in [(Role::Server, 5), (Role::Client, 3)] {
        let to = if from == Role::Server {
            Role::Client
        } else {
            Role::Server
        };
        for place in 0..count {
            for what in ["changed", "repeated", "swapped", "longer", "empty"] {
                let mut pair = before_flight(&provider, from);
                rewrite(&provider, &mut pair, from, |messages| match what {
                    "changed" => *messages[place].1.last_mut().unwrap() ^= 1,
                    "repeated" => messages.insert(place, messages[place].clone()),
                    "swapped" => messages.swap(place, (place + 1) % count),
                    "longer" => messages[place].1.push(0),
                    _ => messages[place].1.clear(),
                });
                let event = verdict(&mut pair, to);
                let connected_twice = what == "repeated" && place == count - 1;
                if connected_twice {
                    // The second Finished comes after the end and in the wrong epoch.
                    assert_eq!(event, Some(Event::Connected));
                    continue;
                }
                assert!(
                    matches!(event, Some(Event::Closed(CloseReason::Protocol(_)))),
                    "{from:?} {place} {what}: {event:?}"
                );
                assert!(pair.side(to).srtp_keying().is_err());
            }
        }
    }
}

/// What the peer makes of this message of a flight with another body.
fn refused(from: Role, place: usize, change: impl Fn(&mut Vec<u8>)) -> Option<ProtocolError> {
    let provider = provider();
    let mut pair = before_flight(&provider, from);
    rewrite(&provider, &mut pair, from, |messages| {
        change(&mut messages[place].1)
    });
    let to = if from == Role::Server {
        Role::Client
    } else {
        Role::Server
    };
    match verdict(&mut pair, to) {
        Some(Event::Closed(CloseReason::Protocol(error))) => Some(error),
        Some(_) | None => None,
    }
}

fn invalid(what: &'static str) -> Option<ProtocolError> {
    Some(ProtocolError::Malformed(ParseError::Invalid(what)))
}

#[test]
fn every_protected_message_is_held_to_its_definition() {
    let body = |octets: &'static [u8]| {
        move |body: &mut Vec<u8>| {
            body.clear();
            body.extend_from_slice(octets);
        }
    };
    // EncryptedExtensions: unknown, not for here, not chosen from what was offered.
    let extensions = |octets| refused(Role::Server, 0, body(octets));
    assert_eq!(
        extensions(&[0, 4, 0, 99, 0, 0]),
        Some(ProtocolError::UnsolicitedExtension(ExtensionType(99)))
    );
    assert_eq!(
        extensions(&[0, 4, 0, 16, 0, 0]),
        Some(ProtocolError::UnsolicitedExtension(ExtensionType::ALPN)),
        "no protocol was offered"
    );
    assert_eq!(
        extensions(&[0, 6, 0, 43, 0, 2, 0xfe, 0xfc]),
        Some(ProtocolError::MisplacedExtension(
            ExtensionType::SUPPORTED_VERSIONS
        ))
    );
    assert_eq!(
        extensions(&[0, 9, 0, 14, 0, 5, 0, 2, 0, 2, 0]),
        Some(ProtocolError::IllegalChoice("SRTP profile"))
    );
    assert_eq!(
        extensions(&[0, 6, 0, 28, 0, 2, 0, 63]),
        invalid("record_size_limit")
    );
    assert_eq!(
        extensions(&[0, 8, 0, 10, 0, 0, 0, 10, 0, 0]),
        Some(ProtocolError::Malformed(ParseError::Duplicate("extension")))
    );
    assert_eq!(
        extensions(&[0, 0, 0]),
        Some(ProtocolError::Malformed(ParseError::Trailing(
            "EncryptedExtensions"
        )))
    );
    // CertificateRequest: only after the handshake with a context, never without signatures.
    let request = |octets| refused(Role::Server, 1, body(octets));
    assert_eq!(
        request(&[0, 0, 0]),
        Some(ProtocolError::MissingExtension(
            ExtensionType::SIGNATURE_ALGORITHMS
        ))
    );
    assert_eq!(
        request(&[1, 7, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3]),
        invalid("certificate_request_context")
    );
    // What is not known is passed over: the Finished alone does not fit any more.
    assert_eq!(
        request(&[0, 0, 14, 0, 99, 0, 2, 1, 2, 0, 13, 0, 4, 0, 2, 4, 3]),
        Some(ProtocolError::Signature)
    );
    for from in [Role::Server, Role::Client] {
        // Certificate: a context, an extension that nobody asked for, an empty entry.
        let place = if from == Role::Server { 2 } else { 0 };
        assert_eq!(
            refused(from, place, body(&[1, 7, 0, 0, 0])),
            invalid("certificate_request_context")
        );
        let with_extension = |body: &mut Vec<u8>| {
            let end = body.len() - 2;
            body.truncate(end);
            body.extend_from_slice(&[0, 4, 0, 18, 0, 0]);
            let len = u32::try_from(body.len() - 4).unwrap().to_be_bytes();
            body[1..4].copy_from_slice(&len[1..]);
        };
        assert_eq!(
            refused(from, place, with_extension),
            Some(ProtocolError::UnsolicitedExtension(ExtensionType(18)))
        );
        let empty = body(&[0, 0, 0, 5, 0, 0, 0, 0, 0]);
        assert_eq!(refused(from, place, empty), invalid("certificate"));
        // CertificateVerify: another curve, PKCS #1 version 1.5, RSA, SHA-1.
        for scheme in [[5, 3], [4, 1], [8, 4], [2, 3], [8, 7]] {
            let other = move |body: &mut Vec<u8>| body[..2].copy_from_slice(&scheme);
            assert_eq!(
                refused(from, place + 1, other),
                Some(ProtocolError::IllegalChoice("signature algorithm"))
            );
        }
        let same = |body: &mut Vec<u8>| body[..2].copy_from_slice(&[4, 3]);
        assert_eq!(refused(from, place + 1, same), None);
    }
    // A server shows a certificate (RFC 8446 §4.4.2.4).
    assert_eq!(
        refused(Role::Server, 2, body(&[0, 0, 0, 0])),
        Some(ProtocolError::Malformed(ParseError::Truncated(
            "certificate_list"
        )))
    );
}

#[test]
fn a_client_without_certificate_is_refused_by_the_alert_that_is_made_for_it() {
    let provider = provider();
    let mut pair = before_flight(&provider, Role::Client);
    rewrite(&provider, &mut pair, Role::Client, |messages| {
        messages[0].1 = vec![0, 0, 0, 0];
        messages.remove(1);
    });
    let error = ProtocolError::CertificateRequired;
    let reason = CloseReason::Protocol(error);
    assert_eq!(
        verdict(&mut pair, Role::Server),
        Some(Event::Closed(reason))
    );
    assert_eq!(error.alert(), AlertDescription::CERTIFICATE_REQUIRED);
}

/// Whatever octet of whatever datagram is changed on the way: both connect with the same keys, or
/// somebody notices.
#[test]
fn no_flipped_octet_goes_unnoticed() {
    let provider = provider();
    let mut clean = pair_of([BOTH; 2], &provider, |config| config);
    assert!(clean.connect());
    clean.settle();
    let lengths: Vec<usize> = clean
        .sent
        .iter()
        .map(|(_, contents)| contents.len())
        .collect();
    let (mut repaired, mut refused) = (0, 0);
    for (index, &len) in lengths.iter().enumerate() {
        for at in 0..len {
            let mut pair = pair_of([BOTH; 2], &provider, |config| config);
            let end = pair.now + Duration::from_millis(600);
            while !pair.connected() && pair.now < end {
                let before = pair.sent.len();
                pair.transmit(&mut |_, _, _| vec![DELAY]);
                for flying in &mut pair.flying {
                    if before <= index && index < pair.sent.len() && flying.contents.len() > at {
                        flying.contents[at] ^= 1 << (at % 8);
                    }
                }
                let step = pair.now + DELAY;
                pair.now = step;
                for mut flying in core::mem::take(&mut pair.flying) {
                    pair.side(flying.to)
                        .handle_datagram(&mut flying.contents, step);
                }
                pair.client.handle_timeout(step);
                pair.server.handle_timeout(step);
            }
            if pair.connected() {
                assert_eq!(
                    pair.client.version(),
                    Some(Version::DTLS13),
                    "no downgrade: datagram {index}, octet {at}"
                );
                pair.assert_works();
                repaired += 1;
            } else {
                refused += 1;
                let half = [&pair.client, &pair.server].map(|side| side.srtp_keying().is_ok());
                assert_ne!(half, [true, true], "datagram {index}, octet {at}");
            }
        }
    }
    // What is protected is repaired by repetition; only the hellos can be spoilt.
    assert!(
        repaired > 1000 && (100..400).contains(&refused),
        "{repaired} {refused}"
    );
}

#[test]
fn a_flood_of_any_kind_leaves_bounded_memory() {
    let provider = provider();
    let mut clean = pair_of([BOTH; 2], &provider, |config| config);
    assert!(clean.connect());
    clean.settle();
    for connected in [false, true] {
        let mut fresh;
        let pair = if connected {
            &mut clean
        } else {
            fresh = pair_of([BOTH; 2], &provider, |config| config);
            &mut fresh
        };
        let now = pair.now;
        let mut high_water = 0;
        for round in 0..20_000_u32 {
            let salt = round.to_be_bytes();
            let number = u16::from_be_bytes([salt[2], salt[3]]);
            let mut out = Vec::new();
            let fragment = Fragment {
                kind: HandshakeType::CERTIFICATE,
                length: 16_000,
                message_seq: number % 12,
                offset: round % 16_000,
                body: &[1],
            };
            fragment.encode(&mut out);
            let mut cipher = vec![0x2e | (salt[3] & 1), salt[2], salt[3], 0, 100];
            cipher.resize(105, salt[3]);
            let floods = [
                record(ContentType::HANDSHAKE, 0, u64::from(round), &out),
                record(ContentType::HANDSHAKE, 1, u64::from(round), &[salt[3]; 90]),
                record(
                    ContentType::ACK,
                    0,
                    round.into(),
                    &ack(&[(0, round.into()); 50]),
                ),
                cipher,
            ];
            for mut contents in floods {
                pair.server.handle_datagram(&mut contents.clone(), now);
                pair.client.handle_datagram(&mut contents, now);
            }
            let held = pair.server.held_octets().max(pair.client.held_octets());
            high_water = high_water.max(held);
        }
        assert!(high_water <= 16 * 1024 + 8 * 128, "{high_water}");
        assert_eq!(connected, high_water == 0);
        assert_eq!(pair.server.poll_event(), None);
        assert_eq!(pair.client.poll_event(), None);
    }
    clean.assert_works();
    assert!(clean.client.stats().dropped(DropReason::BadRecord) > 0);
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
