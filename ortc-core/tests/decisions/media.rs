//! Frames, key frames, RTCP, application data and counters.

use ortc_core::dtls::wire::NamedGroup;
use ortc_core::{Autostart, DropReason, Event, Frame, MediaKind, RTCTrackFilter, RtcpForm};
use ortc_testkit::link::Link;
use ortc_testkit::puppet::{Stage, opus, rtp, vp8};

use super::{connected, connected_with, frames, ms, stream, talk};

#[test]
fn media_asks_for_a_key_frame_by_command_and_tells_by_event() {
    let (mut call, _, cam) = connected(600);
    let now = call.net.now();
    for _ in 0..3 {
        call.b()
            .connection
            .request_key_frame(cam.ssrc(), now)
            .unwrap();
    }
    call.net.run_for(ms(50));
    let asked = call
        .a()
        .count(|event| *event == Event::KeyFrameRequested(cam));
    assert_eq!(asked, 1, "what waits together is asked once");
    let stats = call.a().connection.stats(now);
    assert_eq!(stats.sending[1].key_frame_requests, 1);
}

#[test]
fn media_lost_on_the_way_is_sent_again() {
    let (mut call, mic, _) = connected(601);
    call.net.set_link(Link::perfect(ms(10)).with_loss(0.1));
    talk(&mut call, mic, 0, 200);
    call.net.set_link(Link::perfect(ms(10)));
    call.net.run_for(ms(1_000));
    let heard = frames(&mut call);
    assert!(heard >= 198, "{heard} of 200");
    let now = call.net.now();
    let stats = call.b().connection.stats(now);
    assert!(stats.receiving[0].nacks > 5);
    assert_eq!(
        stats.drops.get(DropReason::Replay),
        0,
        "nothing was asked for twice in vain"
    );
}

#[test]
fn rtcp_is_multiplexed_and_reduced_in_size_where_the_options_allow() {
    for (number, form, first) in [
        (602, RtcpForm::ReducedSize, 206),
        (603, RtcpForm::Compound, 201),
    ] {
        let mut stage = Stage::connected(number, |options| options.rtcp(form));
        let now = stage.now;
        stage.connection.receive_track(&vp8(7, "m"), now).unwrap();
        stage.connection.request_key_frame(7, now).unwrap();
        stage.settle();
        let feedback = stage.puppet.received.last().unwrap();
        assert_eq!(feedback[1], first, "{form:?}");
        assert!(
            feedback.windows(2).any(|pair| pair == [0x81, 206]),
            "a PLI is in it"
        );
    }
}

/// Some servers take the SSRC that feedback comes from for the stream that it is about.
#[test]
fn rtcp_feedback_comes_from_a_source_of_the_kind_that_it_is_about() {
    let mut stage = Stage::connected(607, |options| options);
    let now = stage.now;
    let sent = stream("s1");
    stage.connection.add_stream(&sent, Autostart::Yes).unwrap();
    let tracks = stage.connection.tracks(&RTCTrackFilter::default());
    for track in &tracks {
        let frame = Frame::new(vec![0x10, 0, 0], 0);
        stage.connection.send_frame(*track, &frame, now).unwrap();
    }
    stage.settle();
    stage.connection.receive_track(&opus(6, "m"), now).unwrap();
    stage.connection.receive_track(&vp8(7, "m"), now).unwrap();
    for (asked, kind) in [(7, MediaKind::Video), (6, MediaKind::Audio)] {
        stage.connection.request_key_frame(asked, now).unwrap();
        stage.settle();
        let feedback = stage.puppet.received.last().unwrap();
        let own = tracks
            .iter()
            .find(|track| track.kind(&stage.connection) == Ok(kind));
        let speaker = own.unwrap().ssrc().to_be_bytes();
        assert_eq!(feedback[..2], [0x81, 206]);
        assert_eq!(feedback[4..8], speaker, "{kind:?}");
    }
}

#[test]
fn rtcp_reports_leave_for_what_is_sent_and_for_what_is_heard() {
    let (mut call, mic, _) = connected(604);
    talk(&mut call, mic, 0, 500);
    let now = call.net.now();
    let sending = call.a().connection.stats(now).sending.remove(0);
    assert!(
        sending
            .stream
            .rtt
            .is_some_and(|rtt| rtt >= ms(19) && rtt <= ms(25))
    );
    let receiving = call.b().connection.stats(now).receiving.remove(0);
    assert_eq!(receiving.frames, 500);
}

