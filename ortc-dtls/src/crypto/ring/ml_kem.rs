//! ML-KEM-768, which `ring` does not have, by `libcrux`.

use core::fmt;

use libcrux_ml_kem::mlkem768::{
    self, MlKem768Ciphertext, MlKem768PrivateKey, MlKem768PublicKey, decapsulate, encapsulate,
    generate_key_pair,
};
use zeroize::{Zeroize, Zeroizing};

use crate::crypto::hybrid::{CIPHERTEXT, Decapsulate, ENCAPSULATION_KEY, SECRET};
use crate::crypto::{CryptoError, Provider};

/// A private key, wiped on drop; boxed, so that it is not copied on its way.
pub(super) struct DecapsulationKey(Box<MlKem768PrivateKey>);

impl DecapsulationKey {
    /// Draws a key pair.
    pub(super) fn generate(
        provider: &dyn Provider,
    ) -> Result<(Self, [u8; ENCAPSULATION_KEY]), CryptoError> {
        let mut seed = Zeroizing::new([0; 64]); // d and z (FIPS 203 §7.1)
        provider.random(&mut *seed)?;
        let (mut private, public) = generate_key_pair(*seed).into_parts();
        let kept = Box::new(private.clone());
        wipe(&mut private);
        Ok((Self(kept), public.into()))
    }
}

impl Decapsulate for DecapsulationKey {
    fn decapsulate(
        &self,
        ciphertext: &[u8; CIPHERTEXT],
    ) -> Result<Zeroizing<[u8; SECRET]>, CryptoError> {
        Ok(Zeroizing::new(decapsulate(&self.0, &ciphertext.into())))
    }
}

impl Drop for DecapsulationKey {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(key: &mut MlKem768PrivateKey) {
    let all = 0..key.as_slice().len();
    key[all].zeroize();
}

impl fmt::Debug for DecapsulationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecapsulationKey(..)")
    }
}

/// A ciphertext for the peer's key and the secret in it; the key's coefficients must be reduced
/// (FIPS 203 §7.2, the modulus check).
pub(super) fn encapsulate_to(
    provider: &dyn Provider,
    key: &[u8; ENCAPSULATION_KEY],
) -> Result<(MlKem768Ciphertext, Zeroizing<[u8; SECRET]>), CryptoError> {
    let key = MlKem768PublicKey::from(key);
    if !mlkem768::validate_public_key(&key) {
        return Err(CryptoError);
    }
    let mut seed = Zeroizing::new([0; 32]); // m (FIPS 203 §7.2)
    provider.random(&mut *seed)?;
    let (ciphertext, secret) = encapsulate(&key, *seed);
    Ok((ciphertext, Zeroizing::new(secret)))
}
