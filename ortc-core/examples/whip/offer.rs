//! What an offer says, in the words of `RTCConnection`: the bridge from SDP, one way.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use ortc_core::dtls::Fingerprint;
use ortc_core::{
    DtlsRole, MediaKind, RTCCapabilities, RTCCodec, RTCCodecParam, RTCIceCandidateDescription,
    RTCIceConnectionInfo, RTCRtxDescription, RTCTrackDescription,
};

use crate::refusal::Refusal;
use crate::sdp::{Description, Media};

/// Header extensions that go on from publisher to player, and the one that names a section.
pub(crate) const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const EXTENSIONS: [&str; 6] = [
    MID,
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "urn:3gpp:video-orientation",
    "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
];

/// Feedback that this side sends and acts on.
const FEEDBACK: [&str; 3] = ["nack", "nack pli", "ccm fir"];

/// How the other side is reached, and who it is.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) ice: RTCIceConnectionInfo,
    pub(crate) lite: bool,
    pub(crate) fingerprint: Fingerprint,
    /// The role that is left for this side.
    pub(crate) dtls: DtlsRole,
    pub(crate) candidates: Vec<RTCIceCandidateDescription>,
    pub(crate) last_candidate: bool,
}

/// One section of the offer, with what becomes of it.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) kind: String,
    pub(crate) protocol: String,
    pub(crate) formats: Vec<String>,
    pub(crate) mid: String,
    /// What is agreed; `None` for a section that carries nothing.
    pub(crate) agreed: Option<Agreed>,
}

/// The one codec of a section, with all that goes with it.
#[derive(Clone, Debug)]
pub(crate) struct Agreed {
    pub(crate) kind: MediaKind,
    pub(crate) codec: RTCCodec,
    pub(crate) feedback: Vec<String>,
    /// Payload type of its retransmissions (RFC 4588).
    pub(crate) rtx: Option<u8>,
    pub(crate) extensions: BTreeMap<String, u8>,
    /// SSRCs that the publisher names: of the media, and of its retransmissions.
    ssrcs: Option<(u32, Option<u32>)>,
}

/// Which way the media of an offer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Publish,
    Play,
}

impl Remote {
    pub(crate) fn read(offer: &Description) -> Result<Self, Refusal> {
        let needed = |name: &str, what: &str| {
            let sections = offer.media.iter().filter(|section| section.port != 0);
            let mut found = sections.filter_map(|section| offer.of_section(section, name));
            found
                .next()
                .ok_or_else(|| Refusal::malformed(format!("The offer has no {what} (a={name}).")))
        };
        let fingerprint = needed("fingerprint", "certificate fingerprint")?;
        let (hash, value) = fingerprint.split_once(' ').unwrap_or((fingerprint, ""));
        let fingerprint = Fingerprint::parse(hash, value.trim())
            .map_err(|error| Refusal::malformed(format!("The fingerprint is wrong: {error}.")))?;
        // Whoever leaves it open is the client: a server is what both protocols expect here
        // (RFC 9725 §4.3.3).
        let dtls = match needed("setup", "DTLS role")? {
            "actpass" | "active" => DtlsRole::Server,
            "passive" => DtlsRole::Client,
            other => {
                return Err(Refusal::malformed(format!(
                    "a=setup:{other} is none of actpass, active and passive."
                )));
            }
        };
        Ok(Self {
            ice: RTCIceConnectionInfo {
                username_frag: needed("ice-ufrag", "ICE user name")?.to_owned(),
                password: needed("ice-pwd", "ICE password")?.to_owned(),
            },
            lite: offer.attribute("ice-lite").is_some(),
            fingerprint,
            dtls,
            candidates: offer.candidates().collect(),
            last_candidate: offer.anywhere("end-of-candidates").is_some(),
        })
    }
}

