//! What an application can do wrong, in sentences that say what to do.

use ortc_dtls::FingerprintError;
use ortc_ice::{CandidateError, CredentialsError, ServerUriError};
use thiserror::Error;

use super::stream::MediaKind;

/// A description that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// Not an IP address.
    #[error("`{0}` is not an IP address: resolve names before the candidate is set")]
    Address(String),
    /// Not `udp`, and not `tcp` with a `tcpType` of RFC 6544.
    #[error("candidates over `{0}` are not supported: leave them out")]
    Transport(String),
    /// Not one of the four types of RFC 8839 §5.1.
    #[error("`{0}` is not a candidate type: use host, srflx, prflx or relay")]
    CandidateType(String),
    /// The candidate's values are out of range.
    #[error("the candidate is invalid")]
    Candidate(#[source] CandidateError),
    /// The credentials break RFC 8839 §5.4.
    #[error("the ICE credentials are invalid")]
    Credentials(#[source] CredentialsError),
    /// Not a decimal number below 2^32.
    #[error("`{0}` is not an SSRC: give an unsigned 32-bit number in decimal")]
    Ssrc(String),
    /// A payload type above 127, or one that RTCP multiplexing takes away.
    #[error("payload type {0} cannot be used with RTCP multiplexing: use 0 to 63 or 96 to 127")]
    PayloadType(u8),
    /// Two codecs share a payload type.
    #[error("payload type {0} is given to two codecs: number each codec differently")]
    DuplicatePayloadType(u8),
    /// The fingerprint cannot be read.
    #[error("the fingerprint is invalid")]
    Fingerprint(#[source] FingerprintError),
    /// An id of a header extension that is not 1 to 14, or is that of two.
    #[error("header extension id {0} must be 1 to 14, and of one extension")]
    ExtensionId(u8),
    /// A server URI cannot be read.
    #[error("`{uri}` is not a STUN or TURN URI: {problem}")]
    ServerUri {
        /// What was given.
        uri: String,
        /// What is wrong with it.
        #[source]
        problem: ServerUriError,
    },
}

/// A call on a connection that could not be done; the connection is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// Both sides say that they are the DTLS client, or both that they are the server.
    #[error("both sides have the same explicit DTLS role: give one of them the other, or none")]
    DtlsRoles,
    /// A description names another certificate than one before it did.
    #[error("the description names another certificate than one before it: make a new connection")]
    FingerprintChanged,
    /// A description names a certificate without any fingerprint.
    #[error("the description has a set of fingerprints with nothing in it")]
    NoFingerprint,
    /// The connection was closed or has failed for good.
    #[error("the connection is closed: make a new one")]
    Closed,
    /// `connect` before `set_remote_ice`.
    #[error("the remote ICE information is not known: call set_remote_ice before connect")]
    NoRemoteIce,
    /// `connect` twice.
    #[error("connect was called before: candidates that come later are considered by themselves")]
    AlreadyConnecting,
    /// A description cannot be read.
    #[error("the description cannot be used")]
    Description(#[from] DescriptionError),
    /// The candidate was not discovered here.
    #[error(
        "the candidate is not one that this connection discovered: pass on what Event::Candidate gave"
    )]
    UnknownLocalCandidate,
    /// The ICE agent refused.
    #[error("ICE refused")]
    Ice(#[from] ortc_ice::AgentError),
    /// The gatherer refused an address or a server.
    #[error("candidates cannot be gathered like this")]
    Gather(#[from] ortc_ice::GatherError),
    /// The address is already listed, or is none to listen on.
    #[error(
        "the local address is unspecified, multicast, or listed already: list each address of this host once"
    )]
    LocalAddress,
    /// The stream was added before.
    #[error("the stream, or one of its tracks, was added before: remove it first")]
    DuplicateStream,
    /// The stream has no tracks, so there is nothing to send.
    #[error("the stream has no tracks: add tracks to it first")]
    EmptyStream,
    /// The stream is not a sending stream of this connection.
    #[error("the stream is not being sent on this connection")]
    UnknownStream,
    /// The handle points to nothing: the track was removed, or belongs to another connection.
    #[error("the track is not on this connection, or was removed")]
    UnknownTrack,
    /// No codec of the list is supported.
    #[error("none of the {kind} codecs is supported: name one of get_rtc_capabilities")]
    NoSupportedCodec {
        /// Kind of the track.
        kind: MediaKind,
    },
    /// The description changes what cannot change.
    #[error("SSRC {ssrc} is a track of the other kind: use another SSRC")]
    KindChanged {
        /// The SSRC.
        ssrc: u32,
    },
    /// The SSRC is one that this side sends with.
    #[error("SSRC {ssrc} is used by a track of this side: the peer must choose another")]
    SsrcCollision {
        /// The SSRC.
        ssrc: u32,
    },
    /// A bound is reached.
    #[error("{what} is at its limit of {limit}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// No audio track to attach tones to.
    #[error("there is no sending audio track for tones: add a stream with audio first")]
    NoAudioTrack,
    /// The handle is a receiving one.
    #[error("this handler receives tones: use the one that add_dtmf_handler returned")]
    ReceivingHandler,
    /// The peer's fingerprint is not known yet, or was decided before.
    #[error("there is no unverified fingerprint to accept: wait for Event::Unverified")]
    NothingToAccept,
    /// The DTLS endpoint refused.
    #[error("DTLS refused")]
    Dtls(#[from] DtlsError),
    /// The tones cannot be sent so.
    #[error("the tones cannot be sent")]
    Tones(#[from] ortc_dtmf::TonesError),
    /// The socket was handed out before.
    #[error("the local socket was handed out before: keep the one that get_local_socket returned")]
    SocketTaken,
    /// A value of the options is out of its range.
    #[error("{option} must be {range}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// The DTLS endpoint refuses an option.
    #[error("the DTLS options are invalid")]
    DtlsOption(#[from] ortc_dtls::ConfigError),
    /// A certificate could not be made.
    #[error("the certificate could not be made")]
    Certificate(#[from] ortc_dtls::CertificateError),
}

/// What DTLS refuses; a plain copy of the layer's reason, so that the error can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct DtlsError(pub String);

/// A frame or packet that could not be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// Not connected (yet, or any more): media is live, nothing is kept for later.
    #[error("the connection is not connected: send after Event::Connected")]
    NotConnected,
    /// The track was not started, or was stopped.
    #[error("the track is not started: call start first")]
    NotStarted,
    /// The handle points to nothing.
    #[error("the track is not on this connection, or was removed")]
    UnknownTrack,
    /// The codec in use has no packetizer: raw RTP is the way.
    #[error("frames of this codec cannot be packetized: send RTP packets")]
    NotPacketizable,
    /// The frame breaks the payload format.
    #[error("the frame cannot be packetized: {0}")]
    Packetize(#[from] ortc_rtp::payload::PacketizeError),
    /// The packet is larger than the path MTU leaves room for.
    #[error("the payload has {size} octets and {limit} fit the path MTU")]
    TooLarge {
        /// Octets given.
        size: usize,
        /// Octets that fit.
        limit: usize,
    },
    /// The frame has more packets or octets than may ever wait: 4,096 packets, 4 MiB.
    #[error("the frame of {size} octets is more than may wait at once: encode smaller frames")]
    FrameTooLarge {
        /// Octets given.
        size: usize,
    },
    /// More is queued than the bound allows: `poll_transmit` is not called often enough.
    #[error("too much is queued: call poll_transmit until it returns None")]
    QueueFull,
    /// The packet is of another source than the one that the track forwards.
    #[error("the track does not forward SSRC {ssrc}: call forward_from with its description")]
    OtherSource {
        /// SSRC of the packet.
        ssrc: u32,
    },
    /// The payload type is above 127 or taken by RTCP multiplexing.
    #[error("payload type {0} cannot be used with RTCP multiplexing: use 0 to 63 or 96 to 127")]
    PayloadType(u8),
}
