//! RTCDTMFHandler (draft §4).

use ortc_core::{ConnectionError, DtmfContainer, Event, RTCDTMFHandler};
use ortc_testkit::call::Call;

use super::{connected, ms};

fn handlers(number: u64) -> (Call, RTCDTMFHandler, RTCDTMFHandler) {
    let mut call = connected(number);
    let sending = call
        .a()
        .connection
        .add_dtmf_handler(DtmfContainer::First)
        .unwrap();
    let now = call.net.now();
    for text in call.a().signals().split_off(1) {
        call.b().handle_signal(&text, now);
    }
    call.b().drain(now);
    let receiving = call.b().events.iter().find_map(|event| match event {
        Event::AddDtmfHandler(handler) => Some(*handler),
        _ => None,
    });
    (call, sending, receiving.unwrap())
}

#[test]
fn id_and_label_are_those_of_the_audio_track() {
    let (mut call, sending, receiving) = handlers(50);
    let connection = &call.a().connection;
    assert_eq!(sending.id(connection).unwrap(), "m1/mic");
    assert_eq!(sending.label(connection).unwrap(), "Microphone");
    let connection = &call.b().connection;
    assert_eq!(receiving.label(connection).unwrap(), "remote audio");
}

#[test]
fn tone_buffer_duration_and_inter_tone_gap_can_be_read() {
    let (mut call, sending, _) = handlers(51);
    let now = call.net.now();
    let connection = &mut call.a().connection;
    assert_eq!(sending.tone_buffer(connection).unwrap(), "");
    sending
        .insert_dtmf(connection, "123", Some(ms(200)), Some(ms(60)), now)
        .unwrap();
    assert_eq!(
        sending.tone_buffer(connection).unwrap(),
        "23",
        "1 has begun"
    );
    assert_eq!(sending.duration(connection).unwrap(), ms(200));
    assert_eq!(sending.inter_tone_gap(connection).unwrap(), ms(60));
}

#[test]
fn insert_dtmf_sends_and_ondtmf_tells_each_tone_once() {
    let (mut call, sending, receiving) = handlers(52);
    let now = call.net.now();
    sending
        .insert_dtmf(&mut call.a().connection, "09aD*#", None, None, now)
        .unwrap();
    call.net.run_for(ms(2_000));
    assert_eq!(call.b().tones(), "09AD*#");
    assert!(
        call.b()
            .saw(|event| matches!(event, Event::Dtmf { handler, .. } if *handler == receiving))
    );
}

#[test]
fn insert_dtmf_is_for_sending_handlers() {
    let (mut call, _, receiving) = handlers(53);
    let now = call.net.now();
    assert_eq!(
        receiving.insert_dtmf(&mut call.b().connection, "1", None, None, now),
        Err(ConnectionError::ReceivingHandler)
    );
}
