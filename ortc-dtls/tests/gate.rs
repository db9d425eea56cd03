//! A server on an open port: cookies without state (RFC 6347 §4.2.1, RFC 9147 §5.1).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use allocation_counter::measure;
use ortc_dtls::crypto::Provider;
use ortc_dtls::wire::NamedGroup;
use ortc_dtls::{
    Admission, AlertDescription, Certificate, CloseReason, Config, CookieGate, Endpoint, Event,
    GateDrop, ProtocolError, Role, Verdict, Version,
};
use pair::{DELAY, Pair, configs, hello_of, provider, providers};

const V12: &[Version] = &[Version::DTLS12];
const V13: &[Version] = &[Version::DTLS13];
const BOTH: &[Version] = &[Version::DTLS13, Version::DTLS12];
const ADDRESS: &[u8] = b"192.0.2.1:4433";
const LIFETIME: Duration = Duration::from_secs(30);
/// Record and handshake header.
const HEADERS: usize = 13 + 12;

fn config(versions: &[Version], provider: &Arc<dyn Provider>) -> Config {
    let certificate = Certificate::generate(provider).unwrap();
    let config = Config::new(certificate, provider.clone());
    config.versions(versions).unwrap()
}

fn gate(versions: &[Version], now: Instant) -> CookieGate {
    CookieGate::new(Arc::new(config(versions, &provider())), now).unwrap()
}

/// Two gates with a secret each: a seeded provider gives the same one to whoever asks first.
fn two_gates(versions: &[Version], now: Instant) -> [CookieGate; 2] {
    let config = Arc::new(config(versions, &provider()));
    [(); 2].map(|()| CookieGate::new(Arc::clone(&config), now).unwrap())
}

fn client(versions: &[Version], now: Instant) -> Endpoint {
    let config = Arc::new(config(versions, &provider()));
    Endpoint::new(config, Role::Client, now)
}

fn asked(gate: &mut CookieGate, from: &[u8], hello: &[u8], now: Instant) -> Vec<u8> {
    let mut answer = Vec::new();
    match gate.admit(from, hello, now, &mut answer) {
        Verdict::Ask(len) => assert_eq!(len, answer.len()),
        other @ (Verdict::Admit(_) | Verdict::Refuse(..) | Verdict::Wait | Verdict::Drop(_)) => {
            panic!("{other:?}")
        }
    }
    assert!(answer.len() <= 3 * hello.len());
    answer
}

fn admitted(gate: &mut CookieGate, from: &[u8], hello: &[u8], now: Instant) -> Option<Admission> {
    let mut answer = Vec::new();
    let verdict = gate.admit(from, hello, now, &mut answer);
    assert!(answer.len() <= 3 * hello.len());
    if let Verdict::Admit(admission) = verdict {
        assert!(answer.is_empty());
        Some(admission)
    } else {
        None
    }
}

/// The hello that comes with the gate's cookie.
fn second_hello(versions: &[Version], gate: &mut CookieGate, now: Instant) -> Vec<u8> {
    let mut client = client(versions, now);
    let first = hello_of(&mut client, now);
    let mut answer = asked(gate, ADDRESS, &first, now);
    client.handle_datagram(&mut answer, now);
    hello_of(&mut client, now)
}

/// A client and the configuration of its server, which verify each other.
fn parts(
    versions: [&[Version]; 2],
    groups: &[NamedGroup],
    provider: &Arc<dyn Provider>,
) -> (Pair, Arc<Config>) {
    let [client, server] = configs(versions, provider, |role, config| match role {
        Role::Client => config,
        Role::Server => config.groups(groups.to_vec()).unwrap(),
    });
    let server = Arc::new(server);
    (Pair::new(client, (*server).clone()), server)
}

