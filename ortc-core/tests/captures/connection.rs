//! Recorded media through a whole connection: ICE, DTLS, SRTP, reorder buffers, tones, reports.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use ortc_core::{DropReason, Event};
use ortc_rtp::wire::RtpPacket;
use ortc_rtp::wire::rtcp::{Compound, Packet};

use crate::far_end::Session;
use crate::frames::{Whole, tracks};
use crate::recording::{Call, End, Kind, calls};

#[test]
fn a_connection_hears_what_the_browsers_sent() {
    for call in calls() {
        hears(call, End::Browser);
    }
}

#[test]
fn a_connection_hears_what_came_back_and_asks_for_what_did_not() {
    for call in calls() {
        hears(call, End::Peer);
    }
}

fn hears(call: &Call, from: End) {
    let name = format!("{} {from:?}", call.name);
    let mut session = Session::new(call, from);
    for opened in call.opened().iter().filter(|opened| opened.from == from) {
        session.send(opened);
    }
    session.run_for(Duration::from_secs(2));
    let stats = session.connection.stats(session.now());
    let heard = Heard::of(&session.events);

    assert_eq!(heard.tones, call.facts.tones, "{name}");
    for track in tracks(call, from) {
        let frames = heard.frames.get(&track.ssrc).map(Vec::as_slice);
        assert!(frames == Some(&track.whole_frames()[..]), "{name}: frames");
        let lost = heard.lost.get(&track.ssrc).copied().unwrap_or_default();
        assert_eq!(lost, track.missing(), "{name}");
        // What was missing was asked for, before it was given up.
        let asked = requested(&session, track.ssrc);
        assert_eq!(!asked.is_empty(), lost > 0, "{name}: {asked:?}");
    }

    let described: BTreeSet<u32> = tracks(call, from).iter().map(|track| track.ssrc).collect();
    let sent = call.opened_of(from, Kind::Rtp);
    let sent = sent.map(|opened| RtpPacket::parse(&opened.packet).unwrap());
    let undescribed: BTreeSet<u32> = sent
        .filter(|packet| !described.contains(&packet.ssrc()))
        .map(|packet| packet.ssrc())
        .collect();
    assert_eq!(heard.unknown, undescribed, "{name}: retransmissions only");
    let gone: BTreeSet<String> = said_goodbye(call, from)
        .intersection(&described)
        .map(|ssrc| format!("remote-{ssrc}"))
        .collect();
    assert_eq!(heard.gone, gone, "{name}: BYE");
    assert_eq!(heard.connected, described.len(), "{name}");

    for (reason, count) in stats.drops.iter() {
        let allowed = reason == DropReason::UnknownTrackFull && !undescribed.is_empty();
        assert!(count == 0 || allowed, "{name}: {reason:?} {count}");
    }
    assert_eq!(
        stats.srtp_profile.map(|profile| profile.id()),
        Some(call.facts.profile)
    );
    for receiving in &stats.receiving {
        assert!(described.contains(&receiving.ssrc));
    }
}

/// What the events say.
#[derive(Default)]
struct Heard {
    tones: String,
    frames: BTreeMap<u32, Vec<Whole>>,
    lost: BTreeMap<u32, u64>,
    unknown: BTreeSet<u32>,
    connected: usize,
    gone: BTreeSet<String>,
}

impl Heard {
    fn of(events: &[Event]) -> Self {
        let mut heard = Self::default();
        for event in events {
            match event {
                Event::Dtmf { tone, .. } => heard.tones.push(*tone),
                Event::Frame(frame) => {
                    let frames = heard.frames.entry(frame.ssrc).or_default();
                    frames.push((frame.timestamp, frame.payload.clone()));
                }
                Event::Gap(gap) => *heard.lost.entry(gap.ssrc).or_default() += gap.packets,
                Event::UnknownTrack(track) => {
                    heard.unknown.insert(track.ssrc);
                }
                Event::TrackConnected(_) => heard.connected += 1,
                Event::TrackDisconnected(track) => {
                    heard.gone.insert(track.id().to_owned());
                }
                _ => {}
            }
        }
        heard
    }
}

/// The sequence numbers of a source that the connection asked for.
fn requested(session: &Session, ssrc: u32) -> BTreeSet<u16> {
    let mut asked = BTreeSet::new();
    for datagram in &session.feedback {
        for packet in Compound::parse(datagram).unwrap().packets() {
            if let Packet::Nack(nack) = packet
                && nack.media_ssrc() == ssrc
            {
                asked.extend(nack.lost());
            }
        }
    }
    asked
}

/// The sources whose BYE was recorded.
fn said_goodbye(call: &Call, from: End) -> BTreeSet<u32> {
    let mut ssrcs = BTreeSet::new();
    for opened in call.opened_of(from, Kind::Rtcp) {
        for packet in Compound::parse(&opened.packet).unwrap().packets() {
            if let Packet::Goodbye(bye) = packet {
                ssrcs.extend(bye.ssrcs());
            }
        }
    }
    ssrcs
}
