//! At steady state a media packet allocates nothing, on either side.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

use core::time::Duration;
use std::time::Instant;

use allocation_counter::measure;
use bytes::Bytes;
use ortc_core::{
    Autostart, Event, Frame, MediaKind, MediaStream, MediaStreamTrack, Profile, RTCConnection,
    RTCTrack, RTCTrackFilter, ReceiveMode, RtpToSend,
};
use ortc_testkit::pair::Pair;

const PACKETS: u64 = 10_000;

/// Sends packet after packet both ways, 1 ms apart, and counts what is allocated once everything
/// has its size: the sum of both ends.
fn allocations(
    mode: ReceiveMode,
    mut send: impl FnMut(&mut RTCConnection, RTCTrack, u64, Instant),
) -> u64 {
    let mut pair = Pair::connected(Profile::AeadAes128Gcm, MediaKind::Audio, 1, mode);
    let mut stream = MediaStream::new("back");
    stream.add_track(&MediaStreamTrack::new(MediaKind::Audio, "back", "back"));
    let (a, b) = (&mut pair.a.connection, &mut pair.b.connection);
    b.add_stream(&stream, Autostart::Yes).unwrap();
    let back = b.tracks(&RTCTrackFilter::default())[0];
    let description = back.get_description(b).unwrap();
    a.receive_track_as(&description, mode, pair.now).unwrap();

    let mut run = |pair: &mut Pair, range: core::ops::Range<u64>| {
        let (mut forth, mut returned) = (0, 0);
        let packets = usize::try_from(range.end - range.start).unwrap();
        for index in range {
            send(&mut pair.a.connection, pair.tracks[0], index, pair.now);
            send(&mut pair.b.connection, back, index, pair.now);
            pair.settle();
            pair.advance(Duration::from_millis(1));
            forth += media(&mut pair.b.connection);
            returned += media(&mut pair.a.connection);
        }
        assert_eq!(
            (forth, returned),
            (packets, packets),
            "every packet came out"
        );
    };
    run(&mut pair, 0..PACKETS);
    let info = measure(|| run(&mut pair, PACKETS..2 * PACKETS));
    info.count_total
}

/// Takes the events that wait, and says how many carried media.
fn media(connection: &mut RTCConnection) -> usize {
    core::iter::from_fn(|| connection.poll_event())
        .filter(|event| matches!(event, Event::Rtp(_) | Event::Frame(_)))
        .count()
}

#[test]
fn raw_rtp_allocates_nothing_per_packet() {
    let payload = Bytes::from(vec![7; 1_100]);
    let count = allocations(ReceiveMode::Raw, |connection, track, index, now| {
        let packet = RtpToSend {
            payload_type: 111,
            marker: false,
            timestamp: u32::try_from(index * 48).unwrap(),
            skip: 0,
            payload: payload.clone(),
        };
        connection.send_rtp(track, packet, now).unwrap();
    });
    assert_eq!(count, 0);
}

#[test]
fn frames_of_one_packet_allocate_nothing() {
    let payload = Bytes::from(vec![7; 160]);
    let count = allocations(ReceiveMode::Frames, |connection, track, index, now| {
        let frame = Frame::new(payload.clone(), index * 48);
        connection.send_frame(track, &frame, now).unwrap();
    });
    assert_eq!(count, 0);
}
