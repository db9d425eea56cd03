//! Data of peers, in and out.

use core::net::SocketAddr;
use core::ops::Range;

use thiserror::Error;

use super::answers::has_family;
use super::{Client, Link, State};
use crate::path::{Transmit, Transport};
use crate::stun::{AttributeType, Class, Message, Method};
use crate::turn::encapsulate::{Head, PAYLOAD_MAX, Padding, frame};
use crate::turn::framing::CHANNEL_HEADER_LEN;
use crate::turn::permission::Known;
use crate::turn::{DropReason, RelayTransport};

/// What a datagram from the server was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// An answer or the like, dealt with.
    Consumed,
    /// The payload of a datagram that a peer sent to the relayed address.
    Data {
        /// The peer.
        peer: SocketAddr,
        /// Where the payload is in what was handed in.
        range: Range<usize>,
    },
}

/// Why a payload cannot be sent to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no allocation, not yet or no longer, it is for TCP connections, or it
    /// is being moved to another path.
    #[error("no allocation")]
    NotAllocated,
    /// No permission was asked for the peer's address, or the server refused it.
    #[error("no permission for the peer")]
    NotPermitted,
    /// No relayed address is of the peer's family.
    #[error("no relayed address of the peer's family")]
    Family,
    /// The payload, or the segment length, is more than one message can carry.
    #[error("payload is too long")]
    TooLong,
}

impl Client {
    /// Wraps `buf[start..]` for the server, in place: as `ChannelData` if the peer has a channel, in
    /// a Send indication otherwise. With `segment` they are several payloads of that length, the
    /// last perhaps shorter; each is wrapped for itself, and the result says the new length.
    ///
    /// Each octet moves once, and nothing is allocated when `buf` has the room. A permission that is
    /// asked for but not granted yet will do: its request is ahead on the way.
    ///
    /// # Errors
    ///
    /// [`SendError`]: `buf` is unchanged.
    pub fn encapsulate(
        &mut self,
        peer: SocketAddr,
        buf: &mut Vec<u8>,
        start: usize,
        segment: Option<usize>,
    ) -> Result<Transmit, SendError> {
        let State::Allocated(allocation) = &self.state else {
            return Err(SendError::NotAllocated);
        };
        // While the server does not know our path it takes no data (RFC 8016 §3.2.2).
        if !matches!(allocation.link, Link::Up) || self.config.relay == RelayTransport::Tcp {
            return Err(SendError::NotAllocated);
        }
        if !has_family(allocation.relayed, peer.ip()) {
            return Err(SendError::Family);
        }
        if self.permissions.get(peer.ip()) != Known::Permitted {
            return Err(SendError::NotPermitted);
        }
        let total = buf.len().saturating_sub(start);
        let cut = segment.unwrap_or(total).max(1);
        if cut.min(total) > PAYLOAD_MAX {
            return Err(SendError::TooLong);
        }
        let stream = matches!(self.path.transport, Transport::Stream(_));
        let framed = match self.channels.to(peer) {
            Some(number) => {
                // Over a stream padded, over UDP not (RFC 8656 §12.5).
                let padding = if stream {
                    Padding::ToFour
                } else {
                    Padding::None
                };
                let head = |len| Head::channel(number.get(), len);
                frame(buf, start, cut, Head::channel_len(), padding, head)
            }
            None => {
                let random = &mut self.random;
                let head = |len| Head::send(peer, random.transaction_id(), len);
                frame(buf, start, cut, Head::send_len(peer), Padding::ToFour, head)
            }
        };
        let count = total.div_ceil(cut).max(1);
        self.counters.data_sent += count as u64;
        let segment = (segment.is_some() && count > 1 && !stream).then_some(framed);
        Ok(self.transmit(buf.len().saturating_sub(start), segment))
    }

    /// One message from the server.
    pub(super) fn receive(&mut self, contents: &[u8]) -> Result<Received, DropReason> {
        if self.is_closed() {
            return Err(DropReason::Closed);
        }
        if let Some(0x40..=0x4F) = contents.first() {
            return self.channel_data(contents);
        }
        let message = Message::parse(contents).map_err(|_| DropReason::Malformed)?;
        match (message.class(), message.method()) {
            (Class::Success | Class::Error, _) => self.answered(&message, None),
            (Class::Indication, Method::DATA) => self.data_indication(&message),
            (Class::Indication, Method::CONNECTION_ATTEMPT) => self.connection_attempt(&message),
            (Class::Request | Class::Indication, _) => Err(DropReason::Method),
        }
    }

    /// RFC 8656 §12.6.
    fn channel_data(&mut self, contents: &[u8]) -> Result<Received, DropReason> {
        let Some((&[n0, n1, l0, l1], rest)) = contents.split_first_chunk::<CHANNEL_HEADER_LEN>()
        else {
            return Err(DropReason::Malformed);
        };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if length > rest.len() {
            return Err(DropReason::Malformed);
        }
        let number = u16::from_be_bytes([n0, n1]);
        let peer = self
            .channels
            .from(number)
            .ok_or(DropReason::UnknownChannel)?;
        self.data(peer, CHANNEL_HEADER_LEN..CHANNEL_HEADER_LEN + length)
    }

    /// RFC 8656 §11.4.
    fn data_indication(&mut self, message: &Message<'_>) -> Result<Received, DropReason> {
        let (mut peer, mut data) = (None, None);
        for (attribute, place) in message.covered() {
            match attribute.kind {
                AttributeType::XOR_PEER_ADDRESS if peer.is_none() => peer = Some(()),
                AttributeType::DATA if data.is_none() => data = Some(place),
                kind if kind.is_comprehension_required() && !kind.is_known_to_turn() => {
                    return Err(DropReason::UnknownAttribute);
                }
                _ => {}
            }
        }
        let peer = message.find_xor_address(AttributeType::XOR_PEER_ADDRESS);
        match (peer, data) {
            (Some(peer), Some(range)) => self.data(peer, range),
            // ICMP (RFC 8656 §11.5) is for diagnosis; without a payload there is nothing to do.
            (Some(_), None) => Ok(Received::Consumed),
            (None, _) => Err(DropReason::Malformed),
        }
    }

    fn data(&mut self, peer: SocketAddr, range: Range<usize>) -> Result<Received, DropReason> {
        if self.allocation().is_none() {
            return Err(DropReason::NotAllocated);
        }
        if self.permissions.get(peer.ip()) != Known::Permitted {
            return Err(DropReason::UnknownPeer);
        }
        self.counters.data_received += 1;
        Ok(Received::Data { peer, range })
    }
}
