//! Full mutual handshakes with ECDSA on P-256 on both sides, and records of 1200 octets: ours
//! beside `dimpl` and BoringSSL, each beside its own primitives alone, in one run.
//!
//! All take turns in batches, on the clock of this thread, and the fastest batch of each
//! counts, so that the differences hold on a busy machine as well. The floor of a handshake is what
//! it cannot avoid: both key pairs and both agreements of the key exchange, two signatures made and
//! two verified, with the keys of the certificates read from DER. Each implementation is measured
//! against the floor of its own library, called as directly as that allows.
//!
//! `cargo bench` in this folder prints the tables and fails when ours costs more over its floor
//! than another on the same line, or in all more than one that computes with the same library;
//! `-- --rounds 500` for a steadier result, the default is 100.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark: one arbitrary instant"
)]

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use ortc_dtls::crypto::{
    AeadAlgorithm, AeadKey, NamedGroup, Provider, SignatureScheme, aws_lc_rs_provider,
    ring_provider,
};
use ortc_dtls::{Certificate, CertificateConfig, Config, HashAlgorithm, Role, subject_public_key};
use ortc_dtls_peers::{BoringFloor, BoringSsl, Dimpl, MTU, Ours, Side, Version, carry, connect};

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const GROUPS: [NamedGroup; 3] = [
    NamedGroup::X25519,
    NamedGroup::SECP256R1,
    NamedGroup::X25519MLKEM768,
];
/// Runs of one batch: enough that what the others left in the caches costs little of it.
const BATCH: u32 = 40;

type Pair = [Box<dyn Side>; 2];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--rounds");
    let rounds = arguments
        .nth(1)
        .map_or(100, |rounds| rounds.parse().unwrap());
    let handshakes = handshakes(rounds);
    let records = records(rounds);
    if handshakes && records {
        ExitCode::SUCCESS
    } else {
        println!("ours is not ahead everywhere");
        ExitCode::FAILURE
    }
}

/// Something that is measured.
struct Runner<'a> {
    name: &'static str,
    /// What it computes with.
    library: &'static str,
    run: Box<dyn FnMut() + 'a>,
    floor: Box<dyn FnMut() + 'a>,
    best: [Duration; 2],
}

impl<'a> Runner<'a> {
    fn new(
        name: &'static str,
        library: &'static str,
        run: impl FnMut() + 'a,
        floor: impl FnMut() + 'a,
    ) -> Self {
        Self {
            name,
            library,
            run: Box::new(run),
            floor: Box::new(floor),
            best: [Duration::MAX; 2],
        }
    }

    /// In all, the floor, the difference.
    fn micros(&self, batch: u32) -> [f64; 3] {
        let [total, floor] = (self.best).map(|time| time.as_secs_f64() * 1e6 / f64::from(batch));
        [total, floor, total - floor]
    }
}

/// Measures these in turn, prints a line of each, and says whether ours are ahead of the others.
fn compare(title: &str, mut runners: Vec<Runner<'_>>, rounds: u32, batch: u32) -> bool {
    for _ in 0..rounds {
        for runner in &mut runners {
            let times = [time(&mut runner.run, batch), time(&mut runner.floor, batch)];
            for (best, time) in runner.best.iter_mut().zip(times) {
                *best = time.min(*best);
            }
        }
    }
    println!("{title}");
    for runner in &runners {
        let [total, floor, over] = runner.micros(batch);
        let (name, library) = (runner.name, runner.library);
        println!("    {name:<10} {library:<10} {total:>9.2} {floor:>9.2} {over:>9.2}");
    }
    let is_ours = |runner: &&Runner<'_>| runner.name == OURS;
    runners.iter().filter(is_ours).all(|ours| {
        let others = runners.iter().filter(|other| !is_ours(other));
        others.into_iter().all(|other| {
            let ([our_total, _, our_over], [total, _, over]) =
                (ours.micros(batch), other.micros(batch));
            our_over < over && (ours.library != other.library || our_total < total)
        })
    })
}

const OURS: &str = "ortc-dtls";

fn heading(what: &str) {
    println!("{what}, in microseconds");
    println!(
        "    {:<10} {:<10} {:>9} {:>9} {:>9}",
        "", "computing", "in all", "floor", "over it"
    );
}

fn time(run: &mut dyn FnMut(), batch: u32) -> Duration {
    let start = ThreadTime::now();
    for _ in 0..batch {
        run();
    }
    start.elapsed()
}

