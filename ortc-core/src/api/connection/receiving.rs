//! What this side receives: described tracks and the streams that they form.

use std::time::Instant;

use ortc_rtp::repair::{NackConfig, NackGenerator};
use ortc_rtp::stream::ReceiveStream;
use ortc_rtp::wire::RtpPacket;

use crate::media::{
    Control, ExtensionIds, Feedback, KeyFrameRequest, MAX_TRACKS, Payloads, Presence, ReceiveRtx,
    ReceiveTrack, ReceivedStream,
};
use crate::timer::{Armed, TimerKey};

use super::super::codec::RTCCodec;
use super::super::description::{RTCMediaAttributes, RTCRtxDescription, RTCTrackDescription};
use super::super::dtmf_handler::RTCDTMFHandler;
use super::super::error::ConnectionError;
use super::super::event::{Event, ReceiveMode};
use super::super::stream::{MediaStream, MediaStreamTrack};
use super::RTCConnection;
use super::sending::{check_extension_ids, check_payload_types};

/// Streams that one received track may belong to.
const MAX_MSIDS: usize = 64;

impl RTCConnection {
    /// Makes ready to receive a track in frame mode (draft `receiveTrack`): RTP of its SSRC with
    /// any of the listed codecs. For a known SSRC it updates the track.
    ///
    /// Fires [`Event::AddStream`] once for each msid not seen before, and
    /// [`Event::AddDtmfHandler`] for audio with a `dtmf` codec. Packets that came before the
    /// description come out now.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::NoSupportedCodec`] when the connection supports none of the codecs,
    /// [`ConnectionError::Description`] for values that cannot be,
    /// [`ConnectionError::SsrcCollision`], [`ConnectionError::KindChanged`],
    /// [`ConnectionError::TooMany`]; nothing has changed then.
    #[doc(alias = "receiveTrack")]
    pub fn receive_track(
        &mut self,
        description: &RTCTrackDescription,
        now: Instant,
    ) -> Result<MediaStreamTrack, ConnectionError> {
        self.receive_track_as(description, ReceiveMode::Frames, now)
    }

    /// [`receive_track`](Self::receive_track) with a choice of how the packets come out.
    ///
    /// # Errors
    ///
    /// As [`receive_track`](Self::receive_track).
    pub fn receive_track_as(
        &mut self,
        description: &RTCTrackDescription,
        mode: ReceiveMode,
        now: Instant,
    ) -> Result<MediaStreamTrack, ConnectionError> {
        self.open()?;
        let now = self.advance(now);
        self.check_dtls(description.dtls.as_deref())?;
        let ssrc = description.ssrc()?;
        if let Some(ids) = &description.rtp_ext_header_ids {
            check_extension_ids(ids)?;
        }
        check_payload_types(description.codecs.iter().map(|codec| codec.payload_id))?;
        if description.msid.len() > MAX_MSIDS {
            return Err(ConnectionError::TooMany {
                what: "the number of streams of one track",
                limit: MAX_MSIDS,
            });
        }
        let capabilities = &self.media.settings.capabilities;
        let kind = description.kind;
        let supported = |codec: &&RTCCodec| !codec.is_dtmf() && capabilities.supports(kind, codec);
        if !description.codecs.iter().any(|codec| supported(&codec)) {
            return Err(ConnectionError::NoSupportedCodec { kind });
        }
        let rtx = match &description.rtx {
            Some(rtx) => Some(self.check_rtx(ssrc, rtx, &description.codecs)?),
            None => None,
        };
        if self.media.send_routes.get(ssrc).is_some()
            || self.media.repair_routes.get(ssrc).is_some()
        {
            return Err(ConnectionError::SsrcCollision { ssrc });
        }
        let known = self
            .media
            .receivers
            .iter()
            .find(|(_, track)| track.ssrc == ssrc);
        let known = known.map(|(slot, track)| (slot, track.track.kind()));
        let slot = match known {
            Some((_, other)) if other != kind => return Err(ConnectionError::KindChanged { ssrc }),
            Some((slot, _)) => {
                self.update_receiver(slot, description, mode);
                slot
            }
            None => self.insert_receiver(ssrc, description, mode)?,
        };
        self.set_receive_rtx(slot, rtx);
        let Some(track) = self.media.receivers.get(slot) else {
            return Err(ConnectionError::UnknownTrack);
        };
        let (track, has_tones) = (track.track.clone(), track.payloads.has_tones());
        let had_tones = known.is_some() && self.tone_handlers.contains(&slot);
        self.join_streams(&track, &description.msid);
        self.media.settle_streams(&mut self.output);
        if has_tones && !had_tones {
            self.tone_handlers.insert(slot);
            let handler = RTCDTMFHandler::receiving(slot, ssrc);
            self.output.events.push(Event::AddDtmfHandler(handler));
        }
        self.release_unknown(slot, ssrc, now);
        self.retune_all_tones();
        self.take_dtls(description.dtls.as_deref(), now)?;
        Ok(track)
    }

