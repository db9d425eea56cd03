//! Tracks come and go for as long as a connection lives.

use core::time::Duration;

use ortc_core::{
    Autostart, DropReason, Event, Frame, MediaKind, MediaStream, MediaStreamTrack, RTCTrackFilter,
};
use ortc_testkit::call::Call;
use ortc_testkit::link::Link;

/// More tracks, one after the other, than SRTP keeps sources for at once.
const TRACKS: usize = 1_200;

#[test]
fn more_tracks_than_srtp_has_room_for_come_and_go() {
    let link = Link::perfect(Duration::from_millis(1));
    let mut call = Call::new(3, link, |_, options| options);
    call.signal();
    call.vouch();
    assert!(call.run_until_connected(Duration::from_secs(5)));
    call.net.record = false;

    for index in 0..TRACKS {
        let now = call.net.now();
        let mut stream = MediaStream::new(format!("stream-{index}"));
        stream.add_track(&MediaStreamTrack::new(
            MediaKind::Audio,
            "mic",
            "Microphone",
        ));
        call.a()
            .connection
            .add_stream(&stream, Autostart::Yes)
            .unwrap();
        let track = call.a().connection.tracks(&RTCTrackFilter::default())[0];
        let description = track.get_description(&call.a().connection).unwrap();
        call.b()
            .connection
            .receive_track(&description, now)
            .unwrap();
        let frame = Frame::new(vec![0xFC, 0, 0], 0);
        call.a().connection.send_frame(track, &frame, now).unwrap();
        call.net.run_for(Duration::from_millis(5));
        let now = call.net.now();
        call.a().connection.remove_stream(&stream, now).unwrap();
        call.net.run_for(Duration::from_millis(5));
        let now = call.net.now();
        call.b()
            .connection
            .stop_receiving(track.ssrc(), now)
            .unwrap();
    }

    assert_eq!(
        call.b().count(|event| matches!(event, Event::Frame(_))),
        TRACKS
    );
    let now = call.net.now();
    let (sender, receiver) = (
        call.a().connection.stats(now),
        call.b().connection.stats(now),
    );
    assert_eq!(sender.drops.get(DropReason::KeyExhausted), 0);
    assert_eq!(receiver.drops.get(DropReason::TooManySources), 0);
}
