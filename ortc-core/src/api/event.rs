//! What a connection tells the application: the draft's `onX` handlers as one enum, and the media.

use core::fmt;
use std::time::Instant;

use bytes::Bytes;
use ortc_dtls::KeyLogLine;
use ortc_ice::{NameQuery, OpenStream, QueryId, ServerError, ServerUri, StreamId};

use super::codec::RTCCodec;
use super::description::{RTCIceCandidateDescription, RtpExtHeaders};
use super::dtmf_handler::RTCDTMFHandler;
use super::side::CertificateFingerprint;
use super::stream::{MediaStream, MediaStreamTrack};
use super::track::RTCTrack;

/// Something that the application should know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// `oncandidate`: a local candidate was discovered. Signal it, and apply it with
    /// `set_local_candidate`.
    Candidate(Box<RTCIceCandidateDescription>),
    /// `onendofcandidates`: all local candidates have been discovered.
    EndOfCandidates,
    /// The addresses of a name are wanted, A and AAAA: of a server, or of a peer that hides its own
    /// behind a `.local` name (mDNS). Answer with `resolved`; nothing waits for it.
    Resolve {
        /// Names the question in the answer.
        query: ResolveQuery,
        /// The host name.
        name: String,
    },
    /// A byte stream is wanted, to a server or for a candidate over TCP: connect, and answer with
    /// `stream_opened` or `stream_failed`.
    OpenStream(Box<OpenStream>),
    /// A stream is not needed any more: write what was taken out for it, then close it.
    CloseStream(StreamId),
    /// A server gives no candidates, or no more; the others go on, and `update` asks it again.
    IceServerFailed {
        /// Which.
        server: ServerUri,
        /// Why.
        reason: ServerError,
    },
    /// `onactivecandidate`: the pair that carries the connection from now on.
    ActiveCandidate(Box<ActivePair>),
    /// `onconnected`: ICE has a usable pair and the DTLS handshake is done.
    Connected,
    /// The handshake is done and nobody has said whose certificate it should be: media waits, both
    /// ways, for `accept_remote_fingerprint` or `set_remote_fingerprint`.
    Unverified(CertificateFingerprint),
    /// `ondisconnected`.
    Disconnected(DisconnectReason),
    /// `onaddstream`: `receive_track` named a stream that no receiving track had named before.
    AddStream(MediaStream),
    /// `onunknowntrack`: authenticated RTP of a source that no description names.
    UnknownTrack(Box<UnknownTrack>),
    /// `onadddtmfhandler`: `receive_track` described audio with a `dtmf` codec.
    AddDtmfHandler(RTCDTMFHandler),
    /// `ondtmf` of a receiving handler: one tone, once.
    Dtmf {
        /// The handler.
        handler: RTCDTMFHandler,
        /// `0` to `9`, `A` to `D`, `*` or `#`.
        tone: char,
    },
    /// A tone of a sending handler has begun.
    ToneStarted {
        /// The handler.
        handler: RTCDTMFHandler,
        /// The tone.
        tone: char,
    },
    /// `onconnected` of a MediaStream: the first RTP of one of its tracks came.
    StreamConnected(MediaStream),
    /// `ondisconnected` of a MediaStream: its last track is disconnected.
    StreamDisconnected(MediaStream),
    /// `onconnected` of a MediaStreamTrack: its first RTP came.
    TrackConnected(MediaStreamTrack),
    /// `ondisconnected` of a MediaStreamTrack: RTCP BYE, no RTP for `rtp_timeout`, or
    /// `stop_receiving`.
    TrackDisconnected(MediaStreamTrack),
    /// The peer asks for a key frame of this sending track (RFC 4585 §6.3.1, RFC 5104 §4.3.1).
    KeyFrameRequested(RTCTrack),
    /// The codec of a sending track, at its start and whenever it changes.
    SendCodec {
        /// The track.
        track: RTCTrack,
        /// What its next frame is sent with.
        codec: RTCCodec,
    },
    /// The codec of a receiving track, with its first packet and whenever it changes.
    ReceiveCodec {
        /// The SSRC.
        ssrc: u32,
        /// What its packets are from now on.
        codec: RTCCodec,
    },
    /// A whole frame of a track received as frames.
    Frame(ReceivedFrame),
    /// Packets of a track received as frames are missing for good.
    Gap(ReceivedGap),
    /// One packet of a track received as raw RTP.
    Rtp(ReceivedRtp),
    /// DTLS application data.
    ApplicationData(Bytes),
    /// A line of an NSS key log, when `key_log` is on.
    KeyLog(KeyLogLine),
}

/// The two ends of the path in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivePair {
    /// The local candidate.
    pub local: RTCIceCandidateDescription,
    /// The remote candidate.
    pub remote: RTCIceCandidateDescription,
}

/// A source that nobody described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTrack {
    /// Its SSRC: describe it with `receive_track` and the packets that wait come out.
    pub ssrc: u32,
    /// Payload type of its first packet.
    pub payload_type: u8,
    /// Header extensions of its first packet: the URI where the id is known, else the id in
    /// decimal; text as it is, other values in hexadecimal.
    pub rtp_ext_headers: RtpExtHeaders,
}

