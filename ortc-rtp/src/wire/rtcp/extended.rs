//! Extended reports (RFC 3611).

use super::EXTENDED_REPORT;
use super::frame::{self, Frame};
use crate::wire::ParseError;

/// Sub-blocks in one DLRR block that we send: the packet stays below 1200 octets.
const MAX_DLRR: usize = 90;

/// The type of an extended report block (RFC 3611 §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockType(pub u8);

impl BlockType {
    /// Loss run lengths (RFC 3611 §4.1).
    pub const LOSS_RLE: Self = Self(1);
    /// Duplicate run lengths (RFC 3611 §4.2).
    pub const DUPLICATE_RLE: Self = Self(2);
    /// Packet receipt times (RFC 3611 §4.3).
    pub const RECEIPT_TIMES: Self = Self(3);
    /// A receiver's reference time (RFC 3611 §4.4).
    pub const RECEIVER_REFERENCE_TIME: Self = Self(4);
    /// Delay since the last receiver reference time (RFC 3611 §4.5).
    pub const DLRR: Self = Self(5);
    /// A summary of statistics (RFC 3611 §4.6).
    pub const STATISTICS_SUMMARY: Self = Self(6);
    /// Metrics of voice over IP (RFC 3611 §4.7).
    pub const VOIP_METRICS: Self = Self(7);
}

/// An extended report that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedReportView<'a> {
    frame: Frame<'a>,
    ssrc: u32,
    blocks: &'a [u8],
}

impl<'a> ExtendedReportView<'a> {
    pub(super) fn parse(frame: Frame<'a>) -> Result<Self, ParseError> {
        let (ssrc, blocks) = frame::take(frame.body(), "XR source")?;
        let mut rest = blocks;
        while !rest.is_empty() {
            (_, rest) = ExtendedBlock::split(rest)?;
        }
        Ok(Self {
            frame,
            ssrc: u32::from_be_bytes(*ssrc),
            blocks,
        })
    }

    /// Who reports.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The report blocks, of whatever type.
    #[must_use]
    pub const fn blocks(&self) -> ExtendedBlocks<'a> {
        ExtendedBlocks { rest: self.blocks }
    }

    /// Appends the packet as it arrived.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.frame.encode(out);
    }
}

/// The blocks of an extended report.
#[derive(Clone, Debug)]
pub struct ExtendedBlocks<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for ExtendedBlocks<'a> {
    type Item = ExtendedBlock<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (block, rest) = ExtendedBlock::split(self.rest).ok()?;
        self.rest = rest;
        Some(block)
    }
}

/// One block of an extended report (RFC 3611 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedBlock<'a> {
    /// The type; unknown ones are kept, and ignored by whoever does not know them.
    pub block_type: BlockType,
    /// Eight bits whose meaning the type gives.
    pub type_specific: u8,
    /// The words after the length.
    pub content: &'a [u8],
}

impl<'a> ExtendedBlock<'a> {
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), ParseError> {
        const WHAT: &str = "XR block";
        let (&[block_type, type_specific, l0, l1], rest) = frame::take(bytes, WHAT)?;
        let len = usize::from(u16::from_be_bytes([l0, l1])) * 4;
        let (content, rest) = frame::take_slice(rest, len, WHAT)?;
        let block = Self {
            block_type: BlockType(block_type),
            type_specific,
            content,
        };
        Ok((block, rest))
    }

    /// The NTP time of a receiver reference time block of the right length.
    #[must_use]
    pub fn receiver_reference_time(&self) -> Option<u64> {
        let ntp = <[u8; 8]>::try_from(self.content).ok()?;
        (self.block_type == BlockType::RECEIVER_REFERENCE_TIME).then(|| u64::from_be_bytes(ntp))
    }

    /// The sub-blocks of a DLRR block; none for other types.
    pub fn dlrr(&self) -> impl Iterator<Item = Dlrr> + use<'a> {
        let content = if self.block_type == BlockType::DLRR {
            self.content
        } else {
            &[]
        };
        let (blocks, _) = content.as_chunks();
        blocks.iter().map(Dlrr::read)
    }
}

/// What lets a receiver that sends nothing measure its round trip (RFC 3611 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dlrr {
    /// The receiver whose reference time this answers.
    pub ssrc: u32,
    /// The middle 32 bits of that time; 0 without one.
    pub last_receiver_report: u32,
    /// From its arrival to this report, in 1/65536 s; 0 without one.
    pub delay: u32,
}

impl Dlrr {
    const LEN: usize = 12;

    fn read(bytes: &[u8; Self::LEN]) -> Self {
        let [s0, s1, s2, s3, l0, l1, l2, l3, d @ ..] = *bytes;
        Self {
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
            last_receiver_report: u32::from_be_bytes([l0, l1, l2, l3]),
            delay: u32::from_be_bytes(d),
        }
    }
}

/// An extended report to send: a reference time, answers to those of others, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedReport<'a> {
    /// Who reports.
    pub ssrc: u32,
    /// The NTP time of this report, from a receiver that sends no media.
    pub receiver_reference_time: Option<u64>,
    /// Answers to reference times that arrived; the first 90 are sent.
    pub dlrr: &'a [Dlrr],
}

impl ExtendedReport<'_> {
    /// Appends the packet; without content it has no block.
    pub fn encode(&self, out: &mut Vec<u8>) {
        frame::write(out, 0, EXTENDED_REPORT, |out| {
            out.extend_from_slice(&self.ssrc.to_be_bytes());
            if let Some(ntp) = self.receiver_reference_time {
                out.extend_from_slice(&[BlockType::RECEIVER_REFERENCE_TIME.0, 0, 0, 2]);
                out.extend_from_slice(&ntp.to_be_bytes());
            }
            let dlrr = self.dlrr.get(..MAX_DLRR).unwrap_or(self.dlrr);
            if !dlrr.is_empty() {
                let words = u16::try_from(dlrr.len() * Dlrr::LEN / 4).unwrap_or_default();
                out.extend_from_slice(&[BlockType::DLRR.0, 0]);
                out.extend_from_slice(&words.to_be_bytes());
                for block in dlrr {
                    out.extend_from_slice(&block.ssrc.to_be_bytes());
                    out.extend_from_slice(&block.last_receiver_report.to_be_bytes());
                    out.extend_from_slice(&block.delay.to_be_bytes());
                }
            }
        });
    }
}
