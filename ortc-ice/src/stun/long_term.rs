//! Long-term credentials (RFC 8489 §9.2): their preparation, their keys, and the hash of a name.

use core::fmt;

use md5::{Digest, Md5};
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use sha2::Sha256;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{IntegrityKey, Sha256Key};

/// The longest username, in octets of UTF-8 (RFC 8489 §14.3: fewer than 509).
const USERNAME_MAX: usize = 508;

/// How the key is made from username, realm and password (RFC 8489 §18.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PasswordAlgorithm {
    /// MD5, number 1: the key of RFC 5389, and of a server that lists no algorithms.
    Md5,
    /// SHA-256, number 2.
    Sha256,
}

impl PasswordAlgorithm {
    /// Its number in PASSWORD-ALGORITHM.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Md5 => 1,
            Self::Sha256 => 2,
        }
    }

    /// The algorithm of a number, if we have it.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Md5),
            2 => Some(Self::Sha256),
            _ => None,
        }
    }
}

/// A string that the `OpaqueString` profile (RFC 8265 §4.2) refuses: it is empty, or has a
/// character that no password may have, such as a control character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("string is not allowed by the OpaqueString profile, or too long")]
pub struct PrecisError;

/// A username and a password, prepared with `OpaqueString` (RFC 8265 §4.2) once.
///
/// The password does not show in `Debug`; both are erased on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct LongTermCredentials {
    username: String,
    password: String,
}

impl LongTermCredentials {
    /// Prepares both strings. Quotes around the username and trailing nulls are no part of either
    /// (RFC 8489 §9.2.2).
    ///
    /// # Errors
    ///
    /// [`PrecisError`] when one of them cannot be prepared, or the username has more than 508
    /// octets.
    pub fn new(username: &str, password: &str) -> Result<Self, PrecisError> {
        let username = opaque_string(unquoted(username))?;
        if username.len() > USERNAME_MAX {
            return Err(PrecisError);
        }
        let password = opaque_string(password.trim_end_matches('\0'))?;
        Ok(Self { username, password })
    }

    /// The username as it was prepared.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The key for a realm, which is taken as the server sent it.
    ///
    /// # Errors
    ///
    /// [`PrecisError`] when the realm cannot be prepared.
    pub fn key(
        &self,
        realm: &str,
        algorithm: PasswordAlgorithm,
    ) -> Result<LongTermKey, PrecisError> {
        let realm = opaque_string(unquoted(realm))?;
        let text = Zeroizing::new([&self.username, ":", &realm, ":", &self.password].concat());
        let key = match algorithm {
            PasswordAlgorithm::Md5 => Zeroizing::new(Md5::digest(text.as_bytes()).to_vec()),
            PasswordAlgorithm::Sha256 => Zeroizing::new(Sha256::digest(text.as_bytes()).to_vec()),
        };
        Ok(LongTermKey {
            sha1: IntegrityKey::new(&key),
            sha256: Sha256Key::new(&key),
        })
    }
}

impl fmt::Debug for LongTermCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LongTermCredentials({:?}, ..)", self.username)
    }
}

/// The key of long-term credentials (RFC 8489 §9.2.2), ready for both kinds of integrity.
#[derive(Clone, Debug)]
pub struct LongTermKey {
    sha1: IntegrityKey,
    sha256: Sha256Key,
}

impl LongTermKey {
    /// The key for MESSAGE-INTEGRITY.
    #[must_use]
    pub const fn sha1(&self) -> &IntegrityKey {
        &self.sha1
    }

    /// The key for MESSAGE-INTEGRITY-SHA256.
    #[must_use]
    pub const fn sha256(&self) -> &Sha256Key {
        &self.sha256
    }
}

/// The value of USERHASH (RFC 8489 §14.4) for a prepared username and a realm as it was received.
///
/// # Errors
///
/// [`PrecisError`] when the realm cannot be prepared.
pub fn user_hash(username: &str, realm: &str) -> Result<[u8; 32], PrecisError> {
    let realm = opaque_string(unquoted(realm))?;
    Ok(Sha256::digest([username, ":", &realm].concat().as_bytes()).into())
}

/// `OpaqueString`, enforced. ASCII that is printable is what it is already.
fn opaque_string(text: &str) -> Result<String, PrecisError> {
    if !text.is_empty() && text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return Ok(text.to_owned());
    }
    precis_profiles::OpaqueString::enforce(text)
        .map(Into::into)
        .map_err(|_| PrecisError)
}

/// Without quotes around it and nulls after it.
fn unquoted(text: &str) -> &str {
    let text = text.trim_end_matches('\0');
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}
