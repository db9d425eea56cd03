//! Datagrams that nobody should have sent, in every state: each is dropped and counted, and nothing
//! else happens.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

use core::time::Duration;

use ortc_core::{
    Autostart, Datagram, DropReason, Ecn, Event, Frame, MediaKind, MediaStream, MediaStreamTrack,
    Path, PeerVerification, RTCTrackFilter,
};
use ortc_testkit::call::{Call, address_a, address_b};
use ortc_testkit::link::Link;
use ortc_testkit::puppet::{Stage, bye, opus, rtp, vp8};

const STRANGER: &str = "203.0.113.66:6666";

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn drops(stage: &Stage, reason: DropReason) -> u64 {
    stage.connection.stats(stage.now).drops.get(reason)
}

/// A connected stage that receives one audio track.
fn receiving(number: u64) -> Stage {
    let mut stage = Stage::connected(number, |options| options);
    let now = stage.now;
    stage.connection.receive_track(&opus(7, "m"), now).unwrap();
    stage.drain();
    stage
}

/// What a datagram may change is its counter: events, output and deadlines stay.
fn changes_nothing(stage: &mut Stage, from: &str, contents: Vec<u8>) {
    let what = format!("{:02x?} from {from}", &contents[..contents.len().min(24)]);
    stage.run_for(Duration::ZERO);
    let events = stage.events.len();
    let deadline = stage.connection.poll_timeout();
    let before = stage.connection.stats(stage.now);
    stage.inject_from(from.parse().unwrap(), contents);
    assert_eq!(stage.events.len(), events, "{what}");
    let mut buf = Vec::new();
    let answer = stage.connection.poll_transmit(&mut buf, stage.now);
    assert!(answer.is_none(), "{what}: {answer:?}");
    assert_eq!(stage.connection.poll_timeout(), deadline, "{what}");
    let after = stage.connection.stats(stage.now);
    assert_eq!(after.datagrams_received, before.datagrams_received + 1);
    let dtls = |stats: &ortc_core::ConnectionStats| stats.dtls.as_ref().map(|dtls| dtls.endpoint);
    let counted = after.drops.total() > before.drops.total() || dtls(&after) != dtls(&before);
    assert!(counted, "{what} was not counted");
}

#[test]
fn every_truncation_and_every_flipped_bit_of_protected_media_is_dropped() {
    let mut stage = receiving(1);
    let packet = stage.protect_rtp(&rtp(7, 111, 100, 0, &[0xFC, 1, 2, 3]));
    for len in 0..packet.len() {
        if len > 0 {
            changes_nothing(&mut stage, "10.0.0.2:5000", packet[..len].to_vec());
        }
    }
    for bit in 0..packet.len() * 8 {
        let mut flipped = packet.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        // A flip that makes it another protocol is that protocol's to judge.
        if (128..=191).contains(&flipped[0]) {
            changes_nothing(&mut stage, "10.0.0.2:5000", flipped);
        }
    }
    stage.inject(packet.clone());
    assert_eq!(
        stage.count(|event| matches!(event, Event::Frame(_))),
        1,
        "the true one still fits"
    );
    stage.settle();
    changes_nothing(&mut stage, "10.0.0.2:5000", packet);
    assert_eq!(drops(&stage, DropReason::Replay), 1);
}

#[test]
fn a_replayed_report_asks_for_nothing_twice() {
    let mut stage = receiving(2);
    let mut stream = MediaStream::new("s");
    stream.add_track(&MediaStreamTrack::new(MediaKind::Video, "cam", ""));
    stage
        .connection
        .add_stream(&stream, Autostart::Yes)
        .unwrap();
    let ssrc = stage.connection.tracks(&RTCTrackFilter::default())[0].ssrc();
    let mut pli = vec![0x81, 206, 0, 2, 0, 0, 0, 1];
    pli.extend_from_slice(&ssrc.to_be_bytes());
    let (sender, _) = stage.puppet.srtp.as_mut().unwrap();
    sender.protect_rtcp(&mut pli, 0).unwrap();
    stage.inject(pli.clone());
    stage.settle();
    for _ in 0..10 {
        changes_nothing(&mut stage, "10.0.0.2:5000", pli.clone());
    }
    let asked = stage.count(|event| matches!(event, Event::KeyFrameRequested(_)));
    assert_eq!(asked, 1);
}