    fn check_rtx(
        &mut self,
        media_ssrc: u32,
        rtx: &RTCRtxDescription,
        codecs: &[RTCCodec],
    ) -> Result<ReceiveRtx, ConnectionError> {
        let ssrc = rtx.ssrc()?;
        let media = codecs.iter().map(|codec| codec.payload_id);
        check_payload_types(media.chain(rtx.payload_ids.values().copied()))?;
        let owner = self.media.repair_routes.get(ssrc);
        let owner = owner.and_then(|slot| self.media.receivers.get(slot));
        let others = owner.is_some_and(|track| track.ssrc != media_ssrc);
        let taken = ssrc == media_ssrc
            || others
            || self.media.send_routes.get(ssrc).is_some()
            || self.media.receive_routes.get(ssrc).is_some();
        if taken {
            return Err(ConnectionError::SsrcCollision { ssrc });
        }
        Ok(ReceiveRtx::new(ssrc, &rtx.payload_ids))
    }

    /// Sets what repairs a track. What waited under the repairing SSRC, from before it was
    /// described, is forgotten: it is probes, or is asked for again.
    fn set_receive_rtx(&mut self, slot: u32, rtx: Option<ReceiveRtx>) {
        let Some(track) = self.media.receivers.get_mut(slot) else {
            return;
        };
        let ssrc = rtx.as_ref().map(|rtx| rtx.ssrc);
        let former = core::mem::replace(&mut track.rtx, rtx.map(Box::new)).map(|rtx| rtx.ssrc);
        if let Some(former) = former.filter(|former| Some(*former) != ssrc) {
            self.media.repair_routes.remove(former);
            if let Some(srtp) = &mut self.transport.srtp {
                srtp.receiver.remove_source(former);
            }
        }
        if let Some(ssrc) = ssrc {
            self.media.repair_routes.insert(ssrc, slot);
            self.media.unknown.take(ssrc);
        }
    }

    fn insert_receiver(
        &mut self,
        ssrc: u32,
        description: &RTCTrackDescription,
        mode: ReceiveMode,
    ) -> Result<u32, ConnectionError> {
        if self.media.receivers.len() >= MAX_TRACKS {
            return Err(ConnectionError::TooMany {
                what: "the number of receiving tracks",
                limit: MAX_TRACKS,
            });
        }
        let payloads = Payloads::new(description.codecs.clone());
        let id = format!("remote-{ssrc}");
        let label = format!("remote {}", description.kind);
        let slot = self.media.receivers.insert(ReceiveTrack {
            track: MediaStreamTrack::new(description.kind, id, label),
            msid: description.msid.clone(),
            ssrc,
            wire_ssrc: ssrc,
            media_attributes: description.media_attributes.clone(),
            rtp_ext_headers: description.rtp_ext_headers.clone(),
            extension_ids: description
                .rtp_ext_header_ids
                .clone()
                .map(ExtensionIds::new)
                .map(Box::new),
            feedback: Feedback::of(description.rtcp_feedback.as_deref()),
            stream: ReceiveStream::new(ssrc, payloads.first_clock_rate()),
            payloads,
            mode,
            presence: Presence::NeverHeard,
            current: None,
            buffer: None,
            nack: NackGenerator::new(NackConfig::default()),
            nack_queued: false,
            tones: None,
            rtx: None,
            in_report: false,
            last_rtp: None,
            armed: Armed::default(),
            counters: Default::default(),
        });
        // A description is worth more than what header extensions once said about this SSRC.
        if let Some(other) = self.media.receive_routes.get(ssrc) {
            self.media.unbind(other, &mut self.output);
        }
        self.media.receive_routes.insert(ssrc, slot);
        Ok(slot)
    }

