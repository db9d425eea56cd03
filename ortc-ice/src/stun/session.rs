//! The client's side of the long-term credential mechanism (RFC 8489 §9.2): what it remembers of a
//! server's challenge, how it signs requests, and what it believes of responses.

use core::fmt;

use thiserror::Error;

use super::{
    AttributeType, Class, LongTermCredentials, LongTermKey, Message, MessageBuilder,
    PasswordAlgorithm, TooLong, user_hash,
};

/// What a nonce that announces RFC 8489 begins with (§9.2).
const COOKIE: &[u8] = b"obMatJos2";
/// The longest realm and nonce (RFC 8489 §14.9, §14.10: 763 octets when decoding).
const TEXT_MAX: usize = 763;
/// The longest list of algorithms that is remembered, in octets.
const ALGORITHMS_MAX: usize = 256;

/// The 24 security features that a server announces at the start of its nonce (RFC 8489 §9.2,
/// §18.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecurityFeatures(u32);

impl SecurityFeatures {
    /// Bit 0, the most significant of 24.
    const PASSWORD_ALGORITHMS: u32 = 1 << 23;
    /// Bit 1.
    const USERNAME_ANONYMITY: u32 = 1 << 22;

    /// Reads the nonce cookie; `None` when the nonce begins with none.
    #[must_use]
    pub fn from_nonce(nonce: &[u8]) -> Option<Self> {
        let digits = nonce.strip_prefix(COOKIE)?.first_chunk::<4>()?;
        let bits = digits
            .iter()
            .try_fold(0, |bits, digit| Some(bits << 6 | base64(*digit)?))?;
        Some(Self(bits))
    }

    /// Whether the server lists password algorithms (bit 0).
    #[must_use]
    pub const fn password_algorithms(self) -> bool {
        self.0 & Self::PASSWORD_ALGORITHMS != 0
    }

    /// Whether the server wants USERHASH in place of USERNAME (bit 1).
    #[must_use]
    pub const fn username_anonymity(self) -> bool {
        self.0 & Self::USERNAME_ANONYMITY != 0
    }
}

/// The value of a digit of base64 (RFC 4648 §4).
fn base64(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

/// How a request was signed; to be kept with it until its response is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed(Option<u32>);

impl Signed {
    /// Whether the request carried credentials.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        self.0.is_some()
    }
}

/// What to do with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server made it: its integrity is right.
    Authentic,
    /// It carries no integrity, as the request carried none, or though it did: it is for the
    /// caller to say whether that will do. Of a signed request only 300 (Try Alternate) may.
    Unsigned,
    /// It was a challenge, and it was taken: send the request again, in a new transaction.
    Retry,
    /// Discard it, as if it had never been received.
    Ignore,
    /// Integrity is missing or wrong: over UDP discard it, over a stream the transaction ends.
    Violated,
    /// It was a challenge that must not be followed: the request has failed.
    Refused(Refusal),
}

/// Why a challenge is not followed (RFC 8489 §9.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The server does not take the credentials for its realm.
    #[error("credentials are not accepted")]
    Credentials,
    /// The nonce announces password algorithms and the list is missing: somebody on the way may
    /// have removed it.
    #[error("password algorithms were removed from the challenge")]
    BidDown,
    /// None of the listed password algorithms is known.
    #[error("no password algorithm in common")]
    Algorithm,
    /// The nonce that is called stale is offered as the new one.
    #[error("the same nonce twice")]
    SameNonce,
    /// Realm or nonce cannot be used.
    #[error("challenge is malformed")]
    Malformed,
}

/// The state of authentication with one server.
pub struct Session {
    credentials: LongTermCredentials,
    challenge: Option<Challenge>,
    /// Counts the challenges that were taken.
    generation: u32,
}

struct Challenge {
    realm: String,
    nonce: Vec<u8>,
    user: User,
    /// The list as it was received, and our choice from it.
    algorithms: Option<(Vec<u8>, PasswordAlgorithm)>,
    key: LongTermKey,
}

enum User {
    Name,
    Hash([u8; 32]),
}

