//! RFC 3550: header, reports, statistics and the report interval; the appendices' algorithms are
//! written out naively here and compared with the crate.

use core::time::Duration;
use std::time::Instant;

use ortc_rtp::ParseError;
use ortc_rtp::stream::{Order, ReceiveStream, ReportConfig, ReportSchedule, SendStream};
use ortc_rtp::timestamp::{NtpClock, RtpClock, middle32};
use ortc_rtp::wire::rtcp::{
    Bye, Compound, Packet, ReceiverReport, ReportBlock, Sdes, SenderInfo, SenderReport, Text,
    is_rtcp, packets,
};
use ortc_rtp::wire::{ExtensionElements, Header, RtpPacket};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

const SSRC: u32 = 0x1234_5678;

// Section 5.1: the header.

#[test]
fn a_header_with_sources_extension_and_padding_is_read_field_by_field() {
    let bytes = hex::decode(
        "b2e0fffe".to_owned() + "00000064" + "12345678" + "00000001" + "00000002" // two CSRCs
            + "abcd0001" + "01020304" // an extension of some profile
            + "7061796c6f6164" + "000003", // the payload and three octets of padding
    )
    .unwrap();
    let packet = RtpPacket::parse(&bytes).unwrap();
    assert!(packet.marker());
    assert_eq!(packet.payload_type(), 96);
    assert_eq!(packet.sequence(), 65_534);
    assert_eq!((packet.timestamp(), packet.ssrc()), (100, SSRC));
    assert!(packet.csrcs().eq([1, 2]));
    assert_eq!(packet.header_len(), 28);
    assert_eq!(packet.payload(), b"payload");
    assert_eq!(packet.padding_len(), 3);
}

#[test]
fn a_packet_of_padding_alone_has_an_empty_payload() {
    let mut bytes = header_bytes(0xA0);
    bytes.extend_from_slice(&[0, 0, 0, 4]);
    let packet = RtpPacket::parse(&bytes).unwrap();
    assert_eq!((packet.payload(), packet.padding_len()), (&[][..], 4));
}

/// The padding count includes itself, so it is never zero, and stays behind the header.
#[test]
fn a_padding_count_of_zero_or_beyond_the_payload_is_an_error() {
    for (tail, count) in [
        (&[][..], 0),
        (&[1, 2, 0], 0),
        (&[1, 2, 4], 4),
        (&[255], 255),
    ] {
        let mut bytes = header_bytes(0xA0);
        bytes.extend_from_slice(tail);
        assert_eq!(
            RtpPacket::parse(&bytes),
            Err(ParseError::Padding {
                count,
                have: tail.len()
            })
        );
    }
}

#[test]
fn every_prefix_of_a_header_is_an_error() {
    let mut bytes = header_bytes(0x91);
    bytes.extend_from_slice(&[0, 0, 0, 9, 0xBE, 0xDE, 0, 1, 0x10, 1, 0, 0]);
    for len in 0..bytes.len() {
        let error = RtpPacket::parse(&bytes[..len]).unwrap_err();
        assert!(
            matches!(error, ParseError::Truncated { .. }),
            "{len}: {error}"
        );
    }
    assert!(RtpPacket::parse(&bytes).is_ok());
}

#[test]
fn other_versions_are_refused() {
    for version in [0, 1, 3] {
        let bytes = header_bytes(version << 6);
        assert_eq!(RtpPacket::parse(&bytes), Err(ParseError::Version(version)));
    }
}

/// "If there are more than 15 contributing sources, only 15 can be identified."
#[test]
fn fifteen_contributing_sources_are_written() {
    let csrcs: Vec<u32> = (0..20).collect();
    let mut out = Vec::new();
    Header::default().encode_with(&mut out, &csrcs, &ExtensionElements::new());
    let packet = RtpPacket::parse(&out).unwrap();
    assert!(packet.csrcs().eq(0..15));
    assert_eq!(packet.header_len(), out.len());
}

#[test]
fn a_payload_type_of_eight_bits_does_not_set_the_marker() {
    let mut out = Vec::new();
    Header {
        payload_type: 0xFF,
        ..Header::default()
    }
    .encode(&mut out);
    let packet = RtpPacket::parse(&out).unwrap();
    assert_eq!((packet.marker(), packet.payload_type()), (false, 127));
}