    fn update_receiver(&mut self, slot: u32, description: &RTCTrackDescription, mode: ReceiveMode) {
        let Some(track) = self.media.receivers.get_mut(slot) else {
            return;
        };
        track.msid.clone_from(&description.msid);
        track
            .media_attributes
            .clone_from(&description.media_attributes);
        track
            .rtp_ext_headers
            .clone_from(&description.rtp_ext_headers);
        track.extension_ids = description
            .rtp_ext_header_ids
            .clone()
            .map(ExtensionIds::new)
            .map(Box::new);
        track.feedback = Feedback::of(description.rtcp_feedback.as_deref());
        let payloads = Payloads::new(description.codecs.clone());
        // If the codec in use became another one, the next packet says anew what it is; else the
        // frame that is half received goes on.
        let other_codec = track
            .current
            .is_some_and(|current| payloads.codec(current) != track.payloads.codec(current));
        if other_codec || track.mode != mode {
            track.flush(&mut self.output, self.now);
            track.buffer = None;
            track.current = None;
        }
        track.payloads = payloads;
        track.mode = mode;
    }

    /// Puts the track into the streams that its msid names, and takes it out of others.
    fn join_streams(&mut self, track: &MediaStreamTrack, msid: &[String]) {
        self.media.streams.iter_mut().for_each(|known| {
            if !msid.iter().any(|id| id == known.stream.id()) {
                known.stream.remove(track);
            }
        });
        for id in msid {
            let known = self
                .media
                .streams
                .iter_mut()
                .find(|known| known.stream.id() == id);
            match known {
                Some(known) if known.stream.tracks().contains(track) => {}
                Some(known) => known.stream.push(track.clone()),
                None => {
                    let mut stream = MediaStream::new(id.as_str());
                    stream.push(track.clone());
                    self.output.events.push(Event::AddStream(stream.clone()));
                    let presence = Presence::NeverHeard;
                    self.media.streams.push(ReceivedStream { stream, presence });
                }
            }
        }
    }

    /// Hands on the packets that waited for this description: those of its SSRC, else those of a
    /// source that its header extensions bind.
    fn release_unknown(&mut self, slot: u32, ssrc: u32, now: Instant) {
        let Some(track) = self.media.receivers.get(slot) else {
            return;
        };
        let waiting = || self.media.unknown.ssrcs();
        let bound = |source: &u32| {
            let first = self.media.unknown.first(*source);
            let view = first.and_then(|packet| RtpPacket::parse(packet).ok());
            view.is_some_and(|view| self.media.binds(track, &view))
        };
        let own = waiting().find(|source| *source == ssrc);
        for (packet, _) in own
            .or_else(|| waiting().find(bound))
            .map(|source| self.media.unknown.take(source))
            .unwrap_or_default()
        {
            self.media.handle_rtp(&packet, &mut self.output, now);
        }
    }

    /// Stops receiving a track, our extension: its packets are unknown from then on. If it was
    /// connected it is told as disconnected.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`] when the SSRC was never described.
    pub fn stop_receiving(&mut self, ssrc: u32, now: Instant) -> Result<(), ConnectionError> {
        self.open()?;
        self.advance(now);
        let found = self
            .media
            .receivers
            .iter()
            .find(|(_, track)| track.ssrc == ssrc);
        let slot = found
            .map(|(slot, _)| slot)
            .ok_or(ConnectionError::UnknownTrack)?;
        self.set_receive_rtx(slot, None);
        self.media.departed(slot, &mut self.output);
        if let Some(mut track) = self.media.receivers.remove(slot) {
            self.media.unroute(slot, track.wire_ssrc);
            if let Some(srtp) = &mut self.transport.srtp {
                srtp.receiver.remove_source(track.wire_ssrc);
            }
            self.media
                .timers
                .disarm(TimerKey::Receive(slot), &mut track.armed);
            self.join_streams(&track.track, &[]);
            self.media.settle_streams(&mut self.output);
        }
        self.tone_handlers.remove(&slot);
        self.media.reports.heard.retain(|heard| *heard != slot);
        Ok(())
    }

