//! Calls in the wrong order or with wrong values: an error that says what to do, and a connection
//! that is as it was.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

use core::time::Duration;
use std::time::Instant;

use ortc_core::{
    Autostart, ConnectionError, DescriptionError, DtmfContainer, Fingerprint, Frame, HashAlgorithm,
    MediaStream, RTCCodec, RTCConnection, RTCConnectionOptions, RTCIceCandidateDescription,
    RTCIceConnectionInfo, RTCTrackDescription, RTCTrackFilter, RtpExtHeaders, RtpToSend, SendError,
};
use ortc_testkit::call::{Call, address_a};
use ortc_testkit::link::Link;
use ortc_testkit::puppet::{Stage, opus, vp8};

fn origin() -> Instant {
    Stage::new(1, |options| options).now
}

fn alone() -> (RTCConnection, Instant) {
    let now = origin();
    let options = RTCConnectionOptions::new([1; 32]).local_address(address_a());
    (RTCConnection::new(options, now).unwrap(), now)
}

fn stream(id: &str) -> MediaStream {
    let mut stream = MediaStream::new(id);
    for (kind, name) in [
        (ortc_core::MediaKind::Audio, "mic"),
        (ortc_core::MediaKind::Video, "cam"),
    ] {
        stream.add_track(&ortc_core::MediaStreamTrack::new(kind, name, ""));
    }
    stream
}

fn candidate() -> RTCIceCandidateDescription {
    RTCIceCandidateDescription {
        foundation: "1".to_owned(),
        component: 1,
        transport: "udp".to_owned(),
        tcp_type: None,
        priority: 1,
        connection_address: "192.0.2.1".to_owned(),
        connection_port: 9,
        kind: "host".to_owned(),
        rel_address: None,
        rel_port: None,
        dtls: None,
    }
}

fn info(ufrag: &str, password: &str) -> RTCIceConnectionInfo {
    RTCIceConnectionInfo {
        username_frag: ufrag.to_owned(),
        password: password.to_owned(),
    }
}

#[test]
fn options_out_of_range_are_named_with_their_range() {
    let now = origin();
    let refused = |change: fn(RTCConnectionOptions) -> RTCConnectionOptions| {
        let error =
            RTCConnection::new(change(RTCConnectionOptions::new([1; 32])), now).unwrap_err();
        error.to_string()
    };
    assert_eq!(refused(|o| o.mtu(255)), "mtu must be 256 to 9000 octets");
    assert_eq!(refused(|o| o.mtu(9_001)), "mtu must be 256 to 9000 octets");
    assert_eq!(
        refused(|o| o.rtp_timeout(Duration::from_millis(999))),
        "rtp_timeout must be 1 s to 24 h"
    );
    assert!(refused(|o| o.srtp_profiles(vec![])).contains("at least one"));
    assert!(refused(|o| o.extension_ids([("a".to_owned(), 15)].into())).contains("1 to 14"));
    assert!(
        refused(|o| o.extension_ids([("a".to_owned(), 1), ("b".to_owned(), 1)].into()))
            .contains("different"),
        "two extensions on one id cannot be told apart"
    );
    assert!(refused(|o| o.local_address("0.0.0.0:1".parse().unwrap())).contains("unspecified"));
    assert!(refused(|o| o.local_address(address_a()).local_address(address_a())).contains("once"));
    assert!(refused(|o| o.dtls_retransmission(Duration::ZERO)).contains("DTLS"));
    assert!(refused(|o| o.dtls_groups(vec![])).contains("DTLS"));
    assert!(
        refused(|o| {
            let mut own = ortc_core::get_rtc_capabilities();
            own.audio_codecs[0].payload_id = 72;
            o.capabilities(own)
        })
        .contains("description")
    );
}

#[test]
fn spans_are_bounded_so_that_no_deadline_overflows() {
    let now = origin();
    let changes: [fn(RTCConnectionOptions) -> RTCConnectionOptions; 4] = [
        |o| o.rtp_timeout(Duration::MAX),
        |o| o.audio_wait(Duration::MAX),
        |o| o.video_wait(Duration::MAX),
        |o| o.wall_clock(Duration::MAX),
    ];
    for change in changes {
        let made = RTCConnection::new(change(RTCConnectionOptions::new([1; 32])), now);
        assert!(matches!(made, Err(ConnectionError::Option { .. })));
    }
    let mut stage = Stage::connected(3, |options| {
        options
            .rtp_timeout(Duration::from_secs(86_400))
            .audio_wait(Duration::from_secs(60))
            .wall_clock(Duration::from_secs(1 << 40))
    });
    let now = stage.now;
    stage.connection.receive_track(&opus(7, "m"), now).unwrap();
    stage
        .connection
        .add_stream(&stream("s"), Autostart::Yes)
        .unwrap();
    let mic = stage.connection.tracks(&RTCTrackFilter::default())[0];
    let frame = Frame::new(vec![1], u64::MAX);
    stage.connection.send_frame(mic, &frame, now).unwrap();
    for sequence in [1, 3, 5] {
        stage.send_rtp(&ortc_testkit::puppet::rtp(7, 111, sequence, 0, &[1]));
    }
    stage.run_for(Duration::from_secs(10));
    assert!(stage.connection.is_connected());
}

