//! Two endpoints, a path between them that a test can bend, and a clock that only this file moves.
#![allow(dead_code, reason = "every test file uses another part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::crypto::{Provider, ring_provider};
use ortc_dtls::{Certificate, CloseReason, Config, Endpoint, Event, HashAlgorithm, Role, Version};
use ortc_testkit::provider::Deterministic;

pub(crate) const DELAY: Duration = Duration::from_millis(25);

/// The environment variable that picks one provider for all tests, by the name that it has in
/// [`providers`]; without it, they run with every provider that is compiled in.
const CHOICE: &str = "ORTC_TEST_PROVIDER";

/// All providers: whatever holds with one holds with the others.
pub(crate) fn providers() -> Vec<Arc<dyn Provider>> {
    let all: [(&str, Arc<dyn Provider>); _] = [
        ("ring", ring_provider()),
        #[cfg(feature = "aws-lc-rs")]
        ("aws-lc-rs", ortc_dtls::crypto::aws_lc_rs_provider()),
        ("deterministic", Deterministic::new(1)),
    ];
    let choice = std::env::var(CHOICE).ok();
    let chosen = all
        .into_iter()
        .filter(|(name, _)| choice.as_ref().is_none_or(|choice| choice == name));
    let chosen: Vec<_> = chosen.map(|(_, provider)| provider).collect();
    assert!(!chosen.is_empty(), "{CHOICE} names no provider: {choice:?}");
    chosen
}

/// The first of [`providers`], where one is enough.
pub(crate) fn provider() -> Arc<dyn Provider> {
    providers().swap_remove(0)
}

/// Of DTLS 1.2.
pub(crate) fn config(provider: &Arc<dyn Provider>) -> Config {
    config12(Certificate::generate(provider).unwrap(), provider)
}

pub(crate) fn config12(certificate: Certificate, provider: &Arc<dyn Provider>) -> Config {
    Config::new(certificate, provider.clone())
        .versions(&[Version::DTLS12])
        .unwrap()
}

/// Two configurations, each of which expects the other's certificate.
pub(crate) fn verified(
    client: Config,
    server: Config,
    certificates: [&Certificate; 2],
) -> [Config; 2] {
    let [of_client, of_server] =
        certificates.map(|certificate| certificate.fingerprint(HashAlgorithm::Sha256));
    [
        client.expected_fingerprints(vec![of_server]),
        server.expected_fingerprints(vec![of_client]),
    ]
}

/// The usual pair of DTLS 1.2: both verify each other.
pub(crate) fn pair(provider: &Arc<dyn Provider>, adapt: impl Fn(Config) -> Config) -> Pair {
    pair_of([&[Version::DTLS12]; 2], provider, adapt)
}

/// The usual pair of DTLS 1.3.
pub(crate) fn pair13(provider: &Arc<dyn Provider>, adapt: impl Fn(Config) -> Config) -> Pair {
    pair_of([&[Version::DTLS13]; 2], provider, adapt)
}

/// A pair with these versions of client and server.
pub(crate) fn pair_of(
    versions: [&[Version]; 2],
    provider: &Arc<dyn Provider>,
    adapt: impl Fn(Config) -> Config,
) -> Pair {
    pair_by_role(versions, provider, |_, config| adapt(config))
}

/// As [`pair_of`], where the sides differ.
pub(crate) fn pair_by_role(
    versions: [&[Version]; 2],
    provider: &Arc<dyn Provider>,
    adapt: impl Fn(Role, Config) -> Config,
) -> Pair {
    let [client, server] = configs(versions, provider, adapt);
    Pair::new(client, server)
}

/// The configurations of client and server, who verify each other.
pub(crate) fn configs(
    versions: [&[Version]; 2],
    provider: &Arc<dyn Provider>,
    adapt: impl Fn(Role, Config) -> Config,
) -> [Config; 2] {
    let certificates = [(); 2].map(|()| Certificate::generate(provider).unwrap());
    let [client, server] = [Role::Client, Role::Server].map(|role| {
        let certificate = certificates[role as usize].clone();
        let config = Config::new(certificate, provider.clone());
        let config = adapt(role, config);
        config.versions(versions[role as usize]).unwrap()
    });
    verified(client, server, certificates.each_ref())
}

#[derive(Debug)]
pub(crate) struct Flying {
    pub(crate) at: Instant,
    pub(crate) to: Role,
    pub(crate) contents: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) flying: Vec<Flying>,
    /// Every datagram as it was sent, and by whom.
    pub(crate) sent: Vec<(Role, Vec<u8>)>,
    pub(crate) events: [Vec<Event>; 2],
}

/// The ClientHello that a client has queued.
pub(crate) fn hello_of(client: &mut Endpoint, now: Instant) -> Vec<u8> {
    let mut contents = Vec::new();
    client.poll_transmit(&mut contents, now).unwrap();
    contents
}

