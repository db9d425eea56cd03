//! RFC 3550 §6.4.1 and appendices A.1, A.3, A.8: clocks, round trip, loss and jitter. The algorithms of
//! the appendices are written out naively here and compared with the crate.

use core::time::Duration;
use std::time::Instant;

use ortc_rtp::sequence::is_newer;
use ortc_rtp::stream::{Order, ReceiveStream, SendStream};
use ortc_rtp::timestamp::{NtpClock, RtpClock, middle32};
use ortc_rtp::wire::rtcp::{ReportBlock, SenderInfo};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

const SSRC: u32 = 0x1234_5678;

// Section 4 and 6.4.1: clocks and the round trip.

#[test]
fn ntp_counts_from_1900_and_wraps_in_2036() {
    let start = start();
    let clock = NtpClock::new(Duration::from_millis(1_500), start);
    assert_eq!(clock.ntp(start), (2_208_988_801 << 32) | (1 << 31));
    assert_eq!(clock.ntp(start + ms(500)), 2_208_988_802 << 32);
    assert_eq!(middle32(0x0102_0304_0506_0708), 0x0304_0506);
    let late = NtpClock::new(Duration::from_secs((1 << 32) - 2_208_988_800), start);
    assert_eq!(late.ntp(start), 0);
    assert_eq!(
        clock.ntp(start.checked_sub(ms(500)).unwrap()),
        2_208_988_801 << 32
    );
}

#[test]
fn the_media_clock_wraps_and_runs_backwards() {
    let start = start();
    let clock = RtpClock::new(0xFFFF_FF00, 90_000, start);
    assert_eq!(
        clock.timestamp(start + ms(10)),
        0xFFFF_FF00_u32.wrapping_add(900)
    );
    assert_eq!(
        clock.timestamp(start.checked_sub(ms(10)).unwrap()),
        0xFFFF_FF00 - 900
    );
    assert_eq!(clock.at_position(ms(10)), clock.timestamp(start + ms(10)));
    // A year: no rounding adds up.
    let year = Duration::from_secs(31_536_000);
    let exact = u32::try_from((31_536_000_u64 * 90_000 + 0xFFFF_FF00) & 0xFFFF_FFFF).unwrap();
    assert_eq!(clock.timestamp(start + year), exact);
}

/// The figure of §6.4.1: a round trip of 6.125 s measured with A, LSR and DLSR.
#[test]
fn the_round_trip_of_figure_2_is_computed() {
    let start = start();
    // The receiver report comes back at 0xb44db710.8000.
    let unix = Duration::from_secs(0xB44D_B710 - 2_208_988_800) + ms(500);
    let clock = NtpClock::new(unix, start);
    assert_eq!(middle32(clock.ntp(start)), 0xB710_8000);
    let block = ReportBlock {
        ssrc: SSRC,
        last_sender_report: 0xB705_2000,
        delay_since_last_sender_report: 0x0005_4000,
        ..ReportBlock::default()
    };
    let mut stream = SendStream::new(SSRC, 0, 0, 8_000);
    stream.on_report_block(&block, start, &clock);
    assert_eq!(stream.stats().rtt, Some(ms(6_125)));
}

#[test]
fn a_report_that_claims_to_be_from_the_future_gives_no_round_trip() {
    let start = start();
    let clock = NtpClock::new(Duration::from_secs(1_000), start);
    let mut stream = SendStream::new(SSRC, 0, 0, 8_000);
    let mut block = ReportBlock {
        ssrc: SSRC,
        ..ReportBlock::default()
    };
    stream.on_report_block(&block, start, &clock);
    assert_eq!(stream.stats().rtt, None); // no sender report seen yet
    block.last_sender_report = middle32(clock.ntp(start));
    block.delay_since_last_sender_report = 1;
    stream.on_report_block(&block, start, &clock);
    assert_eq!(stream.stats().rtt, None);
}