#[test]
fn garbage_of_every_first_octet_in_every_state_is_counted() {
    let make: [fn() -> Stage; 4] = [
        || Stage::new(3, |options| options),
        || {
            let mut stage = Stage::new(4, |options| options);
            stage.signal();
            // Nobody answers, so it stays where it is.
            stage.puppet.ice.close();
            stage
        },
        || receiving(5),
        || {
            let mut stage = receiving(6);
            let now = stage.now;
            stage.connection.close(now);
            stage.settle();
            stage
        },
    ];
    for make in make {
        let mut stage = make();
        stage.drain();
        for first in 0..=255_u8 {
            for len in [1_usize, 2, 13, 60] {
                let mut contents = vec![0xA5; len];
                contents[0] = first;
                changes_nothing(&mut stage, STRANGER, contents.clone());
                changes_nothing(&mut stage, "10.0.0.2:5000", contents);
            }
        }
        changes_nothing(&mut stage, STRANGER, Vec::new());
    }
}

#[test]
fn dtls_from_an_address_without_an_authenticated_check_is_not_looked_at() {
    let mut stage = Stage::new(7, |options| options);
    stage.signal();
    stage.vouch();
    // A ClientHello as the peer would send it, from somewhere else, before and during.
    let hello = client_hello();
    for _ in 0..5 {
        changes_nothing(&mut stage, STRANGER, hello.clone());
    }
    assert_eq!(drops(&stage, DropReason::DtlsUnvalidatedPath), 5);
    stage.run_for(ms(1_000));
    assert!(stage.connection.is_connected());
    changes_nothing(&mut stage, STRANGER, hello);
}

/// Blind injection with the peer's own address: what is in plain text ends nothing.
#[test]
fn plain_dtls_from_the_peers_address_ends_nothing_at_any_step() {
    let alert = vec![21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 40];
    let close = vec![21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 98, 0, 2, 1, 0];
    let change = vec![20, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 97, 0, 1, 1];
    let data = vec![23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 97, 0, 4, 1, 2, 3, 4];
    for number in 10..14 {
        let mut call = Call::new(number, Link::perfect(ms(10)), |_, options| options);
        call.signal();
        call.vouch();
        for step in 0..30 {
            for forged in [&alert, &close, &change, &data] {
                for (to, local, remote) in [
                    (call.a, "10.0.0.1:5000", "10.0.0.2:5000"),
                    (call.b, "10.0.0.2:5000", "10.0.0.1:5000"),
                ] {
                    let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
                    call.net.inject(to, local, remote, &mut forged.clone());
                }
            }
            call.net.run_for(ms(5 + step / 10));
        }
        assert!(call.run_until_connected(ms(5_000)), "seed {number}");
    }
}

#[test]
fn media_before_keys_is_held_from_known_paths_only_and_within_bounds() {
    let mut stage = Stage::new(20, |options| options);
    stage.signal();
    stage.run_for(ms(1_000));
    assert!(stage.connection.is_connected(), "but nobody vouched");
    let now = stage.now;
    stage.connection.receive_track(&opus(7, "m"), now).unwrap();
    for index in 0..100 {
        let packet = stage.protect_rtp(&rtp(7, 111, index, 0, &[1; 20]));
        stage.inject(packet);
    }
    assert_eq!(drops(&stage, DropReason::MediaBeforeKeys), 100 - 64);
    stage.inject_from(STRANGER.parse().unwrap(), vec![0x80; 60]);
    assert_eq!(drops(&stage, DropReason::MediaBeforeKeys), 100 - 64 + 1);
    assert_eq!(stage.count(|event| matches!(event, Event::Frame(_))), 0);
    stage.connection.accept_remote_fingerprint(now).unwrap();
    stage.drain();
    assert_eq!(stage.count(|event| matches!(event, Event::Frame(_))), 64);
}

