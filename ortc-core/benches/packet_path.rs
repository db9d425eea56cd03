//! One packet through a whole connection, each way, beside the bare AEAD on the same octets in the
//! same run; with 1 and with 50 streams open; an idle second; and one whole connection set-up.
//!
//! `cargo bench -p ortc-core --bench packet_path`

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a bench: a failed expectation is the report"
)]

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ortc_core::{Datagram, Ecn, MediaKind, Path, Profile, ReceiveMode, RtpToSend};
use ortc_testkit::pair::Pair;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Octets of the RTP packet, header included.
const PACKET: usize = 1_200;
const HEADER: usize = 12;
/// Packets measured at once, so that reading the clock costs nothing.
const BATCH: usize = 256;

/// How many streams are open, and how many of them take turns.
const LOADS: [(&str, usize, usize); 3] = [
    ("1 stream", 1, 1),
    ("1 of 50 streams", 50, 1),
    ("50 streams in turn", 50, 50),
];

fn pair(streams: usize) -> Pair {
    Pair::connected(
        Profile::AeadAes128Gcm,
        MediaKind::Video,
        streams,
        ReceiveMode::Raw,
    )
}

fn packet(payload: &Bytes, timestamp: u32) -> RtpToSend {
    let payload = payload.clone();
    RtpToSend {
        payload_type: 96,
        marker: false,
        timestamp,
        skip: 0,
        payload,
    }
}

/// Runs `batch` until so many packets have passed, and sums what it says it took.
fn timed(packets: u64, mut batch: impl FnMut() -> Duration) -> Duration {
    let batches = packets.div_ceil(BATCH as u64);
    let total: Duration = (0..batches).map(|_| batch()).sum();
    total.mul_f64(packets as f64 / (batches * BATCH as u64) as f64)
}

fn key() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[7; 16]).unwrap())
}

fn nonce(index: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[..8].copy_from_slice(&index.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// Writes a packet and seals it in place: what no stack can do without.
fn bare_seal(key: &LessSafeKey, index: u64, source: &[u8], buf: &mut Vec<u8>) {
    buf.clear();
    buf.extend_from_slice(source);
    let (header, payload) = buf.split_at_mut(HEADER);
    let tag = key
        .seal_in_place_separate_tag(nonce(index), Aad::from(&*header), payload)
        .unwrap();
    buf.extend_from_slice(tag.as_ref());
}

fn send(c: &mut Criterion) {
    let mut group = c.benchmark_group("send 1200 octets, AEAD_AES_128_GCM");
    group.throughput(Throughput::Elements(1));
    let (key, source) = (key(), vec![7; PACKET]);
    let mut buf = Vec::with_capacity(2_048);
    let mut index = 0;
    group.bench_function("bare seal", |b| {
        b.iter(|| {
            index += 1;
            bare_seal(&key, index, black_box(&source), &mut buf);
        });
    });
    for (load, streams, active) in LOADS {
        let mut pair = pair(streams);
        let payload = Bytes::from(vec![7; PACKET - HEADER]);
        let mut timestamp = 0_u32;
        group.bench_function(BenchmarkId::new("RTCConnection", load), |b| {
            b.iter_custom(|packets| {
                timed(packets, || {
                    let start = now();
                    for _ in 0..BATCH {
                        timestamp = timestamp.wrapping_add(1);
                        let track = pair.tracks[timestamp as usize % active];
                        let packet = packet(&payload, timestamp);
                        pair.a.connection.send_rtp(track, packet, pair.now).unwrap();
                        buf.clear();
                        black_box(pair.a.connection.poll_transmit(&mut buf, pair.now));
                    }
                    let took = now() - start;
                    pair.advance(Duration::from_millis(5));
                    took
                })
            });
        });
    }
    group.finish();
}

fn receive(c: &mut Criterion) {
    let mut group = c.benchmark_group("receive 1200 octets, AEAD_AES_128_GCM");
    group.throughput(Throughput::Elements(1));
    let (key, source) = (key(), vec![7; PACKET]);
    let mut sealed: Vec<Vec<u8>> = (0..BATCH).map(|_| Vec::with_capacity(2_048)).collect();
    group.bench_function("bare open", |b| {
        b.iter_custom(|packets| {
            timed(packets, || {
                for (index, buf) in (0..).zip(&mut sealed) {
                    bare_seal(&key, index, &source, buf);
                }
                let start = now();
                for (index, buf) in (0..).zip(&mut sealed) {
                    let (header, payload) = buf.split_at_mut(HEADER);
                    let aad = Aad::from(&*header);
                    black_box(key.open_in_place(nonce(index), aad, payload).unwrap());
                }
                now() - start
            })
        });
    });
    for (load, streams, active) in LOADS {
        let mut pair = pair(streams);
        let payload = Bytes::from(vec![7; PACKET - HEADER]);
        let mut timestamp = 0_u32;
        group.bench_function(BenchmarkId::new("RTCConnection", load), |b| {
            b.iter_custom(|packets| {
                timed(packets, || {
                    let mut path = None;
                    for buf in &mut sealed {
                        timestamp = timestamp.wrapping_add(1);
                        let track = pair.tracks[timestamp as usize % active];
                        let packet = packet(&payload, timestamp);
                        pair.a.connection.send_rtp(track, packet, pair.now).unwrap();
                        buf.clear();
                        let transmit = pair.a.connection.poll_transmit(buf, pair.now).unwrap();
                        path = Some(Path::udp(transmit.path.remote, transmit.path.local));
                    }
                    let path = path.unwrap();
                    let start = now();
                    for contents in &mut sealed {
                        let datagram = Datagram {
                            path,
                            contents,
                            ecn: Ecn::default(),
                        };
                        pair.b.connection.handle_datagram(datagram, pair.now);
                        black_box(pair.b.connection.poll_event());
                    }
                    let took = now() - start;
                    pair.take_media();
                    pair.advance(Duration::from_millis(5));
                    took
                })
            });
        });
    }
    group.finish();
}

fn set_up(c: &mut Criterion) {
    c.bench_function("connection set-up, both ends", |b| {
        b.iter(|| black_box(pair(1)));
    });
}

/// A second of a connection with fifty silent streams, both ends together: what consent costs.
fn idle(c: &mut Criterion) {
    let mut pair = pair(50);
    c.bench_function("idle connection, one second, both ends", |b| {
        b.iter_custom(|seconds| {
            let start = now();
            pair.advance(Duration::from_secs(seconds));
            now() - start
        });
    });
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    targets = send, receive, idle, set_up
}
criterion_main!(benches);
