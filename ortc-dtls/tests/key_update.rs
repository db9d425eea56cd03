//! KeyUpdates and what else comes after the handshake (RFC 9147 §5.8.4, §8, RFC 8446 §4.6).

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

use craft::handshake;
use craft13::{Epoch, split};
use ortc_dtls::crypto::Provider;
use ortc_dtls::keying::hkdf_expand_label;
use ortc_dtls::wire::{ContentType, HandshakeType, ParseError};
use ortc_dtls::{
    AlertDescription, CloseReason, Config, DropReason, Event, KeyUpdate, KeyUpdateError,
    ProtocolError, Role, SendError,
};
use pair::{DELAY, Pair, pair13, provider};

fn connected(adapt: impl Fn(Config) -> Config) -> (Pair, Arc<dyn Provider>) {
    let provider = provider();
    let mut pair = pair13(&provider, |config| adapt(config.key_log(true)));
    assert!(pair.connect());
    pair.settle();
    (pair, provider)
}

/// The low bits of the epoch of the last record that this role sent.
fn epoch_bits(pair: &Pair, role: Role) -> u8 {
    let last = pair.sent.iter().rev().find(|(from, _)| *from == role);
    last.unwrap().1[0] & 3
}

#[test]
fn keys_change_on_both_sides_as_often_as_anyone_likes() {
    let (mut pair, _) = connected(|config| config);
    let keying = pair.client.srtp_keying().unwrap();
    for round in 0..20_u8 {
        let now = pair.now;
        let role = [Role::Client, Role::Server][usize::from(round % 2)];
        pair.side(role).update_keys(KeyUpdate::Both, now).unwrap();
        pair.settle();
        pair.assert_works();
        // Both in epoch 4 after the first round, 5 after the second.
        let expected = (4 + round) % 4;
        assert_eq!(epoch_bits(&pair, Role::Client), expected);
        assert_eq!(epoch_bits(&pair, Role::Server), expected);
        assert_eq!(pair.client.poll_timeout(), None);
        assert_eq!(pair.server.poll_timeout(), None);
    }
    assert_eq!(pair.client.srtp_keying().unwrap(), keying, "SRTP keys stay");
    assert_eq!(pair.client.stats().dropped_total(), 0);
    assert_eq!(pair.server.stats().dropped_total(), 0);
}

#[test]
fn one_side_alone_can_change_its_keys() {
    let (mut pair, _) = connected(|config| config);
    let now = pair.now;
    pair.client.update_keys(KeyUpdate::Own, now).unwrap();
    pair.settle();
    pair.assert_works();
    assert_eq!(epoch_bits(&pair, Role::Client), 0);
    assert_eq!(epoch_bits(&pair, Role::Server), 3);
}

#[test]
fn the_new_key_is_not_used_before_the_update_is_acknowledged() {
    let (mut pair, _) = connected(|config| config);
    let now = pair.now;
    pair.client.update_keys(KeyUpdate::Own, now).unwrap();
    pair.client.update_keys(KeyUpdate::Own, now).unwrap();
    let sent = pair.sent.len();
    // Every ACK is lost for a while, and data flows on.
    for _ in 0..10 {
        let now = pair.now;
        pair.client.send(b"data", now).unwrap();
        let lossy = |_, role, _: &[u8]| match role {
            Role::Client => vec![DELAY],
            Role::Server => vec![],
        };
        pair.run(Duration::from_millis(40), lossy, |_| false);
        assert_eq!(epoch_bits(&pair, Role::Client), 3);
    }
    let data = Event::ApplicationData(b"data".to_vec().into());
    assert_eq!(
        pair.events[1]
            .iter()
            .filter(|event| **event == data)
            .count(),
        10
    );
    let client = pair.sent[sent..]
        .iter()
        .filter(|(from, _)| *from == Role::Client);
    assert!(
        client.count() >= 10 + 3,
        "the update is repeated by its timer"
    );
    pair.run(Duration::from_secs(1), |_, _, _| vec![DELAY], |_| false);
    pair.assert_works();
    assert_eq!(
        epoch_bits(&pair, Role::Client),
        0,
        "one step, however often it was wanted"
    );
}

