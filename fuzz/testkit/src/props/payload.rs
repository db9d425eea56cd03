//! Properties of payload formats.
#![expect(clippy::missing_panics_doc, reason = "a property reports by panicking")]

use bytes::{Bytes, BytesMut};
use ortc_rtp::payload::vp8::Descriptor;
use ortc_rtp::payload::{
    Depacketizer, Format, PacketizationMode, PacketizeError, Packetizer, Segment, h264, opus,
};

/// The largest frame that the depacketizers below accept.
const MAX_FRAME: usize = 4_096;

/// H.264 in the mode that allows everything.
pub const H264: Format = Format::H264 {
    mode: PacketizationMode::NonInterleaved,
};

/// Any octets as a sequence of Opus payloads.
pub fn depacketize_opus(data: &[u8]) {
    depacketize(Format::Opus, data);
    if let Ok(samples) = opus::duration(data) {
        assert!((120..=5_760).contains(&samples) && samples % 120 == 0);
    }
}

/// Any octets as a sequence of G.711 payloads.
pub fn depacketize_g711(data: &[u8]) {
    depacketize(Format::Pcmu, data);
    depacketize(Format::Pcma, data);
}

/// Any octets as a sequence of VP8 payloads, and as a descriptor.
pub fn depacketize_vp8(data: &[u8]) {
    depacketize(Format::Vp8, data);
    if let Ok((descriptor, len)) = Descriptor::parse(data) {
        let encoded = descriptor.encode();
        let (again, length) = Descriptor::parse(&encoded).unwrap();
        assert_eq!(again, descriptor);
        assert_eq!(length, encoded.len());
        assert!(encoded.len() <= len, "only empty extensions are left out");
    }
}

/// Any octets as a sequence of H.264 payloads, and as an Annex B stream.
pub fn depacketize_h264(data: &[u8]) {
    depacketize(H264, data);
    let mut end = 0;
    for unit in h264::units(data) {
        assert!(unit.start >= end + 3 && !unit.is_empty());
        assert_eq!(&data[unit.start - 3..unit.start], &[0, 0, 1]);
        assert_ne!(data[unit.end - 1], 0);
        end = unit.end;
    }
}

/// Payloads of `data` (a length octet before each; its high bit ends the frame): every part adds
/// exactly what it announced, and a frame has the length of its parts and never exceeds the limit.
fn depacketize(format: Format, data: &[u8]) {
    let mut depacketizer = Depacketizer::new(format, MAX_FRAME);
    let mut frame = BytesMut::new();
    let mut rest = data;
    while let Some((&head, tail)) = rest.split_first() {
        let (payload, tail) = tail.split_at(tail.len().min(usize::from(head & 0x7f)));
        rest = tail;
        let Ok(part) = depacketizer.parse(payload) else {
            depacketizer.reset();
            frame.clear();
            continue;
        };
        if depacketizer.add(&part).is_err() {
            frame.clear();
            continue;
        }
        let before = frame.len();
        part.append_to(payload, &mut frame);
        assert_eq!(frame.len() - before, part.len());
        assert!(frame.len() <= MAX_FRAME);
        if head & 0x80 != 0 {
            if let Ok(whole) = depacketizer.finish() {
                assert_eq!(whole.len, frame.len());
            }
            frame.clear();
        }
    }
}

/// A frame that was split comes back as it was, in segments of one length but a shorter last, and
/// one that is refused puts nothing out. The first octet sets the payload size.
pub fn round_trip(format: Format, data: &[u8]) {
    let (max, frame) = match data.split_first() {
        Some((&max, frame)) => (usize::from(max), frame),
        None => (0, data),
    };
    let frame = match format.kind() {
        ortc_rtp::payload::MediaKind::Audio => Bytes::copy_from_slice(frame),
        ortc_rtp::payload::MediaKind::Video if format == Format::Vp8 => {
            Bytes::copy_from_slice(frame)
        }
        ortc_rtp::payload::MediaKind::Video => access_unit(frame),
    };
    let mut segments: Vec<Segment> = Vec::new();
    let result = Packetizer::new(format, 0x7fff).packetize(&frame, max, &mut segments);
    let count = match result {
        Ok(count) => count,
        Err(error) => {
            assert!(segments.is_empty());
            let too_small = matches!(error, PacketizeError::PayloadSize { need, .. } if max < need);
            assert!(error == PacketizeError::Empty || max < frame.len() || too_small);
            return;
        }
    };
    assert_eq!(count, segments.len());
    assert!(segments.iter().all(|s| !s.is_empty() && s.len() <= max));
    if format == Format::Vp8 {
        let (last, others) = segments.split_last().unwrap();
        assert!(others.iter().all(|s| s.len() == others[0].len()));
        assert!(others.first().is_none_or(|s| last.len() <= s.len()));
    }
    assert_eq!(rebuild(format, &segments), frame);
}

/// What a receiver of these segments makes of them.
pub fn rebuild(format: Format, segments: &[Segment]) -> BytesMut {
    let mut depacketizer = Depacketizer::new(format, 1 << 24);
    let mut frame = BytesMut::new();
    for segment in segments {
        let mut payload = Vec::new();
        segment.write_to(&mut payload);
        let part = depacketizer.parse(&payload).unwrap();
        depacketizer.add(&part).unwrap();
        part.append_to(&payload, &mut frame);
    }
    assert_eq!(depacketizer.finish().unwrap().len, frame.len());
    frame
}

/// An access unit of NAL units that are legal in shape: a length octet before each, a type from 1
/// to 23, no zero octets (which would need emulation prevention).
#[must_use]
pub fn access_unit(data: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    let mut rest = data;
    while let Some((&len, tail)) = rest.split_first() {
        let (unit, tail) = tail.split_at(tail.len().min(usize::from(len)));
        rest = tail;
        let Some((&header, body)) = unit.split_first() else {
            continue;
        };
        frame.extend_from_slice(&[0, 0, 0, 1, header & 0xe0 | ((header & 0x1f) % 23 + 1)]);
        frame.extend(body.iter().map(|&octet| octet | 1));
    }
    frame.freeze()
}
