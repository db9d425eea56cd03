//! What a NAT does (RFC 5780): how it maps, what it filters, whether it hairpins.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use thiserror::Error;

use super::reflexive::{mapped_address, plain_address};
use super::server::reaches;
use super::{Gathered, ServerError};
use crate::address::check_address;
use crate::path::{Datagram, Ecn, Path, Timeout, Timer, Transmit};
use crate::random::Random;
use crate::stun::{AttributeType, Class, Message, MessageBuilder, Method, TransactionId, is_stun};

/// CHANGE-REQUEST (RFC 5780 §7.2).
const CHANGE_REQUEST: AttributeType = AttributeType(0x0003);
/// Its flag for another address.
const CHANGE_IP: u8 = 0x04;
/// Its flag for another port.
const CHANGE_PORT: u8 = 0x02;
/// RESPONSE-ORIGIN (RFC 5780 §7.3).
const RESPONSE_ORIGIN: AttributeType = AttributeType(0x802B);
/// OTHER-ADDRESS (RFC 5780 §7.4), which RFC 3489 calls CHANGED-ADDRESS with another number.
const OTHER_ADDRESS: AttributeType = AttributeType(0x802C);

/// Half a second, doubling (RFC 8489 §6.2.1) ...
const RTO: Duration = Duration::from_millis(500);
/// ... and three times only: that nothing comes back is what half of the tests are about.
const TRANSMISSIONS: u32 = 3;

/// On what the address depends that a NAT shows for one socket (RFC 4787 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mapping {
    /// On nothing: the same for all destinations. Peers can reach it.
    EndpointIndependent,
    /// On the destination's IP address.
    AddressDependent,
    /// On the destination's IP address and port; "symmetric".
    AddressAndPortDependent,
    /// On the destination, in one of the two ways: two servers saw two addresses.
    Dependent,
}

/// From where datagrams come in once one has gone out (RFC 4787 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filtering {
    /// From anywhere.
    EndpointIndependent,
    /// From addresses that something was sent to.
    AddressDependent,
    /// From addresses and ports that something was sent to.
    AddressAndPortDependent,
}

/// Why something was not found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BehaviourError {
    /// The server does not answer at all.
    #[error("the server does not answer")]
    NoAnswer,
    /// The server answered with this error.
    #[error("the server refused with error {0}")]
    Refused(u16),
    /// What the server says cannot be.
    #[error("the answer cannot be used")]
    BadAnswer,
    /// The server names no second address: it does not offer RFC 5780.
    #[error("the server has no second address (RFC 5780)")]
    NoOtherAddress,
    /// The server answers from where it was asked, whatever is asked for.
    #[error("the server cannot answer from its second address")]
    NoChange,
    /// The second address of the server, or the second server, does not answer.
    #[error("the second address does not answer")]
    SecondSilent,
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
            Self::Dependent => "dependent on the destination",
        })
    }
}

impl fmt::Display for Filtering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        })
    }
}

/// What was found out about the way from one socket to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// The address that the server sees; another than the socket's is a NAT.
    pub mapped: Result<SocketAddr, BehaviourError>,
    /// How it maps.
    pub mapping: Result<Mapping, BehaviourError>,
    /// What it lets in: a NAT, or a firewall without one.
    pub filtering: Result<Filtering, BehaviourError>,
    /// Whether what is sent to the mapped address from inside comes back; `None` without a NAT.
    pub hairpinning: Option<bool>,
}

/// Finds out what a NAT does to one UDP socket (RFC 5780 §4.3, §4.4, §3.4), with a server that has
/// two addresses, or, as far as mapping goes, with two plain STUN servers.
///
/// Filtering is tested first, with a socket that has sent nothing to the second address. A run takes
/// at most 10.5 s and sends at most 21 datagrams, never more than six to an address that a server named.
///
/// ```
/// use std::time::Instant;
///
/// use ortc_ice::BehaviourCheck;
///
/// # #[expect(clippy::disallowed_methods, reason = "an embedder has a clock")]
/// let now = Instant::now();
/// let mut check =
///     BehaviourCheck::new("10.0.0.1:5000".parse()?, "192.0.2.1:3478".parse()?, [7; 32], now);
/// let mut buf = Vec::new();
/// while let Some(transmit) = check.poll_transmit(&mut buf, now) {
///     println!("{} octets to {}", transmit.len, transmit.path.remote);
///     buf.clear();
/// }
/// // ... datagrams in by handle_datagram, time by handle_timeout, until poll_behaviour has it.
/// assert!(check.poll_behaviour().is_none() && check.poll_timeout().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BehaviourCheck {
    local: SocketAddr,
    server: SocketAddr,
    second: Option<SocketAddr>,
    random: Random,
    now: Instant,
    stage: Stage,
    tests: Vec<Test>,
    outbox: VecDeque<usize>,
    /// The server's second address, once it has named it.
    other: Option<SocketAddr>,
    result: Option<Behaviour>,
}

