//! Two ends that reach each other only through a TURN server on the virtual network.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]
#![allow(unreachable_pub, reason = "a part of the test")]

use core::net::SocketAddr;
use core::time::Duration;
use std::time::Instant;

use ortc_core::{
    Autostart, Datagram, Ecn, Event, Frame, MediaKind, MediaStream, MediaStreamTrack, Path,
    RTCConnection, RTCConnectionOptions, RTCIceServer, RTCSocket, RTCTrackFilter, Route,
    SocketEvent, SocketOptions,
};
use ortc_testkit::call::{Peer, seed};
use ortc_testkit::laws::Lawful;
use ortc_testkit::link::Link;
use ortc_testkit::nat::{Behaviour, Dependence, Nat};
use ortc_testkit::net::{Machine, Net, NodeId};
use ortc_testkit::servers::turn_server::{TurnConfig, TurnServer};
use ortc_testkit::topology::Realm;

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub const SERVER: &str = "192.0.2.10:3478";
pub const RELAY: &str = "192.0.2.11";
pub const NAT: &str = "203.0.113.1";

/// Whatever stands on the network.
#[derive(Debug)]
pub enum Node {
    Peer(Box<Lawful<Peer>>),
    Hub(Box<Lawful<Hub>>),
    Server(Box<TurnServer>),
}

impl Node {
    pub fn peer(&mut self) -> &mut Peer {
        match self {
            Self::Peer(peer) => &mut peer.machine,
            Self::Hub(hub) => &mut hub.machine.peer,
            Self::Server(_) => panic!("a server"),
        }
    }

    pub fn server(&mut self) -> &mut TurnServer {
        match self {
            Self::Server(server) => server,
            Self::Peer(_) | Self::Hub(_) => panic!("no server"),
        }
    }
}

/// A connection on a socket that asks the servers.
#[derive(Debug)]
pub struct Hub {
    pub socket: RTCSocket,
    pub peer: Peer,
}

impl Hub {
    pub fn exchange(&mut self, now: Instant) {
        while let Some(update) = self.peer.connection.poll_socket_update() {
            self.socket.handle_update(update, now);
        }
        while let Some(event) = self.socket.poll_event() {
            if let SocketEvent::Candidates(candidates) = event {
                let connection = &mut self.peer.connection;
                connection.handle_socket_candidates(&candidates, now);
            }
        }
        self.peer.drain(now);
    }
}

pub fn datagram(path: Path, contents: &mut [u8]) -> Datagram<'_> {
    let ecn = Ecn::default();
    Datagram {
        path,
        contents,
        ecn,
    }
}

impl Machine for Hub {
    fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
        now: Instant,
    ) {
        let path = Path::udp(local, remote);
        let connection = &mut self.peer.connection;
        match self.socket.handle_datagram(path, contents, now) {
            Route::Connection(_) => connection.handle_datagram(datagram(path, contents), now),
            Route::Relayed { path, range, .. } => {
                connection.handle_datagram(datagram(path, &mut contents[range]), now);
            }
            Route::Held | Route::Consumed | Route::Unknown => {}
        }
        self.exchange(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.socket.handle_timeout(now);
        self.peer.connection.handle_timeout(now);
        self.exchange(now);
    }

    fn poll_transmit(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let own = self.socket.poll_transmit(buf, now);
        let mut next = || {
            let start = buf.len();
            let transmit = self.peer.connection.poll_transmit(buf, now)?;
            Some(self.socket.encapsulate(transmit, buf, start))
        };
        // One that the relay does not take is not the last.
        let sent = own.or_else(|| core::iter::from_fn(&mut next).flatten().next());
        self.exchange(now);
        sent.map(|sent| (sent.path.local, sent.path.remote))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let socket = self.socket.poll_timeout().map(|timeout| timeout.at);
        self.peer.poll_timeout().into_iter().chain(socket).min()
    }
}

