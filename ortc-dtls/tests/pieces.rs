//! Flights in other pieces than ours: of any size, overlapping, interleaved, backwards, with lies
//! between them; and the longest flights in the smallest datagrams.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod craft13;
mod pair;

use core::time::Duration;

use craft::record;
use craft13::{Epoch, split};
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::record::RecordHeader;
use ortc_dtls::wire::{ContentType, HandshakeType};
use ortc_dtls::{Certificate, Config, DropReason, Event, Role, Version};
use pair::{DELAY, Pair, pair_of, provider, verified};

const VERSIONS: [Version; 2] = [Version::DTLS12, Version::DTLS13];
const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// How a flight is cut.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Forwards,
    Backwards,
    /// One piece of each message in turn.
    Interleaved,
    /// Each piece begins in the middle of the one before.
    Overlapping,
    /// Each piece follows one of the same message that claims another length, one that claims
    /// another kind, one that reaches past the end, and one that has nothing.
    Lying,
}

const CUTS: [Cut; 5] = [
    Cut::Forwards,
    Cut::Backwards,
    Cut::Interleaved,
    Cut::Overlapping,
    Cut::Lying,
];

struct Message {
    kind: HandshakeType,
    seq: u16,
    body: Vec<u8>,
}

impl Message {
    fn piece(&self, start: usize, end: usize) -> Vec<u8> {
        let end = end.min(self.body.len());
        self.claim(self.kind, self.body.len(), start, &self.body[start..end])
    }

    fn claim(&self, kind: HandshakeType, length: usize, offset: usize, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Fragment {
            kind,
            length: length.try_into().unwrap(),
            message_seq: self.seq,
            offset: offset.try_into().unwrap(),
            body,
        }
        .encode(&mut out);
        out
    }

    fn pieces(&self, size: usize, cut: Cut) -> Vec<Vec<u8>> {
        let len = self.body.len();
        // Out of order, a message may have 128 pieces.
        let size = match cut {
            Cut::Forwards | Cut::Overlapping | Cut::Lying => size,
            Cut::Backwards | Cut::Interleaved => size.max(len / 128 + 1),
        };
        let mut pieces = Vec::new();
        let mut start = 0;
        loop {
            let end = start + size;
            pieces.push(match cut {
                Cut::Overlapping => self.piece(start - start.min(size / 2), end + size / 2),
                Cut::Forwards | Cut::Backwards | Cut::Interleaved | Cut::Lying => {
                    self.piece(start, end)
                }
            });
            if matches!(cut, Cut::Lying) && len > 0 {
                pieces.push(self.claim(self.kind, len + 1, len, &[7]));
                pieces.push(self.claim(HandshakeType::KEY_UPDATE, len, 0, &[7]));
                pieces.push(self.claim(self.kind, len, len - 1, &[7; 2]));
                pieces.push(self.claim(self.kind, len, 0, &[]));
            }
            start = end;
            if start >= len {
                break;
            }
        }
        if matches!(cut, Cut::Backwards) {
            pieces.reverse();
        }
        pieces
    }
}

/// The handshake records of a flight in other pieces, to be carried by records as they were.
fn recut(messages: &[Message], size: usize, cut: Cut) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = messages
        .iter()
        .map(|message| message.pieces(size, cut).into_iter())
        .collect();
    match cut {
        Cut::Interleaved => {
            let longest = all.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
            let turns = (0..longest).flat_map(|_| {
                all.iter_mut()
                    .filter_map(Iterator::next)
                    .collect::<Vec<_>>()
            });
            turns.collect()
        }
        Cut::Backwards => all.into_iter().rev().flatten().collect(),
        Cut::Forwards | Cut::Overlapping | Cut::Lying => all.into_iter().flatten().collect(),
    }
}

