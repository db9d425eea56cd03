//! The two sides of a connection (draft §2.3.6 to §2.3.8).

use core::fmt;
use std::collections::BTreeMap;

use ortc_dtls::{Fingerprint, HashAlgorithm};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::error::DescriptionError;

/// What one side of a connection is known by (draft §2.3.6).
#[doc(alias = "RtcConnectionSide")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RTCConnectionSide {
    /// ICE credentials; on the remote side `None` until they are set.
    pub ice: Option<RTCIceConnectionInfo>,
    /// DTLS identity.
    pub dtls: RTCDtlsConnectionInfo,
}

/// ICE credentials of one side (draft §2.3.7).
#[doc(alias = "RtcIceConnectionInfo")]
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RTCIceConnectionInfo {
    /// Username fragment, 4 to 256 ice-chars (RFC 8839 §5.4).
    pub username_frag: String,
    /// Password, 22 to 256 ice-chars.
    pub password: String,
}

impl fmt::Debug for RTCIceConnectionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RTCIceConnectionInfo")
            .field("username_frag", &self.username_frag)
            .field("password", &"<redacted>")
            .finish()
    }
}

impl Drop for RTCIceConnectionInfo {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

/// DTLS identity of one side (draft §2.3.8).
#[doc(alias = "RtcDtlsConnectionInfo")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RTCDtlsConnectionInfo {
    /// Fingerprints of the certificate; on the remote side `None` until the handshake is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<CertificateFingerprint>,
}

/// Fingerprints of one certificate by hash function (draft §2.3.8.2), in JSON
/// `{"sha-256": "AB:CD:…"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<String, String>",
    into = "BTreeMap<String, String>"
)]
pub struct CertificateFingerprint(Vec<Fingerprint>);

impl CertificateFingerprint {
    /// A set with one fingerprint.
    #[must_use]
    pub fn new(fingerprint: Fingerprint) -> Self {
        Self(vec![fingerprint])
    }

    pub(crate) fn of(hash: impl Fn(HashAlgorithm) -> Fingerprint) -> Self {
        const SHOWN: [HashAlgorithm; 5] = [
            HashAlgorithm::Sha1,
            HashAlgorithm::Sha224,
            HashAlgorithm::Sha256,
            HashAlgorithm::Sha384,
            HashAlgorithm::Sha512,
        ];
        Self(SHOWN.into_iter().map(hash).collect())
    }

    /// The fingerprint by the textual name of its hash function, `sha-256` for example.
    #[must_use]
    pub fn get(&self, hash_function: &str) -> Option<&Fingerprint> {
        self.0.iter().find(|known| {
            known
                .algorithm()
                .as_str()
                .eq_ignore_ascii_case(hash_function)
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Fingerprint> {
        self.0.iter()
    }

    /// The strongest: what a peer is best held to.
    #[must_use]
    pub fn strongest(&self) -> Option<&Fingerprint> {
        const BY_STRENGTH: [&str; 5] = ["sha-512", "sha-384", "sha-256", "sha-224", "sha-1"];
        BY_STRENGTH.into_iter().find_map(|name| self.get(name))
    }
}

impl TryFrom<BTreeMap<String, String>> for CertificateFingerprint {
    type Error = DescriptionError;

    fn try_from(members: BTreeMap<String, String>) -> Result<Self, Self::Error> {
        members
            .iter()
            .map(|(name, value)| {
                Fingerprint::parse(name, value).map_err(DescriptionError::Fingerprint)
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl From<CertificateFingerprint> for BTreeMap<String, String> {
    fn from(set: CertificateFingerprint) -> Self {
        set.0
            .iter()
            .map(|known| (known.algorithm().as_str().to_owned(), known.to_string()))
            .collect()
    }
}
