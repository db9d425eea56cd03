//! The properties of payload formats and reorder buffer over random input and the fuzz corpora.

use std::path::PathBuf;

use ortc_rtp::payload::{Format, PacketizationMode};
use ortc_testkit::props::{jitter, payload};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::proptest;

const SINGLE: Format = Format::H264 {
    mode: PacketizationMode::SingleNal,
};

type Property = fn(&[u8]);

proptest! {
    #[test]
    fn any_octets_are_read_within_bounds(data in vec(any::<u8>(), 0..600)) {
        payload::depacketize_opus(&data);
        payload::depacketize_g711(&data);
        payload::depacketize_vp8(&data);
        payload::depacketize_h264(&data);
    }

    #[test]
    fn every_frame_comes_back_as_it_was(data in vec(any::<u8>(), 0..2_000)) {
        for format in [Format::Opus, Format::Pcma, Format::Vp8, payload::H264, SINGLE] {
            payload::round_trip(format, &data);
        }
    }

    #[test]
    fn any_packets_come_out_in_order_and_once(data in vec(any::<u8>(), 0..1_200)) {
        jitter::reorder_buffer(&data);
    }

    #[test]
    fn a_disturbed_stream_loses_whole_frames_only(data in vec(any::<u8>(), 0..1_500)) {
        jitter::stream(&data);
    }
}

#[test]
fn the_corpora_keep_the_properties() {
    let targets: [(&str, Property); 5] = [
        ("depacketize_opus", payload::depacketize_opus),
        ("depacketize_g711", payload::depacketize_g711),
        ("depacketize_vp8", payload::depacketize_vp8),
        ("depacketize_h264", payload::depacketize_h264),
        ("reorder_buffer", jitter::reorder_buffer),
    ];
    for (target, property) in targets {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../fuzz/corpus")
            .join(target);
        let mut seeds = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            property(&std::fs::read(entry.unwrap().path()).unwrap());
            seeds += 1;
        }
        assert!(seeds > 0, "{target} has no seeds");
    }
}
