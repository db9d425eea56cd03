//! What waits to be polled: descriptions of fixed size, turned into octets when they leave.

use std::collections::VecDeque;

use crate::path::Path;
use crate::stun::{AttributeType, TransactionId};

/// Answers that wait at most; a request beyond them is dropped.
const ANSWERS_MAX: usize = 64;
/// Checks that wait at most; the pacer stops there.
const CHECKS_MAX: usize = 64;
/// Unknown attributes that one answer lists at most.
pub(crate) const UNKNOWN_MAX: usize = 8;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Outgoing {
    /// The request with this id, described in the table of transactions.
    Check(TransactionId),
    Answer(Answer),
}

/// The answer to a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) path: Path,
    pub(crate) id: TransactionId,
    pub(crate) generation: u32,
    pub(crate) kind: AnswerKind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum AnswerKind {
    Success,
    BadRequest,
    RoleConflict,
    /// The attributes, and how many of the places are used.
    Unknown([AttributeType; UNKNOWN_MAX], u8),
}

#[derive(Debug)]
pub(crate) struct Outbox {
    queue: VecDeque<Outgoing>,
    answers: usize,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            queue: VecDeque::with_capacity(8),
            answers: 0,
        }
    }
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) const fn takes_answer(&self) -> bool {
        self.answers < ANSWERS_MAX
    }

    pub(crate) fn takes_check(&self) -> bool {
        self.queue.len() - self.answers < CHECKS_MAX
    }

    #[inline]
    pub(crate) fn push_answer(&mut self, answer: Answer) {
        self.answers += 1;
        self.queue.push_back(Outgoing::Answer(answer));
    }

    pub(crate) fn push_check(&mut self, id: TransactionId) {
        self.queue.push_back(Outgoing::Check(id));
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Outgoing> {
        let next = self.queue.pop_front()?;
        if matches!(next, Outgoing::Answer(_)) {
            self.answers -= 1;
        }
        Some(next)
    }

    /// Forgets answers that cannot leave any more; checks are forgotten with their transactions.
    pub(crate) fn retain_answers(&mut self, keep: impl Fn(&Path) -> bool) {
        self.queue.retain(|queued| match queued {
            Outgoing::Check(_) => true,
            Outgoing::Answer(answer) => keep(&answer.path),
        });
        let is_answer = |queued: &&Outgoing| matches!(queued, Outgoing::Answer(_));
        self.answers = self.queue.iter().filter(is_answer).count();
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