#[test]
fn keys_change_by_themselves_after_so_many_records() {
    let (mut pair, provider) = connected(|config| config.update_keys_after(10).unwrap());
    let mut delivered = 0;
    for _ in 0..100 {
        let now = pair.now;
        pair.client.send(b"data", now).unwrap();
        pair.run(Duration::from_millis(10), |_, _, _| vec![DELAY], |_| false);
    }
    pair.settle();
    for event in &pair.events[1] {
        delivered += usize::from(matches!(event, Event::ApplicationData(_)));
    }
    assert_eq!(delivered, 100);
    // No number twice under one key, and few under each.
    for epoch in 3..9 {
        let keys = Epoch::of(&provider, &pair, Role::Client, epoch);
        let mut numbers = BTreeSet::new();
        for (from, datagram) in &pair.sent {
            if *from == Role::Client {
                for record in keys.open_all(datagram) {
                    assert!(numbers.insert(record.sequence));
                }
            }
        }
        assert!(
            (10..=20).contains(&numbers.len()),
            "{epoch}: {}",
            numbers.len()
        );
    }
}

/// With doubling intervals, and not without end.
#[test]
fn an_update_that_nobody_acknowledges_ends_the_connection() {
    let limit = Duration::from_secs(20);
    let (mut pair, _) = connected(|config| config.handshake_timeout(Some(limit)));
    // An hour of silence is nothing to give up for.
    pair.now += Duration::from_secs(3600);
    let now = pair.now;
    pair.client.handle_timeout(now);
    pair.client.update_keys(KeyUpdate::Own, now).unwrap();
    let before = pair.client.stats();
    let to_server = |_, role, _: &[u8]| match role {
        Role::Client => vec![DELAY],
        Role::Server => vec![],
    };
    pair.run(2 * limit, to_server, |pair| {
        pair.closed(Role::Client).is_some()
    });
    assert_eq!(pair.now - now, limit);
    assert_eq!(pair.closed(Role::Client), Some(CloseReason::Unacknowledged));
    assert_eq!(pair.client.poll_timeout(), None);
    // After 50 ms, 150, 350 ... 12750.
    let stats = pair.client.stats();
    assert_eq!(stats.retransmissions - before.retransmissions, 8);
    // Nobody says that the connection is over; the server lives until its owner ends it.
    assert_eq!(pair.closed(Role::Server), None);
}

/// One that is acknowledged stops the clock.
#[test]
fn an_update_that_is_acknowledged_late_ends_nothing() {
    let limit = Duration::from_secs(20);
    let (mut pair, _) = connected(|config| config.handshake_timeout(Some(limit)));
    let now = pair.now;
    pair.client.update_keys(KeyUpdate::Both, now).unwrap();
    pair.run(Duration::from_secs(15), |_, _, _| vec![], |_| false);
    assert!(pair.client.poll_timeout().is_some());
    // The path is back: nobody waits for the next time-out.
    let now = pair.now;
    pair.client.restart_timer(now);
    pair.settle();
    assert_eq!(pair.client.poll_timeout(), None);
    assert_eq!(pair.server.poll_timeout(), None);
    pair.run(2 * limit, |_, _, _| vec![DELAY], |_| false);
    pair.assert_works();
    assert_eq!(
        [
            epoch_bits(&pair, Role::Client),
            epoch_bits(&pair, Role::Server)
        ],
        [0, 0]
    );
}

#[test]
fn records_of_the_epoch_before_are_read_until_the_new_one_is_used_and_for_a_while_after() {
    let (mut pair, provider) = connected(|config| config);
    let old = Epoch::of(&provider, &pair, Role::Client, 3);
    let now = pair.now;
    pair.client.update_keys(KeyUpdate::Own, now).unwrap();
    pair.settle();
    let data = ContentType::APPLICATION_DATA;
    let event = |text: &[u8]| Some(Event::ApplicationData(text.to_vec().into()));
    pair.now += Duration::from_secs(1000);
    let now = pair.now;
    pair.server
        .handle_datagram(&mut old.seal(data, 500, b"late"), now);
    assert_eq!(pair.server.poll_event(), event(b"late"));
    pair.client.send(b"new", now).unwrap();
    pair.settle();
    let before = now + Duration::from_secs(239);
    pair.server
        .handle_datagram(&mut old.seal(data, 501, b"later"), before);
    assert_eq!(pair.server.poll_event(), event(b"later"));
    let after = now + Duration::from_secs(241);
    pair.server
        .handle_datagram(&mut old.seal(data, 502, b"too late"), after);
    assert_eq!(pair.server.poll_event(), None);
    assert_eq!(pair.server.stats().dropped(DropReason::Epoch), 1);
}

