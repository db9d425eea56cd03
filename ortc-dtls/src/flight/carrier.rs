//! A flight as an outside carrier takes it: whole, and as often as it likes.

use std::time::Instant;

use super::{Flight, Timer};
use crate::crypto::CryptoError;
use crate::record::Outbound;

/// Who repeats flights until the peer has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carrier {
    /// The endpoint: in datagrams, by its timer.
    #[default]
    Datagrams,
    /// Somebody else, who looks at them with [`Endpoint::flight`](crate::Endpoint::flight).
    Outside,
}

/// Datagrams that were made once and are shown until something changes.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    octets: Vec<u8>,
    ends: Vec<usize>,
    /// What the flight was when they were made, and how long a datagram might be.
    made_of: Option<(u32, usize)>,
    /// An acknowledgement, and of which state of what it acknowledges.
    pub(crate) ack: Vec<u8>,
    pub(crate) ack_of: u32,
}

impl Carried {
    /// Those of the flight, in their order.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let starts = core::iter::once(0).chain(self.ends.iter().copied());
        let spans = starts.zip(self.ends.iter().copied());
        spans.map(|(start, end)| self.octets.get(start..end).unwrap_or_default())
    }
}

impl Flight {
    pub(crate) const fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// Changes whenever what is left to be received does.
    pub(crate) const fn generation(&self) -> u32 {
        self.generation
    }

    /// The same flight is to be shown in other records.
    pub(crate) const fn renew(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// Somebody else sends from now on, or the endpoint does again: at once, as the first time.
    pub(crate) fn carry(&mut self, by: Carrier, now: Instant) {
        let before = self.carrier;
        self.carrier = by;
        self.distrust();
        if before == Carrier::Outside && by == Carrier::Datagrams && !self.items.is_empty() {
            if let Some(timer) = &mut self.timer {
                *timer = Timer {
                    at: now + self.interval,
                    interval: self.interval,
                };
            }
            self.timeouts = 0;
            self.rewind(now);
        }
    }

    /// Makes the datagrams of what the peer has not acknowledged, unless that was done: what was
    /// protected is shown again as it is, and what is protected anew has other numbers.
    pub(crate) fn show(
        &mut self,
        outbound: &mut Outbound,
        mtu: usize,
        carried: &mut Carried,
    ) -> Result<(), CryptoError> {
        let made_of = Some((self.generation, mtu));
        if carried.made_of == made_of {
            return Ok(());
        }
        carried.octets.clear();
        carried.ends.clear();
        carried.made_of = made_of;
        let (item, offset) = (self.item, self.offset);
        (self.item, self.offset) = (0, 0);
        let mut outcome = Ok(());
        loop {
            match self.fill_datagram(outbound, mtu, &mut carried.octets) {
                Ok(true) => carried.ends.push(carried.octets.len()),
                Ok(false) => break,
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        (self.item, self.offset) = (item, offset);
        outcome
    }
}
