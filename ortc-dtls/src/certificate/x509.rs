//! X.509 (RFC 5280) as far as WebRTC uses it: a self-signed certificate is written, and of the
//! peer's only the public key is read. Names, dates and the signature of a self-signed
//! certificate prove nothing; the fingerprint does (RFC 8827 §6.5).

use super::der::{
    BIT_STRING, CONTEXT_0, Der, GENERALIZED_TIME, INTEGER, NULL, OBJECT_IDENTIFIER, SEQUENCE, SET,
    UTC_TIME, UTF8_STRING, element, primitive,
};
use crate::crypto::{PublicKey, SignatureScheme};
use crate::wire::ParseError;

/// 1.2.840.10045.2.1 id-ecPublicKey (RFC 5480 §2.1.1)
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7 secp256r1 (RFC 5480 §2.1.1.1)
const SECP256R1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.3.132.0.34 secp384r1
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// 1.2.840.113549.1.1.1 rsaEncryption (RFC 3279 §2.3.1)
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.10045.4.3.2 ecdsa-with-SHA256 (RFC 5758 §3.2)
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// 1.2.840.10045.4.3.3 ecdsa-with-SHA384 (RFC 5758 §3.2)
const ECDSA_WITH_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
/// 1.3.101.112 id-Ed25519, of keys and of signatures (RFC 8410 §3)
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// 2.5.4.3 id-at-commonName (RFC 5280 appendix A.1)
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// The shortest RSA modulus accepted, in octets: 2048 bits.
const MIN_RSA: usize = 256;
/// The longest: 8192 bits.
const MAX_RSA: usize = 1024;

/// The public key in a certificate.
///
/// # Errors
///
/// [`ParseError`] when the octets are not a certificate with a P-256, P-384, Ed25519 or RSA key
/// of 2048 to 8192 bits, or go on after it.
pub fn subject_public_key(certificate: &[u8]) -> Result<PublicKey<'_>, ParseError> {
    let mut outer = Der(certificate);
    let mut certificate = outer.expect(SEQUENCE)?;
    outer.finish()?;
    let mut tbs = certificate.expect(SEQUENCE)?;
    certificate.expect(SEQUENCE)?; // signatureAlgorithm
    certificate.expect(BIT_STRING)?; // signatureValue
    certificate.finish()?;
    if tbs.next_is(CONTEXT_0) {
        tbs.any()?; // version
    }
    tbs.expect(INTEGER)?; // serialNumber
    tbs.expect(SEQUENCE)?; // signature
    tbs.expect(SEQUENCE)?; // issuer
    tbs.expect(SEQUENCE)?; // validity
    tbs.expect(SEQUENCE)?; // subject
    let mut info = tbs.expect(SEQUENCE)?;
    let mut algorithm = info.expect(SEQUENCE)?;
    let bits = info.expect(BIT_STRING)?;
    info.finish()?;
    let Some((0, key)) = bits.0.split_first() else {
        return Err(ParseError::Invalid("public key"));
    };
    match algorithm.expect(OBJECT_IDENTIFIER)?.0 {
        EC_PUBLIC_KEY => {
            let curve = algorithm.expect(OBJECT_IDENTIFIER)?.0;
            algorithm.finish()?;
            match (curve, key.first(), key.len()) {
                (SECP256R1, Some(4), 65) => Ok(PublicKey::P256(key)),
                (SECP384R1, Some(4), 97) => Ok(PublicKey::P384(key)),
                _ => Err(ParseError::Invalid("elliptic curve")),
            }
        }
        ED25519 if key.len() == 32 => {
            algorithm.finish()?; // parameters are absent (RFC 8410 §3)
            Ok(PublicKey::Ed25519(key))
        }
        RSA_ENCRYPTION => {
            algorithm.expect(NULL)?.finish()?;
            algorithm.finish()?;
            check_rsa(key)?;
            Ok(PublicKey::Rsa(key))
        }
        _ => Err(ParseError::Invalid("public key algorithm")),
    }
}

fn check_rsa(key: &[u8]) -> Result<(), ParseError> {
    let mut outer = Der(key);
    let mut sequence = outer.expect(SEQUENCE)?;
    outer.finish()?;
    let modulus = sequence.expect(INTEGER)?.0;
    sequence.expect(INTEGER)?;
    sequence.finish()?;
    // The modulus is positive and has its top bit set, so DER puts a zero before it.
    match modulus {
        [0, first, rest @ ..] if *first >= 0x80 => {
            if (MIN_RSA..=MAX_RSA).contains(&(rest.len() + 1)) {
                Ok(())
            } else {
                Err(ParseError::Invalid("RSA modulus"))
            }
        }
        _ => Err(ParseError::Invalid("RSA modulus")),
    }
}

