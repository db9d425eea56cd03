//! RFC 3550 §5 and §6: the RTP header and the RTCP packets.

use ortc_rtp::ParseError;
use ortc_rtp::wire::rtcp::{
    Bye, Compound, Packet, ReceiverReport, ReportBlock, Sdes, SenderInfo, SenderReport, Text,
    is_rtcp, packets,
};
use ortc_rtp::wire::{ExtensionElements, Header, RtpPacket};

const SSRC: u32 = 0x1234_5678;

// Section 5.1: the header.

#[test]
fn a_header_with_sources_extension_and_padding_is_read_field_by_field() {
    let bytes = hex::decode(
        "b2e0fffe".to_owned() + "00000064" + "12345678" + "00000001" + "00000002" // two CSRCs
            + "abcd0001" + "01020304" // an extension of some profile
            + "7061796c6f6164" + "000003", // the payload and three octets of padding
    )
    .unwrap();
    let packet = RtpPacket::parse(&bytes).unwrap();
    assert!(packet.marker());
    assert_eq!(packet.payload_type(), 96);
    assert_eq!(packet.sequence(), 65_534);
    assert_eq!((packet.timestamp(), packet.ssrc()), (100, SSRC));
    assert!(packet.csrcs().eq([1, 2]));
    assert_eq!(packet.header_len(), 28);
    assert_eq!(packet.payload(), b"payload");
    assert_eq!(packet.padding_len(), 3);
}

#[test]
fn a_packet_of_padding_alone_has_an_empty_payload() {
    let mut bytes = header_bytes(0xA0);
    bytes.extend_from_slice(&[0, 0, 0, 4]);
    let packet = RtpPacket::parse(&bytes).unwrap();
    assert_eq!((packet.payload(), packet.padding_len()), (&[][..], 4));
}

/// The padding count includes itself, so it is never zero, and stays behind the header.
#[test]
fn a_padding_count_of_zero_or_beyond_the_payload_is_an_error() {
    for (tail, count) in [
        (&[][..], 0),
        (&[1, 2, 0], 0),
        (&[1, 2, 4], 4),
        (&[255], 255),
    ] {
        let mut bytes = header_bytes(0xA0);
        bytes.extend_from_slice(tail);
        assert_eq!(
            RtpPacket::parse(&bytes),
            Err(ParseError::Padding {
                count,
                have: tail.len()
            })
        );
    }
}

#[test]
fn every_prefix_of_a_header_is_an_error() {
    let mut bytes = header_bytes(0x91);
    bytes.extend_from_slice(&[0, 0, 0, 9, 0xBE, 0xDE, 0, 1, 0x10, 1, 0, 0]);
    for len in 0..bytes.len() {
        let error = RtpPacket::parse(&bytes[..len]).unwrap_err();
        assert!(
            matches!(error, ParseError::Truncated { .. }),
            "{len}: {error}"
        );
    }
    assert!(RtpPacket::parse(&bytes).is_ok());
}

#[test]
fn other_versions_are_refused() {
    for version in [0, 1, 3] {
        let bytes = header_bytes(version << 6);
        assert_eq!(RtpPacket::parse(&bytes), Err(ParseError::Version(version)));
    }
}

/// "If there are more than 15 contributing sources, only 15 can be identified."
#[test]
fn fifteen_contributing_sources_are_written() {
    let csrcs: Vec<u32> = (0..20).collect();
    let mut out = Vec::new();
    Header::default().encode_with(&mut out, &csrcs, &ExtensionElements::new());
    let packet = RtpPacket::parse(&out).unwrap();
    assert!(packet.csrcs().eq(0..15));
    assert_eq!(packet.header_len(), out.len());
}

#[test]
fn a_payload_type_of_eight_bits_does_not_set_the_marker() {
    let mut out = Vec::new();
    Header {
        payload_type: 0xFF,
        ..Header::default()
    }
    .encode(&mut out);
    let packet = RtpPacket::parse(&out).unwrap();
    assert_eq!((packet.marker(), packet.payload_type()), (false, 127));
}

/// RFC 5761 §4: packet types 192 to 223 are RTCP's.
#[test]
fn the_second_octet_tells_rtcp_from_rtp() {
    let found: Vec<u8> = (0..=255).filter(|octet| is_rtcp(*octet)).collect();
    assert!(found.into_iter().eq(192..=223));
}

