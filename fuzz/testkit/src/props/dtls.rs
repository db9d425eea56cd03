//! Properties of dtls.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::crypto::{Provider, PublicKey};
use ortc_dtls::reassembly::{Reassembly, Stored};
use ortc_dtls::wire::HandshakeType;
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::hello::{ClientHello, ServerHello};
use ortc_dtls::wire::record::RecordHeader;
use ortc_dtls::wire::unified::{MIN_CIPHERTEXT, UnifiedHeader};
use ortc_dtls::{
    Carrier, Certificate, Config, ConnectionId, Endpoint, Event, HashAlgorithm, KeyUpdate, Role,
    Version, is_client_hello, subject_public_key,
};

use crate::provider::Deterministic;

/// Records split off a datagram are exactly its octets, in order, and headers encode to what
/// they were read from.
///
/// # Panics
///
/// When it does not hold.
pub fn record(data: &[u8]) {
    unified(data);
    with_id(data);
    let mut copy = data.to_vec();
    let mut rebuilt = Vec::new();
    while let Some((header, contents, tail)) = RecordHeader::split(&mut copy[rebuilt.len()..]) {
        assert_eq!(
            rebuilt.len() + RecordHeader::LEN + contents.len() + tail.len(),
            data.len()
        );
        assert_eq!(contents.len(), usize::from(header.length));
        assert!(header.length <= RecordHeader::MAX_LENGTH);
        assert!(header.sequence < 1 << 48);
        if rebuilt.is_empty() && is_client_hello(data) {
            assert_eq!((header.epoch, header.content_type.0), (0, 22));
        }
        header.encode(&mut rebuilt);
        rebuilt.extend_from_slice(contents);
    }
    assert_eq!(rebuilt, data[..rebuilt.len()]);
}

/// The same for records of DTLS 1.2 with a connection id of the first octet's length, which is what
/// a demultiplexer finds.
fn with_id(data: &[u8]) {
    let (len, data) = match data {
        [len, rest @ ..] => (usize::from(len % 8), rest),
        [] => (0, data),
    };
    let found = ConnectionId::of_datagram(data, len);
    assert!(found.is_none_or(|id| id.len() == len && len > 0));
    let mut copy = data.to_vec();
    let mut rest = &mut copy[..];
    let mut at = 0;
    while let Some((header, record, tail)) = RecordHeader::split_with_id(rest, len) {
        assert_eq!(at + record.len() + tail.len(), data.len());
        let (head, id) = data[at..].split_at(RecordHeader::ID_AT);
        let mut encoded = Vec::new();
        header.encode(&mut encoded);
        assert_eq!(encoded[..RecordHeader::ID_AT], *head);
        assert_eq!(encoded[RecordHeader::ID_AT..], id[len..len + 2]);
        let contents = record.len() - RecordHeader::LEN - len;
        assert_eq!(contents, usize::from(header.length));
        if at == 0 {
            assert_eq!(found, Some(&id[..len]));
        }
        at += record.len();
        rest = tail;
    }
}

/// The same for protected records of DTLS 1.3, with a connection ID of the first octet's length.
fn unified(data: &[u8]) {
    let (cid, data) = match data {
        [len, rest @ ..] => rest.split_at(usize::from(len % 4).min(rest.len())),
        [] => (data, data),
    };
    let mut copy = data.to_vec();
    let mut rest = &mut copy[..];
    let mut at = 0;
    while let Some((header, record, tail)) = UnifiedHeader::split(rest, cid) {
        assert_eq!(at + record.len() + tail.len(), data.len());
        assert_eq!(*record, data[at..at + record.len()]);
        let body = record.len() - header.len;
        assert!((MIN_CIPHERTEXT..=UnifiedHeader::MAX_LENGTH).contains(&body));
        assert_eq!(record[1..=cid.len()], *cid);
        assert_eq!(header.id(record), cid);
        if at == 0 && !cid.is_empty() {
            assert_eq!(ConnectionId::of_datagram(data, cid.len()), Some(cid));
        }
        let number = record[header.sequence_at..header.sequence_at + header.sequence_len].to_vec();
        if record[0] & !3 == 0x2c {
            let low = u64::from(number[0]) << 8 | u64::from(number[1]);
            let epoch = 4 + u64::from(header.epoch_bits);
            let again = UnifiedHeader::encode(epoch, low, u16::try_from(body).unwrap());
            assert_eq!(again, record[..UnifiedHeader::LEN]);
        }
        at += record.len();
        rest = tail;
    }
}

