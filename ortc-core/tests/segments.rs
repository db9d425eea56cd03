//! Runs of packets for sockets with segmentation offload.

use core::time::Duration;

use bytes::Bytes;
use ortc_core::{
    Autostart, Datagram, Ecn, Event, Frame, MediaKind, MediaStream, MediaStreamTrack, Path,
    RTCTrackFilter, RtpToSend, SendError,
};
use ortc_testkit::call::Call;
use ortc_testkit::link::Link;
use ortc_testkit::puppet::Stage;

/// A frame of several packets leaves as one run: all of one length, the last shorter; and each
/// piece of the run is a datagram that the peer takes.
#[test]
fn a_frame_leaves_as_one_run_of_equal_packets_with_the_last_shorter() {
    let link = Link::perfect(Duration::from_millis(5));
    let mut call = Call::new(9, link, |_, options| options.max_segments(16));
    let mut stream = MediaStream::new("s");
    stream.add_track(&MediaStreamTrack::new(MediaKind::Video, "cam", "Camera"));
    call.a()
        .connection
        .add_stream(&stream, Autostart::Yes)
        .unwrap();
    call.signal();
    call.vouch();
    assert!(call.run_until_connected(Duration::from_secs(5)));
    call.net.run_for(Duration::from_secs(1));
    let now = call.net.now();
    let track = call.a().connection.tracks(&RTCTrackFilter::default())[0];
    let mut vp8 = vec![0, 0, 0, 0x9D, 1, 0x2A, 0, 0, 0, 0];
    vp8.resize(10_000, 7);
    let frame = Frame::new(Bytes::from(vp8), 0);
    call.a().connection.send_frame(track, &frame, now).unwrap();

    let sent_before = call.a().connection.stats(now).datagrams_sent;
    let mut buf = Vec::new();
    let transmit = call.a().connection.poll_transmit(&mut buf, now).unwrap();
    let segment = transmit.segment.unwrap();
    assert_eq!(transmit.len, buf.len());
    assert!(
        segment <= 1_200 && transmit.len > 8 * segment,
        "{transmit:?}"
    );
    assert!(
        call.a()
            .connection
            .poll_transmit(&mut Vec::new(), now)
            .is_none()
    );

    let sent = call.a().connection.stats(now).datagrams_sent - sent_before;
    assert_eq!(sent, 9, "each piece of a run is a datagram");
    let path = Path::udp(transmit.path.remote, transmit.path.local);
    for contents in buf.chunks_mut(segment) {
        let datagram = Datagram {
            path,
            contents,
            ecn: Ecn::default(),
        };
        call.b().connection.handle_datagram(datagram, now);
    }
    call.b().drain(now);
    let whole =
        |event: &Event| matches!(event, Event::Frame(whole) if whole.payload == frame.payload);
    assert_eq!(call.b().count(whole), 1);
}

/// The application sets an extension after a frame was cut to size: only the frame's last, shorter
/// packet has room for it, and would be longer than those before.
#[test]
fn no_piece_of_a_run_is_longer_than_the_first() {
    let mut stage = Stage::connected(10, |options| options.max_segments(16));
    let mut stream = MediaStream::new("s");
    stream.add_track(&MediaStreamTrack::new(MediaKind::Video, "cam", "Camera"));
    let connection = &mut stage.connection;
    connection.add_stream(&stream, Autostart::Yes).unwrap();
    let track = connection.tracks(&RTCTrackFilter::default())[0];
    for payload in [1_150, 1_100] {
        let packet = RtpToSend {
            payload_type: 96,
            timestamp: 0,
            marker: false,
            skip: 0,
            payload: Bytes::from(vec![0; payload]),
        };
        connection.send_rtp(track, packet, stage.now).unwrap();
    }
    let mid = "urn:ietf:params:rtp-hdrext:sdes:mid".to_owned();
    let headers = [(mid, "x".repeat(60))].into();
    track.set_rtp_ext_headers(connection, headers).unwrap();

    let mut buf = Vec::new();
    let first = connection.poll_transmit(&mut buf, stage.now).unwrap();
    assert_eq!(first.segment, None, "{first:?}");
    let second = connection.poll_transmit(&mut buf, stage.now).unwrap();
    assert!(second.len > first.len, "the extension fits the second");
}

/// Waiting would not help: the error says so, and nothing of the frame is queued.
#[test]
fn a_frame_that_no_queue_holds_is_refused_as_such() {
    let link = Link::perfect(Duration::from_millis(5));
    let mut call = Call::new(10, link, |_, options| options);
    let mut stream = MediaStream::new("s");
    stream.add_track(&MediaStreamTrack::new(MediaKind::Video, "cam", "Camera"));
    call.a()
        .connection
        .add_stream(&stream, Autostart::Yes)
        .unwrap();
    call.signal();
    call.vouch();
    assert!(call.run_until_connected(Duration::from_secs(5)));
    call.net.run_for(Duration::from_secs(1));
    let now = call.net.now();
    let track = call.a().connection.tracks(&RTCTrackFilter::default())[0];

    let size = (4 << 20) + 1;
    let refused = call
        .a()
        .connection
        .send_frame(track, &Frame::new(vec![0; size], 0), now);
    assert_eq!(refused, Err(SendError::FrameTooLarge { size }));
    assert!(
        call.a()
            .connection
            .poll_transmit(&mut Vec::new(), now)
            .is_none()
    );
}
