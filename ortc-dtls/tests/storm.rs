//! A lossy path and somebody on it who repeats, reflects, cuts and forges whatever needs no keys,
//! all the time: handshakes of all kinds complete soon, nobody closes, little is held, and
//! afterwards the connection works.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod dice;
mod pair;

use core::time::Duration;

use craft::record;
use dice::Dice;
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::record::RecordHeader;
use ortc_dtls::wire::{ContentType, HandshakeType};
use ortc_dtls::{Carrier, ClientCertificate, Config, Role, Version};
use pair::{DELAY, Flying, pair_of, provider};

const STEP: Duration = Duration::from_millis(5);
/// As long as this, a quarter of all datagrams is lost.
const LOSSY: Duration = Duration::from_millis(500);
const LIMIT: Duration = Duration::from_secs(3);
/// Handshakes.
const STORMS: u64 = 400;

const DTLS12: &[Version] = &[Version::DTLS12];
const DTLS13: &[Version] = &[Version::DTLS13];
const BOTH: &[Version] = &[Version::DTLS13, Version::DTLS12];

const fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

fn acknowledgement(dice: &mut Dice) -> Vec<u8> {
    let numbers: Vec<[u64; 2]> = match dice.below(3) {
        0 => Vec::new(),
        1 => (0..20).map(|sequence| [0, sequence]).collect(),
        _ => (0..4).map(|_| [dice.below(3), dice.below(12)]).collect(),
    };
    let numbers = numbers.concat();
    let len = u16::try_from(8 * numbers.len()).unwrap().to_be_bytes();
    let numbers = numbers.iter().flat_map(|part| part.to_be_bytes());
    let contents: Vec<u8> = len.into_iter().chain(numbers).collect();
    record(ContentType::ACK, 0, dice.below(1 << 48), &contents)
}

/// A part of a message in plaintext that was sent, in a record of its own; it may be empty.
fn part(sent: &[u8], dice: &mut Dice) -> Option<Vec<u8>> {
    let header = RecordHeader::parse(sent)?;
    if header.content_type != ContentType::HANDSHAKE || header.epoch != 0 {
        return None;
    }
    let contents = sent
        .get(RecordHeader::LEN..)?
        .get(..usize::from(header.length))?;
    let (mut fragment, _) = Fragment::split(contents).ok()?;
    let from = dice.size(fragment.body.len() + 1);
    let to = from + dice.size(fragment.body.len() - from + 1);
    fragment.offset += u32::try_from(from).ok()?;
    fragment.body = fragment.body.get(from..to)?;
    let mut out = Vec::new();
    fragment.encode(&mut out);
    Some(record(ContentType::HANDSHAKE, 0, dice.below(1 << 48), &out))
}

/// A part of a message that does not exist: longer than any of the peer's.
fn lie(dice: &mut Dice) -> Vec<u8> {
    const KINDS: [HandshakeType; 10] = [
        HandshakeType::HELLO_REQUEST,
        HandshakeType::CLIENT_HELLO,
        HandshakeType::SERVER_HELLO,
        HandshakeType::CERTIFICATE,
        HandshakeType::SERVER_KEY_EXCHANGE,
        HandshakeType::CERTIFICATE_REQUEST,
        HandshakeType::SERVER_HELLO_DONE,
        HandshakeType::CERTIFICATE_VERIFY,
        HandshakeType::CLIENT_KEY_EXCHANGE,
        HandshakeType::FINISHED,
    ];
    let body = vec![0xaa; dice.size(600)];
    let mut out = Vec::new();
    Fragment {
        kind: *KINDS.get(dice.size(KINDS.len())).unwrap(),
        length: u32::try_from(3000 + dice.below(20_000)).unwrap(),
        message_seq: u16::try_from(dice.below(12)).unwrap(),
        offset: u32::try_from(dice.below(2000)).unwrap(),
        body: &body,
    }
    .encode(&mut out);
    record(ContentType::HANDSHAKE, 0, dice.below(1 << 48), &out)
}

