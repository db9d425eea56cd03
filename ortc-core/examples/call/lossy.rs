//! A UDP socket that loses what it should send, to see how the call copes.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::io;

use mio::net::UdpSocket;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// A socket and the fate of its datagrams. With both ends of a call behind one, loss goes both ways.
pub(crate) struct LossySocket {
    socket: UdpSocket,
    fate: ChaCha20Rng,
    /// Probability of loss, in 1/2^32.
    loss: u64,
    pub(crate) lost: Lost,
}

/// Datagrams lost on purpose, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lost {
    pub(crate) stun: u64,
    pub(crate) dtls: u64,
    pub(crate) rtcp: u64,
    /// By SSRC, which SRTP leaves readable.
    pub(crate) rtp: BTreeMap<u32, u64>,
}

impl LossySocket {
    /// Loses `percent` of what is sent, chosen by the seed.
    pub(crate) fn new(socket: UdpSocket, percent: f64, seed: [u8; 32]) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a percentage of 2^32 fits 64 bits"
        )]
        let loss = (percent.clamp(0.0, 100.0) / 100.0 * 4_294_967_296.0) as u64;
        Self {
            socket,
            fate: ChaCha20Rng::from_seed(seed),
            loss,
            lost: Lost::default(),
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next datagram; `WouldBlock` when none waits.
    pub(crate) fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.recv_from(buf)
    }

    /// Sends a datagram, or not. A full socket buffer loses it too, as any network would.
    pub(crate) fn send_to(&mut self, datagram: &[u8], to: SocketAddr) {
        if u64::from(self.fate.next_u32()) < self.loss {
            self.lost.count(datagram);
        } else if let Err(error) = self.socket.send_to(datagram, to) {
            eprintln!("a datagram to {to} was not sent: {error}");
        }
    }
}

impl Lost {
    /// RFC 7983 §7 for the protocol, RFC 5761 §4 for RTCP.
    fn count(&mut self, datagram: &[u8]) {
        match datagram {
            [0..=3, ..] => self.stun += 1,
            [20..=63, ..] => self.dtls += 1,
            [_, 192..=223, ..] => self.rtcp += 1,
            [_, _, _, _, _, _, _, _, a, b, c, d, ..] => {
                let ssrc = u32::from_be_bytes([*a, *b, *c, *d]);
                *self.rtp.entry(ssrc).or_default() += 1;
            }
            _ => {}
        }
    }
}
