//! The way of one authenticated RTP packet: SSRC to track, payload type to codec, then out as a
//! packet, a frame or a tone.

use std::time::Instant;

use ortc_rtp::jitter::{self, PushError, ReorderBuffer};
use ortc_rtp::payload::Format;
use ortc_rtp::pool::PayloadPool;
use ortc_rtp::stream::Order;
use ortc_rtp::wire::RtpPacket;

use crate::api::codec::CodecKind;
use crate::api::{
    Event, MediaKind, RTCDTMFHandler, ReceiveMode, ReceivedFrame, ReceivedGap, ReceivedRtp,
    UnknownTrack,
};
use crate::stats::DropReason;

use super::outbox::Control;
use super::receive::Meaning;
use super::unknown::Parked;
use super::{MAX_WAIT, Media, Output, Presence, ReceiveTones, ReceiveTrack};

/// Packets asked for before the first of a stream that begins inside a frame. The beginning of a
/// stream is lost like everything else, and with it a key frame that all others stand on; more than
/// a few in a row are rarely lost.
const LOOK_BACK: u64 = 8;

/// How a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// On its own source.
    Direct,
    /// On the source that repairs it.
    Repaired,
}

impl Media {
    /// Takes one decrypted packet. `packet` is borrowed: what is kept is copied once.
    pub(crate) fn handle_rtp(&mut self, packet: &[u8], out: &mut Output, now: Instant) {
        let Ok(view) = RtpPacket::parse(packet) else {
            out.drops.count(DropReason::Malformed);
            return;
        };
        if let Some(slot) = self.receive_routes.get(view.ssrc()) {
            return self.receive(slot, &view, packet, Way::Direct, out, now);
        }
        if let Some(slot) = self.repair_routes.get(view.ssrc()) {
            return self.repaired(slot, &view, packet, out, now);
        }
        match self.bind_by_extension(&view) {
            Some(slot) => self.receive(slot, &view, packet, Way::Direct, out, now),
            None if self.only_repairs(view.payload_type()) => {
                out.drops.count(DropReason::UnknownRepair);
            }
            None => self.park(&view, packet, out, now),
        }
    }

    fn park(&mut self, view: &RtpPacket<'_>, packet: &[u8], out: &mut Output, now: Instant) {
        match self.unknown.park(view.ssrc(), packet, now) {
            Parked::First => out.media(Event::UnknownTrack(Box::new(UnknownTrack {
                ssrc: view.ssrc(),
                payload_type: view.payload_type(),
                rtp_ext_headers: self.settings.extension_ids.decode(view),
            }))),
            Parked::Kept => {}
            Parked::Full => out.drops.count(DropReason::UnknownTrackFull),
        }
    }

