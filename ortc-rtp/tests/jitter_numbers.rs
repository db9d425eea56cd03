//! The reorder buffer at both ends of the 64-bit sequence numbers.

use std::time::Instant;

use bytes::Bytes;
use ortc_rtp::jitter::{Config, Output, Packet, PushError, ReorderBuffer};
use ortc_rtp::payload::Format;

/// The window grows backwards while the numbers behind its end do not exist.
#[test]
fn a_stream_that_begins_swapped_before_the_last_number_keeps_its_order() {
    let (mut buffer, now) = (buffer(), origin());
    let last = u64::MAX - 1;
    // The last one is no beginning of a frame: what came before is waited for.
    for extended in core::iter::once(last)
        .chain([last - 39, last - 40])
        .chain(last - 38..last)
    {
        let payload: &[u8] = if extended == last - 40 {
            &[0x10, 0x01]
        } else {
            &[0x00, 0xbb]
        };
        let marker = extended == last;
        buffer.push(packet(extended, marker, payload), now).unwrap();
    }

    let Some(Output::Frame(frame)) = buffer.poll(now) else {
        panic!("the frame is whole");
    };
    assert_eq!((frame.first, frame.last), (last - 40, last));
    assert_eq!(buffer.poll(now), None);
}

#[test]
fn the_very_last_number_is_refused() {
    let (mut buffer, now) = (buffer(), origin());
    let refused = buffer.push(packet(u64::MAX, true, &[0x10, 0x01]), now);
    assert_eq!(refused, Err(PushError::Late));
    assert_eq!(buffer.poll(now), None);
}

#[test]
fn a_leap_from_the_first_number_to_the_last_is_one_gap() {
    let (mut buffer, now) = (buffer(), origin());
    let last = u64::MAX - 1;
    for extended in [0, last] {
        let packet = packet(extended, true, &[0x10, 0x01]);
        buffer.push(packet, now).unwrap();
    }

    let outputs: Vec<Output> = core::iter::from_fn(|| buffer.poll(now)).collect();
    assert!(
        matches!(
            outputs.as_slice(),
            [
                Output::Frame(first),
                Output::Gap { first: 1, packets },
                Output::Frame(second),
            ] if *packets == last - 1 && (first.first, second.first) == (0, last)
        ),
        "{outputs:?}"
    );
}

fn buffer() -> ReorderBuffer {
    ReorderBuffer::new(Format::Vp8, Config::new(Format::Vp8))
}

/// Frames are told apart by their markers; the two of the leap have timestamps of their own.
fn packet(extended: u64, marker: bool, payload: &[u8]) -> Packet {
    Packet {
        extended,
        timestamp: if extended == 0 { 1 } else { 2 },
        marker,
        payload: Bytes::copy_from_slice(payload),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an arbitrary origin of virtual time"
)]
fn origin() -> Instant {
    Instant::now()
}
