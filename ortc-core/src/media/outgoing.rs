//! The way of one packet out: a frame to segments, then header, payload and protection in the
//! caller's buffer.

use std::time::Instant;

use bytes::Bytes;
use ortc_rtp::payload::{Prefix, Segment};
use ortc_rtp::repair::OSN_LEN;
use ortc_rtp::wire::Header;
use ortc_srtp::{ProtectError, Sender};

use crate::api::{Event, Frame, RTCDTMFHandler, RTCTrack, RtpToSend, SendError, TapDirection};
use crate::stats::DropReason;
use crate::timer::TimerKey;

use super::outbox::{self, Cargo, Control, Numbering, QueuedRtp};
use super::send::Wanted;
use super::sent::{Extensions, SentPacket};
use super::{Media, MediaSettings, Output, SendTrack, Sending};

/// Fixed RTP header (RFC 3550 §5.1).
const HEADER: usize = Header::LEN;

impl Media {
    /// Octets of payload that fit one packet of this track.
    pub(super) fn room(&self, track: &SendTrack) -> usize {
        let repeated = track.rtx.as_ref().map_or(0, |_| OSN_LEN);
        self.settings
            .mtu
            .saturating_sub(HEADER + track.extension.len() + self.srtp_overhead + repeated)
    }

    pub(super) fn sendable(&self, handle: RTCTrack) -> Result<&SendTrack, SendError> {
        let track = self
            .senders
            .get(handle.slot)
            .filter(|track| track.ssrc == handle.ssrc);
        let track = track.ok_or(SendError::UnknownTrack)?;
        match track.sending {
            Sending::Started => Ok(track),
            Sending::Stopped => Err(SendError::NotStarted),
        }
    }

    /// Packetizes a frame and queues its packets, all or none.
    pub(crate) fn send_frame(
        &mut self,
        handle: RTCTrack,
        frame: &Frame,
        now: Instant,
    ) -> Result<(), SendError> {
        let room = self.room(self.sendable(handle)?);
        let Some(track) = self.senders.get_mut(handle.slot) else {
            return Err(SendError::UnknownTrack);
        };
        let packetizer = track
            .active
            .packetizer
            .as_mut()
            .ok_or(SendError::NotPacketizable)?;
        self.segments.clear();
        packetizer.packetize(&frame.payload, room, &mut self.segments)?;
        let octets = self.segments.iter().map(Segment::len).sum();
        if !self.outbox.has_room(self.segments.len(), octets) {
            // An empty queue would not help a frame that is larger than it.
            let never = self.segments.len() > outbox::MAX_PACKETS || octets > outbox::MAX_OCTETS;
            self.segments.clear();
            let size = frame.payload.len();
            return Err(if never {
                SendError::FrameTooLarge { size }
            } else {
                SendError::QueueFull
            });
        }
        let timestamp = track.clock.frame(frame.time, track.active.clock_rate, now);
        let payload_type = track.active.codec.payload_id;
        for (index, mut payload) in self.segments.drain(..).enumerate() {
            // Video formats set the marker themselves; for audio it opens a talk spurt.
            payload.marker |= frame.talk_spurt
                && index == 0
                && track.source.kind() == crate::api::MediaKind::Audio;
            self.outbox.push_media(QueuedRtp {
                slot: handle.slot,
                ssrc: handle.ssrc,
                timestamp,
                payload_type,
                numbering: Numbering::Next { skip: 0 },
                cargo: Cargo::Media,
                payload,
            });
        }
        Ok(())
    }

