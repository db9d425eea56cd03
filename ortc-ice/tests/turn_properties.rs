//! The property of the fuzz target `turn`, on random input and on the committed corpus.

use std::fs;
use std::path::Path;

use ortc_testkit::props;
use proptest::prelude::*;

#[test]
fn the_corpus_of_turn_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/turn");
    let seeds = fs::read_dir(folder).expect("the corpus is committed");
    let run = |seed: std::io::Result<fs::DirEntry>| {
        let seed = seed
            .and_then(|seed| fs::read(seed.path()))
            .expect("a seed can be read");
        props::turn::turn(&seed);
    };
    assert!(seeds.map(run).count() >= 8);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_octets_keep_the_laws(data in prop::collection::vec(any::<u8>(), 0..600)) {
        props::turn::turn(&data);
    }

    #[test]
    fn octets_that_look_like_frames_keep_the_laws(
        data in prop::collection::vec(prop_oneof![Just(0_u8), Just(0x40), Just(0xFF), 0_u8..4, any::<u8>()], 0..400)
    ) {
        props::turn::turn(&data);
    }
}
