//! What a page is told once a second about its call, as this side sees it.

use std::collections::BTreeMap;
use std::time::Instant;

use ortc_core::{Profile, RTCConnection};
use serde_json::{Value, json};

/// The counters of a second ago, to make rates of.
#[derive(Default)]
pub(crate) struct Figures {
    last: Option<Instant>,
    octets: BTreeMap<u32, u64>,
}

impl Figures {
    pub(crate) fn of(&mut self, connection: &RTCConnection, now: Instant) -> Value {
        let stats = connection.stats(now);
        let seconds = self.last.map_or(1.0, |last| {
            now.duration_since(last).as_secs_f64().max(0.001)
        });
        self.last = Some(now);
        let mut rate = |ssrc: u32, octets: u64| {
            let before = self.octets.insert(ssrc, octets).unwrap_or(octets);
            let bits = u32::try_from(octets.saturating_sub(before) * 8).unwrap_or(u32::MAX);
            f64::from(bits) / 1_000.0 / seconds
        };
        let rtt = |rtt: Option<core::time::Duration>| rtt.map(|rtt| rtt.as_secs_f64() * 1_000.0);
        let pair = stats.ice.pairs.iter().find(|pair| pair.active);
        let sending: Vec<_> = stats
            .sending
            .iter()
            .map(|track| {
                json!({
                    "ssrc": track.ssrc.to_string(),
                    "codec": track.codec.name,
                    "kbps": rate(track.ssrc, track.stream.octets),
                    "packets": track.stream.packets,
                    "repeated": track.stream.retransmitted
                        + track.rtx.map_or(0, |rtx| rtx.packets),
                    "rtx": track.rtx.map_or(0, |rtx| rtx.packets),
                    "lost": track.stream.remote_lost,
                    "rtt": rtt(track.stream.rtt),
                })
            })
            .collect();
        let receiving: Vec<_> = stats
            .receiving
            .iter()
            .map(|track| {
                json!({
                    "ssrc": track.ssrc.to_string(),
                    "codec": track.codec.as_ref().map(|codec| codec.name.as_str()),
                    "kbps": rate(track.ssrc, track.stream.octets),
                    "packets": track.stream.packets,
                    "frames": track.frames,
                    "lost": track.stream.lost,
                    "repaired": track.recovered.max(track.repaired),
                    "nacks": track.nacks,
                    "byRtx": track.repaired,
                    "jitter": track.stream.jitter.as_secs_f64() * 1_000.0,
                })
            })
            .collect();
        json!({
            "ice": format!("{:?}", stats.ice_role).to_lowercase(),
            "rtt": rtt(pair.and_then(|pair| pair.rtt)),
            "dtls": stats.dtls.as_ref().map(|dtls| json!({
                "version": dtls.version.map(|version| version.to_string()),
                "group": dtls.group.map(|group| group.to_string()),
                "cipher": dtls.cipher_suite.map(|suite| suite.to_string()),
                "role": format!("{:?}", dtls.role).to_lowercase(),
            })),
            "srtp": stats.srtp_profile.map(Profile::name),
            "dropped": stats.drops.iter()
                .map(|(reason, count)| (reason.to_string(), count))
                .collect::<BTreeMap<_, _>>(),
            "sending": sending,
            "receiving": receiving,
        })
    }
}
