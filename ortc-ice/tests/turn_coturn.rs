//! The client against coturn, a real server, over real sockets; skipped where it is not installed.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "test helpers, and a real server needs real sockets and a real clock"
)]

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use ortc_ice::stun::LongTermCredentials;
use ortc_ice::turn::{
    Client, Config, ConnectionId, Event, Failure, Families, Family, PeerPolicy, Received,
    RelayTransport,
};
use ortc_ice::{Path, StreamId};
use ortc_testkit::servers::coturn::{Coturn, PASSWORD, USER};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

#[test]
fn data_goes_both_ways_over_udp_tcp_and_tls() {
    let Some(server) = Coturn::start(&[]) else {
        return;
    };
    let mut relays = [
        Relay::udp(config(), server.plain),
        Relay::tcp(config(), server.plain),
        Relay::tls(config(), &server),
    ];
    let addresses = relays.each_mut().map(Relay::allocated);
    for (a, b) in [(0, 1), (1, 2), (2, 0)] {
        both_ways(&mut relays, &addresses, a, b);
    }
    for relay in relays {
        relay.close();
    }
}

/// In indications first, then over channels; odd lengths need padding on streams.
fn both_ways(relays: &mut [Relay], addresses: &[SocketAddr], a: usize, b: usize) {
    relays[a].permit(addresses[b]);
    relays[b].permit(addresses[a]);
    for channels in [false, true] {
        if channels {
            relays[a].bind(addresses[b]);
            relays[b].bind(addresses[a]);
        }
        for payload in [&b"one"[..], b"four", &[7; 1201]] {
            relays[a].send(addresses[b], payload);
            assert_eq!(relays[b].received(), (addresses[a], payload.to_vec()));
            relays[b].send(addresses[a], payload);
            assert_eq!(relays[a].received(), (addresses[b], payload.to_vec()));
        }
    }
}

#[test]
fn a_relay_reaches_its_own_address() {
    let Some(server) = Coturn::start(&[]) else {
        return;
    };
    let mut relay = Relay::udp(config(), server.plain);
    let own = relay.allocated();
    relay.permit(own);
    relay.send(own, b"round");
    assert_eq!(relay.received(), (own, b"round".to_vec()));
}

#[test]
fn a_wrong_password_is_told() {
    let Some(server) = Coturn::start(&[]) else {
        return;
    };
    let credentials = LongTermCredentials::new(USER, "guess").unwrap();
    let mut relay = Relay::udp(Config::new(credentials), server.plain);
    let failure = relay.event(|event| match event {
        Event::Failed(failure) => Some(*failure),
        _ => None,
    });
    assert!(matches!(failure, Failure::Refused(_)), "{failure}");
}

#[test]
fn a_quota_is_told_by_its_code() {
    let Some(server) = Coturn::start(&["--user-quota=1"]) else {
        return;
    };
    let mut first = Relay::udp(config(), server.plain);
    first.allocated();
    let mut second = Relay::udp(config(), server.plain);
    let failure = second.event(|event| match event {
        Event::Failed(failure) => Some(*failure),
        _ => None,
    });
    assert_eq!(failure, Failure::Code(486));
}

#[test]
fn a_forbidden_peer_is_told_and_the_other_one_is_not() {
    let Some(server) = Coturn::start(&["--denied-peer-ip=192.0.2.1"]) else {
        return;
    };
    let mut relay = Relay::udp(config(), server.plain);
    relay.allocated();
    let now = Instant::now();
    let (bad, good) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    relay.client.permit(bad, now).unwrap();
    relay.client.permit(good, now).unwrap();
    let refused = |event: &Event| match event {
        Event::PermissionRefused { peer, failure } => Some((*peer, *failure)),
        _ => None,
    };
    assert_eq!(relay.event(refused), (bad, Failure::Code(403)));
    relay.event(|event| (*event == Event::Permitted { peer: good }).then_some(()));
}