/// What goes into a certificate of our own.
pub(super) struct Template<'a> {
    pub(super) serial: [u8; 16],
    pub(super) common_name: &'a str,
    pub(super) not_before: u64,
    pub(super) not_after: Option<u64>,
    pub(super) key: OwnKey<'a>,
}

/// A key that signs its own certificate.
#[derive(Clone, Copy)]
pub(super) enum OwnKey<'a> {
    P256(&'a [u8]),
    P384(&'a [u8]),
    Ed25519(&'a [u8]),
}

impl OwnKey<'_> {
    /// What it signs its certificate with.
    pub(super) const fn scheme(self) -> SignatureScheme {
        match self {
            Self::P256(_) => SignatureScheme::ECDSA_SHA256,
            Self::P384(_) => SignatureScheme::ECDSA_SHA384,
            Self::Ed25519(_) => SignatureScheme::ED25519,
        }
    }

    /// Appends the `AlgorithmIdentifier` of its signatures.
    fn signature_algorithm(self, out: &mut Vec<u8>) {
        let identifier = match self {
            Self::P256(_) => ECDSA_WITH_SHA256,
            Self::P384(_) => ECDSA_WITH_SHA384,
            Self::Ed25519(_) => ED25519,
        };
        element(out, SEQUENCE, |out| {
            primitive(out, OBJECT_IDENTIFIER, identifier);
        });
    }

    /// Appends `SubjectPublicKeyInfo`.
    fn info(self, out: &mut Vec<u8>) {
        let (identifier, curve, key) = match self {
            Self::P256(key) => (EC_PUBLIC_KEY, Some(SECP256R1), key),
            Self::P384(key) => (EC_PUBLIC_KEY, Some(SECP384R1), key),
            Self::Ed25519(key) => (ED25519, None, key),
        };
        element(out, SEQUENCE, |out| {
            element(out, SEQUENCE, |out| {
                primitive(out, OBJECT_IDENTIFIER, identifier);
                if let Some(curve) = curve {
                    primitive(out, OBJECT_IDENTIFIER, curve);
                }
            });
            bit_string(out, key);
        });
    }
}

impl Template<'_> {
    /// Appends `TBSCertificate` (RFC 5280 §4.1), version 1: there is nothing to extend.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        element(out, SEQUENCE, |out| {
            primitive(out, INTEGER, &self.serial);
            self.key.signature_algorithm(out);
            self.name(out); // issuer
            element(out, SEQUENCE, |out| {
                time(out, self.not_before);
                match self.not_after {
                    Some(seconds) => time(out, seconds),
                    // No well-defined end (RFC 5280 §4.1.2.5).
                    None => primitive(out, GENERALIZED_TIME, b"99991231235959Z"),
                }
            });
            self.name(out); // subject
            self.key.info(out);
        });
    }

    fn name(&self, out: &mut Vec<u8>) {
        element(out, SEQUENCE, |out| {
            element(out, SET, |out| {
                element(out, SEQUENCE, |out| {
                    primitive(out, OBJECT_IDENTIFIER, COMMON_NAME);
                    primitive(out, UTF8_STRING, self.common_name.as_bytes());
                });
            });
        });
    }
}

/// Appends a `Certificate` around a signed `TBSCertificate`.
pub(super) fn certificate(out: &mut Vec<u8>, tbs: &[u8], key: OwnKey<'_>, signature: &[u8]) {
    element(out, SEQUENCE, |out| {
        out.extend_from_slice(tbs);
        key.signature_algorithm(out);
        bit_string(out, signature);
    });
}

fn bit_string(out: &mut Vec<u8>, octets: &[u8]) {
    element(out, BIT_STRING, |out| {
        out.push(0); // no unused bits
        out.extend_from_slice(octets);
    });
}

/// Dates until 2049 are UTCTime, later ones GeneralizedTime (RFC 5280 §4.1.2.5).
fn time(out: &mut Vec<u8>, unix_seconds: u64) {
    let (days, second) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    if (1950..2050).contains(&year) {
        let year = year % 100;
        let text = format!("{year:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
        primitive(out, UTC_TIME, text.as_bytes());
    } else {
        let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
        primitive(out, GENERALIZED_TIME, text.as_bytes());
    }
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let january_or_february = (month <= 2) as u64;
    (era * 400 + year_of_era + january_or_february, month, day)
}
