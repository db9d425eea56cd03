//! RFC 4588 §4: the retransmission payload format.
#![expect(clippy::unwrap_used, reason = "a failed expectation is the report")]

use ortc_rtp::repair::{OSN_LEN, encode_rtx, restore_rtx};
use ortc_rtp::stream::{Order, ReceiveStream};
use ortc_rtp::wire::{ExtensionElements, Header, RtpPacket};

const ORIGINAL: Header = Header {
    marker: true,
    payload_type: 96,
    sequence: 65_535,
    timestamp: 4_000_000_000,
    ssrc: 0xAABB_CCDD,
};

fn rtx() -> Header {
    Header {
        payload_type: 97,
        sequence: 3,
        ssrc: 0x1122_3344,
        ..ORIGINAL
    }
}

fn restore(packet: &[u8]) -> Option<Vec<u8>> {
    let mut out = b"what was there".to_vec();
    let view = RtpPacket::parse(packet).unwrap();
    restore_rtx(
        &view,
        packet,
        ORIGINAL.ssrc,
        ORIGINAL.payload_type,
        &mut out,
    )
    .then_some(out)
}

/// §4: "the RTP timestamp field is set to the original timestamp", "the original sequence number
/// (OSN)" is the first two octets of the payload.
#[test]
fn a_retransmission_is_the_packet_with_its_number_before_the_payload() {
    let mut packet = Vec::new();
    encode_rtx(&rtx(), ORIGINAL.sequence, None, &mut packet);
    packet.extend_from_slice(b"payload");
    assert_eq!(packet.get(..4).unwrap(), [0x80, 0x80 | 97, 0, 3]);
    assert_eq!(packet.get(12..14).unwrap(), [0xFF, 0xFF]);
    assert_eq!(packet.len(), Header::LEN + OSN_LEN + b"payload".len());
    let restored = restore(&packet).unwrap();
    let view = RtpPacket::parse(&restored).unwrap();
    assert_eq!((view.header(), view.payload()), (ORIGINAL, &b"payload"[..]));
}

#[test]
fn sources_and_extension_come_along_and_padding_does_not() {
    let mut elements = ExtensionElements::new();
    elements.push(5, b"mid").unwrap();
    let mut packet = Vec::new();
    rtx().encode_with(&mut packet, &[7, 8], &elements);
    packet.extend_from_slice(&[0, 9, b'x', 0, 0, 3]);
    if let Some(first) = packet.first_mut() {
        *first |= 0x20;
    }
    let restored = restore(&packet).unwrap();
    let view = RtpPacket::parse(&restored).unwrap();
    assert_eq!(
        (view.sequence(), view.payload(), view.padding_len()),
        (9, &b"x"[..], 0)
    );
    assert_eq!(view.extensions().collect::<Vec<_>>(), [(5, &b"mid"[..])]);
    assert_eq!(view.csrcs().collect::<Vec<_>>(), [7, 8]);
}

/// Senders probe for bandwidth with retransmissions of nothing.
#[test]
fn without_a_number_there_is_nothing_to_restore() {
    for payload in [&[][..], &[1]] {
        let mut packet = Vec::new();
        rtx().encode(&mut packet);
        packet.extend_from_slice(payload);
        assert_eq!(restore(&packet), None);
    }
}

#[test]
fn a_repaired_packet_has_its_place_and_is_still_lost_to_the_path() {
    let now = origin();
    let mut stream = ReceiveStream::new(1, 90_000);
    for sequence in [1, 3] {
        stream.on_rtp(sequence, Some(0), 100, now);
    }
    assert_eq!(stream.on_repaired(2).order, Order::Reordered);
    assert_eq!(stream.on_repaired(2).order, Order::Duplicate);
    assert_eq!(stream.stats().lost, 1);
    assert_eq!(stream.report_block(now).cumulative_lost, 1);
}

#[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
fn origin() -> std::time::Instant {
    std::time::Instant::now()
}
