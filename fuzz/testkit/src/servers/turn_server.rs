//! A TURN server over UDP (RFC 8656): long-term credentials, allocations in one or two families,
//! permissions, channels. It forgives a client nothing that the RFC lets a server refuse.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use md5::{Digest, Md5};
use ortc_ice::stun::{
    AttributeType, Class, ErrorCode, IntegrityKey, Message, MessageBuilder, Method, TransactionId,
};

use super::wire::{family, read_xored_address, unknown, value_of, xored_address};
use crate::net::Machine;

const CHANNEL_NUMBER: AttributeType = AttributeType(0x000C);
const LIFETIME: AttributeType = AttributeType(0x000D);
const XOR_PEER_ADDRESS: AttributeType = AttributeType(0x0012);
const DATA: AttributeType = AttributeType(0x0013);
const XOR_RELAYED_ADDRESS: AttributeType = AttributeType(0x0016);
const REQUESTED_ADDRESS_FAMILY: AttributeType = AttributeType(0x0017);
const REQUESTED_TRANSPORT: AttributeType = AttributeType(0x0019);
const ADDITIONAL_ADDRESS_FAMILY: AttributeType = AttributeType(0x8000);
const ADDRESS_ERROR_CODE: AttributeType = AttributeType(0x8001);

const ALLOCATE: u16 = 3;
const REFRESH: u16 = 4;
const SEND: u16 = 6;
const DATA_METHOD: u16 = 7;
const CREATE_PERMISSION: u16 = 8;
const CHANNEL_BIND: u16 = 9;

/// What has to be understood and is (RFC 8656 §18). Neither EVEN-PORT nor DONT-FRAGMENT.
const KNOWN: [AttributeType; 11] = [
    AttributeType::USERNAME,
    AttributeType::MESSAGE_INTEGRITY,
    AttributeType::REALM,
    AttributeType::NONCE,
    CHANNEL_NUMBER,
    LIFETIME,
    XOR_PEER_ADDRESS,
    DATA,
    REQUESTED_ADDRESS_FAMILY,
    REQUESTED_TRANSPORT,
    AttributeType::XOR_MAPPED_ADDRESS,
];

/// The lifetime of a permission (RFC 8656 §9).
const PERMISSION: Duration = Duration::from_secs(300);
/// The lifetime of a channel binding (RFC 8656 §12).
const CHANNEL: Duration = Duration::from_secs(600);
/// The least and the most that an allocation gets (RFC 8656 §7.2).
const LIFETIMES: (u32, u32) = (600, 3_600);

/// What a server demands and offers.
#[derive(Clone, Debug)]
pub struct TurnConfig {
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// Where it relays: one address for each family that it has.
    pub relays: Vec<IpAddr>,
    /// Who may use it.
    pub username: String,
    /// With this password.
    pub password: String,
    /// In this realm.
    pub realm: String,
    /// How long a nonce is good for.
    pub nonce_lifetime: Duration,
    /// How many allocations there may be.
    pub capacity: usize,
}

#[derive(Debug)]
struct Allocation {
    /// The request that made it, as it may come again (RFC 8656 §7.2).
    made_by: TransactionId,
    relayed: Vec<SocketAddr>,
    until: Instant,
    permissions: BTreeMap<IpAddr, Instant>,
    channels: BTreeMap<u16, (SocketAddr, Instant)>,
}

/// The client's end and ours (RFC 8656 §2.2); the transport is always UDP.
type FiveTuple = (SocketAddr, SocketAddr);

/// The server.
#[derive(Debug)]
pub struct TurnServer {
    config: TurnConfig,
    key: IntegrityKey,
    allocations: BTreeMap<FiveTuple, Allocation>,
    by_relayed: BTreeMap<SocketAddr, FiveTuple>,
    next_port: u16,
    start: Option<Instant>,
    out: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// Payloads relayed, both ways.
    pub relayed: usize,
    /// Payloads of peers without a permission, and of clients without an allocation.
    pub refused: usize,
    /// Refusals by error code.
    pub errors: BTreeMap<u16, usize>,
}

