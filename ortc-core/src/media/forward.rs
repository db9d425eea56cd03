//! A sending track that repeats the packets of a source: their payload types and header extensions
//! mapped, their numbers and timestamps continuous with what the track sent before.
//!
//! A packet is mapped when it is handed in, and numbered when it leaves, so that tones and other
//! packets of the track can stand between. Gaps of the source stay gaps; the numbers left out are
//! remembered for packets that come late.

use std::collections::VecDeque;
use std::time::Instant;

use ortc_rtp::stream::SendStream;
use ortc_rtp::wire::{Elements, Extension, ExtensionElements, RtpPacket};

use crate::api::{Forwarded, RTCCodec, RTCTrack, RTCTrackDescription, ReceivedRtp, SendError};

use super::Media;
use super::extensions::{ExtensionIds, MID, REPAIRED_RID, RID};
use super::outbox::{Cargo, Numbering, QueuedRtp, SourcePlace};

/// Numbers left out that wait for their packets.
const MAX_MISSING: usize = 512;

/// How far back a number may be used for the first time: what SRTP remembers of a source, less
/// what may be sent in between (RFC 3711 §3.3.2).
const MAX_LATE: u16 = 900;

/// A source whose numbers jump further is taken up anew: a receiver could not follow either
/// (RFC 3550 §A.1 gives MAX_DROPOUT = 3000).
const MAX_JUMP: u64 = 3_000;

/// Changes of the source whose tables are remembered, for packets sent again.
const MAX_TABLES: usize = 4;

/// Header extensions that are between one sender and one receiver, or say which track it is.
const OF_ONE_HOP: [&str; 6] = [
    MID,
    RID,
    REPAIRED_RID,
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "urn:ietf:params:rtp-hdrext:toffset",
];

/// What a sending track repeats.
#[derive(Debug)]
pub(crate) struct Forwarder {
    /// SSRC of the source, by its description.
    source: u32,
    codecs: Vec<MappedCodec>,
    /// Payload type of the source to place in the list; [`NOT_MAPPED`] for the rest.
    places: [u8; 128],
    /// Counts changes of the source by the application.
    switches: u16,
    /// Counts beginnings: changes, and jumps of the source's numbers.
    epoch: u16,
    /// Where the source stands: its highest number, and what is added to its timestamps.
    position: Option<Position>,
    /// Epoch of the last packet that left.
    left: u16,
    /// Numbers of the source that have not come, with those kept for them, in order.
    missing: VecDeque<(u64, u16)>,
    /// The latest changes with ids of the source to ids of the track; 0 drops the element.
    tables: VecDeque<(u16, [u8; 16])>,
}

const NOT_MAPPED: u8 = u8::MAX;

#[derive(Clone, Copy, Debug)]
struct MappedCodec {
    payload_type: u8,
    /// `None` for tones, which run on the clock of their audio.
    clock_rate: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Position {
    highest: u64,
    offset: u32,
}

impl Forwarder {
    pub(crate) fn new() -> Self {
        Self {
            source: 0,
            codecs: Vec::new(),
            places: [NOT_MAPPED; 128],
            switches: 0,
            epoch: 0,
            position: None,
            left: 0,
            missing: VecDeque::new(),
            tables: VecDeque::new(),
        }
    }

    /// Takes another source; says no, and changes nothing, when the track has none of its codecs.
    pub(crate) fn switch(
        &mut self,
        ssrc: u32,
        source: &RTCTrackDescription,
        codecs: &[RTCCodec],
        ids: &ExtensionIds,
    ) -> bool {
        let mut mapped = Vec::new();
        let mut places = [NOT_MAPPED; 128];
        for codec in &source.codecs {
            let Some(ours) = counterpart(codec, codecs) else {
                continue;
            };
            let place = u8::try_from(mapped.len()).unwrap_or(NOT_MAPPED);
            if let Some(entry) = places.get_mut(usize::from(codec.payload_id)) {
                *entry = place;
            }
            mapped.push(MappedCodec {
                payload_type: ours.payload_id,
                clock_rate: codec.effective_clock_rate().filter(|_| !codec.is_dtmf()),
            });
        }
        if mapped.iter().all(|codec| codec.clock_rate.is_none()) {
            return false;
        }
        self.source = ssrc;
        self.codecs = mapped;
        self.places = places;
        self.switches = self.switches.wrapping_add(1);
        self.begin_anew();
        let mut table = [0; 16];
        let theirs = source.rtp_ext_header_ids.iter().flatten();
        for (uri, id) in theirs.filter(|(uri, _)| !OF_ONE_HOP.contains(&uri.as_str())) {
            if let (Some(entry), Some(ours)) = (table.get_mut(usize::from(*id)), ids.id(uri)) {
                *entry = ours;
            }
        }
        if self.tables.len() == MAX_TABLES {
            self.tables.pop_front();
        }
        self.tables.push_back((self.switches, table));
        true
    }

