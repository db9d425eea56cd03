//! A call with real media over a network that loses one datagram in twenty, both ways.
//!
//! Virtual time: 25 ms one way and up to 5 ms more, so that packets also overtake each other.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failed expectation is the report"
)]

#[path = "../examples/call/media/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "only the readers are needed here; the example writes files too"
)]
mod media;

use core::time::Duration;
use std::collections::BTreeSet;
use std::io::Cursor;
use std::time::Instant;

use bytes::Bytes;
use ortc_core::{
    Autostart, DtmfContainer, Event, Frame, MediaKind, MediaStream, MediaStreamTrack, RTCTrack,
};
use ortc_rtp::payload::h264::units;
use ortc_testkit::call::{Call, Peer, address_a, address_b};
use ortc_testkit::link::Link;

use media::{H264Reader, IvfReader, OggOpusReader};

const SPEECH: &[u8] = include_bytes!("../examples/call/data/speech.opus");
const VP8: &[u8] = include_bytes!("../examples/call/data/testsrc.vp8.ivf");
const H264: &[u8] = include_bytes!("../examples/call/data/testsrc.h264");

/// How much of the files is sent; the video files last 8 s.
const LENGTH: Duration = Duration::from_secs(10);
const SEEDS: core::ops::Range<u64> = 0..20;
const TONES: &str = "159#0123ABCD*";

/// RFC 3550 §5.1: the SSRC of an RTP packet, which SRTP leaves readable; RFC 5761 §4 tells RTCP.
fn ssrc_of_rtp(datagram: &[u8]) -> Option<u32> {
    match datagram {
        [128..=191, second, _, _, _, _, _, _, ssrc @ ..] if !(192..=223).contains(second) => {
            Some(u32::from_be_bytes(*ssrc.first_chunk()?))
        }
        _ => None,
    }
}

#[test]
fn one_datagram_in_twenty_may_be_lost() {
    let mut report = Vec::new();
    for seed in SEEDS {
        let call = lossy_call(seed);
        let connected = call.connected_after.unwrap_or_else(|| {
            panic!("seed {seed}: not connected within 5 s");
        });
        assert_eq!(call.tones, TONES, "seed {seed}: tones");
        let [opus, vp8, h264] = &call.tracks[..] else {
            panic!("three tracks are sent")
        };

        assert_eq!(opus.damaged, 0, "seed {seed}: Opus");
        assert!(
            opus.missing.len() <= opus.packets_lost,
            "seed {seed}: {} Opus packets missing, {} lost",
            opus.missing.len(),
            opus.packets_lost
        );
        assert!(
            opus.unreported.is_empty(),
            "seed {seed}: gaps before the frames {:?} were not reported",
            opus.unreported
        );
        for (name, video) in [("VP8", vp8), ("H.264", h264)] {
            assert_eq!(video.damaged, 0, "seed {seed}: {name}");
            let delivered = video.sent - video.missing.len();
            assert!(
                delivered * 100 >= video.sent * 97,
                "seed {seed}: {delivered} of {} {name} frames delivered",
                video.sent
            );
            assert!(
                video.longest_pause <= Duration::from_secs(1),
                "seed {seed}: {name} stood still for {:?}",
                video.longest_pause
            );
        }
        report.push(format!(
            "seed {seed:>2}: connected after {connected:?}; {}",
            call.tracks
                .iter()
                .map(|track| format!(
                    "of {} frames {:?} missing, {} packets lost, longest pause {:?}",
                    track.sent, track.missing, track.packets_lost, track.longest_pause
                ))
                .collect::<Vec<_>>()
                .join("; ")
        ));
    }
    println!("{}", report.join("\n"));
}

/// What became of a call.
struct Outcome {
    connected_after: Option<Duration>,
    tones: String,
    tracks: Vec<TrackOutcome>,
}

