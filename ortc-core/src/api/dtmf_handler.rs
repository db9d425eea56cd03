//! RTCDTMFHandler: tones out, tones in (draft §4).

use core::time::Duration;
use std::time::Instant;

use super::connection::RTCConnection;
use super::error::ConnectionError;
use super::stream::MediaStreamTrack;

/// Sends tones to the peer, or receives them, never both (draft §4).
///
/// [`RTCConnection::add_dtmf_handler`] returns a sending one,
/// [`Event::AddDtmfHandler`](super::Event::AddDtmfHandler) brings a receiving one; what it
/// receives comes as [`Event::Dtmf`](super::Event::Dtmf). A small value like
/// [`RTCTrack`](super::RTCTrack): its methods take the connection.
#[doc(alias = "RtcDtmfHandler")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RTCDTMFHandler {
    pub(crate) direction: Direction,
    pub(crate) slot: u32,
    pub(crate) ssrc: u32,
}

/// Which way the tones of a handler go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    Sending,
    Receiving,
}

impl RTCDTMFHandler {
    pub(crate) fn sending(slot: u32, ssrc: u32) -> Self {
        Self {
            direction: Direction::Sending,
            slot,
            ssrc,
        }
    }

    pub(crate) fn receiving(slot: u32, ssrc: u32) -> Self {
        Self {
            direction: Direction::Receiving,
            slot,
            ssrc,
        }
    }

    fn track(self, connection: &RTCConnection) -> Result<&MediaStreamTrack, ConnectionError> {
        connection.dtmf_track(self)
    }

    /// Id of the audio track that the tones ride on (draft `id`).
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`] once that track was removed.
    pub fn id(self, connection: &RTCConnection) -> Result<&str, ConnectionError> {
        Ok(self.track(connection)?.id())
    }

    /// Label of the audio track that the tones ride on (draft `label`).
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`] once that track was removed.
    pub fn label(self, connection: &RTCConnection) -> Result<&str, ConnectionError> {
        Ok(self.track(connection)?.label())
    }

    /// Tones that have not begun (draft `toneBuffer`); empty on a receiving handler.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`] once the audio track was removed.
    #[doc(alias = "toneBuffer")]
    pub fn tone_buffer(self, connection: &RTCConnection) -> Result<&str, ConnectionError> {
        Ok(connection
            .tones(self)?
            .map_or("", ortc_dtmf::Sender::tone_buffer))
    }

    /// Length of each tone (draft `duration`); the default on a receiving handler.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`] once the audio track was removed.
    pub fn duration(self, connection: &RTCConnection) -> Result<Duration, ConnectionError> {
        let tones = connection.tones(self)?;
        Ok(tones.map_or(ortc_dtmf::DEFAULT_DURATION, ortc_dtmf::Sender::duration))
    }

    /// Silence between tones (draft `interToneGap`); the default on a receiving handler.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`] once the audio track was removed.
    #[doc(alias = "interToneGap")]
    pub fn inter_tone_gap(self, connection: &RTCConnection) -> Result<Duration, ConnectionError> {
        let tones = connection.tones(self)?;
        Ok(tones.map_or(ortc_dtmf::DEFAULT_GAP, ortc_dtmf::Sender::inter_tone_gap))
    }

    /// Sends tones (draft §4.2.2.1): `0` to `9`, `A` to `D` in either case, `#`, `*`, and `,` for
    /// two seconds of silence; other characters are ignored. What had not begun is replaced, so an
    /// empty string ends after the current tone. They wait while the connection is not connected.
    ///
    /// `duration` is 70 ms to 6 s, `None` for 100 ms; `inter_tone_gap` at least 50 ms, `None` for
    /// 50 ms.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Tones`] for values out of range, [`ConnectionError::ReceivingHandler`]
    /// on a receiving handler, [`ConnectionError::UnknownTrack`] once the audio track was removed;
    /// the tone buffer is as it was.
    #[doc(alias = "insertDTMF")]
    pub fn insert_dtmf(
        self,
        connection: &mut RTCConnection,
        tones: &str,
        duration: Option<Duration>,
        inter_tone_gap: Option<Duration>,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        let duration = duration.unwrap_or(ortc_dtmf::DEFAULT_DURATION);
        let gap = inter_tone_gap.unwrap_or(ortc_dtmf::DEFAULT_GAP);
        connection.insert_dtmf(self, tones, duration, gap, now)
    }
}
