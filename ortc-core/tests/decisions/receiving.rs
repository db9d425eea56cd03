//! Tracks that are received: described or not, their coming and going.

use ortc_core::{
    ConnectionError, DropReason, Event, MediaKind, RTCCodec, ReceiveMode, RtpExtHeaders,
};
use ortc_testkit::puppet::{Stage, bye, description, opus, rtp, vp8, with_extension};

use super::ms;

const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

fn stage(number: u64) -> Stage {
    Stage::connected(number, |options| options)
}

/// What was told about coming and going, in short.
fn presence(stage: &Stage) -> Vec<&'static str> {
    let short = |event: &Event| match event {
        Event::AddStream(_) => Some("add"),
        Event::StreamConnected(_) => Some("stream"),
        Event::TrackConnected(_) => Some("track"),
        Event::TrackDisconnected(_) => Some("no track"),
        Event::StreamDisconnected(_) => Some("no stream"),
        _ => None,
    };
    stage.events.iter().filter_map(short).collect()
}

fn audio(stage: &mut Stage, ssrc: u32, first: u16, packets: u16) {
    for index in 0..packets {
        let sequence = first.wrapping_add(index);
        let timestamp = u32::from(sequence) * 960;
        stage.send_rtp(&rtp(ssrc, 111, sequence, timestamp, &[0xFC, 1]));
    }
}

fn frames(stage: &Stage) -> usize {
    stage.count(|event| matches!(event, Event::Frame(_)))
}

#[test]
fn receive_track_fires_add_stream_once_per_msid_before_any_rtp_and_updates_a_known_ssrc() {
    let mut stage = stage(400);
    let now = stage.now;
    let mut both = opus(1_000, "m1");
    both.msid.push("m2".to_owned());
    stage.connection.receive_track(&both, now).unwrap();
    stage
        .connection
        .receive_track(&vp8(1_001, "m1"), now)
        .unwrap();
    stage.drain();
    assert_eq!(presence(&stage), ["add", "add"]);
    let streams = stage.connection.get_receiving_streams();
    let sizes: Vec<_> = streams.iter().map(|s| (s.id(), s.tracks().len())).collect();
    assert_eq!(sizes, [("m1", 2), ("m2", 1)]);

    let first = stage
        .connection
        .receive_track(&opus(1_000, "m1"), now)
        .unwrap();
    let again = stage
        .connection
        .receive_track(&opus(1_000, "m1"), now)
        .unwrap();
    assert_eq!(first, again, "the same track");
    stage.drain();
    assert_eq!(presence(&stage), ["add", "add"]);
    assert_eq!(
        stage.connection.get_receiving_streams().len(),
        1,
        "m2 is empty and gone"
    );

    assert_eq!(
        stage.connection.receive_track(&vp8(1_000, "m1"), now),
        Err(ConnectionError::KindChanged { ssrc: 1_000 })
    );
    stage.connection.stop_receiving(1_000, now).unwrap();
    assert_eq!(
        stage.connection.stop_receiving(1_000, now),
        Err(ConnectionError::UnknownTrack)
    );
    audio(&mut stage, 1_000, 1, 1);
    assert_eq!(
        stage.count(|event| matches!(event, Event::UnknownTrack(_))),
        1
    );
}

#[test]
fn receive_track_without_a_supported_codec_is_an_error_that_changes_nothing() {
    let mut stage = stage(401);
    let now = stage.now;
    let codec = RTCCodec::new(100, "speex").with_clock_rate(16_000);
    let unsupported = description(MediaKind::Audio, 5, "m", &[codec]);
    assert_eq!(
        stage.connection.receive_track(&unsupported, now),
        Err(ConnectionError::NoSupportedCodec {
            kind: MediaKind::Audio
        })
    );
    assert!(stage.connection.get_receiving_streams().is_empty());
    stage.drain();
    assert_eq!(presence(&stage).len(), 0);
}