    /// Queues one packet of a track in raw RTP mode.
    pub(crate) fn send_rtp(
        &mut self,
        handle: RTCTrack,
        packet: RtpToSend,
        now: Instant,
    ) -> Result<(), SendError> {
        let limit = self.room(self.sendable(handle)?);
        let size = packet.payload.len();
        if !is_payload_type(packet.payload_type) {
            return Err(SendError::PayloadType(packet.payload_type));
        }
        if size > limit {
            return Err(SendError::TooLarge { size, limit });
        }
        if !self.outbox.has_room(1, size) {
            return Err(SendError::QueueFull);
        }
        if let Some(track) = self.senders.get_mut(handle.slot) {
            track.clock.note(packet.timestamp, now);
        }
        self.outbox.push_media(QueuedRtp {
            slot: handle.slot,
            ssrc: handle.ssrc,
            timestamp: packet.timestamp,
            payload_type: packet.payload_type,
            numbering: Numbering::Next { skip: packet.skip },
            cargo: Cargo::Media,
            payload: Segment {
                prefix: Prefix::EMPTY,
                body: packet.payload,
                marker: packet.marker,
            },
        });
        Ok(())
    }

    /// Queues the telephone-event packets that are due, and sets the next deadline.
    pub(crate) fn pump_tones(&mut self, slot: u32, out: &mut Output, now: Instant) {
        let Some(track) = self.senders.get_mut(slot) else {
            return;
        };
        let ssrc = track.ssrc;
        let audio_rate = track.active.clock_rate;
        let Some(tones) = &mut track.tones else {
            return;
        };
        let rate = tones.sender.clock_rate();
        while let Some(packet) = tones.sender.poll_packet(now) {
            // The payload type may report on a clock of its own; timestamps stay on the audio's.
            let offset = u64::from(packet.offset) * u64::from(audio_rate) / u64::from(rate.max(1));
            #[expect(
                clippy::cast_possible_truncation,
                reason = "timestamps are modulo 2^32"
            )]
            let timestamp = tones
                .timestamp(packet.started_at, || {
                    track.clock.at(packet.started_at, audio_rate)
                })
                .wrapping_add(offset as u32);
            if track.sending == Sending::Stopped || !self.outbox.has_room(1, 4) {
                continue;
            }
            self.outbox.push_media(QueuedRtp {
                slot,
                ssrc,
                timestamp,
                payload_type: tones.payload_type,
                numbering: Numbering::Next { skip: 0 },
                cargo: Cargo::Tones,
                payload: Segment {
                    prefix: Prefix::new(packet.report.to_bytes()),
                    body: Bytes::new(),
                    marker: packet.marker,
                },
            });
        }
        while let Some(event) = tones.sender.poll_event() {
            if let ortc_dtmf::SenderEvent::ToneStarted(tone) = event {
                let handler = RTCDTMFHandler::sending(slot, ssrc);
                out.events.push(Event::ToneStarted {
                    handler,
                    tone: tone.to_char(),
                });
            }
        }
        let deadline = tones.sender.poll_timeout();
        self.timers
            .arm(TimerKey::Tones(slot), &mut tones.armed, deadline);
    }

    pub(super) fn tones_due(&mut self, slot: u32, at: Instant, out: &mut Output, now: Instant) {
        let tones = self
            .senders
            .get_mut(slot)
            .and_then(|track| track.tones.as_mut());
        if let Some(tones) = tones
            && tones.armed.fired(at)
        {
            tones.sender.handle_timeout(now);
            self.pump_tones(slot, out, now);
        }
    }

    /// Appends the next protected packet, or a run of them; says how long the first is, `None` when
    /// nothing waits. A run is made of packets of one length, of which the last may be shorter.
    pub(crate) fn poll_packets(
        &mut self,
        buf: &mut Vec<u8>,
        srtp: &mut Sender,
        out: &mut Output,
        now: Instant,
    ) -> Option<usize> {
        let start = buf.len();
        if self.write_control(buf, srtp, out, now) {
            return Some(buf.len() - start);
        }
        let mut first = None;
        let mut segments = 0;
        while segments < self.settings.max_segments {
            let Some(next) = self.outbox.peek_media() else {
                break;
            };
            let shape = self.shape(next);
            if first.is_some_and(|run: Run| !run.takes(shape)) {
                break;
            }
            let at = buf.len();
            let Some(packet) = self.outbox.pop_media() else {
                break;
            };
            if !(self.write(packet, buf, out, now) && protect_rtp(buf, at, srtp, out, now)) {
                buf.truncate(at);
                continue;
            }
            segments += 1;
            let run = first.get_or_insert(Run {
                shape,
                len: buf.len() - at,
            });
            if shape.len < run.shape.len || shape.alone {
                break;
            }
        }
        first.map(|run| run.len)
    }

    fn shape(&self, packet: &QueuedRtp) -> Shape {
        let track = self.senders.get(packet.slot);
        let extension = track
            .filter(|track| is_extended(track, packet, &self.settings, self.srtp_overhead))
            .map_or(0, |track| track.extension.len());
        Shape {
            slot: packet.slot,
            cargo: packet.cargo,
            len: extension + packet.payload.len(),
            alone: packet.numbering.lead().is_some(),
        }
    }

    fn write_control(
        &mut self,
        buf: &mut Vec<u8>,
        srtp: &mut Sender,
        out: &mut Output,
        now: Instant,
    ) -> bool {
        let start = buf.len();
        while let Some(control) = self.outbox.control.pop_front() {
            let protected = match control {
                Control::Resend {
                    slot,
                    ssrc,
                    sequence,
                } => {
                    self.write_again(slot, ssrc, sequence, buf, now)
                        && protect_rtp(buf, start, srtp, out, now)
                }
                Control::Report
                | Control::Bye { .. }
                | Control::Nack { .. }
                | Control::Pli { .. }
                | Control::Fir { .. } => {
                    self.write_rtcp(control, buf, now) && protect_rtcp(buf, start, srtp, out, now)
                }
            };
            if let Control::Bye { ssrc } = control {
                // The track is gone; SRTP keeps only how far its numbers went.
                srtp.remove_source(ssrc);
            }
            if protected {
                self.reports.on_sent(control, buf.len() - start);
                return true;
            }
            buf.truncate(start);
        }
        false
    }

    /// Gives a packet its sequence number and writes it.
    fn write(
        &mut self,
        packet: QueuedRtp,
        buf: &mut Vec<u8>,
        out: &mut Output,
        now: Instant,
    ) -> bool {
        let Some(track) = self.senders.get_mut(packet.slot) else {
            return false;
        };
        if track.ssrc != packet.ssrc || track.sending == Sending::Stopped {
            return false;
        }
        let (number, late) = match packet.numbering {
            Numbering::Next { skip } => {
                track.stream.skip(skip);
                (Some(track.stream.next_sequence()), false)
            }
            Numbering::OfSource(place) => {
                let stream = &mut track.stream;
                let forwarder = track.forwarder.as_mut();
                let number = forwarder.and_then(|forwarder| forwarder.number(place, stream));
                (number, place.skip.is_none())
            }
        };
        let Some(sequence) = number else {
            out.drops.count(DropReason::Late);
            return false;
        };
        let identified = is_extended(track, &packet, &self.settings, self.srtp_overhead);
        let header = Header {
            marker: packet.payload.marker,
            payload_type: packet.payload_type,
            sequence,
            timestamp: packet.timestamp,
            ssrc: track.ssrc,
        };
        let sent = SentPacket {
            header,
            edition: identified.then_some(track.extension.edition),
            lead: packet.numbering.lead(),
            payload: packet.payload,
        };
        let extensions = Extensions {
            own: identified.then_some(&track.extension.elements),
            forwarder: track.forwarder.as_deref(),
            scratch: &mut self.elements,
        };
        if !sent.write(extensions, buf) {
            // The number stays free: nothing was sent with it.
            out.drops.count(DropReason::Late);
            return false;
        }
        let octets = sent.len();
        self.reports
            .media_sent(packet.slot, &mut track.in_report, &mut self.timers, now);
        if late {
            track.stream.on_sent_late(octets);
            track.history.insert_late(sequence, sent, now);
        } else {
            track.stream.on_sent(packet.timestamp, octets, now);
            track.history.insert(sequence, sent, now);
        }
        true
    }

    /// Writes a packet of the history again: on the repairing source if there is one, else to the
    /// octet.
    fn write_again(
        &mut self,
        slot: u32,
        ssrc: u32,
        sequence: u16,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> bool {
        let Some(track) = self
            .senders
            .get_mut(slot)
            .filter(|track| track.ssrc == ssrc)
        else {
            return false;
        };
        let Some(sent) = track.history.get(sequence, now, self.rtt) else {
            return false;
        };
        if let Some(rtx) = &mut track.rtx
            && let Some(payload_type) = rtx.payload_id(sent.header.payload_type)
        {
            let header = Header {
                payload_type,
                sequence: rtx.stream.next_sequence(),
                ssrc: rtx.ssrc,
                ..sent.header
            };
            let extensions = Extensions {
                own: None,
                forwarder: track.forwarder.as_deref(),
                scratch: &mut self.elements,
            };
            sent.write_rtx(&header, extensions, buf);
            rtx.stream
                .on_sent(header.timestamp, sent.len() + OSN_LEN, now);
            return true;
        }
        let own = match sent.edition {
            None => None,
            Some(edition) if edition == track.extension.edition => Some(&track.extension.elements),
            // The application changed the extension since: other octets must not have this number.
            Some(_) => return false,
        };
        let extensions = Extensions {
            own,
            forwarder: track.forwarder.as_deref(),
            scratch: &mut self.elements,
        };
        if !sent.write(extensions, buf) {
            return false;
        }
        track.stream.on_resent(sent.len());
        true
    }

    /// A report about one of our streams came: the peer knows it, so identification can end.
    pub(super) fn reported(track: &mut SendTrack) {
        track.extension.wanted = Wanted::NoLonger;
    }
}

