//! Packets of one connection's track leave on another's: mapped, in order, repaired on each leg.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "test code: a failed expectation is the report"
)]

mod relay;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use ortc_core::{
    Autostart, ConnectionError, DropReason, DtmfContainer, Event, Forwarded, Frame, MediaKind,
    MediaStream, MediaStreamTrack, RTCCodec, RTCTrackDescription, RTCTrackFilter, ReceiveMode,
    SendError,
};
use ortc_rtp::wire::RtpPacket;
use ortc_testkit::call::Call;
use ortc_testkit::link::Link;
use ortc_testkit::puppet::{bye, description, opus, rtp, with_extension};
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use relay::*;

#[test]
fn a_packet_leaves_under_the_tracks_own_numbers_with_the_payload_untouched() {
    let mut relay = relay(800, &camera(SOURCE));
    let mut packet = with_extension(&picture(65_530, 5), 4, &[3]);
    packet[1] |= 0x80;
    relay.pass(&packet);
    let vp8 = relay.track.codec(&relay.leg.connection).unwrap().payload_id;
    let left = relay.left();
    assert_eq!(left.len(), 1);
    let only = &left[0];
    assert_eq!(
        (only.ssrc, only.payload_type),
        (relay.track.ssrc(), vp8),
        "not {SOURCE} and 120"
    );
    assert!(only.marker);
    assert_eq!(only.extensions, [(5, vec![3])], "4 there is 5 here");
    assert_eq!(only.payload, [0x10, 0, 1, 2]);
}

#[test]
fn what_belongs_to_one_hop_or_is_known_to_one_side_only_is_left_out() {
    let mut relay = relay(801, &camera(SOURCE));
    let elements: &[&[(u8, &[u8])]] = &[&[(1, b"a")], &[(2, &[1, 2, 3])], &[(8, &[1])], &[]];
    for (index, elements) in (0..).zip(elements) {
        let packet = elements
            .iter()
            .fold(picture(index, 0), |packet, (id, data)| {
                with_extension(&packet, *id, data)
            });
        relay.pass(&packet);
    }
    let left = relay.left();
    assert_eq!(left.len(), 4);
    assert!(left.iter().all(|packet| packet.extensions.is_empty()));
}

#[test]
fn the_tracks_own_identification_leaves_beside_the_elements_of_the_source() {
    let mut relay = relay(802, &camera(SOURCE));
    let headers = BTreeMap::from([(MID.to_owned(), "film".to_owned())]);
    let connection = &mut relay.leg.connection;
    relay
        .track
        .set_rtp_ext_headers(connection, headers)
        .unwrap();
    relay.pass(&with_extension(&picture(1, 0), 4, &[1]));
    relay.pass(&picture(2, 0));
    let left = relay.left();
    let mid = (9, b"film".to_vec());
    assert_eq!(left[0].extensions, [mid.clone(), (5, vec![1])]);
    assert_eq!(left[1].extensions, [mid]);

    // Asked for again, it is the same octets, or SRTP would refuse it.
    assert_eq!(relay.repeated(left[0].sequence), left[..1]);
}

#[test]
fn a_gap_of_the_source_stays_one_until_its_packets_come() {
    let mut relay = relay(803, &camera(SOURCE));
    for sequence in [10, 11, 15] {
        relay.pass(&picture(sequence, u32::from(sequence)));
    }
    let left = relay.left();
    let (origin, time) = (left[0].sequence, left[0].timestamp);
    let numbers = |left: &[Left]| -> Vec<_> {
        let at = |packet: &Left| {
            let number = packet.sequence.wrapping_sub(origin);
            (number, packet.timestamp.wrapping_sub(time))
        };
        left.iter().map(at).collect()
    };
    assert_eq!(numbers(&left), [(0, 0), (1, 1), (5, 5)]);
    for sequence in [13, 12, 16, 14] {
        relay.pass(&picture(sequence, u32::from(sequence)));
    }
    let left = relay.left();
    assert_eq!(numbers(&left), [(3, 3), (2, 2), (6, 6), (4, 4)]);
    // All are in the history, the late ones too.
    for packet in &left {
        relay.leg.run_for(Duration::from_millis(200));
        assert_eq!(
            relay.repeated(packet.sequence),
            core::slice::from_ref(packet)
        );
    }
}

