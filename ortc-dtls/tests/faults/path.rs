//! Client and server in virtual time over a path that does to each datagram what a plan says.

use core::time::Duration;
use std::time::Instant;

use ortc_dtls::{Event, Role};

use crate::kinds::Setup;
use crate::replay::{Recording, Step};
use crate::side::Side;

/// What is late by this has been sent again before it comes.
pub(crate) const LATE: Duration = Duration::from_millis(70);
/// What is late by this is overtaken by what was sent right after it.
const OVERTAKEN: Duration = Duration::from_millis(5);

/// Arrivals and time-outs after which a run is one without end.
const STEPS: usize = 1000;

pub(crate) const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// What happens to one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Lost,
    /// Its copy comes with it.
    Twice,
    /// Its copy comes after the repetitions.
    TwiceLate,
    Late,
    Overtaken,
}

pub(crate) const FAULTS: [Fault; 5] = [
    Fault::Lost,
    Fault::Twice,
    Fault::TwiceLate,
    Fault::Late,
    Fault::Overtaken,
];

impl Fault {
    /// By how much the copies of a datagram are late.
    const fn copies(self) -> &'static [Duration] {
        match self {
            Self::Lost => &[],
            Self::Twice => &[Duration::ZERO, Duration::ZERO],
            Self::TwiceLate => &[Duration::ZERO, LATE],
            Self::Late => &[LATE],
            Self::Overtaken => &[OVERTAKEN],
        }
    }
}

/// The datagrams with these numbers, of all that both sides send, suffer this; everything else is
/// delivered after a trip.
pub(crate) type Plan<'a> = &'a [(usize, Fault)];

/// What a handshake took.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Until each side was connected.
    pub(crate) connected: [Option<Duration>; 2],
    /// Until nothing happened any more.
    pub(crate) quiet: Duration,
    /// Datagrams of each flight, of both sides.
    pub(crate) flights: Vec<usize>,
    pub(crate) retransmissions: u64,
}

impl Outcome {
    pub(crate) fn sent(&self) -> usize {
        self.flights.iter().sum()
    }

    /// Until both sides were connected.
    pub(crate) fn elapsed(&self) -> Duration {
        self.connected.into_iter().flatten().max().unwrap()
    }
}

struct Flying {
    at: Instant,
    order: usize,
    flight: usize,
    to: Role,
    contents: Vec<u8>,
}

/// Connects, and goes on until nothing is on its way and nobody waits for anything.
pub(crate) fn run(setup: &Setup, plan: Plan<'_>) -> Outcome {
    let mut run = Run::new(setup, plan);
    run.finish();
    run.verify();
    run.outcome
}

/// What each side of a handshake without faults sees and does.
pub(crate) fn record(setup: &Setup) -> [Recording; 2] {
    let mut run = Run::new(setup, &[]);
    run.recordings = Some(Default::default());
    run.finish();
    run.verify();
    assert_eq!(run.outcome.retransmissions, 0);
    run.recordings.unwrap()
}

struct Run<'a> {
    plan: Plan<'a>,
    setup: &'a Setup,
    sides: [Side; 2],
    now: Instant,
    flying: Vec<Flying>,
    outcome: Outcome,
    recordings: Option<[Recording; 2]>,
}

impl<'a> Run<'a> {
    fn new(setup: &'a Setup, plan: Plan<'a>) -> Self {
        Self {
            plan,
            setup,
            sides: ROLES.map(|role| Side::new(setup, role)),
            now: setup.origin,
            flying: Vec::new(),
            outcome: Outcome::default(),
            recordings: None,
        }
    }

    fn elapsed(&self) -> Duration {
        self.now - self.setup.origin
    }

