//! What this side sends: streams, their tracks, frames and packets.

use std::collections::BTreeMap;
use std::time::Instant;

use ortc_rtp::repair::{HistoryConfig, SendHistory};
use ortc_rtp::stream::SendStream;
use ortc_rtp::wire::ExtensionElements;
use rand_core::Rng;

use crate::media::{
    ActiveCodec, Control, ExtensionIds, Feedback, MAX_TRACKS, MediaClock, SendExtension, SendRtx,
    SendTrack, Sending, is_payload_type,
};
use crate::timer::TimerKey;

use super::super::codec::RTCCodec;
use super::super::description::{RTCTrackDescription, RtpExtHeaders};
use super::super::error::{ConnectionError, DescriptionError, SendError};
use super::super::event::{Event, Frame, RtpToSend};
use super::super::options::DescriptionForm;
use super::super::stream::{MediaKind, MediaStream, MediaStreamTrack};
use super::super::track::RTCTrack;
use super::{RTCConnection, State};

/// Narrows what [`RTCConnection::tracks`] returns (draft §2.3.10); the default narrows nothing.
#[doc(alias = "RtcTrackFilter")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RTCTrackFilter {
    /// Only tracks of this stream.
    pub media_stream: Option<MediaStream>,
    /// Only tracks of this kind.
    pub kind: Option<MediaKind>,
}

/// When a track that is added begins to send (draft `autostart`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Autostart {
    /// By itself, once the connection is connected.
    #[default]
    Yes,
    /// Not before [`RTCTrack::start`].
    No,
}

impl RTCConnection {
    /// Adds a stream to send (draft `addStream`); each of its tracks gets an SSRC and a handle.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::DuplicateStream`] when it, or a track of it, is sent already;
    /// [`ConnectionError::EmptyStream`] without tracks; [`ConnectionError::NoSupportedCodec`] when
    /// the connection supports no codec of a track's kind; [`ConnectionError::TooMany`] beyond
    /// 1,024 tracks.
    #[doc(alias = "addStream")]
    pub fn add_stream(
        &mut self,
        stream: &MediaStream,
        autostart: Autostart,
    ) -> Result<(), ConnectionError> {
        self.open()?;
        if stream.tracks().is_empty() {
            return Err(ConnectionError::EmptyStream);
        }
        let known = |track: &MediaStreamTrack| {
            self.media
                .senders
                .iter()
                .any(|(_, sender)| sender.source == *track)
        };
        let same = self
            .sending_streams
            .iter()
            .any(|sent| sent.id() == stream.id());
        if same || stream.tracks().iter().any(known) {
            return Err(ConnectionError::DuplicateStream);
        }
        if self.media.senders.len() + stream.tracks().len() > MAX_TRACKS {
            return Err(ConnectionError::TooMany {
                what: "the number of sending tracks",
                limit: MAX_TRACKS,
            });
        }
        let mut chosen = Vec::with_capacity(stream.tracks().len());
        for track in stream.tracks() {
            let codecs = self.default_codecs(track.kind());
            chosen.push((track.clone(), self.choose(track.kind(), &codecs)?, codecs));
        }
        for (track, active, codecs) in chosen {
            self.insert_sender(stream.id(), track, active, codecs, autostart);
        }
        self.sending_streams.push(stream.clone());
        Ok(())
    }

    /// What a new track offers: all that the connection supports but tones, which are offered once
    /// [`add_dtmf_handler`](Self::add_dtmf_handler) is called.
    fn default_codecs(&self, kind: MediaKind) -> Vec<RTCCodec> {
        let codecs = self.media.settings.capabilities.codecs(kind).iter();
        codecs.filter(|codec| !codec.is_dtmf()).cloned().collect()
    }