/// Fragments encode to what they were read from, hellos hold what they were read from, and
/// reassembly agrees with a map from positions to octets.
///
/// # Panics
///
/// When it does not hold.
pub fn handshake(data: &[u8]) {
    const LIMIT: usize = 512;
    let mut rest = data;
    let mut reassembly = Reassembly::new(LIMIT);
    let mut model = Model::default();
    while let Ok((fragment, tail)) = Fragment::split(rest) {
        let mut encoded = Vec::new();
        fragment.encode(&mut encoded);
        assert_eq!(encoded, rest[..rest.len() - tail.len()]);
        hello(fragment.body);
        let stored = reassembly.insert(&fragment, 0);
        if stored == Stored::TooManyPieces {
            return; // it may hold a part of the fragment, which the model does not know
        }
        model.insert(&fragment, stored);
        while let Some(message) = reassembly.pop() {
            assert_eq!(model.pop(), Some((message.kind, message.body)));
        }
        assert!(reassembly.held() <= 8 * LIMIT);
        rest = tail;
    }
    hello(data);
}

#[derive(Debug, Default)]
struct Model {
    next: u16,
    messages: BTreeMap<u16, (HandshakeType, u32, BTreeMap<u32, u8>)>,
}

impl Model {
    /// Believes what the reassembly says about limits, and nothing else.
    fn insert(&mut self, fragment: &Fragment<'_>, stored: Stored) {
        if fragment.message_seq < self.next {
            assert_eq!(stored, Stored::Past);
            return;
        }
        if matches!(
            stored,
            Stored::Ahead | Stored::TooLong | Stored::Inconsistent
        ) {
            return;
        }
        let empty = (fragment.kind, fragment.length, BTreeMap::new());
        let known = self.messages.contains_key(&fragment.message_seq);
        let (kind, length, octets) = self.messages.entry(fragment.message_seq).or_insert(empty);
        assert_eq!((*kind, *length), (fragment.kind, fragment.length));
        let before = octets.len();
        let whole = fragment.length as usize;
        if fragment.body.len() == whole && before < whole {
            octets.clear();
        }
        for (offset, &octet) in (fragment.offset..).zip(fragment.body) {
            octets.entry(offset).or_insert(octet);
        }
        if stored == Stored::New {
            assert!(octets.len() > before || !known || fragment.length == 0);
        } else {
            assert_eq!(stored, Stored::Repeated);
            assert_eq!(octets.len(), before);
        }
    }

    fn pop(&mut self) -> Option<(HandshakeType, Vec<u8>)> {
        let (kind, length, octets) = self.messages.remove(&self.next)?;
        self.next += 1;
        (octets.len() == length as usize).then(|| (kind, octets.into_values().collect()))
    }
}

fn hello(body: &[u8]) {
    let extensions = [
        ClientHello::parse(body).ok().map(|hello| {
            assert_eq!(body[..2], hello.legacy_version.0.to_be_bytes());
            assert_eq!(&body[2..34], hello.random);
            assert!(hello.session_id.len() <= 32);
            assert!(hello.cipher_suites().count() > 0);
            hello.extensions
        }),
        ServerHello::parse(body).ok().map(|hello| {
            assert_eq!(&body[2..34], hello.random);
            hello.extensions
        }),
    ];
    for extensions in extensions.into_iter().flatten() {
        let mut encoded = Vec::new();
        let mut kinds = Vec::new();
        for (kind, contents) in extensions.iter() {
            assert_eq!(
                extensions.get(kind),
                Some(contents),
                "the only one of its type"
            );
            kinds.push(kind);
            encoded.extend_from_slice(&kind.0.to_be_bytes());
            encoded.extend_from_slice(&u16::try_from(contents.len()).unwrap().to_be_bytes());
            encoded.extend_from_slice(contents);
        }
        kinds.sort_unstable();
        assert!(kinds.is_sorted_by(|a, b| a < b), "no type twice");
        assert!(body.ends_with(&encoded), "the list is the end of the hello");
    }
}

