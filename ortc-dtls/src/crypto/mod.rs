//! The seam to the cryptography: everything random or secret that a handshake needs.
//!
//! A [`Provider`] is shared by many endpoints and threads. Two ship, each behind a cargo feature;
//! another backend implements the traits of this module and no state machine changes.
//!
//! | feature | provider | computes with |
//! |---|---|---|
//! | `ring` (default) | `ring_provider` | `ring`; ML-KEM with `libcrux-ml-kem` |
//! | `aws-lc-rs` | `aws_lc_rs_provider` | AWS-LC, ML-KEM too; takes a C compiler to build |
//! | `fips` | `aws_lc_rs_provider` | the module of AWS-LC that is validated under FIPS 140-3; takes CMake and Go to build |
//!
//! Both do the same: key exchange over X25519MLKEM768, X25519, P-256 and P-384; signatures with
//! ECDSA on P-256 and P-384, Ed25519 and RSA; AES-GCM and ChaCha20-Poly1305. FIPS 140-3 approves
//! neither X25519 alone nor ChaCha20-Poly1305: who needs the approved mode also restricts
//! [`Config::groups`](crate::Config::groups) and
//! [`Config::cipher_suites`](crate::Config::cipher_suites).
//!
//! Keys live inside the objects that a provider returns: wiping them is the provider's part. The
//! providers here wipe what passes through their own hands: seeds, shared secrets, ML-KEM keys.
//! What `ring` holds it does not wipe when it is dropped; AWS-LC wipes what it frees.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod hybrid;
#[cfg(feature = "ring")]
mod ring;

use core::fmt;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
use std::sync::Arc;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

#[cfg(feature = "aws-lc-rs")]
pub use self::aws_lc::aws_lc_rs_provider;
#[cfg(feature = "ring")]
pub use self::ring::ring_provider;
pub use crate::wire::{NamedGroup, SignatureScheme};

/// Octets of the tag of every AEAD that DTLS uses here.
pub const TAG_LEN: usize = 16;
/// Octets of the nonce of every AEAD that DTLS uses here.
pub const NONCE_LEN: usize = 12;

/// The provider of the first of the features `ring` and `aws-lc-rs` that is on.
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
#[must_use]
pub fn default_provider() -> Arc<dyn Provider> {
    #[cfg(feature = "ring")]
    return ring_provider();
    #[cfg(not(feature = "ring"))]
    return aws_lc_rs_provider();
}

/// A primitive refused its input or failed. It says nothing more, so that nothing leaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cryptographic operation failed")]
pub struct CryptoError;

/// The hash of a cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
}

impl Hash {
    /// Octets of its output.
    #[must_use]
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// The AEAD of a cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AeadAlgorithm {
    /// AES-128 in GCM.
    Aes128Gcm,
    /// AES-256 in GCM.
    Aes256Gcm,
    /// ChaCha20 with Poly1305 (RFC 8439).
    ChaCha20Poly1305,
}

impl AeadAlgorithm {
    /// Octets of its key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }
}

