//! Properties of RTCP datagrams.
#![expect(
    clippy::missing_panics_doc,
    reason = "a property panics when it does not hold"
)]

use ortc_rtp::wire::rtcp::{
    Bye, Compound, Fir, Nack, Packet, Pli, ReceiverReport, SenderReport, TransportFeedback, packets,
};

/// Parsing ends, its packets cover the datagram and encode to it, and what the builders write from
/// the fields of a packet has the same fields again.
pub fn compound(data: &[u8]) {
    let mut again = Vec::new();
    let mut failed = false;
    for packet in packets(data) {
        match packet {
            Ok(packet) => {
                let start = again.len();
                packet.encode(&mut again);
                assert!(again.len() > start);
                if !failed {
                    assert!(data.starts_with(&again));
                }
                rebuild(&packet);
            }
            Err(_) => failed = true,
        }
    }
    assert!(again.len() <= data.len());
    match Compound::parse(data) {
        Ok(compound) => {
            assert!(!failed);
            assert_eq!(again, data);
            assert_eq!(compound.packets().count(), packets(data).count());
        }
        Err(_) => assert!(failed || data.is_empty()),
    }
}

fn rebuild(packet: &Packet<'_>) {
    let mut out = Vec::new();
    match packet {
        Packet::SenderReport(view) => {
            let blocks: Vec<_> = view.blocks().collect();
            let (ssrc, info) = (view.ssrc(), view.info());
            SenderReport {
                ssrc,
                info,
                blocks: &blocks,
            }
            .encode(&mut out);
            let Packet::SenderReport(again) = only(&out) else {
                panic!("another type");
            };
            assert_eq!((again.ssrc(), again.info()), (ssrc, info));
            assert!(again.blocks().eq(blocks));
        }
        Packet::ReceiverReport(view) => {
            let blocks: Vec<_> = view.blocks().collect();
            ReceiverReport {
                ssrc: view.ssrc(),
                blocks: &blocks,
            }
            .encode(&mut out);
            let Packet::ReceiverReport(again) = only(&out) else {
                panic!("another type");
            };
            assert_eq!(again.ssrc(), view.ssrc());
            assert!(again.blocks().eq(blocks));
        }
        Packet::SourceDescription(view) => {
            for chunk in view.chunks() {
                let items: usize = chunk.items().map(|(_, text)| 2 + text.len()).sum();
                assert!(items < view_len(packet));
                assert!(chunk.items().all(|(item, _)| item.0 != 0));
            }
            assert!(view.chunks().count() <= 31);
        }
        Packet::Goodbye(view) => {
            let ssrcs: Vec<_> = view.ssrcs().collect();
            if ssrcs.is_empty() {
                return;
            }
            Bye {
                ssrcs: &ssrcs,
                reason: None,
            }
            .encode(&mut out);
            let Packet::Goodbye(again) = only(&out) else {
                panic!("another type");
            };
            assert!(again.ssrcs().eq(ssrcs));
        }
        Packet::Nack(view) => {
            let mut lost: Vec<_> = view.lost().collect();
            assert!(lost.len() * 4 <= view_len(packet) * 17);
            let (sender_ssrc, media_ssrc) = (view.sender_ssrc(), view.media_ssrc());
            Nack {
                sender_ssrc,
                media_ssrc,
                lost: &lost,
            }
            .encode(&mut out);
            let mut read = Vec::new();
            for again in packets(&out) {
                let Ok(Packet::Nack(again)) = again else {
                    panic!("another type");
                };
                assert_eq!(
                    (again.sender_ssrc(), again.media_ssrc()),
                    (sender_ssrc, media_ssrc)
                );
                read.extend(again.lost());
            }
            // A number that was named twice is named once.
            for numbers in [&mut lost, &mut read] {
                numbers.sort_unstable();
                numbers.dedup();
            }
            assert_eq!(read, lost);
        }
        Packet::TransportFeedback(view) => {
            let statuses: Vec<_> = view.statuses().collect();
            assert_eq!(statuses.len(), usize::from(view.status_count()));
            let deltas: Vec<_> = statuses.iter().map(|(_, delta)| *delta).collect();
            TransportFeedback {
                sender_ssrc: view.sender_ssrc(),
                media_ssrc: view.media_ssrc(),
                base_sequence: view.base_sequence(),
                reference_time: view.reference_time(),
                feedback_count: view.feedback_count(),
                deltas: &deltas,
            }
            .encode(&mut out);
            let Packet::TransportFeedback(again) = only(&out) else {
                panic!("another type");
            };
            assert!(again.statuses().eq(statuses));
            assert_eq!(again.reference_time(), view.reference_time());
            assert_eq!(again.feedback_count(), view.feedback_count());
        }
        Packet::PictureLoss(view) => {
            let (sender_ssrc, media_ssrc) = (view.sender_ssrc(), view.media_ssrc());
            Pli {
                sender_ssrc,
                media_ssrc,
            }
            .encode(&mut out);
            let Packet::PictureLoss(again) = only(&out) else {
                panic!("another type");
            };
            assert_eq!(
                (again.sender_ssrc(), again.media_ssrc()),
                (sender_ssrc, media_ssrc)
            );
        }
        Packet::FullIntraRequest(view) => {
            let entries: Vec<_> = view.entries().collect();
            let sender_ssrc = view.sender_ssrc();
            Fir {
                sender_ssrc,
                entries: &entries,
            }
            .encode(&mut out);
            let mut read = Vec::new();
            for again in packets(&out) {
                let Ok(Packet::FullIntraRequest(again)) = again else {
                    panic!("another type");
                };
                read.extend(again.entries());
            }
            assert_eq!(read, entries);
        }
        Packet::ExtendedReport(view) => {
            let blocks: usize = view.blocks().map(|block| 4 + block.content.len()).sum();
            assert!(blocks + 8 <= view_len(packet));
        }
        Packet::Application(view) => assert!(view.data().len() + 12 <= view_len(packet)),
        Packet::ApplicationLayer(view) | Packet::OtherFeedback(view) => {
            assert!(view.fci().len() + 12 <= view_len(packet));
        }
        Packet::Unknown(view) => assert_eq!(view.as_bytes().len(), view_len(packet)),
    }
}

fn view_len(packet: &Packet<'_>) -> usize {
    let mut out = Vec::new();
    packet.encode(&mut out);
    out.len()
}

fn only(bytes: &[u8]) -> Packet<'_> {
    let mut packets = Compound::parse(bytes).unwrap().packets();
    let first = packets.next().unwrap();
    assert_eq!(packets.next(), None);
    first
}
