//! Hellos of DTLS 1.3: what is refused with which alert, what is agreed on, downgrades
//! (RFC 8446 §4.1, §4.2, RFC 9147 §5.1 to §5.4).

mod craft;
mod craft13;
#[path = "craft13/hello.rs"]
mod hellos;
mod pair;

use std::sync::Arc;

use craft::{answer_to_hello, records};
use craft13::Epoch;
use hellos::{GROUPS, List, SCHEMES, VERSIONS, client_hello, config, only13, reply, share};
use ortc_dtls::wire::extension::Extensions;
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::hello::ServerHello;
use ortc_dtls::wire::{ExtensionType, HandshakeType, ParseError};
use ortc_dtls::{
    AlertDescription, CloseReason, DropReason, Endpoint, Event, ProtocolError, Role, Version,
};
use pair::{DELAY, Pair, hello_of, pair_of, provider};

#[test]
fn hellos_that_cannot_be_answered_are_refused_with_the_right_alert() {
    let share = share();
    let key_share = (51, &share[..]);
    let suite = &[0x13, 0x01];
    let all = [VERSIONS, GROUPS, SCHEMES, key_share];
    let hello = |list: &List<'_>| answer_to_hello(only13(), &client_hello(suite, &[0], &[], list));
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
    let not_last: &List<'_> = &[
        VERSIONS,
        GROUPS,
        SCHEMES,
        (41, &[0, 1, 2]),
        (45, &[1, 1]),
        key_share,
    ];
    assert_eq!(
        hello(not_last),
        Some((
            ProtocolError::Malformed(ParseError::Invalid("pre_shared_key")),
            47
        )),
        "RFC 8446 §4.2.11"
    );

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
        answer_to_hello(only13(), &client_hello(&[0x13, 0x04], &[0], &[], &all)),
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
        answer_to_hello(only13(), &client_hello(suite, &[0], &[1], &all)),
        Some((
            ProtocolError::Malformed(ParseError::Invalid("legacy_cookie")),
            47
        ))
    );
    for compression in [&[0_u8, 1][..], &[1, 0], &[0, 0]] {
        let body = client_hello(suite, compression, &[], &all);
        assert_eq!(
            answer_to_hello(only13(), &body).map(|(_, alert)| alert),
            Some(47)
        );
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

/// Clients refuse more than the version that was chosen has (RFC 8449 §4).
#[test]
fn a_server_of_both_versions_says_the_limit_of_the_one_that_it_chose() {
    let mut said = Vec::new();
    for client in [Version::DTLS12, Version::DTLS13] {
        let both: &[_] = &[Version::DTLS13, Version::DTLS12];
        let mut pair = pair_of([&[client], both], &provider(), |config| {
            config.key_log(true)
        });
        assert!(pair.connect());
        let flight = pair.sent.iter().find(|(from, _)| *from == Role::Server);
        let flight = &flight.unwrap().1;
        let extensions = if client == Version::DTLS12 {
            let (_, contents) = records(flight).remove(0);
            let (fragment, _) = Fragment::split(&contents).unwrap();
            let hello = ServerHello::parse(fragment.body).unwrap();
            hello.extensions.record_size_limit().unwrap()
        } else {
            let epoch = Epoch::of(&provider(), &pair, Role::Server, 2);
            let records = epoch.open_all(flight);
            let (fragment, _) = Fragment::split(&records[0].contents).unwrap();
            assert_eq!(fragment.kind, HandshakeType::ENCRYPTED_EXTENSIONS);
            let extensions = Extensions::parse(&fragment.body[2..]).unwrap();
            extensions.record_size_limit().unwrap()
        };
        said.push(extensions);
    }
    assert_eq!(said, [Some(16_384), Some(16_385)]);
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
    // The second is that of a server which says DTLS 1.1 and is made to say DTLS 1.2.
    for sign in [b"DOWNGRD\x01", b"DOWNGRD\x00"] {
        let mut random = [7; 32];
        random[24..].copy_from_slice(sign);
        let old = |config| reply(config, random, &[], [0xc0, 0x2b], &[(23, &[])]).0;
        assert_eq!(old(config()), Some(ProtocolError::Downgrade));
        let only12 = config().versions(&[Version::DTLS12]).unwrap();
        assert_eq!(old(only12), None, "it offered nothing better");
    }
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
