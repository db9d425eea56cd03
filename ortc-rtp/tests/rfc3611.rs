//! RFC 3611: extended reports.

use ortc_rtp::ParseError;
use ortc_rtp::wire::rtcp::{BlockType, Dlrr, ExtendedReport, Packet, packets};

/// §4.4 and §4.5: a reference time, and the answer to one.
#[test]
fn reference_time_and_its_answer_are_written_as_in_the_figures() {
    let answer = Dlrr {
        ssrc: 0x0A0B_0C0D,
        last_receiver_report: 0x1122_3344,
        delay: 0x8000,
    };
    let mut out = Vec::new();
    ExtendedReport {
        ssrc: 1,
        receiver_reference_time: Some(0x0102_0304_0506_0708),
        dlrr: &[answer],
    }
    .encode(&mut out);
    assert_eq!(
        hex::encode(&out),
        "80cf0008".to_owned()
            + "00000001"
            + "040000020102030405060708"
            + "050000030a0b0c0d1122334400008000"
    );
    let Some(Ok(Packet::ExtendedReport(view))) = packets(&out).next() else {
        panic!("not what was built");
    };
    let blocks: Vec<_> = view.blocks().collect();
    assert_eq!(
        blocks[0].receiver_reference_time(),
        Some(0x0102_0304_0506_0708)
    );
    assert_eq!(blocks[0].dlrr().count(), 0);
    assert_eq!(blocks[1].receiver_reference_time(), None);
    assert!(blocks[1].dlrr().eq([answer]));
}

/// §3: "report blocks of unknown type are ignored" by their length, and here kept.
#[test]
fn unknown_blocks_are_kept_exactly() {
    let bytes = hex::decode("80cf0005000000012a2b0001deadbeefff000000010c0000").unwrap();
    let Some(Ok(packet @ Packet::ExtendedReport(view))) = packets(&bytes).next() else {
        panic!("not an extended report");
    };
    let blocks: Vec<_> = view.blocks().collect();
    assert_eq!(blocks.len(), 3);
    assert_eq!(blocks[0].block_type, BlockType(0x2A));
    assert_eq!(blocks[0].type_specific, 0x2B);
    assert_eq!(blocks[0].content, [0xDE, 0xAD, 0xBE, 0xEF]);
    assert_eq!(blocks[2].block_type, BlockType::LOSS_RLE);
    let mut again = Vec::new();
    packet.encode(&mut again);
    assert_eq!(again, bytes);
}

#[test]
fn a_block_past_the_end_of_its_packet_is_an_error_and_the_next_packet_is_read() {
    // A block of two words in a packet that has one left; then a BYE.
    let bytes =
        hex::decode("80cf0003000000010400000201020304".to_owned() + "81cb000100000009").unwrap();
    let mut read = packets(&bytes);
    assert_eq!(
        read.next(),
        Some(Err(ParseError::Truncated {
            what: "XR block",
            need: 8,
            have: 4
        }))
    );
    assert!(matches!(read.next(), Some(Ok(Packet::Goodbye(_)))));
    assert_eq!(read.next(), None);
}

#[test]
fn a_report_without_its_source_is_an_error() {
    let error = packets(&[0x80, 207, 0, 0]).next().unwrap().unwrap_err();
    assert_eq!(
        error,
        ParseError::Truncated {
            what: "XR source",
            need: 4,
            have: 0
        }
    );
}
