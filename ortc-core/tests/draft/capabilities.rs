//! getRTCCapabilities, getRTCCodec, RTCCapabilities (draft §6).

use ortc_core::{MediaKind, RTCCapabilities, get_rtc_capabilities, get_rtc_codec};

#[test]
fn get_rtc_capabilities_lists_what_connections_support() {
    let capabilities = get_rtc_capabilities();
    let (connection, _) = super::alone();
    assert_eq!(connection.capabilities(), &capabilities);
}

#[test]
fn get_rtc_codec_knows_the_mandatory_names_and_no_other() {
    for name in ["opus", "alaw", "ulaw", "dtmf", "vp8", "h264"] {
        assert_eq!(get_rtc_codec(name).unwrap().name, name);
    }
    assert_eq!(get_rtc_codec("speex"), None);
}

#[test]
fn audio_codecs_and_video_codecs_are_the_members() {
    let capabilities = get_rtc_capabilities();
    let value = serde_json::to_value(&capabilities).unwrap();
    let members: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(members, ["audioCodecs", "videoCodecs"]);
    let back: RTCCapabilities = serde_json::from_value(value).unwrap();
    assert_eq!(back, capabilities);
    for kind in [MediaKind::Audio, MediaKind::Video] {
        for codec in capabilities.codecs(kind) {
            assert!(capabilities.supports(kind, codec));
        }
    }
}
