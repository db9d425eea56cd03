//! Stories of a sender: what leaves when, and how the tone buffer behaves.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "test code: a failed expectation is the report; one arbitrary origin of time"
)]

use core::time::Duration;
use std::time::Instant;

use ortc_dtmf::{
    DEFAULT_DURATION, DEFAULT_GAP, EventPacket, MAX_DURATION, MAX_GAP, MAX_SENDER_EVENTS,
    MAX_TONES, MIN_DURATION, MIN_GAP, Receiver, Sender, SenderEvent, Tone, TonesError,
};

/// RFC 4733 §2.5.1.2 and §2.5.1.4: updates from the beginning, then the final report three times.
#[test]
fn tone_leaves_as_updates_and_three_final_reports() {
    let mut desk = Desk::new(8_000);
    desk.insert("5", 100, 50);
    assert_eq!(
        desk.run(),
        [
            "0 M 5 160",
            "20 5 320",
            "40 5 480",
            "60 5 640",
            "80 5 800 E",
            "100 5 800 E",
            "120 5 800 E"
        ]
    );
    assert_eq!(desk.sender.poll_timeout(), None);
    assert_eq!(desk.progress(), ["started 5", "empty"]);
}

/// The last report says how long the tone is, to the unit.
#[test]
fn duration_need_not_be_a_multiple_of_the_interval() {
    let mut desk = Desk::new(8_000);
    desk.insert("1", 70, 50);
    assert_eq!(
        desk.run(),
        [
            "0 M 1 160",
            "20 1 320",
            "40 1 480",
            "60 1 560 E",
            "80 1 560 E",
            "100 1 560 E"
        ]
    );
}

/// ORTC draft §4.2.2.1: duration and gap separate the beginnings of tones.
#[test]
fn tones_begin_a_duration_and_a_gap_apart() {
    let mut desk = Desk::new(8_000);
    desk.insert("159#", 100, 70);
    assert_eq!(desk.sender.tone_buffer(), "59#");
    desk.run();
    assert_eq!(desk.beginnings(), ["0 1", "170 5", "340 9", "510 #"]);
}

/// A tone of 81 ms has its last copy at 120 ms; the next begins at 131 ms all the same.
#[test]
fn copies_of_the_last_report_fit_in_the_shortest_gap() {
    for ms in 70..=130 {
        let mut desk = Desk::new(8_000);
        desk.insert("12", ms, 50);
        desk.run();
        assert_eq!(desk.beginnings(), ["0 1".into(), format!("{} 2", ms + 50)]);
        let last_copy = desk.sent.iter().rfind(|(_, p)| p.report.event.0 == 1);
        assert!(desk.ms(last_copy.unwrap().0) < ms + 50);
    }
}

/// ORTC draft §4.2.2.1: ',' is two seconds, a to d are A to D, the rest is ignored.
#[test]
fn comma_pauses_and_unknown_characters_are_ignored() {
    let mut desk = Desk::new(8_000);
    desk.insert("1x,é,d\n2", 100, 50);
    assert_eq!(desk.sender.tone_buffer(), ",,D2");
    desk.run();
    assert_eq!(desk.beginnings(), ["0 1", "4150 D", "4300 2"]);
    assert_eq!(
        desk.progress(),
        ["started 1", "started D", "started 2", "empty"]
    );
}

#[test]
fn leading_comma_delays_the_first_tone() {
    let mut desk = Desk::new(8_000);
    desk.insert(",7", 100, 50);
    assert_eq!(desk.sender.poll_packet(desk.now), None);
    desk.run();
    assert_eq!(desk.beginnings(), ["2000 7"]);
}