/// What became of one track.
struct TrackOutcome {
    sent: usize,
    /// Frames that did not arrive, by their place.
    missing: Vec<usize>,
    /// Frames that arrived and are like none that was sent at their place.
    damaged: usize,
    /// RTP packets of its SSRC that the network lost, repetitions included.
    packets_lost: usize,
    /// Frames that follow missing ones and do not say so.
    unreported: Vec<usize>,
    /// The longest time between two frames that a decoder can show.
    longest_pause: Duration,
}

struct Source {
    track: RTCTrack,
    kind: MediaKind,
    frames: Vec<(Duration, u64, Bytes)>,
    next: usize,
}

fn lossy_call(seed: u64) -> Outcome {
    let link = Link::perfect(Duration::from_millis(25))
        .with_jitter(Duration::from_millis(5))
        .with_loss(0.05);
    let mut call = Call::new(seed, link, |_, options| options);
    let mut stream = MediaStream::new("files");
    let kinds = [MediaKind::Audio, MediaKind::Video, MediaKind::Video];
    let added: Vec<_> = (0..)
        .zip(kinds)
        .map(|(index, kind)| {
            let source = MediaStreamTrack::new(kind, format!("track-{index}"), "a file");
            stream.add_track(&source)
        })
        .collect();
    let connection = &mut call.a().connection;
    connection.add_stream(&stream, Autostart::Yes).unwrap();
    let tracks: Vec<RTCTrack> = added
        .iter()
        .map(|source| connection.track(source).unwrap())
        .collect();
    let mut codecs = tracks[2].codecs(connection).unwrap().to_vec();
    codecs.sort_by_key(|codec| codec.name != "h264");
    tracks[2].set_codecs(connection, codecs).unwrap();
    let handler = connection.add_dtmf_handler(DtmfContainer::First).unwrap();
    call.signal();
    call.vouch();

    let before = call.net.elapsed();
    let connected = call.run_until_connected(Duration::from_secs(5));
    let connected_after = connected.then(|| call.net.elapsed() - before);
    let start = call.net.now();
    let mut sources: Vec<Source> = tracks
        .into_iter()
        .zip(kinds)
        .zip([opus_frames(), vp8_frames(), h264_frames()])
        .map(|((track, kind), frames)| Source {
            track,
            kind,
            frames,
            next: 0,
        })
        .collect();
    let mut dialled = ["159#", "0123ABCD*,"].into_iter();
    for (at, step) in schedule(&sources) {
        let now = start + at;
        let pause = now.saturating_duration_since(call.net.now());
        call.net.run_for(pause);
        if let Step::Frame(index) = step {
            let source = &mut sources[index];
            let (_, time, payload) = &source.frames[source.next];
            let frame = Frame::new(payload.clone(), *time);
            source.next += 1;
            let connection = &mut call.a().connection;
            connection.send_frame(source.track, &frame, now).unwrap();
        } else {
            let tones = dialled.next().unwrap();
            let connection = &mut call.a().connection;
            handler
                .insert_dtmf(connection, tones, None, None, now)
                .unwrap();
        }
    }
    call.net.run_for(Duration::from_secs(2));

    let tones = call.b().tones();
    let outcomes = sources.iter().map(|source| {
        let lost = call.net.log.iter().filter(|sent| {
            let ours = (sent.local, sent.remote) == (address_a(), address_b());
            sent.lost && ours && ssrc_of_rtp(&sent.contents) == Some(source.track.ssrc())
        });
        let lost = lost.count();
        outcome(source, call.net.node(call.b), lost, start)
    });
    Outcome {
        connected_after,
        tones,
        tracks: outcomes.collect(),
    }
}

enum Step {
    Frame(usize),
    Tones,
}

/// Everything that is sent, in order of time.
fn schedule(sources: &[Source]) -> Vec<(Duration, Step)> {
    let mut steps: Vec<(Duration, Step)> = sources
        .iter()
        .enumerate()
        .flat_map(|(index, source)| {
            let due = source.frames.iter().map(|(due, _, _)| *due);
            due.map(move |due| (due, Step::Frame(index)))
        })
        .collect();
    // Four tones of 100 ms with gaps of 50 ms end before the other nine begin.
    steps.extend([1, 3].map(|second| (Duration::from_secs(second), Step::Tones)));
    steps.sort_by_key(|(due, _)| *due);
    steps
}

