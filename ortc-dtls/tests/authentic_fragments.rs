//! Fragments that only the peer can have sent, in the handshake and after it, and that belong to no
//! message which anyone would take: they close with the alert that the RFC names. The same in
//! plaintext is dropped, and so is what is early or late.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod craft13;
#[path = "craft13/flight.rs"]
mod flight;
mod pair;

use craft::{Forger, handshake, record, records};
use craft13::Epoch;
use flight::{before_flight, rewrite};
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::{ContentType, HandshakeType, ParseError};
use ortc_dtls::{CloseReason, DropReason, Endpoint, Event, ProtocolError, Role, Version};
use pair::{Pair, hello_of, pair, pair_of, provider};

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const VERSIONS: [Version; 2] = [Version::DTLS12, Version::DTLS13];

/// The limit of the configuration.
const LIMIT: u32 = 16 * 1024;

fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// Somebody with the keys of a connection.
enum Keys {
    V12([Forger; 2]),
    /// What writes, and all that may be read.
    V13(Epoch, Vec<Epoch>),
}

/// A connection, or a handshake, and a hostile peer in it.
struct Scene {
    pair: Pair,
    keys: Keys,
    /// Whom the peer writes to.
    to: Role,
    /// The number of the next message that is awaited, or would be, and a kind that it may have.
    next: u16,
    kind: HandshakeType,
    sequence: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The keys are there, the peer's Finished is not.
    Handshake,
    Connected,
}

fn scene(version: Version, to: Role, stage: Stage) -> Scene {
    let (pair, keys, next, kind) = match version {
        Version::DTLS12 => scene12(to, stage),
        _ => scene13(to, stage),
    };
    Scene {
        pair,
        keys,
        to,
        next,
        kind,
        sequence: 100,
    }
}

fn scene12(to: Role, stage: Stage) -> (Pair, Keys, u16, HandshakeType) {
    let provider = provider();
    let mut pair = pair(&provider, |config| config.key_log(true));
    let now = pair.now;
    let mut progress = true;
    while progress {
        progress = false;
        for from in ROLES {
            let mut datagram = Vec::new();
            while pair.side(from).poll_transmit(&mut datagram, now).is_some() {
                pair.sent.push((from, datagram.clone()));
                for (header, contents) in records(&datagram) {
                    // The Finished is all that is protected.
                    let is_withheld = stage == Stage::Handshake && header.epoch > 0;
                    if from == other(to) && is_withheld {
                        continue;
                    }
                    let (kind, number) = (header.content_type, header.sequence);
                    let mut one = record(kind, header.epoch, number, &contents);
                    pair.side(other(from)).handle_datagram(&mut one, now);
                }
                datagram.clear();
                progress = true;
            }
            while let Some(event) = pair.side(from).poll_event() {
                pair.events[from as usize].push(event);
            }
        }
    }
    let is_connected = pair.events[to as usize].contains(&Event::Connected);
    assert_eq!(is_connected, stage == Stage::Connected);
    let forgers = ROLES.map(|role| Forger::new(&provider, &pair, role));
    let finished = if to == Role::Client { 5 } else { 4 };
    let next = finished + u16::from(stage == Stage::Connected);
    (pair, Keys::V12(forgers), next, HandshakeType::FINISHED)
}

fn scene13(to: Role, stage: Stage) -> (Pair, Keys, u16, HandshakeType) {
    let provider = provider();
    let from = other(to);
    let (mut pair, epoch, next) = match stage {
        Stage::Handshake => {
            let mut pair = before_flight(&provider, from);
            if from == Role::Server {
                // The ServerHello alone.
                rewrite(&provider, &mut pair, from, |messages| messages.clear());
            }
            (pair, 2, 1)
        }
        Stage::Connected => {
            let mut pair = pair_of([&[Version::DTLS13]; 2], &provider, |config| {
                config.key_log(true)
            });
            assert!(pair.connect());
            pair.settle();
            (pair, 3, if from == Role::Server { 6 } else { 4 })
        }
    };
    // What it says of its keys.
    while let Some(event) = pair.side(to).poll_event() {
        pair.events[to as usize].push(event);
    }
    let theirs = Epoch::of(&provider, &pair, from, epoch);
    let ours = (2..=3)
        .filter(|&read| read == 2 || to == Role::Server || stage == Stage::Connected)
        .map(|epoch| Epoch::of(&provider, &pair, to, epoch))
        .collect();
    let kind = match stage {
        Stage::Handshake => HandshakeType::CERTIFICATE,
        Stage::Connected => HandshakeType::NEW_SESSION_TICKET,
    };
    (pair, Keys::V13(theirs, ours), next, kind)
}