#[test]
fn a_peer_that_does_nothing_but_update_its_keys_is_refused() {
    let (mut pair, provider) = connected(|config| config);
    let mut secret = craft13::secret(&pair.events.concat(), "SERVER_TRAFFIC_SECRET_0");
    for round in 0..40_u64 {
        let epoch = Epoch::new(&provider, &secret, 3 + round);
        let seq = u16::try_from(round).unwrap() + 6;
        let message = handshake(HandshakeType::KEY_UPDATE, seq, &[0]);
        let now = pair.now;
        let mut record = epoch.seal(ContentType::HANDSHAKE, 100, &message);
        pair.client.handle_datagram(&mut record, now);
        let mut next = [0; 32];
        hkdf_expand_label(
            &*provider,
            ortc_dtls::crypto::Hash::Sha256,
            &secret,
            "traffic upd",
            &[],
            &mut next,
        )
        .unwrap();
        secret = next.to_vec();
        let mut closed = None;
        while let Some(event) = pair.client.poll_event() {
            if let Event::Closed(reason) = event {
                closed = Some(reason);
            }
        }
        let reason = CloseReason::Protocol(ProtocolError::KeyUpdates);
        assert_eq!(closed, (round == 32).then_some(reason));
        if round == 32 {
            return;
        }
    }
}

/// A message of the server's in its turn after the handshake, and what the client makes of it.
fn after_handshake(role: Role, kind: HandshakeType, body: &[u8]) -> (Option<CloseReason>, usize) {
    let (mut pair, provider) = connected(|config| config);
    let (from, seq) = match role {
        Role::Client => (Role::Server, 6),
        Role::Server => (Role::Client, 4),
    };
    let epoch = Epoch::of(&provider, &pair, from, 3);
    let now = pair.now;
    let message = handshake(kind, seq, body);
    let mut record = epoch.seal(ContentType::HANDSHAKE, 100, &message);
    pair.side(role).handle_datagram(&mut record, now);
    let closed = match pair.side(role).poll_event() {
        Some(Event::Closed(reason)) => Some(reason),
        Some(_) | None => None,
    };
    let mut answer = Vec::new();
    let mut count = 0;
    while pair.side(role).poll_transmit(&mut answer, now).is_some() {
        count += 1;
    }
    if closed.is_none() {
        let own = Epoch::of(&provider, &pair, role, 3);
        let records = split(&answer);
        let ack = own.open(&records[0]).unwrap();
        assert_eq!(ack.kind, ContentType::ACK);
        // Epoch 3, record 100.
        let number = [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 100];
        assert_eq!(ack.contents, [&[0, 16][..], &number].concat());
    }
    (closed, count)
}

#[test]
fn messages_after_the_handshake_are_acknowledged_or_refused() {
    let unexpected = |kind| {
        Some(CloseReason::Protocol(ProtocolError::UnexpectedMessage(
            kind,
        )))
    };
    let ticket = HandshakeType::NEW_SESSION_TICKET;
    assert_eq!(after_handshake(Role::Client, ticket, &[0; 60]), (None, 1));
    assert_eq!(
        after_handshake(Role::Server, ticket, &[0; 60]).0,
        unexpected(ticket)
    );
    for kind in [
        HandshakeType::CERTIFICATE_REQUEST,
        HandshakeType::REQUEST_CONNECTION_ID,
        HandshakeType::NEW_CONNECTION_ID,
        HandshakeType::SERVER_HELLO,
        HandshakeType::HELLO_REQUEST,
        HandshakeType::FINISHED,
        HandshakeType(99),
    ] {
        for role in [Role::Client, Role::Server] {
            assert_eq!(after_handshake(role, kind, &[0; 4]).0, unexpected(kind));
        }
    }
    let update = HandshakeType::KEY_UPDATE;
    let malformed = |error| Some(CloseReason::Protocol(ProtocolError::Malformed(error)));
    assert_eq!(after_handshake(Role::Client, update, &[0]), (None, 1));
    assert_eq!(
        after_handshake(Role::Client, update, &[1]),
        (None, 2),
        "and one of its own"
    );
    assert_eq!(
        after_handshake(Role::Server, update, &[2]).0,
        malformed(ParseError::Invalid("request_update"))
    );
    assert_eq!(
        after_handshake(Role::Server, update, &[0, 0]).0,
        malformed(ParseError::Trailing("KeyUpdate"))
    );
}

