//! Retransmission on a source of its own (RFC 4588), where the descriptions say so.

use core::time::Duration;
use std::collections::BTreeMap;

use ortc_core::{
    Autostart, ConnectionError, DescriptionError, DropReason, Event, Frame, MediaKind, MediaStream,
    MediaStreamTrack, RTCRtxDescription, RTCTrackDescription, RTCTrackFilter, ReceiveMode,
};
use ortc_testkit::call::Call;
use ortc_testkit::link::Link;
use ortc_testkit::puppet::{Stage, bye, rtp, vp8};

use super::ms;

const MEDIA: u32 = 9;
const REPAIRS: u32 = 10;

fn described(ssrc: u32) -> RTCTrackDescription {
    RTCTrackDescription {
        rtx: Some(RTCRtxDescription {
            ssrc: ssrc.to_string(),
            payload_ids: BTreeMap::from([(96, 97)]),
        }),
        ..vp8(MEDIA, "m")
    }
}

fn stage(number: u64) -> Stage {
    let mut stage = Stage::connected(number, |options| options);
    let now = stage.now;
    let track = described(REPAIRS);
    let connection = &mut stage.connection;
    connection
        .receive_track_as(&track, ReceiveMode::Raw, now)
        .unwrap();
    stage
}

/// A retransmission of this packet of [`MEDIA`].
fn repair(sequence: u16, original: u16, payload: &[u8]) -> Vec<u8> {
    let mut contents = original.to_be_bytes().to_vec();
    contents.extend_from_slice(payload);
    rtp(REPAIRS, 97, sequence, 3_000, &contents)
}

fn packets(stage: &Stage) -> Vec<(u32, u8, u64, Vec<u8>)> {
    let raw = |event: &Event| match event {
        Event::Rtp(packet) => Some((
            packet.ssrc,
            packet.payload_type,
            packet.sequence % 65_536,
            packet.payload().to_vec(),
        )),
        _ => None,
    };
    stage.events.iter().filter_map(raw).collect()
}

#[test]
fn a_repaired_packet_takes_its_place_in_the_track_and_is_no_track_of_its_own() {
    let mut stage = stage(500);
    stage.send_rtp(&rtp(MEDIA, 96, 1, 0, b"one"));
    stage.send_rtp(&rtp(MEDIA, 96, 3, 6_000, b"three"));
    stage.send_rtp(&repair(700, 2, b"two"));
    stage.send_rtp(&repair(701, 2, b"two"));
    let media = |sequence, payload: &[u8]| (MEDIA, 96, sequence, payload.to_vec());
    assert_eq!(
        packets(&stage),
        [media(1, b"one"), media(3, b"three"), media(2, b"two")],
        "each once"
    );
    assert_eq!(
        stage.count(|event| matches!(event, Event::UnknownTrack(_))),
        0
    );
    let stats = &stage.connection.stats(stage.now).receiving[0];
    assert_eq!((stats.repaired, stats.stream.lost), (2, 1), "{stats:?}");
}

#[test]
fn padding_that_probes_for_bandwidth_is_counted_and_nothing_else() {
    let mut stage = stage(501);
    // RFC 3550 §5.1: the last octet of the padding counts it.
    let mut probe = rtp(REPAIRS, 97, 7, 0, &[0, 0, 0, 4]);
    probe[0] |= 0x20;
    stage.send_rtp(&probe);
    // On a source that nobody described, as some senders do before there is media.
    stage.send_rtp(&rtp(77, 97, 1, 0, &[0, 9, 1]));
    assert_eq!(packets(&stage), []);
    assert_eq!(
        stage.count(|event| matches!(event, Event::UnknownTrack(_))),
        0
    );
    let stats = stage.connection.stats(stage.now);
    assert_eq!(
        (stats.receiving[0].probes, stats.receiving[0].repaired),
        (1, 0)
    );
    assert_eq!(stats.drops.get(DropReason::UnknownRepair), 1);
}

/// A retransmission that is still under way when the track says BYE does not bring it back.
#[test]
fn a_repair_that_comes_after_the_goodbye_is_late() {
    let mut stage = stage(505);
    stage.send_rtp(&rtp(MEDIA, 96, 1, 0, b"one"));
    stage.send_rtcp(&bye(MEDIA));
    stage.send_rtp(&repair(700, 2, b"two"));
    let connected = |event: &Event| matches!(event, Event::TrackConnected(_));
    assert_eq!((packets(&stage).len(), stage.count(connected)), (1, 1));
    let drops = stage.connection.stats(stage.now).drops;
    assert_eq!(drops.get(DropReason::Late), 1);
}

