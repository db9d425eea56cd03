//! Deadlines of streams, ordered, so that the next one is known without asking any stream.

use std::collections::BTreeSet;
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

/// Deadlines in order. An owner whose deadline moves later need not say so: the entry fires, the
/// owner finds nothing due and sets the right one. Each owner has at most one entry, which it
/// remembers in [`Armed`]: an earlier deadline takes the place of a later one.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    entries: BTreeSet<(Instant, TimerKey)>,
}

/// The entry of one owner.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Armed(Option<Instant>);

impl Timers {
    /// Wants to be called at `at` or earlier.
    pub(crate) fn arm(&mut self, key: TimerKey, armed: &mut Armed, at: Option<Instant>) {
        let Some(at) = at else { return };
        match armed.0 {
            Some(earlier) if earlier <= at => return,
            Some(later) => {
                self.entries.remove(&(later, key));
            }
            None => {}
        }
        armed.0 = Some(at);
        self.entries.insert((at, key));
    }

    /// The owner is gone, and its entry with it.
    pub(crate) fn disarm(&mut self, key: TimerKey, armed: &mut Armed) {
        if let Some(at) = armed.0.take() {
            self.entries.remove(&(at, key));
        }
    }

    /// The next deadline.
    pub(crate) fn next(&self) -> Option<(Instant, TimerKey)> {
        self.entries.first().copied()
    }

    /// Takes one deadline that has passed.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, TimerKey)> {
        if self.entries.first()?.0 > now {
            return None;
        }
        self.entries.pop_first()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

impl Armed {
    /// Whether the entry that fired at `at` is the owner's, and not that of an earlier owner of its
    /// slot; if so it is used up.
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
    fn an_earlier_deadline_takes_the_place_of_a_later_one() {
        let (mut timers, mut armed) = (Timers::default(), Armed::default());
        let (t0, ms) = (origin(), Duration::from_millis);
        timers.arm(TimerKey::Receive(1), &mut armed, Some(t0 + ms(50)));
        timers.arm(TimerKey::Receive(1), &mut armed, Some(t0 + ms(20)));
        timers.arm(TimerKey::Receive(1), &mut armed, Some(t0 + ms(80)));

        let (first, _) = timers.pop_due(t0 + ms(100)).unwrap();
        assert_eq!(first, t0 + ms(20));
        assert!(armed.fired(first));
        assert_eq!(timers.pop_due(t0 + ms(100)), None);
    }

    /// A stream that loses packets has a near deadline for each gap, and always a far one: for
    /// its silence. None of them may leave something behind.
    #[test]
    fn an_owner_has_one_entry_however_often_its_deadline_comes_nearer() {
        let (mut timers, mut armed) = (Timers::default(), Armed::default());
        let (mut now, day) = (origin(), Duration::from_secs(86_400));
        for _ in 0..1_000 {
            let key = TimerKey::Receive(1);
            timers.arm(key, &mut armed, Some(now + day));
            timers.arm(key, &mut armed, Some(now + Duration::from_millis(20)));
            now += Duration::from_millis(50);
            while let Some((at, _)) = timers.pop_due(now) {
                assert!(armed.fired(at));
            }
        }
        timers.arm(TimerKey::Receive(1), &mut armed, Some(now + day));
        assert_eq!(timers.entries.len(), 1);
        timers.disarm(TimerKey::Receive(1), &mut armed);
        assert_eq!(timers.next(), None);
    }
}