    pub(super) fn receive(
        &mut self,
        slot: u32,
        view: &RtpPacket<'_>,
        packet: &[u8],
        way: Way,
        out: &mut Output,
        now: Instant,
    ) {
        let Some(track) = self.receivers.get_mut(slot) else {
            return;
        };
        let meaning = track.payloads.meaning(view.payload_type());
        // Tones run on their own clock, which says nothing about the jitter of the audio.
        let timestamp = match meaning {
            Meaning::Codec(_) => Some(view.timestamp()),
            Meaning::Tones { .. } => None,
            Meaning::NotListed => {
                out.drops.count(DropReason::UnknownPayloadType);
                return self.unlisted(slot, view, out, now);
            }
        };
        if track.presence == Presence::Left {
            track.begin_anew(out, now);
        }
        let octets = view.payload().len();
        let reception = match way {
            Way::Direct => track.stream.on_rtp(view.sequence(), timestamp, octets, now),
            Way::Repaired => track.stream.on_repaired(view.sequence()),
        };
        match reception.order {
            Order::First | Order::InOrder | Order::Gap(_) | Order::Reordered => {}
            Order::Restart => track.nack.restart(reception.extended),
            Order::Duplicate | Order::Suspect => return out.drops.count(DropReason::Late),
        }
        self.reports
            .media_heard(slot, &mut track.in_report, &mut self.timers);
        track.last_rtp = Some(now);
        if track.feedback.nack {
            track.nack.on_packet(reception.extended, now);
        }
        let arrival = track.presence != Presence::Connected;
        if arrival {
            self.arrived(slot, out);
        }
        let Some(track) = self.receivers.get_mut(slot) else {
            return;
        };
        match meaning {
            Meaning::Codec(kind) => {
                let changes = track.current != Some(view.payload_type());
                if changes && reception.order == Order::Reordered && track.buffer.is_some() {
                    // The former codec's last packets were overtaken by the change.
                    out.drops.count(DropReason::Late);
                    return self.arm_receive(slot);
                }
                if changes {
                    let waits = (self.settings.audio_wait, self.settings.video_wait);
                    let extended = reception.extended;
                    track.change_codec(view.payload_type(), kind, extended, waits, out, now);
                }
                let buffered = track.mode.has_frames() && track.buffer.is_some();
                let payload = if track.mode != ReceiveMode::Frames || !buffered {
                    let Some(raw) =
                        track.raw(view, packet, reception.extended, &mut self.pool, now)
                    else {
                        return out.drops.count(DropReason::Malformed);
                    };
                    let payload = buffered.then(|| raw.payload());
                    out.media(Event::Rtp(raw));
                    payload
                } else {
                    Some(self.pool.copy(view.payload()))
                };
                if let (Some(payload), Some(buffer)) = (payload, &mut track.buffer) {
                    let pushed = buffer.push(
                        jitter::Packet {
                            extended: reception.extended,
                            timestamp: view.timestamp(),
                            marker: view.marker(),
                            payload,
                        },
                        now,
                    );
                    if let Err(error) = pushed {
                        out.drops.count(reason(error));
                    }
                    if reception.order == Order::First
                        && track.feedback.nack
                        && buffer.awaits_beginning()
                    {
                        track.nack.look_back(reception.extended, LOOK_BACK, now);
                    }
                    track.drain(out, now);
                }
            }
            Meaning::Tones { clock_rate } => {
                if let Some(buffer) = &mut track.buffer {
                    buffer.skip(reception.extended, now);
                    track.drain(out, now);
                }
                if track.mode != ReceiveMode::Frames
                    && let Some(raw) =
                        track.raw(view, packet, reception.extended, &mut self.pool, now)
                {
                    out.media(Event::Rtp(raw));
                }
                track.tones_arrived(slot, clock_rate, view, out, now);
            }
            Meaning::NotListed => {}
        }
        let deadline = track.deadline(self.settings.rtp_timeout);
        self.timers.arm(
            crate::timer::TimerKey::Receive(slot),
            &mut track.armed,
            deadline,
        );
    }

    /// A packet of a running stream in a codec that its description does not list, such as comfort
    /// noise: nobody can use it, but it is not missing, and is not asked for again.
    fn unlisted(&mut self, slot: u32, view: &RtpPacket<'_>, out: &mut Output, now: Instant) {
        let Some(track) = self.receivers.get_mut(slot) else {
            return;
        };
        if track.presence != Presence::Connected {
            return;
        }
        let octets = view.payload().len();
        let reception = track.stream.on_rtp(view.sequence(), None, octets, now);
        match reception.order {
            Order::First | Order::InOrder | Order::Gap(_) | Order::Reordered => {}
            Order::Restart => track.nack.restart(reception.extended),
            Order::Duplicate | Order::Suspect => return,
        }
        // The source is alive (RFC 3550 §6.3.5), and the peer hears how well it arrives.
        track.last_rtp = Some(now);
        self.reports
            .media_heard(slot, &mut track.in_report, &mut self.timers);
        if track.feedback.nack {
            track.nack.on_packet(reception.extended, now);
        }
        if let Some(buffer) = &mut track.buffer {
            buffer.skip(reception.extended, now);
            track.drain(out, now);
        }
        self.arm_receive(slot);
    }

    /// First RTP of a track, or first after it was disconnected: the stream is told first.
    fn arrived(&mut self, slot: u32, out: &mut Output) {
        let Some(track) = self.receivers.get_mut(slot) else {
            return;
        };
        track.presence = Presence::Connected;
        for known in &mut self.streams {
            let has = known.stream.tracks().contains(&track.track);
            if has && known.presence != Presence::Connected {
                known.presence = Presence::Connected;
                out.media(Event::StreamConnected(known.stream.clone()));
            }
        }
        out.media(Event::TrackConnected(track.track.clone()));
    }

