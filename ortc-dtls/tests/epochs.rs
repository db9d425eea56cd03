//! Records that claim another epoch, version, number or protection than they have.

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod craft13;
mod pair;

use craft::{handshake, message, record};
use craft13::Epoch;
use ortc_dtls::wire::{ContentType, HandshakeType};
use ortc_dtls::{DropReason, Endpoint, Event, Role, Stats, Version};
use pair::{DELAY, Pair, pair_of, provider};

const V12: &[Version] = &[Version::DTLS12];
const V13: &[Version] = &[Version::DTLS13];
const BOTH: &[Version] = &[Version::DTLS13, Version::DTLS12];
const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// Why what is not the peer's is dropped: it fails, it is no record, or it has the header of a
/// connection with ids.
const FOREIGN: [DropReason; 3] = [
    DropReason::BadRecord,
    DropReason::Malformed,
    DropReason::ConnectionId,
];

fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

fn connected(versions: &[Version]) -> Pair {
    let mut pair = pair_of([versions; 2], &provider(), |config| config.key_log(true));
    assert!(pair.connect());
    pair.settle();
    pair
}

/// A record of application data of this side's.
fn data_of(pair: &mut Pair, from: Role) -> Vec<u8> {
    let now = pair.now;
    let mut out = Vec::new();
    pair.side(from).send(b"genuine", now).unwrap();
    pair.side(from).poll_transmit(&mut out, now).unwrap();
    out
}

/// The record is dropped and counted for one of these reasons, and leaves no trace.
fn assert_dropped(
    side: &mut Endpoint,
    contents: &[u8],
    pair_now: std::time::Instant,
    reasons: &[DropReason],
) {
    let count =
        |stats: &Stats| -> u64 { reasons.iter().map(|&reason| stats.dropped(reason)).sum() };
    let before = side.stats();
    side.handle_datagram(&mut contents.to_vec(), pair_now);
    let after = side.stats();
    assert_eq!(
        count(&after),
        count(&before) + 1,
        "{contents:02x?} {after:?}"
    );
    assert_eq!(after.records_received, before.records_received);
    assert_eq!(side.poll_event(), None);
    assert_eq!(side.poll_timeout(), None);
    assert_eq!(side.held_octets(), 0);
}

fn assert_accepted(side: &mut Endpoint, contents: &[u8], now: std::time::Instant) {
    side.handle_datagram(&mut contents.to_vec(), now);
    let data = Event::ApplicationData(b"genuine".as_slice().into());
    assert_eq!(side.poll_event(), Some(data));
}

#[test]
fn a_record_of_dtls_1_2_counts_in_its_own_epoch_and_as_its_own_type_alone() {
    for from in ROLES {
        let mut pair = connected(V12);
        let genuine = data_of(&mut pair, from);
        let now = pair.now;
        let side = pair.side(other(from));
        for epoch in [0_u16, 2, 3, 0x0101, 0xffff] {
            let mut moved = genuine.clone();
            moved[3..5].copy_from_slice(&epoch.to_be_bytes());
            assert_dropped(
                side,
                &moved,
                now,
                &[DropReason::Epoch, DropReason::PlaintextData],
            );
        }
        for kind in [20, 21, 22, 24, 25, 26, 0, 255] {
            let mut moved = genuine.clone();
            moved[0] = kind;
            assert_dropped(side, &moved, now, &FOREIGN);
        }
        // The newest number that there is: it must not move the window.
        for sequence in [7_u64, 1000, (1 << 48) - 1] {
            let mut moved = genuine.clone();
            moved[5..11].copy_from_slice(&sequence.to_be_bytes()[2..]);
            assert_dropped(side, &moved, now, &FOREIGN);
        }
        // The header of DTLS 1.3 around it.
        for first in 0x20..0x40 {
            let mut moved = genuine.clone();
            moved[0] = first;
            let reasons = [
                DropReason::BadRecord,
                DropReason::Malformed,
                DropReason::ConnectionId,
                DropReason::ContentType,
            ];
            assert_dropped(side, &moved, now, &reasons);
        }
        assert_accepted(side, &genuine, now);
        assert_dropped(side, &genuine, now, &[DropReason::Replayed]);
    }
}

#[test]
fn a_record_of_dtls_1_3_counts_in_its_own_epoch_and_under_its_own_header_alone() {
    for from in ROLES {
        let mut pair = connected(V13);
        let genuine = data_of(&mut pair, from);
        let now = pair.now;
        let side = pair.side(other(from));
        assert_eq!(genuine[0], 0x2c | 3);
        for bits in 0..3 {
            let mut moved = genuine.clone();
            moved[0] = 0x2c | bits;
            assert_dropped(
                side,
                &moved,
                now,
                &[DropReason::Epoch, DropReason::BadRecord],
            );
        }
        // 8 bits of number, no length, a connection ID that nobody agreed on.
        for form in [0x20, 0x24, 0x28, 0x30, 0x3c] {
            let mut moved = genuine.clone();
            moved[0] = form | 3;
            assert_dropped(side, &moved, now, &FOREIGN);
        }
        for flipped in 1..genuine.len() {
            let mut moved = genuine.clone();
            moved[flipped] ^= 0x10;
            assert_dropped(side, &moved, now, &FOREIGN);
        }
        // The header of DTLS 1.2, in the epochs that there are and others.
        for epoch in [1_u16, 2, 3, 4, 0xffff] {
            for kind in [20, 21, 22, 23, 26] {
                let contents = record(ContentType(kind), epoch, 3, &genuine[5..]);
                assert_dropped(side, &contents, now, &[DropReason::Epoch]);
            }
        }
        assert_accepted(side, &genuine, now);
        assert_dropped(side, &genuine, now, &[DropReason::Replayed]);
    }
}

