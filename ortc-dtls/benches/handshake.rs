//! A full mutual handshake beside its asymmetric operations, and records beside the bare AEAD.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a benchmark: one arbitrary instant, and what fails ends it"
)]

use core::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ortc_dtls::crypto::{AeadAlgorithm, Provider, SignatureScheme, ring_provider};
use ortc_dtls::wire::NamedGroup;
use ortc_dtls::{
    Certificate, CertificateConfig, Config, Endpoint, Event, HashAlgorithm, Role, Version,
    subject_public_key,
};

const GROUPS: [NamedGroup; 2] = [NamedGroup::X25519, NamedGroup::SECP256R1];

const VERSIONS: [Version; 2] = [Version::DTLS12, Version::DTLS13];

fn configs(provider: &Arc<dyn Provider>, group: NamedGroup, version: Version) -> [Arc<Config>; 2] {
    let certificates = [(); 2].map(|()| Certificate::generate(provider).unwrap());
    [0, 1].map(|me: usize| {
        let peer = certificates[1 - me].fingerprint(HashAlgorithm::Sha256);
        let config = Config::new(certificates[me].clone(), provider.clone())
            .groups(vec![group])
            .unwrap()
            .versions(&[version])
            .unwrap()
            .expected_fingerprints(vec![peer]);
        Arc::new(config)
    })
}

/// Both sides, from nothing to connected; `datagram` is the only buffer.
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
                assert_eq!(event, Event::Connected);
                connected += 1;
            }
        }
    }
    sides
}

fn handshake(criterion: &mut Criterion) {
    let provider = ring_provider();
    let now = Instant::now();
    let mut group = criterion.benchmark_group("handshake, both sides");
    for name in GROUPS {
        for version in VERSIONS {
            let configs = configs(&provider, name, version);
            let mut datagram = Vec::with_capacity(2048);
            group.bench_function(format!("{version}, {name}"), |bencher| {
                bencher.iter(|| black_box(connect(&configs, now, &mut datagram)));
            });
        }

        let (certificate, key) =
            Certificate::generate_with(&provider, &CertificateConfig::default()).unwrap();
        let key = provider.load_signing_key(&key).unwrap();
        let scheme = SignatureScheme::ECDSA_SHA256;
        group.bench_function(
            format!("{name}: key exchange and signatures alone"),
            |bencher| {
                bencher.iter(|| {
                    let [a, b] = [(); 2].map(|()| provider.generate_key_exchange(name).unwrap());
                    let publics = [a.public_key().to_vec(), b.public_key().to_vec()];
                    black_box((a.agree(&publics[1]).unwrap(), b.agree(&publics[0]).unwrap()));
                    for public in &publics {
                        let signature = key.sign(scheme, public).unwrap();
                        let key = subject_public_key(certificate.der()).unwrap();
                        provider.verify(scheme, key, public, &signature).unwrap();
                    }
                });
            },
        );
    }
    group.finish();
}

fn records(criterion: &mut Criterion) {
    let provider = ring_provider();
    let now = Instant::now();
    let mut datagram = Vec::with_capacity(2048);
    let payload = [7; 1200 - 13 - 8 - 16];
    let mut group = criterion.benchmark_group("record of 1200 octets, AES-128-GCM");
    group.throughput(Throughput::Bytes(1200));
    for version in VERSIONS {
        let configs = configs(&provider, NamedGroup::X25519, version);
        let [mut client, _] = connect(&configs, now, &mut datagram);
        group.bench_function(format!("{version}: send"), |bencher| {
            bencher.iter(|| {
                datagram.clear();
                client.send(&payload, now).unwrap();
                client.poll_transmit(&mut datagram, now).unwrap()
            });
        });
        // What was sent above never came: the receiver could not follow the numbers.
        let [mut client, mut server] = connect(&configs, now, &mut datagram);
        group.bench_function(format!("{version}: receive"), |bencher| {
            bencher.iter_batched_ref(
                || {
                    let mut contents = Vec::with_capacity(1200);
                    client.send(&payload, now).unwrap();
                    client.poll_transmit(&mut contents, now).unwrap();
                    contents
                },
                |contents| {
                    server.handle_datagram(contents, now);
                    server.poll_event().unwrap()
                },
                BatchSize::SmallInput,
            );
        });
    }
    let key = provider.aead(AeadAlgorithm::Aes128Gcm, &[1; 16]).unwrap();
    let mut contents = payload;
    group.bench_function("bare seal", |bencher| {
        bencher.iter(|| key.seal([1; 12], &[2; 13], &mut contents).unwrap());
    });
    let tag = key.seal([1; 12], &[2; 13], &mut contents).unwrap();
    group.bench_function("bare open", |bencher| {
        bencher.iter_batched_ref(
            || contents,
            |contents| key.open([1; 12], &[2; 13], contents, &tag).unwrap(),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, handshake, records);
criterion_main!(benches);