#[test]
fn signalling_out_of_order_is_refused() {
    let (mut connection, now) = alone();
    assert_eq!(connection.connect(now), Err(ConnectionError::NoRemoteIce));
    assert_eq!(
        connection.accept_remote_fingerprint(now),
        Err(ConnectionError::NothingToAccept)
    );
    assert_eq!(
        connection.set_local_candidate(&candidate(), now),
        Err(ConnectionError::UnknownLocalCandidate)
    );
    assert!(matches!(
        connection.send_application_data(b"x", now),
        Err(ConnectionError::Dtls(_))
    ));
    connection
        .set_remote_ice(info("abcd", "0123456789012345678901"), now)
        .unwrap();
    connection.connect(now).unwrap();
    assert_eq!(
        connection.connect(now),
        Err(ConnectionError::AlreadyConnecting)
    );
}

#[test]
fn descriptions_with_wrong_values_are_refused_and_say_why() {
    let (mut connection, now) = alone();
    for (ufrag, password) in [
        ("abc", "0123456789012345678901"),
        ("abcd", "short"),
        ("ab cd", "0123456789012345678901"),
        ("abcd", "012345678901234567890\u{e9}"),
    ] {
        let refused = connection.set_remote_ice(info(ufrag, password), now);
        assert!(matches!(
            refused,
            Err(ConnectionError::Description(DescriptionError::Credentials(
                _
            )))
        ));
    }
    assert!(connection.remote().ice.is_none());

    type Change = fn(&mut RTCIceCandidateDescription);
    let changes: [(Change, &str); 9] = [
        (|c| c.transport = "tcp".to_owned(), "leave them out"),
        (|c| c.kind = "hast".to_owned(), "use host"),
        (|c| c.connection_address = "x.local".to_owned(), "invalid"),
        (|c| c.connection_address = "x.example".to_owned(), "resolve"),
        (|c| c.connection_address = "0.0.0.0".to_owned(), "invalid"),
        (|c| c.connection_port = 0, "invalid"),
        (|c| c.foundation = String::new(), "invalid"),
        (|c| c.foundation = "x".repeat(33), "invalid"),
        (|c| c.priority = 0, "invalid"),
    ];
    for (change, says) in changes {
        let mut wrong = candidate();
        change(&mut wrong);
        let Err(ConnectionError::Description(error)) = connection.set_remote_candidate(&wrong, now)
        else {
            panic!("{wrong:?} was taken")
        };
        assert!(error.to_string().contains(says), "{error}");
    }
    let second = RTCIceCandidateDescription {
        component: 2,
        ..candidate()
    };
    assert!(connection.set_remote_candidate(&second, now).is_err());

    for ssrc in ["", "-1", "4294967296", "0x10", "1 ", "１"] {
        let mut wrong = opus(1, "m");
        wrong.ssrc = ssrc.to_owned();
        assert_eq!(
            connection.receive_track(&wrong, now),
            Err(DescriptionError::Ssrc(ssrc.to_owned()).into())
        );
    }
    let with = |ids: &[u8]| {
        let mut track = opus(1, "m");
        track.codecs = ids.iter().map(|id| RTCCodec::new(*id, "opus")).collect();
        track
    };
    assert_eq!(
        connection.receive_track(&with(&[96, 96]), now),
        Err(DescriptionError::DuplicatePayloadType(96).into())
    );
    for id in [64, 72, 95, 128, 255] {
        assert_eq!(
            connection.receive_track(&with(&[id]), now),
            Err(DescriptionError::PayloadType(id).into())
        );
    }
    assert!(connection.receive_track(&with(&[]), now).is_err());
    assert!(connection.get_receiving_streams().is_empty());
}

