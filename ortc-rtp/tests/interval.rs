//! RFC 3550 §6.2, §6.3 and appendix A.7: when reports are sent.

use core::time::Duration;
use std::time::Instant;

use ortc_rtp::stream::{ReportConfig, ReportSchedule};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// The interval of `rtcp_interval()` in appendix A.7, with the deterministic part only.
fn naive_interval(
    members: f64,
    senders: f64,
    bandwidth: f64,
    we_sent: bool,
    size: f64,
    minimum: f64,
) -> f64 {
    let mut rtcp_bw = bandwidth * 0.05 / 8.0;
    let mut n = members;
    if senders <= members * 0.25 {
        if we_sent {
            rtcp_bw *= 0.25;
            n = senders;
        } else {
            rtcp_bw *= 0.75;
            n -= senders;
        }
    }
    (size * n / rtcp_bw).max(minimum)
}

#[test]
fn intervals_are_spread_as_the_appendix_has_it() {
    for (members, senders, bandwidth, we_sent) in [
        (2, 2, 64_000, true),
        (2, 1, 8_000, false),
        (100, 1, 64_000, true),
        (100, 1, 64_000, false),
        (100, 60, 64_000, false),
    ] {
        let start = start();
        let mut random = ChaCha20Rng::seed_from_u64(7);
        let config = ReportConfig::default()
            .bandwidth(bandwidth)
            .early(Duration::ZERO, Duration::ZERO);
        let mut schedule = ReportSchedule::new(config, start, &mut random);
        if we_sent {
            schedule.on_media_sent(start);
        }
        schedule.set_members(members, senders, start);
        for _ in 0..200 {
            schedule.on_rtcp_received(72); // with the layers below: 100
        }
        #[expect(clippy::cast_precision_loss, reason = "small figures of this test")]
        let bandwidth = bandwidth as f64;
        let expected = naive_interval(
            members.into(),
            senders.into(),
            bandwidth,
            we_sent,
            100.0,
            1.0,
        );
        // Reconsideration raises the average of T/1.21828 back to about T.
        let mut sent = Vec::new();
        while sent.len() < 2_000 {
            let now = schedule.next();
            if schedule.on_timeout(now, &mut random) {
                sent.push(now);
                schedule.on_rtcp_sent(72);
            }
        }
        let gaps: Vec<f64> = sent
            .windows(2)
            .map(|two| (two[1] - two[0]).as_secs_f64())
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "two thousand")]
        let average = gaps.iter().sum::<f64>() / gaps.len() as f64;
        assert!(
            (0.95..1.1).contains(&(average / expected)),
            "{average} for {expected}"
        );
        let shortest = gaps.iter().copied().fold(f64::MAX, f64::min);
        let longest = gaps.iter().copied().fold(0.0, f64::max);
        assert!(
            shortest >= 0.5 * expected / 1.21828 * 0.999,
            "{shortest} for {expected}"
        );
        assert!(
            longest <= 1.5 * expected / 1.21828 * 1.001,
            "{longest} for {expected}"
        );
    }
}

/// Two reports within half a second of the first packet: enough to play audio and video in step.
#[test]
fn two_reports_follow_the_first_media_packet_at_once() {
    for seed in 0..50 {
        let start = start();
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let mut schedule = ReportSchedule::new(ReportConfig::default(), start, &mut random);
        let media = start + ms(300);
        while schedule.next() < media {
            let now = schedule.next();
            schedule.on_timeout(now, &mut random);
        }
        schedule.on_media_sent(media);
        let mut sent = Vec::new();
        while sent.len() < 4 {
            let now = schedule.next();
            assert!(now >= media);
            if schedule.on_timeout(now, &mut random) {
                sent.push(now - media);
                schedule.on_rtcp_sent(100);
            }
        }
        assert!(sent[0] <= ms(50), "{sent:?}");
        assert!(sent[1] <= ms(400), "{sent:?}");
        assert!(
            (ms(400)..ms(1_250)).contains(&(sent[2] - sent[1])),
            "{sent:?}"
        );
        assert!(
            (ms(400)..ms(1_250)).contains(&(sent[3] - sent[2])),
            "{sent:?}"
        );
    }
}

/// A deadline that was served has moved, an early call changes nothing.
#[test]
fn the_deadline_of_reports_always_moves() {
    let start = start();
    let mut random = ChaCha20Rng::seed_from_u64(1);
    let config = ReportConfig::default()
        .minimum(Duration::ZERO)
        .bandwidth(u64::MAX);
    let mut schedule = ReportSchedule::new(config, start, &mut random);
    schedule.on_media_sent(start);
    let mut now = start;
    for _ in 0..1_000 {
        let before = schedule.next();
        if now < before {
            assert!(!schedule.on_timeout(now, &mut random));
            assert_eq!(schedule.next(), before);
        }
        now = before;
        schedule.on_timeout(now, &mut random);
        assert!(schedule.next() > now);
    }
}

/// A careless configuration waits long; it does not end the process.
#[test]
fn absurd_spans_keep_the_regular_interval() {
    let start = start();
    let mut random = ChaCha20Rng::seed_from_u64(1);
    let config = ReportConfig::default()
        .early(Duration::MAX, Duration::MAX)
        .minimum(Duration::MAX)
        .bandwidth(0);
    let mut schedule = ReportSchedule::new(config, start, &mut random);
    schedule.on_media_sent(start);
    assert!(schedule.next() - start < ms(90_000));
    while !schedule.on_timeout(schedule.next(), &mut random) {}
    assert!(schedule.next() > start);
}

/// §6.3.4: the others leave, the next report comes nearer.
#[test]
fn fewer_members_bring_the_report_nearer() {
    let start = start();
    let mut random = ChaCha20Rng::seed_from_u64(1);
    let mut schedule = ReportSchedule::new(ReportConfig::default(), start, &mut random);
    schedule.set_members(100, 0, start);
    let before = schedule.next() - start;
    schedule.set_members(25, 0, start);
    assert_eq!(schedule.next() - start, before / 4);
}

/// §6.2: 360 divided by the bandwidth in kbit/s, in seconds.
#[test]
fn the_reduced_minimum_shortens_the_interval() {
    let start = start();
    let mut random = ChaCha20Rng::seed_from_u64(1);
    let config = ReportConfig::default()
        .minimum(Duration::from_secs(5))
        .bandwidth(3_600_000)
        .reduced_minimum();
    let schedule = ReportSchedule::new(config, start, &mut random);
    let first = schedule.next() - start;
    assert!((ms(41)..ms(124)).contains(&first), "{first:?}"); // 0.5 to 1.5 of 100 ms / 1.21828
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
fn start() -> Instant {
    Instant::now()
}