#[test]
fn a_block_about_another_source_is_ignored() {
    let start = start();
    let clock = NtpClock::new(Duration::ZERO, start);
    let mut stream = SendStream::new(SSRC, 0, 0, 8_000);
    let block = ReportBlock {
        ssrc: SSRC + 1,
        cumulative_lost: 9,
        ..ReportBlock::default()
    };
    stream.on_report_block(&block, start, &clock);
    assert_eq!(stream.stats().remote_lost, 0);
}

/// The start leaves 2^15 numbers before the first wrap, so a receiver that misses the first packets
/// still knows its rollover counter.
#[test]
fn the_first_sequence_number_is_below_half_of_its_space() {
    for asked in [0, 0x7FFF, 0x8000, 0xFFFF] {
        assert!(SendStream::new(SSRC, asked, 0, 8_000).next_sequence() < 0x8000);
    }
}

#[test]
fn numbers_left_out_never_make_the_next_one_old() {
    let mut stream = SendStream::new(1, 30_000, 0, 90_000);
    let mut last = stream.next_sequence();
    for asked in [1, 3_000, 32_766, 32_767, 40_000, u16::MAX] {
        let said = u32::from(stream.skip(asked)) + u32::from(stream.skip(asked));
        let upcoming = stream.upcoming_sequence();
        let next = stream.next_sequence();
        assert_eq!(next, upcoming);
        assert!(is_newer(next, last), "{asked}");
        let left_out = u32::from(next.wrapping_sub(last)) - 1;
        assert_eq!(left_out, (2 * u32::from(asked)).min(32_766));
        assert_eq!(left_out, said);
        last = next;
    }
}

/// A packet that fills a gap says nothing about where the clock stands.
#[test]
fn a_late_packet_is_counted_and_does_not_move_the_clock() {
    let start = start();
    let clock = NtpClock::new(Duration::ZERO, start);
    let mut stream = SendStream::new(SSRC, 0, 0, 90_000);
    stream.on_sent(9_000, 100, start);
    stream.on_sent_late(50);
    let info = stream.sender_info(start, &clock);
    assert_eq!((info.packets, info.octets, info.rtp), (2, 150, 9_000));
    assert_eq!(stream.stats().retransmitted, 0);
}

#[test]
fn sender_figures_relate_the_clock_to_the_first_packet_of_a_timestamp() {
    let start = start();
    let clock = NtpClock::new(Duration::ZERO, start);
    let mut stream = SendStream::new(SSRC, 0, 1_000, 90_000);
    assert!(!stream.has_sent());
    let timestamp = stream.timestamp(0);
    for late in [0, 7, 14] {
        stream.on_sent(timestamp, 1_200, start + ms(late)); // one frame, paced
    }
    stream.on_resent(1_200);
    let info = stream.sender_info(start + ms(100), &clock);
    assert_eq!(info.rtp, 1_000 + 9_000);
    assert_eq!((info.packets, info.octets), (4, 4_800));
    assert_eq!(stream.stats().retransmitted, 1);
}

// Appendix A.1, A.3, A.8: reception.

/// `update_seq` and its companions as the appendix has them, after probation; only the constants
/// are the crate's.
#[derive(Default)]
struct Naive {
    base_seq: i64,
    max_seq: i64,
    bad_seq: i64,
    cycles: i64,
    received: i64,
    expected_prior: i64,
    received_prior: i64,
    transit: Option<i64>,
    jitter: i64,
}

const SEQ_MOD: i64 = 1 << 16;
const MAX_DROPOUT: i64 = 3_000;
const MAX_MISORDER: i64 = 3_000;

impl Naive {
    fn init(&mut self, seq: i64) {
        self.base_seq = seq;
        self.max_seq = seq;
        self.bad_seq = SEQ_MOD + 1;
        self.cycles = 0;
        self.received = 0;
        self.received_prior = 0;
        self.expected_prior = 0;
        self.transit = None;
    }

