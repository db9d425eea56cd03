//! Every parameter of a handshake is set by the public interface, and what came of it is read by
//! it: what a conformance harness drives an endpoint with.

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use core::time::Duration;
use std::sync::Arc;

use ortc_dtls::crypto::{KeyAlgorithm, NamedGroup, Provider, SignatureScheme};
use ortc_dtls::{
    AlertDescription, Certificate, CertificateConfig, CipherSuite, ClientCertificate, CloseReason,
    Config, ConfigError, Event, HashAlgorithm, KeyingError, PeerVerification, ProtocolError, Role,
    VerificationError, Version,
};
use pair::{DELAY, Pair, provider};

const VERSIONS: [Version; 2] = [Version::DTLS12, Version::DTLS13];
const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// A certificate of this kind of key, with its issuer.
fn chain(provider: &Arc<dyn Provider>, key: KeyAlgorithm) -> Certificate {
    let config = CertificateConfig::default()
        .key(key)
        .common_name("harness")
        .unwrap();
    let (leaf, pkcs8) = Certificate::generate_with(provider, &config).unwrap();
    let issuer = Certificate::generate(provider).unwrap();
    Certificate::from_chain(&[leaf.der(), issuer.der()], &pkcs8, provider).unwrap()
}

fn suite(version: Version) -> CipherSuite {
    if version == Version::DTLS12 {
        CipherSuite::ECDHE_ECDSA_AES_256_GCM
    } else {
        CipherSuite::AES_256_GCM_SHA384
    }
}

#[test]
fn what_is_set_is_what_is_negotiated() {
    let provider = provider();
    for version in VERSIONS {
        let certificates = [(); 2].map(|()| chain(&provider, KeyAlgorithm::EcdsaP384));
        let make = |me: usize, peer: usize| {
            let peer = certificates.get(peer).unwrap();
            Config::new(certificates.get(me).unwrap().clone(), provider.clone())
                .versions(&[version])
                .unwrap()
                .cipher_suites(vec![suite(version)])
                .unwrap()
                .groups(vec![NamedGroup::SECP384R1])
                .unwrap()
                .signature_schemes(vec![SignatureScheme::ECDSA_SHA384])
                .unwrap()
                .srtp_profiles(vec![0x0008])
                .unwrap()
                .application_protocols(vec![b"c-webrtc".to_vec()])
                .unwrap()
                .mtu(300)
                .unwrap()
                .record_size_limit(200)
                .unwrap()
                .retransmission(Duration::from_millis(80), Duration::from_millis(200))
                .unwrap()
                .handshake_timeout(Some(Duration::from_secs(3)))
                .max_handshake_message(4096)
                .unwrap()
                .max_queued_data(10_000)
                .update_keys_after(1000)
                .unwrap()
                .cookie_exchange(true)
                .key_log(true)
                .verification(PeerVerification::HoldUntilVerified)
                .expected_fingerprints(vec![peer.fingerprint(HashAlgorithm::Sha384)])
        };
        let mut pair = Pair::new(make(0, 1), make(1, 0));
        assert!(pair.connect(), "{version} {:?}", pair.events);
        // The cookie costs a round trip.
        let trips = if version == Version::DTLS13 { 5 } else { 6 };
        assert_eq!(pair.elapsed(), trips * DELAY);
        assert!(pair.sent.iter().all(|(_, contents)| contents.len() <= 300));
        pair.settle();
        for (role, peer) in ROLES.into_iter().zip([1, 0]) {
            let peer = certificates.get(peer).unwrap();
            let side = pair.side(role);
            assert_eq!(side.role(), role);
            assert_eq!(side.version(), Some(version));
            assert_eq!(side.cipher_suite(), Some(suite(version)));
            assert_eq!(side.group(), Some(NamedGroup::SECP384R1));
            assert_eq!(
                side.peer_signature_scheme(),
                Some(SignatureScheme::ECDSA_SHA384)
            );
            assert_eq!(side.srtp_profile(), Some(0x0008));
            assert_eq!(side.application_protocol(), Some(&b"c-webrtc"[..]));
            assert_eq!(side.peer_certificate_der(), Some(peer.der()));
            let hash = HashAlgorithm::Sha256;
            assert_eq!(side.peer_fingerprint(hash), Some(peer.fingerprint(hash)));
            assert!(side.is_verified());
            assert_eq!(side.srtp_keying().unwrap().client_key.len(), 32);
            let mut exported = [0; 64];
            side.export_keying_material("EXPORTER-harness", Some(b"context"), &mut exported)
                .unwrap();
            assert_ne!(exported, [0; 64]);
            assert_eq!(side.plaintext_alert(), None);
            let stats = side.stats();
            assert!(stats.datagrams_sent > 0 && stats.records_received > 0);
        }
        let logged = |event: &Event| matches!(event, Event::KeyLog(_));
        assert!(pair.events.iter().all(|events| events.iter().any(logged)));
        pair.assert_works();
    }
}

