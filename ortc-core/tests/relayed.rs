//! Calls that need servers: RTCConnections, and an RTCSocket with its connections, through a TURN
//! server on the virtual network.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::time::Instant;

use allocation_counter::measure;
use ortc_core::{
    Autostart, Datagram, Ecn, Event, Frame, LocalCandidates, MediaKind, MediaStream,
    MediaStreamTrack, Path, RTCConnection, RTCConnectionOptions, RTCIceServer, RTCSocket,
    RTCTrackFilter, Route, ServerError, SocketEvent, SocketOptions,
};
use ortc_testkit::call::{Peer, seed};
use ortc_testkit::laws::{Lawful, due_timeouts_progress, early_timeouts_do_nothing};
use ortc_testkit::link::Link;
use ortc_testkit::nat::{Behaviour, Dependence, Nat};
use ortc_testkit::net::{Machine, Net, NodeId};
use ortc_testkit::servers::turn_server::{TurnConfig, TurnServer};
use ortc_testkit::topology::Realm;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

const SERVER: &str = "192.0.2.10:3478";
const RELAY: &str = "192.0.2.11";
const NAT: &str = "203.0.113.1";

/// Whatever stands on the network.
#[derive(Debug)]
enum Node {
    Peer(Box<Lawful<Peer>>),
    Hub(Box<Lawful<Hub>>),
    Server(Box<TurnServer>),
}

impl Node {
    fn peer(&mut self) -> &mut Peer {
        match self {
            Self::Peer(peer) => &mut peer.machine,
            Self::Hub(hub) => &mut hub.machine.peer,
            Self::Server(_) => panic!("a server"),
        }
    }

    fn server(&mut self) -> &mut TurnServer {
        match self {
            Self::Server(server) => server,
            Self::Peer(_) | Self::Hub(_) => panic!("no server"),
        }
    }
}

/// A connection on a socket that asks the servers.
#[derive(Debug)]
struct Hub {
    socket: RTCSocket,
    peer: Peer,
}

