//! What RFC 4733 prints for named events: the payload of §2.3, table 3 of §3.2, the dialling of
//! "911" in table 5 and the packets of figures 3 and 5 in §5.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "test code: a failed expectation is the report; one arbitrary origin of time"
)]

use core::time::Duration;
use std::time::Instant;

use ortc_dtmf::{EventCode, ParseError, Receiver, ReceiverEvent, TelephoneEvent, Tone, Volume};

/// Figure 3: digit 1, E set, volume 20, duration 1760.
#[test]
fn figure_3_is_read_and_written() {
    let payload = [1, 0x80 | 20, 0x06, 0xE0];
    let report = TelephoneEvent::parse(&payload).unwrap();
    assert_eq!(
        report,
        TelephoneEvent {
            event: EventCode::DIGIT_1,
            end: true,
            volume: Volume::new(20).unwrap(),
            duration: 1760,
        }
    );
    let mut written = vec![0xAA];
    report.encode(&mut written);
    assert_eq!(written, [0xAA, 1, 0x94, 0x06, 0xE0]);
}

/// Figure 3 as a whole RTP packet, its header laid against the RFC.
#[test]
fn figure_3_arrives_as_one_digit() {
    let packet = hex::decode("8064001200002bc0005234a8019406e0").unwrap();
    let timestamp = u32::from_be_bytes(packet[4..8].try_into().unwrap());
    assert_eq!(timestamp, 11_200);
    assert_eq!(
        heard(&[(0, timestamp, packet[12..].to_vec())]),
        [("1", 11_200, 220)]
    );
}

/// Figure 5 carries the same report behind an RFC 2198 header with the timestamp offset 1600.
#[test]
fn figure_5_carries_the_report_of_figure_3() {
    let packet = hex::decode("8066001200003200005234a8e419000465019406e0001400a002b904b9").unwrap();
    let timestamp = u32::from_be_bytes(packet[4..8].try_into().unwrap());
    assert_eq!(timestamp, 12_800);
    let block = u32::from_be_bytes(packet[12..16].try_into().unwrap());
    let (offset, length) = (block >> 10 & 0x3FFF, block & 0x3FF);
    assert_eq!((offset, length), (1600, 4));
    let event = packet[17..21].to_vec();
    assert_eq!(
        heard(&[(0, timestamp - offset, event)]),
        [("1", 11_200, 220)]
    );
}

/// §2.3.3: the receiver ignores R, the sender writes zero.
#[test]
fn reserved_bit_is_ignored_and_not_written() {
    let report = TelephoneEvent::parse(&[5, 0x40 | 10, 0, 160]).unwrap();
    assert!(!report.end);
    assert_eq!(report.volume.get(), 10);
    assert_eq!(report.to_bytes(), [5, 10, 0, 160]);
}

/// §2.3.4: six bits of volume.
#[test]
fn volume_ends_at_63() {
    assert_eq!(Volume::new(63).unwrap().get(), 63);
    assert_eq!(Volume::new(64), None);
    assert_eq!(
        TelephoneEvent::parse(&[0, 0xFF, 0, 1]).unwrap().volume,
        Volume::new(63).unwrap()
    );
}

/// §3.2, table 3.
#[test]
fn table_3_names_sixteen_tones() {
    let mut names = String::new();
    for code in 0..=u8::MAX {
        let code = EventCode(code);
        let Some(tone) = code.to_tone() else {
            assert!(code > EventCode::D);
            continue;
        };
        assert_eq!(tone.event(), code);
        assert_eq!(code.name(), Some(tone.to_string().as_str()));
        names.push(tone.to_char());
    }
    assert_eq!(names, "0123456789*#ABCD");
    assert_eq!(EventCode::FLASH.to_string(), "flash");
    assert_eq!(EventCode::FLASH.to_tone(), None);
    assert_eq!(EventCode(0xA3).to_string(), "0xa3");
    assert_eq!(Tone::from_char('c'), Tone::from_char('C'));
    assert!(Tone::try_from('E').is_err());
}

