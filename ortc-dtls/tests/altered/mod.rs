//! Providers that differ from another one in their random numbers or in the key exchange.

/// What such a provider does as the one in its field `real`.
macro_rules! as_real {
    () => {
        fn generate_signing_key(
            &self,
            algorithm: ortc_dtls::crypto::KeyAlgorithm,
        ) -> Result<zeroize::Zeroizing<Vec<u8>>, ortc_dtls::crypto::CryptoError> {
            self.real.generate_signing_key(algorithm)
        }

        fn load_signing_key(
            &self,
            pkcs8: &[u8],
        ) -> Result<Box<dyn ortc_dtls::crypto::SigningKey>, ortc_dtls::crypto::CryptoError> {
            self.real.load_signing_key(pkcs8)
        }

        fn verify(
            &self,
            scheme: ortc_dtls::crypto::SignatureScheme,
            key: ortc_dtls::crypto::PublicKey<'_>,
            message: &[u8],
            signature: &[u8],
        ) -> Result<(), ortc_dtls::crypto::CryptoError> {
            self.real.verify(scheme, key, message, signature)
        }

        fn aead(
            &self,
            algorithm: ortc_dtls::crypto::AeadAlgorithm,
            key: &[u8],
        ) -> Result<Box<dyn ortc_dtls::crypto::AeadKey>, ortc_dtls::crypto::CryptoError> {
            self.real.aead(algorithm, key)
        }

        fn header_protection(
            &self,
            algorithm: ortc_dtls::crypto::AeadAlgorithm,
            key: &[u8],
        ) -> Result<Box<dyn ortc_dtls::crypto::HeaderProtectionKey>, ortc_dtls::crypto::CryptoError>
        {
            self.real.header_protection(algorithm, key)
        }

        fn hash(
            &self,
            algorithm: ortc_dtls::crypto::Hash,
        ) -> Box<dyn ortc_dtls::crypto::HashContext> {
            self.real.hash(algorithm)
        }

        fn hmac(
            &self,
            algorithm: ortc_dtls::crypto::Hash,
            key: &[u8],
        ) -> Box<dyn ortc_dtls::crypto::HmacKey> {
            self.real.hmac(algorithm, key)
        }
    };
}
pub(crate) use as_real;
