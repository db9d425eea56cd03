//! RTCP: compound packets (RFC 3550 §6.1) and reduced-size ones (RFC 5506).
//!
//! Views (`SenderReportView`, ...) are what arrives: borrowed, checked, and able to give the very
//! octets back. Values without the suffix are what is sent.

mod app;
mod bye;
mod extended;
mod feedback;
mod fir;
mod frame;
mod nack;
mod pli;
mod report;
mod sdes;
mod text;
mod transport;

pub use app::AppView;
pub use bye::{Bye, ByeView};
pub use extended::{
    BlockType, Dlrr, ExtendedBlock, ExtendedBlocks, ExtendedReport, ExtendedReportView,
};
pub use feedback::FeedbackView;
pub use fir::{Fir, FirEntry, FirView};
pub use frame::Frame;
pub use nack::{Nack, NackView};
pub use pli::{Pli, PliView};
pub use report::{
    ReceiverReport, ReceiverReportView, ReportBlock, SenderInfo, SenderReport, SenderReportView,
};
pub use sdes::{Sdes, SdesChunk, SdesChunks, SdesItem, SdesItems, SdesView};
pub use text::{Text, TextTooLong};
pub use transport::{Statuses, TransportFeedback, TransportFeedbackView};

use super::ParseError;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const APPLICATION: u8 = 204;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
const EXTENDED_REPORT: u8 = 207;

/// Message types of 205.
const GENERIC_NACK: u8 = 1;
const TRANSPORT_WIDE: u8 = 15;
/// Message types of 206.
const PICTURE_LOSS: u8 = 1;
const FULL_INTRA_REQUEST: u8 = 4;
const APPLICATION_LAYER: u8 = 15;

/// Whether the second octet of a packet says RTCP and not RTP (RFC 5761 §4).
///
/// ```
/// use ortc_rtp::wire::rtcp::is_rtcp;
///
/// assert!(is_rtcp(200)); // a sender report
/// assert!(!is_rtcp(0x80 | 111)); // payload type 111 with the marker bit
/// ```
#[inline]
#[must_use]
pub const fn is_rtcp(second_octet: u8) -> bool {
    matches!(second_octet, 192..=223)
}

