//! One sending track: what the application set, and the stream that it makes on the wire.

use core::time::Duration;
use std::time::Instant;

use ortc_rtp::payload::{Format, Packetizer};
use ortc_rtp::repair::SendHistory;
use ortc_rtp::stream::SendStream;
use ortc_rtp::wire::ExtensionElements;

use crate::api::codec::CodecKind;
use crate::api::{
    MediaKind, MediaStreamTrack, RTCCapabilities, RTCCodec, RTCMediaAttributes,
    RTCTrackDescription, RtpExtHeaders,
};

use super::extensions::ExtensionIds;
use super::forward::Forwarder;
use super::rtx::SendRtx;
use super::sent::SentPacket;
use super::tones::SendTones;

/// A sending track of the connection.
#[derive(Debug)]
pub(crate) struct SendTrack {
    pub(crate) source: MediaStreamTrack,
    /// Id of the stream that it was added with.
    pub(crate) stream_id: String,
    pub(crate) ssrc: u32,
    pub(crate) msid: Vec<String>,
    pub(crate) codecs: Vec<RTCCodec>,
    pub(crate) media_attributes: Vec<RTCMediaAttributes>,
    pub(crate) rtp_ext_headers: RtpExtHeaders,
    /// Its own ids of header extensions, where the application gave it some.
    pub(crate) extension_ids: Option<Box<ExtensionIds>>,
    pub(crate) sending: Sending,
    /// The codec in use: the first supported one of the list.
    pub(crate) active: ActiveCodec,
    pub(crate) stream: SendStream,
    pub(crate) extension: SendExtension,
    pub(crate) history: SendHistory<SentPacket>,
    pub(crate) tones: Option<SendTones>,
    pub(crate) rtx: Option<Box<SendRtx>>,
    pub(crate) forwarder: Option<Box<Forwarder>>,
    /// Where the media clock stood when a frame last came, so that tones land on the same clock.
    pub(crate) clock: MediaClock,
    /// Whether the next report speaks of it.
    pub(crate) in_report: bool,
    pub(crate) last_fir: Option<u8>,
    pub(crate) key_frame_requests: u64,
}

/// Whether a track sends (draft §3.3.2.2, §3.3.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    Stopped,
    Started,
}

/// The chosen codec and the packetizer for it; `None` where only raw RTP can carry it.
#[derive(Debug)]
pub(crate) struct ActiveCodec {
    pub(crate) codec: RTCCodec,
    pub(crate) clock_rate: u32,
    pub(crate) packetizer: Option<Packetizer>,
}

/// RTP clock of codecs that nobody gave one and no payload format implies: video's.
const OPAQUE_CLOCK_RATE: u32 = 90_000;

impl ActiveCodec {
    /// The first supported codec of the list (draft §3.3.1), tones aside.
    pub(crate) fn choose(
        kind: MediaKind,
        codecs: &[RTCCodec],
        supported: &RTCCapabilities,
        picture_id_seed: u64,
    ) -> Option<Self> {
        let usable = |codec: &&RTCCodec| !codec.is_dtmf() && supported.supports(kind, codec);
        let codec = codecs.iter().find(usable)?;
        let packetizer = match codec.kind() {
            CodecKind::Media(format) => Some(Packetizer::new(format, picture_id_seed)),
            CodecKind::Dtmf | CodecKind::Opaque => None,
        };
        let clock_rate = codec.effective_clock_rate().unwrap_or(OPAQUE_CLOCK_RATE);
        Some(Self {
            codec: codec.clone(),
            clock_rate,
            packetizer,
        })
    }

    pub(crate) fn format(&self) -> Option<Format> {
        match self.codec.kind() {
            CodecKind::Media(format) => Some(format),
            CodecKind::Dtmf | CodecKind::Opaque => None,
        }
    }
}

/// The header extensions that say which track an SSRC is. They leave with each packet until the
/// peer's first report about the SSRC shows that it has made the connection; then they would only
/// cost octets.
#[derive(Debug)]
pub(crate) struct SendExtension {
    pub(crate) elements: ExtensionElements,
    pub(crate) wanted: Wanted,
    /// Counts changes of the elements: a packet sent with others cannot be repeated to the octet.
    pub(crate) edition: u32,
}