// Section 6.4: reports.

#[test]
fn a_sender_report_is_written_as_in_the_figure() {
    let info = SenderInfo {
        ntp: 0x0102_0304_0506_0708,
        rtp: 0x1112_1314,
        packets: 0x2122_2324,
        octets: 0x3132_3334,
    };
    let block = ReportBlock {
        ssrc: 0x4142_4344,
        fraction_lost: 0x51,
        cumulative_lost: -2,
        highest_sequence: 0x6162_6364,
        jitter: 0x7172_7374,
        last_sender_report: 0x8182_8384,
        delay_since_last_sender_report: 0x9192_9394,
    };
    let mut out = Vec::new();
    SenderReport {
        ssrc: SSRC,
        info,
        blocks: &[block],
    }
    .encode(&mut out);
    let expected = "81c8000c".to_owned()
        + "12345678"
        + "0102030405060708"
        + "11121314"
        + "21222324"
        + "31323334"
        + "41424344"
        + "51fffffe"
        + "61626364"
        + "71727374"
        + "81828384"
        + "91929394";
    assert_eq!(hex::encode(&out), expected);
    let Some(Ok(Packet::SenderReport(view))) = packets(&out).next() else {
        panic!("not what was built");
    };
    assert_eq!((view.ssrc(), view.info()), (SSRC, info));
    assert!(view.blocks().eq([block]));
}

/// §6.1: what exceeds 31 blocks goes on in receiver reports of the same compound.
#[test]
fn more_than_31_blocks_continue_in_receiver_reports() {
    let blocks: Vec<_> = (0..70)
        .map(|ssrc| ReportBlock {
            ssrc,
            ..ReportBlock::default()
        })
        .collect();
    let mut out = Vec::new();
    SenderReport {
        ssrc: SSRC,
        info: SenderInfo::default(),
        blocks: &blocks,
    }
    .encode(&mut out);
    let mut counts = Vec::new();
    let mut read = Vec::new();
    for packet in Compound::parse(&out).unwrap().packets() {
        let before = read.len();
        if let Packet::SenderReport(view) = packet {
            read.extend(view.blocks());
        } else if let Packet::ReceiverReport(view) = packet {
            read.extend(view.blocks());
        }
        counts.push(read.len() - before);
    }
    assert_eq!(counts, [31, 31, 8]);
    assert_eq!(read, blocks);
}

#[test]
fn a_profile_specific_extension_is_kept() {
    let bytes = hex::decode("80c90002".to_owned() + "00000001" + "cafebabe").unwrap();
    let Some(Ok(packet @ Packet::ReceiverReport(view))) = packets(&bytes).next() else {
        panic!("not a receiver report");
    };
    assert_eq!(view.extension(), [0xCA, 0xFE, 0xBA, 0xBE]);
    let mut again = Vec::new();
    packet.encode(&mut again);
    assert_eq!(again, bytes);
}

/// The count of each packet type promises more than the length holds.
#[test]
fn a_count_beyond_the_length_is_an_error() {
    for bytes in [
        "81c8000600000001000000000000000000000000000000000000000000", // SR with a block missing
        "82c90001000000010000",                                       // RR
        "81ca000000000000",                                           // SDES without its chunk
        "82cb000100000001",                                           // BYE with one source of two
        "80cc000100000001",                                           // APP without its name
    ] {
        let mut bytes = hex::decode(bytes).unwrap();
        bytes.truncate((usize::from(bytes[3]) + 1) * 4);
        let error = packets(&bytes).next().unwrap().unwrap_err();
        assert!(matches!(error, ParseError::Truncated { .. }), "{error}");
    }
}

