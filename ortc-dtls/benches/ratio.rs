//! A record of 1200 octets, sent and received, against the bare AEAD that seals and opens the same
//! octets in place; a handshake of both sides against its key exchange and signatures: the guard on
//! what everything else costs.
//!
//! Both run in turn, in short batches, and the fastest batch of each counts, so that the quotient
//! holds on a busy machine as well. `cargo bench -p ortc-dtls --bench ratio` fails above either limit;
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

use ortc_dtls::crypto::{
    AeadAlgorithm, AeadKey, NamedGroup, SignatureScheme, SigningKey, ring_provider,
};
use ortc_dtls::{
    Certificate, CertificateConfig, CipherSuite, Config, Endpoint, Event, HashAlgorithm, Role,
    Version, subject_public_key,
};

/// What a record may cost, in units of the AEAD.
const LIMIT: f64 = 1.25;
/// What a handshake of both sides may cost besides its key exchange and signatures, in microseconds.
const MOST_OVER: f64 = 25.0;
/// Octets of a record.
const RECORD: usize = 1200;
/// Runs of one batch, and batches.
const BATCH: u32 = 200;
const BATCHES: u32 = 2000;
/// The same of handshakes.
const HANDSHAKES: u32 = 5;
const HANDSHAKE_BATCHES: u32 = 400;

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
            let times = [
                time(BATCH, || connection.run()),
                time(BATCH, || floor.run()),
            ];
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
    let most_over = if only.is_some() { 0.0 } else { handshakes() };
    if worst > LIMIT || most_over > MOST_OVER {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn time(count: u32, mut run: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        run();
    }
    start.elapsed()
}

/// Microseconds that the slowest kind of handshake takes besides what it cannot avoid.
fn handshakes() -> f64 {
    let provider = ring_provider();
    let config = CertificateConfig::default();
    let (certificate, key) = Certificate::generate_with(&provider, &config).unwrap();
    let key = provider.load_signing_key(&key).unwrap();
    let mut worst: f64 = 0.0;
    for (version, suite, _) in [KINDS[0], KINDS[2]] {
        for group in [NamedGroup::X25519, NamedGroup::SECP256R1] {
            let configs = configs(version, suite, group);
            let mut datagram = Vec::with_capacity(2 * RECORD);
            let now = Instant::now();
            let mut best = [Duration::MAX; 2];
            for _ in 0..HANDSHAKE_BATCHES {
                let times = [
                    time(HANDSHAKES, || {
                        black_box(connect(&configs, now, &mut datagram));
                    }),
                    time(HANDSHAKES, || unavoidable(group, &*key, certificate.der())),
                ];
                for (best, time) in best.iter_mut().zip(times) {
                    *best = time.min(*best);
                }
            }
            let [all, floor] = best.map(|time| time.as_secs_f64() / f64::from(HANDSHAKES) * 1e6);
            let over = all - floor;
            println!(
                "{version}, {group}: floor {floor:.0} us, handshake {all:.0} us, over it {over:.1} us (limit {MOST_OVER})"
            );
            worst = worst.max(over);
        }
    }
    worst
}

/// Two key pairs, two agreements, two signatures made and two verified.
fn unavoidable(group: NamedGroup, key: &dyn SigningKey, certificate: &[u8]) {
    let provider = ring_provider();
    let [a, b] = [(); 2].map(|()| provider.generate_key_exchange(group).unwrap());
    let publics = [a.public_key().to_vec(), b.public_key().to_vec()];
    black_box((a.agree(&publics[1]).unwrap(), b.agree(&publics[0]).unwrap()));
    let scheme = SignatureScheme::ECDSA_SHA256;
    for public in &publics {
        let signature = key.sign(scheme, public).unwrap();
        let key = subject_public_key(certificate).unwrap();
        provider.verify(scheme, key, public, &signature).unwrap();
    }
}

fn configs(version: Version, suite: CipherSuite, group: NamedGroup) -> [Arc<Config>; 2] {
    let provider = ring_provider();
    let certificates = [(); 2].map(|()| Certificate::generate(&provider).unwrap());
    [0, 1].map(|me: usize| {
        let peer = certificates[1 - me].fingerprint(HashAlgorithm::Sha256);
        let config = Config::new(certificates[me].clone(), provider.clone())
            .versions(&[version])
            .unwrap()
            .cipher_suites(vec![suite])
            .unwrap()
            .groups(vec![group])
            .unwrap()
            .expected_fingerprints(vec![peer]);
        Arc::new(config)
    })
}

fn connect(configs: &[Arc<Config>; 2], now: Instant, datagram: &mut Vec<u8>) -> [Endpoint; 2] {
    let mut sides = [Role::Client, Role::Server]
        .map(|role| Endpoint::new(configs[role as usize].clone(), role, now));
    let mut connected = 0;
    while connected < 2 {
        for (from, to) in [(0, 1), (1, 0)] {
            datagram.clear();
            while sides[from].poll_transmit(datagram, now).is_some() {
                sides[to].handle_datagram(datagram, now);
                datagram.clear();
            }
            while let Some(event) = sides[from].poll_event() {
                connected += u32::from(event == Event::Connected);
            }
        }
    }
    datagram.clear();
    sides
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
        let configs = configs(version, suite, NamedGroup::X25519);
        let mut datagram = Vec::with_capacity(2 * RECORD);
        let mut sides = connect(&configs, now, &mut datagram);
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
