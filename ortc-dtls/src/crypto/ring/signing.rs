//! Signatures by `ring`.

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair,
    UnparsedPublicKey,
};
use zeroize::Zeroizing;

use crate::crypto::{
    CryptoError, KeyAlgorithm, PublicKey, RSA_SCHEMES, SignatureScheme, SigningKey,
};

/// What stands before the seed of a key in PKCS #8 (RFC 8410 §7).
const ED25519_PKCS8: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

pub(super) fn generate(
    algorithm: KeyAlgorithm,
    random: &SystemRandom,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let document = match algorithm {
        KeyAlgorithm::EcdsaP256 => EcdsaKeyPair::generate_pkcs8(Curve::P256.algorithm(), random),
        KeyAlgorithm::EcdsaP384 => EcdsaKeyPair::generate_pkcs8(Curve::P384.algorithm(), random),
        KeyAlgorithm::Ed25519 => {
            // Version 2 of PKCS #8, which `ring` writes, is not read by everyone.
            let mut pkcs8 = Zeroizing::new([ED25519_PKCS8, &[0; 32]].concat());
            let seed = pkcs8.get_mut(ED25519_PKCS8.len()..).ok_or(CryptoError)?;
            random.fill(seed)?;
            return Ok(pkcs8);
        }
    };
    Ok(Zeroizing::new(document?.as_ref().to_vec()))
}

pub(super) fn load(
    pkcs8: &[u8],
    random: &SystemRandom,
) -> Result<Box<dyn SigningKey>, CryptoError> {
    let random = random.clone();
    for curve in [Curve::P256, Curve::P384] {
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(curve.algorithm(), pkcs8, &random) {
            return Ok(Box::new(Ecdsa { curve, key, random }));
        }
    }
    // The public key, which the second version of PKCS #8 adds, is not always there.
    if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8) {
        return Ok(Box::new(Ed25519(key)));
    }
    let key = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| CryptoError)?;
    Ok(Box::new(Rsa { key, random }))
}

pub(super) fn verify(
    scheme: SignatureScheme,
    key: PublicKey<'_>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    let (algorithm, key) = verification(scheme, key)?;
    Ok(UnparsedPublicKey::new(algorithm, key).verify(message, signature)?)
}

/// TLS 1.2 does not bind the curve of an ECDSA key to the hash (RFC 5246 §7.4.1.4.1).
fn verification(
    scheme: SignatureScheme,
    key: PublicKey<'_>,
) -> Result<(&'static dyn signature::VerificationAlgorithm, &[u8]), CryptoError> {
    use SignatureScheme as S;
    Ok(match key {
        PublicKey::P256(key) => match scheme {
            S::ECDSA_SHA256 => (&signature::ECDSA_P256_SHA256_ASN1, key),
            S::ECDSA_SHA384 => (&signature::ECDSA_P256_SHA384_ASN1, key),
            _ => return Err(CryptoError),
        },
        PublicKey::P384(key) => match scheme {
            S::ECDSA_SHA256 => (&signature::ECDSA_P384_SHA256_ASN1, key),
            S::ECDSA_SHA384 => (&signature::ECDSA_P384_SHA384_ASN1, key),
            _ => return Err(CryptoError),
        },
        PublicKey::Ed25519(key) if scheme == S::ED25519 => (&signature::ED25519, key),
        PublicKey::Ed25519(_) => return Err(CryptoError),
        PublicKey::Rsa(key) => match scheme {
            S::RSA_PKCS1_SHA256 => (&signature::RSA_PKCS1_2048_8192_SHA256, key),
            S::RSA_PKCS1_SHA384 => (&signature::RSA_PKCS1_2048_8192_SHA384, key),
            S::RSA_PKCS1_SHA512 => (&signature::RSA_PKCS1_2048_8192_SHA512, key),
            S::RSA_PSS_SHA256 => (&signature::RSA_PSS_2048_8192_SHA256, key),
            S::RSA_PSS_SHA384 => (&signature::RSA_PSS_2048_8192_SHA384, key),
            S::RSA_PSS_SHA512 => (&signature::RSA_PSS_2048_8192_SHA512, key),
            _ => return Err(CryptoError),
        },
    })
}

#[derive(Clone, Copy, Debug)]
enum Curve {
    P256,
    P384,
}

impl Curve {
    const fn algorithm(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
            Self::P384 => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
        }
    }

    const fn schemes(self) -> &'static [SignatureScheme] {
        match self {
            Self::P256 => &[SignatureScheme::ECDSA_SHA256],
            Self::P384 => &[SignatureScheme::ECDSA_SHA384],
        }
    }
}

#[derive(Debug)]
struct Ecdsa {
    curve: Curve,
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl SigningKey for Ecdsa {
    fn public_key(&self) -> PublicKey<'_> {
        let point = self.key.public_key().as_ref();
        match self.curve {
            Curve::P256 => PublicKey::P256(point),
            Curve::P384 => PublicKey::P384(point),
        }
    }

    fn schemes(&self) -> &[SignatureScheme] {
        self.curve.schemes()
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        if !self.schemes().contains(&scheme) {
            return Err(CryptoError);
        }
        Ok(self.key.sign(&self.random, message)?.as_ref().to_vec())
    }
}

#[derive(Debug)]
struct Ed25519(Ed25519KeyPair);

impl SigningKey for Ed25519 {
    fn public_key(&self) -> PublicKey<'_> {
        PublicKey::Ed25519(self.0.public_key().as_ref())
    }

    fn schemes(&self) -> &[SignatureScheme] {
        &[SignatureScheme::ED25519]
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        if scheme != SignatureScheme::ED25519 {
            return Err(CryptoError);
        }
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

#[derive(Debug)]
struct Rsa {
    key: RsaKeyPair,
    random: SystemRandom,
}

impl SigningKey for Rsa {
    fn public_key(&self) -> PublicKey<'_> {
        PublicKey::Rsa(self.key.public_key().as_ref())
    }

    fn schemes(&self) -> &[SignatureScheme] {
        &RSA_SCHEMES
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let padding: &dyn signature::RsaEncoding = match scheme {
            SignatureScheme::RSA_PSS_SHA256 => &signature::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384 => &signature::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512 => &signature::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256 => &signature::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384 => &signature::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512 => &signature::RSA_PKCS1_SHA512,
            _ => return Err(CryptoError),
        };
        let mut out = vec![0; self.key.public().modulus_len()];
        self.key.sign(padding, &self.random, message, &mut out)?;
        Ok(out)
    }
}
