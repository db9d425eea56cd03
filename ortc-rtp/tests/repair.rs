//! A stream over a network that loses, reorders and repeats, repaired by NACK and reported on.
#![expect(clippy::unwrap_used, reason = "a failed expectation is the report")]

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use ortc_rtp::repair::{HistoryConfig, NackConfig, NackGenerator, SendHistory};
use ortc_rtp::stream::{ReceiveStream, ReportConfig, ReportSchedule, SendStream};
use ortc_rtp::timestamp::NtpClock;
use ortc_rtp::wire::rtcp::{self, Nack, Packet, ReceiverReport, SenderReport};
use ortc_rtp::wire::{Header, RtpPacket};
use ortc_testkit::link::Link;
use ortc_testkit::net::{Machine, Net};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const SSRC: u32 = 0x1234;
const PACKETS: u64 = 2_000;
const PACE: Duration = Duration::from_millis(5);
const ONE_WAY: Duration = Duration::from_millis(25);

#[test]
fn ten_percent_loss_is_repaired_and_the_reports_measure_the_path() {
    let link = Link::perfect(ONE_WAY)
        .with_loss(0.1)
        .with_jitter(Duration::from_millis(8))
        .with_duplicate(0.02);
    let (net, sender, receiver) = run(link, 1);

    let Peer::Receiver(receiver) = net.node(receiver) else {
        panic!("the receiver is the second node");
    };
    assert_eq!(receiver.delivered.len() as u64, PACKETS);
    assert_eq!(
        (receiver.nack.outstanding(), receiver.nack.given_up()),
        (0, 0)
    );
    let Peer::Sender(sender) = net.node(sender) else {
        panic!("the sender is the first node");
    };
    let stats = sender.stream.stats();
    // 200 lost, and a tenth of the repairs again; late packets cost some more.
    assert!((180..400).contains(&stats.retransmitted), "{stats:?}");
    let rtt = stats.rtt.unwrap();
    assert!(
        (ONE_WAY * 2..ONE_WAY * 2 + Duration::from_millis(17)).contains(&rtt),
        "{rtt:?}"
    );
}

#[test]
fn a_path_without_loss_carries_no_request() {
    let (net, sender, _) = run(Link::perfect(ONE_WAY), 2);
    let Peer::Sender(sender) = net.node(sender) else {
        panic!("the sender is the first node");
    };
    let stats = sender.stream.stats();
    assert_eq!((stats.retransmitted, stats.packets), (0, PACKETS));
    assert_eq!(
        (stats.remote_lost, stats.remote_jitter),
        (0, Duration::ZERO)
    );
    assert!(net.log.iter().all(|sent| sent.contents[1] != 205));
}

fn run(
    link: Link,
    seed: u64,
) -> (
    Net<Peer>,
    ortc_testkit::net::NodeId,
    ortc_testkit::net::NodeId,
) {
    let [a, b] = ["10.0.0.1:5000", "10.0.0.2:5000"].map(|text| text.parse().unwrap());
    let mut net = Net::new(seed).link(link);
    let sender = net.add(Peer::Sender(Sender::new(a, b, net.now())), &[a]);
    let receiver = net.add(Peer::Receiver(Receiver::new(b, a, net.now())), &[b]);
    net.run_for(Duration::from_secs(13));
    (net, sender, receiver)
}

enum Peer {
    Sender(Sender),
    Receiver(Receiver),
}

struct Sender {
    path: (SocketAddr, SocketAddr),
    stream: SendStream,
    history: SendHistory<Vec<u8>>,
    schedule: ReportSchedule,
    random: ChaCha20Rng,
    clock: NtpClock,
    next_media: Option<Instant>,
    sent: u64,
    queue: VecDeque<Vec<u8>>,
}

impl Sender {
    fn new(local: SocketAddr, remote: SocketAddr, now: Instant) -> Self {
        let mut random = ChaCha20Rng::seed_from_u64(1);
        Self {
            path: (local, remote),
            stream: SendStream::new(SSRC, 0x7FF0, 9, 90_000),
            history: SendHistory::new(HistoryConfig::default()),
            schedule: ReportSchedule::new(ReportConfig::default(), now, &mut random),
            random,
            clock: NtpClock::new(Duration::from_secs(1_700_000_000), now),
            next_media: Some(now),
            sent: 0,
            queue: VecDeque::new(),
        }
    }

