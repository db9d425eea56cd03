//! Retransmission on a source of its own (RFC 4588): which payload type repairs which, and the way of
//! a repaired packet in.

use std::collections::BTreeMap;
use std::time::Instant;

use ortc_rtp::repair::restore_rtx;
use ortc_rtp::stream::SendStream;
use ortc_rtp::wire::RtpPacket;

use crate::api::RTCRtxDescription;
use crate::stats::DropReason;

use super::incoming::Way;
use super::{Media, Output, Presence};

/// Clock of a repairing stream: that of what it repairs, and nothing reports on it.
const UNREPORTED_CLOCK: u32 = 90_000;

/// The repairing stream of a sending track.
#[derive(Debug)]
pub(crate) struct SendRtx {
    pub(crate) ssrc: u32,
    pub(crate) stream: SendStream,
    /// Payload type of the media to that of its retransmission.
    payload_ids: BTreeMap<u8, u8>,
}

impl SendRtx {
    pub(crate) fn new(ssrc: u32, initial_sequence: u16, payload_ids: BTreeMap<u8, u8>) -> Self {
        Self {
            ssrc,
            stream: SendStream::new(ssrc, initial_sequence, 0, UNREPORTED_CLOCK),
            payload_ids,
        }
    }

    pub(crate) fn set_payload_ids(&mut self, payload_ids: BTreeMap<u8, u8>) {
        self.payload_ids = payload_ids;
    }

    /// The payload type that repeats packets of this one; `None` when they repeat as they were.
    pub(crate) fn payload_id(&self, media: u8) -> Option<u8> {
        self.payload_ids.get(&media).copied()
    }

    pub(crate) fn description(&self) -> RTCRtxDescription {
        RTCRtxDescription {
            ssrc: self.ssrc.to_string(),
            payload_ids: self.payload_ids.clone(),
        }
    }
}

/// The repairing stream of a receiving track.
#[derive(Debug)]
pub(crate) struct ReceiveRtx {
    pub(crate) ssrc: u32,
    /// Payload type of a retransmission to that of the media.
    media: BTreeMap<u8, u8>,
}

impl ReceiveRtx {
    pub(crate) fn new(ssrc: u32, payload_ids: &BTreeMap<u8, u8>) -> Self {
        Self {
            ssrc,
            media: payload_ids
                .iter()
                .map(|(&media, &rtx)| (rtx, media))
                .collect(),
        }
    }
}

impl Media {
    /// A packet of a repairing stream: what it repeats takes its place in the track.
    pub(super) fn repaired(
        &mut self,
        slot: u32,
        view: &RtpPacket<'_>,
        packet: &[u8],
        out: &mut Output,
        now: Instant,
    ) {
        let Some(track) = self.receivers.get_mut(slot) else {
            return;
        };
        if track.presence == Presence::Left {
            // What was asked for before the goodbye repairs nothing that is still there.
            return out.drops.count(DropReason::Late);
        }
        let media = track
            .rtx
            .as_ref()
            .and_then(|rtx| rtx.media.get(&view.payload_type()));
        let Some(&media) = media else {
            return out.drops.count(DropReason::UnknownPayloadType);
        };
        let mut restored = core::mem::take(&mut self.restored);
        if restore_rtx(view, packet, track.wire_ssrc, media, &mut restored) {
            track.counters.repaired += 1;
            if let Ok(view) = RtpPacket::parse(&restored) {
                self.receive(slot, &view, &restored, Way::Repaired, out, now);
            }
        } else {
            // Padding that probes for bandwidth (RFC 4588 has no name for it, senders do it).
            track.counters.probes += 1;
        }
        self.restored = restored;
    }

    /// Whether packets of this type can only be retransmissions: those of a source that nobody
    /// described probe for bandwidth, and are no track.
    pub(super) fn only_repairs(&self, payload_type: u8) -> bool {
        let mut repairs = false;
        for (_, track) in self.receivers.iter() {
            if track.payloads.codec(payload_type).is_some() {
                return false;
            }
            let rtx = track.rtx.as_ref();
            repairs |= rtx.is_some_and(|rtx| rtx.media.contains_key(&payload_type));
        }
        repairs
    }
}
