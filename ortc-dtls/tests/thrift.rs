//! How often a handshake asks its provider for each thing: what is paid for once stays so.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use core::mem;
use std::sync::{Arc, Mutex};

use ortc_dtls::crypto::{
    AeadAlgorithm, AeadKey, CryptoError, Hash, HashContext, HeaderProtectionKey, HmacKey,
    KeyAlgorithm, KeyExchange, NamedGroup, Provider, PublicKey, SignatureScheme, SigningKey,
};
use ortc_dtls::{Certificate, Config, Version};
use pair::{Pair, configs, provider, verified};
use zeroize::Zeroizing;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Asked {
    random: u32,
    exchanges: u32,
    loads: u32,
    verifications: u32,
    aead: u32,
    header_protection: u32,
    hashes: u32,
    hmac: u32,
}

#[derive(Debug)]
struct Counting {
    real: Arc<dyn Provider>,
    asked: Mutex<Asked>,
}

impl Counting {
    fn count(&self, what: impl FnOnce(&mut Asked) -> &mut u32) -> &dyn Provider {
        *what(&mut self.asked.lock().unwrap()) += 1;
        &*self.real
    }

    fn take(&self) -> Asked {
        mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Provider for Counting {
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.count(|asked| &mut asked.random).random(out)
    }

    fn generate_key_exchange(
        &self,
        group: NamedGroup,
    ) -> Result<Box<dyn KeyExchange>, CryptoError> {
        self.count(|asked| &mut asked.exchanges)
            .generate_key_exchange(group)
    }

    fn generate_signing_key(
        &self,
        algorithm: KeyAlgorithm,
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.real.generate_signing_key(algorithm)
    }

    fn load_signing_key(&self, pkcs8: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        self.count(|asked| &mut asked.loads).load_signing_key(pkcs8)
    }

    fn verify(
        &self,
        scheme: SignatureScheme,
        key: PublicKey<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.count(|asked| &mut asked.verifications)
            .verify(scheme, key, message, signature)
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        self.count(|asked| &mut asked.aead).aead(algorithm, key)
    }

    fn header_protection(
        &self,
        algorithm: AeadAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn HeaderProtectionKey>, CryptoError> {
        self.count(|asked| &mut asked.header_protection)
            .header_protection(algorithm, key)
    }

    fn encapsulate(
        &self,
        group: NamedGroup,
        peer: &[u8],
    ) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
        self.count(|asked| &mut asked.exchanges)
            .encapsulate(group, peer)
    }

    fn hash(&self, algorithm: Hash) -> Box<dyn HashContext> {
        self.count(|asked| &mut asked.hashes).hash(algorithm)
    }

    fn hmac(&self, algorithm: Hash, key: &[u8]) -> Box<dyn HmacKey> {
        self.count(|asked| &mut asked.hmac).hmac(algorithm, key)
    }
}

fn counting() -> (Arc<Counting>, Arc<dyn Provider>) {
    let counting = Arc::new(Counting {
        real: provider(),
        asked: Mutex::default(),
    });
    (counting.clone(), counting)
}

#[test]
fn the_own_key_is_parsed_once_however_many_connections_use_it() {
    let (counts, provider) = counting();
    let (certificate, pkcs8) =
        Certificate::generate_with(&provider, &ortc_dtls::CertificateConfig::default()).unwrap();
    assert_eq!(counts.take().loads, 1);
    let again = Certificate::from_der(certificate.der(), &pkcs8, &provider).unwrap();
    assert_eq!(counts.take().loads, 1);
    for version in [Version::DTLS12, Version::DTLS13] {
        for _ in 0..3 {
            let config = || Config::new(again.clone(), provider.clone());
            let configs = [(); 2].map(|()| config().versions(&[version]).unwrap());
            let [client, server] = configs;
            let [client, server] = verified(client, server, [&again, &again]);
            assert!(Pair::new(client, server).connect());
        }
    }
    let asked = counts.take();
    assert_eq!((asked.loads, asked.verifications), (0, 12));
}

/// Per side: a random and a key pair; one hash for the transcript; keys of two directions, in
/// DTLS 1.3 of two epochs, each with one for its record numbers.
#[test]
fn nothing_is_computed_twice() {
    let (counts, provider) = counting();
    for (version, keys, numbers, hmac) in [
        // The extended master secret, the key block, both Finished.
        (Version::DTLS12, 2, 0, 4),
        // Two extractions, the handshake and the master secret, four traffic secrets, both Finished.
        (Version::DTLS13, 4, 4, 10),
    ] {
        let [client, server] = configs([&[version]; 2], &provider, |_, config| config);
        counts.take();
        assert!(Pair::new(client, server).connect());
        let expected = Asked {
            random: 2,
            exchanges: 2,
            loads: 0,
            verifications: 2,
            aead: 2 * keys,
            header_protection: 2 * numbers,
            hashes: 2,
            hmac: 2 * hmac,
        };
        assert_eq!(counts.take(), expected, "{version}");
    }
}
