//! Messages of DTLS 1.3 that change connection ids (RFC 9147 §9).

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod craft13;
mod ids;
mod pair;

use core::time::Duration;
use std::sync::Arc;

use craft::handshake;
use craft13::Epoch;
use ortc_dtls::crypto::Provider;
use ortc_dtls::wire::{ContentType, HandshakeType, ParseError};
use ortc_dtls::{
    Carrier, CloseReason, ConnectionId, ConnectionIdError, Endpoint, Event, KeyUpdate,
    ProtocolError, Role, Version,
};
use pair::{DELAY, Pair, pair, pair13, provider};

fn connected(length: u8) -> (Pair, Arc<dyn Provider>) {
    ids::connected(Version::DTLS13, [Some(length); 2])
}

fn id(octets: &[u8]) -> ConnectionId {
    ConnectionId::new(octets).unwrap()
}

/// The id in the last datagram that this role sent.
fn last_id(pair: &Pair, role: Role, length: usize) -> Vec<u8> {
    let last = pair.sent.iter().rev().find(|(from, _)| *from == role);
    let id = ConnectionId::of_datagram(&last.unwrap().1, length);
    id.unwrap().to_vec()
}

#[test]
fn an_id_is_replaced_at_once_and_the_one_before_is_still_read() {
    let (mut pair, _) = connected(4);
    let first = pair.server.connection_ids().next().unwrap().clone();
    let now = pair.now;
    let mut early = Vec::new();
    pair.client.send(b"early", now).unwrap();
    pair.client.poll_transmit(&mut early, now).unwrap();
    for round in 0..20_u8 {
        let next = id(&[round, 1, 2, 3]);
        let now = pair.now;
        pair.server
            .replace_connection_id(next.clone(), now)
            .unwrap();
        let event = Event::ConnectionId(next.clone());
        assert_eq!(pair.server.poll_event(), Some(event));
        assert!(pair.server.connection_ids().any(|own| *own == next));
        pair.settle();
        pair.assert_works();
        assert_eq!(pair.client.peer_connection_id(), Some(&next));
        assert_eq!(last_id(&pair, Role::Client, 4), next.octets());
        if round == 0 {
            let now = pair.now;
            pair.server.handle_datagram(&mut early, now);
            let data = Event::ApplicationData(b"early".to_vec().into());
            assert_eq!(pair.server.poll_event(), Some(data));
        }
        assert!(
            pair.server.connection_ids().count() <= 2,
            "they do not pile up"
        );
        assert_eq!(pair.server.poll_timeout(), None);
    }
    assert!(pair.server.connection_ids().all(|own| *own != first));
}

