//! The key schedule (RFC 8446 §7, RFC 9147 §5.9).
//!
//! Each secret is expanded once, into everything that follows from it at that point.

use zeroize::Zeroizing;

use super::Suite;
use crate::crypto::{CryptoError, Hash, NONCE_LEN, Output, Provider};
use crate::keying::{Prk, hkdf_extract, with_hmac, with_prk};
use crate::record::TrafficKeys;

/// A traffic secret.
#[derive(Debug)]
pub(super) struct Secret {
    octets: Output,
    hash: Hash,
}

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        self.octets.as_ref()
    }
}

impl Secret {
    pub(super) const fn new(hash: Hash, octets: Output) -> Self {
        Self { octets, hash }
    }

    pub(super) fn into_octets(self) -> Output {
        self.octets
    }

    /// The traffic secret after a KeyUpdate (RFC 8446 §7.2).
    pub(super) fn next(&self, provider: &dyn Provider) -> Result<Self, CryptoError> {
        let octets = with_prk(provider, self.hash, self.as_ref(), |prk| {
            derive(prk, "traffic upd", &[])
        })?;
        Ok(Self::new(self.hash, octets))
    }

    /// The keys of a traffic secret.
    pub(super) fn traffic_keys(
        &self,
        provider: &dyn Provider,
        suite: Suite,
    ) -> Result<TrafficKeys, CryptoError> {
        with_prk(provider, self.hash, self.as_ref(), |prk| {
            traffic_keys(prk, provider, suite)
        })
    }

    /// The keys of a traffic secret of the handshake, and the one of the Finished.
    pub(super) fn handshake_keys(
        &self,
        provider: &dyn Provider,
        suite: Suite,
    ) -> Result<(TrafficKeys, FinishedKey), CryptoError> {
        with_prk(provider, self.hash, self.as_ref(), |prk| {
            let finished = FinishedKey {
                octets: derive(prk, "finished", &[])?,
                hash: self.hash,
            };
            Ok((traffic_keys(prk, provider, suite)?, finished))
        })
    }
}

/// `Derive-Secret`, given the hash of the messages (RFC 8446 §7.1).
fn derive(prk: Prk<'_>, label: &str, context: &[u8]) -> Result<Output, CryptoError> {
    prk.derive(label, context).map_err(|_| CryptoError)
}

fn expand(prk: Prk<'_>, label: &str, context: &[u8], out: &mut [u8]) -> Result<(), CryptoError> {
    prk.expand_label(label, context, out)
        .map_err(|_| CryptoError)
}

/// RFC 8446 §7.3, RFC 9147 §4.2.3.
fn traffic_keys(
    prk: Prk<'_>,
    provider: &dyn Provider,
    suite: Suite,
) -> Result<TrafficKeys, CryptoError> {
    let mut key = Zeroizing::new([0; 32]);
    let key = key.get_mut(..suite.aead.key_len()).ok_or(CryptoError)?;
    expand(prk, "key", &[], key)?;
    let aead = provider.aead(suite.aead, key)?;
    expand(prk, "sn", &[], key)?;
    let numbers = provider.header_protection(suite.aead, key)?;
    let mut iv = Zeroizing::new([0; NONCE_LEN]);
    expand(prk, "iv", &[], &mut *iv)?;
    Ok(TrafficKeys::new(aead, numbers, iv))
}

/// What the Finished of one side is made with (RFC 8446 §4.4.4).
#[derive(Debug)]
pub(super) struct FinishedKey {
    octets: Output,
    hash: Hash,
}

impl FinishedKey {
    /// The contents of the Finished after these messages.
    pub(super) fn verify_data(&self, provider: &dyn Provider, messages: &Output) -> Output {
        with_hmac(provider, self.hash, self.octets.as_ref(), |key| {
            key.sign(&[messages.as_ref()])
        })
    }
}

/// What follows from the shared secret and the hellos.
#[derive(Debug)]
pub(super) struct HandshakeSecrets {
    pub(super) client: Secret,
    pub(super) server: Secret,
    pub(super) master: MasterSecret,
}

/// What the secrets of the connection follow from.
#[derive(Debug)]
pub(super) struct MasterSecret {
    octets: Output,
    hash: Hash,
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
        let fixed = Fixed::of(hash);
        let handshake = hkdf_extract(provider, hash, fixed.salt, shared);
        let (client, server, salt) = with_prk(provider, hash, handshake.as_ref(), |prk| {
            Ok::<_, CryptoError>((
                derive(prk, "c hs traffic", hellos.as_ref())?,
                derive(prk, "s hs traffic", hellos.as_ref())?,
                derive(prk, "derived", fixed.of_nothing)?,
            ))
        })?;
        Ok(Self {
            client: Secret::new(hash, client),
            server: Secret::new(hash, server),
            master: MasterSecret {
                octets: hkdf_extract(provider, hash, salt.as_ref(), zeros),
                hash,
            },
        })
    }
}

