//! A socket with connections that come, restart and go, and datagrams of honest peers, of peers that
//! lie about their address, and of strangers.

use core::net::{Ipv4Addr, SocketAddr};
use std::collections::BTreeSet;
use std::time::Instant;

use ortc_core::ice::stun::{Class, IntegrityKey, MessageBuilder, Method, TransactionId};
use ortc_core::{
    ConnectionId, Datagram, Ecn, Event, LocalCandidates, MAX_HELD_CHECKS, Path, RTCConnection,
    RTCConnectionOptions, RTCIceConnectionInfo, RTCSocket, Route, SocketOptions,
};

use crate::call::{address_a, seed};
use crate::crowd::candidate;

/// Connections in one script.
const MAX_MEMBERS: usize = 10;
const MAX_STEPS: usize = 300;
const PASSWORD: &str = "passwordOfTwentyTwoOctets";

struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        match self.0 {
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
            [] => 0,
        }
    }
}

struct Member {
    id: ConnectionId,
    connection: RTCConnection,
    /// Every generation of local credentials.
    locals: Vec<RTCIceConnectionInfo>,
    /// Every ufrag that its peer was said to have.
    remotes: Vec<String>,
    said: BTreeSet<Path>,
    heard: BTreeSet<Path>,
    answered: BTreeSet<Path>,
    /// Checks that it sent and nobody answered.
    asked: Vec<(Path, TransactionId)>,
    closed: bool,
}

impl Member {
    fn may_have(&self, path: &Path) -> bool {
        self.said.contains(path) || self.proved(path)
    }

    fn proved(&self, path: &Path) -> bool {
        self.heard.contains(path) || self.answered.contains(path)
    }
}

struct World {
    socket: RTCSocket,
    members: Vec<Member>,
    now: Instant,
}

/// Whatever happens: a datagram goes to a connection that lives and that it can be for; an address
/// belongs to who said, or better proved, that its peer is there, and no check takes it from who has
/// proved that; what is kept is bounded; and when all are gone nothing is left.
pub fn routing(data: &[u8]) {
    let now = crate::net::Net::<crate::call::Peer>::new(0).now();
    let options = SocketOptions::new([5; 32]).local_address(address_a());
    let mut world = World {
        socket: RTCSocket::new(options, now).unwrap(),
        members: Vec::new(),
        now,
    };
    let mut script = Script(data);
    for _ in 0..MAX_STEPS {
        if script.0.is_empty() {
            break;
        }
        world.step(&mut script);
        world.settle();
    }
    for index in 0..world.members.len() {
        world.close(index);
    }
    world.settle();
    assert_eq!(world.socket.connections(), 0);
    assert_eq!(world.socket.poll_pending(), None);
    for port in 0..8 {
        assert_eq!(world.owner(&path(port)), Route::Unknown);
    }
}

fn path(number: u8) -> Path {
    let remote = SocketAddr::from((Ipv4Addr::new(10, 1, 0, 1), 7_000 + u16::from(number % 8)));
    Path::udp(address_a(), remote)
}

fn ufrag(number: u8) -> String {
    format!("peer{}", number % 4)
}

impl World {
    fn owner(&mut self, path: &Path) -> Route {
        self.socket
            .handle_datagram(*path, &[0x80, 96, 0, 0], self.now)
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let (op, who, what) = (script.byte(), script.byte(), script.byte());
        let count = self.members.len();
        let index = usize::from(who) % count.max(1);
        match op % 10 {
            0 | 1 if count < MAX_MEMBERS => self.join(op % 10 == 0),
            _ if count == 0 => {}
            2 => self.describe(index, ufrag(what)),
            3 => {
                let at = path(what);
                let member = &mut self.members[index];
                let found = candidate(at.remote);
                if member
                    .connection
                    .set_remote_candidate(&found, self.now)
                    .is_ok()
                {
                    member.said.insert(at);
                }
            }
            4 | 5 => self.check(index, path(what), script.byte()),
            6 => self.answer(index, what),
            7 => {
                let member = &mut self.members[index];
                if let Ok(ice) = member.connection.restart_ice(self.now) {
                    member.locals.push(ice);
                }
            }
            8 if what > 200 => self.close(index),
            8 => self.stranger(path(what), script),
            _ => {
                self.now += core::time::Duration::from_millis(u64::from(what));
                let now = self.now;
                for member in &mut self.members {
                    member.connection.handle_timeout(now);
                }
            }
        }
    }

    fn join(&mut self, fork: bool) {
        let place = if fork {
            self.socket.fork().unwrap()
        } else {
            self.socket.admit().unwrap()
        };
        let id = place.id();
        let number = u64::try_from(self.members.len()).unwrap();
        let options = RTCConnectionOptions::new(seed(number, 4))
            .socket(place)
            .local_candidates(LocalCandidates::AtOnce);
        let connection = RTCConnection::new(options, self.now).unwrap();
        self.members.push(Member {
            id,
            locals: vec![connection.local().ice.clone().unwrap()],
            connection,
            remotes: Vec::new(),
            said: BTreeSet::new(),
            heard: BTreeSet::new(),
            answered: BTreeSet::new(),
            asked: Vec::new(),
            closed: false,
        });
    }

    fn describe(&mut self, index: usize, username_frag: String) {
        let member = &mut self.members[index];
        let ice = RTCIceConnectionInfo {
            username_frag: username_frag.clone(),
            password: PASSWORD.to_owned(),
        };
        if member.connection.set_remote_ice(ice, self.now).is_ok() {
            let _ = member.connection.connect(self.now);
            member.remotes.push(username_frag);
        }
    }

