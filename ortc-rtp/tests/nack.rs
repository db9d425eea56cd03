//! Which lost packets are asked for, how often, and how often a packet is sent again.

use core::time::Duration;
use std::time::Instant;

use ortc_rtp::repair::{HistoryConfig, NackConfig, NackGenerator, SendHistory};

const RTT: Duration = Duration::from_millis(50);

#[test]
fn a_stream_without_loss_has_no_deadline() {
    let start = start();
    let mut generator = NackGenerator::new(NackConfig::default());
    for extended in 65_536..66_536 {
        generator.on_packet(extended, start);
        assert_eq!(generator.poll_timeout(), None);
    }
    assert_eq!(take(&mut generator, start + RTT), []);
}

/// A careless configuration waits long; it does not end the process.
#[test]
fn absurd_spans_are_far_away_and_no_panic() {
    let start = start();
    let config = NackConfig::default().max_age(Duration::MAX);
    let mut generator = NackGenerator::new(config.minimum_interval(Duration::MAX));
    generator.on_packet(100, start);
    generator.on_packet(102, start);
    let mut lost = Vec::new();
    generator.take(start + ms(10), Duration::MAX, &mut lost);
    assert_eq!(lost, [101]);
    assert!(generator.poll_timeout().unwrap() > start + Duration::from_secs(86_400));

    let mut waiting = NackGenerator::new(config.reorder_delay(Duration::MAX));
    waiting.on_packet(100, start);
    waiting.on_packet(102, start);
    assert!(waiting.poll_timeout().unwrap() > start + Duration::from_secs(86_400));
}

#[test]
fn a_packet_that_is_only_late_is_not_asked_for() {
    let start = start();
    let mut generator = NackGenerator::new(NackConfig::default());
    generator.on_packet(100, start);
    generator.on_packet(102, start);
    generator.on_packet(101, start + ms(5));
    assert_eq!(generator.poll_timeout(), None);
    assert_eq!(take(&mut generator, start + RTT), []);
}

#[test]
fn a_lost_packet_is_asked_for_once_a_round_trip_until_it_is_given_up() {
    let start = start();
    let mut generator = NackGenerator::new(NackConfig::default().tries(3));
    generator.on_packet(100, start);
    generator.on_packet(102, start);
    let mut asked = Vec::new();
    while let Some(due) = generator.poll_timeout() {
        let lost = take(&mut generator, due);
        if !lost.is_empty() {
            assert_eq!(lost, [101]);
            asked.push(due - start);
        }
    }
    assert_eq!(asked, [ms(10), ms(70), ms(130)]);
    assert_eq!((generator.outstanding(), generator.given_up()), (0, 1));
}

/// An early or repeated call changes nothing, and a deadline that was served has moved.
#[test]
fn a_served_deadline_moves() {
    let start = start();
    let mut generator = NackGenerator::new(NackConfig::default());
    generator.on_packet(100, start);
    generator.on_packet(102, start);
    generator.handle_timeout(start);
    let due = generator.poll_timeout().unwrap();
    assert_eq!(take(&mut generator, due), [101]);
    assert!(generator.poll_timeout().unwrap() > due);
    assert_eq!(take(&mut generator, due), []);
}

#[test]
fn one_gap_of_32_000_asks_for_no_more_than_the_bound() {
    let start = start();
    let mut generator = NackGenerator::new(NackConfig::default());
    generator.on_packet(100, start);
    generator.on_packet(32_100, start);
    assert_eq!(generator.outstanding(), 512);
    assert_eq!(generator.given_up(), 31_999 - 512);

    let mut requests = Vec::new();
    while generator.poll_timeout() == Some(start + ms(10)) {
        requests.push(take(&mut generator, start + ms(10)));
    }
    assert_eq!(requests.len(), 4); // of 128 numbers each
    assert!(requests.concat().into_iter().eq(31_588..32_100));

    let mut asked = 512;
    while let Some(due) = generator.poll_timeout() {
        asked += take(&mut generator, due).len();
    }
    assert!(asked <= 512 * 10, "{asked}");
    assert_eq!((generator.outstanding(), generator.given_up()), (0, 31_999));
}

#[test]
fn gaps_without_end_stay_within_the_bound() {
    let start = start();
    let mut generator = NackGenerator::new(NackConfig::default().outstanding(64));
    for index in 0..10_000_u64 {
        generator.on_packet(65_536 + index * 3, start + Duration::from_micros(index));
        assert!(generator.outstanding() <= 64);
    }
}

#[test]
fn a_restarted_source_is_not_asked_for_what_it_never_sent() {
    let start = start();
    let mut generator = NackGenerator::new(NackConfig::default());
    generator.on_packet(65_636, start);
    generator.on_packet(65_638, start);
    generator.restart(130_000);
    generator.on_packet(130_001, start);
    assert_eq!(
        (generator.outstanding(), generator.poll_timeout()),
        (0, None)
    );
}

/// A round trip longer than the age: the packet is given up in time all the same.
/// Where a stream began is not known when its first packets are lost.
#[test]
fn what_stands_before_the_first_packet_can_be_asked_for() {
    let start = start();
    let mut generator = NackGenerator::new(NackConfig::default());
    generator.on_packet(65_540, start);
    generator.look_back(65_540, 3, start);

    assert_eq!(take(&mut generator, start + ms(10)), [1, 2, 3]);
    generator.on_packet(65_539, start + RTT);
    assert_eq!(generator.recovered(), 1);
    generator.forget_before(65_539);
    assert_eq!(generator.poll_timeout(), None);
}