#[test]
fn media_before_keys_is_bounded_in_octets() {
    let mut stage = Stage::new(21, |options| options);
    stage.signal();
    stage.run_for(ms(1_000));
    for _ in 0..60 {
        let mut large = vec![0x80; 9_000];
        large[1] = 96;
        stage.inject(large);
    }
    assert_eq!(
        drops(&stage, DropReason::MediaBeforeKeys),
        60 - (96 << 10) / 9_000
    );
}

#[test]
fn a_flight_before_a_valid_pair_is_held_within_bounds() {
    let mut stage = Stage::new(22, |options| options);
    stage.signal();
    // The peer's check has come; our own is not answered.
    let mut buf = Vec::new();
    let now = stage.now;
    assert!(stage.connection.poll_transmit(&mut buf, now).is_some());
    let datagram = Datagram {
        path: Path::udp(address_b(), address_a()),
        contents: &mut buf,
        ecn: Ecn::default(),
    };
    stage.puppet.ice.handle_datagram(datagram, now).unwrap();
    buf.clear();
    while stage.puppet.ice.poll_transmit(&mut buf, now).is_some() {
        let out = core::mem::take(&mut buf);
        if out[..2] == [0, 1] {
            stage.inject(out);
        }
    }
    for _ in 0..20 {
        stage.inject(client_hello());
    }
    assert_eq!(drops(&stage, DropReason::DtlsHeldFull), 20 - 8);
    assert!(stage.connection.stats(stage.now).dtls.is_none());
}

#[test]
fn an_address_is_never_learned_from_media() {
    let mut stage = receiving(30);
    let mut stream = MediaStream::new("s");
    stream.add_track(&MediaStreamTrack::new(MediaKind::Audio, "mic", ""));
    stage
        .connection
        .add_stream(&stream, Autostart::Yes)
        .unwrap();
    let mic = stage.connection.tracks(&RTCTrackFilter::default())[0];
    for index in 0..50_u16 {
        // Authentic packets that somebody else managed to send on first.
        let packet = stage.protect_rtp(&rtp(7, 111, index, u32::from(index) * 960, &[1]));
        stage.inject_from(STRANGER.parse().unwrap(), packet);
        let now = stage.now;
        let frame = Frame::new(vec![1], u64::from(index) * 960);
        stage.connection.send_frame(mic, &frame, now).unwrap();
        let mut buf = Vec::new();
        while let Some(sent) = stage.connection.poll_transmit(&mut buf, now) {
            assert_eq!(sent.path.remote, address_b());
            buf.clear();
        }
        stage.now += ms(20);
    }
}

#[test]
fn no_media_leaves_and_none_comes_out_before_the_fingerprint_policy_is_satisfied() {
    let mut stage = Stage::new(31, |options| {
        options.peer_verification(PeerVerification::HoldUntilVerified)
    });
    let mut stream = MediaStream::new("s");
    stream.add_track(&MediaStreamTrack::new(MediaKind::Audio, "mic", ""));
    stage
        .connection
        .add_stream(&stream, Autostart::Yes)
        .unwrap();
    stage.signal();
    stage.run_for(ms(1_000));
    let mic = stage.connection.tracks(&RTCTrackFilter::default())[0];
    for index in 0..200_u64 {
        let now = stage.now;
        let frame = Frame::new(vec![1; 100], index * 960);
        let _ = stage.connection.send_frame(mic, &frame, now);
        stage.run_for(ms(20));
    }
    assert_eq!(stage.puppet.received.len(), 0);
    stage
        .connection
        .set_remote_fingerprint(stage.puppet.fingerprint, stage.now)
        .unwrap();
    stage.run_for(ms(100));
    assert!(stage.puppet.received.len() >= 200);
}

