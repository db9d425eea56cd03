//! The key schedule (RFC 8446 §7, RFC 9147 §5.9).

use zeroize::Zeroizing;

use super::Suite;
use crate::crypto::{CryptoError, Hash, NONCE_LEN, Output, Provider};
use crate::keying::{hkdf_expand_label, hkdf_extract};
use crate::record::TrafficKeys;

/// The secrets of the handshake, and what the others follow from.
#[derive(Debug)]
pub(super) struct HandshakeSecrets {
    pub(super) client: Output,
    pub(super) server: Output,
    master: Output,
}

/// The secrets of the connection.
#[derive(Debug)]
pub(super) struct ApplicationSecrets {
    pub(super) client: Output,
    pub(super) server: Output,
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
        let derive =
            |secret: &Output, label, context| expand(provider, hash, secret, label, context);

        // No pre-shared key.
        let early = hkdf_extract(provider, hash, &[], zeros);
        let salt = derive(&early, "derived", &of_nothing)?;
        let handshake = hkdf_extract(provider, hash, salt.as_ref(), shared);
        let salt = derive(&handshake, "derived", &of_nothing)?;
        Ok(Self {
            client: derive(&handshake, "c hs traffic", hellos)?,
            server: derive(&handshake, "s hs traffic", hellos)?,
            master: hkdf_extract(provider, hash, salt.as_ref(), zeros),
        })
    }

    /// From the hash up to the server's Finished.
    pub(super) fn application(
        &self,
        provider: &dyn Provider,
        hash: Hash,
        up_to_finished: &Output,
    ) -> Result<ApplicationSecrets, CryptoError> {
        let derive = |label| expand(provider, hash, &self.master, label, up_to_finished);
        Ok(ApplicationSecrets {
            client: derive("c ap traffic")?,
            server: derive("s ap traffic")?,
            exporter: derive("exp master")?,
        })
    }
}

/// `Derive-Secret`, given the hash of the messages (RFC 8446 §7.1).
fn expand(
    provider: &dyn Provider,
    hash: Hash,
    secret: &Output,
    label: &str,
    context: &Output,
) -> Result<Output, CryptoError> {
    secret_of(provider, hash, secret, label, context.as_ref())
}

fn secret_of(
    provider: &dyn Provider,
    hash: Hash,
    secret: &Output,
    label: &str,
    context: &[u8],
) -> Result<Output, CryptoError> {
    let mut out = Zeroizing::new([0; 48]);
    let out = out.get_mut(..hash.output_len()).ok_or(CryptoError)?;
    hkdf_expand_label(provider, hash, secret.as_ref(), label, context, out)
        .map_err(|_| CryptoError)?;
    Ok(Output::copy_of(out))
}

/// The contents of the Finished of whoever has this traffic secret (RFC 8446 §4.4.4).
pub(super) fn verify_data(
    provider: &dyn Provider,
    hash: Hash,
    secret: &Output,
    messages: &Output,
) -> Result<Output, CryptoError> {
    let key = secret_of(provider, hash, secret, "finished", &[])?;
    Ok(provider.hmac(hash, key.as_ref()).sign(&[messages.as_ref()]))
}

/// The secret after a KeyUpdate (RFC 8446 §7.2).
pub(super) fn next(
    provider: &dyn Provider,
    hash: Hash,
    secret: &Output,
) -> Result<Output, CryptoError> {
    secret_of(provider, hash, secret, "traffic upd", &[])
}

/// The keys of a traffic secret (RFC 8446 §7.3, RFC 9147 §4.2.3).
pub(super) fn traffic_keys(
    provider: &dyn Provider,
    suite: Suite,
    secret: &Output,
) -> Result<TrafficKeys, CryptoError> {
    let expand = |label, out: &mut [u8]| {
        hkdf_expand_label(provider, suite.hash, secret.as_ref(), label, &[], out)
            .map_err(|_| CryptoError)
    };
    let mut key = Zeroizing::new([0; 32]);
    let key = key.get_mut(..suite.aead.key_len()).ok_or(CryptoError)?;
    expand("key", key)?;
    let aead = provider.aead(suite.aead, key)?;
    expand("sn", key)?;
    let numbers = provider.header_protection(suite.aead, key)?;
    let mut iv = [0; NONCE_LEN];
    expand("iv", &mut iv)?;
    Ok(TrafficKeys::new(aead, numbers, iv))
}