/// Reads the sections and agrees on a codec for each that carries media. `usable` says which codec
/// of a section may be used, and how much it is liked: the smallest number wins.
pub(crate) fn sections(
    offer: &Description,
    way: Way,
    usable: impl Fn(MediaKind, &RTCCodec) -> Option<usize>,
) -> Result<Vec<Section>, Refusal> {
    let bundle = offer.attribute("group").unwrap_or_default();
    let bundled: Vec<_> = bundle.split_ascii_whitespace().skip(1).collect();
    let mut sections: Vec<Section> = Vec::new();
    for media in &offer.media {
        let mid = media.attribute("mid").unwrap_or_default().to_owned();
        let kind = match media.kind.as_str() {
            "audio" => Some(MediaKind::Audio),
            "video" => Some(MediaKind::Video),
            _ => None,
        };
        let kind = kind.filter(|_| carries(offer, media, way));
        let again = sections.iter().any(|known| {
            let agreed = known.agreed.as_ref();
            agreed.is_some_and(|agreed| Some(agreed.kind) == kind)
        });
        let agreed = match kind {
            Some(kind) if again && way == Way::Publish => {
                return Err(Refusal::unacceptable(format!(
                    "The offer sends more than one {kind} track, and one of each kind is all that can be published."
                )));
            }
            Some(kind) if !again => {
                if offer.media.len() > 1 && !bundled.contains(&mid.as_str()) {
                    return Err(Refusal::unacceptable(format!(
                        "Section {mid:?} is not in the BUNDLE group: all media shares one port."
                    )));
                }
                if !media.has("rtcp-mux") {
                    return Err(Refusal::unacceptable(format!(
                        "Section {mid:?} has no a=rtcp-mux: RTP and RTCP share one port."
                    )));
                }
                agree(media, kind, way, &usable)
            }
            Some(_) | None => None,
        };
        if let (Some(kind), None, Way::Publish) = (kind, &agreed, way) {
            return Err(Refusal::unacceptable(format!(
                "None of the {kind} codecs can be used here."
            )));
        }
        sections.push(Section {
            kind: media.kind.clone(),
            protocol: media.protocol.clone(),
            formats: media.formats.clone(),
            mid,
            agreed,
        });
    }
    Ok(sections)
}

/// Whether a section has media for this way.
fn carries(offer: &Description, media: &Media, way: Way) -> bool {
    const DIRECTIONS: [&str; 4] = ["sendrecv", "sendonly", "recvonly", "inactive"];
    let of_media = DIRECTIONS.into_iter().find(|name| media.has(name));
    let of_all = DIRECTIONS
        .into_iter()
        .find(|name| offer.attribute(name).is_some());
    // RFC 8866 §6.7: without one, both ways.
    let direction = of_media.or(of_all).unwrap_or("sendrecv");
    // Port 0 is a section that is not there, but for one that is only bundled (RFC 9143 §6).
    let there = media.port != 0 || media.has("bundle-only");
    there
        && match way {
            Way::Publish => matches!(direction, "sendrecv" | "sendonly"),
            Way::Play => matches!(direction, "sendrecv" | "recvonly"),
        }
}

fn agree(
    media: &Media,
    kind: MediaKind,
    way: Way,
    usable: impl Fn(MediaKind, &RTCCodec) -> Option<usize>,
) -> Option<Agreed> {
    let codecs = media
        .formats
        .iter()
        .filter_map(|format| codec(media, format));
    let liked = codecs.filter_map(|codec| Some((usable(kind, &codec)?, codec)));
    // The first of those that are liked the same: the offer has them in its order.
    let (_, codec) = liked.min_by_key(|(rank, _)| *rank)?;
    let format = codec.payload_id.to_string();
    let offered: Vec<_> = media
        .of_format("rtcp-fb", &format)
        .chain(media.of_format("rtcp-fb", "*"))
        .collect();
    let feedback = FEEDBACK.into_iter().filter(|name| offered.contains(name));
    let rtx = media.formats.iter().find(|other| {
        let is_rtx = media.of_format("rtpmap", other).any(|map| {
            map.get(..4)
                .is_some_and(|name| name.eq_ignore_ascii_case("rtx/"))
        });
        let apt = format!("apt={format}");
        is_rtx
            && media
                .of_format("fmtp", other)
                .any(|params| params.split(';').any(|param| param.trim() == apt))
    });
    Some(Agreed {
        kind,
        feedback: feedback.map(str::to_owned).collect(),
        rtx: rtx.and_then(|format| format.parse().ok()),
        extensions: extensions(media, way),
        ssrcs: ssrcs(media),
        codec,
    })
}

