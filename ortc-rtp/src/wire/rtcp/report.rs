//! Sender and receiver reports (RFC 3550 §6.4.1, §6.4.2).

use super::frame::{self, Frame, MAX_COUNT};
use super::{RECEIVER_REPORT, SENDER_REPORT};
use crate::wire::ParseError;

/// The sender's own figures in a sender report (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// When the report was made: seconds since 1900 in the upper 32 bits, fractions in the lower.
    pub ntp: u64,
    /// The same instant on the media clock, random offset included.
    pub rtp: u32,
    /// Packets sent since the SSRC began, modulo 2^32.
    pub packets: u32,
    /// Payload octets sent, without headers and padding, modulo 2^32.
    pub octets: u32,
}

impl SenderInfo {
    const LEN: usize = 20;

    fn read(bytes: &[u8; Self::LEN]) -> Self {
        let [
            n0,
            n1,
            n2,
            n3,
            n4,
            n5,
            n6,
            n7,
            t0,
            t1,
            t2,
            t3,
            p0,
            p1,
            p2,
            p3,
            o @ ..,
        ] = *bytes;
        Self {
            ntp: u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
            rtp: u32::from_be_bytes([t0, t1, t2, t3]),
            packets: u32::from_be_bytes([p0, p1, p2, p3]),
            octets: u32::from_be_bytes(o),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.ntp.to_be_bytes());
        out.extend_from_slice(&self.rtp.to_be_bytes());
        out.extend_from_slice(&self.packets.to_be_bytes());
        out.extend_from_slice(&self.octets.to_be_bytes());
    }
}

/// What one receiver says about one source (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source that this is about.
    pub ssrc: u32,
    /// Loss since the previous report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since reception began, -2^23 to 2^23 - 1; negative with duplicates.
    pub cumulative_lost: i32,
    /// The highest sequence number, and in the upper 16 bits how often it wrapped.
    pub highest_sequence: u32,
    /// Interarrival jitter, in timestamp units.
    pub jitter: u32,
    /// The middle 32 bits of the NTP time of the last sender report; 0 without one.
    pub last_sender_report: u32,
    /// From that report's arrival to this one, in 1/65536 s; 0 without one.
    pub delay_since_last_sender_report: u32,
}

impl ReportBlock {
    const LEN: usize = 24;
    /// The largest `cumulative_lost` of 24 bits (RFC 3550 A.3).
    const MAX_LOST: i32 = 0x7F_FFFF;
    /// The smallest `cumulative_lost` of 24 bits (RFC 3550 A.3).
    const MIN_LOST: i32 = -0x80_0000;

    /// Clamps a count of lost packets to the 24 bits of a report, as RFC 3550 A.3 has it.
    #[must_use]
    pub fn clamp_lost(lost: i64) -> i32 {
        let clamped = lost.clamp(i64::from(Self::MIN_LOST), i64::from(Self::MAX_LOST));
        i32::try_from(clamped).unwrap_or_default()
    }

    fn read(bytes: &[u8; Self::LEN]) -> Self {
        let [
            s0,
            s1,
            s2,
            s3,
            fraction_lost,
            l0,
            l1,
            l2,
            h0,
            h1,
            h2,
            h3,
            j0,
            j1,
            j2,
            j3,
            r0,
            r1,
            r2,
            r3,
            d @ ..,
        ] = *bytes;
        Self {
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
            fraction_lost,
            // The shift back extends the sign of 24 bits.
            cumulative_lost: i32::from_be_bytes([l0, l1, l2, 0]) >> 8,
            highest_sequence: u32::from_be_bytes([h0, h1, h2, h3]),
            jitter: u32::from_be_bytes([j0, j1, j2, j3]),
            last_sender_report: u32::from_be_bytes([r0, r1, r2, r3]),
            delay_since_last_sender_report: u32::from_be_bytes(d),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let [_, l0, l1, l2] = Self::clamp_lost(self.cumulative_lost.into()).to_be_bytes();
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(&[self.fraction_lost, l0, l1, l2]);
        out.extend_from_slice(&self.highest_sequence.to_be_bytes());
        out.extend_from_slice(&self.jitter.to_be_bytes());
        out.extend_from_slice(&self.last_sender_report.to_be_bytes());
        out.extend_from_slice(&self.delay_since_last_sender_report.to_be_bytes());
    }
}

/// A sender report that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReportView<'a> {
    frame: Frame<'a>,
    ssrc: u32,
    info: SenderInfo,
    blocks: &'a [[u8; ReportBlock::LEN]],
    extension: &'a [u8],
}

