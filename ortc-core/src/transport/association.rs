//! The DTLS association of a connection: which role, when it starts, and what waits until then.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::{Config, Endpoint, Fingerprint, Receipt, Role, is_client_hello};

use crate::api::DtlsRole;

/// Datagrams of one flight that wait for a valid pair, and their octets.
const MAX_HELD: usize = 8;
const MAX_HELD_OCTETS: usize = 12 << 10;

/// A side that left the first hello to the other sends its own after this, if none came: the other
/// may have been told to be the server.
const PATIENCE: Duration = Duration::from_secs(1);
/// A client that leaves it to the other side to give way does so itself after this: the other may
/// have been told to be the client.
const YIELD: Duration = Duration::from_millis(1_500);
/// Who gave way and hears only answers to what it gave up goes on with that after this: the hello
/// that it gave way to was nobody's.
const RECONSIDER: Duration = Duration::from_secs(5);
/// Two sides that were both told the same role see no progress for this long.
const CONFLICT: Duration = Duration::from_secs(10);

/// Content type of handshake records (RFC 5246 §6.2.1).
const HANDSHAKE: u8 = 22;
/// Where a record says which message it carries: after its header (RFC 6347 §4.1).
const MESSAGE_TYPE: usize = 13;
/// What a server sends first: ServerHello or HelloVerifyRequest (RFC 6347 §4.3.2).
const SERVER_FIRST: [u8; 2] = [2, 3];

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
    lot: Lot,
    progress: Progress,
    parked: Option<Box<Parked>>,
}

/// Our own handshake as client, given up for the other's. Where the other has given up its own as
/// well, or never had one, this one goes on.
#[derive(Debug)]
struct Parked {
    client: Endpoint,
    since: Instant,
}

/// What falls to a side that was not told its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lot {
    pub(crate) place: Place,
    /// Who stays client where two ClientHellos cross. It must not be the same for both sides at any
    /// time, as the ICE roles can be while they are repaired: each would finish a handshake of its own.
    pub(crate) crossed: Role,
}

/// The role to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Both sides know that they know the same.
    Settled(Role),
    /// By the ICE role: the other may have been told something else.
    Guess(Role),
    /// The other's description is still to come and may say.
    Undecided,
}

/// Whether the two sides agree on who is the client.
#[derive(Debug)]
enum Progress {
    /// Nothing has come; since when.
    Alone(Instant),
    /// We are client and so says the other; since when, and with which hello.
    Collision(Instant, Held),
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
    /// Begins: a pair is valid. The lot decides unless the application did or the other side was
    /// first.
    pub(crate) fn start(
        config: &Arc<Config>,
        policy: DtlsRole,
        lot: Lot,
        held: Held,
        now: Instant,
    ) -> Self {
        let role = match (policy, lot.place) {
            (DtlsRole::Client, _) => Role::Client,
            (DtlsRole::Server, _) => Role::Server,
            (DtlsRole::Auto, _) if held.has_client_hello() => Role::Server,
            (DtlsRole::Auto, Place::Settled(role) | Place::Guess(role)) => role,
            (DtlsRole::Auto, Place::Undecided) => Role::Server,
        };
        let mut running = Self {
            endpoint: Endpoint::new(Arc::clone(config), role, now),
            role,
            config: Arc::clone(config),
            policy,
            lot,
            progress: Progress::Alone(now),
            parked: None,
        };
        for mut datagram in held.datagrams {
            running.handle_datagram(&mut datagram, now);
        }
        running
    }

    pub(crate) fn handle_datagram(&mut self, contents: &mut [u8], now: Instant) -> Receipt {
        let hello = is_client_hello(contents);
        if hello && self.role == Role::Client && !matches!(self.progress, Progress::Agreed) {
            self.handle_collision(contents, now);
            return Receipt::Nothing;
        }
        let answer = is_servers(contents);
        if self.role == Role::Server && answer {
            self.take_up(now);
        }
        // A server has a partner once a ClientHello came, a client once the answer to its own did;
        // nothing else that arrives here says anything about roles.
        let agrees = match self.role {
            Role::Server => hello,
            Role::Client => answer,
        };
        if agrees {
            self.progress = Progress::Agreed;
        }
        let receipt = self.endpoint.handle_datagram(contents, now);
        if self.parked.is_some() && self.endpoint.version().is_some() {
            self.parked = None;
        }
        receipt
    }

