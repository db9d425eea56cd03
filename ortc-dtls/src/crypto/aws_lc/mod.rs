//! The provider on top of AWS-LC.

mod ml_kem;
mod signing;

use core::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::{aead, agreement, digest, hmac};
use zeroize::Zeroizing;

use super::hybrid::{self, Hybrid};
use super::{
    AeadAlgorithm, AeadKey, CryptoError, Hash, HashContext, HeaderProtectionKey, HmacKey,
    KeyAlgorithm, KeyExchange, NONCE_LEN, NamedGroup, Output, Provider, PublicKey, SignatureScheme,
    SigningKey, TAG_LEN,
};

/// The provider that draws from and computes with AWS-LC: under the feature `fips`, with its
/// validated module.
#[must_use]
pub fn aws_lc_rs_provider() -> Arc<dyn Provider> {
    Arc::new(AwsLc {
        random: SystemRandom::new(),
    })
}

#[derive(Debug)]
struct AwsLc {
    random: SystemRandom,
}

impl From<aws_lc_rs::error::Unspecified> for CryptoError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

impl Provider for AwsLc {
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        Ok(self.random.fill(out)?)
    }

    fn generate_key_exchange(
        &self,
        group: NamedGroup,
    ) -> Result<Box<dyn KeyExchange>, CryptoError> {
        let algorithm = match group {
            NamedGroup::X25519 => &agreement::X25519,
            NamedGroup::SECP256R1 => &agreement::ECDH_P256,
            NamedGroup::SECP384R1 => &agreement::ECDH_P384,
            NamedGroup::X25519MLKEM768 => {
                let (kem, public) = ml_kem::DecapsulationKey::generate()?;
                return Ok(Box::new(Hybrid::new(self, &public, kem)?));
            }
            _ => return Err(CryptoError),
        };
        let private = agreement::EphemeralPrivateKey::generate(algorithm, &self.random)?;
        let public = private.compute_public_key()?;
        Ok(Box::new(Ecdh { private, public }))
    }

    fn encapsulate(
        &self,
        group: NamedGroup,
        peer: &[u8],
    ) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
        if group == NamedGroup::X25519MLKEM768 {
            return hybrid::encapsulate(self, peer, ml_kem::encapsulate_to);
        }
        let exchange = self.generate_key_exchange(group)?;
        let share = exchange.public_key().to_vec();
        Ok((share, exchange.agree(peer)?))
    }

    fn generate_signing_key(
        &self,
        algorithm: KeyAlgorithm,
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        signing::generate(algorithm)
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
        let algorithm = match algorithm {
            AeadAlgorithm::Aes128Gcm => &aead::AES_128_GCM,
            AeadAlgorithm::Aes256Gcm => &aead::AES_256_GCM,
            AeadAlgorithm::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        };
        let key = aead::UnboundKey::new(algorithm, key)?;
        Ok(Box::new(Aead(aead::LessSafeKey::new(key))))
    }

    fn header_protection(
        &self,
        algorithm: AeadAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn HeaderProtectionKey>, CryptoError> {
        let algorithm = match algorithm {
            AeadAlgorithm::Aes128Gcm => &aead::quic::AES_128,
            AeadAlgorithm::Aes256Gcm => &aead::quic::AES_256,
            AeadAlgorithm::ChaCha20Poly1305 => &aead::quic::CHACHA20,
        };
        let key = aead::quic::HeaderProtectionKey::new(algorithm, key)?;
        Ok(Box::new(HeaderProtection(key)))
    }

    fn hash(&self, algorithm: Hash) -> Box<dyn HashContext> {
        Box::new(Sha(digest::Context::new(match algorithm {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
        })))
    }

    fn hmac(&self, algorithm: Hash, key: &[u8]) -> Box<dyn HmacKey> {
        Box::new(Hmac::new(algorithm, key))
    }

    fn lend_hmac(&self, algorithm: Hash, key: &[u8], run: &mut dyn FnMut(&dyn HmacKey)) {
        run(&Hmac::new(algorithm, key));
    }
}

#[derive(Debug)]
struct Ecdh {
    private: agreement::EphemeralPrivateKey,
    public: agreement::PublicKey,
}

impl KeyExchange for Ecdh {
    fn public_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        // AWS-LC would also read compressed and hybrid points, and DER (RFC 8422 §5.4.1).
        let uncompressed =
            *self.private.algorithm() == agreement::X25519 || peer.first() == Some(&4);
        if peer.len() != self.public.as_ref().len() || !uncompressed {
            return Err(CryptoError);
        }
        let peer = agreement::UnparsedPublicKey::new(self.private.algorithm(), peer);
        agreement::agree_ephemeral(self.private, peer, CryptoError, |secret| {
            Ok(Zeroizing::new(secret.to_vec()))
        })
    }
}

#[derive(Debug)]
struct Aead(aead::LessSafeKey);

impl AeadKey for Aead {
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, aead::Aad::from(aad), in_out)?;
        tag.as_ref().try_into().map_err(|_| CryptoError)
    }

    fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        self.0
            .open_in_place_separate_tag(nonce, aead::Aad::from(aad), tag, in_out)?;
        Ok(())
    }
}

/// QUIC masks its headers as DTLS 1.3 does (RFC 9001 §5.4.3, §5.4.4).
struct HeaderProtection(aead::quic::HeaderProtectionKey);

impl fmt::Debug for HeaderProtection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderProtection(..)")
    }
}

impl HeaderProtectionKey for HeaderProtection {
    fn mask(&self, sample: [u8; 16]) -> [u8; 5] {
        // It fails for a sample of another length only.
        self.0.new_mask(&sample).unwrap_or_default()
    }
}

#[derive(Clone)]
struct Sha(digest::Context);

impl fmt::Debug for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha(..)")
    }
}

impl HashContext for Sha {
    fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    fn current(&self) -> Output {
        Output::copy_of(self.0.clone().finish().as_ref())
    }
}

#[derive(Debug)]
struct Hmac(hmac::Key);

impl Hmac {
    fn new(algorithm: Hash, key: &[u8]) -> Self {
        let algorithm = match algorithm {
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha384 => hmac::HMAC_SHA384,
        };
        Self(hmac::Key::new(algorithm, key))
    }
}

impl HmacKey for Hmac {
    fn sign(&self, parts: &[&[u8]]) -> Output {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        Output::copy_of(context.sign().as_ref())
    }
}
