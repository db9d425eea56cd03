//! A STUN server with the NAT discovery usage of RFC 5780: two addresses, two ports.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;
use std::time::Instant;

use ortc_ice::stun::{AttributeType, Class, ErrorCode, Message, MessageBuilder, Method};

use super::wire::{plain_address, unknown, value_of};
use crate::net::Machine;

/// CHANGE-REQUEST (RFC 5780 §7.2).
pub const CHANGE_REQUEST: AttributeType = AttributeType(0x0003);
/// RESPONSE-ORIGIN (RFC 5780 §7.3).
pub const RESPONSE_ORIGIN: AttributeType = AttributeType(0x802B);
/// OTHER-ADDRESS (RFC 5780 §7.4).
pub const OTHER_ADDRESS: AttributeType = AttributeType(0x802C);

/// Flags of CHANGE-REQUEST.
const CHANGE_IP: u8 = 0x04;
const CHANGE_PORT: u8 = 0x02;

/// The server; it keeps nothing between two requests but its answers.
#[derive(Debug)]
pub struct StunServer {
    ips: Vec<IpAddr>,
    ports: [u16; 2],
    answers: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// How many requests it answered.
    pub answered: usize,
}

impl StunServer {
    /// A server on these addresses, each with both ports. RFC 5780 wants two addresses of a family;
    /// where there is one, nothing is said about another.
    #[must_use]
    pub const fn new(ips: Vec<IpAddr>, ports: [u16; 2]) -> Self {
        Self {
            ips,
            ports,
            answers: VecDeque::new(),
            answered: 0,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.ips
            .iter()
            .flat_map(|ip| self.ports.map(|port| SocketAddr::new(*ip, port)))
            .collect()
    }

    /// The other address of the same family and the other port.
    fn other(&self, local: SocketAddr) -> Option<SocketAddr> {
        let port = self.ports.iter().find(|port| **port != local.port())?;
        self.ips
            .iter()
            .find(|ip| ip.is_ipv4() == local.is_ipv4() && **ip != local.ip())
            .map(|ip| SocketAddr::new(*ip, *port))
    }

    fn answer(&mut self, local: SocketAddr, remote: SocketAddr, message: &Message<'_>) {
        let id = message.transaction_id();
        let mut out = Vec::new();
        let refused = unknown(message, &[CHANGE_REQUEST, AttributeType::USERNAME]);
        if !refused.is_empty() {
            let mut answer = MessageBuilder::new(&mut out, Class::Error, Method::BINDING, id);
            answer.error_code(ErrorCode::UNKNOWN_ATTRIBUTE).unwrap();
            answer.unknown_attributes(&refused).unwrap();
            answer.fingerprint();
            self.answers.push_back((local, remote, out));
            return;
        }
        let flags = value_of(message, CHANGE_REQUEST).and_then(|value| value.last());
        let flags = flags.copied().unwrap_or_default();
        let other = self.other(local);
        // RFC 5780 §6.1: from where the answer leaves.
        let mut origin = local;
        if let Some(other) = other {
            if flags & CHANGE_IP != 0 {
                origin.set_ip(other.ip());
            }
            if flags & CHANGE_PORT != 0 {
                origin.set_port(other.port());
            }
        }
        let mut answer = MessageBuilder::new(&mut out, Class::Success, Method::BINDING, id);
        answer.xor_mapped_address(remote);
        answer
            .attribute(AttributeType::MAPPED_ADDRESS, &plain_address(remote))
            .unwrap();
        answer
            .attribute(RESPONSE_ORIGIN, &plain_address(origin))
            .unwrap();
        if let Some(other) = other {
            answer
                .attribute(OTHER_ADDRESS, &plain_address(other))
                .unwrap();
        }
        answer.fingerprint();
        self.answered += 1;
        self.answers.push_back((origin, remote, out));
    }
}

impl Machine for StunServer {
    fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
        _: Instant,
    ) {
        if let Ok(message) = Message::parse(contents)
            && (message.class(), message.method()) == (Class::Request, Method::BINDING)
        {
            self.answer(local, remote, &message);
        }
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_transmit(&mut self, buf: &mut Vec<u8>, _: Instant) -> Option<(SocketAddr, SocketAddr)> {
        let (local, remote, contents) = self.answers.pop_front()?;
        buf.extend_from_slice(&contents);
        Some((local, remote))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
