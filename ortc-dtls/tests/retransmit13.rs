//! Loss, delay and repetition in DTLS 1.3: timers and ACKs (RFC 9147 §5.8, §7).

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use core::time::Duration;

use ortc_dtls::{Config, DropReason, Event, KeyUpdate, Role, Version};
use ortc_testkit::provider::Deterministic;
use pair::{DELAY, Pair, pair_of, pair13, provider};

const MTUS: [usize; 4] = [256, 576, 1200, 1500];
const LIMIT: Duration = Duration::from_secs(20);

/// A server that asks for a cookie has one round trip more.
const COOKIE: [bool; 2] = [false, true];

fn adapt(mtu: usize, cookie: bool) -> impl Fn(Config) -> Config {
    move |config| config.mtu(mtu).unwrap().cookie_exchange(cookie)
}

#[test]
fn any_single_datagram_may_be_lost() {
    let provider = provider();
    for mtu in MTUS {
        for cookie in COOKIE {
            let mut clean = pair13(&provider, adapt(mtu, cookie));
            assert!(clean.connect());
            clean.settle();
            for lost in 0..clean.sent.len() {
                let mut pair = pair13(&provider, adapt(mtu, cookie));
                let path = |index, _, _: &[u8]| if index == lost { vec![] } else { vec![DELAY] };
                assert!(
                    pair.run(LIMIT, path, Pair::connected),
                    "mtu {mtu}, {lost} lost"
                );
                let limit = if cookie { 400 } else { 300 };
                assert!(
                    pair.elapsed() <= Duration::from_millis(limit),
                    "mtu {mtu}, {lost} lost: {:?}",
                    pair.elapsed()
                );
                assert!(pair.sent.iter().all(|(_, contents)| contents.len() <= mtu));
                pair.assert_works();
                assert_eq!(pair.client.poll_timeout(), None, "all is acknowledged");
                assert_eq!(pair.server.poll_timeout(), None);
            }
        }
    }
}

#[test]
fn any_two_datagrams_may_be_lost() {
    let provider = provider();
    for mtu in [256, 1200] {
        let mut clean = pair13(&provider, adapt(mtu, false));
        assert!(clean.connect());
        let count = clean.sent.len() + 4;
        for first in 0..count {
            for second in first + 1..count {
                let mut pair = pair13(&provider, adapt(mtu, false));
                let path = |index, _, _: &[u8]| {
                    let lost = index == first || index == second;
                    if lost { vec![] } else { vec![DELAY] }
                };
                assert!(pair.run(LIMIT, path, Pair::connected), "{first} {second}");
                assert!(pair.elapsed() <= Duration::from_millis(700));
                pair.assert_works();
            }
        }
    }
}

#[test]
fn any_single_datagram_may_come_twice() {
    let provider = provider();
    for mtu in MTUS {
        let mut clean = pair13(&provider, adapt(mtu, false));
        assert!(clean.connect());
        for twice in 0..clean.sent.len() {
            for later in [0, 1, 60, 300] {
                let mut pair = pair13(&provider, adapt(mtu, false));
                let path = |index, _, _: &[u8]| {
                    let mut arrivals = vec![DELAY];
                    if index == twice {
                        arrivals.push(DELAY + Duration::from_millis(later));
                    }
                    arrivals
                };
                assert!(pair.run(LIMIT, path, Pair::connected), "{mtu} {twice}");
                assert_eq!(pair.elapsed(), 3 * DELAY, "a copy costs no time");
                pair.assert_works();
            }
        }
    }
}

#[test]
fn any_single_datagram_may_be_late() {
    let provider = provider();
    for mtu in MTUS {
        let mut clean = pair13(&provider, adapt(mtu, false));
        assert!(clean.connect());
        for late in 0..clean.sent.len() {
            for by in [1, 10, 40, 60, 200, 1000] {
                let mut pair = pair13(&provider, adapt(mtu, false));
                let path = |index, _, _: &[u8]| {
                    let late = if index == late { by } else { 0 };
                    vec![DELAY + Duration::from_millis(late)]
                };
                assert!(pair.run(LIMIT, path, Pair::connected), "{mtu} {late} {by}");
                assert!(pair.elapsed() <= Duration::from_millis(300));
                pair.assert_works();
            }
        }
    }
}

