use bytes::{BufMut, BytesMut};

use super::{
    AUD, END, F, FU_A, IDR, LAST_SINGLE, NON_IDR, NRI, PARTITION_A, PPS, PREFIX_UNIT, RESERVED_18,
    SEI, SPS, STAP_A, START, START_CODE, TYPE, unit_type,
};
use crate::payload::depacketize::{Content, FrameStart, Layout, Part};
use crate::payload::{ParseError, vp8::PictureId};

const NO_PICTURE_ID: Option<PictureId> = None;

pub(in crate::payload) fn parse(payload: &[u8]) -> Result<Part, ParseError> {
    let Some((&header, rest)) = payload.split_first() else {
        return Err(ParseError::Truncated {
            what: "NAL unit",
            need: 1,
            have: 0,
        });
    };
    match unit_type(header) {
        1..=LAST_SINGLE => Ok(Part {
            start: start(header, rest),
            layout: Layout::Unit,
            len: START_CODE.len() + payload.len(),
            content: content(header),
            picture_id: NO_PICTURE_ID,
        }),
        STAP_A => aggregate(rest),
        FU_A => fragment(header, rest),
        other => Err(ParseError::UnitType(other)),
    }
}

/// STAP-A (§5.7.1): every NAL unit has its size before it, and is a single one.
fn aggregate(mut rest: &[u8]) -> Result<Part, ParseError> {
    let mut part: Option<Part> = None;
    // Each round takes at least three octets.
    while !rest.is_empty() {
        let (unit, tail) = next_unit(rest)?;
        rest = tail;
        let Some((&header, data)) = unit.split_first() else {
            return Err(ParseError::Truncated {
                what: "aggregated NAL unit",
                need: 1,
                have: 0,
            });
        };
        if !(1..=LAST_SINGLE).contains(&unit_type(header)) {
            return Err(ParseError::UnitType(unit_type(header)));
        }
        let added = START_CODE.len() + unit.len();
        let found = content(header);
        part = Some(match part {
            None => Part {
                start: start(header, data),
                layout: Layout::Aggregate,
                len: added,
                content: found,
                picture_id: NO_PICTURE_ID,
            },
            Some(part) => Part {
                len: part.len + added,
                content: Content {
                    key: part.content.key || found.key,
                    idr: part.content.idr || found.idr,
                },
                ..part
            },
        });
    }
    part.ok_or(ParseError::Truncated {
        what: "aggregate",
        need: 3,
        have: 0,
    })
}

/// The next NAL unit of an aggregate, and what follows it.
fn next_unit(rest: &[u8]) -> Result<(&[u8], &[u8]), ParseError> {
    let Some((size, rest)) = rest.split_first_chunk() else {
        return Err(ParseError::Truncated {
            what: "NAL unit size",
            need: 2,
            have: rest.len(),
        });
    };
    let size = usize::from(u16::from_be_bytes(*size));
    rest.split_at_checked(size).ok_or(ParseError::Truncated {
        what: "aggregated NAL unit",
        need: size,
        have: rest.len(),
    })
}

/// FU-A (§5.8): the reserved bit is ignored and a fragment may be empty.
fn fragment(indicator: u8, rest: &[u8]) -> Result<Part, ParseError> {
    let Some((&position, data)) = rest.split_first() else {
        return Err(ParseError::Truncated {
            what: "FU header",
            need: 2,
            have: 1,
        });
    };
    if !(1..=LAST_SINGLE).contains(&unit_type(position)) {
        return Err(ParseError::UnitType(unit_type(position)));
    }
    let layout = match (position & START != 0, position & END != 0) {
        (true, true) => return Err(ParseError::FirstAndLast),
        (true, false) => Layout::First,
        (false, false) => Layout::Middle,
        (false, true) => Layout::Last,
    };
    let header = unit_header(indicator, position);
    let (start, overhead) = match layout {
        Layout::First => (start(header, data), START_CODE.len() + 1),
        Layout::After(_) | Layout::Unit | Layout::Aggregate | Layout::Middle | Layout::Last => {
            (FrameStart::No, 0)
        }
    };
    Ok(Part {
        start,
        layout,
        len: overhead + data.len(),
        content: content(header),
        picture_id: NO_PICTURE_ID,
    })
}

/// The header of the NAL unit that a fragment belongs to.
const fn unit_header(indicator: u8, position: u8) -> u8 {
    indicator & (F | NRI) | position & TYPE
}

/// Whether a NAL unit opens an access unit (ITU-T H.264 §7.4.1.2.3).
///
/// A delimiter can only be first, and nothing but a delimiter stands before a sequence parameter
/// set. Of a slice, `first_mb_in_slice` is the first Exp-Golomb code: 0 is a single 1 bit.
fn start(header: u8, data: &[u8]) -> FrameStart {
    match unit_type(header) {
        AUD | SPS => FrameStart::Certain,
        SEI | PPS | PREFIX_UNIT..=RESERVED_18 => FrameStart::Likely,
        NON_IDR | PARTITION_A | IDR if data.first().is_some_and(|octet| octet & 0x80 != 0) => {
            FrameStart::Likely
        }
        _ => FrameStart::No,
    }
}

const fn content(header: u8) -> Content {
    Content {
        key: matches!(unit_type(header), IDR | SPS),
        idr: unit_type(header) == IDR,
    }
}

/// Appends the NAL units of a payload that [`parse`] accepted.
pub(in crate::payload) fn append(layout: Layout, payload: &[u8], out: &mut BytesMut) {
    match layout {
        Layout::After(_) => {}
        Layout::Unit => {
            out.put_slice(&START_CODE);
            out.put_slice(payload);
        }
        Layout::Aggregate => {
            let mut rest = payload.get(1..).unwrap_or_default();
            while let Ok((unit, tail)) = next_unit(rest) {
                out.put_slice(&START_CODE);
                out.put_slice(unit);
                rest = tail;
            }
        }
        Layout::First => {
            if let Some((&[indicator, position], data)) = payload.split_first_chunk() {
                out.put_slice(&START_CODE);
                out.put_u8(unit_header(indicator, position));
                out.put_slice(data);
            }
        }
        Layout::Middle | Layout::Last => out.put_slice(payload.get(2..).unwrap_or_default()),
    }
}
