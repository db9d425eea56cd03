//! A peer of DTLS 1.2 that wants another handshake under the keys of the connection is told once
//! that there is none, and the connection goes on (RFC 5246 §7.2.2, §7.4.1.1, RFC 5746 §4.2, §4.4).

mod craft;
mod pair;

use craft::{Forger, handshake, message};
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::{ContentType, HandshakeType};
use ortc_dtls::{Config, DropReason, Event, Role};
use pair::{Pair, pair, provider};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// What a peer in this role begins another handshake with.
const fn request_of(role: Role) -> (HandshakeType, &'static [u8]) {
    match role {
        Role::Client => (HandshakeType::CLIENT_HELLO, &[7; 40]),
        Role::Server => (HandshakeType::HELLO_REQUEST, &[]),
    }
}

/// A connection, and who writes as each of its sides.
fn connected(adapt: impl Fn(Config) -> Config) -> (Pair, [Forger; 2]) {
    let provider = provider();
    let mut pair = pair(&provider, |config| adapt(config.key_log(true)));
    assert!(pair.connect());
    pair.settle();
    let forgers = ROLES.map(|role| Forger::new(&provider, &pair, role));
    (pair, forgers)
}

/// All that this side has to send, a datagram each.
fn drain(pair: &mut Pair, role: Role) -> Vec<Vec<u8>> {
    let now = pair.now;
    let mut all = Vec::new();
    let mut out = Vec::new();
    while pair.side(role).poll_transmit(&mut out, now).is_some() {
        all.push(core::mem::take(&mut out));
    }
    all
}

const WARNING: (ContentType, [u8; 2]) = (ContentType::ALERT, [1, 100]);

#[test]
fn another_handshake_is_refused_once_and_the_connection_goes_on() {
    for from in ROLES {
        let (mut pair, forgers) = connected(|config| config);
        let to = other(from);
        let (kind, body) = request_of(from);
        let (theirs, ours) = (&forgers[from as usize], &forgers[to as usize]);
        let mut said = Vec::new();
        // Whatever the number: a new handshake begins at 0, and some peers count on.
        for (sequence, seq) in (100..).zip([0, 1, 4, 5, 6, 7, 900, u16::MAX]) {
            let contents = handshake(kind, seq, body);
            let mut record = theirs.seal(ContentType::HANDSHAKE, sequence, &contents);
            let now = pair.now;
            let side = pair.side(to);
            let before = side.stats();
            side.handle_datagram(&mut record, now);
            assert_eq!(
                side.stats().dropped(DropReason::Renegotiation),
                sequence - 99
            );
            assert_eq!(side.stats().dropped_total(), before.dropped_total() + 1);
            assert_eq!(side.poll_timeout(), (seq == 0).then_some(now));
            said.extend(drain(&mut pair, to));
        }
        assert_eq!(said.len(), 1);
        let (kind, contents) = ours.open(&said[0]).unwrap();
        assert_eq!((kind, &contents[..]), (WARNING.0, &WARNING.1[..]));
        // The other side, which did not ask, does not mind.
        let now = pair.now;
        pair.side(from).handle_datagram(&mut said[0], now);
        assert_eq!(pair.side(from).stats().dropped(DropReason::Warning), 1);
        pair.settle();
        assert_eq!(ROLES.map(|role| pair.closed(role)), [None, None]);
        pair.assert_works();
    }
}

/// A peer that has begun another handshake awaits an answer to that, not data.
#[test]
fn the_refusal_leaves_before_data_that_was_queued_before() {
    let (mut pair, forgers) = connected(|config| config);
    let (kind, body) = request_of(Role::Client);
    let now = pair.now;
    pair.server.send(b"data", now).unwrap();
    let contents = handshake(kind, 0, body);
    let mut record = forgers[0].seal(ContentType::HANDSHAKE, 100, &contents);
    pair.server.handle_datagram(&mut record, now);
    let sent = drain(&mut pair, Role::Server);
    let kinds: Vec<ContentType> = (sent.iter())
        .map(|record| forgers[1].open(record).unwrap().0)
        .collect();
    assert_eq!(kinds, [ContentType::ALERT, ContentType::APPLICATION_DATA]);
}

/// In parts, the first of them is enough; nothing is kept of it.
#[test]
fn a_part_of_a_hello_is_refused_as_all_of_it() {
    let (mut pair, forgers) = connected(|config| config);
    let now = pair.now;
    for (sequence, offset) in (100..).zip([0, 40, 80]) {
        let mut contents = Vec::new();
        let fragment = Fragment {
            kind: HandshakeType::CLIENT_HELLO,
            length: 120,
            message_seq: 0,
            offset,
            body: &[7; 40],
        };
        fragment.encode(&mut contents);
        let mut record = forgers[0].seal(ContentType::HANDSHAKE, sequence, &contents);
        pair.server.handle_datagram(&mut record, now);
    }
    assert_eq!(drain(&mut pair, Role::Server).len(), 1);
    assert_eq!(pair.server.held_octets(), 0);
    pair.assert_works();
}

/// Who cannot seal a record is not answered, and who asks before the end is not either.
#[test]
fn nobody_else_is_refused_anything() {
    for from in ROLES {
        let (mut pair, forgers) = connected(|config| config);
        let to = other(from);
        let now = pair.now;
        let (kind, body) = request_of(from);
        for seq in 0..12 {
            let mut forged = message(kind, seq, body);
            pair.side(to).handle_datagram(&mut forged, now);
        }
        // What only the other side would ask for.
        let (kind, body) = request_of(to);
        let contents = handshake(kind, 0, body);
        let mut record = forgers[from as usize].seal(ContentType::HANDSHAKE, 100, &contents);
        pair.side(to).handle_datagram(&mut record, now);
        assert!(drain(&mut pair, to).is_empty());
        assert_eq!(pair.side(to).poll_event(), None);
        pair.assert_works();
    }
}

/// The warning is not the last that leaves.
#[test]
fn a_close_after_the_request_says_so() {
    let (mut pair, forgers) = connected(|config| config);
    let (kind, body) = request_of(Role::Server);
    let now = pair.now;
    let contents = handshake(kind, 0, body);
    let mut record = forgers[1].seal(ContentType::HANDSHAKE, 100, &contents);
    pair.client.handle_datagram(&mut record, now);
    pair.client.close(now);
    let sent = drain(&mut pair, Role::Client);
    assert_eq!(sent.len(), 1);
    let (kind, contents) = forgers[0].open(&sent[0]).unwrap();
    assert_eq!((kind, &contents[..]), (ContentType::ALERT, &[1, 0][..]));
    assert!(matches!(pair.client.poll_event(), Some(Event::Closed(_))));
}
