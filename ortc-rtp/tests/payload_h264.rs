//! H.264 (RFC 6184): single NAL units, STAP-A, FU-A.

use bytes::Bytes;
use ortc_rtp::payload::{
    Depacketizer, Format, FrameStart, PacketizationMode, PacketizeError, Packetizer, ParseError,
    Segment, h264, is_key_frame,
};
use ortc_testkit::props::payload::rebuild;

const MODE_0: Format = Format::H264 {
    mode: PacketizationMode::SingleNal,
};
const MODE_1: Format = Format::H264 {
    mode: PacketizationMode::NonInterleaved,
};

#[test]
fn parameter_sets_share_a_packet_and_the_slice_is_fragmented() {
    let mut frame = vec![
        0, 0, 0, 1, 0x67, 0x42, 0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x65, 0x88,
    ];
    frame.extend([7; 30]);
    let segments = packetize(MODE_1, &frame, 20).unwrap();

    assert_eq!(segments[0].prefix.len(), 0);
    assert_eq!(
        segments[0].body[..],
        [0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xce]
    );
    let fragments: Vec<(&[u8], usize)> = segments[1..]
        .iter()
        .map(|s| (&s.prefix[..], s.body.len()))
        .collect();
    assert_eq!(fragments, [(&[0x7c, 0x85][..], 16), (&[0x7c, 0x45], 15)]);
    let markers: Vec<bool> = segments.iter().map(|s| s.marker).collect();
    assert_eq!(markers, [false, false, true]);

    let mut expected = vec![
        0, 0, 0, 1, 0x67, 0x42, 0, 0, 0, 1, 0x68, 0xce, 0, 0, 0, 1, 0x65, 0x88,
    ];
    expected.extend([7; 30]);
    assert_eq!(rebuild(MODE_1, &segments), expected);
}

#[test]
fn a_single_slice_is_a_packet_that_shares_the_frame() {
    let frame = Bytes::from_static(&[0, 0, 1, 0x41, 0x9a, 1, 2, 3, 0, 0]);
    for format in [MODE_0, MODE_1] {
        let mut segments: Vec<Segment> = Vec::new();
        Packetizer::new(format, 0)
            .packetize(&frame, 100, &mut segments)
            .unwrap();
        assert_eq!(segments.len(), 1);
        assert_eq!(segments[0].body[..], [0x41, 0x9a, 1, 2, 3]);
        assert_eq!(segments[0].body.as_ptr(), frame.slice(3..).as_ptr());
        assert!(segments[0].marker);
    }
}

#[test]
fn mode_0_sends_one_nal_unit_a_packet_and_refuses_larger_ones() {
    let frame = [0, 0, 1, 9, 0xf0, 0, 0, 1, 0x41, 0x9a, 1, 2, 3];
    let segments = packetize(MODE_0, &frame, 5).unwrap();
    assert_eq!(segments.len(), 2);
    assert_eq!(segments[0].body[..], [9, 0xf0]);

    assert_eq!(
        packetize(MODE_0, &frame, 4),
        Err(PacketizeError::TooLarge { len: 5, max: 4 })
    );
}

#[test]
fn what_is_not_an_access_unit_is_refused() {
    assert_eq!(packetize(MODE_1, &[], 100), Err(PacketizeError::Empty));
    assert_eq!(
        packetize(MODE_1, &[0, 0, 1, 0, 0, 1], 100),
        Err(PacketizeError::Empty)
    );
    assert_eq!(
        packetize(MODE_1, &[0x65, 1, 2], 100),
        Err(PacketizeError::NotAnnexB)
    );
    assert_eq!(
        packetize(MODE_1, &[7, 0, 0, 1, 0x41], 100),
        Err(PacketizeError::NotAnnexB)
    );
    assert_eq!(
        packetize(MODE_1, &[0, 0, 1, 0x7c, 1], 100),
        Err(PacketizeError::UnitType(28))
    );
    assert_eq!(
        packetize(MODE_1, &[0, 0, 1, 0x41, 1, 2], 2),
        Err(PacketizeError::PayloadSize { max: 2, need: 3 })
    );
}

/// Start codes with nothing between them, and zeros behind a NAL unit, belong to the byte stream.
#[test]
fn empty_nal_units_are_left_out_wherever_they_are() {
    let units: &[u8] = &[0x41, 1, 2];
    for before in [&[0, 0, 1][..], &[0, 0, 0, 1, 0, 0, 1], &[0; 5]] {
        for after in [&[][..], &[0, 0, 1], &[0, 0, 0], &[0, 0, 0, 1, 0]] {
            let frame = [before, &[0, 0, 0, 1], units, after].concat();
            let segments = packetize(MODE_1, &frame, 100).unwrap();
            assert_eq!(segments.len(), 1, "{frame:?}");
            assert_eq!(segments[0].body, units, "{frame:?}");
        }
    }
    assert_eq!(
        packetize(MODE_1, &[0, 0, 0], 100),
        Err(PacketizeError::Empty)
    );
    assert_eq!(
        packetize(MODE_1, &[0, 1], 100),
        Err(PacketizeError::NotAnnexB)
    );
}

