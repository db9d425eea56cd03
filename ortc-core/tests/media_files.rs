//! The example's readers and writers of media files.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed expectation is the report"
)]

#[path = "../examples/call/media/mod.rs"]
mod media;

use core::time::Duration;
use std::io::Cursor;
use std::time::Instant;

use bytes::Bytes;
use ortc_rtp::jitter::{Config, Output, Packet, ReorderBuffer};
use ortc_rtp::payload::h264::units;
use ortc_rtp::payload::{Format, PacketizationMode, Packetizer, Segment, is_key_frame};

use media::{
    H264Reader, H264Writer, IvfHeader, IvfReader, IvfWriter, MediaError, OggOpusReader,
    OggOpusWriter, OpusPacket, TimeBase, VideoFrame,
};

const H264: Format = Format::H264 {
    mode: PacketizationMode::NonInterleaved,
};

const SPEECH: &[u8] = include_bytes!("../examples/call/data/speech.opus");
const VP8: &[u8] = include_bytes!("../examples/call/data/testsrc.vp8.ivf");
const H264_FILE: &[u8] = include_bytes!("../examples/call/data/testsrc.h264");

#[test]
fn an_ogg_file_keeps_its_packets_headers_and_end() {
    let (head, packets) = read_opus(SPEECH);
    let written = write_opus(SPEECH);

    assert_eq!(read_opus(&written), (head, packets.clone()));
    let samples: u64 = packets.iter().map(|packet| u64::from(packet.samples)).sum();
    let end = packets.last().unwrap().end.unwrap();
    assert!(end < samples, "the last packet of this file is cut");
    assert!(samples - end < u64::from(packets.last().unwrap().samples));
    let speech = Duration::from_millis(samples / 48);
    assert!((Duration::from_secs(15)..Duration::from_secs(16)).contains(&speech));
    dump("speech.opus", &written);
}

#[test]
fn a_stream_cut_short_by_loss_ends_with_its_last_packet() {
    let mut reader = OggOpusReader::new(Cursor::new(SPEECH)).unwrap();
    let (head, tags) = (reader.head().clone(), reader.tags().clone());
    let mut writer = OggOpusWriter::new(Vec::new(), 7, head, tags).unwrap();
    let mut samples = 0;
    for _ in 0..120 {
        let packet = reader.next_packet().unwrap().unwrap();
        samples += u64::from(packet.samples);
        writer.write(packet).unwrap();
    }
    let (_, packets) = read_opus(&writer.finish().unwrap());
    assert_eq!(packets.len(), 120);
    assert_eq!(packets.last().unwrap().end, Some(samples));
}

#[test]
fn an_ivf_file_is_written_as_it_was_read() {
    let mut reader = IvfReader::new(VP8).unwrap();
    let header: IvfHeader = reader.header();
    assert_eq!(
        (&header.fourcc, header.width, header.height),
        (b"VP80", 320, 240)
    );
    let mut writer = IvfWriter::new(Vec::new(), header).unwrap();
    let mut frames = 0;
    while let Some(frame) = reader.next_frame().unwrap() {
        assert_eq!(frame.pts, u64::from(frames));
        writer.write(&frame).unwrap();
        frames += 1;
    }
    let written = writer.finish().unwrap();
    assert_eq!(frames, header.frames);
    assert!(written == VP8);
    dump("testsrc.vp8.ivf", &written);
}

#[test]
fn an_annex_b_file_is_its_access_units() {
    let mut reader = H264Reader::new(H264_FILE, 30).unwrap();
    let mut writer = H264Writer::new(Vec::new());
    let mut keys = Vec::new();
    let mut frames = 0;
    while let Some(frame) = reader.next_frame() {
        if is_key_frame(H264, &frame.data) {
            keys.push(frame.pts);
        }
        writer.write(&frame).unwrap();
        frames += 1;
    }
    assert_eq!((frames, keys.len(), keys.first()), (240, 3, Some(&0)));
    assert_eq!(reader.time_base().time(240), Duration::from_secs(8));
    let written = writer.finish().unwrap();
    assert!(written == H264_FILE);
    dump("testsrc.h264", &written);
}

#[test]
fn pictures_of_several_slices_stay_together() {
    let stream = [
        &[
            0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 0x88, 0, 0, 1, 0x65, 0x48,
        ][..],
        &[
            0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x41, 0x9a, 0, 0, 1, 0x41, 0x5a,
        ],
        &[0, 0, 1, 0x41, 0x9b, 0],
    ];
    let mut reader = H264Reader::new(&stream.concat()[..], 25).unwrap();
    for (pts, data) in (0..).zip(stream) {
        let data = data.to_vec().into();
        assert_eq!(reader.next_frame(), Some(VideoFrame { pts, data }));
    }
    assert_eq!(reader.next_frame(), None);
}

