//! The reorder buffer: whole frames, in order, whatever the network does.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed expectation is the report"
)]

use core::time::Duration;
use std::time::Instant;

use bytes::{Buf, Bytes};
use ortc_rtp::jitter::{Config, Frame, Output, Packet, PushError, ReorderBuffer};
use ortc_rtp::payload::{Format, PacketizationMode, Packetizer, Segment, h264};

const H264: Format = Format::H264 {
    mode: PacketizationMode::NonInterleaved,
};
const VP8: Format = Format::Vp8;

const VP8_START: &[u8] = &[0x10, 0x01, 0xaa];
const VP8_REST: &[u8] = &[0x00, 0xbb];

#[test]
fn swapped_packets_come_out_in_order() {
    let (mut buffer, now) = (buffer(Format::Opus), origin());
    for extended in [10, 12, 11, 13] {
        buffer.push(audio(extended), now).unwrap();
    }
    assert_eq!(firsts(&drain(&mut buffer, now)), [10, 11, 12, 13]);
    assert_eq!(buffer.poll_timeout(), None);
}

#[test]
fn a_missing_packet_blocks_until_its_limit_and_is_reported_once() {
    let (mut buffer, now) = (buffer(Format::Opus), origin());
    for extended in [10, 14, 13] {
        buffer.push(audio(extended), now).unwrap();
    }
    drain(&mut buffer, now);

    let due = now + Duration::from_millis(120);
    assert_eq!(buffer.poll_timeout(), Some(due));
    assert!(drain(&mut buffer, due - Duration::from_millis(1)).is_empty());
    buffer.handle_timeout(due);
    assert_eq!(buffer.poll_timeout(), Some(due), "queued output is due now");

    let outputs = drain(&mut buffer, due);
    assert_eq!(
        outputs[0],
        Output::Gap {
            first: 11,
            packets: 2
        }
    );
    let [after, next] = &frames(&outputs)[..] else {
        panic!("{outputs:?}")
    };
    assert!(after.after_gap && !next.after_gap);
    assert_eq!(buffer.push(audio(11), due), Err(PushError::Late));
    assert_eq!((buffer.stats().lost, buffer.stats().late), (2, 1));
    assert_eq!(buffer.poll_timeout(), None);
}

#[test]
fn a_packet_that_fills_half_a_gap_does_not_prolong_the_wait() {
    let (mut buffer, now) = (buffer(Format::Opus), origin());
    buffer.push(audio(10), now).unwrap();
    buffer.push(audio(14), now).unwrap();
    let later = now + Duration::from_millis(60);
    buffer.push(audio(12), later).unwrap();
    assert_eq!(buffer.poll_timeout(), Some(later), "the frame 10 waits");
    drain(&mut buffer, later);
    assert_eq!(
        buffer.poll_timeout(),
        Some(now + Duration::from_millis(120))
    );
    buffer.push(audio(11), later).unwrap();
    drain(&mut buffer, later);
    assert_eq!(
        buffer.poll_timeout(),
        Some(now + Duration::from_millis(120))
    );
}

#[test]
fn numbers_of_telephone_events_and_padding_are_not_missing() {
    let (mut buffer, now) = (buffer(Format::Opus), origin());
    buffer.push(audio(10), now).unwrap();
    buffer.push(audio(14), now).unwrap();
    buffer.skip(12, now);
    buffer.skip(11, now);
    let padding = Packet {
        payload: Bytes::new(),
        ..audio(13)
    };
    buffer.push(padding, now).unwrap();
    assert_eq!(firsts(&drain(&mut buffer, now)), [10, 14]);
    assert_eq!((buffer.stats().skipped, buffer.stats().lost), (3, 0));
}

#[test]
fn a_skipped_number_before_the_first_packet_leaves_no_hole() {
    let (mut buffer, now) = (buffer(VP8), origin());
    buffer.skip(20, now);
    assert_eq!(
        buffer.push(packet(19, 0, true, VP8_START), now),
        Err(PushError::Late)
    );
    buffer.push(packet(21, 1, true, VP8_START), now).unwrap();
    assert_eq!(firsts(&drain(&mut buffer, now)), [21]);
}