    /// A check for a connection, with its password or another one, from any address.
    fn check(&mut self, index: usize, at: Path, how: u8) {
        let member = &self.members[index];
        let local = member.locals[usize::from(how >> 4) % member.locals.len()].clone();
        let remote = ufrag(how & 3);
        let honest = how & 4 == 0;
        let password = if honest {
            local.password.as_str()
        } else {
            "no"
        };
        let mut check = Vec::new();
        let id = TransactionId([how; 12]);
        let mut message = MessageBuilder::new(&mut check, Class::Request, Method::BINDING, id);
        message.username(&local.username_frag, &remote).unwrap();
        message.priority(0x6E00_01FF).controlling(7);
        let key = IntegrityKey::new(password.as_bytes());
        message.integrity(&key).fingerprint();

        let before = self.owner(&at);
        let route = self.socket.handle_datagram(at, &check, self.now);
        match route {
            Route::Connection(id) => {
                let member = self.live(id);
                let known = |ice: &RTCIceConnectionInfo| ice.username_frag == local.username_frag;
                assert!(member.locals.iter().any(known), "it has this user name");
                if honest {
                    member.heard.insert(at);
                }
                self.hand(id, at, &mut check);
            }
            Route::Held => assert!(honest, "only authentic checks are kept"),
            Route::Unknown => {}
            Route::Consumed | Route::Relayed { .. } => panic!("there is no server"),
        }
        if let Route::Connection(owner) = before
            && self.live(owner).proved(&at)
        {
            assert_eq!(self.owner(&at), before, "no check takes a proved address");
        }
    }

    /// The peer of a connection answers one of its checks, from where it went.
    fn answer(&mut self, index: usize, what: u8) {
        let member = &mut self.members[index];
        if member.asked.is_empty() {
            return;
        }
        let chosen = usize::from(what) % member.asked.len();
        let (at, transaction) = member.asked.remove(chosen);
        let (id, closed, now) = (member.id, member.closed, self.now);
        let mut answer = Vec::new();
        let mut message =
            MessageBuilder::new(&mut answer, Class::Success, Method::BINDING, transaction);
        message.xor_mapped_address(address_a());
        let key = IntegrityKey::new(PASSWORD.as_bytes());
        message.integrity(&key).fingerprint();
        match self.socket.handle_datagram(at, &answer, self.now) {
            Route::Connection(whose) if !closed => {
                assert_eq!(whose, id, "an answer goes to who asked");
                self.hand(id, at, &mut answer);
                let member = self.live(id);
                let mut events = core::iter::from_fn(|| member.connection.poll_event());
                let moved = |event: &Event| matches!(event, Event::ActiveCandidate(_));
                if events.any(|event| moved(&event)) {
                    // What is in use from now on; other valid pairs are not told of.
                    let pairs = member.connection.stats(now).ice.pairs;
                    let active = pairs.into_iter().filter(|pair| pair.active);
                    member.answered.extend(active.map(|pair| pair.path));
                }
            }
            Route::Connection(whose) => assert_ne!(whose, id),
            _ => {}
        }
    }

    fn stranger(&mut self, at: Path, script: &mut Script<'_>) {
        let len = usize::from(script.byte()) % 64;
        let octets: Vec<u8> = (0..len).map(|_| script.byte()).collect();
        let before = self.owner(&at);
        let route = self.socket.handle_datagram(at, &octets, self.now);
        if let Route::Connection(id) = route {
            self.live(id);
        }
        assert_ne!(route, Route::Held);
        assert_eq!(self.owner(&at), before);
    }

    fn close(&mut self, index: usize) {
        let member = &mut self.members[index];
        member.connection.close(self.now);
        member.closed = true;
    }

    fn live(&mut self, id: ConnectionId) -> &mut Member {
        let found = self.members.iter_mut().find(|member| member.id == id);
        let member = found.unwrap();
        assert!(!member.closed, "nothing goes to a closed connection");
        member
    }

    fn hand(&mut self, id: ConnectionId, path: Path, contents: &mut [u8]) {
        let (now, ecn) = (self.now, Ecn::default());
        let datagram = Datagram {
            path,
            contents,
            ecn,
        };
        self.live(id).connection.handle_datagram(datagram, now);
    }

    fn settle(&mut self) {
        let mut buf = Vec::new();
        for member in &mut self.members {
            while let Some(sent) = member.connection.poll_transmit(&mut buf, self.now) {
                if let [0, 1, _, _, _, _, _, _, id @ ..] = buf.as_slice() {
                    let id = TransactionId(*id.first_chunk().unwrap());
                    member.asked.push((sent.path, id));
                    if member.asked.len() > 16 {
                        member.asked.remove(0);
                    }
                }
                buf.clear();
            }
            while let Some(update) = member.connection.poll_socket_update() {
                self.socket.handle_update(update, self.now);
            }
            while member.connection.poll_event().is_some() {}
        }
        let mut pending = 0;
        while let Some((id, mut held)) = self.socket.poll_pending() {
            pending += 1;
            self.live(id).heard.insert(held.path);
            self.hand(id, held.path, &mut held.contents);
        }
        assert!(pending <= MAX_HELD_CHECKS);
        for port in 0..8 {
            let at = path(port);
            let owner = match self.owner(&at) {
                Route::Connection(owner) => Some(owner),
                _ => None,
            };
            if let Some(owner) = owner {
                assert!(self.live(owner).may_have(&at), "it never said so");
            }
            // What did not win the address, or lost it, counts for nothing later.
            for member in &mut self.members {
                if owner != Some(member.id) {
                    member.heard.remove(&at);
                    member.answered.remove(&at);
                }
            }
        }
    }
}
