//! Tones out and in.

use ortc_core::{
    Autostart, ConnectionError, DtmfContainer, Event, MediaKind, MediaStream, MediaStreamTrack,
    RTCCodec, RTCDTMFHandler, RTCTrackFilter,
};
use ortc_testkit::call::Call;

use super::{call, connected, ms, stream, talk};

fn handler(call: &mut Call) -> RTCDTMFHandler {
    call.a()
        .connection
        .add_dtmf_handler(DtmfContainer::First)
        .unwrap()
}

/// The first end describes its tracks to the second anew.
fn describe(call: &mut Call) {
    let now = call.net.now();
    for text in call.a().signals().split_off(1) {
        call.b().handle_signal(&text, now);
    }
}

#[test]
fn add_dtmf_handler_finds_its_track_by_container_and_is_the_same_for_the_same_track() {
    let mut call = call(500);
    let connection = &mut call.a().connection;
    assert_eq!(
        connection.add_dtmf_handler(DtmfContainer::First),
        Err(ConnectionError::NoAudioTrack)
    );
    let (first, second) = (stream("s1"), stream("s2"));
    connection.add_stream(&first, Autostart::Yes).unwrap();
    connection.add_stream(&second, Autostart::Yes).unwrap();
    let any = connection.add_dtmf_handler(DtmfContainer::First).unwrap();
    assert_eq!(any.id(connection).unwrap(), first.tracks()[0].id());
    assert_eq!(any.label(connection).unwrap(), "Microphone");
    let by_stream = connection
        .add_dtmf_handler(DtmfContainer::Stream(&second))
        .unwrap();
    assert_eq!(by_stream.id(connection).unwrap(), second.tracks()[0].id());
    let track = &second.tracks()[0];
    let by_track = connection
        .add_dtmf_handler(DtmfContainer::Track(track))
        .unwrap();
    assert_eq!(by_stream, by_track);
    let camera = DtmfContainer::Track(&second.tracks()[1]);
    assert_eq!(
        connection.add_dtmf_handler(camera),
        Err(ConnectionError::NoAudioTrack)
    );

    // As section 4.2.3 shows it: one more codec, without a clock rate.
    let rtc_track = connection.track(&first.tracks()[0]).unwrap();
    let codecs = rtc_track.get_description(connection).unwrap().codecs;
    let tones: Vec<_> = codecs.iter().filter(|codec| codec.name == "dtmf").collect();
    assert_eq!(tones, [&RTCCodec::new(101, "dtmf")]);
}

#[test]
fn add_dtmf_handler_takes_a_free_payload_type() {
    let mut call = call(501);
    let connection = &mut call.a().connection;
    connection
        .add_stream(&stream("s1"), Autostart::Yes)
        .unwrap();
    let mic = connection.tracks(&RTCTrackFilter::default())[0];
    let opus = RTCCodec::new(101, "opus")
        .with_clock_rate(48_000)
        .with_channels(2);
    mic.set_codecs(connection, vec![opus]).unwrap();
    connection.add_dtmf_handler(DtmfContainer::First).unwrap();
    let codecs = mic.codecs(connection).unwrap();
    assert_eq!(codecs[1], RTCCodec::new(96, "dtmf"));
}

#[test]
fn insert_dtmf_keeps_the_limits_and_the_defaults_of_the_draft() {
    let (mut call, _, _) = connected(502);
    let handler = handler(&mut call);
    describe(&mut call);
    let now = call.net.now();
    let connection = &mut call.a().connection;
    for (duration, gap) in [
        (Some(ms(69)), None),
        (Some(ms(6_001)), None),
        (None, Some(ms(49))),
    ] {
        let refused = handler.insert_dtmf(connection, "1", duration, gap, now);
        assert!(matches!(refused, Err(ConnectionError::Tones(_))));
    }
    assert_eq!(handler.tone_buffer(connection).unwrap(), "");
    assert_eq!(handler.duration(connection).unwrap(), ms(100));
    assert_eq!(handler.inter_tone_gap(connection).unwrap(), ms(50));

    handler
        .insert_dtmf(connection, "1a x,#", Some(ms(70)), Some(ms(80)), now)
        .unwrap();
    assert_eq!(handler.tone_buffer(connection).unwrap(), "A,#");
    assert_eq!(handler.duration(connection).unwrap(), ms(70));
    assert_eq!(handler.inter_tone_gap(connection).unwrap(), ms(80));
    call.net.run_for(ms(1_000));
    assert_eq!(
        call.b().tones(),
        "1A",
        "the comma is a pause of two seconds"
    );
    call.net.run_for(ms(3_000));
    assert_eq!(call.b().tones(), "1A#");
    let started = call.a().events.iter().filter_map(|event| match event {
        Event::ToneStarted { tone, .. } => Some(*tone),
        _ => None,
    });
    assert_eq!(started.collect::<String>(), "1A#");
}