#[test]
fn a_nonce_that_grows_stale_is_replaced() {
    let Some(server) = Coturn::start(&["--stale-nonce=1"]) else {
        return;
    };
    for mut relay in [
        Relay::udp(config(), server.plain),
        Relay::tcp(config(), server.plain),
    ] {
        let own = relay.allocated();
        std::thread::sleep(Duration::from_millis(2_100));
        let before = relay.client.counters().requests_sent;
        relay.permit(own);
        let requests = relay.client.counters().requests_sent - before;
        assert_eq!(requests, 2, "one that is stale and one that is not");
        std::thread::sleep(Duration::from_millis(2_100));
        relay.bind(own);
        relay.send(own, b"still");
        assert_eq!(relay.received().1, b"still");
    }
}

/// RFC 8016: the same allocation from another socket.
#[test]
fn an_allocation_moves_to_another_address() {
    let Some(server) = Coturn::start(&["--mobility"]) else {
        return;
    };
    let mut alice = Relay::udp(config().mobility(true), server.plain);
    let mut bob = Relay::udp(config(), server.plain);
    let (a, b) = (alice.allocated(), bob.allocated());
    alice.bind(b);
    bob.bind(a);
    alice.send(b, b"before");
    assert_eq!(bob.received(), (a, b"before".to_vec()));

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let path = Path::udp(socket.local_addr().unwrap(), server.plain);
    alice.wire = Wire::Udp(socket);
    alice.client.move_to(path, Instant::now()).unwrap();
    alice.event(|event| (*event == Event::Moved).then_some(()));
    assert!(alice.client.relayed().eq([a]));
    alice.send(b, b"after");
    assert_eq!(bob.received(), (a, b"after".to_vec()));
    bob.send(a, b"and back");
    assert_eq!(alice.received(), (b, b"and back".to_vec()));
}

/// coturn does not know ADDITIONAL-ADDRESS-FAMILY by its number in RFC 8656; it has IPv6 addresses
/// for those who ask for nothing else, where the machine has them.
#[test]
fn an_ipv6_address_comes_beside_the_ipv4_one() {
    if UdpSocket::bind("[::1]:0").is_err() {
        println!("skipped: no IPv6 on loopback");
        return;
    }
    let Some(server) = Coturn::start(&["--listening-ip=::1", "--relay-ip=::1"]) else {
        return;
    };
    let mut first = Relay::udp(config().families(Families::Both), server.plain);
    assert!(first.allocated().is_ipv4());
    let missing = Event::FamilyRefused {
        family: Family::V6,
        code: 440,
    };
    first.event(|event| (*event == missing).then_some(()));

    let mut second = Relay::udp(config().families(Families::V6), server.plain);
    let own = second.allocated();
    assert!(own.is_ipv6());
    second.permit(own);
    second.send(own, b"round");
    assert_eq!(second.received(), (own, b"round".to_vec()));
}

#[test]
fn an_ipv6_address_that_the_server_does_not_have_is_told() {
    let Some(server) = Coturn::start(&[]) else {
        return;
    };
    let mut relay = Relay::udp(config().families(Families::V6), server.plain);
    let failure = relay.event(|event| match event {
        Event::Failed(failure) => Some(*failure),
        _ => None,
    });
    assert!(matches!(failure, Failure::Code(440 | 508)), "{failure}");
}

