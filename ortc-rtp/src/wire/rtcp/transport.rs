//! Transport-wide congestion feedback: 205/15, draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1.

use super::feedback::{self, FeedbackView};
use super::frame;
use super::{TRANSPORT_FEEDBACK, TRANSPORT_WIDE};
use crate::wire::ParseError;

const VECTOR: u16 = 0x8000;
const TWO_BIT: u16 = 0x4000;
const RUN_LEN: u16 = 0x1FFF;
const RUN_SYMBOL_SHIFT: u32 = 13;
const ONE_BIT_SYMBOLS: u16 = 14;
const TWO_BIT_SYMBOLS: u16 = 7;

/// The status of one packet: two bits, and the octets of its delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol {
    NotReceived,
    Small,
    Large,
    /// Its delta has no defined length.
    Reserved,
}

impl Symbol {
    const fn from_bits(bits: u16) -> Self {
        match bits & 3 {
            0 => Self::NotReceived,
            1 => Self::Small,
            2 => Self::Large,
            _ => Self::Reserved,
        }
    }

    const fn bits(self) -> u16 {
        match self {
            Self::NotReceived => 0,
            Self::Small => 1,
            Self::Large => 2,
            Self::Reserved => 3,
        }
    }

    fn of(delta: Option<i16>) -> Self {
        match delta {
            None => Self::NotReceived,
            Some(delta) if u8::try_from(delta).is_ok() => Self::Small,
            Some(_) => Self::Large,
        }
    }

    const fn delta_len(self) -> usize {
        match self {
            Self::NotReceived | Self::Reserved => 0,
            Self::Small => 1,
            Self::Large => 2,
        }
    }
}

/// One status chunk, of which `left` symbols are still to come.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    bits: u16,
    left: u16,
}

impl Chunk {
    const fn new(bits: u16) -> Self {
        let left = if bits & VECTOR == 0 {
            bits & RUN_LEN
        } else if bits & TWO_BIT == 0 {
            ONE_BIT_SYMBOLS
        } else {
            TWO_BIT_SYMBOLS
        };
        Self { bits, left }
    }

    fn next(&mut self) -> Option<Symbol> {
        self.left = self.left.checked_sub(1)?;
        Some(if self.bits & VECTOR == 0 {
            Symbol::from_bits(self.bits >> RUN_SYMBOL_SHIFT)
        } else if self.bits & TWO_BIT == 0 {
            Symbol::from_bits((self.bits >> self.left) & 1)
        } else {
            Symbol::from_bits(self.bits >> (2 * self.left))
        })
    }

    /// Octets of delta for the first `count` symbols; a run is counted at once.
    fn deltas_len(mut self, count: u16) -> Result<usize, ParseError> {
        const RESERVED: ParseError = ParseError::Reserved {
            what: "packet status",
        };
        if self.bits & VECTOR == 0 {
            let symbol = Symbol::from_bits(self.bits >> RUN_SYMBOL_SHIFT);
            return if symbol == Symbol::Reserved && count > 0 {
                Err(RESERVED)
            } else {
                Ok(usize::from(count) * symbol.delta_len())
            };
        }
        let mut len = 0;
        for _ in 0..count {
            match self.next() {
                Some(Symbol::Reserved) => return Err(RESERVED),
                Some(symbol) => len += symbol.delta_len(),
                None => break,
            }
        }
        Ok(len)
    }
}

/// Transport-wide feedback that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportFeedbackView<'a> {
    feedback: FeedbackView<'a>,
    base_sequence: u16,
    status_count: u16,
    reference_time: i32,
    feedback_count: u8,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl<'a> TransportFeedbackView<'a> {
    pub(super) fn parse(feedback: FeedbackView<'a>) -> Result<Self, ParseError> {
        let (head, rest) = frame::take::<8>(feedback.fci(), "transport-wide feedback")?;
        let [s0, s1, c0, c1, r0, r1, r2, feedback_count] = *head;
        let status_count = u16::from_be_bytes([c0, c1]);
        let mut left = status_count;
        let mut after = rest;
        let mut deltas_len = 0;
        while left > 0 {
            let (chunk, next) = frame::take(after, "status chunks")?;
            let chunk = Chunk::new(u16::from_be_bytes(*chunk));
            let covered = chunk.left.min(left);
            deltas_len += chunk.deltas_len(covered)?;
            left -= covered;
            after = next;
        }
        let chunks = rest.get(..rest.len() - after.len()).unwrap_or_default();
        let (deltas, padding) = frame::take_slice(after, deltas_len, "receive deltas")?;
        if padding.len() >= 4 {
            return Err(ParseError::Trailing {
                what: "receive deltas",
                left: padding.len(),
            });
        }
        Ok(Self {
            feedback,
            base_sequence: u16::from_be_bytes([s0, s1]),
            status_count,
            // The shift back extends the sign of 24 bits.
            reference_time: i32::from_be_bytes([r0, r1, r2, 0]) >> 8,
            feedback_count,
            chunks,
            deltas,
        })
    }

    /// Who sends the feedback.
    #[must_use]
    pub const fn sender_ssrc(&self) -> u32 {
        self.feedback.sender_ssrc()
    }

    /// A source of the transport; the feedback is about all of them.
    #[must_use]
    pub const fn media_ssrc(&self) -> u32 {
        self.feedback.media_ssrc()
    }

    /// The transport-wide sequence number of the first status.
    #[must_use]
    pub const fn base_sequence(&self) -> u16 {
        self.base_sequence
    }

    /// How many packets have a status.
    #[must_use]
    pub const fn status_count(&self) -> u16 {
        self.status_count
    }

    /// What the first delta counts from, in 64 ms on the receiver's clock; 24 bits with sign.
    #[must_use]
    pub const fn reference_time(&self) -> i32 {
        self.reference_time
    }

    /// Counts the feedback packets, modulo 256, so that a lost one shows.
    #[must_use]
    pub const fn feedback_count(&self) -> u8 {
        self.feedback_count
    }

    /// `(sequence, delta)` of each packet in order: the time since the previous packet that was
    /// received (the first: since the reference time) in 250 us, `None` for one that was not.
    #[must_use]
    pub const fn statuses(&self) -> Statuses<'a> {
        Statuses {
            sequence: self.base_sequence,
            left: self.status_count,
            chunk: Chunk { bits: 0, left: 0 },
            chunks: self.chunks,
            deltas: self.deltas,
        }
    }

    /// Appends the packet as it arrived.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.feedback.encode(out);
    }
}

