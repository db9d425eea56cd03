//! What comes back to the page, and what others of its room send to it: tracks that repeat a source.

use core::error::Error;
use std::time::Instant;

use ortc_core::{
    Frame, MediaKind, RTCCodec, RTCTrack, RTCTrackDescription, ReceivedFrame, ReceivedRtp,
};
use serde_json::json;

use super::Call;

/// A track that repeats what comes from somewhere else.
pub(super) struct Copy {
    pub(super) track: RTCTrack,
    codec: RTCCodec,
    pub(super) wants_key_frame: bool,
}

/// A frame with what it is.
pub(super) struct Received {
    pub(super) kind: MediaKind,
    pub(super) codec: RTCCodec,
    pub(super) frame: ReceivedFrame,
}

impl Call {
    /// Puts the packets that the page sent since the last call of this into the list, for its room.
    pub(crate) fn take_received(&mut self, packets: &mut Vec<ReceivedRtp>) {
        packets.append(&mut self.received);
    }

    /// What the page said of one of its tracks.
    pub(crate) fn described(&self, ssrc: u32) -> Option<&RTCTrackDescription> {
        self.described.get(&ssrc)
    }

    /// Whether the page could receive a track of another call, and does not yet.
    pub(crate) fn lacks(&self, (from, ssrc): (u64, u32), kind: MediaKind) -> bool {
        let takes = self.described.values().any(|own| own.kind == kind);
        let key = (from, ssrc);
        takes && !self.copies.contains_key(&key) && !self.refused.contains(&key)
    }

    /// Makes a track that forwards a source of another call.
    pub(crate) fn add_copy(&mut self, from: u64, source: &RTCTrackDescription, now: Instant) {
        if let Err(error) = self.try_add_copy(from, source, now) {
            self.say(&error.to_string());
            self.refused.extend(source.ssrc().map(|ssrc| (from, ssrc)));
        }
    }

    fn try_add_copy(
        &mut self,
        from: u64,
        source: &RTCTrackDescription,
        now: Instant,
    ) -> Result<(), Box<dyn Error>> {
        let mut own = self.described.values();
        let like = own.find(|track| track.kind == source.kind).cloned();
        let like = like.ok_or("the page has no track of this kind")?;
        let both = |codec: &&RTCCodec| like.codecs.iter().any(|own| own.is_same_codec(codec));
        let codec = source.codecs.iter().find(both);
        let codec = codec.ok_or("the page cannot receive what another sends")?;
        let own = like.codecs.iter().find(|own| own.is_same_codec(codec));
        let codec = own.unwrap_or(codec).clone();
        let track = self.add_track(&format!("page-{from}"), &like, &codec, now)?;
        track.forward_from(&mut self.connection, source)?;
        let copy = Copy {
            track,
            codec,
            wants_key_frame: true,
        };
        self.copies.insert((from, source.ssrc()?), copy);
        Ok(())
    }

    /// Sends a packet of another call to the page, with the numbers of this connection's track.
    pub(crate) fn forward(&mut self, from: u64, packet: &ReceivedRtp, now: Instant) {
        if let Some(copy) = self.copies.get(&(from, packet.ssrc))
            && let Err(error) = self.connection.forward(copy.track, packet, now)
        {
            // Before the page is ready for the track, or with more than it can take.
            tracing::debug!(%error, "a packet was not forwarded");
        }
    }

    /// Sends a frame of the page back to it.
    pub(super) fn echo(&mut self, received: &Received, now: Instant) {
        if !self.connection.is_connected() {
            return;
        }
        let key = (self.number, received.frame.ssrc);
        if let Err(error) = self.ready_copy(key, received, now) {
            return self.say(&error.to_string());
        }
        let Some(copy) = self.copies.get(&key) else {
            return;
        };
        let frame = Frame::new(
            received.frame.payload.clone(),
            u64::from(received.frame.timestamp),
        );
        if let Err(error) = self.connection.send_frame(copy.track, &frame, now) {
            tracing::debug!(%error, "a frame was not forwarded");
        }
    }

