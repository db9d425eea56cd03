//! At steady state a media packet allocates nothing, on either side.

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

use core::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use ortc_core::{Frame, MediaKind, Profile, ReceiveMode, RtpToSend};
use ortc_testkit::pair::Pair;

const PACKETS: u64 = 10_000;

/// Sends packet after packet, 1 ms apart, and counts what is allocated once everything has its
/// size: the sum of both ends.
fn allocations(mode: ReceiveMode, mut send: impl FnMut(&mut Pair, u64)) -> u64 {
    let mut pair = Pair::connected(Profile::AeadAes128Gcm, MediaKind::Audio, 1, mode);
    let mut run = |pair: &mut Pair, range: core::ops::Range<u64>| {
        let mut received = 0;
        let packets = range.end - range.start;
        for index in range {
            send(pair, index);
            pair.settle();
            received += pair.take_media();
            pair.advance(Duration::from_millis(1));
        }
        received += pair.take_media();
        assert_eq!(
            u64::try_from(received).unwrap(),
            packets,
            "every packet came out"
        );
    };
    run(&mut pair, 0..PACKETS);
    let info = measure(|| run(&mut pair, PACKETS..2 * PACKETS));
    info.count_total
}

#[test]
fn raw_rtp_allocates_nothing_per_packet() {
    let payload = Bytes::from(vec![7; 1_100]);
    let count = allocations(ReceiveMode::Raw, |pair, index| {
        let packet = RtpToSend {
            payload_type: 111,
            marker: false,
            timestamp: u32::try_from(index * 48).unwrap(),
            skip: 0,
            payload: payload.clone(),
        };
        pair.a
            .connection
            .send_rtp(pair.tracks[0], packet, pair.now)
            .unwrap();
    });
    assert_eq!(count, 0);
}

#[test]
fn frames_of_one_packet_allocate_nothing() {
    let payload = Bytes::from(vec![7; 160]);
    let count = allocations(ReceiveMode::Frames, |pair, index| {
        let frame = Frame::new(payload.clone(), index * 48);
        pair.a
            .connection
            .send_frame(pair.tracks[0], &frame, pair.now)
            .unwrap();
    });
    assert_eq!(count, 0);
}