/// The client meets the gate, over a path that loses one datagram, until it is let in; the pair
/// goes on with what the gate made.
fn enter(pair: &mut Pair, server: &Arc<Config>, lost: Option<usize>) {
    let mut gate = CookieGate::new(server.clone(), pair.now).unwrap();
    let mut sent = 0;
    let mut arrives = || {
        sent += 1;
        lost != Some(sent - 1)
    };
    loop {
        let now = pair.now;
        let mut hello = Vec::new();
        if pair.client.poll_transmit(&mut hello, now).is_none() {
            pair.now = pair.client.poll_timeout().unwrap();
            let now = pair.now;
            pair.client.handle_timeout(now);
        } else if arrives() {
            let mut answer = Vec::new();
            match gate.admit(ADDRESS, &hello, now, &mut answer) {
                Verdict::Admit(admission) => {
                    pair.server = Endpoint::accept(server.clone(), admission, now);
                    return;
                }
                Verdict::Ask(_) if arrives() => {
                    pair.client.handle_datagram(&mut answer, now);
                }
                Verdict::Ask(_) => {}
                other @ (Verdict::Refuse(..) | Verdict::Wait | Verdict::Drop(_)) => {
                    panic!("{other:?}")
                }
            }
        }
    }
}

#[test]
fn clients_of_every_version_connect_through_the_gate() {
    let groups = [
        vec![NamedGroup::X25519],
        vec![NamedGroup::SECP256R1, NamedGroup::X25519],
    ];
    for provider in providers() {
        for (versions, expected) in [
            ([V12, V12], Version::DTLS12),
            ([V13, V13], Version::DTLS13),
            ([BOTH, BOTH], Version::DTLS13),
            ([BOTH, V12], Version::DTLS12),
            ([V12, BOTH], Version::DTLS12),
            ([V13, BOTH], Version::DTLS13),
        ] {
            // With the other groups the gate asks for another share as well.
            for groups in &groups {
                let (mut pair, server) = parts(versions, groups, &provider);
                enter(&mut pair, &server, None);
                assert!(pair.connect(), "{expected} {groups:?}");
                assert_eq!(pair.client.version(), Some(expected));
                assert_eq!(pair.client.stats().retransmissions, 0);
                assert_eq!(pair.server.stats().retransmissions, 0);
                pair.assert_works();
            }
        }
    }
}

#[test]
fn a_share_that_the_gate_asks_for_is_used() {
    let now = pair::origin();
    let groups = |config: Config, groups: &[NamedGroup]| config.groups(groups.to_vec()).unwrap();
    let server = config(V13, &provider()).expected_fingerprints(vec![]);
    let server = Arc::new(groups(server, &[NamedGroup::SECP384R1]));
    let mut gate = CookieGate::new(server.clone(), now).unwrap();
    let offers = [NamedGroup::X25519, NamedGroup::SECP384R1];
    let client = Arc::new(groups(config(V13, &provider()), &offers));
    let mut client = Endpoint::new(client, Role::Client, now);
    let mut answer = asked(&mut gate, ADDRESS, &hello_of(&mut client, now), now);
    client.handle_datagram(&mut answer, now);
    let second = hello_of(&mut client, now);
    let admission = admitted(&mut gate, ADDRESS, &second, now).unwrap();
    let mut server = Endpoint::accept(server, admission, now);
    let mut flight = Vec::new();
    while server.poll_transmit(&mut flight, now).is_some() {
        client.handle_datagram(&mut flight, now);
        flight.clear();
    }
    assert_eq!(client.group(), Some(NamedGroup::SECP384R1));
}

/// RFC 6347 §4.2.1: numbers are copied, so that none is used twice.
#[test]
fn answers_have_the_numbers_of_what_they_answer() {
    let now = pair::origin();
    for versions in [V12, V13] {
        let mut gate = gate(versions, now);
        let mut client = client(versions, now);
        let mut first = hello_of(&mut client, now);
        first[10] = 7;
        let mut answer = asked(&mut gate, ADDRESS, &first, now);
        assert_eq!(answer[3..11], first[3..11], "epoch and record number");
        assert_eq!(answer[17..19], [0, 0], "message number");
        client.handle_datagram(&mut answer, now);
        let second = hello_of(&mut client, now);
        assert_eq!(second[17..19], [0, 1]);
        let admission = admitted(&mut gate, ADDRESS, &second, now).unwrap();
        let server = Arc::new(config(versions, &provider()));
        let mut server = Endpoint::accept(server, admission, now);
        let mut hello = Vec::new();
        server.poll_transmit(&mut hello, now).unwrap();
        assert_eq!(hello[3..11], second[3..11]);
        assert_eq!(hello[13], 2, "ServerHello");
        assert_eq!(hello[17..19], [0, 1]);
    }
}