/// One packet of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Sender report, 200.
    SenderReport(SenderReportView<'a>),
    /// Receiver report, 201.
    ReceiverReport(ReceiverReportView<'a>),
    /// Source description, 202.
    SourceDescription(SdesView<'a>),
    /// Goodbye, 203.
    Goodbye(ByeView<'a>),
    /// Application-defined, 204.
    Application(AppView<'a>),
    /// Generic NACK, 205/1.
    Nack(NackView<'a>),
    /// Transport-wide congestion feedback, 205/15.
    TransportFeedback(TransportFeedbackView<'a>),
    /// Picture loss indication, 206/1.
    PictureLoss(PliView<'a>),
    /// Full intra request, 206/4.
    FullIntraRequest(FirView<'a>),
    /// Application-layer feedback, 206/15, such as a receiver's estimate of the bandwidth.
    ApplicationLayer(FeedbackView<'a>),
    /// A feedback message of another type, 205 or 206.
    OtherFeedback(FeedbackView<'a>),
    /// Extended report, 207.
    ExtendedReport(ExtendedReportView<'a>),
    /// A packet of another type, to be ignored (RFC 3550 §6.1) or passed on.
    Unknown(Frame<'a>),
}

impl<'a> Packet<'a> {
    fn parse(frame: Frame<'a>) -> Result<Self, ParseError> {
        Ok(match (frame.packet_type(), frame.count()) {
            (SENDER_REPORT, _) => Self::SenderReport(SenderReportView::parse(frame)?),
            (RECEIVER_REPORT, _) => Self::ReceiverReport(ReceiverReportView::parse(frame)?),
            (SOURCE_DESCRIPTION, _) => Self::SourceDescription(SdesView::parse(frame)?),
            (GOODBYE, _) => Self::Goodbye(ByeView::parse(frame)?),
            (APPLICATION, _) => Self::Application(AppView::parse(frame)?),
            (EXTENDED_REPORT, _) => Self::ExtendedReport(ExtendedReportView::parse(frame)?),
            (packet_type @ (TRANSPORT_FEEDBACK | PAYLOAD_FEEDBACK), message_type) => {
                let feedback = FeedbackView::parse(frame)?;
                match (packet_type, message_type) {
                    (TRANSPORT_FEEDBACK, GENERIC_NACK) => Self::Nack(NackView::parse(feedback)?),
                    (TRANSPORT_FEEDBACK, TRANSPORT_WIDE) => {
                        Self::TransportFeedback(TransportFeedbackView::parse(feedback)?)
                    }
                    (PAYLOAD_FEEDBACK, PICTURE_LOSS) => {
                        Self::PictureLoss(PliView::parse(feedback)?)
                    }
                    (PAYLOAD_FEEDBACK, FULL_INTRA_REQUEST) => {
                        Self::FullIntraRequest(FirView::parse(feedback)?)
                    }
                    (PAYLOAD_FEEDBACK, APPLICATION_LAYER) => Self::ApplicationLayer(feedback),
                    _ => Self::OtherFeedback(feedback),
                }
            }
            _ => Self::Unknown(frame),
        })
    }

    /// Appends the packet as it arrived.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::SenderReport(view) => view.encode(out),
            Self::ReceiverReport(view) => view.encode(out),
            Self::SourceDescription(view) => view.encode(out),
            Self::Goodbye(view) => view.encode(out),
            Self::Application(view) => view.encode(out),
            Self::Nack(view) => view.encode(out),
            Self::TransportFeedback(view) => view.encode(out),
            Self::PictureLoss(view) => view.encode(out),
            Self::FullIntraRequest(view) => view.encode(out),
            Self::ApplicationLayer(view) | Self::OtherFeedback(view) => view.encode(out),
            Self::ExtendedReport(view) => view.encode(out),
            Self::Unknown(view) => view.encode(out),
        }
    }
}

/// The packets of a datagram, each checked when its turn comes.
///
/// A packet whose content is wrong is an error and the next one follows; one whose version, type,
/// length or padding is wrong ends the datagram, because where the next begins cannot be trusted.
///
/// ```
/// use ortc_rtp::wire::rtcp::{Packet, Pli, packets};
///
/// let mut datagram = Vec::new();
/// Pli { sender_ssrc: 1, media_ssrc: 2 }.encode(&mut datagram);
/// for packet in packets(&datagram) {
///     match packet {
///         Ok(Packet::PictureLoss(pli)) => assert_eq!(pli.media_ssrc(), 2),
///         Ok(_) => {}
///         Err(error) => println!("dropped: {error}"),
///     }
/// }
/// ```
#[must_use]
pub const fn packets(datagram: &[u8]) -> Packets<'_> {
    Packets { rest: datagram }
}

/// The iterator of [`packets`].
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match Frame::split(self.rest) {
            Ok((frame, rest)) => {
                self.rest = rest;
                Some(Packet::parse(frame))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

impl core::iter::FusedIterator for Packets<'_> {}

/// A datagram all of whose packets are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compound<'a> {
    bytes: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks every packet; any may come first, as RFC 5506 allows.
    ///
    /// # Errors
    ///
    /// The first [`ParseError`]; an empty datagram is truncated.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        if bytes.is_empty() {
            return Err(ParseError::Truncated {
                what: "RTCP header",
                need: Frame::HEADER_LEN,
                have: 0,
            });
        }
        for packet in packets(bytes) {
            packet?;
        }
        Ok(Self { bytes })
    }

    /// The packets in order.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'a>> + use<'a> {
        packets(self.bytes).filter_map(Result::ok)
    }

    /// Whether it does not begin with a report, as only RFC 5506 allows.
    #[must_use]
    pub fn is_reduced_size(&self) -> bool {
        !matches!(
            self.packets().next(),
            Some(Packet::SenderReport(_) | Packet::ReceiverReport(_))
        )
    }

    /// The octets.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Appends all packets as they arrived.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.bytes);
    }
}