/// Split into packets, swapped, put together again and written: the file has the same frames.
#[test]
fn files_survive_the_way_through_packets() {
    let mut opus = OggOpusReader::new(Cursor::new(SPEECH)).unwrap();
    let packets = core::iter::from_fn(|| opus.next_packet().unwrap());
    through_packets(Format::Opus, packets.map(|packet| packet.data).collect());

    let mut ivf = IvfReader::new(VP8).unwrap();
    let frames = core::iter::from_fn(|| ivf.next_frame().unwrap());
    through_packets(Format::Vp8, frames.map(|frame| frame.data).collect());

    let mut h264 = H264Reader::new(H264_FILE, 30).unwrap();
    let frames = core::iter::from_fn(|| h264.next_frame());
    let received = through_packets(H264, frames.map(|frame| frame.data).collect());
    let mut writer = H264Writer::new(Vec::new());
    for (pts, data) in (0..).zip(received) {
        writer.write(&VideoFrame { pts, data }).unwrap();
    }
    dump("through-packets.h264", &writer.finish().unwrap());
}

fn through_packets(format: Format, frames: Vec<Bytes>) -> Vec<Bytes> {
    let mut packetizer = Packetizer::new(format, 1);
    let mut packets = Vec::new();
    for (frame, number) in frames.iter().zip(0..) {
        let mut segments: Vec<Segment> = Vec::new();
        packetizer.packetize(frame, 1_160, &mut segments).unwrap();
        for segment in segments {
            let mut payload = Vec::new();
            segment.write_to(&mut payload);
            packets.push(Packet {
                extended: 60_000 + packets.len() as u64,
                timestamp: number * 3_000,
                marker: segment.marker,
                payload: payload.into(),
            });
        }
    }
    let now = origin();
    let mut buffer = ReorderBuffer::new(format, Config::new(format));
    let mut received = Vec::new();
    // The first packet stays first: of audio, what is older than it is late.
    let (first, others) = packets.split_first().unwrap();
    buffer.push(first.clone(), now).unwrap();
    for run in others.chunks(5) {
        for packet in run.iter().rev() {
            buffer.push(packet.clone(), now).unwrap();
        }
        while let Some(output) = buffer.poll(now) {
            match output {
                Output::Frame(frame) => received.push(frame.payload),
                Output::Gap { .. } => panic!("{output:?}"),
            }
        }
    }
    assert_eq!(received.len(), frames.len());
    for (sent, received) in frames.iter().zip(&received) {
        if format == H264 {
            // The same NAL units, though this file also has start codes of three octets.
            assert!(nal_units(sent) == nal_units(received));
        } else {
            assert!(sent == received);
        }
    }
    received
}

fn nal_units(frame: &Bytes) -> Vec<Bytes> {
    units(frame).map(|range| frame.slice(range)).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "an arbitrary origin of virtual time"
)]
fn origin() -> Instant {
    Instant::now()
}

#[test]
fn what_is_no_media_file_is_refused() {
    assert!(matches!(
        OggOpusReader::new(Cursor::new(VP8)),
        Err(MediaError::Ogg(_))
    ));
    assert!(matches!(IvfReader::new(SPEECH), Err(MediaError::IvfHeader)));
    assert!(matches!(IvfReader::new(&VP8[..20]), Err(MediaError::Io(_))));
    assert!(matches!(
        H264Reader::new(&b"no start code"[..], 30),
        Err(MediaError::NoUnits)
    ));

    let mut cut = IvfReader::new(&VP8[..100]).unwrap();
    assert!(matches!(cut.next_frame(), Err(MediaError::Io(_))));
    let huge = [&VP8[..32], &[0xff; 12]].concat();
    let mut huge = IvfReader::new(&huge[..]).unwrap();
    assert!(matches!(
        huge.next_frame(),
        Err(MediaError::FrameSize(u32::MAX))
    ));
}

#[test]
fn time_stamps_become_durations() {
    let ntsc = TimeBase {
        rate: 30_000,
        scale: 1_001,
    };
    assert_eq!(ntsc.time(30_000), Duration::from_secs(1_001));
    assert_eq!(ntsc.time(1), Duration::from_nanos(33_366_666));
}

fn read_opus(file: &[u8]) -> (Vec<u8>, Vec<OpusPacket>) {
    let mut reader = OggOpusReader::new(Cursor::new(file)).unwrap();
    let headers = [&reader.head()[..], reader.tags()].concat();
    let packets = core::iter::from_fn(|| reader.next_packet().unwrap());
    (headers, packets.collect())
}

fn write_opus(file: &[u8]) -> Vec<u8> {
    let mut reader = OggOpusReader::new(Cursor::new(file)).unwrap();
    let (head, tags) = (reader.head().clone(), reader.tags().clone());
    let mut writer = OggOpusWriter::new(Vec::new(), 1, head, tags).unwrap();
    while let Some(packet) = reader.next_packet().unwrap() {
        writer.write(packet).unwrap();
    }
    writer.finish().unwrap()
}

/// Leaves a written file behind for a look at it with other tools, if a folder for it is named.
fn dump(name: &str, octets: &[u8]) {
    if let Some(folder) = std::env::var_os("MEDIA_FILES_OUT") {
        std::fs::write(std::path::Path::new(&folder).join(name), octets).unwrap();
    }
}
