//! The property of the fuzz target `gather`, on random scripts and on the committed ones.

use std::fs;
use std::path::Path;

use ortc_testkit::props;
use proptest::prelude::*;

#[test]
fn the_corpus_of_gather_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/gather");
    let seeds = fs::read_dir(folder).expect("the corpus is committed");
    let mut count = 0;
    for seed in seeds {
        props::gather::script(&fs::read(seed.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 8);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn strangers_change_nothing(data in prop::collection::vec(any::<u8>(), 0..400)) {
        props::gather::script(&data);
    }

    /// Begins with bases, servers and a round, so that there is something to answer.
    #[test]
    fn answers_change_what_was_asked(data in prop::collection::vec(any::<u8>(), 0..300)) {
        let start = [0, 0, 0, 2, 1, 0, 1, 1, 1, 1, 1, 2, 1, 1, 4, 1, 1, 6, 1, 2, 9, 1, 9, 1, 9, 1];
        props::gather::script(&[&start[..], &data].concat());
    }
}
