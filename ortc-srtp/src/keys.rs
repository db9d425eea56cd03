//! Key material: what a handshake exports, and what is derived from it.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::KeyError;
use crate::kdf::{self, Label};
use crate::profile::Profile;

const MAX_KEY: usize = 32;
const MAX_SALT: usize = 14;
const MAX_AUTH: usize = 20;

/// The master key and salt of one direction (RFC 3711 §3.2.1), as DTLS-SRTP exports them.
///
/// Zeroized on drop; `Debug` shows the profile only.
///
/// ```
/// use ortc_srtp::{KeyError, MasterKey, Profile};
///
/// let profile = Profile::AeadAes128Gcm;
/// assert!(MasterKey::new(profile, &[1; 16], &[2; 12]).is_ok());
/// let refused = MasterKey::new(profile, &[1; 15], &[2; 12]);
/// assert!(matches!(refused, Err(KeyError::Key { need: 16, have: 15 })));
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey {
    #[zeroize(skip)]
    profile: Profile,
    key: [u8; MAX_KEY],
    salt: [u8; MAX_SALT],
}

impl MasterKey {
    /// Takes [`Profile::key_len`] octets of key and [`Profile::salt_len`] octets of salt.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if either has another length.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, KeyError> {
        check_lengths(profile, key, salt)?;
        Ok(Self {
            profile,
            key: padded(key),
            salt: padded(salt),
        })
    }

    /// The profile that the key was made for.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    pub(crate) fn key(&self) -> &[u8] {
        prefix(&self.key, self.profile.key_len())
    }

    /// The salt, padded with zeros to the 112 bits of the key derivation (RFC 7714 §11).
    pub(crate) fn padded_salt(&self) -> [u8; MAX_SALT] {
        self.salt
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

/// The session keys of one direction: those of SRTP and those of SRTCP (RFC 3711 §4.3).
///
/// [`Sender::new`](crate::Sender::new) and [`Receiver::new`](crate::Receiver::new) derive them;
/// they are public for whoever gets session keys from elsewhere. Zeroized on drop.
#[derive(Clone, Debug)]
pub struct SessionKeys {
    pub(crate) rtp: SessionKey,
    pub(crate) rtcp: SessionKey,
}

impl SessionKeys {
    /// Derives both sets with a key derivation rate of zero, the only one that DTLS-SRTP knows
    /// (RFC 5764 §4.1.2).
    #[must_use]
    pub fn derive(master: &MasterKey) -> Self {
        Self {
            rtp: SessionKey::derive(
                master,
                Label::RtpEncryption,
                Label::RtpSalt,
                Label::RtpAuthentication,
            ),
            rtcp: SessionKey::derive(
                master,
                Label::RtcpEncryption,
                Label::RtcpSalt,
                Label::RtcpAuthentication,
            ),
        }
    }

    /// Joins session keys that were derived elsewhere.
    ///
    /// `None` if the two are of different profiles.
    #[must_use]
    pub fn from_parts(rtp: SessionKey, rtcp: SessionKey) -> Option<Self> {
        (rtp.profile == rtcp.profile).then_some(Self { rtp, rtcp })
    }

    /// The profile that the keys were made for.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.rtp.profile
    }

    /// The keys of SRTP.
    #[must_use]
    pub const fn rtp(&self) -> &SessionKey {
        &self.rtp
    }

    /// The keys of SRTCP.
    #[must_use]
    pub const fn rtcp(&self) -> &SessionKey {
        &self.rtcp
    }
}

/// The session encryption key, salt and authentication key of SRTP or of SRTCP.
///
/// Zeroized on drop; `Debug` shows the profile only.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SessionKey {
    #[zeroize(skip)]
    profile: Profile,
    key: [u8; MAX_KEY],
    salt: [u8; MAX_SALT],
    auth: [u8; MAX_AUTH],
}

impl SessionKey {
    /// Takes keys of the lengths that the profile tells; `auth` is empty for an AEAD.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if one has another length.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8], auth: &[u8]) -> Result<Self, KeyError> {
        check_lengths(profile, key, salt)?;
        if auth.len() != profile.auth_key_len() {
            return Err(KeyError::AuthenticationKey {
                need: profile.auth_key_len(),
                have: auth.len(),
            });
        }
        Ok(Self {
            profile,
            key: padded(key),
            salt: padded(salt),
            auth: padded(auth),
        })
    }

    fn derive(master: &MasterKey, encryption: Label, salt: Label, auth: Label) -> Self {
        let mut out = Self {
            profile: master.profile,
            key: [0; MAX_KEY],
            salt: [0; MAX_SALT],
            auth: [0; MAX_AUTH],
        };
        let profile = master.profile;
        kdf::derive(master, encryption, head(&mut out.key, profile.key_len()));
        kdf::derive(master, salt, head(&mut out.salt, profile.salt_len()));
        kdf::derive(master, auth, head(&mut out.auth, profile.auth_key_len()));
        out
    }

    /// The session encryption key. A secret: keep it out of logs.
    #[must_use]
    pub fn encryption_key(&self) -> &[u8] {
        prefix(&self.key, self.profile.key_len())
    }

    /// The session salt.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        prefix(&self.salt, self.profile.salt_len())
    }

    /// The session authentication key; empty for an AEAD. A secret: keep it out of logs.
    #[must_use]
    pub fn authentication_key(&self) -> &[u8] {
        prefix(&self.auth, self.profile.auth_key_len())
    }

    pub(crate) const fn profile(&self) -> Profile {
        self.profile
    }

    /// The salt as a number, its last octet the least significant.
    pub(crate) fn salt_number(&self) -> u128 {
        self.salt()
            .iter()
            .fold(0, |number, &octet| number << 8 | u128::from(octet))
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKey")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

fn check_lengths(profile: Profile, key: &[u8], salt: &[u8]) -> Result<(), KeyError> {
    if key.len() != profile.key_len() {
        return Err(KeyError::Key {
            need: profile.key_len(),
            have: key.len(),
        });
    }
    if salt.len() != profile.salt_len() {
        return Err(KeyError::Salt {
            need: profile.salt_len(),
            have: salt.len(),
        });
    }
    Ok(())
}

/// `octets` at the front of an array of zeros. Callers have checked that they fit.
fn padded<const N: usize>(octets: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    for (to, &from) in array.iter_mut().zip(octets) {
        *to = from;
    }
    array
}

fn prefix(octets: &[u8], len: usize) -> &[u8] {
    octets.get(..len).unwrap_or(octets)
}

fn head(octets: &mut [u8], len: usize) -> &mut [u8] {
    let len = len.min(octets.len());
    octets.split_at_mut(len).0
}
