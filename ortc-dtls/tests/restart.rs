//! A client that begins again from the same address and port while its old connection lives
//! (RFC 6347 §4.2.8, RFC 9147 §5.11); what a gate counts and forgets.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::crypto::Provider;
use ortc_dtls::{
    Certificate, Config, CookieGate, Endpoint, Event, GateDrop, PeerVerification, Role, Verdict,
    Version,
};
use pair::{hello_of, provider};

const ADDRESS: &[u8] = b"192.0.2.1:4433";
const VERSIONS: [Version; 2] = [Version::DTLS12, Version::DTLS13];

/// One provider for all of a test: two that were seeded alike would draw the same client twice.
fn config(version: Version, provider: &Arc<dyn Provider>) -> Arc<Config> {
    let certificate = Certificate::generate(provider).unwrap();
    let config = Config::new(certificate, provider.clone())
        .versions(&[version])
        .unwrap()
        .verification(PeerVerification::TrustFirst);
    Arc::new(config)
}

/// A server with one client at one address.
struct Server {
    config: Arc<Config>,
    gate: CookieGate,
    current: Option<Endpoint>,
    next: Option<Endpoint>,
}

impl Server {
    fn new(version: Version, provider: &Arc<dyn Provider>, now: Instant) -> Self {
        let config = config(version, provider);
        Self {
            gate: CookieGate::new(config.clone(), now).unwrap(),
            config,
            current: None,
            next: None,
        }
    }

    /// Returns what is to be sent back.
    fn handle(&mut self, contents: &mut [u8], now: Instant) -> Vec<Vec<u8>> {
        let begins = match &self.current {
            Some(current) => current.is_restarted_by(contents) && self.next.is_none(),
            None => true,
        };
        if begins {
            let mut answer = Vec::new();
            match self.gate.admit(ADDRESS, contents, now, &mut answer) {
                Verdict::Admit(admission) => {
                    let endpoint = Endpoint::accept(self.config.clone(), admission, now);
                    if self.current.is_none() {
                        self.current = Some(endpoint);
                    } else {
                        self.next = Some(endpoint);
                    }
                }
                Verdict::Ask(_) => return vec![answer],
                other @ (Verdict::Refuse(..) | Verdict::Wait | Verdict::Drop(_)) => {
                    panic!("{other:?}")
                }
            }
        } else {
            for side in [&mut self.current, &mut self.next].into_iter().flatten() {
                side.handle_datagram(&mut contents.to_vec(), now);
            }
        }
        let mut out = Vec::new();
        for side in [&mut self.current, &mut self.next].into_iter().flatten() {
            let mut datagram = Vec::new();
            while side.poll_transmit(&mut datagram, now).is_some() {
                out.push(core::mem::take(&mut datagram));
            }
        }
        if let Some(next) = &mut self.next
            && next.poll_event() == Some(Event::Connected)
        {
            self.current = self.next.take();
        }
        out
    }
}

/// Talks until nothing is on its way; returns what the client sent.
fn talk(client: &mut Endpoint, server: &mut Server, now: Instant) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    loop {
        let mut datagram = Vec::new();
        if client.poll_transmit(&mut datagram, now).is_none() {
            return sent;
        }
        sent.push(datagram.clone());
        for mut answer in server.handle(&mut datagram, now) {
            client.handle_datagram(&mut answer, now);
        }
    }
}

fn events(side: &mut Endpoint) -> Vec<Event> {
    core::iter::from_fn(|| side.poll_event()).collect()
}

fn assert_data_arrives(client: &mut Endpoint, server: &mut Server, now: Instant) {
    client.send(b"hello", now).unwrap();
    talk(client, server, now);
    let data = Event::ApplicationData(b"hello".as_slice().into());
    let current = server.current.as_mut().unwrap();
    assert!(events(current).contains(&data));
}

