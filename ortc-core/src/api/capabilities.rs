//! What this stack can send and receive (draft §6).

use serde::{Deserialize, Serialize};

use super::codec::{RTCCodec, same_name};
use super::stream::MediaKind;

/// The codecs that a connection supports (draft §6).
#[doc(alias = "RtcCapabilities")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RTCCapabilities {
    /// Audio codecs in order of preference, `dtmf` last.
    #[serde(rename = "audioCodecs")]
    pub audio_codecs: Vec<RTCCodec>,
    /// Video codecs in order of preference.
    #[serde(rename = "videoCodecs")]
    pub video_codecs: Vec<RTCCodec>,
}

impl RTCCapabilities {
    /// The codecs of one kind.
    #[must_use]
    pub fn codecs(&self, kind: MediaKind) -> &[RTCCodec] {
        match kind {
            MediaKind::Audio => &self.audio_codecs,
            MediaKind::Video => &self.video_codecs,
        }
    }

    /// The codec of this name, or `None` when it is not supported.
    #[must_use]
    pub fn codec(&self, name: &str) -> Option<&RTCCodec> {
        self.audio_codecs
            .iter()
            .chain(&self.video_codecs)
            .find(|codec| same_name(&codec.name, name))
    }

    /// Whether this codec of this kind can be sent and received: name, clock rate and, for H.264,
    /// packetization mode are in the list.
    #[must_use]
    pub fn supports(&self, kind: MediaKind, codec: &RTCCodec) -> bool {
        if codec.is_dtmf() {
            // One `dtmf` entry stands for every clock rate: events are reported at any (RFC 4733 §2.1).
            return kind == MediaKind::Audio && self.audio_codecs.iter().any(RTCCodec::is_dtmf);
        }
        self.codecs(kind)
            .iter()
            .any(|known| known.is_same_codec(codec))
    }
}

/// Everything that ortc-rtp and ortc-dtmf carry as whole frames and tones.
///
/// A connection whose embedder encodes less says so with
/// [`RTCConnectionOptions::capabilities`](super::RTCConnectionOptions::capabilities).
#[doc(alias = "getRTCCapabilities")]
#[must_use]
pub fn get_rtc_capabilities() -> RTCCapabilities {
    RTCCapabilities {
        audio_codecs: vec![
            RTCCodec::new(111, "opus")
                .with_clock_rate(48_000)
                .with_channels(2)
                .with_param("minptime", "10")
                .with_param("useinbandfec", "1"),
            // Static payload types of RFC 3551 table 4.
            RTCCodec::new(0, "ulaw")
                .with_clock_rate(8_000)
                .with_channels(1),
            RTCCodec::new(8, "alaw")
                .with_clock_rate(8_000)
                .with_channels(1),
            RTCCodec::new(101, "dtmf"),
        ],
        video_codecs: vec![
            RTCCodec::new(96, "vp8").with_clock_rate(90_000),
            // Constrained baseline, level 3.1: what RFC 7742 §6.2 makes every browser read.
            RTCCodec::new(102, "h264")
                .with_clock_rate(90_000)
                .with_param("level-asymmetry-allowed", "1")
                .with_param("packetization-mode", "1")
                .with_param("profile-level-id", "42e01f"),
            RTCCodec::new(104, "h264")
                .with_clock_rate(90_000)
                .with_param("level-asymmetry-allowed", "1")
                .with_param("packetization-mode", "0")
                .with_param("profile-level-id", "42e01f"),
        ],
    }
}

/// The codec of this name, or `None` when this stack does not support it (draft §6).
#[doc(alias = "getRTCCodec")]
#[must_use]
pub fn get_rtc_codec(name: &str) -> Option<RTCCodec> {
    get_rtc_capabilities().codec(name).cloned()
}
