//! From packets to whole frames: Opus and G.711, VP8 (RFC 7741), H.264 (RFC 6184).

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bytes::Bytes;
use ortc_core::{RTCCodec, RTCTrackDescription};
use ortc_rtp::jitter::{Config, Output, Packet, ReorderBuffer};
use ortc_rtp::payload::{Format, PacketizationMode};
use ortc_rtp::sequence::Unwrapper;
use ortc_rtp::wire::RtpPacket;

use crate::recording::{Call, End, Kind, calls, origin};

/// The packets of one track, in the order of their arrival.
pub(crate) struct Track {
    pub(crate) ssrc: u32,
    format: Format,
    /// Arrival and packet; `None` for a tone.
    packets: Vec<(Duration, u64, Option<Packet>)>,
}

/// A frame, as a list that two ways of making it can be compared by.
pub(crate) type Whole = (u32, Bytes);

pub(crate) fn tracks(call: &Call, from: End) -> Vec<Track> {
    let described = call.side(from).tracks.iter();
    described
        .map(|track| Track::read(call, from, track))
        .collect()
}

fn format_of(codec: &RTCCodec) -> Format {
    match codec.name.to_ascii_lowercase().as_str() {
        "opus" => Format::Opus,
        "pcmu" => Format::Pcmu,
        "vp8" => Format::Vp8,
        "h264" => {
            assert_eq!(codec.param("packetization-mode"), Some("1"));
            Format::H264 {
                mode: PacketizationMode::NonInterleaved,
            }
        }
        other => panic!("{other} was not sent in the recordings"),
    }
}

impl Track {
    fn read(call: &Call, from: End, track: &RTCTrackDescription) -> Self {
        let ssrc = track.ssrc().unwrap();
        let mut unwrapper = Unwrapper::new();
        let mut formats = Vec::new();
        let mut packets = Vec::new();
        for opened in call.opened_of(from, Kind::Rtp) {
            let view = RtpPacket::parse(&opened.packet).unwrap();
            if view.ssrc() != ssrc {
                continue;
            }
            let extended = unwrapper.unwrap(view.sequence());
            let mut codecs = track.codecs.iter();
            let codec = codecs.find(|codec| codec.payload_id == view.payload_type());
            let codec = codec.unwrap();
            let packet = (!codec.is_dtmf()).then(|| Packet {
                extended,
                timestamp: view.timestamp(),
                marker: view.marker(),
                payload: Bytes::copy_from_slice(view.payload()),
            });
            formats.extend(packet.is_some().then(|| format_of(codec)));
            packets.push((opened.at, extended, packet));
        }
        formats.dedup();
        let [format] = formats[..] else {
            panic!("{}: {formats:?}", call.name);
        };
        Self {
            ssrc,
            format,
            packets,
        }
    }

    /// Numbers that never came, between the first and the last that did.
    pub(crate) fn missing(&self) -> u64 {
        let numbers: BTreeSet<u64> = self.packets.iter().map(|(_, number, _)| *number).collect();
        let (first, last) = (numbers.first().unwrap(), numbers.last().unwrap());
        last - first + 1 - u64::try_from(numbers.len()).unwrap()
    }

    /// The whole frames, found the plain way: with all packets at hand.
    pub(crate) fn whole_frames(&self) -> Vec<Whole> {
        let media = self
            .packets
            .iter()
            .filter_map(|(_, _, packet)| packet.as_ref());
        let media = media.filter(|packet| !packet.payload.is_empty());
        if matches!(self.format, Format::Opus | Format::Pcmu) {
            let mut frames: Vec<&Packet> = media.collect();
            frames.sort_by_key(|packet| packet.extended);
            let frame = |packet: &Packet| (packet.timestamp, packet.payload.clone());
            return frames.into_iter().map(frame).collect();
        }
        let mut frames: BTreeMap<u32, Vec<&Packet>> = BTreeMap::new();
        for packet in media {
            frames.entry(packet.timestamp).or_default().push(packet);
        }
        let mut whole = Vec::new();
        for (timestamp, mut packets) in frames {
            packets.sort_by_key(|packet| packet.extended);
            let (first, last) = (packets[0], packets[packets.len() - 1]);
            let span = usize::try_from(last.extended - first.extended).unwrap() + 1;
            let begins = self.format != Format::Vp8 || first.payload[0] & 0x17 == 0x10;
            if span == packets.len() && last.marker && begins {
                whole.push((first.extended, timestamp, self.assemble(&packets)));
            }
        }
        whole.sort();
        let strip = |(_, timestamp, payload)| (timestamp, payload);
        whole.into_iter().map(strip).collect()
    }

    fn assemble(&self, packets: &[&Packet]) -> Bytes {
        let mut frame = Vec::new();
        for packet in packets {
            match self.format {
                Format::Vp8 => frame.extend_from_slice(without_descriptor(&packet.payload)),
                _ => append_units(&packet.payload, &mut frame),
            }
        }
        frame.into()
    }