/// §2.5.1.5: several reports, never half of one.
#[test]
fn payload_is_a_whole_number_of_reports() {
    for length in [0, 1, 3, 5, 7] {
        let payload = [0; 8];
        let have = length % 4;
        assert_eq!(
            TelephoneEvent::reports(&payload[..length]).err(),
            Some(ParseError::Truncated {
                what: "telephone-event",
                need: 4,
                have
            })
        );
    }
    let reports = TelephoneEvent::reports(&[1, 0x80, 0, 9, 2, 0, 0, 7]).unwrap();
    let durations: Vec<_> = reports.map(|report| report.duration).collect();
    assert_eq!(durations, [9, 7]);
}

/// §5, table 5: "911", 200 ms at 0, 250 ms at 880 ms, 220 ms at 1.4 s, reported every 50 ms. Where
/// the table prints "...", the packets follow its pattern.
#[test]
fn table_5_is_heard_as_911() {
    assert_eq!(
        heard(&table_5()),
        [("9", 0, 200), ("1", 7_040, 250), ("1", 11_200, 220)]
    );
}

/// The same with every packet but the last of each digit lost.
#[test]
fn table_5_is_heard_as_911_by_its_last_packets() {
    let all = table_5();
    assert_eq!(all.len(), 20);
    let last = [5, 12, 19].map(|index| all[index].clone());
    assert_eq!(
        heard(&last),
        [("9", 0, 200), ("1", 7_040, 250), ("1", 11_200, 220)]
    );
}

/// (ms, timestamp, payload) of the packets of table 5.
fn table_5() -> Vec<(u64, u32, Vec<u8>)> {
    const TABLE: [(u64, u32, u8, u16, u8); 20] = [
        (50, 0, 9, 400, 0),
        (100, 0, 9, 800, 0),
        (150, 0, 9, 1200, 0),
        (200, 0, 9, 1600, 0),
        (250, 0, 9, 1600, 1),
        (300, 0, 9, 1600, 1),
        (930, 7040, 1, 400, 0),
        (980, 7040, 1, 800, 0),
        (1030, 7040, 1, 1200, 0),
        (1080, 7040, 1, 1600, 0),
        (1130, 7040, 1, 2000, 0),
        (1180, 7040, 1, 2000, 1),
        (1230, 7040, 1, 2000, 1),
        (1450, 11_200, 1, 400, 0),
        (1500, 11_200, 1, 800, 0),
        (1550, 11_200, 1, 1200, 0),
        (1600, 11_200, 1, 1600, 0),
        (1650, 11_200, 1, 1760, 1),
        (1700, 11_200, 1, 1760, 1),
        (1750, 11_200, 1, 1760, 1),
    ];
    TABLE
        .map(|(at, timestamp, event, duration, end)| {
            let [high, low] = duration.to_be_bytes();
            (at, timestamp, vec![event, end << 7, high, low])
        })
        .to_vec()
}

/// (key, timestamp, ms) of every tone that a receiver with a clock of 8000 Hz hears.
fn heard(packets: &[(u64, u32, Vec<u8>)]) -> Vec<(&'static str, u32, u64)> {
    let start = Instant::now();
    let mut receiver = Receiver::new(8_000).unwrap();
    let mut begun = Vec::new();
    let mut tones = Vec::new();
    for (at, timestamp, payload) in packets {
        let now = start + Duration::from_millis(*at);
        receiver.handle_timeout(now);
        receiver.handle_packet(*timestamp, payload, now).unwrap();
        while let Some(event) = receiver.poll_event() {
            match event {
                ReceiverEvent::Tone {
                    tone, timestamp, ..
                } => begun.push((tone, timestamp)),
                ReceiverEvent::ToneEnded { tone, duration } => {
                    let (started, timestamp) = begun.pop().unwrap();
                    assert_eq!(started, tone);
                    let ms = u64::try_from(duration.as_millis()).unwrap();
                    tones.push((tone.event().name().unwrap(), timestamp, ms));
                }
                ReceiverEvent::Event(code) => assert_eq!(code.name(), None),
            }
        }
    }
    assert!(begun.is_empty());
    assert_eq!(receiver.poll_timeout(), None);
    tones
}
