//! One receiving track: what its description says, and the stream that arrives.

use std::time::Instant;

use ortc_rtp::jitter::ReorderBuffer;
use ortc_rtp::repair::NackGenerator;
use ortc_rtp::stream::ReceiveStream;

use crate::api::codec::CodecKind;
use crate::api::{MediaStreamTrack, RTCCodec, RTCMediaAttributes, ReceiveMode, RtpExtHeaders};
use crate::timer::Armed;

use super::extensions::ExtensionIds;
use super::feedback::Feedback;
use super::rtx::ReceiveRtx;
use super::tones::ReceiveTones;

/// A receiving track of the connection.
#[derive(Debug)]
pub(crate) struct ReceiveTrack {
    pub(crate) track: MediaStreamTrack,
    pub(crate) msid: Vec<String>,
    /// SSRC of the description: what the application knows the track by.
    pub(crate) ssrc: u32,
    /// SSRC of the packets; another one than described when header extensions bound it.
    pub(crate) wire_ssrc: u32,
    pub(crate) media_attributes: Vec<RTCMediaAttributes>,
    pub(crate) rtp_ext_headers: RtpExtHeaders,
    /// Its own ids of header extensions, where its description has them.
    pub(crate) extension_ids: Option<Box<ExtensionIds>>,
    pub(crate) feedback: Feedback,
    pub(crate) payloads: Payloads,
    pub(crate) mode: ReceiveMode,
    pub(crate) presence: Presence,
    pub(crate) stream: ReceiveStream,
    /// Payload type of the last media packet.
    pub(crate) current: Option<u8>,
    pub(crate) buffer: Option<ReorderBuffer>,
    pub(crate) nack: NackGenerator,
    pub(crate) nack_queued: bool,
    pub(crate) tones: Option<ReceiveTones>,
    pub(crate) rtx: Option<Box<ReceiveRtx>>,
    /// Whether the next report has a block about it (RFC 3550 §6.4: heard since the last report).
    pub(crate) in_report: bool,
    pub(crate) last_rtp: Option<Instant>,
    pub(crate) armed: Armed,
    pub(crate) counters: ReceiveCounters,
}

/// Whether RTP comes (draft §7, §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    NeverHeard,
    Connected,
    /// Silent for too long.
    Disconnected,
    /// Said BYE: what comes next under its SSRC begins anew.
    Left,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReceiveCounters {
    pub(crate) frames: u64,
    pub(crate) key_frames: u64,
    pub(crate) gap_packets: u64,
    pub(crate) nacks: u64,
    pub(crate) key_frame_requests: u64,
    pub(crate) repaired: u64,
    pub(crate) probes: u64,
}

/// Payload type to codec, by a table built when the description changes.
#[derive(Debug)]
pub(crate) struct Payloads {
    codecs: Vec<RTCCodec>,
    /// What each codec of the list means.
    meanings: Vec<Meaning>,
    /// Payload type to place in both lists; [`NOT_LISTED`] for the rest.
    places: [u8; 128],
}

/// A list has at most 128 codecs: payload types differ.
const NOT_LISTED: u8 = u8::MAX;

/// What a payload type of a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    NotListed,
    Codec(CodecKind),
    /// Tones with reports on a clock of this rate.
    Tones {
        clock_rate: u32,
    },
}

impl Payloads {
    pub(crate) fn new(codecs: Vec<RTCCodec>) -> Self {
        let audio_rate = codecs
            .iter()
            .filter(|codec| !codec.is_dtmf())
            .find_map(RTCCodec::effective_clock_rate)
            .unwrap_or(8_000); // telephone-event's own default, RFC 4733 §7.1
        let meaning = |codec: &RTCCodec| match codec.kind() {
            CodecKind::Dtmf => Meaning::Tones {
                clock_rate: codec.clock_rate.unwrap_or(audio_rate),
            },
            kind @ (CodecKind::Media(_) | CodecKind::Opaque) => Meaning::Codec(kind),
        };
        let meanings = codecs.iter().map(meaning).collect();
        let mut places = [NOT_LISTED; 128];
        for (place, codec) in (0..).zip(&codecs) {
            if let Some(entry) = places.get_mut(usize::from(codec.payload_id)) {
                *entry = place;
            }
        }
        Self {
            codecs,
            meanings,
            places,
        }
    }

    fn place(&self, payload_type: u8) -> usize {
        self.places
            .get(usize::from(payload_type))
            .map_or(usize::MAX, |place| usize::from(*place))
    }

    pub(crate) fn meaning(&self, payload_type: u8) -> Meaning {
        self.meanings
            .get(self.place(payload_type))
            .copied()
            .unwrap_or(Meaning::NotListed)
    }

    pub(crate) fn codec(&self, payload_type: u8) -> Option<&RTCCodec> {
        self.codecs.get(self.place(payload_type))
    }

    pub(crate) fn has_tones(&self) -> bool {
        self.codecs.iter().any(RTCCodec::is_dtmf)
    }

    /// Clock of the media, for jitter and reports, until the first packet shows the codec.
    pub(crate) fn first_clock_rate(&self) -> u32 {
        self.codecs
            .iter()
            .filter(|codec| !codec.is_dtmf())
            .find_map(RTCCodec::effective_clock_rate)
            .unwrap_or(90_000)
    }

    /// Clock rates of the tones that the peer lists.
    pub(crate) fn tone_rates(&self) -> impl Iterator<Item = u32> {
        self.meanings.iter().filter_map(|meaning| match *meaning {
            Meaning::Tones { clock_rate } => Some(clock_rate),
            Meaning::NotListed | Meaning::Codec(_) => None,
        })
    }
}

impl ReceiveTrack {
    /// The next instant at which something is due without a packet.
    pub(crate) fn deadline(&self, rtp_timeout: core::time::Duration) -> Option<Instant> {
        let buffer = self.buffer.as_ref().and_then(ReorderBuffer::poll_timeout);
        let tones = self.tones.as_ref().and_then(ReceiveTones::poll_timeout);
        let silence = match self.presence {
            Presence::Connected => self.last_rtp.map(|last| last + rtp_timeout),
            Presence::NeverHeard | Presence::Disconnected | Presence::Left => None,
        };
        let nack = if self.nack_queued {
            None
        } else {
            self.nack.poll_timeout()
        };
        [buffer, tones, silence, nack].into_iter().flatten().min()
    }
}
