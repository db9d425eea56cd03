//! Two agents, random operations, a lossy network: whatever happens, both connect in the end.

use ortc_testkit::props;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn two_agents_agree_in_the_end(script in prop::collection::vec(any::<u8>(), 0..60)) {
        props::ice::agents(&script);
    }
}
