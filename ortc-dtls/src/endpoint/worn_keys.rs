//! What happens when more records fail authentication than a key endures (RFC 9147 §4.5.3), which
//! takes too long to bring about from outside.

use std::sync::Arc;
use std::time::Instant;

use super::Endpoint;
use crate::crypto::{Provider, ring_provider};
use crate::{
    AlertDescription, Certificate, CloseReason, Config, Event, HashAlgorithm, Role, SendError,
    Version,
};

fn connected(version: Version, now: Instant) -> [Endpoint; 2] {
    let provider: Arc<dyn Provider> = ring_provider();
    let certificates = [(); 2].map(|()| Certificate::generate(&provider).unwrap());
    let mut sides = [(Role::Client, 0, 1), (Role::Server, 1, 0)].map(|(role, own, peer)| {
        let expected = certificates[peer].fingerprint(HashAlgorithm::Sha256);
        let config = Config::new(certificates[own].clone(), provider.clone())
            .versions(&[version])
            .unwrap()
            .expected_fingerprints(vec![expected]);
        Endpoint::new(Arc::new(config), role, now)
    });
    let mut datagram = Vec::new();
    for _ in 0..4 {
        for (from, to) in [(0, 1), (1, 0)] {
            while sides[from].poll_transmit(&mut datagram, now).is_some() {
                sides[to].handle_datagram(&mut datagram, now);
                datagram.clear();
            }
        }
    }
    for side in &mut sides {
        assert_eq!(side.poll_event(), Some(Event::Connected));
    }
    sides
}

#[test]
#[expect(clippy::disallowed_methods, reason = "an origin for the clock")]
fn a_connection_ends_with_the_last_forgery_that_its_key_endures() {
    let now = Instant::now();
    for version in [Version::DTLS12, Version::DTLS13] {
        let [mut client, mut server] = connected(version, now);
        let mut record = Vec::new();
        let mut forged = |client: &mut Endpoint| {
            record.clear();
            client.send(b"data", now).unwrap();
            client.poll_transmit(&mut record, now).unwrap();
            *record.last_mut().unwrap() ^= 1;
            record.clone()
        };
        let mut first = forged(&mut client);
        server.handle_datagram(&mut first, now);
        assert_eq!(server.poll_event(), None, "{version}: one is nothing");
        server.cx.inbound.wear();
        let mut last = forged(&mut client);
        server.handle_datagram(&mut last, now);
        let closed = Event::Closed(CloseReason::KeyLimit);
        assert_eq!(server.poll_event(), Some(closed), "{version}");
        assert_eq!(server.send(b"data", now), Err(SendError::NotConnected));
        // What we write with is not worn, so that the peer hears why.
        let mut alert = Vec::new();
        server.poll_transmit(&mut alert, now).unwrap();
        client.handle_datagram(&mut alert, now);
        let told = CloseReason::PeerAlert(AlertDescription::INTERNAL_ERROR);
        assert_eq!(client.poll_event(), Some(Event::Closed(told)), "{version}");
    }
}
