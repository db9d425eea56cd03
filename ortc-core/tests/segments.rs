//! Runs of packets for sockets with segmentation offload.

use core::time::Duration;

use bytes::Bytes;
use ortc_core::{
    Autostart, Datagram, Ecn, Event, Frame, MediaKind, MediaStream, MediaStreamTrack, Path,
    RTCTrackFilter,
};
use ortc_testkit::call::Call;
use ortc_testkit::link::Link;

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