/// The stages follow each other; the tests of one run at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    First,
    Filtering,
    Mapping,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// RFC 5780 §4.3 and §4.4, test I.
    First,
    /// §4.4, test II.
    FromElsewhere,
    /// §4.4, test III.
    FromOtherPort,
    /// §4.3, test II.
    OtherAddress,
    /// §4.3, test III.
    OtherAddressAndPort,
    /// A second server instead.
    SecondServer,
    /// §3.4.
    Hairpin,
}

#[derive(Debug)]
struct Test {
    question: Question,
    id: TransactionId,
    to: SocketAddr,
    sent: u32,
    due: Option<Instant>,
    /// `None` while it runs.
    outcome: Option<Result<SocketAddr, BehaviourError>>,
}

impl BehaviourCheck {
    /// Begins with a socket and a server. The socket should be fresh: what it sent to others lately
    /// has opened the NAT for them.
    ///
    /// `seed` comes from the operating system's generator.
    #[must_use]
    pub fn new(local: SocketAddr, server: SocketAddr, seed: [u8; 32], now: Instant) -> Self {
        let mut check = Self {
            local,
            server,
            second: None,
            random: Random::new(seed),
            now,
            stage: Stage::First,
            tests: Vec::with_capacity(7),
            outbox: VecDeque::with_capacity(7),
            other: None,
            result: None,
        };
        check.ask(Question::First, server);
        check
    }

    /// A second STUN server, at another address: it tells endpoint-independent mapping from the
    /// others when the first server does not offer RFC 5780.
    #[must_use]
    pub fn second_server(mut self, server: SocketAddr) -> Self {
        self.second = Some(server).filter(|second| second.ip() != self.server.ip());
        self
    }

    /// Takes the result, once, when all tests have ended.
    pub fn poll_behaviour(&mut self) -> Option<Behaviour> {
        self.result.take()
    }

