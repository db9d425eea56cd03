//! Telephone-event packets of fourteen calls with browsers, each of which dialled "159#".
//!
//! Two styles are among them: beside G.711, four updates and three end packets; beside Opus, the
//! three end packets alone, each with the marker.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "test code: a failed expectation is the report; one arbitrary origin of time"
)]

use core::time::Duration;
use std::time::Instant;

use ortc_dtmf::{DEFAULT_DURATION, Receiver, ReceiverEvent, Sender, TelephoneEvent};

#[test]
fn every_call_dials_159_pound_once() {
    let calls = calls();
    assert_eq!(calls.len(), 14);
    for call in &calls {
        let (dialled, durations) = call.heard(&call.packets);
        assert_eq!(dialled, "159#", "{}", call.name);
        // 960 units of Opus' 48 kHz clock, 800 of G.711's 8 kHz clock.
        let ms = if call.clock == 48_000 { 20 } else { 100 };
        assert_eq!(durations, [Duration::from_millis(ms); 4], "{}", call.name);
    }
}

#[test]
fn both_styles_are_among_the_calls() {
    let calls = calls();
    let ends_only = calls
        .iter()
        .filter(|call| call.packets.len() == 12 && call.packets.iter().all(|packet| packet.marker));
    assert_eq!(ends_only.count(), 12);
    let updates = calls.iter().filter(|call| call.packets.len() == 28);
    assert_eq!(updates.count(), 2);
}

/// With every second, third or fourth packet lost, the number is still dialled.
#[test]
fn every_call_survives_the_loss_of_regular_packets() {
    for call in calls() {
        for every in 2..=4 {
            for first in 0..every {
                let kept: Vec<_> = (0..every)
                    .cycle()
                    .zip(&call.packets)
                    .filter(|(index, _)| *index != first)
                    .map(|(_, packet)| packet.clone())
                    .collect();
                assert_eq!(call.heard(&kept).0, "159#", "{}", call.name);
            }
        }
    }
}

/// Each report is written back to the octets that the browser sent, and beside G.711 they are the
/// reports that our sender makes for the same tone.
#[test]
fn our_reports_are_those_of_the_browsers() {
    for call in calls() {
        for packet in &call.packets {
            let report = TelephoneEvent::parse(&packet.payload).unwrap();
            assert_eq!(report.to_bytes().to_vec(), packet.payload);
        }
        if call.clock != 8_000 {
            continue;
        }
        let mut now = Instant::now();
        let mut sender = Sender::new(call.clock).unwrap();
        sender
            .insert("159#", DEFAULT_DURATION, Duration::from_millis(70), now)
            .unwrap();
        let mut ours = Vec::new();
        while let Some(at) = sender.poll_timeout() {
            now = now.max(at);
            sender.handle_timeout(now);
            while let Some(packet) = sender.poll_packet(now) {
                ours.push((packet.marker, packet.report.to_bytes().to_vec()));
            }
        }
        let theirs: Vec<_> = call
            .packets
            .iter()
            .map(|packet| (packet.marker, packet.payload.clone()))
            .collect();
        assert_eq!(ours, theirs, "{}", call.name);
    }
}

struct Call {
    name: &'static str,
    clock: u32,
    packets: Vec<Packet>,
}

#[derive(Clone)]
struct Packet {
    at: Duration,
    marker: bool,
    timestamp: u32,
    payload: Vec<u8>,
}

impl Call {
    /// The keys and durations of all tones in these packets.
    fn heard(&self, packets: &[Packet]) -> (String, Vec<Duration>) {
        let start = Instant::now();
        let mut receiver = Receiver::new(self.clock).unwrap();
        let (mut keys, mut durations) = (String::new(), Vec::new());
        let mut take = |receiver: &mut Receiver| {
            while let Some(event) = receiver.poll_event() {
                match event {
                    ReceiverEvent::Tone { tone, .. } => keys.push(tone.to_char()),
                    ReceiverEvent::ToneEnded { duration, .. } => durations.push(duration),
                    ReceiverEvent::Event(code) => assert_eq!(code.name(), None),
                }
            }
        };
        for packet in packets {
            let now = start + packet.at;
            receiver.handle_timeout(now);
            receiver
                .handle_packet(packet.timestamp, &packet.payload, now)
                .unwrap();
            take(&mut receiver);
        }
        if let Some(at) = receiver.poll_timeout() {
            receiver.handle_timeout(at);
        }
        take(&mut receiver);
        (keys, durations)
    }
}

fn calls() -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for line in include_str!("data/browsers.txt").lines() {
        let fields: Vec<&'static str> = line.split(' ').collect();
        match *fields.as_slice() {
            ["#", ..] => {}
            ["call", name, clock] => calls.push(Call {
                name,
                clock: clock.parse().unwrap(),
                packets: Vec::new(),
            }),
            [at, marker, _sequence, timestamp, payload] => {
                calls.last_mut().unwrap().packets.push(Packet {
                    at: Duration::from_millis(at.parse().unwrap()),
                    marker: marker == "1",
                    timestamp: timestamp.parse().unwrap(),
                    payload: hex::decode(payload).unwrap(),
                });
            }
            _ => assert_eq!(line, "", "unreadable line"),
        }
    }
    calls
}
