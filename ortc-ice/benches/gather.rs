//! What one packet through a relay costs, in and out, with one base and with 64: the same.
#![expect(clippy::unwrap_used, reason = "a bench that cannot begin has to stop")]

#[path = "../tests/gathering/mod.rs"]
mod gathering;

use core::hint::black_box;
use core::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gathering::{Story, a};
use ortc_ice::{CandidateKind, Datagram, GatherConfig, LocalCandidate, Path, Transmit};

/// A gatherer with a relay and this many bases, and a packet that came through the relay.
fn relaying(bases: u16) -> (Story, Path, (Path, Vec<u8>)) {
    let bases: Vec<String> = (0..bases).map(|n| format!("10.9.{n}.1:5000")).collect();
    let bases: Vec<&str> = bases.iter().map(String::as_str).collect();
    let mut story = Story::new(GatherConfig::default(), &bases);
    story.turn_server("192.0.2.1:3478", &["192.0.2.100"]);
    story.peer("198.51.100.9:9000");
    story.add_turn("turn:192.0.2.1", "secret");
    story.gather();
    story.run_for(Duration::from_secs(5));
    let is_relayed = |found: &LocalCandidate| found.kind == CandidateKind::Relayed;
    let relayed = story.candidates().into_iter().find(is_relayed).unwrap();
    let path = Path::udp(relayed.address, a("198.51.100.9:9000"));
    let now = story.net.now();
    story
        .gatherer_mut()
        .bind_channel(path.local, path.remote, now)
        .unwrap();
    story.run_for(Duration::from_secs(1));
    story.send(path, &[7; 1100]).unwrap();
    story.run_for(Duration::from_secs(1));
    let arrived = story.own().last.clone().unwrap();
    (story, path, arrived)
}

fn relayed(c: &mut Criterion) {
    let mut group = c.benchmark_group("relayed packet of 1100 octets");
    group.throughput(Throughput::Elements(1));
    for bases in [1, 64] {
        let (mut story, path, (from, mut contents)) = relaying(bases);
        let now = story.net.now();
        let gatherer = story.gatherer_mut();
        group.bench_function(format!("in, {bases} bases"), |b| {
            b.iter(|| {
                let datagram = Datagram {
                    path: from,
                    contents: &mut contents,
                    ecn: Default::default(),
                };
                black_box(gatherer.handle_datagram(datagram, now))
            });
        });
        let mut buf = Vec::with_capacity(2048);
        group.bench_function(format!("out, {bases} bases"), |b| {
            b.iter(|| {
                buf.clear();
                buf.resize(1100, 7);
                let transmit = Transmit {
                    path,
                    len: 1100,
                    segment: None,
                    ecn: Default::default(),
                };
                black_box(gatherer.encapsulate(transmit, &mut buf, 0).is_ok())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, relayed);
criterion_main!(benches);
