//! What it costs to tell whose a datagram is, with 10 and with 10,000 connections on the socket.
//!
//! `cargo bench -p ortc-core --bench socket`

#![expect(clippy::indexing_slicing, reason = "a bench: a panic is the report")]

use core::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ortc_testkit::crowd::{Crowd, Member};

type Datagram = fn(&Member) -> &[u8];

const KINDS: [(&str, Datagram); 3] = [
    ("media", |member| &member.media),
    ("check", |member| &member.check),
    ("answer", |member| &member.answer),
];

fn route(c: &mut Criterion) {
    let mut group = c.benchmark_group("route a datagram");
    group.throughput(Throughput::Elements(1));
    for size in [10, 10_000] {
        let mut crowd = Crowd::new(size);
        for (kind, datagram) in KINDS {
            // Ten of them in turn, spread over all, so that the caches hold as much in both cases.
            let step = crowd.members.len() / 10;
            let mut turn = 0;
            group.bench_function(BenchmarkId::new(kind, size), |b| {
                b.iter(|| {
                    turn = (turn + 1) % 10;
                    let member = &crowd.members[turn * step];
                    let contents = black_box(datagram(member));
                    let path = member.path;
                    black_box(crowd.socket.handle_datagram(path, contents, crowd.now))
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, route);
criterion_main!(benches);