/// Members that we do not know are for others; a number where a string belongs is an error, and a
/// related address that a browser hides behind a name is none.
#[test]
fn json_of_a_careless_page_is_read_or_refused_and_never_guessed() {
    let track = r#"{ "kind": "audio", "ssrc": SSRC, "codecs": [], "mid": 7 }"#;
    let read = |ssrc| serde_json::from_str::<RTCTrackDescription>(&track.replace("SSRC", ssrc));
    assert_eq!(read(r#""4711""#).unwrap().ssrc(), Ok(4_711));
    let error = read("4711").unwrap_err().to_string();
    assert!(error.contains("expected a string"), "{error}");

    let (mut connection, now) = alone();
    let mut hidden = candidate();
    hidden.rel_address = Some("5b1f2a6c.local".to_owned());
    hidden.rel_port = Some(9);
    assert_eq!(connection.set_remote_candidate(&hidden, now), Ok(()));
    hidden.connection_address = "5b1f2a6c.local".to_owned();
    assert!(matches!(
        connection.set_remote_candidate(&hidden, now),
        Err(ConnectionError::Description(DescriptionError::Candidate(_)))
    ));
}

#[test]
fn an_ssrc_of_our_own_cannot_be_received() {
    let (mut connection, now) = alone();
    connection.add_stream(&stream("s"), Autostart::Yes).unwrap();
    let ssrc = connection.tracks(&RTCTrackFilter::default())[0].ssrc();
    assert_eq!(
        connection.receive_track(&opus(ssrc, "m"), now),
        Err(ConnectionError::SsrcCollision { ssrc })
    );
}

#[test]
fn tracks_and_addresses_have_limits() {
    let (mut connection, now) = alone();
    for index in 0..512 {
        connection
            .add_stream(&stream(&format!("s{index}")), Autostart::Yes)
            .unwrap();
    }
    let refused = connection.add_stream(&stream("more"), Autostart::Yes);
    assert!(matches!(
        refused,
        Err(ConnectionError::TooMany { limit: 1_024, .. })
    ));
    assert_eq!(connection.get_sending_streams().len(), 512);
    let mut taken = 0;
    while connection.receive_track(&vp8(taken, "m"), now).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, 1_024);
    for port in 1..64 {
        let address = core::net::SocketAddr::from(([10, 9, 9, 9], port));
        connection.add_local_address(address).unwrap();
    }
    let refused = connection.add_local_address("10.9.9.9:999".parse().unwrap());
    assert!(matches!(
        refused,
        Err(ConnectionError::TooMany { limit: 64, .. })
    ));
    connection.update(now).unwrap();

    let mut many = opus(2_000_000, "m");
    many.msid = (0..1_000).map(|id| id.to_string()).collect();
    assert!(connection.receive_track(&many, now).is_err());
}

#[test]
fn sending_in_the_wrong_state_or_with_wrong_values_is_refused() {
    let mut call = Call::new(5, Link::perfect(Duration::from_millis(5)), |_, options| {
        options
    });
    call.a()
        .connection
        .add_stream(&stream("s"), Autostart::Yes)
        .unwrap();
    let tracks = call.a().connection.tracks(&RTCTrackFilter::default());
    let (mic, cam) = (tracks[0], tracks[1]);
    let now = call.net.now();
    let frame = Frame::new(vec![1], 0);
    assert_eq!(
        call.a().connection.send_frame(mic, &frame, now),
        Err(SendError::NotConnected)
    );
    call.signal();
    call.vouch();
    assert!(call.run_until_connected(Duration::from_secs(5)));
    let now = call.net.now();
    let raw = |payload_type| RtpToSend {
        payload_type,
        marker: false,
        timestamp: 0,
        skip: 0,
        payload: vec![1].into(),
    };
    let ours = &mut call.a().connection;
    assert_eq!(
        ours.send_rtp(mic, raw(72), now),
        Err(SendError::PayloadType(72))
    );
    assert_eq!(
        ours.send_rtp(mic, raw(200), now),
        Err(SendError::PayloadType(200))
    );
    let empty = ours.send_frame(cam, &Frame::new(Vec::new(), 0), now);
    assert!(matches!(empty, Err(SendError::Packetize(_))));
    let huge = ours.send_frame(mic, &Frame::new(vec![0; 70_000], 0), now);
    assert!(matches!(huge, Err(SendError::Packetize(_))), "{huge:?}");
    // Extensions that leave no room for a payload.
    let uris: RtpExtHeaders = ["mid", "rtp-stream-id", "repaired-rtp-stream-id"]
        .into_iter()
        .map(|name| {
            (
                format!("urn:ietf:params:rtp-hdrext:sdes:{name}"),
                "x".repeat(255),
            )
        })
        .collect();
    cam.set_rtp_ext_headers(ours, uris).unwrap();
    let _ = ours.send_frame(cam, &Frame::new(vec![1; 100], 0), now);
    // The other end does not know the handle, and the first does once it is gone no more.
    assert_eq!(
        call.b().connection.send_frame(mic, &frame, now),
        Err(SendError::UnknownTrack)
    );
    mic.remove(&mut call.a().connection, now).unwrap();
    assert_eq!(
        call.a().connection.send_frame(mic, &frame, now),
        Err(SendError::UnknownTrack)
    );
}

#[test]
fn streams_are_added_once_with_tracks_and_removed_once() {
    let (mut connection, now) = alone();
    assert_eq!(
        connection.add_stream(&MediaStream::new("s"), Autostart::Yes),
        Err(ConnectionError::EmptyStream)
    );
    connection.add_stream(&stream("s"), Autostart::Yes).unwrap();
    assert_eq!(
        connection.add_stream(&stream("s"), Autostart::Yes),
        Err(ConnectionError::DuplicateStream)
    );
    connection.remove_stream(&stream("s"), now).unwrap();
    assert_eq!(
        connection.remove_stream(&stream("s"), now),
        Err(ConnectionError::UnknownStream)
    );
}

#[test]
fn after_close_every_method_is_an_error_or_does_nothing() {
    let (mut c, now) = alone();
    c.add_stream(&stream("s"), Autostart::Yes).unwrap();
    let track = c.tracks(&RTCTrackFilter::default())[0];
    let handler = c.add_dtmf_handler(DtmfContainer::First).unwrap();
    c.receive_track(&opus(7, "m"), now).unwrap();
    c.close(now);
    while c.poll_event().is_some() {}
    let closed = Err(ConnectionError::Closed);
    let print = Fingerprint::of(HashAlgorithm::Sha256, b"x");
    assert_eq!(c.connect(now), closed);
    assert_eq!(c.update(now), closed);
    assert_eq!(c.set_local_candidate(&candidate(), now), closed);
    assert_eq!(c.set_remote_candidate(&candidate(), now), closed);
    assert_eq!(
        c.set_remote_ice(info("abcd", "0123456789012345678901"), now),
        closed
    );
    assert_eq!(c.end_of_remote_candidates(now), closed);
    assert_eq!(c.set_remote_fingerprint(print, now), closed);
    assert_eq!(c.accept_remote_fingerprint(now), closed);
    assert_eq!(c.restart_ice(now).unwrap_err(), ConnectionError::Closed);
    assert_eq!(c.add_local_address("10.0.0.8:8".parse().unwrap()), closed);
    assert_eq!(c.add_stream(&stream("t"), Autostart::Yes), closed);
    assert_eq!(c.remove_stream(&stream("s"), now), closed);
    assert_eq!(
        c.receive_track(&opus(8, "m"), now).unwrap_err(),
        ConnectionError::Closed
    );
    assert_eq!(c.stop_receiving(7, now), closed);
    assert_eq!(c.request_key_frame(7, now), closed);
    assert_eq!(
        c.add_dtmf_handler(DtmfContainer::First).unwrap_err(),
        ConnectionError::Closed
    );
    assert_eq!(handler.insert_dtmf(&mut c, "1", None, None, now), closed);
    assert_eq!(c.send_application_data(b"x", now), closed);
    assert_eq!(c.get_local_socket().unwrap_err(), ConnectionError::Closed);
    assert_eq!(track.start(&mut c), closed);
    assert_eq!(track.stop(&mut c), closed);
    assert_eq!(track.remove(&mut c, now), closed);
    assert_eq!(track.set_msid(&mut c, vec![]), closed);
    assert_eq!(track.set_codecs(&mut c, vec![]), closed);
    assert_eq!(track.set_media_attributes(&mut c, vec![]), closed);
    assert_eq!(
        track.set_rtp_ext_headers(&mut c, RtpExtHeaders::new()),
        closed
    );
    assert_eq!(
        c.send_frame(track, &Frame::new(vec![1], 0), now),
        Err(SendError::NotConnected)
    );
    c.remove_local_address(address_a());
    c.close(now);
    c.handle_timeout(now + Duration::from_secs(60));
    assert!(c.poll_transmit(&mut Vec::new(), now).is_none());
    assert_eq!(c.poll_timeout(), None);
    assert_eq!(c.poll_event(), None);
    assert_eq!(c.poll_tap(), None);
    assert_eq!(c.poll_socket_update(), None);
    assert!(c.is_closed() && !c.is_connected());
}

#[test]
fn errors_are_sentences_without_the_name_of_their_variant() {
    for error in [
        ConnectionError::Closed,
        ConnectionError::NoRemoteIce,
        ConnectionError::UnknownTrack,
        ConnectionError::NothingToAccept,
        ConnectionError::SocketTaken,
    ] {
        let (text, name) = (error.to_string(), format!("{error:?}"));
        assert!(
            text.starts_with(char::is_lowercase) && !text.contains(&name),
            "{text}"
        );
    }
}