impl<'a> SenderReportView<'a> {
    pub(super) fn parse(frame: Frame<'a>) -> Result<Self, ParseError> {
        let (ssrc, rest) = frame::take(frame.body(), "sender report")?;
        let (info, rest) = frame::take(rest, "sender info")?;
        let (blocks, extension) = blocks(frame.count(), rest)?;
        Ok(Self {
            frame,
            ssrc: u32::from_be_bytes(*ssrc),
            info: SenderInfo::read(info),
            blocks,
            extension,
        })
    }

    /// The sender.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The sender's own figures.
    #[must_use]
    pub const fn info(&self) -> SenderInfo {
        self.info
    }

    /// What the sender receives, at most 31 blocks.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = ReportBlock> + use<'a> {
        self.blocks.iter().map(ReportBlock::read)
    }

    /// The profile-specific extension after the blocks (RFC 3550 §6.4.3), usually empty.
    #[must_use]
    pub const fn extension(&self) -> &'a [u8] {
        self.extension
    }

    /// Appends the packet as it arrived.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.frame.encode(out);
    }
}

/// A receiver report that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiverReportView<'a> {
    frame: Frame<'a>,
    ssrc: u32,
    blocks: &'a [[u8; ReportBlock::LEN]],
    extension: &'a [u8],
}

impl<'a> ReceiverReportView<'a> {
    pub(super) fn parse(frame: Frame<'a>) -> Result<Self, ParseError> {
        let (ssrc, rest) = frame::take(frame.body(), "receiver report")?;
        let (blocks, extension) = blocks(frame.count(), rest)?;
        Ok(Self {
            frame,
            ssrc: u32::from_be_bytes(*ssrc),
            blocks,
            extension,
        })
    }

    /// The receiver that reports.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// What it receives, at most 31 blocks.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = ReportBlock> + use<'a> {
        self.blocks.iter().map(ReportBlock::read)
    }

    /// The profile-specific extension after the blocks (RFC 3550 §6.4.3), usually empty.
    #[must_use]
    pub const fn extension(&self) -> &'a [u8] {
        self.extension
    }

    /// Appends the packet as it arrived.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.frame.encode(out);
    }
}

type Blocks<'a> = (&'a [[u8; ReportBlock::LEN]], &'a [u8]);

fn blocks(count: u8, bytes: &[u8]) -> Result<Blocks<'_>, ParseError> {
    let len = usize::from(count) * ReportBlock::LEN;
    let (blocks, extension) = frame::take_slice(bytes, len, "report blocks")?;
    let (blocks, _) = blocks.as_chunks();
    Ok((blocks, extension))
}

/// A sender report to send.
///
/// More than 31 blocks continue in receiver reports behind it, as RFC 3550 §6.1 asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport<'a> {
    /// The sender.
    pub ssrc: u32,
    /// The sender's own figures.
    pub info: SenderInfo,
    /// What it receives.
    pub blocks: &'a [ReportBlock],
}

impl SenderReport<'_> {
    /// Appends the packet, and receiver reports for what exceeds 31 blocks.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (first, rest) = self.blocks.split_at(self.blocks.len().min(MAX_COUNT));
        frame::write(out, first.len(), SENDER_REPORT, |out| {
            out.extend_from_slice(&self.ssrc.to_be_bytes());
            self.info.write(out);
            first.iter().for_each(|block| block.write(out));
        });
        if !rest.is_empty() {
            let ssrc = self.ssrc;
            ReceiverReport { ssrc, blocks: rest }.encode(out);
        }
    }
}

/// A receiver report to send.
///
/// More than 31 blocks continue in further reports, as RFC 3550 §6.1 asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiverReport<'a> {
    /// The receiver that reports.
    pub ssrc: u32,
    /// What it receives; empty is how a compound begins when there is nothing to report.
    pub blocks: &'a [ReportBlock],
}

impl ReceiverReport<'_> {
    /// Appends one packet for each 31 blocks, and one when there are none.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut rest = self.blocks;
        loop {
            let (blocks, after) = rest.split_at(rest.len().min(MAX_COUNT));
            frame::write(out, blocks.len(), RECEIVER_REPORT, |out| {
                out.extend_from_slice(&self.ssrc.to_be_bytes());
                blocks.iter().for_each(|block| block.write(out));
            });
            rest = after;
            if rest.is_empty() {
                return;
            }
        }
    }
}