/// Whether a packet carries the extension. The application may have set a longer one since the
/// payload was cut to size: the path MTU comes first, the next packets make room for it.
fn is_extended(
    track: &SendTrack,
    packet: &QueuedRtp,
    settings: &MediaSettings,
    overhead: usize,
) -> bool {
    let size = HEADER + track.extension.len() + packet.payload.len() + overhead;
    packet.cargo == Cargo::Media && track.extension.is_sent() && size <= settings.mtu
}

/// What decides how long a packet becomes: `len` counts what stands between header and tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    slot: u32,
    cargo: Cargo,
    len: usize,
    /// It has a header extension of its own, and so a length that nobody knows yet.
    alone: bool,
}

/// A run of packets that leave in one segmented send.
#[derive(Clone, Copy, Debug)]
struct Run {
    shape: Shape,
    /// Octets of its first packet as it leaves.
    len: usize,
}

impl Run {
    /// Whether a packet continues the run: as long as the first, or shorter and then its last.
    fn takes(&self, next: Shape) -> bool {
        (next.slot, next.cargo) == (self.shape.slot, self.shape.cargo)
            && next.len <= self.shape.len
            && !next.alone
    }
}

/// Payload types that RTCP multiplexing leaves to RTP (RFC 5761 §4).
pub(crate) fn is_payload_type(payload_type: u8) -> bool {
    matches!(payload_type, 0..=63 | 96..=127)
}

fn protect_rtp(
    buf: &mut Vec<u8>,
    start: usize,
    srtp: &mut Sender,
    out: &mut Output,
    now: Instant,
) -> bool {
    tap_sent(buf, start, out, now);
    counted(srtp.protect_rtp(buf, start), out)
}

fn protect_rtcp(
    buf: &mut Vec<u8>,
    start: usize,
    srtp: &mut Sender,
    out: &mut Output,
    now: Instant,
) -> bool {
    tap_sent(buf, start, out, now);
    counted(srtp.protect_rtcp(buf, start), out)
}

fn tap_sent(buf: &[u8], start: usize, out: &mut Output, now: Instant) {
    if out.tap.is_some() {
        out.tap(
            TapDirection::Sent,
            buf.get(start..).unwrap_or_default(),
            now,
        );
    }
}

fn counted(protected: Result<(), ProtectError>, out: &mut Output) -> bool {
    if protected.is_err() {
        out.drops.count(DropReason::KeyExhausted);
    }
    protected.is_ok()
}
