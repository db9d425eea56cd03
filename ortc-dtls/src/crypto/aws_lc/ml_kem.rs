//! ML-KEM-768 by AWS-LC.

use core::fmt;

use aws_lc_rs::kem::{self, Ciphertext, EncapsulationKey, ML_KEM_768};
use zeroize::Zeroizing;

use crate::crypto::CryptoError;
use crate::crypto::hybrid::{CIPHERTEXT, Decapsulate, ENCAPSULATION_KEY, SECRET};

/// A private key; AWS-LC wipes it.
pub(super) struct DecapsulationKey(kem::DecapsulationKey);

impl DecapsulationKey {
    /// Draws a key pair.
    pub(super) fn generate() -> Result<(Self, [u8; ENCAPSULATION_KEY]), CryptoError> {
        let private = kem::DecapsulationKey::generate(&ML_KEM_768)?;
        let public = private.encapsulation_key()?.key_bytes()?;
        let public = public.as_ref().try_into().map_err(|_| CryptoError)?;
        Ok((Self(private), public))
    }
}

impl Decapsulate for DecapsulationKey {
    fn decapsulate(
        &self,
        ciphertext: &[u8; CIPHERTEXT],
    ) -> Result<Zeroizing<[u8; SECRET]>, CryptoError> {
        let ciphertext = Ciphertext::from(&ciphertext[..]);
        secret(&self.0.decapsulate(ciphertext)?)
    }
}

impl fmt::Debug for DecapsulationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecapsulationKey(..)")
    }
}

/// A ciphertext for the peer's key and the secret in it. AWS-LC checks that the key's
/// coefficients are reduced (FIPS 203 §7.2, the modulus check).
pub(super) fn encapsulate_to(
    key: &[u8; ENCAPSULATION_KEY],
) -> Result<(Ciphertext<'static>, Zeroizing<[u8; SECRET]>), CryptoError> {
    let key = EncapsulationKey::new(&ML_KEM_768, key).map_err(|_| CryptoError)?;
    let (ciphertext, shared) = key.encapsulate()?;
    Ok((ciphertext, secret(&shared)?))
}

fn secret(shared: &kem::SharedSecret) -> Result<Zeroizing<[u8; SECRET]>, CryptoError> {
    let shared = shared.as_ref().try_into().map_err(|_| CryptoError)?;
    Ok(Zeroizing::new(shared))
}
