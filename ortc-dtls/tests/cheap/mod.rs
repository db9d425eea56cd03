//! A provider whose asymmetric half costs nothing and proves nothing, so that tens of thousands of
//! handshakes fit into a test: public values are hashes, and everyone knows every secret. Hashes,
//! HMACs and AEADs are real, so that keys agree only where transcripts do.
#![allow(dead_code, reason = "every test file uses another part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use ortc_dtls::crypto::{
    AeadAlgorithm, AeadKey, CryptoError, Hash, HashContext, HeaderProtectionKey, HmacKey,
    KeyAlgorithm, KeyExchange, NamedGroup, Provider, PublicKey, SignatureScheme, SigningKey,
    ring_provider,
};
use zeroize::Zeroizing;

#[derive(Debug)]
pub(crate) struct Cheap {
    real: Arc<dyn Provider>,
    seed: u64,
    draws: AtomicU64,
}

impl Cheap {
    /// What it draws follows from the seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            real: ring_provider(),
            seed,
            draws: AtomicU64::new(0),
        }
    }

    /// Draws the same once more.
    pub(crate) fn rewind(&self) {
        self.draws.store(0, Ordering::Relaxed);
    }

    /// A key pair whose public value has so many octets.
    fn exchange(&self, len: usize) -> Result<Exchange, CryptoError> {
        let mut drawn = [0; 32];
        self.random(&mut drawn)?;
        let real = self.real.clone();
        let public = drawn.iter().copied().cycle().take(len).collect();
        Ok(Exchange { real, public })
    }

    fn hash_of(&self, parts: &[&[u8]]) -> [u8; 32] {
        hash_of(&*self.real, parts)
    }
}

fn hash_of(provider: &dyn Provider, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = provider.hash(Hash::Sha256);
    for part in parts {
        context.update(part);
    }
    context.current().as_ref().try_into().unwrap()
}

/// Octets of a client's public value and of a server's: those of X25519MLKEM768 are as long as they
/// are, which makes its ClientHello longer than a datagram; those of the others as X25519's.
fn share_lens(group: NamedGroup) -> [usize; 2] {
    if group == NamedGroup::X25519MLKEM768 {
        [1216, 1120]
    } else {
        [32, 32]
    }
}

/// As long as a signature of ECDSA usually is.
fn signature(
    provider: &dyn Provider,
    scheme: SignatureScheme,
    key: &[u8],
    message: &[u8],
) -> Vec<u8> {
    let hash = hash_of(provider, &[&scheme.0.to_be_bytes(), key, message]);
    hash.iter().copied().cycle().take(71).collect()
}

impl Provider for Cheap {
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        for chunk in out.chunks_mut(32) {
            let draw = self.draws.fetch_add(1, Ordering::Relaxed);
            let octets = self.hash_of(&[&self.seed.to_be_bytes(), &draw.to_be_bytes()]);
            chunk.copy_from_slice(&octets[..chunk.len()]);
        }
        Ok(())
    }

    fn generate_key_exchange(
        &self,
        group: NamedGroup,
    ) -> Result<Box<dyn KeyExchange>, CryptoError> {
        Ok(Box::new(self.exchange(share_lens(group)[0])?))
    }

    fn encapsulate(
        &self,
        group: NamedGroup,
        peer: &[u8],
    ) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
        let exchange = self.exchange(share_lens(group)[1])?;
        let share = exchange.public.clone();
        Ok((share, Box::new(exchange).agree(peer)?))
    }

    fn generate_signing_key(&self, _: KeyAlgorithm) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let mut key = Zeroizing::new(vec![0; 32]);
        self.random(&mut key)?;
        Ok(key)
    }

    fn load_signing_key(&self, pkcs8: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let [x, y] = [b"x", b"y"].map(|axis| self.hash_of(&[axis, pkcs8]));
        let real = self.real.clone();
        let public = [&[4][..], &x, &y].concat();
        Ok(Box::new(Key { real, public }))
    }

    fn verify(
        &self,
        scheme: SignatureScheme,
        key: PublicKey<'_>,
        message: &[u8],
        claimed: &[u8],
    ) -> Result<(), CryptoError> {
        let PublicKey::P256(key) = key else {
            return Err(CryptoError);
        };
        let fits = signature(&*self.real, scheme, key, message) == claimed;
        if fits { Ok(()) } else { Err(CryptoError) }
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

#[derive(Debug)]
struct Exchange {
    real: Arc<dyn Provider>,
    public: Vec<u8>,
}

impl KeyExchange for Exchange {
    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let mut both = [&self.public, peer];
        both.sort_unstable();
        Ok(Zeroizing::new(hash_of(&*self.real, &both).to_vec()))
    }
}

#[derive(Debug)]
struct Key {
    real: Arc<dyn Provider>,
    public: Vec<u8>,
}

impl SigningKey for Key {
    fn public_key(&self) -> PublicKey<'_> {
        PublicKey::P256(&self.public)
    }

    fn schemes(&self) -> &[SignatureScheme] {
        &[SignatureScheme::ECDSA_SHA256]
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Ok(signature(&*self.real, scheme, &self.public, message))
    }
}
