//! Opus (RFC 7587) and G.711 (RFC 3551): a frame is a payload.

use core::time::Duration;

use bytes::Bytes;
use ortc_rtp::payload::{
    Depacketizer, Format, MediaKind, PacketizeError, Packetizer, ParseError, Segment, g711,
    is_key_frame, opus,
};

#[test]
fn an_audio_frame_is_one_payload_without_marker() {
    for format in [Format::Opus, Format::Pcmu, Format::Pcma] {
        let frame = Bytes::from(vec![0x78; 160]);
        let mut segments: Vec<Segment> = Vec::new();
        let mut packetizer = Packetizer::new(format, 0);
        assert_eq!(packetizer.packetize(&frame, 160, &mut segments), Ok(1));
        assert_eq!(segments[0].body.as_ptr(), frame.as_ptr());
        assert_eq!((segments[0].len(), segments[0].marker), (160, false));

        assert_eq!(
            packetizer.packetize(&frame, 159, &mut segments),
            Err(PacketizeError::TooLarge { len: 160, max: 159 })
        );
        assert_eq!(
            packetizer.packetize(&Bytes::new(), 159, &mut segments),
            Err(PacketizeError::Empty)
        );
        assert_eq!(segments.len(), 1);
    }
}

#[test]
fn an_empty_audio_payload_is_refused() {
    let depacketizer = Depacketizer::new(Format::Opus, 100);
    assert!(matches!(
        depacketizer.parse(&[]),
        Err(ParseError::Truncated { .. })
    ));
    assert_eq!(
        depacketizer.parse(&[0; 101]),
        Err(ParseError::TooLarge { max: 100 })
    );
    assert!(
        depacketizer
            .parse(&[0x78])
            .is_ok_and(|part| part.is_key_frame())
    );
    assert!(is_key_frame(Format::Opus, &[0x78]));
}

/// RFC 6716 Table 2, in samples of 48 kHz.
#[test]
fn the_toc_octet_tells_the_duration() {
    let code_0 = |config: u8| opus::duration(&[config << 3]).unwrap();
    let silk = [480, 960, 1_920, 2_880];
    let celt = [120, 240, 480, 960];
    for config in 0..12 {
        assert_eq!(code_0(config), silk[usize::from(config % 4)]);
    }
    assert_eq!([12, 13, 14, 15].map(code_0), [480, 960, 480, 960]);
    for config in 16..32 {
        assert_eq!(code_0(config), celt[usize::from(config % 4)]);
    }
    assert_eq!(opus::duration(&[31 << 3 | 1]), Ok(1_920));
    assert_eq!(opus::duration(&[31 << 3 | 2]), Ok(1_920));
    assert_eq!(opus::duration(&[31 << 3 | 3, 0xc6]), Ok(5_760));
}

#[test]
fn a_packet_without_frame_count_or_beyond_120_ms_has_no_duration() {
    assert!(matches!(
        opus::duration(&[]),
        Err(ParseError::Truncated { need: 1, .. })
    ));
    assert!(matches!(
        opus::duration(&[3]),
        Err(ParseError::Truncated { need: 2, .. })
    ));
    assert!(opus::duration(&[31 << 3 | 3, 7]).is_err());
    assert!(opus::duration(&[31 << 3 | 3, 0]).is_err());
}

#[test]
fn formats_know_their_clock_and_kind() {
    assert_eq!(
        (Format::Opus.clock_rate(), Format::Opus.kind()),
        (48_000, MediaKind::Audio)
    );
    assert_eq!(
        (Format::Pcma.clock_rate(), Format::Pcmu.kind()),
        (8_000, MediaKind::Audio)
    );
    assert_eq!(
        (Format::Vp8.clock_rate(), Format::Vp8.kind()),
        (90_000, MediaKind::Video)
    );
    assert_eq!(g711::duration(&[0; 160]), Duration::from_millis(20));
}