    /// Makes the track for what comes back, or changes its codec to that of the page.
    fn ready_copy(
        &mut self,
        key: (u64, u32),
        received: &Received,
        now: Instant,
    ) -> Result<(), Box<dyn Error>> {
        let same = |copy: &Copy| copy.codec.is_same_codec(&received.codec);
        if self.copies.get(&key).is_some_and(same) {
            return Ok(());
        }
        let mut own = self.described.values();
        let like = own.find(|track| track.kind == received.kind).cloned();
        // A page that sends nothing of this kind has not said how it would receive it.
        let Some(like) = like else { return Ok(()) };
        let codec = like
            .codecs
            .iter()
            .find(|codec| codec.is_same_codec(&received.codec));
        let codec = codec
            .ok_or("the page cannot receive what another sends")?
            .clone();
        if let Some(copy) = self.copies.get_mut(&key) {
            let codecs = codec_first(&like.codecs, &codec);
            copy.track.set_codecs(&mut self.connection, codecs)?;
            copy.codec = codec;
            return Ok(());
        }
        let track = self.add_track("echo", &like, &codec, now)?;
        let copy = Copy {
            track,
            codec,
            wants_key_frame: true,
        };
        self.copies.insert(key, copy);
        Ok(())
    }

    pub(super) fn key_frame_requested(&mut self, track: RTCTrack, now: Instant) {
        for (film_track, film) in &mut self.films {
            if *film_track == track {
                film.rewind(now);
            }
        }
        let own = self.number;
        let found = self.copies.iter_mut().find(|(_, copy)| copy.track == track);
        match found {
            Some((&(from, ssrc), _)) if from == own => self.request_key_frame(ssrc, now),
            Some((_, copy)) => copy.wants_key_frame = true,
            None => {}
        }
    }

    /// The sources of another call that this page needs a key frame of.
    pub(crate) fn key_frames_wanted_of(&self, from: u64) -> impl Iterator<Item = u32> {
        let copies = self.copies.range((from, 0)..=(from, u32::MAX));
        copies.filter_map(|(&(_, ssrc), copy)| copy.wants_key_frame.then_some(ssrc))
    }

    /// The source was asked for one.
    pub(crate) fn key_frame_is_asked_of(&mut self, from: u64, ssrc: u32) {
        if let Some(copy) = self.copies.get_mut(&(from, ssrc)) {
            copy.wants_key_frame = false;
        }
    }

    pub(crate) fn request_key_frame(&mut self, ssrc: u32, now: Instant) {
        let video = self.described.get(&ssrc);
        if video.is_some_and(|track| track.kind == MediaKind::Video) {
            // Of a connection that has just closed nobody needs one.
            let _ = self.connection.request_key_frame(ssrc, now);
        }
    }

    /// Another page of the room is gone.
    pub(crate) fn forget(&mut self, gone: u64, now: Instant) {
        let keys = self.copies.range((gone, 0)..=(gone, u32::MAX));
        let keys: Vec<_> = keys.map(|(&key, _)| key).collect();
        for key in keys {
            if let Some(copy) = self.copies.remove(&key) {
                // Whether it was there still is all that can be wrong.
                let _ = copy.track.remove(&mut self.connection, now);
            }
        }
        self.refused.retain(|(from, _)| *from != gone);
        self.tell(&json!({ "left": format!("page-{gone}") }));
    }
}

/// The codecs of the page, this one first and without tones.
pub(super) fn codec_first(codecs: &[RTCCodec], first: &RTCCodec) -> Vec<RTCCodec> {
    let media = codecs.iter().filter(|codec| !codec.is_dtmf());
    let mut sorted: Vec<_> = media.cloned().collect();
    sorted.sort_by_key(|codec| codec.payload_id != first.payload_id);
    sorted
}
