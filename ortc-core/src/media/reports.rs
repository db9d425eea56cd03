//! When RTCP reports leave and what is in them.

use core::time::Duration;
use std::time::Instant;

use ortc_rtp::stream::{ReportConfig, ReportSchedule};
use ortc_rtp::timestamp::NtpClock;
use ortc_rtp::wire::rtcp::{
    Fir, FirEntry, Nack, Pli, ReceiverReport, ReportBlock, Sdes, SenderReport, Text,
};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::api::{MediaKind, RtcpForm};
use crate::timer::{Armed, TimerKey, Timers};

use super::{Control, Media};

/// The reporting state of a connection: one participant with many sources.
#[derive(Debug)]
pub(crate) struct Reports {
    pub(crate) schedule: ReportSchedule,
    pub(crate) clock: NtpClock,
    /// Who speaks in feedback while nothing is sent.
    pub(crate) ssrc: u32,
    cname: String,
    armed: Armed,
    /// Receiving tracks heard since the last report: only these have a block in the next.
    pub(crate) heard: Vec<u32>,
    /// Sending tracks that sent since the last report.
    sent: Vec<u32>,
    blocks: Vec<ReportBlock>,
}

/// Blocks that one report holds (RFC 3550 §6.4.1: a 5-bit count).
const MAX_BLOCKS: usize = 31;
/// A report block (RFC 3550 §6.4.1).
const BLOCK: usize = 24;
/// A sender report without blocks.
const SENDER_REPORT: usize = 28;

