//! Extensions to MediaStream and MediaStreamTrack (draft §7, §8).

use ortc_core::{Event, MediaKind, MediaStream, MediaStreamTrack};
use ortc_testkit::puppet::{Stage, bye, opus, rtp};

fn stage(number: u64) -> Stage {
    let mut stage = Stage::connected(number, |options| options);
    let now = stage.now;
    stage.connection.receive_track(&opus(7, "m"), now).unwrap();
    stage.send_rtp(&rtp(7, 111, 1, 0, &[1]));
    stage
}

#[test]
fn add_track_returns_the_clone() {
    let track = MediaStreamTrack::new(MediaKind::Audio, "t", "Label");
    let mut stream = MediaStream::new("s");
    let clone = stream.add_track(&track);
    assert_ne!(clone.id(), track.id());
    assert_eq!(stream.tracks(), [clone]);
}

#[test]
fn stream_onconnected_comes_with_the_first_rtp() {
    let stage = stage(60);
    let connected = |event: &Event| matches!(event, Event::StreamConnected(s) if s.id() == "m");
    assert_eq!(stage.count(connected), 1);
}

#[test]
fn stream_ondisconnected_comes_with_the_bye_of_its_last_track() {
    let mut stage = stage(61);
    stage.send_rtcp(&bye(7));
    let gone = |event: &Event| matches!(event, Event::StreamDisconnected(s) if s.id() == "m");
    assert_eq!(stage.count(gone), 1);
}

#[test]
fn track_onconnected_comes_with_its_first_rtp() {
    let stage = stage(62);
    assert_eq!(
        stage.count(|event| matches!(event, Event::TrackConnected(_))),
        1
    );
}

#[test]
fn track_ondisconnected_comes_with_bye() {
    let mut stage = stage(63);
    stage.send_rtcp(&bye(7));
    assert_eq!(
        stage.count(|event| matches!(event, Event::TrackDisconnected(_))),
        1
    );
}
