use core::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

use super::annex_b::units;
use super::{END, F, FU_A, LAST_SINGLE, NRI, PacketizationMode, STAP_A, START, TYPE, unit_type};
use crate::payload::packetize::equal_pieces;
use crate::payload::{PacketizeError, Prefix, Segment};

/// Octets of the FU indicator and the FU header (RFC 6184 §5.8).
const FU_HEADER: usize = 2;

/// Octets of a STAP-A header, and of the size before each NAL unit in it (§5.7.1).
const STAP_HEADER: usize = 1;
const STAP_SIZE: usize = 2;

/// Turns access units into payloads; keeps its lists and buffers from frame to frame.
#[derive(Debug, Default)]
pub(in crate::payload) struct Sender {
    units: Vec<Range<usize>>,
    aggregate: BytesMut,
}

impl Sender {
    /// Consecutive NAL units share an aggregate as long as they fit; larger ones are fragmented.
    pub(in crate::payload) fn packetize(
        &mut self,
        frame: &Bytes,
        mode: PacketizationMode,
        max_payload: usize,
        out: &mut impl Extend<Segment>,
    ) -> Result<usize, PacketizeError> {
        self.check(frame, mode, max_payload)?;

        let mut count = 0;
        let mut from = 0;
        while let Some(unit) = self.units.get(from) {
            let run = match mode {
                PacketizationMode::SingleNal => 1,
                PacketizationMode::NonInterleaved => fitting(&self.units, from, max_payload),
            };
            let last = from + run.max(1) >= self.units.len();
            let body = frame.slice(unit.clone());
            if run > 1 {
                let body = self.aggregate(frame, from..from + run);
                out.extend(Some(whole(body, last)));
                count += 1;
            } else if body.len() <= max_payload {
                out.extend(Some(whole(body, last)));
                count += 1;
            } else {
                count += fragment(&body, max_payload, last, out);
            }
            from += run.max(1);
        }
        Ok(count)
    }

    /// Finds the NAL units and refuses what cannot be sent, before anything is put out.
    fn check(
        &mut self,
        frame: &Bytes,
        mode: PacketizationMode,
        max_payload: usize,
    ) -> Result<(), PacketizeError> {
        self.units.clear();
        let Some(first) = frame.iter().position(|&octet| octet != 0) else {
            return Err(PacketizeError::Empty);
        };
        // Zeros, at least two, and a one: the first start code, and nothing before it.
        if first < 2 || frame.get(first) != Some(&1) {
            return Err(PacketizeError::NotAnnexB);
        }
        self.units.extend(units(frame));
        if self.units.is_empty() {
            return Err(PacketizeError::Empty);
        }
        for unit in &self.units {
            let header = frame.get(unit.start).copied().unwrap_or_default();
            if !(1..=LAST_SINGLE).contains(&unit_type(header)) {
                return Err(PacketizeError::UnitType(unit_type(header)));
            }
        }
        let largest = self.units.iter().map(ExactSizeIterator::len).max();
        let len = largest.unwrap_or_default();
        if len <= max_payload {
            return Ok(());
        }
        match mode {
            PacketizationMode::SingleNal => Err(PacketizeError::TooLarge {
                len,
                max: max_payload,
            }),
            PacketizationMode::NonInterleaved if max_payload <= FU_HEADER => {
                Err(PacketizeError::PayloadSize {
                    max: max_payload,
                    need: FU_HEADER + 1,
                })
            }
            PacketizationMode::NonInterleaved => Ok(()),
        }
    }

    /// STAP-A (§5.7.1): F is set if any NAL unit has it, NRI is the highest among them.
    fn aggregate(&mut self, frame: &Bytes, run: Range<usize>) -> Bytes {
        let units = self.units.get(run).unwrap_or_default();
        let len = units
            .iter()
            .fold(STAP_HEADER, |len, unit| len + STAP_SIZE + unit.len());
        if !self.aggregate.try_reclaim(len) {
            self.aggregate = BytesMut::with_capacity(len.next_power_of_two().max(4_096));
        }
        let mut forbidden = 0;
        let mut importance = 0;
        for unit in units {
            let header = frame.get(unit.start).copied().unwrap_or_default();
            forbidden |= header & F;
            importance = importance.max(header & NRI);
        }
        self.aggregate.put_u8(forbidden | importance | STAP_A);
        for unit in units {
            let unit = frame.get(unit.clone()).unwrap_or_default();
            let size = u16::try_from(unit.len()).unwrap_or_default(); // `fitting` keeps it below
            self.aggregate.put_u16(size);
            self.aggregate.put_slice(unit);
        }
        self.aggregate.split().freeze()
    }
}

/// How many NAL units from `from` on fit one aggregate; 0 or 1 means that there is none.
fn fitting(units: &[Range<usize>], from: usize, max_payload: usize) -> usize {
    let mut len = STAP_HEADER;
    units
        .iter()
        .skip(from)
        .take_while(|unit| {
            len += STAP_SIZE + unit.len();
            len <= max_payload && unit.len() <= usize::from(u16::MAX)
        })
        .count()
}

const fn whole(body: Bytes, marker: bool) -> Segment {
    Segment {
        prefix: Prefix::EMPTY,
        body,
        marker,
    }
}

/// FU-A (§5.8): the NAL unit's own header is not in the fragments but told by theirs.
fn fragment(unit: &Bytes, max_payload: usize, last: bool, out: &mut impl Extend<Segment>) -> usize {
    let header = unit.first().copied().unwrap_or_default();
    let pieces = equal_pieces(unit.slice(1..), max_payload - FU_HEADER);
    let count = pieces.len();
    out.extend(pieces.enumerate().map(|(index, body)| {
        let mut position = header & TYPE;
        if index == 0 {
            position |= START;
        }
        if index + 1 == count {
            position |= END;
        }
        Segment {
            prefix: Prefix::new([header & (F | NRI) | FU_A, position]),
            body,
            marker: last && index + 1 == count,
        }
    }));
    count
}