impl Scene {
    fn side(&mut self) -> &mut Endpoint {
        self.pair.side(self.to)
    }

    /// Hands in an authentic record of the peer's.
    fn hand(&mut self, contents: &[u8]) {
        self.sequence += 1;
        let kind = ContentType::HANDSHAKE;
        let mut sealed = match &self.keys {
            Keys::V12(forgers) => {
                forgers[other(self.to) as usize].seal(kind, self.sequence, contents)
            }
            Keys::V13(theirs, _) => theirs.seal(kind, self.sequence, contents),
        };
        let now = self.pair.now;
        self.side().handle_datagram(&mut sealed, now);
    }

    /// How it ended, and the alert that says so.
    fn end(&mut self) -> Option<(CloseReason, Vec<u8>)> {
        let now = self.pair.now;
        let Some(Event::Closed(reason)) = self.side().poll_event() else {
            return None;
        };
        let mut sent = Vec::new();
        self.side().poll_transmit(&mut sent, now).unwrap();
        let (kind, contents) = match &self.keys {
            Keys::V12(forgers) => forgers[self.to as usize].open(&sent).unwrap(),
            Keys::V13(_, ours) => {
                let mut plain = ours.iter().filter_map(|epoch| epoch.open(&sent));
                let plain = plain.next().unwrap();
                (plain.kind, plain.contents)
            }
        };
        assert_eq!(kind, ContentType::ALERT);
        Some((reason, contents))
    }

    fn fragment(&self, length: u32, offset: u32, body: &[u8]) -> Vec<u8> {
        piece(self.kind, self.next, length, offset, body)
    }
}

fn piece(kind: HandshakeType, message_seq: u16, length: u32, offset: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let fragment = Fragment {
        kind,
        length,
        message_seq,
        offset,
        body,
    };
    fragment.encode(&mut out);
    out
}

const DECODE_ERROR: u8 = 50;
const ILLEGAL_PARAMETER: u8 = 47;
const UNEXPECTED_MESSAGE: u8 = 10;

/// What a peer may send, as records, and what it is told.
fn violations(
    scene: &Scene,
    version: Version,
    stage: Stage,
) -> Vec<(Vec<Vec<u8>>, ProtocolError, u8)> {
    let truncated = ProtocolError::Malformed(ParseError::Truncated("handshake fragment"));
    let length = ProtocolError::Malformed(ParseError::Length("handshake fragment"));
    let whole = scene.fragment(12, 0, &[7; 12]);
    let mut all = vec![
        // A header that ends early, and a body.
        (vec![whole[..5].to_vec()], truncated, DECODE_ERROR),
        (vec![whole[..20].to_vec()], truncated, DECODE_ERROR),
        // The same behind something that is as it should be.
        (
            vec![[scene.fragment(12, 0, &[7]), vec![9]].concat()],
            truncated,
            DECODE_ERROR,
        ),
        // Over the end.
        (vec![scene.fragment(12, 11, &[7; 2])], length, DECODE_ERROR),
        // Nothing of something.
        (vec![scene.fragment(12, 0, &[])], length, DECODE_ERROR),
        (
            vec![scene.fragment(LIMIT + 1, 0, &[7; 12])],
            ProtocolError::MessageTooLong(scene.kind),
            ILLEGAL_PARAMETER,
        ),
        match version {
            Version::DTLS12 => {
                let length = ParseError::Length("handshake record");
                (vec![vec![]], ProtocolError::Malformed(length), DECODE_ERROR)
            }
            _ => (
                vec![vec![]],
                ProtocolError::ContentType(ContentType::HANDSHAKE),
                UNEXPECTED_MESSAGE,
            ),
        },
    ];
    // After the handshake, DTLS 1.2 keeps nothing that it could contradict.
    if version == Version::DTLS13 || stage == Stage::Handshake {
        let first = scene.fragment(12, 0, &[7; 4]);
        for second in [
            scene.fragment(13, 4, &[7; 4]),
            piece(HandshakeType::FINISHED, scene.next, 11, 4, &[7; 4]),
        ] {
            all.push((vec![first.clone(), second], length, DECODE_ERROR));
        }
    }
    all
}