/// Lays what arrived beside what was sent, by content.
fn outcome(source: &Source, receiver: &Peer, packets_lost: usize, start: Instant) -> TrackOutcome {
    let ssrc = source.track.ssrc();
    let mut outcome = TrackOutcome {
        sent: source.frames.len(),
        missing: Vec::new(),
        damaged: 0,
        packets_lost,
        unreported: Vec::new(),
        longest_pause: Duration::ZERO,
    };
    let (mut next, mut reported, mut shown) = (0, 0_u64, false);
    // A call that begins with nothing to show stands still from the start.
    let mut last = start;
    for event in &receiver.events {
        match event {
            Event::Gap(gap) if gap.ssrc == ssrc => reported += gap.packets,
            Event::Frame(frame) if frame.ssrc == ssrc => {
                let rest = source.frames[next..].iter();
                let found = rest
                    .map(|(_, _, payload)| canonical(payload))
                    .position(|sent| sent == canonical(&frame.payload));
                match found {
                    Some(skipped) => {
                        // What is lost before anything came is no gap that a receiver could see.
                        let seen = skipped > 0 && next > 0;
                        if seen && (reported < skipped as u64 || !frame.after_gap) {
                            outcome.unreported.push(next + skipped);
                        }
                        outcome.missing.extend(next..next + skipped);
                        next += skipped + 1;
                        shown = frame.key_frame || (shown && skipped == 0);
                        // A picture stands on those before it, back to a key frame.
                        if shown || source.kind == MediaKind::Audio {
                            outcome.longest_pause = outcome.longest_pause.max(frame.arrived - last);
                            last = frame.arrived;
                        }
                    }
                    None => outcome.damaged += 1,
                }
                reported = 0;
            }
            _ => {}
        }
    }
    outcome.missing.extend(next..source.frames.len());
    outcome
}

/// The frame without what its start codes look like: RFC 6184 carries NAL units, not Annex B.
fn canonical(frame: &[u8]) -> Vec<Bytes> {
    if frame.starts_with(&[0, 0, 0, 1]) {
        let units = units(frame).map(|unit| Bytes::copy_from_slice(&frame[unit]));
        units.collect()
    } else {
        vec![Bytes::copy_from_slice(frame)]
    }
}

fn opus_frames() -> Vec<(Duration, u64, Bytes)> {
    let mut reader = OggOpusReader::new(Cursor::new(SPEECH)).unwrap();
    let (mut frames, mut samples) = (Vec::new(), 0);
    while let Some(packet) = reader.next_packet().unwrap() {
        let due = Duration::from_micros(samples * 1_000 / 48);
        frames.push((due, samples, packet.data));
        samples += u64::from(packet.samples);
    }
    frames.retain(|(due, _, _)| *due < LENGTH);
    frames
}

fn vp8_frames() -> Vec<(Duration, u64, Bytes)> {
    let mut reader = IvfReader::new(VP8).unwrap();
    let base = reader.header().time_base;
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        frames.push((base.time(frame.pts), frame.pts * 3_000, frame.data));
    }
    frames
}

fn h264_frames() -> Vec<(Duration, u64, Bytes)> {
    let mut reader = H264Reader::new(H264, 30).unwrap();
    let base = reader.time_base();
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame() {
        frames.push((base.time(frame.pts), frame.pts * 3_000, frame.data));
    }
    frames
}

/// The files have no two frames alike, or "by content" would prove little.
#[test]
fn the_frames_of_the_video_files_differ() {
    for frames in [vp8_frames(), h264_frames()] {
        let different: BTreeSet<&Bytes> = frames.iter().map(|(_, _, payload)| payload).collect();
        assert_eq!(different.len(), frames.len());
    }
}