#[test]
fn a_repair_in_a_type_that_was_not_described_is_dropped() {
    let mut stage = stage(502);
    stage.send_rtp(&rtp(REPAIRS, 96, 1, 0, &[0, 1, 2]));
    assert_eq!(packets(&stage), []);
    let drops = stage.connection.stats(stage.now).drops;
    assert_eq!(drops.get(DropReason::UnknownPayloadType), 1);
}

#[test]
fn a_description_whose_repairs_cannot_be_is_refused_and_changes_nothing() {
    let mut stage = stage(503);
    let now = stage.now;
    let mut same = described(MEDIA);
    let collides = ConnectionError::SsrcCollision { ssrc: MEDIA };
    assert_eq!(stage.connection.receive_track(&same, now), Err(collides));
    same.rtx = described(REPAIRS).rtx;
    same.ssrc = "11".to_owned();
    let taken = ConnectionError::SsrcCollision { ssrc: REPAIRS };
    assert_eq!(stage.connection.receive_track(&same, now), Err(taken));
    let mut twice = described(REPAIRS);
    twice.rtx.as_mut().unwrap().payload_ids = BTreeMap::from([(96, 96)]);
    assert_eq!(
        stage.connection.receive_track(&twice, now),
        Err(DescriptionError::DuplicatePayloadType(96).into())
    );
    assert_eq!(stage.connection.stats(now).receiving.len(), 1);

    // The source that repairs is free again once the track is described without it.
    stage
        .connection
        .receive_track(&vp8(MEDIA, "m"), now)
        .unwrap();
    stage.connection.receive_track(&same, now).unwrap();
}

#[test]
fn a_track_with_rtx_repeats_on_a_source_of_its_own_and_loses_nothing() {
    let link = Link::perfect(ms(25)).with_loss(0.1);
    let mut call = Call::new(504, link, |_, options| options);
    let mut stream = MediaStream::new("film");
    stream.add_track(&MediaStreamTrack::new(MediaKind::Video, "v", "film"));
    let connection = &mut call.a().connection;
    connection.add_stream(&stream, Autostart::Yes).unwrap();
    let track = connection.tracks(&RTCTrackFilter::default())[0];
    let codec = track.codec(connection).unwrap().payload_id;
    let of_codec = |rtx| BTreeMap::from([(codec, rtx)]);
    assert_eq!(
        track.set_rtx(connection, of_codec(codec)),
        Err(DescriptionError::DuplicatePayloadType(codec).into())
    );
    assert_eq!(track.get_description(connection).unwrap().rtx, None);
    track.set_rtx(connection, of_codec(127)).unwrap();
    let rtx = track.get_description(connection).unwrap().rtx.unwrap();
    assert_ne!(rtx.ssrc().unwrap(), track.ssrc());
    call.signal();
    call.vouch();
    assert!(call.run_until_connected(Duration::from_secs(5)));
    let sent = 300_u32;
    for index in 0..sent {
        let mut payload = vec![u8::from(index != 0); 1_500];
        payload[..4].copy_from_slice(&(index << 8 | u32::from(index != 0)).to_le_bytes());
        // A key frame of VP8 begins so (RFC 6386 §9.1).
        payload[3..6].copy_from_slice(&[0x9D, 0x01, 0x2A]);
        let now = call.net.now();
        let frame = Frame::new(payload, u64::from(index) * 3_000);
        call.a().connection.send_frame(track, &frame, now).unwrap();
        call.net.run_for(ms(33));
    }
    call.net.run_for(Duration::from_secs(1));
    let now = call.net.now();
    let frames = call.b().count(|event| matches!(event, Event::Frame(_)));
    assert!(
        frames + 1 >= sent as usize,
        "{frames} of {sent}, the last may be lost whole"
    );
    let received = call.b().connection.stats(now).receiving[0].clone();
    let sending = call.a().connection.stats(now).sending[0].clone();
    let repeated = sending.rtx.unwrap().packets;
    assert!(
        received.repaired > 20 && repeated >= received.repaired,
        "{received:?}"
    );
    assert_eq!(
        sending.stream.retransmitted, 0,
        "nothing twice on the track's own source"
    );
    assert!(
        received.stream.lost > 20,
        "the report shows what the path lost"
    );
}