    /// The streams that are received (draft `getReceivingStreams`), as described so far.
    #[doc(alias = "getReceivingStreams")]
    #[must_use]
    pub fn get_receiving_streams(&self) -> Vec<MediaStream> {
        self.media
            .streams
            .iter()
            .map(|known| known.stream.clone())
            .collect()
    }

    /// What the peer wishes of a video track that this side sends: the attributes of the track
    /// that it describes under this SSRC.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`] when the SSRC was never described.
    pub fn remote_media_attributes(
        &self,
        ssrc: u32,
    ) -> Result<&[RTCMediaAttributes], ConnectionError> {
        let found = self
            .media
            .receivers
            .iter()
            .find(|(_, track)| track.ssrc == ssrc);
        Ok(&found
            .ok_or(ConnectionError::UnknownTrack)?
            .1
            .media_attributes)
    }

    /// Asks the peer for a key frame of a receiving track, by PLI (RFC 4585 §6.3.1), or by FIR
    /// (RFC 5104 §4.3.1) where the description lists only that.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`] when the SSRC was never described.
    pub fn request_key_frame(&mut self, ssrc: u32, now: Instant) -> Result<(), ConnectionError> {
        self.open()?;
        self.advance(now);
        let found = self
            .media
            .receivers
            .iter()
            .find(|(_, track)| track.ssrc == ssrc);
        let slot = found
            .map(|(slot, _)| slot)
            .ok_or(ConnectionError::UnknownTrack)?;
        let Some(track) = self.media.receivers.get_mut(slot) else {
            return Err(ConnectionError::UnknownTrack);
        };
        track.counters.key_frame_requests += 1;
        let ssrc = track.wire_ssrc;
        let control = match track.feedback.key_frame {
            Some(KeyFrameRequest::Fir) => Control::Fir {
                ssrc,
                // Each request has its own number (RFC 5104 §4.3.1.2), modulo 256.
                sequence: track.counters.key_frame_requests.to_le_bytes()[0],
            },
            // A sender that lists neither may still act on the one that all know.
            Some(KeyFrameRequest::Pli) | None => Control::Pli { ssrc },
        };
        if !self.media.outbox.control.contains(&control) {
            self.media.outbox.push_control(control);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::super::super::options::RTCConnectionOptions;
    use super::super::super::stream::MediaKind;
    use super::*;
    use crate::stats::DropReason;

    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
    fn origin() -> Instant {
        Instant::now()
    }

    fn opus(sequence: u8) -> [u8; 14] {
        [0x80, 111, 0, sequence, 0, 0, 0, 0, 0, 0, 0, 9, 0xFC, 1]
    }

    /// A request that finds no room is due again later, not at once and for ever.
    #[test]
    fn a_request_that_finds_no_room_is_put_off() {
        let now = origin();
        let options = RTCConnectionOptions::new([1; 32]);
        let mut connection = RTCConnection::new(options, now).unwrap();
        let codec = connection.codec("opus").unwrap().clone();
        let description = RTCTrackDescription {
            kind: MediaKind::Audio,
            ssrc: "9".to_owned(),
            msid: Vec::new(),
            codecs: vec![RTCCodec {
                payload_id: 111,
                ..codec
            }],
            media_attributes: Vec::new(),
            rtp_ext_headers: Default::default(),
            rtx: None,
            rtcp_feedback: None,
            rtp_ext_header_ids: None,
            dtls: None,
        };
        connection.receive_track(&description, now).unwrap();
        for sequence in [1, 200] {
            let packet = opus(sequence);
            let RTCConnection { media, output, .. } = &mut connection;
            media.handle_rtp(&packet, output, now);
        }
        let mut ssrc = 0;
        while connection.media.outbox.push_control(Control::Pli { ssrc }) {
            ssrc += 1;
        }
        let due = now + Duration::from_millis(10);
        connection.handle_timeout(due);
        let stats = connection.stats(due);
        assert_eq!(stats.drops.get(DropReason::FeedbackFull), 1);
        assert!(connection.media.timers.next().unwrap().0 > due);
    }
}
