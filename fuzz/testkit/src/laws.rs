//! The laws that every machine of the workspace keeps, as checks over anything that the virtual
//! network can drive.

use core::net::SocketAddr;
use core::time::Duration;
use std::time::Instant;

use crate::net::{Machine, Net, Sent};

/// Wraps a machine and checks, at each call that the network makes, that the laws about time and
/// output hold.
#[derive(Debug)]
pub struct Lawful<M> {
    /// The machine.
    pub machine: M,
    /// How many calls were checked.
    pub checked: usize,
}

impl<M> Lawful<M> {
    /// The machine, under observation.
    #[must_use]
    pub const fn new(machine: M) -> Self {
        Self {
            machine,
            checked: 0,
        }
    }
}

impl<M: Machine> Lawful<M> {
    /// Takes everything out that waits; says how many datagrams there were.
    fn outputs(&mut self, now: Instant) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        let mut sent = Vec::new();
        let mut buf = Vec::new();
        while let Some((local, remote)) = self.machine.poll_transmit(&mut buf, now) {
            sent.push((local, remote, core::mem::take(&mut buf)));
            assert!(sent.len() < 10_000, "polling never ends");
        }
        sent
    }
}

impl<M: Machine> Machine for Lawful<M> {
    fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
        now: Instant,
    ) {
        self.machine.handle_datagram(local, remote, contents, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        let before = self.machine.poll_timeout();
        assert!(
            before.is_some_and(|at| at <= now),
            "the network calls only when something is due"
        );
        self.machine.handle_timeout(now);
        self.checked += 1;
    }

    fn poll_transmit(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let due = self.machine.poll_timeout();
        let start = buf.len();
        let sent = self.machine.poll_transmit(buf, now);
        match sent {
            Some(_) => {
                assert!(buf.len() > start, "a datagram has octets");
                assert!(
                    due.is_some_and(|at| at <= now),
                    "output was queued but not due"
                );
            }
            None => assert_eq!(
                buf.len(),
                start,
                "nothing was sent, yet something was written"
            ),
        }
        sent
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.machine.poll_timeout()
    }
}

/// Early and repeated calls of `handle_timeout` do nothing: nothing to send appears, and the
/// deadline stays. The machine must be drained before, and hears of times up to its deadline.
pub fn early_timeouts_do_nothing<M: Machine>(machine: &mut Lawful<M>, now: Instant) {
    let Some(deadline) = machine.poll_timeout().filter(|at| *at > now) else {
        return;
    };
    let early = now + (deadline - now) / 2;
    repeated_timeouts_do_nothing(machine, &[now, early, early]);
    repeated_timeouts_do_nothing(machine, &[deadline - Duration::from_nanos(1)]);
}

/// Calls at these instants, all before the deadline, do nothing.
pub fn repeated_timeouts_do_nothing<M: Machine>(machine: &mut Lawful<M>, instants: &[Instant]) {
    let Some(deadline) = machine.poll_timeout() else {
        return;
    };
    for at in instants.iter().copied().filter(|at| *at < deadline) {
        machine.machine.handle_timeout(at);
        assert_eq!(
            machine.machine.poll_timeout(),
            Some(deadline),
            "an early call moved the deadline"
        );
        assert!(
            machine.outputs(at).is_empty(),
            "an early call made something to send"
        );
    }
}

/// After a due call the deadline has moved later, or output waits, within a bounded number of
/// calls.
pub fn due_timeouts_progress<M: Machine>(machine: &mut Lawful<M>) {
    let Some(deadline) = machine.poll_timeout() else {
        return;
    };
    for _ in 0..64 {
        machine.machine.handle_timeout(deadline);
        let sent = machine.outputs(deadline).len();
        match machine.poll_timeout() {
            Some(next) if next <= deadline => {
                assert!(sent > 0, "a due call changed nothing");
            }
            Some(_) | None => return,
        }
    }
    panic!("the deadline stays due for ever");
}

/// A closed machine has one last round of output, then no deadline; whatever comes is ignored.
pub fn closed_is_final<M: Machine>(
    machine: &mut Lawful<M>,
    local: SocketAddr,
    remote: SocketAddr,
    inputs: &[Vec<u8>],
    now: Instant,
) {
    if machine.poll_timeout().is_some() {
        assert!(
            machine.poll_timeout().is_some_and(|at| at <= now),
            "what must still leave is due"
        );
    }
    machine.outputs(now);
    for (later, input) in (0..).zip(inputs) {
        let at = now + Duration::from_millis(later);
        machine
            .machine
            .handle_datagram(local, remote, &mut input.clone(), at);
        machine.machine.handle_timeout(at);
        assert!(machine.outputs(at).is_empty(), "a closed machine answered");
        assert_eq!(
            machine.poll_timeout(),
            None,
            "a closed machine has a deadline"
        );
    }
    machine
        .machine
        .handle_timeout(now + Duration::from_secs(3_600));
    assert!(machine.outputs(now + Duration::from_secs(3_600)).is_empty());
    assert_eq!(machine.poll_timeout(), None);
}

/// The same story told twice sends the same datagrams at the same times. `same` compares one
/// datagram of each telling, for stories in which some octets are not from the seed.
pub fn replay_is_exact<M: Machine>(
    story: impl Fn() -> Net<M>,
    same: impl Fn(&Sent, &Sent) -> bool,
) {
    let (first, second) = (story(), story());
    assert_eq!(first.log.len(), second.log.len(), "as many datagrams");
    let origin = |net: &Net<M>| net.now() - net.elapsed();
    let (start, again) = (origin(&first), origin(&second));
    for (a, b) in first.log.iter().zip(&second.log) {
        assert_eq!(a.at - start, b.at - again, "at the same time");
        assert!(same(a, b), "the same octets to the same place");
    }
    assert!(first.log.len() > 10, "the story sends something");
}
