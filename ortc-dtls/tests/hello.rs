//! Hellos: what is refused with which alert, what is chosen, and the cookie between.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod pair;

use craft::{answer_to_hello, extensions, message, records};
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::hello::ClientHello;
use ortc_dtls::wire::{ExtensionType, HandshakeType, ParseError};
use ortc_dtls::{CloseReason, Config, Endpoint, Event, ExtendedMasterSecret, ProtocolError, Role};
use pair::{config, hello_of, provider};

#[test]
fn a_cookie_is_returned_in_a_hello_that_is_otherwise_the_same() {
    let provider = provider();
    let mut client = Endpoint::new(config(&provider).into(), Role::Client, pair::origin());
    let now = pair::origin();
    let first = hello_of(&mut client, now);
    let request = [&[0xfe, 0xff, 20][..], &[7; 20]].concat();
    let kind = HandshakeType::HELLO_VERIFY_REQUEST;
    client.handle_datagram(&mut message(kind, 0, &request), now);
    let second = hello_of(&mut client, now);
    let bodies = [&first, &second].map(|datagram| {
        let (_, contents) = records(datagram).remove(0);
        let (fragment, _) = Fragment::split(&contents).unwrap();
        (fragment.message_seq, fragment.body.to_vec())
    });
    let hellos = [0, 1].map(|index: usize| ClientHello::parse(&bodies[index].1).unwrap());
    assert_eq!([bodies[0].0, bodies[1].0], [0, 1]);
    assert!(hellos[0].cookie.is_empty());
    assert_eq!(hellos[1].cookie, [7; 20]);
    let mut without_cookie = hellos[1];
    without_cookie.cookie = &[];
    assert_eq!(hellos[0], without_cookie);

    client.handle_datagram(&mut message(kind, 1, &request), now);
    assert_eq!(client.poll_event(), None);
}

const EMS: (u16, &[u8]) = (23, &[]);
const GROUPS: (u16, &[u8]) = (10, &[0, 2, 0, 0x1d]);
const SCHEMES: (u16, &[u8]) = (13, &[0, 2, 4, 3]);

fn client_hello(
    version: [u8; 2],
    suites: &[u8],
    compression: &[u8],
    list: &[(u16, &[u8])],
) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend_from_slice(&[9; 32]);
    body.extend_from_slice(&[0, 0, 0, suites.len().try_into().unwrap()]);
    body.extend_from_slice(suites);
    body.push(compression.len().try_into().unwrap());
    body.extend_from_slice(compression);
    body.extend_from_slice(&extensions(list));
    body
}

fn verdict(body: &[u8]) -> Option<(ProtocolError, u8)> {
    answer_to_hello(config(&provider()), body)
}

#[test]
fn hellos_that_cannot_be_answered_are_refused_with_the_right_alert() {
    const DTLS12: [u8; 2] = [0xfe, 0xfd];
    let suite = &[0xc0, 0x2b];
    let all: &[(u16, &[u8])] = &[EMS, GROUPS, SCHEMES];
    let hello = |list: &[(u16, &[u8])]| verdict(&client_hello(DTLS12, suite, &[0], list));
    assert_eq!(hello(all), None);
    // Unknown values, GREASE and unknown extensions do not disturb.
    let greased = client_hello(
        DTLS12,
        &[0x0a, 0x0a, 0xc0, 0x2b],
        &[1, 0],
        &[
            EMS,
            (0x1a1a, &[0]),
            (10, &[0, 4, 0x2a, 0x2a, 0, 0x17]),
            (13, &[0, 4, 9, 9, 4, 3]),
        ],
    );
    assert_eq!(verdict(&greased), None);
    // No groups: the choice is the server's.
    assert_eq!(hello(&[EMS, SCHEMES]), None);

    let nothing = |what| ProtocolError::NothingInCommon(what);
    assert_eq!(
        hello(&[GROUPS, SCHEMES]),
        Some((ProtocolError::NoExtendedMasterSecret, 40))
    );
    assert_eq!(
        hello(&[EMS, GROUPS, SCHEMES, EMS]),
        Some((
            ProtocolError::Malformed(ParseError::Duplicate("extension")),
            47
        ))
    );
    assert_eq!(
        hello(&[EMS, GROUPS, SCHEMES, (0x9999, &[]), (0x9999, &[1])]),
        Some((
            ProtocolError::Malformed(ParseError::Duplicate("extension")),
            47
        ))
    );
    assert_eq!(
        hello(&[EMS, (10, &[0, 2, 0, 0x19]), SCHEMES]),
        Some((nothing("group"), 40))
    );
    assert_eq!(
        hello(&[EMS, GROUPS]),
        Some((nothing("signature algorithm"), 40))
    );
    assert_eq!(
        hello(&[EMS, GROUPS, (13, &[0, 2, 2, 3])]),
        Some((nothing("signature algorithm"), 40))
    );
    assert_eq!(
        hello(&[EMS, GROUPS, SCHEMES, (11, &[1, 1])]),
        Some((
            ProtocolError::Malformed(ParseError::Invalid("ec_point_formats")),
            47
        )),
        "RFC 8422 §5.1.2 names the alert"
    );
    assert_eq!(
        hello(&[EMS, GROUPS, SCHEMES, (11, &[])]).map(|(_, alert)| alert),
        Some(50)
    );
    assert_eq!(hello(&[EMS, GROUPS, SCHEMES, (11, &[2, 1, 0])]), None);
    assert_eq!(
        hello(&[EMS, GROUPS, SCHEMES, (0xff01, &[1, 1])]),
        Some((ProtocolError::Renegotiation, 40))
    );
    assert_eq!(
        hello(&[EMS, GROUPS, SCHEMES, (43, &[2, 0xfe, 0xfc])]),
        Some((ProtocolError::Version, 70))
    );
    assert_eq!(
        hello(&[EMS, GROUPS, SCHEMES, (43, &[4, 0xfe, 0xfc, 0xfe, 0xfd])]),
        None
    );
    assert_eq!(
        verdict(&client_hello([0xfe, 0xff], suite, &[0], all)),
        Some((ProtocolError::Version, 70))
    );
    assert_eq!(
        verdict(&client_hello(DTLS12, &[0xc0, 0x2f], &[0], all)),
        Some((nothing("cipher suite"), 40)),
        "an RSA suite, and our certificate is ECDSA"
    );
    assert_eq!(
        verdict(&client_hello(DTLS12, suite, &[1], all)).map(|(_, alert)| alert),
        Some(47)
    );
    let mut trailing = client_hello(DTLS12, suite, &[0], all);
    trailing.push(0);
    assert_eq!(
        verdict(&trailing),
        Some((
            ProtocolError::Malformed(ParseError::Trailing("ClientHello")),
            50
        ))
    );
    trailing.truncate(40);
    assert_eq!(verdict(&trailing).map(|(_, alert)| alert), Some(50));
}

