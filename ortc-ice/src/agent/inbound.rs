//! What arrives: requests (RFC 8445 §7.3), responses (§7.2.5), indications (§11).
//!
//! The order is the security of it: form, fingerprint, whom it is for, integrity; only then does
//! anything change or leave.

use std::time::Instant;

use super::candidates::Formation;
use super::{Agent, Phase};
use crate::address::check_address;
use crate::candidate::CandidateKind;
use crate::early::Check;
use crate::outbox::{Answer, AnswerKind, UNKNOWN_MAX};
use crate::pair::{PairId, Queue, State, TRIAL};
use crate::path::{Datagram, Path};
use crate::role::{Claim, Verdict};
use crate::stats::DropReason;
use crate::stun::{AttributeType, Class, ErrorCode, Message, Method};

/// A check of ours that left less than this ago is not sent again because the peer's arrived.
const JUST_SENT: core::time::Duration = core::time::Duration::from_millis(10);

impl Agent {
    /// Takes in one STUN datagram.
    ///
    /// # Errors
    ///
    /// [`DropReason`] when it was dropped: nothing changed but a counter, and nobody needs to act.
    pub fn handle_datagram(
        &mut self,
        datagram: Datagram<'_>,
        now: Instant,
    ) -> Result<(), DropReason> {
        let outcome = match self.advance(now) {
            Ok(()) => self.handle_message(datagram.path, datagram.contents),
            Err(_) => Err(DropReason::Closed),
        };
        if let Err(reason) = outcome {
            self.counters.count(reason);
            tracing::trace!(?reason, "datagram dropped");
        }
        outcome
    }

    fn handle_message(&mut self, path: Path, contents: &[u8]) -> Result<(), DropReason> {
        let mut message = Message::unread(contents);
        message.read().map_err(|_| DropReason::Malformed)?;
        if message.method() != Method::BINDING {
            return Err(DropReason::Method);
        }
        match message.class() {
            Class::Request => self.handle_request(path, &message),
            Class::Success => self.handle_success(path, &message),
            Class::Error => self.handle_error(path, &message),
            Class::Indication if message.has_fingerprint() && !message.verify_fingerprint() => {
                Err(DropReason::BadFingerprint)
            }
            Class::Indication => {
                // RFC 8445 §11: it keeps a NAT binding alive, proves nothing and is not answered.
                self.counters.indications_received += 1;
                Ok(())
            }
        }
    }

    fn handle_request(&mut self, path: Path, message: &Message<'_>) -> Result<(), DropReason> {
        if !message.verify_fingerprint() {
            return Err(DropReason::BadFingerprint);
        }
        // DEVIATION(RFC 8489 §9.1.3): a request without valid credentials gets no 400 or 401. An
        // honest peer never sends one, and a stranger shall not make us send anything.
        let Some((local, remote)) = message.split_username().filter(|_| message.has_integrity())
        else {
            return Err(DropReason::NoCredentials);
        };
        let known = self.generation.is_named(local, remote);
        let old = self
            .previous
            .as_ref()
            .filter(|old| !known && old.is_named(local, remote));
        let generation = match old {
            Some(old) => old,
            None if self.generation.local.ufrag() == local => &self.generation,
            None => return Err(DropReason::UnknownUsername),
        };
        if remote.is_empty() || remote.len() > 256 {
            return Err(DropReason::UnknownUsername);
        }
        if !message.verify_integrity(&generation.local_key) {
            return Err(DropReason::BadIntegrity);
        }
        let is_old = old.is_some();
        let generation = generation.number;
        let pair = match &self.active {
            Some(active) if active.path == path => Some(active.id),
            Some(_) | None => self.checklist.by_path(&path),
        };
        if pair.is_none() && self.local_by_path(&path).is_none() {
            return Err(DropReason::UnknownLocal);
        }
        check_address(path.remote).map_err(|_| DropReason::RemoteAddress)?;
        if !self.outbox.takes_answer() {
            return Err(DropReason::Overload);
        }

        self.counters.requests_received += 1;
        let id = message.transaction_id();
        let answer = |kind| Answer {
            path,
            id,
            generation,
            kind,
        };
        if let Some(unknown) = unknown_of(message) {
            self.outbox.push_answer(answer(unknown));
            return Ok(());
        }
        let Some(priority) = message.priority() else {
            self.outbox.push_answer(answer(AnswerKind::BadRequest));
            return Ok(());
        };
        if is_old {
            // The peer keeps up its consent on the pair from before the restart; nothing else.
            self.heard_elsewhere(&path);
            self.vouch_retained(&path);
            self.outbox.push_answer(answer(AnswerKind::Success));
            return Ok(());
        }
        let claim = Claim::of(message);
        let check = Check {
            priority,
            use_candidate: message.use_candidate(),
            nomination: message.nomination().unwrap_or_default(),
            claim,
        };
        if !(known && self.phase == Phase::Running) {
            // A lite agent has no checks of its own for a peer to learn of the conflict from.
            let refused = self.config.is_lite() && claim.controlled.is_some();
            let check = Check {
                use_candidate: check.use_candidate && !refused,
                ..check
            };
            if !self.early.remember(path, remote, check) {
                self.counters.early_checks_forgotten += 1;
            }
            let kind = match refused {
                true => AnswerKind::RoleConflict,
                false => AnswerKind::Success,
            };
            self.outbox.push_answer(answer(kind));
            return Ok(());
        }
        self.reached(self.now);
        match self.verdict(claim) {
            Verdict::Refuse => {
                self.outbox.push_answer(answer(AnswerKind::RoleConflict));
                // The answer may not pass: behind a NAT whose ports depend on the destination it
                // leaves from another one than the peer asked. A check of our own tells the peer as
                // well (RFC 8445 §7.3.1.1), and learns the address that it has for us.
                let refused = Check {
                    use_candidate: false,
                    ..check
                };
                self.take_up(pair, path, refused);
                self.pump();
                return Ok(());
            }
            Verdict::Switch => self.switch_role(),
            Verdict::NoConflict => {}
        }
        self.outbox.push_answer(answer(AnswerKind::Success));
        self.report_attributes(path, message, false);
        self.take_up(pair, path, check);
        self.pump();
        Ok(())
    }