#[test]
fn late_and_duplicate_packets_are_counted_and_change_nothing() {
    let (mut buffer, now) = (buffer(VP8), origin());
    buffer.push(packet(5, 0, false, VP8_START), now).unwrap();
    assert_eq!(
        buffer.push(packet(5, 0, false, VP8_START), now),
        Err(PushError::Duplicate)
    );
    buffer.push(packet(6, 0, true, VP8_REST), now).unwrap();
    let outputs = drain(&mut buffer, now);
    assert_eq!(frames(&outputs)[0].payload[..], [0x01, 0xaa, 0xbb]);
    assert_eq!(
        buffer.push(packet(6, 0, true, VP8_REST), now),
        Err(PushError::Late)
    );
    assert_eq!((buffer.stats().duplicate, buffer.stats().late), (1, 1));
}

#[test]
fn a_frame_of_one_packet_is_a_slice_of_it() {
    let (mut buffer, now) = (buffer(VP8), origin());
    let one = packet(1, 0, true, VP8_START);
    let address = one.payload.slice(1..).as_ptr();
    buffer.push(one, now).unwrap();
    assert_eq!(
        frames(&drain(&mut buffer, now))[0].payload.as_ptr(),
        address
    );
}

#[test]
fn the_memory_of_a_dropped_frame_is_used_again() {
    let (mut buffer, now) = (buffer(VP8), origin());
    let mut addresses = Vec::new();
    for frame in 0..200_u32 {
        let first = u64::from(frame) * 2;
        let start = [&[0x10][..], &[1; 900]].concat();
        buffer
            .push(packet(first, frame, false, &start), now)
            .unwrap();
        buffer
            .push(packet(first + 1, frame, true, VP8_REST), now)
            .unwrap();
        let outputs = drain(&mut buffer, now);
        addresses.push(frames(&outputs)[0].payload.as_ptr());
    }
    addresses.sort_unstable();
    addresses.dedup();
    assert!(addresses.len() <= 4, "{} places", addresses.len());
}

#[test]
fn frames_that_are_held_stay_as_they_are() {
    let (mut buffer, now) = (buffer(VP8), origin());
    let mut held = Vec::new();
    for frame in 0..40_u8 {
        let first = u64::from(frame) * 2;
        let start = [&[0x10][..], &vec![frame; 2_000]].concat();
        buffer
            .push(packet(first, frame.into(), false, &start), now)
            .unwrap();
        buffer
            .push(packet(first + 1, frame.into(), true, &[0, frame]), now)
            .unwrap();
        held.extend(frames(&drain(&mut buffer, now)).into_iter().cloned());
    }
    for (frame, octet) in held.iter().zip(0..) {
        assert_eq!(frame.payload[..], vec![octet; 2_001]);
    }
}

#[test]
fn an_h264_frame_without_marker_ends_where_the_timestamp_changes() {
    let (mut buffer, now) = (buffer(H264), origin());
    buffer
        .push(packet(1, 50, true, &[0x41, 0x9a]), now)
        .unwrap();
    // Two slices of one access unit, then the first of another.
    buffer
        .push(packet(2, 100, false, &[0x41, 0x9a]), now)
        .unwrap();
    buffer
        .push(packet(3, 100, false, &[0x41, 0x5a]), now)
        .unwrap();
    let started = now + Duration::from_millis(250);
    assert_eq!(firsts(&drain(&mut buffer, started)), [1]);
    buffer
        .push(packet(4, 200, false, &[0x41, 0x9a]), started)
        .unwrap();
    let outputs = drain(&mut buffer, started);
    assert_eq!(outputs.len(), 1);
    let frame = frames(&outputs)[0];
    assert_eq!((frame.first, frame.last, frame.after_gap), (2, 3, false));
}

/// A forwarder that writes sequence numbers of its own and missed a packet leaves no gap.
#[test]
fn a_vp8_frame_without_marker_is_not_whole_though_no_number_is_missing() {
    let (mut buffer, now) = (buffer(VP8), origin());
    buffer.push(packet(1, 100, false, VP8_START), now).unwrap();
    buffer.push(packet(2, 100, false, VP8_REST), now).unwrap();
    buffer.push(packet(3, 200, false, VP8_START), now).unwrap();
    buffer.push(packet(4, 200, true, VP8_REST), now).unwrap();
    let outputs = drain(&mut buffer, now);
    assert_eq!(outputs.len(), 1);
    let frame = frames(&outputs)[0];
    assert_eq!((frame.first, frame.last, frame.after_gap), (3, 4, true));
    assert_eq!(buffer.stats().dropped, 2);
    assert_eq!(buffer.stats().lost, 0);
}

