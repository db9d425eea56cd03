//! Retransmission on a source of its own (RFC 4588): the packet's number moves into the payload.

use crate::wire::{ExtensionElements, Header, RtpPacket};

/// Octets that a retransmission has more than the packet that it repeats (RFC 4588 §4, the OSN).
pub const OSN_LEN: usize = 2;

/// Appends the header of a retransmission and the number of the packet that it repeats; the payload
/// of that packet, unchanged, belongs behind it.
///
/// `header` is the retransmission's own: SSRC, sequence number and payload type of the repairing
/// stream, timestamp and marker of the repeated packet (RFC 4588 §4, §8.3).
///
/// ```
/// use ortc_rtp::repair::{encode_rtx, restore_rtx};
/// use ortc_rtp::wire::{ExtensionElements, Header, RtpPacket};
///
/// let header = Header { marker: true, payload_type: 97, sequence: 7, timestamp: 90, ssrc: 2 };
/// let mut sent = Vec::new();
/// encode_rtx(&header, 4_321, None, &mut sent);
/// sent.extend_from_slice(b"frame");
///
/// let mut restored = Vec::new();
/// assert!(restore_rtx(&RtpPacket::parse(&sent)?, &sent, 1, 96, &mut restored));
/// let packet = RtpPacket::parse(&restored)?;
/// assert_eq!((packet.ssrc(), packet.payload_type(), packet.sequence()), (1, 96, 4_321));
/// assert_eq!((packet.marker(), packet.timestamp(), packet.payload()), (true, 90, &b"frame"[..]));
/// # Ok::<(), ortc_rtp::wire::ParseError>(())
/// ```
pub fn encode_rtx(
    header: &Header,
    original: u16,
    elements: Option<&ExtensionElements>,
    out: &mut Vec<u8>,
) {
    match elements {
        Some(elements) => header.encode_with(out, &[], elements),
        None => header.encode(out),
    }
    out.extend_from_slice(&original.to_be_bytes());
}

/// Writes the packet that a retransmission repeats to `out`, which is cleared first, with the SSRC
/// and payload type of the stream that it repairs; padding is left off.
///
/// `packet` is what `view` was parsed from. Says no, and leaves `out` empty, for a retransmission
/// without a packet in it: padding that probes for bandwidth.
#[must_use]
pub fn restore_rtx(
    view: &RtpPacket<'_>,
    packet: &[u8],
    ssrc: u32,
    payload_type: u8,
    out: &mut Vec<u8>,
) -> bool {
    out.clear();
    let Some((original, payload)) = view.payload().split_first_chunk::<OSN_LEN>() else {
        return false;
    };
    let Some(rest) = packet.get(Header::LEN..view.header_len()) else {
        return false;
    };
    let Some(&first) = packet.first() else {
        return false;
    };
    Header {
        marker: view.marker(),
        payload_type,
        sequence: u16::from_be_bytes(*original),
        timestamp: view.timestamp(),
        ssrc,
    }
    .encode(out);
    // Contributing sources and extension come along, the padding does not.
    const PADDING: u8 = 0x20;
    if let Some(octet) = out.first_mut() {
        *octet = first & !PADDING;
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(payload);
    true
}
