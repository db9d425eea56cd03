//! A stream that we receive: order, loss and jitter, by RFC 3550 appendices A.1, A.3 and A.8.

use core::time::Duration;
use std::time::Instant;

use crate::sequence::{Unwrapper, truncate};
use crate::timestamp::{middle32, to_short_ntp, to_span, to_units};
use crate::wire::rtcp::{ReportBlock, SenderInfo};

/// A jump this far ahead needs a second packet to be believed (RFC 3550 A.1, MAX_DROPOUT).
const MAX_DROPOUT: u16 = 3_000;

/// A packet less than this far behind the highest is late, and no sign of a restart.
///
// DEVIATION(RFC 3550 A.1): MAX_MISORDER is 100 there, two seconds at 50 packets a second. Video sends
// 1,000 and more, so two neighbours that were retransmitted would look like a restart.
const MAX_MISORDER: u16 = 3_000;

/// What one wrap of the sequence number adds.
const CYCLE: u64 = 0x1_0000;

/// Where a packet stands among those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::enum_variant_names,
    reason = "in order is what RFC 3550 calls it"
)]
pub enum Order {
    /// The first of the stream.
    First,
    /// The one after the highest.
    InOrder,
    /// Ahead, with this many missing in between.
    Gap(u64),
    /// Behind the highest, and not seen among the last 128.
    Reordered,
    /// Seen before, among the last 128.
    Duplicate,
    /// So far off that it is counted only if its successor comes next; deliver nothing.
    Suspect,
    /// The second of a new run: the source restarted, and the statistics with it. What the
    /// numbers leave out before it was never sent: see
    /// [`NackGenerator::restart`](crate::repair::NackGenerator::restart).
    Restart,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reception {
    /// The sequence number without wraps; it starts at 65,536 and grows over restarts.
    ///
    /// Of a [`Suspect`](Order::Suspect) packet it is only a guess.
    pub extended: u64,
    /// Where the packet stands.
    pub order: Order,
}

/// A sender report as it was received: what ties the media clock to the sender's wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReference {
    /// The sender's figures.
    pub info: SenderInfo,
    /// When they arrived.
    pub at: Instant,
}

/// What a stream received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveStats {
    /// Packets received, late ones and duplicates included (RFC 3550 A.3).
    pub packets: u64,
    /// Payload octets received.
    pub octets: u64,
    /// Packets expected less packets received; negative with duplicates.
    pub lost: i64,
    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub jitter: Duration,
    /// The highest sequence number with its wraps, as in a report.
    pub highest_sequence: u32,
    /// The NTP time of the last sender report.
    pub last_sender_report: Option<u64>,
    /// How often the source restarted.
    pub restarts: u64,
}

/// Counters that a restart resets (RFC 3550 A.1, `init_seq`).
#[derive(Clone, Copy, Debug)]
struct Source {
    /// Extended sequence number of the first packet.
    base: u64,
    /// Received since `base`.
    received: u64,
    expected_prior: u64,
    received_prior: u64,
    /// One bit for each of the last 128 packets; bit 0 is the highest.
    seen: u128,
}

impl Source {
    const fn new(base: u64) -> Self {
        Self {
            base,
            received: 0,
            expected_prior: 0,
            received_prior: 0,
            seen: 1,
        }
    }
}

/// The interarrival jitter in integers, scaled by 16 (RFC 3550 A.8).
#[derive(Clone, Copy, Debug, Default)]
struct Jitter {
    transit: Option<u32>,
    scaled: u32,
}

impl Jitter {
    fn update(&mut self, arrival: u32, timestamp: u32) {
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let distance = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            // J += D - ((J + 8) >> 4)
            let decay = (u64::from(self.scaled) + 8) >> 4;
            let next = (u64::from(self.scaled) + u64::from(distance)).saturating_sub(decay);
            self.scaled = u32::try_from(next).unwrap_or(u32::MAX);
        }
    }

    const fn units(&self) -> u32 {
        self.scaled >> 4
    }
}

