//! Messages in pieces: ours fit the size of datagrams, the peer's come in any pieces and order.

mod craft;
mod pair;

use craft::{record, records};
use ortc_dtls::reassembly::{Reassembly, Stored};
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::{ContentType, HandshakeType};
use ortc_dtls::{Certificate, CertificateConfig, Endpoint, Role};
use pair::{DELAY, Pair, pair, provider, verified};

#[test]
fn every_size_of_datagram_is_kept_and_carries_one_message_per_record() {
    let provider = provider();
    for mtu in (256..420).chain([576, 1200, 1500, 16_384]) {
        let mut pair = pair(&provider, |config| config.mtu(mtu).unwrap());
        assert!(pair.connect(), "{mtu}");
        for (_, datagram) in &pair.sent {
            assert!(datagram.len() <= mtu, "{} of {mtu}", datagram.len());
            for (header, contents) in records(datagram) {
                if header.epoch == 0 && header.content_type == ContentType::HANDSHAKE {
                    let (fragment, rest) = Fragment::split(&contents).unwrap();
                    assert!(rest.is_empty(), "one message or fragment per record");
                    assert!(!fragment.body.is_empty() || fragment.length == 0);
                }
            }
        }
        // A large datagram is filled: four flights, four datagrams.
        assert!(mtu < 1200 || pair.sent.len() == 4);
        pair.assert_works();
    }
}

#[test]
fn a_certificate_with_a_long_name_goes_through_small_datagrams() {
    let provider = provider();

    let config = CertificateConfig::default()
        .common_name(&"n".repeat(64))
        .unwrap();
    let certificates = [(); 2].map(|()| Certificate::generate_with(&provider, &config).unwrap().0);
    let [client, server] = certificates
        .clone()
        .map(|certificate| pair::config12(certificate, &provider).mtu(256).unwrap());
    let [client, server] = verified(client, server, [&certificates[0], &certificates[1]]);
    let mut pair = Pair::new(client, server);
    assert!(pair.connect());
    pair.assert_works();
}

/// The hello in pieces of every length, forwards, backwards and each piece twice.
#[test]
fn a_hello_may_come_in_pieces_of_any_length_and_order() {
    let provider = provider();
    let now = pair::origin();
    let mut client = Endpoint::new(pair::config(&provider).into(), Role::Client, now);
    let mut hello = Vec::new();
    client.poll_transmit(&mut hello, now).unwrap();
    let (_, contents) = records(&hello).remove(0);
    let (whole, _) = Fragment::split(&contents).unwrap();
    for len in 2..whole.body.len() {
        let mut pieces: Vec<Vec<u8>> = whole
            .body
            .chunks(len)
            .enumerate()
            .map(|(index, body)| {
                let offset = u32::try_from(index * len).unwrap();
                let piece = Fragment {
                    offset,
                    body,
                    ..whole
                };
                craft::fragment(5, &piece)
            })
            .collect();
        for order in ["forwards", "backwards", "twice"] {
            let mut server = Endpoint::new(pair::config(&provider).into(), Role::Server, now);
            match order {
                "backwards" => pieces.reverse(),
                "twice" => pieces.extend_from_within(..),
                _ => {}
            }
            for piece in &pieces {
                server.handle_datagram(&mut piece.clone(), now);
            }
            let mut answer = Vec::new();
            assert!(
                server.poll_transmit(&mut answer, now).is_some(),
                "{len} {order}"
            );
            assert_eq!(server.poll_event(), None);
        }
    }
}