/// RFC 5761 §4: packet types 192 to 223 are RTCP's.
#[test]
fn the_second_octet_tells_rtcp_from_rtp() {
    let found: Vec<u8> = (0..=255).filter(|octet| is_rtcp(*octet)).collect();
    assert!(found.into_iter().eq(192..=223));
}

// Section 6.4: reports.

#[test]
fn a_sender_report_is_written_as_in_the_figure() {
    let info = SenderInfo {
        ntp: 0x0102_0304_0506_0708,
        rtp: 0x1112_1314,
        packets: 0x2122_2324,
        octets: 0x3132_3334,
    };
    let block = ReportBlock {
        ssrc: 0x4142_4344,
        fraction_lost: 0x51,
        cumulative_lost: -2,
        highest_sequence: 0x6162_6364,
        jitter: 0x7172_7374,
        last_sender_report: 0x8182_8384,
        delay_since_last_sender_report: 0x9192_9394,
    };
    let mut out = Vec::new();
    SenderReport {
        ssrc: SSRC,
        info,
        blocks: &[block],
    }
    .encode(&mut out);
    let expected = "81c8000c".to_owned()
        + "12345678"
        + "0102030405060708"
        + "11121314"
        + "21222324"
        + "31323334"
        + "41424344"
        + "51fffffe"
        + "61626364"
        + "71727374"
        + "81828384"
        + "91929394";
    assert_eq!(hex::encode(&out), expected);
    let Some(Ok(Packet::SenderReport(view))) = packets(&out).next() else {
        panic!("not what was built");
    };
    assert_eq!((view.ssrc(), view.info()), (SSRC, info));
    assert!(view.blocks().eq([block]));
}

/// §6.1: what exceeds 31 blocks goes on in receiver reports of the same compound.
#[test]
fn more_than_31_blocks_continue_in_receiver_reports() {
    let blocks: Vec<_> = (0..70)
        .map(|ssrc| ReportBlock {
            ssrc,
            ..ReportBlock::default()
        })
        .collect();
    let mut out = Vec::new();
    SenderReport {
        ssrc: SSRC,
        info: SenderInfo::default(),
        blocks: &blocks,
    }
    .encode(&mut out);
    let mut counts = Vec::new();
    let mut read = Vec::new();
    for packet in Compound::parse(&out).unwrap().packets() {
        let before = read.len();
        if let Packet::SenderReport(view) = packet {
            read.extend(view.blocks());
        } else if let Packet::ReceiverReport(view) = packet {
            read.extend(view.blocks());
        }
        counts.push(read.len() - before);
    }
    assert_eq!(counts, [31, 31, 8]);
    assert_eq!(read, blocks);
}

#[test]
fn a_profile_specific_extension_is_kept() {
    let bytes = hex::decode("80c90002".to_owned() + "00000001" + "cafebabe").unwrap();
    let Some(Ok(packet @ Packet::ReceiverReport(view))) = packets(&bytes).next() else {
        panic!("not a receiver report");
    };
    assert_eq!(view.extension(), [0xCA, 0xFE, 0xBA, 0xBE]);
    let mut again = Vec::new();
    packet.encode(&mut again);
    assert_eq!(again, bytes);
}

/// The count of each packet type promises more than the length holds.
#[test]
fn a_count_beyond_the_length_is_an_error() {
    for bytes in [
        "81c8000600000001000000000000000000000000000000000000000000", // SR with a block missing
        "82c90001000000010000",                                       // RR
        "81ca000000000000",                                           // SDES without its chunk
        "82cb000100000001",                                           // BYE with one source of two
        "80cc000100000001",                                           // APP without its name
    ] {
        let mut bytes = hex::decode(bytes).unwrap();
        bytes.truncate((usize::from(bytes[3]) + 1) * 4);
        let error = packets(&bytes).next().unwrap().unwrap_err();
        assert!(matches!(error, ParseError::Truncated { .. }), "{error}");
    }
}

