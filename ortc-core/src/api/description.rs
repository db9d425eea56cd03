//! What travels over the application's own signalling: candidates and tracks, as JSON in the
//! member names of the draft.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

use ortc_ice::{Candidate, CandidateKind, NamedCandidate, TcpType};
use serde::{Deserialize, Serialize};

use super::codec::RTCCodec;
use super::dtls_parameters::RTCDtlsParameters;
use super::error::DescriptionError;
use super::stream::MediaKind;

/// An ICE candidate (draft §2.3.9).
#[doc(alias = "RtcIceCandidateDescription")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RTCIceCandidateDescription {
    /// Groups candidates of one kind, base and server (RFC 8445 §5.1.1.3); 1 to 32 ice-chars.
    pub foundation: String,
    /// Component; 1, since RTP and RTCP share it (RFC 5761).
    pub component: u16,
    /// Transport: `udp`, or `tcp` (RFC 6544).
    pub transport: String,
    /// Of a candidate over TCP how it gets its connections: `active`, `passive` or `so` (RFC 6544
    /// §4.5); an extension of ours, as the later ORTC drafts have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_type: Option<String>,
    /// Priority (RFC 8445 §5.1.2).
    pub priority: u32,
    /// IP address in its textual form, or a `.local` name.
    pub connection_address: String,
    /// Port.
    pub connection_port: u16,
    /// `host`, `srflx`, `prflx` or `relay`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Address that the candidate was derived from, for diagnosis; not used, and may be a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rel_address: Option<String>,
    /// Port that belongs to `rel_address`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rel_port: Option<u16>,
    /// Fingerprint and DTLS role of the side that has the candidate, our extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtls: Option<Box<RTCDtlsParameters>>,
}

impl RTCIceCandidateDescription {
    pub(crate) fn from_candidate(candidate: &Candidate) -> Self {
        let address = candidate.address();
        let related = candidate.related_address();
        Self {
            foundation: candidate.foundation().to_owned(),
            component: candidate.component(),
            transport: match candidate.tcp_type() {
                Some(_) => "tcp".to_owned(),
                None => "udp".to_owned(),
            },
            tcp_type: candidate.tcp_type().map(|kind| tcp_name(kind).to_owned()),
            priority: candidate.priority(),
            connection_address: address.ip().to_string(),
            connection_port: address.port(),
            kind: kind_name(candidate.kind()).to_owned(),
            rel_address: related.map(|related| related.ip().to_string()),
            rel_port: related.map(|related| related.port()),
            dtls: None,
        }
    }

    /// The transport address.
    ///
    /// # Errors
    ///
    /// [`DescriptionError::Address`] when it is not an IP address: resolve a name first.
    pub fn socket_address(&self) -> Result<SocketAddr, DescriptionError> {
        Ok(SocketAddr::new(
            parse_ip(&self.connection_address)?,
            self.connection_port,
        ))
    }

    /// Whether the address is hidden behind a `.local` name (mDNS).
    #[must_use]
    pub fn is_named(&self) -> bool {
        let name = self.connection_address.as_bytes();
        name.last_chunk()
            .is_some_and(|end: &[u8; 6]| end.eq_ignore_ascii_case(b".local"))
    }

    /// The way of a candidate over TCP; `None` is UDP.
    fn tcp_kind(&self) -> Result<Option<TcpType>, DescriptionError> {
        if self.transport.eq_ignore_ascii_case("udp") {
            return Ok(None);
        }
        let name = self.tcp_type.as_deref().unwrap_or_default();
        let known = TCP_TYPES.into_iter().find(|(known, _)| *known == name);
        match known {
            Some((_, kind)) if self.transport.eq_ignore_ascii_case("tcp") => Ok(Some(kind)),
            _ => Err(DescriptionError::Transport(self.transport.clone())),
        }
    }

    pub(crate) fn to_named_candidate(&self) -> Result<NamedCandidate, DescriptionError> {
        let candidate = NamedCandidate::new(
            &self.foundation,
            self.component,
            self.priority,
            &self.connection_address,
            self.connection_port,
            parse_kind(&self.kind)?,
        )
        .map_err(DescriptionError::Candidate)?;
        Ok(match self.tcp_kind()? {
            Some(kind) => candidate.with_tcp_type(kind),
            None => candidate,
        })
    }

    pub(crate) fn to_candidate(&self) -> Result<Candidate, DescriptionError> {
        let tcp = self.tcp_kind()?;
        let kind = parse_kind(&self.kind)?;
        let related = match (&self.rel_address, self.rel_port) {
            // For diagnosis only: one that is hidden behind a name is no reason to refuse the rest.
            (Some(address), Some(port)) => {
                parse_ip(address).ok().map(|ip| SocketAddr::new(ip, port))
            }
            (None, _) | (_, None) => None,
        };
        let candidate = Candidate::remote(
            &self.foundation,
            self.component,
            self.priority,
            self.socket_address()?,
            kind,
            related,
        )
        .map_err(DescriptionError::Candidate)?;
        Ok(match tcp {
            Some(kind) => candidate.with_tcp_type(kind),
            None => candidate,
        })
    }
}

