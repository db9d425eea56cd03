//! Checks over time: the pacer, what is due of each pair, and what an answer does to it.

use core::net::SocketAddr;
use core::time::Duration;
use std::time::Instant;

use super::streams::TI;
use super::{Agent, Outlook};
use crate::config::Pacing;
use crate::ladder::Next;
use crate::pacer::CATCH_UP;
use crate::pair::{Awaiting, PairId, PairState, Progress, Queue, State, Valid};
use crate::path::Transport;
use crate::transaction::{OUTSTANDING_MAX, Transaction};

/// How long a check on a valid pair waits for its answer before the next one (the round trip may
/// ask for more).
const PROBE: Duration = Duration::from_millis(500);
/// The same once the pair is suspected and a few more were not answered.
const SLOW_PROBE: Duration = Duration::from_secs(2);
/// So many unanswered checks, one [`PROBE`] apart, make a pair suspected.
const SUSPICION: u32 = 3;
/// After so many unanswered checks a suspected pair is probed slowly.
const PATIENT_PROBES: u32 = 8;
/// When traffic that was flowing stops for this long, a check asks why.
const SILENCE: Duration = Duration::from_secs(1);
/// Valid pairs without data are checked this many times less often than those with data.
const BACKUP: u32 = 3;

impl Agent {
    /// Does everything that is due: deadlines of pairs, slots of the pacer, failure.
    #[inline]
    pub(super) fn pump(&mut self) {
        let due = self
            .checklist
            .next_deadline()
            .is_some_and(|at| at <= self.now);
        let quiet = !(due || self.pacing || self.has_check() || self.has_chores());
        if quiet && self.progress == Outlook::Connected {
            return;
        }
        self.work();
    }

    fn work(&mut self) {
        while let Some((at, id)) = self.checklist.pop_due(self.now) {
            self.pair_due(id, at);
        }
        self.finish_withdrawals();
        self.close_orphans();
        self.pace();
        self.declare_failure();
    }

    pub(super) fn has_check(&self) -> bool {
        !self.config.is_lite() && self.checklist.has_check(!self.config.is_strict())
    }

    fn pace(&mut self) {
        if self.config.is_lite() {
            return self.agree();
        }
        let any_frozen = !self.config.is_strict();
        if self.config.pacing == Pacing::External {
            self.pacing = self.has_check();
            return;
        }
        if !self.pacing {
            self.next_slot = self.next_slot.max(self.now); // slots that nobody wanted are gone
        }
        let ta = self.config.ta;
        while self.next_slot <= self.now && self.outbox.takes_check() {
            let Some(id) = self.checklist.next_check(any_frozen) else {
                break;
            };
            let earliest = self.now.checked_sub(ta * CATCH_UP).unwrap_or(self.now);
            self.next_slot = self.next_slot.max(earliest) + ta;
            self.send_check(id);
        }
        self.pacing = self.has_check();
    }

    /// Sends the check whose turn it is, if there is one.
    pub(super) fn use_slot(&mut self) -> bool {
        let any_frozen = !self.config.is_strict();
        let next = if self.outbox.takes_check() && !self.config.is_lite() {
            self.checklist.next_check(any_frozen)
        } else {
            None
        };
        if let Some(id) = next {
            self.send_check(id);
        }
        self.pacing = self.has_check();
        next.is_some()
    }

    /// Asks for consent again: no new connectivity check, so that it is not what external pacing
    /// spreads over the sessions of a socket.
    fn ask_consent(&mut self, id: PairId) {
        match self.config.pacing {
            Pacing::External if self.outbox.takes_check() => {
                self.checklist.unqueue(id);
                self.send_check(id);
            }
            Pacing::External | Pacing::Own => self.checklist.queue(id, Queue::Triggered),
        }
    }