/// From one socket one allocation: the second client finds the place taken (437) until the first
/// has given its allocation back.
#[test]
fn a_closed_client_leaves_no_allocation_behind() {
    let Some(server) = Coturn::start(&[]) else {
        return;
    };
    let mut first = Relay::udp(config(), server.plain);
    first.allocated();
    let path = first.client.path();
    let Wire::Udp(socket) = &first.wire else {
        panic!("a socket");
    };
    let again = |socket: &UdpSocket| {
        let wire = Wire::Udp(socket.try_clone().unwrap());
        let mut relay = Relay::new(config(), path, wire);
        relay.event(|event| match event {
            Event::Allocated { .. } => Some(true),
            Event::AddressInUse => Some(false),
            _ => None,
        })
    };
    let socket = socket.try_clone().unwrap();
    assert!(!again(&socket), "it is in use");
    first.close();
    // coturn takes a moment to clear up.
    let began = Instant::now();
    while !again(&socket) {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// RFC 6062: a connection that we ask for, and one that the peer makes.
#[test]
fn tcp_connections_are_made_through_the_relay_both_ways() {
    let Some(server) = Coturn::start(&[]) else {
        return;
    };
    let mut relay = Relay::tcp(config().relay_transport(RelayTransport::Tcp), server.plain);
    let relayed = relay.allocated();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap();
    relay.client.connect(peer, Instant::now()).unwrap();
    let (connection, to) = relay.connection();
    assert_eq!(to, peer);
    let (far, _) = listener.accept().unwrap();
    talk(relay.join(connection, server.plain, b""), far);

    // The peer speaks at once: its octets come right behind the server's answer.
    relay.permit(peer);
    let mut far = TcpStream::connect(relayed).unwrap();
    far.write_all(b"hello first").unwrap();
    let (connection, from) = relay.connection();
    assert_eq!(from, far.local_addr().unwrap());
    talk(relay.join(connection, server.plain, b"hello first"), far);

    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    relay.client.connect(nobody, Instant::now()).unwrap();
    let failure = relay.event(|event| match event {
        Event::ConnectFailed { peer, failure } if *peer == nobody => Some(*failure),
        _ => None,
    });
    assert_eq!(failure, Failure::Code(447));
}

fn talk(mut near: TcpStream, mut far: TcpStream) {
    for (from, to) in [(&mut near, &mut far)] {
        for payload in [vec![1; 5], vec![2; 20_000]] {
            let mut got = vec![0; payload.len()];
            from.write_all(&payload).unwrap();
            to.read_exact(&mut got).unwrap();
            assert_eq!(got, payload);
            to.write_all(&payload).unwrap();
            from.read_exact(&mut got).unwrap();
            assert_eq!(got, payload);
        }
    }
}

fn config() -> Config {
    let credentials = LongTermCredentials::new(USER, PASSWORD).unwrap();
    Config::new(credentials).peer_policy(PeerPolicy::AllowLoopback)
}

/// What carries the octets.
enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// A client with its socket.
struct Relay {
    client: Client,
    wire: Wire,
    events: Vec<Event>,
    data: Vec<(SocketAddr, Vec<u8>)>,
}

/// Ten seconds, looked at in pieces of 20 ms.
const PATIENCE: Duration = Duration::from_secs(10);
const PIECE: Option<Duration> = Some(Duration::from_millis(20));

impl Relay {
    fn udp(config: Config, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let path = Path::udp(socket.local_addr().unwrap(), server);
        Self::new(config, path, Wire::Udp(socket))
    }

    fn tcp(config: Config, server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_nodelay(true).unwrap();
        let path = Path::stream(StreamId(1), stream.local_addr().unwrap(), server);
        Self::new(config, path, Wire::Tcp(stream))
    }

    fn tls(config: Config, server: &Coturn) -> Self {
        let stream = TcpStream::connect(server.tls).unwrap();
        stream.set_nodelay(true).unwrap();
        let path = Path::stream(StreamId(2), stream.local_addr().unwrap(), server.tls);
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(server.certificate.as_bytes());
        roots.add(certificate.unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::new(tls), name).unwrap();
        let stream = StreamOwned::new(session, stream);
        Self::new(config, path, Wire::Tls(Box::new(stream)))
    }

    fn new(config: Config, path: Path, wire: Wire) -> Self {
        let [low, high] = path.local.port().to_be_bytes();
        let seed = core::array::from_fn(|index| if index % 2 == 0 { low } else { high });
        Self {
            client: Client::new(config, path, seed, Instant::now()),
            wire,
            events: Vec::new(),
            data: Vec::new(),
        }
    }

    fn write(&mut self, octets: &[u8]) {
        match &mut self.wire {
            Wire::Udp(socket) => {
                socket.send_to(octets, self.client.path().remote).unwrap();
            }
            Wire::Tcp(stream) => stream.write_all(octets).unwrap(),
            Wire::Tls(stream) => {
                stream.sock.set_read_timeout(None).unwrap(); // the handshake may come first
                stream.write_all(octets).unwrap();
                stream.flush().unwrap();
            }
        }
    }

    /// One turn of the loop, 20 ms at most.
    fn turn(&mut self) {
        let now = Instant::now();
        self.client.handle_timeout(now);
        let mut buf = Vec::new();
        while self.client.poll_transmit(&mut buf, now).is_some() {
            self.write(&buf);
            buf.clear();
        }
        let mut octets = [0; 4096];
        let len = match &mut self.wire {
            Wire::Udp(socket) => {
                socket.set_read_timeout(PIECE).unwrap();
                socket.recv(&mut octets)
            }
            Wire::Tcp(stream) => {
                stream.set_read_timeout(PIECE).unwrap();
                stream.read(&mut octets)
            }
            Wire::Tls(stream) => {
                stream.sock.set_read_timeout(PIECE).unwrap();
                stream.read(&mut octets)
            }
        };
        let octets = &octets[..len.unwrap_or(0)];
        if matches!(self.wire, Wire::Udp(_)) {
            let received = self.client.handle_datagram(octets, Instant::now());
            if let Ok(Received::Data { peer, range }) = received {
                self.data.push((peer, octets[range].to_vec()));
            }
        } else {
            self.client.handle_stream(octets, Instant::now());
            while let Some((peer, payload)) = self.client.poll_data() {
                self.data.push((peer, payload.to_vec()));
            }
        }
        while let Some(event) = self.client.poll_event() {
            self.events.push(event);
        }
    }

    fn until<T>(&mut self, mut found: impl FnMut(&mut Self) -> Option<T>) -> T {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
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
        let permitted = Event::Permitted { peer: peer.ip() };
        self.event(|event| (*event == permitted).then_some(()));
    }

    fn bind(&mut self, peer: SocketAddr) {
        self.client.bind_channel(peer, Instant::now()).unwrap();
        self.event(|event| (*event == Event::ChannelBound { peer }).then_some(()));
    }

    fn send(&mut self, peer: SocketAddr, payload: &[u8]) {
        let mut buf = payload.to_vec();
        let transmit = self.client.encapsulate(peer, &mut buf, 0, None).unwrap();
        assert_eq!(transmit.len, buf.len());
        self.write(&buf);
    }

    fn received(&mut self) -> (SocketAddr, Vec<u8>) {
        self.until(|relay| (!relay.data.is_empty()).then(|| relay.data.remove(0)))
    }

    fn close(mut self) {
        self.client.close(Instant::now());
        self.turn();
        assert_eq!(self.events.last(), Some(&Event::Closed));
        assert!(self.client.poll_timeout().is_none());
    }

    /// The next connection that the relay has.
    fn connection(&mut self) -> (ConnectionId, SocketAddr) {
        let is_one = |event: &Event| matches!(event, Event::Connection { .. });
        let at = self.until(|relay| relay.events.iter().position(is_one));
        match self.events.remove(at) {
            Event::Connection { connection, peer } => (connection, peer),
            other => panic!("{other:?}"),
        }
    }

    /// Opens the stream of a connection and has it bound; what the peer has said by then.
    fn join(&mut self, id: ConnectionId, server: SocketAddr, said: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(server).unwrap();
        let path = Path::stream(StreamId(3), stream.local_addr().unwrap(), server);
        self.client
            .bind_connection(id, path, Instant::now())
            .unwrap();
        let mut got = Vec::new();
        let began = Instant::now();
        stream.set_read_timeout(PIECE).unwrap();
        let mut bound = false;
        while !bound || got.len() < said.len() {
            assert!(began.elapsed() < PATIENCE);
            let mut buf = Vec::new();
            let now = Instant::now();
            while let Some(transmit) = self.client.poll_transmit(&mut buf, now) {
                if transmit.path == path {
                    stream.write_all(&buf).unwrap();
                } else {
                    self.write(&buf);
                }
                buf.clear();
            }
            let mut octets = [0; 2048];
            let len = stream.read(&mut octets).unwrap_or(0);
            let used = self.client.handle_connection(id, &octets[..len], now);
            got.extend_from_slice(&octets[used..len]);
            while let Some(event) = self.client.poll_event() {
                bound |=
                    matches!(event, Event::ConnectionBound { connection, .. } if connection == id);
                self.events.push(event);
            }
        }
        assert_eq!(got, said);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}
