//! A connection that asks servers, and an embedder, servers and peers that do anything in any order.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::time::Instant;

use ortc_core::{
    Datagram, Ecn, Event, LocalCandidates, OpenStream, Path, RTCConnection, RTCConnectionOptions,
    RTCIceConnectionInfo, RTCIceServer, ResolveQuery, StreamId, TcpType,
};

use crate::call::{address_a, seed};
use crate::crowd::candidate;
use crate::net::Machine;
use crate::servers::turn_server::{TurnConfig, TurnServer};

const MAX_STEPS: usize = 200;
const RELAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 11);

fn server_address() -> SocketAddr {
    (Ipv4Addr::new(192, 0, 2, 10), 3_478).into()
}

struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> u8 {
        match self.0 {
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
            [] => 0,
        }
    }

    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// One connection, one real server, and all that was asked of the embedder.
struct World {
    connection: RTCConnection,
    server: TurnServer,
    now: Instant,
    /// What left, and may come back in any shape.
    sent: Vec<(Path, Vec<u8>)>,
    queries: Vec<ResolveQuery>,
    opening: Vec<OpenStream>,
    streams: u64,
    ended: usize,
}

/// Servers that answer, lie, or are silent; names that resolve to anything; streams that open, break
/// and bring anything: nothing panics, every deadline moves on, the end is told once and last, and
/// after it nothing is due.
pub fn servers_and_streams(data: &[u8]) {
    let now = crate::net::Net::<crate::call::Peer>::new(0).now();
    let url = [
        format!("turn:{}", server_address()),
        format!("turn:{}?transport=tcp", server_address()),
        "turns:relay.example".to_owned(),
    ];
    let turn = RTCIceServer {
        url: url.to_vec(),
        credential: Some("secret".to_owned()),
        username: Some("user".to_owned()),
    };
    let stun = RTCIceServer::new("stun:stun.example");
    let options = RTCConnectionOptions::new(seed(1, 6))
        .local_address(address_a())
        .local_tcp_address((address_a().ip(), 9_000).into(), TcpType::Passive)
        .local_tcp_address((address_a().ip(), 0).into(), TcpType::Active)
        .local_candidates(LocalCandidates::AtOnce)
        .ice_servers(vec![turn, stun]);
    let server = TurnServer::new(TurnConfig {
        listen: vec![server_address()],
        relays: vec![RELAY.into()],
        username: "user".to_owned(),
        password: "secret".to_owned(),
        realm: "example.org".to_owned(),
        nonce_lifetime: Duration::from_secs(3_600),
        capacity: 10,
    });
    let mut world = World {
        connection: RTCConnection::new(options, now).unwrap(),
        server,
        now,
        sent: Vec::new(),
        queries: Vec::new(),
        opening: Vec::new(),
        streams: 0,
        ended: 0,
    };
    let ice = RTCIceConnectionInfo {
        username_frag: "peer".to_owned(),
        password: "passwordOfTwentyTwoOctets".to_owned(),
    };
    world.connection.set_remote_ice(ice, now).unwrap();
    world.connection.connect(now).unwrap();
    world.settle();
    let mut script = Script(data);
    for _ in 0..MAX_STEPS {
        if script.0.is_empty() {
            break;
        }
        world.step(&mut script);
        world.settle();
    }
    world.connection.close(world.now);
    world.settle();
    assert!(world.connection.is_closed());
    assert_eq!(world.connection.poll_timeout(), None);
    assert_eq!(world.ended, 1, "the end is told once");
}