    /// Tracks have changed streams: tells which streams are connected, or no longer, because of it,
    /// and forgets those that are empty.
    pub(crate) fn settle_streams(&mut self, out: &mut Output) {
        for known in &mut self.streams {
            let heard = self.receivers.iter().any(|(_, track)| {
                track.presence == Presence::Connected
                    && known.stream.tracks().contains(&track.track)
            });
            match (known.presence, heard) {
                (Presence::Connected, false) => {
                    known.presence = Presence::Disconnected;
                    out.media(Event::StreamDisconnected(known.stream.clone()));
                }
                (Presence::NeverHeard | Presence::Disconnected | Presence::Left, true) => {
                    known.presence = Presence::Connected;
                    out.media(Event::StreamConnected(known.stream.clone()));
                }
                (Presence::Connected, true)
                | (Presence::NeverHeard | Presence::Disconnected | Presence::Left, false) => {}
            }
        }
        self.streams
            .retain(|known| !known.stream.tracks().is_empty());
    }

    /// BYE, silence, or the application wants no more of it.
    pub(crate) fn departed(&mut self, slot: u32, out: &mut Output) {
        let Some(track) = self.receivers.get_mut(slot) else {
            return;
        };
        if track.presence != Presence::Connected {
            return;
        }
        track.presence = Presence::Disconnected;
        let gone = track.track.clone();
        out.media(Event::TrackDisconnected(gone.clone()));
        for known in &mut self.streams {
            let others = self.receivers.iter().any(|(_, other)| {
                other.presence == Presence::Connected
                    && known.stream.tracks().contains(&other.track)
            });
            if known.stream.tracks().contains(&gone) && !others {
                known.presence = Presence::Disconnected;
                out.media(Event::StreamDisconnected(known.stream.clone()));
            }
        }
    }

    pub(super) fn receive_due(&mut self, slot: u32, at: Instant, out: &mut Output, now: Instant) {
        let Some(track) = self.receivers.get_mut(slot) else {
            return;
        };
        if !track.armed.fired(at) {
            return;
        }
        if let Some(buffer) = &mut track.buffer {
            buffer.handle_timeout(now);
        }
        track.drain(out, now);
        if let Some(tones) = &mut track.tones {
            tones.receiver.handle_timeout(now);
        }
        track.tones_heard(slot, out);
        track.nack.handle_timeout(now);
        let requested = track.nack.poll_timeout().is_some_and(|due| due <= now);
        if requested && !track.nack_queued {
            track.nack_queued = self.outbox.push_control(Control::Nack { slot });
            if !track.nack_queued {
                out.drops.count(DropReason::FeedbackFull);
                // As if the request had been lost on the way: each number is due again later.
                while track.nack.poll_timeout().is_some_and(|due| due <= now) {
                    track.nack.take(now, self.rtt, &mut self.lost);
                    self.lost.clear();
                }
            }
        }
        let silent = track
            .last_rtp
            .is_some_and(|last| now >= last + self.settings.rtp_timeout);
        if silent {
            self.departed(slot, out);
        }
        self.arm_receive(slot);
    }
}

fn reason(error: PushError) -> DropReason {
    match error {
        PushError::Late | PushError::Duplicate | PushError::Full => DropReason::Late,
        PushError::Malformed(_) | _ => DropReason::MalformedPayload,
    }
}

impl ReceiveTrack {
    /// The packet as it came, in memory of its own; `None` when it is longer than any datagram.
    fn raw(
        &self,
        view: &RtpPacket<'_>,
        packet: &[u8],
        sequence: u64,
        pool: &mut PayloadPool,
        now: Instant,
    ) -> Option<ReceivedRtp> {
        let start = view.header_len();
        let end = u16::try_from(start + view.payload().len()).ok()?;
        Some(ReceivedRtp {
            ssrc: self.ssrc,
            sequence,
            timestamp: view.timestamp(),
            payload_type: view.payload_type(),
            marker: view.marker(),
            arrived: now,
            packet: pool.copy(packet),
            payload: (u16::try_from(start).ok()?, end),
        })
    }

    /// The same SSRC after BYE is another source; whoever forwards it notices by its numbers.
    fn begin_anew(&mut self, out: &mut Output, now: Instant) {
        self.presence = Presence::Disconnected;
        self.flush(out, now);
        let rate = self.payloads.first_clock_rate();
        self.stream = self.stream.successor(self.wire_ssrc, rate);
        self.nack.clear();
        self.current = None;
        self.buffer = None;
        self.tones = None;
    }