    /// A check of the peer arrived; after a silence, candidates are learned anew.
    fn reached(&mut self, now: Instant) {
        let before = self.reached_at.replace(now);
        if before.is_none_or(|at| now - at > TRIAL) {
            self.strays.clear();
        }
    }

    /// A check that was answered before we could check ourselves.
    pub(super) fn take_up_early(&mut self, path: Path, check: Check) {
        self.reached(self.now);
        // The peer was told "success" already. If the conflict is ours to repair it is repaired;
        // if it is the peer's, it will learn of it from our own check.
        if self.verdict(check.claim) == Verdict::Switch {
            self.switch_role();
        }
        let pair = self.checklist.by_path(&path);
        self.strays.clear(); // those who came early are few already
        self.take_up(pair, path, check);
    }

    /// RFC 8445 §7.3.1.3 to 7.3.1.5, after a success response.
    fn take_up(&mut self, pair: Option<PairId>, path: Path, check: Check) {
        let found = pair.or_else(|| {
            let local = self.local_by_path(&path)?;
            let remote = self.learn_remote(local, path.remote, check.priority)?;
            self.form_pair(local, remote, Formation::Triggered(path))
        });
        let Some(id) = found else {
            return;
        };
        let (now, role) = (self.now, self.role);
        let Some(pair) = self.checklist.get_mut(id) else {
            return;
        };
        pair.check_received = true;
        let heard_at = pair.heard_at.replace(now);
        let stray = self
            .remotes
            .get(pair.remote)
            .is_some_and(|remote| remote.kind() == CandidateKind::PeerReflexive);
        // A lite agent tries nothing: it has only the peer's checks to go by.
        let tries = stray && pair.valid().is_none() && !self.config.is_lite();
        if tries && !pair.is_worth_trying(heard_at, now) {
            return;
        }
        let edge = check.use_candidate && !pair.wish.now;
        pair.wish.now = check.use_candidate;
        let previous_wish = pair.wish.at;
        if check.use_candidate {
            pair.wish.at = Some(now);
        }
        let asked_with = pair.last_role;
        let valid = pair.valid().is_some();
        let lite = self.config.is_lite();
        match &mut pair.state {
            State::Succeeded(_)
            | State::InProgress(_)
            | State::Waiting
            | State::Frozen
            | State::Failed
                if lite =>
            {
                self.vouch(id, check.use_candidate || check.nomination != 0);
            }
            State::Succeeded(valid) => {
                if valid.suspected_at.is_some() {
                    self.trust(id);
                }
            }
            State::InProgress(progress) => {
                // The peer reaches us, so the pair is worth trying for another lifetime.
                progress.since = now;
                progress.give_up = false;
                if now - progress.sent_at >= JUST_SENT || asked_with != Some(role) {
                    self.checklist.queue(id, Queue::Triggered);
                }
            }
            State::Waiting | State::Frozen | State::Failed => {
                self.checklist.set_state(id, State::Waiting);
                self.checklist.queue(id, Queue::Triggered);
                self.revive();
            }
        }
        if !valid {
            self.nominate_early(id);
        }
        if check.nomination != 0 && self.config.offers_renomination() {
            self.follow_nomination(id, check.nomination);
        } else if check.use_candidate {
            self.follow_wish(id, edge || previous_wish.is_none());
        }
    }