    fn choose(
        &mut self,
        kind: MediaKind,
        codecs: &[RTCCodec],
    ) -> Result<ActiveCodec, ConnectionError> {
        let seed = self.rng.next_u64();
        ActiveCodec::choose(kind, codecs, &self.media.settings.capabilities, seed)
            .ok_or(ConnectionError::NoSupportedCodec { kind })
    }

    fn insert_sender(
        &mut self,
        stream_id: &str,
        source: MediaStreamTrack,
        active: ActiveCodec,
        codecs: Vec<RTCCodec>,
        autostart: Autostart,
    ) {
        let ssrc = self.media.fresh_ssrc();
        let initial = first_sequence(self.rng.next_u32());
        let offset = self.rng.next_u32();
        let codec = active.codec.clone();
        let slot = self.media.senders.insert(SendTrack {
            source,
            stream_id: stream_id.to_owned(),
            ssrc,
            msid: vec![stream_id.to_owned()],
            codecs,
            media_attributes: Vec::new(),
            rtp_ext_headers: RtpExtHeaders::new(),
            extension_ids: None,
            sending: match autostart {
                Autostart::Yes => Sending::Started,
                Autostart::No => Sending::Stopped,
            },
            stream: SendStream::new(ssrc, initial, offset, active.clock_rate),
            active,
            extension: SendExtension::new(ExtensionElements::new()),
            history: SendHistory::new(HistoryConfig::default()),
            tones: None,
            rtx: None,
            forwarder: None,
            clock: MediaClock::new(offset, self.now),
            in_report: false,
            last_fir: None,
            key_frame_requests: 0,
        });
        self.media.send_routes.insert(ssrc, slot);
        self.output.events.push(Event::SendCodec {
            track: RTCTrack { slot, ssrc },
            codec,
        });
    }

    /// Removes a sending stream with its tracks (draft `removeStream`); the peer is told by BYE.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownStream`] when it is not sent here.
    #[doc(alias = "removeStream")]
    pub fn remove_stream(
        &mut self,
        stream: &MediaStream,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        self.open()?;
        let known = self
            .sending_streams
            .iter()
            .position(|sent| sent.id() == stream.id());
        let index = known.ok_or(ConnectionError::UnknownStream)?;
        self.sending_streams.remove(index);
        let filter = RTCTrackFilter {
            media_stream: Some(stream.clone()),
            kind: None,
        };
        for track in self.tracks(&filter) {
            self.remove_track(track, now)?;
        }
        Ok(())
    }

    /// The handle of a sending track (draft `track`), `None` when it is not sent here.
    #[must_use]
    pub fn track(&self, track: &MediaStreamTrack) -> Option<RTCTrack> {
        let found = self
            .media
            .senders
            .iter()
            .find(|(_, sender)| sender.source == *track)?;
        Some(RTCTrack {
            slot: found.0,
            ssrc: found.1.ssrc,
        })
    }

    /// The handles of the sending tracks that the filter lets through (draft `tracks`).
    #[must_use]
    pub fn tracks(&self, filter: &RTCTrackFilter) -> Vec<RTCTrack> {
        let stream = filter.media_stream.as_ref().map(MediaStream::id);
        self.media
            .senders
            .iter()
            .filter(|(_, track)| stream.is_none_or(|id| track.stream_id == id))
            .filter(|(_, track)| filter.kind.is_none_or(|kind| track.kind() == kind))
            .map(|(slot, track)| RTCTrack {
                slot,
                ssrc: track.ssrc,
            })
            .collect()
    }

    /// The streams that are sent (draft `getSendingStreams`).
    #[doc(alias = "getSendingStreams")]
    #[must_use]
    pub fn get_sending_streams(&self) -> Vec<MediaStream> {
        self.sending_streams.clone()
    }

