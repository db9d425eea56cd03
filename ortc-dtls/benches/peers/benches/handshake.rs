//! Full mutual handshakes with ECDSA on P-256 on both sides, and records of 1200 octets: ours, beside
//! `dimpl` and BoringSSL, and beside their asymmetric operations alone.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ortc_dtls::crypto::{NamedGroup, Provider, SignatureScheme, aws_lc_rs_provider, ring_provider};
use ortc_dtls::{Certificate, CertificateConfig, Config, HashAlgorithm, Role, subject_public_key};
use ortc_dtls_peers::{BoringSsl, Dimpl, MTU, Ours, Side, Version, carry, connect};

/// Time of this thread on a processor: what else the machine does changes little.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = ThreadTime;
    type Value = Duration;

    fn start(&self) -> ThreadTime {
        ThreadTime::now()
    }

    fn end(&self, started: ThreadTime) -> Duration {
        started.elapsed()
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

const ROLES: [Role; 2] = [Role::Client, Role::Server];

type Pair = [Box<dyn Side>; 2];

fn ours(
    version: Version,
    provider: &Arc<dyn Provider>,
    group: NamedGroup,
    now: Instant,
) -> impl Fn() -> Pair + use<> {
    let certificates = [(); 2].map(|()| Certificate::generate(provider).unwrap());
    let configs = [0, 1].map(|me: usize| {
        let peer = certificates[1 - me].fingerprint(HashAlgorithm::Sha256);
        let config = Config::new(certificates[me].clone(), provider.clone())
            .groups(vec![group])
            .unwrap()
            .versions(&[version])
            .unwrap();
        Arc::new(config.expected_fingerprints(vec![peer]))
    });
    move || {
        ROLES.map(|role| {
            let config = configs[role as usize].clone();
            Box::new(Ours::new(config, role, now)) as Box<dyn Side>
        })
    }
}

fn drawn() -> (Vec<u8>, Vec<u8>) {
    let provider = ring_provider();
    let made = Certificate::generate_with(&provider, &CertificateConfig::default());
    let (certificate, key) = made.unwrap();
    (certificate.der().to_vec(), key.to_vec())
}

fn dimpl(version: Version, group: dimpl::NamedGroup, now: Instant) -> impl Fn() -> Pair {
    let certificates = [(); 2].map(|()| {
        let (certificate, private_key) = drawn();
        dimpl::DtlsCertificate {
            certificate,
            private_key,
        }
    });
    let config = dimpl::Config::builder().kx_groups(&[group]).mtu(MTU);
    // We send no HelloVerifyRequest and no HelloRetryRequest for a cookie either.
    let config = Arc::new(config.use_server_cookie(false).build().unwrap());
    move || {
        ROLES.map(|role| {
            let certificate = certificates[role as usize].clone();
            Box::new(Dimpl::new(config.clone(), version, certificate, role, now)) as Box<dyn Side>
        })
    }
}

fn boring(version: Version, group: &str) -> impl Fn() -> Pair + use<> {
    let contexts = ROLES.map(|_| {
        let (certificate, key) = drawn();
        BoringSsl::context(version, &certificate, &key, group).build()
    });
    move || {
        ROLES.map(|role| {
            Box::new(BoringSsl::new(&contexts[role as usize], role, MTU)) as Box<dyn Side>
        })
    }
}

/// The key exchange and the two signatures, made and verified.
fn floor(provider: &Arc<dyn Provider>, group: NamedGroup) -> impl Fn() + use<> {
    let (certificate, key) = drawn();
    let key = provider.load_signing_key(&key).unwrap();
    let provider = provider.clone();
    move || {
        let client = provider.generate_key_exchange(group).unwrap();
        let (share, secret) = provider.encapsulate(group, client.public_key()).unwrap();
        assert_eq!(client.agree(&share).unwrap(), secret);
        for _ in 0..2 {
            let scheme = SignatureScheme::ECDSA_SHA256;
            let signature = key.sign(scheme, &share).unwrap();
            let key = subject_public_key(&certificate).unwrap();
            provider.verify(scheme, key, &share, &signature).unwrap();
        }
    }
}

fn handshake(criterion: &mut Criterion<CpuTime>) {
    let now = Instant::now();
    let mut buffer = Vec::with_capacity(2 * MTU);
    let mut group = criterion.benchmark_group("handshake");
    let mut run = |name: &str, make: &dyn Fn() -> Pair| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let [mut client, mut server] = make();
                connect(&mut *client, &mut *server, &mut buffer);
                black_box((client, server))
            });
        });
    };
    for (name, provider) in [
        ("ring", ring_provider()),
        ("aws-lc-rs", aws_lc_rs_provider()),
    ] {
        for (version, text, group) in [
            (Version::DTLS12, "1.2", NamedGroup::X25519),
            (Version::DTLS12, "1.2", NamedGroup::SECP256R1),
            (Version::DTLS13, "1.3", NamedGroup::X25519),
            (Version::DTLS13, "1.3", NamedGroup::X25519MLKEM768),
        ] {
            run(
                &format!("{text} {group} ortc-dtls, {name}"),
                &ours(version, &provider, group, now),
            );
        }
    }
    for (name, group) in [
        ("x25519", dimpl::NamedGroup::X25519),
        ("secp256r1", dimpl::NamedGroup::Secp256r1),
    ] {
        run(
            &format!("1.2 {name} dimpl, aws-lc-rs"),
            &dimpl(Version::DTLS12, group, now),
        );
    }
    run(
        "1.3 x25519 dimpl, aws-lc-rs",
        &dimpl(Version::DTLS13, dimpl::NamedGroup::X25519, now),
    );
    for (name, group) in [("x25519", "X25519:P-256"), ("secp256r1", "P-256")] {
        run(
            &format!("1.2 {name} BoringSSL"),
            &boring(Version::DTLS12, group),
        );
    }
    run("1.3 x25519 BoringSSL", &boring(Version::DTLS13, "X25519"));
    run(
        "1.3 X25519MLKEM768 BoringSSL",
        &boring(Version::DTLS13, "X25519MLKEM768"),
    );
    group.finish();

    let mut group = criterion.benchmark_group("key exchange and signatures alone");
    for (name, provider) in [
        ("ring", ring_provider()),
        ("aws-lc-rs", aws_lc_rs_provider()),
    ] {
        for kind in [
            NamedGroup::X25519,
            NamedGroup::SECP256R1,
            NamedGroup::X25519MLKEM768,
        ] {
            let floor = floor(&provider, kind);
            group.bench_function(format!("{kind}, {name}"), |bencher| bencher.iter(&floor));
        }
    }
    group.finish();
}