/// ORTC draft §4.2.2.1: the limits; what was there stays.
#[test]
fn values_out_of_range_are_refused_and_change_nothing() {
    let mut desk = Desk::new(8_000);
    desk.insert("123", 100, 60);
    let ms = Duration::from_millis;
    let now = desk.now;
    for got in [Duration::ZERO, ms(69), ms(6_001), Duration::MAX] {
        assert_eq!(
            desk.sender.insert("9", got, DEFAULT_GAP, now),
            Err(TonesError::Duration { got })
        );
    }
    for got in [Duration::ZERO, ms(49), MAX_GAP + ms(1), Duration::MAX] {
        assert_eq!(
            desk.sender.insert("9", DEFAULT_DURATION, got, now),
            Err(TonesError::Gap { got })
        );
    }
    let many = "9".repeat(MAX_TONES + 1);
    assert_eq!(
        desk.sender
            .insert(&many, DEFAULT_DURATION, DEFAULT_GAP, now),
        Err(TonesError::TooMany {
            have: MAX_TONES + 1
        })
    );
    assert_eq!(desk.sender.tone_buffer(), "23");
    assert_eq!(desk.sender.inter_tone_gap(), ms(60));
    desk.run();
    assert_eq!(desk.beginnings(), ["0 1", "160 2", "320 3"]);
}

#[test]
fn limits_themselves_are_taken() {
    for (duration, gap) in [(MIN_DURATION, MIN_GAP), (MAX_DURATION, MAX_GAP)] {
        let mut desk = Desk::new(8_000);
        let tones = "1".repeat(MAX_TONES) + "?";
        desk.sender.insert(&tones, duration, gap, desk.now).unwrap();
        assert_eq!(desk.sender.tone_buffer().len(), MAX_TONES - 1);
    }
}

#[test]
fn defaults_hold_until_the_first_insert() {
    let mut sender = Sender::new(8_000).unwrap();
    assert_eq!(sender.duration(), Duration::from_millis(100));
    assert_eq!(sender.inter_tone_gap(), Duration::from_millis(50));
    assert_eq!(sender.tone_buffer(), "");
    assert_eq!(sender.poll_timeout(), None);
    assert_eq!(sender.poll_event(), None);
}

/// The new tones follow the one that is on, with its own duration and gap.
#[test]
fn second_insert_replaces_what_has_not_begun() {
    let mut desk = Desk::new(8_000);
    desk.insert("123", 100, 70);
    desk.run_until(50);
    desk.insert("8*", 200, 60);
    assert_eq!(desk.sender.tone_buffer(), "8*");
    desk.run();
    assert_eq!(desk.beginnings(), ["0 1", "170 8", "430 *"]);
    assert_eq!(desk.last_durations(), [800, 1_600, 1_600]);
}

#[test]
fn empty_insert_cancels_after_the_current_tone() {
    let mut desk = Desk::new(8_000);
    desk.insert("123", 100, 50);
    desk.run_until(30);
    desk.insert("", 100, 50);
    assert_eq!(desk.sender.tone_buffer(), "");
    desk.run();
    assert_eq!(desk.beginnings(), ["0 1"]);
    assert_eq!(desk.last_durations(), [800]);
    assert_eq!(desk.progress(), ["started 1", "empty"]);
}

/// Even when the deadline of the next tone had passed before.
#[test]
fn cancelling_wins_over_a_tone_that_nobody_began() {
    let mut desk = Desk::new(8_000);
    desk.insert("12", 100, 50);
    desk.run_until(149);
    desk.now = desk.start + Duration::from_millis(500);
    desk.insert("", 100, 50);
    desk.run();
    assert_eq!(desk.beginnings(), ["0 1"]);
}

#[test]
fn insert_into_silence_keeps_the_gap_of_the_tone_before() {
    let mut desk = Desk::new(8_000);
    desk.insert("1", 100, 80);
    desk.run_until(150);
    desk.insert("2", 100, 50);
    desk.run();
    assert_eq!(desk.beginnings(), ["0 1", "180 2"]);
}

