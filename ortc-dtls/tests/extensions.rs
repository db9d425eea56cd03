//! Extensions that come twice, that are longer than what they stand in, and that are long: in every
//! hello of both versions. Those of protected messages are in `flights13.rs`.

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
#[path = "craft13/hello.rs"]
mod hellos;
mod pair;

use std::sync::Arc;

use craft::extensions;
use hellos::{GROUPS, List, RETRY, SCHEMES, VERSIONS, client_hello, config, share};
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::{HandshakeType, ParseError};
use ortc_dtls::{CloseReason, DropReason, Endpoint, Event, ProtocolError, Role, Version};
use pair::hello_of;

/// A hello before its extensions, and a list of them that is in order.
struct Hello {
    name: &'static str,
    to: Role,
    versions: &'static [Version],
    start: Vec<u8>,
    list: Vec<(u16, Vec<u8>)>,
}

fn owned(list: &List<'_>) -> Vec<(u16, Vec<u8>)> {
    let pairs = list.iter();
    pairs.map(|(kind, data)| (*kind, data.to_vec())).collect()
}

fn server_start(random: [u8; 32], suite: [u8; 2]) -> Vec<u8> {
    [&[0xfe, 0xfd][..], &random, &[0], &suite, &[0]].concat()
}

fn hellos() -> Vec<Hello> {
    let (v12, v13): (&[Version], &[Version]) = (&[Version::DTLS12], &[Version::DTLS13]);
    let shares = share();
    let of_server = shares.get(2..).unwrap();
    let client_start = |suite: &[u8]| {
        let body = client_hello(suite, &[0], &[], &[]);
        body.get(..body.len() - 2).unwrap().to_vec()
    };
    vec![
        Hello {
            name: "ClientHello of 1.2",
            to: Role::Server,
            versions: v12,
            start: client_start(&[0xc0, 0x2b]),
            list: owned(&[(23, &[]), GROUPS, SCHEMES]),
        },
        Hello {
            name: "ClientHello of 1.3",
            to: Role::Server,
            versions: v13,
            start: client_start(&[0x13, 0x01]),
            list: owned(&[VERSIONS, GROUPS, SCHEMES, (51, &shares)]),
        },
        Hello {
            name: "ServerHello of 1.2",
            to: Role::Client,
            versions: v12,
            start: server_start([7; 32], [0xc0, 0x2b]),
            list: owned(&[(23, &[]), (0xff01, &[0])]),
        },
        Hello {
            name: "ServerHello of 1.3",
            to: Role::Client,
            versions: v13,
            start: server_start([7; 32], [0x13, 0x01]),
            list: owned(&[(43, &[0xfe, 0xfc]), (51, of_server)]),
        },
        Hello {
            name: "HelloRetryRequest",
            to: Role::Client,
            versions: v13,
            start: server_start(RETRY, [0x13, 0x01]),
            list: owned(&[(43, &[0xfe, 0xfc]), (51, &[0, 0x17])]),
        },
    ]
}

impl Hello {
    fn with(&self, list: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let list: Vec<(u16, &[u8])> = list.iter().map(|(kind, data)| (*kind, &data[..])).collect();
        [&self.start[..], &extensions(&list)].concat()
    }

    /// Hands a body to an endpoint that awaits such a hello, in fragments of 8 KiB.
    fn hand(&self, body: &[u8]) -> Endpoint {
        let now = pair::origin();
        let config = Arc::new(config().versions(self.versions).unwrap());
        let mut endpoint = Endpoint::new(config, self.to, now);
        let kind = match self.to {
            Role::Server => HandshakeType::CLIENT_HELLO,
            Role::Client => {
                hello_of(&mut endpoint, now);
                HandshakeType::SERVER_HELLO
            }
        };
        let length = u32::try_from(body.len()).unwrap();
        let mut offset = 0;
        for piece in body.chunks(8192) {
            let fragment = Fragment {
                kind,
                length,
                message_seq: 0,
                offset,
                body: piece,
            };
            offset += u32::try_from(piece.len()).unwrap();
            let mut contents = craft::fragment(offset.into(), &fragment);
            endpoint.handle_datagram(&mut contents, now);
        }
        endpoint
    }

    fn verdict(&self, body: &[u8]) -> Option<ProtocolError> {
        match self.hand(body).poll_event() {
            Some(Event::Closed(CloseReason::Protocol(error))) => Some(error),
            other => {
                assert_eq!(other, None, "{}", self.name);
                None
            }
        }
    }
}

#[test]
fn an_extension_that_comes_twice_is_refused_in_every_hello() {
    for hello in hellos() {
        assert_eq!(
            hello.verdict(&hello.with(&hello.list)),
            None,
            "{}",
            hello.name
        );
        let refused = ProtocolError::Malformed(ParseError::Duplicate("extension"));
        assert_eq!(refused.alert().0, 47);
        for again in &hello.list {
            for place in [0, hello.list.len()] {
                let mut list = hello.list.clone();
                list.insert(place, again.clone());
                let name = format!("{} {}", hello.name, again.0);
                assert_eq!(hello.verdict(&hello.with(&list)), Some(refused), "{name}");
            }
        }
    }
}

#[test]
fn an_extension_longer_than_its_list_is_refused_in_every_hello() {
    for hello in hellos() {
        let whole = hello.with(&hello.list);
        let at = hello.start.len() + 2;
        for at in [at + 2, whole.len() - hello.list.last().unwrap().1.len() - 2] {
            let mut body = whole.clone();
            let length = body.get_mut(at..at + 2).unwrap();
            length.copy_from_slice(&[0xff, 0xff]);
            let error = hello.verdict(&body);
            assert_eq!(
                error.map(|error| error.alert().0),
                Some(50),
                "{}",
                hello.name
            );
        }
        // The list is longer, or shorter, than the message.
        for change in [1, -1] {
            let mut body = whole.clone();
            let length = body.get_mut(at - 1).unwrap();
            *length = length.wrapping_add_signed(change);
            let error = hello.verdict(&body);
            assert_eq!(
                error.map(|error| error.alert().0),
                Some(50),
                "{}",
                hello.name
            );
        }
    }
}

/// RFC 8446 §4.1.2: what is not known is passed over, however long it is; a server answers with
/// nothing that was not offered.
#[test]
fn a_long_extension_is_passed_over_and_a_hello_above_the_limit_is_dropped() {
    for hello in hellos() {
        let unknown = ProtocolError::UnsolicitedExtension(ortc_dtls::wire::ExtensionType(0x9999));
        let expected = Some(unknown).filter(|_| hello.to == Role::Client);
        let mut list = hello.list.clone();
        list.push((0x9999, vec![7; 12_000]));
        assert_eq!(
            hello.verdict(&hello.with(&list)),
            expected,
            "{}",
            hello.name
        );
        list.push((0x9998, vec![7; 5_000]));
        let mut endpoint = hello.hand(&hello.with(&list));
        assert_eq!(endpoint.poll_event(), None, "{}", hello.name);
        assert_eq!(endpoint.stats().dropped(DropReason::TooLong), 3);
        assert_eq!(endpoint.held_octets(), 0);
    }
}
