//! Loss: every single datagram, whole directions, random shares; and the timer (RFC 6347 §4.2.4).

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod node;
mod pair;

use core::time::Duration;
use std::sync::Arc;

use node::time_to_connect;
use ortc_dtls::crypto::Provider;
use ortc_dtls::{CloseReason, Config, DropReason, Role, Version};
use ortc_testkit::link::Link;
use ortc_testkit::provider::Deterministic;
use pair::{DELAY, configs, pair, provider};

const MTUS: [usize; 4] = [256, 576, 1200, 1500];
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn any_single_datagram_may_be_lost() {
    let provider = provider();
    for mtu in MTUS {
        let adapt = |config: Config| config.mtu(mtu).unwrap();
        let mut clean = pair(&provider, adapt);
        assert!(clean.connect());
        for lost in 0..clean.sent.len() {
            let mut pair = pair(&provider, adapt);
            let path = |index, _, _: &[u8]| if index == lost { vec![] } else { vec![DELAY] };
            assert!(
                pair.run(LIMIT, path, |pair| pair.connected()),
                "mtu {mtu}, {lost} lost"
            );
            assert!(
                pair.elapsed() <= Duration::from_millis(400),
                "{:?}",
                pair.elapsed()
            );
            assert!(pair.sent.iter().all(|(_, contents)| contents.len() <= mtu));
            pair.assert_works();
        }
    }
}

#[test]
fn any_two_datagrams_may_be_lost() {
    let provider = provider();
    let adapt = |config: Config| config.mtu(576).unwrap();
    let mut clean = pair(&provider, adapt);
    assert!(clean.connect());
    let count = clean.sent.len() + 3;
    for first in 0..count {
        for second in first..count {
            let mut pair = pair(&provider, adapt);
            let path = |index, _, _: &[u8]| {
                let lost = index == first || index == second;
                if lost { vec![] } else { vec![DELAY] }
            };
            assert!(
                pair.run(LIMIT, path, |pair| pair.connected()),
                "{first} {second}"
            );
            pair.assert_works();
        }
    }
}

#[test]
fn the_hello_is_repeated_after_50_ms_and_then_ever_more_rarely() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config.handshake_timeout(None));
    let start = pair.now;
    let mut sent_at = Vec::new();
    for _ in 0..13 {
        let mut contents = Vec::new();
        while pair.client.poll_transmit(&mut contents, pair.now).is_some() {
            sent_at.push((pair.now - start).as_millis());
        }
        pair.now = pair.client.poll_timeout().unwrap();
        pair.client.handle_timeout(pair.now);
    }
    let expected = [
        0, 50, 150, 350, 750, 1550, 3150, 6350, 12_750, 25_550, 51_150, 102_350, 162_350,
    ];
    assert_eq!(sent_at, expected);
}

#[test]
fn the_profile_of_the_rfc_begins_at_one_second() {
    let provider = provider();
    let mut pair = pair(&provider, Config::rfc6347);
    let mut contents = Vec::new();
    pair.client.poll_transmit(&mut contents, pair.now).unwrap();
    assert_eq!(
        pair.client.poll_timeout(),
        Some(pair.now + Duration::from_secs(1))
    );
}

#[test]
fn early_and_repeated_calls_of_the_timer_do_nothing() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config);
    let mut contents = Vec::new();
    pair.client.poll_transmit(&mut contents, pair.now).unwrap();
    let at = pair.client.poll_timeout().unwrap();
    pair.client.handle_timeout(at - Duration::from_millis(1));
    assert_eq!(pair.client.poll_transmit(&mut contents, pair.now), None);
    pair.client.handle_timeout(at);
    pair.client.handle_timeout(at);
    pair.client.handle_timeout(pair.now);
    assert!(pair.client.poll_transmit(&mut contents, at).is_some());
    assert_eq!(pair.client.poll_transmit(&mut contents, at), None);
    assert_eq!(
        pair.client.poll_timeout(),
        Some(at + Duration::from_millis(100))
    );
}

#[test]
fn a_flight_that_nobody_has_taken_out_is_not_late() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config);
    for tenths in 1..100 {
        pair.client
            .handle_timeout(pair.now + Duration::from_millis(100 * tenths));
    }
    let mut contents = Vec::new();
    assert!(pair.client.poll_transmit(&mut contents, pair.now).is_some());
    assert_eq!(pair.client.poll_transmit(&mut contents, pair.now), None);
    assert_eq!(pair.client.stats().retransmissions, 0);
}