    /// What the buffer makes of the packets, pushed in this order.
    fn reordered(&self, order: impl Iterator<Item = usize>) -> (Vec<Whole>, u64) {
        let start = origin();
        let mut buffer = ReorderBuffer::new(self.format, Config::new(self.format));
        let (mut frames, mut lost, mut now) = (Vec::new(), 0, start);
        let mut take = |buffer: &mut ReorderBuffer, now: Instant| {
            while let Some(output) = buffer.poll(now) {
                match output {
                    Output::Frame(frame) => frames.push((frame.timestamp, frame.payload)),
                    Output::Gap { packets, .. } => lost += packets,
                }
            }
        };
        for index in order {
            let (at, number, packet) = &self.packets[index];
            now = now.max(start + *at);
            match packet {
                Some(packet) => buffer.push(packet.clone(), now).unwrap(),
                None => buffer.skip(*number, now),
            }
            take(&mut buffer, now);
        }
        while let Some(at) = buffer.poll_timeout() {
            now = now.max(at);
            take(&mut buffer, now);
        }
        (frames, lost)
    }
}

/// What follows the payload descriptor of VP8 (RFC 7741 §4.2).
fn without_descriptor(payload: &[u8]) -> &[u8] {
    let mut len = 1;
    if payload[0] & 0x80 != 0 {
        let present = payload[1];
        len += 1;
        if present & 0x80 != 0 {
            len += if payload[len] & 0x80 != 0 { 2 } else { 1 };
        }
        len += usize::from(present & 0x40 != 0);
        len += usize::from(present & 0x30 != 0);
    }
    &payload[len..]
}

/// The NAL units of an H.264 payload, each behind a start code (RFC 6184 §5.6 to §5.8).
fn append_units(payload: &[u8], out: &mut Vec<u8>) {
    const START: [u8; 4] = [0, 0, 0, 1];
    match payload[0] & 0x1F {
        1..=23 => {
            out.extend_from_slice(&START);
            out.extend_from_slice(payload);
        }
        24 => {
            let mut rest = &payload[1..];
            while let Some((&len, after)) = rest.split_first_chunk() {
                let (unit, after) = after.split_at(u16::from_be_bytes(len).into());
                append_units(unit, out);
                rest = after;
            }
        }
        28 => {
            if payload[1] & 0x80 != 0 {
                out.extend_from_slice(&START);
                out.push((payload[0] & 0xE0) | (payload[1] & 0x1F));
            }
            out.extend_from_slice(&payload[2..]);
        }
        other => panic!("NAL unit type {other}"),
    }
}

#[test]
fn every_frame_comes_whole_and_in_order_and_every_gap_is_reported() {
    let (mut video, mut audio) = (0, 0);
    for call in calls() {
        for from in End::BOTH {
            for track in tracks(call, from) {
                let expected = track.whole_frames();
                let (frames, lost) = track.reordered(0..track.packets.len());
                assert_eq!(lost, track.missing(), "{} {from:?}", call.name);
                assert_eq!(lost > 0, call.loses(from), "{} {from:?}", call.name);
                assert!(
                    frames == expected,
                    "{} {from:?} {:?}",
                    call.name,
                    track.format
                );
                if matches!(track.format, Format::Opus | Format::Pcmu) {
                    audio += frames.len();
                    continue;
                }
                video += frames.len();
                // Without loss nothing is left over.
                let media = track
                    .packets
                    .iter()
                    .filter_map(|(_, _, packet)| packet.as_ref());
                let timestamps: BTreeSet<u32> = media.map(|packet| packet.timestamp).collect();
                assert!(
                    call.loses(from) == (frames.len() < timestamps.len()),
                    "{} {from:?}: {} of {}",
                    call.name,
                    frames.len(),
                    timestamps.len()
                );
            }
        }
    }
    assert!(video > 1_000 && audio > 5_000, "{video} {audio}");
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    for call in calls() {
        let from = End::Browser;
        for track in tracks(call, from) {
            // Runs of five, each in reverse; the first packet stays where it is, because nobody
            // waits for what came before it for long.
            let count = track.packets.len();
            let order = (0..1).chain((1..count).map(|index| {
                let run = (index - 1) / 5 * 5 + 1;
                let end = (run + 5).min(count);
                run + end - 1 - index
            }));
            let (frames, lost) = track.reordered(order);
            assert_eq!(lost, 0, "{}", call.name);
            assert!(frames == track.whole_frames(), "{}", call.name);
        }
    }
}

/// The peer sent back what it got: each of its frames is a frame of the browser.
#[test]
fn the_echoed_frames_are_those_of_the_browser() {
    for call in calls() {
        let sides = End::BOTH.map(|end| tracks(call, end));
        for (sent, echoed) in sides[0].iter().zip(&sides[1]) {
            let sent: BTreeMap<u32, Bytes> = sent.whole_frames().into_iter().collect();
            let echoed = echoed.whole_frames();
            for (timestamp, payload) in &echoed {
                assert!(sent.get(timestamp) == Some(payload), "{}", call.name);
            }
            let complete = echoed.len() == sent.len();
            assert!(complete || call.loses(End::Peer), "{}", call.name);
        }
    }
}
