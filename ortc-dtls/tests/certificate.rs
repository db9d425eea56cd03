//! Our own certificate, and reading the peer's.

#![expect(
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use ortc_dtls::crypto::{KeyAlgorithm, PublicKey, SignatureScheme};
use ortc_dtls::{
    Certificate, CertificateConfig, CertificateError, HashAlgorithm, subject_public_key,
};
use ortc_testkit::provider::Deterministic;
use pair::{provider, providers};

const RSA: &[u8] = include_bytes!("data/rsa2048.certificate.der");
const RSA_KEY: &[u8] = include_bytes!("data/rsa2048.key.der");

#[test]
fn two_certificates_differ_in_serial_and_key() {
    for provider in providers() {
        let ders = [(); 2].map(|()| Certificate::generate(&provider).unwrap().der().to_vec());
        // SEQUENCE, TBSCertificate SEQUENCE, INTEGER of 16 octets.
        let serials = [0, 1].map(|index: usize| {
            let at = ders[index]
                .windows(2)
                .position(|pair| pair == [2, 16])
                .unwrap();
            ders[index][at + 2..at + 18].to_vec()
        });
        assert_ne!(serials[0], serials[1]);
        assert!(
            serials
                .iter()
                .all(|serial| (0x40..0x80).contains(&serial[0])),
            "positive"
        );
        let keys = [0, 1].map(|index: usize| subject_public_key(&ders[index]).unwrap());
        assert!(matches!(keys[0], PublicKey::P256(_)));
        assert_ne!(keys[0], keys[1]);
    }
}

const KINDS: [(KeyAlgorithm, SignatureScheme); 3] = [
    (KeyAlgorithm::EcdsaP256, SignatureScheme::ECDSA_SHA256),
    (KeyAlgorithm::EcdsaP384, SignatureScheme::ECDSA_SHA384),
    (KeyAlgorithm::Ed25519, SignatureScheme::ED25519),
];

/// The signature covers TBSCertificate: the second element, up to the algorithm.
#[test]
fn a_certificate_is_signed_by_its_own_key_whichever_provider_checks() {
    let all = providers().into_iter();
    for (provider, (kind, scheme)) in all.flat_map(|one| KINDS.map(|kind| (one.clone(), kind))) {
        let config = CertificateConfig::default().key(kind);
        let (certificate, _) = Certificate::generate_with(&provider, &config).unwrap();
        let der = certificate.der();
        let body = element(der);
        let tbs = &body[..element_len(body)];
        let algorithm = &body[tbs.len()..];
        let bits = &algorithm[element_len(algorithm)..];
        let signature = &element(bits)[1..];
        let key = subject_public_key(der).unwrap();
        for verifier in providers() {
            verifier.verify(scheme, key, tbs, signature).unwrap();
            let mut changed = tbs.to_vec();
            changed[30] ^= 1;
            assert!(verifier.verify(scheme, key, &changed, signature).is_err());
        }
    }
}

#[test]
fn what_the_configuration_says_is_in_the_certificate() {
    let provider = provider();
    let config = CertificateConfig::default()
        .common_name("ortc test")
        .unwrap()
        // 2024-02-29 12:34:56 to 2050-01-01 00:00:00
        .validity(1_709_210_096, Some(2_524_608_000))
        .unwrap();
    let (certificate, _) = Certificate::generate_with(&provider, &config).unwrap();
    let der = certificate.der();
    let contains = |text: &[u8]| der.windows(text.len()).filter(|part| *part == text).count();
    assert_eq!(contains(b"ortc test"), 2, "issuer and subject");
    assert_eq!(contains(b"240229123456Z"), 1);
    assert_eq!(contains(b"20500101000000Z"), 1);
}

#[test]
fn nonsense_in_the_configuration_is_refused() {
    let config = CertificateConfig::default;
    assert_eq!(config().common_name(""), Err(CertificateError::CommonName));
    assert_eq!(
        config().common_name(&"x".repeat(65)),
        Err(CertificateError::CommonName)
    );
    assert_eq!(
        config().validity(2, Some(1)),
        Err(CertificateError::Validity)
    );
    assert_eq!(
        config().validity(0, Some(253_402_300_800)),
        Err(CertificateError::Validity)
    );
    assert_eq!(
        config().validity(253_402_300_800, None),
        Err(CertificateError::Validity)
    );
}