#[test]
fn a_frame_with_a_missing_packet_is_dropped_and_the_next_whole_one_delivered() {
    let (mut buffer, now) = (buffer(VP8), origin());
    buffer.push(packet(1, 100, false, VP8_START), now).unwrap();
    // 2 is lost
    buffer.push(packet(3, 100, true, VP8_REST), now).unwrap();
    buffer.push(packet(4, 200, true, VP8_START), now).unwrap();
    // 5, the beginning of a frame, is lost
    buffer.push(packet(6, 300, true, VP8_REST), now).unwrap();
    buffer.push(packet(7, 400, true, VP8_START), now).unwrap();
    let outputs = drain(&mut buffer, now + Duration::from_millis(500));
    assert_eq!(
        outputs[0],
        Output::Gap {
            first: 2,
            packets: 1
        }
    );
    assert_eq!(
        outputs[2],
        Output::Gap {
            first: 5,
            packets: 1
        }
    );
    let frames = frames(&outputs);
    assert_eq!(
        frames.iter().map(|f| f.timestamp).collect::<Vec<_>>(),
        [200, 400]
    );
    assert!(frames.iter().all(|frame| frame.after_gap));
    assert_eq!(buffer.stats().dropped, 3);
}

#[test]
fn a_key_frame_whose_parameter_sets_are_lost_is_not_delivered() {
    let sets: &[u8] = &[0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xce];
    for (lost, expected) in [(2, vec![1, 4]), (9, vec![1, 2, 4])] {
        let (mut buffer, now) = (buffer(H264), origin());
        for packet in [
            packet(1, 100, true, &[0x41, 0x9a]),
            packet(2, 200, false, sets),
            packet(3, 200, true, &[0x65, 0x88]),
            packet(4, 300, true, &[0x41, 0x9a]),
        ] {
            if packet.extended != lost {
                buffer.push(packet, now).unwrap();
            }
        }
        let outputs = drain(&mut buffer, now + Duration::from_secs(1));
        assert_eq!(firsts(&outputs), expected);
    }
}

#[test]
fn after_a_gap_a_slice_that_is_not_the_first_of_its_picture_is_no_frame() {
    let (mut buffer, now) = (buffer(H264), origin());
    for packet in [
        packet(1, 100, true, &[0x41, 0x9a]),
        // 2, the first slice, is lost
        packet(3, 200, true, &[0x41, 0x5a]),
        // the packet before is known to end a frame
        packet(4, 300, false, &[0x41, 0x9a]),
        packet(5, 300, true, &[0x41, 0x5a]),
        // 6 is lost: this has the first macroblock and another timestamp
        packet(7, 400, true, &[0x41, 0x9b]),
        // 8 is lost, and with the timestamp of what stood before it nothing begins
        packet(9, 400, true, &[0x41, 0x9b]),
    ] {
        buffer.push(packet, now).unwrap();
    }
    let outputs = drain(&mut buffer, now + Duration::from_secs(1));
    assert_eq!(firsts(&outputs), [1, 4, 7]);
}

#[test]
fn a_stream_that_begins_swapped_keeps_its_first_frame() {
    let (mut buffer, now) = (buffer(VP8), origin());
    buffer.push(packet(11, 100, false, VP8_REST), now).unwrap();
    buffer.push(packet(12, 100, true, VP8_REST), now).unwrap();
    assert!(drain(&mut buffer, now).is_empty());
    assert!(buffer.awaits_beginning());
    buffer.push(packet(10, 100, false, VP8_START), now).unwrap();
    assert!(!buffer.awaits_beginning());
    let outputs = drain(&mut buffer, now);
    assert_eq!(firsts(&outputs), [10]);
    assert!(!frames(&outputs)[0].after_gap);
}

#[test]
fn a_stream_joined_inside_a_frame_begins_with_the_next_one() {
    let (mut buffer, now) = (buffer(VP8), origin());
    buffer.push(packet(11, 100, true, VP8_REST), now).unwrap();
    buffer.push(packet(12, 200, true, VP8_START), now).unwrap();
    let due = buffer.poll_timeout().unwrap();
    assert_eq!(due, now + Duration::from_millis(250));
    let outputs = drain(&mut buffer, due);
    assert_eq!(firsts(&outputs), [12]);
    assert!(frames(&outputs)[0].after_gap);
}

