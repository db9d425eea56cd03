//! What a gate counts.

use super::{GateDrop, Verdict};

const REASONS: usize = GateDrop::Sequence as usize + 1;

/// A snapshot of what a gate counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GateStats {
    /// Clients let in: their cookies counted.
    pub admitted: u64,
    /// Cookies issued.
    pub asked: u64,
    /// Hellos answered with an alert.
    pub refused: u64,
    /// Cookies that did not count: of another address or hello, too old, or of a secret that is
    /// gone. In DTLS 1.2 the client is asked again, in DTLS 1.3 it is refused.
    pub cookies_refused: u64,
    /// Fragments kept until the rest comes.
    pub waiting: u64,
    dropped: [u64; REASONS],
}

impl GateStats {
    /// Datagrams dropped for this reason.
    #[must_use]
    pub fn dropped(&self, reason: GateDrop) -> u64 {
        self.dropped
            .get(reason as usize)
            .copied()
            .unwrap_or_default()
    }

    /// The sum over all reasons.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    pub(super) fn count(&mut self, verdict: &Verdict) {
        let counter = match verdict {
            Verdict::Admit(_) => &mut self.admitted,
            Verdict::Ask(_) => &mut self.asked,
            Verdict::Refuse(..) => &mut self.refused,
            Verdict::Wait => &mut self.waiting,
            Verdict::Drop(reason) => match self.dropped.get_mut(*reason as usize) {
                Some(counter) => counter,
                None => return,
            },
        };
        *counter += 1;
    }
}
