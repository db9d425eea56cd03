//! A stream that we send: its numbers, its sender reports, and what the receiver says about it.

use core::time::Duration;
use std::time::Instant;

use crate::timestamp::{NtpClock, from_short_ntp, middle32, to_span, to_units};
use crate::wire::rtcp::{ReportBlock, SenderInfo};

/// The first sequence number stays below this, so that the receiver of an SRTP stream whose first
/// packets are lost cannot guess its rollover counter wrong (RFC 3711 §3.3.1).
const FIRST_SEQUENCE: u16 = 0x7FFF;

/// The most numbers left out at once: the next one is then 2^15 - 1 ahead of the last.
const MAX_SKIP: u16 = 0x7FFE;

/// What a stream sent, and what came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendStats {
    /// Packets sent, repetitions on the same SSRC included.
    pub packets: u64,
    /// Payload octets sent, without headers and padding.
    pub octets: u64,
    /// Packets among them that were sent before.
    pub retransmitted: u64,
    /// Packets that the receiver lost, from its last report; negative with duplicates.
    pub remote_lost: i32,
    /// Loss over the receiver's last report interval, in 1/256.
    pub remote_fraction_lost: u8,
    /// The receiver's interarrival jitter.
    pub remote_jitter: Duration,
    /// Round-trip time from the last report that allowed to compute it (RFC 3550 §6.4.1).
    pub rtt: Option<Duration>,
}

/// Where the media clock stood: a timestamp and when its first packet left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reference {
    timestamp: u32,
    at: Instant,
}

/// One SSRC that we send.
///
/// ```
/// use core::time::Duration;
/// use ortc_rtp::stream::SendStream;
/// use ortc_rtp::timestamp::NtpClock;
///
/// let start = std::time::Instant::now();
/// let clock = NtpClock::new(Duration::from_secs(1_700_000_000), start);
/// let mut stream = SendStream::new(0x1234, 17, 5_000, 48_000);
///
/// assert_eq!(stream.next_sequence(), 17);
/// stream.on_sent(stream.timestamp(0), 80, start);
/// let info = stream.sender_info(start + Duration::from_secs(1), &clock);
/// assert_eq!((info.packets, info.octets, info.rtp), (1, 80, 53_000));
/// ```
#[derive(Clone, Debug)]
pub struct SendStream {
    ssrc: u32,
    next_sequence: u16,
    /// Numbers left out since the last packet.
    skipped: u16,
    timestamp_offset: u32,
    clock_rate: u32,
    reference: Option<Reference>,
    stats: SendStats,
}

