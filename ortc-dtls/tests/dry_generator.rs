//! A generator that fails when a client is let in: the endpoint is closed, once and for good.

mod pair;

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use ortc_dtls::crypto::{
    AeadAlgorithm, AeadKey, CryptoError, Hash, HashContext, HeaderProtectionKey, HmacKey,
    KeyAlgorithm, KeyExchange, NamedGroup, Provider, PublicKey, SignatureScheme, SigningKey,
};
use ortc_dtls::{
    Certificate, CloseReason, Config, CookieGate, Endpoint, Event, Role, Verdict, Version,
};
use pair::{hello_of, provider};
use zeroize::Zeroizing;

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

    fn generate_signing_key(
        &self,
        algorithm: KeyAlgorithm,
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.real.generate_signing_key(algorithm)
    }

    fn load_signing_key(&self, pkcs8: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        self.real.load_signing_key(pkcs8)
    }

    fn verify(
        &self,
        scheme: SignatureScheme,
        key: PublicKey<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.real.verify(scheme, key, message, signature)
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        self.real.aead(algorithm, key)
    }

    fn header_protection(
        &self,
        algorithm: AeadAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn HeaderProtectionKey>, CryptoError> {
        self.real.header_protection(algorithm, key)
    }

    fn hash(&self, algorithm: Hash) -> Box<dyn HashContext> {
        self.real.hash(algorithm)
    }

    fn hmac(&self, algorithm: Hash, key: &[u8]) -> Box<dyn HmacKey> {
        self.real.hmac(algorithm, key)
    }
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
