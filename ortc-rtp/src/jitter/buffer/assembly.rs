//! One frame from its first packet to its last: begun, added to, finished or dropped.

use bytes::Buf;

use super::{Begun, Building, Continuity, Phase, ReorderBuffer, Seen};
use crate::jitter::window::{Slot, Stored};
use crate::jitter::{Frame, Output};
use crate::payload::{FrameStart, MediaKind, Part};

impl ReorderBuffer {
    /// Directly after a gap: is this packet the first of a frame? A video frame that had a packet
    /// before the gap is not whole.
    pub(super) fn can_begin(&self, seen: &Seen) -> bool {
        let start = seen.part.map_or(FrameStart::No, |part| part.start());
        match self.format().kind() {
            MediaKind::Audio => start == FrameStart::Certain,
            MediaKind::Video => start != FrameStart::No && self.timestamp != Some(seen.timestamp),
        }
    }

    pub(super) fn begin(&mut self, seen: Seen, begun: Begun) {
        self.depacketizer.reset();
        let frame = Building {
            timestamp: seen.timestamp,
            last: self.scan,
            begun,
        };
        self.phase = Phase::Building(frame);
        self.add(seen, frame);
    }

    pub(super) fn add(&mut self, seen: Seen, frame: Building) {
        let added = seen
            .part
            .is_some_and(|part| self.depacketizer.add(&part).is_ok());
        if !added {
            self.discard_frame();
            self.discard(seen);
            return;
        }
        let frame = Building {
            last: self.scan,
            ..frame
        };
        self.timestamp = Some(seen.timestamp);
        self.phase = Phase::Building(frame);
        self.step();
        if seen.marker || self.format().kind() == MediaKind::Audio {
            self.finish(frame);
        }
    }

    /// The frame ends before `scan`.
    pub(super) fn finish(&mut self, frame: Building) {
        let whole = self
            .depacketizer
            .finish()
            .ok()
            .filter(|whole| frame.begun == Begun::AtBoundary || whole.complete_after_loss);
        self.phase = Phase::Boundary;
        let Some(whole) = whole else {
            self.discard_frame();
            return;
        };
        let payload = match self.single_packet() {
            Some((mut payload, prefix)) => {
                payload.advance(prefix.min(payload.len()));
                payload
            }
            None => {
                let (window, numbers) = (&mut self.window, self.head..self.scan);
                self.pool.frame(whole.len, |out| {
                    for number in numbers {
                        if let Slot::Packet(Stored {
                            part: Ok(part),
                            payload,
                            ..
                        }) = window.take(number)
                        {
                            part.append_to(&payload, out);
                        }
                    }
                })
            }
        };
        self.ready.push_back(Output::Frame(Frame {
            timestamp: frame.timestamp,
            payload,
            key_frame: whole.key_frame,
            first: self.head,
            last: frame.last,
            after_gap: self.continuity == Continuity::Broken,
        }));
        self.stats.frames += 1;
        self.continuity = Continuity::Unbroken;
        self.head = self.scan;
    }

    /// The payload of a frame of one packet that needs no assembly, and what to drop before it.
    fn single_packet(&mut self) -> Option<(bytes::Bytes, usize)> {
        if self.scan - self.head != 1 {
            return None;
        }
        let Slot::Packet(Stored { part: Ok(part), .. }) = self.window.get(self.head) else {
            return None;
        };
        let prefix = Part::prefix_len(part)?;
        match self.window.take(self.head) {
            Slot::Packet(stored) => Some((stored.payload, prefix)),
            Slot::Empty | Slot::Skipped(_) => None,
        }
    }

    /// Drops what has been collected of a frame.
    pub(super) fn discard_frame(&mut self) {
        for number in self.head..self.scan {
            if let Slot::Packet(_) = self.window.take(number) {
                self.stats.dropped += 1;
            }
        }
        if self.head < self.scan {
            self.continuity = Continuity::Broken;
        }
        self.head = self.scan;
        self.depacketizer.reset();
    }

    /// Drops the packet at `scan`, and with it all that has its timestamp, even behind a marker:
    /// a sender that relays what it received can number the halves of a frame the wrong way round.
    pub(super) fn discard(&mut self, seen: Seen) {
        self.window.take(self.scan);
        self.step();
        self.head = self.scan;
        self.stats.dropped += 1;
        self.continuity = Continuity::Broken;
        self.timestamp = Some(seen.timestamp);
        self.phase = match self.format().kind() {
            MediaKind::Audio => Phase::Boundary,
            MediaKind::Video => Phase::Discarding {
                timestamp: seen.timestamp,
            },
        };
    }
}
