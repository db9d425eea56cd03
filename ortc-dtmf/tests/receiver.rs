//! Stories of a receiver: what counts as one tone, and when it is over.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "test code: a failed expectation is the report; one arbitrary origin of time"
)]

use core::time::Duration;
use std::time::Instant;

use ortc_dtmf::{
    EventCode, MAX_RECEIVER_EVENTS, ParseError, REPORT_TIMEOUT, Receiver, ReceiverEvent,
};

const E: u8 = 0x80;

#[test]
fn updates_and_copies_are_one_tone() {
    let mut ear = Ear::new(8_000);
    for (at, duration, end) in [
        (0, 160, 0),
        (20, 320, 0),
        (40, 400, E),
        (60, 400, E),
        (80, 400, E),
    ] {
        ear.hear(at, 1_000, 5, end, duration);
    }
    assert_eq!(ear.take(), ["5 at 1000", "5 ended after 50"]);
    assert_eq!(ear.receiver.poll_timeout(), None);
}

#[test]
fn end_packet_alone_is_a_whole_tone() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, 7, 11, E, 800);
    assert_eq!(ear.take(), ["# at 7", "# ended after 100"]);
}

/// Beginnings are told by the timestamp, whatever the header's marker said.
#[test]
fn same_digit_twice_is_two_tones() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, 0, 1, E, 800);
    ear.hear(150, 1_200, 1, E, 800);
    assert_eq!(
        ear.take(),
        [
            "1 at 0",
            "1 ended after 100",
            "1 at 1200",
            "1 ended after 100"
        ]
    );
}

#[test]
fn late_packets_of_an_earlier_tone_do_not_replay_it() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, 0, 1, 0, 160);
    ear.hear(80, 0, 1, E, 800);
    ear.hear(150, 1_200, 2, 0, 160);
    ear.hear(155, 0, 1, E, 800);
    ear.hear(156, 0, 1, 0, 640);
    ear.hear(170, 1_200, 2, E, 320);
    ear.hear(180, 0, 1, E, 800);
    assert_eq!(
        ear.take(),
        [
            "1 at 0",
            "1 ended after 100",
            "2 at 1200",
            "2 ended after 40"
        ]
    );
}

#[test]
fn report_whose_duration_goes_back_is_ignored() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, 0, 1, 0, 640);
    ear.hear(10, 0, 1, 0, 160);
    ear.hear(20, 0, 1, E, 320);
    assert_eq!(ear.take(), ["1 at 0"]);
    ear.hear(30, 0, 1, E, 640);
    assert_eq!(ear.take(), ["1 ended after 80"]);
}

/// RFC 4733 §2.5.2.2: a lost end does not leave the tone stuck.
#[test]
fn silence_ends_a_tone() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, 0, 1, 0, 160);
    ear.hear(20, 0, 1, 0, 320);
    let deadline = ear.start + Duration::from_millis(20) + REPORT_TIMEOUT;
    assert_eq!(ear.receiver.poll_timeout(), Some(deadline));
    ear.receiver
        .handle_timeout(deadline - Duration::from_nanos(1));
    assert_eq!(ear.take(), ["1 at 0"]);
    ear.receiver.handle_timeout(deadline);
    assert_eq!(ear.take(), ["1 ended after 40"]);
    assert_eq!(ear.receiver.poll_timeout(), None);
}

/// RFC 4733 §2.5.2.2: not restarted once it has stopped.
#[test]
fn tone_that_timed_out_is_not_restarted() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, 0, 1, 0, 160);
    ear.hear(400, 0, 1, 0, 3_360);
    ear.hear(420, 0, 1, E, 3_520);
    ear.hear(440, 0, 1, E, 3_520);
    assert_eq!(ear.take(), ["1 at 0", "1 ended after 20"]);
}

/// The same report again is no sign that the tone goes on.
#[test]
fn copies_do_not_keep_a_tone_alive() {
    let mut ear = Ear::new(8_000);
    for at in 0..20 {
        ear.hear(at * 10, 0, 1, 0, 160);
    }
    assert_eq!(ear.take(), ["1 at 0", "1 ended after 20"]);
}

#[test]
fn next_tone_ends_the_one_before() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, 0, 1, 0, 800);
    ear.hear(100, 1_200, 2, 0, 160);
    assert_eq!(ear.take(), ["1 at 0", "1 ended after 100", "2 at 1200"]);
}

/// RFC 4733 §2.5.2.3: contiguous segments without E are one event; durations add up.
#[test]
fn segments_are_one_tone() {
    let mut ear = Ear::new(48_000);
    ear.hear(0, 500, 3, 0, 0xFF00);
    ear.hear(20, 500, 3, 0, 0xFFFF);
    ear.hear(20, 500 + 0xFFFF, 3, 0, 900);
    ear.hear(40, 500, 3, 0, 0xFFFF); // the copies of the segment's last report
    ear.hear(40, 500 + 0xFFFF, 3, 0, 1_860);
    ear.hear(60, 500, 3, 0, 0xFFFF);
    ear.hear(60, 500 + 0xFFFF, 3, E, 2_817);
    assert_eq!(ear.take(), ["3 at 500", "3 ended after 1424"]); // 68 352 units
}