/// RFC 7627 §5.2
#[test]
fn a_hello_without_extended_master_secret_is_taken_where_it_is_only_preferred() {
    let hello = |list: &[(u16, &[u8])]| {
        let policy = ExtendedMasterSecret::Preferred;
        let config = config(&provider()).extended_master_secret(policy);
        let body = client_hello([0xfe, 0xfd], &[0xc0, 0x2b], &[0], list);
        answer_to_hello(config, &body)
    };
    assert_eq!(hello(&[GROUPS, SCHEMES]), None);
    assert_eq!(hello(&[EMS, GROUPS, SCHEMES]), None);
    // An extension with contents is not the one that is meant.
    assert_eq!(
        hello(&[(23, &[0]), GROUPS, SCHEMES]),
        Some((ProtocolError::NoExtendedMasterSecret, 40))
    );
}

/// RFC 7627 §5.2
#[test]
fn a_server_without_extended_master_secret_is_taken_where_it_is_only_preferred() {
    let says = |list: &[(u16, &[u8])]| {
        let policy = ExtendedMasterSecret::Preferred;
        let config = config(&provider()).extended_master_secret(policy);
        reply_of(config, [0xc0, 0x2b], [0xfe, 0xfd], list)
    };
    assert_eq!(says(&[]), None);
    assert_eq!(says(&[EMS]), None);
    let error = ProtocolError::NoExtendedMasterSecret;
    assert_eq!(says(&[(23, &[0])]), Some(error.into()));
}

/// What a client says to a ServerHello.
fn reply(suite: [u8; 2], version: [u8; 2], list: &[(u16, &[u8])]) -> Option<CloseReason> {
    reply_of(config(&provider()), suite, version, list)
}

/// The same with this configuration.
fn reply_of(
    config: Config,
    suite: [u8; 2],
    version: [u8; 2],
    list: &[(u16, &[u8])],
) -> Option<CloseReason> {
    let now = pair::origin();
    let mut client = Endpoint::new(config.into(), Role::Client, now);
    hello_of(&mut client, now);
    let mut body = version.to_vec();
    body.extend_from_slice(&[9; 32]);
    body.extend_from_slice(&[0, suite[0], suite[1], 0]);
    body.extend_from_slice(&extensions(list));
    client.handle_datagram(&mut message(HandshakeType::SERVER_HELLO, 0, &body), now);
    match client.poll_event() {
        Some(Event::Closed(reason)) => Some(reason),
        None => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_chooses_only_from_what_was_offered() {
    const DTLS12: [u8; 2] = [0xfe, 0xfd];
    let suite = [0xc0, 0x2b];
    let closed = |error| Some(CloseReason::Protocol(error));
    assert_eq!(reply(suite, DTLS12, &[EMS]), None);
    assert_eq!(reply(suite, DTLS12, &[EMS, (14, &[0, 2, 0, 7, 0])]), None);
    assert_eq!(
        reply(suite, [0xfe, 0xff], &[EMS]),
        closed(ProtocolError::Version)
    );
    assert_eq!(
        reply([0xc0, 0x09], DTLS12, &[EMS]),
        closed(ProtocolError::IllegalChoice("cipher suite"))
    );
    assert_eq!(
        reply(suite, DTLS12, &[]),
        closed(ProtocolError::NoExtendedMasterSecret)
    );
    assert_eq!(
        reply(suite, DTLS12, &[EMS, (16, &[])]),
        closed(ProtocolError::UnsolicitedExtension(ExtensionType(16)))
    );
    assert_eq!(
        reply(suite, DTLS12, &[EMS, (0xff01, &[1, 7])]),
        closed(ProtocolError::Renegotiation)
    );
    assert_eq!(reply(suite, DTLS12, &[EMS, (11, &[1, 0])]), None);
    assert_eq!(
        reply(suite, DTLS12, &[EMS, (11, &[1, 1])]),
        closed(ProtocolError::IllegalChoice("point format"))
    );
    for use_srtp in [
        &[0, 2, 0, 2, 0][..],
        &[0, 4, 0, 7, 0, 8, 0],
        &[0, 2, 0, 7, 1, 1],
    ] {
        assert_eq!(
            reply(suite, DTLS12, &[EMS, (14, use_srtp)]),
            closed(ProtocolError::IllegalChoice("SRTP profile"))
        );
    }
}
