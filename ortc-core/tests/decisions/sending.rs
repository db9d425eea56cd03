//! Streams and tracks that are sent: when they begin, how they end, and with which codec.

use ortc_core::{
    Autostart, ConnectionError, Event, Frame, MediaKind, MediaStream, MediaStreamTrack,
    RTCMediaAttributes, RTCTrackFilter, RtpExtHeaders, RtpToSend, SendError, get_rtc_capabilities,
    get_rtc_codec,
};
use ortc_testkit::puppet::{Stage, rtp};

use super::{call, call_with, connected, connected_with, frames, ms, stream, talk};

const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

fn gone(call: &mut ortc_testkit::call::Call) -> usize {
    call.b()
        .count(|event| matches!(event, Event::TrackDisconnected(_)))
}

#[test]
fn add_stream_without_autostart_waits_for_start_which_may_come_before_connected() {
    for early in [false, true] {
        let mut call = call(300);
        call.a()
            .connection
            .add_stream(&stream("s1"), Autostart::No)
            .unwrap();
        let mic = call.a().connection.tracks(&RTCTrackFilter::default())[0];
        if early {
            mic.start(&mut call.a().connection).unwrap();
        }
        call.signal();
        call.vouch();
        assert!(call.run_until_connected(ms(5_000)));
        call.net.run_for(ms(20));
        let now = call.net.now();
        let frame = Frame::new(vec![1], 0);
        if !early {
            assert_eq!(
                call.a().connection.send_frame(mic, &frame, now),
                Err(SendError::NotStarted)
            );
            mic.start(&mut call.a().connection).unwrap();
        }
        talk(&mut call, mic, 0, 5);
        assert_eq!(frames(&mut call), 5);
    }
}

#[test]
fn stop_is_silent_and_remove_says_bye() {
    let (mut call, mic, cam) = connected(301);
    talk(&mut call, mic, 0, 5);
    let now = call.net.now();
    let queued = Frame::new(vec![9], 0);
    call.a().connection.send_frame(mic, &queued, now).unwrap();
    mic.stop(&mut call.a().connection).unwrap();
    assert_eq!(
        call.a().connection.send_frame(mic, &queued, now),
        Err(SendError::NotStarted)
    );
    call.net.run_for(ms(500));
    assert_eq!(frames(&mut call), 5, "what was queued went with the stop");
    assert_eq!(gone(&mut call), 0);

    mic.start(&mut call.a().connection).unwrap();
    talk(&mut call, mic, 100, 5);
    assert_eq!(frames(&mut call), 10, "the same SSRC goes on");
    let now = call.net.now();
    mic.remove(&mut call.a().connection, now).unwrap();
    call.net.run_for(ms(100));
    assert_eq!(gone(&mut call), 1);
    assert_eq!(
        mic.start(&mut call.a().connection),
        Err(ConnectionError::UnknownTrack)
    );
    let rest = call.a().connection.tracks(&RTCTrackFilter::default());
    assert_eq!(rest, [cam]);
    assert_eq!(call.a().connection.get_sending_streams().len(), 1);
}

#[test]
fn remove_stream_says_bye_for_each_track_that_has_sent() {
    let (mut call, mic, _) = connected(302);
    talk(&mut call, mic, 0, 5);
    let now = call.net.now();
    call.a()
        .connection
        .remove_stream(&stream("s1"), now)
        .unwrap();
    assert_eq!(
        call.a().connection.remove_stream(&stream("s1"), now),
        Err(ConnectionError::UnknownStream)
    );
    call.net.run_for(ms(100));
    assert_eq!(gone(&mut call), 1);
    assert!(call.a().connection.get_sending_streams().is_empty());
    call.a()
        .connection
        .add_stream(&stream("s1"), Autostart::Yes)
        .unwrap();
}

#[test]
fn remove_says_bye_though_close_follows_at_once() {
    let (mut call, mic, cam) = connected(325);
    talk(&mut call, mic, 0, 5);
    let now = call.net.now();
    mic.remove(&mut call.a().connection, now).unwrap();
    call.a().connection.close(now);
    call.net.run_for(ms(100));
    assert_eq!(gone(&mut call), 1);
    assert!(cam.source(&call.a().connection).is_ok());
}