#[test]
fn ids_are_asked_for_and_used_in_their_order() {
    let (mut pair, _) = connected(4);
    let now = pair.now;
    assert!(!pair.client.use_next_connection_id());
    pair.client.request_connection_ids(3, now).unwrap();
    let again = pair.client.request_connection_ids(3, now);
    assert_eq!(again, Err(ConnectionIdError::Outstanding));
    pair.settle();
    let own: Vec<_> = pair.server.connection_ids().cloned().collect();
    assert_eq!(own.len(), 4);
    let given: Vec<_> = (pair.events[1].iter())
        .filter_map(|event| {
            if let Event::ConnectionId(id) = event {
                Some(id.clone())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(given, own[1..], "the owner learns of each");
    for expected in &own {
        assert_eq!(pair.client.peer_connection_id(), Some(expected));
        pair.assert_works();
        assert_eq!(last_id(&pair, Role::Client, 4), expected.octets());
        let more = pair.client.use_next_connection_id();
        assert_eq!(more, *expected != own[3]);
    }
    // However often and however many: the server has eight, and the client keeps four.
    for _ in 0..20 {
        let now = pair.now;
        pair.client.request_connection_ids(255, now).unwrap();
        pair.settle();
        assert!(pair.server.connection_ids().count() <= 8);
    }
    let spares = (0..100).take_while(|_| pair.client.use_next_connection_id());
    assert_eq!(spares.count(), 4);
    pair.assert_works();
    assert_eq!(pair.client.poll_timeout(), None);
    assert_eq!(pair.server.poll_timeout(), None);
}

/// Both sides want everything at once, and every second datagram is lost.
#[test]
fn one_message_after_the_other_is_sent_whatever_is_wanted_and_lost() {
    let (mut pair, _) = connected(4);
    let now = pair.now;
    let new = [id(&[1; 4]), id(&[2; 4])];
    for role in [Role::Client, Role::Server] {
        let side = pair.side(role);
        side.request_connection_ids(2, now).unwrap();
        side.replace_connection_id(new[role as usize].clone(), now)
            .unwrap();
        side.update_keys(KeyUpdate::Both, now).unwrap();
    }
    let lossy = |index, _, _: &[u8]| if index % 2 == 0 { vec![] } else { vec![DELAY] };
    pair.run(Duration::from_secs(30), lossy, |_| false);
    pair.run(Duration::from_secs(30), |_, _, _| vec![DELAY], |_| false);
    pair.assert_works();
    let [client, server] = new;
    for (endpoint, peer) in [(&pair.client, &server), (&pair.server, &client)] {
        assert_eq!(endpoint.poll_timeout(), None);
        assert_eq!(endpoint.peer_connection_id(), Some(peer));
        assert!(endpoint.connection_ids().count() >= 3);
    }
    let before = pair.client.peer_connection_id().cloned();
    assert!(pair.client.use_next_connection_id());
    assert_ne!(pair.client.peer_connection_id().cloned(), before);
    pair.assert_works();
}

#[test]
fn an_application_that_chooses_its_ids_gives_none_away() {
    let (mut pair, _) = connected(4);
    let now = pair.now;
    pair.server = {
        let provider = provider();
        let mut other = pair13(&provider, |config| config.connection_id_length(Some(4)));
        let certificate = ortc_dtls::Certificate::generate(&provider).unwrap();
        let config = ortc_dtls::Config::new(certificate, provider)
            .verification(ortc_dtls::PeerVerification::TrustFirst);
        other.server =
            Endpoint::with_connection_id(Arc::new(config.clone()), Role::Server, id(b"mine"), now);
        pair.client = Endpoint::new(
            Arc::new(config.connection_id_length(Some(2))),
            Role::Client,
            now,
        );
        other.server
    };
    pair.events = [Vec::new(), Vec::new()];
    assert!(pair.connect());
    pair.settle();
    let now = pair.now;
    pair.client.request_connection_ids(3, now).unwrap();
    pair.settle();
    assert!(!pair.client.use_next_connection_id());
    assert_eq!(pair.server.connection_ids().count(), 1);
    let now = pair.now;
    pair.client.request_connection_ids(3, now).unwrap();
    pair.assert_works();
}

#[test]
fn commands_say_why_they_cannot() {
    let provider = provider();
    let mut pair = pair13(&provider, |config| config.connection_id_length(Some(4)));
    let now = pair.now;
    let early = Err(ConnectionIdError::NotConnected);
    assert_eq!(pair.client.request_connection_ids(1, now), early);
    assert_eq!(pair.client.replace_connection_id(id(&[1; 4]), now), early);

    let (mut pair, _) = connected(4);
    let now = pair.now;
    for octets in [&[][..], &[1; 3], &[1; 5]] {
        let length = Err(ConnectionIdError::Length);
        assert_eq!(pair.client.replace_connection_id(id(octets), now), length);
    }
    // The first one is on its way, the second waits for it.
    pair.client.replace_connection_id(id(&[1; 4]), now).unwrap();
    pair.client.replace_connection_id(id(&[2; 4]), now).unwrap();
    let outstanding = Err(ConnectionIdError::Outstanding);
    assert_eq!(
        pair.client.replace_connection_id(id(&[3; 4]), now),
        outstanding
    );
    pair.settle();
    assert_eq!(pair.server.peer_connection_id(), Some(&id(&[2; 4])));

    let (mut pair, _) = connected(0);
    let now = pair.now;
    let none = Err(ConnectionIdError::NotNegotiated);
    assert_eq!(pair.client.request_connection_ids(1, now), none);
    let length = Err(ConnectionIdError::Length);
    assert_eq!(pair.client.replace_connection_id(id(&[]), now), length);
    let mut pair = pair13(&provider, |config| config);
    assert!(pair.connect());
    let now = pair.now;
    assert_eq!(pair.client.request_connection_ids(1, now), none);
    assert_eq!(pair.client.replace_connection_id(id(&[1]), now), none);
    assert!(!pair.client.use_next_connection_id());

    let mut pair = self::pair(&provider, |config| config.connection_id_length(Some(4)));
    assert!(pair.connect());
    let now = pair.now;
    let version = Err(ConnectionIdError::Version);
    assert_eq!(pair.client.request_connection_ids(1, now), version);
    assert_eq!(pair.client.replace_connection_id(id(&[1; 4]), now), version);
}

/// What the client makes of such messages of a server that has ids of `length` octets, in turn.
fn verdict(length: u8, messages: &[(HandshakeType, &[u8])]) -> (Pair, Option<CloseReason>) {
    let (mut pair, provider) = connected(length);
    let epoch = Epoch::of(&provider, &pair, Role::Server, 3);
    let own = pair.client.connection_ids().next().unwrap().clone();
    let contents: Vec<u8> = (6_u16..)
        .zip(messages)
        .flat_map(|(seq, (kind, body))| handshake(*kind, seq, body))
        .collect();
    let kind = ContentType::HANDSHAKE;
    let mut record = epoch.seal_with_id(own.octets(), kind, 100, &contents);
    let now = pair.now;
    pair.client.handle_datagram(&mut record, now);
    let mut closed = None;
    while let Some(event) = pair.client.poll_event() {
        if let Event::Closed(reason) = event {
            closed = Some(reason);
        }
    }
    (pair, closed)
}

#[test]
fn messages_that_break_the_rules_close() {
    let (new, request) = (
        HandshakeType::NEW_CONNECTION_ID,
        HandshakeType::REQUEST_CONNECTION_ID,
    );
    let malformed = |error| Some(ProtocolError::Malformed(error).into());
    let unexpected = |kind| Some(ProtocolError::UnexpectedMessage(kind).into());
    let invalid = |what| malformed(ParseError::Invalid(what));
    for (length, messages, expected) in [
        (4, &[(new, &[0, 2, 1, 9, 0][..])][..], None),
        (4, &[(new, &[0, 0, 1])], None),
        (4, &[(request, &[255])], None),
        // No id, or none that can be written.
        (4, &[(new, &[0, 0, 0])], invalid("ConnectionId")),
        (4, &[(new, &[0, 2, 0, 0, 0])], invalid("ConnectionId")),
        (4, &[(new, &[0, 2, 1, 9, 2])], invalid("ConnectionIdUsage")),
        (
            4,
            &[(new, &[0, 2, 1, 9, 0, 0])],
            malformed(ParseError::Trailing("NewConnectionId")),
        ),
        (
            4,
            &[(new, &[0, 2, 2, 9, 0])],
            malformed(ParseError::Truncated("ConnectionId")),
        ),
        (
            4,
            &[(request, &[1, 1])],
            malformed(ParseError::Trailing("RequestConnectionId")),
        ),
        (
            4,
            &[(request, &[1]), (request, &[1])],
            Some(ProtocolError::ConnectionIdRequests.into()),
        ),
        // Who wants none has none to give, and there is none to ask for.
        (0, &[(new, &[0, 2, 1, 9, 1])], unexpected(new)),
        (0, &[(request, &[1])], unexpected(request)),
    ] {
        assert_eq!(verdict(length, messages).1, expected, "{messages:02x?}");
    }
    assert_eq!(ProtocolError::ConnectionIdRequests.alert().0, 52);
    assert_eq!(new.to_string(), "new_connection_id");
}

#[test]
fn what_a_peer_gives_takes_a_bounded_place() {
    let ids: Vec<u8> = (0..200_u8).flat_map(|octet| [1, octet]).collect();
    let list = u16::try_from(ids.len()).unwrap().to_be_bytes();
    let message = [&list[..], &ids, &[1]].concat();
    let kind = HandshakeType::NEW_CONNECTION_ID;
    let (mut pair, closed) = verdict(4, &[(kind, &message[..]); 8]);
    assert_eq!(closed, None);
    for octet in 0..4 {
        assert!(pair.client.use_next_connection_id());
        assert_eq!(pair.client.peer_connection_id(), Some(&id(&[octet])));
    }
    assert!(!pair.client.use_next_connection_id());
    // At once: those before do not count any more, and the first is used.
    let message = [&list[..], &ids, &[0]].concat();
    let spare = [0, 2, 1, 77, 1];
    let (mut pair, closed) = verdict(4, &[(kind, &spare[..]), (kind, &message[..])]);
    assert_eq!(closed, None);
    for octet in 0..5 {
        assert_eq!(pair.client.peer_connection_id(), Some(&id(&[octet])));
        assert_eq!(pair.client.use_next_connection_id(), octet < 4);
    }
}

/// What was queued for a datagram that a longer id does not leave room for is not sent in a larger
/// one.
#[test]
fn a_longer_id_makes_no_longer_datagrams() {
    let kind = HandshakeType::NEW_CONNECTION_ID;
    let (mut pair, provider) = connected(4);
    let server = Epoch::of(&provider, &pair, Role::Server, 3);
    let own = pair.client.connection_ids().next().unwrap().clone();
    let now = pair.now;
    pair.client.send(&[1; 1000], now).unwrap();
    pair.client.send(&[2; 1174], now).unwrap();
    pair.client.send(&[3; 1000], now).unwrap();
    let message = handshake(kind, 6, &[&[0, 41, 40][..], &[9; 40], &[0]].concat());
    let mut record = server.seal_with_id(own.octets(), ContentType::HANDSHAKE, 100, &message);
    pair.client.handle_datagram(&mut record, now);
    assert_eq!(pair.client.peer_connection_id(), Some(&id(&[9; 40])));
    let mut lengths = Vec::new();
    let mut datagram = Vec::new();
    while let Some(len) = pair.client.poll_transmit(&mut datagram, now) {
        lengths.push(len);
    }
    // An acknowledgement, and two of three.
    assert_eq!(lengths, [2 + 16 + 62, 1000 + 62, 1000 + 62]);
}

/// A carrier never goes on with an id that the peer has given up.
#[test]
fn flights_that_are_carried_have_the_newest_id() {
    let kind = HandshakeType::NEW_CONNECTION_ID;
    let (mut pair, provider) = connected(4);
    let server = Epoch::of(&provider, &pair, Role::Server, 3);
    let own = pair.client.connection_ids().next().unwrap().clone();
    let now = pair.now;
    pair.client.carry_flights(Carrier::Outside, now);
    pair.client.update_keys(KeyUpdate::Own, now).unwrap();
    let carried = |client: &mut Endpoint| {
        let flight = client.flight(1000).unwrap();
        let first = flight.datagrams().next().unwrap().to_vec();
        (flight.generation(), first)
    };
    let (before, _) = carried(&mut pair.client);
    let message = handshake(kind, 6, &[&[0, 5, 4][..], &[9; 4], &[0]].concat());
    let mut record = server.seal_with_id(own.octets(), ContentType::HANDSHAKE, 100, &message);
    pair.client.handle_datagram(&mut record, now);
    let (after, datagram) = carried(&mut pair.client);
    assert_ne!(before, after);
    assert_eq!(ConnectionId::of_datagram(&datagram, 4), Some(&[9; 4][..]));
}