#[test]
fn authenticated_records_that_break_the_protocol_close_and_others_do_not() {
    let content_type = |kind| Some(CloseReason::Protocol(ProtocolError::ContentType(kind)));
    let alert = |description| Some(CloseReason::PeerAlert(AlertDescription(description)));
    for (kind, contents, expected) in [
        (
            ContentType::ALERT,
            &[1, 0][..],
            Some(CloseReason::PeerClosed),
        ),
        // The level says nothing.
        (ContentType::ALERT, &[2, 0], Some(CloseReason::PeerClosed)),
        (ContentType::ALERT, &[1, 80], alert(80)),
        (ContentType::ALERT, &[9, 200], alert(200)),
        (ContentType::ALERT, &[1, 90], None),
        (
            ContentType::ALERT,
            &[1],
            Some(ProtocolError::Malformed(ParseError::Length("alert")).into()),
        ),
        (
            ContentType::CHANGE_CIPHER_SPEC,
            &[1],
            content_type(ContentType::CHANGE_CIPHER_SPEC),
        ),
        (ContentType(24), &[1], content_type(ContentType(24))),
        (ContentType(0), &[0; 20], content_type(ContentType(0))),
        // RFC 8446 §5.4.
        (
            ContentType::HANDSHAKE,
            &[],
            content_type(ContentType::HANDSHAKE),
        ),
        (
            ContentType::HANDSHAKE,
            &[1, 2, 3],
            Some(ProtocolError::Malformed(ParseError::Truncated("handshake fragment")).into()),
        ),
        (ContentType::ACK, &[0, 0], None),
        (
            ContentType::ACK,
            &[0, 16, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 9],
            None,
        ),
        (
            ContentType::ACK,
            &[0, 1, 7],
            Some(ProtocolError::Malformed(ParseError::Length("record_numbers")).into()),
        ),
    ] {
        let (mut pair, provider) = connected(|config| config);
        let epoch = Epoch::of(&provider, &pair, Role::Server, 3);
        let now = pair.now;
        pair.client
            .handle_datagram(&mut epoch.seal(kind, 100, contents), now);
        assert_eq!(
            pair.client.poll_event(),
            expected.map(Event::Closed),
            "{kind} {contents:?}"
        );
        if expected.is_none() {
            assert_eq!(pair.client.poll_timeout(), None, "nothing is answered");
            pair.assert_works();
        }
    }
}

#[test]
fn a_key_update_under_the_keys_of_the_handshake_is_refused() {
    let (mut pair, provider) = connected(|config| config);
    let epoch = Epoch::of(&provider, &pair, Role::Client, 2);
    let kind = HandshakeType::KEY_UPDATE;
    let message = handshake(kind, 4, &[0]);
    let now = pair.now;
    let mut record = epoch.seal(ContentType::HANDSHAKE, 100, &message);
    pair.server.handle_datagram(&mut record, now);
    let reason = CloseReason::Protocol(ProtocolError::UnexpectedMessage(kind));
    assert_eq!(pair.server.poll_event(), Some(Event::Closed(reason)));
}

#[test]
fn application_data_under_the_keys_of_the_handshake_is_refused() {
    let (mut pair, provider) = connected(|config| config);
    let epoch = Epoch::of(&provider, &pair, Role::Client, 2);
    let data = ContentType::APPLICATION_DATA;
    let now = pair.now;
    pair.server
        .handle_datagram(&mut epoch.seal(data, 100, b"data"), now);
    let reason = CloseReason::Protocol(ProtocolError::ContentType(data));
    assert_eq!(pair.server.poll_event(), Some(Event::Closed(reason)));
}

