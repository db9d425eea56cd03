//! Requests: how each is made.

use core::net::SocketAddr;

use super::{Client, Link, State};
use crate::stun::{AttributeType, Class, MessageBuilder, Method, Signed, TooLong, TransactionId};
use crate::turn::transaction::{Kind, Transaction};
use crate::turn::{Failure, Families, RelayTransport};

/// TCP in REQUESTED-TRANSPORT (RFC 6062 §4.1).
const TCP: [u8; 4] = [6, 0, 0, 0];
/// UDP in REQUESTED-TRANSPORT (RFC 8656 §18.8): the protocol number in the first octet.
const UDP: [u8; 4] = [17, 0, 0, 0];
/// The families of REQUESTED-ADDRESS-FAMILY (RFC 8656 §18.6).
const V6: [u8; 4] = [2, 0, 0, 0];

impl Client {
    /// Queues a request, or holds it back until the server knows our path.
    pub(super) fn start(&mut self, kind: Kind, challenges: u8) {
        if kind != Kind::Move
            && let State::Allocated(allocation) = &mut self.state
            && let Link::Moving(held) | Link::Down(held) = &mut allocation.link
        {
            held.push(kind);
            return;
        }
        let id = self.random.transaction_id();
        match self.request(&kind, id) {
            Ok((octets, signed)) => {
                let transaction = Transaction::new(kind, octets, signed, challenges);
                self.transactions.insert(id, transaction);
                self.outbox.push_back(id);
            }
            // Cannot be: all parts are bounded well below the length of a message.
            Err(TooLong) => self.fail(kind, Failure::Challenges),
        }
    }

    fn request(&self, kind: &Kind, id: TransactionId) -> Result<(Vec<u8>, Signed), TooLong> {
        let mut octets = Vec::new();
        let mut request = MessageBuilder::new(&mut octets, Class::Request, kind.method(), id);
        match kind {
            Kind::Allocate => self.allocate(&mut request)?,
            Kind::Refresh => self.lifetime(&mut request)?,
            Kind::Move => {
                self.lifetime(&mut request)?;
                self.ticket(&mut request)?;
            }
            Kind::Permissions(peers) => {
                for peer in peers {
                    // The port is of no account (RFC 8656 §10.1).
                    request.xor_address(AttributeType::XOR_PEER_ADDRESS, SocketAddr::new(*peer, 0));
                }
            }
            Kind::Channel(number, peer) => {
                let [high, low] = number.get().to_be_bytes();
                request.attribute(AttributeType::CHANNEL_NUMBER, &[high, low, 0, 0])?;
                request.xor_address(AttributeType::XOR_PEER_ADDRESS, *peer);
            }
            Kind::Connect(peer) => {
                request.xor_address(AttributeType::XOR_PEER_ADDRESS, *peer);
            }
            Kind::Bind(connection) => {
                let id = connection.0.to_be_bytes();
                request.attribute(AttributeType::CONNECTION_ID, &id)?;
            }
        }
        let signed = self.finish(&mut request)?;
        Ok((octets, signed))
    }

    /// RFC 8656 §7.1.
    fn allocate(&self, request: &mut MessageBuilder<'_>) -> Result<(), TooLong> {
        let transport = match self.config.relay {
            RelayTransport::Udp => &UDP,
            RelayTransport::Tcp => &TCP,
        };
        request.attribute(AttributeType::REQUESTED_TRANSPORT, transport)?;
        self.lifetime(request)?;
        match self.config.families {
            Families::V4 => {}
            Families::V6 => {
                request.attribute(AttributeType::REQUESTED_ADDRESS_FAMILY, &V6)?;
            }
            Families::Both => {
                request.attribute(AttributeType::ADDITIONAL_ADDRESS_FAMILY, &V6)?;
            }
        }
        if self.asks.dont_fragment && self.config.relay == RelayTransport::Udp {
            request.attribute(AttributeType::DONT_FRAGMENT, &[])?;
        }
        if self.asks.mobility {
            // Empty: one is asked for (RFC 8016 §3.1.1).
            request.attribute(AttributeType::MOBILITY_TICKET, &[])?;
        }
        Ok(())
    }

    fn lifetime(&self, request: &mut MessageBuilder<'_>) -> Result<(), TooLong> {
        if let Some(lifetime) = self.config.lifetime {
            let seconds = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
            request.attribute(AttributeType::LIFETIME, &seconds.to_be_bytes())?;
        }
        Ok(())
    }

    fn ticket(&self, request: &mut MessageBuilder<'_>) -> Result<(), TooLong> {
        if let Some(ticket) = self.allocation().and_then(|known| known.ticket.as_ref()) {
            request.attribute(AttributeType::MOBILITY_TICKET, &ticket.0)?;
        }
        Ok(())
    }

    fn finish(&self, request: &mut MessageBuilder<'_>) -> Result<Signed, TooLong> {
        if let Some(software) = &self.config.software {
            request.attribute(AttributeType::SOFTWARE, software.as_bytes())?;
        }
        let signed = self.session.sign(request)?;
        request.fingerprint();
        Ok(signed)
    }

    /// The last Refresh: a lifetime of zero (RFC 8656 §8.1). Nobody waits for its answer.
    pub(super) fn goodbye(&mut self) -> Option<Vec<u8>> {
        let id = self.random.transaction_id();
        let mut octets = Vec::new();
        let mut request = MessageBuilder::new(&mut octets, Class::Request, Method::REFRESH, id);
        request
            .attribute(AttributeType::LIFETIME, &[0; 4])
            .and_then(|request| self.finish(request))
            .ok()?;
        Some(octets)
    }
}
