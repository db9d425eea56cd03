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
        let mut seed = Zeroizing::new([0; 64]);
        provider.random(&mut *seed)?;
        Ok(Self::from_seed(&seed))
    }

    /// The key pair of d and z (FIPS 203 §7.1).
    fn from_seed(seed: &[u8; 64]) -> (Self, [u8; ENCAPSULATION_KEY]) {
        let (mut private, public) = generate_key_pair(*seed).into_parts();
        let kept = Box::new(private.clone());
        wipe(&mut private);
        (Self(kept), public.into())
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
    let mut message = Zeroizing::new([0; 32]); // m (FIPS 203 §7.2)
    provider.random(&mut *message)?;
    let (ciphertext, secret) = encapsulate(&key, *message);
    Ok((ciphertext, Zeroizing::new(secret)))
}

#[cfg(test)]
mod tests {
    use shake::{ExtendableOutput as _, Shake128, Update as _, XofReader as _};

    use super::*;

    /// 100 key pairs, encapsulations and decapsulations, of random ciphertexts too, from one
    /// SHAKE128 into another, as Go's `crypto/mlkem` publishes the result.
    #[test]
    fn accumulated_vectors_are_reproduced() {
        let mut input = Shake128::default().finalize_xof();
        let mut output = Shake128::default();
        for _ in 0..100 {
            let (mut seed, mut message, mut random) = ([0; 64], [0; 32], [0; CIPHERTEXT]);
            input.read(&mut seed);
            let (private, public) = DecapsulationKey::from_seed(&seed);
            output.update(&public);
            input.read(&mut message);
            let (ciphertext, secret) = encapsulate(&public.into(), message);
            output.update(ciphertext.as_ref());
            output.update(&secret);
            assert_eq!(*private.decapsulate(ciphertext.as_slice()).unwrap(), secret);
            input.read(&mut random);
            output.update(&*private.decapsulate(&random).unwrap());
        }
        let mut result = [0; 32];
        output.finalize_xof().read(&mut result);
        let expected = "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415";
        assert_eq!(hex::encode(result), expected);
    }

    #[test]
    fn a_dropped_key_is_wiped() {
        let (mut private, _) = DecapsulationKey::from_seed(&[7; 64]);
        assert!(private.0.as_slice().iter().any(|&octet| octet != 0));
        wipe(&mut private.0);
        assert!(private.0.as_slice().iter().all(|&octet| octet == 0));
        assert_eq!(format!("{private:?}"), "DecapsulationKey(..)");
    }
}