#[test]
fn a_peer_that_signs_with_nothing_that_is_accepted_is_refused_and_says_so() {
    let provider = provider();
    for version in VERSIONS {
        let make = |key, schemes: &[SignatureScheme]| {
            Config::new(chain(&provider, key), provider.clone())
                .versions(&[version])
                .unwrap()
                .signature_schemes(schemes.to_vec())
                .unwrap()
                .verification(PeerVerification::TrustFirst)
        };
        // The server has a key for which the client accepts no signature.
        let mut pair = Pair::new(
            make(KeyAlgorithm::EcdsaP256, &[SignatureScheme::ECDSA_SHA256]),
            make(
                KeyAlgorithm::EcdsaP384,
                &[SignatureScheme::ECDSA_SHA384, SignatureScheme::ECDSA_SHA256],
            ),
        );
        pair.settle();
        let error = ProtocolError::NothingInCommon("signature algorithm");
        let reason = CloseReason::Protocol(error);
        assert_eq!(pair.closed(Role::Server), Some(reason), "{version}");
        assert_eq!(reason.alert(), Some(AlertDescription::HANDSHAKE_FAILURE));
        // It came in plaintext: the client is told and goes on.
        let told = pair.client.plaintext_alert();
        assert_eq!(told, Some(AlertDescription::HANDSHAKE_FAILURE));
        assert_eq!(pair.closed(Role::Client), None);
        // An owner who accepts a key that he cannot use himself has nothing to sign with.
        let mut pair = Pair::new(
            make(KeyAlgorithm::EcdsaP256, &[SignatureScheme::ECDSA_SHA256]),
            make(KeyAlgorithm::EcdsaP256, &[SignatureScheme::ED25519]),
        );
        pair.settle();
        let reason = ProtocolError::NothingInCommon("signature algorithm");
        assert_eq!(pair.closed(Role::Server), Some(reason.into()), "{version}");
    }
}

#[test]
fn an_authenticated_alert_is_in_the_reason_of_the_end() {
    let provider = provider();
    let certificates = [(); 2].map(|()| Certificate::generate(&provider).unwrap());
    let [one, other] = certificates.each_ref();
    let make = |own: &Certificate, expected: &Certificate| {
        let config = Config::new(own.clone(), provider.clone());
        config.expected_fingerprints(vec![expected.fingerprint(HashAlgorithm::Sha256)])
    };
    // The client expects itself.
    let mut pair = Pair::new(make(one, one), make(other, one));
    pair.settle();
    let reason = CloseReason::FingerprintMismatch;
    assert_eq!(pair.closed(Role::Client), Some(reason));
    let told = reason.alert().unwrap();
    assert_eq!(told, AlertDescription::BAD_CERTIFICATE);
    assert_eq!(
        pair.closed(Role::Server),
        Some(CloseReason::PeerAlert(told))
    );
}

#[test]
fn signature_schemes_that_make_no_sense_are_refused() {
    let provider = provider();
    let config = || Config::new(Certificate::generate(&provider).unwrap(), provider.clone());
    let pkcs1 = SignatureScheme::RSA_PKCS1_SHA256;
    for (config, schemes) in [
        (config(), vec![]),
        (config(), vec![SignatureScheme(0x0201)]),
        (config(), vec![SignatureScheme::ED25519, SignatureScheme(0)]),
        (config().versions(&[Version::DTLS13]).unwrap(), vec![pkcs1]),
    ] {
        let refused = config.signature_schemes(schemes).map(|_| ());
        assert_eq!(refused, Err(ConfigError::SignatureSchemes));
    }
    // What DTLS 1.3 has none of, DTLS 1.2 alone offers.
    let only12 = config().signature_schemes(vec![pkcs1]).unwrap();
    assert_eq!(
        only12.versions(&[Version::DTLS13]).map(|_| ()),
        Err(ConfigError::Versions)
    );
}