impl Machine for Node {
    fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
        now: Instant,
    ) {
        match self {
            Self::Peer(peer) => peer.handle_datagram(local, remote, contents, now),
            Self::Hub(hub) => hub.handle_datagram(local, remote, contents, now),
            Self::Server(server) => server.handle_datagram(local, remote, contents, now),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Peer(peer) => peer.handle_timeout(now),
            Self::Hub(hub) => hub.handle_timeout(now),
            Self::Server(server) => server.handle_timeout(now),
        }
    }

    fn poll_transmit(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            Self::Peer(peer) => peer.poll_transmit(buf, now),
            Self::Hub(hub) => hub.poll_transmit(buf, now),
            Self::Server(server) => server.poll_transmit(buf, now),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Peer(peer) => peer.poll_timeout(),
            Self::Hub(hub) => hub.poll_timeout(),
            Self::Server(server) => server.poll_timeout(),
        }
    }
}

/// Two ends that do not reach each other, and a server that both reach.
pub struct Call {
    pub net: Net<Node>,
    pub a: NodeId,
    pub b: NodeId,
    pub server: NodeId,
}

pub const A: &str = "10.0.0.1:5000";
pub const B: &str = "10.9.0.1:5000";

pub fn turn() -> RTCIceServer {
    RTCIceServer {
        url: vec![format!("turn:{SERVER}")],
        credential: Some("secret".to_owned()),
        username: Some("user".to_owned()),
    }
}

pub fn server() -> TurnServer {
    TurnServer::new(TurnConfig {
        listen: vec![at(SERVER)],
        relays: vec![RELAY.parse().unwrap()],
        username: "user".to_owned(),
        password: "secret".to_owned(),
        realm: "example.org".to_owned(),
        nonce_lifetime: Duration::from_secs(3_600),
        capacity: 100,
    })
}

pub fn options(number: u64, address: SocketAddr) -> RTCConnectionOptions {
    RTCConnectionOptions::new(seed(number, 1)).local_address(address)
}

impl Call {
    /// `a` has the server, `b` has only its own address, and the two do not reach each other.
    pub fn new(number: u64) -> Self {
        let net = Net::new(number).link(Link::perfect(ms(10)));
        let now = net.now();
        let asks = options(number, at(A)).ice_servers(vec![turn()]);
        let a = Peer::new(RTCConnection::new(asks, now).unwrap());
        Self::of(net, Node::Peer(Box::new(Lawful::new(a))), number)
    }

    /// The same with `a` on a socket that has the server.
    pub fn with_socket(number: u64) -> Self {
        let net = Net::new(number).link(Link::perfect(ms(10)));
        let now = net.now();
        let asks = SocketOptions::new(seed(number, 7))
            .local_address(at(A))
            .ice_servers(vec![turn()]);
        let mut socket = RTCSocket::new(asks, now).unwrap();
        let place = socket.admit().unwrap();
        let options = RTCConnectionOptions::new(seed(number, 1)).socket(place);
        let peer = Peer::new(RTCConnection::new(options, now).unwrap());
        let hub = Hub { socket, peer };
        Self::of(net, Node::Hub(Box::new(Lawful::new(hub))), number)
    }

    /// The same with `a` behind a NAT.
    pub fn behind_nat(number: u64) -> (Self, Realm) {
        let mut net = Net::new(number).link(Link::perfect(ms(10)));
        let strict = Dependence::AddressAndPort;
        let nat = Nat::new(Behaviour::new(strict, strict), NAT.parse().unwrap());
        let home = net.topology.add_realm();
        net.topology.set_gateway(home, Realm::PUBLIC, nat);
        let now = net.now();
        let asks = options(number, at(A)).ice_servers(vec![turn()]);
        let a = Peer::new(RTCConnection::new(asks, now).unwrap());
        let a = Node::Peer(Box::new(Lawful::new(a)));
        (Self::placed(net, home, a, number), home)
    }

    pub fn of(net: Net<Node>, a: Node, number: u64) -> Self {
        Self::placed(net, Realm::PUBLIC, a, number)
    }

