//! A packet as it leaves, and as it is kept to be sent again.

use ortc_rtp::payload::Segment;
use ortc_rtp::repair::encode_rtx;
use ortc_rtp::wire::{ExtensionElements, Header};

use super::forward::Forwarder;

/// A packet kept for retransmission, its payload shared. The same sequence number must always mean
/// the same octets, or SRTP would use one nonce for two packets: the header is kept as it was sent,
/// and `edition` tells whether the extension still is.
#[derive(Clone, Debug)]
pub(crate) struct SentPacket {
    pub(crate) header: Header,
    /// Edition of the extension that it carried; `None` without.
    pub(crate) edition: Option<u32>,
    /// Octets at the beginning of the payload that are the header extension of a forwarded source,
    /// and which source that was; `None` without.
    pub(crate) lead: Option<(usize, u16)>,
    pub(crate) payload: Segment,
}

/// What a packet is written with.
pub(super) struct Extensions<'a> {
    /// The elements that identify the track, if they are sent.
    pub(super) own: Option<&'a ExtensionElements>,
    /// Who maps those of a source.
    pub(super) forwarder: Option<&'a Forwarder>,
    /// Where both are put together.
    pub(super) scratch: &'a mut ExtensionElements,
}

impl Extensions<'_> {
    /// The extension of a packet: `None` without one. What the elements of the source were must
    /// still be known.
    fn of(&mut self, sent: &SentPacket) -> Result<Option<&ExtensionElements>, Forgotten> {
        let Some((len, source)) = sent.lead else {
            return Ok(self.own);
        };
        let block = sent.payload.body.get(..len).unwrap_or_default();
        let known = self
            .forwarder
            .is_some_and(|forwarder| forwarder.extend(self.own, (block, source), self.scratch));
        match known {
            true => Ok(Some(&*self.scratch).filter(|elements| !elements.is_empty())),
            false => Err(Forgotten),
        }
    }
}

/// The source that an extension came from was left too many changes ago.
struct Forgotten;

impl SentPacket {
    /// Octets of the payload on the wire.
    pub(super) fn len(&self) -> usize {
        self.payload.len() - self.lead.map_or(0, |(len, _)| len)
    }

    /// Appends the packet. Says no, and appends nothing, when it could not be the same octets as
    /// before.
    pub(super) fn write(&self, mut extensions: Extensions<'_>, buf: &mut Vec<u8>) -> bool {
        match extensions.of(self) {
            Ok(Some(elements)) => self.header.encode_with(buf, &[], elements),
            Ok(None) => self.header.encode(buf),
            Err(Forgotten) => return false,
        }
        self.write_payload(buf);
        true
    }

    /// Appends the packet as a retransmission with this header (RFC 4588 §4).
    pub(super) fn write_rtx(
        &self,
        header: &Header,
        mut extensions: Extensions<'_>,
        buf: &mut Vec<u8>,
    ) {
        // What is forgotten is left out: a retransmission need not be the same octets.
        let elements = extensions.of(self).unwrap_or(None);
        encode_rtx(header, self.header.sequence, elements, buf);
        self.write_payload(buf);
    }

    fn write_payload(&self, buf: &mut Vec<u8>) {
        let start = self.lead.map_or(0, |(len, _)| len);
        buf.extend_from_slice(&self.payload.prefix);
        buf.extend_from_slice(self.payload.body.get(start..).unwrap_or_default());
    }
}
