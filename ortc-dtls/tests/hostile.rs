//! What strangers and hostile peers send: noise has no effect, and what breaks the protocol closes.
//!
//! Where each kind of hostility is tested; files without "13" are for DTLS 1.2 or both versions.
//!
//! | what comes | tests |
//! |---|---|
//! | junk, records out of place, alerts, ChangeCipherSpec, HelloRequest, plaintext data | `noise_at_every_step_changes_nothing` here and in `hostile13.rs` |
//! | the same, hellos, requests for cookies and shares, ACKs, at every step in both roles, each counted | `injection.rs` |
//! | the same and repetitions, parts and reflections of what was sent, on a lossy path, with and without a carrier | `storm.rs` |
//! | acknowledgements in plaintext of what never arrived | `forged_ack.rs` |
//! | a second ClientHello, with and without a gate or a cookie | `injection.rs`, `restart.rs`, `gate.rs`, `verify_request.rs` |
//! | a complete message in its turn that breaks the protocol, and its alert | `hello.rs`, `hello13.rs`, `retry13.rs`, `flights13.rs`, `an_unexpected_message_in_sequence_closes` |
//! | authenticated records that break the protocol | `only_authenticated_alerts_close`, `key_update.rs` |
//! | ChangeCipherSpec out of order | `injection.rs`, `noise_at_every_step_changes_nothing` |
//! | epoch confusion, other types and headers, plaintext after keys, renegotiation, flights of two versions | `epochs.rs`, `renegotiation.rs`, `a_server_stays_with_the_version_and_the_suite_with_which_it_asked` in `retry13.rs` |
//! | duplicate, overlong and long extensions | `extensions.rs`, `every_protected_message_is_held_to_its_definition` in `flights13.rs` |
//! | points beside their curve, at infinity, of low order | `bad_shares.rs`, `exchange.rs` |
//! | tampered transcripts | `flipped.rs`, `flights13.rs` |
//! | a missing, repeated or moved message | `no_handshake_completes_without_each_of_its_messages` here and in `flights13.rs` |
//! | replayed and very old records | `reorder.rs`, `epochs.rs`, `what_was_sent_before_changes_nothing_later` in `hostile13.rs` |
//! | fragments that lie about their length, overlap, are empty, come before the peer's | `pieces.rs`, `fragmentation.rs`; authenticated ones: `authentic_fragments.rs` |
//! | a million fragments or junk records, before, amid and after a handshake | `floods.rs` |
//! | records and extensions with connection ids | `connection_id_hostile.rs` |
//! | amplification | `repeated_hellos_do_not_make_a_server_an_amplifier`, `forged_acknowledgements_do_not_make_a_server_an_amplifier` in `hostile13.rs`, `a_server_that_asked_for_a_cookie_is_no_amplifier` in `forged_ack.rs`, `gate.rs` |
//! | a number used twice under one key | `every_nonce_is_epoch_and_sequence_and_is_used_once`, `no_number_is_used_twice_under_one_key` in `hostile13.rs` |
//! | secrets in what is printed | `debug_output_shows_no_secret` in `handshake.rs`, `an_endpoint_prints_no_secrets` in `key_update.rs` |
//!
//! What is left to somebody who can send in plaintext over the path: to be the first with a whole
//! message whose turn it is, or with other octets of one that comes in several fragments; and in
//! DTLS 1.2, where most of the handshake is plaintext, to be the first with a whole message that
//! waits for its turn. A handshake that he spoils ends, or is repeated in vain until it times out.
//! Whoever can do that can forge the ServerHello as well, which nothing but its place protects.

mod craft;
mod pair;

use core::time::Duration;
use std::collections::BTreeSet;

use craft::{Forger, handshake, message, record, records};
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::{ContentType, HandshakeType};
use ortc_dtls::{
    AlertDescription, CloseReason, Config, DropReason, Endpoint, Event, ProtocolError, Role,
};
use pair::{DELAY, Pair, config, hello_of, pair, provider};

const LIMIT: Duration = Duration::from_secs(2);