#[test]
fn a_path_that_comes_up_late_gets_the_flight_at_once() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config);
    // Seven seconds into nowhere: the next time-out is seconds away.
    pair.run(Duration::from_secs(7), |_, _, _| vec![], |_| false);
    let sent = pair.sent.len();
    let now = pair.now;
    pair.client.restart_timer(now);
    assert_eq!(pair.client.poll_timeout(), Some(now));
    assert!(pair.connect());
    assert_eq!(pair.now - now, 4 * DELAY);
    assert_eq!(pair.sent.len() - sent, 4);
}

#[test]
fn after_an_outage_a_repetition_of_the_peer_prompts_ours() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config);
    // The server's flight is lost for ten seconds; its timer has grown to 12.8 s by then.
    let path = |_, role, _: &[u8]| match role {
        Role::Client => vec![DELAY],
        Role::Server => vec![],
    };
    pair.run(Duration::from_secs(10), path, |_| false);
    let up = pair.now;
    // The client's next repetition is what shows the server that the path is up.
    assert!(pair.run(
        Duration::from_secs(20),
        |_, _, _| vec![DELAY],
        |pair| pair.connected()
    ));
    let repeated = Duration::from_millis(12_750) - (up - pair.start);
    assert!(pair.now - up <= repeated + 4 * DELAY, "{:?}", pair.now - up);
}

#[test]
fn a_repeated_finished_brings_the_last_flight_again() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config);
    let mut lost = 0;
    // The server's last flight is lost four times; only the client has a timer by then.
    let path = |_, role, contents: &[u8]| {
        let last_flight = role == Role::Server && contents.first() == Some(&20);
        if last_flight && lost < 4 {
            lost += 1;
            return vec![];
        }
        vec![DELAY]
    };
    assert!(pair.run(LIMIT, path, |pair| pair.connected()));
    assert_eq!(lost, 4);
    assert_eq!(pair.server.stats().retransmissions, 4);
    pair.assert_works();
}

#[test]
fn a_server_does_not_answer_every_duplicate() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config);
    let mut hello = Vec::new();
    pair.client.poll_transmit(&mut hello, pair.now).unwrap();
    let mut out = Vec::new();
    for _ in 0..1000 {
        let now = pair.now;
        pair.server.handle_datagram(&mut hello.clone(), now);
        while pair.server.poll_transmit(&mut out, now).is_some() {}
    }
    assert_eq!(pair.server.stats().datagrams_sent, 1);
    assert_eq!(pair.server.stats().dropped(DropReason::Duplicate), 999);
}

#[test]
fn a_handshake_without_answer_ends_with_its_reason() {
    let provider = provider();
    let limit = Some(Duration::from_secs(5));
    let mut pair = pair(&provider, |config| config.handshake_timeout(limit));
    pair.run(LIMIT, |_, _, _| vec![], |_| false);
    assert_eq!(
        pair.closed(Role::Client),
        Some(CloseReason::Timeout { alert: None })
    );
    assert_eq!(pair.client.poll_timeout(), None);
    // Nobody spoke to the server: it still waits, without a deadline.
    assert_eq!(pair.closed(Role::Server), None);
    assert_eq!(pair.server.poll_timeout(), None);
}

/// How long 200 handshakes took over such a path: median, 95th percentile, longest.
fn times_to_connect(loss: f64, mtu: usize, longest: Duration) -> [Duration; 3] {
    let link = Link::perfect(DELAY)
        .with_loss(loss)
        .with_duplicate(0.1)
        .with_jitter(Duration::from_millis(20));
    let mut times: Vec<Duration> = (0..200)
        .map(|seed| {
            let provider: Arc<dyn Provider> = Deterministic::new(seed);
            let configs = configs([&[Version::DTLS12]; 2], &provider, |_, config| {
                let first = Duration::from_millis(50);
                let config = config.mtu(mtu).unwrap().handshake_timeout(None);
                config.retransmission(first, longest).unwrap()
            });
            time_to_connect(&configs.map(Arc::new), link, seed)
        })
        .collect();
    times.sort_unstable();
    [times[100], times[190], times[199]]
}

#[test]
fn random_loss_delays_and_never_prevents() {
    let rfc = Duration::from_secs(60);
    let impatient = Duration::from_millis(400);
    for (loss, mtu, longest, median, percentile95) in [
        (0.0, 1200, rfc, 150, 200),
        (0.2, 1200, rfc, 300, 800),
        (0.2, 256, rfc, 700, 2_000),
        (0.5, 1200, rfc, 1_500, 60_000),
        (0.5, 1200, impatient, 1_500, 5_000),
    ] {
        let times = times_to_connect(loss, mtu, longest);
        println!("loss {loss}, mtu {mtu}, longest interval {longest:?}: {times:?}");
        assert!(times[0] <= Duration::from_millis(median), "{times:?}");
        assert!(times[1] <= Duration::from_millis(percentile95), "{times:?}");
    }
}
