//! Loss, copies and delay of single packets, and what NACK and RTX make good.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use ortc_core::{
    Datagram, Ecn, Event, MediaKind, Path, Profile, ReceiveMode, ReceivedRtp, RtpToSend,
};

use crate::call::{Peer, address_a, address_b};
use crate::pair::Pair;

/// Packets of one script: a sender repeats at most 128 in a row (`HistoryConfig::burst`), and none
/// that is older than 3 s.
const MAX_PACKETS: usize = 120;
/// Long enough for every request and its answer.
const AFTERMATH: Duration = Duration::from_secs(3);
/// Payload type of the retransmissions.
const RTX: u8 = 127;

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    Lost,
    Twice,
    /// Overtaken by this many later ones.
    Overtaken(usize),
}

impl Fate {
    fn of(octet: u8) -> Self {
        match octet & 7 {
            4 | 5 => Self::Lost,
            6 => Self::Twice,
            7 => Self::Overtaken(1 + usize::from(octet >> 6)),
            _ => Self::Arrives,
        }
    }
}

/// One track between two ends, each packet with a fate of the script. What comes out is what went
/// in, each packet at most once; if nothing is lost that is sent again, all of it comes out.
pub fn repair(data: &[u8]) {
    let [setup, fates @ ..] = data else {
        return;
    };
    let repeats_may_be_lost = setup & 2 != 0;
    // The first shows where the stream begins, the last that those before it are missing.
    let fates = fates.iter().take(MAX_PACKETS).copied();
    let fates: Vec<u8> = [0].into_iter().chain(fates).chain([0]).collect();

    let mut line = Line::connected(setup & 1 != 0);
    for (index, octet) in fates.iter().enumerate() {
        line.send(index, *octet);
        line.repeats = if repeats_may_be_lost {
            octet.rotate_left(4)
        } else {
            0
        };
        line.carry(Fate::of(*octet));
        line.advance(Duration::from_millis(u64::from(octet >> 3 & 15)));
    }
    line.repeats = 0;
    line.release(usize::MAX);
    line.advance(AFTERMATH);

    let mut came = vec![false; fates.len()];
    let start = line.received.first().unwrap().sequence;
    for packet in &line.received {
        let index = usize::try_from(packet.sequence - start).unwrap();
        assert_eq!(packet.payload(), payload(index), "unchanged");
        assert_eq!(packet.payload_type, line.payload_type);
        assert_eq!(packet.timestamp, timestamp(fates[index]));
        assert!(!came[index], "packet {index} came twice");
        came[index] = true;
    }
    if !repeats_may_be_lost {
        assert_eq!(came.iter().position(|came| !came), None, "missing");
    }
}

fn payload(index: usize) -> Vec<u8> {
    index.to_be_bytes().repeat(1 + index % 100)
}

fn timestamp(octet: u8) -> u32 {
    u32::from(octet) << 8
}

/// Two connected ends, and the way between them.
struct Line {
    pair: Pair,
    payload_type: u8,
    /// Media numbers that left before: what comes again is a retransmission.
    sent: BTreeSet<u16>,
    /// What others overtake, and how many still do.
    held: VecDeque<(usize, Vec<u8>)>,
    /// The fate of what is sent again.
    repeats: u8,
    received: Vec<ReceivedRtp>,
}

impl Line {
    fn connected(with_rtx: bool) -> Self {
        let profile = Profile::Aes128CmHmacSha1_80;
        let mut pair = Pair::connected(profile, MediaKind::Video, 1, ReceiveMode::Raw);
        let [track] = pair.tracks[..] else {
            panic!("one was asked for");
        };
        let sender = &mut pair.a.connection;
        let payload_type = track.codec(sender).unwrap().payload_id;
        if with_rtx {
            let types = BTreeMap::from([(payload_type, RTX)]);
            track.set_rtx(sender, types).unwrap();
            let description = track.get_description(sender).unwrap();
            pair.b
                .connection
                .receive_track_as(&description, ReceiveMode::Raw, pair.now)
                .unwrap();
        }
        Self {
            pair,
            payload_type,
            sent: BTreeSet::new(),
            held: VecDeque::new(),
            repeats: 0,
            received: Vec::new(),
        }
    }