#[test]
fn a_client_that_begins_again_replaces_its_connection_when_it_is_complete_and_not_before() {
    let provider = provider();
    for version in VERSIONS {
        let now = pair::origin();
        let mut server = Server::new(version, &provider, now);
        let mut old = Endpoint::new(config(version, &provider), Role::Client, now);
        let sent_by_old = talk(&mut old, &mut server, now);
        assert!(events(&mut old).contains(&Event::Connected));
        assert_data_arrives(&mut old, &mut server, now);

        // Repetitions of the old handshake begin nothing.
        let current = server.current.as_ref().unwrap();
        for datagram in &sent_by_old {
            assert!(!current.is_restarted_by(datagram), "{version}");
        }
        // Nor does what is no hello, or the middle of one.
        assert!(!current.is_restarted_by(&[]));
        assert!(!current.is_restarted_by(&sent_by_old[0][..30]));

        // Somebody sends a hello from the client's address and does not hear the answer.
        let mut spoofer = Endpoint::new(config(version, &provider), Role::Client, now);
        let mut spoofed = hello_of(&mut spoofer, now);
        assert!(current.is_restarted_by(&spoofed));
        let answer = server.handle(&mut spoofed.clone(), now);
        assert!(answer.len() == 1 && answer[0].len() <= 3 * spoofed.len());
        assert!(server.next.is_none());
        assert_data_arrives(&mut old, &mut server, now);

        // The client itself comes back, having forgotten everything.
        let mut new = Endpoint::new(config(version, &provider), Role::Client, now);
        let mut hello = hello_of(&mut new, now);
        for mut request in server.handle(&mut hello, now) {
            new.handle_datagram(&mut request, now);
        }
        let mut second = hello_of(&mut new, now);
        let flight = server.handle(&mut second, now);
        assert!(server.next.is_some());
        // The old connection lives, whatever else comes.
        server.handle(&mut spoofed, now);
        assert_data_arrives(&mut old, &mut server, now);
        for mut datagram in flight {
            new.handle_datagram(&mut datagram, now);
        }
        talk(&mut new, &mut server, now);
        assert!(server.next.is_none());
        assert!(events(&mut new).contains(&Event::Connected), "{version}");
        assert_data_arrives(&mut new, &mut server, now);
        // The old keys are of no use any more.
        old.send(b"still there?", now).unwrap();
        talk(&mut old, &mut server, now);
        assert_eq!(events(server.current.as_mut().unwrap()), []);
    }
}

#[test]
fn a_connection_that_is_not_up_and_a_client_are_not_restarted() {
    let provider = provider();
    for version in VERSIONS {
        let now = pair::origin();
        let mut client = Endpoint::new(config(version, &provider), Role::Client, now);
        let mut server = Endpoint::new(config(version, &provider), Role::Server, now);
        let mut other = Endpoint::new(config(version, &provider), Role::Client, now);
        let hello = hello_of(&mut other, now);
        assert!(!server.is_restarted_by(&hello));
        server.handle_datagram(&mut hello_of(&mut client, now), now);
        assert!(!server.is_restarted_by(&hello));
        assert!(!client.is_restarted_by(&hello));
    }
}

#[test]
fn a_gate_counts_what_it_sees() {
    let provider = provider();
    for version in VERSIONS {
        let now = pair::origin();
        let mut server = Server::new(version, &provider, now);
        let mut client = Endpoint::new(config(version, &provider), Role::Client, now);
        let hello = hello_of(&mut client, now);
        let mut request = server.handle(&mut hello.clone(), now).remove(0);
        client.handle_datagram(&mut request, now);
        let second = hello_of(&mut client, now);
        let gate = &mut server.gate;
        let mut out = Vec::new();
        // The same cookie from elsewhere, junk, a piece.
        let _ = gate.admit(b"elsewhere", &second, now, &mut out);
        let _ = gate.admit(ADDRESS, b"junk", now, &mut out);
        let mut piece = hello;
        piece[13 + 9..13 + 12].copy_from_slice(&[0, 0, 40]);
        piece[11..13].copy_from_slice(&[0, 12 + 40]);
        let _ = gate.admit(ADDRESS, &piece, now, &mut out);
        assert!(matches!(
            gate.admit(ADDRESS, &second, now, &mut out),
            Verdict::Admit(_)
        ));
        let stats = gate.stats();
        let again = u64::from(version == Version::DTLS12);
        assert_eq!(stats.admitted, 1);
        assert_eq!((stats.asked, stats.refused), (1 + again, 1 - again));
        assert_eq!(stats.cookies_refused, 1);
        assert_eq!(stats.dropped(GateDrop::NotClientHello), 1);
        assert_eq!(stats.dropped(GateDrop::Fragmented), 1);
        assert_eq!((stats.dropped_total(), stats.waiting), (2, 0));
    }
}

#[test]
fn a_secret_that_is_changed_twice_knows_no_cookie_of_the_first() {
    let provider = provider();
    for version in VERSIONS {
        for (changes, counts) in [(0, true), (1, true), (2, false)] {
            let now = pair::origin();
            let mut server = Server::new(version, &provider, now);
            let mut client = Endpoint::new(config(version, &provider), Role::Client, now);
            let mut hello = hello_of(&mut client, now);
            let mut request = server.handle(&mut hello, now).remove(0);
            client.handle_datagram(&mut request, now);
            let second = hello_of(&mut client, now);
            for change in 1..=changes {
                let later = now + Duration::from_secs(change);
                server.gate.rotate(later).unwrap();
            }
            let later = now + Duration::from_secs(3);
            let verdict = server.gate.admit(ADDRESS, &second, later, &mut Vec::new());
            assert_eq!(
                matches!(verdict, Verdict::Admit(_)),
                counts,
                "{version} {changes}"
            );
        }
    }
}