    fn update(&mut self, seq: i64) -> bool {
        let delta = (seq - self.max_seq).rem_euclid(SEQ_MOD);
        if delta < MAX_DROPOUT {
            if seq < self.max_seq {
                self.cycles += SEQ_MOD;
            }
            self.max_seq = seq;
        } else if delta <= SEQ_MOD - MAX_MISORDER {
            if seq == self.bad_seq {
                self.init(seq);
            } else {
                self.bad_seq = (seq + 1) & (SEQ_MOD - 1);
                return false;
            }
        }
        self.received += 1;
        true
    }

    /// A.8 with the integer jitter; transit is 32 bits with sign.
    fn jitter(&mut self, arrival: i64, timestamp: i64) {
        let transit = arrival - timestamp;
        if let Some(before) = self.transit {
            let d = (transit - before + (1 << 31)).rem_euclid(1 << 32) - (1 << 31);
            self.jitter += d.abs() - ((self.jitter + 8) >> 4);
        }
        self.transit = Some(transit);
    }

    fn expected(&self) -> i64 {
        self.cycles + self.max_seq - self.base_seq + 1
    }

    /// Fraction, lost and highest of a report.
    fn report(&mut self) -> (i64, i64, i64) {
        let expected = self.expected();
        let lost = (expected - self.received).clamp(-0x80_0000, 0x7F_FFFF);
        let expected_interval = expected - self.expected_prior;
        self.expected_prior = expected;
        let received_interval = self.received - self.received_prior;
        self.received_prior = self.received;
        let lost_interval = expected_interval - received_interval;
        let fraction = if expected_interval == 0 || lost_interval <= 0 {
            0
        } else {
            (lost_interval << 8) / expected_interval
        };
        (fraction, lost, self.cycles + self.max_seq)
    }
}

#[test]
fn statistics_agree_with_the_appendix_over_any_history() {
    for seed in 0..64 {
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let start = start();
        let mut stream = ReceiveStream::new(SSRC, 90_000);
        let mut naive = Naive::default();
        // Near the wrap, so that every history crosses it.
        let mut sequence = 65_000 + i64::from(random.next_u32() % 536);
        let mut micros = 0_u64;
        let mut first_micros = 0;
        let mut timestamp = random.next_u32();
        for step in 0..3_000 {
            let jump = match random.next_u32() % 1_000 {
                0 => i64::from(random.next_u32() % 65_536), // somewhere else: perhaps a restart
                1..50 => -i64::from(random.next_u32() % 200), // late
                50..60 => 0,                                // a duplicate
                60..160 => 1 + i64::from(random.next_u32() % 20), // a gap
                160.. => 1,
            };
            sequence = (sequence + jump).rem_euclid(SEQ_MOD);
            micros += u64::from(random.next_u32() % 40_000);
            timestamp = timestamp.wrapping_add(random.next_u32() % 4_000);

            let now = start + Duration::from_micros(micros);
            let short = u16::try_from(sequence).unwrap();
            let reception = stream.on_rtp(short, Some(timestamp), 100, now);
            let believed = if step == 0 {
                naive.init(sequence);
                naive.received = 1;
                first_micros = micros;
                true
            } else {
                naive.update(sequence)
            };
            assert_eq!(
                believed,
                reception.order != Order::Suspect,
                "seed {seed} step {step}"
            );
            if believed {
                // The crate counts arrival from the first packet: so does this.
                let arrival = i64::try_from((micros - first_micros) * 90_000 / 1_000_000);
                naive.jitter(arrival.unwrap(), timestamp.into());
            }
            if random.next_u32() % 50 == 0 {
                let block = stream.report_block(now);
                let (fraction, lost, highest) = naive.report();
                assert_eq!(
                    i64::from(block.fraction_lost),
                    fraction,
                    "seed {seed} step {step}"
                );
                assert_eq!(
                    i64::from(block.cumulative_lost),
                    lost,
                    "seed {seed} step {step}"
                );
                assert_eq!(
                    i64::from(block.highest_sequence),
                    highest,
                    "seed {seed} step {step}"
                );
                assert_eq!(
                    i64::from(block.jitter),
                    naive.jitter >> 4,
                    "seed {seed} step {step}"
                );
            }
        }
    }
}