/// Datagrams that anyone can make and that must not matter to anyone at any time.
fn noise() -> Vec<Vec<u8>> {
    let fragment = |kind, length, message_seq, offset, body| {
        let fragment = Fragment {
            kind,
            length,
            message_seq,
            offset,
            body,
        };
        craft::fragment(9, &fragment)
    };
    let mut noise = vec![
        vec![],
        vec![22],
        vec![22; 13],
        vec![0xff; 200],
        b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\xff\xff".to_vec(),
        record(ContentType::HANDSHAKE, 0, 0, &[]),
        record(ContentType::HANDSHAKE, 0, 0, &[1; 5]),
        record(ContentType::CHANGE_CIPHER_SPEC, 0, 1, &[1]),
        record(ContentType::CHANGE_CIPHER_SPEC, 1, 1, &[1]),
        record(ContentType::ALERT, 0, 2, &[2, 40]),
        record(ContentType::ALERT, 0, 2, &[1, 0]),
        record(ContentType::ALERT, 0, 2, &[]),
        record(ContentType::ALERT, 1, (1 << 48) - 1, &[0; 26]),
        record(ContentType::APPLICATION_DATA, 0, 3, b"plaintext"),
        record(ContentType::HANDSHAKE, 1, (1 << 48) - 1, &[0; 48]),
        record(ContentType::HANDSHAKE, 1, 0, &[]),
        record(ContentType::APPLICATION_DATA, 2, 0, &[0; 40]),
        record(ContentType(99), 0, 0, &[0; 40]),
        message(HandshakeType::HELLO_REQUEST, 0, &[]),
        message(HandshakeType::HELLO_REQUEST, 1, &[]),
        // Unknown, and far ahead.
        message(HandshakeType(99), 0, &[0; 8]),
        message(HandshakeType::CERTIFICATE, 60_000, &[0; 8]),
        // Longer than any limit, past its own end, empty though the message is not.
        fragment(HandshakeType::CERTIFICATE, 0xff_ffff, 1, 0, &[0; 20]),
        fragment(HandshakeType::CERTIFICATE, 10, 1, 5, &[0; 20]),
        fragment(HandshakeType::CERTIFICATE, 10, 1, 0xff_ffff, &[0; 1]),
        fragment(HandshakeType::CERTIFICATE, 10, 1, 0, &[]),
    ];
    // The Finished of both sides in plaintext, at every number that it could have.
    for message_seq in 5..8 {
        noise.push(fragment(
            HandshakeType::FINISHED,
            12,
            message_seq,
            0,
            &[0; 6],
        ));
    }
    noise
}

#[test]
fn noise_at_every_step_changes_nothing() {
    let provider = provider();
    for to in [Role::Client, Role::Server] {
        let mut pair = pair(&provider, |config| config);
        loop {
            for mut contents in noise() {
                let now = pair.now;
                pair.side(to).handle_datagram(&mut contents, now);
            }
            // A ClientHello to a client: both sides began, and it stays one.
            if to == Role::Client {
                let now = pair.now;
                let other = config(&provider);
                let mut other = Endpoint::new(other.into(), Role::Client, now);
                pair.client
                    .handle_datagram(&mut hello_of(&mut other, now), now);
            }
            if pair.connected() {
                break;
            }
            assert!(pair.elapsed() < LIMIT);
            let pause = Duration::from_millis(5);
            pair.run(pause, |_, _, _| vec![DELAY], |_| false);
        }
        assert_eq!(pair.elapsed(), 4 * DELAY);
        let dropped = pair.side(to).stats().dropped_total();
        assert!(dropped > 20 * 20, "{dropped}");
        pair.assert_works();
        assert_eq!(
            pair.closed(Role::Client).or(pair.closed(Role::Server)),
            None
        );
    }
}

#[test]
fn no_handshake_completes_without_each_of_its_messages() {
    let provider = provider();
    for withheld in [
        HandshakeType::SERVER_HELLO,
        HandshakeType::CERTIFICATE,
        HandshakeType::SERVER_KEY_EXCHANGE,
        HandshakeType::SERVER_HELLO_DONE,
        HandshakeType::CLIENT_KEY_EXCHANGE,
        HandshakeType::CERTIFICATE_VERIFY,
    ] {
        let mut pair = pair(&provider, |config| config);
        for _ in 0..200 {
            // Every record but those that carry the message.
            let now = pair.now;
            for role in [Role::Client, Role::Server] {
                let mut contents = Vec::new();
                while pair.side(role).poll_transmit(&mut contents, now).is_some() {}
                for (header, contents) in records(&contents) {
                    if header.epoch == 0 && contents[0] == withheld.0 {
                        continue;
                    }
                    let to = if role == Role::Client {
                        Role::Server
                    } else {
                        Role::Client
                    };
                    let mut one = record(
                        header.content_type,
                        header.epoch,
                        header.sequence,
                        &contents,
                    );
                    pair.side(to).handle_datagram(&mut one, now);
                }
            }
            pair.now += Duration::from_millis(50);
            let now = pair.now;
            pair.client.handle_timeout(now);
            pair.server.handle_timeout(now);
        }
        assert_eq!(pair.client.poll_event(), None, "{withheld}");
        assert_eq!(pair.server.poll_event(), None, "{withheld}");
        assert!(pair.client.srtp_keying().is_err());
        assert!(pair.server.srtp_keying().is_err());
    }
}

