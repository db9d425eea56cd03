//! The cipher suites of DTLS 1.2 (RFC 5289, RFC 7905) and the signatures that go with them.

use crate::crypto::{AeadAlgorithm, Hash, PublicKey};
use crate::wire::{CipherSuite, NamedGroup, SignatureScheme};

/// How a server proves itself. Ed25519 goes with the suites of ECDSA (RFC 8422 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authentication {
    Ecdsa,
    Rsa,
}

impl Authentication {
    pub(crate) const fn of(key: PublicKey<'_>) -> Self {
        match key {
            PublicKey::P256(_) | PublicKey::P384(_) | PublicKey::Ed25519(_) => Self::Ecdsa,
            PublicKey::Rsa(_) => Self::Rsa,
        }
    }
}

/// A cipher suite taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    pub(crate) id: CipherSuite,
    pub(crate) authentication: Authentication,
    pub(crate) aead: AeadAlgorithm,
    pub(crate) hash: Hash,
}

impl Suite {
    /// All of them, in the default order of preference.
    pub(crate) const ALL: [Self; 6] = [
        Self {
            id: CipherSuite::ECDHE_ECDSA_AES_128_GCM,
            authentication: Authentication::Ecdsa,
            aead: AeadAlgorithm::Aes128Gcm,
            hash: Hash::Sha256,
        },
        Self {
            id: CipherSuite::ECDHE_ECDSA_AES_256_GCM,
            authentication: Authentication::Ecdsa,
            aead: AeadAlgorithm::Aes256Gcm,
            hash: Hash::Sha384,
        },
        Self {
            id: CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305,
            authentication: Authentication::Ecdsa,
            aead: AeadAlgorithm::ChaCha20Poly1305,
            hash: Hash::Sha256,
        },
        Self {
            id: CipherSuite::ECDHE_RSA_AES_128_GCM,
            authentication: Authentication::Rsa,
            aead: AeadAlgorithm::Aes128Gcm,
            hash: Hash::Sha256,
        },
        Self {
            id: CipherSuite::ECDHE_RSA_AES_256_GCM,
            authentication: Authentication::Rsa,
            aead: AeadAlgorithm::Aes256Gcm,
            hash: Hash::Sha384,
        },
        Self {
            id: CipherSuite::ECDHE_RSA_CHACHA20_POLY1305,
            authentication: Authentication::Rsa,
            aead: AeadAlgorithm::ChaCha20Poly1305,
            hash: Hash::Sha256,
        },
    ];

    pub(crate) fn find(id: CipherSuite) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.id == id)
    }
}

/// Whether DTLS 1.2 has the group: the hybrid, whose two shares differ, is defined for 1.3 alone
/// (draft-ietf-tls-ecdhe-mlkem §1).
pub(crate) fn has_group(group: NamedGroup) -> bool {
    group != NamedGroup::X25519MLKEM768
}

/// The signatures that we verify, most preferred first.
pub(crate) const SCHEMES: [SignatureScheme; 9] = [
    SignatureScheme::ECDSA_SHA256,
    SignatureScheme::ECDSA_SHA384,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];
