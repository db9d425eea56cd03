//! RFC 8285: header extensions, one-byte and two-byte form.
#![expect(clippy::unwrap_used, reason = "a failed expectation is the report")]

use ortc_rtp::ParseError;
use ortc_rtp::wire::{ExtensionElements, ExtensionError, Header, RtpPacket};

/// The figure of §4.2: three elements with padding between them.
#[test]
fn the_one_byte_example_of_section_4_2_is_read() {
    let bytes = packet("bede0003 10aa 21bbcc 0000 33ddeeff99");
    assert_eq!(
        elements(&bytes),
        [
            (1, vec![0xAA]),
            (2, vec![0xBB, 0xCC]),
            (3, vec![0xDD, 0xEE, 0xFF, 0x99])
        ]
    );
}

/// The figure of §4.3.
#[test]
fn the_two_byte_example_of_section_4_3_is_read() {
    let bytes = packet("10000003 0100 0201aa 00 0304bbccddee");
    assert_eq!(
        elements(&bytes),
        [
            (1, vec![]),
            (2, vec![0xAA]),
            (3, vec![0xBB, 0xCC, 0xDD, 0xEE])
        ]
    );
}

#[test]
fn appbits_do_not_hide_the_two_byte_form() {
    assert_eq!(elements(&packet("100f0001 0101aa00")), [(1, vec![0xAA])]);
}

/// §4.2: the length of identifier 15 is ignored, and processing ends there.
#[test]
fn identifier_15_ends_the_one_byte_form() {
    assert_eq!(
        elements(&packet("bede0002 10aa f0bb 20cc 0000")),
        [(1, vec![0xAA])]
    );
}

/// In the two-byte form 15 is an identifier like any other.
#[test]
fn identifier_15_is_an_element_of_the_two_byte_form() {
    assert_eq!(elements(&packet("10000001 0f01aa00")), [(15, vec![0xAA])]);
}

/// §4.1.2: identifier 0 with a length ends the processing.
#[test]
fn identifier_0_with_a_length_ends_the_elements() {
    assert_eq!(
        elements(&packet("bede0002 10aa 01bbcc 20dd00")),
        [(1, vec![0xAA])]
    );
}

#[test]
fn an_unknown_profile_has_no_elements_and_is_no_error() {
    let bytes = packet("abcd0001 10aa20bb");
    let view = RtpPacket::parse(&bytes).unwrap();
    assert_eq!(view.extensions().count(), 0);
    let extension = view.extension().unwrap();
    assert_eq!(extension.profile, 0xABCD);
    assert_eq!(extension.data, [0x10, 0xAA, 0x20, 0xBB]);
    assert_eq!(view.payload(), b"payload");
}

#[test]
fn an_element_past_the_end_is_dropped_and_those_before_it_stay() {
    assert_eq!(elements(&packet("bede0001 10aa 2fbb")), [(1, vec![0xAA])]);
    assert_eq!(elements(&packet("10000001 0100 0209")), [(1, vec![])]);
    assert_eq!(elements(&packet("10000001 00000001")), []);
}

#[test]
fn an_extension_past_the_end_is_an_error() {
    let mut bytes = hex::decode("900000010000000000000000bede0002").unwrap();
    bytes.extend_from_slice(&[0; 7]);
    let error = RtpPacket::parse(&bytes).unwrap_err();
    let what = "header extension";
    assert_eq!(
        error,
        ParseError::Truncated {
            what,
            need: 8,
            have: 7
        }
    );
    bytes.truncate(15);
    let error = RtpPacket::parse(&bytes).unwrap_err();
    assert_eq!(
        error,
        ParseError::Truncated {
            what,
            need: 4,
            have: 3
        }
    );
}

#[test]
fn elements_that_fit_are_written_in_the_one_byte_form() {
    let mut block = ExtensionElements::new();
    block.push(1, &[0xAA]).unwrap();
    block.push(14, &[7; 16]).unwrap();
    assert_eq!(
        hex::encode(block.as_bytes()),
        "bede000510aaef0707070707070707070707070707070700"
    );
}

#[test]
fn one_element_that_needs_it_turns_the_block_into_the_two_byte_form() {
    for (id, data) in [(15, &[9_u8][..]), (2, &[]), (2, &[9; 17])] {
        let mut block = ExtensionElements::new();
        block.push(1, &[0xAA]).unwrap();
        block.push(id, data).unwrap();
        block.push(3, &[0xBB]).unwrap();
        assert_eq!(block.as_bytes()[..2], [0x10, 0x00]);
        let read: Vec<_> = block.elements().collect();
        assert_eq!(read, [(1, &[0xAA][..]), (id, data), (3, &[0xBB][..])]);
    }
}

#[test]
fn what_no_extension_can_carry_is_refused_and_changes_nothing() {
    let mut block = ExtensionElements::new();
    block.push(1, &[0xAA]).unwrap();
    let before = block.clone();
    assert_eq!(block.push(0, &[1]), Err(ExtensionError::Id));
    assert_eq!(block.push(2, &[0; 256]), Err(ExtensionError::Len(256)));
    assert_eq!(block.set(2, &[1]), Err(ExtensionError::NoSuchElement));
    assert_eq!(block.set(1, &[1, 2]), Err(ExtensionError::NoSuchElement));
    assert_eq!(block, before);
}

#[test]
fn a_block_larger_than_the_length_field_is_refused() {
    let mut block = ExtensionElements::new();
    let full = (0..2_000).find_map(|_| block.push(1, &[0; 255]).err());
    assert_eq!(full, Some(ExtensionError::Full));
    // 1,020 elements of 257 octets fit into 65,535 words.
    assert_eq!(block.elements().count(), 1_020);
}

/// An element overwritten in place leaves its neighbours alone, after a change of form as well.
#[test]
fn an_element_is_overwritten_in_place() {
    let mut block = ExtensionElements::new();
    block.push(3, &[0, 0]).unwrap();
    block.push(4, b"mid").unwrap();
    block.push(20, &[5]).unwrap();
    block.set(3, &[0x12, 0x34]).unwrap();
    let read: Vec<_> = block.elements().collect();
    assert_eq!(read, [(3, &[0x12, 0x34][..]), (4, b"mid"), (20, &[5])]);
}

/// RFC 6464: the voice bit is the top bit of the octet, the level the seven below; 3 octets carry the
/// transmission offset of RFC 5450. Both pass through as they are.
#[test]
fn audio_level_and_transmission_offset_keep_every_bit() {
    let mut block = ExtensionElements::new();
    block.push(1, &[0x80 | 127]).unwrap();
    block.push(2, &[0xFF, 0xFF, 0xFE]).unwrap();
    let mut out = Vec::new();
    Header::default().encode_with(&mut out, &[], &block);
    assert_eq!(
        elements(&out),
        [(1, vec![0xFF]), (2, vec![0xFF, 0xFF, 0xFE])]
    );
}

fn packet(extension: &str) -> Vec<u8> {
    let mut bytes = hex::decode("906f00010000000200000003").unwrap();
    bytes.extend(hex::decode(extension.replace(' ', "")).unwrap());
    bytes.extend_from_slice(b"payload");
    bytes
}

fn elements(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    RtpPacket::parse(bytes)
        .unwrap()
        .extensions()
        .map(|(id, data)| (id, data.to_vec()))
        .collect()
}
