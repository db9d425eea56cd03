//! RTCTrack: the handle of one sending track (draft §3).

use std::collections::BTreeMap;
use std::time::Instant;

use super::codec::RTCCodec;
use super::connection::RTCConnection;
use super::description::{RTCMediaAttributes, RTCTrackDescription, RtpExtHeaders};
use super::error::ConnectionError;
use super::stream::{MediaKind, MediaStreamTrack};

/// The sending side of one MediaStreamTrack (draft §3).
///
/// A small value that names the track on its connection; it can be kept, copied and sent to other
/// threads. Its methods take the connection, because that owns the state. Every method fails with
/// [`ConnectionError::UnknownTrack`] once the track was removed, and on another connection.
#[doc(alias = "RtcTrack")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RTCTrack {
    pub(crate) slot: u32,
    pub(crate) ssrc: u32,
}

impl RTCTrack {
    /// The associated MediaStreamTrack (draft `source`).
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`].
    pub fn source(self, connection: &RTCConnection) -> Result<&MediaStreamTrack, ConnectionError> {
        Ok(&connection.sender(self)?.source)
    }

    /// Audio or video (draft `kind`).
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`].
    pub fn kind(self, connection: &RTCConnection) -> Result<MediaKind, ConnectionError> {
        Ok(connection.sender(self)?.kind())
    }

    /// Synchronisation source that its packets carry (draft `ssrc`).
    #[must_use]
    pub fn ssrc(self) -> u32 {
        self.ssrc
    }

    /// Ids of the streams that it belongs to (draft `msid`).
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`].
    pub fn msid(self, connection: &RTCConnection) -> Result<&[String], ConnectionError> {
        Ok(&connection.sender(self)?.msid)
    }

    /// Its codecs, in order of preference (draft `codecs`).
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`].
    pub fn codecs(self, connection: &RTCConnection) -> Result<&[RTCCodec], ConnectionError> {
        Ok(&connection.sender(self)?.codecs)
    }

    /// The codec in use: the first of the list that the connection supports.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`].
    pub fn codec(self, connection: &RTCConnection) -> Result<&RTCCodec, ConnectionError> {
        Ok(&connection.sender(self)?.active.codec)
    }

    /// Wishes about the media (draft `mediaAttributes`).
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`].
    #[doc(alias = "mediaAttributes")]
    pub fn media_attributes(
        self,
        connection: &RTCConnection,
    ) -> Result<&[RTCMediaAttributes], ConnectionError> {
        Ok(&connection.sender(self)?.media_attributes)
    }

    /// Header extensions with their values (draft `rtpExtHeaders`).
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`].
    #[doc(alias = "rtpExtHeaders")]
    pub fn rtp_ext_headers(
        self,
        connection: &RTCConnection,
    ) -> Result<&RtpExtHeaders, ConnectionError> {
        Ok(&connection.sender(self)?.rtp_ext_headers)
    }

    /// Sets the streams that it belongs to; the next description has them.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`].
    pub fn set_msid(
        self,
        connection: &mut RTCConnection,
        msid: Vec<String>,
    ) -> Result<(), ConnectionError> {
        connection.sender_mut(self)?.msid = msid;
        Ok(())
    }

    /// Sets the codec list. The first supported codec is used from the next frame on, on the same
    /// SSRC; [`Event::SendCodec`](super::Event::SendCodec) tells when it changes.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::NoSupportedCodec`] when none of them is, and
    /// [`ConnectionError::Description`] for payload types that cannot be; the track is as it was.
    pub fn set_codecs(
        self,
        connection: &mut RTCConnection,
        codecs: Vec<RTCCodec>,
    ) -> Result<(), ConnectionError> {
        connection.set_codecs(self, codecs)
    }

    /// Sets the wishes about the media; the next description has them.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`].
    pub fn set_media_attributes(
        self,
        connection: &mut RTCConnection,
        media_attributes: Vec<RTCMediaAttributes>,
    ) -> Result<(), ConnectionError> {
        connection.sender_mut(self)?.media_attributes = media_attributes;
        Ok(())
    }

    /// Sets header extensions with their values: the next description has them, and the next
    /// packets until the peer reports on the SSRC. Packets leave out a name without an id in the
    /// options, and a value of more than 255 octets.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`].
    pub fn set_rtp_ext_headers(
        self,
        connection: &mut RTCConnection,
        rtp_ext_headers: RtpExtHeaders,
    ) -> Result<(), ConnectionError> {
        connection.set_rtp_ext_headers(self, rtp_ext_headers)
    }

    /// Gives the track ids of header extensions of its own, 1 to 14 by URI (RFC 8285 §4.2), our
    /// extension: what one peer calls 3 on this track may be 5 on another. The next description has
    /// them.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`]; [`ConnectionError::Description`] for an id that cannot be,
    /// or one for two.
    pub fn set_rtp_ext_header_ids(
        self,
        connection: &mut RTCConnection,
        ids: BTreeMap<String, u8>,
    ) -> Result<(), ConnectionError> {
        connection.set_rtp_ext_header_ids(self, ids)
    }

    /// Repeats lost packets on a source of their own (RFC 4588), our extension: the payload types of
    /// the codecs to those of their retransmissions. The next description has it; a codec without an
    /// entry is repeated on the track's SSRC, as all are by default. An empty table ends it. The
    /// repairing SSRC stays the same while the track has one.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`]; [`ConnectionError::Description`] for payload types that
    /// cannot be, are those of a codec of the track, or are named twice; nothing has changed then.
    pub fn set_rtx(
        self,
        connection: &mut RTCConnection,
        payload_ids: BTreeMap<u8, u8>,
    ) -> Result<(), ConnectionError> {
        connection.set_rtx(self, payload_ids)
    }

    /// Describes the track for the peer (draft `getDescription`).
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`].
    #[doc(alias = "getDescription")]
    pub fn get_description(
        self,
        connection: &RTCConnection,
    ) -> Result<RTCTrackDescription, ConnectionError> {
        connection.description(self)
    }

    /// Starts sending, at once if connected, else when it is (draft `start`).
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`].
    pub fn start(self, connection: &mut RTCConnection) -> Result<(), ConnectionError> {
        connection.start_track(self)
    }

    /// Stops sending, silently: the SSRC stays, `start` goes on (draft `stop`).
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`].
    pub fn stop(self, connection: &mut RTCConnection) -> Result<(), ConnectionError> {
        connection.stop_track(self)
    }

    /// Removes the track from the connection; the peer is told by RTCP BYE (draft `remove`).
    ///
    /// # Errors
    ///
    /// [`ConnectionError::UnknownTrack`].
    pub fn remove(
        self,
        connection: &mut RTCConnection,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        connection.remove_track(self, now)
    }
}