/// Takes the flight of one side out and hands it to the other in other pieces.
fn carry(pair: &mut Pair, from: Role, size: usize, cut: Cut) {
    let now = pair.now;
    let mut flight = Vec::new();
    while pair.side(from).poll_transmit(&mut flight, now).is_some() {}
    while let Some(event) = pair.side(from).poll_event() {
        pair.events[from as usize].push(event);
    }
    let is_of_1_3 = |event: &Event| matches!(event, Event::KeyLog(line) if line.as_str().contains("HANDSHAKE_TRAFFIC_SECRET"));
    let has_keys = pair.events.iter().flatten().any(is_of_1_3);
    let epoch = has_keys.then(|| Epoch::of(&provider(), pair, from, 2));
    // By epoch: messages in plaintext, and in DTLS 1.3 those of the handshake epoch.
    let mut messages: [Vec<Message>; 2] = [Vec::new(), Vec::new()];
    let mut others = Vec::new();
    for datagram_record in split(&flight) {
        let opened = epoch
            .as_ref()
            .and_then(|epoch| epoch.open(&datagram_record));
        let header = RecordHeader::parse(&datagram_record);
        let (protected, contents) = match (opened, header) {
            (Some(plain), _) if plain.kind == ContentType::HANDSHAKE => (1, plain.contents),
            (None, Some(header))
                if header.epoch == 0 && header.content_type == ContentType::HANDSHAKE =>
            {
                (0, datagram_record[RecordHeader::LEN..].to_vec())
            }
            _ => {
                others.push(datagram_record);
                continue;
            }
        };
        let mut rest = &contents[..];
        while !rest.is_empty() {
            let (fragment, tail) = Fragment::split(rest).unwrap();
            assert_eq!(fragment.body.len(), fragment.length as usize);
            messages[protected].push(Message {
                kind: fragment.kind,
                seq: fragment.message_seq,
                body: fragment.body.to_vec(),
            });
            rest = tail;
        }
    }
    let to = match from {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    };
    let mut sequence = 1000;
    let mut deliver = |pair: &mut Pair, mut contents: Vec<u8>| {
        sequence += 1;
        pair.side(to).handle_datagram(&mut contents, now);
        sequence
    };
    let mut number = 1000;
    for piece in recut(&messages[0], size, cut) {
        number = deliver(pair, record(ContentType::HANDSHAKE, 0, number, &piece));
    }
    // A peer that lies under its own keys is none (`authentic_fragments.rs`).
    let cut = if matches!(cut, Cut::Lying) {
        Cut::Forwards
    } else {
        cut
    };
    for piece in recut(&messages[1], size, cut) {
        let sealed = epoch.as_ref().unwrap();
        number = deliver(pair, sealed.seal(ContentType::HANDSHAKE, number, &piece));
    }
    for other in others {
        deliver(pair, other);
    }
}

#[test]
fn a_flight_may_come_in_pieces_of_any_size_order_and_overlap() {
    for version in VERSIONS {
        for cut in CUTS {
            for size in [1, 2, 7, 60, 100, 255, 1000] {
                let mut pair = pair_of([&[version]; 2], &provider(), |config| {
                    config.mtu(16_000).unwrap().key_log(true)
                });
                let flights = match version {
                    Version::DTLS13 => 3,
                    _ => 4,
                };
                for flight in 0..flights {
                    carry(&mut pair, ROLES[flight % 2], size, cut);
                }
                let now = pair.now;
                // No time has passed: nothing was sent again.
                assert!(
                    pair.run(DELAY, |_, _, _| vec![DELAY], Pair::connected),
                    "{version} {cut:?} {size}"
                );
                assert_eq!(pair.now, now, "{version} {cut:?} {size}");
                for role in ROLES {
                    let stats = pair.side(role).stats();
                    assert_eq!(stats.retransmissions, 0);
                    if matches!(cut, Cut::Lying) {
                        let lies =
                            stats.dropped(DropReason::Fragment) + stats.dropped(DropReason::Role);
                        // In DTLS 1.3 about the hellos alone.
                        let least = if version == Version::DTLS13 { 2 } else { 4 };
                        assert!(lies >= least, "{stats:?}");
                    }
                }
                pair.settle();
                pair.assert_works();
            }
        }
    }
}