/// What is accepted as a certificate has a key inside, and neither a part of it nor more than it
/// is accepted.
///
/// # Panics
///
/// When it does not hold.
pub fn certificate(data: &[u8]) {
    let Ok(key) = subject_public_key(data) else {
        return;
    };
    let octets = match key {
        PublicKey::P256(key) => {
            assert_eq!((key.len(), key[0]), (65, 4));
            key
        }
        PublicKey::P384(key) => {
            assert_eq!((key.len(), key[0]), (97, 4));
            key
        }
        PublicKey::Ed25519(key) => {
            assert_eq!(key.len(), 32);
            key
        }
        PublicKey::Rsa(key) => {
            assert!((256 + 10..1024 + 64 * 1024).contains(&key.len()));
            key
        }
        _ => panic!("an unknown kind of key"),
    };
    assert!(data.windows(octets.len()).any(|part| part == octets));
    for len in [0, 1, data.len() / 2, data.len() - 1] {
        assert!(subject_public_key(&data[..len]).is_err());
    }
    let longer = [data, &[0]].concat();
    assert!(subject_public_key(&longer).is_err());
}

/// Whatever a path does with the datagrams of two endpoints, and whatever strangers add: nobody
/// connects alone with other keys, nothing is larger than allowed, deadlines move, the end is
/// final, application data is delivered at most once and only if it was sent; and once the path
/// is clean, both connect unless one has closed. Versions, connection ids, and whether the server
/// asks for a cookie, follow from the data, and so does whether something else carries flights.
///
/// # Panics
///
/// When it does not hold.
pub fn endpoint(data: &[u8]) {
    let provider = Deterministic::new(data.first().copied().unwrap_or_default().into());
    let mut world = World::new(&provider, data);
    let mut script = data.iter().copied();
    while let Some(step) = script.next() {
        world.step(step, &mut script);
    }
    world.finish();
}

const MTU: [usize; 4] = [256, 400, 576, 1200];
const SIDES: [Role; 2] = [Role::Client, Role::Server];
const VERSIONS: [&[Version]; 3] = [
    &[Version::DTLS13, Version::DTLS12],
    &[Version::DTLS13],
    &[Version::DTLS12],
];

const IDS: [Option<u8>; 4] = [None, Some(0), Some(3), Some(100)];

struct World {
    sides: [Endpoint; 2],
    now: Instant,
    mtu: usize,
    flying: Vec<(usize, Vec<u8>)>,
    connected: [bool; 2],
    closed: [bool; 2],
    /// Application data that each side sent and the other did not get yet.
    data: [Vec<u32>; 2],
    sent: u32,
    /// What was carried last of each side that does not send its flights.
    carried: [Option<u32>; 2],
    /// Datagrams that were changed or made up: from then on a handshake may fail.
    disturbed: bool,
}

#[expect(
    clippy::disallowed_methods,
    reason = "an arbitrary origin of virtual time"
)]
fn origin() -> Instant {
    Instant::now()
}

