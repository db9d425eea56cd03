//! The deterministic crypto provider: pure Rust, seeded, so that a whole call replays to the octet.

mod exchange;
mod signing;

use core::fmt;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aes::cipher::BlockCipherEncrypt;
use aes::{Aes128, Aes256};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use chacha20poly1305::ChaCha20Poly1305;
use hmac::{Hmac, Mac};
use ortc_dtls::crypto::{
    AeadAlgorithm, AeadKey, CryptoError, Hash, HashContext, HeaderProtectionKey, HmacKey,
    KeyAlgorithm, KeyExchange, NONCE_LEN, NamedGroup, Output, Provider, PublicKey, SignatureScheme,
    SigningKey, TAG_LEN,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256, Sha384};
use zeroize::Zeroizing;

/// All randomness from one seed; signatures by RFC 6979. For tests only: one seed, one secret.
///
/// RSA is left to `ring`, whose PKCS #1 signatures are deterministic by definition; those of PSS
/// are not. So are curves with a hash of another strength, when they are verified.
pub struct Deterministic(Mutex<Source>);

enum Source {
    Seed(Box<ChaCha20Rng>),
    Script(VecDeque<u8>),
}

impl Deterministic {
    /// A provider whose every output follows from the seed and the order of calls.
    #[must_use]
    #[expect(
        clippy::new_ret_no_self,
        reason = "endpoints take the provider as a shared trait object"
    )]
    pub fn new(seed: u64) -> Arc<dyn Provider> {
        let random = Box::new(ChaCha20Rng::seed_from_u64(seed));
        Arc::new(Self(Mutex::new(Source::Seed(random))))
    }

    /// A provider that draws these octets one after the other, as published vectors want it.
    ///
    /// # Panics
    ///
    /// When more is drawn than there is.
    #[must_use]
    pub fn scripted(octets: &[u8]) -> Arc<dyn Provider> {
        let script = octets.iter().copied().collect();
        Arc::new(Self(Mutex::new(Source::Script(script))))
    }

    fn fill(&self, out: &mut [u8]) {
        match &mut *self.0.lock().unwrap() {
            Source::Seed(random) => random.fill_bytes(out),
            Source::Script(octets) => {
                for to in out {
                    *to = octets.pop_front().unwrap();
                }
            }
        }
    }

    fn draw<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    fn p256(&self) -> p256::SecretKey {
        loop {
            // One draw in 2^32 is not a scalar of P-256.
            if let Ok(key) = p256::SecretKey::from_slice(&self.draw::<32>()) {
                return key;
            }
        }
    }

    fn p384(&self) -> p384::SecretKey {
        loop {
            if let Ok(key) = p384::SecretKey::from_slice(&self.draw::<48>()) {
                return key;
            }
        }
    }
}

impl fmt::Debug for Deterministic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deterministic(..)")
    }
}

