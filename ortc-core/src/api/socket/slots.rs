//! One `Ta` for all agents of a socket (RFC 8445 §14.2), wherever they live.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

/// Slots that somebody who was called late may catch up on.
const CATCH_UP: u32 = 8;

/// The next free slot. Connections on other threads take it in turn, without a lock: each holds at
/// most one, and takes the next one behind everybody else's, so that slots go round. Driven from
/// one thread it is as deterministic as everything else.
#[derive(Clone, Debug)]
pub(crate) struct SlotClock {
    origin: Instant,
    ta: Duration,
    /// Nanoseconds from the origin to the next free slot.
    next: Arc<AtomicU64>,
}

impl SlotClock {
    pub(super) fn new(ta: Duration, now: Instant) -> Self {
        Self {
            origin: now,
            ta,
            next: Arc::default(),
        }
    }

    /// Takes the first free slot that is not before `from`.
    fn take(&self, from: Instant) -> Instant {
        let from = nanoseconds(from.saturating_duration_since(self.origin));
        let ta = nanoseconds(self.ta);
        let after = |next: u64| Some(next.max(from).saturating_add(ta));
        // Only this one value is shared, so nothing has to be ordered against it.
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let before = self.next.fetch_update(set, fetch, after);
        let slot = before.unwrap_or_else(|unchanged| unchanged).max(from);
        self.origin + Duration::from_nanos(slot)
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// One connection's share of the slots.
#[derive(Debug)]
pub(crate) struct Slots {
    clock: SlotClock,
    taken: Option<Instant>,
}

impl Slots {
    pub(crate) fn new(clock: SlotClock) -> Self {
        Self { clock, taken: None }
    }

    /// When the slot comes that this connection has taken.
    pub(crate) fn taken(&self) -> Option<Instant> {
        self.taken
    }

    /// Uses slots as they come, as long as `agent` wants them: `grant` sends one check and says
    /// whether another one waits.
    pub(crate) fn run(&mut self, mut wants: bool, now: Instant, mut grant: impl FnMut() -> bool) {
        let mut from = now;
        while wants {
            let clock = &self.clock;
            let slot = *self.taken.get_or_insert_with(|| clock.take(from));
            if slot > now {
                return;
            }
            wants = grant();
            self.taken = None;
            let missed = now.checked_sub(self.clock.ta * CATCH_UP);
            from = missed.map_or(slot, |missed| missed.max(slot));
        }
        self.taken = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TA: Duration = Duration::from_millis(5);

    #[expect(clippy::disallowed_methods, reason = "the arbitrary origin of a test")]
    fn clock() -> (SlotClock, Instant) {
        let now = Instant::now();
        (SlotClock::new(TA, now), now)
    }

    #[test]
    fn slots_of_all_connections_are_ta_apart_and_go_round() {
        let (clock, start) = clock();
        let mut all: Vec<_> = (0..3).map(|_| Slots::new(clock.clone())).collect();
        let mut sent = Vec::new();
        for step in 0..60 {
            let now = start + Duration::from_millis(step);
            for (index, slots) in all.iter_mut().enumerate() {
                slots.run(true, now, || {
                    sent.push((now - start, index));
                    true
                });
            }
        }
        // The first is served and has taken its next slot before the others come.
        let turns = [0, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1];
        let expected: Vec<_> = (0..).map(|slot| TA * slot).zip(turns).collect();
        assert_eq!(sent, expected);
    }

    #[test]
    fn who_is_called_late_catches_up_on_a_bounded_number_of_slots() {
        let (clock, start) = clock();
        let mut slots = Slots::new(clock);
        let mut sent = 0;
        for step in [0_u64, 20, 40, 10_000] {
            slots.run(true, start + Duration::from_millis(step), || {
                sent += 1;
                true
            });
            let expected = match step {
                0 => 1,
                20 => 5,
                40 => 9,
                // The slot that it held, eight that it missed and the present one.
                _ => 9 + 1 + 8 + 1,
            };
            assert_eq!(sent, expected, "{step}");
        }
    }

    #[test]
    fn who_wants_nothing_holds_no_slot() {
        let (clock, start) = clock();
        let (mut one, mut other) = (Slots::new(clock.clone()), Slots::new(clock));
        one.run(true, start, || true);
        assert_eq!(one.taken(), Some(start + TA));
        one.run(false, start, || true);
        assert_eq!(one.taken(), None);
        other.run(true, start + TA * 9, || false);
        assert_eq!(other.taken(), None, "its one check left at once");
    }

    #[test]
    fn threads_never_share_a_slot() {
        let (clock, start) = clock();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let clock = clock.clone();
                std::thread::spawn(move || {
                    (0..1_000).map(|_| clock.take(start)).collect::<Vec<_>>()
                })
            })
            .collect();
        let mut all: Vec<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        all.sort_unstable();
        assert_eq!(all.len(), 4_000);
        assert!(all.windows(2).all(|pair| pair[1] - pair[0] == TA));
    }
}