/// One SSRC that we receive.
///
/// Feed it authenticated packets only: RFC 3550 A.1 keeps a new source on probation because anyone
/// may invent one, and there is no probation here.
///
/// ```
/// use ortc_rtp::stream::{Order, ReceiveStream};
///
/// let start = std::time::Instant::now();
/// let mut stream = ReceiveStream::new(0x1234, 48_000);
/// assert_eq!(stream.on_rtp(65_535, Some(0), 80, start).order, Order::First);
/// assert_eq!(stream.on_rtp(1, Some(1_920), 80, start).order, Order::Gap(1));
/// // One of three was lost, in 1/256.
/// assert_eq!(stream.report_block(start).fraction_lost, 85);
/// ```
#[derive(Clone, Debug)]
pub struct ReceiveStream {
    ssrc: u32,
    clock_rate: u32,
    sequence: Unwrapper,
    source: Option<Source>,
    /// The one sequence number that would confirm a restart (RFC 3550 A.1, `bad_seq`).
    expected_restart: Option<u16>,
    /// Arrival times count from the first packet: only differences enter the jitter.
    epoch: Option<Instant>,
    jitter: Jitter,
    packets: u64,
    octets: u64,
    restarts: u64,
    reference: Option<SenderReference>,
}

impl ReceiveStream {
    /// A stream that has received nothing; `clock_rate` is in units a second.
    #[must_use]
    pub const fn new(ssrc: u32, clock_rate: u32) -> Self {
        Self {
            ssrc,
            clock_rate,
            sequence: Unwrapper::new(),
            source: None,
            expected_restart: None,
            epoch: None,
            jitter: Jitter {
                transit: None,
                scaled: 0,
            },
            packets: 0,
            octets: 0,
            restarts: 0,
            reference: None,
        }
    }

    /// A stream that has received nothing, after this one has ended with BYE. The numbers of its
    /// packets say nothing about those before; extended, the first is more than 65,536 above them,
    /// so that nobody takes it, or what it overtook, for one of them.
    #[must_use]
    pub const fn successor(&self, ssrc: u32, clock_rate: u32) -> Self {
        let mut stream = Self::new(ssrc, clock_rate);
        stream.sequence = self.sequence.successor();
        stream
    }