/// RFC 6347 §4.2.2 lets a record hold several messages, although we do not write such.
#[test]
fn several_messages_in_a_record_and_all_records_in_a_datagram_are_read() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config);
    let mut hello = Vec::new();
    pair.client.poll_transmit(&mut hello, pair.now).unwrap();
    let now = pair.now;
    pair.server.handle_datagram(&mut hello, now);
    let mut flight = Vec::new();
    pair.server.poll_transmit(&mut flight, now).unwrap();
    let messages: Vec<Vec<u8>> = records(&flight).into_iter().map(|(_, m)| m).collect();
    assert_eq!(messages.len(), 5);
    let mut packed = record(ContentType::HANDSHAKE, 0, 0, &messages.concat());
    pair.client.handle_datagram(&mut packed, now);
    assert!(pair.run(4 * DELAY, |_, _, _| vec![DELAY], |pair| pair.connected()));
    pair.assert_works();
}

fn fragment(kind: HandshakeType, length: u32, offset: u32, body: &[u8]) -> Fragment<'_> {
    Fragment {
        kind,
        length,
        message_seq: 0,
        offset,
        body,
    }
}

#[test]
fn fragments_that_contradict_each_other_are_not_merged() {
    const KIND: HandshakeType = HandshakeType::CERTIFICATE;
    let mut reassembly = Reassembly::new(1000);
    let mut insert = |fragment: &Fragment<'_>, epoch| reassembly.insert(fragment, epoch);
    assert_eq!(insert(&fragment(KIND, 10, 0, &[1; 4]), 0), Stored::New);
    let other = HandshakeType::FINISHED;
    assert_eq!(
        insert(&fragment(other, 10, 4, &[2; 6]), 0),
        Stored::Inconsistent
    );
    assert_eq!(
        insert(&fragment(KIND, 11, 4, &[2; 6]), 0),
        Stored::Inconsistent
    );
    assert_eq!(insert(&fragment(KIND, 10, 4, &[]), 0), Stored::Inconsistent);
    assert_eq!(
        insert(&fragment(KIND, 1001, 4, &[2; 6]), 0),
        Stored::TooLong
    );
    assert_eq!(insert(&fragment(KIND, 10, 0, &[9; 4]), 0), Stored::Repeated);
    // What overlaps keeps the octets that came first.
    assert_eq!(insert(&fragment(KIND, 10, 2, &[2; 8]), 0), Stored::New);
    let message = reassembly.pop().unwrap();
    assert_eq!(message.body, [1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    assert_eq!(
        reassembly.insert(&fragment(KIND, 10, 0, &[1; 10]), 0),
        Stored::Past
    );
    let ahead = Fragment {
        message_seq: 9,
        ..fragment(KIND, 10, 0, &[1; 10])
    };
    assert_eq!(reassembly.insert(&ahead, 0), Stored::Ahead);
}

#[test]
fn protected_fragments_displace_plaintext_ones() {
    const KIND: HandshakeType = HandshakeType::FINISHED;
    let mut reassembly = Reassembly::new(1000);
    assert_eq!(
        reassembly.insert(&fragment(KIND, 12, 0, &[6; 12]), 0),
        Stored::New
    );
    assert_eq!(
        reassembly.insert(&fragment(KIND, 12, 0, &[7; 12]), 1),
        Stored::New
    );
    let late = fragment(KIND, 12, 0, &[8; 12]);
    assert_eq!(reassembly.insert(&late, 0), Stored::Superseded);
    let message = reassembly.pop().unwrap();
    assert_eq!((message.epoch, message.body), (1, vec![7; 12]));
}

#[test]
fn memory_follows_what_came_and_not_what_is_claimed() {
    const KIND: HandshakeType = HandshakeType::CERTIFICATE;
    let mut reassembly = Reassembly::new(16 * 1024);
    let mut outcomes = Vec::new();
    for offset in (0..16_000).step_by(2) {
        outcomes.push(reassembly.insert(&fragment(KIND, 16_000, offset, &[1]), 0));
    }
    assert_eq!(
        outcomes
            .iter()
            .filter(|&&outcome| outcome == Stored::New)
            .count(),
        128
    );
    assert_eq!(outcomes.last(), Some(&Stored::TooManyPieces));
    assert_eq!(reassembly.held(), 128);
    assert_eq!(reassembly.pop(), None);
}