impl MasterSecret {
    /// From the hash up to the server's Finished.
    pub(super) fn application(
        &self,
        provider: &dyn Provider,
        up_to_finished: &Output,
    ) -> Result<ApplicationSecrets, CryptoError> {
        let hash = self.hash;
        let messages = up_to_finished.as_ref();
        with_prk(provider, hash, self.octets.as_ref(), |prk| {
            Ok(ApplicationSecrets {
                client: Secret::new(hash, derive(prk, "c ap traffic", messages)?),
                server: Secret::new(hash, derive(prk, "s ap traffic", messages)?),
                exporter: derive(prk, "exp master", messages)?,
            })
        })
    }
}

/// What is the same in every connection without a pre-shared key: the first third of the
/// schedule (RFC 8446 §7.1).
struct Fixed {
    /// The hash of no messages.
    of_nothing: &'static [u8],
    /// `Derive-Secret(Early Secret, "derived", "")`, the salt of the handshake secret.
    salt: &'static [u8],
}

impl Fixed {
    const fn of(hash: Hash) -> Self {
        match hash {
            Hash::Sha256 => Self {
                of_nothing: &NOTHING_SHA256,
                salt: &SALT_SHA256,
            },
            Hash::Sha384 => Self {
                of_nothing: &NOTHING_SHA384,
                salt: &SALT_SHA384,
            },
        }
    }
}

const NOTHING_SHA256: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];
const SALT_SHA256: [u8; 32] = [
    0xb1, 0x7b, 0xce, 0x94, 0x51, 0xee, 0x8b, 0xc6, 0xe8, 0xae, 0xbc, 0x0a, 0xa9, 0xe9, 0x82, 0x95,
    0x67, 0x7a, 0x4a, 0x6a, 0x91, 0xf7, 0x84, 0x40, 0x83, 0x31, 0x46, 0xe4, 0x65, 0xf2, 0xff, 0x95,
];
const NOTHING_SHA384: [u8; 48] = [
    0x38, 0xb0, 0x60, 0xa7, 0x51, 0xac, 0x96, 0x38, 0x4c, 0xd9, 0x32, 0x7e, 0xb1, 0xb1, 0xe3, 0x6a,
    0x21, 0xfd, 0xb7, 0x11, 0x14, 0xbe, 0x07, 0x43, 0x4c, 0x0c, 0xc7, 0xbf, 0x63, 0xf6, 0xe1, 0xda,
    0x27, 0x4e, 0xde, 0xbf, 0xe7, 0x6f, 0x65, 0xfb, 0xd5, 0x1a, 0xd2, 0xf1, 0x48, 0x98, 0xb9, 0x5b,
];
const SALT_SHA384: [u8; 48] = [
    0x27, 0x00, 0x86, 0x05, 0xd3, 0x39, 0x6f, 0x88, 0x44, 0x19, 0x75, 0x65, 0xca, 0xec, 0xc5, 0x92,
    0xb3, 0xe5, 0x8f, 0x2e, 0xae, 0x55, 0xf8, 0x41, 0xb5, 0x77, 0xcf, 0xbc, 0xab, 0xb4, 0x7e, 0x22,
    0x1f, 0x67, 0x4e, 0xd3, 0xa6, 0x8a, 0xa8, 0x93, 0x43, 0x9c, 0xf5, 0x57, 0xf1, 0x11, 0xc0, 0xfc,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{assert_wiped, ring_provider};

    /// Secrets wipe themselves: all of these are made of such.
    const _: fn(Secret, FinishedKey, MasterSecret) = |secret, finished, master| {
        let Secret { octets, hash: _ } = &secret;
        assert_wiped(octets);
        let FinishedKey { octets, hash: _ } = &finished;
        assert_wiped(octets);
        let MasterSecret { octets, hash: _ } = &master;
        assert_wiped(octets);
    };
    const _: fn(HandshakeSecrets, ApplicationSecrets) = |handshake, application| {
        let _: (Secret, Secret, MasterSecret) = {
            let HandshakeSecrets {
                client,
                server,
                master,
            } = handshake;
            (client, server, master)
        };
        let ApplicationSecrets {
            client: Secret { .. },
            server: Secret { .. },
            exporter,
        } = &application;
        assert_wiped(exporter);
    };

    #[test]
    fn what_is_fixed_is_what_the_schedule_comes_to_without_a_pre_shared_key() {
        let provider = &*ring_provider();
        for hash in [Hash::Sha256, Hash::Sha384] {
            let of_nothing = provider.hash(hash).current();
            assert_eq!(Fixed::of(hash).of_nothing, of_nothing.as_ref());
            let early = hkdf_extract(provider, hash, &[], &vec![0; hash.output_len()]);
            let salt = with_prk(provider, hash, early.as_ref(), |prk| {
                derive(prk, "derived", of_nothing.as_ref())
            });
            assert_eq!(Fixed::of(hash).salt, salt.unwrap().as_ref());
        }
    }
}
