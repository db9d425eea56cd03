//! Properties of SRTP.

use std::collections::{BTreeMap, BTreeSet};

use ortc_srtp::{MasterKey, Profile, ProtectError, Receiver, Sender, UnprotectError};

/// How far behind the newest a receiver takes packets, and a sender repeats them.
const WINDOW: u64 = 1024;

/// The octets are a script: streams of RTP and RTCP between a sender and a receiver, with
/// packets lost, late, repeated, damaged, cut short or made up.
///
/// - The receiver's every answer is that of a naive model, which keeps each index ever accepted,
///   tries all rollover counters and knows nothing of bitmaps and rings.
/// - What is accepted is what was protected, octet for octet.
/// - What was damaged, cut or made up is refused, and later answers do not show that it came.
/// - The sender repeats a packet octet for octet, and never protects two packets as one.
pub fn unprotect(data: &[u8]) {
    let mut script = Script(data);
    let profile = Profile::ALL[usize::from(script.octet()) % Profile::ALL.len()];
    let mut call = Call::new(profile);
    while !script.0.is_empty() {
        let op = script.octet();
        match op % 10 {
            0..=2 => call.send_rtp(&mut script, Fate::Arrives),
            3 => call.send_rtp(&mut script, Fate::Waits),
            4 => call.deliver_rtp(&mut script),
            5 => call.send_again(&mut script),
            6 => call.damage(&mut script),
            7 => call.make_up(&mut script),
            8 => call.rtcp(&mut script),
            _ => round_trip(profile, script.take(usize::from(op))),
        }
    }
}

/// Any octets that are a packet survive protection; the first octet tells which profile.
pub fn any_packet(data: &[u8]) {
    let mut script = Script(data);
    let profile = Profile::ALL[usize::from(script.octet()) % Profile::ALL.len()];
    round_trip(profile, script.0);
}

/// Bytes that a [`Sender`] takes come back from a [`Receiver`]; with any bit of the last octet,
/// or one octet less, they do not. What it refuses it leaves alone.
fn round_trip(profile: Profile, plain: &[u8]) {
    let master = master(profile);
    let mut packet = b"before".to_vec();
    packet.extend_from_slice(plain);
    let untouched = packet.clone();
    let mut sender = Sender::new(&master, [1; 8]);
    if sender.protect_rtp(&mut packet, 6).is_ok() {
        let wire = packet.split_off(6);
        assert_eq!(packet, b"before");
        assert_eq!(wire.len(), plain.len() + profile.rtp_overhead());
        let mut receiver = Receiver::new(&master, [2; 8]);
        for bad in damaged(&wire) {
            assert!(receiver.unprotect_rtp(&mut bad.clone()).is_err());
        }
        let mut wire = wire;
        let len = receiver.unprotect_rtp(&mut wire).unwrap();
        assert_eq!(&wire[..len], plain);
        assert_eq!(format!("{receiver:?}"), receiver_debug(profile, 1, 0));
    } else {
        assert_eq!(packet, untouched);
    }

    let mut packet = untouched.clone();
    if sender.protect_rtcp(&mut packet, 6).is_ok() {
        let wire = packet.split_off(6);
        assert_eq!(wire.len(), plain.len() + profile.rtcp_overhead());
        let mut receiver = Receiver::new(&master, [2; 8]);
        for bad in damaged(&wire) {
            assert!(receiver.unprotect_rtcp(&mut bad.clone()).is_err());
        }
        let mut wire = wire;
        let len = receiver.unprotect_rtcp(&mut wire).unwrap();
        assert_eq!(&wire[..len], plain);
        assert_eq!(format!("{receiver:?}"), receiver_debug(profile, 0, 1));
    } else {
        assert_eq!(packet, untouched);
    }
}

fn damaged(wire: &[u8]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = (0..8)
        .map(|bit| {
            let mut copy = wire.to_vec();
            *copy.last_mut().unwrap() ^= 1 << bit;
            copy
        })
        .collect();
    all.push(wire[..wire.len() - 1].to_vec());
    all
}

/// How many sources a receiver knows is the part of its state that it shows.
fn receiver_debug(profile: Profile, rtp: usize, rtcp: usize) -> String {
    format!("Receiver {{ profile: {profile:?}, rtp_sources: {rtp}, rtcp_sources: {rtcp}, .. }}")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Arrives,
    Waits,
}

