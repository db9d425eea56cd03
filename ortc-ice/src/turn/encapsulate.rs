//! Payloads become `ChannelData` or Send indications, in the buffer that they are in.

use core::net::{IpAddr, SocketAddr};

use super::framing::CHANNEL_HEADER_LEN;
use crate::stun::{AttributeType, Class, HEADER_LEN, MAGIC_COOKIE, Method, TransactionId};
use crate::stun::{encode_xor_v4, encode_xor_v6, message_type};

/// The longest head: that of a Send indication to an IPv6 peer.
const HEAD_MAX: usize = HEADER_LEN + 4 + 20 + 4;
/// The longest payload of one message: what the length field of STUN leaves beside the peer.
pub(super) const PAYLOAD_MAX: usize = 65_535 - (HEAD_MAX - HEADER_LEN) - 3;

/// Whether what follows the payload fills it up to four octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Padding {
    None,
    ToFour,
}

impl Padding {
    const fn padded(self, length: usize) -> usize {
        match self {
            Self::None => length,
            Self::ToFour => length.next_multiple_of(4),
        }
    }
}

/// What is put in front of a payload.
#[derive(Debug)]
pub(super) struct Head {
    octets: [u8; HEAD_MAX],
    len: usize,
}

impl Head {
    /// Of `ChannelData` (RFC 8656 §12.4).
    pub(super) fn channel(number: u16, payload: usize) -> Self {
        let ([n0, n1], [l0, l1]) = (number.to_be_bytes(), length(payload));
        Self::of(&[&[n0, n1, l0, l1]])
    }

    /// Of a Send indication (RFC 8656 §11.1): header, XOR-PEER-ADDRESS, and the beginning of DATA.
    pub(super) fn send(peer: SocketAddr, id: TransactionId, payload: usize) -> Self {
        let (v4, v6);
        let address: &[u8] = match peer.ip() {
            IpAddr::V4(ip) => {
                v4 = encode_xor_v4(ip, peer.port());
                &v4
            }
            IpAddr::V6(ip) => {
                v6 = encode_xor_v6(ip, peer.port(), id);
                &v6
            }
        };
        let body = 4 + address.len() + 4 + payload.next_multiple_of(4);
        Self::of(&[
            &message_type(Class::Indication, Method::SEND).to_be_bytes(),
            &length(body),
            &MAGIC_COOKIE.to_be_bytes(),
            &id.0,
            &AttributeType::XOR_PEER_ADDRESS.0.to_be_bytes(),
            &length(address.len()),
            address,
            &AttributeType::DATA.0.to_be_bytes(),
            &length(payload),
        ])
    }

    fn of(parts: &[&[u8]]) -> Self {
        let (mut octets, mut len) = ([0; HEAD_MAX], 0);
        for (to, from) in octets.iter_mut().zip(parts.iter().copied().flatten()) {
            *to = *from;
            len += 1;
        }
        Self { octets, len }
    }

    pub(super) const fn channel_len() -> usize {
        CHANNEL_HEADER_LEN
    }

    pub(super) const fn send_len(peer: SocketAddr) -> usize {
        if peer.is_ipv4() {
            HEAD_MAX - 12
        } else {
            HEAD_MAX
        }
    }
}

/// Puts a head in front of each segment of `buf[start..]`, from the last to the first, so that each
/// octet moves once. Returns the length of the framed segments but the last.
pub(super) fn frame(
    buf: &mut Vec<u8>,
    start: usize,
    segment: usize,
    head_len: usize,
    padding: Padding,
    mut head: impl FnMut(usize) -> Head,
) -> usize {
    let total = buf.len().saturating_sub(start);
    let segment = segment.min(total).max(1);
    let count = total.div_ceil(segment).max(1);
    let last = total - (count - 1) * segment;
    let framed = head_len + padding.padded(segment);
    let end = start + (count - 1) * framed + head_len + padding.padded(last);
    buf.resize(end, 0);
    for index in (0..count).rev() {
        let len = if index + 1 == count { last } else { segment };
        let (from, to) = (start + index * segment, start + index * framed);
        buf.copy_within(from..from + len, to + head_len);
        let head = head(len);
        if let (Some(place), Some(octets)) =
            (buf.get_mut(to..to + head_len), head.octets.get(..head.len))
            && place.len() == octets.len()
        {
            place.copy_from_slice(octets);
        }
        let tail = to + head_len + len;
        if let Some(tail) = buf.get_mut(tail..to + head_len + padding.padded(len)) {
            tail.fill(0);
        }
    }
    framed
}

/// A length that the caller has bounded.
fn length(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}
