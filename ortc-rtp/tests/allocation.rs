//! What runs per packet allocates nothing at steady state.

use std::collections::VecDeque;
use std::time::Instant;

use allocation_counter::measure;
use ortc_rtp::pool::PayloadPool;
use ortc_rtp::repair::{HistoryConfig, NackConfig, NackGenerator, SendHistory};
use ortc_rtp::stream::{ReceiveStream, SendStream};
use ortc_rtp::wire::{ExtensionElements, Header, RtpPacket};

#[test]
fn writing_and_reading_a_packet_allocates_nothing() {
    let mut elements = ExtensionElements::new();
    elements.push(3, &[0, 0]).unwrap();
    elements.push(4, b"audio").unwrap();
    let mut out = Vec::with_capacity(1_500);
    let info = measure(|| {
        for sequence in 0..1_000_u16 {
            out.clear();
            elements.set(3, &sequence.to_be_bytes()).unwrap();
            let header = Header {
                sequence,
                ..Header::default()
            };
            header.encode_with(&mut out, &[7], &elements);
            out.extend_from_slice(&[1; 80]);
            let packet = RtpPacket::parse(&out).unwrap();
            assert_eq!(packet.extensions().count(), 2);
            assert_eq!(packet.csrcs().next(), Some(7));
        }
    });
    assert_eq!(info.count_total, 0);
}

/// Consumers that hold some payloads for a while: after the first round no block is made.
#[test]
fn recycled_payloads_allocate_nothing_after_warm_up() {
    for (len, held) in [(80, 10), (1_100, 40), (4_096, 5)] {
        let payload = vec![7; len];
        let mut pool = PayloadPool::new();
        let mut queue = VecDeque::with_capacity(held + 1);
        let mut run = |packets: usize| {
            for _ in 0..packets {
                queue.push_back(pool.copy(&payload));
                if queue.len() > held {
                    assert_eq!(queue.pop_front().unwrap(), payload);
                }
            }
        };
        run(1_000);
        assert_eq!(measure(|| run(10_000)).count_total, 0, "{len} octets");
        // What is held, rounded up to blocks, and a few blocks in between.
        let blocks = held.div_ceil(4_096 / len) + 6;
        assert!(
            pool.heap() <= blocks * (4_096 + 64),
            "{} at {len}",
            pool.heap()
        );
    }
}

/// With everything held the pool stops growing, and still copies.
#[test]
fn a_pool_whose_blocks_are_all_held_falls_back_and_recovers() {
    let mut pool = PayloadPool::with_limit(2);
    let held: Vec<_> = (0..20).map(|octet| pool.copy(&[octet; 1_000])).collect();
    for (octet, payload) in (0..20).zip(&held) {
        assert_eq!(payload[..], [octet; 1_000]);
    }
    assert!(pool.heap() < 3 * 4_096);
    drop(held);
    assert_eq!(measure(|| drop(pool.copy(&[1; 1_000]))).count_total, 0);
    let large = vec![3; 10_000];
    assert_eq!(pool.copy(&large), large);
    assert!(pool.copy(&[]).is_empty());
}

#[test]
fn the_statistics_of_a_steady_stream_allocate_nothing() {
    let now = start();
    let mut send = SendStream::new(1, 0, 0, 48_000);
    let mut receive = ReceiveStream::new(1, 48_000);
    let mut nack = NackGenerator::new(NackConfig::default());
    let mut history = SendHistory::new(HistoryConfig::default());
    let mut step = |count: usize| {
        for _ in 0..count {
            let sequence = send.next_sequence();
            send.on_sent(u32::from(sequence), 80, now);
            history.insert(sequence, (), now);
            let reception = receive.on_rtp(sequence, Some(u32::from(sequence)), 80, now);
            nack.on_packet(reception.extended, now);
            receive.report_block(now);
        }
    };
    step(1_000);
    assert_eq!(measure(|| step(70_000)).count_total, 0);
}

/// A block that is put together for each packet uses the memory of the last one.
#[test]
fn header_extensions_are_put_together_without_allocation() {
    let mut elements = ExtensionElements::new();
    let mut step = |count: u8| {
        for index in 0..count {
            elements.clear();
            for id in 1..=5 {
                elements.push(id, &[index; 16]).unwrap();
            }
            assert_eq!(elements.elements().count(), 5);
        }
    };
    step(1);
    assert_eq!(measure(|| step(200)).count_total, 0);
}

#[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
fn start() -> Instant {
    Instant::now()
}