/// What an RSA key signs with, most preferred first.
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
const RSA_SCHEMES: [SignatureScheme; 6] = [
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// A hash or an HMAC; wiped on drop, since the latter is key material.
#[derive(Clone)]
pub struct Output {
    octets: [u8; 48],
    len: usize,
}

impl Output {
    /// Copies at most the first 48 octets.
    #[must_use]
    pub fn copy_of(value: &[u8]) -> Self {
        let mut octets = [0; 48];
        let len = value.len().min(octets.len());
        if let (Some(to), Some(from)) = (octets.get_mut(..len), value.get(..len)) {
            to.copy_from_slice(from);
        }
        Self { octets, len }
    }
}

impl AsRef<[u8]> for Output {
    fn as_ref(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }
}

impl Zeroize for Output {
    fn zeroize(&mut self) {
        // As a slice: octet by octet would take longer than the hash.
        self.octets.as_mut_slice().zeroize();
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for Output {}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output(..)")
    }
}

/// The public key of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKey<'a> {
    /// An uncompressed point on P-256.
    P256(&'a [u8]),
    /// An uncompressed point on P-384.
    P384(&'a [u8]),
    /// An Ed25519 key (RFC 8032 §5.1.5), 32 octets.
    Ed25519(&'a [u8]),
    /// `RSAPublicKey` (RFC 8017 appendix A.1.1) of 2048 to 8192 bits.
    Rsa(&'a [u8]),
}

/// The kind of a key that is drawn for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ECDSA on P-256, which every WebRTC endpoint verifies (RFC 8827 §6.5).
    #[default]
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// Ed25519, which browsers do not verify.
    Ed25519,
}

/// The cryptography of an endpoint.
pub trait Provider: fmt::Debug + Send + Sync {
    /// Fills `out` from a cryptographic generator.
    ///
    /// # Errors
    ///
    /// The generator failed; the endpoint closes.
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError>;

    /// Draws a key pair for one key exchange.
    ///
    /// # Errors
    ///
    /// The group is unknown here, or the generator failed.
    fn generate_key_exchange(&self, group: NamedGroup)
    -> Result<Box<dyn KeyExchange>, CryptoError>;

    /// Draws a signing key and returns it as PKCS #8.
    ///
    /// # Errors
    ///
    /// The kind is unknown here, or the generator failed.
    fn generate_signing_key(
        &self,
        algorithm: KeyAlgorithm,
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError>;

    /// Loads a signing key from PKCS #8: ECDSA on P-256 or P-384, Ed25519, or RSA of 2048 to 4096
    /// bits.
    ///
    /// # Errors
    ///
    /// It is not such a key.
    fn load_signing_key(&self, pkcs8: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError>;

    /// Verifies a signature; the scheme must fit the key.
    ///
    /// # Errors
    ///
    /// The signature is wrong, the key invalid, or the scheme unknown or of another kind of key.
    fn verify(
        &self,
        scheme: SignatureScheme,
        key: PublicKey<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError>;

    /// Expands an AEAD key, once per direction.
    ///
    /// # Errors
    ///
    /// The key's length is not the algorithm's.
    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError>;

    /// Expands a key that masks the sequence numbers of DTLS 1.3, once per direction: one
    /// block of AES for the AEADs that use AES, ChaCha20 for the other (RFC 9147 §4.2.3).
    ///
    /// # Errors
    ///
    /// The key's length is not the algorithm's.
    fn header_protection(
        &self,
        algorithm: AeadAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn HeaderProtectionKey>, CryptoError>;

    /// The server's half of a key exchange at once: its share for the wire, and the secret shared
    /// with the client whose share is `peer`. A key encapsulation mechanism, whose second share
    /// follows from the first, overrides this.
    ///
    /// # Errors
    ///
    /// The group is unknown here, the generator failed, or the client's share is invalid.
    fn encapsulate(
        &self,
        group: NamedGroup,
        peer: &[u8],
    ) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
        let exchange = self.generate_key_exchange(group)?;
        let share = exchange.public_key().to_vec();
        Ok((share, exchange.agree(peer)?))
    }

    /// Starts a hash.
    fn hash(&self, algorithm: Hash) -> Box<dyn HashContext>;

    /// Expands an HMAC key of any length.
    fn hmac(&self, algorithm: Hash, key: &[u8]) -> Box<dyn HmacKey>;

    /// Lends an expanded HMAC key to `run`, which is called once before this returns. A handshake
    /// needs many of them for a moment each: a provider that can keep one on the stack overrides
    /// this.
    fn lend_hmac(&self, algorithm: Hash, key: &[u8], run: &mut dyn FnMut(&dyn HmacKey)) {
        run(&*self.hmac(algorithm, key));
    }
}

/// One side's ephemeral key pair.
pub trait KeyExchange: fmt::Debug + Send + Sync {
    /// The public value as it goes on the wire.
    fn public_key(&self) -> &[u8];

    /// The shared secret with the peer's public value; it can be asked for once.
    ///
    /// # Errors
    ///
    /// The peer's value is not a valid point, or the secret would be zero (RFC 7748 §6.1).
    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError>;
}

/// A private key that signs.
pub trait SigningKey: fmt::Debug + Send + Sync {
    /// The public half.
    fn public_key(&self) -> PublicKey<'_>;

    /// The schemes that it can sign with, most preferred first.
    fn schemes(&self) -> &[SignatureScheme];

    /// Signs a message (not its hash).
    ///
    /// # Errors
    ///
    /// The scheme is not one of [`SigningKey::schemes`], or the generator failed.
    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, CryptoError>;
}

/// An expanded AEAD key.
pub trait AeadKey: fmt::Debug + Send + Sync {
    /// Encrypts in place and returns the tag.
    ///
    /// # Errors
    ///
    /// The input is too long for the algorithm.
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError>;

    /// Checks the tag and decrypts in place. After an error the contents are unspecified.
    ///
    /// # Errors
    ///
    /// The tag is wrong.
    fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError>;
}

/// An expanded key that masks sequence numbers.
pub trait HeaderProtectionKey: fmt::Debug + Send + Sync {
    /// The first octets of the mask that belongs to 16 octets of ciphertext; a record uses as
    /// many as its header has octets of sequence number.
    fn mask(&self, sample: [u8; 16]) -> [u8; 5];
}

/// A hash that is being fed.
pub trait HashContext: fmt::Debug + Send + Sync {
    /// Adds octets.
    fn update(&mut self, octets: &[u8]);

    /// The hash of what was added so far; more can follow.
    fn current(&self) -> Output;
}

/// An expanded HMAC key.
pub trait HmacKey: fmt::Debug + Send + Sync {
    /// The HMAC of the concatenation.
    fn sign(&self, parts: &[&[u8]]) -> Output;
}

/// Compiles for what wipes itself when it is dropped, for tests that take secrets apart: they name
/// every field, so that a new one has to be looked at, and one of another type does not compile.
#[cfg(test)]
pub(crate) const fn assert_wiped<T: ZeroizeOnDrop>(_: &T) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wiped_output_has_nothing_left() {
        let mut output = Output::copy_of(&[7; 48]);
        assert_wiped(&output);
        assert_eq!(output.as_ref(), [7; 48]);
        output.zeroize();
        assert_eq!(output.octets, [0; 48]);
    }
}