impl Session {
    /// Nothing is known of the server yet: the first request leaves without credentials (RFC 8489
    /// §9.2.3.1).
    #[must_use]
    pub const fn new(credentials: LongTermCredentials) -> Self {
        Self {
            credentials,
            challenge: None,
            generation: 0,
        }
    }

    /// Forgets the challenge: the next request is the first one to another server.
    pub fn reset(&mut self) {
        self.challenge = None;
    }

    /// Whether requests are signed.
    #[must_use]
    pub const fn is_challenged(&self) -> bool {
        self.challenge.is_some()
    }

    /// Appends credentials and integrity to a request (RFC 8489 §9.2.3), if there was a challenge.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the message would outgrow its length field.
    pub fn sign(&self, request: &mut MessageBuilder<'_>) -> Result<Signed, TooLong> {
        let Some(challenge) = &self.challenge else {
            return Ok(Signed(None));
        };
        match &challenge.user {
            User::Name => {
                let name = self.credentials.username().as_bytes();
                request.attribute(AttributeType::USERNAME, name)?;
            }
            User::Hash(hash) => {
                request.attribute(AttributeType::USERHASH, hash)?;
            }
        }
        request.attribute(AttributeType::REALM, challenge.realm.as_bytes())?;
        request.attribute(AttributeType::NONCE, &challenge.nonce)?;
        match &challenge.algorithms {
            Some((list, choice)) => {
                request.attribute(AttributeType::PASSWORD_ALGORITHMS, list)?;
                let [high, low] = choice.number().to_be_bytes();
                request.attribute(AttributeType::PASSWORD_ALGORITHM, &[high, low, 0, 0])?;
                request.integrity_sha256(challenge.key.sha256());
            }
            None => {
                request.integrity(challenge.key.sha1());
            }
        }
        Ok(Signed(Some(self.generation)))
    }

    /// Judges a response to a request that was signed like this (RFC 8489 §9.2.5).
    pub fn judge(&mut self, response: &Message<'_>, signed: Signed) -> Verdict {
        let code = match (response.class(), response.error_code()) {
            (Class::Success, _) => None,
            (Class::Error, Some(error)) => Some(error.code),
            (Class::Error, None) | (Class::Request | Class::Indication, _) => {
                return Verdict::Ignore;
            }
        };
        if let Some(code @ (401 | 438)) = code {
            return self.take(response, code, signed);
        }
        if self.is_bid_down(response) {
            return Verdict::Ignore;
        }
        let bare = !response.has_integrity() && !response.has_integrity_sha256();
        if bare && code == Some(400) {
            return Verdict::Ignore;
        }
        match &self.challenge {
            Some(_) | None if !signed.is_signed() => Verdict::Unsigned,
            Some(challenge) if challenge.verifies(response) => Verdict::Authentic,
            Some(_) | None if bare && code == Some(300) => Verdict::Unsigned,
            Some(_) | None => Verdict::Violated,
        }
    }

    /// A nonce that announces password algorithms, and no list of them (RFC 8489 §9.2.5).
    ///
    /// DEVIATION(RFC 8489 §9.2.5): when a list was agreed on, and what came carries the SHA-256
    /// integrity of the agreed key, nobody can have taken anything out of it. There are servers
    /// that repeat the nonce alone in their successes.
    fn is_bid_down(&self, response: &Message<'_>) -> bool {
        let nonce = response.find(AttributeType::NONCE).unwrap_or_default();
        let announced =
            SecurityFeatures::from_nonce(nonce).is_some_and(SecurityFeatures::password_algorithms);
        let agreed = self.challenge.as_ref().filter(|it| it.algorithms.is_some());
        announced
            && response.find(AttributeType::PASSWORD_ALGORITHMS).is_none()
            && !agreed.is_some_and(|challenge| challenge.verifies(response))
    }