/// What somebody without keys can make of what has passed him.
fn forge(passed: &[(Role, Vec<u8>)], lies: bool, dice: &mut Dice) -> Option<(Role, Vec<u8>)> {
    let to = dice.role();
    let seen = passed.get(dice.size(passed.len().max(1)));
    let (from, seen) = seen.map(|(from, contents)| (*from, contents.clone()))?;
    let forged = match dice.below(9) {
        0 | 1 => acknowledgement(dice),
        2 => return Some((other(from), seen)),
        // In DTLS 1.2 a certificate of one's own is as good as the peer's.
        3 if RecordHeader::parse(&seen).is_none_or(|header| header.epoch > 0) => {
            return Some((from, seen));
        }
        3 => return None,
        4 => {
            // The end is missing, and with it the last record.
            let len = dice.size(seen.len());
            return Some((other(from), seen.get(..len)?.to_vec()));
        }
        5 => return Some((other(from), part(&seen, dice)?)),
        6 => {
            let is_plaintext = RecordHeader::parse(&seen).is_some_and(|header| header.epoch == 0);
            let mut changed = seen;
            if is_plaintext {
                // As if it were protected.
                *changed.get_mut(4)? = 1 + dice.octet(3);
            } else {
                let at = dice.size(changed.len());
                *changed.get_mut(at)? ^= 1 << dice.below(8);
            }
            return Some((other(from), changed));
        }
        7 if lies => lie(dice),
        7 => record(ContentType::HANDSHAKE, 0, 3, &[0; 12]),
        _ => {
            let kinds = [
                ContentType::ALERT,
                ContentType::CHANGE_CIPHER_SPEC,
                ContentType::APPLICATION_DATA,
                ContentType::HANDSHAKE,
                ContentType(dice.octet(256)),
            ];
            let kind = *kinds.get(dice.size(kinds.len())).unwrap();
            let contents = vec![dice.octet(3); dice.size(40)];
            let epoch = u16::try_from(dice.below(4)).unwrap();
            record(kind, epoch, dice.below(1 << 48), &contents)
        }
    };
    Some((to, forged))
}

fn storm(seed: u64) {
    let mut dice = Dice::new(seed);
    let versions = [
        [DTLS12; 2],
        [DTLS13; 2],
        [BOTH; 2],
        [BOTH, DTLS12],
        [DTLS12, BOTH],
        [DTLS13, BOTH],
    ];
    let versions = *versions.get(dice.size(versions.len())).unwrap();
    let mtu = if dice.below(2) == 0 { 256 } else { 1200 };
    let cookie = dice.below(3) == 0;
    let id = [None, Some(0), Some(4)][dice.size(3)];
    let requested = dice.below(2) == 0;
    let half_close = dice.below(2) == 0;
    let adapt = |config: Config| {
        let policy = if requested {
            ClientCertificate::Requested
        } else {
            ClientCertificate::Required
        };
        let config = config.mtu(mtu).unwrap().cookie_exchange(cookie);
        let config = config.connection_id_length(id).half_close(half_close);
        config.client_certificate(policy)
    };
    let carried = [dice.below(4) == 0, dice.below(4) == 0];
    let what = format!("{seed}: {versions:?} {mtu} {cookie} {id:?} {carried:?}");
    let mut pair = pair_of(versions, &provider(), adapt);
    let now = pair.now;
    for role in [Role::Client, Role::Server] {
        if carried[role as usize] {
            pair.side(role).carry_flights(Carrier::Outside, now);
        }
    }
    let mut round = 0_u32;
    let mut after = None;
    // What is lost has passed nobody: he is of no help.
    let mut passed = Vec::new();
    loop {
        let now = pair.now;
        let connected = pair.connected();
        let lossy = pair.elapsed() < LOSSY;
        assert!(connected || pair.elapsed() < LIMIT, "{what}");
        for role in [Role::Client, Role::Server] {
            assert_eq!(pair.closed(role), None, "{what} {role:?}");
            assert!(pair.side(role).held_octets() < 10 * 16 * 1024, "{what}");
            if carried[role as usize] && round.is_multiple_of(10) {
                if round.is_multiple_of(40) {
                    pair.side(role).renew_flight();
                }
                let flight = pair.side(role).flight(mtu).unwrap();
                let datagrams: Vec<Vec<u8>> = flight.datagrams().map(<[u8]>::to_vec).collect();
                for contents in datagrams {
                    if !lossy || dice.below(4) > 0 {
                        passed.push((role, contents.clone()));
                        let (at, to) = (now + DELAY, other(role));
                        pair.flying.push(Flying { at, to, contents });
                    }
                }
            }
        }
        if connected && *after.get_or_insert(now + LOSSY) <= now {
            break;
        }
        for _ in 0..dice.below(6) {
            if let Some((to, contents)) = forge(&passed, mtu > 256, &mut dice) {
                let at = now + Duration::from_millis(dice.below(6));
                pair.flying.push(Flying { at, to, contents });
            }
        }
        let path = |_, from, contents: &[u8]| {
            if lossy && dice.below(4) == 0 {
                vec![]
            } else {
                passed.push((from, contents.to_vec()));
                vec![DELAY]
            }
        };
        pair.run(STEP, path, |_| false);
        round += 1;
    }
    let now = pair.now;
    for role in [Role::Client, Role::Server] {
        pair.side(role).carry_flights(Carrier::Datagrams, now);
    }
    pair.settle();
    pair.assert_works();
}

#[test]
fn handshakes_survive_whoever_has_no_keys() {
    for seed in 0..STORMS {
        storm(seed);
    }
}