fn records(criterion: &mut Criterion<CpuTime>) {
    let now = Instant::now();
    let mut buffer = Vec::with_capacity(2 * MTU);
    let mut group = criterion.benchmark_group("record of 1200 octets there and taken out");
    group.throughput(Throughput::Bytes(1200));
    let payload = [7; MTU - 13 - 8 - 16];
    let mut received = Vec::with_capacity(MTU);
    let mut run = |name: &str, [mut client, mut server]: Pair| {
        connect(&mut *client, &mut *server, &mut buffer);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                client.send(&payload);
                carry(&mut *client, &mut *server, &mut buffer);
                // What a peer hands out when it is polled for datagrams.
                carry(&mut *server, &mut *client, &mut buffer);
                received.clear();
                assert!(server.take(&mut received));
            });
        });
    };
    let x25519 = NamedGroup::X25519;
    run(
        "1.2 ortc-dtls, ring",
        ours(Version::DTLS12, &ring_provider(), x25519, now)(),
    );
    run(
        "1.2 ortc-dtls, aws-lc-rs",
        ours(Version::DTLS12, &aws_lc_rs_provider(), x25519, now)(),
    );
    run(
        "1.2 dimpl, aws-lc-rs",
        dimpl(Version::DTLS12, dimpl::NamedGroup::X25519, now)(),
    );
    run("1.2 BoringSSL", boring(Version::DTLS12, "X25519:P-256")());
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = handshake, records
}
criterion_main!(benches);
