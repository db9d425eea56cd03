//! What travels as JSON: candidates, tracks, codecs, media attributes (draft §2.3.9, §3.3.3 to
//! §3.3.5).

use ortc_core::{
    MediaKind, RTCCodec, RTCIceCandidateDescription, RTCMediaAttributes, RTCTrackDescription,
};

use super::{alone, exact};

/// Draft §2.3.9.2.
#[test]
fn candidate_example_is_exact() {
    let candidate: RTCIceCandidateDescription = exact(
        r#"{
          "foundation": "abcd1234",
          "component": 1,
          "transport": "udp",
          "priority": 1694498815,
          "connectionAddress": "192.0.2.33",
          "connectionPort": 10000,
          "type": "host"
        }"#,
    );
    let (mut connection, now) = alone();
    connection.set_remote_candidate(&candidate, now).unwrap();
}

#[test]
fn candidate_with_related_address_is_exact() {
    let candidate: RTCIceCandidateDescription = exact(
        r#"{ "foundation": "1", "component": 1, "transport": "udp", "priority": 4294967295,
          "connectionAddress": "2001:db8::1", "connectionPort": 65535, "type": "srflx",
          "relAddress": "10.0.0.1", "relPort": 9 }"#,
    );
    assert_eq!(candidate.rel_port, Some(9));
}

/// Draft §3.3.3.1.
#[test]
fn track_example_is_exact() {
    let track: RTCTrackDescription = exact(
        r#"{
          "kind": "audio",
          "ssrc": "1234",
          "msid": ["m1"],
          "codecs": [
              { "payload-id": 96, "name": "opus", "clockRate": 48000, "numChannels": 2 }
          ]
        }"#,
    );
    assert_eq!(
        (track.kind, track.ssrc().unwrap()),
        (MediaKind::Audio, 1_234)
    );
    let (mut connection, now) = alone();
    connection.receive_track(&track, now).unwrap();
}

/// Draft §4.2.3.
#[test]
fn track_example_with_dtmf_is_exact() {
    let track: RTCTrackDescription = exact(
        r#"{
          "kind": "audio",
          "ssrc": "1234",
          "msid": ["m1"],
          "codecs": [
              { "payload-id": 96, "name": "opus", "clockRate": 48000, "numChannels": 2 },
              { "payload-id": 101, "name": "dtmf" }
          ]
        }"#,
    );
    assert!(track.codecs[1].is_dtmf());
    let (mut connection, now) = alone();
    connection.receive_track(&track, now).unwrap();
}

#[test]
fn track_with_every_member_is_exact() {
    let track: RTCTrackDescription = exact(
        r#"{ "kind": "video", "ssrc": "4294967295", "msid": ["a", "b"],
          "codecs": [{ "payload-id": 96, "name": "vp8" }],
          "mediaAttributes": [{ "videoMaxWidth": 640, "videoMaxHeight": 480 }],
          "rtpExtHeaders": { "urn:ietf:params:rtp-hdrext:sdes:mid": "v" },
          "rtx": { "ssrc": "7", "payloadIds": { "96": 97 } } }"#,
    );
    assert_eq!(track.rtp_ext_headers.len(), 1);
}

#[test]
fn codec_and_its_params_are_exact() {
    let codec: RTCCodec = exact(
        r#"{ "payload-id": 102, "name": "h264", "clockRate": 90000,
          "params": [{ "name": "packetization-mode", "value": "1" }, { "name": "flag" }] }"#,
    );
    assert_eq!(codec.param("packetization-mode"), Some("1"));
    assert_eq!(codec.param("flag"), None);
}

#[test]
fn media_attributes_are_exact() {
    let wish: RTCMediaAttributes = exact(r#"{ "videoMaxWidth": 320 }"#);
    assert_eq!(
        (wish.video_max_width, wish.video_max_height),
        (Some(320), None)
    );
    exact::<RTCMediaAttributes>("{}");
}
