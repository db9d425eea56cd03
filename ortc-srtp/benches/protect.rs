//! Protecting and unprotecting one RTP packet, beside the bare primitives on the same octets:
//! AES-CTR with a cached key schedule and SHA-1 compressions from saved states, or ring's AEAD in
//! place. The difference is what this crate costs.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench: fixed sizes"
)]

use core::hint::black_box;

use aes::Aes128Enc;
use aes::cipher::{InnerIvInit, KeyInit, StreamCipherCore};
use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use ortc_srtp::{MasterKey, Profile, Receiver, Sender};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha1::block_api::compress;

const HEADER: usize = 12;
const SIZES: [usize; 3] = [100, 200, 1200];
const BATCH: u16 = 256;
const SEED: [u8; 8] = *b"fixed se";

fn benches(c: &mut Criterion) {
    for profile in Profile::ALL {
        let name = format!("{profile:?}");
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        for size in SIZES {
            protect(&mut group, profile, size);
        }
        group.throughput(Throughput::Elements(BATCH.into()));
        for size in SIZES {
            unprotect(&mut group, profile, size);
        }
        group.finish();
    }
    many_sources(c);
}

/// Packets of 64 SSRCs in turn, so that the one of the packet before never helps: against
/// `AeadAes128Gcm/unprotect/100`, the price of the table.
fn many_sources(c: &mut Criterion) {
    const SOURCES: u8 = 64;
    let master = master(Profile::AeadAes128Gcm);
    let mut sender = Sender::new(&master, SEED);
    let mut round = |seq| -> Vec<Vec<u8>> {
        (0..SOURCES)
            .map(|source| {
                let mut buf = packet(100, seq);
                buf[11] = source;
                sender.protect_rtp(&mut buf, 0).unwrap();
                buf
            })
            .collect()
    };
    let first = round(0);
    let sealed: Vec<Vec<u8>> = (1..=4).flat_map(&mut round).collect();
    let mut group = c.benchmark_group("64 sources");
    group.throughput(Throughput::Elements(BATCH.into()));
    group.bench_function(BenchmarkId::new("unprotect", 100), |b| {
        b.iter_batched_ref(
            || {
                let mut receiver = Receiver::new(&master, SEED);
                for packet in &first {
                    receiver.unprotect_rtp(&mut packet.clone()).unwrap();
                }
                (receiver, sealed.clone())
            },
            |(receiver, packets)| {
                for packet in packets {
                    let len = receiver.unprotect_rtp(black_box(packet)).unwrap();
                    black_box(len);
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn protect(group: &mut BenchmarkGroup<'_, WallTime>, profile: Profile, size: usize) {
    let mut buf = Vec::with_capacity(size + 64);
    buf.extend_from_slice(&packet(size, 0));
    let mut sender = Sender::new(&master(profile), SEED);
    let mut seq = 0_u16;
    group.bench_function(BenchmarkId::new("protect", size), |b| {
        b.iter(|| {
            buf.truncate(size);
            buf[2..4].copy_from_slice(&seq.to_be_bytes());
            seq = seq.wrapping_add(1);
            sender.protect_rtp(black_box(&mut buf), 0).unwrap();
        });
    });

    let primitive = Primitive::new(profile);
    let mut index = 0_u64;
    group.bench_function(BenchmarkId::new("protect-bare", size), |b| {
        b.iter(|| {
            buf.truncate(size);
            primitive.seal(black_box(&mut buf), index);
            index += 1;
        });
    });
}

/// Each batch has increasing sequence numbers and a receiver of its own, made outside of what is
/// measured: no packet is a replay.
fn unprotect(group: &mut BenchmarkGroup<'_, WallTime>, profile: Profile, size: usize) {
    let master = master(profile);
    let mut sender = Sender::new(&master, SEED);
    let mut sealed: Vec<Vec<u8>> = Vec::new();
    for seq in 0..BATCH {
        let mut buf = packet(size, seq);
        sender.protect_rtp(&mut buf, 0).unwrap();
        sealed.push(buf);
    }
    group.bench_function(BenchmarkId::new("unprotect", size), |b| {
        b.iter_batched_ref(
            || (Receiver::new(&master, SEED), sealed.clone()),
            |(receiver, packets)| {
                for packet in packets {
                    let len = receiver.unprotect_rtp(black_box(packet)).unwrap();
                    black_box(len);
                }
            },
            BatchSize::LargeInput,
        );
    });

    let primitive = Primitive::new(profile);
    let mut sealed: Vec<Vec<u8>> = Vec::new();
    for index in 0..BATCH {
        let mut buf = packet(size, index);
        primitive.seal(&mut buf, index.into());
        sealed.push(buf);
    }
    group.bench_function(BenchmarkId::new("unprotect-bare", size), |b| {
        b.iter_batched_ref(
            || sealed.clone(),
            |packets| {
                for (index, packet) in packets.iter_mut().enumerate() {
                    primitive.open(black_box(packet), index as u64);
                }
            },
            BatchSize::LargeInput,
        );
    });
}

fn master(profile: Profile) -> MasterKey {
    let octets = [0x42; 32];
    MasterKey::new(
        profile,
        &octets[..profile.key_len()],
        &octets[..profile.salt_len()],
    )
    .unwrap()
}

/// `size` octets of RTP with a 12-octet header.
fn packet(size: usize, seq: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(seq.to_be_bytes());
    packet.extend([0, 0, 0, 1, 0xca, 0xfe, 0xba, 0xbe]);
    packet.resize(size, 0x55);
    packet
}

#[expect(clippy::large_enum_variant, reason = "as it is in the product")]
enum Primitive {
    Cm {
        aes: Aes128Enc,
        inner: [u32; 5],
        outer: [u32; 5],
        tag_len: usize,
    },
    Gcm(LessSafeKey),
}

impl Primitive {
    fn new(profile: Profile) -> Self {
        let gcm = |algorithm, len| {
            let key = UnboundKey::new(algorithm, &[0x42; 32][..len]).unwrap();
            Self::Gcm(LessSafeKey::new(key))
        };
        match profile {
            Profile::AeadAes128Gcm => gcm(&AES_128_GCM, 16),
            Profile::AeadAes256Gcm => gcm(&AES_256_GCM, 32),
            other @ (Profile::Aes128CmHmacSha1_80 | Profile::Aes128CmHmacSha1_32 | _) => {
                let (mut inner, mut outer) = ([1; 5], [2; 5]);
                compress(&mut inner, &[[0x36; 64]]);
                compress(&mut outer, &[[0x5c; 64]]);
                Self::Cm {
                    aes: Aes128Enc::new(&[0x42; 16].into()),
                    inner,
                    outer,
                    tag_len: other.rtp_overhead(),
                }
            }
        }
    }

    fn seal(&self, buf: &mut Vec<u8>, index: u64) {
        match self {
            Self::Cm { aes, tag_len, .. } => {
                ctr(aes, index, &mut buf[HEADER..]);
                let tag = self.mac(buf);
                buf.extend_from_slice(&tag[..*tag_len]);
            }
            Self::Gcm(key) => {
                let (header, payload) = buf.split_at_mut(HEADER);
                let tag = key
                    .seal_in_place_separate_tag(nonce(index), Aad::from(header), payload)
                    .unwrap();
                buf.extend_from_slice(tag.as_ref());
            }
        }
    }

    fn open(&self, packet: &mut [u8], index: u64) {
        match self {
            Self::Cm { aes, tag_len, .. } => {
                let (packet, received) = packet.split_at_mut(packet.len() - tag_len);
                let tag = self.mac(packet);
                assert!(tag[..*tag_len] == *received);
                ctr(aes, index, &mut packet[HEADER..]);
            }
            Self::Gcm(key) => {
                let (header, payload) = packet.split_at_mut(HEADER);
                key.open_in_place(nonce(index), Aad::from(header), payload)
                    .unwrap();
            }
        }
    }

    /// HMAC-SHA1 of the packet and a rollover counter of zero.
    fn mac(&self, packet: &[u8]) -> [u8; 20] {
        let Self::Cm { inner, outer, .. } = self else {
            return [0; 20];
        };
        let mut state = *inner;
        let (blocks, rest) = packet.as_chunks::<64>();
        compress(&mut state, blocks);
        let mut last = [[0; 64]; 2];
        last.as_flattened_mut()[..rest.len()].copy_from_slice(rest);
        last.as_flattened_mut()[rest.len() + 4] = 0x80;
        let count = if rest.len() + 13 <= 64 { 1 } else { 2 };
        let bits = (64 + packet.len() as u64 + 4) * 8;
        last[count - 1][56..].copy_from_slice(&bits.to_be_bytes());
        compress(&mut state, &last[..count]);

        let mut block = [0; 64];
        for (to, from) in block.as_chunks_mut().0.iter_mut().zip(state) {
            *to = from.to_be_bytes();
        }
        block[20] = 0x80;
        block[56..].copy_from_slice(&672_u64.to_be_bytes());
        let mut state = *outer;
        compress(&mut state, &[block]);
        let mut tag = [0; 20];
        for (to, from) in tag.as_chunks_mut().0.iter_mut().zip(state) {
            *to = from.to_be_bytes();
        }
        tag
    }
}

fn ctr(aes: &Aes128Enc, index: u64, payload: &mut [u8]) {
    let iv = (u128::from(index) << 16).to_be_bytes();
    CtrCore::<_, Ctr128BE>::inner_iv_init(aes, &iv.into()).apply_keystream_partial(payload.into());
}

fn nonce(index: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&index.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

criterion_group!(group, benches);
criterion_main!(group);
