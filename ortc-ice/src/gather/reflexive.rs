//! Server-reflexive candidates: Binding requests from each base to each STUN server (RFC 8445
//! §5.1.1.2), repeated by RFC 8489 §6.2.1, and what keeps the bindings of NATs alive.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::task::{Outcome, Request, State};
use super::{CandidateKind, Gathered, Gatherer, Key, LocalCandidate, ServerError, Source, TaskId};
use crate::address::{check_address, in_zone, zone};
use crate::path::{Ecn, Path, Transmit, Transport};
use crate::stun::{
    AttributeType, Class, HEADER_LEN, Message, MessageBuilder, Method, TransactionId, is_stun,
};

/// How long an answer over a stream is waited for (RFC 8489 §6.2.2): Ti.
const RELIABLE: Duration = Duration::from_millis(39_500);

/// What has to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// The Binding request of a task.
    Request(TaskId),
    /// A Binding indication to a TURN server (RFC 8489 §2), so that the NAT keeps the binding that
    /// the allocation is reached through; its refreshes are minutes apart.
    Keepalive(TaskId),
}

impl Gatherer {
    /// Sends the first request of a new transaction.
    pub(super) fn ask(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let request = Request {
            id: self.random.transaction_id(),
            path: self
                .streams
                .path(id)
                .unwrap_or(Path::udp(task.base, task.remote)),
            first_sent: self.now,
            sent: 1,
        };
        let state = match task.state {
            State::Bound(mapped) => State::Refreshing(mapped, request),
            State::Held
            | State::Lost
            | State::Waiting
            | State::Opening
            | State::Asking(_)
            | State::Refreshing(..)
            | State::Allocating
            | State::Allocated
            | State::Failed => State::Asking(request),
        };
        self.tasks.set(id, state);
        self.transactions.insert(request.id, id);
        self.outbox.push_back(Outgoing::Request(id));
        self.schedule(id, 1);
    }

    /// When the request that left for the `sent`th time is due again (RFC 8489 §6.2.1).
    fn schedule(&mut self, id: TaskId, sent: u32) {
        // RFC 8445 §14.3: Ta times the number of requests, when that is more.
        let busy = u32::try_from(self.tasks.pending()).unwrap_or(u32::MAX);
        let rto = self.config.rto.max(self.config.ta * busy);
        let reliable = self.streams.path(id).is_some();
        let wait = if reliable {
            RELIABLE
        } else if sent < self.config.transmissions {
            rto * (1 << (sent - 1))
        } else {
            rto * self.config.last_wait
        };
        let at = self.after(wait);
        self.deadlines.set(Key::Task(id), at);
    }

    /// No answer yet.
    pub(super) fn repeat(&mut self, id: TaskId) {
        let most = self.config.transmissions;
        let Some(request) = self.tasks.request_mut(id) else {
            return;
        };
        if request.sent >= most || request.path.transport != Transport::Udp {
            self.give_up(id, ServerError::Timeout);
            return;
        }
        request.sent += 1;
        let sent = request.sent;
        self.outbox.push_back(Outgoing::Request(id));
        self.schedule(id, sent);
    }

    /// A request came to nothing. What a server said earlier about a base is kept: that it does not
    /// answer now says nothing about the NAT.
    fn give_up(&mut self, id: TaskId, error: ServerError) {
        self.forget_request(id);
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        match task.state {
            State::Refreshing(mapped, _) => {
                self.tasks.set(id, State::Bound(mapped));
                self.schedule_keepalive(id);
            }
            State::Held
            | State::Lost
            | State::Waiting
            | State::Opening
            | State::Asking(_)
            | State::Bound(_)
            | State::Allocating
            | State::Allocated
            | State::Failed => self.fail(id, error),
        }
    }

    /// Writes what a task has to send; `None` when it ended or was answered meanwhile.
    pub(super) fn write(&mut self, outgoing: Outgoing, buf: &mut Vec<u8>) -> Option<Transmit> {
        let (class, id, path) = match outgoing {
            Outgoing::Request(task) => {
                let request = self.tasks.get(task)?.state.request()?;
                (Class::Request, request.id, request.path)
            }
            Outgoing::Keepalive(task) => {
                let path = self.relay_of(task)?;
                (Class::Indication, self.random.transaction_id(), path)
            }
        };
        let start = buf.len();
        MessageBuilder::new(buf, class, Method::BINDING, id).fingerprint();
        Some(Transmit {
            path,
            len: buf.len() - start,
            segment: None,
            ecn: Ecn::NotEct,
        })
    }

