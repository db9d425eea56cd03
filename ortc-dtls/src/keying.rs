//! Key derivation: the PRF of TLS 1.2, its exporter, and the exporter of DTLS 1.3.

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::crypto::{Hash, HmacKey, Output, Provider};

/// Octets of the master secret of TLS 1.2.
pub const MASTER_SECRET_LEN: usize = 48;

/// The label of the SRTP exporter (RFC 5764 §4.2).
pub const SRTP_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// Why key material is not available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyingError {
    /// The handshake is not complete, or the endpoint is closed.
    #[error("not connected")]
    NotConnected,
    /// Nobody has vouched for the peer's certificate yet.
    #[error("the peer is not verified")]
    Unverified,
    /// The peers agreed on no SRTP profile.
    #[error("no SRTP profile was negotiated")]
    NoSrtpProfile,
    /// The keys are not bound to the handshake, so that nothing else may be (RFC 7627 §5.4).
    #[error("no extended master secret was negotiated")]
    NoExtendedMasterSecret,
    /// The label belongs to TLS itself (RFC 5705 §4).
    #[error("the label is reserved")]
    Label,
    /// Context or output are longer than the exporter can express.
    #[error("context or output is too long")]
    Length,
}

/// `PRF(secret, label, seed)` of TLS 1.2 (RFC 5246 §5); the seed is the concatenation of its parts.
pub fn prf(
    provider: &dyn Provider,
    hash: Hash,
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    out: &mut [u8],
) {
    let joined;
    let seed = if seed.len() > MAX_SEED {
        joined = Zeroizing::new(seed.concat());
        &[joined.as_slice()]
    } else {
        seed
    };
    with_hmac(provider, hash, secret, |key| {
        // A(i) before label and seed (RFC 5246 §5, P_hash).
        let mut a: Option<Output> = None;
        for chunk in out.chunks_mut(hash.output_len()) {
            let next = match &a {
                None => key.sign(&parts(&[], label, seed)),
                Some(a) => key.sign(&[a.as_ref()]),
            };
            let block = key.sign(&parts(next.as_ref(), label, seed));
            copy(chunk, &block);
            a = Some(next);
        }
    });
}

/// Parts of a seed that are not joined before: those of an exporter with context.
const MAX_SEED: usize = 4;

/// The input of an HMAC, put together without an allocation.
fn parts<'a>(a: &'a [u8], label: &'a [u8], seed: &[&'a [u8]]) -> [&'a [u8]; MAX_SEED + 2] {
    let mut parts: [&[u8]; _] = [&[]; _];
    let all = [a, label].into_iter().chain(seed.iter().copied());
    for (part, from) in parts.iter_mut().zip(all) {
        *part = from;
    }
    parts
}

/// Runs with an expanded HMAC key, which the provider need not allocate.
pub(crate) fn with_hmac<T>(
    provider: &dyn Provider,
    hash: Hash,
    key: &[u8],
    mut run: impl FnMut(&dyn HmacKey) -> T,
) -> T {
    let mut result = None;
    provider.lend_hmac(hash, key, &mut |key| result = Some(run(key)));
    // A provider that lends nothing still has keys to give.
    result.unwrap_or_else(|| run(&*provider.hmac(hash, key)))
}

fn copy(chunk: &mut [u8], block: &Output) {
    // The last chunk may be shorter.
    if let Some(block) = block.as_ref().get(..chunk.len()) {
        chunk.copy_from_slice(block);
    }
}

/// The secrets of one TLS 1.2 session, as far as an exporter needs them.
pub struct Tls12Secrets {
    /// The hash of the cipher suite.
    pub hash: Hash,
    /// The master secret.
    pub master: Zeroizing<[u8; MASTER_SECRET_LEN]>,
    /// The client's random.
    pub client_random: [u8; 32],
    /// The server's random.
    pub server_random: [u8; 32],
}

impl fmt::Debug for Tls12Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls12Secrets")
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

impl Tls12Secrets {
    /// Exports key material (RFC 5705 §4). An empty context differs from none.
    ///
    /// # Errors
    ///
    /// [`KeyingError::Label`] for a label of TLS itself, [`KeyingError::Length`] for a context
    /// above 65535 octets; `out` is then untouched.
    pub fn export(
        &self,
        provider: &dyn Provider,
        label: &str,
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), KeyingError> {
        if matches!(
            label,
            "client finished"
                | "server finished"
                | "master secret"
                | "key expansion"
                | "extended master secret"
        ) {
            return Err(KeyingError::Label);
        }
        let context = context.map(|context| {
            u16::try_from(context.len())
                .map(|len| (len.to_be_bytes(), context))
                .map_err(|_| KeyingError::Length)
        });
        let context = context.transpose()?;
        let (client, server): (&[u8], &[u8]) = (&self.client_random, &self.server_random);
        match &context {
            None => self.expand(provider, label, &[client, server], out),
            Some((len, context)) => {
                self.expand(provider, label, &[client, server, len, context], out);
            }
        }
        Ok(())
    }

