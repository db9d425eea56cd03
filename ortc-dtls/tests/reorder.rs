//! Datagrams that overtake each other or come twice.

mod pair;

use core::time::Duration;

use ortc_dtls::{Config, DropReason, Event, Role};
use pair::{DELAY, pair, provider};

const MTUS: [usize; 4] = [256, 576, 1200, 1500];
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn any_single_datagram_may_come_twice() {
    let provider = provider();
    for mtu in MTUS {
        let adapt = |config: Config| config.mtu(mtu).unwrap();
        let mut clean = pair(&provider, adapt);
        assert!(clean.connect());
        for twice in 0..clean.sent.len() {
            for later in [0, 1, 60, 300] {
                let mut pair = pair(&provider, adapt);
                let path = |index, _, _: &[u8]| {
                    let mut arrivals = vec![DELAY];
                    if index == twice {
                        arrivals.push(DELAY + Duration::from_millis(later));
                    }
                    arrivals
                };
                assert!(
                    pair.run(LIMIT, path, |pair| pair.connected()),
                    "{mtu} {twice}"
                );
                assert_eq!(pair.elapsed(), 4 * DELAY, "a copy costs no time");
                pair.assert_works();
            }
        }
    }
}

#[test]
fn any_single_datagram_may_be_late() {
    let provider = provider();
    for mtu in MTUS {
        let adapt = |config: Config| config.mtu(mtu).unwrap();
        let mut clean = pair(&provider, adapt);
        assert!(clean.connect());
        for late in 0..clean.sent.len() {
            for by in [1, 10, 40, 60, 200, 1000] {
                let mut pair = pair(&provider, adapt);
                let path = |index, _, _: &[u8]| {
                    let late = if index == late { by } else { 0 };
                    vec![DELAY + Duration::from_millis(late)]
                };
                assert!(
                    pair.run(LIMIT, path, |pair| pair.connected()),
                    "{mtu} {late} {by}"
                );
                assert!(
                    pair.elapsed() <= Duration::from_millis(400),
                    "{:?}",
                    pair.elapsed()
                );
                pair.assert_works();
            }
        }
    }
}

#[test]
fn every_flight_may_arrive_backwards() {
    let provider = provider();
    for mtu in MTUS {
        let mut pair = pair(&provider, |config| config.mtu(mtu).unwrap());
        // Of what leaves at one instant, the first arrives last; all within a millisecond.
        let path = |index: usize, _, _: &[u8]| {
            let early = u64::try_from(index).unwrap() * 10;
            vec![Duration::from_micros(10_900 - early)]
        };
        assert!(pair.run(LIMIT, path, |pair| pair.connected()), "{mtu}");
        assert!(pair.elapsed() <= Duration::from_millis(44));
        let stats = [pair.client.stats(), pair.server.stats()];
        assert!(
            stats.iter().all(|stats| stats.retransmissions == 0),
            "{stats:?}"
        );
        pair.assert_works();
    }
}

/// The server is connected as soon as it sends its Finished; what it says then may overtake it.
#[test]
fn application_data_that_overtakes_the_finished_waits_for_it() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config);
    let to_server = |_, role, _: &[u8]| match role {
        Role::Client => vec![DELAY],
        Role::Server => vec![2 * DELAY],
    };
    pair.run(LIMIT, to_server, |pair| {
        pair.events[1].contains(&Event::Connected)
    });
    let now = pair.now;
    pair.server.send(b"overtakes", now).unwrap();
    let mut data = Vec::new();
    pair.server.poll_transmit(&mut data, now).unwrap();
    pair.client.handle_datagram(&mut data, now);
    assert_eq!(pair.client.poll_event(), None, "not before the Finished");
    pair.settle();
    let data = Event::ApplicationData((&b"overtakes"[..]).into());
    assert_eq!(pair.events[0], [Event::Connected, data]);
}

#[test]
fn a_record_is_accepted_once_and_behind_the_window_never() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config);
    assert!(pair.connect());
    let now = pair.now;
    let datagrams: Vec<Vec<u8>> = (0..400_u16)
        .map(|index| {
            pair.client.send(&index.to_be_bytes(), now).unwrap();
            let mut contents = Vec::new();
            pair.client.poll_transmit(&mut contents, now).unwrap();
            contents
        })
        .collect();
    let mut deliver = |index: usize| {
        pair.server
            .handle_datagram(&mut datagrams[index].clone(), now);
        pair.server.poll_event().is_some()
    };
    assert!(deliver(300));
    assert!(!deliver(300), "again");
    assert!(deliver(45), "255 behind the newest");
    assert!(!deliver(44), "256 behind the newest");
    assert!(deliver(299));
    assert!(!deliver(45));
    assert!(deliver(399));
    assert!(!deliver(100));
    assert_eq!(pair.server.stats().dropped(DropReason::Replayed), 4);
}