/// A peer with the keys can be hostile too: events that nobody takes, sources without end,
/// requests without end.
#[test]
fn floods_of_authentic_packets_are_bounded_and_counted() {
    let mut stage = receiving(40);
    let mut stream = MediaStream::new("s");
    stream.add_track(&MediaStreamTrack::new(MediaKind::Audio, "mic", ""));
    stage
        .connection
        .add_stream(&stream, Autostart::Yes)
        .unwrap();
    let mic = stage.connection.tracks(&RTCTrackFilter::default())[0];
    let now = stage.now;
    for index in 0..100_u64 {
        let frame = Frame::new(vec![1], index * 960);
        stage.connection.send_frame(mic, &frame, now).unwrap();
    }
    stage.settle();
    stage.keep_events = true;
    for index in 0..6_000_u32 {
        let [_, _, high, low] = index.to_be_bytes();
        let sequence = u16::from_be_bytes([high, low]);
        stage.send_rtp(&rtp(7, 111, sequence, index * 960, &[0xFC; 40]));
    }
    assert!(drops(&stage, DropReason::EventsFull) >= 6_000 - 4_096 - 64);

    // Coming and going as often as the peer likes.
    for index in 0..6_000_u32 {
        stage.send_rtcp(&bye(7));
        let [_, _, high, low] = (7_000 + index).to_be_bytes();
        stage.send_rtp(&rtp(7, 111, u16::from_be_bytes([high, low]), 0, &[1]));
    }
    let full = drops(&stage, DropReason::EventsFull);
    assert!(full > 10_000, "{full}");

    // Retransmissions of a window that never ends.
    let mut nack = vec![0x81, 205, 0, 0, 0, 0, 0, 1];
    nack.extend_from_slice(&mic.ssrc().to_be_bytes());
    for base in 0..300_u16 {
        nack.extend_from_slice(&(base * 17).to_be_bytes());
        nack.extend_from_slice(&[0xFF, 0xFF]);
    }
    let words = u16::try_from(nack.len() / 4 - 1).unwrap();
    nack[2..4].copy_from_slice(&words.to_be_bytes());
    for _ in 0..20 {
        stage.send_rtcp(&nack.clone());
    }
    assert!(drops(&stage, DropReason::FeedbackFull) >= 20);
    // A key frame can still be asked for, and a goodbye be said.
    stage.connection.receive_track(&vp8(8, "m"), now).unwrap();
    stage.connection.request_key_frame(8, now).unwrap();
    mic.remove(&mut stage.connection, now).unwrap();
    stage.puppet.received.clear();
    stage.settle();
    let types: Vec<u8> = stage
        .puppet
        .received
        .iter()
        .map(|packet| packet[1])
        .collect();
    assert!(types.contains(&206) && types.contains(&201), "{types:?}");
    let again = types
        .iter()
        .filter(|kind| **kind < 128 || **kind > 223)
        .count();
    assert!(again <= 100, "sent again at most once each: {again}");
}

#[test]
fn sources_without_end_leave_a_bounded_number_of_events() {
    let mut stage = Stage::connected(41, |options| options);
    stage.keep_events = true;
    for ssrc in 0..20_000_u32 {
        stage.send_rtp(&rtp(ssrc | 0x8000_0000, 111, 1, 0, &[1]));
    }
    let told = core::iter::from_fn(|| stage.connection.poll_event())
        .filter(|event| matches!(event, Event::UnknownTrack(_)))
        .count();
    assert!(told > 16 && told <= 4_096, "{told}");
}

/// The first datagram of a client: a real one.
fn client_hello() -> Vec<u8> {
    use ortc_core::dtls::{Certificate, Config, Endpoint, Role, crypto::ring_provider};
    let now = Stage::new(99, |options| options).now;
    let certificate = Certificate::generate(&ring_provider()).unwrap();
    let config = Config::new(certificate, ring_provider());
    let mut endpoint = Endpoint::new(config.into(), Role::Client, now);
    let mut buf = Vec::new();
    endpoint.poll_transmit(&mut buf, now).unwrap();
    buf
}