fn parse_ip(text: &str) -> Result<IpAddr, DescriptionError> {
    text.parse()
        .map_err(|_| DescriptionError::Address(text.to_owned()))
}

const KINDS: [(&str, CandidateKind); 4] = [
    ("host", CandidateKind::Host),
    ("srflx", CandidateKind::ServerReflexive),
    ("prflx", CandidateKind::PeerReflexive),
    ("relay", CandidateKind::Relayed),
];

const TCP_TYPES: [(&str, TcpType); 3] = [
    ("active", TcpType::Active),
    ("passive", TcpType::Passive),
    ("so", TcpType::SimultaneousOpen),
];

fn tcp_name(kind: TcpType) -> &'static str {
    TCP_TYPES
        .into_iter()
        .find_map(|(name, known)| (known == kind).then_some(name))
        .unwrap_or("passive")
}

fn parse_kind(name: &str) -> Result<CandidateKind, DescriptionError> {
    KINDS
        .into_iter()
        .find_map(|(known, kind)| (known == name).then_some(kind))
        .ok_or_else(|| DescriptionError::CandidateType(name.to_owned()))
}

fn kind_name(kind: CandidateKind) -> &'static str {
    KINDS
        .into_iter()
        .find_map(|(name, known)| (known == kind).then_some(name))
        .unwrap_or("host")
}

/// Header extension names (URIs) with their values, as the draft's `rtpExtHeaders` object.
pub type RtpExtHeaders = BTreeMap<String, String>;

/// What a track is (draft §3.3.3).
#[doc(alias = "RtcTrackDescription")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RTCTrackDescription {
    /// Audio or video.
    pub kind: MediaKind,
    /// Synchronisation source, an unsigned 32-bit number in decimal; in JSON a string, as the
    /// draft's examples have it, and a JSON number is refused.
    pub ssrc: String,
    /// Identifiers of the streams that the track belongs to.
    #[serde(default)]
    pub msid: Vec<String>,
    /// Codecs: the sender uses the first that it supports, the receiver is ready for each.
    pub codecs: Vec<RTCCodec>,
    /// Wishes about the media.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media_attributes: Vec<RTCMediaAttributes>,
    /// Header extensions by URI with their values; `urn:ietf:params:rtp-hdrext:sdes:mid` and
    /// `…:rtp-stream-id` bind an SSRC to this track, if it sends one of the codecs and the track is
    /// not heard on another.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rtp_ext_headers: RtpExtHeaders,
    /// How its packets are repeated on a source of their own, our extension; without it they are
    /// repeated as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtx: Option<RTCRtxDescription>,
    /// Feedback that the sender acts on, in the words of RFC 4585 §4.2 and RFC 5104 §7: `nack`,
    /// `nack pli`, `ccm fir`; our extension. Absent, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtcp_feedback: Option<Vec<String>>,
    /// Ids of header extensions on this track by URI, 1 to 14 (RFC 8285 §4.2); our extension.
    /// Absent, those of the connection's options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtp_ext_header_ids: Option<BTreeMap<String, u8>>,
    /// Fingerprint and DTLS role of the side that sends the track, our extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtls: Option<Box<RTCDtlsParameters>>,
}

/// The source that repairs a track (RFC 4588), our extension of the draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RTCRtxDescription {
    /// Its SSRC, in decimal, as the track's.
    pub ssrc: String,
    /// Payload type of a codec to the payload type of its retransmissions (RFC 4588 §8.6, `apt`
    /// the other way round); in JSON an object.
    pub payload_ids: BTreeMap<u8, u8>,
}

impl RTCTrackDescription {
    /// The SSRC as a number.
    ///
    /// # Errors
    ///
    /// [`DescriptionError::Ssrc`] unless it is a decimal number below 2^32.
    pub fn ssrc(&self) -> Result<u32, DescriptionError> {
        parse_ssrc(&self.ssrc)
    }
}

impl RTCRtxDescription {
    /// The SSRC as a number.
    ///
    /// # Errors
    ///
    /// [`DescriptionError::Ssrc`] unless it is a decimal number below 2^32.
    pub fn ssrc(&self) -> Result<u32, DescriptionError> {
        parse_ssrc(&self.ssrc)
    }
}

fn parse_ssrc(text: &str) -> Result<u32, DescriptionError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.ok_or_else(|| DescriptionError::Ssrc(text.to_owned()))
}

/// Wishes of the receiver about video (draft §3.3.5). They travel and are reported; this stack
/// scales nothing.
#[doc(alias = "RtcMediaAttributes")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RTCMediaAttributes {
    /// Largest width in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_max_width: Option<u32>,
    /// Largest height in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_max_height: Option<u32>,
}
