//! The properties that fuzzing explores, over random scripts and over the committed corpus.

use std::path::Path;

use ortc_testkit::props::srtp;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any};
use proptest::proptest;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn a_call_keeps_to_the_naive_model(script in vec(any::<u8>(), 0..3000)) {
        srtp::unprotect(&script);
    }

    #[test]
    fn any_packet_survives(profile: u8, mut packet in vec(any::<u8>(), 0..300)) {
        // Half of the version field's values would be refused at once.
        if let Some(first) = packet.first_mut() {
            *first |= 0x80;
        }
        packet.insert(0, profile);
        srtp::any_packet(&packet);
    }
}

#[test]
fn the_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/srtp_unprotect");
    let mut seeds = 0;
    for entry in corpus.read_dir().unwrap() {
        srtp::unprotect(&std::fs::read(entry.unwrap().path()).unwrap());
        seeds += 1;
    }
    assert!(seeds > 0);
}