#[test]
fn every_flight_may_arrive_backwards() {
    let provider = provider();
    for mtu in MTUS {
        let mut pair = pair13(&provider, adapt(mtu, false));
        // Of what leaves at one instant, the first arrives last; all within a millisecond.
        let path = |index: usize, _, _: &[u8]| {
            let early = u64::try_from(index).unwrap() * 10;
            vec![Duration::from_micros(10_900 - early)]
        };
        assert!(pair.run(LIMIT, path, Pair::connected), "{mtu}");
        assert!(pair.elapsed() < Duration::from_millis(33), "{mtu}");
        let repeated = [pair.client.stats(), pair.server.stats()];
        assert!(repeated.iter().all(|stats| stats.retransmissions == 0));
        pair.assert_works();
    }
}

#[test]
fn only_what_is_missing_of_a_flight_is_sent_again() {
    let provider = provider();
    let adapt = |config: Config| {
        let longer = Duration::from_millis(400);
        let config = config.mtu(256).unwrap();
        config.retransmission(longer, longer).unwrap()
    };
    let mut clean = pair13(&provider, adapt);
    assert!(clean.connect());
    let flight = |pair: &Pair, role| pair.sent.iter().filter(|(from, _)| *from == role).count();
    let usual = flight(&clean, Role::Server);
    assert!(usual >= 4);
    // The second datagram of the server's flight is lost.
    let mut count = 0;
    let mut pair = pair13(&provider, adapt);
    let path = |_, role, _: &[u8]| {
        count += usize::from(role == Role::Server);
        let lost = role == Role::Server && count == 2;
        if lost { vec![] } else { vec![DELAY] }
    };
    assert!(pair.run(LIMIT, path, Pair::connected));
    // An ACK after a quarter of one and a half round trips, then one datagram; no time-out was
    // needed.
    assert_eq!(pair.elapsed(), 5 * DELAY + Duration::from_micros(18_750));
    assert_eq!(flight(&pair, Role::Server), usual + 1);
    assert_eq!(pair.server.stats().retransmissions, 1);
    pair.assert_works();
}

/// Any part of the client's last flight says that the server's arrived.
#[test]
fn a_server_does_not_repeat_what_was_answered_in_part() {
    let provider = provider();
    let mut pair = pair13(&provider, |config| config.mtu(256).unwrap());
    let mut of_client = 0;
    // The second datagram of the client's last flight is lost.
    let path = |_, role, _: &[u8]| {
        of_client += usize::from(role == Role::Client);
        let lost = role == Role::Client && of_client == 3;
        if lost { vec![] } else { vec![DELAY] }
    };
    assert!(pair.run(LIMIT, path, Pair::connected));
    assert!(pair.client.stats().retransmissions > 0);
    assert_eq!(pair.server.stats().retransmissions, 0);
    pair.assert_works();
}

/// A key update waits until the last flight of the handshake is acknowledged.
#[test]
fn an_early_wish_for_new_keys_does_not_disturb_the_handshake() {
    let provider = provider();
    let mut pair = pair13(&provider, |config| config);
    let mut of_client = 0;
    let mut path = |_, role, _: &[u8]| {
        of_client += usize::from(role == Role::Client);
        let lost = role == Role::Client && of_client == 2;
        if lost { vec![] } else { vec![DELAY] }
    };
    let first = |pair: &Pair| pair.events[0].contains(&Event::Connected);
    assert!(pair.run(LIMIT, &mut path, first));
    let now = pair.now;
    pair.client.update_keys(KeyUpdate::Both, now).unwrap();
    assert!(pair.run(LIMIT, path, Pair::connected));
    pair.settle();
    pair.assert_works();
    for role in [Role::Client, Role::Server] {
        let last = pair.sent.iter().rev().find(|(from, _)| *from == role);
        assert_eq!(last.unwrap().1[0] & 3, 0, "epoch 4");
    }
}

#[test]
fn an_acknowledgement_that_is_lost_is_sent_again_when_the_client_repeats_itself() {
    let provider = provider();
    let mut pair = pair13(&provider, |config| config);
    let mut lost = 0;
    // Of the server only the first datagram, its flight, arrives for a while.
    let path = |index, role, _: &[u8]| {
        if role == Role::Server && index > 1 && lost < 4 {
            lost += 1;
            return vec![];
        }
        vec![DELAY]
    };
    assert!(pair.run(LIMIT, path, |pair| {
        pair.connected() && pair.client.poll_timeout().is_none()
    }));
    assert_eq!(lost, 4);
    assert_eq!(pair.client.stats().retransmissions, 4);
    assert_eq!(pair.server.stats().datagrams_sent, 6);
    pair.assert_works();
}