/// §6.5: items end with a null octet inside their chunk, and fill the word.
#[test]
fn the_items_of_a_chunk_end_inside_it() {
    for (text, len) in [("", 3), ("a", 3), ("ab", 4), ("abcd", 4), ("abcde", 4)] {
        let mut out = Vec::new();
        Sdes {
            ssrc: SSRC,
            cname: Text::new(text).unwrap(),
        }
        .encode(&mut out);
        assert_eq!(out.len(), len * 4, "{text:?}");
        let Some(Ok(Packet::SourceDescription(view))) = packets(&out).next() else {
            panic!("not what was built");
        };
        let chunk = view.chunks().next().unwrap();
        assert_eq!((chunk.ssrc(), chunk.cname()), (SSRC, Some(text.as_bytes())));
    }
    for bytes in [
        "81ca000212345678".to_owned() + "01026162", // no null octet
        "81ca000212345678".to_owned() + "01ff6100", // text past the end
        "81ca000112345678".to_owned(),              // no items and no null octet
    ] {
        let bytes = hex::decode(bytes).unwrap();
        assert!(packets(&bytes).next().unwrap().is_err(), "{bytes:x?}");
    }
    assert!(Text::new(&"x".repeat(256)).is_err());
}

#[test]
fn octets_behind_the_last_chunk_are_an_error() {
    let bytes = hex::decode("80ca0001".to_owned() + "00000000").unwrap();
    assert_eq!(
        packets(&bytes).next(),
        Some(Err(ParseError::Trailing {
            what: "SDES chunks",
            left: 4
        }))
    );
}

#[test]
fn a_goodbye_names_its_sources_and_reason() {
    let mut out = Vec::new();
    let reason = Some(Text::new("camera malfunction").unwrap());
    Bye {
        ssrcs: &[1, 2],
        reason,
    }
    .encode(&mut out);
    let Some(Ok(Packet::Goodbye(view))) = packets(&out).next() else {
        panic!("not what was built");
    };
    assert!(view.ssrcs().eq([1, 2]));
    assert_eq!(view.reason(), Some(&b"camera malfunction"[..]));
    assert_eq!(out.len(), 4 + 8 + 20);
}

#[test]
fn a_reason_past_the_end_of_its_goodbye_is_an_error() {
    let bytes = hex::decode("81cb0002".to_owned() + "00000001" + "04616263").unwrap();
    assert_eq!(
        packets(&bytes).next(),
        Some(Err(ParseError::Truncated {
            what: "BYE reason",
            need: 4,
            have: 3
        }))
    );
    let bytes = hex::decode("81cb0003".to_owned() + "00000001" + "01610000" + "00000000").unwrap();
    assert!(packets(&bytes).next().unwrap().is_err());
}

#[test]
fn padding_before_the_last_packet_is_an_error() {
    let padded = "a0c90002000000010000".to_owned() + "0004";
    let alone = hex::decode(&padded).unwrap();
    assert!(Compound::parse(&alone).is_ok());
    let followed = hex::decode(padded + "80c9000100000001").unwrap();
    assert_eq!(Compound::parse(&followed), Err(ParseError::EarlyPadding));
}

#[test]
fn padding_longer_than_its_packet_is_an_error() {
    for tail in ["00000000", "00000009"] {
        let bytes = hex::decode("a0c90002".to_owned() + "00000001" + tail).unwrap();
        let error = Compound::parse(&bytes).unwrap_err();
        assert!(matches!(error, ParseError::Padding { .. }), "{error}");
    }
}

#[test]
fn every_packet_of_a_datagram_is_read() {
    let mut out = Vec::new();
    for ssrc in 0..3 {
        ReceiverReport { ssrc, blocks: &[] }.encode(&mut out);
    }
    assert_eq!(Compound::parse(&out).unwrap().packets().count(), 3);
}

#[test]
fn application_packets_and_unknown_types_are_kept() {
    let bytes =
        hex::decode("85cc0003".to_owned() + "00000001" + "74657374" + "0badf00d" + "9fc00000")
            .unwrap();
    let read: Vec<_> = Compound::parse(&bytes).unwrap().packets().collect();
    let [Packet::Application(app), Packet::Unknown(unknown)] = read[..] else {
        panic!("{read:?}");
    };
    assert_eq!((app.subtype(), app.ssrc(), &app.name()), (5, 1, b"test"));
    assert_eq!(app.data(), [0x0B, 0xAD, 0xF0, 0x0D]);
    assert_eq!((unknown.packet_type(), unknown.count()), (192, 31));
    let mut again = Vec::new();
    read.iter().for_each(|packet| packet.encode(&mut again));
    assert_eq!(again, bytes);
}

fn header_bytes(first: u8) -> Vec<u8> {
    let mut bytes = vec![first];
    bytes.extend_from_slice(&[96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
    bytes
}