    /// Matches a datagram with a request by transaction id and server address, before anything else
    /// of it is read.
    pub(super) fn handle_answer(&mut self, path: Path, contents: &[u8]) -> Gathered {
        let Some(id) = answered(contents) else {
            return Gathered::NotMine;
        };
        let Some(task) = self.transactions.get(&id).copied() else {
            return Gathered::NotMine;
        };
        let asked = self.tasks.get(task).and_then(|task| task.state.request());
        if asked.is_none_or(|request| request.path != path) {
            return Gathered::NotMine; // RFC 8489 §6.3.1: from where the request went to
        }
        if let Ok(message) = Message::parse(contents)
            && message.method() == Method::BINDING
            && (!message.has_fingerprint() || message.verify_fingerprint())
        {
            self.settle(task, mapped_address(&message, path.local));
        }
        Gathered::Consumed
    }

    /// The end of a transaction.
    fn settle(&mut self, id: TaskId, outcome: Outcome<SocketAddr>) {
        let Some(request) = self.tasks.get(id).and_then(|task| task.state.request()) else {
            return;
        };
        let rtt =
            (request.sent == 1).then(|| self.now.saturating_duration_since(request.first_sent));
        match outcome {
            Ok(mapped) => {
                self.forget_request(id);
                self.bound(id, mapped, rtt);
            }
            Err(error) => self.give_up(id, error),
        }
    }

    /// The server sees the base at this address, as before or not.
    fn bound(&mut self, id: TaskId, mapped: SocketAddr, rtt: Option<Duration>) {
        let old = self.tasks.set(id, State::Bound(mapped));
        self.tasks.measure(id, rtt);
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let candidate = LocalCandidate {
            kind: CandidateKind::ServerReflexive,
            address: mapped,
            base: task.base,
            tcp: task.tcp,
            related: Some(task.base),
            server: Some((task.server, task.remote.ip())),
            rtt,
        };
        if let Some(State::Refreshing(before, _)) = old
            && before != mapped
        {
            self.withdraw(before, candidate.base, candidate.tcp, Source::Task(id));
        }
        self.report(candidate, Source::Task(id));
        self.drop_siblings(id);
        self.schedule_keepalive(id);
    }

    pub(super) fn schedule_keepalive(&mut self, id: TaskId) {
        // A NAT keeps a connection for hours (RFC 5382 §5), and its relay with it.
        let stream = |path: Path| path.transport != Transport::Udp;
        let period = self.config.keepalive;
        let period = period.filter(|_| !self.relay_of(id).is_some_and(stream));
        let at = period.and_then(|period| self.after(period));
        self.deadlines.set(Key::Task(id), at);
    }

    /// The period of keepalives is another now.
    pub(super) fn restart_keepalives(&mut self) {
        let bound = |(id, task): (TaskId, &super::task::Task)| {
            matches!(task.state, State::Bound(_) | State::Allocated).then_some(id)
        };
        let bound: Vec<_> = self.tasks.iter().filter_map(bound).collect();
        for id in bound {
            self.schedule_keepalive(id);
        }
    }
}

/// The transaction id of what may be an answer.
fn answered(contents: &[u8]) -> Option<TransactionId> {
    let header = contents.first_chunk::<HEADER_LEN>()?;
    let [high, _, _, _, _, _, _, _, id @ ..] = *header;
    // C1, bit 8 of the type, is set in responses only (RFC 8489 §5).
    (is_stun(contents) && high & 0x01 != 0).then_some(TransactionId(id))
}

/// What a response says about our address (RFC 8489 §6.3.3, §6.3.4).
pub(super) fn mapped_address(message: &Message<'_>, base: SocketAddr) -> Outcome<SocketAddr> {
    if message.class() == Class::Error {
        return Err(message
            .error_code()
            .map_or(ServerError::BadAnswer, |error| {
                ServerError::Refused(error.code)
            }));
    }
    if message.unknown_comprehension_required().next().is_some() {
        return Err(ServerError::BadAnswer);
    }
    // A server of RFC 3489 has MAPPED-ADDRESS only (RFC 8489 §11.2).
    let classic = || {
        let mut attributes = message.attributes();
        let plain = attributes.find(|known| known.kind == AttributeType::MAPPED_ADDRESS)?;
        plain_address(plain.value)
    };
    let mapped = message.xor_mapped_address().or_else(classic);
    let mapped = mapped.map(|mapped| in_zone(mapped, zone(base))); // which the server cannot know
    let mapped = mapped
        .filter(|mapped| mapped.is_ipv4() == base.is_ipv4() && check_address(*mapped).is_ok());
    mapped.ok_or(ServerError::BadAnswer)
}

/// The value of MAPPED-ADDRESS and its kind (RFC 8489 §14.1).
pub(super) fn plain_address(value: &[u8]) -> Option<SocketAddr> {
    let (&[_, family, p0, p1], address) = value.split_first_chunk()?;
    let ip = match family {
        0x01 => IpAddr::from(*<&[u8; 4]>::try_from(address).ok()?),
        0x02 => IpAddr::from(*<&[u8; 16]>::try_from(address).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes([p0, p1])))
}
