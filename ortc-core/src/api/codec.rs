//! RTCCodec and its parameters (draft §3.3.4), and which payload format a codec name means.

use ortc_rtp::payload::{Format, PacketizationMode};
use serde::{Deserialize, Serialize};

/// A codec with the payload type that carries it (draft §3.3.4).
#[doc(alias = "RtcCodec")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RTCCodec {
    /// RTP payload type, 0 to 127.
    #[serde(rename = "payload-id")]
    pub payload_id: u8,
    /// Name as in the draft (`opus`, `alaw`, `ulaw`, `dtmf`, `vp8`, `h264`) or of the media type
    /// registry (`PCMA`, `PCMU`, `telephone-event`); upper and lower case are the same.
    pub name: String,
    /// RTP clock rate in hertz; `None` means the rate that the name implies.
    #[serde(rename = "clockRate", default, skip_serializing_if = "Option::is_none")]
    pub clock_rate: Option<u32>,
    /// Audio channels; `None` for video and where the name implies the number.
    #[serde(
        rename = "numChannels",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub num_channels: Option<u32>,
    /// Format parameters, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<RTCCodecParam>,
}

/// One format parameter of a codec (draft §3.3.4).
#[doc(alias = "RtcCodecParam")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RTCCodecParam {
    /// Name of the parameter, as in the codec's media type registration.
    pub name: String,
    /// Its value; `None` for a parameter that is only a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// What a codec name means to the media engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodecKind {
    /// A payload format that ortc-rtp packetizes.
    Media(Format),
    /// Telephone-event (RFC 4733).
    Dtmf,
    /// Known only by name: raw RTP can carry it, frames cannot.
    Opaque,
}

impl RTCCodec {
    /// A codec without clock rate, channels and parameters.
    #[must_use]
    pub fn new(payload_id: u8, name: impl Into<String>) -> Self {
        Self {
            payload_id,
            name: name.into(),
            clock_rate: None,
            num_channels: None,
            params: Vec::new(),
        }
    }

    /// The same codec with this clock rate in hertz.
    #[must_use]
    pub fn with_clock_rate(self, clock_rate: u32) -> Self {
        Self {
            clock_rate: Some(clock_rate),
            ..self
        }
    }

    /// The same codec with this number of channels.
    #[must_use]
    pub fn with_channels(self, channels: u32) -> Self {
        Self {
            num_channels: Some(channels),
            ..self
        }
    }

    /// The same codec with one more parameter.
    #[must_use]
    pub fn with_param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.push(RTCCodecParam {
            name: name.into(),
            value: Some(value.into()),
        });
        self
    }

    /// The value of a parameter, when it is there and has one.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        let param = self
            .params
            .iter()
            .find(|param| param.name.eq_ignore_ascii_case(name))?;
        param.value.as_deref()
    }

    /// Whether two codecs are the same but for the payload type and tuning parameters: name, clock
    /// rate and, for H.264, the packetization mode (RFC 6184 §8.2.2).
    #[must_use]
    pub fn is_same_codec(&self, other: &Self) -> bool {
        canonical(&self.name) == canonical(&other.name)
            && self.effective_clock_rate() == other.effective_clock_rate()
            && self.kind() == other.kind()
    }

    /// RTP clock rate in hertz: the stated one, else the one that the name implies. For `dtmf`
    /// without a rate `None`: it runs on the clock of its audio (draft §4.2.3).
    #[must_use]
    pub fn effective_clock_rate(&self) -> Option<u32> {
        self.clock_rate.or(match self.kind() {
            CodecKind::Media(format) => Some(format.clock_rate()),
            CodecKind::Dtmf | CodecKind::Opaque => None,
        })
    }

    /// Whether this is the telephone-event pseudo codec.
    #[must_use]
    pub fn is_dtmf(&self) -> bool {
        self.kind() == CodecKind::Dtmf
    }

    pub(crate) fn kind(&self) -> CodecKind {
        match canonical(&self.name) {
            Name::Opus => CodecKind::Media(Format::Opus),
            Name::Alaw => CodecKind::Media(Format::Pcma),
            Name::Ulaw => CodecKind::Media(Format::Pcmu),
            Name::Vp8 => CodecKind::Media(Format::Vp8),
            Name::H264 => match self.param("packetization-mode") {
                // RFC 6184 §8.1: absent means 0; 2 (interleaved) has no packetizer here.
                None | Some("0") => CodecKind::Media(Format::H264 {
                    mode: PacketizationMode::SingleNal,
                }),
                Some("1") => CodecKind::Media(Format::H264 {
                    mode: PacketizationMode::NonInterleaved,
                }),
                Some(_) => CodecKind::Opaque,
            },
            Name::Dtmf => CodecKind::Dtmf,
            Name::Other(_) => CodecKind::Opaque,
        }
    }
}

/// A codec name with its aliases folded: the draft says `alaw`, browsers say `PCMA`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Opus,
    Alaw,
    Ulaw,
    Dtmf,
    Vp8,
    H264,
    Other(String),
}

fn canonical(name: &str) -> Name {
    const NAMES: [(&str, Name); 9] = [
        ("opus", Name::Opus),
        ("alaw", Name::Alaw),
        ("pcma", Name::Alaw),
        ("ulaw", Name::Ulaw),
        ("pcmu", Name::Ulaw),
        ("dtmf", Name::Dtmf),
        ("telephone-event", Name::Dtmf),
        ("vp8", Name::Vp8),
        ("h264", Name::H264),
    ];
    NAMES
        .into_iter()
        .find_map(|(known, folded)| name.eq_ignore_ascii_case(known).then_some(folded))
        .unwrap_or_else(|| Name::Other(name.to_ascii_lowercase()))
}

/// Whether two names mean the same codec, aliases folded.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    canonical(a) == canonical(b)
}
