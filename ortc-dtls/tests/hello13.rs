//! Hellos of DTLS 1.3: what is refused with which alert, HelloRetryRequests, downgrades
//! (RFC 8446 §4.1, §4.2, RFC 9147 §5.1 to §5.4).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod pair;

use std::sync::Arc;

use craft::{extensions, message, records};
use ortc_dtls::crypto::NamedGroup;
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::hello::{ClientHello, ServerHello};
use ortc_dtls::wire::{ExtensionType, HandshakeType, ParseError};
use ortc_dtls::{
    AlertDescription, CloseReason, Config, DropReason, Endpoint, Event, ProtocolError, Role,
    Version,
};
use pair::{DELAY, Pair, hello_of, pair_of, pair13, provider};

const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

type List<'a> = [(u16, &'a [u8])];
/// What a machine in the middle does with a hello.
type Change = fn(&mut Vec<u8>);

const VERSIONS: (u16, &[u8]) = (43, &[2, 0xfe, 0xfc]);
const GROUPS: (u16, &[u8]) = (10, &[0, 2, 0, 0x1d]);
const SCHEMES: (u16, &[u8]) = (13, &[0, 2, 4, 3]);

/// A share of X25519: its base point.
fn share() -> Vec<u8> {
    [&[0, 36, 0, 0x1d, 0, 32, 9][..], &[0; 31]].concat()
}

fn config() -> Config {
    let provider = provider();
    let certificate = ortc_dtls::Certificate::generate(&provider).unwrap();
    Config::new(certificate, provider)
}

fn only13() -> Config {
    config().versions(&[Version::DTLS13]).unwrap()
}

fn client_hello(suites: &[u8], compression: &[u8], cookie: &[u8], list: &List<'_>) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend_from_slice(&[9; 32]);
    body.extend_from_slice(&[0, cookie.len().try_into().unwrap()]);
    body.extend_from_slice(cookie);
    body.extend_from_slice(&[0, suites.len().try_into().unwrap()]);
    body.extend_from_slice(suites);
    body.push(compression.len().try_into().unwrap());
    body.extend_from_slice(compression);
    body.extend_from_slice(&extensions(list));
    body
}