    fn handle_rtcp(&mut self, datagram: &[u8], now: Instant) {
        let rtt = self.stream.stats().rtt.unwrap_or(ONE_WAY * 2);
        for packet in rtcp::packets(datagram) {
            let packet = packet.unwrap();
            if let Packet::Nack(nack) = packet {
                for sequence in nack.lost() {
                    if let Some(packet) = self.history.get(sequence, now, rtt) {
                        self.stream.on_resent(packet.len() - Header::LEN);
                        self.queue.push_back(packet.clone());
                    }
                }
            } else if let Packet::ReceiverReport(report) = packet {
                for block in report.blocks() {
                    self.stream.on_report_block(&block, now, &self.clock);
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.next_media.is_some_and(|at| at <= now) {
            let header = Header {
                marker: false,
                payload_type: 96,
                sequence: self.stream.next_sequence(),
                timestamp: self
                    .stream
                    .timestamp(u32::try_from(self.sent * 450).unwrap()),
                ssrc: SSRC,
            };
            let mut packet = Vec::new();
            header.encode(&mut packet);
            packet.extend_from_slice(&self.sent.to_be_bytes());
            self.stream.on_sent(header.timestamp, 8, now);
            self.schedule.on_media_sent(now);
            self.history.insert(header.sequence, packet.clone(), now);
            self.queue.push_back(packet);
            self.sent += 1;
            self.next_media = (self.sent < PACKETS).then_some(now + PACE);
        }
        if self.schedule.on_timeout(now, &mut self.random) {
            let info = self.stream.sender_info(now, &self.clock);
            let mut report = Vec::new();
            SenderReport {
                ssrc: SSRC,
                info,
                blocks: &[],
            }
            .encode(&mut report);
            self.schedule.on_rtcp_sent(report.len());
            self.queue.push_back(report);
        }
    }
}

struct Receiver {
    path: (SocketAddr, SocketAddr),
    stream: ReceiveStream,
    nack: NackGenerator,
    schedule: ReportSchedule,
    random: ChaCha20Rng,
    delivered: BTreeSet<u64>,
    queue: VecDeque<Vec<u8>>,
}

impl Receiver {
    fn new(local: SocketAddr, remote: SocketAddr, now: Instant) -> Self {
        let mut random = ChaCha20Rng::seed_from_u64(2);
        Self {
            path: (local, remote),
            stream: ReceiveStream::new(SSRC, 90_000),
            nack: NackGenerator::new(NackConfig::default()),
            schedule: ReportSchedule::new(ReportConfig::default(), now, &mut random),
            random,
            delivered: BTreeSet::new(),
            queue: VecDeque::new(),
        }
    }

    fn handle_rtp(&mut self, datagram: &[u8], now: Instant) {
        let packet = RtpPacket::parse(datagram).unwrap();
        let payload = packet.payload();
        let timestamp = Some(packet.timestamp());
        let reception = self
            .stream
            .on_rtp(packet.sequence(), timestamp, payload.len(), now);
        self.nack.on_packet(reception.extended, now);
        self.delivered
            .insert(u64::from_be_bytes(payload.try_into().unwrap()));
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.nack.handle_timeout(now);
        let mut lost = Vec::new();
        self.nack.take(now, ONE_WAY * 2, &mut lost);
        if !lost.is_empty() {
            let mut request = Vec::new();
            Nack {
                sender_ssrc: 1,
                media_ssrc: SSRC,
                lost: &lost,
            }
            .encode(&mut request);
            self.queue.push_back(request);
        }
        if self.schedule.on_timeout(now, &mut self.random) {
            let blocks = [self.stream.report_block(now)];
            let mut report = Vec::new();
            ReceiverReport {
                ssrc: 1,
                blocks: &blocks,
            }
            .encode(&mut report);
            self.schedule.on_rtcp_sent(report.len());
            self.queue.push_back(report);
        }
    }
}

impl Machine for Peer {
    fn handle_datagram(&mut self, _: SocketAddr, _: SocketAddr, contents: &mut [u8], now: Instant) {
        match self {
            Self::Sender(sender) => sender.handle_rtcp(contents, now),
            Self::Receiver(receiver)
                if contents.get(1).is_some_and(|second| rtcp::is_rtcp(*second)) =>
            {
                for packet in rtcp::packets(contents) {
                    if let Packet::SenderReport(report) = packet.unwrap() {
                        receiver.stream.on_sender_report(&report.info(), now);
                    }
                }
            }
            Self::Receiver(receiver) => receiver.handle_rtp(contents, now),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Sender(sender) => sender.handle_timeout(now),
            Self::Receiver(receiver) => receiver.handle_timeout(now),
        }
    }

    fn poll_transmit(&mut self, buf: &mut Vec<u8>, _: Instant) -> Option<(SocketAddr, SocketAddr)> {
        let (queue, path) = match self {
            Self::Sender(sender) => (&mut sender.queue, sender.path),
            Self::Receiver(receiver) => (&mut receiver.queue, receiver.path),
        };
        buf.extend_from_slice(&queue.pop_front()?);
        Some(path)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Sender(sender) => [Some(sender.schedule.next()), sender.next_media]
                .into_iter()
                .flatten()
                .min(),
            Self::Receiver(receiver) => {
                [Some(receiver.schedule.next()), receiver.nack.poll_timeout()]
                    .into_iter()
                    .flatten()
                    .min()
            }
        }
    }
}

#[test]
fn every_machine_can_move_to_another_thread() {
    const fn is_send<T: Send>() {}
    is_send::<SendStream>();
    is_send::<ReceiveStream>();
    is_send::<ReportSchedule>();
    is_send::<NackGenerator>();
    is_send::<SendHistory<Vec<u8>>>();
    is_send::<ortc_rtp::pool::PayloadPool>();
}
