//! The properties of the testkit, over random input and over the committed seeds.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

use std::path::Path;

use ortc_testkit::props;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn calls_in_any_order_and_any_datagrams_leave_two_connections_sane(
        data in vec(any::<u8>(), 0..1_500)
    ) {
        props::core::connection_script(&data);
    }

    #[test]
    fn a_socket_gives_every_datagram_to_its_own_connection_or_to_none(
        data in vec(any::<u8>(), 0..900)
    ) {
        props::socket::routing(&data);
    }

    #[test]
    fn servers_and_streams_that_do_anything_leave_a_connection_sane(
        data in vec(any::<u8>(), 0..600)
    ) {
        props::network::servers_and_streams(&data);
    }

    #[test]
    fn what_is_lost_is_repaired_and_nothing_comes_twice(data in vec(any::<u8>(), 0..150)) {
        props::repair::repair(&data);
    }

    #[test]
    fn a_connected_call_stays_sane(setup in 0_u8..16, data in vec(any::<u8>(), 0..1_500)) {
        let script: Vec<u8> = core::iter::once(0x0F | (setup << 4)).chain(data).collect();
        props::core::connection_script(&script);
    }

    #[test]
    fn descriptions_survive_or_are_refused(
        kind in "audio|video|x",
        ssrc in "[0-9]{0,11}|-1|a",
        name in "opus|vp8|dtmf|h264|\\PC{0,4}",
        id in 0_u32..300,
        msid in vec("[a-c]{0,2}", 0..4),
    ) {
        let text = serde_json::json!({
            "kind": kind, "ssrc": ssrc, "msid": msid,
            "codecs": [{ "payload-id": id, "name": name }]
        });
        props::core::descriptions(text.to_string().as_bytes());
    }
}

#[test]
fn seeds_hold() {
    replay("connection", props::core::connection_script);
    replay("descriptions", props::core::descriptions);
    replay("socket", props::socket::routing);
    replay("repair", props::repair::repair);
    replay("network", props::network::servers_and_streams);
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
