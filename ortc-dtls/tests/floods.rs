//! A million fragments and junk records, before a handshake, in the middle of one and after it:
//! after the first few nothing is taken from the heap that is not given back, each of them is
//! counted, and the connection works.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod pair;

use core::time::Duration;
use std::time::Instant;

use allocation_counter::measure;
use craft::{ack, message, record};
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::{ContentType, HandshakeType};
use ortc_dtls::{Endpoint, Role, Version};
use pair::{DELAY, Pair, pair_of, provider};

const VERSIONS: [&[Version]; 2] = [&[Version::DTLS12], &[Version::DTLS13]];
const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// Records of all floods on one connection.
const MILLION: u32 = 1_000_000;

/// One octet of a message that is never completed.
fn fragment(kind: HandshakeType, length: u32) -> Vec<u8> {
    let fragment = Fragment {
        kind,
        length,
        message_seq: 0,
        offset: 0,
        body: &[1],
    };
    craft::fragment(0, &fragment)
}

/// A datagram of each kind of flood; `round` is written over some of its octets.
fn kinds() -> Vec<(&'static str, Vec<u8>)> {
    let mut sealed = vec![0x2e, 0, 0, 0, 60];
    sealed.resize(65, 0xaa);
    let mut bare = vec![0x23, 0];
    bare.resize(40, 0xaa);
    let acknowledged: Vec<(u64, u64)> = (0..50).map(|number| (0, number)).collect();
    let (data, handshake) = (ContentType::APPLICATION_DATA, ContentType::HANDSHAKE);
    let request = HandshakeType::HELLO_REQUEST;
    vec![
        ("fragments", fragment(HandshakeType::CERTIFICATE, 16_000)),
        ("hellos", fragment(HandshakeType::CLIENT_HELLO, 4_000)),
        ("requests", fragment(request, 1)),
        ("whole requests", message(request, 0, &[])),
        ("sealed, 1.2", record(data, 1, 0, &[0xaa; 400])),
        ("sealed handshake", record(handshake, 1, 0, &[0xaa; 90])),
        ("sealed, later epoch", record(data, 7, 0, &[0xaa; 40])),
        ("sealed, 1.3", sealed),
        ("sealed, 1.3, short header", bare),
        ("alerts", record(ContentType::ALERT, 0, 0, &[2, 40])),
        ("data", record(data, 0, 0, b"plaintext")),
        (
            "acknowledgements",
            record(ContentType::ACK, 0, 0, &ack(&acknowledged)),
        ),
        (
            "empty acknowledgements",
            record(ContentType::ACK, 0, 0, &ack(&[])),
        ),
        ("junk", vec![0xff; 40]),
    ]
}

/// Who sends them.
struct Stranger {
    kinds: Vec<(&'static str, Vec<u8>)>,
    copy: Vec<u8>,
    answer: Vec<u8>,
}

impl Stranger {
    fn new() -> Self {
        Self {
            kinds: kinds(),
            copy: Vec::with_capacity(1024),
            answer: Vec::with_capacity(1024),
        }
    }

    /// Sends a datagram of each kind so many times, each time another one.
    fn flood(&mut self, side: &mut Endpoint, rounds: u32, now: Instant) {
        for round in 0..rounds {
            let [_, _, high, low] = round.to_be_bytes();
            for (name, datagram) in &mut self.kinds {
                // The number of the record, and of fragments the place in the handshake as well.
                if let Some(number) = datagram.get_mut(9..11) {
                    number.copy_from_slice(&[high, low]);
                }
                if matches!(*name, "fragments" | "hellos" | "requests")
                    && let Some(place) = datagram.get_mut(17..22)
                {
                    place.copy_from_slice(&[0, low % 12, 0, high, low]);
                }
                self.copy.clear();
                self.copy.extend_from_slice(datagram);
                side.handle_datagram(&mut self.copy, now);
            }
            self.answer.clear();
            side.poll_transmit(&mut self.answer, now);
        }
    }
}

/// Nothing stays of a flood, and everything in it is counted.
fn assert_flood_leaves_nothing(pair: &mut Pair, rounds: u32, what: &str) {
    let now = pair.now;
    let mut stranger = Stranger::new();
    for role in ROLES {
        let side = pair.side(role);
        // Until every place that there is has been taken: eight messages in 128 pieces, and the next
        // of them once more.
        stranger.flood(side, 4000, now);
        let before = side.stats();
        let taken = measure(|| stranger.flood(side, rounds, now));
        assert_eq!(taken.bytes_current, 0, "{what} {role:?} {taken:?}");
        assert_eq!(taken.count_current, 0, "{what} {role:?} {taken:?}");
        assert!(taken.bytes_max < 1024, "{what} {role:?} {taken:?}");
        let after = side.stats();
        let counted = after.dropped_total() - before.dropped_total();
        let repeated = after.retransmissions - before.retransmissions;
        let sent = u64::from(rounds) * kinds().len() as u64;
        assert!(counted + repeated >= sent, "{what} {role:?} {after:?}");
        assert!(repeated <= 1, "no time passes");
        assert!(side.held_octets() <= 16 * 1024 + 9 * 128, "{what} {role:?}");
        assert_eq!(side.poll_event(), None);
    }
}

/// The usual pair, in small datagrams.
fn fragmented(versions: &[Version]) -> Pair {
    pair_of([versions; 2], &provider(), |config| {
        config.mtu(256).unwrap()
    })
}

#[test]
fn a_million_records_of_a_stranger_leave_nothing() {
    let rounds = MILLION / u32::try_from(kinds().len()).unwrap() / 5;
    for versions in VERSIONS {
        // Nothing has arrived on either side; the hello is on its way.
        let mut pair = fragmented(versions);
        pair.transmit(&mut |_, _, _: &[u8]| vec![DELAY]);
        assert_flood_leaves_nothing(&mut pair, rounds, "before");

        // The server's flight, or the client's that answers it, has arrived but for its end; it is
        // repeated.
        for (lost, trips) in [(3, 2), (5, 3)] {
            let mut pair = fragmented(versions);
            let path = |index: usize, _, _: &[u8]| {
                if index == lost { vec![] } else { vec![DELAY] }
            };
            pair.run(trips * DELAY, path, |_| false);
            assert!(!pair.connected());
            assert!(pair.sent.len() > lost);
            let what = format!("amid, without {lost}");
            assert_flood_leaves_nothing(&mut pair, rounds, &what);
            let limit = Duration::from_secs(9);
            assert!(pair.run(limit, |_, _, _| vec![DELAY], Pair::connected));
            pair.assert_works();
        }

        let mut pair = fragmented(versions);
        assert!(pair.connect());
        pair.settle();
        assert_flood_leaves_nothing(&mut pair, 2 * rounds, "after");
        pair.assert_works();
        for role in ROLES {
            assert_eq!(pair.side(role).held_octets(), 0);
        }
    }
}