/// §6.5: items end with a null octet inside their chunk, and fill the word.
#[test]
fn the_items_of_a_chunk_end_inside_it() {
    for (text, len) in [("", 3), ("a", 3), ("ab", 4), ("abcd", 4), ("abcde", 4)] {
        let mut out = Vec::new();
        Sdes {
            ssrc: SSRC,
            cname: Text::new(text).unwrap(),
        }
        .encode(&mut out);
        assert_eq!(out.len(), len * 4, "{text:?}");
        let Some(Ok(Packet::SourceDescription(view))) = packets(&out).next() else {
            panic!("not what was built");
        };
        let chunk = view.chunks().next().unwrap();
        assert_eq!((chunk.ssrc(), chunk.cname()), (SSRC, Some(text.as_bytes())));
    }
    for bytes in [
        "81ca000212345678".to_owned() + "01026162", // no null octet
        "81ca000212345678".to_owned() + "01ff6100", // text past the end
        "81ca000112345678".to_owned(),              // no items and no null octet
    ] {
        let bytes = hex::decode(bytes).unwrap();
        assert!(packets(&bytes).next().unwrap().is_err(), "{bytes:x?}");
    }
    assert!(Text::new(&"x".repeat(256)).is_err());
}

#[test]
fn octets_behind_the_last_chunk_are_an_error() {
    let bytes = hex::decode("80ca0001".to_owned() + "00000000").unwrap();
    assert_eq!(
        packets(&bytes).next(),
        Some(Err(ParseError::Trailing {
            what: "SDES chunks",
            left: 4
        }))
    );
}

#[test]
fn a_goodbye_names_its_sources_and_reason() {
    let mut out = Vec::new();
    let reason = Some(Text::new("camera malfunction").unwrap());
    Bye {
        ssrcs: &[1, 2],
        reason,
    }
    .encode(&mut out);
    let Some(Ok(Packet::Goodbye(view))) = packets(&out).next() else {
        panic!("not what was built");
    };
    assert!(view.ssrcs().eq([1, 2]));
    assert_eq!(view.reason(), Some(&b"camera malfunction"[..]));
    assert_eq!(out.len(), 4 + 8 + 20);
}

#[test]
fn a_reason_past_the_end_of_its_goodbye_is_an_error() {
    let bytes = hex::decode("81cb0002".to_owned() + "00000001" + "04616263").unwrap();
    assert_eq!(
        packets(&bytes).next(),
        Some(Err(ParseError::Truncated {
            what: "BYE reason",
            need: 4,
            have: 3
        }))
    );
    let bytes = hex::decode("81cb0003".to_owned() + "00000001" + "01610000" + "00000000").unwrap();
    assert!(packets(&bytes).next().unwrap().is_err());
}

#[test]
fn padding_before_the_last_packet_is_an_error() {
    let padded = "a0c90002000000010000".to_owned() + "0004";
    let alone = hex::decode(&padded).unwrap();
    assert!(Compound::parse(&alone).is_ok());
    let followed = hex::decode(padded + "80c9000100000001").unwrap();
    assert_eq!(Compound::parse(&followed), Err(ParseError::EarlyPadding));
}

#[test]
fn padding_longer_than_its_packet_is_an_error() {
    for tail in ["00000000", "00000009"] {
        let bytes = hex::decode("a0c90002".to_owned() + "00000001" + tail).unwrap();
        let error = Compound::parse(&bytes).unwrap_err();
        assert!(matches!(error, ParseError::Padding { .. }), "{error}");
    }
}

#[test]
fn every_packet_of_a_datagram_is_read() {
    let mut out = Vec::new();
    for ssrc in 0..3 {
        ReceiverReport { ssrc, blocks: &[] }.encode(&mut out);
    }
    assert_eq!(Compound::parse(&out).unwrap().packets().count(), 3);
}

#[test]
fn application_packets_and_unknown_types_are_kept() {
    let bytes =
        hex::decode("85cc0003".to_owned() + "00000001" + "74657374" + "0badf00d" + "9fc00000")
            .unwrap();
    let read: Vec<_> = Compound::parse(&bytes).unwrap().packets().collect();
    let [Packet::Application(app), Packet::Unknown(unknown)] = read[..] else {
        panic!("{read:?}");
    };
    assert_eq!((app.subtype(), app.ssrc(), &app.name()), (5, 1, b"test"));
    assert_eq!(app.data(), [0x0B, 0xAD, 0xF0, 0x0D]);
    assert_eq!((unknown.packet_type(), unknown.count()), (192, 31));
    let mut again = Vec::new();
    read.iter().for_each(|packet| packet.encode(&mut again));
    assert_eq!(again, bytes);
}

// Section 4 and 6.4.1: clocks and the round trip.

