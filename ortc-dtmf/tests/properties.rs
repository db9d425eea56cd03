//! The properties of the testkit, over random input and over the committed seeds.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

use std::path::Path;

use ortc_testkit::props::dtmf;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn payloads_survive_a_round_trip(data in vec(any::<u8>(), 0..40)) {
        dtmf::telephone_event(&data);
    }

    #[test]
    fn hostile_streams_leave_the_receiver_sane(data in vec(any::<u8>(), 0..1_200)) {
        dtmf::dtmf_receiver(&data);
    }

    #[test]
    fn late_callers_get_whole_tones(data in vec(any::<u8>(), 0..200)) {
        dtmf::dtmf_sender(&data);
    }

    #[test]
    fn loss_and_reordering_change_no_tone(data in vec(any::<u8>(), 0..400)) {
        dtmf::tones_survive(&data);
    }
}

#[test]
fn seeds_hold() {
    replay("telephone_event", dtmf::telephone_event);
    replay("dtmf_receiver", dtmf::dtmf_receiver);
    replay("dtmf_sender", dtmf::dtmf_sender);
    replay("tones_survive", dtmf::tones_survive);
}

fn replay(target: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut seeds: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty());
    for seed in seeds {
        property(&std::fs::read(seed).unwrap());
    }
}
