//! A sender, a network that loses, copies and reorders, and a receiver: every tone of which one
//! packet survives arrives once, and in order.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

use core::net::SocketAddr;
use core::time::Duration;
use std::time::Instant;

use ortc_dtmf::{DEFAULT_GAP, Receiver, ReceiverEvent, Sender, TelephoneEvent};
use ortc_testkit::link::Link;
use ortc_testkit::net::{Machine, Net};

const DIALLED: &str = "0123456789*#ABCD1122";

#[test]
fn perfect_network_brings_the_number_with_its_durations() {
    for rate in [8_000, 48_000] {
        let call = Call::dial(1, Link::perfect(ms(25)), rate, DIALLED, ms(100));
        assert_eq!(call.heard, DIALLED);
        assert_eq!(call.durations, [ms(100); 20]);
    }
}

/// 30 % lost, one in five twice, reordered by up to what remains of the gap after the last copy:
/// 200 histories. Loss this high rarely takes all seven packets of a tone; when it does, that tone
/// and no other is missing.
#[test]
fn loss_copies_and_reordering_change_no_tone() {
    let link = Link::perfect(ms(25))
        .with_loss(0.3)
        .with_duplicate(0.2)
        .with_jitter(ms(29));
    let mut complete = 0;
    for seed in 0..200 {
        let rate = if seed % 2 == 0 { 8_000 } else { 48_000 };
        let call = Call::dial(seed, link, rate, DIALLED, ms(100));
        assert_eq!(call.heard, call.survived, "seed {seed}");
        complete += u32::from(call.heard == DIALLED);
    }
    assert!(complete > 150, "{complete} of 200 arrived whole");
}

/// Even at 80 %, what survives is heard, once and in order.
#[test]
fn heavy_loss_costs_only_what_it_took_whole() {
    let link = Link::perfect(ms(25)).with_loss(0.8).with_jitter(ms(29));
    let mut lost = 0;
    for seed in 0..200 {
        let call = Call::dial(seed, link, 8_000, DIALLED, ms(100));
        assert_eq!(call.heard, call.survived, "seed {seed}");
        lost += DIALLED.len() - call.heard.len();
    }
    assert!(lost > 0);
}

/// Six seconds at 48 kHz: five segments, one tone.
#[test]
fn long_tones_stay_whole_under_loss() {
    let link = Link::perfect(ms(25)).with_loss(0.3).with_jitter(ms(29));
    for seed in 0..20 {
        let call = Call::dial(seed, link, 48_000, "7#7", ms(6_000));
        assert_eq!(call.heard, "7#7", "seed {seed}");
    }
}

/// Every choice of the seven packets of a tone between two others.
#[test]
fn any_one_packet_is_enough() {
    let all = Call::packets(8_000, "158", ms(100));
    assert_eq!(all.len(), 21);
    for kept in 1..1_u32 << 7 {
        let mut receiver = Receiver::new(8_000).unwrap();
        let mut heard = String::new();
        for (index, (at, timestamp, payload)) in all.iter().enumerate() {
            if (7..14).contains(&index) && kept >> (index - 7) & 1 == 0 {
                continue;
            }
            receiver.handle_timeout(*at);
            receiver.handle_packet(*timestamp, payload, *at).unwrap();
            while let Some(event) = receiver.poll_event() {
                if let ReceiverEvent::Tone { tone, .. } = event {
                    heard.push(tone.to_char());
                }
            }
        }
        assert_eq!(heard, "158", "kept {kept:07b}");
    }
}

/// One number on its way over the virtual network.
struct Call {
    /// Keys of which a packet survived, in the order in which they were dialled.
    survived: String,
    heard: String,
    durations: Vec<Duration>,
}

