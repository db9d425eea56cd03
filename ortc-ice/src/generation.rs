//! One generation of credentials: from the start, or a restart (RFC 8445 §9), to the next.

use crate::credentials::Credentials;
use crate::stun::IntegrityKey;

/// The credentials of both sides, with their keys expanded.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) number: u32,
    pub(crate) local: Credentials,
    pub(crate) local_key: IntegrityKey,
    pub(crate) remote: Option<Remote>,
}

/// The peer's half.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) credentials: Credentials,
    pub(crate) key: IntegrityKey,
}

impl Generation {
    pub(crate) fn new(number: u32, local: Credentials) -> Self {
        let local_key = IntegrityKey::new(local.password().as_bytes());
        Self {
            number,
            local,
            local_key,
            remote: None,
        }
    }

    pub(crate) fn set_remote(&mut self, credentials: Credentials) {
        let key = IntegrityKey::new(credentials.password().as_bytes());
        self.remote = Some(Remote { credentials, key });
    }

    /// Whether a request with this USERNAME belongs here as far as both halves are known.
    pub(crate) fn is_named(&self, local: &str, remote: &str) -> bool {
        self.local.ufrag() == local
            && self
                .remote
                .as_ref()
                .is_some_and(|half| half.credentials.ufrag() == remote)
    }
}