#[test]
fn insert_of_nothing_reports_an_empty_buffer_at_once() {
    let mut desk = Desk::new(8_000);
    desk.insert("?!", 100, 50);
    assert_eq!(desk.progress(), ["empty"]);
    assert_eq!(desk.sender.poll_timeout(), None);
}

/// A command has its effect queued, and what is queued is due.
#[test]
fn first_packet_is_queued_by_the_insert_itself() {
    let mut desk = Desk::new(8_000);
    desk.insert("1", 100, 50);
    assert_eq!(desk.sender.poll_timeout(), Some(desk.now));
    assert!(desk.sender.poll_packet(desk.now).is_some());
    let next = desk.start + Duration::from_millis(20);
    assert_eq!(desk.sender.poll_timeout(), Some(next));
}

#[test]
fn early_and_repeated_timeouts_do_nothing() {
    let mut desk = Desk::new(8_000);
    desk.insert("1", 100, 50);
    while desk.sender.poll_packet(desk.now).is_some() {}
    for ms in [0, 1, 19, 5] {
        let at = desk.start + Duration::from_millis(ms);
        desk.sender.handle_timeout(at);
        assert_eq!(desk.sender.poll_packet(at), None);
    }
    desk.run();
    assert_eq!(desk.sent.len(), 6);
}

/// 53 ms late: one report with what is true now, then the usual steps.
#[test]
fn late_caller_gets_one_current_report() {
    let mut desk = Desk::new(8_000);
    desk.insert("1", 200, 50);
    desk.take();
    desk.now = desk.start + Duration::from_millis(73);
    desk.sender.handle_timeout(desk.now);
    desk.take();
    desk.run_until(100);
    assert_eq!(
        desk.lines(),
        ["0 M 1 160", "73 1 640", "80 1 800", "100 1 960"]
    );
}

/// The marker of a first packet that nobody took stays on what replaces it.
#[test]
fn packet_that_nobody_took_is_brought_up_to_date() {
    let mut desk = Desk::new(8_000);
    desk.insert("1", 200, 50);
    for ms in [20, 40, 60] {
        desk.now = desk.start + Duration::from_millis(ms);
        desk.sender.handle_timeout(desk.now);
    }
    desk.take();
    assert_eq!(desk.lines(), ["60 M 1 640"]);
}

/// Three final reports leave even so, and the tone that follows begins when they have been taken.
#[test]
fn caller_that_slept_through_a_tone_still_sends_all_of_it() {
    let mut desk = Desk::new(8_000);
    desk.insert("12", 100, 50);
    desk.now = desk.start + Duration::from_secs(3);
    desk.sender.handle_timeout(desk.now);
    desk.run();
    assert_eq!(
        desk.lines()[..3],
        ["3000 M 1 800 E", "3020 1 800 E", "3040 1 800 E"]
    );
    assert_eq!(desk.beginnings(), ["3000 1", "3040 2"]);
    let second = desk.sent.iter().find(|(_, p)| p.report.event.0 == 2);
    assert_eq!(desk.ms(second.unwrap().1.started_at), 3_040);
    assert_eq!(desk.last_durations(), [800, 800]);
}

#[test]
fn next_tone_waits_for_packets_that_nobody_takes() {
    let mut desk = Desk::new(8_000);
    desk.insert("1234", 100, 50);
    for ms in 0..100 {
        desk.now = desk.start + Duration::from_millis(ms * 20);
        desk.sender.handle_timeout(desk.now);
        assert_eq!(desk.sender.poll_timeout(), Some(desk.now));
    }
    assert_eq!(desk.sender.tone_buffer(), "234");
    desk.take();
    assert_eq!(desk.sent.len(), 3);
    desk.run();
    assert_eq!(desk.last_durations(), [800; 4]);
}