#[test]
fn codecs_are_those_of_the_options_and_a_list_without_a_supported_one_changes_nothing() {
    let mut own = get_rtc_capabilities();
    own.audio_codecs.retain(|codec| codec.name != "opus");
    own.video_codecs.clear();
    let mut call = call_with(303, |_, options| options.capabilities(own.clone()));
    let connection = &mut call.a().connection;
    assert!(connection.codec("opus").is_none() && connection.codec("PCMU").is_some());
    assert_eq!(connection.capabilities(), &own);
    assert_eq!(
        connection.add_stream(&stream("s1"), Autostart::Yes),
        Err(ConnectionError::NoSupportedCodec {
            kind: MediaKind::Video
        })
    );
    assert!(connection.get_sending_streams().is_empty());
    assert!(connection.tracks(&RTCTrackFilter::default()).is_empty());

    let mut audio = MediaStream::new("s1");
    audio.add_track(&MediaStreamTrack::new(MediaKind::Audio, "mic", ""));
    connection.add_stream(&audio, Autostart::Yes).unwrap();
    let mic = connection.tracks(&RTCTrackFilter::default())[0];
    assert_eq!(mic.codec(connection).unwrap().name, "ulaw");
    let before = mic.codecs(connection).unwrap().to_vec();
    let opus = get_rtc_codec("opus").unwrap();
    for list in [vec![], vec![opus], vec![get_rtc_codec("dtmf").unwrap()]] {
        assert_eq!(
            mic.set_codecs(connection, list),
            Err(ConnectionError::NoSupportedCodec {
                kind: MediaKind::Audio
            })
        );
    }
    assert_eq!(mic.codecs(connection).unwrap(), before);
}

#[test]
fn codecs_change_on_a_running_track_at_the_next_frame_on_the_same_ssrc() {
    let (mut call, mic, _) = connected(304);
    talk(&mut call, mic, 0, 5);
    let mut codecs = mic.codecs(&call.a().connection).unwrap().to_vec();
    codecs.rotate_left(1);
    mic.set_codecs(&mut call.a().connection, codecs).unwrap();
    assert_eq!(mic.codec(&call.a().connection).unwrap().name, "ulaw");
    let now = call.net.now();
    call.a().drain(now);
    let changed = call.a().events.iter().rev().find_map(|event| match event {
        Event::SendCodec { track, codec } => Some((*track, codec.name.clone())),
        _ => None,
    });
    assert_eq!(changed, Some((mic, "ulaw".to_owned())));
    for index in 0..5_u64 {
        let now = call.net.now();
        let frame = Frame::new(vec![0xFF; 160], index * 160);
        call.a().connection.send_frame(mic, &frame, now).unwrap();
        call.net.run_for(ms(20));
    }
    call.net.run_for(ms(500));
    let types: Vec<(u32, u8)> = call
        .b()
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Frame(frame) => Some((frame.ssrc, frame.payload_type)),
            _ => None,
        })
        .collect();
    let expected: Vec<(u32, u8)> = [111; 5]
        .into_iter()
        .chain([0; 5])
        .map(|id| (mic.ssrc(), id))
        .collect();
    assert_eq!(types, expected);
    let told = call
        .b()
        .count(|event| matches!(event, Event::ReceiveCodec { .. }));
    assert_eq!(told, 2);
}