    fn finish(&mut self) {
        for _ in 0..STEPS {
            for role in ROLES {
                self.transmit(role);
            }
            let next = self.flying.iter().map(|flying| (flying.at, flying.order));
            let next = next.enumerate().min_by_key(|(_, key)| *key);
            let timers = self.sides.iter().filter_map(Side::poll_timeout);
            match (next, timers.min()) {
                // What comes when a timer ends comes in time.
                (Some((index, (at, _))), timer) if timer.is_none_or(|timer| at <= timer) => {
                    assert!(at >= self.now);
                    self.now = at;
                    let flying = self.flying.swap_remove(index);
                    self.deliver(flying);
                }
                (_, Some(at)) => {
                    assert!(at >= self.now, "a deadline in the past");
                    self.now = at;
                    for role in ROLES {
                        self.note(role, Step::Timeout(at));
                        self.sides[role as usize].handle_timeout(at);
                    }
                }
                (_, None) => {
                    self.outcome.quiet = self.elapsed();
                    return;
                }
            }
        }
        panic!("no end: {:?}", self.plan);
    }

    fn transmit(&mut self, role: Role) {
        let now = self.now;
        let side = &mut self.sides[role as usize];
        let flight: Vec<Vec<u8>> = core::iter::from_fn(|| side.poll_transmit(now)).collect();
        let events: Vec<Event> = core::iter::from_fn(|| side.poll_event()).collect();
        if !flight.is_empty() {
            self.send(role, flight);
        }
        for event in events {
            assert_eq!(event, Event::Connected, "{:?}", self.plan);
            let at = self.elapsed();
            assert_eq!(self.outcome.connected[role as usize].replace(at), None);
        }
    }

    fn send(&mut self, from: Role, flight: Vec<Vec<u8>>) {
        let to = match from {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        let before = self.outcome.sent();
        let number = self.outcome.flights.len();
        self.outcome.flights.push(flight.len());
        if let Some(recordings) = &mut self.recordings {
            recordings[from as usize].sent.extend_from_slice(&flight);
        }
        for (place, contents) in flight.into_iter().enumerate() {
            assert!(contents.len() <= self.setup.mtu);
            let order = before + place;
            let mut faults = self.plan.iter();
            let copies = faults
                .find(|(index, _)| *index == order)
                .map_or(&[Duration::ZERO][..], |(_, fault)| fault.copies());
            for &late in copies {
                self.flying.push(Flying {
                    at: self.now + self.setup.trip + late,
                    order,
                    flight: number,
                    to,
                    contents: contents.clone(),
                });
            }
        }
    }

    fn deliver(&mut self, mut flying: Flying) {
        if self.recordings.is_some() {
            let (at, flight) = (flying.at, flying.flight);
            let contents = flying.contents.clone();
            self.note(flying.to, Step::Datagram(at, flight, contents));
        }
        self.sides[flying.to as usize].handle_datagram(&mut flying.contents, self.now);
    }

    fn note(&mut self, role: Role, step: Step) {
        if let Some(recordings) = &mut self.recordings {
            recordings[role as usize].steps.push(step);
        }
    }

    /// Both are connected with the same keys, and data goes both ways.
    fn verify(&mut self) {
        let (plan, now) = (self.plan, self.now);
        assert!(
            self.outcome.connected.iter().all(Option::is_some),
            "{plan:?}"
        );
        let exports = [0, 1].map(|me: usize| self.sides[me].export());
        assert_eq!(exports[0], exports[1], "{plan:?}");
        let records = [0, 1].map(|me: usize| self.sides[me].seal(now));
        for me in [0, 1] {
            assert!(self.sides[me].opens(&records[1 - me], now), "{plan:?}");
            assert!(self.sides[me].is_quiet(), "{plan:?}");
            self.outcome.retransmissions += self.sides[me].endpoint().stats().retransmissions;
        }
        if let Some(recordings) = &mut self.recordings {
            for (me, recording) in recordings.iter_mut().enumerate() {
                recording.exported = exports[me];
                recording.data_sent = records[me].clone();
                recording.data_came = records[1 - me].clone();
                recording.quiet = Some(now);
            }
        }
    }
}