#[test]
fn a_malformed_packet_costs_its_frame_and_no_time() {
    let (mut buffer, now) = (buffer(H264), origin());
    buffer
        .push(packet(1, 100, false, &[0x67, 0x42]), now)
        .unwrap();
    let refused = buffer.push(packet(2, 100, false, &[0x78, 0, 9, 1]), now);
    assert!(matches!(refused, Err(PushError::Malformed(_))));
    buffer
        .push(packet(3, 100, true, &[0x65, 0x88]), now)
        .unwrap();
    buffer
        .push(packet(4, 200, true, &[0x67, 0x42]), now)
        .unwrap();
    let outputs = drain(&mut buffer, now);
    assert_eq!(firsts(&outputs), [4]);
    assert!(frames(&outputs)[0].after_gap);
    assert_eq!((buffer.stats().malformed, buffer.stats().lost), (1, 0));
}

#[test]
fn a_frame_beyond_the_limit_is_dropped_and_the_next_one_is_fine() {
    let config = Config {
        max_frame: 10,
        ..Config::new(VP8)
    };
    let (mut buffer, now) = (ReorderBuffer::new(VP8, config), origin());
    buffer.push(packet(0, 0, false, VP8_START), now).unwrap();
    for extended in 1..1_000 {
        buffer
            .push(packet(extended, 0, false, VP8_REST), now)
            .unwrap();
    }
    buffer.push(packet(1_000, 1, true, VP8_START), now).unwrap();
    assert_eq!(firsts(&drain(&mut buffer, now)), [1_000]);
    assert_eq!(buffer.stats().dropped, 1_000);
}

#[test]
fn a_frame_wider_than_the_window_is_dropped_and_reported_as_no_gap() {
    let (mut buffer, now) = (buffer(VP8), origin());
    buffer.push(packet(0, 0, false, VP8_START), now).unwrap();
    for extended in 1..600 {
        buffer
            .push(packet(extended, 0, false, VP8_REST), now)
            .unwrap();
    }
    buffer.push(packet(600, 1, true, VP8_START), now).unwrap();
    let outputs = drain(&mut buffer, now);
    assert_eq!((firsts(&outputs), outputs.len()), (vec![600], 1));
}

/// The work for a leap must not depend on how far it goes.
#[test]
fn a_leap_of_the_sequence_number_delivers_what_was_held_and_starts_anew() {
    let (mut buffer, now) = (buffer(Format::Opus), origin());
    for extended in [10, 12] {
        buffer.push(audio(extended), now).unwrap();
    }
    let far = 1 << 60;
    buffer.push(audio(far), now).unwrap();
    let outputs = drain(&mut buffer, now);
    assert_eq!(firsts(&outputs), [10, 12, far]);
    assert_eq!(
        outputs[1],
        Output::Gap {
            first: 11,
            packets: 1
        }
    );
    assert_eq!(
        outputs[3],
        Output::Gap {
            first: 13,
            packets: far - 13
        }
    );
    assert_eq!(buffer.stats().restarts, 1);
    assert_eq!(buffer.push(audio(u64::MAX), now), Err(PushError::Late));
}

#[test]
fn a_full_window_gives_up_its_oldest_gap() {
    let (mut buffer, now) = (buffer(Format::Opus), origin());
    buffer.push(audio(0), now).unwrap();
    for extended in 2..514 {
        buffer.push(audio(extended), now).unwrap();
    }
    let outputs = drain(&mut buffer, now);
    assert_eq!(
        outputs[1],
        Output::Gap {
            first: 1,
            packets: 1
        }
    );
    assert_eq!(frames(&outputs).len(), 513);
}

#[test]
fn without_a_poll_the_queue_is_bounded_and_says_so() {
    let (mut buffer, now) = (buffer(Format::Opus), origin());
    let taken = (0..5_000).filter(|&extended| buffer.push(audio(extended), now).is_ok());
    assert_eq!(taken.count(), 1_024);
    assert_eq!(drain(&mut buffer, now).len(), 1_024);
    assert_eq!(buffer.stats().full, 5_000 - 1_024);
}

