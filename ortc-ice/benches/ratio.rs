//! A check, verified and answered, against the arithmetic that it cannot do without (two HMAC-SHA1
//! from kept key states, two CRC-32): the guard on what everything else costs.
//!
//! Both run in turn, in short batches, and the fastest batch of each counts, so that the quotient
//! holds on a busy machine as well. `cargo bench -p ortc-ice --bench ratio` fails above the limits;
//! with `-- --only 1000` it runs nothing but that many checks, for a counter of instructions
//! (`valgrind --tool=callgrind`).
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench that cannot be set up has to stop, and it measures time"
)]

use core::hint::black_box;
use core::net::SocketAddr;
use core::time::Duration;
use std::process::ExitCode;
use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use ortc_ice::stun::{Class, IntegrityKey, Message, MessageBuilder, Method, TransactionId};
use ortc_ice::{Agent, Candidate, CandidateKind, Config, Credentials, Datagram, Ecn, Path};
use sha1::Sha1;

/// What a check may cost, in units of the floor.
const LIMIT: f64 = 1.3;
/// What it may cost with 100 pairs, in units of one pair: more of them miss the cache.
const GROWTH: f64 = 1.25;
/// Runs of one batch, and batches.
const BATCH: u32 = 500;
const BATCHES: u32 = 2000;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--only");
    let only = arguments.nth(1).and_then(|count| count.parse::<u32>().ok());
    let start = Instant::now();
    let (mut one, mut many) = (Bench::new(1, start), Bench::new(100, start));
    if let Some(count) = only {
        (0..count).for_each(|_| one.check());
        return ExitCode::SUCCESS;
    }
    let floor = Floor::new(&one);
    let mut best = [Duration::MAX; 3];
    for _ in 0..BATCHES {
        let times = [
            time(|| one.check()),
            time(|| many.check()),
            time(|| floor.run()),
        ];
        for (best, time) in best.iter_mut().zip(times) {
            *best = time.min(*best);
        }
    }
    let [one, many, floor] = best.map(|time| time.as_secs_f64() / f64::from(BATCH) * 1e9);
    println!("floor {floor:.0} ns, check {one:.0} ns, check with 100 pairs {many:.0} ns");
    let (ratio, growth) = (one / floor, many / one);
    println!(
        "check / floor {ratio:.2} (limit {LIMIT}), 100 pairs / 1 pair {growth:.2} (limit {GROWTH})"
    );
    if ratio > LIMIT || growth > GROWTH {
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

fn address(side: u8, index: u8) -> SocketAddr {
    SocketAddr::from(([10, side, index, 1], 5000))
}

fn peer() -> Credentials {
    Credentials::new("remotefrag", "remotepasswordremotepassword").unwrap()
}

fn answer(id: TransactionId, key: &IntegrityKey, source: SocketAddr) -> Vec<u8> {
    let mut out = Vec::new();
    MessageBuilder::new(&mut out, Class::Success, Method::BINDING, id)
        .xor_mapped_address(source)
        .integrity(key)
        .fingerprint();
    out
}

/// An agent whose pairs are all valid, and a check for it as a browser sends it.
struct Bench {
    agent: Agent,
    now: Instant,
    request: Vec<u8>,
    out: Vec<u8>,
    pairs: u8,
    next: u8,
}

impl Bench {
    fn new(pairs: u8, mut now: Instant) -> Self {
        let mut agent = Agent::new(Config::default(), [1; 32], now);
        let host = Candidate::host(address(1, 0)).unwrap();
        agent.add_local_candidate(host, now).unwrap();
        agent.set_remote_credentials(peer(), now).unwrap();
        for index in 0..pairs {
            let remote = address(2, index);
            let remote = Candidate::remote("1", 1, 99, remote, CandidateKind::Host, None).unwrap();
            agent.add_remote_candidate(remote, now).unwrap();
        }
        agent.connect(now).unwrap();
        let key = IntegrityKey::new(peer().password().as_bytes());
        let mut out = Vec::with_capacity(256);
        for _ in 0..400 {
            while let Some(transmit) = agent.poll_transmit(&mut out, now) {
                let id = Message::parse(&out).unwrap().transaction_id();
                let mut good = answer(id, &key, address(1, 0));
                let _ = agent.handle_datagram(datagram(transmit.path, &mut good), now);
                out.clear();
            }
            now += Duration::from_millis(5);
            agent.handle_timeout(now);
        }
        while agent.poll_event().is_some() {}
        let key = IntegrityKey::new(agent.local_credentials().password().as_bytes());
        let mut request = Vec::new();
        let id = TransactionId([7; 12]);
        MessageBuilder::new(&mut request, Class::Request, Method::BINDING, id)
            .username(agent.local_credentials().ufrag(), peer().ufrag())
            .unwrap()
            .controlling(1)
            .use_candidate()
            .priority(0x6e7f_1eff)
            .integrity(&key)
            .fingerprint();
        Self {
            agent,
            now,
            request,
            out,
            pairs,
            next: 0,
        }
    }

    fn check(&mut self) {
        self.next = (self.next + 1) % self.pairs;
        let path = Path::udp(address(1, 0), address(2, self.next));
        let datagram = datagram(path, &mut self.request);
        self.agent.handle_datagram(datagram, self.now).unwrap();
        self.out.clear();
        let transmit = self.agent.poll_transmit(&mut self.out, self.now);
        assert!(black_box(transmit).is_some());
    }
}

fn datagram(path: Path, contents: &mut [u8]) -> Datagram<'_> {
    Datagram {
        path,
        contents,
        ecn: Ecn::NotEct,
    }
}

/// The octets of a check and of its answer, and a key.
struct Floor {
    key: Hmac<Sha1>,
    request: Vec<u8>,
    response: Vec<u8>,
}

impl Floor {
    fn new(bench: &Bench) -> Self {
        let password = bench.agent.local_credentials().password().as_bytes();
        let key = IntegrityKey::new(password);
        Self {
            key: Hmac::<Sha1>::new_from_slice(password).unwrap(),
            request: bench.request.clone(),
            response: answer(TransactionId([7; 12]), &key, address(2, 0)),
        }
    }

    fn run(&self) {
        for message in [&self.request, &self.response] {
            let message = black_box(message);
            let mut keyed = self.key.clone();
            keyed.update(message.get(..message.len() - 32).unwrap());
            black_box(keyed.finalize());
            black_box(crc32fast::hash(message.get(..message.len() - 8).unwrap()));
        }
    }
}
