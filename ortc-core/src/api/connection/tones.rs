//! Tones: the handler on top of an audio track.

use core::time::Duration;
use std::time::Instant;

use crate::media::{SendTones, choose_tones};
use crate::timer::TimerKey;

use super::super::codec::RTCCodec;
use super::super::dtmf_handler::{Direction, RTCDTMFHandler};
use super::super::error::ConnectionError;
use super::super::stream::{MediaKind, MediaStream, MediaStreamTrack};
use super::{RTCConnection, State};

/// Where [`RTCConnection::add_dtmf_handler`] attaches the tones (draft `container`).
#[derive(Clone, Copy, Debug)]
pub enum DtmfContainer<'a> {
    /// The first sending audio track.
    First,
    /// The first audio track of this stream.
    Stream(&'a MediaStream),
    /// This track.
    Track(&'a MediaStreamTrack),
}

impl RTCConnection {
    /// Adds tones to a sending audio track (draft `addDtmfHandler`): its codec list gains a `dtmf`
    /// codec, so describe the track anew. A second call for one track returns the same handler.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::NoAudioTrack`] when there is no audio track to attach to, or tones are
    /// not among the connection's capabilities.
    #[doc(alias = "addDtmfHandler")]
    pub fn add_dtmf_handler(
        &mut self,
        container: DtmfContainer<'_>,
    ) -> Result<RTCDTMFHandler, ConnectionError> {
        self.open()?;
        let fits = |source: &MediaStreamTrack, stream_id: &str| match container {
            DtmfContainer::First => true,
            DtmfContainer::Stream(stream) => stream.id() == stream_id,
            DtmfContainer::Track(track) => track == source,
        };
        let found = self.media.senders.iter().find(|(_, track)| {
            track.kind() == MediaKind::Audio && fits(&track.source, &track.stream_id)
        });
        let slot = found
            .map(|(slot, _)| slot)
            .ok_or(ConnectionError::NoAudioTrack)?;
        let dtmf = self
            .codec("dtmf")
            .cloned()
            .ok_or(ConnectionError::NoAudioTrack)?;
        let Some(track) = self.media.senders.get_mut(slot) else {
            return Err(ConnectionError::NoAudioTrack);
        };
        if !track.codecs.iter().any(RTCCodec::is_dtmf) {
            let taken = |id: &u8| track.codecs.iter().any(|codec| codec.payload_id == *id);
            // RFC 3551 §6: 96 to 127 are dynamic.
            let id = core::iter::once(dtmf.payload_id)
                .chain(96..=127)
                .find(|id| !taken(id));
            let payload_id = id.ok_or(ConnectionError::NoAudioTrack)?;
            track.codecs.push(RTCCodec { payload_id, ..dtmf });
        }
        let handler = RTCDTMFHandler::sending(slot, track.ssrc);
        self.retune_tones(slot);
        Ok(handler)
    }

    /// Chooses the payload type and clock of a track's tones anew: its codecs, or what the peer
    /// lists, have changed.
    pub(super) fn retune_tones(&mut self, slot: u32) {
        let audio = self
            .media
            .receivers
            .iter()
            .filter(|(_, track)| track.track.kind() == MediaKind::Audio);
        let peer_rates: Vec<u32> = audio
            .flat_map(|(_, track)| track.payloads.tone_rates())
            .collect();
        let Some(track) = self.media.senders.get_mut(slot) else {
            return;
        };
        let Some((codec, rate)) = choose_tones(&track.codecs, track.active.clock_rate, &peer_rates)
        else {
            if let Some(mut tones) = track.tones.take() {
                let key = TimerKey::Tones(slot);
                self.media.timers.disarm(key, &mut tones.armed);
            }
            return;
        };
        let payload_type = codec.payload_id;
        match &mut track.tones {
            Some(tones) => {
                // A rate out of range keeps the tones on the clock that they have.
                if tones.sender.set_clock_rate(rate).is_ok() {
                    tones.payload_type = payload_type;
                }
            }
            None => {
                let sender = ortc_dtmf::Sender::new(rate).ok();
                track.tones = sender.map(|sender| SendTones::new(sender, payload_type));
            }
        }
    }

    /// The peer described audio: its tones may have other rates now.
    pub(super) fn retune_all_tones(&mut self) {
        let with_tones = self
            .media
            .senders
            .iter()
            .filter(|(_, track)| track.tones.is_some());
        for slot in with_tones.map(|(slot, _)| slot).collect::<Vec<_>>() {
            self.retune_tones(slot);
        }
    }

    pub(crate) fn insert_dtmf(
        &mut self,
        handler: RTCDTMFHandler,
        tones: &str,
        duration: Duration,
        gap: Duration,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        self.open()?;
        if handler.direction == Direction::Receiving {
            return Err(ConnectionError::ReceivingHandler);
        }
        let now = self.advance(now);
        let track = self.media.senders.get_mut(handler.slot);
        let track = track.filter(|track| track.ssrc == handler.ssrc);
        let found = track.and_then(|track| track.tones.as_mut());
        let sender = found.ok_or(ConnectionError::UnknownTrack)?;
        if self.state == State::Connected && self.transport.srtp.is_some() {
            sender.play(tones, duration, gap, now)?;
            self.media.pump_tones(handler.slot, &mut self.output, now);
        } else {
            sender.wait(tones, duration, gap, now)?;
        }
        Ok(())
    }

    /// Media can leave: the tones that waited for it begin.
    pub(super) fn release_tones(&mut self, now: Instant) {
        let with_tones = self
            .media
            .senders
            .iter()
            .filter(|(_, track)| track.tones.is_some());
        for slot in with_tones.map(|(slot, _)| slot).collect::<Vec<_>>() {
            if let Some(track) = self.media.senders.get_mut(slot)
                && let Some(tones) = &mut track.tones
            {
                tones.release(now);
            }
            self.media.pump_tones(slot, &mut self.output, now);
        }
    }

    pub(crate) fn dtmf_track(
        &self,
        handler: RTCDTMFHandler,
    ) -> Result<&MediaStreamTrack, ConnectionError> {
        let found = match handler.direction {
            Direction::Sending => self
                .media
                .senders
                .get(handler.slot)
                .filter(|track| track.ssrc == handler.ssrc)
                .map(|track| &track.source),
            Direction::Receiving => self
                .media
                .receivers
                .get(handler.slot)
                .filter(|track| track.ssrc == handler.ssrc)
                .map(|track| &track.track),
        };
        found.ok_or(ConnectionError::UnknownTrack)
    }

    /// The sending machine of a handler; `None` for a receiving one.
    pub(crate) fn tones(
        &self,
        handler: RTCDTMFHandler,
    ) -> Result<Option<&ortc_dtmf::Sender>, ConnectionError> {
        self.dtmf_track(handler)?;
        Ok(match handler.direction {
            Direction::Sending => {
                let track = self.media.senders.get(handler.slot);
                track
                    .and_then(|track| track.tones.as_ref())
                    .map(SendTones::latest)
            }
            Direction::Receiving => None,
        })
    }
}
