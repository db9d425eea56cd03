//! From the end of consent until a check is answered again nothing leaves but checks (RFC 7675
//! §5.1): no media, tones, RTCP or DTLS, whatever is asked for.

use ortc_core::{DtmfContainer, Event, Frame, SendError};
use ortc_testkit::call::{Call, address_a, address_b};

use super::{connected, ms, talk};

/// How many datagrams of STUN, DTLS, RTP and RTCP left since the first `from`.
fn sent(call: &Call, from: usize) -> [usize; 4] {
    let mut counts = [0; 4];
    for sent in &call.net.log[from..] {
        let kind = match (sent.contents[0], sent.contents[1]) {
            (0..=3, _) => 0,
            (20..=63, _) => 1,
            (128.., 192..=223) => 3,
            _ => 2,
        };
        counts[kind] += 1;
    }
    counts
}

#[test]
fn nothing_but_checks_leaves_without_consent_whatever_is_asked_for() {
    let (mut call, mic, _) = connected(70);
    let from = call.net.log.len();
    let handler = call
        .a()
        .connection
        .add_dtmf_handler(DtmfContainer::First)
        .unwrap();
    talk(&mut call, mic, 0, 300);
    call.net.block(address_a(), address_b());
    let now = call.net.now();
    let data = |call: &mut Call, now| call.a().connection.send_application_data(b"data", now);
    data(&mut call, now).unwrap();
    call.net.run_for(ms(24_000));
    // Ten seconds of tones begin while there is consent, and a packet a moment before its end.
    let now = call.net.now();
    let tones = "1234567890".repeat(5);
    let long = Some(ms(1_000));
    handler
        .insert_dtmf(&mut call.a().connection, &tones, long, None, now)
        .unwrap();
    let [checks, dtls, rtp, rtcp] = sent(&call, from);
    assert!(checks > 0 && dtls > 0 && rtp >= 300 && rtcp > 0);
    let interrupted = |event: &Event| matches!(event, Event::Disconnected(_));
    while !call.a().saw(interrupted) || !call.b().saw(interrupted) {
        call.net.run_for(ms(100));
    }
    let [.., tone_packets, _] = sent(&call, from);
    assert!(tone_packets > rtp, "tones were playing");

    let silent = call.net.log.len();
    for _ in 0..30 {
        let now = call.net.now();
        let frame = Frame::new(vec![1], 0);
        let connection = &mut call.a().connection;
        assert_eq!(
            connection.send_frame(mic, &frame, now),
            Err(SendError::NotConnected)
        );
        let _ = handler.insert_dtmf(connection, "1", None, None, now);
        let _ = data(&mut call, now);
        call.net.run_for(ms(2_000));
    }
    let [checks, others @ ..] = sent(&call, silent);
    assert!(checks > 30);
    assert_eq!(others, [0, 0, 0]);

    // Nor is there a way left to say goodbye on.
    let last = call.net.log.len();
    let now = call.net.now();
    call.a().connection.close(now);
    call.b().connection.close(now);
    call.net.run_for(ms(10_000));
    assert_eq!(call.net.log.len(), last);
}

/// A machine that slept: whatever is called first, no packet leaves on a consent that is over.
#[test]
fn after_a_sleep_nothing_leaves_before_the_timers_have_run() {
    let (mut call, mic, _) = connected(71);
    let later = call.net.now() + ms(40_000);
    let connection = &mut call.a().connection;
    let frame = Frame::new(vec![0xFC, 1, 2, 3], 0);
    let _ = connection.send_frame(mic, &frame, later);
    let mut buf = Vec::new();
    while connection.poll_transmit(&mut buf, later).is_some() {
        assert!(buf[0] <= 3, "{}", buf[0]);
        buf.clear();
    }
    let due = connection.poll_timeout().unwrap();
    assert!(due.at <= later, "the end of consent is due");
    connection.handle_timeout(later);
    assert!(!connection.is_connected());
}