#[test]
fn the_deterministic_provider_makes_the_same_certificate_again() {
    let make = |seed| Certificate::generate(&Deterministic::new(seed)).unwrap();
    assert_eq!(make(1).der(), make(1).der());
    assert_ne!(make(1).der(), make(2).der());
}

#[test]
fn a_stored_certificate_comes_back_with_its_key_and_with_no_other() {
    let all = providers().into_iter();
    for (provider, (kind, _)) in all.flat_map(|one| KINDS.map(|kind| (one.clone(), kind))) {
        let config = CertificateConfig::default().key(kind);
        let (certificate, key) = Certificate::generate_with(&provider, &config).unwrap();
        let (_, other) = Certificate::generate_with(&provider, &config).unwrap();
        for loader in providers() {
            let back = Certificate::from_der(certificate.der(), &key, &loader).unwrap();
            let sha256 = HashAlgorithm::Sha256;
            assert_eq!(back.fingerprint(sha256), certificate.fingerprint(sha256));
            let wrong = Certificate::from_der(certificate.der(), &other, &loader);
            assert_eq!(wrong.err(), Some(CertificateError::Mismatch));
        }
        let rsa = Certificate::from_der(RSA, RSA_KEY, &provider).unwrap();
        assert_eq!(rsa.der(), RSA);
        let wrong = Certificate::from_der(RSA, &key, &provider);
        assert_eq!(wrong.err(), Some(CertificateError::Mismatch));
        let broken = Certificate::from_der(RSA, &key[1..], &provider);
        assert!(matches!(broken.err(), Some(CertificateError::Key(_))));
        let long = Certificate::from_der(&[0; 9000], RSA_KEY, &provider);
        assert_eq!(long.err(), Some(CertificateError::TooLong));
    }
}

#[test]
fn a_chain_begins_with_the_certificate_of_the_key_and_is_bounded() {
    let provider = provider();
    let config = CertificateConfig::default();
    let (certificate, key) = Certificate::generate_with(&provider, &config).unwrap();
    let load = |chain: &[&[u8]]| Certificate::from_chain(chain, &key, &provider);
    let der = certificate.der();
    assert_eq!(load(&[der, RSA]).unwrap().der(), der);
    assert_eq!(load(&[RSA, der]).err(), Some(CertificateError::Mismatch));
    assert_eq!(load(&[]).err(), Some(CertificateError::Empty));
    let long = vec![0; 8 * 1024 - der.len() + 1];
    assert_eq!(load(&[der, &long]).err(), Some(CertificateError::TooLong));
    assert_eq!(load(&[der, &long[1..]]).unwrap().chain().count(), 2);
    let empty = load(&[der, &[]]).err();
    assert!(matches!(empty, Some(CertificateError::Certificate(_))));
}

#[test]
fn keys_of_peers_are_read_and_weak_ones_refused() {
    assert!(matches!(subject_public_key(RSA), Ok(PublicKey::Rsa(key)) if key.len() == 270));
    let p384 = include_bytes!("data/p384.certificate.der");
    assert!(matches!(subject_public_key(p384), Ok(PublicKey::P384(key)) if key.len() == 97));
    let weak = include_bytes!("data/rsa1024.certificate.der");
    assert!(subject_public_key(weak).is_err());
}

#[test]
fn no_truncation_and_no_trailing_octet_is_accepted() {
    let provider = provider();
    let ours = Certificate::generate(&provider).unwrap();
    let config = CertificateConfig::default().key(KeyAlgorithm::Ed25519);
    let (ed25519, _) = Certificate::generate_with(&provider, &config).unwrap();
    for der in [ours.der(), ed25519.der(), RSA] {
        for len in 0..der.len() {
            assert!(subject_public_key(&der[..len]).is_err(), "{len}");
        }
        let mut longer = der.to_vec();
        longer.push(0);
        assert!(subject_public_key(&longer).is_err());
    }
}

fn element_len(der: &[u8]) -> usize {
    match der[1] {
        0x81 => 3 + usize::from(der[2]),
        0x82 => 4 + usize::from(der[2]) * 256 + usize::from(der[3]),
        len => 2 + usize::from(len),
    }
}

fn element(der: &[u8]) -> &[u8] {
    let header = match der[1] {
        0x81 => 3,
        0x82 => 4,
        _ => 2,
    };
    &der[header..element_len(der)]
}
