//! RTCConnection: constructor, attributes, methods (draft §2.3).

use ortc_core::{
    Autostart, DtmfContainer, Event, Frame, RTCConnection, RTCConnectionOptions, RTCTrackFilter,
};
use ortc_testkit::call::address_a;
use ortc_testkit::puppet::opus;

use super::{alone, call, connected, ms, sending, stream};

#[test]
fn constructor_begins_to_gather() {
    let now = call(1).net.now();
    let options = RTCConnectionOptions::new([1; 32]).local_address(address_a());
    let mut connection = RTCConnection::new(options, now).unwrap();
    assert!(matches!(connection.poll_event(), Some(Event::Candidate(_))));
    assert_eq!(connection.poll_event(), Some(Event::EndOfCandidates));
}

#[test]
fn local_is_there_from_the_start() {
    let (connection, _) = alone();
    let local = connection.local();
    assert!(local.ice.as_ref().unwrap().password.len() >= 22);
    assert!(
        local
            .dtls
            .fingerprint
            .as_ref()
            .unwrap()
            .get("sha-256")
            .is_some()
    );
}

#[test]
fn remote_is_what_was_set_and_after_the_handshake_the_fingerprint() {
    let mut call = call(2);
    assert!(call.a().connection.remote().ice.is_none());
    call.signal();
    let theirs = call.b().connection.local().clone();
    assert_eq!(call.a().connection.remote().ice, theirs.ice);
    assert!(call.a().connection.remote().dtls.fingerprint.is_none());
    assert!(call.run_until_connected(ms(5_000)));
    assert_eq!(call.a().connection.remote(), &theirs);
}

#[test]
fn get_local_socket_hands_out_the_socket() {
    let (mut connection, _) = alone();
    let mut socket = connection.get_local_socket().unwrap();
    assert_eq!(socket.local_addresses(), [address_a()]);
    assert!(socket.fork().is_ok());
}

#[test]
fn set_local_candidate_takes_what_the_event_gave() {
    let (mut connection, now) = alone();
    let Some(Event::Candidate(candidate)) = connection.poll_event() else {
        panic!("a candidate first")
    };
    connection.set_local_candidate(&candidate, now).unwrap();
    connection.set_local_candidate(&candidate, now).unwrap();
    let other = ortc_core::RTCIceCandidateDescription {
        priority: candidate.priority - 1,
        ..*candidate
    };
    assert!(connection.set_local_candidate(&other, now).is_err());
}

#[test]
fn set_remote_candidate_may_come_before_and_after_connect() {
    for before in [true, false] {
        let mut call = call(3);
        let texts = call.b().signals();
        let ours = call.a().signals();
        let (ice, candidate) = (&texts[0], &texts[1]);
        let now = call.net.now();
        let order = if before {
            [candidate, ice]
        } else {
            [ice, candidate]
        };
        for text in order {
            call.a().handle_signal(text, now);
        }
        // The other end hears nothing but the credentials: the candidate set here must do.
        call.b().handle_signal(&ours[0], now);
        assert!(call.run_until_connected(ms(5_000)), "{before}");
    }
}

#[test]
fn connect_starts_the_establishment() {
    let mut call = call(4);
    call.net.run_for(ms(1_000));
    assert!(call.net.log.is_empty(), "nothing leaves before");
    call.signal();
    assert!(call.run_until_connected(ms(5_000)));
}

#[test]
fn update_gathers_again() {
    let (mut connection, now) = alone();
    while connection.poll_event().is_some() {}
    connection.update(now).unwrap();
    assert!(matches!(connection.poll_event(), Some(Event::Candidate(_))));
    assert_eq!(connection.poll_event(), Some(Event::EndOfCandidates));
}

#[test]
fn add_stream_sends_its_tracks() {
    let mut call = connected(5);
    let mic = call.a().connection.tracks(&RTCTrackFilter::default())[0];
    let now = call.net.now();
    let frame = Frame::new(vec![1, 2], 0);
    call.a().connection.send_frame(mic, &frame, now).unwrap();
    call.net.run_for(ms(50));
    assert!(call.b().saw(|event| matches!(event, Event::Frame(_))));
}

#[test]
fn remove_stream_stops_sending() {
    let (mut connection, track, now) = sending();
    connection.remove_stream(&stream("m1"), now).unwrap();
    assert!(connection.tracks(&RTCTrackFilter::default()).is_empty());
    assert!(track.get_description(&connection).is_err());
}

#[test]
fn track_is_found_by_its_media_stream_track() {
    let (connection, track, _) = sending();
    let source = track.source(&connection).unwrap();
    assert_eq!(connection.track(source), Some(track));
}

#[test]
fn tracks_are_all_that_are_sent() {
    let (mut connection, _, _) = sending();
    connection
        .add_stream(&stream("m2"), Autostart::Yes)
        .unwrap();
    assert_eq!(connection.tracks(&RTCTrackFilter::default()).len(), 4);
}

#[test]
fn receive_track_makes_ready_to_receive() {
    let (mut connection, now) = alone();
    let track = connection.receive_track(&opus(1_234, "m1"), now).unwrap();
    assert_eq!(connection.get_receiving_streams()[0].tracks(), [track]);
}

#[test]
fn add_dtmf_handler_returns_a_sending_handler() {
    let (mut connection, track, now) = sending();
    let handler = connection.add_dtmf_handler(DtmfContainer::First).unwrap();
    handler
        .insert_dtmf(&mut connection, "1", None, None, now)
        .unwrap();
    let codecs = track.codecs(&connection).unwrap();
    assert_eq!(codecs.last().unwrap().name, "dtmf");
}

#[test]
fn get_sending_streams_are_those_added() {
    let (mut connection, _, now) = sending();
    assert_eq!(connection.get_sending_streams(), [stream("m1")]);
    connection.remove_stream(&stream("m1"), now).unwrap();
    assert!(connection.get_sending_streams().is_empty());
}

#[test]
fn get_receiving_streams_are_those_described() {
    let (mut connection, now) = alone();
    assert!(connection.get_receiving_streams().is_empty());
    connection.receive_track(&opus(1, "m1"), now).unwrap();
    connection.receive_track(&opus(2, "m2"), now).unwrap();
    let streams = connection.get_receiving_streams();
    let ids: Vec<&str> = streams.iter().map(ortc_core::MediaStream::id).collect();
    assert_eq!(ids, ["m1", "m2"]);
}

#[test]
fn close_ends_the_connection() {
    let mut call = connected(6);
    let now = call.net.now();
    call.a().connection.close(now);
    call.net.run_for(ms(50));
    assert!(call.a().connection.is_closed());
    assert!(!call.b().connection.is_connected());
}