impl Call {
    fn dial(seed: u64, link: Link, rate: u32, tones: &str, duration: Duration) -> Self {
        let (near, far) = (address(1), address(2));
        let mut net = Net::new(seed).link(link);
        let start = net.now();
        let phone = net.add(End::phone(rate, start, near, far), &[near]);
        let ear = net.add(End::ear(rate), &[far]);
        let gap = DEFAULT_GAP + ms(20);
        net.node_mut(phone).dial(tones, duration, gap, start);
        net.run_for(ms(200_000));

        let mut survived = String::new();
        let mut newest = None;
        let mut sent: Vec<_> = net.log.iter().filter(|sent| !sent.lost).collect();
        sent.sort_by_key(|sent| sent.at);
        for sent in sent {
            let (timestamp, payload) = split(&sent.contents);
            let report = TelephoneEvent::parse(payload).unwrap();
            // Later segments of a tone have no gap before them.
            let adjoins = |last: u32| (timestamp - last).is_multiple_of(0xFFFF);
            if newest.is_none_or(|last| timestamp > last && !adjoins(last)) {
                survived.push(report.event.to_tone().unwrap().to_char());
            }
            newest = newest.max(Some(timestamp));
        }
        let End::Ear { heard, .. } = net.node(ear) else {
            unreachable!("the second machine is the receiver");
        };
        let mut call = Self {
            survived,
            heard: String::new(),
            durations: Vec::new(),
        };
        for event in heard {
            match *event {
                ReceiverEvent::Tone { tone, .. } => call.heard.push(tone.to_char()),
                ReceiverEvent::ToneEnded { duration, .. } => call.durations.push(duration),
                ReceiverEvent::Event(code) => unreachable!("nobody sent {code}"),
            }
        }
        assert_eq!(call.heard.len(), call.durations.len(), "all tones are over");
        assert!(call.durations.iter().all(|&told| told <= duration));
        call
    }

    /// When each packet of a number leaves, its timestamp and its payload.
    fn packets(rate: u32, tones: &str, duration: Duration) -> Vec<(Instant, u32, Vec<u8>)> {
        let (near, far) = (address(1), address(2));
        let mut net = Net::new(0);
        let start = net.now();
        let phone = net.add(End::phone(rate, start, near, far), &[near]);
        net.node_mut(phone)
            .dial(tones, duration, DEFAULT_GAP, start);
        net.run_for(ms(200_000));
        let packets = net.log.iter().map(|sent| {
            let (timestamp, payload) = split(&sent.contents);
            (sent.at, timestamp, payload.to_vec())
        });
        packets.collect()
    }
}

/// One end of the call. A datagram is the RTP timestamp and the payload.
enum End {
    Phone {
        sender: Box<Sender>,
        rate: u32,
        start: Instant,
        local: SocketAddr,
        remote: SocketAddr,
    },
    Ear {
        receiver: Box<Receiver>,
        heard: Vec<ReceiverEvent>,
    },
}

impl End {
    fn phone(rate: u32, start: Instant, local: SocketAddr, remote: SocketAddr) -> Self {
        Self::Phone {
            sender: Box::new(Sender::new(rate).unwrap()),
            rate,
            start,
            local,
            remote,
        }
    }

    fn ear(rate: u32) -> Self {
        Self::Ear {
            receiver: Box::new(Receiver::new(rate).unwrap()),
            heard: Vec::new(),
        }
    }

    fn dial(&mut self, tones: &str, duration: Duration, gap: Duration, now: Instant) {
        if let Self::Phone { sender, .. } = self {
            sender.insert(tones, duration, gap, now).unwrap();
        }
    }

    fn collect(&mut self) {
        if let Self::Ear { receiver, heard } = self {
            heard.extend(core::iter::from_fn(|| receiver.poll_event()));
        }
    }
}

impl Machine for End {
    fn handle_datagram(
        &mut self,
        _local: SocketAddr,
        _remote: SocketAddr,
        contents: &mut [u8],
        now: Instant,
    ) {
        if let Self::Ear { receiver, .. } = self {
            let (timestamp, payload) = split(contents);
            receiver.handle_packet(timestamp, payload, now).unwrap();
        }
        self.collect();
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Phone { sender, .. } => sender.handle_timeout(now),
            Self::Ear { receiver, .. } => receiver.handle_timeout(now),
        }
        self.collect();
    }

    fn poll_transmit(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let Self::Phone {
            sender,
            rate,
            start,
            local,
            remote,
        } = self
        else {
            return None;
        };
        let packet = sender.poll_packet(now)?;
        let since = u64::try_from((packet.started_at - *start).as_millis()).unwrap();
        let timestamp = u32::try_from(since * u64::from(*rate / 1_000)).unwrap() + packet.offset;
        buf.extend_from_slice(&timestamp.to_be_bytes());
        packet.report.encode(buf);
        Some((*local, *remote))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Phone { sender, .. } => sender.poll_timeout(),
            Self::Ear { receiver, .. } => receiver.poll_timeout(),
        }
    }
}

fn split(contents: &[u8]) -> (u32, &[u8]) {
    let (timestamp, payload) = contents.split_first_chunk().unwrap();
    (u32::from_be_bytes(*timestamp), payload)
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 5_004))
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