/// RFC 4733 §2.5.1.3: 6 s at 48 kHz are four full segments and 25 860 units. No marker but the
/// first, no E but in the last segment, every final report three times.
#[test]
fn six_seconds_at_48_khz_are_split_in_segments() {
    let mut desk = Desk::new(48_000);
    desk.insert("0", 6_000, 50);
    desk.run();
    for segment in 0..4 {
        let reports = desk.segment(segment * 0xFFFF);
        let full = reports.iter().filter(|p| p.report.duration == 0xFFFF);
        assert_eq!(full.count(), 3);
        assert!(reports.iter().all(|p| !p.report.end));
    }
    // Full at 1365 ms, which the report of 1360 ms covers; copies at the update interval.
    let full = |(_, p): &&(Instant, EventPacket)| p.offset == 0 && p.report.duration == 0xFFFF;
    let left: Vec<_> = desk.sent.iter().filter(full).collect();
    let left: Vec<_> = left.iter().map(|(at, _)| desk.ms(*at)).collect();
    assert_eq!(left, [1_360, 1_380, 1_400]);
    let last = desk.segment(4 * 0xFFFF);
    let ends: Vec<_> = last.iter().filter(|p| p.report.end).collect();
    assert_eq!(ends.len(), 3);
    assert!(ends.iter().all(|p| p.report.duration == 25_860));
    assert_eq!(desk.sent.iter().filter(|(_, p)| p.marker).count(), 1);
    assert!(desk.sent[0].1.marker);
    let last_report = desk.sent.last().unwrap();
    assert_eq!(desk.ms(last_report.0), 5_980 + 40);
}

/// At 8 kHz the longest tone fits in one segment.
#[test]
fn six_seconds_at_8_khz_are_one_segment() {
    let mut desk = Desk::new(8_000);
    desk.insert("0", 6_000, 50);
    desk.run();
    assert_eq!(desk.sent.len(), 299 + 3);
    assert_eq!(desk.last_durations(), [48_000]);
    assert_eq!(desk.segment(0).len(), desk.sent.len());
}

/// Segments that ended unseen are reported once each, before the present.
#[test]
fn late_caller_still_reports_full_segments() {
    let mut desk = Desk::new(48_000);
    desk.insert("0", 6_000, 50);
    desk.take();
    desk.now = desk.start + Duration::from_millis(3_000);
    desk.sender.handle_timeout(desk.now);
    desk.take();
    let late: Vec<_> = desk.sent[1..]
        .iter()
        .map(|(_, p)| (p.offset, u32::from(p.report.duration)))
        .collect();
    let now = 3_020 * 48 - 2 * 0xFFFF;
    assert_eq!(late, [(0, 0xFFFF), (0xFFFF, 0xFFFF), (2 * 0xFFFF, now)]);
}

#[test]
fn clock_rate_changes_between_tones() {
    let mut desk = Desk::new(8_000);
    desk.insert("12", 100, 50);
    desk.sender.set_clock_rate(48_000).unwrap();
    desk.run();
    assert_eq!(desk.last_durations(), [800, 4_800]);
    for rate in [0, 999, 192_001, u32::MAX] {
        assert_eq!(desk.sender.set_clock_rate(rate).unwrap_err().got, rate);
        assert!(Sender::new(rate).is_err());
        assert!(Receiver::new(rate).is_err());
    }
    assert_eq!(desk.sender.clock_rate(), 48_000);
}

#[test]
fn events_that_nobody_takes_are_bounded_and_the_newest_kept() {
    let mut desk = Desk::new(8_000);
    desk.insert(&"1".repeat(2 * MAX_SENDER_EVENTS), 70, 50);
    desk.run();
    let progress = desk.progress();
    assert_eq!(progress.len(), MAX_SENDER_EVENTS);
    assert_eq!(progress.last().unwrap(), "empty");
}

#[test]
fn same_script_gives_the_same_packets() {
    let play = || {
        let mut desk = Desk::new(16_000);
        desk.insert("1,2#", 90, 55);
        desk.run_until(777);
        desk.insert("ab", 333, 50);
        desk.run()
    };
    assert_eq!(play(), play());
}