/// The longest flight that a server of today sends: four certificates of 4096 bits, in datagrams
/// of 256 octets; and every datagram of it lost once.
#[test]
fn a_chain_of_long_certificates_goes_through_the_smallest_datagrams() {
    let provider = provider();
    let key = include_bytes!("data/rsa4096.key.der");
    let der = include_bytes!("data/rsa4096.certificate.der");
    let long = Certificate::from_chain(&[der, der, der, der], key, &provider).unwrap();
    let short = Certificate::generate(&provider).unwrap();
    for version in VERSIONS {
        let make = |certificate: &Certificate, mtu| {
            let config = Config::new(certificate.clone(), provider.clone());
            config.versions(&[version]).unwrap().mtu(mtu).unwrap()
        };
        let run = |lost: Option<usize>, mtu| {
            let [client, server] = verified(make(&short, mtu), make(&long, mtu), [&short, &long]);
            let mut pair = Pair::new(client, server);
            let path = |index, _, _: &[u8]| {
                if lost == Some(index) {
                    vec![]
                } else {
                    vec![DELAY]
                }
            };
            let limit = Duration::from_secs(5);
            assert!(
                pair.run(limit, path, Pair::connected),
                "{version} {lost:?} {:?}",
                pair.events
            );
            assert!(pair.sent.iter().all(|(_, contents)| contents.len() <= mtu));
            pair
        };
        for mtu in [256, 576, 1200, 1500] {
            let mut pair = run(None, mtu);
            pair.settle();
            pair.assert_works();
            let most =
                [pair.client.stats(), pair.server.stats()].map(|stats| stats.retransmissions);
            assert_eq!(most, [0, 0], "{version} {mtu}");
            assert_eq!(pair.client.peer_certificate_der(), Some(&der[..]));
        }
        let clean = run(None, 256);
        let count = clean.sent.len();
        assert!(count > 25, "{count}");
        for lost in 0..count {
            let mut pair = run(Some(lost), 256);
            assert!(
                pair.elapsed() <= clean.elapsed() + Duration::from_millis(50),
                "{version} {lost}"
            );
            pair.settle();
            pair.assert_works();
        }
    }
}

/// A fragment of what never comes, with every number and of every kind, before each step. Only what
/// is complete can do harm; the rest costs a repetition where it came before its turn.
#[test]
fn whoever_is_first_with_a_fragment_does_not_keep_its_message_out() {
    const KINDS: [HandshakeType; 9] = [
        HandshakeType::CLIENT_HELLO,
        HandshakeType::SERVER_HELLO,
        HandshakeType::CERTIFICATE,
        HandshakeType::SERVER_KEY_EXCHANGE,
        HandshakeType::CERTIFICATE_REQUEST,
        HandshakeType::SERVER_HELLO_DONE,
        HandshakeType::CLIENT_KEY_EXCHANGE,
        HandshakeType::CERTIFICATE_VERIFY,
        HandshakeType::FINISHED,
    ];
    let provider = provider();
    let versions: [&[Version]; 3] = [
        &[Version::DTLS12],
        &[Version::DTLS13],
        &[Version::DTLS13, Version::DTLS12],
    ];
    for versions in versions {
        for (mtu, to) in [256, 1200]
            .into_iter()
            .flat_map(|mtu| [(mtu, Role::Client), (mtu, Role::Server)])
        {
            let mut pair = pair_of([versions; 2], &provider, |config| config.mtu(mtu).unwrap());
            while !pair.connected() {
                let now = pair.now;
                for kind in KINDS {
                    for message_seq in 0..10 {
                        let fragment = Fragment {
                            kind,
                            length: 3001,
                            message_seq,
                            offset: 1000,
                            body: &[0xaa; 20],
                        };
                        let mut forged = craft::fragment(9, &fragment);
                        pair.side(to).handle_datagram(&mut forged, now);
                    }
                }
                assert!(pair.side(to).held_octets() <= 9 * 20, "{versions:?} {to:?}");
                let what = format!("{versions:?} {mtu} {to:?} {:?}", pair.side(to).stats());
                assert!(pair.elapsed() < Duration::from_secs(1), "{what}");
                pair.run(Duration::from_millis(5), |_, _, _| vec![DELAY], |_| false);
            }
            pair.assert_works();
        }
    }
}
