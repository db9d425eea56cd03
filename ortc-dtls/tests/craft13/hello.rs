//! Hellos of DTLS 1.3 made by hand.
#![allow(dead_code, reason = "every test file uses another part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a failed expectation is the report"
)]

use std::sync::Arc;

use ortc_dtls::wire::HandshakeType;
use ortc_dtls::{CloseReason, Config, Endpoint, Event, ProtocolError, Role, Version};

use crate::craft::{extensions, message};
use crate::pair::{self, hello_of, provider};

pub(crate) const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

pub(crate) type List<'a> = [(u16, &'a [u8])];

pub(crate) const VERSIONS: (u16, &[u8]) = (43, &[2, 0xfe, 0xfc]);
pub(crate) const GROUPS: (u16, &[u8]) = (10, &[0, 2, 0, 0x1d]);
pub(crate) const SCHEMES: (u16, &[u8]) = (13, &[0, 2, 4, 3]);

/// A share of X25519: its base point.
pub(crate) fn share() -> Vec<u8> {
    [&[0, 36, 0, 0x1d, 0, 32, 9][..], &[0; 31]].concat()
}

pub(crate) fn config() -> Config {
    let provider = provider();
    let certificate = ortc_dtls::Certificate::generate(&provider).unwrap();
    Config::new(certificate, provider)
}

pub(crate) fn only13() -> Config {
    config().versions(&[Version::DTLS13]).unwrap()
}

pub(crate) fn client_hello(
    suites: &[u8],
    compression: &[u8],
    cookie: &[u8],
    list: &List<'_>,
) -> Vec<u8> {
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

/// What a client says to a ServerHello, and the client.
pub(crate) fn reply(
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

pub(crate) fn server_hello(
    random: [u8; 32],
    session_id: &[u8],
    suite: [u8; 2],
    list: &List<'_>,
) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend_from_slice(&random);
    body.push(session_id.len().try_into().unwrap());
    body.extend_from_slice(session_id);
    body.extend_from_slice(&[suite[0], suite[1], 0]);
    body.extend_from_slice(&extensions(list));
    body
}
