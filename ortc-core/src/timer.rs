//! Deadlines of streams, ordered, so that the next one is known without asking any stream.

use core::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerKey {
    /// RTCP reports of the connection.
    Reports,
    /// The receiving stream in this slot.
    Receive(u32),
    /// The tones of the sending stream in this slot.
    Tones(u32),
}

/// A heap of deadlines. An owner whose deadline moves later need not say so: the entry fires, the
/// owner finds nothing due and sets the right one. Each owner keeps at most one entry by
/// remembering in [`Armed`] which one counts.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, TimerKey)>>,
}

/// The entry of one owner that counts; older ones are passed over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Armed(Option<Instant>);

impl Timers {
    /// Wants to be called at `at` or earlier.
    pub(crate) fn arm(&mut self, key: TimerKey, armed: &mut Armed, at: Option<Instant>) {
        let Some(at) = at else { return };
        if armed.0.is_none_or(|earlier| at < earlier) {
            armed.0 = Some(at);
            self.heap.push(Reverse((at, key)));
        }
    }

    /// The next deadline.
    pub(crate) fn next(&self) -> Option<(Instant, TimerKey)> {
        self.heap.peek().map(|Reverse(entry)| *entry)
    }

    /// Takes one deadline that has passed.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, TimerKey)> {
        if self.heap.peek()?.0.0 > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.heap.clear();
    }
}

impl Armed {
    /// Whether the entry that fired at `at` is the one that counts; if so it is used up.
    pub(crate) fn fired(&mut self, at: Instant) -> bool {
        let counts = self.0 == Some(at);
        if counts {
            self.0 = None;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
    fn origin() -> Instant {
        Instant::now()
    }

    #[test]
    fn an_earlier_deadline_replaces_a_later_one_and_the_later_entry_is_passed_over() {
        let (mut timers, mut armed) = (Timers::default(), Armed::default());
        let (t0, ms) = (origin(), Duration::from_millis);
        timers.arm(TimerKey::Receive(1), &mut armed, Some(t0 + ms(50)));
        timers.arm(TimerKey::Receive(1), &mut armed, Some(t0 + ms(20)));
        timers.arm(TimerKey::Receive(1), &mut armed, Some(t0 + ms(80)));

        let (first, _) = timers.pop_due(t0 + ms(100)).unwrap();
        assert_eq!(first, t0 + ms(20));
        assert!(armed.fired(first));
        let (second, _) = timers.pop_due(t0 + ms(100)).unwrap();
        assert!(!armed.fired(second), "the entry at 50 ms no longer counts");
        assert_eq!(timers.pop_due(t0 + ms(100)), None);
    }
}