impl Provider for Deterministic {
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.fill(out);
        Ok(())
    }

    fn generate_key_exchange(
        &self,
        group: NamedGroup,
    ) -> Result<Box<dyn KeyExchange>, CryptoError> {
        exchange::generate(self, group)
    }

    fn encapsulate(
        &self,
        group: NamedGroup,
        peer: &[u8],
    ) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
        exchange::encapsulate(self, group, peer)
    }

    fn generate_signing_key(
        &self,
        algorithm: KeyAlgorithm,
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        signing::generate(self, algorithm)
    }

    fn load_signing_key(&self, pkcs8: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        signing::load(pkcs8)
    }

    fn verify(
        &self,
        scheme: SignatureScheme,
        key: PublicKey<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        signing::verify(scheme, key, message, signature)
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        fn expand<C: KeyInit + AeadInOut + Send + Sync + 'static>(
            key: &[u8],
        ) -> Result<Box<dyn AeadKey>, CryptoError> {
            let cipher = C::new_from_slice(key).map_err(|_| CryptoError)?;
            Ok(Box::new(Aead(cipher)))
        }
        match algorithm {
            AeadAlgorithm::Aes128Gcm => expand::<Aes128Gcm>(key),
            AeadAlgorithm::Aes256Gcm => expand::<Aes256Gcm>(key),
            AeadAlgorithm::ChaCha20Poly1305 => expand::<ChaCha20Poly1305>(key),
        }
    }

    fn header_protection(
        &self,
        algorithm: AeadAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn HeaderProtectionKey>, CryptoError> {
        Ok(match algorithm {
            AeadAlgorithm::Aes128Gcm => Box::new(AesMask(
                Aes128::new_from_slice(key).map_err(|_| CryptoError)?,
            )),
            AeadAlgorithm::Aes256Gcm => Box::new(AesMask(
                Aes256::new_from_slice(key).map_err(|_| CryptoError)?,
            )),
            AeadAlgorithm::ChaCha20Poly1305 => {
                Box::new(ChaChaMask(key.try_into().map_err(|_| CryptoError)?))
            }
        })
    }

    fn hash(&self, algorithm: Hash) -> Box<dyn HashContext> {
        match algorithm {
            Hash::Sha256 => Box::new(Sha(Sha256::new())),
            Hash::Sha384 => Box::new(Sha(Sha384::new())),
        }
    }

    fn hmac(&self, algorithm: Hash, key: &[u8]) -> Box<dyn HmacKey> {
        match algorithm {
            Hash::Sha256 => Box::new(Keyed(Hmac::<Sha256>::new_from_slice(key).unwrap())),
            Hash::Sha384 => Box::new(Keyed(Hmac::<Sha384>::new_from_slice(key).unwrap())),
        }
    }
}

/// `Debug` without contents.
macro_rules! opaque {
    ($name:ident $(<$param:ident>)?) => {
        impl $(<$param>)? fmt::Debug for $name $(<$param>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}
use opaque;

struct Aead<C>(C);
opaque!(Aead<C>);

impl<C: AeadInOut + Send + Sync> AeadKey for Aead<C> {
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        let nonce = nonce[..].try_into().map_err(|_| CryptoError)?;
        let tag = self
            .0
            .encrypt_inout_detached(nonce, aad, in_out.into())
            .map_err(|_| CryptoError)?;
        tag[..].try_into().map_err(|_| CryptoError)
    }

    fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        let nonce = nonce[..].try_into().map_err(|_| CryptoError)?;
        let tag = tag[..].try_into().map_err(|_| CryptoError)?;
        self.0
            .decrypt_inout_detached(nonce, aad, in_out.into(), tag)
            .map_err(|_| CryptoError)
    }
}

struct AesMask<C>(C);
opaque!(AesMask<C>);

impl<C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16> + Send + Sync> HeaderProtectionKey
    for AesMask<C>
{
    fn mask(&self, sample: [u8; 16]) -> [u8; 5] {
        let mut block = sample.into();
        self.0.encrypt_block(&mut block);
        let [a, b, c, d, e, ..]: [u8; 16] = block.into();
        [a, b, c, d, e]
    }
}

struct ChaChaMask([u8; 32]);
opaque!(ChaChaMask);

impl HeaderProtectionKey for ChaChaMask {
    /// The block counter is the first four octets, little-endian, the nonce the others
    /// (RFC 9147 §4.2.3).
    fn mask(&self, sample: [u8; 16]) -> [u8; 5] {
        let [a, b, c, d, nonce @ ..] = sample;
        let counter = u32::from_le_bytes([a, b, c, d]);
        let mut cipher = ChaCha20::new(&self.0.into(), &nonce.into());
        cipher.seek(u64::from(counter) * 64);
        let mut mask = [0; 5];
        cipher.apply_keystream(&mut mask);
        mask
    }
}

struct Sha<D>(D);
opaque!(Sha<D>);

impl<D: Digest + Clone + Send + Sync> HashContext for Sha<D> {
    fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    fn current(&self) -> Output {
        Output::copy_of(&self.0.clone().finalize())
    }
}

struct Keyed<M>(M);
opaque!(Keyed<M>);

impl<M: Mac + Clone + Send + Sync> HmacKey for Keyed<M> {
    fn sign(&self, parts: &[&[u8]]) -> Output {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        Output::copy_of(&mac.finalize().into_bytes())
    }
}