    fn handle_success(&mut self, path: Path, message: &Message<'_>) -> Result<(), DropReason> {
        let pair = self.check_response(path, message)?;
        let id = message.transaction_id();
        let transaction = self.transactions.get(id).copied();
        let transaction = transaction.ok_or(DropReason::UnknownTransaction)?;
        let Some(mapped) = message.xor_mapped_address() else {
            return Err(DropReason::Malformed);
        };
        if self.is_consent_over(pair) {
            // Whichever call of this instant comes first: the answer is too late (RFC 7675 §5.1).
            self.expire(pair);
            self.pump();
            return Err(DropReason::UnknownTransaction);
        }
        self.counters.responses_received += 1;
        self.settle_transaction(pair, id);
        self.report_attributes(path, message, true);
        self.pair_answered(pair, &transaction, mapped);
        self.pump();
        Ok(())
    }

    fn handle_error(&mut self, path: Path, message: &Message<'_>) -> Result<(), DropReason> {
        let pair = self.check_response(path, message)?;
        let id = message.transaction_id();
        let transaction = self.transactions.get(id).copied();
        let transaction = transaction.ok_or(DropReason::UnknownTransaction)?;
        let Some(error) = message.error_code() else {
            return Err(DropReason::Malformed);
        };
        self.counters.responses_received += 1;
        self.settle_transaction(pair, id);
        if error.code == ErrorCode::ROLE_CONFLICT.code && !self.is_remote_lite() {
            // RFC 8445 §7.2.5.1. The role of the request decides, so that the second of two such
            // answers changes nothing.
            if transaction.role == self.role {
                self.switch_role();
                self.tie_breaker = self.random.tie_breaker();
            }
            let asked_again = self
                .checklist
                .get(pair)
                .is_some_and(|pair| pair.last_role == Some(self.role));
            if !asked_again {
                self.check_again(pair);
            }
        } else {
            tracing::debug!(code = error.code, "check refused");
            self.pair_refused(pair);
        }
        self.pump();
        Ok(())
    }

    /// Everything that a response has to satisfy before it may change anything.
    fn check_response(&self, path: Path, message: &Message<'_>) -> Result<PairId, DropReason> {
        let transaction = self.transactions.get(message.transaction_id());
        let transaction = transaction.ok_or(DropReason::UnknownTransaction)?;
        if transaction.path != path {
            // DEVIATION(RFC 8445 §7.2.5.2.1): the pair does not fail at once; whoever can copy a
            // response could end a working pair. Without another answer it fails by itself.
            return Err(DropReason::WrongAddress);
        }
        if !message.verify_fingerprint() {
            return Err(DropReason::BadFingerprint);
        }
        let generation = self.generation(transaction.generation);
        let remote = generation.and_then(|generation| generation.remote.as_ref());
        if !remote.is_some_and(|remote| message.verify_integrity(&remote.key)) {
            return Err(DropReason::BadIntegrity);
        }
        if message.unknown_comprehension_required().next().is_some() {
            return Err(DropReason::UnknownAttribute);
        }
        Ok(transaction.pair)
    }
}

/// The refusal that lists what has to be understood and is not (RFC 8489 §6.3.1).
fn unknown_of(message: &Message<'_>) -> Option<AnswerKind> {
    let mut kinds = message.unknown_comprehension_required().peekable();
    kinds.peek()?;
    let mut unknown = [AttributeType(0); UNKNOWN_MAX];
    let mut count = 0;
    for (place, kind) in unknown.iter_mut().zip(kinds) {
        *place = kind;
        count += 1;
    }
    Some(AnswerKind::Unknown(unknown, count))
}