    /// Sends a new check on a pair (RFC 8445 §7.2.4).
    fn send_check(&mut self, id: PairId) {
        let (now, ta, role) = (self.now, self.config.ta, self.role);
        let strict = self.config.is_strict();
        let Some(pair) = self.checklist.get(id).filter(|_| !self.config.is_lite()) else {
            return;
        };
        let reliable = pair.path.transport != Transport::Udp;
        if pair.path.transport == Transport::Unopened {
            return self.open_stream(id);
        }
        let Some(local) = self.locals.get(pair.local) else {
            return;
        };
        let transaction = Transaction {
            pair: id,
            path: pair.path,
            generation: pair.generation,
            role,
            tie_breaker: self.tie_breaker,
            priority: local.reflexive_priority(),
            nominate: pair.nominate.then_some(pair.nomination),
            sent_at: now,
            repeated: false,
        };
        let round_trip = pair.patience();
        let nominate = pair.nominate;
        let Some(pair) = self.checklist.get_mut(id) else {
            return;
        };
        let fresh = match &mut pair.state {
            State::Succeeded(valid) => {
                let nominating = nominate && !valid.nominated && !reliable;
                let awaiting = valid.awaiting.get_or_insert(Awaiting {
                    since: now,
                    sent: 0,
                    retry_at: now,
                });
                awaiting.sent = awaiting.sent.saturating_add(1);
                let probe = match (nominating, awaiting.sent < PATIENT_PROBES) {
                    (true, true) => {
                        match self
                            .config
                            .ladder
                            .after(awaiting.sent, now - awaiting.since, 1, ta)
                        {
                            Next::Repeat(interval) => interval.min(PROBE),
                            Next::GiveUp(_) => PROBE,
                        }
                    }
                    (false, true) => PROBE,
                    (_, false) => SLOW_PROBE,
                };
                awaiting.retry_at = now + probe.max(round_trip);
                false
            }
            State::InProgress(progress) if !strict => {
                progress.sent = progress.sent.saturating_add(1);
                progress.sent_at = now;
                false
            }
            // In the strict profile a triggered check is a new transaction (§7.3.1.4).
            State::InProgress(_) | State::Frozen | State::Waiting | State::Failed => true,
        };
        if fresh {
            let progress = Progress {
                since: now,
                sent_at: now,
                sent: 1,
                give_up: false,
            };
            self.checklist.set_state(id, State::InProgress(progress));
        }
        self.transmit(id, transaction);
        self.schedule(id);
    }

    /// A new transaction for a pair; the oldest beyond the bound is forgotten.
    fn transmit(&mut self, id: PairId, transaction: Transaction) {
        let transaction_id = self.random.transaction_id();
        if let Some(pair) = self.checklist.get_mut(id) {
            pair.last_role = Some(transaction.role);
            if pair.outstanding.len() >= OUTSTANDING_MAX {
                let oldest = pair.outstanding.remove(0);
                self.transactions.remove(oldest);
            }
            pair.outstanding.push(transaction_id);
        }
        self.transactions.insert(transaction_id, transaction);
        self.outbox.push_check(transaction_id);
    }

    /// Sets the deadline of a pair from its state.
    fn schedule(&mut self, id: PairId) {
        let strict = self.config.is_strict();
        let busy = if strict { self.checklist.busy() } else { 0 };
        let Some(pair) = self.checklist.get_mut(id) else {
            return;
        };
        let at = match &mut pair.state {
            State::InProgress(progress) if pair.path.transport != Transport::Udp => {
                progress.give_up = true; // RFC 6544 §7.1: the stream repeats what is lost
                Some(progress.sent_at + TI)
            }
            State::InProgress(progress) if progress.sent != 0 => {
                let since = progress.sent_at.saturating_duration_since(progress.since);
                let next = self
                    .config
                    .ladder
                    .after(progress.sent, since, busy, self.config.ta);
                let (after, give_up) = match next {
                    Next::Repeat(interval) => (interval, false),
                    Next::GiveUp(rest) => (rest, true),
                };
                progress.give_up = give_up;
                Some(progress.sent_at + after)
            }
            State::Succeeded(valid) => {
                let check = valid
                    .awaiting
                    .as_ref()
                    .map_or(valid.next_at, |check| check.retry_at);
                Some(check.min(valid.consent_until))
            }
            State::InProgress(_) | State::Frozen | State::Waiting | State::Failed => None,
        };
        self.checklist.set_deadline(id, at);
    }

    /// The deadline of a pair, at this instant, has passed.
    fn pair_due(&mut self, id: PairId, at: Instant) {
        let strict = self.config.is_strict();
        let overdue = self.now - at;
        if let Some(pair) = self.checklist.get_mut(id)
            && let State::InProgress(progress) = &mut pair.state
        {
            // While the embedder slept nothing could be sent: that is no reason to give up.
            progress.since += overdue;
        }
        match self.checklist.get(id).map(|pair| &pair.state) {
            Some(State::InProgress(progress)) if progress.give_up => self.fail(id),
            Some(State::InProgress(_)) if strict => self.retransmit(id),
            Some(State::InProgress(_)) => self.checklist.queue(id, Queue::Repeat),
            Some(State::Succeeded(valid)) if valid.consent_until <= self.now => self.expire(id),
            Some(State::Succeeded(valid)) => {
                // The end of consent stays due, whatever becomes of the check.
                let consent_until = valid.consent_until;
                self.checklist.set_deadline(id, Some(consent_until));
                if !self.config.is_lite() {
                    self.valid_pair_due(id);
                }
            }
            Some(State::Frozen | State::Waiting | State::Failed) | None => {}
        }
    }