#[test]
fn fraction_lost_is_right_across_the_wrap() {
    let start = start();
    let mut stream = ReceiveStream::new(SSRC, 48_000);
    for sequence in 65_500..65_530 {
        stream.on_rtp(sequence, None, 100, start);
    }
    assert_eq!(stream.report_block(start).fraction_lost, 0);
    // 40 expected: 65530..65535 and 0..33, of which every fourth is lost.
    for step in 0..40_u16 {
        if step % 4 != 2 {
            stream.on_rtp(65_530_u16.wrapping_add(step), None, 100, start);
        }
    }
    let block = stream.report_block(start);
    assert_eq!(block.fraction_lost, 64);
    assert_eq!(block.cumulative_lost, 10);
    assert_eq!(block.highest_sequence, 65_536 + 33);
    // Nothing since: nothing lost in the interval.
    assert_eq!(stream.report_block(start).fraction_lost, 0);
}

#[test]
fn duplicates_make_the_loss_negative_and_the_fraction_zero() {
    let start = start();
    let mut stream = ReceiveStream::new(SSRC, 48_000);
    let orders: Vec<_> = [5, 5, 6, 5]
        .map(|sequence| stream.on_rtp(sequence, None, 100, start).order)
        .to_vec();
    assert_eq!(
        orders,
        [
            Order::First,
            Order::Duplicate,
            Order::InOrder,
            Order::Duplicate
        ]
    );
    let block = stream.report_block(start);
    assert_eq!((block.cumulative_lost, block.fraction_lost), (-2, 0));
}

#[test]
fn order_tells_gap_reordering_and_restart() {
    let start = start();
    let mut stream = ReceiveStream::new(SSRC, 48_000);
    let receptions: Vec<_> = [10, 13, 11, 30_000, 30_001, 30_003]
        .map(|sequence| {
            let reception = stream.on_rtp(sequence, None, 100, start);
            (reception.extended - 65_536, reception.order)
        })
        .to_vec();
    assert_eq!(
        receptions,
        [
            (10, Order::First),
            (13, Order::Gap(2)),
            (11, Order::Reordered),
            (30_000, Order::Suspect),
            (30_001, Order::Restart),
            (30_003, Order::Gap(1)),
        ]
    );
    let stats = stream.stats();
    assert_eq!((stats.packets, stats.lost, stats.restarts), (5, 1, 1));
}

/// The count without wraps never goes back, wherever the source starts again.
#[test]
fn a_restart_behind_continues_ahead() {
    let start = start();
    let mut stream = ReceiveStream::new(SSRC, 48_000);
    let before = stream.on_rtp(40_000, None, 100, start).extended;
    stream.on_rtp(100, None, 100, start);
    let after = stream.on_rtp(101, None, 100, start);
    assert_eq!(after.order, Order::Restart);
    assert!(after.extended > before);
    assert_eq!(stream.report_block(start).highest_sequence, 101);
}

/// Two neighbours of a lost burst of video, retransmitted a second later, are late and no restart.
#[test]
fn retransmitted_neighbours_are_no_restart() {
    let start = start();
    let mut stream = ReceiveStream::new(SSRC, 90_000);
    stream.on_rtp(0, None, 100, start);
    for sequence in 3..1_000 {
        stream.on_rtp(sequence, None, 100, start);
    }
    assert_eq!(stream.on_rtp(1, None, 100, start).order, Order::Reordered);
    assert_eq!(stream.on_rtp(2, None, 100, start).order, Order::Reordered);
    assert_eq!(stream.stats().lost, 0);
}