/// Behind the window of 256 nothing is accepted, in it everything once (RFC 9147 §4.5.1).
#[test]
fn a_record_of_dtls_1_3_is_accepted_once_and_behind_the_window_never() {
    let mut pair = connected(V13);
    let now = pair.now;
    let records: Vec<Vec<u8>> = (0..400).map(|_| data_of(&mut pair, Role::Client)).collect();
    let mut deliver = |index: usize| {
        pair.server
            .handle_datagram(&mut records[index].clone(), now);
        pair.server.poll_event().is_some()
    };
    assert!(deliver(300));
    assert!(!deliver(300), "again");
    assert!(deliver(45), "255 behind the newest");
    assert!(!deliver(44), "256 behind the newest");
    assert!(deliver(399));
    assert!(!deliver(100));
    assert!(!deliver(0));
    let dropped = pair.server.stats();
    assert_eq!(dropped.dropped(DropReason::Replayed), 4, "{dropped:?}");
}

/// Records that count, so that only the place of the message in them can be wrong.
#[test]
fn plaintext_does_not_count_where_there_are_keys() {
    for (versions, from) in [V12, V13]
        .into_iter()
        .flat_map(|v| ROLES.map(|role| (v, role)))
    {
        let mut pair = connected(versions);
        let now = pair.now;
        let side = pair.side(other(from));
        let next = 4..12_u16;
        for seq in next {
            for kind in [
                HandshakeType::CLIENT_HELLO,
                HandshakeType::SERVER_HELLO,
                HandshakeType::CERTIFICATE,
                HandshakeType::FINISHED,
                HandshakeType::KEY_UPDATE,
                HandshakeType::NEW_SESSION_TICKET,
                HandshakeType::HELLO_REQUEST,
            ] {
                let contents = message(kind, seq, &[0; 12]);
                let reasons = [
                    DropReason::PlaintextHandshake,
                    DropReason::Role,
                    DropReason::Duplicate,
                ];
                assert_dropped(side, &contents, now, &reasons);
            }
        }
        let data = record(ContentType::APPLICATION_DATA, 0, 900, b"plaintext");
        assert_dropped(side, &data, now, &[DropReason::PlaintextData]);
        let alert = record(ContentType::ALERT, 0, 900, &[2, 40]);
        assert_dropped(side, &alert, now, &[DropReason::PlaintextAlert]);
        let ack = record(ContentType::ACK, 0, 900, &[0, 0]);
        assert_dropped(side, &ack, now, &[DropReason::Ack, DropReason::ContentType]);
        pair.assert_works();
    }
}

/// A hello of one version is followed by messages as the other has them.
#[test]
fn a_flight_of_two_versions_is_of_the_one_that_its_hello_says() {
    let provider = provider();
    for (server, seqs) in [(V12, 1..8_u16), (V13, 1..6)] {
        let mut pair = pair_of([BOTH, server], &provider, |config| config);
        let mut steps = 0;
        while !pair.connected() {
            let now = pair.now;
            for seq in seqs.clone() {
                // In DTLS 1.2 plaintext in its turn is the peer's; here it is of the other.
                let kinds = if server == V12 {
                    [
                        HandshakeType::ENCRYPTED_EXTENSIONS,
                        HandshakeType::KEY_UPDATE,
                    ]
                } else {
                    [
                        HandshakeType::SERVER_KEY_EXCHANGE,
                        HandshakeType::SERVER_HELLO_DONE,
                    ]
                };
                for kind in kinds {
                    let mut forged = message(kind, seq, &[0; 4]);
                    pair.client.handle_datagram(&mut forged, now);
                }
            }
            if server == V12 {
                for first in [0x2e, 0x2f] {
                    let mut forged = vec![first, 0, 1, 0, 40];
                    forged.resize(45, 0xaa);
                    pair.client.handle_datagram(&mut forged, now);
                }
            } else {
                let mut forged = record(ContentType::HANDSHAKE, 1, 0, &[0; 48]);
                pair.client.handle_datagram(&mut forged, now);
                let mut forged = record(ContentType::CHANGE_CIPHER_SPEC, 0, 0, &[1]);
                pair.client.handle_datagram(&mut forged, now);
            }
            steps += 1;
            assert!(steps < 40, "{:?}", pair.client.stats());
            pair.run(DELAY / 5, |_, _, _| vec![DELAY], |_| false);
        }
        assert_eq!(pair.client.version(), Some(server[0]));
        assert_eq!(pair.elapsed(), if server == V12 { 4 } else { 3 } * DELAY);
        assert!(pair.client.stats().dropped_total() > 50);
        pair.settle();
        pair.assert_works();
    }
}

/// RFC 8446 §4.1.2; of DTLS 1.2, `renegotiation.rs`.
#[test]
fn a_new_handshake_under_the_keys_of_the_connection_closes_in_dtls_1_3() {
    let provider = provider();
    let mut pair = connected(V13);
    let epoch = Epoch::of(&provider, &pair, Role::Client, 3);
    let hello = handshake(HandshakeType::CLIENT_HELLO, 4, &[0; 40]);
    let now = pair.now;
    let mut contents = epoch.seal(ContentType::HANDSHAKE, 100, &hello);
    pair.server.handle_datagram(&mut contents, now);
    let mut alert = Vec::new();
    pair.server.poll_transmit(&mut alert, now).unwrap();
    let own = Epoch::of(&provider, &pair, Role::Server, 3);
    let alert = own.open(&alert).unwrap();
    assert_eq!(
        (alert.kind, &alert.contents[..]),
        (ContentType::ALERT, &[2, 10][..])
    );
}
