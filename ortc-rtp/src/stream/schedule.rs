//! When the next report is due (RFC 3550 §6.2, §6.3, appendix A.7), and the first ones early.

use core::time::Duration;
use std::time::Instant;

use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::timestamp::later;

/// IPv4 and UDP headers: report sizes include them (RFC 3550 §6.2).
const LOWER_LAYERS: u64 = 28;

/// The longest UDP payload.
const MAX_LEN: usize = 65_535;

/// The average size is kept in this part of an octet, so that rounding does not show.
const SIZE_SCALE: u64 = 256;

/// `avg_rtcp_size` before the first report: about one report with a CNAME, lower layers included.
const FIRST_SIZE: u64 = 128;

/// e - 3/2, in 1/100,000: makes up for timer reconsideration (RFC 3550 §6.3.1).
const COMPENSATION: u64 = 121_828;

/// The kilobits that the reduced minimum divides by the bandwidth to get seconds (RFC 3550 §6.2).
const REDUCED_MINIMUM: u64 = 360;

/// Parameters of a report schedule.
///
/// ```
/// use core::time::Duration;
/// use ortc_rtp::stream::ReportConfig;
///
/// let config = ReportConfig::default().bandwidth(500_000).minimum(Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportConfig {
    bandwidth: u64,
    minimum: Duration,
    reduced_minimum: bool,
    first_after: Duration,
    second_after: Duration,
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self {
            bandwidth: 1_000_000,
            minimum: Duration::from_secs(1),
            reduced_minimum: false,
            first_after: Duration::from_millis(50),
            second_after: Duration::from_millis(400),
        }
    }
}

impl ReportConfig {
    /// Session bandwidth in bits a second, of which RTCP takes 5 % (RFC 3550 §6.2).
    ///
    /// Default 1,000,000. Smaller reports more rarely, once the share and not the minimum decides;
    /// 0 counts as 1.
    #[must_use]
    pub const fn bandwidth(mut self, bits_per_second: u64) -> Self {
        self.bandwidth = bits_per_second;
        self
    }

    /// The least average interval, Tmin (RFC 3550 §6.2).
    ///
    /// Default 1 s. RFC 3550 has 5 s, scaled down by [`reduced_minimum`](Self::reduced_minimum) at
    /// higher bandwidths; the feedback profile has no minimum (RFC 4585 §3.5.1). One second keeps
    /// loss and round trip current, at about 1 kbit/s a stream.
    #[must_use]
    pub const fn minimum(mut self, minimum: Duration) -> Self {
        self.minimum = minimum;
        self
    }

    /// Lets the minimum fall to 360 s divided by the bandwidth in kbit/s (RFC 3550 §6.2).
    ///
    /// Default off. At 1 Mbit/s it gives 0.36 s. It never raises the minimum, and the first interval
    /// is then not halved.
    #[must_use]
    pub const fn reduced_minimum(mut self) -> Self {
        self.reduced_minimum = true;
        self
    }

    /// When the first two sender reports follow the first media packet.
    ///
    /// Default 50 ms and 400 ms: a receiver that needs two reports to play audio and video in step
    /// has them in less than half a second. RFC 3550 §6.2 allows the first at once in a unicast
    /// session; the second early one adds a single packet. A second one not after the first is not
    /// sent early.
    #[must_use]
    pub const fn early(mut self, first: Duration, second: Duration) -> Self {
        self.first_after = first;
        self.second_after = second;
        self
    }
}

/// How far the early reports have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No media sent yet.
    Silent,
    /// Media was sent first at this instant; the first report is due soon after.
    First(Instant),
    /// The second is due.
    Second,
    /// Only the interval counts.
    Regular,
}

/// Decides when reports are sent.
///
/// It serves one RTP session, on a transport with usually two members. A BYE needs no schedule:
/// up to 50 members send theirs at once (RFC 3550 §6.3.7), and larger sessions are not what this
/// schedule is for.
///
/// ```
/// use ortc_rtp::stream::{ReportConfig, ReportSchedule};
/// use rand_chacha::ChaCha20Rng;
/// use rand_core::SeedableRng;
///
/// let mut random = ChaCha20Rng::from_seed([7; 32]);
/// let mut now = std::time::Instant::now();
/// let mut schedule = ReportSchedule::new(ReportConfig::default(), now, &mut random);
/// schedule.on_media_sent(now);
/// now = schedule.next();
/// assert!(schedule.on_timeout(now, &mut random));
/// schedule.on_rtcp_sent(92);
/// ```
#[derive(Clone, Debug)]
pub struct ReportSchedule {
    config: ReportConfig,
    phase: Phase,
    /// When the last report was sent, `tp`.
    previous: Instant,
    /// When the timer expires, `tn`.
    next: Instant,
    members: u32,
    senders: u32,
    we_sent: bool,
    /// No report sent yet.
    initial: bool,
    /// In 1/256 octet.
    average_size: u64,
}

impl ReportSchedule {
    /// A schedule for a session that begins now, with one other member.
    #[must_use]
    pub fn new(config: ReportConfig, now: Instant, random: &mut ChaCha20Rng) -> Self {
        let mut schedule = Self {
            config,
            phase: Phase::Silent,
            previous: now,
            next: now,
            members: 2,
            senders: 0,
            we_sent: false,
            initial: true,
            average_size: FIRST_SIZE * SIZE_SCALE,
        };
        schedule.next = now + schedule.interval(random);
        schedule
    }