    /// Both have sent a ClientHello. The one whose lot it is stays client; the other drops its own
    /// and answers, unless it was told to be the client.
    fn handle_collision(&mut self, hello: &[u8], now: Instant) {
        if let Progress::Alone(_) = self.progress {
            self.progress = Progress::Collision(now, Held::default());
        }
        if let Progress::Collision(_, held) = &mut self.progress {
            // Beyond the bound it is a repetition.
            let _ = held.push(hello);
        }
        if self.policy == DtlsRole::Auto && self.lot.crossed == Role::Server {
            self.give_way(now);
        }
    }

    /// Answers the hello that came, and keeps what was begun.
    fn give_way(&mut self, now: Instant) {
        let progress = core::mem::replace(&mut self.progress, Progress::Alone(now));
        let client = core::mem::replace(
            &mut self.endpoint,
            Endpoint::new(Arc::clone(&self.config), Role::Server, now),
        );
        self.role = Role::Server;
        self.parked = Some(Box::new(Parked { client, since: now }));
        if let Progress::Collision(_, held) = progress {
            for mut datagram in held.datagrams {
                self.handle_datagram(&mut datagram, now);
            }
        }
    }

    /// The other side answers as a server: each has given way to the other. The one whose lot it is
    /// goes on as client where it had begun, with the hello that was answered. So does the other in
    /// the end: where both gave way, no answer is repeated for so long.
    fn take_up(&mut self, now: Instant) {
        let is_ours = |parked: &mut Box<Parked>| {
            self.lot.crossed == Role::Client || now >= parked.since + RECONSIDER
        };
        if self.endpoint.version().is_none()
            && let Some(parked) = self.parked.take_if(is_ours)
        {
            self.endpoint = parked.client;
            self.role = Role::Client;
        }
    }

    /// The peer's description has come and says more.
    pub(crate) fn settle(&mut self, place: Place, now: Instant) {
        if self.policy != DtlsRole::Auto || matches!(self.lot.place, Place::Settled(_)) {
            return;
        }
        self.lot.place = place;
        let (Place::Settled(role) | Place::Guess(role)) = place else {
            return;
        };
        match (&self.progress, self.role, role) {
            (Progress::Alone(_), Role::Server, Role::Client) => self.begin_as_client(now),
            (Progress::Collision(..), Role::Client, Role::Server) => self.give_way(now),
            // What was begun goes on, or is answered.
            (Progress::Alone(_) | Progress::Collision(..) | Progress::Agreed, _, _) => {}
        }
    }

    /// The configuration changed while the handshake runs: an endpoint that takes this one's place
    /// must hold the peer to the same.
    pub(crate) fn reconfigure(&mut self, config: &Arc<Config>, fingerprint: Fingerprint) {
        self.config = Arc::clone(config);
        if let Some(parked) = &mut self.parked {
            // It has seen no certificate, so that nothing can contradict.
            let _ = parked.client.set_expected_fingerprint(fingerprint);
        }
    }

    fn begin_as_client(&mut self, now: Instant) {
        self.role = Role::Client;
        self.progress = Progress::Alone(now);
        self.endpoint = Endpoint::new(Arc::clone(&self.config), Role::Client, now);
    }

    /// The deadline of the role rules.
    pub(crate) fn role_timeout(&self) -> Option<Instant> {
        match (&self.progress, self.policy, self.role) {
            (Progress::Agreed, ..) => None,
            // The other does what it said.
            (_, DtlsRole::Auto, _) if matches!(self.lot.place, Place::Settled(_)) => None,
            (Progress::Alone(since), DtlsRole::Auto, Role::Server) => Some(*since + PATIENCE),
            (Progress::Collision(since, _), DtlsRole::Auto, _) => Some(*since + YIELD),
            // Without an answer an unanswered client simply keeps trying.
            (Progress::Alone(_), _, Role::Client) => None,
            (Progress::Alone(since), DtlsRole::Client | DtlsRole::Server, Role::Server)
            | (Progress::Collision(since, _), DtlsRole::Client | DtlsRole::Server, _) => {
                Some(*since + CONFLICT)
            }
        }
    }