#[test]
fn earlier_instant_counts_as_the_latest_one_seen() {
    let mut desk = Desk::new(8_000);
    desk.insert("1", 100, 50);
    desk.run();
    let past = desk.start;
    desk.sender
        .insert("2", DEFAULT_DURATION, DEFAULT_GAP, past)
        .unwrap();
    let packet = desk.sender.poll_packet(past).unwrap();
    assert_eq!(packet.started_at, desk.now);
}

#[test]
fn machines_are_send() {
    const fn is_send<T: Send>() {}
    is_send::<Sender>();
    is_send::<Receiver>();
}

/// A sender, a clock, and all that it sent.
struct Desk {
    sender: Sender,
    start: Instant,
    now: Instant,
    sent: Vec<(Instant, EventPacket)>,
}

impl Desk {
    fn new(clock_rate: u32) -> Self {
        let start = Instant::now();
        Self {
            sender: Sender::new(clock_rate).unwrap(),
            start,
            now: start,
            sent: Vec::new(),
        }
    }

    fn insert(&mut self, tones: &str, duration: u64, gap: u64) {
        let ms = Duration::from_millis;
        self.sender
            .insert(tones, ms(duration), ms(gap), self.now)
            .unwrap();
    }

    fn take(&mut self) {
        while let Some(packet) = self.sender.poll_packet(self.now) {
            self.sent.push((self.now, packet));
        }
    }

    /// Sleeps from deadline to deadline until `ms` after the beginning.
    fn run_until(&mut self, ms: u64) {
        let end = self.start + Duration::from_millis(ms);
        self.take();
        while let Some(at) = self.sender.poll_timeout().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.sender.handle_timeout(self.now);
            self.take();
        }
        self.now = self.now.max(end);
    }

    /// Sleeps from deadline to deadline until there is none.
    fn run(&mut self) -> Vec<String> {
        self.take();
        while let Some(at) = self.sender.poll_timeout() {
            self.now = self.now.max(at);
            self.sender.handle_timeout(self.now);
            self.take();
        }
        self.lines()
    }

    /// `ms [M] key duration [E]`
    fn lines(&self) -> Vec<String> {
        let line = |(at, packet): &(Instant, EventPacket)| {
            format!(
                "{} {}{} {}{}",
                self.ms(*at),
                if packet.marker { "M " } else { "" },
                packet.report.event,
                packet.report.duration,
                if packet.report.end { " E" } else { "" },
            )
        };
        self.sent.iter().map(line).collect()
    }

    /// `ms key` of the packets with the marker.
    fn beginnings(&self) -> Vec<String> {
        let begun = self.sent.iter().filter(|(_, packet)| packet.marker);
        begun
            .map(|(at, packet)| format!("{} {}", self.ms(*at), packet.report.event))
            .collect()
    }

    /// Final duration of every tone, of which there are three reports each.
    fn last_durations(&self) -> Vec<u16> {
        let ends: Vec<_> = self.sent.iter().filter(|(_, p)| p.report.end).collect();
        let tones = ends.chunk_by(|a, b| a.1.started_at == b.1.started_at);
        tones
            .map(|copies| {
                assert_eq!(copies.len(), 3);
                copies.first().unwrap().1.report.duration
            })
            .collect()
    }

    fn segment(&self, offset: u32) -> Vec<EventPacket> {
        let packets = self.sent.iter().map(|(_, packet)| *packet);
        packets.filter(|packet| packet.offset == offset).collect()
    }

    fn progress(&mut self) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = self.sender.poll_event() {
            events.push(match event {
                SenderEvent::ToneStarted(tone) => format!("started {}", Tone::to_char(tone)),
                SenderEvent::BufferEmpty => "empty".into(),
            });
        }
        events
    }

    fn ms(&self, at: Instant) -> u64 {
        u64::try_from((at - self.start).as_millis()).unwrap()
    }
}
