//! The answer to an offer: the bridge to SDP, the other way.

use ortc_core::dtls::Fingerprint;
use ortc_core::{
    DtlsRole, RTCCodec, RTCIceCandidateDescription, RTCIceConnectionInfo, RTCTrackDescription,
};

use crate::offer::{Agreed, Section};
use crate::sdp::{self, Lines};

/// What this side says of itself.
pub(crate) struct Local<'a> {
    /// Names the session in the origin line.
    pub(crate) number: u64,
    pub(crate) ice: &'a RTCIceConnectionInfo,
    pub(crate) lite: bool,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) dtls: DtlsRole,
    pub(crate) candidates: &'a [RTCIceCandidateDescription],
}

/// Writes the answer; `sent` has what this side sends in a section, if it does.
pub(crate) fn answer<'a>(
    local: &Local<'_>,
    sections: &[Section],
    sent: impl Fn(&Agreed) -> Option<&'a RTCTrackDescription>,
) -> String {
    let mut lines = Lines::default();
    lines.line("v=0");
    lines.line(format_args!("o=- {} 1 IN IP4 127.0.0.1", local.number));
    lines.line("s=-");
    lines.line("t=0 0");
    let agreed = sections.iter().filter(|section| section.agreed.is_some());
    let mids: Vec<_> = agreed.map(|section| section.mid.as_str()).collect();
    lines.attribute("group", format_args!("BUNDLE {}", mids.join(" ")));
    if local.lite {
        lines.flag("ice-lite");
    }
    lines.attribute("ice-options", "trickle");
    lines.attribute("msid-semantic", " WMS *");
    for section in sections {
        match &section.agreed {
            Some(agreed) => carried(&mut lines, local, section, agreed, sent(agreed)),
            None => refused(&mut lines, section),
        }
    }
    lines.into_text()
}

fn refused(lines: &mut Lines, section: &Section) {
    let formats = section.formats.join(" ");
    let Section { kind, protocol, .. } = section;
    lines.line(format_args!("m={kind} 0 {protocol} {formats}"));
    lines.line("c=IN IP4 0.0.0.0");
    lines.attribute("mid", &section.mid);
    lines.flag("inactive");
}

fn carried(
    lines: &mut Lines,
    local: &Local<'_>,
    section: &Section,
    agreed: &Agreed,
    sent: Option<&RTCTrackDescription>,
) {
    let codec = &agreed.codec;
    let Section { kind, protocol, .. } = section;
    let rtx = agreed.rtx.map(|rtx| format!(" {rtx}")).unwrap_or_default();
    lines.line(format_args!(
        "m={kind} 9 {protocol} {}{rtx}",
        codec.payload_id
    ));
    lines.line("c=IN IP4 0.0.0.0");
    lines.attribute("mid", &section.mid);
    transport(lines, local);
    lines.flag("rtcp-mux");
    lines.flag("rtcp-rsize");
    for (uri, id) in &agreed.extensions {
        lines.attribute("extmap", format_args!("{id} {uri}"));
    }
    format(lines, codec);
    for feedback in &agreed.feedback {
        lines.attribute("rtcp-fb", format_args!("{} {feedback}", codec.payload_id));
    }
    if let Some(rtx) = agreed.rtx {
        let rate = codec.effective_clock_rate().unwrap_or(90_000);
        lines.attribute("rtpmap", format_args!("{rtx} rtx/{rate}"));
        lines.attribute("fmtp", format_args!("{rtx} apt={}", codec.payload_id));
    }
    match sent {
        None => lines.flag("recvonly"),
        Some(track) => {
            lines.flag("sendonly");
            let stream = track.msid.first().map_or("-", String::as_str);
            let msid = format!("{stream} {stream}-{kind}");
            lines.attribute("msid", &msid);
            // The first SSRC named is that of the media, for those who do not read the group.
            let rtx = track.rtx.as_ref().map(|rtx| rtx.ssrc.as_str());
            if let Some(rtx) = rtx {
                lines.attribute("ssrc-group", format_args!("FID {} {rtx}", track.ssrc));
            }
            for ssrc in [Some(track.ssrc.as_str()), rtx].into_iter().flatten() {
                lines.attribute("ssrc", format_args!("{ssrc} msid:{msid}"));
            }
        }
    }
}

fn transport(lines: &mut Lines, local: &Local<'_>) {
    credentials(lines, local.ice);
    let print = local.fingerprint;
    lines.attribute("fingerprint", format_args!("{} {print}", print.algorithm()));
    lines.attribute(
        "setup",
        match local.dtls {
            DtlsRole::Client => "active",
            DtlsRole::Server | DtlsRole::Auto => "passive",
        },
    );
    candidates(lines, local.candidates);
}

fn credentials(lines: &mut Lines, ice: &RTCIceConnectionInfo) {
    lines.attribute("ice-ufrag", &ice.username_frag);
    lines.attribute("ice-pwd", &ice.password);
}

fn candidates(lines: &mut Lines, candidates: &[RTCIceCandidateDescription]) {
    for candidate in candidates {
        lines.attribute("candidate", sdp::candidate(candidate));
    }
    lines.flag("end-of-candidates");
}

/// The fragment that answers a restart (RFC 9725 §4.3.2, RFC 8840 §9).
pub(crate) fn fragment(
    ice: &RTCIceConnectionInfo,
    lite: bool,
    known: &[RTCIceCandidateDescription],
) -> String {
    let mut lines = Lines::default();
    if lite {
        lines.flag("ice-lite");
    }
    credentials(&mut lines, ice);
    candidates(&mut lines, known);
    lines.into_text()
}

fn format(lines: &mut Lines, codec: &RTCCodec) {
    let id = codec.payload_id;
    let rate = codec.effective_clock_rate().unwrap_or(90_000);
    let channels = codec.num_channels.filter(|channels| *channels > 1);
    let channels = channels
        .map(|count| format!("/{count}"))
        .unwrap_or_default();
    lines.attribute(
        "rtpmap",
        format_args!("{id} {}/{rate}{channels}", codec.name),
    );
    if codec.params.is_empty() {
        return;
    }
    let params = codec.params.iter().map(|param| match &param.value {
        Some(value) => format!("{}={value}", param.name),
        None => param.name.clone(),
    });
    let params: Vec<_> = params.collect();
    lines.attribute("fmtp", format_args!("{id} {}", params.join(";")));
}