type Refusal = (u16, &'static [u8]);

const BAD_REQUEST: Refusal = (400, b"Bad Request");
const UNAUTHORIZED: Refusal = (401, b"Unauthorized");
const MISMATCH: Refusal = (437, b"Allocation Mismatch");
const STALE: Refusal = (438, b"Stale Nonce");
const FAMILY: Refusal = (440, b"Address Family not Supported");
const TRANSPORT: Refusal = (442, b"Unsupported Transport Protocol");
const PEER_FAMILY: Refusal = (443, b"Peer Address Family Mismatch");
const CAPACITY: Refusal = (508, b"Insufficient Capacity");

impl TurnServer {
    /// A server without allocations.
    #[must_use]
    pub fn new(config: TurnConfig) -> Self {
        // RFC 8489 §18.5.1.1; the names here need no preparation.
        let text = format!("{}:{}:{}", config.username, config.realm, config.password);
        let key = IntegrityKey::new(&Md5::digest(text.as_bytes()));
        Self {
            config,
            key,
            allocations: BTreeMap::new(),
            by_relayed: BTreeMap::new(),
            next_port: 49_152,
            start: None,
            out: VecDeque::new(),
            relayed: 0,
            refused: 0,
            errors: BTreeMap::new(),
        }
    }

    /// What it demands and offers.
    #[must_use]
    pub const fn config(&self) -> &TurnConfig {
        &self.config
    }

    /// How many allocations there are, and how many permissions and channels in all of them.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        let of = |allocation: &Allocation| allocation.permissions.len() + allocation.channels.len();
        (
            self.allocations.len(),
            self.allocations.values().map(of).sum(),
        )
    }

    /// Forgets all allocations, as a server does that was restarted.
    pub fn reboot(&mut self) {
        self.allocations.clear();
        self.by_relayed.clear();
    }

    /// What has expired is gone.
    fn expire(&mut self, now: Instant) {
        self.allocations.retain(|_, allocation| {
            allocation.permissions.retain(|_, until| *until > now);
            allocation.channels.retain(|_, (_, until)| *until > now);
            allocation.until > now
        });
        let alive = &self.allocations;
        self.by_relayed.retain(|_, tuple| alive.contains_key(tuple));
    }

    fn nonce(&self, now: Instant) -> String {
        let age = now - self.start.unwrap_or(now);
        format!("{:016x}", age.as_millis())
    }

    fn is_fresh(&self, nonce: &[u8], now: Instant) -> bool {
        let Some(start) = self.start else {
            return false;
        };
        core::str::from_utf8(nonce)
            .ok()
            .and_then(|text| u64::from_str_radix(text, 16).ok())
            .map(|millis| start + Duration::from_millis(millis))
            .is_some_and(|issued| issued <= now && now - issued < self.config.nonce_lifetime)
    }

    fn handle_request(&mut self, tuple: FiveTuple, message: &Message<'_>, now: Instant) {
        let method = message.method().number();
        let mut body = Vec::new();
        let verdict = self.authenticate(message, now).and_then(|()| {
            let unknown = unknown(message, &KNOWN);
            if !unknown.is_empty() {
                return Err((420, b"Unknown Attribute".as_slice()));
            }
            match method {
                ALLOCATE => self.allocate(tuple, message, now, &mut body),
                REFRESH => self.refresh(tuple, message, now, &mut body),
                CREATE_PERMISSION => self.create_permission(tuple, message, now),
                CHANNEL_BIND => self.channel_bind(tuple, message, now),
                _ => Err(BAD_REQUEST),
            }
        });
        let (id, (client, server)) = (message.transaction_id(), tuple);
        let mut out = Vec::new();
        match verdict {
            Ok(()) => {
                let mut answer =
                    MessageBuilder::new(&mut out, Class::Success, message.method(), id);
                for (kind, value) in &body {
                    answer.attribute(*kind, value).unwrap();
                }
                answer.integrity(&self.key);
                answer.fingerprint();
            }
            Err((code, reason)) => {
                *self.errors.entry(code).or_default() += 1;
                let nonce = self.nonce(now);
                let mut answer = MessageBuilder::new(&mut out, Class::Error, message.method(), id);
                answer.error_code(ErrorCode { code, reason }).unwrap();
                if code == 420 {
                    answer
                        .unknown_attributes(&unknown(message, &KNOWN))
                        .unwrap();
                }
                // RFC 8489 §9.2.4: a challenge is not protected, every other answer is.
                if matches!((code, reason), UNAUTHORIZED | STALE) {
                    answer
                        .attribute(AttributeType::REALM, self.config.realm.as_bytes())
                        .unwrap();
                    answer
                        .attribute(AttributeType::NONCE, nonce.as_bytes())
                        .unwrap();
                } else if message.has_integrity() {
                    answer.integrity(&self.key);
                }
                answer.fingerprint();
            }
        }
        self.out.push_back((server, client, out));
    }

    /// RFC 8489 §9.2.4.
    fn authenticate(&self, message: &Message<'_>, now: Instant) -> Result<(), Refusal> {
        if !message.has_integrity() {
            return Err(UNAUTHORIZED);
        }
        let (Some(user), Some(realm), Some(nonce)) = (
            message.username(),
            value_of(message, AttributeType::REALM),
            value_of(message, AttributeType::NONCE),
        ) else {
            return Err(BAD_REQUEST);
        };
        if !self.is_fresh(nonce, now) {
            return Err(STALE);
        }
        let known = user == self.config.username && realm == self.config.realm.as_bytes();
        if !known || !message.verify_integrity(&self.key) {
            return Err(UNAUTHORIZED);
        }
        Ok(())
    }

    /// RFC 8656 §7.2.
    fn allocate(
        &mut self,
        tuple: FiveTuple,
        message: &Message<'_>,
        now: Instant,
        body: &mut Vec<(AttributeType, Vec<u8>)>,
    ) -> Result<(), Refusal> {
        let id = message.transaction_id();
        let mut refused_family = None;
        if let Some(known) = self.allocations.get(&tuple) {
            if known.made_by != id {
                return Err(MISMATCH);
            }
        } else {
            match value_of(message, REQUESTED_TRANSPORT) {
                Some([17, _, _, _]) => {}
                Some([_, _, _, _]) => return Err(TRANSPORT),
                Some(_) | None => return Err(BAD_REQUEST),
            }
            let requested = value_of(message, REQUESTED_ADDRESS_FAMILY);
            let additional = value_of(message, ADDITIONAL_ADDRESS_FAMILY);
            let families: &[u8] = match (requested, additional) {
                (None, None) => &[1],
                (Some([family, 0, 0, 0]), None) => core::slice::from_ref(family),
                (None, Some([2, 0, 0, 0])) => &[1, 2],
                (Some(_) | None, Some(_) | None) => return Err(BAD_REQUEST),
            };
            if self.allocations.len() >= self.config.capacity {
                return Err(CAPACITY);
            }
            let mut relayed = Vec::new();
            for wanted in families {
                let ip = self.config.relays.iter().find(|ip| family(**ip) == *wanted);
                match ip {
                    Some(ip) => {
                        self.next_port = self.next_port.checked_add(1).unwrap_or(49_152);
                        relayed.push(SocketAddr::new(*ip, self.next_port));
                    }
                    None => refused_family = Some(*wanted),
                }
            }
            if relayed.is_empty() || (refused_family.is_some() && families.len() == 1) {
                return Err(FAMILY);
            }
            for address in &relayed {
                self.by_relayed.insert(*address, tuple);
            }
            let allocation = Allocation {
                made_by: id,
                relayed,
                until: now + lifetime(message),
                permissions: BTreeMap::new(),
                channels: BTreeMap::new(),
            };
            self.allocations.insert(tuple, allocation);
        }
        let allocation = &self.allocations[&tuple];
        for address in &allocation.relayed {
            body.push((XOR_RELAYED_ADDRESS, xored_address(*address, id)));
        }
        let left = u32::try_from((allocation.until - now).as_secs()).unwrap();
        body.push((LIFETIME, left.to_be_bytes().to_vec()));
        body.push((
            AttributeType::XOR_MAPPED_ADDRESS,
            xored_address(tuple.0, id),
        ));
        if let Some(family) = refused_family {
            body.push((ADDRESS_ERROR_CODE, vec![family, 0, 4, 40]));
        }
        Ok(())
    }

    /// RFC 8656 §8.2.
    fn refresh(
        &mut self,
        tuple: FiveTuple,
        message: &Message<'_>,
        now: Instant,
        body: &mut Vec<(AttributeType, Vec<u8>)>,
    ) -> Result<(), Refusal> {
        let allocation = self.allocations.get_mut(&tuple).ok_or(MISMATCH)?;
        if let Some(value) = value_of(message, REQUESTED_ADDRESS_FAMILY)
            && !allocation
                .relayed
                .iter()
                .any(|known| value.first() == Some(&family(known.ip())))
        {
            return Err(PEER_FAMILY);
        }
        let asked = value_of(message, LIFETIME);
        if asked == Some(&[0; 4]) {
            self.allocations.remove(&tuple);
            body.push((LIFETIME, vec![0; 4]));
        } else {
            let lifetime = lifetime(message);
            allocation.until = now + lifetime;
            let seconds = u32::try_from(lifetime.as_secs()).unwrap();
            body.push((LIFETIME, seconds.to_be_bytes().to_vec()));
        }
        Ok(())
    }

    /// RFC 8656 §10.2: all of the addresses, or none.
    fn create_permission(
        &mut self,
        tuple: FiveTuple,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let allocation = self.allocations.get_mut(&tuple).ok_or(MISMATCH)?;
        let peers: Vec<_> = message
            .attributes()
            .filter(|attribute| attribute.kind == XOR_PEER_ADDRESS)
            .map(|attribute| read_xored_address(attribute.value, message.transaction_id()))
            .collect::<Option<_>>()
            .ok_or(BAD_REQUEST)?;
        if peers.is_empty() {
            return Err(BAD_REQUEST);
        }
        if !peers.iter().all(|peer| allocation.has_family(peer.ip())) {
            return Err(PEER_FAMILY);
        }
        for peer in peers {
            allocation.permissions.insert(peer.ip(), now + PERMISSION);
        }
        Ok(())
    }

    /// RFC 8656 §12.2.
    fn channel_bind(
        &mut self,
        tuple: FiveTuple,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let allocation = self.allocations.get_mut(&tuple).ok_or(MISMATCH)?;
        let number = match value_of(message, CHANNEL_NUMBER) {
            Some([high, low, _, _]) => u16::from_be_bytes([*high, *low]),
            Some(_) | None => return Err(BAD_REQUEST),
        };
        let peer = value_of(message, XOR_PEER_ADDRESS)
            .and_then(|value| read_xored_address(value, message.transaction_id()))
            .ok_or(BAD_REQUEST)?;
        let is_other =
            |(known, (to, _)): (&u16, &(SocketAddr, Instant))| (*known == number) != (*to == peer);
        if !(0x4000..=0x4FFF).contains(&number) || allocation.channels.iter().any(is_other) {
            return Err(BAD_REQUEST);
        }
        if !allocation.has_family(peer.ip()) {
            return Err(PEER_FAMILY);
        }
        allocation.channels.insert(number, (peer, now + CHANNEL));
        allocation.permissions.insert(peer.ip(), now + PERMISSION);
        Ok(())
    }

    /// A Send indication (RFC 8656 §11.2).
    fn send(&mut self, tuple: FiveTuple, message: &Message<'_>) {
        let peer = value_of(message, XOR_PEER_ADDRESS)
            .and_then(|value| read_xored_address(value, message.transaction_id()));
        if let (Some(peer), Some(data)) = (peer, value_of(message, DATA))
            && unknown(message, &KNOWN).is_empty()
        {
            self.relay_out(tuple, peer, data);
        }
    }

    /// ChannelData from a client (RFC 8656 §12.6).
    fn channel_data(&mut self, tuple: FiveTuple, contents: &[u8]) {
        let number = u16::from_be_bytes([contents[0], contents[1]]);
        let length = usize::from(u16::from_be_bytes([contents[2], contents[3]]));
        let peer = self
            .allocations
            .get(&tuple)
            .and_then(|allocation| allocation.channels.get(&number))
            .map(|(peer, _)| *peer);
        match (peer, contents.get(4..4 + length)) {
            (Some(peer), Some(data)) => self.relay_out(tuple, peer, data),
            (Some(_) | None, Some(_) | None) => self.refused += 1,
        }
    }

    fn relay_out(&mut self, tuple: FiveTuple, peer: SocketAddr, data: &[u8]) {
        let from = self.allocations.get(&tuple).and_then(|allocation| {
            allocation.permissions.get(&peer.ip())?;
            let alike = |known: &&SocketAddr| known.is_ipv4() == peer.is_ipv4();
            allocation.relayed.iter().find(alike).copied()
        });
        match from {
            Some(from) => {
                self.relayed += 1;
                self.out.push_back((from, peer, data.to_vec()));
            }
            None => self.refused += 1,
        }
    }

    /// Something arrived at a relayed address (RFC 8656 §11.3, §12.7).
    fn relay_in(&mut self, relayed: SocketAddr, peer: SocketAddr, contents: &[u8]) {
        let tuple = self.by_relayed[&relayed];
        let allocation = &self.allocations[&tuple];
        let (client, server) = tuple;
        if !allocation.permissions.contains_key(&peer.ip()) {
            self.refused += 1;
            return;
        }
        let channel = allocation.channels.iter().find(|(_, (to, _))| *to == peer);
        let mut out = Vec::new();
        match channel {
            Some((number, _)) => {
                out.extend_from_slice(&number.to_be_bytes());
                out.extend_from_slice(&u16::try_from(contents.len()).unwrap().to_be_bytes());
                out.extend_from_slice(contents);
            }
            None => {
                let mut id = [0x5E; 12];
                id[..8].copy_from_slice(&(self.relayed as u64).to_be_bytes());
                let id = TransactionId(id);
                let method = Method::new(DATA_METHOD).unwrap();
                let mut message = MessageBuilder::new(&mut out, Class::Indication, method, id);
                message
                    .attribute(XOR_PEER_ADDRESS, &xored_address(peer, id))
                    .unwrap();
                message.attribute(DATA, contents).unwrap();
            }
        }
        self.relayed += 1;
        self.out.push_back((server, client, out));
    }

    fn binding(&mut self, tuple: FiveTuple, message: &Message<'_>) {
        let (client, server) = tuple;
        let mut out = Vec::new();
        let id = message.transaction_id();
        let mut answer = MessageBuilder::new(&mut out, Class::Success, Method::BINDING, id);
        answer.xor_mapped_address(client);
        answer.fingerprint();
        self.out.push_back((server, client, out));
    }
}

