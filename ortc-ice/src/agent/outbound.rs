//! What leaves: the octets of a check or an answer are made when they are polled.

use std::time::Instant;

use super::Agent;
use crate::attributes::Attributes;
use crate::framing::frame;
use crate::generation::Generation;
use crate::outbox::{Answer, AnswerKind};
use crate::path::{Ecn, Path, Transmit, Transport};
use crate::role::Role;
use crate::stun::{Class, ErrorCode, MessageBuilder, Method, TooLong, TransactionId};
use crate::transaction::Transaction;

impl Agent {
    /// Appends the next datagram to `buf` and says where it goes; `None` when nothing is queued. On a
    /// stream it is a frame (RFC 4571), ready to be written.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>, now: Instant) -> Option<Transmit> {
        self.now = self.now.max(now);
        loop {
            let start = buf.len();
            let path = if let Some(answer) = self.outbox.answer() {
                let keys = of_number(&self.generation, &self.previous, answer.generation);
                let attributes = (&mut self.attributes, self.config.max_check_len);
                let written =
                    keys.and_then(|keys| write_answer(buf, answer, keys, attributes).ok());
                let path = written.map(|()| answer.path);
                self.counters.responses_sent += u64::from(path.is_some());
                self.outbox.answered();
                path
            } else {
                let id = self.outbox.pop_check()?;
                self.encode_check(buf, id)
            };
            let framed = |path: &Path| match path.transport {
                Transport::Udp => true,
                Transport::Stream(_) => frame(buf, start).is_ok(),
                Transport::Unopened => false,
            };
            if let Some(path) = path.filter(framed) {
                let len = buf.len() - start;
                return Some(Transmit {
                    path,
                    len,
                    segment: None,
                    ecn: Ecn::NotEct,
                });
            }
            buf.truncate(start); // its pair or its credentials are gone: a restart came between
        }
    }

    /// RFC 8445 §7.2.2.
    fn encode_check(&mut self, buf: &mut Vec<u8>, id: TransactionId) -> Option<Path> {
        let now = self.now;
        let known = self.transactions.get_mut(id)?;
        known.sent_at = now;
        let transaction = *known;
        let generation = of_number(&self.generation, &self.previous, transaction.generation)?;
        let attributes = (&mut self.attributes, self.config.max_check_len);
        write_check(buf, id, &transaction, generation, attributes).ok()??;
        self.counters.requests_sent += 1;
        Some(transaction.path)
    }

    pub(super) fn generation(&self, number: u32) -> Option<&Generation> {
        of_number(&self.generation, &self.previous, number)
    }
}

fn of_number<'a>(
    current: &'a Generation,
    previous: &'a Option<Generation>,
    number: u32,
) -> Option<&'a Generation> {
    if current.number == number {
        return Some(current);
    }
    previous.as_ref().filter(|old| old.number == number)
}

/// What rides along, and how long a message may become by it.
type Riding<'a> = (&'a mut Attributes, usize);

fn write_check(
    buf: &mut Vec<u8>,
    id: TransactionId,
    transaction: &Transaction,
    generation: &Generation,
    (attributes, longest): Riding<'_>,
) -> Result<Option<()>, TooLong> {
    let Some(remote) = &generation.remote else {
        return Ok(None);
    };
    let mut message = MessageBuilder::new(buf, Class::Request, Method::BINDING, id);
    message.username(remote.credentials.ufrag(), generation.local.ufrag())?;
    message.priority(transaction.priority);
    match transaction.role {
        Role::Controlling => message.controlling(transaction.tie_breaker),
        Role::Controlled => message.controlled(transaction.tie_breaker),
    };
    if let Some(value) = transaction.nominate {
        message.use_candidate();
        if value != 0 {
            message.nomination(value);
        }
    }
    attributes.write(&mut message, longest);
    message.integrity(&remote.key).fingerprint();
    Ok(Some(()))
}

/// Answers are authenticated by our own password (RFC 8489 §9.1.4).
fn write_answer(
    buf: &mut Vec<u8>,
    answer: &Answer,
    generation: &Generation,
    (attributes, longest): Riding<'_>,
) -> Result<(), TooLong> {
    let class = match answer.kind {
        AnswerKind::Success => Class::Success,
        AnswerKind::BadRequest | AnswerKind::RoleConflict | AnswerKind::Unknown(..) => Class::Error,
    };
    let mut message = MessageBuilder::new(buf, class, Method::BINDING, answer.id);
    match answer.kind {
        AnswerKind::Success => {
            message.xor_mapped_address(answer.path.remote);
            attributes.write(&mut message, longest);
        }
        AnswerKind::BadRequest => _ = message.error_code(ErrorCode::BAD_REQUEST)?,
        AnswerKind::RoleConflict => _ = message.error_code(ErrorCode::ROLE_CONFLICT)?,
        AnswerKind::Unknown(kinds, count) => {
            message.error_code(ErrorCode::UNKNOWN_ATTRIBUTE)?;
            message.unknown_attributes(kinds.get(..usize::from(count)).unwrap_or(&kinds))?;
        }
    }
    message.integrity(&generation.local_key).fingerprint();
    Ok(())
}