/// A codec of the section; what goes with one, such as retransmissions and tones, aside.
fn codec(media: &Media, format: &str) -> Option<RTCCodec> {
    let payload_id = format.parse().ok()?;
    let map = media.of_format("rtpmap", format).next();
    // Static payload types need no map (RFC 3551 §6).
    let map = map.or(match payload_id {
        0 => Some("PCMU/8000"),
        8 => Some("PCMA/8000"),
        _ => None,
    })?;
    let mut parts = map.trim().split('/');
    let name = parts.next()?;
    if [
        "rtx",
        "red",
        "ulpfec",
        "flexfec-03",
        "CN",
        "telephone-event",
    ]
    .iter()
    .any(|wrapper| name.eq_ignore_ascii_case(wrapper))
    {
        return None;
    }
    let mut codec = RTCCodec::new(payload_id, name).with_clock_rate(parts.next()?.parse().ok()?);
    codec.num_channels = parts.next().and_then(|channels| channels.parse().ok());
    let params = media
        .of_format("fmtp", format)
        .flat_map(|all| all.split(';'));
    codec.params = params
        .map(str::trim)
        .filter(|param| !param.is_empty())
        .map(|param| match param.split_once('=') {
            Some((name, value)) => RTCCodecParam {
                name: name.to_owned(),
                value: Some(value.to_owned()),
            },
            None => RTCCodecParam {
                name: param.to_owned(),
                value: None,
            },
        })
        .collect();
    Some(codec)
}

/// Ids of header extensions that are known, and that the other side sends or receives.
fn extensions(media: &Media, way: Way) -> BTreeMap<String, u8> {
    let unused = match way {
        Way::Publish => "recvonly",
        Way::Play => "sendonly",
    };
    let pairs = media.all("extmap").filter_map(|value| {
        let (id, uri) = value.split_once(' ')?;
        let uri = uri.split(' ').next()?;
        let (id, direction) = id.split_once('/').unwrap_or((id, ""));
        let id: u8 = id.parse().ok()?;
        // What one-byte headers can name (RFC 8285 §4.2).
        let fits = (1..=14).contains(&id) && direction != unused && direction != "inactive";
        (fits && EXTENSIONS.contains(&uri)).then(|| (uri.to_owned(), id))
    });
    pairs.collect()
}

fn ssrcs(media: &Media) -> Option<(u32, Option<u32>)> {
    let groups = media.all("ssrc-group").filter_map(|group| {
        let mut words = group.split_ascii_whitespace();
        let _repairs = words.next().filter(|kind| *kind == "FID")?;
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()))
    });
    let first = || {
        let named = media.attribute("ssrc")?;
        Some((named.split(' ').next()?.parse().ok()?, None))
    };
    groups.into_iter().next().or_else(first)
}

impl Agreed {
    /// The publisher's track. Its SSRC is empty when the offer names none: the first packet of its
    /// payload type says it then.
    pub(crate) fn description(&self, mid: &str) -> RTCTrackDescription {
        let (ssrc, rtx_ssrc) = self.ssrcs.unzip();
        let rtx = self.rtx.zip(rtx_ssrc.flatten());
        RTCTrackDescription {
            kind: self.kind,
            ssrc: ssrc.map(|ssrc| ssrc.to_string()).unwrap_or_default(),
            msid: Vec::new(),
            codecs: vec![self.codec.clone()],
            media_attributes: Vec::new(),
            rtp_ext_headers: BTreeMap::from([(MID.to_owned(), mid.to_owned())]),
            rtx: rtx.map(|(payload_id, ssrc)| RTCRtxDescription {
                ssrc: ssrc.to_string(),
                payload_ids: BTreeMap::from([(self.codec.payload_id, payload_id)]),
            }),
            rtcp_feedback: Some(self.feedback.clone()),
            rtp_ext_header_ids: Some(self.extensions.clone()),
            dtls: None,
        }
    }
}

/// What can be published: packets go on as they came, so more than can be packetized.
pub(crate) fn capabilities() -> RTCCapabilities {
    let mut all = ortc_core::get_rtc_capabilities();
    // Their numbers stand for nothing: those of the offer are used.
    for (payload_id, name) in [(45, "VP9"), (46, "AV1"), (47, "H265")] {
        let codec = RTCCodec::new(payload_id, name);
        all.video_codecs.push(codec.with_clock_rate(90_000));
    }
    all
}

/// How well a codec of a player fits what the publisher sends: the same parameters, the same
/// profile, or at least the same codec.
pub(crate) fn fitness(source: &RTCCodec, theirs: &RTCCodec) -> Option<usize> {
    let profile = |codec: &RTCCodec| {
        let level = codec.param("profile-level-id")?;
        // profile_idc and constraints (RFC 6184 §8.1); the level may differ.
        Some(level.get(..4)?.to_ascii_lowercase())
    };
    match source.is_same_codec(theirs) {
        true if source.params == theirs.params => Some(0),
        true if profile(source) == profile(theirs) => Some(1),
        true => Some(2),
        false => None,
    }
}

impl Refusal {
    fn malformed(text: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    fn unacceptable(text: String) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, text)
    }
}
