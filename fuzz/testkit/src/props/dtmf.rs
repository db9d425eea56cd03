//! Properties of dtmf.

use core::time::Duration;
use std::time::Instant;

use ortc_dtmf::{
    EventCode, EventPacket, FINAL_REPORTS, MAX_DURATION, MAX_RECEIVER_EVENTS, MIN_DURATION,
    MIN_GAP, Receiver, ReceiverEvent, Sender, SenderEvent, TelephoneEvent, Tone,
};

/// Reading any payload is total, and writing what was read gives the payload back, but for the
/// reserved bit.
///
/// # Panics
///
/// When the property does not hold.
pub fn telephone_event(data: &[u8]) {
    let parsed = TelephoneEvent::parse(data);
    assert_eq!(parsed.is_ok(), data.len() >= TelephoneEvent::LEN);
    let Ok(reports) = TelephoneEvent::reports(data) else {
        assert!(data.is_empty() || !data.len().is_multiple_of(TelephoneEvent::LEN));
        return;
    };
    let reports: Vec<_> = reports.collect();
    assert_eq!(reports.first().copied(), parsed.ok());
    let mut written = Vec::new();
    for report in &reports {
        report.encode(&mut written);
        assert_eq!(report.event.to_tone().is_some(), report.event.0 <= 15);
        if let Some(tone) = report.event.to_tone() {
            assert_eq!(tone.event(), report.event);
            assert_eq!(Tone::from_char(tone.to_char()), Some(tone));
            assert_eq!(report.event.to_string(), tone.to_string());
        }
    }
    let mut expected = data.to_vec();
    for flags in expected.iter_mut().skip(1).step_by(TelephoneEvent::LEN) {
        *flags &= 0b1011_1111;
    }
    assert_eq!(written, expected);
}

/// Whatever a stranger sends: each tone that begins ends before the next begins, what waits is
/// bounded, no deadline stays in the past, and a network that doubles every packet changes nothing.
///
/// # Panics
///
/// When the property does not hold.
pub fn dtmf_receiver(data: &[u8]) {
    let mut bytes = Bytes(data);
    let rate = bytes.clock_rate();
    let mut once = Receiver::new(rate).unwrap();
    let mut twice = Receiver::new(rate).unwrap();
    let mut now = origin();
    let mut timestamp = u32::from_be_bytes([bytes.next(), bytes.next(), 0xFF, 0xF0]);
    let mut playing = None;
    let mut queued = 0_usize;
    while !bytes.0.is_empty() {
        let control = bytes.next();
        now += Duration::from_millis(u64::from(bytes.next()) * 4);
        if control & 1 != 0 {
            let step = i16::from_be_bytes([bytes.next(), bytes.next()]);
            timestamp = timestamp.wrapping_add_signed(i32::from(step) << (control >> 5));
        }
        let reports = if control & 2 == 0 { 1 } else { 2 };
        let payload: Vec<u8> = (0..reports * TelephoneEvent::LEN)
            .map(|_| bytes.next())
            .collect();
        once.handle_packet(timestamp, &payload, now).unwrap();
        for _ in 0..2 {
            twice.handle_packet(timestamp, &payload, now).unwrap();
        }
        if control & 4 == 0 {
            once.handle_timeout(now);
            assert!(once.poll_timeout().is_none_or(|at| at > now));
        }
        queued += 1;
        if control & 8 != 0 || queued > MAX_RECEIVER_EVENTS {
            queued = 0;
            let mut taken = 0;
            while let Some(event) = once.poll_event() {
                assert_eq!(twice.poll_event(), Some(event));
                check_pairing(&mut playing, event);
                taken += 1;
            }
            assert_eq!(twice.poll_event(), None);
            assert!(taken <= MAX_RECEIVER_EVENTS);
            assert_eq!(once.poll_timeout(), twice.poll_timeout());
        }
    }
    // Silence ends whatever was on.
    if let Some(at) = once.poll_timeout() {
        once.handle_timeout(at);
    }
    assert_eq!(once.poll_timeout(), None);
    while let Some(event) = once.poll_event() {
        check_pairing(&mut playing, event);
    }
    assert_eq!(playing, None);
}

fn check_pairing(playing: &mut Option<Tone>, event: ReceiverEvent) {
    match event {
        ReceiverEvent::Tone { tone, .. } => assert_eq!(playing.replace(tone), None),
        ReceiverEvent::ToneEnded { tone, duration } => {
            assert_eq!(playing.take(), Some(tone));
            assert!(duration > Duration::ZERO);
        }
        ReceiverEvent::Event(code) => assert!(code > EventCode::D),
    }
}

