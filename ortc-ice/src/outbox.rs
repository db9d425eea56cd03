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

/// Answers leave before checks: somebody waits for them.
#[derive(Debug)]
pub(crate) struct Outbox {
    answers: VecDeque<Answer>,
    /// Requests by their ids, described in the table of transactions.
    checks: VecDeque<TransactionId>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            answers: VecDeque::with_capacity(4),
            checks: VecDeque::with_capacity(4),
        }
    }
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.checks.is_empty()
    }

    pub(crate) fn takes_answer(&self) -> bool {
        self.answers.len() < ANSWERS_MAX
    }

    pub(crate) fn takes_check(&self) -> bool {
        self.checks.len() < CHECKS_MAX
    }

    /// Inline, so that an answer is built where it waits.
    #[inline(always)]
    pub(crate) fn push_answer(&mut self, answer: Answer) {
        self.answers.push_back(answer);
    }

    pub(crate) fn push_check(&mut self, id: TransactionId) {
        self.checks.push_back(id);
    }

    /// The answer that leaves next, to be read where it stands; moving it would cost more.
    #[inline]
    pub(crate) fn answer(&self) -> Option<&Answer> {
        self.answers.front()
    }

    /// That answer has left.
    #[inline]
    pub(crate) fn answered(&mut self) {
        self.answers.pop_front();
    }

    pub(crate) fn pop_check(&mut self) -> Option<TransactionId> {
        self.checks.pop_front()
    }

    /// Forgets answers that cannot leave any more; checks are forgotten with their transactions.
    pub(crate) fn retain_answers(&mut self, keep: impl Fn(&Path) -> bool) {
        self.answers.retain(|answer| keep(&answer.path));
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
