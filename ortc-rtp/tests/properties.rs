//! The properties of the testkit over random octets, over octets near valid ones, and over the seeds.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed expectation is the report"
)]

use std::path::Path;

use ortc_testkit::props;
use proptest::prelude::*;

const RTCP: &str = include_str!("data/rtcp.txt");
const RTP: &str = include_str!("data/rtp.txt");

proptest! {
    #[test]
    fn any_octets_as_an_rtp_packet(mut data in any_octets(), framed in any::<bool>()) {
        if framed && let Some(first) = data.first_mut() {
            *first = 0x80 | (*first & 0x3F);
        }
        props::rtp::packet(&data);
    }

    #[test]
    fn any_octets_as_header_extension(data in any_octets()) {
        props::rtp::header_extension(&data);
    }

    #[test]
    fn any_order_of_sequence_numbers(
        start in any::<u16>(),
        steps in prop::collection::vec(prop_oneof![any::<u16>(), 0..50_u16, 65_000..=u16::MAX], 0..200),
    ) {
        let mut sequence = start;
        let data: Vec<u8> = steps
            .into_iter()
            .flat_map(|step| {
                sequence = sequence.wrapping_add(step);
                sequence.to_be_bytes()
            })
            .collect();
        props::rtp::unwrapper(&data);
    }

    #[test]
    fn any_octets_behind_any_rtcp_header(
        count in 0..32_u8,
        packet_type in prop_oneof![200..208_u8, any::<u8>()],
        body in any_octets(),
    ) {
        let mut data = vec![0x80 | count, packet_type];
        let words = u16::try_from(body.len() / 4).unwrap();
        data.extend_from_slice(&words.to_be_bytes());
        data.extend_from_slice(&body[..usize::from(words) * 4]);
        props::rtcp::compound(&data);
    }

    #[test]
    fn recorded_rtcp_with_octets_changed(
        line in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        props::rtcp::compound(&changed(RTCP, line, &changes, cut));
    }

    #[test]
    fn recorded_rtp_with_octets_changed(
        line in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        props::rtp::packet(&changed(RTP, line, &changes, cut));
    }

    #[test]
    fn any_deltas_of_transport_feedback(
        deltas in prop::collection::vec(
            prop_oneof![Just(None), (0..256_i16).prop_map(Some), any::<i16>().prop_map(Some)],
            1..300,
        ),
        run in 0..40_usize,
    ) {
        // Runs, so that every kind of chunk is used.
        let deltas: Vec<_> = deltas
            .iter()
            .flat_map(|delta| core::iter::repeat_n(*delta, 1 + run))
            .collect();
        let mut out = Vec::new();
        ortc_rtp::wire::rtcp::TransportFeedback {
            sender_ssrc: 1,
            media_ssrc: 2,
            base_sequence: 65_500,
            reference_time: -1,
            feedback_count: 255,
            deltas: &deltas,
        }
        .encode(&mut out);
        let Some(Ok(ortc_rtp::wire::rtcp::Packet::TransportFeedback(view))) =
            ortc_rtp::wire::rtcp::packets(&out).next()
        else {
            panic!("not what was built");
        };
        prop_assert!(view.statuses().map(|(_, delta)| delta).eq(deltas));
        prop_assert_eq!(view.reference_time(), -1);
    }
}

#[test]
fn the_seeds_of_the_fuzz_targets_hold() {
    replay("rtp", props::rtp::packet);
    replay("header_extension", props::rtp::header_extension);
    replay("rtcp", props::rtcp::compound);
}

fn replay(target: &str, property: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut seeds = 0;
    for seed in std::fs::read_dir(folder).unwrap() {
        property(&std::fs::read(seed.unwrap().path()).unwrap());
        seeds += 1;
    }
    assert!(seeds >= 5, "{target}: {seeds} seeds");
}

fn any_octets() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..120)
}

fn changed(
    file: &str,
    line: prop::sample::Index,
    changes: &[(prop::sample::Index, u8)],
    cut: prop::sample::Index,
) -> Vec<u8> {
    let lines: Vec<_> = file.lines().filter(|line| !line.starts_with('#')).collect();
    let mut data = hex::decode(line.get(&lines).split(' ').nth(2).unwrap()).unwrap();
    for (place, octet) in changes {
        let place = place.index(data.len());
        data[place] = *octet;
    }
    // Every second one whole, so that not all fail by their length.
    if cut.index(2) == 1 {
        data.truncate(cut.index(data.len()));
    }
    data
}