/// Whatever is inserted and however late the caller is: every tone that starts is reported from
/// its marker to exactly three end packets, its reports grow, later segments adjoin, tones do not
/// overlap and keep their gap, early calls do nothing, and it all comes to rest.
///
/// # Panics
///
/// When the property does not hold.
pub fn dtmf_sender(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut sender = Sender::new(bytes.clock_rate()).unwrap();
    let mut now = origin();
    let mut played = Played::default();
    while !bytes.0.is_empty() {
        match bytes.next() % 4 {
            0 => {
                let duration = MIN_DURATION + Duration::from_millis(u64::from(bytes.next()) * 23);
                let gap = MIN_GAP + Duration::from_millis(u64::from(bytes.next()) / 2);
                let tones: String = (0..bytes.next() % 6)
                    .map(|_| char::from(KEYS[usize::from(bytes.next()) % KEYS.len()]))
                    .collect();
                sender.insert(&tones, duration, gap, now).unwrap();
                assert!(sender.tone_buffer().len() <= tones.len());
                assert_eq!(
                    (sender.duration(), sender.inter_tone_gap()),
                    (duration, gap)
                );
            }
            1 => {
                let earlier = now - Duration::from_millis(u64::from(bytes.next()));
                let before = sender.poll_timeout();
                if before.is_none_or(|at| at > now) {
                    sender.handle_timeout(earlier);
                    assert_eq!(sender.poll_timeout(), before);
                }
            }
            2 => {
                // Late by up to half a second, the packets left where they are.
                now += Duration::from_millis(u64::from(bytes.next()) * 2);
                sender.handle_timeout(now);
            }
            _ => {
                played.take(&mut sender, now);
                if let Some(at) = sender.poll_timeout() {
                    now = now.max(at);
                    sender.handle_timeout(now);
                    assert!(sender.poll_timeout().is_none_or(|next| {
                        next > now || next == now && played.take(&mut sender, now) > 0
                    }));
                }
            }
        }
    }
    sender.insert("", MIN_DURATION, MIN_GAP, now).unwrap();
    played.take(&mut sender, now);
    while let Some(at) = sender.poll_timeout() {
        now = now.max(at);
        sender.handle_timeout(now);
        played.take(&mut sender, now);
    }
    assert_eq!(played.newest, Some(SenderEvent::BufferEmpty));
    played.check();
}

/// All that a keypad can give, and what it cannot.
const KEYS: &[u8] = b"0123456789*#ABCDabcd,x ";

/// What left a sender.
#[derive(Default)]
struct Played {
    packets: Vec<EventPacket>,
    newest: Option<SenderEvent>,
}

impl Played {
    fn take(&mut self, sender: &mut Sender, now: Instant) -> usize {
        let before = self.packets.len();
        while let Some(packet) = sender.poll_packet(now) {
            self.packets.push(packet);
        }
        while let Some(event) = sender.poll_event() {
            self.newest = Some(event);
        }
        self.packets.len() - before
    }

    fn check(&self) {
        let mut previous_start = None;
        for event in self.packets.chunk_by(|a, b| a.started_at == b.started_at) {
            let started_at = event[0].started_at;
            assert!(
                previous_start
                    .replace(started_at)
                    .is_none_or(|earlier| started_at >= earlier + MIN_DURATION + MIN_GAP)
            );
            for (index, packet) in event.iter().enumerate() {
                assert_eq!(packet.marker, index == 0);
                assert_eq!(packet.report.event, event[0].report.event);
                assert_ne!(packet.report.duration, 0);
                assert!(packet.offset.is_multiple_of(0xFFFF));
            }
            let reached = event
                .iter()
                .map(|packet| packet.offset + u32::from(packet.report.duration));
            let end = reached.max().unwrap();
            let finals: Vec<_> = event.iter().filter(|packet| packet.report.end).collect();
            assert_eq!(finals.len(), usize::from(FINAL_REPORTS));
            for last in finals {
                assert_eq!(last.offset + u32::from(last.report.duration), end);
            }
            for segment in 0..end.div_ceil(0xFFFF) {
                let reports = || {
                    event
                        .iter()
                        .filter(move |packet| packet.offset == segment * 0xFFFF)
                        .map(|packet| packet.report.duration)
                };
                assert!(reports().is_sorted(), "a report went back");
                if (segment + 1) * 0xFFFF < end {
                    let full = reports().filter(|&duration| duration == 0xFFFF).count();
                    assert_eq!(full, usize::from(FINAL_REPORTS));
                }
            }
        }
    }
}

