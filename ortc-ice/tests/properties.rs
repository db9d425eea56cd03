//! The properties of the fuzz targets, on random input and on the committed corpus.

use std::fs;
use std::path::Path;

use ortc_testkit::props;
use proptest::prelude::*;

/// Runs a property over the committed seeds of its fuzz target; says how many there were.
fn replay(target: &str, property: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let seeds = fs::read_dir(folder).expect("the corpus is committed");
    let run = |seed: std::io::Result<fs::DirEntry>| {
        let seed = seed
            .and_then(|seed| fs::read(seed.path()))
            .expect("a seed can be read");
        property(&seed);
    };
    seeds.map(run).count()
}

#[test]
fn the_corpus_of_stun_holds() {
    assert!(replay("stun", props::stun::message) >= 8);
}

#[test]
fn the_corpus_of_ice_agent_holds() {
    assert!(replay("ice_agent", props::ice::agents) >= 8);
}

#[test]
fn the_corpus_of_framing_holds() {
    assert!(replay("framing", props::framing::framing) >= 5);
}

#[test]
fn the_corpus_of_candidate_attribute_holds() {
    let target = "candidate_attribute";
    assert!(replay(target, props::framing::candidate_attribute) >= 7);
}

#[test]
fn the_corpus_of_ice_candidates_holds() {
    assert!(replay("ice_candidates", props::ice_candidates::come_and_go) >= 8);
}

/// Lines that are almost right.
fn attribute() -> impl Strategy<Value = String> {
    let transport = prop::sample::select(vec!["udp", "UDP", "tcp", "sctp"]);
    let address = prop::sample::select(vec![
        "10.0.0.1",
        "2001:db8::1",
        "0.0.0.0",
        "1b8a3f6e-5f4c-4d7e-9c4a-2f1f6f0d9b11.local",
        "printer.local",
    ]);
    let kind = prop::sample::select(vec!["host", "srflx", "prflx", "relay", "nat"]);
    let rest = prop::sample::select(vec![
        "",
        " raddr 10.0.0.2 rport 7",
        " tcptype active",
        " tcptype so generation 0",
        " raddr x.local rport 9",
        " odd",
    ]);
    let head = "[a-z0-9+/]{1,4}";
    (head, 0_u32..300, transport, any::<u32>(), address, any::<u16>(), kind, rest).prop_map(
        |(foundation, component, transport, priority, address, port, kind, rest)| {
            format!("candidate:{foundation} {component} {transport} {priority} {address} {port} typ {kind}{rest}")
        },
    )
}

#[test]
fn the_corpus_of_ice_matrix_holds() {
    assert!(replay("ice_matrix", props::ice_matrix::property) >= 8);
}

/// A header with the right cookie and length, and attributes of the known numbers: octets at
/// random would stop at the cookie.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let kinds: Vec<u16> = vec![
        1, 6, 8, 9, 10, 0x14, 0x15, 0x20, 0x24, 0x25, 0x7777, 0x8022, 0x8028, 0x8029, 0x802A,
        0xC057,
    ];
    let lengths = prop_oneof![Just(0_usize), Just(4), Just(8), Just(20), 0_usize..24];
    let attribute = (prop::sample::select(kinds), lengths, any::<[u8; 24]>());
    let attributes = prop::collection::vec(attribute, 0..6);
    (0_u16..0x4000, any::<[u8; 12]>(), attributes).prop_map(|(kind, id, attributes)| {
        let mut body = Vec::new();
        for (kind, length, value) in attributes {
            body.extend_from_slice(&kind.to_be_bytes());
            body.extend_from_slice(&u16::try_from(length).unwrap_or(0).to_be_bytes());
            let padded = length.next_multiple_of(4);
            let mut value: Vec<u8> = value.into_iter().cycle().take(padded).collect();
            // A family, a class: what makes structured values likely.
            for (octet, likely) in value.iter_mut().zip([0, 1 + (id[0] & 1), 4, 20]) {
                *octet = likely;
            }
            body.extend_from_slice(&value);
        }
        let length = u16::try_from(body.len()).unwrap_or(0);
        let head = [
            &kind.to_be_bytes()[..],
            &length.to_be_bytes(),
            &0x2112_A442_u32.to_be_bytes(),
        ];
        [&head.concat()[..], &id, &body].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_plausible_message_is_what_its_parts_say(data in plausible()) {
        props::stun::message(&data);
    }

    #[test]
    fn octets_at_random_do_not_confuse_the_parser(data in prop::collection::vec(any::<u8>(), 0..200)) {
        props::stun::message(&data);
    }

    #[test]
    fn any_split_of_a_stream_gives_the_same_frames(
        cut in any::<u8>(),
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
        rest in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut data = vec![cut];
        for frame in frames {
            let start = data.len();
            data.extend_from_slice(&frame);
            ortc_ice::frame(&mut data, start).unwrap();
        }
        data.extend_from_slice(&rest);
        props::framing::framing(&data);
    }

    #[test]
    fn a_candidate_that_is_read_is_written_the_same(line in attribute()) {
        props::framing::candidate_attribute(line.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn candidates_that_come_and_go_never_break_what_works(data in prop::collection::vec(any::<u8>(), 0..64)) {
        props::ice_candidates::come_and_go(&data);
    }
}
