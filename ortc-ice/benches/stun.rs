//! What one check costs: parsing it; verifying and answering it through an agent with 1 and with
//! 100 pairs; and, to compare, the arithmetic that this cannot do without on the same octets (two
//! HMAC-SHA1 from kept key states, two CRC-32).
#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot be set up has to stop"
)]

use core::hint::black_box;
use core::net::SocketAddr;
use core::time::Duration;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use ortc_ice::stun::{Class, IntegrityKey, Message, MessageBuilder, Method, TransactionId};
use ortc_ice::{Agent, Candidate, CandidateKind, Config, Credentials, Datagram, Ecn, Path};
use sha1::Sha1;

fn address(side: u8, index: u8) -> SocketAddr {
    SocketAddr::from(([10, side, index, 1], 5000))
}

fn peer() -> Credentials {
    Credentials::new("remotefrag", "remotepasswordremotepassword").unwrap()
}

/// A request as a browser sends it.
fn request(to: &Credentials) -> Vec<u8> {
    let key = IntegrityKey::new(to.password().as_bytes());
    let mut out = Vec::new();
    let id = TransactionId([7; 12]);
    let mut message = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, id);
    message.username(to.ufrag(), peer().ufrag()).unwrap();
    message
        .controlling(1)
        .use_candidate()
        .priority(0x6e7f_1eff)
        .integrity(&key)
        .fingerprint();
    out
}

fn answer(id: TransactionId, key: &IntegrityKey, source: SocketAddr, out: &mut Vec<u8>) {
    MessageBuilder::new(out, Class::Success, Method::BINDING, id)
        .xor_mapped_address(source)
        .integrity(key)
        .fingerprint();
}

/// An agent with this many pairs, all valid, and nothing to do.
fn agent(pairs: u8, mut now: Instant) -> (Agent, Instant) {
    let mut agent = Agent::new(Config::default(), [1; 32], now);
    agent
        .add_local_candidate(Candidate::host(address(1, 0)).unwrap(), now)
        .unwrap();
    agent.set_remote_credentials(peer(), now).unwrap();
    for index in 0..pairs {
        let remote = address(2, index);
        let remote = Candidate::remote("1", 1, 99, remote, CandidateKind::Host, None).unwrap();
        agent.add_remote_candidate(remote, now).unwrap();
    }
    agent.connect(now).unwrap();
    let key = IntegrityKey::new(peer().password().as_bytes());
    let (mut out, mut back) = (Vec::new(), Vec::new());
    for _ in 0..400 {
        out.clear();
        while let Some(transmit) = agent.poll_transmit(&mut out, now) {
            back.clear();
            answer(
                Message::parse(&out).unwrap().transaction_id(),
                &key,
                address(1, 0),
                &mut back,
            );
            let datagram = Datagram {
                path: transmit.path,
                contents: &mut back,
                ecn: Ecn::NotEct,
            };
            let _ = agent.handle_datagram(datagram, now);
            out.clear();
        }
        now += Duration::from_millis(5);
        agent.handle_timeout(now);
    }
    while agent.poll_event().is_some() {}
    (agent, now)
}

fn answering(c: &mut Criterion) {
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
    let start = Instant::now();
    let mut group = c.benchmark_group("check");
    group.throughput(Throughput::Elements(1));
    for pairs in [1, 100] {
        let (mut agent, now) = agent(pairs, start);
        let mut request = request(agent.local_credentials());
        let mut out = Vec::with_capacity(256);
        let mut index = 0;
        group.bench_function(format!("verified and answered, {pairs} pairs"), |b| {
            b.iter(|| {
                index = (index + 1) % pairs;
                let path = Path::udp(address(1, 0), address(2, index));
                let datagram = Datagram {
                    path,
                    contents: &mut request,
                    ecn: Ecn::NotEct,
                };
                agent.handle_datagram(datagram, now).unwrap();
                out.clear();
                black_box(agent.poll_transmit(&mut out, now)).unwrap()
            });
        });
    }

    let (agent, _) = agent(1, start);
    let credentials = agent.local_credentials();
    let request = request(credentials);
    let key = IntegrityKey::new(credentials.password().as_bytes());
    let mut response = Vec::new();
    answer(TransactionId([7; 12]), &key, address(2, 0), &mut response);
    let asked = request.len() - 32;
    let answered = response.len() - 32;
    let keyed = Hmac::<Sha1>::new_from_slice(credentials.password().as_bytes()).unwrap();
    group.bench_function("floor: two HMAC-SHA1 and two CRC-32", |b| {
        b.iter(|| {
            let (request, response) = (black_box(&request), black_box(&response));
            let mut verified = keyed.clone();
            verified.update(request.get(..asked).unwrap());
            let verified = verified.finalize();
            let mut signed = keyed.clone();
            signed.update(response.get(..answered).unwrap());
            let signed = signed.finalize();
            let first = crc32fast::hash(request.get(..asked + 24).unwrap());
            let second = crc32fast::hash(response.get(..answered + 24).unwrap());
            (verified.into_bytes(), signed.into_bytes(), first, second)
        });
    });
    group.bench_function("parsed", |b| {
        b.iter(|| Message::parse(black_box(&request)).map(|message| message.priority()));
    });
    group.finish();
}

fn traffic(c: &mut Criterion) {
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
    let (mut agent, now) = agent(100, Instant::now());
    let path = agent.data_path().unwrap();
    c.bench_function("authenticated traffic noted", |b| {
        b.iter(|| agent.authenticated_traffic(black_box(path), now));
    });
    c.bench_function("path for data found", |b| {
        b.iter(|| black_box(&agent).data_path())
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = answering, traffic
}
criterion_main!(benches);