struct Call {
    sender: Sender,
    receiver: Receiver,
    /// The index of the packet sent last, by SSRC.
    sent_last: BTreeMap<u32, u64>,
    sent: Vec<Packet>,
    /// The naive model of the receiver: every index it accepted, by SSRC.
    accepted: BTreeMap<u32, BTreeSet<u64>>,
    reports: Vec<Packet>,
    reports_sent: BTreeMap<u32, u64>,
    reports_accepted: BTreeMap<u32, BTreeSet<u64>>,
}

struct Packet {
    ssrc: u32,
    index: u64,
    plain: Vec<u8>,
    wire: Vec<u8>,
}

impl Call {
    fn new(profile: Profile) -> Self {
        let master = master(profile);
        Self {
            sender: Sender::new(&master, [3; 8]),
            receiver: Receiver::new(&master, [4; 8]),
            sent_last: BTreeMap::new(),
            sent: Vec::new(),
            accepted: BTreeMap::new(),
            reports: Vec::new(),
            reports_sent: BTreeMap::new(),
            reports_accepted: BTreeMap::new(),
        }
    }

    /// The stream's next packet, one or up to 2^15 - 1 sequence numbers on.
    fn send_rtp(&mut self, script: &mut Script<'_>, fate: Fate) {
        let ssrc = u32::from(script.octet() % 3);
        let gap = match script.octet() {
            0..200 => 1,
            octet @ 200..230 => u64::from(octet - 199) * 50,
            _ => u64::from(script.word() & 0x7fff).max(1),
        };
        let index = match self.sent_last.get(&ssrc) {
            Some(last) => last + gap,
            None => script.word().into(),
        };
        let plain = rtp(ssrc, index, script.octet());
        let mut wire = plain.clone();
        self.sender.protect_rtp(&mut wire, 0).unwrap();
        self.sent_last.insert(ssrc, index);
        self.sent.push(Packet {
            ssrc,
            index,
            plain,
            wire,
        });
        if fate == Fate::Arrives {
            self.deliver(self.sent.len() - 1);
        }
    }

    /// Any packet sent so far: late, or a replay.
    fn deliver_rtp(&mut self, script: &mut Script<'_>) {
        let back = usize::from(script.octet());
        if let Some(at) = self.sent.len().checked_sub(back + 1) {
            self.deliver(at);
        }
    }

    fn deliver(&mut self, at: usize) {
        let packet = &self.sent[at];
        let expected = self.model(packet);
        let mut wire = packet.wire.clone();
        let answer = self.receiver.unprotect_rtp(&mut wire);
        assert_eq!(answer, expected.map(|()| packet.plain.len()));
        if let Ok(len) = answer {
            assert_eq!(wire[..len], packet.plain);
            let accepted = self.accepted.entry(packet.ssrc).or_default();
            assert!(accepted.insert(packet.index));
        }
    }

    /// RFC 3711 §3.3: the index nearest to the highest, then the replay list, then the tag.
    fn model(&self, packet: &Packet) -> Result<(), UnprotectError> {
        let known = self.accepted.get(&packet.ssrc);
        let highest = known.and_then(BTreeSet::last).copied();
        let seq = packet.index % 65_536;
        let estimate = match highest {
            None => seq,
            Some(highest) => {
                let roc = highest / 65_536;
                let candidates = roc.saturating_sub(1)..=roc + 1;
                let distance = |candidate: u64| (candidate * 65_536 + seq).abs_diff(highest);
                // Of two at the same distance, the one that keeps the rollover counter.
                let nearest = candidates.min_by_key(|&it| (distance(it), it != roc));
                nearest.unwrap() * 65_536 + seq
            }
        };
        if let (Some(known), Some(highest)) = (known, highest) {
            if estimate + WINDOW <= highest {
                return Err(UnprotectError::TooOld);
            }
            if known.contains(&estimate) {
                return Err(UnprotectError::Replay);
            }
        }
        if estimate == packet.index {
            Ok(())
        } else {
            Err(UnprotectError::Authentication)
        }
    }

    /// The same packet once more, then another under its sequence number.
    fn send_again(&mut self, script: &mut Script<'_>) {
        let back = usize::from(script.octet());
        let at = self.sent.len().checked_sub(back + 1);
        let Some(packet) = at.map(|at| &self.sent[at]) else {
            return;
        };
        let age = self.sent_last[&packet.ssrc] - packet.index;
        let (same, other) = if age < WINDOW {
            (Ok(()), Err(ProtectError::NonceReuse))
        } else {
            (Err(ProtectError::TooOld), Err(ProtectError::TooOld))
        };
        // 2^15 back and more, a sequence number means another index.
        if age >= 1 << 15 {
            return;
        }
        let mut wire = packet.plain.clone();
        assert_eq!(self.sender.protect_rtp(&mut wire, 0), same);
        if same.is_ok() {
            assert_eq!(wire, packet.wire);
        } else {
            assert_eq!(wire, packet.plain);
        }

        let mut different = packet.plain.clone();
        *different.last_mut().unwrap() ^= 1;
        let before = different.clone();
        assert_eq!(self.sender.protect_rtp(&mut different, 0), other);
        assert_eq!(different, before);
    }