#[test]
fn segment_whose_last_reports_are_lost_still_adjoins() {
    let mut ear = Ear::new(48_000);
    ear.hear(0, 0, 3, 0, 40_000);
    ear.hear(100, 0xFFFF, 3, E, 961);
    assert_eq!(ear.take(), ["3 at 0", "3 ended after 1385"]);
}

#[test]
fn lost_segment_does_not_split_a_tone() {
    let mut ear = Ear::new(48_000);
    ear.hear(0, 0, 3, 0, 0xFFFF);
    ear.hear(1_400, 2 * 0xFFFF, 3, 0, 960);
    ear.hear(1_420, 2 * 0xFFFF, 3, E, 1_920);
    assert_eq!(ear.take(), ["3 at 0", "3 ended after 1365"]);
}

/// RFC 4733 §2.5.2.3.1: shorter segments, as redundancy needs them.
#[test]
fn shorter_segments_that_adjoin_are_one_tone() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, 0, 3, 0, 0x3FFF);
    ear.hear(20, 0x3FFF, 3, E, 1_601);
    assert_eq!(ear.take(), ["3 at 0", "3 ended after 2248"]);
}

#[test]
fn gap_end_or_other_digit_separate_full_segments() {
    for (end, step, digit) in [(0, 0xFFFF + 400, 3), (E, 0xFFFF, 3), (0, 0xFFFF, 4)] {
        let mut ear = Ear::new(48_000);
        ear.hear(0, 0, 3, end, 0xFFFF);
        ear.hear(100, step, digit, E, 960);
        assert_eq!(ear.take().len(), 4, "{end} {step} {digit}");
    }
}

#[test]
fn timestamp_wraps_between_and_within_tones() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, u32::MAX - 100, 1, 0, 160);
    ear.hear(20, u32::MAX - 100, 1, E, 320);
    ear.hear(170, 1_099, 2, E, 800);
    ear.hear(180, u32::MAX - 100, 1, E, 320);
    ear.hear(190, u32::MAX - 100, 1, 0, 160);
    assert_eq!(
        ear.take(),
        [
            "1 at 4294967195",
            "1 ended after 40",
            "2 at 1099",
            "2 ended after 100"
        ]
    );
    let mut ear = Ear::new(48_000);
    ear.hear(0, u32::MAX - 0x7FFF, 1, 0, 0xFFFF);
    ear.hear(20, 0x7FFF, 1, E, 33);
    assert_eq!(ear.take(), ["1 at 4294934528", "1 ended after 1366"]);
}

/// A sender that begins its timestamps anew, further back than any straggler, is heard.
#[test]
fn timestamps_begun_anew_are_heard() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, 3_000_000, 1, E, 800);
    ear.hear(200, 1_000, 2, E, 800);
    assert_eq!(ear.take().len(), 4);
    // A little back, but long after: no straggler either.
    ear.hear(31_000, 0, 3, E, 800);
    assert_eq!(ear.take(), ["3 at 0", "3 ended after 100"]);
}

/// RFC 4733 §2.5.2.4: each event begins where the one before it ends.
#[test]
fn packed_events_are_heard_in_order() {
    let mut ear = Ear::new(8_000);
    let packed = [1, E | 10, 0x03, 0x20, 2, 10, 0, 160];
    ear.packet(0, 5_000, &packed);
    ear.packet(0, 5_000, &packed);
    ear.hear(20, 5_800, 2, E, 400);
    assert_eq!(
        ear.take(),
        [
            "1 at 5000",
            "1 ended after 100",
            "2 at 5800",
            "2 ended after 50"
        ]
    );
}

/// RFC 4733 §2.3.5: only states have no duration.
#[test]
fn tone_without_duration_is_ignored() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, 0, 1, 0, 0);
    ear.hear(10, 0, 1, E, 0);
    assert_eq!(ear.take(), [""; 0]);
    ear.hear(20, 0, 1, 0, 160);
    assert_eq!(ear.take(), ["1 at 0"]);
}

/// All 256 codes: sixteen tones, the rest by their code, once for each timestamp; none of them
/// cuts a tone short.
#[test]
fn other_events_pass_through_and_break_no_tone() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, 1, 9, 0, 160);
    assert_eq!(ear.take(), ["9 at 1"]);
    for code in 16..=255 {
        for _ in 0..3 {
            ear.hear(10, u32::from(code) * 10, code, 0, 0);
        }
        assert_eq!(ear.take(), [format!("event {}", EventCode(code))]);
    }
    ear.hear(20, 1, 9, E, 320);
    assert_eq!(ear.take(), ["9 ended after 40"]);
    for code in 0..16 {
        ear.hear(30, 10_000 + u32::from(code), code, E, 160);
        assert_eq!(ear.take().len(), 2);
    }
}

