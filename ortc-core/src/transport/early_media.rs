//! SRTP that came before there were keys to open it with: the peer finished the handshake first,
//! or nobody has said yet whose certificate it should be.

use std::collections::VecDeque;

/// Datagrams held.
pub(crate) const MAX_DATAGRAMS: usize = 64;
/// Octets held.
pub(crate) const MAX_OCTETS: usize = 96 << 10;

/// Still encrypted, and only from paths that an authenticated check came from.
#[derive(Debug, Default)]
pub(crate) struct EarlyMedia {
    datagrams: VecDeque<Vec<u8>>,
    octets: usize,
}

impl EarlyMedia {
    /// Keeps a datagram; says no when the bound is reached.
    pub(crate) fn push(&mut self, datagram: &[u8]) -> bool {
        let fits =
            self.datagrams.len() < MAX_DATAGRAMS && self.octets + datagram.len() <= MAX_OCTETS;
        if fits {
            self.octets += datagram.len();
            self.datagrams.push_back(datagram.to_vec());
        }
        fits
    }

    /// All of them, in the order of their arrival.
    pub(crate) fn take(&mut self) -> VecDeque<Vec<u8>> {
        self.octets = 0;
        core::mem::take(&mut self.datagrams)
    }
}
