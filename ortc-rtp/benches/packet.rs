//! What every packet costs: reading and writing its header, and reading a compound of RTCP.
#![expect(
    clippy::unwrap_used,
    reason = "a bench: a failed expectation is the report"
)]

use core::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use ortc_rtp::jitter::{Config, Packet, ReorderBuffer};
use ortc_rtp::payload::Format;
use ortc_rtp::pool::PayloadPool;
use ortc_rtp::sequence::truncate;
use ortc_rtp::wire::rtcp::{
    self, ReceiverReport, ReportBlock, Sdes, SenderInfo, SenderReport, Text, packets,
};
use ortc_rtp::wire::{ExtensionElements, Header, RtpPacket};

fn rtp(c: &mut Criterion) {
    let mut elements = ExtensionElements::new();
    elements.push(1, &[0x80]).unwrap();
    elements.push(3, &[0, 0]).unwrap();
    elements.push(4, b"0").unwrap();
    let header = Header {
        payload_type: 111,
        ssrc: 7,
        ..Header::default()
    };
    let mut bytes = Vec::with_capacity(1_500);
    header.encode_with(&mut bytes, &[], &elements);
    bytes.extend_from_slice(&[5; 100]);

    c.bench_function("rtp/parse", |b| {
        b.iter(|| {
            let packet = RtpPacket::parse(black_box(&bytes)).unwrap();
            (packet.ssrc(), packet.sequence(), packet.payload().len())
        });
    });
    c.bench_function("rtp/parse and find an extension", |b| {
        b.iter(|| {
            let packet = RtpPacket::parse(black_box(&bytes)).unwrap();
            packet
                .extensions()
                .find(|(id, _)| *id == 4)
                .map(|(_, data)| data.len())
        });
    });
    let mut out = Vec::with_capacity(1_500);
    c.bench_function("rtp/encode header", |b| {
        b.iter(|| {
            out.clear();
            black_box(&header).encode(&mut out);
            out.len()
        });
    });
    c.bench_function("rtp/encode header with extensions", |b| {
        b.iter(|| {
            out.clear();
            elements.set(3, &black_box(7_u16).to_be_bytes()).unwrap();
            black_box(&header).encode_with(&mut out, &[], &elements);
            out.len()
        });
    });
    let mut pool = PayloadPool::new();
    c.bench_function("pool/copy 1100 octets", |b| {
        let payload = [9; 1_100];
        b.iter(|| pool.copy(black_box(&payload)));
    });
}

/// A frame of one packet: what audio, and much of video at low rates, costs in the jitter buffer.
#[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
fn jitter(c: &mut Criterion) {
    for (name, format) in [
        ("jitter/opus packet in, frame out", Format::Opus),
        ("jitter/vp8 packet in, frame out", Format::Vp8),
    ] {
        let mut buffer = ReorderBuffer::new(format, Config::new(format));
        let payload = Bytes::from_static(&[0x10, 0x01, 0xaa, 0xbb]);
        let now = std::time::Instant::now();
        let mut extended = 65_536;
        c.bench_function(name, |b| {
            b.iter(|| {
                extended += 1;
                let packet = Packet {
                    extended,
                    timestamp: truncate(extended).into(),
                    marker: true,
                    payload: payload.clone(),
                };
                buffer.push(black_box(packet), now).unwrap();
                buffer.poll(now)
            });
        });
    }
}

fn rtcp(c: &mut Criterion) {
    let blocks = [ReportBlock::default(); 2];
    let mut bytes = Vec::new();
    SenderReport {
        ssrc: 1,
        info: SenderInfo::default(),
        blocks: &blocks,
    }
    .encode(&mut bytes);
    ReceiverReport {
        ssrc: 1,
        blocks: &blocks,
    }
    .encode(&mut bytes);
    Sdes {
        ssrc: 1,
        cname: Text::new("0123456789abcdef").unwrap(),
    }
    .encode(&mut bytes);
    c.bench_function("rtcp/parse compound of three", |b| {
        b.iter(|| {
            packets(black_box(&bytes))
                .map(|packet| match packet.unwrap() {
                    rtcp::Packet::SenderReport(view) => view.blocks().len(),
                    rtcp::Packet::ReceiverReport(view) => view.blocks().len(),
                    rtcp::Packet::SourceDescription(view) => view.chunks().count(),
                    rtcp::Packet::Goodbye(_)
                    | rtcp::Packet::Application(_)
                    | rtcp::Packet::Nack(_)
                    | rtcp::Packet::TransportFeedback(_)
                    | rtcp::Packet::PictureLoss(_)
                    | rtcp::Packet::FullIntraRequest(_)
                    | rtcp::Packet::ApplicationLayer(_)
                    | rtcp::Packet::OtherFeedback(_)
                    | rtcp::Packet::ExtendedReport(_)
                    | rtcp::Packet::Unknown(_) => 0,
                })
                .sum::<usize>()
        });
    });
}

criterion_group!(benches, rtp, jitter, rtcp);
criterion_main!(benches);
