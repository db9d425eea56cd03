//! The key schedule (RFC 8446 §7, RFC 9147 §5.9).

use zeroize::Zeroizing;

use super::Suite;
use crate::crypto::{CryptoError, Hash, NONCE_LEN, Output, Provider};
use crate::keying::{Prk, hkdf_extract};
use crate::record::TrafficKeys;

/// A secret from which others are derived, expanded once.
#[derive(Debug)]
pub(super) struct Secret {
    octets: Output,
    prk: Prk,
    hash: Hash,
}

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        self.octets.as_ref()
    }
}

impl Secret {
    pub(super) fn new(provider: &dyn Provider, hash: Hash, octets: Output) -> Self {
        Self {
            prk: Prk::new(provider, hash, octets.as_ref()),
            octets,
            hash,
        }
    }

    /// The secret itself, to be kept: it takes less room.
    pub(super) fn into_octets(self) -> Output {
        self.octets
    }

    /// `Derive-Secret`, given the hash of the messages (RFC 8446 §7.1).
    fn derive(&self, label: &str, context: &[u8]) -> Result<Output, CryptoError> {
        let mut out = Zeroizing::new([0; 48]);
        let out = out.get_mut(..self.hash.output_len()).ok_or(CryptoError)?;
        self.expand(label, context, out)?;
        Ok(Output::copy_of(out))
    }

    fn expand(&self, label: &str, context: &[u8], out: &mut [u8]) -> Result<(), CryptoError> {
        self.prk
            .expand_label(label, context, out)
            .map_err(|_| CryptoError)
    }

    /// The contents of the Finished of whoever has this traffic secret (RFC 8446 §4.4.4).
    pub(super) fn verify_data(
        &self,
        provider: &dyn Provider,
        messages: &Output,
    ) -> Result<Output, CryptoError> {
        let key = self.derive("finished", &[])?;
        let key = provider.hmac(self.hash, key.as_ref());
        Ok(key.sign(&[messages.as_ref()]))
    }

    /// The traffic secret after a KeyUpdate (RFC 8446 §7.2).
    pub(super) fn next(&self, provider: &dyn Provider) -> Result<Self, CryptoError> {
        let octets = self.derive("traffic upd", &[])?;
        Ok(Self::new(provider, self.hash, octets))
    }

    /// The keys of a traffic secret (RFC 8446 §7.3, RFC 9147 §4.2.3).
    pub(super) fn traffic_keys(
        &self,
        provider: &dyn Provider,
        suite: Suite,
    ) -> Result<TrafficKeys, CryptoError> {
        let mut key = Zeroizing::new([0; 32]);
        let key = key.get_mut(..suite.aead.key_len()).ok_or(CryptoError)?;
        self.expand("key", &[], key)?;
        let aead = provider.aead(suite.aead, key)?;
        self.expand("sn", &[], key)?;
        let numbers = provider.header_protection(suite.aead, key)?;
        let mut iv = Zeroizing::new([0; NONCE_LEN]);
        self.expand("iv", &[], &mut *iv)?;
        Ok(TrafficKeys::new(aead, numbers, *iv))
    }
}

/// The secrets of the handshake, and what the others follow from.
#[derive(Debug)]
pub(super) struct HandshakeSecrets {
    pub(super) client: Secret,
    pub(super) server: Secret,
    master: Secret,
}

/// The secrets of the connection.
#[derive(Debug)]
pub(super) struct ApplicationSecrets {
    pub(super) client: Secret,
    pub(super) server: Secret,
    pub(super) exporter: Output,
}

impl HandshakeSecrets {
    /// From the shared secret of the key exchange and the hash up to the ServerHello.
    pub(super) fn new(
        provider: &dyn Provider,
        hash: Hash,
        shared: &[u8],
        hellos: &Output,
    ) -> Result<Self, CryptoError> {
        const ZEROS: [u8; 48] = [0; 48];
        let zeros = ZEROS.get(..hash.output_len()).unwrap_or_default();
        let of_nothing = provider.hash(hash).current();
        let extract = |salt: &[u8], input: &[u8]| {
            Secret::new(provider, hash, hkdf_extract(provider, hash, salt, input))
        };
        let secret = |octets| Secret::new(provider, hash, octets);

        // No pre-shared key.
        let early = extract(&[], zeros);
        let salt = early.derive("derived", of_nothing.as_ref())?;
        let handshake = extract(salt.as_ref(), shared);
        let salt = handshake.derive("derived", of_nothing.as_ref())?;
        Ok(Self {
            client: secret(handshake.derive("c hs traffic", hellos.as_ref())?),
            server: secret(handshake.derive("s hs traffic", hellos.as_ref())?),
            master: extract(salt.as_ref(), zeros),
        })
    }

    /// From the hash up to the server's Finished.
    pub(super) fn application(
        &self,
        provider: &dyn Provider,
        up_to_finished: &Output,
    ) -> Result<ApplicationSecrets, CryptoError> {
        let master = &self.master;
        let derive = |label| master.derive(label, up_to_finished.as_ref());
        let secret = |octets| Secret::new(provider, master.hash, octets);
        Ok(ApplicationSecrets {
            client: secret(derive("c ap traffic")?),
            server: secret(derive("s ap traffic")?),
            exporter: derive("exp master")?,
        })
    }
}
