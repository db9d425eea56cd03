//! At steady state a media packet allocates nothing, on either side.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use allocation_counter::measure;
use bytes::Bytes;
use ortc_core::{
    Autostart, Event, Frame, MediaKind, MediaStream, MediaStreamTrack, Profile, RTCConnection,
    RTCTrack, RTCTrackDescription, RTCTrackFilter, ReceiveMode, RtpToSend,
};
use ortc_testkit::pair::Pair;
use ortc_testkit::puppet::{Stage, rtp, vp8, with_extension};

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

/// One source to four legs, each of which keeps what it sent.
#[test]
fn forwarding_allocates_nothing_per_packet() {
    const LEGS: usize = 4;
    let (mode, profile) = (ReceiveMode::Raw, Profile::AeadAes128Gcm);
    let mut source = Pair::connected(profile, MediaKind::Video, 1, mode);
    let (from, camera) = (&mut source.a.connection, source.tracks[0]);
    let described = camera.get_description(from).unwrap();
    let vp8 = described.codecs[0].payload_id;
    let mut legs: Vec<_> = (0..LEGS)
        .map(|_| Pair::connected(profile, MediaKind::Video, 1, mode))
        .collect();
    for leg in &mut legs {
        let connection = &mut leg.a.connection;
        leg.tracks[0].forward_from(connection, &described).unwrap();
    }
    let payload = Bytes::from(vec![7; 1_100]);
    let mut run = |range: core::ops::Range<u64>| {
        let mut out = 0;
        for index in range.clone() {
            let packet = RtpToSend {
                payload_type: vp8,
                marker: index % 4 == 3,
                timestamp: u32::try_from(index / 4 * 3_000).unwrap(),
                // One in a hundred is lost.
                skip: u16::from(index % 100 == 0),
                payload: payload.clone(),
            };
            source
                .a
                .connection
                .send_rtp(camera, packet, source.now)
                .unwrap();
            source.settle();
            source.advance(Duration::from_millis(2));
            while let Some(event) = source.b.connection.poll_event() {
                let Event::Rtp(packet) = event else { continue };
                for leg in &mut legs {
                    leg.a
                        .connection
                        .forward(leg.tracks[0], &packet, leg.now)
                        .unwrap();
                }
            }
            for leg in &mut legs {
                leg.settle();
                leg.advance(Duration::from_millis(2));
                out += media(&mut leg.b.connection);
            }
        }
        assert_eq!(
            out,
            usize::try_from(range.end - range.start).unwrap() * LEGS
        );
    };
    run(0..PACKETS);
    let info = measure(|| run(PACKETS..2 * PACKETS));
    assert_eq!(info.count_total, 0);
}

/// Header extensions are put together in memory that is there.
#[test]
fn header_extensions_of_a_source_are_mapped_without_allocation() {
    const URI: &str = "urn:3gpp:video-orientation";
    let ids = |id| BTreeMap::from([(URI.to_owned(), id)]);
    let mut source = Stage::connected(820, |options| options);
    let described = RTCTrackDescription {
        rtp_ext_header_ids: Some(ids(4)),
        ..vp8(9, "m")
    };
    let now = source.now;
    let receiving = &mut source.connection;
    receiving
        .receive_track_as(&described, ReceiveMode::Raw, now)
        .unwrap();
    let profile = Profile::AeadAes128Gcm;
    let mut leg = Pair::connected(profile, MediaKind::Video, 1, ReceiveMode::Raw);
    let (connection, track) = (&mut leg.a.connection, leg.tracks[0]);
    track.set_rtp_ext_header_ids(connection, ids(7)).unwrap();
    track.forward_from(connection, &described).unwrap();
    let mut buf = Vec::with_capacity(2_048);
    let mut allocations = 0;
    for index in 0..5_000_u16 {
        let packet = rtp(9, 96, index, u32::from(index), &[7; 500]);
        source.send_rtp(&with_extension(&packet, 4, &[1]));
        let Some(Event::Rtp(packet)) = source.events.pop() else {
            panic!("packet {index} did not come out");
        };
        leg.now += Duration::from_millis(5);
        let info = measure(|| {
            leg.a.connection.forward(track, &packet, leg.now).unwrap();
            while leg.a.connection.poll_transmit(&mut buf, leg.now).is_some() {
                buf.clear();
            }
        });
        allocations += if index < 1_000 { 0 } else { info.count_total };
        source.events.clear();
    }
    assert_eq!(allocations, 0);
}
