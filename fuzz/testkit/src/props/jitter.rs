//! Properties of the reorder buffer.
#![expect(clippy::missing_panics_doc, reason = "a property reports by panicking")]

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bytes::Bytes;
use ortc_rtp::jitter::{Config, Output, Packet, PushError, ReorderBuffer};
use ortc_rtp::payload::{Format, MediaKind, Packetizer, Segment};

use super::payload::H264;

/// Any packets in any order, at any time: what comes out is in order, told once, and accounts for
/// every packet that was taken.
pub fn reorder_buffer(data: &[u8]) {
    let mut script = Script(data);
    let format = [Format::Opus, Format::Vp8, H264][script.below(3)];
    let mut buffer = ReorderBuffer::new(
        format,
        Config {
            max_packets: 1 + script.below(64),
            max_wait: Duration::from_millis(50),
            max_frame: 512,
        },
    );
    let mut run = Run::new();
    let mut number = 100_000_u64;
    let mut taken = 0;
    while !script.0.is_empty() {
        match script.octet() {
            leap @ 0..=3 => number = number.wrapping_add(u64::from(leap) << script.below(20)),
            back @ 4..=15 => number = number.saturating_sub(u64::from(back) - 3),
            16..=31 => run.now += Duration::from_millis(u64::from(script.octet())),
            32..=63 => run.drain(&mut buffer),
            64..=79 => {
                buffer.skip(number, run.now);
                number += 1;
            }
            kind => {
                let len = script.below(24);
                let packet = Packet {
                    extended: number,
                    timestamp: u32::from(script.octet() & 3),
                    marker: kind & 1 == 1,
                    payload: script.bytes(len),
                };
                number += 1;
                let padding = packet.payload.is_empty();
                if buffer.push(packet, run.now).is_ok() && !padding {
                    taken += 1;
                }
            }
        }
    }
    run.finish(&mut buffer);

    let stats = buffer.stats();
    assert_eq!(stats.packets, taken);
    assert_eq!(stats.lost, run.lost);
    assert_eq!(stats.frames, run.frames.len() as u64);
}

/// A stream of frames through loss, duplication and reordering: whatever comes out is a frame that
/// was sent, octet for octet; and what comes out is every frame of which no packet, nor the one
/// before its first, was lost.
pub fn stream(data: &[u8]) {
    let mut script = Script(data);
    let format = [Format::Opus, Format::Vp8, H264][script.below(3)];
    let loss = script.below(3) * 20; // of 256
    let sent = packets(&mut script, format);

    let mut order: Vec<(usize, &Packet)> = Vec::new();
    let mut lost = 0_u64;
    let mut whole: BTreeSet<u32> = sent.frames.keys().copied().collect();
    for (at, packet) in sent.packets.iter().enumerate() {
        // The first is neither lost nor late: it says where the stream begins.
        if at > 0 && at + 1 < sent.packets.len() && usize::from(script.octet()) < loss {
            lost += 1;
            whole.remove(&packet.timestamp);
            whole.remove(&sent.packets[at + 1].timestamp);
            continue;
        }
        let displaced = if at == 0 { 0 } else { at + script.below(8) };
        order.push((displaced, packet));
        if script.octet() < 20 {
            order.push((displaced + script.below(12), packet));
        }
    }
    order.sort_by_key(|(at, _)| *at);

    let mut buffer = ReorderBuffer::new(format, Config::new(format));
    let mut run = Run::new();
    for (_, packet) in order {
        match buffer.push(packet.clone(), run.now) {
            Ok(()) | Err(PushError::Late | PushError::Duplicate) => {}
            Err(error) => panic!("{error}"),
        }
        if script.octet() & 1 == 0 {
            run.drain(&mut buffer);
        }
    }
    run.finish(&mut buffer);

    assert_eq!(run.lost, lost);
    for (timestamp, payload) in &run.frames {
        assert_eq!(payload, &sent.frames[timestamp], "at {timestamp}");
    }
    let received: BTreeSet<u32> = run.frames.iter().map(|(timestamp, _)| *timestamp).collect();
    assert_eq!(received.len(), run.frames.len());
    assert!(received.is_superset(&whole));
}