#[test]
fn stats_are_a_snapshot_at_any_time_and_every_drop_has_a_counter() {
    let mut stage = Stage::new(605, |options| options);
    let stats = stage.connection.stats(stage.now);
    assert!(stats.dtls.is_none() && stats.srtp_profile.is_none());
    stage.inject(vec![9, 9, 9]);
    stage.inject(vec![0x80, 96, 0, 1]);
    let drops = stage.connection.stats(stage.now).drops;
    assert_eq!(drops.get(DropReason::UnknownProtocol), 1);
    assert_eq!(drops.get(DropReason::MediaBeforeKeys), 1);
    assert_eq!(drops.total(), 2);
    assert_eq!(drops.iter().count(), 2);

    let mut stage = Stage::connected(606, |options| options);
    let now = stage.now;
    stage.connection.receive_track(&vp8(7, "m"), now).unwrap();
    stage.send_rtp(&rtp(7, 97, 1, 0, &[1]));
    let packet = stage.protect_rtp(&rtp(7, 96, 2, 0, &[0x10, 1]));
    stage.inject(packet.clone());
    stage.inject(packet);
    let stats = stage.connection.stats(now);
    assert_eq!(stats.drops.get(DropReason::UnknownPayloadType), 1);
    assert_eq!(stats.drops.get(DropReason::Replay), 1);
    assert_eq!(stats.receiving[0].codec.as_ref().unwrap().name, "vp8");
    assert!(stats.dtls.unwrap().cipher_suite.is_some());
    assert!(!stats.ice.pairs.is_empty());
    stage.connection.close(now);
    stage.inject(vec![0x80, 96]);
    let drops = stage.connection.stats(now).drops;
    assert_eq!(drops.get(DropReason::Closed), 1);
}

#[test]
fn dtls_application_data_is_an_event_and_a_command() {
    let (mut call, _, _) = connected(607);
    let now = call.net.now();
    call.a()
        .connection
        .send_application_data(b"hello", now)
        .unwrap();
    call.net.run_for(ms(20));
    let heard =
        |event: &Event| matches!(event, Event::ApplicationData(data) if data[..] == b"hello"[..]);
    assert_eq!(call.b().count(heard), 1);
}

#[test]
fn frames_that_nobody_polls_for_are_refused_at_a_bound_and_not_kept_for_ever() {
    let (mut call, mic, _) = connected(608);
    let now = call.net.now();
    let frame = Frame::new(vec![0; 1_000], 0);
    let mut taken = 0;
    while call.a().connection.send_frame(mic, &frame, now).is_ok() {
        taken += 1;
        assert!(taken < 10_000);
    }
    assert!(taken > 1_000, "{taken}");
    call.net.run_for(ms(100));
    call.a().connection.send_frame(mic, &frame, now).unwrap();
}

/// Removing a track while its packets wait, and adding another in its place, mixes nothing up.
#[test]
fn a_new_track_in_the_place_of_a_removed_one_sends_nothing_of_it() {
    let (mut call, mic, _) = connected(609);
    talk(&mut call, mic, 0, 3);
    let now = call.net.now();
    let frame = Frame::new(vec![0xEE; 10], 5_000);
    call.a().connection.send_frame(mic, &frame, now).unwrap();
    mic.remove(&mut call.a().connection, now).unwrap();
    let next = stream("s2");
    call.a()
        .connection
        .add_stream(&next, Autostart::Yes)
        .unwrap();
    call.net.run_for(ms(200));
    assert_eq!(frames(&mut call), 3);
    let all = call.a().connection.tracks(&RTCTrackFilter::default());
    assert_eq!(all.len(), 3);
    assert!(mic.get_description(&call.a().connection).is_err());
}

#[test]
fn every_profile_of_srtp_carries_media() {
    use ortc_core::Profile;
    for (number, profile) in (610..).zip([
        Profile::AeadAes128Gcm,
        Profile::AeadAes256Gcm,
        Profile::Aes128CmHmacSha1_80,
    ]) {
        let (mut call, mic, _) = connected_with(number, |end, options| {
            if end == 0 {
                options.srtp_profiles(vec![profile])
            } else {
                options
            }
        });
        talk(&mut call, mic, 0, 5);
        assert_eq!(frames(&mut call), 5);
        let now = call.net.now();
        assert_eq!(call.b().connection.stats(now).srtp_profile, Some(profile));
    }
}

#[test]
fn the_group_that_is_preferred_keys_the_call() {
    for (number, group) in (615..).zip([NamedGroup::X25519MLKEM768, NamedGroup::SECP384R1]) {
        let groups = vec![group, NamedGroup::X25519];
        let (mut call, mic, _) =
            connected_with(number, |_, options| options.dtls_groups(groups.clone()));
        talk(&mut call, mic, 0, 5);
        assert_eq!(frames(&mut call), 5);
        let now = call.net.now();
        let dtls = call.b().connection.stats(now).dtls;
        assert_eq!(dtls.and_then(|dtls| dtls.group), Some(group));
    }
}
