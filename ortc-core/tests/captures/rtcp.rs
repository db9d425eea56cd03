//! RTCP of browsers (RFC 3550, 4585, 3611, and transport-wide feedback).

use core::fmt::Write as _;
use std::collections::{BTreeMap, BTreeSet};

use ortc_rtp::wire::rtcp::{
    Bye, Compound, Dlrr, ExtendedReport, Nack, Packet, Pli, ReceiverReport, ReportBlock, Sdes,
    SenderReport, Text, TransportFeedback,
};

use crate::recording::{Kind, calls};

/// Type of a packet, with the format of feedback, as the recordings write it.
fn label(packet: &Packet<'_>) -> String {
    let mut wire = Vec::new();
    packet.encode(&mut wire);
    let (format, packet_type) = (wire[0] & 0x1F, wire[1]);
    match packet_type {
        205 | 206 => format!("{packet_type}/{format}"),
        _ => packet_type.to_string(),
    }
}

#[test]
fn every_packet_is_decoded_as_what_it_is() {
    let mut seen = BTreeSet::new();
    for call in calls() {
        let mut counted: BTreeMap<String, usize> = BTreeMap::new();
        for opened in call
            .opened()
            .iter()
            .filter(|opened| opened.kind == Kind::Rtcp)
        {
            let compound = Compound::parse(&opened.packet).unwrap();
            let mut name = String::from(opened.from.letter());
            for (index, packet) in compound.packets().enumerate() {
                assert!(!matches!(
                    packet,
                    Packet::Unknown(_) | Packet::OtherFeedback(_)
                ));
                let label = label(&packet);
                let separator = if index == 0 { ' ' } else { '+' };
                write!(name, "{separator}{label}").unwrap();
                seen.insert(label);
            }
            *counted.entry(name).or_default() += 1;
        }
        assert_eq!(counted, call.facts.rtcp, "{}", call.name);
    }
    let expected = [
        "200", "201", "202", "203", "205/1", "205/15", "206/1", "207",
    ];
    assert_eq!(seen, expected.map(str::to_owned).into());
}

#[test]
fn every_packet_is_encoded_to_the_octets_that_came() {
    for call in calls() {
        for opened in call
            .opened()
            .iter()
            .filter(|opened| opened.kind == Kind::Rtcp)
        {
            let compound = Compound::parse(&opened.packet).unwrap();
            let (mut views, mut whole) = (Vec::new(), Vec::new());
            compound
                .packets()
                .for_each(|packet| packet.encode(&mut views));
            compound.encode(&mut whole);
            assert_eq!(views, opened.packet, "{}", call.name);
            assert_eq!(whole, opened.packet, "{}", call.name);
        }
    }
}

/// Written anew from the values alone, as a sender would. Transport-wide feedback may choose its
/// chunks as it likes: it is compared by what it says.
#[test]
fn the_values_of_a_packet_make_the_same_packet_again() {
    let mut same_chunks = [0, 0];
    for call in calls() {
        for opened in call
            .opened()
            .iter()
            .filter(|opened| opened.kind == Kind::Rtcp)
        {
            for packet in Compound::parse(&opened.packet).unwrap().packets() {
                let (mut wire, mut written) = (Vec::new(), Vec::new());
                packet.encode(&mut wire);
                write(&packet, &mut written);
                if let Packet::TransportFeedback(view) = packet {
                    same_chunks[usize::from(wire == written)] += 1;
                    let again = Compound::parse(&written).unwrap();
                    let Some(Packet::TransportFeedback(again)) = again.packets().next() else {
                        panic!("{again:?}");
                    };
                    assert!(again.statuses().eq(view.statuses()));
                    assert_eq!(again.status_count(), view.status_count());
                    assert_eq!(again.reference_time(), view.reference_time());
                    assert_eq!(again.feedback_count(), view.feedback_count());
                } else {
                    assert_eq!(wire, written, "{}: {packet:?}", call.name);
                }
            }
        }
    }
    assert!(same_chunks[1] > 0, "{same_chunks:?}");
}

fn write(packet: &Packet<'_>, out: &mut Vec<u8>) {
    match packet {
        Packet::SenderReport(view) => {
            assert!(view.extension().is_empty());
            let blocks: Vec<ReportBlock> = view.blocks().collect();
            let (ssrc, info) = (view.ssrc(), view.info());
            SenderReport {
                ssrc,
                info,
                blocks: &blocks,
            }
            .encode(out);
        }
        Packet::ReceiverReport(view) => {
            assert!(view.extension().is_empty());
            let blocks: Vec<ReportBlock> = view.blocks().collect();
            let ssrc = view.ssrc();
            ReceiverReport {
                ssrc,
                blocks: &blocks,
            }
            .encode(out);
        }
        Packet::SourceDescription(view) => {
            let chunks: Vec<_> = view.chunks().collect();
            let [chunk] = chunks[..] else {
                panic!("{} chunks", chunks.len());
            };
            assert_eq!(chunk.items().count(), 1);
            let cname = core::str::from_utf8(chunk.cname().unwrap()).unwrap();
            let (ssrc, cname) = (chunk.ssrc(), Text::new(cname).unwrap());
            Sdes { ssrc, cname }.encode(out);
        }
        Packet::Goodbye(view) => {
            let ssrcs: Vec<u32> = view.ssrcs().collect();
            let reason = view
                .reason()
                .map(|text| core::str::from_utf8(text).unwrap());
            Bye {
                ssrcs: &ssrcs,
                reason: reason.map(|text| Text::new(text).unwrap()),
            }
            .encode(out);
        }
        Packet::Nack(view) => {
            let lost: Vec<u16> = view.lost().collect();
            Nack {
                sender_ssrc: view.sender_ssrc(),
                media_ssrc: view.media_ssrc(),
                lost: &lost,
            }
            .encode(out);
        }
        Packet::TransportFeedback(view) => {
            let deltas: Vec<Option<i16>> = view.statuses().map(|(_, delta)| delta).collect();
            TransportFeedback {
                sender_ssrc: view.sender_ssrc(),
                media_ssrc: view.media_ssrc(),
                base_sequence: view.base_sequence(),
                reference_time: view.reference_time(),
                feedback_count: view.feedback_count(),
                deltas: &deltas,
            }
            .encode(out);
        }
        Packet::PictureLoss(view) => Pli {
            sender_ssrc: view.sender_ssrc(),
            media_ssrc: view.media_ssrc(),
        }
        .encode(out),
        Packet::ExtendedReport(view) => {
            let reference = view
                .blocks()
                .find_map(|block| block.receiver_reference_time());
            let dlrr: Vec<Dlrr> = view.blocks().flat_map(|block| block.dlrr()).collect();
            ExtendedReport {
                ssrc: view.ssrc(),
                receiver_reference_time: reference,
                dlrr: &dlrr,
            }
            .encode(out);
        }
        Packet::Application(_)
        | Packet::FullIntraRequest(_)
        | Packet::ApplicationLayer(_)
        | Packet::OtherFeedback(_)
        | Packet::Unknown(_) => panic!("not in the recordings: {packet:?}"),
    }
}