    /// One bit flipped, or cut to some length.
    fn damage(&mut self, script: &mut Script<'_>) {
        let (back, place) = (usize::from(script.octet()), usize::from(script.word()));
        let bit = script.octet();
        let damaged = |packets: &[Packet]| {
            let at = packets.len().checked_sub(back + 1)?;
            let mut wire = packets[at].wire.clone();
            if bit & 8 == 0 {
                let place = place % wire.len();
                wire[place] ^= 1 << (bit % 8);
            } else {
                wire.truncate(place % wire.len());
            }
            Some(wire)
        };
        if let Some(mut wire) = damaged(&self.sent) {
            assert!(self.receiver.unprotect_rtp(&mut wire).is_err());
        }
        if let Some(mut wire) = damaged(&self.reports) {
            assert!(self.receiver.unprotect_rtcp(&mut wire).is_err());
        }
    }

    /// Octets of nobody's making, long enough for a tag.
    fn make_up(&mut self, script: &mut Script<'_>) {
        let len = usize::from(script.octet());
        let octets = script.take(len);
        assert!(self.receiver.unprotect_rtp(&mut octets.to_vec()).is_err());
        assert!(self.receiver.unprotect_rtcp(&mut octets.to_vec()).is_err());
    }

    /// A report, which arrives, or one that was sent before.
    fn rtcp(&mut self, script: &mut Script<'_>) {
        let choice = script.octet();
        if choice & 0x40 == 0 {
            let ssrc = u32::from(choice % 3);
            let next = self.reports_sent.entry(ssrc).or_default();
            let plain = rtcp(ssrc, script.octet());
            let mut wire = plain.clone();
            self.sender.protect_rtcp(&mut wire, 0).unwrap();
            self.reports.push(Packet {
                ssrc,
                index: *next,
                plain,
                wire,
            });
            *next += 1;
            if choice & 0x80 != 0 {
                return;
            }
        }
        let back = usize::from(choice >> 2 & 15) * usize::from(choice >> 6 & 1);
        let at = self.reports.len().checked_sub(back + 1);
        let Some(packet) = at.map(|at| &self.reports[at]) else {
            return;
        };
        let accepted = self.reports_accepted.entry(packet.ssrc).or_default();
        let highest = accepted.last().copied().unwrap_or(0);
        let expected = if packet.index + WINDOW <= highest {
            Err(UnprotectError::TooOld)
        } else if accepted.contains(&packet.index) {
            Err(UnprotectError::Replay)
        } else {
            accepted.insert(packet.index);
            Ok(packet.plain.len())
        };
        let mut wire = packet.wire.clone();
        let answer = self.receiver.unprotect_rtcp(&mut wire);
        assert_eq!(answer, expected);
        if let Ok(len) = answer {
            assert_eq!(wire[..len], packet.plain);
        }
    }
}

fn master(profile: Profile) -> MasterKey {
    let octets: Vec<u8> = (7..39).collect();
    let (key, salt) = (&octets[..profile.key_len()], &octets[..profile.salt_len()]);
    MasterKey::new(profile, key, salt).unwrap()
}

/// A packet whose header has CSRCs and an extension if `shape` says so.
fn rtp(ssrc: u32, index: u64, shape: u8) -> Vec<u8> {
    let csrcs = shape & 3;
    let extension = (shape & 4) << 2;
    let [.., high, low] = index.to_be_bytes();
    let mut packet = vec![0x80 | extension | csrcs, 96, high, low, 0, 0, 0, shape];
    packet.extend(ssrc.to_be_bytes());
    for _ in 0..csrcs {
        packet.extend([0xcc; 4]);
    }
    if extension != 0 {
        packet.extend([0xbe, 0xde, 0, 1, 0x10, shape, 0, 0]);
    }
    packet.extend((0..=shape).map(|octet| octet ^ low));
    packet
}

fn rtcp(ssrc: u32, words: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 204, 0, words % 32 + 1];
    packet.extend(ssrc.to_be_bytes());
    packet.resize(8 + usize::from(words % 32) * 4, words);
    packet
}

/// Octets as decisions; zeros once they have run out.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn octet(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.octet(), self.octet()])
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