#[test]
fn ntp_counts_from_1900_and_wraps_in_2036() {
    let start = start();
    let clock = NtpClock::new(Duration::from_millis(1_500), start);
    assert_eq!(clock.ntp(start), (2_208_988_801 << 32) | (1 << 31));
    assert_eq!(clock.ntp(start + ms(500)), 2_208_988_802 << 32);
    assert_eq!(middle32(0x0102_0304_0506_0708), 0x0304_0506);
    let late = NtpClock::new(Duration::from_secs((1 << 32) - 2_208_988_800), start);
    assert_eq!(late.ntp(start), 0);
    assert_eq!(
        clock.ntp(start.checked_sub(ms(500)).unwrap()),
        2_208_988_801 << 32
    );
}

#[test]
fn the_media_clock_wraps_and_runs_backwards() {
    let start = start();
    let clock = RtpClock::new(0xFFFF_FF00, 90_000, start);
    assert_eq!(
        clock.timestamp(start + ms(10)),
        0xFFFF_FF00_u32.wrapping_add(900)
    );
    assert_eq!(
        clock.timestamp(start.checked_sub(ms(10)).unwrap()),
        0xFFFF_FF00 - 900
    );
    assert_eq!(clock.at_position(ms(10)), clock.timestamp(start + ms(10)));
    // A year: no rounding adds up.
    let year = Duration::from_secs(31_536_000);
    let exact = u32::try_from((31_536_000_u64 * 90_000 + 0xFFFF_FF00) & 0xFFFF_FFFF).unwrap();
    assert_eq!(clock.timestamp(start + year), exact);
}

/// The figure of §6.4.1: a round trip of 6.125 s measured with A, LSR and DLSR.
#[test]
fn the_round_trip_of_figure_2_is_computed() {
    let start = start();
    // The receiver report comes back at 0xb44db710.8000.
    let unix = Duration::from_secs(0xB44D_B710 - 2_208_988_800) + ms(500);
    let clock = NtpClock::new(unix, start);
    assert_eq!(middle32(clock.ntp(start)), 0xB710_8000);
    let block = ReportBlock {
        ssrc: SSRC,
        last_sender_report: 0xB705_2000,
        delay_since_last_sender_report: 0x0005_4000,
        ..ReportBlock::default()
    };
    let mut stream = SendStream::new(SSRC, 0, 0, 8_000);
    stream.on_report_block(&block, start, &clock);
    assert_eq!(stream.stats().rtt, Some(ms(6_125)));
}

#[test]
fn a_report_that_claims_to_be_from_the_future_gives_no_round_trip() {
    let start = start();
    let clock = NtpClock::new(Duration::from_secs(1_000), start);
    let mut stream = SendStream::new(SSRC, 0, 0, 8_000);
    let mut block = ReportBlock {
        ssrc: SSRC,
        ..ReportBlock::default()
    };
    stream.on_report_block(&block, start, &clock);
    assert_eq!(stream.stats().rtt, None); // no sender report seen yet
    block.last_sender_report = middle32(clock.ntp(start));
    block.delay_since_last_sender_report = 1;
    stream.on_report_block(&block, start, &clock);
    assert_eq!(stream.stats().rtt, None);
}

#[test]
fn a_block_about_another_source_is_ignored() {
    let start = start();
    let clock = NtpClock::new(Duration::ZERO, start);
    let mut stream = SendStream::new(SSRC, 0, 0, 8_000);
    let block = ReportBlock {
        ssrc: SSRC + 1,
        cumulative_lost: 9,
        ..ReportBlock::default()
    };
    stream.on_report_block(&block, start, &clock);
    assert_eq!(stream.stats().remote_lost, 0);
}

/// The start leaves 2^15 numbers before the first wrap, so a receiver that misses the first packets
/// still knows its rollover counter.
#[test]
fn the_first_sequence_number_is_below_half_of_its_space() {
    for asked in [0, 0x7FFF, 0x8000, 0xFFFF] {
        assert!(SendStream::new(SSRC, asked, 0, 8_000).next_sequence() < 0x8000);
    }
}

#[test]
fn sender_figures_relate_the_clock_to_the_first_packet_of_a_timestamp() {
    let start = start();
    let clock = NtpClock::new(Duration::ZERO, start);
    let mut stream = SendStream::new(SSRC, 0, 1_000, 90_000);
    assert!(!stream.has_sent());
    let timestamp = stream.timestamp(0);
    for late in [0, 7, 14] {
        stream.on_sent(timestamp, 1_200, start + ms(late)); // one frame, paced
    }
    stream.on_resent(1_200);
    let info = stream.sender_info(start + ms(100), &clock);
    assert_eq!(info.rtp, 1_000 + 9_000);
    assert_eq!((info.packets, info.octets), (4, 4_800));
    assert_eq!(stream.stats().retransmitted, 1);
}