    /// The packet with this number brings another codec. What came before it in the former one
    /// comes out, with its gaps.
    fn change_codec(
        &mut self,
        payload_type: u8,
        kind: CodecKind,
        extended: u64,
        (audio_wait, video_wait): (core::time::Duration, core::time::Duration),
        out: &mut Output,
        now: Instant,
    ) {
        let format = match kind {
            CodecKind::Media(format) => Some(format),
            CodecKind::Dtmf | CodecKind::Opaque => None,
        };
        let same = self
            .current
            .is_some_and(|old| self.payloads.meaning(old) == Meaning::Codec(kind));
        let replaced = self.mode.has_frames() && !(same && self.buffer.is_some());
        if replaced {
            if let Some(buffer) = &mut self.buffer {
                buffer.skip(extended, now);
            }
            self.flush(out, now);
        }
        self.current = Some(payload_type);
        if replaced {
            self.buffer = format.map(|format| {
                let wait = match self.track.kind() {
                    MediaKind::Audio => audio_wait,
                    MediaKind::Video => video_wait,
                };
                new_buffer(format, wait)
            });
        }
        if let Some(codec) = self.payloads.codec(payload_type) {
            if let Some(rate) = codec.effective_clock_rate() {
                self.stream.set_clock_rate(rate);
            }
            out.media(Event::ReceiveCodec {
                ssrc: self.ssrc,
                codec: codec.clone(),
            });
        }
    }

    /// Moves what the buffer has finished to the application.
    fn drain(&mut self, out: &mut Output, now: Instant) {
        self.drain_as_of(now, out, now);
    }

    /// Moves all that is whole to the application, without waiting for what is missing: the buffer
    /// is about to be replaced.
    pub(crate) fn flush(&mut self, out: &mut Output, now: Instant) {
        self.drain_as_of(now + MAX_WAIT, out, now);
    }

    fn drain_as_of(&mut self, then: Instant, out: &mut Output, now: Instant) {
        let Some(buffer) = &mut self.buffer else {
            return;
        };
        while let Some(output) = buffer.poll(then) {
            match output {
                jitter::Output::Frame(frame) => {
                    if self.counters.frames == 0 {
                        self.nack.forget_before(frame.first);
                    }
                    self.counters.frames += 1;
                    self.counters.key_frames += u64::from(frame.key_frame);
                    out.media(Event::Frame(ReceivedFrame {
                        ssrc: self.ssrc,
                        payload_type: self.current.unwrap_or_default(),
                        timestamp: frame.timestamp,
                        payload: frame.payload,
                        key_frame: frame.key_frame,
                        after_gap: frame.after_gap,
                        arrived: now,
                    }));
                }
                jitter::Output::Gap { first, packets } => {
                    self.counters.gap_packets += packets;
                    self.nack.forget_before(first + packets);
                    out.media(Event::Gap(ReceivedGap {
                        ssrc: self.ssrc,
                        first,
                        packets,
                    }));
                }
            }
        }
    }

    fn tones_arrived(
        &mut self,
        slot: u32,
        clock_rate: u32,
        view: &RtpPacket<'_>,
        out: &mut Output,
        now: Instant,
    ) {
        if self
            .tones
            .as_ref()
            .is_none_or(|tones| tones.clock_rate != clock_rate)
        {
            self.tones = ReceiveTones::new(clock_rate);
        }
        let Some(tones) = &mut self.tones else { return };
        if tones
            .receiver
            .handle_packet(view.timestamp(), view.payload(), now)
            .is_err()
        {
            out.drops.count(DropReason::MalformedPayload);
        }
        self.tones_heard(slot, out);
    }

    fn tones_heard(&mut self, slot: u32, out: &mut Output) {
        let Some(tones) = &mut self.tones else { return };
        while let Some(event) = tones.receiver.poll_event() {
            if let ortc_dtmf::ReceiverEvent::Tone { tone, .. } = event {
                let handler = RTCDTMFHandler::receiving(slot, self.ssrc);
                out.media(Event::Dtmf {
                    handler,
                    tone: tone.to_char(),
                });
            }
        }
    }
}

fn new_buffer(format: Format, wait: core::time::Duration) -> ReorderBuffer {
    ReorderBuffer::new(
        format,
        jitter::Config {
            max_wait: wait,
            ..jitter::Config::new(format)
        },
    )
}
