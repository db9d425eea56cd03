//! The reorder buffer over recorded calls of browsers, decrypted.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed expectation is the report"
)]

use core::time::Duration;
use std::time::Instant;

use bytes::{Buf, Bytes};
use ortc_rtp::jitter::{Config, Frame, Output, Packet, ReorderBuffer};
use ortc_rtp::payload::{Format, PacketizationMode, h264};

const H264: Format = Format::H264 {
    mode: PacketizationMode::NonInterleaved,
};
const VP8: Format = Format::Vp8;

/// What browsers sent, decrypted: every frame is whole.
#[test]
fn recorded_browser_video_is_reassembled() {
    for (name, format, recording, expected) in [
        (
            "Chromium VP8",
            VP8,
            &include_bytes!("data/chromium_vp8.rtp")[..],
            38,
        ),
        (
            "Firefox VP8",
            VP8,
            include_bytes!("data/firefox_vp8.rtp"),
            60,
        ),
        (
            "Chromium H.264",
            H264,
            include_bytes!("data/chromium_h264.rtp"),
            37,
        ),
    ] {
        let packets = recorded(recording);
        let (mut buffer, now) = (buffer(format), origin());
        for packet in packets.clone() {
            buffer.push(packet, now).unwrap();
        }
        let outputs = drain(&mut buffer, now);
        let frames = frames(&outputs);
        assert_eq!(
            (frames.len(), outputs.len()),
            (expected, expected),
            "{name}"
        );
        assert!(frames[0].key_frame && !frames[1].key_frame, "{name}");
        for frame in frames {
            check_octets(format, frame, &packets);
        }
    }
}

/// A recording in which every 25th packet is missing.
#[test]
fn recorded_losses_are_reported_and_no_frame_is_broken() {
    let packets = recorded(include_bytes!("data/chromium_vp8_lossy.rtp"));
    let (mut buffer, mut now) = (buffer(VP8), origin());
    let mut outputs = Vec::new();
    for packet in packets.clone() {
        now += Duration::from_millis(20);
        buffer.push(packet, now).unwrap();
        outputs.extend(drain(&mut buffer, now));
    }
    outputs.extend(drain(&mut buffer, now + Duration::from_secs(1)));

    let gaps: Vec<(u64, u64)> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Gap { first, packets } => Some((*first, *packets)),
            Output::Frame(_) => None,
        })
        .collect();
    assert_eq!(gaps, [(1_033, 1), (1_043, 1), (1_075, 1), (1_083, 1)]);
    let frames = frames(&outputs);
    // The sender echoed what reached it and numbered it anew: the halves of two frames (1056 and
    // 1057, 1079 and 1080) stand the wrong way round, so they cannot be whole either.
    assert_eq!(frames.iter().filter(|frame| frame.after_gap).count(), 6);
    for frame in &frames {
        check_octets(VP8, frame, &packets);
    }
    let timestamps = packets.iter().map(|packet| packet.timestamp);
    let mut timestamps: Vec<u32> = timestamps.collect();
    timestamps.dedup();
    assert_eq!((timestamps.len(), frames.len()), (63, 58));
}

#[test]
fn recorded_audio_with_tones_and_losses_reports_only_what_is_lost() {
    let packets = recorded(include_bytes!("data/opus_lossy.rtp"));
    let (mut buffer, mut now) = (buffer(Format::Opus), origin());
    let mut outputs = Vec::new();
    for packet in packets.clone() {
        now += Duration::from_millis(20);
        // telephone-event payloads have four octets, Opus at this bit rate more
        if packet.payload.len() == 4 {
            buffer.skip(packet.extended, now);
        } else {
            buffer.push(packet, now).unwrap();
        }
        outputs.extend(drain(&mut buffer, now));
    }
    outputs.extend(drain(&mut buffer, now + Duration::from_secs(1)));
    let tones = packets.iter().filter(|p| p.payload.len() == 4).count();
    assert!(tones > 0);
    assert_eq!(frames(&outputs).len(), packets.len() - tones);
    assert_eq!(buffer.stats().lost, 3);
}

/// The frame's octets by another way: the payloads behind the descriptor of each packet.
fn check_octets(format: Format, frame: &Frame, packets: &[Packet]) {
    let parts: Vec<&Packet> = packets
        .iter()
        .filter(|packet| packet.timestamp == frame.timestamp)
        .collect();
    assert_eq!(frame.last - frame.first + 1, parts.len() as u64);
    assert!(parts.last().unwrap().marker);
    if format == VP8 {
        let octets: Vec<u8> = parts
            .iter()
            .flat_map(|p| vp8_data(&p.payload))
            .copied()
            .collect();
        assert_eq!(frame.payload[..], octets);
        // RFC 6386 §9.1: a key frame has a start code and its first partition fits.
        let tag = u32::from_le_bytes([octets[0], octets[1], octets[2], 0]);
        assert!((tag >> 5) as usize + 3 <= octets.len());
        assert_eq!(frame.key_frame, octets[3..6] == [0x9d, 0x01, 0x2a]);
    } else {
        let types: Vec<u8> = h264::units(&frame.payload)
            .map(|range| frame.payload[range.start] & 0x1f)
            .collect();
        assert!(
            types.iter().all(|kind| (1..=12).contains(kind)),
            "{types:?}"
        );
        assert_eq!(types.contains(&5), types.contains(&7), "{types:?}");
    }
}

/// RFC 7741 §4.2, written out for what these recordings hold.
fn vp8_data(payload: &[u8]) -> &[u8] {
    let mut header = 1;
    if payload[0] & 0x80 != 0 {
        header = 2;
        if payload[1] & 0x80 != 0 {
            header += if payload[2] & 0x80 != 0 { 2 } else { 1 };
        }
        header += usize::from(payload[1] & 0x40 != 0) + usize::from(payload[1] & 0x30 != 0);
    }
    &payload[header..]
}

/// A record: sequence number, timestamp, marker, length (big-endian; 2, 4, 1 and 2 octets), payload.
fn recorded(mut data: &'static [u8]) -> Vec<Packet> {
    let mut packets = Vec::new();
    while data.has_remaining() {
        let extended = data.get_u16().into();
        let (timestamp, marker) = (data.get_u32(), data.get_u8() != 0);
        let len = data.get_u16().into();
        let (payload, rest) = data.split_at(len);
        data = rest;
        packets.push(Packet {
            extended,
            timestamp,
            marker,
            payload: Bytes::from_static(payload),
        });
    }
    packets
}

fn buffer(format: Format) -> ReorderBuffer {
    ReorderBuffer::new(format, Config::new(format))
}

fn drain(buffer: &mut ReorderBuffer, now: Instant) -> Vec<Output> {
    core::iter::from_fn(|| buffer.poll(now)).collect()
}

fn frames(outputs: &[Output]) -> Vec<&Frame> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Frame(frame) => Some(frame),
            Output::Gap { .. } => None,
        })
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "an arbitrary origin of virtual time"
)]
fn origin() -> Instant {
    Instant::now()
}
