//! Our own certificate, and the public key in the peer's.

mod der;
mod x509;

use core::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use self::x509::OwnKey;
pub use self::x509::subject_public_key;
use crate::crypto::{CryptoError, KeyAlgorithm, Provider, PublicKey, SigningKey};
use crate::fingerprint::{Fingerprint, HashAlgorithm};
use crate::wire::ParseError;

/// Octets that a chain of certificates of our own may have.
const MAX_CHAIN: usize = 8 * 1024;

/// Why there is no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The provider could not draw, load or use the key.
    #[error("the key could not be made or loaded")]
    Key(#[from] CryptoError),
    /// The certificate is not X.509 with a public key that we know.
    #[error("not a usable certificate")]
    Certificate(#[from] ParseError),
    /// The certificate's public key is not that of the private key.
    #[error("certificate and key do not belong together")]
    Mismatch,
    /// The common name is empty or longer than 64 octets (RFC 5280 ub-common-name).
    #[error("common name is empty or longer than 64 octets")]
    CommonName,
    /// A date is after the year 9999, or the end before the start.
    #[error("validity is not a period of time")]
    Validity,
    /// The certificate, with the chain behind it, is longer than 8 KiB.
    #[error("certificates are longer than 8 KiB")]
    TooLong,
    /// The chain has no certificate.
    #[error("no certificate given")]
    Empty,
}

/// What a self-signed certificate says.
///
/// Peers of WebRTC look at nothing of it but its hash, so that the defaults serve everyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateConfig {
    common_name: String,
    not_before: u64,
    not_after: Option<u64>,
    key: KeyAlgorithm,
}

impl Default for CertificateConfig {
    /// ECDSA on P-256, common name "WebRTC", valid from 2020-01-01 without end: no wall clock is
    /// read, and no call fails on a device whose clock is wrong.
    fn default() -> Self {
        Self {
            common_name: "WebRTC".to_owned(),
            not_before: 1_577_836_800,
            not_after: None,
            key: KeyAlgorithm::default(),
        }
    }
}

impl CertificateConfig {
    /// The kind of key. Default ECDSA on P-256, the only one that every peer verifies.
    #[must_use]
    pub const fn key(mut self, algorithm: KeyAlgorithm) -> Self {
        self.key = algorithm;
        self
    }

    /// The common name of subject and issuer. Default "WebRTC"; 1 to 64 octets.
    ///
    /// # Errors
    ///
    /// [`CertificateError::CommonName`] outside this range.
    pub fn common_name(mut self, name: &str) -> Result<Self, CertificateError> {
        if name.is_empty() || name.len() > 64 {
            return Err(CertificateError::CommonName);
        }
        name.clone_into(&mut self.common_name);
        Ok(self)
    }

    /// The period of validity, in seconds since 1970-01-01 UTC; `None` has no end.
    /// Default 2020-01-01 without end.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Validity`] when it ends before it starts or after the year 9999.
    pub fn validity(
        mut self,
        not_before: u64,
        not_after: Option<u64>,
    ) -> Result<Self, CertificateError> {
        const END_OF_9999: u64 = 253_402_300_799;
        let last = not_after.unwrap_or(END_OF_9999);
        if not_before > last || last > END_OF_9999 {
            return Err(CertificateError::Validity);
        }
        self.not_before = not_before;
        self.not_after = not_after;
        Ok(self)
    }
}

/// A certificate with its private key. Cloning shares both; many endpoints use one.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    /// The certificate itself, then what its issuers add.
    chain: Vec<Vec<u8>>,
    key: Box<dyn SigningKey>,
}

impl Certificate {
    /// Draws an ECDSA key on P-256 and signs a certificate for it, with a random serial number.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Key`] when the provider fails.
    pub fn generate(provider: &Arc<dyn Provider>) -> Result<Self, CertificateError> {
        Ok(Self::generate_with(provider, &CertificateConfig::default())?.0)
    }