// Appendix A.1, A.3, A.8: reception.

/// `update_seq` and its companions as the appendix has them, after probation; only the constants
/// are the crate's.
#[derive(Default)]
struct Naive {
    base_seq: i64,
    max_seq: i64,
    bad_seq: i64,
    cycles: i64,
    received: i64,
    expected_prior: i64,
    received_prior: i64,
    transit: Option<i64>,
    jitter: i64,
}

const SEQ_MOD: i64 = 1 << 16;
const MAX_DROPOUT: i64 = 3_000;
const MAX_MISORDER: i64 = 3_000;

impl Naive {
    fn init(&mut self, seq: i64) {
        self.base_seq = seq;
        self.max_seq = seq;
        self.bad_seq = SEQ_MOD + 1;
        self.cycles = 0;
        self.received = 0;
        self.received_prior = 0;
        self.expected_prior = 0;
        self.transit = None;
    }

    fn update(&mut self, seq: i64) -> bool {
        let delta = (seq - self.max_seq).rem_euclid(SEQ_MOD);
        if delta < MAX_DROPOUT {
            if seq < self.max_seq {
                self.cycles += SEQ_MOD;
            }
            self.max_seq = seq;
        } else if delta <= SEQ_MOD - MAX_MISORDER {
            if seq == self.bad_seq {
                self.init(seq);
            } else {
                self.bad_seq = (seq + 1) & (SEQ_MOD - 1);
                return false;
            }
        }
        self.received += 1;
        true
    }

    /// A.8 with the integer jitter; transit is 32 bits with sign.
    fn jitter(&mut self, arrival: i64, timestamp: i64) {
        let transit = arrival - timestamp;
        if let Some(before) = self.transit {
            let d = (transit - before + (1 << 31)).rem_euclid(1 << 32) - (1 << 31);
            self.jitter += d.abs() - ((self.jitter + 8) >> 4);
        }
        self.transit = Some(transit);
    }

    fn expected(&self) -> i64 {
        self.cycles + self.max_seq - self.base_seq + 1
    }

    /// Fraction, lost and highest of a report.
    fn report(&mut self) -> (i64, i64, i64) {
        let expected = self.expected();
        let lost = (expected - self.received).clamp(-0x80_0000, 0x7F_FFFF);
        let expected_interval = expected - self.expected_prior;
        self.expected_prior = expected;
        let received_interval = self.received - self.received_prior;
        self.received_prior = self.received;
        let lost_interval = expected_interval - received_interval;
        let fraction = if expected_interval == 0 || lost_interval <= 0 {
            0
        } else {
            (lost_interval << 8) / expected_interval
        };
        (fraction, lost, self.cycles + self.max_seq)
    }
}

#[test]
fn statistics_agree_with_the_appendix_over_any_history() {
    for seed in 0..64 {
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let start = start();
        let mut stream = ReceiveStream::new(SSRC, 90_000);
        let mut naive = Naive::default();
        // Near the wrap, so that every history crosses it.
        let mut sequence = 65_000 + i64::from(random.next_u32() % 536);
        let mut micros = 0_u64;
        let mut first_micros = 0;
        let mut timestamp = random.next_u32();
        for step in 0..3_000 {
            let jump = match random.next_u32() % 1_000 {
                0 => i64::from(random.next_u32() % 65_536), // somewhere else: perhaps a restart
                1..50 => -i64::from(random.next_u32() % 200), // late
                50..60 => 0,                                // a duplicate
                60..160 => 1 + i64::from(random.next_u32() % 20), // a gap
                160.. => 1,
            };
            sequence = (sequence + jump).rem_euclid(SEQ_MOD);
            micros += u64::from(random.next_u32() % 40_000);
            timestamp = timestamp.wrapping_add(random.next_u32() % 4_000);

            let now = start + Duration::from_micros(micros);
            let short = u16::try_from(sequence).unwrap();
            let reception = stream.on_rtp(short, Some(timestamp), 100, now);
            let believed = if step == 0 {
                naive.init(sequence);
                naive.received = 1;
                first_micros = micros;
                true
            } else {
                naive.update(sequence)
            };
            assert_eq!(
                believed,
                reception.order != Order::Suspect,
                "seed {seed} step {step}"
            );
            if believed {
                // The crate counts arrival from the first packet: so does this.
                let arrival = i64::try_from((micros - first_micros) * 90_000 / 1_000_000);
                naive.jitter(arrival.unwrap(), timestamp.into());
            }
            if random.next_u32() % 50 == 0 {
                let block = stream.report_block(now);
                let (fraction, lost, highest) = naive.report();
                assert_eq!(
                    i64::from(block.fraction_lost),
                    fraction,
                    "seed {seed} step {step}"
                );
                assert_eq!(
                    i64::from(block.cumulative_lost),
                    lost,
                    "seed {seed} step {step}"
                );
                assert_eq!(
                    i64::from(block.highest_sequence),
                    highest,
                    "seed {seed} step {step}"
                );
                assert_eq!(
                    i64::from(block.jitter),
                    naive.jitter >> 4,
                    "seed {seed} step {step}"
                );
            }
        }
    }
}