impl Allocation {
    fn has_family(&self, ip: IpAddr) -> bool {
        self.relayed
            .iter()
            .any(|known| known.is_ipv4() == ip.is_ipv4())
    }
}

/// RFC 8656 §7.2: what was asked for, within what a server should give.
fn lifetime(message: &Message<'_>) -> Duration {
    let asked = value_of(message, LIFETIME)
        .and_then(|value| value.try_into().ok())
        .map_or(LIFETIMES.0, u32::from_be_bytes);
    Duration::from_secs(asked.clamp(LIFETIMES.0, LIFETIMES.1).into())
}

impl Machine for TurnServer {
    fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
        now: Instant,
    ) {
        self.start.get_or_insert(now);
        self.expire(now);
        if self.by_relayed.contains_key(&local) {
            self.relay_in(local, remote, contents);
            return;
        }
        if !self.config.listen.contains(&local) {
            self.refused += 1; // a relayed address that is gone
            return;
        }
        let tuple = (remote, local);
        if contents.len() >= 4 && contents[0] >> 6 == 1 {
            self.channel_data(tuple, contents);
            return;
        }
        let Ok(message) = Message::parse(contents) else {
            return;
        };
        match (message.class(), message.method().number()) {
            (Class::Request, 1) => self.binding(tuple, &message),
            (Class::Request, _) => self.handle_request(tuple, &message, now),
            (Class::Indication, SEND) => self.send(tuple, &message),
            (Class::Indication | Class::Success | Class::Error, _) => {}
        }
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_transmit(&mut self, buf: &mut Vec<u8>, _: Instant) -> Option<(SocketAddr, SocketAddr)> {
        let (local, remote, contents) = self.out.pop_front()?;
        buf.extend_from_slice(&contents);
        Some((local, remote))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
