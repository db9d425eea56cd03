//! From the shared secret to record protection and Finished (RFC 5246 §6.3, §7.4.9, §8.1, RFC 7627).

use zeroize::Zeroizing;

use super::Session;
use crate::config::Role;
use crate::context::Context;
use crate::crypto::{AeadAlgorithm, CryptoError};
use crate::keying::{MASTER_SECRET_LEN, Tls12Secrets, prf};
use crate::record::{Nonce, Protection};
use crate::transcript::Transcript;

/// Octets of `verify_data` (RFC 5246 §7.4.9).
pub(super) const VERIFY_DATA_LEN: usize = 12;

/// Derives the master secret and installs the keys of epoch 1. The transcript ends with the
/// ClientKeyExchange (RFC 7627 §4).
pub(super) fn establish(
    cx: &mut Context,
    role: Role,
    session: &Session,
    pre_master: &[u8],
    transcript: &Transcript,
) -> Result<Tls12Secrets, CryptoError> {
    let provider = cx.config.provider.clone();
    let hash = session.suite.hash;
    let session_hash = transcript.current().ok_or(CryptoError)?;
    let mut secrets = Tls12Secrets {
        hash,
        master: Zeroizing::new([0; MASTER_SECRET_LEN]),
        client_random: session.client_random,
        server_random: session.server_random,
    };
    let (handshake, randoms) = (
        [session_hash.as_ref()],
        [&session.client_random[..], &session.server_random],
    );
    let (label, seed): (&[u8], &[&[u8]]) = if session.extended_master_secret {
        (b"extended master secret", &handshake)
    } else {
        (b"master secret", &randoms)
    };
    prf(
        &*provider,
        hash,
        pre_master,
        label,
        seed,
        &mut *secrets.master,
    );
    cx.log_key("CLIENT_RANDOM", &session.client_random, &*secrets.master);

    let key_len = session.suite.aead.key_len();
    let iv_len = match session.suite.aead {
        AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm => 4,
        AeadAlgorithm::ChaCha20Poly1305 => 12,
    };
    let mut block = Zeroizing::new([0; 2 * (32 + 12)]);
    let block = block.get_mut(..2 * (key_len + iv_len)).ok_or(CryptoError)?;
    prf(
        &*provider,
        hash,
        &*secrets.master,
        b"key expansion",
        &[&session.server_random, &session.client_random],
        block,
    );
    let (keys, ivs) = block.split_at_checked(2 * key_len).ok_or(CryptoError)?;
    let (client_key, server_key) = keys.split_at_checked(key_len).ok_or(CryptoError)?;
    let (client_iv, server_iv) = ivs.split_at_checked(iv_len).ok_or(CryptoError)?;
    let protection = |key, iv| {
        let key = provider.aead(session.suite.aead, key)?;
        Ok::<_, CryptoError>(Protection::new(key, nonce(iv)?, 1))
    };
    let client = protection(client_key, client_iv)?;
    let server = protection(server_key, server_iv)?;
    match role {
        Role::Client => cx.install(server, client),
        Role::Server => cx.install(client, server),
    }
    Ok(secrets)
}

fn nonce(iv: &[u8]) -> Result<Nonce, CryptoError> {
    if let Ok(salt) = iv.try_into() {
        return Ok(Nonce::Explicit(salt));
    }
    iv.try_into().map(Nonce::Implicit).map_err(|_| CryptoError)
}

/// The contents of the Finished that this role sends after the transcript so far.
pub(super) fn verify_data(
    cx: &Context,
    role: Role,
    secrets: &Tls12Secrets,
    transcript: &Transcript,
) -> Result<[u8; VERIFY_DATA_LEN], CryptoError> {
    let hash = transcript.current().ok_or(CryptoError)?;
    let label: &[u8] = match role {
        Role::Client => b"client finished",
        Role::Server => b"server finished",
    };
    let mut out = [0; VERIFY_DATA_LEN];
    prf(
        &*cx.config.provider,
        secrets.hash,
        &*secrets.master,
        label,
        &[hash.as_ref()],
        &mut out,
    );
    Ok(out)
}