#[test]
fn fraction_lost_is_right_across_the_wrap() {
    let start = start();
    let mut stream = ReceiveStream::new(SSRC, 48_000);
    for sequence in 65_500..65_530 {
        stream.on_rtp(sequence, None, 100, start);
    }
    assert_eq!(stream.report_block(start).fraction_lost, 0);
    // 40 expected: 65530..65535 and 0..33, of which every fourth is lost.
    for step in 0..40_u16 {
        if step % 4 != 2 {
            stream.on_rtp(65_530_u16.wrapping_add(step), None, 100, start);
        }
    }
    let block = stream.report_block(start);
    assert_eq!(block.fraction_lost, 64);
    assert_eq!(block.cumulative_lost, 10);
    assert_eq!(block.highest_sequence, 65_536 + 33);
    // Nothing since: nothing lost in the interval.
    assert_eq!(stream.report_block(start).fraction_lost, 0);
}

#[test]
fn duplicates_make_the_loss_negative_and_the_fraction_zero() {
    let start = start();
    let mut stream = ReceiveStream::new(SSRC, 48_000);
    let orders: Vec<_> = [5, 5, 6, 5]
        .map(|sequence| stream.on_rtp(sequence, None, 100, start).order)
        .to_vec();
    assert_eq!(
        orders,
        [
            Order::First,
            Order::Duplicate,
            Order::InOrder,
            Order::Duplicate
        ]
    );
    let block = stream.report_block(start);
    assert_eq!((block.cumulative_lost, block.fraction_lost), (-2, 0));
}

#[test]
fn order_tells_gap_reordering_and_restart() {
    let start = start();
    let mut stream = ReceiveStream::new(SSRC, 48_000);
    let receptions: Vec<_> = [10, 13, 11, 30_000, 30_001, 30_003]
        .map(|sequence| {
            let reception = stream.on_rtp(sequence, None, 100, start);
            (reception.extended - 65_536, reception.order)
        })
        .to_vec();
    assert_eq!(
        receptions,
        [
            (10, Order::First),
            (13, Order::Gap(2)),
            (11, Order::Reordered),
            (30_000, Order::Suspect),
            (30_001, Order::Restart),
            (30_003, Order::Gap(1)),
        ]
    );
    let stats = stream.stats();
    assert_eq!((stats.packets, stats.lost, stats.restarts), (5, 1, 1));
}

/// The count without wraps never goes back, wherever the source starts again.
#[test]
fn a_restart_behind_continues_ahead() {
    let start = start();
    let mut stream = ReceiveStream::new(SSRC, 48_000);
    let before = stream.on_rtp(40_000, None, 100, start).extended;
    stream.on_rtp(100, None, 100, start);
    let after = stream.on_rtp(101, None, 100, start);
    assert_eq!(after.order, Order::Restart);
    assert!(after.extended > before);
    assert_eq!(stream.report_block(start).highest_sequence, 101);
}

/// Two neighbours of a lost burst of video, retransmitted a second later, are late and no restart.
#[test]
fn retransmitted_neighbours_are_no_restart() {
    let start = start();
    let mut stream = ReceiveStream::new(SSRC, 90_000);
    stream.on_rtp(0, None, 100, start);
    for sequence in 3..1_000 {
        stream.on_rtp(sequence, None, 100, start);
    }
    assert_eq!(stream.on_rtp(1, None, 100, start).order, Order::Reordered);
    assert_eq!(stream.on_rtp(2, None, 100, start).order, Order::Reordered);
    assert_eq!(stream.stats().lost, 0);
}

