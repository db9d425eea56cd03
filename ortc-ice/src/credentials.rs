//! The username fragment and the password of one side (RFC 8445 §5.3, RFC 8839 §5.4).

use core::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::random::Random;

/// The shortest username fragment: 24 bits of ice-chars (RFC 8839 §5.4).
const UFRAG_MIN: usize = 4;
/// The shortest password: 128 bits of ice-chars (RFC 8839 §5.4).
const PASSWORD_MIN: usize = 22;
/// The longest of either (RFC 8839 §5.4).
const MAX: usize = 256;

/// Characters of the fragments that we draw: 48 bits, so that thousands of agents behind one
/// port do not collide.
const UFRAG_LEN: usize = 8;
/// Characters of the passwords that we draw: 144 bits.
const PASSWORD_LEN: usize = 24;

/// The short-term credentials of one side of a session.
///
/// Both parts are made of ice-chars (letters, digits, `+`, `/`), 4 to 256 and 22 to 256 of them.
/// The password does not show in `Debug` and is compared in constant time, and both are erased on
/// drop.
#[derive(Clone, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Credentials {
    ufrag: String,
    password: String,
}

/// Why two strings are not credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The username fragment has fewer than 4 or more than 256 characters.
    #[error("username fragment has {0} characters, not 4 to 256")]
    UfragLength(usize),
    /// The password has fewer than 22 or more than 256 characters.
    #[error("password has {0} characters, not 22 to 256")]
    PasswordLength(usize),
    /// A character is not a letter, a digit, `+` or `/`.
    #[error("a character is not an ice-char")]
    Character,
}

impl Credentials {
    /// Checks lengths and characters (RFC 8839 §5.4).
    ///
    /// # Errors
    ///
    /// [`CredentialsError`]: the strings cannot have come from an ICE agent.
    pub fn new(
        ufrag: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<Self, CredentialsError> {
        let credentials = Self {
            ufrag: ufrag.into(),
            password: password.into(),
        };
        let (ufrag, password) = (&credentials.ufrag, &credentials.password);
        if !(UFRAG_MIN..=MAX).contains(&ufrag.len()) {
            return Err(CredentialsError::UfragLength(ufrag.len()));
        }
        if !(PASSWORD_MIN..=MAX).contains(&password.len()) {
            return Err(CredentialsError::PasswordLength(password.len()));
        }
        if !(is_ice_chars(ufrag) && is_ice_chars(password)) {
            return Err(CredentialsError::Character);
        }
        Ok(credentials)
    }

    /// Draws both parts from the agent's generator.
    pub(crate) fn random(random: &mut Random) -> Self {
        Self {
            ufrag: random.ice_chars(UFRAG_LEN),
            password: random.ice_chars(PASSWORD_LEN),
        }
    }

    /// Random credentials from 32 octets of entropy, of the lengths that an agent makes for itself:
    /// for several agents that share one description.
    #[must_use]
    pub fn generate(seed: [u8; 32]) -> Self {
        Self::random(&mut Random::new(seed))
    }

    /// The username fragment.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Whether `ufrag:password` compares greater as octets.
    pub(crate) fn outranks(&self, other: &Self) -> bool {
        let octets = |of: &Self| {
            let text = [of.ufrag.as_bytes(), b":", of.password.as_bytes()];
            zeroize::Zeroizing::new(text.concat())
        };
        *octets(self) > *octets(other)
    }
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        let password = self.password.as_bytes().ct_eq(other.password.as_bytes());
        self.ufrag == other.ufrag && bool::from(password)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?}, ..)", self.ufrag)
    }
}

/// Whether all are ice-chars (RFC 8839 §5.1).
pub(crate) fn is_ice_chars(text: &str) -> bool {
    text.bytes()
        .all(|c| c.is_ascii_alphanumeric() || c == b'+' || c == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "0123456789012345678901";

    #[test]
    fn lengths_and_characters_are_those_of_the_grammar() {
        let new = |ufrag: &str, password: &str| Credentials::new(ufrag, password).map(|_| ());
        assert_eq!(new("abcd", PASSWORD), Ok(()));
        assert_eq!(new("+/09", PASSWORD), Ok(()));
        assert_eq!(new("abc", PASSWORD), Err(CredentialsError::UfragLength(3)));
        assert_eq!(new(&"a".repeat(256), &"b".repeat(256)), Ok(()));
        assert_eq!(
            new(&"a".repeat(257), PASSWORD),
            Err(CredentialsError::UfragLength(257))
        );
        assert_eq!(
            new("abcd", &"b".repeat(21)),
            Err(CredentialsError::PasswordLength(21))
        );
        assert_eq!(new("ab:d", PASSWORD), Err(CredentialsError::Character));
        assert_eq!(new("ab\u{e9}d", PASSWORD), Err(CredentialsError::Character));
    }

    #[test]
    fn credentials_are_equal_when_both_parts_are() {
        let new = |ufrag: &str, password: &str| Credentials::new(ufrag, password).unwrap();
        let other = PASSWORD.replace("01", "02");
        assert_eq!(new("abcd", PASSWORD), new("abcd", PASSWORD));
        assert_ne!(new("abcd", PASSWORD), new("abce", PASSWORD));
        assert_ne!(new("abcd", PASSWORD), new("abcd", &other));
        assert_ne!(new("abcd", PASSWORD), new("abcd", &format!("{PASSWORD}0")));
    }

    #[test]
    fn debug_does_not_show_the_password() {
        let shown = format!("{:?}", Credentials::new("abcd", PASSWORD).unwrap());
        assert!(shown.contains("abcd") && !shown.contains(PASSWORD));
    }
}
