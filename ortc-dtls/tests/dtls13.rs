//! Handshakes of DTLS 1.3, and which version two sides come to (RFC 9147, RFC 8446 §4.2.1).

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use core::time::Duration;

use ortc_dtls::crypto::{NamedGroup, SignatureScheme};
use ortc_dtls::{
    AlertDescription, Certificate, CipherSuite, CloseReason, Config, Event, Fingerprint,
    HashAlgorithm, KeyingError, ProtocolError, Role, SendError, Version,
};
use pair::{DELAY, Pair, pair_of, pair13, provider, providers};

const LIMIT: Duration = Duration::from_secs(2);

#[test]
fn both_sides_connect_within_two_round_trips() {
    for provider in providers() {
        let mut pair = pair13(&provider, |config| config);
        assert!(pair.connect(), "{:?}", pair.events);
        // ClientHello, the server's flight, the client's.
        assert_eq!(pair.elapsed(), 3 * DELAY);
        assert_eq!(pair.client.version(), Some(Version::DTLS13));
        assert_eq!(pair.server.version(), Some(Version::DTLS13));
        pair.settle();
        assert_eq!(
            pair.sent.len(),
            4,
            "an ACK is the last, and nothing is repeated"
        );
        pair.assert_works();
        let stats = [pair.client.stats(), pair.server.stats()];
        assert!(stats.iter().all(|stats| stats.dropped_total() == 0));
    }
}

#[test]
fn every_suite_and_group_works() {
    for provider in providers() {
        for suite in [
            CipherSuite::AES_128_GCM_SHA256,
            CipherSuite::AES_256_GCM_SHA384,
            CipherSuite::CHACHA20_POLY1305_SHA256,
        ] {
            for group in [
                NamedGroup::X25519MLKEM768,
                NamedGroup::X25519,
                NamedGroup::SECP256R1,
                NamedGroup::SECP384R1,
            ] {
                let mut pair = pair13(&provider, |config| {
                    let config = config.cipher_suites(vec![suite]).unwrap();
                    config.groups(vec![group]).unwrap()
                });
                assert!(pair.connect(), "{suite} {group}: {:?}", pair.events);
                assert_eq!(pair.client.cipher_suite(), Some(suite));
                assert_eq!(pair.server.group(), Some(group));
                let scheme = Some(SignatureScheme::ECDSA_SHA256);
                assert_eq!(pair.client.peer_signature_scheme(), scheme);
                assert_eq!(pair.server.peer_signature_scheme(), scheme);
                assert_eq!(pair.client.srtp_profile(), Some(7));
                pair.assert_works();
            }
        }
    }
}

#[test]
fn the_newest_version_that_both_sides_have_is_chosen() {
    let provider = provider();
    let (old, new) = (Version::DTLS12, Version::DTLS13);
    let lists: [&[Version]; 3] = [&[old], &[new], &[old, new]];
    for client in lists {
        for server in lists {
            let mut pair = pair_of([client, server], &provider, |config| config);
            let common = [new, old]
                .into_iter()
                .find(|version| client.contains(version) && server.contains(version));
            let connected = pair.run(LIMIT, |_, _, _| vec![DELAY], Pair::connected);
            assert_eq!(connected, common.is_some(), "{client:?} {server:?}");
            if common.is_some() {
                assert_eq!(pair.client.version(), common);
                assert_eq!(pair.server.version(), common);
                pair.assert_works();
            } else {
                let reason = CloseReason::Protocol(ProtocolError::Version);
                assert_eq!(pair.closed(Role::Server), Some(reason));
                assert!(!pair.events[0].contains(&Event::Connected));
            }
        }
    }
}

/// Two configurations, and the fingerprints of their certificates.
fn strangers() -> ([Config; 2], [Fingerprint; 2]) {
    let provider = provider();
    let certificates = [(); 2].map(|()| Certificate::generate(&provider).unwrap());
    let prints = certificates
        .clone()
        .map(|certificate| certificate.fingerprint(HashAlgorithm::Sha256));
    let configs = certificates.map(|certificate| {
        let config = Config::new(certificate, provider.clone());
        config.versions(&[Version::DTLS13]).unwrap()
    });
    (configs, prints)
}

#[test]
fn a_certificate_that_is_not_the_expected_one_ends_the_handshake_on_both_sides() {
    for refuser in [Role::Client, Role::Server] {
        let ([client, server], [of_client, of_server]) = strangers();
        let (client, server) = match refuser {
            Role::Client => (
                client.expected_fingerprints(vec![of_client]),
                server.expected_fingerprints(vec![of_client]),
            ),
            Role::Server => (
                client.expected_fingerprints(vec![of_server]),
                server.expected_fingerprints(vec![of_server]),
            ),
        };
        let mut pair = Pair::new(client, server);
        pair.settle();
        let mismatch = CloseReason::FingerprintMismatch;
        assert_eq!(pair.closed(refuser), Some(mismatch));
        assert_eq!(mismatch.alert(), Some(AlertDescription::BAD_CERTIFICATE));
        let other = [Role::Server, Role::Client][refuser as usize];
        let told = CloseReason::PeerAlert(AlertDescription::BAD_CERTIFICATE);
        assert_eq!(pair.closed(other), Some(told), "the alert is protected");
        assert!(!pair.events[refuser as usize].contains(&Event::Connected));
        assert!(!pair.events[1].contains(&Event::Connected));
        for side in [&pair.client, &pair.server] {
            assert!(side.srtp_keying().is_err());
        }
    }
}

#[test]
fn without_an_expectation_everything_is_held_until_somebody_vouches() {
    let ([client, server], [_, of_server]) = strangers();
    let mut pair = Pair::new(client, server);
    pair.settle();
    assert_eq!(
        pair.events,
        [vec![Event::Unverified], vec![Event::Unverified]]
    );
    let now = pair.now;
    assert_eq!(pair.client.send(b"data", now), Err(SendError::Unverified));
    assert_eq!(pair.client.srtp_keying(), Err(KeyingError::Unverified));
    let print = pair.client.peer_fingerprint(HashAlgorithm::Sha256);
    assert_eq!(print, Some(of_server));

    pair.client.set_expected_fingerprint(of_server).unwrap();
    pair.client.send(b"early", now).unwrap();
    pair.settle();
    assert!(pair.client.is_verified());
    assert_eq!(pair.events[1], [Event::Unverified], "the server holds it");
    pair.server.accept_peer().unwrap();
    pair.settle();
    let data = Event::ApplicationData(b"early".to_vec().into());
    let verified = [Event::Unverified, Event::Verified, Event::Connected];
    assert_eq!(pair.events[0], verified);
    assert_eq!(pair.events[1][..3], verified);
    assert_eq!(pair.events[1][3], data);
    pair.assert_works();
}

/// The lines that a key log of DTLS 1.3 has, the same on both sides.
#[test]
fn both_sides_log_the_same_five_secrets() {
    let provider = provider();
    let mut pair = pair13(&provider, |config| config.key_log(true));
    assert!(pair.connect());
    let lines = pair.events.clone().map(|events| {
        let mut lines: Vec<String> = Vec::new();
        for event in events {
            if let Event::KeyLog(line) = event {
                lines.push(line.as_str().to_owned());
            }
        }
        lines
    });
    assert_eq!(lines[0], lines[1]);
    let labels: Vec<_> = lines[0]
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let expected = [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
    ];
    assert_eq!(labels, expected);
}