#[test]
fn insert_dtmf_replaces_the_rest_and_an_empty_string_ends_after_the_current_tone() {
    let (mut call, _, _) = connected(503);
    let handler = handler(&mut call);
    describe(&mut call);
    let insert = |call: &mut Call, tones: &str| {
        let now = call.net.now();
        handler
            .insert_dtmf(&mut call.a().connection, tones, None, None, now)
            .unwrap();
        call.net.run_for(ms(30));
    };
    insert(&mut call, "123456");
    insert(&mut call, "99");
    call.net.run_for(ms(1_000));
    assert_eq!(call.b().tones(), "199");
    insert(&mut call, "777");
    insert(&mut call, "");
    call.net.run_for(ms(1_000));
    assert_eq!(call.b().tones(), "1997");
}

#[test]
fn insert_dtmf_on_a_receiving_handler_is_an_error() {
    let (mut call, _, _) = connected(504);
    handler(&mut call);
    describe(&mut call);
    let now = call.net.now();
    call.b().drain(now);
    let receiving: Vec<_> = call
        .b()
        .events
        .iter()
        .filter_map(|event| match event {
            Event::AddDtmfHandler(handler) => Some(*handler),
            _ => None,
        })
        .collect();
    assert_eq!(receiving.len(), 1);
    let connection = &mut call.b().connection;
    assert_eq!(
        receiving[0].insert_dtmf(connection, "1", None, None, now),
        Err(ConnectionError::ReceivingHandler)
    );
    assert_eq!(receiving[0].tone_buffer(connection).unwrap(), "");
    assert!(receiving[0].id(connection).unwrap().starts_with("remote-"));
}

#[test]
fn insert_dtmf_before_connected_waits_and_every_tone_is_whole() {
    let mut call = call(505);
    call.a()
        .connection
        .add_stream(&stream("s1"), Autostart::Yes)
        .unwrap();
    let handler = handler(&mut call);
    let now = call.net.now();
    handler
        .insert_dtmf(&mut call.a().connection, "159#", None, None, now)
        .unwrap();
    call.net.run_for(ms(10_000));
    assert_eq!(handler.tone_buffer(&call.a().connection).unwrap(), "159#");
    assert_eq!(
        call.a()
            .count(|event| matches!(event, Event::ToneStarted { .. })),
        0
    );
    call.signal();
    call.vouch();
    assert!(call.run_until_connected(ms(5_000)));
    let begun = call.net.elapsed();
    call.net.run_for(ms(3_000));
    assert_eq!(call.b().tones(), "159#");
    // Four tones of 100 ms with gaps of 50 ms were played, not thrown out at once.
    let last = call.net.log.iter().rfind(|sent| {
        sent.contents.first() == Some(&0x80)
            && sent.contents.get(1).map(|octet| octet & 0x7F) == Some(101)
    });
    let start = call.net.now() - call.net.elapsed();
    assert!(last.unwrap().at - start >= begun + ms(500));
}

#[test]
fn tones_share_the_audio_clock_and_come_beside_its_frames() {
    let (mut call, mic, _) = connected(506);
    let handler = handler(&mut call);
    describe(&mut call);
    talk(&mut call, mic, 0, 10);
    let now = call.net.now();
    handler
        .insert_dtmf(&mut call.a().connection, "12", None, None, now)
        .unwrap();
    talk(&mut call, mic, 10, 50);
    call.net.run_for(ms(500));
    assert_eq!(call.b().tones(), "12");
    assert_eq!(super::frames(&mut call), 60);
    assert!(!call.b().saw(|event| matches!(event, Event::Gap(_))));
}

#[test]
fn tones_run_at_a_rate_that_the_peer_lists() {
    let (mut call, _, _) = connected(507);
    let handler = handler(&mut call);
    let mic = call.a().connection.tracks(&RTCTrackFilter::default())[0];
    let mut codecs = mic.codecs(&call.a().connection).unwrap().to_vec();
    codecs.retain(|codec| codec.name != "dtmf");
    codecs.push(RTCCodec::new(110, "telephone-event").with_clock_rate(48_000));
    codecs.push(RTCCodec::new(126, "telephone-event").with_clock_rate(8_000));
    mic.set_codecs(&mut call.a().connection, codecs).unwrap();
    describe(&mut call);

    // The peer, whose own audio lists tones at 8 kHz only.
    let mut audio = MediaStream::new("back");
    audio.add_track(&MediaStreamTrack::new(MediaKind::Audio, "mic", ""));
    call.b()
        .connection
        .add_stream(&audio, Autostart::Yes)
        .unwrap();
    let back = call.b().connection.tracks(&RTCTrackFilter::default())[0];
    let mut codecs = back.codecs(&call.b().connection).unwrap().to_vec();
    codecs.push(RTCCodec::new(126, "telephone-event").with_clock_rate(8_000));
    back.set_codecs(&mut call.b().connection, codecs).unwrap();
    let described = back.get_description(&call.b().connection).unwrap();
    let now = call.net.now();
    call.a().connection.receive_track(&described, now).unwrap();

    handler
        .insert_dtmf(&mut call.a().connection, "5", None, None, now)
        .unwrap();
    call.net.run_for(ms(500));
    assert_eq!(call.b().tones(), "5");
    let types = call
        .net
        .log
        .iter()
        .filter_map(|sent| match sent.contents[..] {
            [0x80, payload_type, ..] => Some(payload_type & 0x7F),
            _ => None,
        });
    let types: Vec<u8> = types.filter(|id| *id == 110 || *id == 126).collect();
    assert!(!types.is_empty() && types.iter().all(|id| *id == 126));
}