    pub(crate) fn set_codecs(
        &mut self,
        handle: RTCTrack,
        codecs: Vec<RTCCodec>,
    ) -> Result<(), ConnectionError> {
        let now = self.now;
        let kind = self.sender_mut(handle)?.kind();
        check_payload_types(codecs.iter().map(|codec| codec.payload_id))?;
        let mut active = self.choose(kind, &codecs)?;
        let track = self.sender_mut(handle)?;
        let changed = track.active.codec != active.codec;
        if track.active.clock_rate != active.clock_rate {
            track.clock.change_rate(track.active.clock_rate, now);
        }
        if track.active.format() == active.format() {
            // The same format goes on where it was: picture ids must not jump.
            active.packetizer = track.active.packetizer.take();
        }
        track.stream.set_clock_rate(active.clock_rate);
        track.codecs = codecs;
        track.active = active;
        let codec = track.active.codec.clone();
        self.retune_tones(handle.slot);
        if changed {
            self.output.events.push(Event::SendCodec {
                track: handle,
                codec,
            });
        }
        Ok(())
    }

    pub(crate) fn set_rtp_ext_headers(
        &mut self,
        handle: RTCTrack,
        headers: RtpExtHeaders,
    ) -> Result<(), ConnectionError> {
        let own = self.sender(handle)?.extension_ids.as_deref();
        let ids = own.unwrap_or(&self.media.settings.extension_ids);
        let elements = ids.encode(&headers);
        let track = self.sender_mut(handle)?;
        track.extension.replace(elements);
        track.rtp_ext_headers = headers;
        Ok(())
    }

    pub(crate) fn set_rtp_ext_header_ids(
        &mut self,
        handle: RTCTrack,
        ids: BTreeMap<String, u8>,
    ) -> Result<(), ConnectionError> {
        check_extension_ids(&ids)?;
        let track = self.sender_mut(handle)?;
        track.extension_ids = Some(Box::new(ExtensionIds::new(ids)));
        let headers = track.rtp_ext_headers.clone();
        self.set_rtp_ext_headers(handle, headers)
    }

    pub(crate) fn description(
        &self,
        handle: RTCTrack,
    ) -> Result<RTCTrackDescription, ConnectionError> {
        let track = self.sender(handle)?;
        let description = track.description();
        if self.descriptions == DescriptionForm::Draft {
            return Ok(description);
        }
        let ids = || self.media.settings.extension_ids.to_table();
        Ok(RTCTrackDescription {
            rtcp_feedback: Some(Feedback::taken(track.kind() == MediaKind::Video)),
            rtp_ext_header_ids: description.rtp_ext_header_ids.or_else(|| Some(ids())),
            dtls: self.described_dtls(),
            ..description
        })
    }

    pub(crate) fn set_rtx(
        &mut self,
        handle: RTCTrack,
        payload_ids: BTreeMap<u8, u8>,
    ) -> Result<(), ConnectionError> {
        let codecs = self.sender_mut(handle)?.codecs.iter();
        let media = codecs.map(|codec| codec.payload_id);
        check_payload_types(media.chain(payload_ids.values().copied()))?;
        if payload_ids.is_empty() {
            self.end_rtx(handle);
            return Ok(());
        }
        if let Some(rtx) = &mut self.sender_mut(handle)?.rtx {
            rtx.set_payload_ids(payload_ids);
            return Ok(());
        }
        let ssrc = self.media.fresh_ssrc();
        let initial = first_sequence(self.rng.next_u32());
        let rtx = SendRtx::new(ssrc, initial, payload_ids);
        self.sender_mut(handle)?.rtx = Some(Box::new(rtx));
        Ok(())
    }

    /// The repairing source of a track says goodbye, if it ever sent.
    fn end_rtx(&mut self, handle: RTCTrack) {
        let track = self.media.senders.get_mut(handle.slot);
        if let Some(rtx) = track.and_then(|track| track.rtx.take())
            && rtx.stream.has_sent()
        {
            let bye = Control::Bye { ssrc: rtx.ssrc };
            self.media.outbox.push_control(bye);
        }
    }