/// Why a connection is not connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The peer's consent to receive expired (RFC 7675). Comes back by a new successful check or a
    /// restart; then `Connected` is told again.
    ConsentExpired,
    /// No pair works (RFC 8445 §8.1.2, RFC 8863). Final.
    IceFailed,
    /// The DTLS handshake failed, or the peer ended the association. Final.
    Dtls(ortc_dtls::CloseReason),
    /// Both sides insist on the same DTLS role. Final.
    DtlsRoleConflict,
    /// `close` was called. Final.
    Closed,
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConsentExpired => {
                f.write_str("the peer no longer confirms that it wants to receive")
            }
            Self::IceFailed => f.write_str("no pair of candidates works"),
            Self::Dtls(reason) => write!(f, "DTLS ended: {reason}"),
            Self::DtlsRoleConflict => f.write_str("both sides insist on the same DTLS role"),
            Self::Closed => f.write_str("closed by this side"),
        }
    }
}

/// A whole frame, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedFrame {
    /// SSRC of the track.
    pub ssrc: u32,
    /// Payload type that it came with.
    pub payload_type: u8,
    /// RTP timestamp, in units of the codec's clock rate.
    pub timestamp: u32,
    /// The encoded frame: an Opus packet, G.711 samples, a VP8 frame, or an H.264 access unit in
    /// Annex B form.
    pub payload: Bytes,
    /// Whether it can be decoded without those before it (video).
    pub key_frame: bool,
    /// Whether packets before it are missing.
    pub after_gap: bool,
    /// When its last packet came.
    pub arrived: Instant,
}

/// Packets that will not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedGap {
    /// SSRC of the track.
    pub ssrc: u32,
    /// Sequence number of the first, extended to 64 bits.
    pub first: u64,
    /// How many.
    pub packets: u64,
}

/// One packet, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedRtp {
    /// SSRC.
    pub ssrc: u32,
    /// Sequence number, extended to 64 bits.
    pub sequence: u64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Payload type.
    pub payload_type: u8,
    /// Marker bit.
    pub marker: bool,
    /// When it came.
    pub arrived: Instant,
    /// The whole packet, decrypted: [`ReceivedRtp::payload`] is the part behind the header.
    pub packet: Bytes,
    pub(crate) payload: (u16, u16),
}

impl ReceivedRtp {
    /// The payload, without padding; shares the packet's memory.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        self.packet
            .slice(usize::from(self.payload.0)..usize::from(self.payload.1))
    }
}

/// A decrypted packet, for a capture file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapPacket {
    /// Whether it was sent or received.
    pub direction: TapDirection,
    /// When.
    pub at: Instant,
    /// RTP or RTCP, without SRTP's trailer.
    pub packet: Bytes,
}

/// Which way a tapped packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapDirection {
    /// From this side.
    Sent,
    /// To this side.
    Received,
}

/// When to call `handle_timeout` next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// The deadline; already reached when output is waiting.
    pub at: Instant,
    /// On whose behalf.
    pub timer: Timer,
}

/// Names the question of [`Event::Resolve`] in its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResolveQuery(pub(crate) Resolving);

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Resolving {
    Server(QueryId),
    Peer(NameQuery),
}

impl From<QueryId> for ResolveQuery {
    fn from(query: QueryId) -> Self {
        Self(Resolving::Server(query))
    }
}

impl From<NameQuery> for ResolveQuery {
    fn from(query: NameQuery) -> Self {
        Self(Resolving::Peer(query))
    }
}

/// Which part of a connection waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timer {
    /// Output is waiting for `poll_transmit`.
    Output,
    /// Checks, keep-alives, consent, servers.
    Ice,
    /// Retransmission of a handshake flight.
    Dtls,
    /// RTCP reports.
    Rtcp,
    /// A receiving track: reorder buffer, retransmission requests, silence.
    Receive,
    /// Tones.
    Dtmf,
}

/// A frame to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The encoded frame, shared and not copied until it leaves.
    pub payload: Bytes,
    /// Media time in units of the codec's clock rate (48 kHz for Opus, 8 kHz for G.711, 90 kHz for
    /// video), from any origin; a random offset is added (RFC 3550 §5.1).
    pub time: u64,
    /// The marker bit of an audio frame: first of a talk spurt (RFC 3551 §4.1). Ignored for video,
    /// where it ends a frame.
    pub talk_spurt: bool,
}

impl Frame {
    /// A frame inside a talk spurt.
    #[must_use]
    pub fn new(payload: impl Into<Bytes>, time: u64) -> Self {
        Self {
            payload: payload.into(),
            time,
            talk_spurt: false,
        }
    }
}

/// A packet to send on a track in raw RTP mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpToSend {
    /// Payload type, 0 to 63 or 96 to 127.
    pub payload_type: u8,
    /// Marker bit.
    pub marker: bool,
    /// RTP timestamp as it goes on the wire.
    pub timestamp: u32,
    /// Numbers to leave out before this packet, so that a gap of the source stays one; 0 usually.
    /// Sequence numbers are the connection's and only grow: a number is never used twice, as SRTP
    /// demands.
    pub skip: u16,
    /// Payload, shared and not copied until it leaves.
    pub payload: Bytes,
}

/// How the packets of a receiving track come out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReceiveMode {
    /// Whole frames, in order, as [`Event::Frame`].
    #[default]
    Frames,
    /// Every packet at once, as [`Event::Rtp`].
    Raw,
    /// Both: each packet, and then the frames that it completes.
    Both,
}

impl ReceiveMode {
    pub(crate) fn has_frames(self) -> bool {
        self != Self::Raw
    }
}