#[expect(
    clippy::disallowed_methods,
    reason = "one arbitrary origin of virtual time"
)]
pub(crate) fn origin() -> Instant {
    Instant::now()
}

impl Pair {
    pub(crate) fn new(client: Config, server: Config) -> Self {
        let now = origin();
        Self {
            client: Endpoint::new(Arc::new(client), Role::Client, now),
            server: Endpoint::new(Arc::new(server), Role::Server, now),
            now,
            start: now,
            flying: Vec::new(),
            sent: Vec::new(),
            events: [Vec::new(), Vec::new()],
        }
    }

    pub(crate) fn side(&mut self, role: Role) -> &mut Endpoint {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// Takes out everything that is queued; `path` says when copies of a datagram arrive.
    pub(crate) fn transmit(&mut self, path: &mut impl FnMut(usize, Role, &[u8]) -> Vec<Duration>) {
        for role in [Role::Client, Role::Server] {
            loop {
                let mut contents = Vec::new();
                let now = self.now;
                let Some(len) = self.side(role).poll_transmit(&mut contents, now) else {
                    break;
                };
                assert_eq!(len, contents.len());
                let to = match role {
                    Role::Client => Role::Server,
                    Role::Server => Role::Client,
                };
                for delay in path(self.sent.len(), role, &contents) {
                    self.flying.push(Flying {
                        at: self.now + delay,
                        to,
                        contents: contents.clone(),
                    });
                }
                self.sent.push((role, contents));
            }
            while let Some(event) = self.side(role).poll_event() {
                self.events[role as usize].push(event);
            }
        }
    }

    /// Runs until both sides satisfy `done` or `limit` of virtual time has passed.
    pub(crate) fn run(
        &mut self,
        limit: Duration,
        mut path: impl FnMut(usize, Role, &[u8]) -> Vec<Duration>,
        done: impl Fn(&Self) -> bool,
    ) -> bool {
        let end = self.now + limit;
        loop {
            self.transmit(&mut path);
            if done(self) {
                return true;
            }
            let arrival = self.flying.iter().map(|flying| flying.at).min();
            let timers = [self.client.poll_timeout(), self.server.poll_timeout()];
            let next = timers.into_iter().flatten().chain(arrival).min();
            let Some(next) = next.filter(|&at| at <= end) else {
                self.now = end;
                return false;
            };
            assert!(
                next > self.now || arrival == Some(next),
                "a deadline stays in the past"
            );
            self.now = next;
            // In the order in which they were sent.
            let now = self.now;
            let due: Vec<Flying> = self
                .flying
                .extract_if(.., |flying| flying.at <= now)
                .collect();
            for mut flying in due {
                self.side(flying.to)
                    .handle_datagram(&mut flying.contents, now);
            }
            self.client.handle_timeout(now);
            self.server.handle_timeout(now);
        }
    }

    /// Runs over a perfect path until both sides are connected.
    pub(crate) fn connect(&mut self) -> bool {
        self.run(
            Duration::from_secs(10),
            |_, _, _| vec![DELAY],
            Self::connected,
        )
    }

    pub(crate) fn settle(&mut self) {
        self.run(Duration::from_millis(500), |_, _, _| vec![DELAY], |_| false);
    }

    pub(crate) fn connected(&self) -> bool {
        let has = |events: &Vec<Event>| events.contains(&Event::Connected);
        self.events.iter().all(has)
    }

    pub(crate) fn closed(&self, role: Role) -> Option<CloseReason> {
        self.events[role as usize].iter().find_map(|event| {
            if let Event::Closed(reason) = event {
                Some(*reason)
            } else {
                None
            }
        })
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Both sides export the same, and application data goes both ways.
    pub(crate) fn assert_works(&mut self) {
        let keying = self.client.srtp_keying().unwrap();
        assert_eq!(keying, self.server.srtp_keying().unwrap());
        assert_ne!(keying.client_key, keying.server_key);
        let mut exports = [[0; 40]; 2];
        let [a, b] = &mut exports;
        self.client
            .export_keying_material("EXPORTER-test", Some(b"context"), a)
            .unwrap();
        self.server
            .export_keying_material("EXPORTER-test", Some(b"context"), b)
            .unwrap();
        assert_eq!(exports[0], exports[1]);
        assert_ne!(exports[0], [0; 40]);
        for role in [Role::Client, Role::Server] {
            let now = self.now;
            let text = format!("from the {role:?}");
            self.side(role).send(text.as_bytes(), now).unwrap();
            self.settle();
            let other = 1 - role as usize;
            let data = Event::ApplicationData(text.into_bytes().into());
            assert!(self.events[other].contains(&data));
        }
    }
}