#[test]
fn a_cookie_of_dtls_1_2_has_the_32_octets_that_every_client_takes() {
    let now = pair::origin();
    let mut client = client(V12, now);
    let answer = asked(
        &mut gate(V12, now),
        ADDRESS,
        &hello_of(&mut client, now),
        now,
    );
    assert_eq!(answer[13], 3, "HelloVerifyRequest");
    assert_eq!(answer[HEADERS..HEADERS + 3], [0xfe, 0xff, 32]);
    assert_eq!(answer.len(), HEADERS + 3 + 32);
}

#[test]
fn at_most_three_octets_leave_for_each_that_came() {
    let now = pair::origin();
    for versions in [V12, V13, BOTH] {
        let mut gate = gate(versions, now);
        let second = second_hello(versions, &mut gate, now);
        let first = hello_of(&mut client(versions, now), now);
        let mut answered = 0;
        let mut check = |datagram: &[u8]| {
            let mut answer = vec![9; 3];
            let verdict = gate.admit(b"elsewhere", datagram, now, &mut answer);
            let sent = answer.len() - 3;
            assert!(sent <= 3 * datagram.len());
            match verdict {
                Verdict::Ask(len) | Verdict::Refuse(len, _) => {
                    assert_eq!(len, sent);
                    answered += 1;
                }
                Verdict::Drop(_) | Verdict::Wait => assert_eq!(sent, 0),
                Verdict::Admit(_) => panic!("from elsewhere"),
            }
        };
        for hello in [&first, &second] {
            for len in 0..=hello.len() {
                check(&hello[..len]);
                // The same as a record and a message of its own.
                let mut short = hello[..len].to_vec();
                if let Some(body) = len.checked_sub(HEADERS) {
                    let [.., b0, b1] = body.to_be_bytes();
                    let [.., r0, r1] = (body + 12).to_be_bytes();
                    short[11..13].copy_from_slice(&[r0, r1]);
                    short[14..17].copy_from_slice(&[0, b0, b1]);
                    short[22..25].copy_from_slice(&[0, b0, b1]);
                }
                check(&short);
            }
            for at in 0..hello.len() {
                for bit in 0..8 {
                    let mut bent = hello.clone();
                    bent[at] ^= 1 << bit;
                    check(&bent);
                }
            }
        }
        // The shortest hello of DTLS 1.2 that there is: one suite and nothing else.
        let mut body = vec![0xfe, 0xfd];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
        let mut shortest = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54];
        shortest.extend_from_slice(&[1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42]);
        shortest.extend_from_slice(&body);
        check(&shortest);
        assert!(answered > 100);
    }
}

#[test]
fn a_cookie_counts_for_its_address_only() {
    let now = pair::origin();
    for versions in [V12, V13] {
        let mut gate = gate(versions, now);
        let second = second_hello(versions, &mut gate, now);
        assert!(admitted(&mut gate, b"192.0.2.1:4434", &second, now).is_none());
        assert!(admitted(&mut gate, b"192.0.2.1:443", &second, now).is_none());
        assert!(admitted(&mut gate, b"", &second, now).is_none());
        assert!(admitted(&mut gate, ADDRESS, &second, now).is_some());
    }
}

#[test]
fn a_cookie_of_another_gate_does_not_count() {
    let now = pair::origin();
    for versions in [V12, V13] {
        let [mut own, mut other] = two_gates(versions, now);
        let second = second_hello(versions, &mut own, now);
        assert!(admitted(&mut other, ADDRESS, &second, now).is_none());
    }
}

