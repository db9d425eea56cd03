//! Everything between SRTP and the application: tracks, their streams, RTCP.

mod binding;
pub(crate) mod extensions;
mod feedback;
mod forward;
mod incoming;
pub(crate) mod outbox;
mod outgoing;
mod receive;
mod reports;
mod rtcp;
mod rtx;
mod send;
mod sent;
mod slots;
mod ssrc_table;
mod tones;
mod unknown;

use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use ortc_rtp::payload::Segment;
use ortc_rtp::pool::PayloadPool;
use ortc_rtp::wire::ExtensionElements;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::api::{MediaStream, RTCCapabilities, RtcpForm, TapDirection, TapPacket};
use crate::queue::EventQueue;
use crate::stats::{DropReason, Drops};
use crate::timer::{TimerKey, Timers};

pub(crate) use extensions::ExtensionIds;
pub(crate) use feedback::{Feedback, KeyFrameRequest};
pub(crate) use forward::Forwarder;
pub(crate) use outbox::{Control, Outbox};
pub(crate) use outgoing::is_payload_type;
pub(crate) use receive::{Payloads, Presence, ReceiveTrack};
pub(crate) use reports::Reports;
pub(crate) use rtx::{ReceiveRtx, SendRtx};
pub(crate) use send::{ActiveCodec, MediaClock, SendExtension, SendTrack, Sending};
pub(crate) use slots::Slots;
pub(crate) use ssrc_table::SsrcTable;
pub(crate) use tones::{ReceiveTones, SendTones, choose as choose_tones};
pub(crate) use unknown::UnknownSources;

/// Tracks of one direction.
pub(crate) const MAX_TRACKS: usize = 1_024;

/// Blocks of 4 KiB that received payloads may fill while others hold them: packets that are
/// forwarded stay until no receiver asks for them again, and what an outbox holds is 4 MiB too.
const MAX_BLOCKS: usize = 1_024;

/// Longest that a missing packet may hold back others: later than that nobody plays it.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(60);

/// What the media engine is told once.
#[derive(Debug)]
pub(crate) struct MediaSettings {
    pub(crate) capabilities: RTCCapabilities,
    pub(crate) extension_ids: ExtensionIds,
    pub(crate) rtcp: RtcpForm,
    pub(crate) rtp_timeout: Duration,
    pub(crate) audio_wait: Duration,
    pub(crate) video_wait: Duration,
    pub(crate) mtu: usize,
    pub(crate) max_segments: usize,
}

/// Where the engine puts what it finds: the application's queue, the counters, the tap.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) events: EventQueue,
    pub(crate) drops: Drops,
    pub(crate) tap: Option<Tap>,
}

/// Decrypted packets that wait to be written to a capture file; the oldest give way.
#[derive(Debug, Default)]
pub(crate) struct Tap(VecDeque<TapPacket>);

/// Packets that the tap keeps.
const MAX_TAPPED: usize = 1_024;

impl Tap {
    pub(crate) fn pop(&mut self) -> Option<TapPacket> {
        self.0.pop_front()
    }
}

impl Output {
    /// Queues what the peer caused, or counts that nobody took it.
    pub(crate) fn media(&mut self, event: crate::api::Event) {
        if !self.events.push(event) {
            self.drops.count(DropReason::EventsFull);
        }
    }

    pub(crate) fn tap(&mut self, direction: TapDirection, packet: &[u8], at: Instant) {
        if let Some(Tap(packets)) = &mut self.tap {
            if packets.len() == MAX_TAPPED {
                packets.pop_front();
            }
            let packet = bytes::Bytes::copy_from_slice(packet);
            packets.push_back(TapPacket {
                direction,
                at,
                packet,
            });
        }
    }
}

