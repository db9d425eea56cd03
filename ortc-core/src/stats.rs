//! Counters, every reason for a drop among them, and the snapshot that the application takes.

use core::fmt;
use core::time::Duration;

use ortc_rtp::stream::{ReceiveStats, SendStats};
use ortc_srtp::{Profile, UnprotectError};

use crate::api::RTCCodec;

/// Why something that came, or was about to leave, went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DropReason {
    /// The first octet belongs to no protocol here (RFC 7983).
    UnknownProtocol,
    /// The connection is closed.
    Closed,
    /// STUN that the ICE agent refused; its own counters say why.
    Stun,
    /// DTLS from an address that no authenticated check came from.
    DtlsUnvalidatedPath,
    /// More DTLS than is held while no pair is valid.
    DtlsHeldFull,
    /// RTP or RTCP before there are keys, from an unknown path, or beyond what is held for them.
    MediaBeforeKeys,
    /// RTP or RTCP too short or with wrong lengths.
    Malformed,
    /// The SRTP or SRTCP authentication tag is wrong.
    Authentication,
    /// A packet that was received before, or is older than the replay window.
    Replay,
    /// A new source beyond the number that SRTP keeps state for.
    TooManySources,
    /// RTP of a source that waits for its description, beyond the bound.
    UnknownTrackFull,
    /// A payload type that the track's description does not list.
    UnknownPayloadType,
    /// A retransmission on a source that no description names: a probe for bandwidth.
    UnknownRepair,
    /// A payload that breaks its format.
    MalformedPayload,
    /// Too late, or a second copy, for the reorder buffer.
    Late,
    /// RTCP with wrong lengths.
    MalformedRtcp,
    /// The application left too many events waiting.
    EventsFull,
    /// Too much feedback waits to be sent.
    FeedbackFull,
    /// Output for a relay that is not there any more.
    NoRelay,
    /// A packet could not be protected: the key has reached its limit (RFC 3711 §9.2).
    KeyExhausted,
}

impl DropReason {
    /// Every reason, in order.
    pub const ALL: [Self; 20] = [
        Self::UnknownProtocol,
        Self::Closed,
        Self::Stun,
        Self::DtlsUnvalidatedPath,
        Self::DtlsHeldFull,
        Self::MediaBeforeKeys,
        Self::Malformed,
        Self::Authentication,
        Self::Replay,
        Self::TooManySources,
        Self::UnknownTrackFull,
        Self::UnknownPayloadType,
        Self::UnknownRepair,
        Self::MalformedPayload,
        Self::Late,
        Self::MalformedRtcp,
        Self::EventsFull,
        Self::FeedbackFull,
        Self::NoRelay,
        Self::KeyExhausted,
    ];
}

impl From<UnprotectError> for DropReason {
    fn from(error: UnprotectError) -> Self {
        match error {
            UnprotectError::Replay | UnprotectError::TooOld => Self::Replay,
            UnprotectError::TooManySources => Self::TooManySources,
            UnprotectError::Authentication => Self::Authentication,
            UnprotectError::KeyExhausted => Self::KeyExhausted,
            UnprotectError::Truncated | UnprotectError::Malformed | _ => Self::Malformed,
        }
    }
}

/// How often each [`DropReason`] happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops([u64; DropReason::ALL.len()]);

impl Drops {
    pub(crate) fn count(&mut self, reason: DropReason) {
        if let Some(counter) = self.0.get_mut(reason as usize) {
            *counter += 1;
        }
    }

    /// How often this happened.
    #[must_use]
    pub fn get(&self, reason: DropReason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or_default()
    }

    /// The reasons that happened, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL
            .into_iter()
            .zip(self.0)
            .filter(|(_, count)| *count > 0)
    }

    /// All of them together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// A snapshot of a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// The ICE agent: pairs, round-trip times, counters.
    pub ice: ortc_ice::Stats,
    /// The ICE role of this side, as it is now.
    pub ice_role: ortc_ice::Role,
    /// DTLS, once a handshake has begun.
    pub dtls: Option<DtlsStats>,
    /// SRTP profile, once there are keys.
    pub srtp_profile: Option<Profile>,
    /// Datagrams handed in.
    pub datagrams_received: u64,
    /// Octets handed in.
    pub octets_received: u64,
    /// Datagrams given out.
    pub datagrams_sent: u64,
    /// Octets given out.
    pub octets_sent: u64,
    /// What was dropped, by reason.
    pub drops: Drops,
    /// Sending tracks.
    pub sending: Vec<SendTrackStats>,
    /// Receiving tracks.
    pub receiving: Vec<ReceiveTrackStats>,
}

/// The DTLS association.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DtlsStats {
    /// Version, once negotiated.
    pub version: Option<ortc_dtls::Version>,
    /// Cipher suite, once negotiated.
    pub cipher_suite: Option<ortc_dtls::CipherSuite>,
    /// Group of the key exchange, once negotiated.
    pub group: Option<ortc_dtls::wire::NamedGroup>,
    /// Whether this side is the client.
    pub role: ortc_dtls::Role,
    /// The endpoint's own counters.
    pub endpoint: ortc_dtls::Stats,
}

/// One sending track.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SendTrackStats {
    /// SSRC.
    pub ssrc: u32,
    /// The codec in use.
    pub codec: RTCCodec,
    /// The stream's counters and what the peer reports about it.
    pub stream: SendStats,
    /// Packets and octets of the repairing source, when the track has one.
    pub rtx: Option<SendStats>,
    /// Key frames that the peer asked for.
    pub key_frame_requests: u64,
}

/// One receiving track.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceiveTrackStats {
    /// SSRC.
    pub ssrc: u32,
    /// The codec of the last packet, once there was one.
    pub codec: Option<RTCCodec>,
    /// Packets, octets, loss, jitter.
    pub stream: ReceiveStats,
    /// Whole frames delivered (frame mode).
    pub frames: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Packets reported as missing for good (frame mode).
    pub gap_packets: u64,
    /// Retransmissions asked for.
    pub nacks: u64,
    /// Packets that came after they had been asked for.
    pub recovered: u64,
    /// Packets that came on the repairing source (RFC 4588).
    pub repaired: u64,
    /// Packets of the repairing source with nothing in them: they probe for bandwidth.
    pub probes: u64,
    /// Key frames asked for.
    pub key_frame_requests: u64,
    /// Time since the last packet.
    pub silence: Option<Duration>,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownProtocol => "unknown protocol",
            Self::Closed => "connection closed",
            Self::Stun => "STUN refused",
            Self::DtlsUnvalidatedPath => "DTLS from an unvalidated path",
            Self::DtlsHeldFull => "DTLS beyond what is held",
            Self::MediaBeforeKeys => "media before keys",
            Self::Malformed => "malformed",
            Self::Authentication => "authentication failed",
            Self::Replay => "replayed",
            Self::TooManySources => "too many sources",
            Self::UnknownTrackFull => "unknown track beyond the bound",
            Self::UnknownPayloadType => "unknown payload type",
            Self::UnknownRepair => "retransmission on an unknown source",
            Self::MalformedPayload => "malformed payload",
            Self::Late => "too late or a copy",
            Self::MalformedRtcp => "malformed RTCP",
            Self::EventsFull => "events not taken",
            Self::FeedbackFull => "feedback not taken",
            Self::NoRelay => "no relay to send through",
            Self::KeyExhausted => "key at its limit",
        })
    }
}
