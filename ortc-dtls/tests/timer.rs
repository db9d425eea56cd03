//! The interval before a flight is repeated, and what it learns from the path (RFC 6347 §4.2.4.1,
//! RFC 9147 §5.8.2).
mod pair;

use core::time::Duration;

use ortc_dtls::{Config, KeyUpdate, Role, Version};
use pair::{Pair, pair_of, provider};

const VERSIONS: [Version; 2] = [Version::DTLS12, Version::DTLS13];
const LIMIT: Duration = Duration::from_secs(60);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn pair(version: Version, adapt: impl Fn(Config) -> Config) -> Pair {
    pair_of([&[version]; 2], &provider(), adapt)
}

/// When the client sends its last flight, and every repetition of it while the server is silent,
/// over a path on which a datagram takes so long each way.
fn last_flight(pair: &mut Pair, trip: Duration) -> Vec<Duration> {
    let mut sent = Vec::new();
    let end = pair.now + ms(8_000);
    let mut server_is_silent = false;
    while pair.now < end {
        let before = pair.sent.len();
        pair.transmit(&mut |_, role, _: &[u8]| {
            let lost = role == Role::Client && before > 1;
            if lost { vec![] } else { vec![trip] }
        });
        let new = pair.sent.iter().skip(before);
        let from_client = new.filter(|(role, _)| *role == Role::Client).count();
        if from_client > 0 && server_is_silent {
            sent.push(pair.now - pair.start);
        }
        server_is_silent |= pair.sent.iter().any(|(role, _)| *role == Role::Server);
        let arrival = pair.flying.iter().map(|flying| flying.at).min();
        let timers = [&pair.client, &pair.server].map(|side| side.poll_timeout());
        let Some(next) = timers.into_iter().flatten().chain(arrival).min() else {
            break;
        };
        pair.now = next;
        let now = next;
        for mut flying in pair
            .flying
            .extract_if(.., |flying| flying.at <= now)
            .collect::<Vec<_>>()
        {
            pair.side(flying.to)
                .handle_datagram(&mut flying.contents, now);
        }
        pair.client.handle_timeout(now);
        pair.server.handle_timeout(now);
    }
    sent
}

/// Differences between the first of them.
fn intervals(sent: &[Duration]) -> Vec<Duration> {
    let pairs = sent.iter().zip(sent.iter().skip(1));
    pairs.map(|(one, next)| *next - *one).take(3).collect()
}

#[test]
fn an_answer_in_time_shortens_the_interval_to_one_and_a_half_round_trips() {
    for version in VERSIONS {
        for (trip, expected) in [(100, 300), (40, 120), (10, 50)] {
            let mut pair = pair(version, Config::rfc6347);
            let sent = last_flight(&mut pair, ms(trip));
            let doubling = [1, 2, 4].map(|times| ms(expected * times));
            assert_eq!(intervals(&sent), doubling, "{version} {trip}");
        }
    }
}

#[test]
fn an_answer_to_a_repetition_is_not_measured() {
    for version in VERSIONS {
        // The answer to the first hello comes after the second was sent: after 600 ms or after 100?
        let adapt = |config: Config| config.retransmission(ms(500), ms(60_000)).unwrap();
        let mut pair = pair(version, adapt);
        let mut first = true;
        let path = |_, _, _: &[u8]| {
            let lost = core::mem::take(&mut first);
            if lost { vec![] } else { vec![ms(50)] }
        };
        pair.run(ms(599), path, |_| false);
        pair.run(ms(1), |_, _, _| vec![], |_| false);
        // The client has the server's flight, and its own is lost.
        assert!(pair.client.stats().retransmissions == 1);
        assert_eq!(
            pair.client.poll_timeout(),
            Some(pair.now + ms(500)),
            "{version}"
        );
    }
}

/// What was configured is the longest that a flight waits first, unless somebody knows better.
#[test]
fn an_answer_never_makes_the_interval_longer() {
    for version in VERSIONS {
        let mut pair = pair(version, |config| config);
        pair.run(ms(48), |_, _, _| vec![ms(24)], |_| false);
        pair.transmit(&mut |_, _, _: &[u8]| vec![ms(24)]);
        assert_eq!(
            pair.client.poll_timeout(),
            Some(pair.now + ms(50)),
            "{version}"
        );
        assert!(pair.run(LIMIT, |_, _, _| vec![ms(24)], Pair::connected));
    }
}

#[test]
fn a_measured_round_trip_sets_the_interval_both_ways() {
    for version in VERSIONS {
        for (round_trip, expected) in [(300, 450), (40, 60), (1, 50), (u64::MAX / 4, 60_000)] {
            let mut pair = pair(version, |config| config);
            pair.client.set_round_trip(ms(round_trip));
            let now = pair.now;
            pair.client.restart_timer(now);
            let mut hello = Vec::new();
            pair.client.poll_transmit(&mut hello, now).unwrap();
            let at = pair.client.poll_timeout().unwrap();
            assert_eq!(at - now, ms(expected), "{version} {round_trip}");
        }
        // Over a long path nothing is sent twice.
        let mut pair = pair(version, |config| config);
        for role in [Role::Client, Role::Server] {
            let now = pair.now;
            pair.side(role).set_round_trip(ms(400));
            pair.side(role).restart_timer(now);
        }
        assert!(pair.run(LIMIT, |_, _, _| vec![ms(200)], Pair::connected));
        let trips = if version == Version::DTLS13 { 3 } else { 4 };
        assert_eq!(pair.elapsed(), trips * ms(200));
        for role in [Role::Client, Role::Server] {
            assert_eq!(pair.side(role).stats().retransmissions, 0, "{version}");
        }
    }
}

/// The interval grows within a flight, and the next flight begins anew.
#[test]
fn a_flight_does_not_inherit_the_time_outs_of_the_one_before() {
    for version in VERSIONS {
        let mut pair = pair(version, |config| config);
        // The hello arrives only when it is sent for the sixth time.
        pair.run(ms(1_540), |_, _, _| vec![], |_| false);
        assert_eq!(pair.client.stats().retransmissions, 4);
        pair.run(ms(60), |_, _, _| vec![ms(25)], |_| false);
        assert_eq!(pair.now - pair.start, ms(1_600));
        assert_eq!(
            pair.client.poll_timeout(),
            Some(pair.now + ms(50)),
            "{version}"
        );
        assert!(pair.run(LIMIT, |_, _, _| vec![ms(25)], Pair::connected));
    }
}

/// The timer of a KeyUpdate is that of a flight.
#[test]
fn a_key_update_is_repeated_after_what_the_handshake_has_measured() {
    let mut pair = pair(Version::DTLS13, Config::rfc6347);
    assert!(pair.run(
        LIMIT,
        |_, _, _| vec![ms(60)],
        |pair| { pair.connected() && pair.client.poll_timeout().is_none() }
    ));
    let now = pair.now;
    pair.client.update_keys(KeyUpdate::Own, now).unwrap();
    pair.transmit(&mut |_, _, _: &[u8]| vec![]);
    assert_eq!(pair.client.poll_timeout(), Some(now + ms(180)));
}
