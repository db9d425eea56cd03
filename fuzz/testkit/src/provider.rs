//! The deterministic crypto provider: pure Rust, seeded, so that a whole call replays to the octet.

use core::fmt;
use std::sync::{Arc, Mutex};

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::ChaCha20Poly1305;
use hmac::{Hmac, Mac};
use ortc_dtls::crypto::{
    AeadAlgorithm, AeadKey, CryptoError, Hash, HashContext, HeaderProtectionKey, HmacKey,
    KeyExchange, NONCE_LEN, NamedGroup, Output, Provider, PublicKey, SignatureScheme, SigningKey,
    TAG_LEN, ring_provider,
};
use p256::ecdsa::signature::{Signer, Verifier};
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256, Sha384};
use zeroize::Zeroizing;

/// All randomness from one seed; signatures by RFC 6979. For tests only: one seed, one secret.
///
/// RSA is left to `ring`, whose PKCS #1 signatures are deterministic by definition.
pub struct Deterministic(Mutex<ChaCha20Rng>);

impl Deterministic {
    /// A provider whose every output follows from the seed and the order of calls.
    #[must_use]
    #[expect(
        clippy::new_ret_no_self,
        reason = "endpoints take the provider as a shared trait object"
    )]
    pub fn new(seed: u64) -> Arc<dyn Provider> {
        Arc::new(Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed))))
    }

    fn draw<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.0.lock().unwrap().fill_bytes(&mut out);
        out
    }

    fn secret(&self) -> p256::SecretKey {
        loop {
            // One draw in 2^32 is not a scalar of P-256.
            if let Ok(key) = p256::SecretKey::from_slice(&self.draw::<32>()) {
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
        self.0.lock().unwrap().fill_bytes(out);
        Ok(())
    }

    fn generate_key_exchange(
        &self,
        group: NamedGroup,
    ) -> Result<Box<dyn KeyExchange>, CryptoError> {
        Ok(match group {
            NamedGroup::X25519 => {
                let secret = x25519_dalek::StaticSecret::from(self.draw::<32>());
                let public = x25519_dalek::PublicKey::from(&secret);
                Box::new(X25519 { secret, public })
            }
            NamedGroup::SECP256R1 => {
                let secret = self.secret();
                let public = secret.public_key().to_sec1_bytes();
                Box::new(P256Ecdh { secret, public })
            }
            _ => return Err(CryptoError),
        })
    }

    fn generate_signing_key(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let document = self.secret().to_pkcs8_der().map_err(|_| CryptoError)?;
        Ok(Zeroizing::new(document.as_bytes().to_vec()))
    }

    fn load_signing_key(&self, pkcs8: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        match p256::ecdsa::SigningKey::from_pkcs8_der(pkcs8) {
            Ok(key) => {
                let public = p256::PublicKey::from(key.verifying_key()).to_sec1_bytes();
                Ok(Box::new(P256Ecdsa { key, public }))
            }
            Err(_) => ring_provider().load_signing_key(pkcs8),
        }
    }

    fn verify(
        &self,
        scheme: SignatureScheme,
        key: PublicKey<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        let (PublicKey::P256(point), SignatureScheme::ECDSA_SHA256) = (key, scheme) else {
            return ring_provider().verify(scheme, key, message, signature);
        };
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_| CryptoError)?;
        let signature = p256::ecdsa::Signature::from_der(signature).map_err(|_| CryptoError)?;
        key.verify(message, &signature).map_err(|_| CryptoError)
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
        ring_provider().header_protection(algorithm, key)
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

macro_rules! opaque {
    ($name:ident $(<$param:ident>)?) => {
        impl $(<$param>)? fmt::Debug for $name $(<$param>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

struct X25519 {
    secret: x25519_dalek::StaticSecret,
    public: x25519_dalek::PublicKey,
}
opaque!(X25519);

impl KeyExchange for X25519 {
    fn public_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let peer: [u8; 32] = peer.try_into().map_err(|_| CryptoError)?;
        let shared = self.secret.diffie_hellman(&peer.into());
        if !shared.was_contributory() {
            return Err(CryptoError);
        }
        Ok(Zeroizing::new(shared.as_bytes().to_vec()))
    }
}

struct P256Ecdh {
    secret: p256::SecretKey,
    public: Box<[u8]>,
}
opaque!(P256Ecdh);

impl KeyExchange for P256Ecdh {
    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let peer = p256::PublicKey::from_sec1_bytes(peer).map_err(|_| CryptoError)?;
        let shared = self.secret.diffie_hellman(&peer);
        Ok(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
    }
}

struct P256Ecdsa {
    key: p256::ecdsa::SigningKey,
    public: Box<[u8]>,
}
opaque!(P256Ecdsa);

impl SigningKey for P256Ecdsa {
    fn public_key(&self) -> PublicKey<'_> {
        PublicKey::P256(&self.public)
    }

    fn schemes(&self) -> &[SignatureScheme] {
        &[SignatureScheme::ECDSA_SHA256]
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        if scheme != SignatureScheme::ECDSA_SHA256 {
            return Err(CryptoError);
        }
        let signature: p256::ecdsa::Signature = self.key.sign(message);
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

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