/// A client that can prove its key with nothing that the server verifies shows no certificate.
fn anonymous_pair(version: Version, adapt: impl Fn(Config) -> Config) -> (Pair, Certificate) {
    let provider = provider();
    let kinds = [KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP256];
    let [of_client, of_server] = kinds.map(|kind| chain(&provider, kind));
    let config = |certificate: &Certificate| {
        let config = Config::new(certificate.clone(), provider.clone());
        config.versions(&[version]).unwrap()
    };
    let server = config(&of_server)
        .signature_schemes(vec![SignatureScheme::ECDSA_SHA256])
        .unwrap()
        .client_certificate(ClientCertificate::Requested);
    let client = config(&of_client)
        .expected_fingerprints(vec![of_server.fingerprint(HashAlgorithm::Sha256)]);
    (Pair::new(client, adapt(server)), of_client)
}

fn run(pair: &mut Pair) {
    pair.run(8 * DELAY, |_, _, _| vec![DELAY], |_| false);
}

#[test]
fn a_client_without_certificate_is_let_in_where_none_is_required_and_is_never_verified() {
    for version in VERSIONS {
        let (mut pair, _) = anonymous_pair(version, |config| config);
        run(&mut pair);
        assert_eq!(pair.events[1], [Event::Unverified], "{version}");
        assert!(pair.client.is_verified());
        let server = &mut pair.server;
        assert_eq!(server.version(), Some(version));
        assert_eq!(server.srtp_keying(), Err(KeyingError::Unverified));
        assert_eq!(server.peer_certificate_der(), None);
        assert_eq!(server.peer_fingerprint(HashAlgorithm::Sha256), None);
        assert_eq!(server.peer_signature_scheme(), None);
        server.accept_peer().unwrap();
        run(&mut pair);
        assert_eq!(pair.events[1], [Event::Unverified, Event::Connected]);
        assert!(!pair.server.is_verified());
        pair.assert_works();
        // Accepted or not, it is not who is expected later.
        let fingerprint = pair.client.peer_fingerprint(HashAlgorithm::Sha256).unwrap();
        assert_eq!(
            pair.server.set_expected_fingerprint(fingerprint),
            Err(VerificationError::Mismatch)
        );
        assert_eq!(pair.server.srtp_keying(), Err(KeyingError::NotConnected));
        run(&mut pair);
        assert_eq!(
            pair.closed(Role::Server),
            Some(CloseReason::FingerprintMismatch)
        );

        let trust = |config: Config| config.verification(PeerVerification::TrustFirst);
        let (mut pair, _) = anonymous_pair(version, trust);
        assert!(pair.connect());
        assert_eq!(pair.events[1], [Event::Connected]);
        assert!(!pair.server.is_verified());
        pair.assert_works();
    }
}

#[test]
fn a_client_without_certificate_is_not_the_one_that_is_expected() {
    for version in VERSIONS {
        let error = if version == Version::DTLS12 {
            ProtocolError::NoCertificate
        } else {
            ProtocolError::CertificateRequired
        };
        let (_, expected) = anonymous_pair(version, |config| config);
        let expected = expected.fingerprint(HashAlgorithm::Sha256);
        let policies: [&dyn Fn(Config) -> Config; 2] = [
            &|config| config.expected_fingerprints(vec![expected]),
            &|config| config.client_certificate(ClientCertificate::Required),
        ];
        for policy in policies {
            let (mut pair, _) = anonymous_pair(version, policy);
            run(&mut pair);
            assert_eq!(pair.events[1], [Event::Closed(error.into())], "{version}");
        }

        // Said at any time of the handshake.
        for steps in 0..8 {
            let (mut pair, _) = anonymous_pair(version, |config| config);
            pair.run(steps * DELAY / 2, |_, _, _| vec![DELAY], |_| false);
            let _ = pair.server.set_expected_fingerprint(expected);
            run(&mut pair);
            assert!(!pair.events[1].contains(&Event::Connected));
            assert!(pair.closed(Role::Server).is_some(), "{version} {steps}");
        }
    }
}

/// Whoever has a certificate shows it, and is measured by it.
#[test]
fn a_certificate_that_is_only_requested_counts_as_one_that_is_required() {
    let provider = provider();
    for version in VERSIONS {
        let mut pair = pair::pair_of([&[version]; 2], &provider, |config| {
            config.client_certificate(ClientCertificate::Requested)
        });
        assert!(pair.connect());
        assert!(pair.server.is_verified());
        assert!(pair.server.peer_signature_scheme().is_some());
        pair.assert_works();
    }
}