/// Whether the peer still needs the identification extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    UntilReported,
    NoLonger,
}

impl SendExtension {
    pub(crate) fn new(elements: ExtensionElements) -> Self {
        Self {
            elements,
            wanted: Wanted::UntilReported,
            edition: 0,
        }
    }

    pub(crate) fn replace(&mut self, elements: ExtensionElements) {
        *self = Self {
            elements,
            wanted: Wanted::UntilReported,
            edition: self.edition.wrapping_add(1),
        };
    }

    pub(crate) fn is_sent(&self) -> bool {
        self.wanted == Wanted::UntilReported && !self.elements.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        if self.is_sent() {
            self.elements.as_bytes().len()
        } else {
            0
        }
    }
}

/// RTP time of the last frame and when it was handed in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MediaClock {
    /// What is added to the time of a frame; known from the first frame on.
    offset: Option<u32>,
    last: (u32, Instant),
}

impl MediaClock {
    /// A clock that shows a random time (RFC 3550 §5.1) now.
    pub(crate) fn new(start: u32, now: Instant) -> Self {
        Self {
            offset: None,
            last: (start, now),
        }
    }

    /// RTP timestamp of a frame. The first one falls on what the clock shows at its moment, because
    /// tones may have been sent by it before.
    pub(crate) fn frame(&mut self, time: u64, rate: u32, now: Instant) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "timestamps are modulo 2^32"
        )]
        let time = time as u32;
        let offset = match self.offset {
            Some(offset) => offset,
            None => self.at(now, rate).wrapping_sub(time),
        };
        self.offset = Some(offset);
        let timestamp = offset.wrapping_add(time);
        self.note(timestamp, now);
        timestamp
    }

    /// The codec, and with it the rate, changes: the clock goes on from what it shows.
    pub(crate) fn change_rate(&mut self, old_rate: u32, now: Instant) {
        *self = Self::new(self.at(now, old_rate), now);
    }

    /// A packet of another source came: by it the clock goes forwards only, as packets overtake each
    /// other and pictures are sent before those that they follow.
    pub(crate) fn note_newer(&mut self, timestamp: u32, now: Instant) {
        if timestamp.wrapping_sub(self.last.0).cast_signed() >= 0 {
            self.note(timestamp, now);
        }
    }

    pub(crate) fn note(&mut self, timestamp: u32, now: Instant) {
        self.last = (timestamp, now);
    }

    /// RTP timestamp at an instant, by the last frame's.
    pub(crate) fn at(&self, instant: Instant, rate: u32) -> u32 {
        let (timestamp, then) = self.last;
        match instant.checked_duration_since(then) {
            Some(later) => timestamp.wrapping_add(units(later, rate)),
            None => timestamp.wrapping_sub(units(then - instant, rate)),
        }
    }
}

/// A span in units of a clock, modulo 2^32.
#[expect(
    clippy::cast_possible_truncation,
    reason = "timestamps are modulo 2^32 (RFC 3550 §5.1)"
)]
fn units(span: Duration, rate: u32) -> u32 {
    (span.as_nanos() * u128::from(rate) / 1_000_000_000) as u32
}

impl SendTrack {
    pub(crate) fn kind(&self) -> MediaKind {
        self.source.kind()
    }

    pub(crate) fn description(&self) -> RTCTrackDescription {
        RTCTrackDescription {
            kind: self.kind(),
            ssrc: self.ssrc.to_string(),
            msid: self.msid.clone(),
            codecs: self.codecs.clone(),
            media_attributes: self.media_attributes.clone(),
            rtp_ext_headers: self.rtp_ext_headers.clone(),
            rtx: self.rtx.as_ref().map(|rtx| rtx.description()),
            rtcp_feedback: None,
            rtp_ext_header_ids: self.extension_ids.as_ref().map(|ids| ids.to_table()),
            dtls: None,
        }
    }
}