#[test]
fn rtc_track_attributes_are_in_the_next_description() {
    let (mut call, _, cam) = connected(305);
    let connection = &mut call.a().connection;
    cam.set_msid(connection, vec!["m1".to_owned(), "m2".to_owned()])
        .unwrap();
    let wish = RTCMediaAttributes {
        video_max_width: Some(640),
        video_max_height: None,
    };
    cam.set_media_attributes(connection, vec![wish]).unwrap();
    let headers = RtpExtHeaders::from([(MID.to_owned(), "v".to_owned())]);
    cam.set_rtp_ext_headers(connection, headers.clone())
        .unwrap();
    let described = cam.get_description(connection).unwrap();
    assert_eq!(described.msid, ["m1", "m2"]);
    assert_eq!(described.media_attributes, [wish]);
    assert_eq!(described.rtp_ext_headers, headers);

    let now = call.net.now();
    call.b().connection.receive_track(&described, now).unwrap();
    let reported = call.b().connection.remote_media_attributes(cam.ssrc());
    assert_eq!(reported.unwrap(), [wish]);
}

#[test]
fn extension_headers_leave_until_the_peer_reports_and_never_break_the_path_mtu() {
    let mut stage = Stage::connected(306, |options| options.mtu(300));
    stage
        .connection
        .add_stream(&stream("s1"), Autostart::Yes)
        .unwrap();
    let tracks = stage.connection.tracks(&RTCTrackFilter::default());
    let cam = tracks[1];
    let now = stage.now;
    // Cut to size without an extension, which then comes before the packets leave.
    stage.largest = 0;
    let frame = Frame::new(vec![0; 3_000], 0);
    stage.connection.send_frame(cam, &frame, now).unwrap();
    let long = RtpExtHeaders::from([(MID.to_owned(), "x".repeat(100))]);
    cam.set_rtp_ext_headers(&mut stage.connection, long)
        .unwrap();
    stage.run_for(ms(1));
    assert!(stage.largest <= 300, "{}", stage.largest);
    assert!(
        stage
            .puppet
            .received
            .iter()
            .filter(|p| p[0] & 0x10 == 0)
            .count()
            > 5
    );

    let extended = |stage: &mut Stage| {
        stage.puppet.received.clear();
        let now = stage.now;
        let frame = Frame::new(vec![0; 1_000], 3_000);
        stage.connection.send_frame(cam, &frame, now).unwrap();
        stage.settle();
        let media = stage.puppet.received.iter().filter(|p| p[1] & 0x7F == 96);
        media.filter(|packet| packet[0] & 0x10 != 0).count()
    };
    assert!(extended(&mut stage) > 5);
    assert!(stage.largest <= 300, "{}", stage.largest);

    let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 9];
    report.extend_from_slice(&cam.ssrc().to_be_bytes());
    report.resize(32, 0);
    stage.send_rtcp(&report);
    assert_eq!(extended(&mut stage), 0, "the peer knows the SSRC now");
}

#[test]
fn tracks_filter_has_both_members_and_each_is_optional() {
    let mut call = call(307);
    let (first, second) = (stream("s1"), stream("s2"));
    let connection = &mut call.a().connection;
    connection.add_stream(&first, Autostart::Yes).unwrap();
    connection.add_stream(&second, Autostart::Yes).unwrap();
    let count = |media_stream: Option<&MediaStream>, kind| {
        let filter = RTCTrackFilter {
            media_stream: media_stream.cloned(),
            kind,
        };
        connection.tracks(&filter).len()
    };
    assert_eq!(count(None, None), 4);
    assert_eq!(count(Some(&first), None), 2);
    assert_eq!(count(None, Some(MediaKind::Audio)), 2);
    assert_eq!(count(Some(&second), Some(MediaKind::Video)), 1);
    assert_eq!(count(Some(&MediaStream::new("s3")), None), 0);
}

#[test]
fn media_stream_add_track_clones_so_that_no_track_is_in_two_streams() {
    let mic = MediaStreamTrack::new(MediaKind::Audio, "mic", "Microphone");
    let (mut first, mut second) = (MediaStream::new("s1"), MediaStream::new("s2"));
    let (one, two) = (first.add_track(&mic), second.add_track(&mic));
    assert_ne!(one, two);
    assert_ne!(first.add_track(&mic), one, "nor twice in one");
    assert_eq!((one.kind(), one.label()), (mic.kind(), mic.label()));
    assert_eq!(first.tracks()[0], one);

    let mut call = call(308);
    let connection = &mut call.a().connection;
    connection.add_stream(&first, Autostart::Yes).unwrap();
    connection.add_stream(&second, Autostart::Yes).unwrap();
    assert_eq!(
        connection.add_stream(&first, Autostart::Yes),
        Err(ConnectionError::DuplicateStream)
    );
    assert!(connection.track(&one).is_some() && connection.track(&mic).is_none());
}

