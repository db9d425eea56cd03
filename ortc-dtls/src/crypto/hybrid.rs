//! X25519MLKEM768: ML-KEM-768 and X25519 one after the other, in shares and secrets
//! (draft-ietf-tls-ecdhe-mlkem §3.1). What a backend adds is its ML-KEM.

use core::fmt;

use zeroize::Zeroizing;

use super::{CryptoError, KeyExchange, NamedGroup, Provider};

/// Octets of an encapsulation key of ML-KEM-768 (FIPS 203 §8).
pub(super) const ENCAPSULATION_KEY: usize = 1184;
/// Octets of a ciphertext of ML-KEM-768.
pub(super) const CIPHERTEXT: usize = 1088;
/// Octets of the secret of ML-KEM-768.
pub(super) const SECRET: usize = 32;
/// Octets of a public value of X25519.
const X25519: usize = 32;

/// A decapsulation key of ML-KEM-768.
pub(super) trait Decapsulate: fmt::Debug + Send + Sync {
    /// The secret in a ciphertext; a forged one yields another secret, not an error.
    fn decapsulate(
        &self,
        ciphertext: &[u8; CIPHERTEXT],
    ) -> Result<Zeroizing<[u8; SECRET]>, CryptoError>;
}

/// The client's half.
#[derive(Debug)]
pub(super) struct Hybrid<K> {
    share: Vec<u8>,
    kem: K,
    x25519: Box<dyn KeyExchange>,
}

impl<K: Decapsulate> Hybrid<K> {
    pub(super) fn new(
        provider: &dyn Provider,
        encapsulation_key: &[u8; ENCAPSULATION_KEY],
        kem: K,
    ) -> Result<Self, CryptoError> {
        let x25519 = provider.generate_key_exchange(NamedGroup::X25519)?;
        Ok(Self {
            share: [encapsulation_key, x25519.public_key()].concat(),
            kem,
            x25519,
        })
    }
}

impl<K: Decapsulate> KeyExchange for Hybrid<K> {
    fn public_key(&self) -> &[u8] {
        &self.share
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let (ciphertext, public) = split(peer)?;
        let secret = self.kem.decapsulate(ciphertext)?;
        Ok(join(&secret, &self.x25519.agree(public)?))
    }
}

/// The server's half: `kem` makes a ciphertext and its secret for an encapsulation key.
pub(super) fn encapsulate<C: AsRef<[u8]>>(
    provider: &dyn Provider,
    peer: &[u8],
    kem: impl FnOnce(&[u8; ENCAPSULATION_KEY]) -> Result<(C, Zeroizing<[u8; SECRET]>), CryptoError>,
) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
    let (encapsulation_key, public) = split(peer)?;
    let (ciphertext, secret) = kem(encapsulation_key)?;
    let x25519 = provider.generate_key_exchange(NamedGroup::X25519)?;
    let share = [ciphertext.as_ref(), x25519.public_key()].concat();
    Ok((share, join(&secret, &x25519.agree(public)?)))
}

/// A share of exactly `N` octets of ML-KEM and those of X25519.
fn split<const N: usize>(share: &[u8]) -> Result<(&[u8; N], &[u8]), CryptoError> {
    match share.split_first_chunk() {
        Some((kem, public)) if public.len() == X25519 => Ok((kem, public)),
        Some(_) | None => Err(CryptoError),
    }
}

fn join(kem: &[u8; SECRET], x25519: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([kem, x25519].concat())
}