    pub fn placed(mut net: Net<Node>, home: Realm, a: Node, number: u64) -> Self {
        let now = net.now();
        let b = RTCConnection::new(options(number + 1, at(B)), now).unwrap();
        let b = Node::Peer(Box::new(Lawful::new(Peer::new(b))));
        let a = net.add(a, &[]);
        net.attach_in(home, a, at(A));
        let b = net.add(b, &[at(B)]);
        let server = Node::Server(Box::new(server()));
        let server = net.add(server, &[at(SERVER)]);
        net.attach_all(server, RELAY.parse().unwrap());
        net.block(at(A), at(B));
        Self { net, a, b, server }
    }

    /// Each end learns what the other has to say, and that it is who it says.
    pub fn signal(&mut self) {
        let now = self.net.now();
        for (from, to) in [(self.a, self.b), (self.b, self.a)] {
            let from = self.net.node_mut(from).peer();
            from.drain(now);
            let print = from.connection.local().dtls.fingerprint.clone().unwrap();
            let texts = from.signals();
            let to = self.net.node_mut(to).peer();
            let print = *print.strongest().unwrap();
            to.connection.set_remote_fingerprint(print, now).unwrap();
            for text in texts {
                to.handle_signal(&text, now);
            }
            to.drain(now);
        }
    }

    /// Candidates that came since.
    pub fn trickle(&mut self) {
        let now = self.net.now();
        for (from, to) in [(self.a, self.b), (self.b, self.a)] {
            let candidates: Vec<_> = {
                let from = self.net.node_mut(from).peer();
                from.drain(now);
                from.candidates.drain(..).collect()
            };
            let to = self.net.node_mut(to).peer();
            for candidate in candidates {
                to.connection.set_remote_candidate(&candidate, now).unwrap();
            }
        }
    }

    pub fn are_connected(&mut self) -> bool {
        let [a, b] = [self.a, self.b];
        let connected = |id| self.net.node_mut(id).peer().connection.is_connected();
        [a, b].map(connected) == [true; 2]
    }

    /// Runs, with candidates signalled as they are found.
    pub fn run(&mut self, duration: Duration) {
        let steps = duration.as_millis() / 50;
        for _ in 0..steps {
            self.net.run_for(ms(50));
            self.trickle();
        }
    }

    pub fn connected(mut self) -> Self {
        self.signal();
        self.run(ms(3_000));
        assert!(self.are_connected());
        self
    }

    /// A frame leaves `a`, and comes out of `b`.
    pub fn says(&mut self) -> bool {
        let now = self.net.now();
        let before = self.frames();
        let ours = &mut self.net.node_mut(self.a).peer().connection;
        let tracks = ours.tracks(&RTCTrackFilter::default());
        let track = match tracks.first() {
            Some(track) => *track,
            None => {
                let mut stream = MediaStream::new("s");
                stream.add_track(&MediaStreamTrack::new(MediaKind::Audio, "mic", "mic"));
                ours.add_stream(&stream, Autostart::Yes).unwrap();
                let track = ours.tracks(&RTCTrackFilter::default())[0];
                let description = track.get_description(ours).unwrap();
                let theirs = &mut self.net.node_mut(self.b).peer().connection;
                theirs.receive_track(&description, now).unwrap();
                track
            }
        };
        let micros = self.net.elapsed().as_micros();
        let time = u64::try_from(micros).unwrap() * 48 / 1_000;
        let frame = Frame::new(vec![7; 100], time);
        let ours = &mut self.net.node_mut(self.a).peer().connection;
        let ours = ours.send_frame(track, &frame, now).is_ok();
        self.net.run_for(ms(500));
        ours && self.frames() > before
    }

    pub fn frames(&mut self) -> usize {
        let peer = self.net.node_mut(self.b).peer();
        peer.count(|event| matches!(event, Event::Frame(_)))
    }

    pub fn load(&mut self) -> usize {
        self.net.node_mut(self.server).server().load().0
    }
}
