//! What browsers really send: the packets of fourteen recorded calls, decrypted.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed expectation is the report"
)]

use std::collections::BTreeSet;

use ortc_rtp::wire::rtcp::{
    Bye, Compound, ExtendedReport, Nack, Packet, Pli, ReceiverReport, Sdes, SenderReport, Text,
    TransportFeedback,
};
use ortc_rtp::wire::{ExtensionElements, RtpPacket};

const RTCP: &str = include_str!("data/rtcp.txt");
const RTP: &str = include_str!("data/rtp.txt");

#[test]
fn every_recorded_rtcp_packet_decodes_and_encodes_to_its_own_octets() {
    let mut kinds = BTreeSet::new();
    let mut datagrams = 0;
    for datagram in datagrams_of(RTCP) {
        let compound = Compound::parse(&datagram).unwrap();
        let mut again = Vec::new();
        for packet in compound.packets() {
            kinds.insert(kind(&packet));
            packet.encode(&mut again);
        }
        assert_eq!(again, datagram);
        datagrams += 1;
    }
    assert_eq!(datagrams, 2_130);
    let expected = [
        "200", "201", "202", "203", "205/1", "205/15", "206/1", "207",
    ];
    assert!(kinds.into_iter().eq(expected));
}

/// The builders are not the views: what was read is written anew, field by field.
#[test]
fn every_recorded_rtcp_packet_can_be_built_from_its_fields() {
    for datagram in datagrams_of(RTCP) {
        for packet in Compound::parse(&datagram).unwrap().packets() {
            let mut original = Vec::new();
            packet.encode(&mut original);
            assert_eq!(rebuilt(&packet), without_padding(original));
        }
    }
}

#[test]
fn a_compound_begins_with_a_report_unless_its_size_is_reduced() {
    let (reduced, full): (Vec<_>, Vec<_>) = datagrams_of(RTCP)
        .partition(|datagram| Compound::parse(datagram).unwrap().is_reduced_size());
    assert_eq!((reduced.len(), full.len()), (1_672, 458));
    assert!(full.iter().all(|datagram| matches!(datagram[1], 200 | 201)));
}

#[test]
fn recorded_rtp_headers_encode_to_their_own_octets() {
    let mut with_elements = 0;
    let mut padding_only = 0;
    for datagram in datagrams_of(RTP) {
        let packet = RtpPacket::parse(&datagram).unwrap();
        padding_only += usize::from(packet.padding_len() > 0 && packet.payload().is_empty());

        let mut elements = ExtensionElements::new();
        for (id, data) in packet.extensions() {
            elements.push(id, data).unwrap();
        }
        with_elements += usize::from(!elements.is_empty());

        let csrcs: Vec<u32> = packet.csrcs().collect();
        let mut again = Vec::new();
        packet.header().encode_with(&mut again, &csrcs, &elements);
        let mut header = datagram[..packet.header_len()].to_vec();
        header[0] &= !0x20; // padding is the payload's affair
        assert_eq!(again, header);
        let whole = packet.header_len() + packet.payload().len() + packet.padding_len();
        assert_eq!(whole, datagram.len());
    }
    assert!(with_elements >= 30, "{with_elements}");
    assert!(padding_only >= 2, "{padding_only}");
}

fn datagrams_of(file: &str) -> impl Iterator<Item = Vec<u8>> {
    file.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| hex::decode(line.split(' ').nth(2).unwrap()).unwrap())
}

fn kind(packet: &Packet<'_>) -> &'static str {
    match packet {
        Packet::SenderReport(_) => "200",
        Packet::ReceiverReport(_) => "201",
        Packet::SourceDescription(_) => "202",
        Packet::Goodbye(_) => "203",
        Packet::Application(_) => "204",
        Packet::Nack(_) => "205/1",
        Packet::TransportFeedback(_) => "205/15",
        Packet::PictureLoss(_) => "206/1",
        Packet::FullIntraRequest(_) => "206/4",
        Packet::ApplicationLayer(_) => "206/15",
        Packet::OtherFeedback(_) => "205/206",
        Packet::ExtendedReport(_) => "207",
        Packet::Unknown(_) => "unknown",
    }
}

fn rebuilt(packet: &Packet<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match packet {
        Packet::SenderReport(view) => SenderReport {
            ssrc: view.ssrc(),
            info: view.info(),
            blocks: &view.blocks().collect::<Vec<_>>(),
        }
        .encode(&mut out),
        Packet::ReceiverReport(view) => ReceiverReport {
            ssrc: view.ssrc(),
            blocks: &view.blocks().collect::<Vec<_>>(),
        }
        .encode(&mut out),
        Packet::SourceDescription(view) => {
            let chunks: Vec<_> = view.chunks().collect();
            assert_eq!(chunks.len(), 1);
            let cname = core::str::from_utf8(chunks[0].cname().unwrap()).unwrap();
            Sdes {
                ssrc: chunks[0].ssrc(),
                cname: Text::new(cname).unwrap(),
            }
            .encode(&mut out);
        }
        Packet::Goodbye(view) => Bye {
            ssrcs: &view.ssrcs().collect::<Vec<_>>(),
            reason: None,
        }
        .encode(&mut out),
        Packet::Nack(view) => Nack {
            sender_ssrc: view.sender_ssrc(),
            media_ssrc: view.media_ssrc(),
            lost: &view.lost().collect::<Vec<_>>(),
        }
        .encode(&mut out),
        Packet::TransportFeedback(view) => {
            // Chunks can be chosen in several ways: compare what they mean.
            let statuses: Vec<_> = view.statuses().collect();
            let deltas: Vec<_> = statuses.iter().map(|(_, delta)| *delta).collect();
            let mut own = Vec::new();
            TransportFeedback {
                sender_ssrc: view.sender_ssrc(),
                media_ssrc: view.media_ssrc(),
                base_sequence: view.base_sequence(),
                reference_time: view.reference_time(),
                feedback_count: view.feedback_count(),
                deltas: &deltas,
            }
            .encode(&mut own);
            let Some(Packet::TransportFeedback(again)) =
                Compound::parse(&own).unwrap().packets().next()
            else {
                panic!("not what was built");
            };
            assert!(again.statuses().eq(statuses));
            assert_eq!(again.reference_time(), view.reference_time());
            packet.encode(&mut out);
            assert!(own.len() <= out.len(), "no longer than a browser's");
            out = without_padding(out);
        }
        Packet::PictureLoss(view) => Pli {
            sender_ssrc: view.sender_ssrc(),
            media_ssrc: view.media_ssrc(),
        }
        .encode(&mut out),
        Packet::ExtendedReport(view) => {
            let ssrc = view.ssrc();
            let times: Vec<_> = view
                .blocks()
                .filter_map(|block| block.receiver_reference_time())
                .collect();
            let dlrr: Vec<_> = view.blocks().flat_map(|block| block.dlrr()).collect();
            ExtendedReport {
                ssrc,
                receiver_reference_time: times.first().copied(),
                dlrr: &dlrr,
            }
            .encode(&mut out);
        }
        Packet::Application(_)
        | Packet::FullIntraRequest(_)
        | Packet::ApplicationLayer(_)
        | Packet::OtherFeedback(_)
        | Packet::Unknown(_) => panic!("not in the recordings: {packet:?}"),
    }
    out
}

/// Padding filled to the word is written as padding by some and as null octets by others.
fn without_padding(mut packet: Vec<u8>) -> Vec<u8> {
    if packet[0] & 0x20 != 0 {
        packet[0] &= !0x20;
        *packet.last_mut().unwrap() = 0;
    }
    packet
}