    /// The synchronisation source.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Units a second.
    #[must_use]
    pub const fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    /// Changes the clock rate, with a codec of another rate on the same SSRC: the jitter starts anew.
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        if self.clock_rate != clock_rate {
            self.clock_rate = clock_rate;
            self.jitter = Jitter::default();
        }
    }

    /// Takes in a packet.
    ///
    /// `timestamp` is `None` when it says nothing about the network: of a payload type with another
    /// clock rate, or of a telephone event, all of whose packets repeat the time at which it began.
    #[inline]
    pub fn on_rtp(
        &mut self,
        sequence: u16,
        timestamp: Option<u32>,
        payload_len: usize,
        now: Instant,
    ) -> Reception {
        let reception = self.place(sequence);
        if reception.order == Order::Suspect {
            return reception;
        }
        self.packets += 1;
        self.octets += payload_len as u64;
        if let Some(source) = &mut self.source {
            source.received += 1;
        }
        if let Some(timestamp) = timestamp {
            let epoch = *self.epoch.get_or_insert(now);
            let arrival = to_units(now.saturating_duration_since(epoch), self.clock_rate);
            self.jitter.update(arrival, timestamp);
        }
        reception
    }

    /// Takes in a packet that came by way of a repairing stream (RFC 4588).
    ///
    /// It has its place in the order, but it did not arrive on this source: reports go on to count
    /// it as lost, so that the sender sees what the path does.
    pub fn on_repaired(&mut self, sequence: u16) -> Reception {
        self.place(sequence)
    }

    /// The order of a packet, by RFC 3550 A.1 without its probation.
    fn place(&mut self, sequence: u16) -> Reception {
        let (Some(highest), Some(source)) = (self.sequence.highest(), &mut self.source) else {
            let extended = self.sequence.restart(sequence);
            self.source = Some(Source::new(extended));
            return Reception {
                extended,
                order: Order::First,
            };
        };
        let ahead = sequence.wrapping_sub(truncate(highest));
        let behind = truncate(highest).wrapping_sub(sequence);
        if (1..MAX_DROPOUT).contains(&ahead) {
            let extended = self.sequence.unwrap(sequence);
            source.seen = source.seen.checked_shl(ahead.into()).unwrap_or(0) | 1;
            let order = match u64::from(ahead) - 1 {
                0 => Order::InOrder,
                missed => Order::Gap(missed),
            };
            return Reception { extended, order };
        }
        if behind < MAX_MISORDER {
            let extended = self.sequence.peek(sequence);
            let bit = 1_u128.checked_shl(behind.into()).unwrap_or(0);
            let order = if source.seen & bit == 0 {
                Order::Reordered
            } else {
                Order::Duplicate
            };
            source.seen |= bit;
            return Reception { extended, order };
        }
        if self.expected_restart == Some(sequence) {
            self.expected_restart = None;
            self.restarts += 1;
            let extended = self.sequence.restart(sequence);
            self.source = Some(Source::new(extended));
            self.jitter.transit = None;
            return Reception {
                extended,
                order: Order::Restart,
            };
        }
        self.expected_restart = Some(sequence.wrapping_add(1));
        Reception {
            extended: self.sequence.peek(sequence),
            order: Order::Suspect,
        }
    }

    /// Takes in a sender report of this source.
    pub const fn on_sender_report(&mut self, info: &SenderInfo, now: Instant) {
        self.reference = Some(SenderReference {
            info: *info,
            at: now,
        });
    }

    /// The last sender report: with two streams' references, their media can be played in step.
    #[must_use]
    pub const fn sender_reference(&self) -> Option<SenderReference> {
        self.reference
    }

    /// The NTP time, on the sender's clock, at which `timestamp` was sampled.
    ///
    /// `None` before the first sender report. Up to 2^31 units before and after it.
    #[must_use]
    pub fn ntp_of(&self, timestamp: u32) -> Option<u64> {
        let info = self.reference?.info;
        let distance = timestamp.wrapping_sub(info.rtp).cast_signed();
        let units = u128::from(distance.unsigned_abs()) << 32;
        let span = u64::try_from(units.checked_div(self.clock_rate.into())?).ok()?;
        Some(if distance < 0 {
            info.ntp.wrapping_sub(span)
        } else {
            info.ntp.wrapping_add(span)
        })
    }

    /// Whether a packet arrived since the last report block, so that there is something to report.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.source
            .is_some_and(|source| source.received != source.received_prior)
    }

    /// The block of a report sent now; it begins the next report interval.
    pub fn report_block(&mut self, now: Instant) -> ReportBlock {
        let expected = self.expected();
        let mut fraction_lost = 0;
        if let Some(source) = &mut self.source {
            // RFC 3550 A.3.
            let expected_interval = expected.saturating_sub(source.expected_prior);
            let received_interval = source.received.saturating_sub(source.received_prior);
            source.expected_prior = expected;
            source.received_prior = source.received;
            let lost_interval = expected_interval.saturating_sub(received_interval);
            let fraction = (lost_interval << 8).checked_div(expected_interval);
            fraction_lost = u8::try_from(fraction.unwrap_or(0)).unwrap_or(u8::MAX);
        }
        let (last_sender_report, delay_since_last_sender_report) =
            self.reference.map_or((0, 0), |reference| {
                let delay = now.saturating_duration_since(reference.at);
                (middle32(reference.info.ntp), to_short_ntp(delay))
            });
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost,
            cumulative_lost: ReportBlock::clamp_lost(self.lost()),
            highest_sequence: self.reported_highest(),
            jitter: self.jitter.units(),
            last_sender_report,
            delay_since_last_sender_report,
        }
    }

    /// The figures so far.
    #[must_use]
    pub fn stats(&self) -> ReceiveStats {
        ReceiveStats {
            packets: self.packets,
            octets: self.octets,
            lost: self.lost(),
            jitter: to_span(self.jitter.units(), self.clock_rate),
            highest_sequence: self.reported_highest(),
            last_sender_report: self.reference.map(|reference| reference.info.ntp),
            restarts: self.restarts,
        }
    }

    fn expected(&self) -> u64 {
        match (self.source, self.sequence.highest()) {
            (Some(source), Some(highest)) => highest - source.base + 1,
            (Some(_) | None, _) => 0,
        }
    }

    fn lost(&self) -> i64 {
        let received = self.source.map_or(0, |source| source.received);
        // Both count packets of one stream: far below 2^63.
        self.expected().cast_signed() - received.cast_signed()
    }

    /// The highest sequence number with the wraps since the first packet, or since the restart.
    fn reported_highest(&self) -> u32 {
        let (Some(source), Some(highest)) = (self.source, self.sequence.highest()) else {
            return 0;
        };
        let first_cycle = source.base - source.base % CYCLE;
        let highest = highest - first_cycle;
        let [_, _, _, _, a, b, c, d] = highest.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}
