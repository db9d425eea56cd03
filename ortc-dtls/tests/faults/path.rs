//! Client and server in virtual time over a path that does to each datagram what a plan says.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::crypto::Provider;
use ortc_dtls::{
    Certificate, CertificateConfig, Config, CookieGate, Endpoint, Event, HashAlgorithm, Role,
    Verdict, Version,
};

use crate::cheap::Cheap;

/// The first interval of the timer.
pub(crate) const FIRST: Duration = Duration::from_millis(50);
/// What is late by this has been sent again before it comes.
pub(crate) const LATE: Duration = Duration::from_millis(70);
/// What is late by this is overtaken by what was sent right after it.
const OVERTAKEN: Duration = Duration::from_millis(5);

/// Arrivals and time-outs after which a run is one without end.
const STEPS: usize = 1000;

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

/// What the path does, besides delivering everything after a trip.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plan<'a> {
    /// The datagram with this number, of all that both sides send, suffers this.
    Faults(&'a [(usize, Fault)]),
    /// The datagrams of the flight with this number, of all that both sides send, arrive in this
    /// order.
    Order(usize, &'a [usize]),
}

/// How a server asks for a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    Never,
    /// The endpoint keeps the first hello.
    Endpoint,
    /// Nothing is kept.
    Gate,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    version: Version,
    cookie: Cookie,
}

pub(crate) const KINDS: [Kind; 5] = [
    Kind {
        name: "1.2",
        version: Version::DTLS12,
        cookie: Cookie::Never,
    },
    Kind {
        name: "1.2, HelloVerifyRequest",
        version: Version::DTLS12,
        cookie: Cookie::Gate,
    },
    Kind {
        name: "1.3",
        version: Version::DTLS13,
        cookie: Cookie::Never,
    },
    Kind {
        name: "1.3, HelloRetryRequest",
        version: Version::DTLS13,
        cookie: Cookie::Endpoint,
    },
    Kind {
        name: "1.3, HelloRetryRequest without state",
        version: Version::DTLS13,
        cookie: Cookie::Gate,
    },
];

/// What the certificates come with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Issuers {
    None,
    Two,
}

/// What the handshakes of one kind have in common.
pub(crate) struct Setup {
    configs: [Arc<Config>; 2],
    mtu: usize,
    cookie: Cookie,
    /// How long a datagram takes.
    trip: Duration,
    origin: Instant,
}

/// A certificate, and what it is sent with.
fn certificate(issuers: Issuers, provider: &Arc<dyn Provider>) -> Certificate {
    let config = CertificateConfig::default();
    let [(own, key), one, other] =
        [(); 3].map(|()| Certificate::generate_with(provider, &config).unwrap());
    let chain = [own.der(), one.0.der(), other.0.der()];
    match issuers {
        Issuers::None => own,
        Issuers::Two => Certificate::from_chain(&chain, &key, provider).unwrap(),
    }
}

impl Setup {
    pub(crate) fn new(kind: Kind, mtu: usize, trip: Duration, issuers: Issuers) -> Self {
        let provider: Arc<dyn Provider> = Arc::new(Cheap::new());
        let certificates = [(); 2].map(|()| certificate(issuers, &provider));
        let configs = [0, 1].map(|me: usize| {
            let peer = certificates[1 - me].fingerprint(HashAlgorithm::Sha256);
            let config = Config::new(certificates[me].clone(), provider.clone())
                .versions(&[kind.version])
                .unwrap()
                .mtu(mtu)
                .unwrap()
                .retransmission(FIRST, Duration::from_secs(60))
                .unwrap()
                .cookie_exchange(kind.cookie == Cookie::Endpoint)
                .expected_fingerprints(vec![peer]);
            Arc::new(config)
        });
        Self {
            configs,
            mtu,
            cookie: kind.cookie,
            trip,
            origin: crate::pair::origin(),
        }
    }

    /// Connects, and goes on until nothing is on its way and nobody waits for anything.
    pub(crate) fn run(&self, plan: Plan<'_>) -> Outcome {
        let mut run = Run::new(self, plan);
        run.finish();
        run.verify();
        run.outcome
    }
}

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

/// A server, from its first datagram on.
enum Server {
    Gate(Box<CookieGate>, VecDeque<Vec<u8>>),
    Endpoint(Box<Endpoint>),
}

struct Flying {
    at: Instant,
    order: usize,
    to: Role,
    contents: Vec<u8>,
}

struct Run<'a> {
    plan: Plan<'a>,
    setup: &'a Setup,
    client: Endpoint,
    server: Server,
    origin: Instant,
    now: Instant,
    flying: Vec<Flying>,
    outcome: Outcome,
}