#[test]
fn receive_track_again_in_the_middle_of_a_frame_loses_nothing() {
    let mut stage = stage(402);
    let now = stage.now;
    stage.connection.receive_track(&vp8(9, "m"), now).unwrap();
    let key = [0x10, 0, 0, 0, 0x9D, 1, 0x2A, 0, 0, 0, 0];
    stage.send_rtp(&rtp(9, 96, 1, 0, &key));
    let mut moved = vp8(9, "m");
    moved.msid = vec!["other".to_owned()];
    stage.connection.receive_track(&moved, now).unwrap();
    stage.send_rtp(&rtp(9, 0x80 | 96, 2, 0, &[0, 1, 2, 3]));
    assert_eq!(frames(&stage), 1, "{:?}", stage.events);
    let told = stage.count(|event| matches!(event, Event::ReceiveCodec { .. }));
    assert_eq!(told, 1);
    assert_eq!(
        presence(&stage),
        ["add", "stream", "track", "add", "no stream", "stream"],
        "the stream that it left is gone, the one that it moved to is connected"
    );
}

#[test]
fn unknown_track_raises_the_event_once_and_its_packets_wait_for_the_description() {
    let mut stage = stage(403);
    let packet = with_extension(&rtp(7, 111, 1, 960, &[0xFC]), 1, b"a");
    stage.send_rtp(&packet);
    audio(&mut stage, 7, 2, 9);
    let unknown: Vec<_> = stage
        .events
        .iter()
        .filter_map(|event| match event {
            Event::UnknownTrack(unknown) => Some(unknown.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(unknown.len(), 1);
    assert_eq!((unknown[0].ssrc, unknown[0].payload_type), (7, 111));
    let headers = RtpExtHeaders::from([(MID.to_owned(), "a".to_owned())]);
    assert_eq!(unknown[0].rtp_ext_headers, headers);

    let now = stage.now;
    stage.connection.receive_track(&opus(7, "m"), now).unwrap();
    stage.drain();
    assert_eq!(frames(&stage), 10);
    assert_eq!(presence(&stage), ["add", "stream", "track"]);
    audio(&mut stage, 7, 11, 1);
    assert_eq!(frames(&stage), 11);
}

#[test]
fn unknown_track_waiting_is_bounded_by_packets_and_by_sources() {
    let mut stage = stage(404);
    audio(&mut stage, 7, 1, 200);
    let drops = |stage: &Stage| {
        let drops = stage.connection.stats(stage.now).drops;
        drops.get(DropReason::UnknownTrackFull)
    };
    assert_eq!(drops(&stage), 200 - 64);
    let now = stage.now;
    stage.connection.receive_track(&opus(7, "m"), now).unwrap();
    stage.drain();
    assert_eq!(frames(&stage), 64);

    // Seventeen sources: the oldest gave way.
    for ssrc in 100..117 {
        audio(&mut stage, ssrc, 1, 1);
    }
    for ssrc in 100..117 {
        stage
            .connection
            .receive_track(&opus(ssrc, "m"), now)
            .unwrap();
    }
    stage.drain();
    assert_eq!(frames(&stage), 64 + 16);
}

#[test]
fn extension_headers_bind_an_ssrc_that_was_not_announced_to_its_track() {
    let mut stage = stage(405);
    let now = stage.now;
    let mut described = opus(50, "m");
    described
        .rtp_ext_headers
        .insert(MID.to_owned(), "0".to_owned());
    stage.connection.receive_track(&described, now).unwrap();
    stage.send_rtp(&with_extension(&rtp(4_711, 111, 1, 0, &[0xFC]), 1, b"1"));
    assert_eq!(frames(&stage), 0, "another mid is another track");
    stage.send_rtp(&with_extension(&rtp(4_712, 111, 1, 0, &[0xFC]), 1, b"0"));
    audio(&mut stage, 4_712, 2, 1);
    assert_eq!(frames(&stage), 2);
    let ssrcs = stage.events.iter().filter_map(|event| match event {
        Event::Frame(frame) => Some(frame.ssrc),
        _ => None,
    });
    assert!(
        ssrcs.into_iter().all(|ssrc| ssrc == 50),
        "known by its description"
    );
}

/// A retransmission stream names the track that it repairs, on an SSRC of its own.
#[test]
fn extension_headers_bind_no_track_to_a_source_with_other_codecs() {
    let mut stage = stage(420);
    let now = stage.now;
    let mut described = opus(50, "m");
    described
        .rtp_ext_headers
        .insert(MID.to_owned(), "0".to_owned());
    let repair = with_extension(&rtp(60, 97, 1, 0, &[0, 0]), 1, b"0");
    stage.send_rtp(&repair);
    stage.send_rtp(&with_extension(&rtp(61, 111, 1, 0, &[0xFC]), 1, b"0"));
    stage.connection.receive_track(&described, now).unwrap();
    stage.drain();
    assert_eq!(frames(&stage), 1, "the one that waited with its codec");

    described.ssrc = "51".to_owned();
    described
        .rtp_ext_headers
        .insert(MID.to_owned(), "1".to_owned());
    stage.connection.receive_track(&described, now).unwrap();
    stage.send_rtp(&with_extension(&rtp(62, 97, 1, 0, &[0, 0]), 1, b"1"));
    audio(&mut stage, 51, 1, 1);
    assert_eq!(frames(&stage), 2, "its own SSRC is still its own");
}

#[test]
fn extension_headers_bind_a_track_to_a_new_ssrc_once_the_old_one_has_left() {
    let mut stage = stage(421);
    let now = stage.now;
    let mut described = opus(50, "m");
    described
        .rtp_ext_headers
        .insert(MID.to_owned(), "0".to_owned());
    stage.connection.receive_track(&described, now).unwrap();
    audio(&mut stage, 50, 1, 2);
    let moved = with_extension(&rtp(70, 111, 9_000, 5, &[0xFC]), 1, b"0");
    stage.send_rtp(&moved);
    assert_eq!(frames(&stage), 2, "a track that is heard stays where it is");

    stage.send_rtcp(&bye(50));
    let moved = with_extension(&rtp(71, 111, 9_000, 5, &[0xFC]), 1, b"0");
    stage.send_rtp(&moved);
    audio(&mut stage, 71, 9_001, 1);
    assert_eq!(frames(&stage), 4);
    assert_eq!(
        presence(&stage),
        [
            "add",
            "stream",
            "track",
            "no track",
            "no stream",
            "stream",
            "track"
        ]
    );
    assert_eq!(stage.count(|event| matches!(event, Event::Gap(_))), 0);
}

#[test]
fn extension_headers_give_way_to_a_description_of_the_ssrc() {
    let mut stage = stage(422);
    let now = stage.now;
    let mut described = opus(50, "m");
    described
        .rtp_ext_headers
        .insert(MID.to_owned(), "0".to_owned());
    stage.connection.receive_track(&described, now).unwrap();
    stage.send_rtp(&with_extension(&rtp(70, 111, 1, 0, &[0xFC]), 1, b"0"));
    stage.connection.receive_track(&opus(70, "n"), now).unwrap();
    stage.connection.stop_receiving(50, now).unwrap();
    stage.drain();
    stage.events.clear();
    audio(&mut stage, 70, 2, 2);
    let told = |event: &Event| matches!(event, Event::Frame(frame) if frame.ssrc == 70);
    assert_eq!(stage.count(told), 2);
}

/// What nobody can use has arrived all the same: it is neither waited for nor asked for again.
#[test]
fn receive_track_counts_a_codec_that_is_not_listed_as_received() {
    let mut stage = stage(423);
    let now = stage.now;
    stage.connection.receive_track(&opus(9, "m"), now).unwrap();
    audio(&mut stage, 9, 1, 2);
    stage.send_rtp(&rtp(9, 13, 3, 2_880, &[0x40]));
    audio(&mut stage, 9, 4, 1);
    assert_eq!(frames(&stage), 3, "nothing holds the last one back");
    stage.puppet.received.clear();
    stage.run_for(ms(1_000));
    assert_eq!(stage.count(|event| matches!(event, Event::Gap(_))), 0);
    let stats = stage.connection.stats(stage.now);
    assert_eq!(stats.receiving[0].nacks, 0);
    assert_eq!(stats.drops.get(DropReason::UnknownPayloadType), 1);
}

#[test]
fn receive_track_loses_no_frame_and_no_gap_where_the_codec_changes() {
    let mut stage = stage(425);
    let now = stage.now;
    let codecs = [RTCCodec::new(111, "opus"), RTCCodec::new(8, "alaw")];
    let both = description(MediaKind::Audio, 9, "m", &codecs);
    stage.connection.receive_track(&both, now).unwrap();
    audio(&mut stage, 9, 1, 1);
    audio(&mut stage, 9, 3, 1);
    stage.send_rtp(&rtp(9, 8, 5, 500, &[1; 160]));
    let told: Vec<_> = stage
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Frame(frame) => Some(("frame", u64::from(frame.payload_type))),
            Event::Gap(gap) => Some(("gap", gap.packets)),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            ("frame", 111),
            ("gap", 1),
            ("frame", 111),
            ("gap", 1),
            ("frame", 8)
        ]
    );
}

#[test]
fn receive_track_is_not_led_back_by_a_late_packet_of_the_former_codec() {
    let mut stage = stage(424);
    let now = stage.now;
    let codecs = [RTCCodec::new(111, "opus"), RTCCodec::new(8, "alaw")];
    let both = description(MediaKind::Audio, 9, "m", &codecs);
    stage.connection.receive_track(&both, now).unwrap();
    audio(&mut stage, 9, 1, 1);
    stage.send_rtp(&rtp(9, 8, 3, 500, &[1; 160]));
    audio(&mut stage, 9, 2, 1);
    stage.send_rtp(&rtp(9, 8, 4, 660, &[1; 160]));
    let changes = stage.count(|event| matches!(event, Event::ReceiveCodec { .. }));
    assert_eq!(changes, 2);
    assert_eq!(frames(&stage), 3);
}

#[test]
fn extension_headers_use_the_ids_of_the_options() {
    let ids = [(MID.to_owned(), 9)].into();
    let mut stage = Stage::connected(406, |options| options.extension_ids(ids));
    stage.send_rtp(&with_extension(&rtp(7, 111, 1, 0, &[0xFC]), 9, b"mid"));
    stage.send_rtp(&with_extension(
        &rtp(8, 111, 1, 0, &[0xFC]),
        1,
        &[0xAB, 0xCD],
    ));
    let headers: Vec<_> = stage
        .events
        .iter()
        .filter_map(|event| match event {
            Event::UnknownTrack(unknown) => Some(unknown.rtp_ext_headers.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(headers[0][MID], "mid");
    assert_eq!(
        headers[1]["1"], "abcd",
        "unknown ids are told by number, in hexadecimal"
    );
}

#[test]
fn track_and_stream_connected_stream_first_and_disconnected_by_bye_track_first() {
    let mut stage = stage(407);
    let now = stage.now;
    stage.connection.receive_track(&opus(1, "m"), now).unwrap();
    stage.connection.receive_track(&vp8(2, "m"), now).unwrap();
    audio(&mut stage, 1, 1, 3);
    stage.send_rtp(&rtp(2, 96, 1, 0, &[0x10, 0]));
    assert_eq!(presence(&stage), ["add", "stream", "track", "track"]);
    stage.send_rtcp(&bye(1));
    stage.send_rtcp(&bye(1));
    assert_eq!(presence(&stage)[4..], ["no track"]);
    stage.send_rtcp(&bye(2));
    assert_eq!(presence(&stage)[4..], ["no track", "no track", "no stream"]);
}

/// A source that says goodbye and begins anew, with numbers that have nothing to do with before.
#[test]
fn track_connected_again_when_an_ssrc_is_used_after_bye() {
    for jump in [0, 1, 500, 20_000] {
        let mut stage = stage(408);
        let now = stage.now;
        stage.connection.receive_track(&opus(1, "m"), now).unwrap();
        audio(&mut stage, 1, 100, 5);
        stage.send_rtcp(&bye(1));
        stage.run_for(ms(500));
        audio(&mut stage, 1, 105 + jump, 10);
        stage.run_for(ms(1_000));
        assert_eq!(
            presence(&stage),
            [
                "add",
                "stream",
                "track",
                "no track",
                "no stream",
                "stream",
                "track"
            ],
            "after a jump of {jump}"
        );
        assert_eq!(frames(&stage), 15, "after a jump of {jump}");
        assert_eq!(
            stage.count(|event| matches!(event, Event::Gap(_))),
            0,
            "{jump}"
        );
    }
}

#[test]
fn track_disconnected_after_rtp_timeout_and_connected_by_the_next_packet() {
    let mut stage = Stage::connected(409, |options| options.rtp_timeout(ms(2_000)));
    let now = stage.now;
    stage.connection.receive_track(&opus(1, "m"), now).unwrap();
    audio(&mut stage, 1, 1, 3);
    stage.run_for(ms(1_900));
    assert_eq!(presence(&stage), ["add", "stream", "track"]);
    stage.run_for(ms(200));
    assert_eq!(presence(&stage)[3..], ["no track", "no stream"]);
    audio(&mut stage, 1, 4, 1);
    assert_eq!(presence(&stage)[5..], ["stream", "track"]);
}

#[test]
fn stop_receiving_tells_that_a_connected_track_is_gone() {
    let mut stage = stage(410);
    let now = stage.now;
    stage.connection.receive_track(&opus(1, "m"), now).unwrap();
    stage.connection.receive_track(&vp8(2, "m"), now).unwrap();
    audio(&mut stage, 1, 1, 3);
    stage.connection.stop_receiving(1, now).unwrap();
    stage.drain();
    assert_eq!(presence(&stage)[3..], ["no track", "no stream"]);
    assert_eq!(
        stage.connection.get_receiving_streams().len(),
        1,
        "video is still awaited"
    );
    stage.send_rtp(&rtp(2, 96, 1, 0, &[0x10, 0]));
    assert_eq!(presence(&stage)[5..], ["stream", "track"]);
}

#[test]
fn media_in_is_a_whole_frame_or_a_raw_packet() {
    let mut stage = stage(411);
    let now = stage.now;
    stage
        .connection
        .receive_track_as(&opus(1, "m"), ReceiveMode::Raw, now)
        .unwrap();
    let packet = with_extension(&rtp(1, 0x80 | 111, 65_535, 7, &[1, 2, 3]), 1, b"x");
    stage.send_rtp(&packet);
    stage.send_rtp(&rtp(1, 111, 0, 967, &[4]));
    let raw: Vec<_> = stage
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Rtp(rtp) => Some(rtp.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(raw.len(), 2);
    assert_eq!(raw[0].packet, packet);
    assert_eq!(raw[0].payload().as_ref(), [1, 2, 3]);
    assert!(raw[0].marker && !raw[1].marker);
    assert_eq!(
        raw[1].sequence,
        raw[0].sequence + 1,
        "extended over the wrap"
    );

    stage.connection.receive_track(&opus(1, "m"), now).unwrap();
    audio(&mut stage, 1, 1, 3);
    assert_eq!(frames(&stage), 3, "the mode can change");
}