impl World {
    fn new(provider: &Arc<dyn Provider>, data: &[u8]) -> Self {
        let now = origin();
        let choice = usize::from(data.get(1).copied().unwrap_or_default());
        let mtu = MTU[choice % MTU.len()];
        let versions = VERSIONS[choice / 4 % VERSIONS.len()];
        let ids = usize::from(data.get(2).copied().unwrap_or_default());
        let certificates = SIDES.map(|_| Certificate::generate(provider).unwrap());
        let sides = SIDES.map(|role| {
            let me = role as usize;
            let peer = certificates[1 - me].fingerprint(HashAlgorithm::Sha256);
            let config = Config::new(certificates[me].clone(), provider.clone())
                .mtu(mtu)
                .unwrap()
                .versions(versions)
                .unwrap()
                .cookie_exchange(choice >= 128)
                .connection_id_length(IDS[(ids >> (2 * me)) % IDS.len()])
                .handshake_timeout(None)
                .expected_fingerprints(vec![peer]);
            Endpoint::new(Arc::new(config), role, now)
        });
        Self {
            sides,
            now,
            mtu,
            flying: Vec::new(),
            connected: [false; 2],
            closed: [false; 2],
            data: [Vec::new(), Vec::new()],
            sent: 0,
            carried: [None; 2],
            disturbed: false,
        }
    }

    fn step(&mut self, step: u8, script: &mut impl Iterator<Item = u8>) {
        let argument = script.next().unwrap_or_default();
        let pick = usize::from(argument);
        let index = pick.checked_rem(self.flying.len());
        match (step % 8, index) {
            (0 | 1, Some(index)) => {
                let (to, contents) = self.flying.remove(index);
                self.deliver(to, contents);
            }
            (2, Some(index)) => {
                self.flying.remove(index);
            }
            (3, Some(index)) => {
                let (to, contents) = self.flying[index].clone();
                self.deliver(to, contents);
            }
            (4, Some(index)) => {
                self.disturbed = true;
                let at = usize::from(script.next().unwrap_or_default()) * 5;
                let (_, contents) = &mut self.flying[index];
                let len = contents.len();
                contents[at % len] ^= 1 << (step >> 5);
            }
            (5, _) => {
                self.disturbed = true;
                let contents: Vec<u8> = script.take(pick % 64).collect();
                self.deliver(usize::from(step >> 7), contents);
            }
            (6, Some(index)) => {
                // To its own sender.
                let (to, contents) = self.flying[index].clone();
                self.disturbed = true;
                self.deliver(1 - to, contents);
            }
            (7, _) if step >> 6 == 3 => self.command(usize::from(step >> 5 & 1), argument),
            _ => self.pass(Duration::from_millis(pick as u64)),
        }
        self.drain();
    }

    /// Sends application data, asks for new keys or ids, or has flights carried.
    fn command(&mut self, me: usize, argument: u8) {
        let now = self.now;
        let side = &mut self.sides[me];
        match (argument / 192, argument % 6) {
            (1, 0) => drop(side.request_connection_ids(argument % 5, now)),
            (1, 1) => {
                let len = side
                    .connection_ids()
                    .next()
                    .map_or(0, |id| id.octets().len());
                let id = ConnectionId::new(&[argument; 255][..len]).unwrap();
                let _ = side.replace_connection_id(id, now);
            }
            (1, 2) => drop(side.use_next_connection_id()),
            (1, 3) => side.carry_flights(Carrier::Outside, now),
            (1, 4) => side.carry_flights(Carrier::Datagrams, now),
            (1, _) => side.renew_flight(),
            (_, 0 | 3) => {
                if side.send(&self.sent.to_be_bytes(), now).is_ok() {
                    self.data[me].push(self.sent);
                    self.sent += 1;
                }
            }
            (_, 1 | 4) => drop(side.update_keys(KeyUpdate::Own, now)),
            _ => drop(side.update_keys(KeyUpdate::Both, now)),
        }
    }