    pub(crate) fn start_track(&mut self, handle: RTCTrack) -> Result<(), ConnectionError> {
        self.sender_mut(handle)?.sending = Sending::Started;
        Ok(())
    }

    pub(crate) fn stop_track(&mut self, handle: RTCTrack) -> Result<(), ConnectionError> {
        self.sender_mut(handle)?.sending = Sending::Stopped;
        Ok(())
    }

    pub(crate) fn remove_track(
        &mut self,
        handle: RTCTrack,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        self.sender_mut(handle)?;
        self.advance(now);
        self.media.send_routes.remove(handle.ssrc);
        self.end_rtx(handle);
        let Some(mut track) = self.media.senders.remove(handle.slot) else {
            return Err(ConnectionError::UnknownTrack);
        };
        self.media.reports.forget_sender(handle.slot);
        if let Some(tones) = &mut track.tones {
            let key = TimerKey::Tones(handle.slot);
            self.media.timers.disarm(key, &mut tones.armed);
        }
        if track.stream.has_sent() {
            self.media
                .outbox
                .push_control(Control::Bye { ssrc: handle.ssrc });
        }
        let last = !self
            .media
            .senders
            .iter()
            .any(|(_, other)| other.stream_id == track.stream_id);
        if last {
            self.sending_streams
                .retain(|stream| stream.id() != track.stream_id);
        }
        Ok(())
    }

    /// Sends an encoded frame. It is packetized at once and leaves with the next
    /// [`poll_transmit`](Self::poll_transmit) calls.
    ///
    /// # Errors
    ///
    /// [`SendError`]; nothing of the frame is queued then.
    pub fn send_frame(
        &mut self,
        track: RTCTrack,
        frame: &Frame,
        now: Instant,
    ) -> Result<(), SendError> {
        self.can_send()?;
        let now = self.advance(now);
        self.media.send_frame(track, frame, now)
    }

    /// Sends one RTP packet with a payload that the application has packetized itself, or forwards.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the packet is not queued then.
    pub fn send_rtp(
        &mut self,
        track: RTCTrack,
        packet: RtpToSend,
        now: Instant,
    ) -> Result<(), SendError> {
        self.can_send()?;
        let now = self.advance(now);
        self.media.send_rtp(track, packet, now)
    }

    pub(super) fn can_send(&self) -> Result<(), SendError> {
        match self.state {
            State::Connected => Ok(()),
            State::New
            | State::Connecting
            | State::Interrupted
            | State::Closing(_)
            | State::Closed => Err(SendError::NotConnected),
        }
    }
}

/// Below 2^15, so that the rollover counter is beyond doubt when the first packets are lost.
fn first_sequence(random: u32) -> u16 {
    let [low, high, ..] = random.to_le_bytes();
    u16::from_le_bytes([low, high & 0x7F])
}

/// Refuses ids that one-byte header extensions do not have (RFC 8285 §4.2), and one for two.
pub(super) fn check_extension_ids(ids: &BTreeMap<String, u8>) -> Result<(), DescriptionError> {
    let mut seen = [false; 15];
    for &id in ids.values() {
        let entry = seen.get_mut(usize::from(id)).filter(|_| id != 0);
        let entry = entry.ok_or(DescriptionError::ExtensionId(id))?;
        if core::mem::replace(entry, true) {
            return Err(DescriptionError::ExtensionId(id));
        }
    }
    Ok(())
}

/// Refuses payload types that RTCP multiplexing takes away, and two codecs on one.
pub(super) fn check_payload_types(ids: impl Iterator<Item = u8>) -> Result<(), DescriptionError> {
    let mut seen = [false; 128];
    for id in ids {
        let entry = seen
            .get_mut(usize::from(id))
            .filter(|_| is_payload_type(id));
        let entry = entry.ok_or(DescriptionError::PayloadType(id))?;
        if core::mem::replace(entry, true) {
            return Err(DescriptionError::DuplicatePayloadType(id));
        }
    }
    Ok(())
}