impl<'a> Run<'a> {
    fn new(setup: &'a Setup, plan: Plan<'a>) -> Self {
        let [client, server] = setup.configs.clone();
        let now = setup.origin;
        let first = match setup.cookie {
            Cookie::Gate => {
                // Where a hello does not fit one datagram, it is put together.
                let gate = CookieGate::new(server, now).unwrap().reassemble(1);
                Server::Gate(Box::new(gate), VecDeque::new())
            }
            Cookie::Never | Cookie::Endpoint => {
                Server::Endpoint(Box::new(Endpoint::new(server, Role::Server, now)))
            }
        };
        Self {
            plan,
            setup,
            client: Endpoint::new(client, Role::Client, now),
            server: first,
            origin: now,
            now,
            flying: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    fn endpoint(&mut self, role: Role) -> Option<&mut Endpoint> {
        match (role, &mut self.server) {
            (Role::Client, _) => Some(&mut self.client),
            (Role::Server, Server::Endpoint(endpoint)) => Some(endpoint),
            (Role::Server, Server::Gate(..)) => None,
        }
    }

    fn finish(&mut self) {
        for _ in 0..STEPS {
            for role in [Role::Client, Role::Server] {
                self.transmit(role);
            }
            let timers = [Role::Client, Role::Server]
                .map(|role| self.endpoint(role).and_then(|side| side.poll_timeout()));
            let next = self.flying.iter().map(|flying| (flying.at, flying.order));
            let next = next.enumerate().min_by_key(|(_, key)| *key);
            let timer = timers.into_iter().flatten().min();
            match (next, timer) {
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
                    for role in [Role::Client, Role::Server] {
                        if let Some(side) = self.endpoint(role) {
                            side.handle_timeout(at);
                        }
                    }
                }
                (_, None) => {
                    self.outcome.quiet = self.now - self.origin;
                    return;
                }
            }
        }
        panic!("no end: {:?}", self.plan);
    }

    fn transmit(&mut self, role: Role) {
        let now = self.now;
        let mut flight = Vec::new();
        loop {
            let mut contents = Vec::new();
            let taken = match self.endpoint(role) {
                Some(side) => side.poll_transmit(&mut contents, now).is_some(),
                None => match &mut self.server {
                    Server::Gate(_, answers) => {
                        contents = answers.pop_front().unwrap_or_default();
                        !contents.is_empty()
                    }
                    Server::Endpoint(_) => false,
                },
            };
            if !taken {
                break;
            }
            flight.push(contents);
        }
        if !flight.is_empty() {
            self.send(role, flight);
        }
        while let Some(event) = self.endpoint(role).and_then(Endpoint::poll_event) {
            assert_eq!(event, Event::Connected, "{:?}", self.plan);
            let at = now - self.origin;
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
        for (place, contents) in flight.into_iter().enumerate() {
            assert!(contents.len() <= self.setup.mtu);
            let mut order = before + place;
            let copies = match self.plan {
                Plan::Faults(faults) => faults
                    .iter()
                    .find(|(index, _)| *index == before + place)
                    .map_or(&[Duration::ZERO][..], |(_, fault)| fault.copies()),
                Plan::Order(flight, places) => {
                    if flight == number {
                        order = before + places.iter().position(|&at| at == place).unwrap();
                    }
                    &[Duration::ZERO]
                }
            };
            for &late in copies {
                self.flying.push(Flying {
                    at: self.now + self.setup.trip + late,
                    order,
                    to,
                    contents: contents.clone(),
                });
            }
        }
    }

    fn deliver(&mut self, mut flying: Flying) {
        let now = self.now;
        if let Some(side) = self.endpoint(flying.to) {
            side.handle_datagram(&mut flying.contents, now);
            return;
        }
        let Server::Gate(gate, answers) = &mut self.server else {
            return;
        };
        let mut answer = Vec::new();
        match gate.admit(b"client", &flying.contents, now, &mut answer) {
            Verdict::Ask(_) => answers.push_back(answer),
            Verdict::Admit(admission) => {
                let config = self.setup.configs[1].clone();
                let endpoint = Endpoint::accept(config, admission, now);
                self.server = Server::Endpoint(Box::new(endpoint));
            }
            Verdict::Wait => {}
            other @ (Verdict::Refuse(..) | Verdict::Drop(_)) => panic!("{other:?}"),
        }
    }

    /// Both are connected with the same keys, and data goes both ways.
    fn verify(&mut self) {
        let plan = self.plan;
        assert!(
            self.outcome.connected.iter().all(Option::is_some),
            "{plan:?}"
        );
        let Server::Endpoint(server) = &mut self.server else {
            panic!("nobody was let in");
        };
        let sides = [&mut self.client, server];
        let exports = [0, 1].map(|me: usize| {
            let mut out = [0; 32];
            sides[me]
                .export_keying_material("EXPORTER-test", None, &mut out)
                .unwrap();
            out
        });
        assert_eq!(exports[0], exports[1], "{plan:?}");
        for (from, to) in [(0, 1), (1, 0)] {
            let mut record = Vec::new();
            sides[from].send(b"data", self.now).unwrap();
            sides[from].poll_transmit(&mut record, self.now).unwrap();
            sides[to].handle_datagram(&mut record, self.now);
            let data = Event::ApplicationData(b"data".as_slice().into());
            assert_eq!(sides[to].poll_event(), Some(data), "{plan:?}");
        }
        for side in sides {
            self.outcome.retransmissions += side.stats().retransmissions;
            assert_eq!(side.poll_timeout(), None, "{plan:?}");
            assert_eq!(side.held_octets(), 0, "{plan:?}");
        }
    }
}