#[test]
fn a_cookie_counts_for_its_lifetime_and_no_longer() {
    let start = pair::origin();
    let millisecond = Duration::from_millis(1);
    for versions in [V12, V13] {
        // At any time between two changes of the secret.
        for issued in [0, 1, 10_000, 29_999, 30_000, 45_500, 3_600_000] {
            let issued = start + issued * millisecond;
            for age in [Duration::ZERO, LIFETIME / 2, LIFETIME] {
                let mut gate = gate(versions, start);
                let second = second_hello(versions, &mut gate, issued);
                // Other hellos in between make the secret change.
                let between = hello_of(&mut client(versions, issued), issued);
                asked(&mut gate, ADDRESS, &between, issued + age / 2);
                let fresh = admitted(&mut gate, ADDRESS, &second, issued + age);
                assert!(fresh.is_some(), "{age:?}");
                let late = issued + LIFETIME + millisecond;
                assert!(admitted(&mut gate, ADDRESS, &second, late).is_none());
            }
        }
        let mut short = gate(versions, start).lifetime(Duration::from_secs(1));
        let second = second_hello(versions, &mut short, start);
        let late = start + Duration::from_millis(1001);
        assert!(admitted(&mut short, ADDRESS, &second, late).is_none());
    }
}

#[test]
fn nothing_that_a_client_changes_in_its_second_hello_goes_unseen() {
    let now = pair::origin();
    for versions in [V12, V13] {
        let mut gate = gate(versions, now);
        let second = second_hello(versions, &mut gate, now);
        // In DTLS 1.2 only what RFC 6347 §4.2.1 names is bound: all up to the extensions.
        let covered = if versions == V12 {
            let suites_at = HEADERS + 2 + 32 + 1 + 1 + 32;
            let suites = usize::from(u16::from_be_bytes([
                second[suites_at],
                second[suites_at + 1],
            ]));
            suites_at + 2 + suites + 2
        } else {
            second.len()
        };
        for at in HEADERS..covered {
            for bit in 0..8 {
                let mut bent = second.clone();
                bent[at] ^= 1 << bit;
                let admission = admitted(&mut gate, ADDRESS, &bent, now);
                assert!(admission.is_none(), "octet {at}, bit {bit}");
            }
        }
        assert!(admitted(&mut gate, ADDRESS, &second, now).is_some());
    }
}

#[test]
fn a_wrong_cookie_is_answered_as_its_version_wants_it() {
    let now = pair::origin();
    let mut out = Vec::new();
    let [mut own, mut other] = two_gates(V12, now);
    let second = second_hello(V12, &mut own, now);
    let verdict = other.admit(ADDRESS, &second, now, &mut out);
    assert!(
        matches!(verdict, Verdict::Ask(_)),
        "RFC 6347 §4.2.1: as if there were none"
    );

    out.clear();
    let [mut own, mut other] = two_gates(V13, now);
    let second = second_hello(V13, &mut own, now);
    let verdict = other.admit(ADDRESS, &second, now, &mut out);
    let alert = AlertDescription::ILLEGAL_PARAMETER;
    assert!(
        matches!(verdict, Verdict::Refuse(15, said) if said == alert),
        "RFC 9147 §5.1"
    );
    assert_eq!(out[0], 21);
    assert_eq!(out[13..], [2, 47]);
}

#[test]
fn what_cannot_be_a_first_hello_is_dropped_with_its_reason() {
    let now = pair::origin();
    let mut gate = gate(BOTH, now);
    let hello = hello_of(&mut client(BOTH, now), now);
    let mut out = Vec::new();
    let mut dropped = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bent = hello.clone();
        change(&mut bent);
        match gate.admit(ADDRESS, &bent, now, &mut out) {
            Verdict::Drop(reason) => reason,
            other @ (Verdict::Admit(_) | Verdict::Ask(_) | Verdict::Refuse(..) | Verdict::Wait) => {
                panic!("{other:?}")
            }
        }
    };
    assert_eq!(dropped(&|hello| hello.clear()), GateDrop::NotClientHello);
    assert_eq!(dropped(&|hello| hello[0] = 23), GateDrop::NotClientHello);
    assert_eq!(dropped(&|hello| hello[4] = 1), GateDrop::NotClientHello);
    assert_eq!(dropped(&|hello| hello[13] = 16), GateDrop::NotClientHello);
    assert_eq!(dropped(&|hello| hello[15] += 1), GateDrop::Fragmented);
    assert_eq!(dropped(&|hello| hello[17] = 1), GateDrop::Sequence);
    assert_eq!(dropped(&|hello| hello[5] = 1), GateDrop::Sequence);
    let session = HEADERS + 34;
    assert_eq!(dropped(&|hello| hello[session] = 33), GateDrop::Malformed);
    assert!(out.is_empty());
}

