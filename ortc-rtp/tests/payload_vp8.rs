//! VP8 (RFC 7741): descriptors, fragments, picture ids.

use bytes::Bytes;
use ortc_rtp::payload::vp8::{Descriptor, PictureId, TemporalLayer};
use ortc_rtp::payload::{
    Depacketizer, Format, FrameStart, PacketizeError, Packetizer, ParseError, Segment, is_key_frame,
};
use ortc_testkit::props::payload::rebuild;

/// RFC 7741 §4.6.1: the first packet of a key frame, with a 15-bit picture id.
#[test]
fn the_first_packet_has_s_and_a_long_picture_id() {
    let segments = packetize(&mut Packetizer::new(Format::Vp8, 0x11), &[0; 100], 1_000);

    let (descriptor, len) = Descriptor::parse(&segments[0].prefix).unwrap();
    assert_eq!(segments[0].prefix[..], [0x90, 0x80, 0x80, 0x11]);
    assert_eq!(
        (len, descriptor.picture_id),
        (4, Some(PictureId::Long(0x11)))
    );
    assert!(descriptor.begins_frame() && segments[0].marker);
}

#[test]
fn a_large_frame_leaves_in_equal_pieces_that_share_its_memory() {
    let frame = Bytes::from((0..=255).cycle().take(2_500).collect::<Vec<u8>>());
    let mut segments = Vec::new();
    let count = Packetizer::new(Format::Vp8, 5)
        .packetize(&frame, 1_160, &mut segments)
        .unwrap();

    assert_eq!(count, 3);
    let sizes: Vec<usize> = segments.iter().map(|s: &Segment| s.body.len()).collect();
    assert_eq!(sizes, [834, 834, 832]);
    assert_eq!(segments[1].body.as_ptr(), frame.slice(834..).as_ptr());
    let markers: Vec<bool> = segments.iter().map(|s| s.marker).collect();
    assert_eq!(markers, [false, false, true]);
    let starts: Vec<bool> = segments.iter().map(|s| s.prefix[0] & 0x10 != 0).collect();
    assert_eq!(starts, [true, false, false]);
    assert_eq!(rebuild(Format::Vp8, &segments), frame);
}

#[test]
fn picture_ids_wrap_after_32767_and_a_refused_frame_takes_none() {
    let mut packetizer = Packetizer::new(Format::Vp8, 0xffff_ffff_ffff_fffe);
    let mut id = |len: usize| {
        let segments = packetize(&mut packetizer, &vec![1; len], 1_000);
        Descriptor::parse(&segments[0].prefix).unwrap().0.picture_id
    };
    assert_eq!(id(10), Some(PictureId::Long(0x7ffe)));
    assert_eq!(id(3_000), Some(PictureId::Long(0x7fff)));
    assert_eq!(id(10), Some(PictureId::Long(0)));

    let mut none: Vec<Segment> = Vec::new();
    assert_eq!(
        packetizer.packetize(&Bytes::from_static(b"frame"), 4, &mut none),
        Err(PacketizeError::PayloadSize { max: 4, need: 5 })
    );
    assert!(none.is_empty());
    let segments = packetize(&mut packetizer, &[1; 10], 1_000);
    assert_eq!(segments[0].prefix[2..], [0x80, 1]);
}

#[test]
fn short_long_and_absent_picture_ids_are_told_apart() {
    let id = |payload: &[u8]| {
        let depacketizer = Depacketizer::new(Format::Vp8, 1_000);
        depacketizer.parse(payload).unwrap().picture_id()
    };
    assert_eq!(id(&[0x10, 0]), None);
    assert_eq!(id(&[0x90, 0x00, 0]), None);
    assert_eq!(id(&[0x90, 0x80, 0x7f, 0]), Some(PictureId::Short(127)));
    assert_eq!(id(&[0x90, 0x80, 0x80, 0x7f, 0]), Some(PictureId::Long(127)));
    assert_eq!(
        id(&[0x90, 0x80, 0xff, 0xff, 0]),
        Some(PictureId::Long(32_767))
    );
    assert_eq!(PictureId::Short(127).next(), PictureId::Short(0));
    assert_eq!(PictureId::Long(127).next(), PictureId::Long(128));
    assert_eq!(PictureId::Long(32_767).next(), PictureId::Long(0));
}

/// RFC 7741 §4.2: every optional field, and T and K sharing an octet.
#[test]
fn every_descriptor_field_is_read_and_written() {
    let all = [0xb3, 0xf0, 0x81, 0x02, 0x09, 0xe7];
    let (descriptor, len) = Descriptor::parse(&all).unwrap();
    let expected = Descriptor {
        non_reference: true,
        partition_start: true,
        partition: 3,
        picture_id: Some(PictureId::Long(0x102)),
        base_layer_index: Some(9),
        temporal_layer: Some(TemporalLayer { id: 3, sync: true }),
        key_index: Some(7),
    };
    assert_eq!((descriptor, len), (expected, 6));
    assert_eq!(expected.encode()[..], all);

    let (only_k, _) = Descriptor::parse(&[0x80, 0x10, 0xe7]).unwrap();
    assert_eq!((only_k.temporal_layer, only_k.key_index), (None, Some(7)));
}

#[test]
fn a_descriptor_cut_anywhere_is_refused() {
    let depacketizer = Depacketizer::new(Format::Vp8, 1_000);
    let whole = [0x90, 0xf0, 0x81, 0x02, 0x09, 0xe7, 0x00];
    for len in 0..whole.len() {
        let result = depacketizer.parse(&whole[..len]);
        assert!(matches!(result, Err(ParseError::Truncated { .. })), "{len}");
    }
    assert!(depacketizer.parse(&whole).is_ok());
}

#[test]
fn a_frame_needs_one_beginning_and_stays_below_the_limit() {
    let mut depacketizer = Depacketizer::new(Format::Vp8, 4);
    let first = depacketizer.parse(&[0x10, 1, 2]).unwrap();
    let further = depacketizer.parse(&[0x00, 3, 4]).unwrap();
    assert_eq!(first.start(), FrameStart::Certain);

    assert_eq!(depacketizer.add(&further), Err(ParseError::NoStart));
    depacketizer.add(&first).unwrap();
    assert_eq!(depacketizer.add(&first), Err(ParseError::SecondStart));
    depacketizer.add(&first).unwrap();
    depacketizer.add(&further).unwrap();
    assert_eq!(
        depacketizer.add(&further),
        Err(ParseError::TooLarge { max: 4 })
    );
    assert_eq!(
        depacketizer.parse(&[0x10, 1, 2, 3, 4, 5]),
        Err(ParseError::TooLarge { max: 4 })
    );
}

#[test]
fn a_key_frame_has_its_p_bit_clear() {
    assert!(is_key_frame(Format::Vp8, &[0x90, 0x01]));
    assert!(!is_key_frame(Format::Vp8, &[0xb1, 0x01]));
    assert!(!is_key_frame(Format::Vp8, &[]));
    // A later partition's first octet says nothing.
    let depacketizer = Depacketizer::new(Format::Vp8, 100);
    assert!(!depacketizer.parse(&[0x11, 0x00]).unwrap().is_key_frame());
}

#[expect(clippy::unwrap_used, reason = "the frame is one that fits")]
fn packetize(packetizer: &mut Packetizer, frame: &[u8], max: usize) -> Vec<Segment> {
    let mut segments = Vec::new();
    packetizer
        .packetize(&Bytes::copy_from_slice(frame), max, &mut segments)
        .unwrap();
    segments
}