    fn begin_anew(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.position = None;
    }

    fn mapped(&self, payload_type: u8) -> Option<MappedCodec> {
        let place = self.places.get(usize::from(payload_type))?;
        self.codecs.get(usize::from(*place)).copied()
    }

    fn table(&self, source: u16) -> Option<&[u8; 16]> {
        let mut known = self.tables.iter().rev();
        known
            .find(|(switch, _)| *switch == source)
            .map(|(_, table)| table)
    }

    /// The number that a packet leaves with; `None` for one that comes too late.
    pub(super) fn number(&mut self, place: SourcePlace, stream: &mut SendStream) -> Option<u16> {
        if self.left != place.epoch {
            self.left = place.epoch;
            self.missing.clear();
        }
        let Some(skip) = place.skip else {
            let missing = |(source, _): &(u64, u16)| *source;
            let at = self.missing.binary_search_by_key(&place.sequence, missing);
            let (_, number) = at.ok().and_then(|at| self.missing.remove(at))?;
            let age = stream.upcoming_sequence().wrapping_sub(number);
            return (age <= MAX_LATE).then_some(number);
        };
        let skipped = stream.skip(skip);
        let number = stream.next_sequence();
        let stale = |(_, left): &(u64, u16)| number.wrapping_sub(*left) > MAX_LATE;
        while self.missing.front().is_some_and(stale) {
            self.missing.pop_front();
        }
        for back in (1..=skipped).rev() {
            if self.missing.len() == MAX_MISSING {
                self.missing.pop_front();
            }
            let source = place.sequence.wrapping_sub(u64::from(back));
            self.missing.push_back((source, number.wrapping_sub(back)));
        }
        Some(number)
    }

    /// Puts a header extension together: what identifies the track, if that is sent, and the
    /// elements of the source under the ids of the track. Says no when it is not known any more
    /// what these were.
    pub(super) fn extend(
        &self,
        own: Option<&ExtensionElements>,
        (block, source): (&[u8], u16),
        into: &mut ExtensionElements,
    ) -> bool {
        let Some(table) = self.table(source) else {
            return false;
        };
        into.clear();
        let own = own.into_iter().flat_map(ExtensionElements::elements);
        let theirs = elements(block).filter_map(|(id, data)| {
            let ours = table.get(usize::from(id)).copied();
            Some((ours.filter(|ours| *ours != 0)?, data))
        });
        for (id, data) in own.chain(theirs) {
            // None can be too long: each stood in a packet, or was checked.
            let _ = into.push(id, data);
        }
        true
    }
}

/// The codec of a list that is the same as this one, preferably with the same parameters: one name
/// can be there with several profiles.
fn counterpart<'a>(codec: &RTCCodec, codecs: &'a [RTCCodec]) -> Option<&'a RTCCodec> {
    let same = || codecs.iter().filter(|ours| ours.is_same_codec(codec));
    let profile = |codec: &RTCCodec| {
        let level = codec.param("profile-level-id")?;
        // profile_idc and constraints (RFC 6184 §8.1); the level may differ.
        Some(level.get(..4)?.to_ascii_lowercase())
    };
    same()
        .find(|ours| ours.params == codec.params)
        .or_else(|| same().find(|ours| profile(ours) == profile(codec)))
        .or_else(|| same().next())
}