/// A client that has nothing in common with us hears of it.
#[test]
fn a_hello_that_no_endpoint_could_answer_is_refused_with_its_alert() {
    let now = pair::origin();
    let hello = hello_of(&mut client(V12, now), now);
    let mut out = Vec::new();
    let verdict = gate(V13, now).admit(ADDRESS, &hello, now, &mut out);
    let alert = AlertDescription::PROTOCOL_VERSION;
    assert!(matches!(verdict, Verdict::Refuse(15, said) if said == alert));
}

#[test]
fn a_flood_of_hellos_leaves_nothing_behind() {
    let now = pair::origin();
    for versions in [V12, V13] {
        let mut gate = gate(versions, now);
        let second = second_hello(versions, &mut gate, now);
        let mut first = hello_of(&mut client(versions, now), now);
        let mut out = Vec::with_capacity(2048);
        let mut flood = |hellos: u32| {
            measure(|| {
                for peer in 0..hellos {
                    let peer = peer.to_be_bytes();
                    // Another client, at another address, some time later.
                    first[HEADERS + 2..HEADERS + 6].copy_from_slice(&peer);
                    let later = now + Duration::from_millis(peer[3].into());
                    for hello in [&first, &second] {
                        out.clear();
                        let verdict = gate.admit(&peer, hello, later, &mut out);
                        assert!(!matches!(verdict, Verdict::Admit(_)));
                    }
                }
            })
        };
        flood(10);
        let taken = flood(10_000);
        assert_eq!(taken.bytes_current, 0, "{taken:?}");
        assert_eq!(taken.count_current, 0, "{taken:?}");
        assert!(taken.bytes_max < 4096, "{taken:?}");
    }
}

/// The client asks again, and the gate has nothing to remember.
#[test]
fn any_datagram_between_client_and_gate_may_be_lost() {
    for versions in [V12, V13] {
        for lost in 0..4 {
            let (mut pair, server) = parts([versions; 2], &[NamedGroup::X25519], &provider());
            enter(&mut pair, &server, Some(lost));
            assert!(pair.connect(), "{lost} lost");
            pair.assert_works();
        }
    }
}

#[test]
fn any_datagram_after_the_gate_may_be_lost() {
    for versions in [V12, V13] {
        for lost in 0..6 {
            let (mut pair, server) = parts([versions; 2], &[NamedGroup::X25519], &provider());
            enter(&mut pair, &server, None);
            let path = |index, _, _: &[u8]| if index == lost { vec![] } else { vec![DELAY] };
            let limit = Duration::from_secs(10);
            assert!(pair.run(limit, path, Pair::connected), "{lost} lost");
            pair.assert_works();
        }
    }
}

/// An embedder that gives endpoints another configuration than the gate hears of it.
#[test]
fn an_endpoint_that_would_have_asked_for_another_suite_refuses() {
    let now = pair::origin();
    let suites = |config: Config, suite: u16| {
        config
            .cipher_suites(vec![ortc_dtls::CipherSuite(suite)])
            .unwrap()
    };
    let mut gate =
        CookieGate::new(Arc::new(suites(config(V13, &provider()), 0x1301)), now).unwrap();
    let second = second_hello(V13, &mut gate, now);
    let admission = admitted(&mut gate, ADDRESS, &second, now).unwrap();
    let other = Arc::new(suites(config(V13, &provider()), 0x1302));
    let mut server = Endpoint::accept(other, admission, now);
    let reason = CloseReason::Protocol(ProtocolError::SecondHello);
    assert_eq!(server.poll_event(), Some(Event::Closed(reason)));
}