    /// 401 or 438.
    fn take(&mut self, response: &Message<'_>, code: u16, signed: Signed) -> Verdict {
        let algorithms = response.find(AttributeType::PASSWORD_ALGORITHMS);
        let Some(nonce) = response.find(AttributeType::NONCE) else {
            return Verdict::Ignore;
        };
        let realm = match response.find(AttributeType::REALM) {
            Some(realm) => core::str::from_utf8(realm).ok(),
            // RFC 8489 §9.2.4 has it in 438 as well; without it the one we know is meant.
            None if code == 438 => self.challenge.as_ref().map(|known| known.realm.as_str()),
            None => None,
        };
        let Some(realm) = realm else {
            return Verdict::Ignore;
        };
        let features = SecurityFeatures::from_nonce(nonce);
        if features.is_some_and(SecurityFeatures::password_algorithms) && algorithms.is_none() {
            return Verdict::Refused(Refusal::BidDown);
        }
        if let (Some(known), Some(generation)) = (&self.challenge, signed.0) {
            if generation != self.generation {
                return Verdict::Retry; // another request met the same challenge before
            }
            if code == 401 && known.realm == realm {
                return Verdict::Refused(Refusal::Credentials);
            }
            if code == 438 && known.nonce == nonce && known.realm == realm {
                return Verdict::Refused(Refusal::SameNonce);
            }
            if algorithms.is_none() && known.algorithms.is_some() && known.realm != realm {
                // All subsequent requests use MESSAGE-INTEGRITY-SHA256 only.
                return Verdict::Refused(Refusal::BidDown);
            }
        } else if self.challenge.is_some() {
            return Verdict::Retry; // an unsigned request, and the challenge came meanwhile
        }
        match self.accept(realm.to_owned(), nonce, features, algorithms) {
            Ok(()) => Verdict::Retry,
            Err(refusal) => Verdict::Refused(refusal),
        }
    }

    fn accept(
        &mut self,
        realm: String,
        nonce: &[u8],
        features: Option<SecurityFeatures>,
        algorithms: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        if realm.len() > TEXT_MAX || nonce.len() > TEXT_MAX {
            return Err(Refusal::Malformed);
        }
        let algorithms = match (algorithms, &mut self.challenge) {
            (Some(list), _) if list.len() > ALGORITHMS_MAX => return Err(Refusal::Malformed),
            (Some(list), _) => Some((list.to_vec(), choose(list).ok_or(Refusal::Algorithm)?)),
            // A stale nonce whose challenge repeats no list: what was agreed on stays.
            (None, Some(known)) if known.realm == realm => known.algorithms.take(),
            (None, Some(_) | None) => None,
        };
        let choice = algorithms
            .as_ref()
            .map_or(PasswordAlgorithm::Md5, |(_, choice)| *choice);
        let key = self.credentials.key(&realm, choice);
        let user = if features.is_some_and(SecurityFeatures::username_anonymity) {
            let hash = user_hash(self.credentials.username(), &realm);
            User::Hash(hash.map_err(|_| Refusal::Malformed)?)
        } else {
            User::Name
        };
        self.challenge = Some(Challenge {
            key: key.map_err(|_| Refusal::Malformed)?,
            realm,
            nonce: nonce.to_vec(),
            user,
            algorithms,
        });
        self.generation = self.generation.wrapping_add(1);
        Ok(())
    }
}

impl Challenge {
    fn verifies(&self, response: &Message<'_>) -> bool {
        if response.has_integrity_sha256() || self.algorithms.is_some() {
            response.verify_integrity_sha256(self.key.sha256())
        } else {
            response.verify_integrity(self.key.sha1())
        }
    }
}

/// The first algorithm of the list that we have (RFC 8489 §9.2.5, §14.11).
fn choose(mut list: &[u8]) -> Option<PasswordAlgorithm> {
    while let Some((&[n0, n1, l0, l1], rest)) = list.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let number = u16::from_be_bytes([n0, n1]);
        // Neither of ours has parameters (§18.5.1).
        if let (Some(algorithm), 0) = (PasswordAlgorithm::from_number(number), length) {
            return Some(algorithm);
        }
        list = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let realm = self.challenge.as_ref().map(|challenge| &challenge.realm);
        f.debug_struct("Session")
            .field("credentials", &self.credentials)
            .field("realm", &realm)
            .finish_non_exhaustive()
    }
}
