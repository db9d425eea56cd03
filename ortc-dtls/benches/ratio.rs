//! A record of 1200 octets, sent and received, against the bare AEAD that seals and opens the same
//! octets in place: the guard on what everything else costs.
//!
//! Both run in turn, in short batches, and the fastest batch of each counts, so that the quotient
//! holds on a busy machine as well. `cargo bench -p ortc-dtls --bench ratio` fails above the limit;
//! with `-- --only 1000` it runs nothing but that many records of each kind, for a counter of
//! instructions (`valgrind --tool=callgrind`).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a bench that cannot be set up has to stop, and it measures time"
)]

use core::hint::black_box;
use core::time::Duration;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::crypto::{AeadAlgorithm, AeadKey, ring_provider};
use ortc_dtls::{Certificate, CipherSuite, Config, Endpoint, Event, HashAlgorithm, Role, Version};

/// What a record may cost, in units of the AEAD.
const LIMIT: f64 = 1.25;
/// Octets of a record.
const RECORD: usize = 1200;
/// Runs of one batch, and batches.
const BATCH: u32 = 200;
const BATCHES: u32 = 2000;

const KINDS: [(Version, CipherSuite, AeadAlgorithm); 4] = [
    (
        Version::DTLS12,
        CipherSuite::ECDHE_ECDSA_AES_128_GCM,
        AeadAlgorithm::Aes128Gcm,
    ),
    (
        Version::DTLS12,
        CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305,
        AeadAlgorithm::ChaCha20Poly1305,
    ),
    (
        Version::DTLS13,
        CipherSuite::AES_128_GCM_SHA256,
        AeadAlgorithm::Aes128Gcm,
    ),
    (
        Version::DTLS13,
        CipherSuite::CHACHA20_POLY1305_SHA256,
        AeadAlgorithm::ChaCha20Poly1305,
    ),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--only");
    let only = arguments.nth(1).and_then(|count| count.parse::<u32>().ok());
    let mut worst: f64 = 0.0;
    for (version, suite, algorithm) in KINDS {
        let mut connection = Connection::new(version, suite);
        if let Some(count) = only {
            (0..count).for_each(|_| connection.run());
            continue;
        }
        let mut floor = Floor::new(algorithm, connection.payload.len());
        let mut best = [Duration::MAX; 2];
        for _ in 0..BATCHES {
            let times = [time(|| connection.run()), time(|| floor.run())];
            for (best, time) in best.iter_mut().zip(times) {
                *best = time.min(*best);
            }
        }
        let [record, floor] = best.map(|time| time.as_secs_f64() / f64::from(BATCH) * 1e9);
        let ratio = record / floor;
        println!(
            "{version}, {algorithm:?}: floor {floor:.0} ns, record {record:.0} ns, ratio {ratio:.2} (limit {LIMIT})"
        );
        worst = worst.max(ratio);
    }
    if worst > LIMIT {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn time(mut run: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..BATCH {
        run();
    }
    start.elapsed()
}

/// Two endpoints that are connected, and what one sends to the other.
struct Connection {
    sides: [Endpoint; 2],
    now: Instant,
    datagram: Vec<u8>,
    payload: Vec<u8>,
}

impl Connection {
    fn new(version: Version, suite: CipherSuite) -> Self {
        let now = Instant::now();
        let provider = ring_provider();
        let certificates = [(); 2].map(|()| Certificate::generate(&provider).unwrap());
        let mut sides = [(Role::Client, 0, 1), (Role::Server, 1, 0)].map(|(role, own, peer)| {
            let peer = certificates[peer].fingerprint(HashAlgorithm::Sha256);
            let config = Config::new(certificates[own].clone(), provider.clone())
                .versions(&[version])
                .unwrap()
                .cipher_suites(vec![suite])
                .unwrap()
                .expected_fingerprints(vec![peer]);
            Endpoint::new(Arc::new(config), role, now)
        });
        let mut datagram = Vec::with_capacity(2 * RECORD);
        let mut connected = 0;
        while connected < 2 {
            for (from, to) in [(0, 1), (1, 0)] {
                datagram.clear();
                while sides[from].poll_transmit(&mut datagram, now).is_some() {
                    sides[to].handle_datagram(&mut datagram, now);
                    datagram.clear();
                }
                while let Some(event) = sides[from].poll_event() {
                    connected += u32::from(event == Event::Connected);
                }
            }
        }
        // As many as make one record of this length: an empty one tells the rest.
        sides[0].send(&[], now).unwrap();
        let rest = sides[0].poll_transmit(&mut datagram, now).unwrap();
        sides[1].handle_datagram(&mut datagram, now);
        sides[1].poll_event().unwrap();
        Self {
            sides,
            now,
            datagram,
            payload: vec![7; RECORD - rest],
        }
    }

    fn run(&mut self) {
        let [client, server] = &mut self.sides;
        self.datagram.clear();
        client.send(&self.payload, self.now).unwrap();
        let len = client.poll_transmit(&mut self.datagram, self.now);
        assert_eq!(len, Some(RECORD));
        server.handle_datagram(&mut self.datagram, self.now);
        let event = server.poll_event();
        assert!(matches!(event, Some(Event::ApplicationData(_))));
        black_box(event);
    }
}

/// The same octets through the AEAD.
struct Floor {
    key: Box<dyn AeadKey>,
    contents: Vec<u8>,
    sequence: u64,
}

impl Floor {
    fn new(algorithm: AeadAlgorithm, len: usize) -> Self {
        let key = vec![1; algorithm.key_len()];
        Self {
            key: ring_provider().aead(algorithm, &key).unwrap(),
            contents: vec![7; len],
            sequence: 0,
        }
    }

    fn run(&mut self) {
        self.sequence += 1;
        let mut nonce = [1; 12];
        nonce[4..].copy_from_slice(&self.sequence.to_be_bytes());
        let (additional, contents) = (&[2; 13], &mut self.contents[..]);
        let tag = self
            .key
            .seal(nonce, additional, black_box(contents))
            .unwrap();
        self.key
            .open(nonce, additional, black_box(contents), &tag)
            .unwrap();
    }
}