impl SendStream {
    /// A stream that has sent nothing; `clock_rate` is in units a second.
    ///
    /// Sequence number and offset come from the caller's generator (RFC 3550 §5.1); of the
    /// sequence number 15 bits are used, so that 2^15 packets fit before the first wrap.
    #[must_use]
    pub const fn new(
        ssrc: u32,
        initial_sequence: u16,
        timestamp_offset: u32,
        clock_rate: u32,
    ) -> Self {
        Self {
            ssrc,
            next_sequence: initial_sequence & FIRST_SEQUENCE,
            skipped: 0,
            timestamp_offset,
            clock_rate,
            reference: None,
            stats: SendStats {
                packets: 0,
                octets: 0,
                retransmitted: 0,
                remote_lost: 0,
                remote_fraction_lost: 0,
                remote_jitter: Duration::ZERO,
                rtt: None,
            },
        }
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

    /// Changes the clock rate, with a codec of another rate on the same SSRC.
    ///
    /// Until the next packet, reports extrapolate from the last one at the new rate.
    pub const fn set_clock_rate(&mut self, clock_rate: u32) {
        self.clock_rate = clock_rate;
    }

    /// A position of the media, in clock units from 0, as it stands in a packet: offset added.
    #[inline]
    #[must_use]
    pub const fn timestamp(&self, position: u32) -> u32 {
        self.timestamp_offset.wrapping_add(position)
    }

    /// Takes the next sequence number; each belongs to exactly one packet.
    #[inline]
    pub const fn next_sequence(&mut self) -> u16 {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        self.skipped = 0;
        sequence
    }

    /// Leaves numbers out before the next packet, so that a gap of a forwarded source stays one.
    ///
    /// Between two packets 32,766 are left out at most, however many are asked for: a number half
    /// of the space ahead counts as an old one, for the receiver and in SRTP (RFC 3711 §3.3.1).
    /// Returns how many are left out by this call.
    #[inline]
    pub const fn skip(&mut self, packets: u16) -> u16 {
        let left = MAX_SKIP - self.skipped;
        let packets = if packets < left { packets } else { left };
        self.skipped += packets;
        self.next_sequence = self.next_sequence.wrapping_add(packets);
        packets
    }

    /// The number that [`next_sequence`](Self::next_sequence) will take.
    #[inline]
    #[must_use]
    pub const fn upcoming_sequence(&self) -> u16 {
        self.next_sequence
    }

    /// Counts a packet; `timestamp` as it stood in it, `payload_len` without padding.
    ///
    /// Reports relate the clock to the first packet of each timestamp: the others of a frame, or of
    /// a long tone, leave later than what they carry.
    #[inline]
    pub fn on_sent(&mut self, timestamp: u32, payload_len: usize, now: Instant) {
        self.stats.packets += 1;
        self.stats.octets += payload_len as u64;
        if self
            .reference
            .is_none_or(|reference| reference.timestamp != timestamp)
        {
            self.reference = Some(Reference { timestamp, at: now });
        }
    }

    /// Counts a packet with a number that was left out before; the clock is not touched.
    #[inline]
    pub const fn on_sent_late(&mut self, payload_len: usize) {
        self.stats.packets += 1;
        self.stats.octets += payload_len as u64;
    }

    /// Counts a packet that was sent before, repeated on this SSRC; the clock is not touched.
    #[inline]
    pub const fn on_resent(&mut self, payload_len: usize) {
        self.stats.packets += 1;
        self.stats.octets += payload_len as u64;
        self.stats.retransmitted += 1;
    }

    /// Whether media was sent, so that a sender report and not a receiver report is due.
    ///
    // DEVIATION(RFC 3550 §6.4): a source that fell silent two intervals ago would send receiver
    // reports. Its clock stays known to the receiver this way, and lip sync holds when it resumes.
    #[must_use]
    pub const fn has_sent(&self) -> bool {
        self.reference.is_some()
    }

    /// The figures of a sender report made now: the timestamp is the last one, carried on to `now`.
    ///
    /// Before the first packet the timestamp is the offset.
    #[must_use]
    pub fn sender_info(&self, now: Instant, clock: &NtpClock) -> SenderInfo {
        let rtp = self
            .reference
            .map_or(self.timestamp_offset, |Reference { timestamp, at }| {
                let since = now.saturating_duration_since(at);
                timestamp.wrapping_add(to_units(since, self.clock_rate))
            });
        SenderInfo {
            ntp: clock.ntp(now),
            rtp,
            packets: wrap32(self.stats.packets),
            octets: wrap32(self.stats.octets),
        }
    }

    /// Takes in what a receiver says; a block about another source is ignored.
    pub fn on_report_block(&mut self, block: &ReportBlock, now: Instant, clock: &NtpClock) {
        if block.ssrc != self.ssrc {
            return;
        }
        self.stats.remote_lost = block.cumulative_lost;
        self.stats.remote_fraction_lost = block.fraction_lost;
        self.stats.remote_jitter = to_span(block.jitter, self.clock_rate);
        if block.last_sender_report != 0 {
            // A - LSR - DLSR (RFC 3550 §6.4.1), modulo 2^32. A sum from the future is the rounding
            // of a round trip near zero, or nonsense.
            let round_trip = middle32(clock.ntp(now))
                .wrapping_sub(block.last_sender_report)
                .wrapping_sub(block.delay_since_last_sender_report)
                .cast_signed();
            if let Ok(round_trip) = u32::try_from(round_trip) {
                self.stats.rtt = Some(from_short_ntp(round_trip));
            }
        }
    }

    /// The figures so far.
    #[must_use]
    pub const fn stats(&self) -> SendStats {
        self.stats
    }
}

/// Counters of reports are modulo 2^32 (RFC 3550 §6.4.1).
const fn wrap32(count: u64) -> u32 {
    let [_, _, _, _, a, b, c, d] = count.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
