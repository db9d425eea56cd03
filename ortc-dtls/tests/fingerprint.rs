//! Fingerprints (RFC 8122), and what they let through.

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use ortc_dtls::{
    AlertDescription, Certificate, CloseReason, Config, DropReason, Event, Fingerprint,
    FingerprintError, HashAlgorithm, KeyingError, Role, SendError, VerificationError, Version,
};
use pair::{Pair, pair_of, provider};

const VERSIONS: [Version; 2] = [Version::DTLS12, Version::DTLS13];

#[test]
fn the_hash_of_nothing_is_what_the_standards_print() {
    let known = [
        (
            "sha-1",
            "DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF:95:60:18:90:AF:D8:07:09",
        ),
        (
            "sha-224",
            "D1:4A:02:8C:2A:3A:2B:C9:47:61:02:BB:28:82:34:C4:15:A2:B0:1F:82:8E:A6:2A:C5:B3:E4:2F",
        ),
        (
            "sha-256",
            "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55",
        ),
    ];
    for (name, value) in known {
        let fingerprint = Fingerprint::parse(name, value).unwrap();
        assert_eq!(fingerprint.algorithm().as_str(), name);
        assert_eq!(fingerprint.to_string(), value);
        assert!(fingerprint.matches(b""));
        assert!(!fingerprint.matches(b"x"));
        assert_eq!(fingerprint, Fingerprint::of(fingerprint.algorithm(), b""));
    }
}

#[test]
fn every_hash_survives_text_in_either_case() {
    for algorithm in HashAlgorithm::ALL {
        let fingerprint = Fingerprint::of(algorithm, b"certificate");
        let text = fingerprint.to_string();
        assert_eq!(text.len(), 3 * algorithm.output_len() - 1);
        let name = algorithm.to_string();
        assert_eq!(Fingerprint::parse(&name, &text), Ok(fingerprint));
        let lower = text.to_lowercase();
        assert_eq!(
            Fingerprint::parse(&name.to_uppercase(), &lower),
            Ok(fingerprint)
        );
    }
}

#[test]
fn what_is_not_a_fingerprint_says_why() {
    use FingerprintError::{Algorithm, Length, Syntax};
    let ok = Fingerprint::of(HashAlgorithm::Sha1, b"").to_string();
    for (name, value, error) in [
        ("md5", ok.as_str(), Algorithm),
        ("", &ok, Algorithm),
        ("sha-1", "", Syntax),
        ("sha-1", "DA:39", Length),
        ("sha-256", &ok, Length),
        ("sha-1", &format!("{ok}:00"), Length),
        ("sha-1", &format!("{ok}:"), Syntax),
        ("sha-1", &ok.replace(':', ""), Syntax),
        ("sha-1", &ok.replace("DA", "GA"), Syntax),
        ("sha-1", &ok.replace("DA", "D"), Syntax),
        ("sha-1", &ok.replace("DA", "é"), Syntax),
        ("sha-512", &vec!["00"; 65].join(":"), Length),
    ] {
        assert_eq!(
            Fingerprint::parse(name, value),
            Err(error),
            "{name} {value}"
        );
    }
}

/// A pair in which the client expects nothing and the server does not mind. A datagram has room for
/// the server's certificate and not for all of its flight of DTLS 1.3.
fn unverified_client(version: Version) -> (Pair, Certificate) {
    let provider = provider();
    let [of_client, of_server] = [(); 2].map(|()| Certificate::generate(&provider).unwrap());
    let config = |certificate: &Certificate| {
        let config = Config::new(certificate.clone(), provider.clone());
        let config = config.versions(&[version]).unwrap();
        config.mtu(580).unwrap()
    };
    let server = config(&of_server).verification(ortc_dtls::PeerVerification::TrustFirst);
    (Pair::new(config(&of_client), server), of_server)
}

