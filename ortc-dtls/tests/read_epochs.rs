//! How long the epochs of DTLS 1.3 are read (RFC 9147 §4.2.1, §5.8.1, §8).

mod craft;
mod craft13;
mod dice;
mod pair;

use core::time::Duration;

use craft::handshake;
use craft13::Epoch;
use dice::Dice;
use ortc_dtls::wire::{ContentType, HandshakeType};
use ortc_dtls::{DropReason, Event, KeyUpdate, Role};
use pair::{DELAY, Pair, pair13, provider};

/// The old keys are kept until the new ones were used (RFC 9147 §8).
#[test]
fn a_key_update_that_overtakes_the_acknowledgement_of_the_handshake_can_be_repeated() {
    let mut pair = pair13(&provider(), |config| config);
    let served = |pair: &Pair| pair.events[Role::Server as usize].contains(&Event::Connected);
    assert!(pair.run(Duration::from_secs(1), |_, _, _| vec![DELAY], served));
    // Of the client's last flight.
    let [acknowledgement] = &mut pair.flying[..] else {
        panic!("{:?}", pair.flying);
    };
    acknowledgement.at += 2 * DELAY;
    let now = pair.now;
    pair.server.update_keys(KeyUpdate::Own, now).unwrap();
    // What the client says of the update is lost.
    let lossy = |_, from, _: &[u8]| match from {
        Role::Client => vec![],
        Role::Server => vec![DELAY],
    };
    pair.run(4 * DELAY, lossy, |_| false);
    let now = pair.now;
    pair.server.send(b"under the old keys", now).unwrap();
    pair.settle();
    let data = Event::ApplicationData(b"under the old keys".as_slice().into());
    assert!(pair.events[Role::Client as usize].contains(&data));
    assert_eq!(pair.client.stats().dropped(DropReason::Epoch), 0);
    assert!(!pair.server.awaits_answer());
    pair.assert_works();
}

/// A client need not wait until its last flight is acknowledged, and repeats it for as long as it is
/// not (RFC 9147 §5.8.1).
#[test]
fn the_last_flight_of_a_client_is_acknowledged_after_it_has_changed_its_keys_too() {
    let provider = provider();
    let mut pair = pair13(&provider, |config| config.key_log(true));
    // No acknowledgement arrives.
    let unheard = |_, from, _: &[u8]| match from {
        Role::Client => vec![DELAY],
        Role::Server => vec![],
    };
    let known = |pair: &Pair| pair.events[Role::Client as usize].contains(&Event::Connected);
    assert!(pair.run(3 * DELAY, |_, _, _| vec![DELAY], known));
    pair.run(DELAY, unheard, |_| false);
    pair.transmit(&mut { unheard });
    assert!(pair.connected());
    // Another client than ours changes its keys at once.
    let now = pair.now;
    let epoch = |pair: &Pair, number| Epoch::of(&provider, pair, Role::Client, number);
    let update = handshake(HandshakeType::KEY_UPDATE, 4, &[0]);
    let mut update = epoch(&pair, 3).seal(ContentType::HANDSHAKE, 100, &update);
    pair.server.handle_datagram(&mut update, now);
    pair.transmit(&mut { unheard });
    let mut data = epoch(&pair, 4).seal(ContentType::APPLICATION_DATA, 0, b"data");
    pair.server.handle_datagram(&mut data, now);
    let event = Event::ApplicationData(b"data".as_slice().into());
    assert_eq!(pair.server.poll_event(), Some(event));
    assert!(pair.client.awaits_answer());
    pair.settle();
    assert!(!pair.client.awaits_answer());
    assert_eq!(pair.server.stats().dropped(DropReason::Epoch), 0);
}

/// Both sides change keys and say things all the time, over a path that loses, repeats and
/// overtakes: nobody gives up, and when the path is good, all is said and nothing waits.
#[test]
fn keys_that_change_on_both_sides_over_a_bad_path_stop_nothing() {
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let loss = 20 * (seed % 4);
        let mut luck = Dice::new(1000 + seed);
        let mut path = |_, _, _: &[u8]| {
            let mut times = Vec::new();
            if luck.below(100) >= loss {
                times.push(Duration::from_millis(1 + luck.below(120)));
            }
            if luck.below(10) == 0 {
                times.push(Duration::from_millis(1 + luck.below(400)));
            }
            times
        };
        let mut pair = pair13(&provider(), |config| config);
        assert!(pair.run(Duration::from_secs(60), &mut path, Pair::connected));
        for _ in 0..200 {
            let now = pair.now;
            let role = dice.role();
            match dice.below(4) {
                0 => pair.side(role).update_keys(KeyUpdate::Both, now).unwrap(),
                1 => pair.side(role).update_keys(KeyUpdate::Own, now).unwrap(),
                _ => pair.side(role).send(b"data", now).unwrap(),
            }
            pair.run(Duration::from_millis(10), &mut path, |_| false);
        }
        let done = |pair: &Pair| {
            let waits = pair.client.awaits_answer() || pair.server.awaits_answer();
            !waits && pair.flying.is_empty()
        };
        let good = |_, _, _: &[u8]| vec![DELAY];
        assert!(pair.run(Duration::from_secs(20), good, done), "{seed}");
        let closed = [Role::Client, Role::Server].map(|role| pair.closed(role));
        assert_eq!(closed, [None, None], "{seed}");
        pair.assert_works();
        let sides = [&pair.client, &pair.server];
        assert!(sides.iter().all(|side| side.poll_timeout().is_none()));
    }
}
