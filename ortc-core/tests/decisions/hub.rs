//! A socket with its connections, and their peers.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use ortc_core::ice::Config;
use ortc_core::{
    ConnectionId, Datagram, Ecn, Path, RTCConnection, RTCConnectionOptions,
    RTCIceCandidateDescription, RTCSocket, Route, SocketOptions,
};
use ortc_testkit::call::{address_a, seed};

use super::{at_once, call};

/// Connections on one socket at 10.0.0.1, and their peers, one address each; delivery takes no time.
pub(super) struct Hub {
    pub(super) socket: RTCSocket,
    pub(super) ours: BTreeMap<ConnectionId, RTCConnection>,
    pub(super) peers: Vec<RTCConnection>,
    pub(super) now: Instant,
    /// Where each peer is; a peer that is gone is nowhere.
    pub(super) at: Vec<Option<SocketAddr>>,
    /// When each check left our connections.
    pub(super) checked_at: Vec<Instant>,
    wire: VecDeque<(Path, Vec<u8>)>,
    pub(super) unknown: usize,
    /// Every check that came to us.
    pub(super) checks: Vec<(Path, Vec<u8>)>,
}

pub(super) fn peer_address(index: usize) -> SocketAddr {
    format!("10.0.1.{}:7000", index + 1).parse().unwrap()
}

impl Hub {
    pub(super) fn new() -> Self {
        let now = call(0).net.now();
        let options = SocketOptions::new([5; 32]).local_address(address_a());
        Self {
            socket: RTCSocket::new(options, now).unwrap(),
            ours: BTreeMap::new(),
            peers: Vec::new(),
            at: Vec::new(),
            now,
            checked_at: Vec::new(),
            wire: VecDeque::new(),
            unknown: 0,
            checks: Vec::new(),
        }
    }

    /// A connection on the socket; `fork` shares credentials.
    pub(super) fn add(&mut self, fork: bool) -> ConnectionId {
        let place = if fork {
            self.socket.fork().unwrap()
        } else {
            self.socket.admit().unwrap()
        };
        let id = place.id();
        let number = self.ours.len().try_into().unwrap();
        let options = RTCConnectionOptions::new(seed(number, 9)).socket(place);
        let connection = RTCConnection::new(at_once(options), self.now).unwrap();
        self.ours.insert(id, connection);
        id
    }

    /// A peer that has our description but is not known to us yet.
    pub(super) fn peer(&mut self, of: ConnectionId) -> usize {
        let address = peer_address(self.peers.len());
        self.peer_at(of, address, Config::default())
    }

    /// The same, from this address.
    pub(super) fn peer_at(&mut self, of: ConnectionId, address: SocketAddr, ice: Config) -> usize {
        let index = self.peers.len();
        let options = RTCConnectionOptions::new(seed(index.try_into().unwrap(), 8))
            .local_address(address)
            .ice(ice);
        let mut peer = RTCConnection::new(at_once(options), self.now).unwrap();
        let ours = &self.ours[&of];
        peer.set_remote_ice(ours.local().ice.clone().unwrap(), self.now)
            .unwrap();
        peer.set_remote_candidate(&candidate(address_a()), self.now)
            .unwrap();
        peer.connect(self.now).unwrap();
        self.peers.push(peer);
        self.at.push(Some(address));
        index
    }

    /// Our connection learns of the peer.
    pub(super) fn answer(&mut self, id: ConnectionId, peer: usize) {
        let ice = self.peers[peer].local().ice.clone().unwrap();
        let ours = self.ours.get_mut(&id).unwrap();
        ours.set_remote_ice(ice, self.now).unwrap();
        ours.connect(self.now).unwrap();
    }

    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.settle();
            let ours = self.ours.values().filter_map(RTCConnection::poll_timeout);
            let peers = self.peers.iter().filter_map(RTCConnection::poll_timeout);
            let next = ours.chain(peers).map(|timeout| timeout.at).min();
            let Some(at) = next.filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            for connection in self.ours.values_mut().chain(&mut self.peers) {
                connection.handle_timeout(self.now);
            }
        }
    }

    pub(super) fn settle(&mut self) {
        loop {
            let mut buf = Vec::new();
            for connection in self.ours.values_mut() {
                while let Some(sent) = connection.poll_transmit(&mut buf, self.now) {
                    if buf.starts_with(&[0, 1]) {
                        self.checked_at.push(self.now);
                    }
                    self.wire.push_back((sent.path, core::mem::take(&mut buf)));
                }
            }
            for (peer, at) in self.peers.iter_mut().zip(&self.at) {
                while let Some(sent) = peer.poll_transmit(&mut buf, self.now) {
                    let contents = core::mem::take(&mut buf);
                    if at.is_some() {
                        self.wire.push_back((sent.path, contents));
                    }
                }
            }
            for connection in self.ours.values_mut() {
                while let Some(update) = connection.poll_socket_update() {
                    self.socket.handle_update(update, self.now);
                }
            }
            while let Some((id, pending)) = self.socket.poll_pending() {
                self.deliver(id, pending.path, pending.contents);
            }
            let Some((path, contents)) = self.wire.pop_front() else {
                return;
            };
            let arrival = Path::udp(path.remote, path.local);
            if path.remote == address_a() {
                if contents[..2] == [0, 1] {
                    self.checks.push((arrival, contents.clone()));
                }
                match self.socket.handle_datagram(arrival, &contents, self.now) {
                    Route::Connection(id) => self.deliver(id, arrival, contents),
                    Route::Held => {}
                    _ => self.unknown += 1,
                }
            } else {
                let known = self.at.iter().position(|at| *at == Some(path.remote));
                if let Some(peer) = known {
                    let peer = &mut self.peers[peer];
                    hand(peer, arrival, contents, self.now);
                }
            }
        }
    }

    fn deliver(&mut self, id: ConnectionId, path: Path, contents: Vec<u8>) {
        hand(self.ours.get_mut(&id).unwrap(), path, contents, self.now);
    }
}

pub(super) fn hand(
    connection: &mut RTCConnection,
    path: Path,
    mut contents: Vec<u8>,
    now: Instant,
) {
    let contents = contents.as_mut_slice();
    let ecn = Ecn::default();
    connection.handle_datagram(
        Datagram {
            path,
            contents,
            ecn,
        },
        now,
    );
}

pub(super) fn candidate(address: SocketAddr) -> RTCIceCandidateDescription {
    RTCIceCandidateDescription {
        foundation: "1".to_owned(),
        component: 1,
        transport: "udp".to_owned(),
        tcp_type: None,
        priority: 2_130_706_431,
        connection_address: address.ip().to_string(),
        connection_port: address.port(),
        kind: "host".to_owned(),
        rel_address: None,
        rel_port: None,
        dtls: None,
    }
}

impl Hub {
    /// Whose this would be if it came as media from that address.
    pub(super) fn owner(&mut self, remote: SocketAddr) -> Route {
        let path = Path::udp(address_a(), remote);
        self.socket
            .handle_datagram(path, &[0x80, 96, 0, 0], self.now)
    }
}
