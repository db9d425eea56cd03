//! One side of a recorded handshake once more, with the datagrams of a flight in another order.

use core::ops::Range;
use std::time::Instant;

use ortc_dtls::{Event, Role};

use crate::kinds::Setup;
use crate::side::Side;

/// What a side was given.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A datagram, when it came, and the number of its flight.
    Datagram(Instant, usize, Vec<u8>),
    Timeout(Instant),
}

impl Step {
    const fn flight(&self) -> Option<usize> {
        match self {
            Self::Datagram(_, flight, _) => Some(*flight),
            Self::Timeout(_) => None,
        }
    }
}

/// What one side saw and did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    pub(crate) steps: Vec<Step>,
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) exported: [u8; 32],
    /// Application data of both sides afterwards.
    pub(crate) data_sent: Vec<u8>,
    pub(crate) data_came: Vec<u8>,
    pub(crate) quiet: Option<Instant>,
}

impl Recording {
    /// The flights that came: where each is among the steps.
    pub(crate) fn flights(&self) -> Vec<Range<usize>> {
        let mut flights = Vec::new();
        let mut begin = 0;
        for steps in self.steps.chunk_by(|a, b| a.flight() == b.flight()) {
            let end = begin + steps.len();
            if steps[0].flight().is_some() {
                flights.push(begin..end);
            }
            begin = end;
        }
        flights
    }

    /// Runs it again with one flight in this order: the side sends what it sent, octet for octet,
    /// is connected with the same keys, and is quiet. What the other side did is then what it
    /// would do.
    pub(crate) fn replay(&self, setup: &Setup, role: Role, flight: &Range<usize>, order: &[usize]) {
        let mut side = Side::new(setup, role);
        let mut sent = self.sent.iter();
        let mut connected = 0;
        let mut buffer = Vec::new();
        let mut drain = |side: &mut Side, now| {
            while let Some(contents) = side.poll_transmit(now) {
                assert_eq!(Some(&contents), sent.next(), "{role:?} {order:?}");
            }
            while let Some(event) = side.poll_event() {
                assert_eq!(event, Event::Connected, "{role:?} {order:?}");
                connected += 1;
            }
        };
        drain(&mut side, setup.origin);
        for place in 0..self.steps.len() {
            let from = if flight.contains(&place) {
                flight.start + order[place - flight.start]
            } else {
                place
            };
            let now = match &self.steps[from] {
                Step::Datagram(now, _, contents) => {
                    buffer.clear();
                    buffer.extend_from_slice(contents);
                    side.handle_datagram(&mut buffer, *now);
                    *now
                }
                Step::Timeout(now) => {
                    side.handle_timeout(*now);
                    *now
                }
            };
            drain(&mut side, now);
        }
        assert_eq!(connected, 1, "{role:?} {order:?}");
        assert_eq!(sent.next(), None, "{role:?} {order:?}");
        assert_eq!(side.export(), self.exported, "{role:?} {order:?}");
        let now = self.quiet.unwrap();
        assert_eq!(side.seal(now), self.data_sent, "{role:?} {order:?}");
        assert!(side.opens(&self.data_came, now), "{role:?} {order:?}");
        assert!(side.is_quiet(), "{role:?} {order:?}");
    }
}
