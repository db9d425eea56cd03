//! Certificate fingerprints (RFC 8122 §5).

use core::fmt;
use core::str::FromStr;

use sha1::Digest as _;
use subtle::ConstantTimeEq as _;

/// A hash that a fingerprint can be made with.
///
/// The order is the order of strength, which decides between several fingerprints
/// (RFC 8122 §5.1). MD5 and MD2, which RFC 8122 forbids to use, do not exist here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgorithm {
    /// `sha-1`
    Sha1,
    /// `sha-224`
    Sha224,
    /// `sha-256`
    Sha256,
    /// `sha-384`
    Sha384,
    /// `sha-512`
    Sha512,
}

impl HashAlgorithm {
    /// All of them, weakest first.
    pub const ALL: [Self; 5] = [
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
    ];

    /// Its name in the registry of hash function textual names, as SDP writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha224 => "sha-224",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// Octets of its output.
    #[must_use]
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for HashAlgorithm {
    type Err = FingerprintError;

    /// Reads the name, in any case.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name))
            .ok_or(FingerprintError::Algorithm)
    }
}

/// Why a fingerprint could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FingerprintError {
    /// The hash is not one of [`HashAlgorithm`].
    #[error("unknown hash algorithm")]
    Algorithm,
    /// The value is not pairs of hexadecimal digits with colons between.
    #[error("fingerprint is not colon-separated hexadecimal octets")]
    Syntax,
    /// The value has not as many octets as the hash.
    #[error("fingerprint has the wrong length for its hash")]
    Length,
}

/// The hash of a certificate: what signalling carries to authenticate the peer.
///
/// ```
/// use ortc_dtls::{Fingerprint, HashAlgorithm};
///
/// let fingerprint = Fingerprint::of(HashAlgorithm::Sha1, b"not really a certificate");
/// let text = fingerprint.to_string();
/// assert_eq!(Fingerprint::parse("SHA-1", &text)?, fingerprint);
/// assert!(fingerprint.matches(b"not really a certificate"));
/// # Ok::<(), ortc_dtls::FingerprintError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    algorithm: HashAlgorithm,
    value: [u8; 64],
}

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    #[must_use]
    pub fn of(algorithm: HashAlgorithm, der: &[u8]) -> Self {
        match algorithm {
            HashAlgorithm::Sha1 => Self::filled(algorithm, &sha1::Sha1::digest(der)),
            HashAlgorithm::Sha224 => Self::filled(algorithm, &sha2::Sha224::digest(der)),
            HashAlgorithm::Sha256 => Self::filled(algorithm, &sha2::Sha256::digest(der)),
            HashAlgorithm::Sha384 => Self::filled(algorithm, &sha2::Sha384::digest(der)),
            HashAlgorithm::Sha512 => Self::filled(algorithm, &sha2::Sha512::digest(der)),
        }
    }

    /// Reads what SDP and the ORTC descriptions carry: `"sha-256"` and `"AB:CD:…"`. Lower case
    /// is accepted.
    ///
    /// # Errors
    ///
    /// [`FingerprintError`]: unknown hash, not hexadecimal octets, or not as many as the hash has.
    pub fn parse(algorithm: &str, value: &str) -> Result<Self, FingerprintError> {
        let algorithm: HashAlgorithm = algorithm.parse()?;
        let mut octets = [0_u8; 64];
        let mut count = 0;
        for pair in value.split(':') {
            let &[high, low] = pair.as_bytes() else {
                return Err(FingerprintError::Syntax);
            };
            let octet = (nibble(high)? << 4) | nibble(low)?;
            let slot = octets.get_mut(count).ok_or(FingerprintError::Length)?;
            *slot = octet;
            count += 1;
        }
        if count != algorithm.output_len() {
            return Err(FingerprintError::Length);
        }
        Ok(Self {
            algorithm,
            value: octets,
        })
    }

    /// The hash that it was made with.
    #[must_use]
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// Its octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.value
            .get(..self.algorithm.output_len())
            .unwrap_or_default()
    }

    /// Whether it is the fingerprint of this certificate, compared in constant time.
    #[must_use]
    pub fn matches(&self, der: &[u8]) -> bool {
        Self::of(self.algorithm, der)
            .value
            .ct_eq(&self.value)
            .into()
    }

    fn filled(algorithm: HashAlgorithm, hash: &[u8]) -> Self {
        let mut value = [0; 64];
        for (to, &from) in value.iter_mut().zip(hash) {
            *to = from;
        }
        Self { algorithm, value }
    }
}

fn nibble(digit: u8) -> Result<u8, FingerprintError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(FingerprintError::Syntax),
    }
}

impl fmt::Display for Fingerprint {
    /// The value alone: upper-case pairs with colons between.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, octet) in self.as_bytes().iter().enumerate() {
            if index > 0 {
                f.write_str(":")?;
            }
            write!(f, "{octet:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {self}", self.algorithm)
    }
}

/// Whether a certificate satisfies a set of fingerprints: one of those with the strongest hash
/// of the set must match it (RFC 8122 §5.1). An empty set is satisfied by nothing.
pub(crate) fn satisfied_by(expected: &[Fingerprint], der: &[u8]) -> bool {
    let strongest = expected.iter().map(Fingerprint::algorithm).max();
    expected
        .iter()
        .filter(|fingerprint| Some(fingerprint.algorithm()) == strongest)
        .any(|fingerprint| fingerprint.matches(der))
}
