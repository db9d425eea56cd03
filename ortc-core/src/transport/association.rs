//! The DTLS association of a connection: which role, when it starts, and what waits until then.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::{Config, Endpoint, Receipt, Role, is_client_hello};

use crate::api::DtlsRole;

/// Datagrams of one flight that wait for a valid pair, and their octets.
const MAX_HELD: usize = 8;
const MAX_HELD_OCTETS: usize = 12 << 10;

/// A side that left the first hello to the other sends its own after this, if none came: the other
/// may have been told to be the server.
const PATIENCE: Duration = Duration::from_secs(1);
/// A client that leaves it to the controlling side to give way does so itself after this: the
/// other may have been told to be the client.
const YIELD: Duration = Duration::from_millis(1_500);
/// Two sides that were both told the same role see no progress for this long.
const CONFLICT: Duration = Duration::from_secs(10);

/// Content type of handshake records (RFC 5246 §6.2.1).
const HANDSHAKE: u8 = 22;

/// The association, before and after it began.
#[derive(Debug)]
pub(crate) enum Association {
    /// No pair is valid yet; one flight of the peer is held, so that no round trip is lost.
    Waiting(Held),
    Running(Box<Running>),
}

/// Datagrams from paths that an authenticated check came from.
#[derive(Debug, Default)]
pub(crate) struct Held {
    datagrams: VecDeque<Vec<u8>>,
    octets: usize,
}

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) endpoint: Endpoint,
    pub(crate) role: Role,
    config: Arc<Config>,
    policy: DtlsRole,
    progress: Progress,
}

/// Whether the two sides agree on who is the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Nothing has come; since when.
    Alone(Instant),
    /// We are client and so says the other; since when.
    Collision(Instant),
    /// The other answers.
    Agreed,
}

/// Both sides were told the same role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RoleConflict;

impl Held {
    /// Keeps a datagram; says no when the bound is reached.
    pub(crate) fn push(&mut self, datagram: &[u8]) -> bool {
        let fits =
            self.datagrams.len() < MAX_HELD && self.octets + datagram.len() <= MAX_HELD_OCTETS;
        if fits {
            self.octets += datagram.len();
            self.datagrams.push_back(datagram.to_vec());
        }
        fits
    }

    fn has_client_hello(&self) -> bool {
        self.datagrams
            .iter()
            .any(|datagram| is_client_hello(datagram))
    }
}

impl Running {
    /// Begins: a pair is valid. `controlled` is the ICE role, which decides unless the application
    /// did or the other side was first.
    pub(crate) fn start(
        config: &Arc<Config>,
        policy: DtlsRole,
        controlled: bool,
        held: Held,
        now: Instant,
    ) -> Self {
        let role = match policy {
            DtlsRole::Client => Role::Client,
            DtlsRole::Server => Role::Server,
            DtlsRole::Auto if held.has_client_hello() || !controlled => Role::Server,
            DtlsRole::Auto => Role::Client,
        };
        let mut running = Self {
            endpoint: Endpoint::new(Arc::clone(config), role, now),
            role,
            config: Arc::clone(config),
            policy,
            progress: Progress::Alone(now),
        };
        for mut datagram in held.datagrams {
            running.handle_datagram(&mut datagram, controlled, now);
        }
        running
    }

    pub(crate) fn handle_datagram(
        &mut self,
        contents: &mut [u8],
        controlled: bool,
        now: Instant,
    ) -> Receipt {
        let hello = is_client_hello(contents);
        if hello && self.role == Role::Client && self.progress != Progress::Agreed {
            // Both have sent a ClientHello. The controlled side stays client; the controlling one
            // drops its own and answers, unless it was told to be the client.
            let since = match self.progress {
                Progress::Collision(since) => since,
                Progress::Alone(_) | Progress::Agreed => now,
            };
            self.progress = Progress::Collision(since);
            let gives_way = match self.policy {
                DtlsRole::Auto => !controlled || now >= since + YIELD,
                DtlsRole::Client | DtlsRole::Server => false,
            };
            if !gives_way {
                return Receipt::Nothing;
            }
            self.become_role(Role::Server, now);
        }
        // A server has a partner once a ClientHello came, a client once a handshake message did that
        // is none; nothing else that arrives here says anything about roles.
        let agrees = match self.role {
            Role::Server => hello,
            Role::Client => !hello && contents.first() == Some(&HANDSHAKE),
        };
        if agrees {
            self.progress = Progress::Agreed;
        }
        self.endpoint.handle_datagram(contents, now)
    }

    /// The configuration changed while the handshake runs: an endpoint that takes this one's place
    /// must hold the peer to the same.
    pub(crate) fn reconfigure(&mut self, config: &Arc<Config>) {
        self.config = Arc::clone(config);
    }

    fn become_role(&mut self, role: Role, now: Instant) {
        self.role = role;
        self.progress = Progress::Agreed;
        self.endpoint = Endpoint::new(Arc::clone(&self.config), role, now);
    }

    /// The deadline of the role rules.
    pub(crate) fn role_timeout(&self) -> Option<Instant> {
        match (self.progress, self.policy, self.role) {
            (Progress::Agreed, ..) => None,
            (Progress::Alone(since), DtlsRole::Auto, Role::Server) => Some(since + PATIENCE),
            // Without an answer an unanswered client simply keeps trying.
            (Progress::Alone(_), _, Role::Client) => None,
            (Progress::Alone(since), DtlsRole::Client | DtlsRole::Server, Role::Server)
            | (Progress::Collision(since), DtlsRole::Client | DtlsRole::Server, _) => {
                Some(since + CONFLICT)
            }
            // Gives way at the next hello.
            (Progress::Collision(_), DtlsRole::Auto, _) => None,
        }
    }

    /// Does what the role rules ask for once their deadline has passed.
    pub(crate) fn handle_role_timeout(&mut self, now: Instant) -> Result<(), RoleConflict> {
        if self.role_timeout().is_none_or(|at| now < at) {
            return Ok(());
        }
        match self.policy {
            DtlsRole::Auto => {
                self.become_role(Role::Client, now);
                self.progress = Progress::Alone(now);
                Ok(())
            }
            DtlsRole::Client | DtlsRole::Server => Err(RoleConflict),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_that_waits_is_bounded_in_datagrams_and_in_octets() {
        let mut small = Held::default();
        let kept = (0..100).filter(|_| small.push(&[22; 100])).count();
        assert_eq!(kept, MAX_HELD);

        let mut large = Held::default();
        let kept = (0..100).filter(|_| large.push(&[22; 5_000])).count();
        assert_eq!((kept, large.octets), (2, 10_000));
        assert!(!large.push(&[22; MAX_HELD_OCTETS - 10_000 + 1]));
        assert!(large.push(&[22; MAX_HELD_OCTETS - 10_000]));
    }
}