/// A flood of old hellos leads to at most one flight per first interval of the timer.
#[test]
fn repeated_hellos_do_not_make_a_server_an_amplifier() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config);
    let hello = hello_of(&mut pair.client, pair.now);
    for _ in 0..1000 {
        let now = pair.now;
        pair.server.handle_datagram(&mut hello.clone(), now);
        let mut contents = Vec::new();
        while pair.server.poll_transmit(&mut contents, now).is_some() {}
        pair.now += Duration::from_millis(1);
        let now = pair.now;
        pair.server.handle_timeout(now);
    }
    let flights = pair.server.stats().retransmissions;
    assert!(flights <= 19, "{flights} in one second");
}

#[test]
fn every_nonce_is_epoch_and_sequence_and_is_used_once() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config.mtu(256).unwrap());
    let mut lost = 0;
    let path = |index: usize, _, _: &[u8]| {
        let lose = index % 3 == 1 && lost < 12;
        lost += usize::from(lose);
        if lose { vec![] } else { vec![DELAY] }
    };
    assert!(pair.run(Duration::from_secs(60), path, |pair| pair.connected()));
    for _ in 0..50 {
        pair.assert_works();
    }
    let now = pair.now;
    pair.client.close(now);
    pair.settle();
    let mut ledger = BTreeSet::new();
    for (role, datagram) in &pair.sent {
        for (header, contents) in records(datagram) {
            if header.epoch == 1 {
                assert_eq!(contents[..8], header.number().to_be_bytes());
                assert!(ledger.insert((*role as usize, header.number())));
            } else {
                assert_eq!(header.epoch, 0);
            }
        }
    }
    assert!(ledger.len() > 100);
}

/// Authenticated records of a peer that misbehaves after the handshake.
#[test]
fn only_authenticated_alerts_close() {
    let provider = provider();
    let connected = || {
        let mut pair = pair(&provider, |config| config.key_log(true));
        assert!(pair.connect());
        let forger = Forger::new(&provider, &pair, Role::Server);
        (pair, forger)
    };

    let (mut pair, forger) = connected();
    let now = pair.now;
    let hello = handshake(HandshakeType::SERVER_HELLO, 8, &[0; 50]);
    for (sequence, (kind, contents)) in [
        (ContentType::HANDSHAKE, hello.as_slice()),
        (ContentType::ALERT, &[1, 100]),
        (ContentType::ALERT, &[3, 0]),
        (ContentType::ALERT, &[2]),
        (ContentType::CHANGE_CIPHER_SPEC, &[1]),
        (ContentType(99), &[1]),
    ]
    .into_iter()
    .enumerate()
    {
        let sequence = 100 + u64::try_from(sequence).unwrap();
        let mut contents = forger.seal(kind, sequence, contents);
        pair.client.handle_datagram(&mut contents, now);
        assert_eq!(pair.client.poll_event(), None);
    }
    let stats = pair.client.stats();
    assert_eq!(
        stats.dropped(DropReason::BadRecord),
        0,
        "the forger has the keys"
    );
    assert_eq!(stats.dropped(DropReason::Renegotiation), 1);
    assert_eq!(stats.dropped(DropReason::Warning), 3);
    assert_eq!(pair.client.poll_timeout(), None, "nothing is answered");

    let mut fatal = forger.seal(ContentType::ALERT, 200, &[2, 80]);
    pair.client.handle_datagram(&mut fatal, now);
    let reason = CloseReason::PeerAlert(AlertDescription::INTERNAL_ERROR);
    assert_eq!(pair.client.poll_event(), Some(Event::Closed(reason)));

    let (mut pair, forger) = connected();
    let now = pair.now;
    let mut last = forger.seal(ContentType::ALERT, (1 << 48) - 1, &[1, 0]);
    pair.client.handle_datagram(&mut last, now);
    assert_eq!(
        pair.client.poll_event(),
        Some(Event::Closed(CloseReason::PeerClosed))
    );
}