#[test]
fn packets_of_another_clock_leave_the_jitter_alone() {
    let start = start();
    let mut plain = ReceiveStream::new(SSRC, 48_000);
    let mut mixed = ReceiveStream::new(SSRC, 48_000);
    for step in 0..200_u16 {
        let uneven = if step % 3 == 0 { 4 } else { 0 };
        let now = start + ms(u64::from(step) * 20 + uneven);
        let timestamp = u32::from(step) * 960;
        plain.on_rtp(step, Some(timestamp), 80, now);
        // A telephone event at 8000 Hz between two packets of audio.
        mixed.on_rtp(step * 2, Some(timestamp), 80, now);
        mixed.on_rtp(step * 2 + 1, None, 4, now + ms(5));
    }
    let jitter = plain.stats().jitter;
    assert!(jitter > Duration::ZERO);
    assert_eq!(mixed.stats().jitter, jitter);
}

/// Evenly spaced packets with a constant delay have no jitter, across the wrap of the timestamp too.
#[test]
fn an_even_stream_has_no_jitter() {
    let start = start();
    let mut stream = ReceiveStream::new(SSRC, 48_000);
    for step in 0..1_000_u16 {
        let timestamp = 0xFFFF_0000_u32.wrapping_add(u32::from(step) * 960);
        stream.on_rtp(step, Some(timestamp), 80, start + ms(u64::from(step) * 20));
    }
    assert_eq!(stream.stats().jitter, Duration::ZERO);
}

#[test]
fn a_sender_report_is_answered_with_its_middle_bits_and_the_delay() {
    let start = start();
    let mut stream = ReceiveStream::new(SSRC, 48_000);
    assert_eq!(stream.report_block(start).last_sender_report, 0);
    let info = SenderInfo {
        ntp: 0x0102_0304_0506_0708,
        rtp: 96_000,
        packets: 1,
        octets: 2,
    };
    stream.on_sender_report(&info, start);
    let block = stream.report_block(start + ms(1_500));
    assert_eq!(block.last_sender_report, 0x0304_0506);
    assert_eq!(block.delay_since_last_sender_report, 0x0001_8000);
    // One second after the report, and half a second before.
    assert_eq!(stream.ntp_of(144_000), Some(info.ntp + (1 << 32)));
    assert_eq!(stream.ntp_of(72_000), Some(info.ntp - (1 << 31)));
}

// Sections 6.2 and 6.3: the interval.

/// The interval of `rtcp_interval()` in appendix A.7, with the deterministic part only.
fn naive_interval(
    members: f64,
    senders: f64,
    bandwidth: f64,
    we_sent: bool,
    size: f64,
    minimum: f64,
) -> f64 {
    let mut rtcp_bw = bandwidth * 0.05 / 8.0;
    let mut n = members;
    if senders <= members * 0.25 {
        if we_sent {
            rtcp_bw *= 0.25;
            n = senders;
        } else {
            rtcp_bw *= 0.75;
            n -= senders;
        }
    }
    (size * n / rtcp_bw).max(minimum)
}