impl Reports {
    pub(crate) fn new(wall_clock: Duration, rng: &mut ChaCha20Rng, now: Instant) -> Self {
        // RFC 7022 §4.2: a short-term persistent name of 96 random bits, new for each session.
        let cname = format!("{:016x}{:08x}", rng.next_u64(), rng.next_u32());
        Self {
            schedule: ReportSchedule::new(ReportConfig::default(), now, rng),
            clock: NtpClock::new(wall_clock, now),
            ssrc: rng.next_u32() | 2, // never 0 or 1
            cname,
            armed: Armed::default(),
            heard: Vec::new(),
            sent: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// Waits for the next report.
    fn arm(&mut self, timers: &mut Timers) {
        timers.arm(
            TimerKey::Reports,
            &mut self.armed,
            Some(self.schedule.next()),
        );
    }

    /// A sending track is gone; its slot may be another's soon.
    pub(crate) fn forget_sender(&mut self, slot: u32) {
        self.sent.retain(|sent| *sent != slot);
    }

    /// A source was heard: it is in the next report.
    pub(super) fn media_heard(&mut self, slot: u32, in_report: &mut bool, timers: &mut Timers) {
        if !*in_report {
            *in_report = true;
            self.heard.push(slot);
            self.arm(timers);
        }
    }

    /// A source sent media: it is in the next report.
    pub(super) fn media_sent(
        &mut self,
        slot: u32,
        in_report: &mut bool,
        timers: &mut Timers,
        now: Instant,
    ) {
        if !*in_report {
            *in_report = true;
            self.sent.push(slot);
            // The first packet brings the first report near; later calls change nothing.
            self.schedule.on_media_sent(now);
            self.arm(timers);
        }
    }

    /// RTCP left: the schedule's average size follows (RFC 3550 §6.3.3).
    pub(super) fn on_sent(&mut self, control: Control, octets: usize) {
        match control {
            Control::Report
            | Control::Bye { .. }
            | Control::Nack { .. }
            | Control::Pli { .. }
            | Control::Fir { .. } => {
                self.schedule.on_rtcp_sent(octets);
            }
            Control::Resend { .. } => {}
        }
    }
}

impl Media {
    pub(super) fn reports_due(&mut self, at: Instant, now: Instant) {
        if !self.reports.armed.fired(at) {
            return;
        }
        // With nothing to say there is no deadline: the next packet of media sets one.
        if self.reports.heard.is_empty() && self.reports.sent.is_empty() {
            return;
        }
        if self.reports.schedule.on_timeout(now, &mut self.rng) {
            // While nothing can leave, one waiting report is enough: it is written when it leaves.
            if !self.outbox.control.contains(&Control::Report) {
                self.outbox.push_control(Control::Report);
            }
        }
        self.reports.arm(&mut self.timers);
    }

    /// Writes one RTCP datagram; `false` when there is nothing to say any more.
    pub(super) fn write_rtcp(&mut self, control: Control, buf: &mut Vec<u8>, now: Instant) -> bool {
        match control {
            Control::Report => self.write_report(buf, now),
            Control::Bye { ssrc } => {
                let cname = Text::new(&self.reports.cname);
                // BYE never stands alone: a report and the name come first (RFC 3550 §6.1).
                ReceiverReport { ssrc, blocks: &[] }.encode(buf);
                if let Ok(cname) = cname {
                    Sdes { ssrc, cname }.encode(buf);
                }
                ortc_rtp::wire::rtcp::Bye {
                    ssrcs: &[ssrc],
                    reason: None,
                }
                .encode(buf);
                true
            }
            Control::Nack { slot } => self.write_nack(slot, buf, now),
            Control::Pli { ssrc } => {
                let kind = self.kind_received(ssrc);
                let sender_ssrc = self.begin_feedback(kind, buf);
                Pli {
                    sender_ssrc,
                    media_ssrc: ssrc,
                }
                .encode(buf);
                true
            }
            Control::Fir { ssrc, sequence } => {
                let kind = self.kind_received(ssrc);
                let sender_ssrc = self.begin_feedback(kind, buf);
                Fir {
                    sender_ssrc,
                    entries: &[FirEntry { ssrc, sequence }],
                }
                .encode(buf);
                true
            }
            Control::Resend { .. } => false,
        }
    }

    /// What stands before feedback: nothing, or an empty report and the name where the peer needs
    /// compound packets.
    fn begin_feedback(&self, about: Option<MediaKind>, buf: &mut Vec<u8>) -> u32 {
        let ssrc = self.speaker(about);
        if self.settings.rtcp == RtcpForm::Compound {
            ReceiverReport { ssrc, blocks: &[] }.encode(buf);
            if let Ok(cname) = Text::new(&self.reports.cname) {
                Sdes { ssrc, cname }.encode(buf);
            }
        }
        ssrc
    }

    /// The SSRC that feedback comes from: a source that sends, if there is one, and best one of the
    /// kind of media that it is about. Some servers take every word of a source for one about the
    /// stream that goes with it, and hand a request for pictures to whoever sends the sound.
    fn speaker(&self, about: Option<MediaKind>) -> u32 {
        let mut speaker = None;
        for (_, track) in self.senders.iter() {
            if !track.stream.has_sent() {
                continue;
            }
            if Some(track.kind()) == about {
                return track.ssrc;
            }
            speaker = speaker.or(Some(track.ssrc));
        }
        speaker.unwrap_or(self.reports.ssrc)
    }

    fn kind_received(&mut self, ssrc: u32) -> Option<MediaKind> {
        let slot = self.receive_routes.get(ssrc)?;
        self.receivers.get(slot).map(|track| track.track.kind())
    }

    fn write_nack(&mut self, slot: u32, buf: &mut Vec<u8>, now: Instant) -> bool {
        let Some(track) = self.receivers.get_mut(slot) else {
            return false;
        };
        track.nack_queued = false;
        let media_ssrc = track.wire_ssrc;
        let kind = track.track.kind();
        let mut lost = core::mem::take(&mut self.lost);
        lost.clear();
        track.nack.take(now, self.rtt, &mut lost);
        track.counters.nacks += u64::try_from(lost.len()).unwrap_or_default();
        let something = !lost.is_empty();
        if something {
            let sender_ssrc = self.begin_feedback(Some(kind), buf);
            Nack {
                sender_ssrc,
                media_ssrc,
                lost: &lost,
            }
            .encode(buf);
        }
        self.lost = lost;
        self.arm_receive(slot);
        something
    }

    /// One compound packet of at most the path MTU; what does not fit leaves in the next.
    fn write_report(&mut self, buf: &mut Vec<u8>, now: Instant) -> bool {
        let start = buf.len();
        let room = self.settings.mtu.saturating_sub(self.srtp_overhead + 4);
        let Ok(cname) = Text::new(&self.reports.cname) else {
            return false;
        };
        self.reports.blocks.clear();
        while self.reports.blocks.len() < MAX_BLOCKS
            && SENDER_REPORT + (self.reports.blocks.len() + 3) * BLOCK < room
            && let Some(slot) = self.reports.heard.pop()
        {
            if let Some(track) = self.receivers.get_mut(slot) {
                track.in_report = false;
                self.reports.blocks.push(track.stream.report_block(now));
            }
        }
        // Two packets for each source: its report and its name.
        let mut one = SENDER_REPORT + 2 * SENDER_REPORT + self.reports.blocks.len() * BLOCK;
        let mut speaker = None;
        while buf.len() - start + one <= room
            && let Some(slot) = self.reports.sent.pop()
        {
            let Some(track) = self.senders.get_mut(slot) else {
                continue;
            };
            track.in_report = false;
            if !track.stream.has_sent() {
                continue;
            }
            let blocks = if speaker.is_none() {
                self.reports.blocks.as_slice()
            } else {
                &[]
            };
            let info = track.stream.sender_info(now, &self.reports.clock);
            SenderReport {
                ssrc: track.ssrc,
                info,
                blocks,
            }
            .encode(buf);
            Sdes {
                ssrc: track.ssrc,
                cname,
            }
            .encode(buf);
            speaker = Some(track.ssrc);
            one = 3 * SENDER_REPORT;
        }
        if speaker.is_none() {
            if self.reports.blocks.is_empty() {
                return false;
            }
            let ssrc = self.speaker(None);
            ReceiverReport {
                ssrc,
                blocks: &self.reports.blocks,
            }
            .encode(buf);
            Sdes { ssrc, cname }.encode(buf);
        }
        if !self.reports.heard.is_empty() || !self.reports.sent.is_empty() {
            self.outbox.control.push_front(Control::Report);
        }
        true
    }
}
