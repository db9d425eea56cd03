//! What the peer's RTCP says, routed on the media source that it speaks of: the sender SSRC of
//! feedback is 1, or anything, in the field.

use std::time::Instant;

use ortc_rtp::wire::rtcp::{Packet, ReportBlock, packets};

use crate::api::{Event, RTCTrack};
use crate::stats::DropReason;

use super::{Control, Media, Output, Presence};

impl Media {
    /// Takes one decrypted RTCP datagram: compound, or reduced-size (RFC 5506).
    pub(crate) fn handle_rtcp(&mut self, datagram: &[u8], out: &mut Output, now: Instant) {
        self.reports.schedule.on_rtcp_received(datagram.len());
        for packet in packets(datagram) {
            match packet {
                Ok(packet) => self.handle_packet(packet, out, now),
                Err(_) => out.drops.count(DropReason::MalformedRtcp),
            }
        }
    }

    fn handle_packet(&mut self, packet: Packet<'_>, out: &mut Output, now: Instant) {
        match packet {
            Packet::SenderReport(report) => {
                if let Some(slot) = self.receive_routes.get(report.ssrc())
                    && let Some(track) = self.receivers.get_mut(slot)
                {
                    track.stream.on_sender_report(&report.info(), now);
                }
                report
                    .blocks()
                    .for_each(|block| self.handle_block(&block, now));
            }
            Packet::ReceiverReport(report) => {
                report
                    .blocks()
                    .for_each(|block| self.handle_block(&block, now));
            }
            Packet::Goodbye(bye) => {
                for ssrc in bye.ssrcs() {
                    if let Some(slot) = self.receive_routes.get(ssrc) {
                        self.departed(slot, out);
                        if let Some(track) = self.receivers.get_mut(slot)
                            && track.presence == Presence::Disconnected
                        {
                            track.presence = Presence::Left;
                        }
                    }
                }
            }
            Packet::Nack(nack) => self.handle_nack(nack.media_ssrc(), nack.lost(), out),
            Packet::PictureLoss(pli) => self.key_frame_requested(pli.media_ssrc(), None, out),
            Packet::FullIntraRequest(fir) => {
                for entry in fir.entries() {
                    self.key_frame_requested(entry.ssrc, Some(entry.sequence), out);
                }
            }
            // Names, extended reports and congestion feedback reach the tap; nothing here acts on
            // them.
            Packet::SourceDescription(_)
            | Packet::Application(_)
            | Packet::TransportFeedback(_)
            | Packet::ApplicationLayer(_)
            | Packet::OtherFeedback(_)
            | Packet::ExtendedReport(_)
            | Packet::Unknown(_) => {}
        }
    }

    fn handle_block(&mut self, block: &ReportBlock, now: Instant) {
        let Some(slot) = self.send_routes.get(block.ssrc) else {
            return;
        };
        let Some(track) = self.senders.get_mut(slot) else {
            return;
        };
        track
            .stream
            .on_report_block(block, now, &self.reports.clock);
        Self::reported(track);
        if let Some(rtt) = track.stream.stats().rtt {
            self.rtt = rtt;
        }
    }

    fn handle_nack(&mut self, ssrc: u32, lost: impl Iterator<Item = u16>, out: &mut Output) {
        let Some(slot) = self.send_routes.get(ssrc) else {
            return;
        };
        for sequence in lost {
            if !self.outbox.push_control(Control::Resend {
                slot,
                ssrc,
                sequence,
            }) {
                out.drops.count(DropReason::FeedbackFull);
                return;
            }
        }
    }

    fn key_frame_requested(&mut self, ssrc: u32, fir: Option<u8>, out: &mut Output) {
        let Some(slot) = self.send_routes.get(ssrc) else {
            return;
        };
        let Some(track) = self.senders.get_mut(slot) else {
            return;
        };
        // A FIR is repeated until answered; its number tells a repetition (RFC 5104 §4.3.1.2).
        if fir.is_some() && fir == track.last_fir {
            return;
        }
        track.last_fir = fir.or(track.last_fir);
        track.key_frame_requests += 1;
        out.media(Event::KeyFrameRequested(RTCTrack { slot, ssrc }));
    }
}