impl Hub {
    fn exchange(&mut self, now: Instant) {
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

fn datagram(path: Path, contents: &mut [u8]) -> Datagram<'_> {
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
struct Call {
    net: Net<Node>,
    a: NodeId,
    b: NodeId,
    server: NodeId,
}

const A: &str = "10.0.0.1:5000";
const B: &str = "10.9.0.1:5000";

fn turn() -> RTCIceServer {
    RTCIceServer {
        url: vec![format!("turn:{SERVER}")],
        credential: Some("secret".to_owned()),
        username: Some("user".to_owned()),
    }
}

fn server() -> TurnServer {
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

fn options(number: u64, address: SocketAddr) -> RTCConnectionOptions {
    RTCConnectionOptions::new(seed(number, 1)).local_address(address)
}

impl Call {
    /// `a` has the server, `b` has only its own address, and the two do not reach each other.
    fn new(number: u64) -> Self {
        let net = Net::new(number).link(Link::perfect(ms(10)));
        let now = net.now();
        let asks = options(number, at(A)).ice_servers(vec![turn()]);
        let a = Peer::new(RTCConnection::new(asks, now).unwrap());
        Self::of(net, Node::Peer(Box::new(Lawful::new(a))), number)
    }

    /// The same with `a` on a socket that has the server.
    fn with_socket(number: u64) -> Self {
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
    fn behind_nat(number: u64) -> (Self, Realm) {
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

    fn of(net: Net<Node>, a: Node, number: u64) -> Self {
        Self::placed(net, Realm::PUBLIC, a, number)
    }

    fn placed(mut net: Net<Node>, home: Realm, a: Node, number: u64) -> Self {
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
    fn signal(&mut self) {
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
    fn trickle(&mut self) {
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

    fn are_connected(&mut self) -> bool {
        let [a, b] = [self.a, self.b];
        let connected = |id| self.net.node_mut(id).peer().connection.is_connected();
        [a, b].map(connected) == [true; 2]
    }

    /// Runs, with candidates signalled as they are found.
    fn run(&mut self, duration: Duration) {
        let steps = duration.as_millis() / 50;
        for _ in 0..steps {
            self.net.run_for(ms(50));
            self.trickle();
        }
    }

    fn connected(mut self) -> Self {
        self.signal();
        self.run(ms(3_000));
        assert!(self.are_connected());
        self
    }

    /// A frame leaves `a`, and comes out of `b`.
    fn says(&mut self) -> bool {
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

    fn frames(&mut self) -> usize {
        let peer = self.net.node_mut(self.b).peer();
        peer.count(|event| matches!(event, Event::Frame(_)))
    }

    fn load(&mut self) -> usize {
        self.net.node_mut(self.server).server().load().0
    }
}

#[test]
fn two_ends_that_cannot_reach_each_other_talk_through_the_relay() {
    let mut call = Call::new(1).connected();
    assert!(call.says());
    let active = |event: &Event| {
        let Event::ActiveCandidate(pair) = event else {
            return None;
        };
        Some(pair.local.kind.clone())
    };
    let peer = call.net.node_mut(call.a).peer();
    let kinds: Vec<_> = peer.events.iter().filter_map(active).collect();
    assert_eq!(kinds.last().map(String::as_str), Some("relay"));
    assert!(call.net.node_mut(call.server).server().relayed > 10);
    assert!(
        !call
            .net
            .log
            .iter()
            .any(|sent| { (sent.local, sent.remote) == (at(A), at(B)) && sent.contents[0] >= 128 })
    );
}

#[test]
fn candidates_of_servers_are_told_and_then_their_end() {
    let mut call = Call::new(2);
    call.net.run_for(ms(1_000));
    let peer = call.net.node_mut(call.a).peer();
    let kinds: Vec<_> = peer
        .candidates
        .iter()
        .map(|found| found.kind.as_str())
        .collect();
    // There is no NAT, so that the server sees the host candidate (RFC 8445 §5.1.3).
    assert_eq!(kinds, ["host", "relay"]);
    let relay = &peer.candidates[1];
    assert_eq!(relay.connection_address, RELAY);
    assert_eq!(relay.rel_address.as_deref(), Some("10.0.0.1"));
    let ends = |event: &Event| matches!(event, Event::EndOfCandidates);
    assert_eq!(peer.count(ends), 1);
}

#[test]
fn a_call_on_a_shared_socket_goes_through_the_relay_of_the_socket() {
    let mut call = Call::with_socket(3).connected();
    assert!(call.says());
    assert!(call.net.node_mut(call.server).server().relayed > 10);
    assert_eq!(call.load(), 1);
}

#[test]
fn an_allocation_that_is_lost_in_a_call_is_made_anew_and_the_call_goes_on() {
    for mut call in [Call::new(4), Call::with_socket(5)] {
        call = call.connected();
        assert!(call.says());
        call.net.node_mut(call.server).server().reboot();
        call.run(Duration::from_secs(60));
        assert!(call.are_connected());
        assert!(call.says());
        assert_eq!(call.load(), 1);
    }
}

/// The server knows the allocation by the address that the NAT gave (RFC 8656 §3.2): from another
/// one it takes nothing for it.
#[test]
fn a_nat_that_is_restarted_costs_the_allocation_and_not_the_call() {
    let (call, home) = Call::behind_nat(10);
    let mut call = call.connected();
    assert!(call.says());
    let nat = call.net.topology.gateway_mut(home, true).unwrap();
    nat.reboot();
    call.run(Duration::from_secs(25));
    assert!(call.are_connected());
    assert!(call.says());
}

#[test]
fn update_in_a_call_keeps_what_works_and_adds_what_is_new() {
    let mut call = Call::new(6).connected();
    assert!(call.says());
    let (now, new) = (call.net.now(), at("10.0.0.2:5000"));
    call.net.attach(call.a, new);
    let connection = &mut call.net.node_mut(call.a).peer().connection;
    connection.add_local_address(new).unwrap();
    connection.update(now).unwrap();
    call.run(ms(3_000));
    assert!(call.says());
    // The new address reaches the peer, so that the call leaves the relay.
    let relayed = call.net.node_mut(call.server).server().relayed;
    for _ in 0..10 {
        assert!(call.says());
    }
    let more = call.net.node_mut(call.server).server().relayed - relayed;
    assert!(more < 10, "{more} datagrams were still relayed");

    // The old address goes; nothing of the call did.
    let now = call.net.now();
    let connection = &mut call.net.node_mut(call.a).peer().connection;
    connection.remove_local_address(at(A));
    connection.update(now).unwrap();
    call.run(ms(5_000));
    assert!(call.says() && call.are_connected());
    // The new address has an allocation of its own; nobody can give back that of the old one, which
    // expires by itself.
    assert_eq!(call.load(), 2);
}

#[test]
fn update_with_other_addresses_keeps_the_relay_in_use_until_another_pair_works() {
    let mut call = Call::new(11).connected();
    let new = at("10.0.0.2:5000");
    call.net.attach(call.a, new);
    let now = call.net.now();
    let connection = &mut call.net.node_mut(call.a).peer().connection;
    connection.remove_local_address(at(A));
    connection.add_local_address(new).unwrap();
    connection.update(now).unwrap();
    for _ in 0..8 {
        assert!(call.says(), "nothing is lost meanwhile");
        call.trickle();
    }
    let gone = |event: &Event| matches!(event, Event::Disconnected(_));
    assert_eq!(call.net.node_mut(call.a).peer().count(gone), 0);
    let from = call.net.log.len();
    assert!(call.says());
    let old = |sent: &ortc_testkit::net::Sent| sent.local == at(A);
    assert!(!call.net.log[from..].iter().any(old), "the address is free");
}

#[test]
fn update_of_a_shared_socket_keeps_the_relay_in_use_until_another_pair_works() {
    let mut call = Call::with_socket(15).connected();
    let new = at("10.0.0.2:5000");
    call.net.attach(call.a, new);
    let now = call.net.now();
    let Node::Hub(hub) = call.net.node_mut(call.a) else {
        panic!("not a hub");
    };
    let socket = &mut hub.machine.socket;
    socket.remove_local_address(at(A));
    socket.add_local_address(new);
    socket.update(now).unwrap();
    for _ in 0..8 {
        assert!(call.says(), "nothing is lost meanwhile");
        call.trickle();
    }
    let gone = |event: &Event| matches!(event, Event::Disconnected(_));
    assert_eq!(call.net.node_mut(call.a).peer().count(gone), 0);
    let from = call.net.log.len();
    assert!(call.says());
    let old = |sent: &ortc_testkit::net::Sent| sent.local == at(A);
    assert!(!call.net.log[from..].iter().any(old), "the address is free");
}

#[test]
fn closing_says_goodbye_through_the_relay_and_then_gives_it_back() {
    let mut call = Call::new(7).connected();
    assert!(call.says());
    assert_eq!(call.load(), 1);
    let now = call.net.now();
    call.net.node_mut(call.a).peer().connection.close(now);
    call.net.run_for(ms(200));
    assert_eq!(call.load(), 0);
    let ended = |event: &Event| matches!(event, Event::Disconnected(_));
    let b = call.net.node_mut(call.b).peer();
    assert!(b.saw(ended), "close_notify came through");
    let gone = |event: &Event| matches!(event, Event::TrackDisconnected(_));
    assert!(b.saw(gone), "BYE came through");
    let a = &call.net.node_mut(call.a).peer().connection;
    assert!(a.is_closed() && a.poll_timeout().is_none());
}

#[test]
fn a_socket_gives_its_allocations_back() {
    let mut call = Call::with_socket(8).connected();
    let now = call.net.now();
    call.net.node_mut(call.a).peer().connection.close(now);
    call.net.run_for(ms(200));
    let Node::Hub(hub) = call.net.node_mut(call.a) else {
        panic!("not a hub");
    };
    hub.machine.socket.close(now);
    call.net.run_for(ms(200));
    assert_eq!(call.load(), 0);
}

#[test]
fn a_server_is_found_by_its_name_and_a_silent_one_is_told() {
    let net = Net::<Node>::new(9);
    let now = net.now();
    let mut named = turn();
    named.url = vec!["turn:relay.example:3478".to_owned()];
    let nowhere = RTCIceServer::new("stun:nowhere.example");
    let asks = options(9, at(A)).ice_servers(vec![named, nowhere]);
    let mut connection = RTCConnection::new(asks, now).unwrap();
    let mut names = 0;
    let events: Vec<_> = core::iter::from_fn(|| connection.poll_event()).collect();
    for event in events {
        if let Event::Resolve { query, name } = event {
            names += 1;
            let known: &[IpAddr] = match name.as_str() {
                "relay.example" => &[at(SERVER).ip()],
                _ => &[],
            };
            connection.resolved(query, known, now);
        }
    }
    assert_eq!(names, 2);
    let mut buf = Vec::new();
    let sent = connection.poll_transmit(&mut buf, now).unwrap();
    assert_eq!(sent.path, Path::udp(at(A), at(SERVER)));
    let failed = core::iter::from_fn(|| connection.poll_event()).any(|event| {
        matches!(event, Event::IceServerFailed { reason, .. } if reason == ServerError::Unresolved)
    });
    assert!(failed);
}

/// Frames in one datagram run: what leaves for the relay in one go arrives one by one.
#[test]
fn a_run_of_segments_goes_through_the_relay() {
    let net = Net::new(10).link(Link::perfect(ms(10)));
    let now = net.now();
    let asks = options(10, at(A))
        .ice_servers(vec![turn()])
        .local_candidates(LocalCandidates::AtOnce)
        .max_segments(8);
    let a = Peer::new(RTCConnection::new(asks, now).unwrap());
    let mut call = Call::of(net, Node::Peer(Box::new(Lawful::new(a))), 10).connected();
    assert!(call.says());
    let now = call.net.now();
    let ours = &mut call.net.node_mut(call.a).peer().connection;
    let track = ours.tracks(&RTCTrackFilter::default())[0];
    for index in 0..5 {
        let frame = Frame::new(vec![index; 100], 10_000_000 + u64::from(index) * 960);
        ours.send_frame(track, &frame, now).unwrap();
    }
    let mut buf = b"before".to_vec();
    let sent = ours.poll_transmit(&mut buf, now).unwrap();
    assert_eq!(sent.path, Path::udp(at(A), at(SERVER)));
    let segment = sent.segment.unwrap();
    assert_eq!(sent.len, buf.len() - 6);
    assert_eq!(sent.len.div_ceil(segment), 5);
    let before = call.frames();
    for piece in buf[6..].chunks(segment) {
        let mut piece = piece.to_vec();
        call.net.inject(call.server, at(SERVER), at(A), &mut piece);
    }
    call.net.run_for(ms(500));
    assert_eq!(call.frames(), before + 5);
}

/// The laws hold for whoever asks servers: the network checks the calls, this the deadlines.
#[test]
fn deadlines_of_servers_are_kept_once_and_output_is_due() {
    for mut call in [Call::new(11), Call::with_socket(12)] {
        call = call.connected();
        for _ in 0..40 {
            call.net.run_for(Duration::from_secs(7));
        }
        assert!(call.are_connected());
        let now = call.net.now();
        match call.net.node_mut(call.a) {
            Node::Peer(peer) => early_timeouts_do_nothing(peer, now),
            Node::Hub(hub) => early_timeouts_do_nothing(hub, now),
            Node::Server(_) => panic!("a server"),
        }
        // From here on nobody answers.
        for _ in 0..200 {
            match call.net.node_mut(call.a) {
                Node::Peer(peer) => due_timeouts_progress(peer),
                Node::Hub(hub) => due_timeouts_progress(hub),
                Node::Server(_) => panic!("a server"),
            }
        }
    }
}

/// What goes through a relay allocates no more than what does not.
#[test]
fn a_packet_through_the_relay_allocates_nothing() {
    let mut call = Call::new(13).connected();
    assert!(call.says());
    call.net.run_for(ms(2_000)); // the channel is bound
    let now = call.net.now();
    let ours = &mut call.net.node_mut(call.a).peer().connection;
    let track = ours.tracks(&RTCTrackFilter::default())[0];
    let payload = bytes::Bytes::from(vec![7; 160]);
    let mut buf = Vec::with_capacity(2_000);
    let mut send = |range: core::ops::Range<u64>| {
        for index in range {
            let frame = Frame::new(payload.clone(), 50_000_000 + index * 960);
            ours.send_frame(track, &frame, now).unwrap();
            buf.clear();
            let sent = ours.poll_transmit(&mut buf, now).unwrap();
            assert_eq!(sent.path.remote, at(SERVER));
            assert!(buf.len() < 250, "a channel, not an indication");
        }
    };
    send(0..2_000);
    let info = measure(|| send(2_000..4_000));
    assert_eq!(info.count_total, 0);
}
