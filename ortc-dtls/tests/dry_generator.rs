//! A generator that fails when a client is let in: the endpoint is closed, once and for good.

mod altered;
mod pair;

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use altered::as_real;
use ortc_dtls::crypto::{CryptoError, KeyExchange, NamedGroup, Provider};
use ortc_dtls::{
    Certificate, CloseReason, Config, CookieGate, Endpoint, Event, Role, Verdict, Version,
};
use pair::{hello_of, provider};

/// The generator fails as often as this says.
#[derive(Debug)]
struct Dry {
    real: Arc<dyn Provider>,
    failures: AtomicU32,
}

impl Provider for Dry {
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        let left = self.failures.load(Ordering::Relaxed);
        if left > 0 {
            self.failures.store(left - 1, Ordering::Relaxed);
            return Err(CryptoError);
        }
        self.real.random(out)
    }

    fn generate_key_exchange(
        &self,
        group: NamedGroup,
    ) -> Result<Box<dyn KeyExchange>, CryptoError> {
        self.real.generate_key_exchange(group)
    }

    as_real!();
}

#[test]
fn a_client_that_is_let_in_without_a_connection_id_to_draw_is_closed_once() {
    for versions in [[Version::DTLS12], [Version::DTLS13]] {
        for failures in [1, 100] {
            let dry = Arc::new(Dry {
                real: provider(),
                failures: AtomicU32::new(0),
            });
            let shared: Arc<dyn Provider> = dry.clone();
            let config = Config::new(Certificate::generate(&shared).unwrap(), shared.clone());
            let config = config.versions(&versions).unwrap();
            let config = Arc::new(config.connection_id_length(Some(4)));
            let now = pair::origin();
            let mut gate = CookieGate::new(config.clone(), now).unwrap();
            let mut client = Endpoint::new(config.clone(), Role::Client, now);
            let mut request = Vec::new();
            let first = hello_of(&mut client, now);
            let asked = gate.admit(b"client", &first, now, &mut request);
            assert!(matches!(asked, Verdict::Ask(_)));
            client.handle_datagram(&mut request, now);
            let second = hello_of(&mut client, now);
            let Verdict::Admit(admission) = gate.admit(b"client", &second, now, &mut Vec::new())
            else {
                panic!("the client is not let in");
            };
            dry.failures.store(failures, Ordering::Relaxed);
            let mut server = Endpoint::accept(config, admission, now);
            let closed = Event::Closed(CloseReason::Internal);
            assert_eq!(server.poll_event(), Some(closed));
            assert_eq!(server.poll_event(), None);
            let mut out = Vec::new();
            while server.poll_transmit(&mut out, now).is_some() {}
            assert!(out.len() <= 15, "an alert at most");
            assert_eq!(server.poll_timeout(), None);
        }
    }
}