#[test]
fn flash_is_an_event_and_no_tone() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, 0, 16, 0, 160);
    ear.hear(20, 0, 16, E, 320);
    assert_eq!(ear.take(), ["event flash"]);
    assert_eq!(ear.receiver.poll_timeout(), None);
}

#[test]
fn another_code_under_the_timestamp_of_a_tone_is_not_believed() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, 0, 1, 0, 160);
    ear.hear(10, 0, 2, E, 800);
    ear.hear(20, 0, 1, E, 320);
    assert_eq!(ear.take(), ["1 at 0", "1 ended after 40"]);
}

#[test]
fn payload_cut_short_changes_nothing() {
    let mut ear = Ear::new(8_000);
    for payload in [&[][..], &[1], &[1, E, 3], &[1, E, 3, 32, 2]] {
        let parsed = ear.receiver.handle_packet(0, payload, ear.start);
        assert!(matches!(parsed, Err(ParseError::Truncated { need: 4, .. })));
    }
    assert_eq!(ear.take(), [""; 0]);
    assert_eq!(ear.receiver.poll_timeout(), None);
}

/// A flood of tones that nobody takes: bounded, whole tones only, and counted.
#[test]
fn flood_is_bounded_and_counted() {
    let mut ear = Ear::new(8_000);
    for tone in 0..10_000 {
        ear.hear(u64::from(tone), tone * 1_200, 5, 0, 160);
        ear.hear(u64::from(tone), tone * 1_200, 77, 0, 160);
    }
    let heard = ear.take();
    assert!(heard.len() <= MAX_RECEIVER_EVENTS);
    let begun = heard.iter().filter(|line| line.contains("at")).count();
    let ended = heard.iter().filter(|line| line.contains("ended")).count();
    assert_eq!(begun, ended);
    let reported = u64::try_from(heard.len() - ended).unwrap();
    assert_eq!(ear.receiver.dropped() + reported, 20_000);
    // Taken again, it hears again.
    ear.hear(20_000, 20_000_000, 1, E, 800);
    assert_eq!(ear.take().len(), 2);
}

/// Room for the end of a tone is kept, whatever else comes in between.
#[test]
fn other_events_leave_room_for_the_end_of_a_tone() {
    let mut ear = Ear::new(8_000);
    ear.hear(0, 0, 1, 0, 160);
    for event in 0..100 {
        ear.hear(10, event * 100, 77, 0, 50);
    }
    ear.hear(20, 0, 1, E, 320);
    let heard = ear.take();
    assert_eq!(heard.len(), MAX_RECEIVER_EVENTS);
    assert_eq!(heard.last().unwrap(), "1 ended after 40");
    assert_eq!(ear.receiver.dropped(), 38);
}

/// A packet that comes after the deadline finds the tone over, whether or not the driver was late.
#[test]
fn missed_timeout_is_made_up_by_the_next_packet() {
    let mut ear = Ear::new(8_000);
    ear.receiver
        .handle_packet(0, &[1, 10, 0, 160], ear.start)
        .unwrap();
    let late = ear.start + REPORT_TIMEOUT;
    ear.receiver.handle_packet(0, &[1, 10, 4, 0], late).unwrap();
    assert_eq!(ear.take(), ["1 at 0", "1 ended after 20"]);
}

/// A receiver and what it heard.
struct Ear {
    receiver: Receiver,
    start: Instant,
}

impl Ear {
    fn new(clock_rate: u32) -> Self {
        Self {
            receiver: Receiver::new(clock_rate).unwrap(),
            start: Instant::now(),
        }
    }

    fn hear(&mut self, at: u64, timestamp: u32, event: u8, end: u8, duration: u16) {
        let [high, low] = duration.to_be_bytes();
        self.packet(at, timestamp, &[event, end | 10, high, low]);
    }

    fn packet(&mut self, at: u64, timestamp: u32, payload: &[u8]) {
        let now = self.start + Duration::from_millis(at);
        self.receiver.handle_timeout(now);
        self.receiver
            .handle_packet(timestamp, payload, now)
            .unwrap();
    }

    fn take(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(event) = self.receiver.poll_event() {
            lines.push(match event {
                ReceiverEvent::Tone {
                    tone,
                    timestamp,
                    volume,
                } => {
                    assert_eq!(volume.get(), 10);
                    format!("{tone} at {timestamp}")
                }
                ReceiverEvent::ToneEnded { tone, duration } => {
                    format!("{tone} ended after {}", duration.as_millis())
                }
                ReceiverEvent::Event(code) => format!("event {code}"),
            });
        }
        lines
    }
}