#[test]
fn an_earlier_time_counts_as_the_latest_seen() {
    let (mut buffer, now) = (buffer(Format::Opus), origin());
    let late = now + Duration::from_secs(1);
    buffer.push(audio(1), late).unwrap();
    buffer.push(audio(3), now).unwrap();
    drain(&mut buffer, now);
    assert_eq!(
        buffer.poll_timeout(),
        Some(late + Duration::from_millis(120))
    );
}

#[test]
fn the_buffer_can_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<ReorderBuffer>();
    is_send::<Packetizer>();
}

/// Encoded pictures of two encoders, split three ways, reordered and duplicated.
#[test]
fn real_frames_survive_reordering_and_duplication_octet_for_octet() {
    for (format, sent) in [(VP8, ivf_frames()), (H264, access_units())] {
        assert!(sent.len() >= 8);
        for max_payload in [200, 600, 1_160] {
            let packets = packetize(format, &sent, max_payload);
            let (mut buffer, now) = (buffer(format), origin());
            for run in packets.chunks(7) {
                for packet in run.iter().rev().chain(run.iter().take(2)) {
                    let _ = buffer.push(packet.clone(), now);
                }
            }
            let outputs = drain(&mut buffer, now);
            let received: Vec<&Bytes> = frames(&outputs).iter().map(|f| &f.payload).collect();
            assert_eq!(received.len(), sent.len(), "{format:?} {max_payload}");
            for (number, (received, sent)) in received.iter().zip(&sent).enumerate() {
                assert!(
                    *received == sent,
                    "{format:?} {max_payload}, frame {number}"
                );
            }
            assert_eq!(buffer.stats().lost, 0);
        }
    }
}

fn ivf_frames() -> Vec<Bytes> {
    let mut data = &include_bytes!("data/testsrc.vp8.ivf")[32..];
    let mut frames = Vec::new();
    while data.has_remaining() {
        let len = data.get_u32_le().try_into().unwrap();
        data.advance(8);
        frames.push(Bytes::copy_from_slice(&data[..len]));
        data.advance(len);
    }
    frames
}

/// Access units with start codes of four octets; in this stream each has one slice.
fn access_units() -> Vec<Bytes> {
    let stream = include_bytes!("data/testsrc.h264");
    let mut frames = Vec::new();
    let mut frame = Vec::new();
    for range in h264::units(stream) {
        let slice = matches!(stream[range.start] & 0x1f, 1 | 5);
        frame.extend_from_slice(&[0, 0, 0, 1]);
        frame.extend_from_slice(&stream[range]);
        if slice {
            frames.push(Bytes::from(core::mem::take(&mut frame)));
        }
    }
    frames
}

fn packetize(format: Format, frames: &[Bytes], max_payload: usize) -> Vec<Packet> {
    let mut packetizer = Packetizer::new(format, 0x7ffc);
    let mut packets = Vec::new();
    for (frame, number) in frames.iter().zip(0..) {
        let mut segments: Vec<Segment> = Vec::new();
        packetizer
            .packetize(frame, max_payload, &mut segments)
            .unwrap();
        for segment in segments {
            let mut payload = Vec::new();
            segment.write_to(&mut payload);
            assert!(payload.len() <= max_payload);
            packets.push(Packet {
                extended: 65_530 + packets.len() as u64,
                timestamp: u32::MAX.wrapping_add(number * 3_000),
                marker: segment.marker,
                payload: payload.into(),
            });
        }
    }
    packets
}

fn buffer(format: Format) -> ReorderBuffer {
    ReorderBuffer::new(format, Config::new(format))
}

fn packet(extended: u64, timestamp: u32, marker: bool, payload: &[u8]) -> Packet {
    Packet {
        extended,
        timestamp,
        marker,
        payload: Bytes::copy_from_slice(payload),
    }
}

fn audio(extended: u64) -> Packet {
    packet(extended, 0, false, &[0x78, 1, 2])
}

fn drain(buffer: &mut ReorderBuffer, now: Instant) -> Vec<Output> {
    core::iter::from_fn(|| buffer.poll(now)).collect()
}

fn frames(outputs: &[Output]) -> Vec<&Frame> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Frame(frame) => Some(frame),
            Output::Gap { .. } => None,
        })
        .collect()
}

fn firsts(outputs: &[Output]) -> Vec<u64> {
    frames(outputs).iter().map(|frame| frame.first).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "an arbitrary origin of virtual time"
)]
fn origin() -> Instant {
    Instant::now()
}