#[test]
fn packets_of_another_clock_leave_the_jitter_alone() {
    let start = start();
    let mut plain = ReceiveStream::new(SSRC, 48_000);
    let mut mixed = ReceiveStream::new(SSRC, 48_000);
    for step in 0..200_u16 {
        let uneven = if step % 3 == 0 { 4 } else { 0 };
        let now = start + ms(u64::from(step) * 20 + uneven);
        let timestamp = u32::from(step) * 960;
        plain.on_rtp(step, Some(timestamp), 80, now);
        // A telephone event at 8000 Hz between two packets of audio.
        mixed.on_rtp(step * 2, Some(timestamp), 80, now);
        mixed.on_rtp(step * 2 + 1, None, 4, now + ms(5));
    }
    let jitter = plain.stats().jitter;
    assert!(jitter > Duration::ZERO);
    assert_eq!(mixed.stats().jitter, jitter);
}

/// Evenly spaced packets with a constant delay have no jitter, across the wrap of the timestamp too.
#[test]
fn an_even_stream_has_no_jitter() {
    let start = start();
    let mut stream = ReceiveStream::new(SSRC, 48_000);
    for step in 0..1_000_u16 {
        let timestamp = 0xFFFF_0000_u32.wrapping_add(u32::from(step) * 960);
        stream.on_rtp(step, Some(timestamp), 80, start + ms(u64::from(step) * 20));
    }
    assert_eq!(stream.stats().jitter, Duration::ZERO);
}

#[test]
fn a_sender_report_is_answered_with_its_middle_bits_and_the_delay() {
    let start = start();
    let mut stream = ReceiveStream::new(SSRC, 48_000);
    assert_eq!(stream.report_block(start).last_sender_report, 0);
    let info = SenderInfo {
        ntp: 0x0102_0304_0506_0708,
        rtp: 96_000,
        packets: 1,
        octets: 2,
    };
    stream.on_sender_report(&info, start);
    let block = stream.report_block(start + ms(1_500));
    assert_eq!(block.last_sender_report, 0x0304_0506);
    assert_eq!(block.delay_since_last_sender_report, 0x0001_8000);
    // One second after the report, and half a second before.
    assert_eq!(stream.ntp_of(144_000), Some(info.ntp + (1 << 32)));
    assert_eq!(stream.ntp_of(72_000), Some(info.ntp - (1 << 31)));
}

/// A.1: less than 3,000 ahead is a gap, less than 3,000 behind is late; beyond either is suspect.
#[test]
fn a_jump_is_suspect_exactly_from_the_bounds_on() {
    let start = start();
    for (sequence, order) in [
        (32_999, Order::Gap(2_998)),
        (33_000, Order::Suspect),
        (27_001, Order::Reordered),
        (27_000, Order::Suspect),
    ] {
        let mut stream = ReceiveStream::new(SSRC, 48_000);
        stream.on_rtp(30_000, None, 100, start);
        assert_eq!(stream.on_rtp(sequence, None, 100, start).order, order);
    }
}

/// After BYE the same SSRC is another source (RFC 3550 §6.3.4).
#[test]
fn what_succeeds_a_stream_counts_from_nothing_and_above_it() {
    let start = start();
    let mut before = ReceiveStream::new(7, 48_000);
    for sequence in [65_534, 65_535, 0, 9] {
        before.on_rtp(sequence, Some(0), 80, start);
    }
    let highest = before.on_rtp(10, Some(0), 80, start).extended;
    for first in [0, 10, 11, 40_000] {
        let mut after = before.successor(7, 48_000);
        assert_eq!(after.stats(), ReceiveStream::new(7, 48_000).stats());
        let reception = after.on_rtp(first, Some(0), 80, start);
        assert_eq!(reception.order, Order::First);
        assert!(reception.extended > highest + 65_536, "{first}");
        assert_eq!(reception.extended % 65_536, u64::from(first));
        assert_eq!(
            after.on_rtp(first + 1, Some(0), 80, start).order,
            Order::InOrder
        );
        let block = after.report_block(start);
        assert_eq!(block.highest_sequence, u32::from(first) + 1);
        assert_eq!(block.cumulative_lost, 0);
    }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
fn start() -> Instant {
    Instant::now()
}
