//! Packets of one connection's track sent on by another's.

use std::time::Instant;

use crate::media::Forwarder;

use super::super::description::RTCTrackDescription;
use super::super::error::{ConnectionError, SendError};
use super::super::event::ReceivedRtp;
use super::super::track::RTCTrack;
use super::RTCConnection;

/// What became of a packet that was given to [`RTCConnection::forward`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// It is queued.
    Queued,
    /// It goes no further, and is not missing on the track: its payload type means no codec of the
    /// track, or it has no payload, as packets have that probe for bandwidth.
    Withheld,
}

impl RTCTrack {
    /// Makes the track send on the packets of a source, our extension; what they are given to is
    /// [`RTCConnection::forward`]. Called again, it switches to another source, or begins the same
    /// one anew.
    ///
    /// `source` is the description by which another connection receives it, as
    /// [`ReceiveMode::Raw`](super::super::ReceiveMode::Raw) or
    /// [`ReceiveMode::Both`](super::super::ReceiveMode::Both). Its codecs are matched with those of
    /// the track, so `set_codecs` comes first, and `set_rtx` if packets are to be repeated on a
    /// source of their own. Header extensions that both sides name are mapped by id: those that
    /// `source.rtp_ext_header_ids` has and this track, or the options of its connection. The rest
    /// is left out, and so is what concerns one hop only: MID and RID, send times, transport-wide
    /// sequence numbers.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use ortc_core::*;
    /// /// Two connections of one room: what the first receives the second sends on.
    /// fn forward(
    ///     from: &mut RTCConnection,
    ///     to: &mut RTCConnection,
    ///     described: &RTCTrackDescription,
    ///     now: Instant,
    /// ) -> Result<(), Box<dyn std::error::Error>> {
    ///     from.receive_track_as(described, ReceiveMode::Raw, now)?;
    ///     let mut stream = MediaStream::new("room");
    ///     let source = stream.add_track(&MediaStreamTrack::new(described.kind, "1", "room"));
    ///     to.add_stream(&stream, Autostart::Yes)?;
    ///     let track = to.track(&source).ok_or("just added")?;
    ///     track.forward_from(to, described)?;
    ///     while let Some(event) = from.poll_event() {
    ///         if let Event::Rtp(packet) = event {
    ///             to.forward(track, &packet, now)?;
    ///         }
    ///     }
    ///     while let Some(event) = to.poll_event() {
    ///         if matches!(event, Event::KeyFrameRequested(wanted) if wanted == track) {
    ///             from.request_key_frame(described.ssrc()?, now)?;
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConnectionError::NoSupportedCodec`] when the track has none of the codecs;
    /// [`ConnectionError::Description`] for an SSRC that is no number;
    /// [`ConnectionError::UnknownTrack`]. What the track forwarded before it goes on forwarding.
    pub fn forward_from(
        self,
        connection: &mut RTCConnection,
        source: &RTCTrackDescription,
    ) -> Result<(), ConnectionError> {
        connection.forward_from(self, source)
    }
}

impl RTCConnection {
    fn forward_from(
        &mut self,
        handle: RTCTrack,
        source: &RTCTrackDescription,
    ) -> Result<(), ConnectionError> {
        let ssrc = source.ssrc()?;
        let now = self.now;
        let shared = self.media.settings.extension_ids.clone();
        let track = self.sender_mut(handle)?;
        let ids = track.extension_ids.as_deref().unwrap_or(&shared);
        let mut fresh = None;
        let forwarder = match &mut track.forwarder {
            Some(forwarder) => forwarder,
            None => fresh.insert(Box::new(Forwarder::new())),
        };
        if !forwarder.switch(ssrc, source, &track.codecs, ids) {
            return Err(ConnectionError::NoSupportedCodec { kind: source.kind });
        }
        if fresh.is_some() {
            track.forwarder = fresh;
        }
        // Frames that come after it are on a clock of their own again.
        let rate = track.stream.clock_rate();
        track.clock.change_rate(rate, now);
        Ok(())
    }

    /// Sends on a packet that another connection received. Nothing of it is copied until it leaves:
    /// the payload is shared by all that forward it.
    ///
    /// It leaves on the track's SSRC, in the track's payload type for its codec, with the track's
    /// header-extension ids. Sequence numbers and timestamps go on from what the track sent before,
    /// whatever that was. A number that is missing in the source is missing on the track, and waits
    /// there for its packet: up to 512 such numbers of the last 900. What the peer asks for again
    /// comes from this connection's own history. A source whose numbers jump by more than 3,000
    /// begins anew, and so does one that comes back after BYE.
    ///
    /// A packet is never cut: give connections that forward an
    /// [`mtu`](super::super::RTCConnectionOptions::mtu) as large as the packets of their sources. With
    /// header extensions of the track and SRTP's tag, 1,300 is enough for those of browsers, and
    /// 1,452, the most that fits Ethernet below IPv6, for those of others.
    ///
    /// # Errors
    ///
    /// [`SendError::OtherSource`] when it is not of the source of
    /// [`RTCTrack::forward_from`]; [`SendError::TooLarge`]; [`SendError::QueueFull`], the packet is
    /// then missing on the track; [`SendError::NotConnected`], [`SendError::NotStarted`],
    /// [`SendError::UnknownTrack`].
    pub fn forward(
        &mut self,
        track: RTCTrack,
        packet: &ReceivedRtp,
        now: Instant,
    ) -> Result<Forwarded, SendError> {
        self.can_send()?;
        let now = self.advance(now);
        self.media.forward(track, packet, now)
    }
}