    fn expand(&self, provider: &dyn Provider, label: &str, seed: &[&[u8]], out: &mut [u8]) {
        prf(
            provider,
            self.hash,
            &*self.master,
            label.as_bytes(),
            seed,
            out,
        );
    }
}

/// `HKDF-Extract` (RFC 5869 §2.2).
#[must_use]
pub fn hkdf_extract(provider: &dyn Provider, hash: Hash, salt: &[u8], input: &[u8]) -> Output {
    with_hmac(provider, hash, salt, |key| key.sign(&[input]))
}

/// `HKDF-Expand` (RFC 5869 §2.3).
///
/// # Errors
///
/// [`KeyingError::Length`] above 255 blocks of output.
pub fn hkdf_expand(
    provider: &dyn Provider,
    hash: Hash,
    prk: &[u8],
    info: &[&[u8]],
    out: &mut [u8],
) -> Result<(), KeyingError> {
    let info = info.concat();
    with_prk(provider, hash, prk, |prk| prk.expand(&info, out))
}

/// `HKDF-Expand-Label` with the prefix of DTLS 1.3: "dtls13", without the space that TLS 1.3 has
/// (RFC 9147 §5.9, RFC 8446 §7.1).
///
/// # Errors
///
/// [`KeyingError::Length`] for a label above 249 octets, a context above 255, or an output above
/// 255 blocks.
pub fn hkdf_expand_label(
    provider: &dyn Provider,
    hash: Hash,
    secret: &[u8],
    label: &str,
    context: &[u8],
    out: &mut [u8],
) -> Result<(), KeyingError> {
    with_prk(provider, hash, secret, |prk| {
        prk.expand_label(label, context, out)
    })
}

/// Runs with a pseudorandom key that may be expanded more than once (RFC 5869 §2.3).
pub(crate) fn with_prk<T>(
    provider: &dyn Provider,
    hash: Hash,
    prk: &[u8],
    mut run: impl FnMut(Prk<'_>) -> T,
) -> T {
    with_hmac(provider, hash, prk, |key| run(Prk { key, hash }))
}

/// A pseudorandom key, expanded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prk<'a> {
    key: &'a dyn HmacKey,
    hash: Hash,
}

impl Prk<'_> {
    fn expand(&self, info: &[u8], out: &mut [u8]) -> Result<(), KeyingError> {
        if out.len() > 255 * self.hash.output_len() {
            return Err(KeyingError::Length);
        }
        let mut previous: Option<Output> = None;
        for (counter, chunk) in (1_u8..=255).zip(out.chunks_mut(self.hash.output_len())) {
            let before = previous.as_ref().map_or(&[][..], AsRef::as_ref);
            let block = self.key.sign(&[before, info, &[counter]]);
            copy(chunk, &block);
            previous = Some(block);
        }
        Ok(())
    }

    /// As [`hkdf_expand_label`].
    pub(crate) fn expand_label(
        &self,
        label: &str,
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), KeyingError> {
        self.with_label(label, context, out.len(), |info| self.expand(info, out))?
    }

    /// As [`hkdf_expand_label`] for as many octets as the hash has.
    pub(crate) fn derive(&self, label: &str, context: &[u8]) -> Result<Output, KeyingError> {
        self.with_label(label, context, self.hash.output_len(), |info| {
            self.key.sign(&[info, &[1]])
        })
    }

    /// Runs with an `HkdfLabel` in one piece, which is hashed faster than many.
    fn with_label<T>(
        &self,
        label: &str,
        context: &[u8],
        len: usize,
        run: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, KeyingError> {
        const PREFIX: &[u8] = b"dtls13";
        let len = u16::try_from(len).map_err(|_| KeyingError::Length)?;
        let label_len =
            u8::try_from(PREFIX.len() + label.len()).map_err(|_| KeyingError::Length)?;
        let context_len = u8::try_from(context.len()).map_err(|_| KeyingError::Length)?;
        let parts: [&[u8]; 6] = [
            &len.to_be_bytes(),
            &[label_len],
            PREFIX,
            label.as_bytes(),
            &[context_len],
            context,
        ];
        let mut info = [0; USUAL_INFO];
        let mut used = 0;
        for part in parts {
            let Some(to) = info.get_mut(used..used + part.len()) else {
                return Ok(run(&parts.concat()));
            };
            to.copy_from_slice(part);
            used += part.len();
        }
        Ok(run(info.get(..used).unwrap_or_default()))
    }
}

/// Octets that every label of the key schedule fits into, with the longest hash.
const USUAL_INFO: usize = 80;