/// Connects, and the server says something that the client may not hear yet.
fn held(version: Version) -> (Pair, Certificate) {
    let (mut pair, certificate) = unverified_client(version);
    pair.settle();
    assert_eq!(pair.events[0], [Event::Unverified]);
    assert_eq!(pair.events[1], [Event::Connected]);
    let now = pair.now;
    pair.server.send(b"for a verified peer", now).unwrap();
    pair.settle();
    assert_eq!(pair.events[0], [Event::Unverified], "held");
    assert_eq!(pair.client.srtp_keying(), Err(KeyingError::Unverified));
    let exported = pair
        .client
        .export_keying_material("EXPORTER", None, &mut [0; 8]);
    assert_eq!(exported, Err(KeyingError::Unverified));
    assert_eq!(pair.client.send(b"x", now), Err(SendError::Unverified));
    assert!(!pair.client.is_verified());
    (pair, certificate)
}

fn assert_released(pair: &mut Pair) {
    pair.settle();
    let data = Event::ApplicationData((&b"for a verified peer"[..]).into());
    assert_eq!(
        pair.events[0],
        [Event::Unverified, Event::Verified, Event::Connected, data]
    );
    assert!(pair.client.is_verified());
    pair.assert_works();
}

#[test]
fn without_expectation_everything_is_held_until_the_application_accepts() {
    for version in VERSIONS {
        let (mut pair, certificate) = held(version);
        for algorithm in HashAlgorithm::ALL {
            let shown = pair.client.peer_fingerprint(algorithm);
            assert_eq!(shown, Some(certificate.fingerprint(algorithm)));
        }
        assert_eq!(pair.client.peer_certificate_der(), Some(certificate.der()));
        pair.client.accept_peer().unwrap();
        assert_released(&mut pair);
    }
}

#[test]
fn a_fingerprint_that_comes_after_the_handshake_lets_go_what_was_held() {
    for version in VERSIONS {
        for algorithm in HashAlgorithm::ALL {
            let (mut pair, certificate) = held(version);
            let fingerprint = certificate.fingerprint(algorithm);
            pair.client.set_expected_fingerprint(fingerprint).unwrap();
            assert_released(&mut pair);
        }
    }
}

/// Junk, and copies of what the peer said, while everything is held.
#[test]
fn strangers_cannot_use_up_the_room_for_what_is_held() {
    let (mut pair, _) = unverified_client(Version::DTLS12);
    pair.settle();
    assert_eq!(pair.events[0], [Event::Unverified]);
    let now = pair.now;
    for sequence in 10..1010_u64 {
        let mut junk = vec![23, 0xfe, 0xfd, 0, 1];
        junk.extend_from_slice(&sequence.to_be_bytes()[2..]);
        junk.extend_from_slice(&[0, 100]);
        junk.extend_from_slice(&[7; 100]);
        pair.client.handle_datagram(&mut junk, now);
    }
    assert_eq!(pair.client.stats().dropped(DropReason::BadRecord), 1000);
    pair.server.send(b"hello", now).unwrap();
    let mut contents = Vec::new();
    pair.server.poll_transmit(&mut contents, now).unwrap();
    for _ in 0..1000 {
        pair.client.handle_datagram(&mut contents.clone(), now);
    }
    assert_eq!(pair.client.stats().dropped(DropReason::Replayed), 999);
    assert_eq!(pair.client.poll_event(), None);
    pair.client.accept_peer().unwrap();
    assert_eq!(pair.client.poll_event(), Some(Event::Verified));
    assert_eq!(pair.client.poll_event(), Some(Event::Connected));
    let data = Event::ApplicationData(b"hello".to_vec().into());
    assert_eq!(pair.client.poll_event(), Some(data));
    assert_eq!(pair.client.poll_event(), None);
    assert_eq!(pair.client.held_octets(), 0);
}

fn other() -> Fingerprint {
    Fingerprint::of(HashAlgorithm::Sha256, b"another certificate")
}

fn assert_mismatch(pair: &mut Pair) {
    pair.settle();
    assert_eq!(
        pair.closed(Role::Client),
        Some(CloseReason::FingerprintMismatch)
    );
    assert!(!pair.events[0].contains(&Event::Connected));
    assert!(pair.client.srtp_keying().is_err());
    assert_eq!(pair.client.peer_fingerprint(HashAlgorithm::Sha256), None);
}

