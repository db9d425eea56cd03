//! TCP connections through a relay (RFC 6062), and what a server may not make the client hold.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::net::SocketAddr;

use ortc_ice::stun::{AttributeType, Class, Message, MessageBuilder, Method, TransactionId};
use ortc_ice::turn::{
    ConnectionId, DropReason, Event, Failure, PeerError, RelayTransport, SendError,
};
use ortc_ice::{Path, StreamId};
use ortc_testkit::servers::scripted::{Scripted, config, stream};

fn peer() -> SocketAddr {
    "192.0.2.77:7777".parse().unwrap()
}

fn server() -> Scripted {
    let tcp = config().relay_transport(RelayTransport::Tcp);
    Scripted::allocated(tcp.connections_max(2), stream())
}

fn attempt(from: SocketAddr, id: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let method = Method::CONNECTION_ATTEMPT;
    let transaction = TransactionId([6; 12]);
    let mut message = MessageBuilder::new(&mut out, Class::Indication, method, transaction);
    message.xor_address(AttributeType::XOR_PEER_ADDRESS, from);
    message
        .attribute(AttributeType::CONNECTION_ID, &id.to_be_bytes())
        .unwrap();
    out
}

#[test]
fn a_connection_is_asked_for_and_bound_on_a_stream_of_its_own() {
    let mut server = server();
    server.client.connect(peer(), server.now).unwrap();
    server.client.connect(peer(), server.now).unwrap();
    let request = server.sent().unwrap();
    assert!(server.sent().is_none(), "once at a time");
    let message = Message::parse(&request).unwrap();
    assert_eq!(message.method(), Method::CONNECT);
    let to = message.find_xor_address(AttributeType::XOR_PEER_ADDRESS);
    assert_eq!(to, Some(peer()));
    let success = server.success(&request, |answer| {
        let id = [0, 0, 0, 9];
        answer.attribute(AttributeType::CONNECTION_ID, &id).unwrap();
    });
    server.hand_in(&success);
    let connection = ConnectionId(9);
    let peer = peer();
    assert_eq!(server.events(), [Event::Connection { connection, peer }]);

    let path = Path::stream(StreamId(2), stream().local, stream().remote);
    let (client, now) = (&mut server.client, server.now);
    client.bind_connection(connection, path, now).unwrap();
    let mut request = Vec::new();
    let transmit = client.poll_transmit(&mut request, now).unwrap();
    assert_eq!(transmit.path, path);
    let success = server.success(&request, |_| {});

    // Over the client's own stream it counts for nothing.
    server.client.handle_stream(&success, server.now);
    let dropped = server
        .client
        .counters()
        .dropped(DropReason::UnknownTransaction);
    assert_eq!(dropped, 1);
    assert!(server.events().is_empty());

    // In pieces, the last one with what the peer says.
    let (client, now) = (&mut server.client, server.now);
    let (head, tail) = success.split_at(7);
    assert_eq!(client.handle_connection(connection, head, now), 7);
    let last = [tail, b"hello"].concat();
    assert_eq!(client.handle_connection(connection, &last, now), tail.len());
    assert_eq!(client.handle_connection(connection, b"more", now), 0);
    assert_eq!(
        server.events(),
        [Event::ConnectionBound { connection, peer }]
    );
}

#[test]
fn a_stale_nonce_is_replaced_on_the_stream_of_the_connection_too() {
    let mut server = server();
    server.client.permit(peer().ip(), server.now).unwrap();
    server.serve();
    server.client.handle_stream(&attempt(peer(), 5), server.now);
    let path = Path::stream(StreamId(2), stream().local, stream().remote);
    let connection = ConnectionId(5);
    let (client, now) = (&mut server.client, server.now);
    client.bind_connection(connection, path, now).unwrap();
    let mut request = Vec::new();
    let _ = client.poll_transmit(&mut request, now).unwrap();
    server.nonce = b"nonce-2".to_vec();
    let stale = server.good(&request);
    let (client, now) = (&mut server.client, server.now);
    assert_eq!(
        client.handle_connection(connection, &stale, now),
        stale.len()
    );
    request.clear();
    let transmit = client.poll_transmit(&mut request, now).unwrap();
    assert_eq!(transmit.path, path);
    let good = server.good(&request);
    server
        .client
        .handle_connection(connection, &good, server.now);
    let bound = Event::ConnectionBound {
        connection,
        peer: peer(),
    };
    assert_eq!(server.events().last(), Some(&bound));
}

#[test]
fn a_connection_that_cannot_be_made_is_told() {
    let mut server = server();
    server.client.connect(peer(), server.now).unwrap();
    let request = server.sent().unwrap();
    let refused = server.error(&request, 447, |_| {});
    server.hand_in(&refused);
    let failure = Failure::Code(447);
    let peer = peer();
    assert_eq!(server.events(), [Event::ConnectFailed { peer, failure }]);
    server.client.connect(peer, server.now).unwrap();
}

#[test]
fn attempts_count_from_permitted_peers_only_and_have_a_bound() {
    let mut server = server();
    server.client.handle_stream(&attempt(peer(), 1), server.now);
    assert!(server.events().is_empty(), "a stranger");
    server.client.permit(peer().ip(), server.now).unwrap();
    server.serve();
    server.events();
    for id in 0..1000 {
        server
            .client
            .handle_stream(&attempt(peer(), id), server.now);
    }
    assert_eq!(server.events().len(), 2);
    let full = server.client.connect(peer(), server.now);
    assert_eq!(full, Err(PeerError::Full));

    // The server forgets those that nobody binds, and so does the client.
    server.now += core::time::Duration::from_secs(31);
    server
        .client
        .handle_stream(&attempt(peer(), 5000), server.now);
    assert_eq!(server.events().len(), 1);
}

#[test]
fn an_allocation_for_connections_carries_no_datagrams() {
    let mut server = server();
    server.client.permit(peer().ip(), server.now).unwrap();
    server.serve();
    let sent = server.client.encapsulate(peer(), &mut vec![1], 0, None);
    assert_eq!(sent, Err(SendError::NotAllocated));
    let mut server = Scripted::allocated(config(), stream());
    let connect = server.client.connect(peer(), server.now);
    assert_eq!(connect, Err(PeerError::Full));
}
