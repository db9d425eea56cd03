//! Properties of RTP packets, header extensions and sequence numbers.
#![expect(
    clippy::missing_panics_doc,
    reason = "a property panics when it does not hold"
)]

use ortc_rtp::sequence::Unwrapper;
use ortc_rtp::wire::{ExtensionElements, ExtensionError, RtpPacket};

/// What parses is covered to the last octet, and its header is written back as it was, in so far
/// as the writer has a choice: padding, foreign extensions and the order of padding are not its own.
pub fn packet(data: &[u8]) {
    let Ok(packet) = RtpPacket::parse(data) else {
        return;
    };
    let header_len = packet.header_len();
    let payload_end = header_len + packet.payload().len();
    assert_eq!(payload_end + packet.padding_len(), data.len());
    assert_eq!(&data[header_len..payload_end], packet.payload());
    assert_eq!(packet.padding_len() > 0, data[0] & 0x20 != 0);
    assert!(packet.payload_type() < 128);

    let csrcs: Vec<u32> = packet.csrcs().collect();
    let mut elements = ExtensionElements::new();
    for (id, value) in packet.extensions() {
        elements.push(id, value).unwrap();
    }
    let mut out = Vec::new();
    packet.header().encode_with(&mut out, &csrcs, &elements);
    out.extend_from_slice(packet.payload());
    let again = RtpPacket::parse(&out).unwrap();
    assert_eq!(again.header(), packet.header());
    assert!(again.csrcs().eq(csrcs));
    assert!(again.extensions().eq(packet.extensions()));
    assert_eq!(again.payload(), packet.payload());
    if packet.extension().is_none() && packet.padding_len() == 0 {
        assert_eq!(out, data);
    }
}

/// Elements pushed in any order and of any size come out again as they went in; what was refused
/// left no trace; an element overwritten in place changes alone.
pub fn header_extension(data: &[u8]) {
    let mut block = ExtensionElements::new();
    let mut expected: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut rest = data;
    while let Some((&[id, len], after)) = rest.split_first_chunk() {
        let (value, after) = after.split_at(after.len().min(len.into()));
        rest = after;
        match block.push(id, value) {
            Ok(()) => expected.push((id, value.to_vec())),
            Err(error) => assert_eq!((id, error), (0, ExtensionError::Id)),
        }
    }
    if let Some((id, value)) = expected.last().cloned() {
        let flipped: Vec<u8> = value.iter().map(|octet| !octet).collect();
        block.set(id, &flipped).unwrap();
        let place = expected
            .iter()
            .position(|(other, old)| *other == id && old.len() == value.len())
            .unwrap();
        expected[place].1 = flipped;
    }
    assert_eq!(block.as_bytes().len() % 4, 0);
    let read: Vec<_> = block
        .elements()
        .map(|(id, value)| (id, value.to_vec()))
        .collect();
    assert_eq!(read, expected);

    // The same octets as if they had arrived: in a packet, the elements are those of the block.
    let mut out = Vec::new();
    ortc_rtp::wire::Header::default().encode_with(&mut out, &[], &block);
    let packet = RtpPacket::parse(&out).unwrap();
    assert!(packet.extensions().eq(block.elements()));

    // And octets nobody has encoded: every element lies inside them, in order.
    for profile in [[0xBE, 0xDE], [0x10, 0x00], [0x10, 0x0F], [0xAB, 0xCD]] {
        let words = data.len() / 4;
        let Ok(words) = u16::try_from(words) else {
            return;
        };
        let mut out = vec![0x90, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        out.extend_from_slice(&profile);
        out.extend_from_slice(&words.to_be_bytes());
        out.extend_from_slice(&data[..usize::from(words) * 4]);
        let packet = RtpPacket::parse(&out).unwrap();
        let form = if profile == [0xBE, 0xDE] { 1 } else { 2 };
        let taken: usize = packet
            .extensions()
            .map(|(id, value)| {
                assert_ne!(id, 0);
                assert!(form == 2 || (id < 15 && (1..=16).contains(&value.len())));
                form + value.len()
            })
            .sum();
        assert!(taken <= usize::from(words) * 4);
        assert!(profile != [0xAB, 0xCD] || taken == 0);
    }
}

/// Unwrapped numbers agree with a naive search for the nearest number with the same low 16 bits.
pub fn unwrapper(data: &[u8]) {
    let mut unwrapper = Unwrapper::new();
    let mut highest: Option<u64> = None;
    for pair in data.chunks_exact(2) {
        let sequence = u16::from_be_bytes([pair[0], pair[1]]);
        let expected = match highest {
            None => 0x1_0000 + u64::from(sequence),
            // The only candidate from 2^15 behind to 2^15 - 1 ahead.
            Some(highest) => {
                let cycle = highest & !0xFFFF;
                [
                    cycle.wrapping_sub(0x1_0000),
                    cycle,
                    cycle.wrapping_add(0x1_0000),
                ]
                .into_iter()
                .map(|cycle| cycle + u64::from(sequence))
                .find(|candidate| *candidate + 0x8000 >= highest && *candidate < highest + 0x8000)
                .unwrap()
            }
        };
        assert_eq!(unwrapper.peek(sequence), expected);
        assert_eq!(unwrapper.unwrap(sequence), expected);
        highest = Some(highest.map_or(expected, |highest| highest.max(expected)));
        assert_eq!(unwrapper.highest(), highest);
    }
}