/// The media engine of one connection.
#[derive(Debug)]
pub(crate) struct Media {
    pub(crate) settings: MediaSettings,
    pub(crate) senders: Slots<SendTrack>,
    pub(crate) receivers: Slots<ReceiveTrack>,
    pub(crate) send_routes: SsrcTable,
    pub(crate) receive_routes: SsrcTable,
    /// Repairing sources to the track that they repair.
    pub(crate) repair_routes: SsrcTable,
    pub(crate) streams: Vec<ReceivedStream>,
    pub(crate) outbox: Outbox,
    pub(crate) timers: Timers,
    pub(crate) unknown: UnknownSources,
    pub(crate) reports: Reports,
    /// Octets that SRTP adds to a packet; the largest there is until a profile is chosen.
    pub(crate) srtp_overhead: usize,
    /// Round-trip time by RTCP, for the pace of retransmission.
    pub(crate) rtt: Duration,
    pool: PayloadPool,
    segments: Vec<Segment>,
    lost: Vec<u16>,
    /// Where repaired packets are put together.
    restored: Vec<u8>,
    /// Where header extensions of forwarded packets are put together.
    elements: ExtensionElements,
    pub(crate) rng: ChaCha20Rng,
}

/// A receiving stream and whether RTP of one of its tracks comes.
#[derive(Debug)]
pub(crate) struct ReceivedStream {
    pub(crate) stream: MediaStream,
    pub(crate) presence: Presence,
}

/// Round-trip time assumed before one was measured: a path across a continent.
const UNMEASURED_RTT: Duration = Duration::from_millis(100);

/// Tag of the AEADs (RFC 7714 §5.2), the longest of the profiles.
const LARGEST_OVERHEAD: usize = 16;

impl Media {
    pub(crate) fn new(
        settings: MediaSettings,
        wall_clock: Duration,
        seed: [u8; 32],
        now: Instant,
    ) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        Self {
            settings,
            senders: Slots::default(),
            receivers: Slots::default(),
            send_routes: SsrcTable::new(rng.next_u64()),
            receive_routes: SsrcTable::new(rng.next_u64()),
            repair_routes: SsrcTable::new(rng.next_u64()),
            streams: Vec::new(),
            outbox: Outbox::default(),
            timers: Timers::default(),
            unknown: UnknownSources::default(),
            reports: Reports::new(wall_clock, &mut rng, now),
            srtp_overhead: LARGEST_OVERHEAD,
            rtt: UNMEASURED_RTT,
            pool: PayloadPool::with_limit(MAX_BLOCKS),
            segments: Vec::new(),
            lost: Vec::new(),
            restored: Vec::new(),
            elements: ExtensionElements::new(),
            rng,
        }
    }

    /// An SSRC that nobody here uses.
    pub(crate) fn fresh_ssrc(&mut self) -> u32 {
        loop {
            let ssrc = self.rng.next_u32();
            // 0 and 1 stand for "no source" in feedback of several implementations.
            let repairs = |(_, track): (u32, &SendTrack)| {
                track.rtx.as_ref().is_some_and(|rtx| rtx.ssrc == ssrc)
            };
            let taken = self.send_routes.get(ssrc).is_some()
                || self.receive_routes.get(ssrc).is_some()
                || self.repair_routes.get(ssrc).is_some()
                || self.senders.iter().any(repairs);
            if ssrc > 1 && !taken {
                return ssrc;
            }
        }
    }

    /// Takes one deadline of a stream that has passed and does what is due.
    pub(crate) fn handle_timeout(&mut self, out: &mut Output, now: Instant) {
        while let Some((at, key)) = self.timers.pop_due(now) {
            match key {
                TimerKey::Reports => self.reports_due(at, now),
                TimerKey::Receive(slot) => self.receive_due(slot, at, out, now),
                TimerKey::Tones(slot) => self.tones_due(slot, at, out, now),
            }
        }
    }

    /// Forgets everything but what is queued as control: the connection is closing.
    pub(crate) fn stop(&mut self) {
        self.outbox.clear_media();
        self.timers.clear();
        self.unknown.clear();
    }

    pub(crate) fn arm_receive(&mut self, slot: u32) {
        if let Some(track) = self.receivers.get_mut(slot) {
            let deadline = track.deadline(self.settings.rtp_timeout);
            self.timers
                .arm(TimerKey::Receive(slot), &mut track.armed, deadline);
        }
    }
}
