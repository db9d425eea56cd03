//! Whole calls over the virtual network.

use core::time::Duration;

use bytes::Bytes;
use ortc_core::{
    Autostart, DtmfContainer, Event, Frame, MediaKind, MediaStream, MediaStreamTrack,
    RTCTrackFilter,
};
use ortc_testkit::call::Call;
use ortc_testkit::link::Link;

#[test]
fn two_connections_exchange_frames_and_tones_after_nothing_but_the_drafts_signalling() {
    let mut call = Call::new(1, Link::perfect(Duration::from_millis(25)), |_, options| {
        options
    });
    let mut stream = MediaStream::new("s1");
    stream.add_track(&MediaStreamTrack::new(
        MediaKind::Audio,
        "mic",
        "Microphone",
    ));
    stream.add_track(&MediaStreamTrack::new(MediaKind::Video, "cam", "Camera"));
    call.a()
        .connection
        .add_stream(&stream, Autostart::Yes)
        .unwrap();
    let handler = call
        .a()
        .connection
        .add_dtmf_handler(DtmfContainer::First)
        .unwrap();
    call.signal();
    call.vouch();

    assert!(call.run_until_connected(Duration::from_secs(5)));
    let tracks = call.a().connection.tracks(&RTCTrackFilter::default());
    let now = call.net.now();
    handler
        .insert_dtmf(&mut call.a().connection, "159#", None, None, now)
        .unwrap();
    for index in 0..100_u64 {
        let now = call.net.now();
        let audio = Frame::new(vec![0xFC, 1, 2, 3], index * 960);
        call.a()
            .connection
            .send_frame(tracks[0], &audio, now)
            .unwrap();
        let mut vp8 = vec![u8::from(index != 0), 0, 0, 0x9D, 1, 0x2A, 0, 0, 0, 0];
        vp8.resize(3_000, 7);
        let video = Frame::new(Bytes::from(vp8), index * 1_800);
        call.a()
            .connection
            .send_frame(tracks[1], &video, now)
            .unwrap();
        call.net.run_for(Duration::from_millis(20));
    }
    call.net.run_for(Duration::from_secs(2));

    assert_eq!(call.b().tones(), "159#");
    let frames = call.b().count(|event| matches!(event, Event::Frame(_)));
    assert_eq!(frames, 200);
    assert!(!call.b().saw(|event| matches!(event, Event::Gap(_))));
}

/// Encoders are never on time to the microsecond: the audio clock, seen from the arrival of frames,
/// trembles, and a tone must not come apart because of it.
#[test]
fn a_tone_is_one_tone_though_frames_are_early_and_late() {
    let mut call = Call::new(2, Link::perfect(Duration::from_millis(25)), |_, options| {
        options
    });
    let mut stream = MediaStream::new("s1");
    stream.add_track(&MediaStreamTrack::new(
        MediaKind::Audio,
        "mic",
        "Microphone",
    ));
    call.a()
        .connection
        .add_stream(&stream, Autostart::Yes)
        .unwrap();
    let handler = call
        .a()
        .connection
        .add_dtmf_handler(DtmfContainer::First)
        .unwrap();
    call.signal();
    call.vouch();
    assert!(call.run_until_connected(Duration::from_secs(5)));
    let track = call.a().connection.tracks(&RTCTrackFilter::default())[0];
    let now = call.net.now();
    handler
        .insert_dtmf(&mut call.a().connection, "0123", None, None, now)
        .unwrap();

    for index in 0..50_u64 {
        let frame = Frame::new(vec![0xFC, 1, 2, 3], index * 960);
        let now = call.net.now();
        call.a().connection.send_frame(track, &frame, now).unwrap();
        call.net
            .run_for(Duration::from_millis(17 + (index * 5) % 7));
    }

    call.net.run_for(Duration::from_secs(1));
    assert_eq!(call.b().tones(), "0123");
}