#[test]
fn only_what_was_asked_for_counts_as_recovered() {
    let start = start();
    let mut generator = NackGenerator::new(NackConfig::default());
    generator.on_packet(100, start);
    generator.on_packet(103, start);
    generator.on_packet(102, start + ms(2));
    assert_eq!(take(&mut generator, start + ms(10)), [101]);
    generator.on_packet(101, start + RTT);
    assert_eq!(generator.recovered(), 1);
}

#[test]
fn a_packet_is_given_up_at_its_age() {
    let start = start();
    let mut generator = NackGenerator::new(NackConfig::default());
    generator.on_packet(100, start);
    generator.on_packet(102, start);
    let mut lost = Vec::new();
    generator.take(start + ms(10), Duration::from_secs(5), &mut lost);
    assert_eq!(lost, [101]);
    assert_eq!(generator.poll_timeout(), Some(start + ms(1_000)));
    generator.handle_timeout(start + ms(1_000));
    assert_eq!((generator.poll_timeout(), generator.given_up()), (None, 1));
}

/// Feedback about a history in which nothing was ever sent, or not that.
#[test]
fn a_request_at_the_start_of_a_stream_finds_nothing() {
    let start = start();
    let mut history: SendHistory<u16> = SendHistory::new(HistoryConfig::default());
    assert_eq!(history.get(0, start, RTT), None);
    history.insert(3, 3, start);
    for sequence in [2, 4, 65_535, 0x8003] {
        assert_eq!(history.get(sequence, start, RTT), None);
    }
    assert_eq!(history.get(3, start, RTT), Some(&3));
}

#[test]
fn the_history_holds_the_latest_across_the_wrap() {
    let start = start();
    let mut history = SendHistory::new(HistoryConfig::default().packets(8));
    for sequence in (65_530..=65_535).chain(0..=5) {
        history.insert(sequence, sequence, start);
    }
    assert_eq!(history.len(), 8);
    for sequence in (65_534..=65_535).chain(0..=5) {
        assert_eq!(history.get(sequence, start, RTT), Some(&sequence));
    }
    assert_eq!(history.get(65_533, start, RTT), None);
}

#[test]
fn a_packet_is_resent_once_a_round_trip_and_not_when_old() {
    let start = start();
    let mut history = SendHistory::new(HistoryConfig::default());
    history.insert(1, (), start);
    let answers: Vec<bool> = [0, 49, 50, 99, 100, 3_000, 3_001]
        .map(|at| history.get(1, start + ms(at), RTT).is_some())
        .to_vec();
    assert_eq!(answers, [true, false, true, false, true, true, false]);
}

/// However often a peer asks: no more resends than packets, and the burst.
#[test]
fn resends_are_bounded_by_what_was_sent() {
    let start = start();
    let mut history = SendHistory::new(HistoryConfig::default().burst(10));
    let mut resent = 0;
    for sequence in 0..100_u16 {
        history.insert(sequence, (), start);
        for asked in 0..=sequence {
            resent += usize::from(history.get(asked, start, Duration::ZERO).is_some());
        }
    }
    assert!((100..=110).contains(&resent), "{resent}");
}

#[test]
fn an_old_history_is_let_go() {
    let start = start();
    let mut history = SendHistory::new(HistoryConfig::default());
    for sequence in 0..100 {
        history.insert(sequence, (), start);
    }
    history.expire(start + ms(3_001));
    assert!(history.is_empty());
}

#[test]
fn a_restarted_numbering_begins_the_history_anew() {
    let start = start();
    let mut history = SendHistory::new(HistoryConfig::default());
    history.insert(500, 1, start);
    history.insert(20, 2, start);
    assert_eq!(history.get(500, start, RTT), None);
    assert_eq!(history.get(20, start, RTT), Some(&2));
}

/// Numbers with large holes must not end up more than half of their space apart.
#[test]
fn a_history_with_holes_finds_what_it_holds() {
    let start = start();
    let mut history = SendHistory::new(HistoryConfig::default());
    for sequence in [0, 30_000, 60_000, 25_000_u16] {
        history.insert(sequence, sequence, start);
        assert_eq!(history.get(sequence, start, RTT), Some(&sequence));
    }
    assert_eq!(history.get(60_000, start + RTT, RTT), Some(&60_000));
    assert_eq!(history.get(0, start + RTT, RTT), None);
}

/// What comes late is found like the rest, over the wrap too; a number that is there keeps its packet.
#[test]
fn a_late_packet_takes_its_place_in_the_history() {
    let start = start();
    let mut history = SendHistory::new(HistoryConfig::default().packets(5));
    for sequence in [65_533, 65_535, 2_u16] {
        history.insert(sequence, sequence, start);
    }
    for sequence in [1, 65_534] {
        history.insert_late(sequence, sequence, start);
    }
    history.insert_late(1, 9_999, start);
    for sequence in [65_533, 65_534, 65_535, 1, 2] {
        assert_eq!(history.get(sequence, start, RTT), Some(&sequence));
    }
    // Full: the oldest leaves, and what would be older than all is not kept.
    history.insert_late(0, 0, start);
    history.insert_late(65_530, 65_530, start);
    assert_eq!(history.len(), 5);
    assert_eq!(history.get(0, start, RTT), Some(&0));
    for sequence in [65_533, 65_530] {
        assert_eq!(history.get(sequence, start + RTT, RTT), None);
    }
    // A newer one, or the first, is one like any other.
    history.insert_late(3, 3, start);
    assert_eq!(history.get(3, start, RTT), Some(&3));
}

fn take(generator: &mut NackGenerator, now: Instant) -> Vec<u16> {
    let mut out = Vec::new();
    generator.handle_timeout(now);
    generator.take(now, RTT, &mut out);
    out
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
fn start() -> Instant {
    Instant::now()
}