#[test]
fn a_packet_from_before_the_first_is_dropped_and_counted() {
    let mut relay = relay(804, &camera(SOURCE));
    for sequence in [10, 9, 11] {
        relay.pass(&picture(sequence, 0));
    }
    let origin = relay.leg.puppet.received.first().unwrap();
    let origin = RtpPacket::parse(origin).unwrap().sequence();
    assert_eq!(relay.numbers(origin), [0, 1]);
    let drops = relay.leg.connection.stats(relay.leg.now).drops;
    assert_eq!(drops.get(DropReason::Late), 1);
}

#[test]
fn numbers_and_timestamps_wrap_on_both_sides() {
    let mut relay = relay(805, &camera(SOURCE));
    let mut expected = Vec::new();
    for index in 0..70_000_u32 {
        let sequence = u16::try_from((index + 65_000) % 65_536).unwrap();
        relay.pass(&picture(
            sequence,
            (u32::MAX - 90_000).wrapping_add(index * 3_000),
        ));
        expected.push((
            u16::try_from(index % 65_536).unwrap(),
            index.wrapping_mul(3_000),
        ));
    }
    let left = relay.left();
    let (origin, time) = (left[0].sequence, left[0].timestamp);
    let seen: Vec<_> = left
        .iter()
        .map(|packet| {
            let number = packet.sequence.wrapping_sub(origin);
            (number, packet.timestamp.wrapping_sub(time))
        })
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn another_source_goes_on_where_the_former_stopped() {
    let mut relay = relay(806, &camera(SOURCE));
    for (sequence, time) in [(40_000, 9), (40_001, 3_009)] {
        relay.pass(&picture(sequence, time));
    }
    let now = relay.source.now;
    let second = camera(SOURCE + 1);
    let connection = &mut relay.source.connection;
    connection
        .receive_track_as(&second, ReceiveMode::Raw, now)
        .unwrap();
    relay.leg.run_for(Duration::from_millis(100));
    relay
        .track
        .forward_from(&mut relay.leg.connection, &second)
        .unwrap();
    for (sequence, time) in [(7, 777_000), (8, 780_000)] {
        relay.pass(&rtp(SOURCE + 1, 120, sequence, time, &[0x10, 0]));
    }
    let left = relay.left();
    let origin = left[0].sequence;
    let numbers: Vec<_> = left
        .iter()
        .map(|packet| packet.sequence.wrapping_sub(origin))
        .collect();
    assert_eq!(numbers, [0, 1, 2, 3]);
    let step = |a: usize, b: usize| left[b].timestamp.wrapping_sub(left[a].timestamp);
    assert_eq!((step(0, 1), step(2, 3)), (3_000, 3_000));
    // 100 ms have passed, by a clock of 90 kHz.
    assert!((9_000..9_100).contains(&step(1, 2)), "{}", step(1, 2));

    // The former source is not heard any more.
    relay.source.send_rtp(&picture(40_002, 6_009));
    let packet = relay.arrived().remove(0);
    let other = SendError::OtherSource { ssrc: SOURCE };
    assert_eq!(relay.forward(&packet), Err(other));
}

#[test]
fn a_source_that_jumps_far_begins_anew() {
    let mut relay = relay(807, &camera(SOURCE));
    relay.pass(&picture(1, 0));
    // The receiver believes a jump with the second packet in a row (RFC 3550 §A.1).
    for sequence in [30_000, 30_001, 30_002] {
        relay.pass(&picture(sequence, 90_000));
    }
    let origin = relay.leg.puppet.received.first().unwrap();
    let origin = RtpPacket::parse(origin).unwrap().sequence();
    let numbers = relay.numbers(origin);
    assert!(
        numbers
            .iter()
            .copied()
            .eq(0..u16::try_from(numbers.len()).unwrap())
    );
    assert!(numbers.len() >= 3, "{numbers:?}");
}

/// However near its numbers lie to those before; SRTP does not let them be the same.
#[test]
fn a_source_that_comes_back_after_its_goodbye_begins_anew() {
    for back in [11, 12, 500] {
        let mut relay = relay(818, &camera(SOURCE));
        for sequence in 0..11 {
            relay.pass(&picture(sequence, u32::from(sequence)));
        }
        relay.source.send_rtcp(&bye(SOURCE));
        for sequence in back..back + 5 {
            relay.pass(&picture(sequence, 90_000 + u32::from(sequence)));
        }
        let origin = relay.leg.puppet.received.first().unwrap();
        let origin = RtpPacket::parse(origin).unwrap().sequence();
        assert!(relay.numbers(origin).into_iter().eq(0..16), "{back}");
    }
}

/// However often a source jumps, what its header extensions mean stays known.
#[test]
fn a_source_that_jumps_without_end_keeps_its_header_extensions() {
    let mut relay = relay(817, &camera(SOURCE));
    for index in 0..80_000_u32 {
        // Two in a row, and then far away.
        let sequence = (index / 2 * 10_000 + index % 2) % 65_536;
        let packet = picture(u16::try_from(sequence).unwrap(), index);
        relay.pass(&with_extension(&packet, 4, &[1]));
    }
    let left = relay.left();
    assert!(left.len() >= 39_999, "{}", left.len());
    assert!(
        left.iter()
            .all(|packet| packet.extensions == [(5, vec![1])])
    );
}

#[test]
fn frames_and_tones_of_the_track_take_their_numbers_in_between() {
    let source = opus(SOURCE, "m");
    let mut relay = relay(808, &source);
    let connection = &mut relay.leg.connection;
    let tones = connection.add_dtmf_handler(DtmfContainer::First).unwrap();
    let peer = [
        RTCCodec::new(111, "opus").with_clock_rate(48_000),
        RTCCodec::new(101, "telephone-event").with_clock_rate(48_000),
    ];
    let now = relay.leg.now;
    let theirs = description(MediaKind::Audio, 5, "p", &peer);
    connection.receive_track(&theirs, now).unwrap();
    tones.insert_dtmf(connection, "1", None, None, now).unwrap();
    for index in 0..20_u16 {
        // Every fourth packet is overtaken by the one behind it.
        let sequence = match index % 4 {
            2 => index + 1,
            3 => index - 1,
            _ => index,
        };
        let time = u32::from(sequence) * 960;
        relay.pass(&rtp(SOURCE, 111, sequence, time, &[0xFC, 1]));
        if index == 10 {
            let frame = Frame::new(vec![0xFC, 9], 0);
            let now = relay.leg.now;
            relay
                .leg
                .connection
                .send_frame(relay.track, &frame, now)
                .unwrap();
        }
        relay.leg.run_for(Duration::from_millis(20));
    }
    let left = relay.left();
    let numbers: BTreeSet<_> = left.iter().map(|packet| packet.sequence).collect();
    assert_eq!(numbers.len(), left.len(), "none is used twice");
    let (first, last) = (numbers.first().unwrap(), numbers.last().unwrap());
    assert_eq!(usize::from(last - first) + 1, left.len(), "none is missing");
    let speech = left.iter().filter(|packet| packet.payload == [0xFC, 1]);
    assert_eq!(speech.count(), 20);
    let tones = left.iter().filter(|packet| packet.payload.len() == 4);
    assert!(tones.count() > 3);
}

#[test]
fn what_the_far_end_cannot_use_is_withheld_and_not_missing() {
    let codecs = [
        RTCCodec::new(111, "opus").with_clock_rate(48_000),
        RTCCodec::new(110, "telephone-event").with_clock_rate(48_000),
        RTCCodec::new(0, "PCMU"),
    ];
    let source = description(MediaKind::Audio, SOURCE, "m", &codecs);
    let mut relay = relay(809, &source);
    let connection = &mut relay.leg.connection;
    let opus = relay.track.codecs(connection).unwrap()[0].clone();
    assert_eq!(opus.name, "opus");
    relay.track.set_codecs(connection, vec![opus]).unwrap();
    relay.track.forward_from(connection, &source).unwrap();
    relay.pass(&rtp(SOURCE, 111, 1, 960, &[0xFC]));
    relay
        .source
        .send_rtp(&rtp(SOURCE, 110, 2, 960, &[1, 10, 0, 160]));
    relay.source.send_rtp(&rtp(SOURCE, 0, 3, 1_920, &[0xFF]));
    relay.source.send_rtp(&rtp(SOURCE, 111, 4, 1_920, &[]));
    let packets = relay.arrived();
    assert_eq!(packets.len(), 3, "tones are packets too");
    for packet in packets {
        assert_eq!(relay.forward(&packet), Ok(Forwarded::Withheld));
    }
    relay.pass(&rtp(SOURCE, 111, 5, 2_880, &[0xFC]));
    let left = relay.left();
    assert_eq!(left.len(), 2);
    assert_eq!(left[1].sequence, left[0].sequence.wrapping_add(1));
    assert_eq!(left[1].timestamp.wrapping_sub(left[0].timestamp), 1_920);
}

#[test]
fn tones_are_forwarded_where_the_far_end_lists_them() {
    let codecs = [
        RTCCodec::new(111, "opus").with_clock_rate(48_000),
        RTCCodec::new(110, "telephone-event").with_clock_rate(48_000),
    ];
    let source = description(MediaKind::Audio, SOURCE, "m", &codecs);
    let mut relay = relay(810, &source);
    let connection = &mut relay.leg.connection;
    let ours = vec![
        RTCCodec::new(96, "opus").with_clock_rate(48_000),
        RTCCodec::new(97, "telephone-event").with_clock_rate(48_000),
    ];
    relay.track.set_codecs(connection, ours).unwrap();
    relay.track.forward_from(connection, &source).unwrap();
    relay.pass(&rtp(SOURCE, 110, 2, 960, &[1, 10, 0, 160]));
    assert_eq!(relay.left()[0].payload_type, 97);
    assert_eq!(
        relay
            .source
            .connection
            .stats(relay.source.now)
            .drops
            .total(),
        0
    );
}

#[test]
fn each_leg_repairs_from_its_own_history_on_its_own_source() {
    let mut relay = relay(811, &camera(SOURCE));
    let connection = &mut relay.leg.connection;
    let vp8 = relay.track.codec(connection).unwrap().payload_id;
    relay
        .track
        .set_rtx(connection, BTreeMap::from([(vp8, 127)]))
        .unwrap();
    relay.pass(&with_extension(&picture(1, 0), 4, &[2]));
    let sent = relay.left().remove(0);
    relay.ask_for(sent.sequence);
    relay.leg.settle();
    let again = relay.left().remove(0);
    assert_eq!(again.payload_type, 127);
    assert_ne!(again.ssrc, sent.ssrc);
    assert_eq!(
        again.extensions,
        [(5, vec![2])],
        "the picture stays upright"
    );
    assert_eq!(again.payload[..2], sent.sequence.to_be_bytes());
    assert_eq!(again.payload[2..], sent.payload);
    assert!(
        relay.arrived().is_empty() && relay.source.connection.poll_timeout().is_some(),
        "the source is not asked"
    );
}

#[test]
fn a_source_without_a_codec_of_the_track_is_refused_and_the_former_goes_on() {
    let mut relay = relay(812, &camera(SOURCE));
    let other = RTCTrackDescription {
        codecs: vec![RTCCodec::new(100, "AV1")],
        ..camera(1)
    };
    let connection = &mut relay.leg.connection;
    let none = ConnectionError::NoSupportedCodec {
        kind: MediaKind::Video,
    };
    assert_eq!(relay.track.forward_from(connection, &other), Err(none));
    relay.pass(&picture(1, 0));
    assert_eq!(relay.left().len(), 1);
}

#[test]
fn a_profile_goes_with_its_own_payload_type() {
    let h264 = |payload_id, profile: &str| {
        RTCCodec::new(payload_id, "H264")
            .with_clock_rate(90_000)
            .with_param("packetization-mode", "1")
            .with_param("profile-level-id", profile)
    };
    let codecs = [h264(102, "42e01f"), h264(104, "640c1f")];
    let source = description(MediaKind::Video, SOURCE, "m", &codecs);
    let mut relay = relay(813, &source);
    let ours = vec![h264(96, "640c34"), h264(98, "42E034")];
    let connection = &mut relay.leg.connection;
    relay.track.set_codecs(connection, ours).unwrap();
    relay.track.forward_from(connection, &source).unwrap();
    relay.pass(&rtp(SOURCE, 102, 1, 0, &[0x65, 1]));
    relay.pass(&rtp(SOURCE, 104, 2, 0, &[0x65, 1]));
    let types: Vec<_> = relay.left().iter().map(|left| left.payload_type).collect();
    assert_eq!(types, [98, 96]);
}

#[test]
fn a_packet_larger_than_the_path_is_refused_and_missing() {
    let mut relay = relay(814, &camera(SOURCE));
    relay.pass(&picture(1, 0));
    relay
        .source
        .send_rtp(&rtp(SOURCE, 120, 2, 0, &[0x10; 1_400]));
    let packet = relay.arrived().remove(0);
    let refused = relay.forward(&packet);
    assert!(matches!(
        refused,
        Err(SendError::TooLarge { size: 1_400, .. })
    ));
    relay.pass(&picture(3, 0));
    let left = relay.left();
    assert_eq!(left[1].sequence, left[0].sequence.wrapping_add(2));
}

#[test]
fn packets_and_frames_come_out_of_one_track() {
    let mut relay = relay(815, &opus(SOURCE, "m"));
    let now = relay.source.now;
    let connection = &mut relay.source.connection;
    connection
        .receive_track_as(&opus(SOURCE, "m"), ReceiveMode::Both, now)
        .unwrap();
    for sequence in [1, 2, 4, 3] {
        let time = u32::from(sequence) * 960;
        relay
            .source
            .send_rtp(&rtp(SOURCE, 111, sequence, time, &[0xFC, 1]));
    }
    let short = |event: &Event| match event {
        Event::Rtp(packet) => Some(("packet", packet.timestamp)),
        Event::Frame(frame) => Some(("frame", frame.timestamp)),
        _ => None,
    };
    let told: Vec<_> = relay.source.events.iter().filter_map(short).collect();
    assert_eq!(
        told,
        [
            ("packet", 960),
            ("frame", 960),
            ("packet", 1_920),
            ("frame", 1_920),
            ("packet", 3_840),
            ("packet", 2_880),
            ("frame", 2_880),
            ("frame", 3_840),
        ]
    );
}

/// 5 % loss from the source and 5 % on the leg: each way is repaired where the loss was, and a packet
/// that comes late from the source is not too late for the leg.
#[test]
fn a_film_survives_loss_on_both_ways() {
    let link = || Link::perfect(Duration::from_millis(20)).with_loss(0.05);
    let mut first = Call::new(820, link(), |_, options| options);
    let mut second = Call::new(821, link(), |_, options| options.mtu(1_300));
    let mut stream = MediaStream::new("film");
    stream.add_track(&MediaStreamTrack::new(MediaKind::Video, "v", "film"));
    for call in [&mut first, &mut second] {
        let connection = &mut call.a().connection;
        connection.add_stream(&stream, Autostart::Yes).unwrap();
    }
    let sent = first.a().connection.tracks(&RTCTrackFilter::default())[0];
    let again = second.a().connection.tracks(&RTCTrackFilter::default())[0];
    for call in [&mut first, &mut second] {
        call.signal();
        call.vouch();
        assert!(call.run_until_connected(Duration::from_secs(10)));
    }
    let described = sent.get_description(&first.a().connection).unwrap();
    let now = first.net.now();
    let middle = &mut first.b().connection;
    middle
        .receive_track_as(&described, ReceiveMode::Raw, now)
        .unwrap();
    let leg = &mut second.a().connection;
    again.forward_from(leg, &described).unwrap();
    let frames = 300_u32;
    for index in 0..frames + 30 {
        if index < frames {
            let mut payload = vec![u8::from(index != 0); 2_500];
            payload[..3].copy_from_slice(&[u8::from(index != 0), 0, 0]);
            // A key frame of VP8 begins so (RFC 6386 §9.1).
            payload[3..6].copy_from_slice(&[0x9D, 0x01, 0x2A]);
            let frame = Frame::new(payload, u64::from(index) * 3_000);
            let now = first.net.now();
            let connection = &mut first.a().connection;
            connection.send_frame(sent, &frame, now).unwrap();
        }
        first.net.run_for(Duration::from_millis(33));
        let now = second.net.now();
        for event in first.b().events.split_off(0) {
            if let Event::Rtp(packet) = event {
                let leg = &mut second.a().connection;
                assert_eq!(leg.forward(again, &packet, now), Ok(Forwarded::Queued));
            }
        }
        second.net.run_for(Duration::from_millis(33));
    }
    let arrived = second.b().count(|event| matches!(event, Event::Frame(_)));
    assert!(arrived + 1 >= frames as usize, "{arrived} of {frames}");
    let (one, two) = (first.net.now(), second.net.now());
    let upstream = first.b().connection.stats(one).receiving[0].clone();
    let downstream = second.b().connection.stats(two).receiving[0].clone();
    assert!(upstream.recovered > 10 && downstream.recovered > 10);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is lost, repeated and reordered, no number is used for two packets, and the order
    /// and the gaps of the source are those of the track.
    #[test]
    fn the_track_has_the_order_and_the_gaps_of_the_source(
        start in any::<u16>(),
        moves in proptest::collection::vec((0_u16..12, any::<bool>()), 1..60),
    ) {
        let mut relay = relay(816, &camera(SOURCE));
        let mut sent = BTreeMap::new();
        let mut next = 20_u64;
        relay.pass(&picture(start.wrapping_add(20), 20));
        sent.insert(20, 20);
        for (by, ahead) in moves {
            let at = if ahead { next + u64::from(by) + 1 } else { next.saturating_sub(u64::from(by)) };
            if at < 20 {
                continue;
            }
            next = next.max(at);
            let sequence = start.wrapping_add(u16::try_from(at).unwrap());
            let timestamp = u32::try_from(at).unwrap();
            // A packet comes out once: the source's own connection sees to that.
            if sent.insert(at, timestamp).is_none() {
                relay.pass(&picture(sequence, timestamp));
            }
        }
        let left = relay.left();
        prop_assert_eq!(left.len(), sent.len());
        let origin = left[0].sequence;
        let time = left[0].timestamp;
        for packet in &left {
            let number = packet.sequence.wrapping_sub(origin);
            let position = packet.timestamp.wrapping_sub(time);
            prop_assert_eq!(u32::from(number), position);
            prop_assert!(sent.contains_key(&(u64::from(position) + 20)));
        }
    }
}
