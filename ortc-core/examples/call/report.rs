//! What each side of a call has to report, and how it is printed.

use core::fmt::Write;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::lossy::Lost;

/// One side of one call.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) who: String,
    /// Which answer, when several connections share a port.
    pub(crate) answer: Option<usize>,
    pub(crate) port: u16,
    /// From `connect` to connected.
    pub(crate) connected_after_ms: Option<f64>,
    pub(crate) local_candidates: Vec<String>,
    pub(crate) remote_candidates: Vec<String>,
    pub(crate) active_pair: Option<String>,
    pub(crate) dtls: Option<Dtls>,
    /// The fingerprint that the peer was held to.
    pub(crate) verified: Option<String>,
    pub(crate) sent: Vec<SentTrack>,
    pub(crate) received: Vec<ReceivedTrack>,
    pub(crate) tones_sent: String,
    pub(crate) tones_received: String,
    /// Datagrams that the example lost on purpose.
    pub(crate) lost_on_purpose: Lost,
    /// Datagrams that the stack dropped, with the reason.
    pub(crate) dropped: Vec<(String, u64)>,
    pub(crate) ended: String,
}

/// What was negotiated.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dtls {
    pub(crate) version: String,
    pub(crate) cipher_suite: String,
    pub(crate) role: String,
    pub(crate) srtp_profile: String,
}

/// A track that this side sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SentTrack {
    pub(crate) codec: String,
    pub(crate) ssrc: u32,
    pub(crate) frames: u64,
    pub(crate) packets: u64,
    pub(crate) octets: u64,
    pub(crate) retransmitted: u64,
    pub(crate) seconds: f64,
    pub(crate) rtt_ms: Option<f64>,
    pub(crate) key_frame_requests: u64,
}

/// A track that this side received.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReceivedTrack {
    pub(crate) codec: String,
    pub(crate) ssrc: u32,
    pub(crate) file: String,
    pub(crate) frames: u64,
    pub(crate) packets: u64,
    pub(crate) octets: u64,
    pub(crate) lost: i64,
    pub(crate) recovered: u64,
    pub(crate) jitter_ms: f64,
    pub(crate) seconds: f64,
    pub(crate) gaps: u64,
    pub(crate) gap_packets: u64,
    pub(crate) after_gap: Vec<u64>,
    pub(crate) fillers: Vec<u64>,
    pub(crate) longest_pause_ms: f64,
    pub(crate) key_frame_requests: u64,
}

impl Report {
    /// The report as text.
    pub(crate) fn print(&self) -> String {
        let mut text = format!("{}\n", self.who);
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<18}{value}");
        };
        line("own candidates", &self.local_candidates.join(", "));
        line("peer's candidates", &self.remote_candidates.join(", "));
        line("active pair", self.active_pair.as_deref().unwrap_or("none"));
        match self.connected_after_ms {
            Some(time) => line("connected after", &format!("{time:.1} ms")),
            None => line("connected after", "never"),
        }
        if let Some(dtls) = &self.dtls {
            line(
                "DTLS",
                &format!("{} as {}, {}", dtls.version, dtls.role, dtls.cipher_suite),
            );
            line("SRTP", &dtls.srtp_profile);
        }
        match &self.verified {
            Some(fingerprint) => line("peer verified by", fingerprint),
            None => line("peer verified by", "nothing"),
        }
        if !self.tones_sent.is_empty() {
            line("tones sent", &self.tones_sent);
        }
        if !self.tones_received.is_empty() {
            line("tones received", &self.tones_received);
        }
        let lost = &self.lost_on_purpose;
        if *lost != Lost::default() {
            let rtp: u64 = lost.rtp.values().sum();
            let (stun, dtls, rtcp) = (lost.stun, lost.dtls, lost.rtcp);
            line(
                "lost on purpose",
                &format!("{stun} STUN, {dtls} DTLS, {rtp} RTP, {rtcp} RTCP"),
            );
        }
        for (reason, count) in &self.dropped {
            line("dropped", &format!("{count}: {reason}"));
        }
        line("ended", &self.ended);
        self.print_sent(&mut text);
        self.print_received(&mut text);
        text
    }

    fn print_sent(&self, text: &mut String) {
        if self.sent.is_empty() {
            return;
        }
        let _ = writeln!(
            text,
            "  {:<10}{:>8}{:>9}{:>11}{:>9}{:>8}{:>9}{:>12}",
            "sent", "frames", "packets", "octets", "kbit/s", "resent", "rtt ms", "key frames"
        );
        for track in &self.sent {
            let rtt = track
                .rtt_ms
                .map_or("-".to_owned(), |rtt| format!("{rtt:.1}"));
            let _ = writeln!(
                text,
                "  {:<10}{:>8}{:>9}{:>11}{:>9.1}{:>8}{:>9}{:>12}",
                track.codec,
                track.frames,
                track.packets,
                track.octets,
                kilobits(track.octets, track.seconds),
                track.retransmitted,
                rtt,
                match track.key_frame_requests {
                    0 => "-".to_owned(),
                    asked => format!("{asked} asked"),
                },
            );
        }
    }

    fn print_received(&self, text: &mut String) {
        if self.received.is_empty() {
            return;
        }
        let _ = writeln!(
            text,
            "  {:<10}{:>8}{:>9}{:>11}{:>9}{:>8}{:>9}{:>10}{:>6}{:>10}",
            "received",
            "frames",
            "packets",
            "octets",
            "kbit/s",
            "lost",
            "by NACK",
            "jitter ms",
            "gaps",
            "pause ms"
        );
        for track in &self.received {
            let _ = writeln!(
                text,
                "  {:<10}{:>8}{:>9}{:>11}{:>9.1}{:>8}{:>9}{:>10.2}{:>6}{:>10.0}",
                track.codec,
                track.frames,
                track.packets,
                track.octets,
                kilobits(track.octets, track.seconds),
                track.lost,
                track.recovered,
                track.jitter_ms,
                track.gaps,
                track.longest_pause_ms,
            );
        }
    }
}

/// A span in the unit of the report.
pub(crate) fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

fn kilobits(octets: u64, seconds: f64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a call has less than 2^53 octets"
    )]
    let bits = (octets * 8) as f64;
    if seconds > 0.0 {
        bits / seconds / 1_000.0
    } else {
        0.0
    }
}