/// Exports key material of DTLS 1.3 (RFC 8446 §7.5 with the label prefix of RFC 9147 §5.9) from
/// the `exporter_master_secret`, which key logs call `EXPORTER_SECRET`. No context and an empty
/// one are the same.
///
/// # Errors
///
/// [`KeyingError::Length`] as in [`hkdf_expand_label`].
pub fn dtls13_export(
    provider: &dyn Provider,
    hash: Hash,
    exporter_secret: &[u8],
    label: &str,
    context: &[u8],
    out: &mut [u8],
) -> Result<(), KeyingError> {
    let mut hasher = provider.hash(hash);
    let of_nothing = hasher.current();
    hasher.update(context);
    let of_context = hasher.current();
    let mut derived = Zeroizing::new([0_u8; 48]);
    let derived = derived
        .get_mut(..hash.output_len())
        .ok_or(KeyingError::Length)?;
    hkdf_expand_label(
        provider,
        hash,
        exporter_secret,
        label,
        of_nothing.as_ref(),
        derived,
    )?;
    hkdf_expand_label(
        provider,
        hash,
        derived,
        "exporter",
        of_context.as_ref(),
        out,
    )
}

/// Octets of master key and master salt of an SRTP profile (RFC 5764 §4.1.2, RFC 7714 §14.2), or
/// `None` for a profile that we do not know.
#[must_use]
pub const fn srtp_lengths(profile: u16) -> Option<(usize, usize)> {
    match profile {
        // AES128_CM_SHA1_80 and AES128_CM_SHA1_32
        0x0001 | 0x0002 => Some((16, 14)),
        // AEAD_AES_128_GCM
        0x0007 => Some((16, 12)),
        // AEAD_AES_256_GCM
        0x0008 => Some((32, 12)),
        _ => None,
    }
}

/// Master keys and salts of SRTP for both directions; compared in constant time, wiped on drop.
#[derive(Clone, Eq)]
pub struct SrtpKeying {
    /// The profile (RFC 5764 §4.1.2).
    pub profile: u16,
    /// Master key of what the DTLS client sends.
    pub client_key: Zeroizing<Vec<u8>>,
    /// Master key of what the DTLS server sends.
    pub server_key: Zeroizing<Vec<u8>>,
    /// Master salt of what the DTLS client sends.
    pub client_salt: Zeroizing<Vec<u8>>,
    /// Master salt of what the DTLS server sends.
    pub server_salt: Zeroizing<Vec<u8>>,
}

impl PartialEq for SrtpKeying {
    fn eq(&self, other: &Self) -> bool {
        let equal = self.client_key.ct_eq(&other.client_key)
            & self.server_key.ct_eq(&other.server_key)
            & self.client_salt.ct_eq(&other.client_salt)
            & self.server_salt.ct_eq(&other.server_salt);
        self.profile == other.profile && bool::from(equal)
    }
}

impl fmt::Debug for SrtpKeying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpKeying")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

impl SrtpKeying {
    /// Cuts exported material into keys and salts in the order of RFC 5764 §4.2.
    ///
    /// `export` fills the octets under [`SRTP_LABEL`] without context.
    ///
    /// # Errors
    ///
    /// [`KeyingError::NoSrtpProfile`] for an unknown profile, or what `export` returns.
    pub fn derive(
        profile: u16,
        export: impl FnOnce(&mut [u8]) -> Result<(), KeyingError>,
    ) -> Result<Self, KeyingError> {
        let (key, salt) = srtp_lengths(profile).ok_or(KeyingError::NoSrtpProfile)?;
        let mut material = Zeroizing::new(vec![0; 2 * (key + salt)]);
        export(&mut material)?;
        let (keys, salts) = material
            .split_at_checked(2 * key)
            .ok_or(KeyingError::Length)?;
        let (client_key, server_key) = keys.split_at_checked(key).ok_or(KeyingError::Length)?;
        let (client_salt, server_salt) = salts.split_at_checked(salt).ok_or(KeyingError::Length)?;
        let copy = |octets: &[u8]| Zeroizing::new(octets.to_vec());
        Ok(Self {
            profile,
            client_key: copy(client_key),
            server_key: copy(server_key),
            client_salt: copy(client_salt),
            server_salt: copy(server_salt),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::assert_wiped;

    /// What is handed out and what is kept wipes itself.
    const _: fn(Tls12Secrets, SrtpKeying) = |secrets, keying| {
        let Tls12Secrets {
            hash: _,
            master,
            client_random: _,
            server_random: _,
        } = &secrets;
        assert_wiped(master);
        let SrtpKeying {
            profile: _,
            client_key,
            server_key,
            client_salt,
            server_salt,
        } = &keying;
        for octets in [client_key, server_key, client_salt, server_salt] {
            assert_wiped(octets);
        }
    };
}