/// The statuses of transport-wide feedback.
#[derive(Clone, Debug)]
pub struct Statuses<'a> {
    sequence: u16,
    left: u16,
    chunk: Chunk,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl Iterator for Statuses<'_> {
    type Item = (u16, Option<i16>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let symbol = loop {
            if let Some(symbol) = self.chunk.next() {
                break symbol;
            }
            let (&chunk, rest) = self.chunks.split_first_chunk()?;
            self.chunks = rest;
            self.chunk = Chunk::new(u16::from_be_bytes(chunk));
        };
        let delta = match symbol {
            Symbol::NotReceived | Symbol::Reserved => None,
            Symbol::Small => {
                let (&delta, rest) = self.deltas.split_first()?;
                self.deltas = rest;
                Some(i16::from(delta))
            }
            Symbol::Large => {
                let (&delta, rest) = self.deltas.split_first_chunk()?;
                self.deltas = rest;
                Some(i16::from_be_bytes(delta))
            }
        };
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        Some((sequence, delta))
    }
}

/// Transport-wide feedback to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportFeedback<'a> {
    /// Who sends the feedback.
    pub sender_ssrc: u32,
    /// A source of the transport.
    pub media_ssrc: u32,
    /// The transport-wide sequence number of the first entry of `deltas`.
    pub base_sequence: u16,
    /// What the first delta counts from, in 64 ms; the low 24 bits are sent.
    pub reference_time: i32,
    /// Raised by one for each packet, modulo 256.
    pub feedback_count: u8,
    /// For each packet in order the time since the previous one that was received, in 250 us, or
    /// `None` for one that was not; the first 65,535 are sent.
    pub deltas: &'a [Option<i16>],
}

impl TransportFeedback<'_> {
    /// Appends the packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let deltas = self.deltas.get(..u16::MAX.into()).unwrap_or(self.deltas);
        let kind = (TRANSPORT_FEEDBACK, TRANSPORT_WIDE);
        feedback::write(out, kind, self.sender_ssrc, self.media_ssrc, |out| {
            out.extend_from_slice(&self.base_sequence.to_be_bytes());
            let count = u16::try_from(deltas.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&count.to_be_bytes());
            let [_, r0, r1, r2] = self.reference_time.to_be_bytes();
            out.extend_from_slice(&[r0, r1, r2, self.feedback_count]);
            let mut rest = deltas;
            while !rest.is_empty() {
                let (chunk, after) = next_chunk(rest);
                out.extend_from_slice(&chunk.to_be_bytes());
                rest = after;
            }
            for delta in deltas.iter().flatten() {
                match u8::try_from(*delta) {
                    Ok(small) => out.push(small),
                    Err(_) => out.extend_from_slice(&delta.to_be_bytes()),
                }
            }
        });
    }
}

/// The chunk that covers the most of what comes first, and what it leaves.
fn next_chunk(deltas: &[Option<i16>]) -> (u16, &[Option<i16>]) {
    let first = Symbol::of(deltas.first().copied().flatten());
    let run = deltas
        .iter()
        .take(RUN_LEN.into())
        .take_while(|delta| Symbol::of(**delta) == first)
        .count();
    // Only the last chunk may have places to spare: what follows would be taken for them.
    let narrow = deltas
        .iter()
        .take(ONE_BIT_SYMBOLS.into())
        .all(|delta| Symbol::of(*delta) != Symbol::Large);
    let (form, width, symbols) = if narrow {
        (VECTOR, 1, usize::from(ONE_BIT_SYMBOLS))
    } else {
        (VECTOR | TWO_BIT, 2, usize::from(TWO_BIT_SYMBOLS))
    };
    let covered = deltas.len().min(symbols);
    if run >= covered {
        let length = u16::try_from(run).unwrap_or(RUN_LEN);
        let chunk = (first.bits() << RUN_SYMBOL_SHIFT) | length;
        return (chunk, deltas.get(run..).unwrap_or_default());
    }
    let chunk = (0..symbols).fold(0, |chunk, place| {
        (chunk << width) | Symbol::of(deltas.get(place).copied().flatten()).bits()
    });
    (form | chunk, deltas.get(covered..).unwrap_or_default())
}
