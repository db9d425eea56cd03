//! The client against a server in memory that knows password algorithms, SHA-256 integrity and
//! hashed usernames (RFC 8489 §9.2).
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::net::SocketAddr;
use core::time::Duration;
use std::time::Instant;

use ortc_ice::Path;
use ortc_ice::stun::{AttributeType, LongTermCredentials, Message, Refusal};
use ortc_ice::turn::{Client, Config, Event, Failure, Received};
use turn_server_proto::api::{TurnServerApi, TurnServerPollRet};
use turn_server_proto::server::TurnServer;
use turn_server_proto::stun::agent::Transmit;
use turn_server_proto::stun::types::TransportType;

const SERVER: &str = "10.0.0.1:3478";
const CLIENT: &str = "10.0.0.2:4000";
const RELAYED: &str = "10.0.0.1:60000";
const PEER: &str = "10.0.0.3:5000";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

struct Exchange {
    client: Client,
    server: TurnServer,
    now: Instant,
    origin: Instant,
    requests: Vec<Vec<u8>>,
    to_peer: Vec<Vec<u8>>,
}

impl Exchange {
    fn new(password: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
        let now = Instant::now();
        let credentials = LongTermCredentials::new("alice", password).unwrap();
        let path = Path::udp(address(CLIENT), address(SERVER));
        let realm = String::from("example.org");
        let mut server = TurnServer::new(TransportType::Udp, address(SERVER), realm);
        server.add_user(String::from("alice"), String::from("secret"));
        Self {
            client: Client::new(Config::new(credentials), path, [3; 32], now),
            server,
            now,
            origin: now,
            requests: Vec::new(),
            to_peer: Vec::new(),
        }
    }

    fn theirs(&self) -> turn_server_proto::types::Instant {
        let nanos = (self.now - self.origin).as_nanos();
        turn_server_proto::types::Instant::from_nanos(i64::try_from(nanos).unwrap())
    }

    /// Until both are quiet.
    fn run(&mut self) {
        loop {
            let mut quiet = true;
            self.client.handle_timeout(self.now);
            let mut buf = Vec::new();
            while self.client.poll_transmit(&mut buf, self.now).is_some() {
                self.requests.push(buf.clone());
                self.send(core::mem::take(&mut buf));
                quiet = false;
            }
            let now = self.theirs();
            if let TurnServerPollRet::AllocateSocket {
                transport,
                listen_addr,
                client_addr,
                allocation_transport,
                family,
            } = self.server.poll(now)
            {
                self.server.allocated_socket(
                    transport,
                    listen_addr,
                    client_addr,
                    allocation_transport,
                    family,
                    Ok(address(RELAYED)),
                    now,
                );
                quiet = false;
            }
            while let Some(transmit) = self.server.poll_transmit(now) {
                self.deliver(&transmit.data, transmit.to);
                quiet = false;
            }
            if quiet {
                return;
            }
        }
    }

    fn send(&mut self, octets: Vec<u8>) {
        let now = self.theirs();
        let arrived = Transmit::new(octets, TransportType::Udp, address(CLIENT), address(SERVER));
        if let Some(answer) = self.server.recv(arrived, now) {
            let answer = answer.build();
            self.deliver(&answer.data, answer.to);
        }
    }

    fn deliver(&mut self, octets: &[u8], to: SocketAddr) {
        if to == address(CLIENT) {
            let _ = self.client.handle_datagram(octets, self.now);
        } else {
            self.to_peer.push(octets.to_vec());
        }
    }

    fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.client.poll_event()).collect()
    }
}

#[test]
fn sha_256_is_agreed_on_and_used_for_everything() {
    let mut exchange = Exchange::new("secret");
    exchange.run();
    let events = exchange.events();
    let [Event::Allocated { relayed, mapped }] = events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((relayed, mapped), (address(RELAYED), address(CLIENT)));

    let peer = address(PEER);
    exchange.client.permit(peer.ip(), exchange.now).unwrap();
    exchange.client.bind_channel(peer, exchange.now).unwrap();
    exchange.run();
    let events = exchange.events();
    assert!(events.contains(&Event::Permitted { peer: peer.ip() }));
    assert!(events.contains(&Event::ChannelBound { peer }));

    for request in &exchange.requests[1..] {
        let message = Message::parse(request).unwrap();
        assert!(message.has_integrity_sha256() && !message.has_integrity());
        let algorithm = message.find(AttributeType::PASSWORD_ALGORITHM).unwrap();
        assert_eq!(algorithm, [0, 2, 0, 0]);
        assert!(message.find(AttributeType::PASSWORD_ALGORITHMS).is_some());
    }

    let mut buf = b"to the peer".to_vec();
    let _ = exchange
        .client
        .encapsulate(peer, &mut buf, 0, None)
        .unwrap();
    exchange.send(buf);
    assert_eq!(exchange.to_peer, [b"to the peer"]);
    let now = exchange.theirs();
    let arrived = Transmit::new(b"back".to_vec(), TransportType::Udp, peer, address(RELAYED));
    let relayed = exchange.server.recv(arrived, now).unwrap().build().data;
    match exchange.client.handle_datagram(&relayed, exchange.now) {
        Ok(Received::Data { peer: from, range }) => {
            assert_eq!((from, &relayed[range]), (peer, &b"back"[..]));
        }
        other => panic!("{other:?}"),
    }
}

/// This server's 438 announces password algorithms and lists none, which is what it looks like when
/// somebody has removed them: it must not be followed (RFC 8489 §9.2.5).
#[test]
fn a_stale_nonce_without_the_list_that_it_announces_is_not_followed() {
    let mut exchange = Exchange::new("secret");
    exchange
        .server
        .set_nonce_expiry_duration(Duration::from_secs(60));
    exchange.run();
    exchange.events();
    let peer = address(PEER).ip();
    exchange.client.permit(peer, exchange.now).unwrap();
    exchange.run();
    assert_eq!(exchange.events(), [Event::Permitted { peer }]);

    exchange.now += Duration::from_secs(120);
    let other = SocketAddr::new([10, 0, 0, 9].into(), 5).ip();
    exchange.client.permit(other, exchange.now).unwrap();
    let before = exchange.requests.len();
    exchange.run();
    let failure = Failure::Refused(Refusal::BidDown);
    let refused = Event::PermissionRefused {
        peer: other,
        failure,
    };
    assert_eq!(exchange.events(), [refused]);
    assert_eq!(exchange.requests.len(), before + 1);
}

#[test]
fn a_wrong_password_is_not_tried_again() {
    let mut exchange = Exchange::new("guess");
    exchange.run();
    let events = exchange.events();
    assert!(
        matches!(events[..], [Event::Failed(Failure::Refused(_))]),
        "{events:?}"
    );
    assert_eq!(exchange.requests.len(), 2);
}