    /// RFC 8489 §6.2.1: the same request again; not paced, as it is no new transaction.
    fn retransmit(&mut self, id: PairId) {
        let now = self.now;
        let Some(pair) = self.checklist.get_mut(id) else {
            return;
        };
        let last = pair.outstanding.last().copied();
        let State::InProgress(progress) = &mut pair.state else {
            return;
        };
        progress.sent = progress.sent.saturating_add(1);
        progress.sent_at = now;
        if let Some(last) = last
            && let Some(transaction) = self.transactions.get_mut(last)
            && self.outbox.takes_check()
        {
            transaction.repeated = true;
            self.outbox.push_check(last);
        }
        self.schedule(id);
    }

    /// RFC 8445 §7.2.5.2.3. A pair that a triggered check waits for is tried anew instead.
    pub(super) fn fail(&mut self, id: PairId) {
        self.abandon_stream(id);
        let Some(pair) = self.checklist.get_mut(id) else {
            return;
        };
        let gone = core::mem::take(&mut pair.outstanding);
        let state = match pair.queue {
            Some((Queue::Triggered, _)) => State::Waiting,
            Some((Queue::Repeat, _)) | None => State::Failed,
        };
        self.transactions.remove_all(gone);
        if matches!(state, State::Failed) {
            self.checklist.unqueue(id);
        }
        self.checklist.set_state(id, state);
    }

    /// A regular check of a valid pair is due, or the last one stayed unanswered.
    fn valid_pair_due(&mut self, id: PairId) {
        let now = self.now;
        let in_use = self.in_use(id);
        let heard_at = self.heard_at(id);
        let regular = self.regular_interval(in_use);
        let Some(pair) = self.checklist.get_mut(id) else {
            return;
        };
        let nominate = pair.nominate;
        let round_trip = pair.patience();
        let Some(valid) = pair.valid_mut() else {
            return;
        };
        let Some(awaiting) = &valid.awaiting else {
            // Awakened by silence, or by the regular interval; a check is due in both cases unless
            // traffic came after the deadline was set.
            let quiet_at = heard_at.map(|heard| heard + SILENCE);
            match (valid.watch_until, quiet_at) {
                (Some(regular_at), Some(quiet_at)) if quiet_at > now && regular_at > now => {
                    valid.next_at = quiet_at.min(regular_at);
                    self.schedule(id);
                }
                _ => self.ask_consent(id),
            }
            return;
        };
        let heard = heard_at.is_some_and(|heard| heard > awaiting.since);
        let unanswered =
            awaiting.sent >= SUSPICION && now - awaiting.since >= PROBE.max(round_trip) * SUSPICION;
        if nominate && !valid.nominated && (heard || !unanswered) {
            self.checklist.queue(id, Queue::Triggered);
        } else if heard || (unanswered && !in_use) {
            // It lives but does not answer (it need not, RFC 7675 §5.1 lets single checks go
            // unanswered), or nothing is lost with it. The next regular check will ask again.
            valid.awaiting = None;
            valid.next_at = now + regular;
            valid.watch_until = None;
            self.trust(id);
            self.schedule(id);
        } else {
            let suspect = unanswered && valid.suspected_at.is_none();
            self.ask_consent(id);
            if suspect {
                self.suspect(id);
            }
        }
    }

    /// The time to the next regular check (RFC 7675 §5.1), longer where no data flows.
    pub(super) fn regular_interval(&mut self, in_use: bool) -> Duration {
        let period = self.config.consent_interval * if in_use { 1 } else { BACKUP };
        // A longer interval than half the time-out would let one lost check end consent.
        self.random
            .spread(period.min(self.config.consent_timeout / 2))
    }