    /// Hands in a datagram that arrived at the socket.
    pub fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) -> Gathered {
        self.now = self.now.max(now);
        let Datagram { path, contents, .. } = datagram;
        if !is_stun(contents) || path.local != self.local {
            return Gathered::NotMine;
        }
        let Ok(message) = Message::parse(contents) else {
            return Gathered::NotMine;
        };
        let id = message.transaction_id();
        let asked = self
            .tests
            .iter()
            .position(|test| test.id == id && test.outcome.is_none());
        match asked {
            Some(index) if message.method() == Method::BINDING => {
                let gathered = self.answer(index, &message, path.remote);
                self.advance();
                gathered
            }
            Some(_) | None => Gathered::NotMine,
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        for (index, test) in self.tests.iter_mut().enumerate() {
            if test.due.is_none_or(|due| due > self.now) {
                continue;
            }
            if test.sent < TRANSMISSIONS {
                test.due = self.now.checked_add(RTO * (1 << test.sent));
                test.sent += 1;
                self.outbox.push_back(index);
            } else {
                test.end(Err(BehaviourError::NoAnswer));
            }
        }
        self.advance();
    }

    /// Appends the next datagram to `buf`, and says where it goes.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>, now: Instant) -> Option<Transmit> {
        self.now = self.now.max(now);
        loop {
            let test = self.tests.get(self.outbox.pop_front()?)?;
            if test.outcome.is_some() {
                continue;
            }
            let start = buf.len();
            let mut builder = MessageBuilder::new(buf, Class::Request, Method::BINDING, test.id);
            let change = test.question.change();
            if change != 0 {
                // Four octets always fit.
                let _ = builder.attribute(CHANGE_REQUEST, &[0, 0, 0, change]);
            }
            builder.fingerprint();
            return Some(Transmit {
                path: Path::udp(self.local, test.to),
                len: buf.len() - start,
                segment: None,
                ecn: Ecn::NotEct,
            });
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timeout> {
        let waits = |index: &usize| {
            self.tests
                .get(*index)
                .is_some_and(|test| test.outcome.is_none())
        };
        if self.outbox.iter().any(waits) {
            return Some(Timeout {
                at: self.now,
                timer: Timer::Output,
            });
        }
        let at = self.tests.iter().filter_map(|test| test.due).min()?;
        Some(Timeout {
            at,
            timer: Timer::Server,
        })
    }

    fn ask(&mut self, question: Question, to: SocketAddr) {
        self.outbox.push_back(self.tests.len());
        self.tests.push(Test {
            question,
            id: self.random.transaction_id(),
            to,
            sent: 1,
            due: self.now.checked_add(RTO),
            outcome: None,
        });
    }

    /// An answer, or our own request come back, from somewhere.
    fn answer(&mut self, index: usize, message: &Message<'_>, from: SocketAddr) -> Gathered {
        let (server, other) = (self.server, self.other);
        let Some(test) = self.tests.get_mut(index) else {
            return Gathered::NotMine;
        };
        if message.class() == Class::Request || message.class() == Class::Indication {
            if test.question != Question::Hairpin || message.class() != Class::Request {
                return Gathered::NotMine;
            }
            test.end(Ok(from));
            return Gathered::Consumed;
        }
        if message.has_fingerprint() && !message.verify_fingerprint() {
            return Gathered::Consumed;
        }
        let mapped = mapped_address(message, self.local).map_err(|error| {
            if let ServerError::Refused(code) = error {
                BehaviourError::Refused(code)
            } else {
                BehaviourError::BadAnswer
            }
        });
        match test.question {
            Question::FromElsewhere | Question::FromOtherPort => {
                let other_port = other.map(|other| SocketAddr::new(server.ip(), other.port()));
                let elsewhere = test.question == Question::FromElsewhere;
                let expected = if elsewhere { other } else { other_port };
                if from == server {
                    // From where it was asked: an error is one, a success ignores the request.
                    test.end(Err(mapped.err().unwrap_or(BehaviourError::NoChange)));
                } else if Some(from) == expected {
                    test.end(mapped);
                } else {
                    return Gathered::NotMine;
                }
            }
            Question::First
            | Question::OtherAddress
            | Question::OtherAddressAndPort
            | Question::SecondServer
            | Question::Hairpin => {
                if from != test.to {
                    return Gathered::NotMine;
                }
                test.end(mapped);
                if test.question == Question::First {
                    self.other = self.other_address(message);
                }
            }
        }
        Gathered::Consumed
    }

    /// OTHER-ADDRESS, when it is one that may be asked: another address and another port, reachable
    /// as the first is, from a server that sends from where it says (RFC 5780 §7.3, §7.4).
    fn other_address(&self, message: &Message<'_>) -> Option<SocketAddr> {
        let value = |kind| {
            let mut attributes = message.attributes();
            plain_address(attributes.find(|known| known.kind == kind)?.value)
        };
        let other = value(OTHER_ADDRESS)?;
        let usable = check_address(other).is_ok()
            && reaches(self.local, other)
            && other.ip() != self.server.ip()
            && other.port() != self.server.port()
            && value(RESPONSE_ORIGIN).is_none_or(|origin| origin == self.server);
        usable.then_some(other)
    }

    /// The next stage, when all tests of this one have ended.
    fn advance(&mut self) {
        while self.stage != Stage::Done && self.tests.iter().all(|test| test.outcome.is_some()) {
            self.stage = match self.stage {
                Stage::First
                    if self
                        .outcome(Question::First)
                        .is_some_and(|first| first.is_ok()) =>
                {
                    if self.other.is_some() {
                        self.ask(Question::FromElsewhere, self.server);
                        self.ask(Question::FromOtherPort, self.server);
                    }
                    Stage::Filtering
                }
                Stage::Filtering => {
                    self.begin_mapping();
                    Stage::Mapping
                }
                Stage::First | Stage::Mapping | Stage::Done => {
                    self.result = Some(self.conclude());
                    Stage::Done
                }
            };
        }
    }

    fn begin_mapping(&mut self) {
        let Some(Ok(mapped)) = self.outcome(Question::First) else {
            return;
        };
        if mapped == self.local {
            return; // RFC 5780 §4.3: no NAT
        }
        if let Some(other) = self.other {
            let address = SocketAddr::new(other.ip(), self.server.port());
            self.ask(Question::OtherAddress, address);
            self.ask(Question::OtherAddressAndPort, other);
        }
        if let Some(second) = self.second {
            self.ask(Question::SecondServer, second);
        }
        self.ask(Question::Hairpin, mapped);
    }

    fn outcome(&self, question: Question) -> Option<Result<SocketAddr, BehaviourError>> {
        let mut tests = self.tests.iter();
        tests.find(|test| test.question == question)?.outcome
    }

    fn conclude(&self) -> Behaviour {
        let mapped = self
            .outcome(Question::First)
            .unwrap_or(Err(BehaviourError::NoAnswer));
        Behaviour {
            mapped,
            mapping: mapped.and_then(|mapped| self.mapping(mapped)),
            filtering: mapped.and_then(|_| self.filtering()),
            hairpinning: self.outcome(Question::Hairpin).map(|came| came.is_ok()),
        }
    }

    /// RFC 5780 §4.3.
    fn mapping(&self, mapped: SocketAddr) -> Result<Mapping, BehaviourError> {
        if mapped == self.local {
            return Ok(Mapping::EndpointIndependent);
        }
        let both = (
            self.outcome(Question::OtherAddress),
            self.outcome(Question::OtherAddressAndPort),
        );
        match both {
            (Some(Ok(second)), _) if second == mapped => Ok(Mapping::EndpointIndependent),
            (Some(Ok(second)), Some(Ok(third))) if second == third => Ok(Mapping::AddressDependent),
            (Some(Ok(_)), Some(Ok(_))) => Ok(Mapping::AddressAndPortDependent),
            (Some(Ok(_)), Some(Err(_)) | None) => Ok(Mapping::Dependent),
            (Some(Err(_)) | None, _) => match self.outcome(Question::SecondServer) {
                Some(Ok(second)) if second == mapped => Ok(Mapping::EndpointIndependent),
                Some(Ok(_)) => Ok(Mapping::Dependent),
                Some(Err(_)) => Err(BehaviourError::SecondSilent),
                None if self.other.is_some() => Err(BehaviourError::SecondSilent),
                None => Err(BehaviourError::NoOtherAddress),
            },
        }
    }

    /// RFC 5780 §4.4.
    fn filtering(&self) -> Result<Filtering, BehaviourError> {
        match (
            self.outcome(Question::FromElsewhere),
            self.outcome(Question::FromOtherPort),
        ) {
            (None, _) | (_, None) => Err(BehaviourError::NoOtherAddress),
            (Some(Ok(_)), _) => Ok(Filtering::EndpointIndependent),
            (Some(Err(BehaviourError::NoAnswer)), Some(Ok(_))) => Ok(Filtering::AddressDependent),
            (Some(Err(BehaviourError::NoAnswer)), Some(Err(BehaviourError::NoAnswer))) => {
                Ok(Filtering::AddressAndPortDependent)
            }
            (Some(Err(error)), _) if error != BehaviourError::NoAnswer => Err(error),
            (_, Some(Err(error))) => Err(error),
            (Some(Err(error)), Some(Ok(_))) => Err(error),
        }
    }
}

impl Question {
    /// The flags of CHANGE-REQUEST; 0 is a request without it.
    const fn change(self) -> u8 {
        match self {
            Self::FromElsewhere => CHANGE_IP | CHANGE_PORT,
            Self::FromOtherPort => CHANGE_PORT,
            Self::First
            | Self::OtherAddress
            | Self::OtherAddressAndPort
            | Self::SecondServer
            | Self::Hairpin => 0,
        }
    }
}

impl Test {
    const fn end(&mut self, outcome: Result<SocketAddr, BehaviourError>) {
        self.due = None;
        self.outcome = Some(outcome);
    }
}
