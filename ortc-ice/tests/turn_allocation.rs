//! Relayed data allocates nothing at steady state, either way.

use core::net::SocketAddr;

use allocation_counter::measure;
use ortc_ice::stun::{AttributeType, Class, MessageBuilder, Method, TransactionId};
use ortc_ice::turn::Received;
use ortc_testkit::servers::scripted::{self, Scripted};

#[test]
fn wrapping_and_unwrapping_data_allocates_nothing() {
    let peer: SocketAddr = "192.0.2.77:7777".parse().unwrap();
    for (path, channel) in [
        (scripted::udp(), false),
        (scripted::udp(), true),
        (scripted::stream(), false),
        (scripted::stream(), true),
    ] {
        let mut server = Scripted::allocated(scripted::config(), path);
        server.client.permit(peer.ip(), server.now).unwrap();
        if channel {
            server.client.bind_channel(peer, server.now).unwrap();
        }
        server.serve();
        server.events();
        let payload = [7; 1100];
        let incoming = if channel {
            scripted::channel_data(0x4000, &payload)
        } else {
            scripted::data_indication(peer, &payload)
        };
        let mut buf = Vec::with_capacity(20_000);
        let now = server.now;
        let client = &mut server.client;
        let mut run = |count: usize| {
            for _ in 0..count {
                buf.clear();
                buf.extend_from_slice(&[1; 4 * 1100 + 100]);
                let sent = client.encapsulate(peer, &mut buf, 0, Some(1100)).unwrap();
                assert_eq!(sent.len, buf.len());
                if path == scripted::udp() {
                    let got = client.handle_datagram(&incoming, now);
                    assert!(matches!(got, Ok(Received::Data { .. })));
                } else {
                    let (head, tail) = incoming.split_at(700);
                    client.handle_stream(head, now);
                    client.handle_stream(tail, now);
                    let (from, got) = client.poll_data().unwrap();
                    assert_eq!((from, got), (peer, &payload[..]));
                }
            }
        };
        run(10);
        let info = measure(|| run(1_000));
        assert_eq!(info.count_total, 0, "{path:?} {channel}");
    }
}

/// Whatever comes that was not asked for: dropped, and nothing is kept of it.
#[test]
fn strangers_make_it_allocate_nothing() {
    let stranger: SocketAddr = "192.0.2.99:9".parse().unwrap();
    let mut junk = vec![
        scripted::data_indication(stranger, &[7; 1000]),
        scripted::channel_data(0x4001, &[7; 1000]),
        scripted::channel_data(0x4FFF, &[]),
        vec![0x40, 0, 0xFF, 0xFF],
        vec![0; 100],
        vec![0xFF; 1400],
    ];
    let methods = [
        Method::ALLOCATE,
        Method::REFRESH,
        Method::CONNECTION_ATTEMPT,
    ];
    for class in [
        Class::Success,
        Class::Error,
        Class::Indication,
        Class::Request,
    ] {
        for method in methods {
            let mut message = Vec::new();
            let id = TransactionId([9; 12]);
            MessageBuilder::new(&mut message, class, method, id)
                .xor_address(AttributeType::XOR_PEER_ADDRESS, stranger)
                .attribute(AttributeType::CONNECTION_ID, &[0; 4])
                .unwrap();
            junk.push(message);
        }
    }
    let mut server = Scripted::allocated(scripted::config(), scripted::udp());
    let (client, now) = (&mut server.client, server.now);
    let info = measure(|| {
        for _ in 0..5_000 {
            for datagram in &junk {
                assert!(client.handle_datagram(datagram, now).is_err());
            }
        }
    });
    assert_eq!(info.count_total, 0);
    assert!(server.events().is_empty() && server.sent().is_none());
}
