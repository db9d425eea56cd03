//! RFC 4585: generic NACK, picture loss indication and feedback that is kept.

use ortc_rtp::ParseError;
use ortc_rtp::wire::rtcp::{Compound, Nack, Packet, Pli, packets};

/// §6.2.1: PID and a bitmask whose bit i stands for PID + i + 1.
#[test]
fn seventeen_neighbours_share_one_entry() {
    let lost: Vec<u16> = (65_530..=65_535).chain(0..=10).collect();
    let mut out = Vec::new();
    Nack {
        sender_ssrc: 1,
        media_ssrc: 2,
        lost: &lost,
    }
    .encode(&mut out);
    assert_eq!(hex::encode(&out), "81cd00030000000100000002fffaffff");
    let Some(Ok(Packet::Nack(view))) = packets(&out).next() else {
        panic!("not what was built");
    };
    assert!(view.lost().eq(lost));
}

#[test]
fn numbers_far_apart_take_an_entry_each() {
    let mut out = Vec::new();
    Nack {
        sender_ssrc: 1,
        media_ssrc: 2,
        lost: &[5, 22, 40],
    }
    .encode(&mut out);
    assert_eq!(
        hex::encode(&out),
        "81cd000500000001000000020005000000160000".to_owned() + "00280000"
    );
}

#[test]
fn more_entries_than_a_datagram_holds_continue_in_another_packet() {
    let lost: Vec<u16> = (0..300).map(|index| index * 20).collect();
    let mut out = Vec::new();
    Nack {
        sender_ssrc: 1,
        media_ssrc: 2,
        lost: &lost,
    }
    .encode(&mut out);
    let found: Vec<usize> = Compound::parse(&out)
        .unwrap()
        .packets()
        .map(|packet| {
            let Packet::Nack(view) = packet else {
                panic!("{packet:?}");
            };
            view.lost().count()
        })
        .collect();
    assert_eq!(found, [256, 44]);
}

#[test]
fn a_nack_of_nothing_is_not_sent() {
    let mut out = Vec::new();
    Nack {
        sender_ssrc: 1,
        media_ssrc: 2,
        lost: &[],
    }
    .encode(&mut out);
    assert_eq!(out, []);
}

#[test]
fn a_picture_loss_indication_is_twelve_octets() {
    let mut out = Vec::new();
    Pli {
        sender_ssrc: 1,
        media_ssrc: 0xAABB_CCDD,
    }
    .encode(&mut out);
    assert_eq!(hex::encode(&out), "81ce000200000001aabbccdd");
    let Some(Ok(Packet::PictureLoss(pli))) = packets(&out).next() else {
        panic!("not what was built");
    };
    assert_eq!((pli.sender_ssrc(), pli.media_ssrc()), (1, 0xAABB_CCDD));
}

#[test]
fn feedback_without_its_two_sources_is_an_error() {
    for bytes in [
        "81cd0000",
        "81ce000100000001",
        "8fcd000100000001",
        "84ce0000",
    ] {
        let bytes = hex::decode(bytes).unwrap();
        let error = packets(&bytes).next().unwrap().unwrap_err();
        assert!(matches!(error, ParseError::Truncated { .. }), "{error}");
    }
}

/// The content of application-layer feedback is the application's: here an estimate of bandwidth.
#[test]
fn application_layer_feedback_keeps_its_content() {
    let bytes = hex::decode("8fce00050000000100000000524549420106bdcbaabbccdd").unwrap();
    // One word short of what the length says: nothing is guessed.
    assert!(packets(&bytes[..20]).next().unwrap().is_err());
    let bytes = [&bytes[..3], &[5], &bytes[4..]].concat();
    let Some(Ok(Packet::ApplicationLayer(view))) = packets(&bytes).next() else {
        panic!("not application-layer feedback");
    };
    assert_eq!(&view.fci()[..4], b"REIB");
    let mut again = Vec::new();
    view.encode(&mut again);
    assert_eq!(again, bytes);
}

#[test]
fn feedback_of_unknown_type_is_kept() {
    let bytes = hex::decode("8bcd00030000000100000002cafe0000").unwrap();
    let Some(Ok(packet @ Packet::OtherFeedback(view))) = packets(&bytes).next() else {
        panic!("not kept");
    };
    assert_eq!((view.packet_type(), view.message_type()), (205, 11));
    let mut again = Vec::new();
    packet.encode(&mut again);
    assert_eq!(again, bytes);
}