/// RFC 6184 §5.7.1: sizes that reach beyond the packet, nested aggregates, empty units.
#[test]
fn a_broken_aggregate_is_refused() {
    let depacketizer = Depacketizer::new(MODE_1, 1_000);
    let truncated = |what, need, have| Err(ParseError::Truncated { what, need, have });
    assert_eq!(depacketizer.parse(&[0x78]), truncated("aggregate", 3, 0));
    assert_eq!(
        depacketizer.parse(&[0x78, 0]),
        truncated("NAL unit size", 2, 1)
    );
    assert_eq!(
        depacketizer.parse(&[0x78, 0, 3, 0x67, 1]),
        truncated("aggregated NAL unit", 3, 2)
    );
    assert_eq!(
        depacketizer.parse(&[0x78, 0xff, 0xff, 0x67]),
        truncated("aggregated NAL unit", 65_535, 1)
    );
    assert_eq!(
        depacketizer.parse(&[0x78, 0, 0]),
        truncated("aggregated NAL unit", 1, 0)
    );
    for nested in [24, 25, 26, 27, 28, 29, 30, 31, 0] {
        assert_eq!(
            depacketizer.parse(&[0x78, 0, 1, nested]),
            Err(ParseError::UnitType(nested))
        );
    }
}

/// RFC 6184 §5.8: fragments that fit nothing; an empty one is allowed.
#[test]
fn fragments_must_follow_one_another() {
    let mut depacketizer = Depacketizer::new(MODE_1, 20);
    let [first, empty, last, slice] = [
        &[0x7c, 0x85, 0x80, 1][..],
        &[0x7c, 0x05],
        &[0x7c, 0x45, 2],
        &[0x41, 0x80],
    ]
    .map(|payload| depacketizer.parse(payload).unwrap());
    assert_eq!((empty.len(), empty.is_empty()), (0, true));

    for part in [&first, &empty, &last] {
        depacketizer.add(part).unwrap();
    }
    assert_eq!(depacketizer.finish().unwrap().len, 8);

    assert_eq!(depacketizer.add(&last), Err(ParseError::OrphanFragment));
    assert_eq!(depacketizer.add(&empty), Err(ParseError::OrphanFragment));
    depacketizer.add(&first).unwrap();
    assert_eq!(depacketizer.add(&slice), Err(ParseError::UnfinishedUnit));
    depacketizer.add(&first).unwrap();
    assert_eq!(depacketizer.add(&first), Err(ParseError::UnfinishedUnit));
    depacketizer.add(&first).unwrap();
    assert_eq!(depacketizer.finish(), Err(ParseError::UnfinishedUnit));

    assert_eq!(
        depacketizer.parse(&[0x7c, 0xc5, 1]),
        Err(ParseError::FirstAndLast)
    );
    assert_eq!(
        depacketizer.parse(&[0x7c, 0x9c, 1]),
        Err(ParseError::UnitType(28))
    );
    assert!(depacketizer.parse(&[0x7c]).is_err());
}

#[test]
fn a_fragmented_unit_cannot_grow_beyond_the_limit() {
    let mut depacketizer = Depacketizer::new(MODE_1, 1_000);
    let first = depacketizer.parse(&[0x7c, 0x85, 0x80]).unwrap();
    let middle = depacketizer
        .parse(&[&[0x7c, 0x05][..], &[1; 100]].concat())
        .unwrap();
    depacketizer.add(&first).unwrap();
    let taken = (0..100).take_while(|_| depacketizer.add(&middle).is_ok());
    assert_eq!(taken.count(), 9);
    assert_eq!(depacketizer.add(&middle), Err(ParseError::OrphanFragment));
}

/// ITU-T H.264 §7.4.1.2.3: what can open an access unit.
#[test]
fn the_first_packet_of_an_access_unit_is_recognised() {
    let start = |payload: &[u8]| {
        Depacketizer::new(MODE_1, 100)
            .parse(payload)
            .unwrap()
            .start()
    };
    assert_eq!(start(&[9, 0xf0]), FrameStart::Certain);
    assert_eq!(start(&[0x67, 0x42]), FrameStart::Certain);
    assert_eq!(start(&[0x78, 0, 1, 0x67]), FrameStart::Certain);
    assert_eq!(start(&[0x68, 0xce]), FrameStart::Likely);
    assert_eq!(start(&[6, 5]), FrameStart::Likely);
    assert_eq!(start(&[0x41, 0x9a]), FrameStart::Likely);
    assert_eq!(start(&[0x41, 0x4a]), FrameStart::No);
    assert_eq!(start(&[0x7c, 0x85, 0x88]), FrameStart::Likely);
    assert_eq!(start(&[0x7c, 0x85, 0x48]), FrameStart::No);
    assert_eq!(start(&[0x7c, 0x05, 0x88]), FrameStart::No);
    assert_eq!(start(&[0x41]), FrameStart::No);
}

#[test]
fn an_access_unit_with_idr_or_sps_is_a_key_frame() {
    assert!(is_key_frame(MODE_1, &[0, 0, 1, 6, 5, 0, 0, 1, 0x65, 0x88]));
    assert!(is_key_frame(MODE_1, &[0, 0, 0, 1, 0x67, 0x42]));
    assert!(!is_key_frame(MODE_1, &[0, 0, 0, 1, 0x41, 0x9a]));
    assert!(!is_key_frame(MODE_1, &[0x65, 0x88]));
}

#[test]
fn nal_units_are_found_behind_start_codes_of_both_lengths() {
    let stream = [
        0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 6, 0, 0, 3, 0, 0, 0, 0, 1, 0x41, 0, 0,
    ];
    let found: Vec<&[u8]> = h264::units(&stream).map(|range| &stream[range]).collect();
    assert_eq!(found, [&[9, 0xf0][..], &[6, 0, 0, 3], &[0x41]]);
}

fn packetize(format: Format, frame: &[u8], max: usize) -> Result<Vec<Segment>, PacketizeError> {
    let mut segments = Vec::new();
    Packetizer::new(format, 0).packetize(&Bytes::copy_from_slice(frame), max, &mut segments)?;
    Ok(segments)
}