    /// When to call [`on_timeout`](Self::on_timeout).
    #[must_use]
    pub const fn next(&self) -> Instant {
        self.next
    }

    /// A media packet left. The first one calls for the early reports.
    #[inline]
    pub fn on_media_sent(&mut self, now: Instant) {
        self.we_sent = true;
        if self.phase == Phase::Silent {
            self.phase = Phase::First(now);
            self.senders = self.senders.max(1);
            self.next = self.next.min(later(now, self.config.first_after));
        }
    }

    /// The number of members and of senders among them, this side included.
    ///
    /// Fewer members bring the next report nearer (reverse reconsideration, RFC 3550 §6.3.4). The
    /// interval counts at least this side, and no more senders than members.
    pub fn set_members(&mut self, members: u32, senders: u32, now: Instant) {
        let members = members.max(1);
        if members < self.members && self.next > now {
            let scale = |span: Duration| span.mul_f64(f64::from(members) / f64::from(self.members));
            self.next = now + scale(self.next - now);
            let since = scale(now.saturating_duration_since(self.previous));
            self.previous = now.checked_sub(since).unwrap_or(self.previous);
        }
        self.members = members;
        self.senders = senders.min(members);
    }

    /// The session bandwidth changed; in bits a second. It counts from the next interval.
    pub const fn set_bandwidth(&mut self, bits_per_second: u64) {
        self.config.bandwidth = bits_per_second;
    }

    /// The deadline passed: says whether to send a report now.
    ///
    /// Before [`next`](Self::next) it does nothing; afterwards `next` has moved.
    pub fn on_timeout(&mut self, now: Instant, random: &mut ChaCha20Rng) -> bool {
        if now < self.next {
            return false;
        }
        let interval = self.interval(random);
        match self.phase {
            Phase::First(began) => {
                let second = later(began, self.config.second_after);
                if second > now {
                    self.phase = Phase::Second;
                    self.sent(now, second);
                    return true;
                }
                self.phase = Phase::Regular;
            }
            Phase::Second => self.phase = Phase::Regular,
            Phase::Silent | Phase::Regular => {
                // Timer reconsideration: what was fixed then may be too early now (RFC 3550 §6.3.6).
                let reconsidered = self.previous + interval;
                if reconsidered > now {
                    self.next = reconsidered;
                    return false;
                }
            }
        }
        self.initial = false;
        let next = now + self.interval(random);
        self.sent(now, next);
        true
    }

    /// A report left, of `len` octets of UDP payload.
    pub const fn on_rtcp_sent(&mut self, len: usize) {
        self.average(len);
    }

    /// RTCP arrived, of `len` octets of UDP payload.
    pub const fn on_rtcp_received(&mut self, len: usize) {
        self.average(len);
    }

    const fn sent(&mut self, now: Instant, next: Instant) {
        self.initial = false;
        self.previous = now;
        self.next = next;
    }

    /// size/16 + 15/16 of the average (RFC 3550 §6.3.3, §6.3.6).
    const fn average(&mut self, len: usize) {
        // No datagram is longer.
        let size = if len > MAX_LEN {
            MAX_LEN as u64
        } else {
            len as u64
        } + LOWER_LAYERS;
        self.average_size =
            (self.average_size - self.average_size / 16).saturating_add(size * (SIZE_SCALE / 16));
    }

    /// The calculated interval T (RFC 3550 §6.3.1).
    fn interval(&self, random: &mut ChaCha20Rng) -> Duration {
        let deterministic = self.deterministic();
        // 0.5 to 1.5 of it, in steps of 2^-32; then the compensation.
        let factor = u64::from(random.next_u32()) + (1 << 31);
        let nanos = u128::from(u64::try_from(deterministic.as_nanos()).unwrap_or(u64::MAX));
        let nanos = ((nanos * u128::from(factor)) >> 32) * 100_000 / u128::from(COMPENSATION);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).max(MINIMUM_STEP)
    }

    /// The deterministic calculated interval Td = max(Tmin, n * C) (RFC 3550 §6.3.1).
    fn deterministic(&self) -> Duration {
        let bandwidth = self.config.bandwidth.max(1);
        let mut minimum = self.config.minimum;
        if self.config.reduced_minimum {
            let reduced = REDUCED_MINIMUM * 1_000_000_000 * 1_000 / bandwidth;
            minimum = minimum.min(Duration::from_nanos(reduced));
        } else if self.initial {
            minimum /= 2;
        }
        // Senders up to a quarter of the members share a quarter of the RTCP bandwidth.
        let (n, quarters) = if self.senders.saturating_mul(4) > self.members {
            (self.members, 4)
        } else if self.we_sent {
            (self.senders, 1)
        } else {
            (self.members - self.senders, 3)
        };
        // n * size / (5 % of the bandwidth in octets a second * quarters / 4), in nanoseconds.
        let nanos = u128::from(n) * u128::from(self.average_size) * (8 * 20 * 4) * 1_000_000_000
            / (u128::from(SIZE_SCALE) * u128::from(bandwidth) * quarters);
        let share = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        share.max(minimum).min(MAXIMUM)
    }
}

/// The least interval, so that a deadline always moves.
const MINIMUM_STEP: Duration = Duration::from_millis(1);

/// The longest average interval: at a bandwidth near zero the session would be timed out first.
const MAXIMUM: Duration = Duration::from_secs(60);
