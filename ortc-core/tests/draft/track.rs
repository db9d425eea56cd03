//! RTCTrack and RTCTrackFilter (draft §2.3.10, §3).

use ortc_core::{
    Autostart, Frame, MediaKind, RTCMediaAttributes, RTCTrackFilter, RtpExtHeaders, SendError,
};

use super::{connected, ms, sending, stream};

#[test]
fn filter_by_media_stream() {
    let (mut connection, _, _) = sending();
    connection
        .add_stream(&stream("m2"), Autostart::Yes)
        .unwrap();
    let filter = RTCTrackFilter {
        media_stream: Some(stream("m2")),
        kind: None,
    };
    for track in connection.tracks(&filter) {
        assert_eq!(track.msid(&connection).unwrap(), ["m2"]);
    }
    assert_eq!(connection.tracks(&filter).len(), 2);
}

#[test]
fn filter_by_kind() {
    let (connection, _, _) = sending();
    let filter = RTCTrackFilter {
        media_stream: None,
        kind: Some(MediaKind::Video),
    };
    let found = connection.tracks(&filter);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind(&connection).unwrap(), MediaKind::Video);
}

#[test]
fn source_is_the_media_stream_track() {
    let (connection, track, _) = sending();
    assert_eq!(
        track.source(&connection).unwrap(),
        &stream("m1").tracks()[0]
    );
}

#[test]
fn kind_is_audio_or_video() {
    let (connection, track, _) = sending();
    assert_eq!(track.kind(&connection).unwrap().to_string(), "audio");
}

#[test]
fn ssrc_is_that_of_the_description_in_decimal() {
    let (connection, track, _) = sending();
    let description = track.get_description(&connection).unwrap();
    assert_eq!(description.ssrc, track.ssrc().to_string());
}

#[test]
fn msid_can_be_read_and_set() {
    let (mut connection, track, _) = sending();
    assert_eq!(track.msid(&connection).unwrap(), ["m1"]);
    track
        .set_msid(&mut connection, vec!["x".to_owned()])
        .unwrap();
    assert_eq!(track.get_description(&connection).unwrap().msid, ["x"]);
}

#[test]
fn codecs_can_be_set_and_the_first_supported_is_chosen() {
    let (mut connection, track, _) = sending();
    let mut codecs = track.codecs(&connection).unwrap().to_vec();
    codecs.insert(
        0,
        ortc_core::RTCCodec::new(99, "exotic").with_clock_rate(16_000),
    );
    codecs.swap(1, 2);
    let second = codecs[1].clone();
    track.set_codecs(&mut connection, codecs.clone()).unwrap();
    assert_eq!(track.codecs(&connection).unwrap(), codecs);
    assert_eq!(track.codec(&connection).unwrap(), &second);
}

#[test]
fn media_attributes_can_be_set() {
    let (mut connection, track, _) = sending();
    let wish = RTCMediaAttributes {
        video_max_width: Some(1),
        video_max_height: Some(2),
    };
    track
        .set_media_attributes(&mut connection, vec![wish])
        .unwrap();
    assert_eq!(track.media_attributes(&connection).unwrap(), [wish]);
}

#[test]
fn rtp_ext_headers_can_be_set() {
    let (mut connection, track, _) = sending();
    let headers = RtpExtHeaders::from([("urn:x".to_owned(), "y".to_owned())]);
    track
        .set_rtp_ext_headers(&mut connection, headers.clone())
        .unwrap();
    assert_eq!(track.rtp_ext_headers(&connection).unwrap(), &headers);
}

#[test]
fn get_description_has_all_that_the_peer_needs() {
    let (connection, track, _) = sending();
    let description = track.get_description(&connection).unwrap();
    assert_eq!(description.kind, MediaKind::Audio);
    assert_eq!(description.msid, ["m1"]);
    assert_eq!(description.codecs, track.codecs(&connection).unwrap());
}

#[test]
fn start_and_stop_begin_and_end_sending() {
    let mut call = connected(40);
    let track = call.a().connection.tracks(&RTCTrackFilter::default())[0];
    let now = call.net.now();
    let frame = Frame::new(vec![1], 0);
    let connection = &mut call.a().connection;
    track.stop(connection).unwrap();
    assert_eq!(
        connection.send_frame(track, &frame, now),
        Err(SendError::NotStarted)
    );
    track.start(connection).unwrap();
    connection.send_frame(track, &frame, now).unwrap();
    call.net.run_for(ms(50));
    assert!(
        call.b()
            .saw(|event| matches!(event, ortc_core::Event::Frame(_)))
    );
}

#[test]
fn remove_leaves_the_media_stream_as_it_is() {
    let (mut connection, track, now) = sending();
    track.remove(&mut connection, now).unwrap();
    assert_eq!(connection.tracks(&RTCTrackFilter::default()).len(), 1);
    assert_eq!(connection.get_sending_streams()[0].tracks().len(), 2);
}