#[test]
fn a_mismatch_is_fatal_whenever_the_fingerprint_comes() {
    for version in VERSIONS {
        // Before the handshake.
        let (mut pair, _) = unverified_client(version);
        pair.client.set_expected_fingerprint(other()).unwrap();
        assert_mismatch(&mut pair);

        // During the handshake: the certificate was seen, the Finished not.
        let (mut pair, _) = unverified_client(version);
        let path = |_, _, _: &[u8]| vec![pair::DELAY];
        pair.run(pair::DELAY, path, |_| false);
        pair.transmit(&mut |_, _, _: &[u8]| vec![pair::DELAY]);
        if version == Version::DTLS13 {
            // The second datagram of the flight, which has the Finished.
            assert_eq!(pair.flying.len(), 2);
            pair.flying.pop();
        }
        pair.run(pair::DELAY, path, |_| false);
        assert_eq!(
            pair.client.accept_peer(),
            Err(VerificationError::NotConnected)
        );
        assert_eq!(pair.client.peer_certificate_der(), None, "not proved yet");
        let set = pair.client.set_expected_fingerprint(other());
        assert_eq!(set, Err(VerificationError::Mismatch));
        assert_mismatch(&mut pair);

        // After the handshake, while held.
        let (mut pair, certificate) = held(version);
        let set = pair.client.set_expected_fingerprint(other());
        assert_eq!(set, Err(VerificationError::Mismatch));
        assert_mismatch(&mut pair);
        let alert = CloseReason::PeerAlert(AlertDescription::BAD_CERTIFICATE);
        assert_eq!(pair.closed(Role::Server), Some(alert));
        let right = certificate.fingerprint(HashAlgorithm::Sha256);
        let set = pair.client.set_expected_fingerprint(right);
        assert_eq!(set, Err(VerificationError::Closed), "closed is final");
        assert_eq!(pair.client.accept_peer(), Err(VerificationError::Closed));

        // After the application had accepted the peer.
        let (mut pair, _) = held(version);
        pair.client.accept_peer().unwrap();
        let set = pair.client.set_expected_fingerprint(other());
        assert_eq!(set, Err(VerificationError::Mismatch));
        assert!(pair.client.srtp_keying().is_err());
    }
}

#[test]
fn of_several_fingerprints_the_strongest_hash_decides() {
    for version in VERSIONS {
        use HashAlgorithm::{Sha1, Sha256, Sha512};
        for (list, good) in [
            (vec![(Sha256, true)], true),
            (vec![(Sha256, false), (Sha256, true)], true),
            (vec![(Sha1, false), (Sha512, true)], true),
            (vec![(Sha1, true), (Sha512, false)], false),
            (vec![(Sha256, false), (Sha1, true)], false),
        ] {
            let (mut pair, certificate) = unverified_client(version);
            let list: Vec<Fingerprint> = list
                .into_iter()
                .map(|(algorithm, right)| {
                    let der = if right { certificate.der() } else { b"other" };
                    Fingerprint::of(algorithm, der)
                })
                .collect();
            pair.client.set_expected_fingerprints(&list).unwrap();
            pair.settle();
            let expected = if good {
                None
            } else {
                Some(CloseReason::FingerprintMismatch)
            };
            assert_eq!(pair.closed(Role::Client), expected, "{list:?}");
            assert_eq!(pair.client.is_verified(), good);
        }
    }
}

#[test]
fn an_empty_list_is_an_error_and_not_a_pass() {
    for version in VERSIONS {
        let (mut pair, _) = held(version);
        let set = pair.client.set_expected_fingerprints(&[]);
        assert_eq!(set, Err(VerificationError::Empty));
        assert!(!pair.client.is_verified());
    }
}

/// A man in the middle has a certificate of its own on both sides.
#[test]
fn the_server_refuses_a_client_with_another_certificate() {
    for version in VERSIONS {
        let mut pair = pair_of([&[version]; 2], &provider(), |config| config);
        pair.server.set_expected_fingerprint(other()).unwrap();
        pair.settle();
        assert_eq!(
            pair.closed(Role::Server),
            Some(CloseReason::FingerprintMismatch)
        );
        assert!(pair.server.srtp_keying().is_err());
    }
}
