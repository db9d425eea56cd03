//! One side of a handshake, from its first datagram on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::{Config, CookieGate, Endpoint, Event, Role, Verdict};

use crate::kinds::{Cookie, Setup};

pub(crate) enum Side {
    Endpoint(Box<Endpoint>),
    /// A server before it keeps anything.
    Gate {
        gate: Box<CookieGate>,
        config: Arc<Config>,
        answers: VecDeque<Vec<u8>>,
    },
}

impl Side {
    pub(crate) fn new(setup: &Setup, role: Role) -> Self {
        let config = setup.begin(role);
        let now = setup.origin;
        if role == Role::Client || setup.cookie != Cookie::Gate {
            return Self::Endpoint(Box::new(Endpoint::new(config, role, now)));
        }
        // Where a hello does not fit one datagram, it is put together.
        let gate = CookieGate::new(config.clone(), now).unwrap().reassemble(1);
        Self::Gate {
            gate: Box::new(gate),
            config,
            answers: VecDeque::new(),
        }
    }

    /// What it has become.
    pub(crate) fn endpoint(&mut self) -> &mut Endpoint {
        match self {
            Self::Endpoint(endpoint) => endpoint,
            Self::Gate { .. } => panic!("nobody was let in"),
        }
    }

    pub(crate) fn handle_datagram(&mut self, contents: &mut [u8], now: Instant) {
        let (gate, config, answers) = match self {
            Self::Endpoint(endpoint) => {
                endpoint.handle_datagram(contents, now);
                return;
            }
            Self::Gate {
                gate,
                config,
                answers,
            } => (gate, config, answers),
        };
        let mut answer = Vec::new();
        match gate.admit(b"client", contents, now, &mut answer) {
            Verdict::Ask(_) => answers.push_back(answer),
            Verdict::Admit(admission) => {
                let endpoint = Endpoint::accept(config.clone(), admission, now);
                *self = Self::Endpoint(Box::new(endpoint));
            }
            Verdict::Wait => {}
            other @ (Verdict::Refuse(..) | Verdict::Drop(_)) => panic!("{other:?}"),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Endpoint(endpoint) => endpoint.handle_timeout(now),
            Self::Gate { .. } => {}
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Endpoint(endpoint) => endpoint.poll_timeout(),
            Self::Gate { .. } => None,
        }
    }

    pub(crate) fn poll_transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        match self {
            Self::Endpoint(endpoint) => {
                let mut contents = Vec::new();
                endpoint.poll_transmit(&mut contents, now)?;
                Some(contents)
            }
            Self::Gate { answers, .. } => answers.pop_front(),
        }
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        match self {
            Self::Endpoint(endpoint) => endpoint.poll_event(),
            Self::Gate { .. } => None,
        }
    }

    /// Keying material of one who is connected.
    pub(crate) fn export(&mut self) -> [u8; 32] {
        let mut out = [0; 32];
        self.endpoint()
            .export_keying_material("EXPORTER-test", None, &mut out)
            .unwrap();
        out
    }

    /// A record with application data.
    pub(crate) fn seal(&mut self, now: Instant) -> Vec<u8> {
        self.endpoint().send(DATA, now).unwrap();
        self.poll_transmit(now).unwrap()
    }

    /// Whether such a record says what the other side put into it.
    pub(crate) fn opens(&mut self, record: &[u8], now: Instant) -> bool {
        self.handle_datagram(&mut record.to_vec(), now);
        self.poll_event() == Some(Event::ApplicationData(DATA.into()))
    }

    /// Nothing is held for later, and nothing is awaited.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.poll_timeout().is_none() && self.endpoint().held_octets() == 0
    }
}

const DATA: &[u8] = b"data";