    /// Our check was answered (RFC 8445 §7.2.5.3).
    pub(super) fn pair_answered(
        &mut self,
        id: PairId,
        transaction: &Transaction,
        mapped: SocketAddr,
    ) {
        let now = self.now;
        let retained = self.is_retained(id);
        let Some(pair) = self.checklist.get(id) else {
            return;
        };
        let (own, foundation) = (pair.local, pair.foundation);
        let known = pair.valid().map(|valid| valid.local);
        let as_before = |index: &usize| {
            let candidate = self.locals.get(*index);
            candidate.is_some_and(|candidate| candidate.address() == mapped)
        };
        let local = if retained {
            own
        } else if let Some(known) = known.or(Some(own)).filter(as_before) {
            known
        } else {
            self.learn_local(own, mapped)
        };
        let in_use = self.in_use(id);
        let interval = self.regular_interval(in_use);
        let consent_until = now + self.config.consent_timeout;
        let Some(pair) = self.checklist.get_mut(id) else {
            return;
        };
        if !transaction.repeated {
            pair.rtt = Some(now - transaction.sent_at);
        }
        pair.heard_at = Some(now);
        let confirmed = pair.nominate && transaction.nominate == Some(pair.nomination);
        let wished = pair.wish.now;
        let first = known.is_none();
        if first {
            self.strays.clear();
            pair.tried_since = None;
        }
        match pair.valid_mut() {
            Some(valid) => {
                valid.local = local;
                valid.answered_at = now;
                valid.consent_until = consent_until;
                valid.next_at = now + interval;
                valid.watch_until = None;
                valid.awaiting = None;
                valid.nominated |= confirmed;
                if valid.suspected_at.is_some() {
                    self.trust(id);
                }
            }
            None => {
                let valid = Valid {
                    local,
                    answered_at: now,
                    consent_until,
                    next_at: now + interval,
                    watch_until: None,
                    awaiting: None,
                    nominated: confirmed,
                    suspected_at: None,
                    trust_at: now,
                };
                self.checklist.set_state(id, State::Succeeded(valid));
                self.checklist.unqueue(id);
            }
        }
        if known != Some(local) && !retained {
            self.reprioritize_pair(id);
        }
        if first {
            self.checklist.thaw(foundation);
        }
        self.watch_silence(id);
        self.schedule(id);
        if retained {
            return;
        }
        if first {
            self.follow_when_valid(id, wished);
        }
        self.select_for(id);
        // A nomination that the peer has not confirmed goes on at once.
        let unconfirmed = self.checklist.get(id).is_some_and(|pair| {
            pair.nominate && pair.valid().is_some_and(|valid| !valid.nominated)
        });
        if unconfirmed {
            self.checklist.queue(id, Queue::Triggered);
        }
    }

    /// While traffic flows on the pair in use, its end is noticed before the next regular check.
    fn watch_silence(&mut self, id: PairId) {
        let (now, heard_at) = (self.now, self.traffic_at(id));
        let Some(valid) = self.checklist.get_mut(id).and_then(|pair| pair.valid_mut()) else {
            return;
        };
        if heard_at.is_some_and(|heard| now - heard < SILENCE) {
            valid.watch_until = Some(valid.next_at);
            valid.next_at = valid.next_at.min(now + SILENCE);
        }
    }

    /// The peer refused our check with an error that we cannot repair (RFC 8445 §7.2.5.2.4).
    pub(super) fn pair_refused(&mut self, id: PairId) {
        match self.checklist.get(id).map(|pair| pair.pair_state()) {
            Some(PairState::InProgress | PairState::Waiting) => self.fail(id),
            // A refusal is no consent, and no proof that the path is broken either.
            Some(PairState::Succeeded | PairState::Frozen | PairState::Failed) | None => {}
        }
    }

    /// A check was refused because of the role: the same pair again at once.
    pub(super) fn check_again(&mut self, id: PairId) {
        if self.checklist.get(id).is_none() {
            return;
        }
        if self
            .checklist
            .get(id)
            .is_some_and(|pair| pair.valid().is_none())
        {
            self.checklist.set_state(id, State::Waiting);
        }
        self.checklist.queue(id, Queue::Triggered);
    }

    /// A transaction has been answered, one way or the other.
    pub(super) fn settle_transaction(&mut self, id: PairId, answered: crate::stun::TransactionId) {
        self.transactions.remove(answered);
        if let Some(pair) = self.checklist.get_mut(id) {
            pair.outstanding
                .retain(|outstanding| *outstanding != answered);
        }
    }

    /// Starts a new series of checks on a pair that is not valid any more.
    pub(super) fn try_again(&mut self, id: PairId) {
        if let Some(pair) = self.checklist.get_mut(id) {
            // RFC 7675 §5.1: answers to checks from before the end of consent do not revive it.
            let gone = core::mem::take(&mut pair.outstanding);
            self.transactions.remove_all(gone);
        }
        self.checklist.set_state(id, State::Waiting);
        self.checklist.queue(id, Queue::Triggered);
    }
}