impl World {
    fn step(&mut self, script: &mut Script<'_>) {
        let (op, pick) = (script.byte(), script.byte());
        let (now, ip) = (self.now, address_a().ip());
        let stream = StreamId(u64::from(pick) % (self.streams + 1));
        let connection = &mut self.connection;
        match op % 14 {
            0 => self.now += Duration::from_millis(u64::from(pick)),
            1 => self.now += Duration::from_millis(u64::from(pick) * 2_000),
            2 => {
                // The real server reads what it was sent, and answers.
                for (path, mut contents) in core::mem::take(&mut self.sent) {
                    if path.remote == server_address() {
                        let (local, remote) = (path.remote, path.local);
                        self.server
                            .handle_datagram(local, remote, &mut contents, now);
                    }
                }
                let mut buf = Vec::new();
                while let Some((local, remote)) = self.server.poll_transmit(&mut buf, now) {
                    if remote == address_a() {
                        hand(connection, Path::udp(remote, local), &mut buf, now);
                    }
                    buf.clear();
                }
            }
            3 | 4 => {
                // Something that left comes back as an answer, damaged.
                let index = usize::from(pick) % self.sent.len().max(1);
                if let Some((path, contents)) = self.sent.get(index) {
                    let (path, mut contents) = (*path, contents.clone());
                    if let Some(first) = contents.first_mut() {
                        *first |= 1;
                    }
                    let place = usize::from(script.byte()) * 2;
                    if let Some(octet) = contents.get_mut(place) {
                        *octet ^= script.byte();
                    }
                    hand(connection, path, &mut contents, now);
                }
            }
            5 => {
                let mut contents = script.bytes(usize::from(pick)).to_vec();
                let path = Path::udp(address_a(), server_address());
                hand(connection, path, &mut contents, now);
            }
            6 if !self.queries.is_empty() => {
                let query = self.queries.remove(usize::from(pick) % self.queries.len());
                let found: Vec<IpAddr> = (0..script.byte() % 4)
                    .map(|_| match script.byte() {
                        0..=99 => server_address().ip(),
                        100..=199 => Ipv4Addr::new(10, 0, 0, pick).into(),
                        other => Ipv4Addr::new(other, 0, 0, 0).into(),
                    })
                    .collect();
                connection.resolved(query, &found, now);
            }
            7 if !self.opening.is_empty() => {
                let asked = usize::from(pick >> 1) % self.opening.len();
                let open = self.opening.remove(asked);
                if pick & 1 == 0 {
                    self.streams += 1;
                    let actual = (ip, 40_000 + u16::from(pick)).into();
                    let stream = StreamId(self.streams);
                    connection.stream_opened(open.local, open.remote, stream, actual, now);
                } else {
                    connection.stream_failed(open.local, open.remote, now);
                }
            }
            8 => {
                self.streams += 1;
                let remote = (Ipv4Addr::new(10, 0, 0, pick), 5_000).into();
                connection.stream_accepted(StreamId(self.streams), (ip, 9_000).into(), remote, now);
            }
            9 => connection.handle_stream(stream, script.bytes(usize::from(pick)), now),
            10 => connection.stream_closed(stream, now),
            11 => {
                let mut found = candidate((Ipv4Addr::new(10, 0, 0, pick), 5_000).into());
                if pick & 1 == 0 {
                    found.transport = "tcp".to_owned();
                    found.tcp_type =
                        Some(["active", "passive", "so"][usize::from(pick % 3)].into());
                }
                if pick & 6 == 6 {
                    found.connection_address =
                        format!("0b2ce2f5-5e1f-4f5b-9f5a-2c8a5d8b3f{pick:02x}.local");
                }
                let _ = connection.set_remote_candidate(&found, now);
            }
            12 => {
                let address = (Ipv4Addr::new(10, 0, 0, pick % 4), 5_000).into();
                let _ = match pick >> 6 {
                    0 => connection.add_local_address(address),
                    1 => connection.local_address_lost(address, now),
                    _ => {
                        connection.remove_local_address(address);
                        Ok(())
                    }
                };
                let _ = connection.update(now);
            }
            13 if pick > 250 => connection.close(now),
            13 => drop(connection.restart_ice(now)),
            _ => {}
        }
    }

    /// Does what is due until nothing is, and takes out what waits.
    fn settle(&mut self) {
        let now = self.now;
        let mut buf = Vec::new();
        for round in 0.. {
            assert!(round < 5_000, "it never comes to rest");
            let mut quiet = true;
            while let Some(sent) = self.connection.poll_transmit(&mut buf, now) {
                quiet = false;
                assert_eq!(sent.len, buf.len());
                self.sent.push((sent.path, core::mem::take(&mut buf)));
            }
            while let Some(event) = self.connection.poll_event() {
                quiet = false;
                assert_eq!(self.ended, 0, "nothing follows the end");
                match event {
                    Event::Resolve { query, .. } => self.queries.push(query),
                    Event::OpenStream(open) => self.opening.push(*open),
                    Event::Disconnected(reason) => {
                        let back = ortc_core::DisconnectReason::ConsentExpired;
                        self.ended += usize::from(reason != back);
                    }
                    _ => {}
                }
            }
            let due = self.connection.poll_timeout();
            if due.is_some_and(|timeout| timeout.at <= now) {
                quiet = false;
                self.connection.handle_timeout(now);
            }
            if quiet {
                break;
            }
        }
        let spare = self.sent.len().saturating_sub(64);
        self.sent.drain(..spare);
    }
}

fn hand(connection: &mut RTCConnection, path: Path, contents: &mut [u8], now: Instant) {
    let ecn = Ecn::default();
    let datagram = Datagram {
        path,
        contents,
        ecn,
    };
    connection.handle_datagram(datagram, now);
}