/// Loss, copies and reordering below the gap never change which tones arrive: each of which one
/// packet survives arrives once and in order.
///
/// # Panics
///
/// When the property does not hold.
pub fn tones_survive(data: &[u8]) {
    let mut bytes = Bytes(data);
    let rate = bytes.clock_rate();
    let keys: Vec<Tone> = (0..=bytes.next() % 12)
        .filter_map(|_| EventCode(bytes.next() % 16).to_tone())
        .collect();
    let duration = (MIN_DURATION + Duration::from_millis(u64::from(bytes.next()) * 3))
        .mul_f64(if bytes.next() < 16 { 7.2 } else { 1.0 })
        .min(MAX_DURATION);
    let gap = MIN_GAP + Duration::from_millis(u64::from(bytes.next()));
    // The last copy of a tone leaves less than two update intervals after its end.
    let jitter = gap - Duration::from_millis(40);

    let start = origin();
    let base = u32::from_be_bytes([bytes.next(), bytes.next(), bytes.next(), 0]);
    let mut arrivals = Vec::new();
    let mut expected = Vec::new();
    let mut survived = None;
    for (sent_at, packet) in play(rate, &keys, duration, gap, start) {
        let fate = bytes.next_or(0xFF);
        if fate < 77 {
            continue; // 30 % of all values: lost
        }
        if survived.replace(packet.started_at) != Some(packet.started_at) {
            expected.push(packet.report.event.to_tone().unwrap());
        }
        for copy in 0..=u32::from(fate % 7 == 0) {
            let delay = jitter.mul_f64(f64::from(bytes.next_or(0)) / 256.0);
            arrivals.push((
                sent_at + delay,
                copy,
                rtp_timestamp(base, rate, start, packet),
                packet,
            ));
        }
    }
    arrivals.sort_by_key(|&(at, copy, ..)| (at, copy));

    let mut receiver = Receiver::new(rate).unwrap();
    let mut arrived = Vec::new();
    let mut playing = None;
    let mut take = |receiver: &mut Receiver| {
        while let Some(event) = receiver.poll_event() {
            check_pairing(&mut playing, event);
            match event {
                ReceiverEvent::Tone { tone, .. } => arrived.push(tone),
                ReceiverEvent::ToneEnded { duration: told, .. } => assert!(told <= duration),
                ReceiverEvent::Event(code) => panic!("nobody sent {code}"),
            }
        }
    };
    for (at, _, timestamp, packet) in arrivals {
        while let Some(deadline) = receiver.poll_timeout().filter(|&deadline| deadline <= at) {
            receiver.handle_timeout(deadline);
        }
        receiver
            .handle_packet(timestamp, &packet.report.to_bytes(), at)
            .unwrap();
        take(&mut receiver);
    }
    if let Some(deadline) = receiver.poll_timeout() {
        receiver.handle_timeout(deadline);
    }
    take(&mut receiver);
    assert_eq!(arrived, expected);
    assert_eq!(playing, None);
}

/// All packets of these tones and when they leave.
fn play(
    rate: u32,
    keys: &[Tone],
    duration: Duration,
    gap: Duration,
    start: Instant,
) -> Vec<(Instant, EventPacket)> {
    let mut sender = Sender::new(rate).unwrap();
    let tones: String = keys.iter().copied().map(char::from).collect();
    let mut now = start;
    sender.insert(&tones, duration, gap, now).unwrap();
    let mut sent = Vec::new();
    while let Some(at) = sender.poll_timeout() {
        now = now.max(at);
        sender.handle_timeout(now);
        while let Some(packet) = sender.poll_packet(now) {
            sent.push((now, packet));
        }
    }
    sent
}

/// The RTP timestamp that an audio stream with this clock gives the packet.
fn rtp_timestamp(base: u32, rate: u32, start: Instant, packet: EventPacket) -> u32 {
    let since = packet.started_at.saturating_duration_since(start);
    let units = since.as_nanos() * u128::from(rate) / 1_000_000_000;
    base.wrapping_add(u32::try_from(units % (1 << 32)).unwrap())
        .wrapping_add(packet.offset)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one arbitrary origin of these properties"
)]
fn origin() -> Instant {
    Instant::now() + Duration::from_secs(1)
}

/// A script, read octet by octet; at its end it goes on with zeros.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        self.next_or(0)
    }

    fn next_or(&mut self, at_the_end: u8) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return at_the_end;
        };
        self.0 = rest;
        first
    }

    fn clock_rate(&mut self) -> u32 {
        [8_000, 48_000, 16_000, 192_000, 11_025, 1_000][usize::from(self.next() % 6)]
    }
}
