//! Signatures: ECDSA by RFC 6979, Ed25519; RSA by `ring`.

use core::fmt;

use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use ortc_dtls::crypto::{
    CryptoError, KeyAlgorithm, PublicKey, SignatureScheme, SigningKey, ring_provider,
};
use p256::ecdsa::signature::{Signer, Verifier};
use zeroize::Zeroizing;

use super::{Deterministic, opaque};

pub(super) fn generate(
    provider: &Deterministic,
    algorithm: KeyAlgorithm,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let document = match algorithm {
        KeyAlgorithm::EcdsaP256 => provider.p256().to_pkcs8_der(),
        KeyAlgorithm::EcdsaP384 => provider.p384().to_pkcs8_der(),
        // Without the public key, which not everyone reads.
        KeyAlgorithm::Ed25519 => KeypairBytes {
            secret_key: provider.draw(),
            public_key: None,
        }
        .to_pkcs8_der(),
        _ => return Err(CryptoError),
    };
    let document = document.map_err(|_| CryptoError)?;
    Ok(Zeroizing::new(document.as_bytes().to_vec()))
}

pub(super) fn load(pkcs8: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
    if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_der(pkcs8) {
        let public = p256::PublicKey::from(key.verifying_key()).to_sec1_bytes();
        return Ok(Box::new(P256 { key, public }));
    }
    if let Ok(key) = p384::ecdsa::SigningKey::from_pkcs8_der(pkcs8) {
        let public = p384::PublicKey::from(key.verifying_key()).to_sec1_bytes();
        return Ok(Box::new(P384 { key, public }));
    }
    if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_der(pkcs8) {
        let public = key.verifying_key().to_bytes();
        return Ok(Box::new(Ed25519 { key, public }));
    }
    ring_provider().load_signing_key(pkcs8)
}

pub(super) fn verify(
    scheme: SignatureScheme,
    key: PublicKey<'_>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    let refused = |_| CryptoError;
    match (key, scheme) {
        (PublicKey::P256(point), SignatureScheme::ECDSA_SHA256) => {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(refused)?;
            let signature = p256::ecdsa::Signature::from_der(signature).map_err(refused)?;
            key.verify(message, &signature).map_err(refused)
        }
        (PublicKey::P384(point), SignatureScheme::ECDSA_SHA384) => {
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(refused)?;
            let signature = p384::ecdsa::Signature::from_der(signature).map_err(refused)?;
            key.verify(message, &signature).map_err(refused)
        }
        (PublicKey::Ed25519(key), SignatureScheme::ED25519) => {
            let key = key.try_into().map_err(|_| CryptoError)?;
            let key = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(refused)?;
            let signature = ed25519_dalek::Signature::from_slice(signature).map_err(refused)?;
            key.verify(message, &signature).map_err(refused)
        }
        // A curve with the other hash, which only TLS 1.2 has, and RSA.
        _ => ring_provider().verify(scheme, key, message, signature),
    }
}

macro_rules! ecdsa {
    ($name:ident, $curve:ident, $scheme:ident) => {
        struct $name {
            key: $curve::ecdsa::SigningKey,
            public: Box<[u8]>,
        }
        opaque!($name);

        impl SigningKey for $name {
            fn public_key(&self) -> PublicKey<'_> {
                PublicKey::$name(&self.public)
            }

            fn schemes(&self) -> &[SignatureScheme] {
                &[SignatureScheme::$scheme]
            }

            fn sign(
                &self,
                scheme: SignatureScheme,
                message: &[u8],
            ) -> Result<Vec<u8>, CryptoError> {
                if scheme != SignatureScheme::$scheme {
                    return Err(CryptoError);
                }
                let signature: $curve::ecdsa::Signature = self.key.sign(message);
                Ok(signature.to_der().as_bytes().to_vec())
            }
        }
    };
}
ecdsa!(P256, p256, ECDSA_SHA256);
ecdsa!(P384, p384, ECDSA_SHA384);

struct Ed25519 {
    key: ed25519_dalek::SigningKey,
    public: [u8; 32],
}
opaque!(Ed25519);

impl SigningKey for Ed25519 {
    fn public_key(&self) -> PublicKey<'_> {
        PublicKey::Ed25519(&self.public)
    }

    fn schemes(&self) -> &[SignatureScheme] {
        &[SignatureScheme::ED25519]
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        if scheme != SignatureScheme::ED25519 {
            return Err(CryptoError);
        }
        Ok(self.key.sign(message).to_bytes().to_vec())
    }
}