/// What a server says to a hello: the reason and the alert, or nothing when it goes on.
fn verdict(config: Config, body: &[u8]) -> Option<(ProtocolError, u8)> {
    let now = pair::origin();
    let mut server = Endpoint::new(Arc::new(config), Role::Server, now);
    server.handle_datagram(&mut message(HandshakeType::CLIENT_HELLO, 0, body), now);
    let mut answer = Vec::new();
    server.poll_transmit(&mut answer, now).unwrap();
    match server.poll_event() {
        Some(Event::Closed(CloseReason::Protocol(error))) => {
            assert_eq!(answer.len(), 15);
            assert_eq!(answer[13], 2, "fatal");
            Some((error, answer[14]))
        }
        None => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn hellos_that_cannot_be_answered_are_refused_with_the_right_alert() {
    let share = share();
    let key_share = (51, &share[..]);
    let suite = &[0x13, 0x01];
    let all = [VERSIONS, GROUPS, SCHEMES, key_share];
    let hello = |list: &List<'_>| verdict(only13(), &client_hello(suite, &[0], &[], list));
    assert_eq!(hello(&all), None);
    // Unknown values and extensions do not disturb, nor do offers to resume.
    let more: &List<'_> = &[
        (0x1a1a, &[0]),
        (43, &[6, 0x7f, 0x1c, 0x03, 0x03, 0xfe, 0xfc]),
        (10, &[0, 4, 0x2a, 0x2a, 0, 0x1d]),
        (13, &[0, 4, 9, 9, 4, 3]),
        (42, &[]),
        (45, &[1, 1]),
        key_share,
        (41, &[0, 1, 2]),
    ];
    assert_eq!(hello(more), None);

    let missing = |kind| Some((ProtocolError::MissingExtension(ExtensionType(kind)), 109));
    assert_eq!(hello(&[VERSIONS, SCHEMES, key_share]), missing(10));
    assert_eq!(hello(&[VERSIONS, GROUPS, SCHEMES]), missing(51));
    assert_eq!(hello(&[VERSIONS, GROUPS, key_share]), missing(13));
    assert_eq!(
        hello(&[VERSIONS, GROUPS, SCHEMES, key_share, (41, &[0])]),
        missing(45)
    );
    let nothing = |what| Some((ProtocolError::NothingInCommon(what), 40));
    assert_eq!(
        hello(&[VERSIONS, GROUPS, (13, &[0, 2, 4, 1]), key_share]),
        nothing("signature algorithm"),
        "PKCS #1 version 1.5 and our certificate is ECDSA"
    );
    assert_eq!(
        hello(&[VERSIONS, (10, &[0, 2, 0, 0x1e]), SCHEMES, (51, &[0, 0])]),
        nothing("group")
    );
    assert_eq!(
        verdict(only13(), &client_hello(&[0x13, 0x04], &[0], &[], &all)),
        nothing("cipher suite")
    );
    assert_eq!(
        hello(&[VERSIONS, (10, &[0, 2, 0, 0x17]), SCHEMES, key_share]),
        Some((ProtocolError::IllegalChoice("group of a key share"), 47))
    );

    let alert = |list: &List<'_>| hello(list).map(|(_, alert)| alert);
    let twice = [&[0, 72][..], &share[2..], &share[2..]].concat();
    assert_eq!(alert(&[VERSIONS, GROUPS, SCHEMES, (51, &twice)]), Some(47));
    for (broken, expected) in [
        (&[0_u8, 2, 0, 0][..], 50),
        (&[0, 4, 0, 29, 0, 0], 47),
        (&[0], 50),
    ] {
        assert_eq!(
            alert(&[VERSIONS, GROUPS, SCHEMES, (51, broken)]),
            Some(expected)
        );
    }
    assert_eq!(
        alert(&[(43, &[3, 0xfe, 0xfc, 0]), GROUPS, SCHEMES, key_share]),
        Some(47)
    );
    // The zero point (RFC 7748 §6.1).
    let zero = [&[0, 36, 0, 0x1d, 0, 32][..], &[0; 32]].concat();
    assert_eq!(
        hello(&[VERSIONS, GROUPS, SCHEMES, (51, &zero)]),
        Some((ProtocolError::KeyShare, 47))
    );
    assert_eq!(
        verdict(only13(), &client_hello(suite, &[0], &[1], &all)),
        Some((
            ProtocolError::Malformed(ParseError::Invalid("legacy_cookie")),
            47
        ))
    );
    for compression in [&[0_u8, 1][..], &[1, 0], &[0, 0]] {
        let body = client_hello(suite, compression, &[], &all);
        assert_eq!(verdict(only13(), &body).map(|(_, alert)| alert), Some(47));
    }
    // Only DTLS 1.2, or a version that nobody knows.
    for list in [
        &[GROUPS, SCHEMES][..],
        &[(43, &[2, 0xfe, 0xfd]), GROUPS, SCHEMES],
        &[(43, &[2, 0xfe, 0xfb]), GROUPS, SCHEMES],
    ] {
        assert_eq!(hello(list), Some((ProtocolError::Version, 70)));
    }
}

#[test]
fn an_application_protocol_is_agreed_on_or_refused_in_both_versions() {
    for version in [Version::DTLS12, Version::DTLS13] {
        let names = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
        let browser: Vec<Vec<u8>> = names(&["webrtc", "c-webrtc"]);
        for (server, expected) in [
            (
                names(&["c-webrtc", "webrtc"]),
                Ok(Some(b"c-webrtc".to_vec())),
            ),
            (names(&[]), Ok(None)),
            (names(&["h3"]), Err(())),
        ] {
            let certificate = [(); 2].map(|()| config());
            let [client, server] = {
                let [a, b] = certificate;
                let trust = ortc_dtls::PeerVerification::TrustFirst;
                [
                    a.application_protocols(browser.clone())
                        .unwrap()
                        .verification(trust),
                    b.application_protocols(server).unwrap().verification(trust),
                ]
            };
            let mut pair = Pair::new(
                client.versions(&[version]).unwrap(),
                server.versions(&[version]).unwrap(),
            );
            let connected = pair.run(
                core::time::Duration::from_secs(1),
                |_, _, _| vec![DELAY],
                Pair::connected,
            );
            match expected {
                Ok(name) => {
                    assert!(connected);
                    assert_eq!(pair.client.application_protocol(), name.as_deref());
                    assert_eq!(pair.server.application_protocol(), name.as_deref());
                }
                Err(()) => {
                    let error = ProtocolError::ApplicationProtocol;
                    assert_eq!(error.alert(), AlertDescription::NO_APPLICATION_PROTOCOL);
                    assert_eq!(pair.closed(Role::Server), Some(error.into()));
                }
            }
        }
    }
}

#[test]
fn a_record_size_limit_is_kept_in_both_versions() {
    for version in [Version::DTLS12, Version::DTLS13] {
        let provider = provider();
        let limit = 300;
        let mut pair = pair_of([&[version]; 2], &provider, |config| {
            config.record_size_limit(limit).unwrap()
        });
        assert!(pair.connect());
        let inner = usize::from(version == Version::DTLS13);
        let max = usize::from(limit) - inner;
        let now = pair.now;
        assert_eq!(
            pair.client.send(&vec![1; max + 1], now),
            Err(ortc_dtls::SendError::TooLarge { max })
        );
        pair.client.send(&vec![1; max], now).unwrap();
        pair.settle();
        let data = Event::ApplicationData(vec![1; max].into());
        assert!(pair.events[1].contains(&data));
        // 13 or 5 octets of header, an explicit nonce or the type, 16 of tag.
        assert!(pair.sent.iter().all(|(_, datagram)| datagram.len() < 1200));
        assert_eq!(pair.server.stats().dropped(DropReason::RecordTooLong), 0);
    }
}

/// What a client says to a ServerHello, and the client.
fn reply(
    config: Config,
    random: [u8; 32],
    session_id: &[u8],
    suite: [u8; 2],
    list: &List<'_>,
) -> (Option<ProtocolError>, Endpoint) {
    let now = pair::origin();
    let mut client = Endpoint::new(Arc::new(config), Role::Client, now);
    hello_of(&mut client, now);
    let body = server_hello(random, session_id, suite, list);
    client.handle_datagram(&mut message(HandshakeType::SERVER_HELLO, 0, &body), now);
    match client.poll_event() {
        Some(Event::Closed(CloseReason::Protocol(error))) => (Some(error), client),
        None => (None, client),
        other => panic!("{other:?}"),
    }
}

fn server_hello(random: [u8; 32], session_id: &[u8], suite: [u8; 2], list: &List<'_>) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend_from_slice(&random);
    body.push(session_id.len().try_into().unwrap());
    body.extend_from_slice(session_id);
    body.extend_from_slice(&[suite[0], suite[1], 0]);
    body.extend_from_slice(&extensions(list));
    body
}

#[test]
fn a_server_chooses_only_from_what_was_offered() {
    const SELECTED: (u16, &[u8]) = (43, &[0xfe, 0xfc]);
    const SUITE: [u8; 2] = [0x13, 0x01];
    let share = [&[0, 0x1d, 0, 32, 9][..], &[0; 31]].concat();
    let key_share = (51, &share[..]);
    let both = |list: &List<'_>| reply(config(), [7; 32], &[], SUITE, list).0;
    assert_eq!(both(&[SELECTED, key_share]), None);
    assert_eq!(both(&[key_share, SELECTED]), None);
    let malformed = |what| Some(ProtocolError::Malformed(ParseError::Invalid(what)));
    // Version 1.2 in this extension, or one that was not offered.
    for version in [&[0xfe, 0xfd][..], &[0xfe, 0xfb], &[0x03, 0x04]] {
        assert_eq!(
            both(&[(43, version), key_share]),
            malformed("supported_versions")
        );
    }
    assert_eq!(
        both(&[SELECTED]),
        Some(ProtocolError::MissingExtension(ExtensionType::KEY_SHARE))
    );
    // A group without a share of ours, and one that was never offered.
    for group in [0x17, 0x1e] {
        let share = [&[0, group, 0, 1][..], &[4]].concat();
        assert_eq!(
            both(&[SELECTED, (51, &share)]),
            Some(ProtocolError::IllegalChoice("group"))
        );
    }
    let zero = [&[0, 0x1d, 0, 32][..], &[0; 32]].concat();
    assert_eq!(
        both(&[SELECTED, (51, &zero)]),
        Some(ProtocolError::KeyShare)
    );
    assert_eq!(
        reply(config(), [7; 32], &[1], SUITE, &[SELECTED, key_share]).0,
        malformed("legacy_session_id_echo")
    );
    for suite in [[0x13, 0x04], [0xc0, 0x2b]] {
        assert_eq!(
            reply(config(), [7; 32], &[], suite, &[SELECTED, key_share]).0,
            Some(ProtocolError::IllegalChoice("cipher suite"))
        );
    }
    // What belongs to EncryptedExtensions, to DTLS 1.2, and to nobody.
    for kind in [14, 10, 23, 28] {
        assert_eq!(
            both(&[SELECTED, key_share, (kind, &[])]),
            Some(ProtocolError::MisplacedExtension(ExtensionType(kind)))
        );
    }
    for kind in [16, 41, 44, 9999] {
        assert_eq!(
            both(&[SELECTED, key_share, (kind, &[])]),
            Some(ProtocolError::UnsolicitedExtension(ExtensionType(kind)))
        );
    }
    // DTLS 1.2 that was not offered.
    let old = |config| reply(config, [7; 32], &[], [0xc0, 0x2b], &[(23, &[])]).0;
    assert_eq!(old(only13()), Some(ProtocolError::Version));
    assert_eq!(old(config()), None);
}

#[test]
fn a_server_that_could_do_better_is_not_believed() {
    let mut random = [7; 32];
    random[24..].copy_from_slice(b"DOWNGRD\x01");
    let old = |config| reply(config, random, &[], [0xc0, 0x2b], &[(23, &[])]).0;
    assert_eq!(old(config()), Some(ProtocolError::Downgrade));
    let only12 = config().versions(&[Version::DTLS12]).unwrap();
    assert_eq!(old(only12), None, "it offered nothing better");
    assert_eq!(
        ProtocolError::Downgrade.alert(),
        AlertDescription::ILLEGAL_PARAMETER
    );
}

#[test]
fn a_stripped_offer_of_the_newest_version_is_noticed_by_the_client() {
    let now = pair::origin();
    let mut client = Endpoint::new(Arc::new(config()), Role::Client, now);
    let mut server = Endpoint::new(Arc::new(config()), Role::Server, now);
    let mut hello = hello_of(&mut client, now);
    let versions = [43, 0, 5, 4, 0xfe, 0xfc, 0xfe, 0xfd];
    let at = hello
        .windows(8)
        .position(|octets| octets == versions)
        .unwrap();
    hello[at + 5] = 0xfb;
    server.handle_datagram(&mut hello, now);
    let mut flight = Vec::new();
    server.poll_transmit(&mut flight, now).unwrap();
    let (_, contents) = records(&flight).remove(0);
    let (fragment, _) = Fragment::split(&contents).unwrap();
    let answer = ServerHello::parse(fragment.body).unwrap();
    assert_eq!(answer.version, Version::DTLS12);
    assert!(answer.random.ends_with(b"DOWNGRD\x01"));
    client.handle_datagram(&mut flight, now);
    let reason = CloseReason::Protocol(ProtocolError::Downgrade);
    assert_eq!(client.poll_event(), Some(Event::Closed(reason)));
}

/// The ClientHello in a datagram.
fn body_of(datagram: &[u8]) -> Vec<u8> {
    let (header, contents) = records(datagram).remove(0);
    let (fragment, rest) = Fragment::split(&contents).unwrap();
    assert!(rest.is_empty());
    assert_eq!(fragment.kind, HandshakeType::CLIENT_HELLO);
    assert_eq!(
        header.version.0,
        if fragment.message_seq == 0 {
            0xfeff
        } else {
            0xfefd
        }
    );
    fragment.body.to_vec()
}

#[test]
fn a_retry_for_another_group_or_a_cookie_or_both_leads_to_a_connection() {
    let provider = provider();
    for cookie in [false, true] {
        for groups in [
            [
                vec![NamedGroup::X25519, NamedGroup::SECP256R1],
                vec![NamedGroup::SECP256R1],
            ],
            [vec![NamedGroup::X25519], vec![NamedGroup::X25519]],
            [
                vec![NamedGroup::SECP384R1, NamedGroup::X25519MLKEM768],
                vec![NamedGroup::X25519MLKEM768],
            ],
        ] {
            let [certificate, other] =
                [(); 2].map(|()| ortc_dtls::Certificate::generate(&provider).unwrap());
            let make = |certificate: &ortc_dtls::Certificate, groups: &Vec<NamedGroup>| {
                Config::new(certificate.clone(), provider.clone())
                    .groups(groups.clone())
                    .unwrap()
            };
            let client = make(&certificate, &groups[0]);
            let server = make(&other, &groups[1]).cookie_exchange(cookie);
            let [client, server] = pair::verified(client, server, [&certificate, &other]);
            let mut pair = Pair::new(client, server);
            assert!(pair.connect(), "{groups:?} {:?}", pair.events);
            let asked = cookie || groups[0][0] != groups[1][0];
            assert_eq!(pair.elapsed(), if asked { 5 } else { 3 } * DELAY);
            assert_eq!(pair.client.group(), Some(groups[1][0]));
            pair.assert_works();
        }
    }
}

#[test]
fn the_second_hello_is_the_first_but_for_share_and_cookie() {
    let now = pair::origin();
    let mut client = Endpoint::new(Arc::new(config()), Role::Client, now);
    let first = body_of(&hello_of(&mut client, now));
    let cookie = [&[0, 20][..], &[6; 20]].concat();
    let request = server_hello(
        RETRY,
        &[],
        [0x13, 0x01],
        &[(43, &[0xfe, 0xfc]), (51, &[0, 0x17]), (44, &cookie)],
    );
    let kind = HandshakeType::SERVER_HELLO;
    client.handle_datagram(&mut message(kind, 0, &request), now);
    assert_eq!(client.poll_event(), None);
    let second = body_of(&hello_of(&mut client, now));
    let [first, second] = [&first, &second].map(|body| ClientHello::parse(body).unwrap());
    assert_eq!(first.random, second.random);
    assert!(first.cipher_suites().eq(second.cipher_suites()));
    let changed = |(kind, _): &(ExtensionType, &[u8])| {
        ![ExtensionType::KEY_SHARE, ExtensionType::COOKIE].contains(kind)
    };
    let kept: Vec<_> = first.extensions.iter().filter(changed).collect();
    assert_eq!(
        kept,
        second.extensions.iter().filter(changed).collect::<Vec<_>>()
    );
    assert_eq!(first.extensions.get(ExtensionType::COOKIE), None);
    assert_eq!(
        second.extensions.get(ExtensionType::COOKIE),
        Some(&cookie[..])
    );
    let share = second.extensions.get(ExtensionType::KEY_SHARE).unwrap();
    assert_eq!(
        share[..6],
        [0, 69, 0, 0x17, 0, 65],
        "one share, of that group"
    );

    // A second request is refused.
    client.handle_datagram(&mut message(kind, 1, &request), now);
    let reason = CloseReason::Protocol(ProtocolError::UnexpectedMessage(kind));
    assert_eq!(client.poll_event(), Some(Event::Closed(reason)));
}

#[test]
fn a_retry_that_asks_for_nothing_sensible_is_refused() {
    const SELECTED: (u16, &[u8]) = (43, &[0xfe, 0xfc]);
    let retry = |list: &List<'_>| reply(config(), RETRY, &[], [0x13, 0x01], list).0;
    assert_eq!(retry(&[SELECTED, (51, &[0, 0x17])]), None);
    assert_eq!(retry(&[SELECTED]), Some(ProtocolError::SecondHello));
    // The group whose share it has, and one that was not offered.
    for group in [0x1d, 0x1e] {
        assert_eq!(
            retry(&[SELECTED, (51, &[0, group])]),
            Some(ProtocolError::IllegalChoice("group"))
        );
    }
    assert_eq!(
        retry(&[(51, &[0, 0x17])]),
        Some(ProtocolError::MissingExtension(
            ExtensionType::SUPPORTED_VERSIONS
        ))
    );
    assert_eq!(
        retry(&[SELECTED, (44, &[0, 0])]),
        Some(ProtocolError::Malformed(ParseError::Invalid("cookie")))
    );
    assert_eq!(
        retry(&[SELECTED, (51, &[0, 0x17]), (14, &[])]),
        Some(ProtocolError::MisplacedExtension(ExtensionType::USE_SRTP))
    );
}

#[test]
fn a_second_hello_that_was_changed_is_refused() {
    let provider = provider();
    // Each change to the body of the second hello, and whether it may be.
    let changes: [(&str, Change); 6] = [
        ("nothing", |_| ()),
        ("random", |body| body[2] ^= 1),
        ("cookie", |body| {
            let at = find(body, &[0, 44, 0, 34, 0, 32]);
            body[at + 6] ^= 1;
        }),
        ("no cookie", |body| {
            let at = find(body, &[0, 44, 0, 34, 0, 32]);
            body[at + 1] = 99;
        }),
        ("SRTP profile", |body| {
            let at = find(body, &[0, 14, 0, 9, 0, 6, 0, 7]);
            body[at + 7] = 8;
            body[at + 9] = 7;
        }),
        ("cipher suite", |body| {
            let at = find(body, &[0x13, 0x03]);
            body[at + 1] = 0x05;
        }),
    ];
    for (name, change) in changes {
        let mut pair = pair13(&provider, |config| config.cookie_exchange(true));
        let now = pair.now;
        pair.server
            .handle_datagram(&mut hello_of(&mut pair.client, now), now);
        let mut request = Vec::new();
        pair.server.poll_transmit(&mut request, now).unwrap();
        pair.client.handle_datagram(&mut request, now);
        let mut body = body_of(&hello_of(&mut pair.client, now));
        change(&mut body);
        let kind = HandshakeType::CLIENT_HELLO;
        pair.server
            .handle_datagram(&mut message(kind, 1, &body), now);
        let event = pair.server.poll_event();
        if name == "nothing" {
            assert_eq!(event, None);
        } else {
            let reason = CloseReason::Protocol(ProtocolError::SecondHello);
            assert_eq!(event, Some(Event::Closed(reason)), "{name}");
        }
    }
}

fn find(octets: &[u8], wanted: &[u8]) -> usize {
    octets
        .windows(wanted.len())
        .position(|part| part == wanted)
        .unwrap()
}

/// The base point of P-256.
const P256: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                    4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

#[test]
fn the_second_hello_has_the_share_that_was_asked_for_and_no_other() {
    let p256 = [&[0, 0x17, 0, 65][..], &hex::decode(P256).unwrap()].concat();
    let x25519 = share()[2..].to_vec();
    let list = |shares: &[&[u8]]| {
        let shares = shares.concat();
        let len = u16::try_from(shares.len()).unwrap().to_be_bytes();
        [&len[..], &shares].concat()
    };
    let hello = |key_share: &[u8]| {
        let both = (10, &[0, 4, 0, 0x1d, 0, 0x17][..]);
        let all = [VERSIONS, both, SCHEMES, (51, key_share)];
        client_hello(&[0x13, 0x01], &[0], &[], &all)
    };
    for (second, fits) in [
        (list(&[&p256]), true),
        (list(&[&p256, &x25519]), false),
        (list(&[&x25519]), false),
        (list(&[]), false),
    ] {
        let now = pair::origin();
        let config = only13().groups(vec![NamedGroup::SECP256R1]).unwrap();
        let mut server = Endpoint::new(Arc::new(config), Role::Server, now);
        let kind = HandshakeType::CLIENT_HELLO;
        let first = hello(&list(&[&x25519]));
        server.handle_datagram(&mut message(kind, 0, &first), now);
        assert_eq!(server.poll_event(), None);
        server.handle_datagram(&mut message(kind, 1, &hello(&second)), now);
        let reason = CloseReason::Protocol(ProtocolError::SecondHello);
        let refused = Some(Event::Closed(reason)).filter(|_| !fits);
        assert_eq!(server.poll_event(), refused, "{second:?}");
    }
}

#[test]
fn a_server_stays_with_the_version_and_the_suite_with_which_it_asked() {
    let share = [&[0, 0x1d, 0, 32, 9][..], &[0; 31]].concat();
    let version13 = server_hello(
        [7; 32],
        &[],
        [0x13, 0x01],
        &[(43, &[0xfe, 0xfc]), (51, &share)],
    );
    let version12 = server_hello([7; 32], &[], [0xc0, 0x2b], &[(23, &[])]);
    let retry = server_hello(
        RETRY,
        &[],
        [0x13, 0x01],
        &[(43, &[0xfe, 0xfc]), (51, &[0, 0x17])],
    );
    let verify = vec![0xfe, 0xff, 1, 7];
    let p256 = [&[0, 0x17, 0, 65][..], &hex::decode(P256).unwrap()].concat();
    let other_suite = server_hello(
        [7; 32],
        &[],
        [0x13, 0x02],
        &[(43, &[0xfe, 0xfc]), (51, &p256)],
    );
    let hello = HandshakeType::SERVER_HELLO;
    for (kind, asked, answer, what) in [
        (
            HandshakeType::HELLO_VERIFY_REQUEST,
            verify,
            version13,
            "version",
        ),
        (hello, retry.clone(), version12, "version"),
        (hello, retry, other_suite, "cipher suite"),
    ] {
        let now = pair::origin();
        let mut client = Endpoint::new(Arc::new(config()), Role::Client, now);
        hello_of(&mut client, now);
        client.handle_datagram(&mut message(kind, 0, &asked), now);
        hello_of(&mut client, now);
        assert_eq!(client.poll_event(), None);
        let kind = HandshakeType::SERVER_HELLO;
        client.handle_datagram(&mut message(kind, 1, &answer), now);
        let reason = CloseReason::Protocol(ProtocolError::IllegalChoice(what));
        assert_eq!(client.poll_event(), Some(Event::Closed(reason)));
    }
}

/// The first hello again and again: the request goes out as often as it comes, and no oftener.
#[test]
fn a_server_that_asked_for_a_cookie_has_no_timer() {
    let provider = provider();
    let mut pair = pair13(&provider, |config| {
        config.cookie_exchange(true).handshake_timeout(None)
    });
    let now = pair.now;
    let hello = hello_of(&mut pair.client, now);
    for _ in 0..5 {
        pair.server.handle_datagram(&mut hello.clone(), now);
        let mut out = Vec::new();
        let len = pair.server.poll_transmit(&mut out, now).unwrap();
        assert!(len < hello.len());
        assert_eq!(pair.server.poll_transmit(&mut out, now), None);
        assert_eq!(pair.server.poll_timeout(), None);
    }
}
