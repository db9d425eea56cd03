//! What the draft leaves open, as this crate decides it: one story or more for each decision.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "test code: a failed expectation is the report"
)]

mod claims;
mod connecting;
mod crossed;
mod debugging;
mod expired;
mod extended;
mod hub;
mod media;
mod receiving;
mod rtx;
mod sending;
mod socket;
mod tones;
mod trust;

use core::time::Duration;

use ortc_core::{
    Autostart, Event, Frame, LocalCandidates, MediaKind, MediaStream, MediaStreamTrack,
    RTCConnectionOptions, RTCTrack, RTCTrackFilter,
};
use ortc_testkit::call::Call;
use ortc_testkit::link::Link;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Two ends, 10 ms apart, not signalled.
fn call(number: u64) -> Call {
    Call::new(number, Link::perfect(ms(10)), |_, options| options)
}

fn call_with(
    number: u64,
    configure: impl FnMut(usize, RTCConnectionOptions) -> RTCConnectionOptions,
) -> Call {
    Call::new(number, Link::perfect(ms(10)), configure)
}

/// A stream with a microphone and a camera.
fn stream(id: &str) -> MediaStream {
    let mut stream = MediaStream::new(id);
    stream.add_track(&MediaStreamTrack::new(
        MediaKind::Audio,
        "mic",
        "Microphone",
    ));
    stream.add_track(&MediaStreamTrack::new(MediaKind::Video, "cam", "Camera"));
    stream
}

/// Two connected ends that know each other; the first sends a microphone and a camera.
fn connected(number: u64) -> (Call, RTCTrack, RTCTrack) {
    connected_with(number, |_, options| options)
}

fn connected_with(
    number: u64,
    configure: impl FnMut(usize, RTCConnectionOptions) -> RTCConnectionOptions,
) -> (Call, RTCTrack, RTCTrack) {
    let mut call = call_with(number, configure);
    call.a()
        .connection
        .add_stream(&stream("s1"), Autostart::Yes)
        .unwrap();
    call.signal();
    call.vouch();
    assert!(call.run_until_connected(ms(5_000)));
    call.net.run_for(ms(50));
    let tracks = call.a().connection.tracks(&RTCTrackFilter::default());
    (call, tracks[0], tracks[1])
}

/// Sends so many 20 ms frames of Opus, beginning with this one, at their pace.
fn talk(call: &mut Call, track: RTCTrack, first: u64, frames: u64) {
    for index in first..first + frames {
        let now = call.net.now();
        let frame = Frame::new(vec![0xFC, 1, 2, 3], index * 960);
        call.a().connection.send_frame(track, &frame, now).unwrap();
        call.net.run_for(ms(20));
    }
}

fn frames(call: &mut Call) -> usize {
    call.b().count(|event| matches!(event, Event::Frame(_)))
}

fn at_once(options: RTCConnectionOptions) -> RTCConnectionOptions {
    options.local_candidates(LocalCandidates::AtOnce)
}