    /// Does what the role rules ask for once their deadline has passed.
    pub(crate) fn handle_role_timeout(&mut self, now: Instant) -> Result<(), RoleConflict> {
        if self.role_timeout().is_none_or(|at| now < at) {
            return Ok(());
        }
        match (self.policy, self.role) {
            (DtlsRole::Auto, Role::Server) => self.begin_as_client(now),
            (DtlsRole::Auto, Role::Client) => self.give_way(now),
            (DtlsRole::Client | DtlsRole::Server, _) => return Err(RoleConflict),
        }
        Ok(())
    }
}

/// Whether a datagram begins with what only a server sends, in the clear.
fn is_servers(datagram: &[u8]) -> bool {
    let message = datagram.get(MESSAGE_TYPE);
    datagram.first() == Some(&HANDSHAKE)
        && datagram.get(3..5) == Some(&[0, 0])
        && message.is_some_and(|message| SERVER_FIRST.contains(message))
}

#[cfg(test)]
mod tests {
    use ortc_dtls::{Certificate, crypto};

    use super::*;

    fn config() -> Arc<Config> {
        let provider = crypto::default_provider();
        let certificate = Certificate::generate(&provider).unwrap();
        Arc::new(Config::new(certificate, provider))
    }

    #[expect(clippy::disallowed_methods, reason = "one arbitrary origin of time")]
    fn origin() -> Instant {
        Instant::now()
    }

    fn client(config: &Arc<Config>, crossed: Role, now: Instant) -> Running {
        let lot = Lot {
            place: Place::Guess(Role::Client),
            crossed,
        };
        Running::start(config, DtlsRole::Auto, lot, Held::default(), now)
    }

    /// Over a perfect path without delay, until both are connected or the time is over.
    fn connect(us: &mut Running, peer: &mut Endpoint, began: Instant, limit: Duration) -> bool {
        let mut now = began;
        while now <= began + limit {
            let mut quiet = false;
            while !quiet {
                quiet = true;
                let mut datagram = Vec::new();
                while us.endpoint.poll_transmit(&mut datagram, now).is_some() {
                    peer.handle_datagram(&mut datagram, now);
                    datagram.clear();
                    quiet = false;
                }
                while peer.poll_transmit(&mut datagram, now).is_some() {
                    us.handle_datagram(&mut datagram, now);
                    datagram.clear();
                    quiet = false;
                }
            }
            if us.endpoint.version().is_some() && peer.version().is_some() {
                return true;
            }
            now += Duration::from_millis(10);
            us.endpoint.handle_timeout(now);
            us.handle_role_timeout(now).unwrap();
            peer.handle_timeout(now);
        }
        false
    }

    /// Somebody who can send over the path and not read there makes us give way to nobody.
    #[test]
    fn a_hello_that_nobody_stands_behind_does_not_end_a_handshake() {
        let (config, now) = (config(), origin());
        let mut hello = Vec::new();
        let mut stranger = Endpoint::new(Arc::clone(&config), Role::Client, now);
        stranger.poll_transmit(&mut hello, now).unwrap();
        for crossed in [Role::Client, Role::Server] {
            let mut us = client(&config, crossed, now);
            let mut peer = Endpoint::new(Arc::clone(&config), Role::Server, now);
            let mut ours = Vec::new();
            us.endpoint.poll_transmit(&mut ours, now).unwrap();
            peer.handle_datagram(&mut ours, now);
            us.handle_datagram(&mut hello.clone(), now);
            let limit = 3 * RECONSIDER;
            assert!(connect(&mut us, &mut peer, now, limit), "{crossed:?}");
        }
    }

    /// Nor does a record that only looks like one of a handshake settle who is the client.
    #[test]
    fn junk_does_not_say_who_is_the_client() {
        let (config, now) = (config(), origin());
        let mut us = client(&config, Role::Server, now);
        let mut peer = Endpoint::new(Arc::clone(&config), Role::Client, now);
        let mut junk = vec![HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff];
        us.handle_datagram(&mut junk, now);
        // Our own hello is lost: the peer was told to be the client, and drops it.
        assert!(connect(&mut us, &mut peer, now, CONFLICT));
    }

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