#[test]
fn media_out_is_a_frame_or_a_raw_packet_and_numbers_are_never_used_twice() {
    let (mut call, mic, _) = connected(309);
    let now = call.net.now();
    for (index, skip) in (0..).zip([0, 0, 2, 0]) {
        let packet = RtpToSend {
            payload_type: 111,
            marker: index == 0,
            timestamp: 960 * index,
            skip,
            payload: vec![1, 2, 3].into(),
        };
        call.a().connection.send_rtp(mic, packet, now).unwrap();
    }
    call.net.run_for(ms(500));
    assert_eq!(frames(&mut call), 4);
    let gaps: u64 = call
        .b()
        .events
        .iter()
        .map(|event| match event {
            Event::Gap(gap) => gap.packets,
            _ => 0,
        })
        .sum();
    assert_eq!(gaps, 2, "a gap of the source stays one");
}

#[test]
fn size_is_kept_by_every_datagram() {
    for (number, mtu) in (310..).zip([256, 576, 1_200]) {
        let (mut call, mic, cam) = connected_with(number, |_, options| options.mtu(mtu));
        let now = call.net.now();
        for end in [call.a, call.b] {
            let peer = call.net.node_mut(end);
            let data = vec![7; mtu - 100];
            peer.connection.send_application_data(&data, now).unwrap();
            assert!(
                peer.connection
                    .send_application_data(&vec![7; mtu], now)
                    .is_err()
            );
        }
        let raw = |size: usize| RtpToSend {
            payload_type: 111,
            marker: false,
            timestamp: 0,
            skip: 0,
            payload: vec![0; size].into(),
        };
        let refused = call.a().connection.send_rtp(mic, raw(mtu), now);
        let Err(SendError::TooLarge { limit, .. }) = refused else {
            panic!("{refused:?}")
        };
        call.a().connection.send_rtp(mic, raw(limit), now).unwrap();
        let lossy = ortc_testkit::link::Link::perfect(ms(10)).with_loss(0.3);
        call.net.set_link(lossy);
        for index in 0..50_u64 {
            let now = call.net.now();
            let mut picture = vec![u8::from(index != 0), 0, 0, 0x9D, 1, 0x2A, 0, 0, 0, 0];
            picture.resize(20_000, 1);
            let frame = Frame::new(picture, index * 3_000);
            call.a().connection.send_frame(cam, &frame, now).unwrap();
            call.net.run_for(ms(33));
        }
        let now = call.net.now();
        call.a().connection.close(now);
        call.net.run_for(ms(100));
        let largest = call.net.log.iter().map(|sent| sent.contents.len()).max();
        assert_eq!(largest, Some(mtu), "full use, and never more");
        let resent = call.b().connection.stats(now).receiving;
        assert!(
            resent.iter().any(|track| track.nacks > 100),
            "feedback was exercised"
        );
    }
}

#[test]
fn a_gap_as_wide_as_the_numbers_is_asked_for_within_the_path_mtu() {
    let mut stage = Stage::connected(320, |options| options.mtu(256));
    let track = ortc_testkit::puppet::vp8(77, "m");
    let now = stage.now;
    stage.connection.receive_track(&track, now).unwrap();
    stage.largest = 0;
    for index in 0..400_u16 {
        let payload = [0x10, 0, 0, 0];
        stage.send_rtp(&rtp(
            77,
            96,
            index.wrapping_mul(40),
            u32::from(index) * 3_000,
            &payload,
        ));
        stage.run_for(ms(2));
    }
    stage.run_for(ms(300));
    assert!(
        stage.puppet.received.iter().any(|p| p[1] == 205),
        "asked for"
    );
    assert!(stage.largest <= 256, "{}", stage.largest);
}
