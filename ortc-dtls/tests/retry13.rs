//! HelloRetryRequests, and the second ClientHello (RFC 8446 §4.1.2, §4.1.4, RFC 9147 §5.1).

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
#[path = "craft13/hello.rs"]
mod hellos;
mod pair;

use std::sync::Arc;

use craft::{message, record, records};
use hellos::{
    List, RETRY, SCHEMES, VERSIONS, client_hello, config, only13, reply, server_hello, share,
};
use ortc_dtls::crypto::NamedGroup;
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::hello::ClientHello;
use ortc_dtls::wire::{ContentType, ExtensionType, HandshakeType, ParseError};
use ortc_dtls::{CloseReason, Endpoint, Event, ProtocolError, Role, Version};
use pair::{DELAY, hello_of, pair_by_role, pair13, provider};

const BOTH: &[Version] = &[Version::DTLS13, Version::DTLS12];

/// What a machine in the middle does with a hello.
type Change = fn(&mut Vec<u8>);

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
            let mut pair = pair_by_role([BOTH; 2], &provider, |role, config| {
                let groups = groups[role as usize].clone();
                config.groups(groups).unwrap().cookie_exchange(cookie)
            });
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
        Some(ProtocolError::Malformed(ParseError::Length("cookie")))
    );
    assert_eq!(
        retry(&[SELECTED, (51, &[0, 0x17]), (14, &[])]),
        Some(ProtocolError::MisplacedExtension(ExtensionType::USE_SRTP))
    );
}

/// The second hello has to have room for it, and for all else.
#[test]
fn a_cookie_that_no_hello_has_room_for_is_refused() {
    for (len, closed) in [
        (65_480, Some(())),
        (32_769, Some(())),
        (32_768, None),
        (16_000, None),
    ] {
        let config = config().max_handshake_message(65_536).unwrap();
        let now = pair::origin();
        let mut client = Endpoint::new(Arc::new(config), Role::Client, now);
        hello_of(&mut client, now);
        let cookie = [
            &u16::try_from(len).unwrap().to_be_bytes()[..],
            &vec![7; len],
        ]
        .concat();
        let list: &List<'_> = &[(43, &[0xfe, 0xfc]), (44, &cookie)];
        let request = server_hello(RETRY, &[], [0x13, 0x01], list);
        for (number, body) in (0_u32..).zip(request.chunks(16_000)) {
            let mut contents = Vec::new();
            Fragment {
                kind: HandshakeType::SERVER_HELLO,
                length: request.len().try_into().unwrap(),
                message_seq: 0,
                offset: 16_000 * number,
                body,
            }
            .encode(&mut contents);
            let mut record = record(ContentType::HANDSHAKE, 0, number.into(), &contents);
            client.handle_datagram(&mut record, now);
        }
        let invalid = ProtocolError::Malformed(ParseError::Invalid("length of the cookie"));
        let expected = closed.map(|()| Event::Closed(CloseReason::Protocol(invalid)));
        assert_eq!(client.poll_event(), expected, "{len}");
        let mut out = Vec::new();
        while client.poll_transmit(&mut out, now).is_some() {}
        assert_eq!(out.len() > len, closed.is_none(), "{len}");
    }
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