#[test]
fn each_direction_is_closed_by_itself() {
    let (mut pair, _) = connected(|config| config);
    let now = pair.now;
    pair.client.send(b"last words", now).unwrap();
    pair.client.close_write(now);
    pair.client.close_write(now);
    assert_eq!(pair.client.send(b"more", now), Err(SendError::WriteClosed));
    let sent = pair.sent.len();
    // What the server has queued when it hears of it still leaves.
    pair.transmit(&mut |_, _, _: &[u8]| vec![DELAY]);
    pair.now += DELAY;
    let now = pair.now;
    pair.server.send(b"answer", now).unwrap();
    pair.settle();
    let data = |text: &[u8]| Event::ApplicationData(text.to_vec().into());
    assert!(pair.events[1].contains(&data(b"last words")));
    assert!(pair.events[0].contains(&data(b"answer")));
    assert_eq!(pair.closed(Role::Client), Some(CloseReason::PeerClosed));
    assert_eq!(pair.closed(Role::Server), Some(CloseReason::PeerClosed));
    assert_eq!(
        pair.sent.len() - sent,
        4,
        "two records and two close_notify"
    );
    assert_eq!(
        CloseReason::PeerClosed.alert(),
        Some(AlertDescription::CLOSE_NOTIFY)
    );
}

/// Neither secrets nor what follows from them, in decimal or in hexadecimal.
#[test]
fn an_endpoint_prints_no_secrets() {
    let (pair, provider) = connected(|config| config);
    let events = pair.events.concat();
    let secrets = ["CLIENT", "SERVER"]
        .map(|side| craft13::secret(&events, &format!("{side}_TRAFFIC_SECRET_0")));
    for secret in secrets {
        for label in ["", "key", "iv", "sn"] {
            let mut octets = secret[..12].to_vec();
            if !label.is_empty() {
                let hash = ortc_dtls::crypto::Hash::Sha256;
                hkdf_expand_label(&*provider, hash, &secret, label, &[], &mut octets).unwrap();
            }
            for endpoint in [&pair.client, &pair.server] {
                let text = format!("{endpoint:?}");
                let decimal: Vec<String> = octets[..4].iter().map(u8::to_string).collect();
                assert!(!text.contains(&decimal.join(", ")), "{label}");
                assert!(!text.contains(&hex::encode(&octets[..4])), "{label}");
            }
        }
    }
}

#[test]
fn records_above_the_agreed_size_are_dropped() {
    let (mut pair, provider) = connected(|config| config.record_size_limit(101).unwrap());
    let epoch = Epoch::of(&provider, &pair, Role::Server, 3);
    let data = ContentType::APPLICATION_DATA;
    let now = pair.now;
    pair.client
        .handle_datagram(&mut epoch.seal(data, 10, &[1; 101]), now);
    assert_eq!(pair.client.poll_event(), None);
    // Padding counts like contents.
    let padded = [&[1, 2, 23][..], &[0; 98]].concat();
    let mut padded = epoch.seal(ContentType(0), 12, &padded);
    pair.client.handle_datagram(&mut padded, now);
    assert_eq!(pair.client.poll_event(), None);
    assert_eq!(pair.client.stats().dropped(DropReason::RecordTooLong), 2);
    pair.client
        .handle_datagram(&mut epoch.seal(data, 11, &[1; 100]), now);
    let event = Event::ApplicationData(vec![1; 100].into());
    assert_eq!(pair.client.poll_event(), Some(event));
}

#[test]
fn short_headers_and_records_without_length_are_read() {
    let (mut pair, provider) = connected(|config| config);
    let epoch = Epoch::of(&provider, &pair, Role::Server, 3);
    let data = ContentType::APPLICATION_DATA;
    let now = pair.now;
    let mut datagram = epoch.seal(data, 10, b"one");
    datagram.extend_from_slice(&epoch.seal_short(data, 12, b"two"));
    pair.client.handle_datagram(&mut datagram, now);
    for expected in [&b"one"[..], b"two"] {
        let event = Event::ApplicationData(expected.to_vec().into());
        assert_eq!(pair.client.poll_event(), Some(event));
    }
}

#[test]
fn there_are_no_key_updates_before_the_connection_and_in_dtls_1_2() {
    let provider = provider();
    let mut pair = pair13(&provider, |config| config);
    let now = pair.now;
    let early = pair.client.update_keys(KeyUpdate::Own, now);
    assert_eq!(early, Err(KeyUpdateError::NotConnected));
    let mut old = pair::pair(&provider, |config| config);
    assert!(old.connect());
    let now = old.now;
    assert_eq!(
        old.client.update_keys(KeyUpdate::Own, now),
        Err(KeyUpdateError::Version)
    );
}