    /// As [`Certificate::generate`], with contents of the caller's; also returns the private key
    /// as PKCS #8, to be kept and given to [`Certificate::from_der`] later.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Key`] when the provider fails.
    pub fn generate_with(
        provider: &Arc<dyn Provider>,
        config: &CertificateConfig,
    ) -> Result<(Self, Zeroizing<Vec<u8>>), CertificateError> {
        let pkcs8 = provider.generate_signing_key(config.key)?;
        let signer = provider.load_signing_key(&pkcs8)?;
        let key = match signer.public_key() {
            PublicKey::P256(key) => OwnKey::P256(key),
            PublicKey::P384(key) => OwnKey::P384(key),
            PublicKey::Ed25519(key) => OwnKey::Ed25519(key),
            PublicKey::Rsa(_) => return Err(CertificateError::Mismatch),
        };
        let mut serial = [0; 16];
        provider.random(&mut serial)?;
        // Positive and without leading zeros (RFC 5280 §4.1.2.2).
        if let Some(first) = serial.first_mut() {
            *first = (*first & 0x7f) | 0x40;
        }
        let template = x509::Template {
            serial,
            common_name: &config.common_name,
            not_before: config.not_before,
            not_after: config.not_after,
            key,
        };
        let mut tbs = Vec::with_capacity(256);
        template.encode(&mut tbs);
        let signature = signer.sign(key.scheme(), &tbs)?;
        let mut der = Vec::with_capacity(512);
        x509::certificate(&mut der, &tbs, key, &signature);
        let inner = Inner {
            chain: vec![der],
            key: signer,
        };
        Ok((Self(Arc::new(inner)), pkcs8))
    }

    /// A certificate of the caller's: X.509 in DER and its private key as PKCS #8, ECDSA on P-256
    /// or P-384, Ed25519, or RSA of 2048 to 4096 bits.
    ///
    /// # Errors
    ///
    /// [`CertificateError`]: the key or the certificate cannot be used, or they do not belong
    /// together.
    pub fn from_der(
        certificate: &[u8],
        pkcs8: &[u8],
        provider: &Arc<dyn Provider>,
    ) -> Result<Self, CertificateError> {
        Self::from_chain(&[certificate], pkcs8, provider)
    }

    /// As [`Certificate::from_der`], with the certificates of its issuers behind it, in the order
    /// in which they are sent. A peer of WebRTC looks at the first alone.
    ///
    /// # Errors
    ///
    /// As there, and [`CertificateError::Empty`] without any certificate.
    pub fn from_chain(
        chain: &[&[u8]],
        pkcs8: &[u8],
        provider: &Arc<dyn Provider>,
    ) -> Result<Self, CertificateError> {
        let certificate = *chain.first().ok_or(CertificateError::Empty)?;
        if chain.iter().map(|der| der.len()).sum::<usize>() > MAX_CHAIN {
            return Err(CertificateError::TooLong);
        }
        if chain.iter().any(|der| der.is_empty()) {
            return Err(ParseError::Invalid("certificate").into());
        }
        let key = provider.load_signing_key(pkcs8)?;
        if subject_public_key(certificate)? != key.public_key() {
            return Err(CertificateError::Mismatch);
        }
        let chain = chain.iter().map(|der| der.to_vec()).collect();
        Ok(Self(Arc::new(Inner { chain, key })))
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.0.chain.first().map_or(&[], Vec::as_slice)
    }

    /// The certificate and those of its issuers, as they are sent.
    pub fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.0.chain.iter().map(Vec::as_slice)
    }

    /// Its fingerprint, to be signalled to the peer.
    #[must_use]
    pub fn fingerprint(&self, algorithm: HashAlgorithm) -> Fingerprint {
        Fingerprint::of(algorithm, self.der())
    }

    pub(crate) fn key(&self) -> &dyn SigningKey {
        &*self.0.key
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate")
            .field(&self.fingerprint(HashAlgorithm::Sha256))
            .finish()
    }
}

/// The certificate of the peer, once it was read; not yet who it claims to be.
#[derive(Debug)]
pub(crate) struct PeerCertificate {
    der: Vec<u8>,
    /// It has the fingerprint that was asked for.
    pub(crate) is_expected: bool,
}

impl PeerCertificate {
    /// Keeps a certificate whose public key is usable.
    pub(crate) fn new(der: &[u8]) -> Result<Self, ParseError> {
        subject_public_key(der)?;
        Ok(Self {
            der: der.to_vec(),
            is_expected: false,
        })
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(crate) fn public_key(&self) -> Result<PublicKey<'_>, ParseError> {
        subject_public_key(&self.der)
    }
}