fn providers() -> [(&'static str, Arc<dyn Provider>); 2] {
    [
        ("ring", ring_provider()),
        ("aws-lc-rs", aws_lc_rs_provider()),
    ]
}

fn handshakes(rounds: u32) -> bool {
    let now = Instant::now();
    let mut ahead = true;
    heading("handshake of both sides");
    for version in [Version::DTLS12, Version::DTLS13] {
        for group in GROUPS {
            if group == NamedGroup::X25519MLKEM768 && version == Version::DTLS12 {
                continue;
            }
            let mut runners = Vec::new();
            for (library, provider) in providers() {
                let floor = floor(&provider, group);
                let run = handshake(ours(version, &provider, group, now));
                runners.push(Runner::new(OURS, library, run, floor));
            }
            let theirs = match group {
                NamedGroup::X25519 => Some(dimpl::NamedGroup::X25519),
                NamedGroup::SECP256R1 => Some(dimpl::NamedGroup::Secp256r1),
                _ => None,
            };
            if let Some(theirs) = theirs {
                let floor = floor(&aws_lc_rs_provider(), group);
                let run = handshake(dimpl(version, theirs, now));
                runners.push(Runner::new("dimpl", "aws-lc-rs", run, floor));
            }
            let floor = BoringFloor::new(group);
            let run = handshake(boring(version, group));
            runners.push(Runner::new("BoringSSL", "BoringSSL", run, move || {
                floor.run();
            }));
            ahead &= compare(&format!("{version}, {group}"), runners, rounds, BATCH);
        }
    }
    ahead
}

/// Until both sides may send: what confirms that to the one who is last is no part of it.
fn handshake(make: impl Fn() -> Pair) -> impl FnMut() {
    let mut buffer = Vec::with_capacity(2 * MTU);
    move || {
        let [mut client, mut server] = make();
        let mut is_forth = true;
        while !(client.is_connected() && server.is_connected()) {
            if is_forth {
                carry(&mut *client, &mut *server, &mut buffer);
            } else {
                carry(&mut *server, &mut *client, &mut buffer);
            }
            is_forth = !is_forth;
        }
        black_box((client, server));
    }
}

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

fn boring(version: Version, group: NamedGroup) -> impl Fn() -> Pair + use<> {
    let groups = match group {
        // In DTLS 1.2 the curves of certificates have to be there too.
        NamedGroup::X25519 => "X25519:P-256",
        NamedGroup::SECP256R1 => "P-256",
        _ => "X25519MLKEM768",
    };
    let contexts = ROLES.map(|_| {
        let (certificate, key) = drawn();
        BoringSsl::context(version, &certificate, &key, groups).build()
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

fn records(rounds: u32) -> bool {
    let now = Instant::now();
    let x25519 = NamedGroup::X25519;
    let mut ahead = true;
    heading("\nrecord of 1200 octets with AES-128-GCM, sent and taken out");
    for version in [Version::DTLS12, Version::DTLS13] {
        let mut runners = Vec::new();
        for (library, provider) in providers() {
            let pair = ours(version, &provider, x25519, now)();
            runners.push(Runner::new(OURS, library, record(pair), bare(&provider)));
        }
        let pair = dimpl(version, dimpl::NamedGroup::X25519, now)();
        let floor = bare(&aws_lc_rs_provider());
        runners.push(Runner::new("dimpl", "aws-lc-rs", record(pair), floor));
        let pair = boring(version, x25519)();
        let floor = BoringFloor::records();
        runners.push(Runner::new("BoringSSL", "BoringSSL", record(pair), floor));
        ahead &= compare(&version.to_string(), runners, rounds, 100);
    }
    ahead
}

fn record([mut client, mut server]: Pair) -> impl FnMut() {
    let mut buffer = Vec::with_capacity(2 * MTU);
    let payload = [7; MTU - 13 - 8 - 16];
    let mut received = Vec::with_capacity(MTU);
    connect(&mut *client, &mut *server, &mut buffer);
    move || {
        client.send(&payload);
        carry(&mut *client, &mut *server, &mut buffer);
        // What a peer hands out when it is polled for datagrams.
        carry(&mut *server, &mut *client, &mut buffer);
        received.clear();
        assert!(server.take(&mut received));
    }
}

/// The same octets through the AEAD.
fn bare(provider: &Arc<dyn Provider>) -> impl FnMut() + use<> {
    let key: Box<dyn AeadKey> = provider.aead(AeadAlgorithm::Aes128Gcm, &[1; 16]).unwrap();
    let mut contents = [7; MTU - 13 - 8 - 16];
    move || {
        let tag = key.seal([1; 12], &[2; 13], &mut contents).unwrap();
        key.open([1; 12], &[2; 13], &mut contents, &tag).unwrap();
    }
}