#[test]
fn intervals_are_spread_as_the_appendix_has_it() {
    for (members, senders, bandwidth, we_sent) in [
        (2, 2, 64_000, true),
        (2, 1, 8_000, false),
        (100, 1, 64_000, true),
        (100, 1, 64_000, false),
        (100, 60, 64_000, false),
    ] {
        let start = start();
        let mut random = ChaCha20Rng::seed_from_u64(7);
        let config = ReportConfig::default()
            .bandwidth(bandwidth)
            .early(Duration::ZERO, Duration::ZERO);
        let mut schedule = ReportSchedule::new(config, start, &mut random);
        if we_sent {
            schedule.on_media_sent(start);
        }
        schedule.set_members(members, senders, start);
        for _ in 0..200 {
            schedule.on_rtcp_received(72); // with the layers below: 100
        }
        #[expect(clippy::cast_precision_loss, reason = "small figures of this test")]
        let bandwidth = bandwidth as f64;
        let expected = naive_interval(
            members.into(),
            senders.into(),
            bandwidth,
            we_sent,
            100.0,
            1.0,
        );
        // Reconsideration raises the average of T/1.21828 back to about T.
        let mut sent = Vec::new();
        while sent.len() < 2_000 {
            let now = schedule.next();
            if schedule.on_timeout(now, &mut random) {
                sent.push(now);
                schedule.on_rtcp_sent(72);
            }
        }
        let gaps: Vec<f64> = sent
            .windows(2)
            .map(|two| (two[1] - two[0]).as_secs_f64())
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "two thousand")]
        let average = gaps.iter().sum::<f64>() / gaps.len() as f64;
        assert!(
            (0.95..1.1).contains(&(average / expected)),
            "{average} for {expected}"
        );
        let shortest = gaps.iter().copied().fold(f64::MAX, f64::min);
        let longest = gaps.iter().copied().fold(0.0, f64::max);
        assert!(
            shortest >= 0.5 * expected / 1.21828 * 0.999,
            "{shortest} for {expected}"
        );
        assert!(
            longest <= 1.5 * expected / 1.21828 * 1.001,
            "{longest} for {expected}"
        );
    }
}

/// Two reports within half a second of the first packet: enough to play audio and video in step.
#[test]
fn two_reports_follow_the_first_media_packet_at_once() {
    for seed in 0..50 {
        let start = start();
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let mut schedule = ReportSchedule::new(ReportConfig::default(), start, &mut random);
        let media = start + ms(300);
        while schedule.next() < media {
            let now = schedule.next();
            schedule.on_timeout(now, &mut random);
        }
        schedule.on_media_sent(media);
        let mut sent = Vec::new();
        while sent.len() < 4 {
            let now = schedule.next();
            assert!(now >= media);
            if schedule.on_timeout(now, &mut random) {
                sent.push(now - media);
                schedule.on_rtcp_sent(100);
            }
        }
        assert!(sent[0] <= ms(50), "{sent:?}");
        assert!(sent[1] <= ms(400), "{sent:?}");
        assert!(
            (ms(400)..ms(1_250)).contains(&(sent[2] - sent[1])),
            "{sent:?}"
        );
        assert!(
            (ms(400)..ms(1_250)).contains(&(sent[3] - sent[2])),
            "{sent:?}"
        );
    }
}

/// A deadline that was served has moved, an early call changes nothing.
#[test]
fn the_deadline_of_reports_always_moves() {
    let start = start();
    let mut random = ChaCha20Rng::seed_from_u64(1);
    let config = ReportConfig::default()
        .minimum(Duration::ZERO)
        .bandwidth(u64::MAX);
    let mut schedule = ReportSchedule::new(config, start, &mut random);
    schedule.on_media_sent(start);
    let mut now = start;
    for _ in 0..1_000 {
        let before = schedule.next();
        if now < before {
            assert!(!schedule.on_timeout(now, &mut random));
            assert_eq!(schedule.next(), before);
        }
        now = before;
        schedule.on_timeout(now, &mut random);
        assert!(schedule.next() > now);
    }
}

/// §6.3.4: the others leave, the next report comes nearer.
#[test]
fn fewer_members_bring_the_report_nearer() {
    let start = start();
    let mut random = ChaCha20Rng::seed_from_u64(1);
    let mut schedule = ReportSchedule::new(ReportConfig::default(), start, &mut random);
    schedule.set_members(100, 0, start);
    let before = schedule.next() - start;
    schedule.set_members(25, 0, start);
    assert_eq!(schedule.next() - start, before / 4);
}

/// §6.2: 360 divided by the bandwidth in kbit/s, in seconds.
#[test]
fn the_reduced_minimum_shortens_the_interval() {
    let start = start();
    let mut random = ChaCha20Rng::seed_from_u64(1);
    let config = ReportConfig::default()
        .minimum(Duration::from_secs(5))
        .bandwidth(3_600_000)
        .reduced_minimum();
    let schedule = ReportSchedule::new(config, start, &mut random);
    let first = schedule.next() - start;
    assert!((ms(41)..ms(124)).contains(&first), "{first:?}"); // 0.5 to 1.5 of 100 ms / 1.21828
}

fn header_bytes(first: u8) -> Vec<u8> {
    let mut bytes = vec![first];
    bytes.extend_from_slice(&[96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
    bytes
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
fn start() -> Instant {
    Instant::now()
}
