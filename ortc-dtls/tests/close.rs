//! Connections that are closed in one direction (RFC 8446 §6.1, RFC 9147 §5.10), and those that
//! are not.

mod craft13;
mod pair;

use std::sync::Arc;

use craft13::Epoch;
use ortc_dtls::crypto::Provider;
use ortc_dtls::wire::ContentType;
use ortc_dtls::{CloseReason, Config, DropReason, Event, KeyUpdate, Role, SendError};
use pair::{DELAY, Pair, pair, pair13, provider};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

const fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

fn half_close(config: Config) -> Config {
    config.half_close(true).key_log(true)
}

fn connected() -> (Pair, Arc<dyn Provider>) {
    let provider = provider();
    let mut pair = pair13(&provider, half_close);
    assert!(pair.connect());
    pair.settle();
    (pair, provider)
}

fn data(text: &[u8]) -> Event {
    Event::ApplicationData(text.to_vec().into())
}

#[test]
fn what_the_other_closes_stays_open_for_what_we_send() {
    for role in ROLES {
        let (mut pair, _) = connected();
        let now = pair.now;
        pair.side(role).send(b"last words", now).unwrap();
        pair.side(role).close_write(now);
        pair.settle();
        let events = &pair.events[other(role) as usize];
        let end = &events[events.len() - 2..];
        assert_eq!(end, [data(b"last words"), Event::ReadClosed]);

        // The other goes on for as long as it likes, with new keys too.
        for round in 0..5_u8 {
            let now = pair.now;
            let side = pair.side(other(role));
            side.send(&[round; 100], now).unwrap();
            side.update_keys(KeyUpdate::Own, now).unwrap();
            pair.settle();
            assert!(pair.events[role as usize].contains(&data(&[round; 100])));
        }
        assert_eq!(pair.closed(role), None);
        assert_eq!(pair.closed(other(role)), None);
        let now = pair.now;
        pair.side(other(role)).send(b"and out", now).unwrap();
        pair.side(other(role)).close(now);
        pair.settle();
        assert!(pair.events[role as usize].contains(&data(b"and out")));
        assert_eq!(pair.closed(role), Some(CloseReason::PeerClosed));
        assert_eq!(pair.closed(other(role)), Some(CloseReason::Local));
        assert_eq!(pair.client.poll_timeout(), None);
        assert_eq!(pair.server.poll_timeout(), None);
    }
}

#[test]
fn closing_for_writing_after_the_other_did_is_the_end() {
    let (mut pair, _) = connected();
    let now = pair.now;
    pair.client.close_write(now);
    pair.settle();
    let now = pair.now;
    pair.server.close_write(now);
    assert_eq!(pair.server.send(b"no", now), Err(SendError::NotConnected));
    pair.settle();
    assert_eq!(pair.closed(Role::Server), Some(CloseReason::Local));
    assert_eq!(pair.closed(Role::Client), Some(CloseReason::PeerClosed));
}

#[test]
fn both_may_close_at_once() {
    let (mut pair, _) = connected();
    let now = pair.now;
    pair.client.close_write(now);
    pair.server.close_write(now);
    pair.settle();
    for role in ROLES {
        assert_eq!(pair.closed(role), Some(CloseReason::PeerClosed));
        assert!(!pair.events[role as usize].contains(&Event::ReadClosed));
    }
}

/// The number of the closing record decides, not when it came.
#[test]
fn what_was_sent_before_the_end_counts_and_what_comes_after_does_not() {
    let (mut pair, provider) = connected();
    let server = Epoch::of(&provider, &pair, Role::Server, 3);
    let now = pair.now;
    let kind = ContentType::APPLICATION_DATA;
    let mut receive = |mut record: Vec<u8>| {
        pair.client.handle_datagram(&mut record, now);
        pair.client.poll_event()
    };
    assert_eq!(receive(server.seal(kind, 98, b"a")), Some(data(b"a")));
    let alert = |number| server.seal(ContentType::ALERT, number, &[1, 0]);
    assert_eq!(receive(alert(100)), Some(Event::ReadClosed));
    assert_eq!(receive(server.seal(kind, 99, b"b")), Some(data(b"b")));
    assert_eq!(receive(server.seal(kind, 101, b"c")), None);
    assert_eq!(receive(alert(102)), None, "once is enough");
    let stats = pair.client.stats();
    assert_eq!(stats.dropped(DropReason::Closed), 1);
    // Other alerts still end it.
    let fatal = server.seal(ContentType::ALERT, 103, &[2, 80]);
    pair.client.handle_datagram(&mut fatal.clone(), now);
    let closed = pair.client.poll_event();
    assert!(matches!(
        closed,
        Some(Event::Closed(CloseReason::PeerAlert(_)))
    ));
}

#[test]
fn unless_it_is_wanted_and_in_dtls12_both_directions_close() {
    let provider = provider();
    for mut pair in [
        pair13(&provider, |config| config),
        pair(&provider, |config| config),
        pair(&provider, half_close),
    ] {
        assert!(pair.connect());
        pair.settle();
        let now = pair.now;
        pair.client.close_write(now);
        pair.transmit(&mut |_, _, _: &[u8]| vec![DELAY]);
        pair.settle();
        assert_eq!(pair.closed(Role::Server), Some(CloseReason::PeerClosed));
        let answers = pair.sent.iter().rev().take(2).rev();
        let from: Vec<Role> = answers.map(|(role, _)| *role).collect();
        assert_eq!(from, ROLES, "close_notify is answered");
    }
}

/// A peer for which nobody vouches has nothing to be sent.
#[test]
fn an_unverified_connection_is_closed_in_both_directions() {
    let provider = provider();
    let certificate = ortc_dtls::Certificate::generate(&provider).unwrap();
    let config = half_close(Config::new(certificate, provider));
    let mut pair = Pair::new(config.clone(), config);
    pair.settle();
    let now = pair.now;
    pair.client.close_write(now);
    pair.settle();
    assert!(pair.events[1].contains(&Event::Unverified));
    assert_eq!(pair.closed(Role::Server), Some(CloseReason::PeerClosed));
}