    fn send(&mut self, index: usize, octet: u8) {
        let packet = RtpToSend {
            payload_type: self.payload_type,
            marker: octet & 1 != 0,
            timestamp: timestamp(octet),
            skip: 0,
            payload: payload(index).into(),
        };
        let track = self.pair.tracks[0];
        let now = self.pair.now;
        self.pair.a.connection.send_rtp(track, packet, now).unwrap();
    }

    /// Moves what waits, both ways, until both ends are quiet. `first` is the fate of media that
    /// was not on the way before; what is not media always arrives.
    fn carry(&mut self, first: Fate) {
        loop {
            let forward = poll(&mut self.pair.a, self.pair.now);
            let back = poll(&mut self.pair.b, self.pair.now);
            if forward.is_none() && back.is_none() {
                return;
            }
            if let Some(contents) = forward {
                match self.is_repeat(&contents) {
                    None => self.arrive(contents),
                    Some(true) => self.meet(Fate::of(self.repeats), contents),
                    Some(false) => self.meet(first, contents),
                }
            }
            if let Some(mut contents) = back {
                let path = Path::udp(address_a(), address_b());
                deliver(&mut self.pair.a, path, &mut contents, self.pair.now);
            }
        }
    }

    /// Whether a datagram with media was sent before, on its own source or the one that repairs.
    fn is_repeat(&mut self, contents: &[u8]) -> Option<bool> {
        let (&[first, second, high, low], rest) = contents.split_first_chunk()?;
        // RFC 7983 §7; RFC 5761 §4 for the types of RTCP.
        let is_media = (128..192).contains(&first) && !(192..224).contains(&second);
        if !is_media {
            return None;
        }
        let own = rest.get(4..8)? == self.pair.tracks[0].ssrc().to_be_bytes();
        Some(!own || !self.sent.insert(u16::from_be_bytes([high, low])))
    }

    fn meet(&mut self, fate: Fate, contents: Vec<u8>) {
        match fate {
            Fate::Lost => return,
            Fate::Overtaken(by) => return self.held.push_back((by, contents)),
            Fate::Arrives => {}
            Fate::Twice => self.arrive(contents.clone()),
        }
        self.arrive(contents);
        self.release(1);
    }

    /// Those that waited for at most this many others go on.
    fn release(&mut self, count: usize) {
        for (by, contents) in core::mem::take(&mut self.held) {
            match by.saturating_sub(count) {
                0 => self.arrive(contents),
                by => self.held.push_back((by, contents)),
            }
        }
    }

    fn arrive(&mut self, mut contents: Vec<u8>) {
        let path = Path::udp(address_b(), address_a());
        deliver(&mut self.pair.b, path, &mut contents, self.pair.now);
        while let Some(event) = self.pair.b.connection.poll_event() {
            if let Event::Rtp(packet) = event {
                self.received.push(packet);
            }
        }
    }

    /// Moves the clock, with all that is due on the way.
    fn advance(&mut self, by: Duration) {
        let end = self.pair.now + by;
        while let Some(at) = self.due().filter(|at| *at <= end) {
            self.pair.now = self.pair.now.max(at);
            self.pair.a.connection.handle_timeout(self.pair.now);
            self.pair.b.connection.handle_timeout(self.pair.now);
            self.carry(Fate::Arrives);
        }
        self.pair.now = end;
    }

    fn due(&self) -> Option<Instant> {
        let due = |peer: &Peer| peer.connection.poll_timeout().map(|timeout| timeout.at);
        let dues = [due(&self.pair.a), due(&self.pair.b)];
        dues.into_iter().flatten().min()
    }
}

fn poll(peer: &mut Peer, now: Instant) -> Option<Vec<u8>> {
    let mut contents = Vec::new();
    let transmit = peer.connection.poll_transmit(&mut contents, now);
    transmit.map(|_| contents)
}

fn deliver(peer: &mut Peer, path: Path, contents: &mut [u8], now: Instant) {
    let datagram = Datagram {
        path,
        contents,
        ecn: Ecn::default(),
    };
    peer.connection.handle_datagram(datagram, now);
}