#[test]
fn a_client_without_certificate_is_refused() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config);
    let now = pair.now;
    let mut hello = hello_of(&mut pair.client, now);
    pair.server.handle_datagram(&mut hello, now);
    pair.server
        .handle_datagram(&mut message(HandshakeType::CERTIFICATE, 1, &[0, 0, 0]), now);
    let reason = CloseReason::Protocol(ProtocolError::NoCertificate);
    assert_eq!(pair.server.poll_event(), Some(Event::Closed(reason)));
}

#[test]
fn a_wrong_public_value_is_refused() {
    let provider = provider();
    let certificate = {
        let mut clean = pair(&provider, |config| config);
        assert!(clean.connect());
        clean.server.peer_certificate_der().unwrap().to_vec()
    };
    let mut server = {
        let now = pair::origin();
        let mut client = Endpoint::new(config(&provider).into(), Role::Client, now);
        let mut server = Endpoint::new(config(&provider).into(), Role::Server, now);
        server.handle_datagram(&mut hello_of(&mut client, now), now);
        server
    };
    let len = u32::try_from(certificate.len()).unwrap();
    let body = [
        &(len + 3).to_be_bytes()[1..],
        &len.to_be_bytes()[1..],
        &certificate,
    ]
    .concat();
    let now = pair::origin();
    server.handle_datagram(&mut message(HandshakeType::CERTIFICATE, 1, &body), now);
    // The zero point of X25519 (RFC 7748 §6.1).
    let share = [&[32][..], &[0; 32]].concat();
    let kind = HandshakeType::CLIENT_KEY_EXCHANGE;
    server.handle_datagram(&mut message(kind, 2, &share), now);
    let reason = CloseReason::Protocol(ProtocolError::KeyShare);
    assert_eq!(server.poll_event(), Some(Event::Closed(reason)));
}

/// A message in its turn and out of its place.
#[test]
fn an_unexpected_message_in_sequence_closes() {
    let provider = provider();
    let now = pair::origin();
    let mut server = Endpoint::new(config(&provider).into(), Role::Server, now);
    let kind = HandshakeType::CLIENT_KEY_EXCHANGE;
    server.handle_datagram(&mut message(kind, 0, &[0]), now);
    let reason = CloseReason::Protocol(ProtocolError::UnexpectedMessage(kind));
    assert_eq!(server.poll_event(), Some(Event::Closed(reason)));
    let mut alert = Vec::new();
    server.poll_transmit(&mut alert, now).unwrap();
    assert_eq!(alert[13..], [2, 10]);
}

/// Plaintext that waits for its turn is as good, or as bad, as what comes in it: the first whole
/// message with a number counts.
#[test]
fn a_whole_message_before_its_turn_counts_when_that_comes() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config);
    let now = pair.now;
    pair.transmit(&mut |_, _, _: &[u8]| vec![DELAY]);
    let mut forged = message(HandshakeType::CERTIFICATE, 1, &[0, 0, 0]);
    pair.client.handle_datagram(&mut forged, now);
    assert_eq!(pair.client.poll_event(), None);
    assert!(!pair.connect());
    let reason = CloseReason::Protocol(ProtocolError::NoCertificate);
    assert_eq!(pair.closed(Role::Client), Some(reason));
}

#[test]
fn peers_that_do_not_agree_on_anything_never_panic() {
    fn small(config: Config) -> Config {
        config
            .mtu(256)
            .unwrap()
            .max_handshake_message(2048)
            .unwrap()
    }
    let provider = provider();
    let mut pair: Pair = pair(&provider, small);
    assert!(pair.connect());
    let (client, server) = (pair.sent.clone(), pair.sent.clone());
    // Every datagram of a finished handshake to everyone, in the wrong order.
    for (_, contents) in client.into_iter().rev().chain(server) {
        let now = pair.now;
        pair.client.handle_datagram(&mut contents.clone(), now);
        pair.server.handle_datagram(&mut contents.clone(), now);
    }
    pair.assert_works();
}