    /// What a carrier sends of a side's flight, if it is anything else than before or `again` is
    /// set.
    fn carry(&mut self, me: usize, again: bool) {
        let side = &mut self.sides[me];
        if side.carrier() == Carrier::Datagrams {
            self.carried[me] = None;
            return;
        }
        let before = side.flight_generation();
        let flight = side.flight(self.mtu).unwrap();
        assert_eq!(flight.generation(), before, "looking changes nothing");
        assert_eq!(flight.is_empty(), flight.datagrams().next().is_none());
        if again || self.carried[me].replace(before) != Some(before) {
            assert!(flight.datagrams().count() <= 64);
            for datagram in flight.datagrams() {
                assert!(datagram.len() <= self.mtu);
                if self.flying.len() < 256 {
                    self.flying.push((1 - me, datagram.to_vec()));
                }
            }
        }
    }

    fn deliver(&mut self, to: usize, mut contents: Vec<u8>) {
        let now = self.now;
        self.sides[to].handle_datagram(&mut contents, now);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        for (me, side) in self.sides.iter_mut().enumerate() {
            let due = side.poll_timeout().is_some_and(|at| at <= now);
            side.handle_timeout(now);
            if due && side.poll_timeout().is_some_and(|at| at <= now) {
                let mut contents = Vec::new();
                let output = side.poll_transmit(&mut contents, now);
                assert!(output.is_some(), "a deadline has passed and nothing moved");
                self.flying.push((1 - me, contents));
            }
        }
    }

    fn drain(&mut self) {
        for me in 0..2 {
            self.carry(me, false);
            let mut outputs = 0;
            loop {
                let mut contents = Vec::new();
                let now = self.now;
                let Some(len) = self.sides[me].poll_transmit(&mut contents, now) else {
                    break;
                };
                assert_eq!(len, contents.len());
                assert!(len > 0 && len <= self.mtu);
                outputs += 1;
                assert!(outputs <= 64, "one input leads to bounded output");
                if self.flying.len() < 256 {
                    self.flying.push((1 - me, contents));
                }
            }
            assert!(self.sides[me].held_octets() <= 400 * 1024);
            while let Some(event) = self.sides[me].poll_event() {
                assert!(!self.closed[me], "{event:?} after the end");
                if event == Event::Connected {
                    assert!(!self.connected[me]);
                    self.connected[me] = true;
                } else if let Event::ApplicationData(data) = &event {
                    let number = u32::from_be_bytes(data[..].try_into().unwrap());
                    let sent = &mut self.data[1 - me];
                    let at = sent.iter().position(|&other| other == number);
                    sent.swap_remove(at.expect("it was sent, and did not come before"));
                } else if !matches!(event, Event::ConnectionId(_)) {
                    assert!(matches!(event, Event::Closed(_)), "{event:?} without cause");
                    self.closed[me] = true;
                }
            }
            let keying = self.sides[me].srtp_keying();
            assert_eq!(keying.is_ok(), self.connected[me] && !self.closed[me]);
        }
        if let (Ok(a), Ok(b)) = (self.sides[0].srtp_keying(), self.sides[1].srtp_keying()) {
            assert_eq!(a, b);
        }
    }

    fn finish(mut self) {
        for round in 0..4_000 {
            for me in 0..2 {
                if round % 40 == 39 && self.sides[me].carrier() == Carrier::Outside {
                    self.sides[me].renew_flight();
                }
                self.carry(me, true);
            }
            for (to, contents) in core::mem::take(&mut self.flying) {
                self.deliver(to, contents);
                self.drain();
            }
            if self.connected == [true; 2] || self.closed.contains(&true) {
                break;
            }
            self.pass(Duration::from_millis(25));
            self.drain();
        }
        assert!(
            self.disturbed || (self.connected == [true; 2] && self.closed == [false; 2]),
            "loss, repetition and order alone prevent nothing: {:?} {:?} {:?} {:?}",
            self.connected,
            self.closed,
            self.sides[0].stats(),
            self.sides[1].stats(),
        );
        let now = self.now;
        for side in &mut self.sides {
            side.close(now);
            let mut out = Vec::new();
            while side.poll_transmit(&mut out, now).is_some() {}
            while side.poll_event().is_some() {}
            assert_eq!(side.poll_timeout(), None, "the end is final");
        }
    }
}