struct Sent {
    packets: Vec<Packet>,
    frames: BTreeMap<u32, Bytes>,
}

fn packets(script: &mut Script<'_>, format: Format) -> Sent {
    let mut packetizer = Packetizer::new(format, 0x7ffe);
    let mut sent = Sent {
        packets: Vec::new(),
        frames: BTreeMap::new(),
    };
    let mut extended = u64::from(script.octet()) << 12;
    for number in 0..script.below(40) + 2 {
        let timestamp = u32::try_from(number).unwrap() * 3_000;
        let frame = frame(script, format, number);
        let mut segments: Vec<Segment> = Vec::new();
        packetizer.packetize(&frame, 40, &mut segments).unwrap();
        for segment in segments {
            let mut payload = Vec::new();
            segment.write_to(&mut payload);
            sent.packets.push(Packet {
                extended,
                timestamp,
                marker: segment.marker,
                payload: payload.into(),
            });
            extended += 1;
        }
        sent.frames.insert(timestamp, frame);
    }
    sent
}

/// A frame with its number in it, key frames now and then.
fn frame(script: &mut Script<'_>, format: Format, number: usize) -> Bytes {
    let tag = u8::try_from(number).unwrap() | 0x80;
    let len = match format.kind() {
        MediaKind::Audio => script.below(30) + 1,
        MediaKind::Video => script.below(200) + 1,
    };
    if format != H264 {
        return vec![tag; len].into();
    }
    let mut units = Vec::new();
    let key = number.is_multiple_of(8);
    if key {
        units.extend_from_slice(&[0, 0, 0, 1, 0x67, 0x42, tag, 0, 0, 0, 1, 0x68, 0xce, tag]);
    }
    for slice in 0..script.below(3) + 1 {
        // first_mb_in_slice: 0, then not
        let first = if slice == 0 { 0x80 } else { 0x40 };
        units.extend_from_slice(&[0, 0, 0, 1, if key { 0x65 } else { 0x41 }, first]);
        units.extend(core::iter::repeat_n(tag, len));
    }
    units.into()
}

/// What came out, checked as it comes.
struct Run {
    now: Instant,
    frames: Vec<(u32, Bytes)>,
    lost: u64,
    next: u64,
}

impl Run {
    fn new() -> Self {
        Self {
            now: origin(),
            frames: Vec::new(),
            lost: 0,
            next: 0,
        }
    }

    fn drain(&mut self, buffer: &mut ReorderBuffer) {
        while let Some(output) = buffer.poll(self.now) {
            match output {
                Output::Frame(frame) => {
                    assert!(frame.first >= self.next && frame.last >= frame.first);
                    assert!(!frame.payload.is_empty());
                    self.next = frame.last + 1;
                    self.frames.push((frame.timestamp, frame.payload));
                }
                Output::Gap { first, packets } => {
                    assert!(first >= self.next && packets > 0);
                    self.next = first + packets;
                    self.lost += packets;
                }
            }
        }
    }

    /// Follows the deadlines until there are none; each must bring something or move on.
    fn finish(&mut self, buffer: &mut ReorderBuffer) {
        self.drain(buffer);
        let mut rounds = 0;
        while let Some(due) = buffer.poll_timeout() {
            self.now = self.now.max(due);
            buffer.handle_timeout(self.now);
            assert!(buffer.poll_timeout() != Some(due) || buffer.poll_timeout() <= Some(self.now));
            self.drain(buffer);
            rounds += 1;
            assert!(rounds < 100_000, "a deadline that never moves");
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an arbitrary origin of virtual time"
)]
fn origin() -> Instant {
    Instant::now()
}

/// Decisions from octets; zeros when they run out.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn octet(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.octet()) % bound
    }

    fn bytes(&mut self, len: usize) -> Bytes {
        let (taken, rest) = self.0.split_at(self.0.len().min(len));
        self.0 = rest;
        Bytes::copy_from_slice(taken)
    }
}
