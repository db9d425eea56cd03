//! The eight events of RTCConnection (draft §2.3.1).

use ortc_core::{DisconnectReason, Event};
use ortc_testkit::puppet::{Stage, opus, rtp};

use super::{alone, connected};

#[test]
fn oncandidate_gives_a_local_candidate() {
    let (mut connection, _) = alone();
    let Some(Event::Candidate(candidate)) = connection.poll_event() else {
        panic!("a candidate first")
    };
    assert_eq!(candidate.connection_address, "10.0.0.1");
    assert_eq!((candidate.component, candidate.kind.as_str()), (1, "host"));
}

#[test]
fn onendofcandidates_comes_after_the_last_candidate() {
    let (mut connection, _) = alone();
    let mut last = None;
    while let Some(event) = connection.poll_event() {
        last = Some(event);
    }
    assert_eq!(last, Some(Event::EndOfCandidates));
}

#[test]
fn onactivecandidate_gives_both_ends_of_the_pair() {
    let mut call = connected(20);
    let pairs = |events: &[Event]| -> Vec<(String, String)> {
        let pair = |event: &Event| match event {
            Event::ActiveCandidate(pair) => Some((
                pair.local.connection_address.clone(),
                pair.remote.connection_address.clone(),
            )),
            _ => None,
        };
        events.iter().filter_map(pair).collect()
    };
    let expected = ("10.0.0.1".to_owned(), "10.0.0.2".to_owned());
    assert_eq!(pairs(&call.a().events), [expected]);
}

#[test]
fn onconnected_follows_ice_and_dtls() {
    let mut call = connected(21);
    assert_eq!(call.a().count(|event| *event == Event::Connected), 1);
}

#[test]
fn ondisconnected_has_a_reason() {
    let mut call = connected(22);
    let now = call.net.now();
    call.a().connection.close(now);
    call.a().drain(now);
    let last = call.a().events.last().cloned();
    assert_eq!(last, Some(Event::Disconnected(DisconnectReason::Closed)));
}

#[test]
fn onaddstream_fires_for_an_msid_of_no_other_receiving_track() {
    let (mut connection, now) = alone();
    while connection.poll_event().is_some() {}
    connection.receive_track(&opus(1, "m1"), now).unwrap();
    connection.receive_track(&opus(2, "m1"), now).unwrap();
    let Some(Event::AddStream(stream)) = connection.poll_event() else {
        panic!("a stream is added")
    };
    assert_eq!(stream.id(), "m1");
    assert_eq!(connection.poll_event(), None);
}

#[test]
fn onunknowntrack_gives_the_header_extensions() {
    let mut stage = Stage::connected(23, |options| options);
    let packet = ortc_testkit::puppet::with_extension(&rtp(9, 111, 1, 0, &[1]), 2, b"hi");
    stage.send_rtp(&packet);
    let unknown = stage.events.iter().find_map(|event| match event {
        Event::UnknownTrack(unknown) => Some(unknown.rtp_ext_headers.clone()),
        _ => None,
    });
    assert!(unknown.unwrap().values().any(|value| value == "hi"));
}

#[test]
fn onadddtmfhandler_fires_for_audio_with_a_dtmf_codec() {
    let (mut connection, now) = alone();
    let mut audio = opus(1, "m1");
    connection.receive_track(&audio, now).unwrap();
    audio.codecs.push(ortc_core::RTCCodec::new(101, "dtmf"));
    connection.receive_track(&audio, now).unwrap();
    connection.receive_track(&audio, now).unwrap();
    let handlers = core::iter::from_fn(|| connection.poll_event())
        .filter(|event| matches!(event, Event::AddDtmfHandler(_)));
    assert_eq!(handlers.count(), 1);
}
