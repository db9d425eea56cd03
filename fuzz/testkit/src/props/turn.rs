//! Properties of the TURN client.

use core::net::SocketAddr;

use ortc_ice::stun::{AttributeType, Message};
use ortc_ice::turn::{Client, Framer, Received};

use crate::servers::scripted::{self, Scripted};

/// Any octets, as what a server sends and as what is sent:
///
/// - As datagrams and as a stream they change nothing in a client with an allocation.
/// - A stream of messages made of them is cut into the same messages wherever it is split.
/// - What is wrapped for a peer is, unwrapped, what it was, segment by segment.
pub fn turn(data: &[u8]) {
    junk_changes_nothing(data);
    any_split_gives_the_same_messages(data);
    wrapped_and_back(data);
}

fn peer() -> SocketAddr {
    "192.0.2.77:7777".parse().unwrap()
}

/// A client with an allocation, a permission and a channel, at rest.
fn at_rest(path: ortc_ice::Path, channel: bool) -> Scripted {
    let mut server = Scripted::allocated(scripted::config(), path);
    server.client.permit(peer().ip(), server.now).unwrap();
    if channel {
        server.client.bind_channel(peer(), server.now).unwrap();
    }
    server.serve();
    server.events();
    server
}

/// All that a client holds but its counters.
fn state(client: &Client) -> String {
    let all = format!("{client:?}");
    let (before, rest) = all.split_once("counters: ").unwrap();
    let (_, after) = rest.split_once("visited: ").unwrap();
    [before, after].concat()
}

fn junk_changes_nothing(data: &[u8]) {
    let mut server = at_rest(scripted::udp(), true);
    let before = state(&server.client);
    let now = server.now;
    for junk in data.split(|octet| *octet == 0xFF).chain([data]) {
        if let Ok(Received::Data { peer: from, range }) = server.client.handle_datagram(junk, now) {
            assert_eq!(from.ip(), peer().ip(), "nobody else has a permission");
            assert!(range.end <= junk.len());
        }
        // The same as the body of a message with a right header, of every class of answer.
        for kind in [0x0017_u16, 0x0103, 0x0113, 0x0104, 0x0109, 0x0003, 0x001C] {
            let body = &junk[..junk.len().min(1000) & !3];
            let length = u16::try_from(body.len()).unwrap();
            let mut message = [kind.to_be_bytes(), length.to_be_bytes()].concat();
            message.extend_from_slice(&[0x21, 0x12, 0xA4, 0x42]);
            message.extend_from_slice(&[1; 12]);
            message.extend_from_slice(body);
            let _ = server.client.handle_datagram(&message, now);
        }
    }
    assert_eq!(state(&server.client), before);
    assert!(server.events().is_empty() && server.sent().is_none());
}

fn any_split_gives_the_same_messages(data: &[u8]) {
    let mut messages = Vec::new();
    for (index, part) in data.split(|octet| *octet == 0).enumerate().take(20) {
        let part = &part[..part.len().min(2000)];
        messages.push(if index % 2 == 0 {
            scripted::channel_data(0x4000, part)
        } else {
            scripted::data_indication(peer(), part)
        });
    }
    let whole = messages.concat();
    let pieces = |cut: &mut dyn FnMut() -> usize| {
        let (mut framer, mut rest, mut got) = (Framer::new(), whole.as_slice(), Vec::new());
        while !rest.is_empty() {
            let (mut piece, later) = rest.split_at(cut().clamp(1, rest.len()));
            rest = later;
            while let Some(frame) = framer.next(&mut piece).unwrap() {
                got.push(frame.to_vec());
            }
            assert!(piece.is_empty());
        }
        assert_eq!(framer.waiting(), 0);
        got
    };
    let mut sizes = data.iter().cycle();
    let cut = pieces(&mut || sizes.next().map_or(7, |size| usize::from(*size)));
    assert_eq!(cut, pieces(&mut || usize::MAX), "all at once");
    assert_eq!(cut, pieces(&mut || 1), "octet by octet");
    assert_eq!(cut.len(), messages.len());
    for (got, sent) in cut.iter().zip(&messages) {
        assert_eq!(got[..], sent[..got.len()], "nothing is cut off but padding");
        assert!(sent.len() - got.len() < 4);
    }
}

fn wrapped_and_back(data: &[u8]) {
    let (size, payload) = data.split_first().unwrap_or((&9, &[]));
    let segment = usize::from(*size) + 1;
    for path in [scripted::udp(), scripted::stream()] {
        for channel in [false, true] {
            for segment in [None, Some(segment)] {
                let mut server = at_rest(path, channel);
                let mut buf = b"before".to_vec();
                buf.extend_from_slice(payload);
                let sent = server.client.encapsulate(peer(), &mut buf, 6, segment);
                let sent = sent.unwrap();
                assert_eq!(&buf[..6], b"before");
                assert_eq!((sent.path, sent.len), (path, buf.len() - 6));
                let streamed = path == scripted::stream();
                let mut rest = &buf[6..];
                let mut got = Vec::new();
                let mut framer = Framer::new();
                while !rest.is_empty() {
                    let frame = if streamed {
                        framer.next(&mut rest).unwrap().unwrap()
                    } else {
                        let len = sent.segment.unwrap_or(rest.len()).min(rest.len());
                        let (frame, later) = rest.split_at(len);
                        rest = later;
                        frame
                    };
                    got.push(unwrapped(frame, channel));
                }
                let whole = payload.len().max(1);
                let expected: Vec<_> = payload.chunks(segment.unwrap_or(whole)).collect();
                if expected.is_empty() {
                    assert_eq!(got, [b""]);
                } else {
                    assert_eq!(got, expected);
                }
            }
        }
    }
}

/// What the server reads.
fn unwrapped(frame: &[u8], channel: bool) -> Vec<u8> {
    if channel {
        let len = usize::from(u16::from_be_bytes([frame[2], frame[3]]));
        assert_eq!((frame[0], frame[1], frame.len()), (0x40, 0, 4 + len));
        return frame[4..].to_vec();
    }
    let message = Message::parse(frame).unwrap();
    let to = message.find_xor_address(AttributeType::XOR_PEER_ADDRESS);
    assert_eq!(to, Some(peer()));
    message.find(AttributeType::DATA).unwrap().to_vec()
}
