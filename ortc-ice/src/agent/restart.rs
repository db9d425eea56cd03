//! The beginning of checks, and their beginning anew: restarts of either side (RFC 8445 §9).

use std::time::Instant;

use super::{Agent, Outlook, Phase};
use crate::credentials::Credentials;
use crate::event::Event;
use crate::generation::Generation;

impl Agent {
    /// Restarts: new local credentials, returned for signalling. The pair in use stays, and its
    /// consent is kept up, until a pair of the new session is valid. The role stays too.
    ///
    /// The peer's credentials and candidates have to be given again, also when they are the same,
    /// unless the peer has restarted and no pair was valid since: then this is the answer to its
    /// restart, and what it signalled is kept. On a closed agent nothing changes.
    pub fn restart(&mut self, now: Instant) -> Credentials {
        if self.advance(now).is_err() {
            return self.generation.local.clone();
        }
        let local = Credentials::random(&mut self.random);
        let answers = self.generation.number != 0 && self.active.is_none();
        let kept = answers.then(|| {
            let remote = self.remote_credentials().cloned();
            (
                remote,
                core::mem::take(&mut self.remotes),
                self.remote_ended,
                core::mem::take(&mut self.names),
            )
        });
        self.begin_generation(local.clone());
        if let Some((Some(remote), candidates, ended, names)) = kept {
            self.names = names;
            self.generation.set_remote(remote);
            for candidate in candidates {
                let key = (candidate.is_tcp(), candidate.address());
                self.remote_by_address.insert(key, self.remotes.len());
                self.remotes.push(candidate);
            }
            self.remote_ended = ended;
            if self.phase == Phase::Running {
                self.begin_checks();
            }
        }
        self.pump();
        local
    }

    /// A new generation of credentials; of the old one the pair in use is retained.
    pub(super) fn begin_generation(&mut self, local: Credentials) {
        let number = self.generation.number + 1;
        let old = core::mem::replace(&mut self.generation, Generation::new(number, local));
        if let Some(active) = self.active.take() {
            self.retained = Some(active);
            self.previous = Some(old);
        } else if self.retained.is_none() {
            self.previous = Some(old);
        } // else the pair in use belongs to the generation before, which stays
        self.strays.clear();
        let keep = self.retained.as_ref().map(|retained| retained.id);
        let gone = self.checklist.retain_only(keep);
        self.transactions.remove_all(gone);
        if let Some(pair) = keep.and_then(|id| self.checklist.get_mut(id)) {
            pair.nominate = false;
        }
        self.forget_nomination();
        self.early_nominee = None;
        self.remotes.clear();
        self.names.forget();
        self.remote_by_address.clear();
        self.remote_ended = false;
        if self.progress == Outlook::Failed {
            self.progress = Outlook::Trying;
        }
    }

    /// Checks begin: the pairs are formed, patience starts (RFC 8863 §4), and what the peer has
    /// asked early is taken up.
    pub(super) fn begin_checks(&mut self) {
        self.patience_until = self.now.checked_add(self.config.patience);
        self.form_all_pairs();
        let Some(remote) = self.generation.remote.as_ref() else {
            return;
        };
        let ufrag = remote.credentials.ufrag().to_owned();
        let early: Vec<_> = self.early.take(&ufrag).collect();
        for (path, check) in early {
            self.take_up_early(path, check);
        }
    }

    /// Connectivity was lost or given up, and there is something new to try.
    pub(super) fn revive(&mut self) {
        if self.progress == Outlook::Failed {
            self.progress = Outlook::Trying;
        }
    }

    pub(super) fn declare_failure(&mut self) {
        if self.failure_at().is_some_and(|at| at <= self.now) {
            self.progress = Outlook::Failed;
            self.push_event(Event::Failed);
        }
    }
}