/// What was acknowledged in vain is named again, so that one datagram of a repeated flight brings
/// an acknowledgement of all of it, and not each of them one of its own.
#[test]
fn the_first_datagram_of_a_repeated_flight_confirms_all_of_it() {
    let provider = provider();
    let mut pair = pair13(&provider, |config| config.mtu(256).unwrap());
    let mut confirmed = 0;
    let path = |_, role, contents: &[u8]| {
        // Epoch 3: nothing but the acknowledgement.
        let first = role == Role::Server && contents[0] & 0xe3 == 0x23 && confirmed == 0;
        confirmed += usize::from(first);
        if first { vec![] } else { vec![DELAY] }
    };
    let is_quiet = |pair: &Pair| pair.connected() && pair.client.poll_timeout().is_none();
    assert!(pair.run(LIMIT, path, is_quiet));
    assert_eq!(pair.client.stats().retransmissions, 1);
    // The server's flight, the acknowledgement that was lost, and one for all that came again.
    let of_server = pair.sent.iter().filter(|(from, _)| *from == Role::Server);
    let of_epoch_3 = of_server.filter(|(_, contents)| contents[0] & 0xe3 == 0x23);
    assert!(of_epoch_3.count() <= 3);
    pair.assert_works();
}

#[test]
fn a_server_that_never_confirms_is_given_up() {
    let provider = provider();
    let limit = Some(Duration::from_secs(5));
    let mut pair = pair13(&provider, |config| config.handshake_timeout(limit));
    // Nothing of the client's last flight arrives.
    let path = |index, role, _: &[u8]| {
        if role == Role::Client && index > 0 {
            vec![]
        } else {
            vec![DELAY]
        }
    };
    pair.run(LIMIT, path, |_| false);
    assert!(pair.events[0].contains(&Event::Connected));
    // The server repeats its flight: ours is the answer, not an ACK in the next epoch.
    let client = pair.sent.iter().filter(|(from, _)| *from == Role::Client);
    let bits: Vec<u8> = client
        .skip(1)
        .map(|(_, contents)| contents[0] & 3)
        .collect();
    assert!(bits.len() > 5 && bits.iter().all(|&epoch| epoch == 2));
    assert!(matches!(
        pair.closed(Role::Client),
        Some(ortc_dtls::CloseReason::Timeout { .. })
    ));
    assert!(pair.closed(Role::Server).is_some());
    assert!(!pair.events[1].contains(&Event::Connected));
}

#[test]
fn application_data_that_overtakes_the_last_flight_waits_for_it() {
    let provider = provider();
    let mut pair = pair13(&provider, |config| config);
    assert!(pair.run(
        LIMIT,
        |_, _, _| vec![DELAY],
        |pair| { pair.events[0].contains(&Event::Connected) }
    ));
    let now = pair.now;
    pair.client.send(b"early", now).unwrap();
    // The flight is on its way; the data overtakes it.
    pair.transmit(&mut |_, _, _: &[u8]| vec![Duration::from_millis(1)]);
    assert!(pair.run(LIMIT, |_, _, _| vec![DELAY], Pair::connected));
    pair.settle();
    let data = Event::ApplicationData(b"early".to_vec().into());
    assert!(pair.events[1].contains(&data), "{:?}", pair.events[1]);
    assert_eq!(pair.server.stats().dropped_total(), 0);
}

/// Both versions in one hello, random loss, repetition and delay: everyone connects.
#[test]
fn random_loss_delays_and_never_prevents() {
    let both: &[Version] = &[Version::DTLS13, Version::DTLS12];
    for seed in 0..200_u64 {
        let provider = Deterministic::new(seed);
        let mtu = MTUS[usize::try_from(seed % 4).unwrap()];
        let cookie = seed % 3 == 0;
        let mut pair = pair_of([both; 2], &provider, |config| {
            adapt(mtu, cookie)(config)
                .handshake_timeout(None)
                .retransmission(Duration::from_millis(50), Duration::from_secs(1))
                .unwrap()
        });
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 20) % below
        };
        let path = |_, _, _: &[u8]| {
            let mut arrivals = Vec::new();
            if draw(10) >= 3 {
                arrivals.push(DELAY + Duration::from_millis(draw(20)));
                if draw(10) == 0 {
                    arrivals.push(DELAY + Duration::from_millis(draw(200)));
                }
            }
            arrivals
        };
        let end = Duration::from_secs(600);
        assert!(pair.run(end, path, Pair::connected), "seed {seed}");
        assert_eq!(pair.client.version(), Some(Version::DTLS13));
        assert!(pair.elapsed() < Duration::from_secs(20), "seed {seed}");
        let stats = [pair.client.stats(), pair.server.stats()];
        for stats in stats {
            assert_eq!(stats.dropped(DropReason::BadRecord), 0);
            assert_eq!(stats.dropped(DropReason::Malformed), 0);
        }
        pair.settle();
        pair.assert_works();
    }
}
