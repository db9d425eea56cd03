//! The DTLS side of an extended description: what browsers need to hear and the draft does not say.

use serde::{Deserialize, Serialize};

use super::options::DtlsRole;
use super::side::CertificateFingerprint;

/// Whose certificate to expect and who sends the ClientHello: our extension of the draft, an
/// optional member of candidates and tracks. A browser asks for both before it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RTCDtlsParameters {
    /// Fingerprints of the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<CertificateFingerprint>,
    /// `client`, `server`, or `auto` where the side leaves it open.
    #[serde(default)]
    pub role: DtlsRole,
}