/// The elements of an extension block as it stood in a packet.
fn elements(block: &[u8]) -> Elements<'_> {
    let (profile, data) = match block {
        [p0, p1, _, _, data @ ..] => (u16::from_be_bytes([*p0, *p1]), data),
        _ => (0, block),
    };
    Extension { profile, data }.elements()
}

impl Media {
    /// Maps a packet and queues it.
    pub(crate) fn forward(
        &mut self,
        handle: RTCTrack,
        packet: &ReceivedRtp,
        now: Instant,
    ) -> Result<Forwarded, SendError> {
        let limit = self.room(self.sendable(handle)?);
        let Some(track) = self.senders.get_mut(handle.slot) else {
            return Err(SendError::UnknownTrack);
        };
        let forwarder = track.forwarder.as_deref_mut();
        let forwarder = forwarder.filter(|forwarder| forwarder.source == packet.ssrc);
        let Some(forwarder) = forwarder else {
            return Err(SendError::OtherSource { ssrc: packet.ssrc });
        };
        let Ok(view) = RtpPacket::parse(&packet.packet) else {
            return Ok(Forwarded::Withheld);
        };
        let far = |position: &Position| position.highest.abs_diff(packet.sequence) > MAX_JUMP;
        if forwarder.position.as_ref().is_some_and(far) {
            forwarder.begin_anew();
        }
        let mapped = forwarder.mapped(view.payload_type());
        let Some(mapped) = mapped.filter(|_| !view.payload().is_empty()) else {
            // Its number is not missing: nobody is to ask for it again.
            if let Some(position) = &mut forwarder.position
                && position.highest + 1 == packet.sequence
            {
                position.highest += 1;
            }
            return Ok(Forwarded::Withheld);
        };
        let table = forwarder.table(forwarder.switches);
        let carries = |(id, _): (u8, _)| {
            let ours = table.and_then(|table| table.get(usize::from(id)));
            ours.is_some_and(|ours| *ours != 0)
        };
        let lead = match view.extension() {
            Some(extension) if view.extensions().any(carries) => extension.data.len() + 4,
            Some(_) | None => 0,
        };
        let end = view.header_len() + view.payload().len();
        let body = packet.packet.slice(view.header_len() - lead..end);
        let size = body.len();
        let (Ok(lead), false) = (u16::try_from(lead), size > limit) else {
            return Err(SendError::TooLarge { size, limit });
        };
        if !self.outbox.has_room(1, size) {
            return Err(SendError::QueueFull);
        }
        let old_rate = track.stream.clock_rate();
        let rate = mapped.clock_rate.unwrap_or(old_rate);
        if rate != old_rate {
            track.clock.change_rate(old_rate, now);
            track.stream.set_clock_rate(rate);
        }
        let (offset, skip) = match &mut forwarder.position {
            Some(position) if packet.sequence > position.highest => {
                let skip = packet.sequence - position.highest - 1;
                position.highest = packet.sequence;
                (position.offset, u16::try_from(skip).ok())
            }
            Some(position) => (position.offset, None),
            None => {
                // Later than all before it, however soon after them it comes.
                let shown = track.clock.at(now, rate).wrapping_add(1);
                let offset = shown.wrapping_sub(view.timestamp());
                let highest = packet.sequence;
                forwarder.position = Some(Position { highest, offset });
                (offset, Some(0))
            }
        };
        let timestamp = view.timestamp().wrapping_add(offset);
        if skip.is_some() {
            track.clock.note_newer(timestamp, now);
        }
        self.outbox.push_media(QueuedRtp {
            slot: handle.slot,
            ssrc: handle.ssrc,
            timestamp,
            payload_type: mapped.payload_type,
            numbering: Numbering::OfSource(SourcePlace {
                sequence: packet.sequence,
                skip,
                epoch: forwarder.epoch,
                source: forwarder.switches,
                lead,
            }),
            cargo: Cargo::Media,
            payload: ortc_rtp::payload::Segment {
                prefix: ortc_rtp::payload::Prefix::EMPTY,
                body,
                marker: view.marker(),
            },
        });
        Ok(Forwarded::Queued)
    }
}