#[test]
fn an_authentic_fragment_of_no_possible_message_closes_with_its_alert() {
    for version in VERSIONS {
        for to in ROLES {
            for stage in [Stage::Handshake, Stage::Connected] {
                let count = violations(&scene(version, to, stage), version, stage).len();
                assert!(count > 6);
                for index in 0..count {
                    let mut scene = scene(version, to, stage);
                    let mut violations = violations(&scene, version, stage);
                    let (records, error, alert) = violations.swap_remove(index);
                    let what = format!("{version} {to:?} {stage:?} {records:02x?}");
                    for contents in &records {
                        assert_eq!(scene.side().poll_event(), None, "{what}");
                        scene.hand(contents);
                    }
                    let expected = (CloseReason::Protocol(error), vec![2, alert]);
                    assert_eq!(scene.end(), Some(expected), "{what}");
                    assert_eq!(scene.side().held_octets(), 0);
                }
            }
        }
    }
}

/// What was processed before, and what comes too far ahead of its turn, is not looked into.
#[test]
fn what_is_early_or_late_is_dropped_all_the_same() {
    for version in VERSIONS {
        for to in ROLES {
            for stage in [Stage::Handshake, Stage::Connected] {
                let mut scene = scene(version, to, stage);
                for message_seq in [0, scene.next - 1, scene.next + 8, u16::MAX] {
                    for (length, body) in [(12, &[][..]), (LIMIT + 1, &[7; 12])] {
                        let kind = match (version, to) {
                            // Of those that a peer may send.
                            (Version::DTLS12, _) => HandshakeType::FINISHED,
                            _ => HandshakeType::CERTIFICATE,
                        };
                        let before = scene.side().stats().dropped_total();
                        scene.hand(&piece(kind, message_seq, length, 0, body));
                        assert_eq!(scene.side().poll_event(), None, "{version} {message_seq}");
                        let dropped = scene.side().stats().dropped_total() - before;
                        assert_eq!(dropped, 1, "{version} {to:?} {stage:?} {message_seq}");
                    }
                }
            }
        }
    }
}

/// Whoever cannot seal a record closes nothing by it.
#[test]
fn the_same_in_plaintext_is_dropped() {
    for version in VERSIONS {
        for to in ROLES {
            for stage in [Stage::Handshake, Stage::Connected] {
                let mut scene = scene(version, to, stage);
                let now = scene.pair.now;
                for (records, ..) in violations(&scene, version, stage) {
                    for contents in records {
                        let mut plain = record(ContentType::HANDSHAKE, 0, 900, &contents);
                        scene.side().handle_datagram(&mut plain, now);
                    }
                }
                assert_eq!(scene.side().poll_event(), None);
                assert!(scene.side().stats().dropped_total() > 5);
            }
        }
    }
}

/// What is behind a message in the same record in plaintext says nothing of the message.
#[test]
fn a_message_before_a_malformed_rest_is_processed_at_once() {
    let provider = provider();
    for versions in [&[Version::DTLS12][..], &[Version::DTLS13]] {
        for rest in [
            &[7][..],
            &[1; 11],
            &piece(HandshakeType::CLIENT_HELLO, 1, 4, 3, &[0; 2]),
        ] {
            let mut pair = pair_of([versions; 2], &provider, |config| config);
            let now = pair.now;
            let (_, hello) = records(&hello_of(&mut pair.client, now)).remove(0);
            let contents = [&hello[..], rest].concat();
            let mut plain = record(ContentType::HANDSHAKE, 0, 0, &contents);
            pair.server.handle_datagram(&mut plain, now);
            assert_eq!(pair.server.stats().dropped(DropReason::Fragment), 1);
            assert!(pair.connect());
            // The answer was there before anything was sent again.
            assert_eq!(pair.client.stats().retransmissions, 0);
            pair.assert_works();
        }
    }
}

/// A whole message that is as long as it may be is none of these.
#[test]
fn a_message_of_the_greatest_length_is_taken() {
    for to in ROLES {
        let mut scene = scene(Version::DTLS13, to, Stage::Handshake);
        let (kind, next) = (HandshakeType::CERTIFICATE, scene.next + 1);
        let long = vec![7; LIMIT as usize];
        for (offset, body) in (0..).step_by(8192).zip(long.chunks(8192)) {
            scene.hand(&piece(kind, next, LIMIT, offset, body));
        }
        assert_eq!(scene.side().poll_event(), None);
        assert_eq!(scene.side().held_octets(), LIMIT as usize);
        assert_eq!(scene.side().stats().dropped_total(), 0);
        // In its turn it is malformed.
        scene.hand(&handshake(kind, scene.next, &[]));
        assert!(matches!(scene.end(), Some((CloseReason::Protocol(_), _))));
    }
}
