//! The client against coturn, a real server, over real sockets; skipped where it is not installed.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers, and a real server needs real sockets and a real clock"
)]

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use ortc_ice::Path;
use ortc_ice::stun::LongTermCredentials;
use ortc_ice::turn::{Client, Config, Event, Failure, PeerPolicy, Received};
use ortc_testkit::servers::coturn::{Coturn, PASSWORD, USER};

#[test]
fn data_goes_both_ways_between_two_clients_over_udp() {
    let Some(server) = Coturn::start(&[]) else {
        return;
    };
    let mut alice = Relay::new(config(), server.plain, 1);
    let mut bob = Relay::new(config(), server.plain, 2);
    let (a, b) = (alice.allocated(), bob.allocated());
    alice.permit(b);
    bob.permit(a);

    alice.send(b, b"hello");
    assert_eq!(bob.received(), (a, b"hello".to_vec()));
    bob.send(a, b"and back");
    assert_eq!(alice.received(), (b, b"and back".to_vec()));
}

fn config() -> Config {
    let credentials = LongTermCredentials::new(USER, PASSWORD).unwrap();
    Config::new(credentials).peer_policy(PeerPolicy::AllowLoopback)
}

/// A client with its socket.
struct Relay {
    client: Client,
    socket: UdpSocket,
    events: Vec<Event>,
    data: Vec<(SocketAddr, Vec<u8>)>,
}

impl Relay {
    fn new(config: Config, server: SocketAddr, seed: u8) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let path = Path::udp(socket.local_addr().unwrap(), server);
        Self {
            client: Client::new(config, path, [seed; 32], Instant::now()),
            socket,
            events: Vec::new(),
            data: Vec::new(),
        }
    }

    /// One turn of the loop, 20 ms at most.
    fn turn(&mut self) {
        let now = Instant::now();
        self.client.handle_timeout(now);
        let mut buf = Vec::new();
        while let Some(transmit) = self.client.poll_transmit(&mut buf, now) {
            self.socket.send_to(&buf, transmit.path.remote).unwrap();
            buf.clear();
        }
        self.socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let mut octets = [0; 2048];
        if let Ok((len, from)) = self.socket.recv_from(&mut octets) {
            assert_eq!(from, self.client.path().remote);
            if let Ok(Received::Data { peer, range }) =
                self.client.handle_datagram(&octets[..len], Instant::now())
            {
                self.data.push((peer, octets[range].to_vec()));
            }
        }
        while let Some(event) = self.client.poll_event() {
            self.events.push(event);
        }
    }

    fn until<T>(&mut self, mut found: impl FnMut(&mut Self) -> Option<T>) -> T {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            if let Some(found) = found(self) {
                return found;
            }
            self.turn();
        }
        panic!("not within ten seconds; {:?}", self.events);
    }

    fn event<T>(&mut self, wanted: impl Fn(&Event) -> Option<T>) -> T {
        self.until(|relay| relay.events.iter().find_map(&wanted))
    }

    fn allocated(&mut self) -> SocketAddr {
        self.event(|event| match event {
            Event::Allocated { relayed, .. } => Some(*relayed),
            _ => None,
        })
    }

    fn permit(&mut self, peer: SocketAddr) {
        self.client.permit(peer.ip(), Instant::now()).unwrap();
        self.event(|event| matches!(event, Event::Permitted { .. }).then_some(()));
    }

    fn send(&mut self, peer: SocketAddr, payload: &[u8]) {
        let mut buf = payload.to_vec();
        let transmit = self.client.encapsulate(peer, &mut buf, 0, None).unwrap();
        self.socket.send_to(&buf, transmit.path.remote).unwrap();
    }

    fn received(&mut self) -> (SocketAddr, Vec<u8>) {
        self.until(|relay| (!relay.data.is_empty()).then(|| relay.data.remove(0)))
    }
}

#[test]
fn a_wrong_password_is_told() {
    let Some(server) = Coturn::start(&[]) else {
        return;
    };
    let credentials = LongTermCredentials::new(USER, "guess").unwrap();
    let mut relay = Relay::new(Config::new(credentials), server.plain, 1);
    let failure = relay.event(|event| match event {
        Event::Failed(failure) => Some(*failure),
        _ => None,
    });
    assert!(matches!(failure, Failure::Refused(_)), "{failure}");
}
