//! The cipher suites of DTLS 1.3 (RFC 8446 §B.4) and the signatures that go with them.

use crate::crypto::{AeadAlgorithm, Hash, PublicKey};
use crate::wire::{CipherSuite, SignatureScheme};

/// A cipher suite taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    pub(crate) id: CipherSuite,
    pub(crate) aead: AeadAlgorithm,
    pub(crate) hash: Hash,
}

impl Suite {
    /// All of them, in the default order of preference.
    pub(crate) const ALL: [Self; 3] = [
        Self {
            id: CipherSuite::AES_128_GCM_SHA256,
            aead: AeadAlgorithm::Aes128Gcm,
            hash: Hash::Sha256,
        },
        Self {
            id: CipherSuite::AES_256_GCM_SHA384,
            aead: AeadAlgorithm::Aes256Gcm,
            hash: Hash::Sha384,
        },
        Self {
            id: CipherSuite::CHACHA20_POLY1305_SHA256,
            aead: AeadAlgorithm::ChaCha20Poly1305,
            hash: Hash::Sha256,
        },
    ];

    pub(crate) fn find(id: CipherSuite) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.id == id)
    }
}

/// The signatures of a CertificateVerify that we verify, most preferred first: those of PKCS #1
/// version 1.5 are excluded (RFC 8446 §4.2.3).
pub(crate) const SCHEMES: [SignatureScheme; 6] = [
    SignatureScheme::ECDSA_SHA256,
    SignatureScheme::ECDSA_SHA384,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
];

/// Whether a signature of this kind is made with such a key: in DTLS 1.3 a scheme names the curve
/// too (RFC 8446 §4.2.3).
pub(crate) const fn fits(scheme: SignatureScheme, key: PublicKey<'_>) -> bool {
    match key {
        PublicKey::P256(_) => matches!(scheme, SignatureScheme::ECDSA_SHA256),
        PublicKey::P384(_) => matches!(scheme, SignatureScheme::ECDSA_SHA384),
        PublicKey::Ed25519(_) => matches!(scheme, SignatureScheme::ED25519),
        PublicKey::Rsa(_) => matches!(
            scheme,
            SignatureScheme::RSA_PSS_SHA256
                | SignatureScheme::RSA_PSS_SHA384
                | SignatureScheme::RSA_PSS_SHA512
        ),
    }
}
