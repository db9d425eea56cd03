//! Two endpoints connect: every suite, group, profile, provider; what each side knows then.

mod pair;

use std::time::Duration;

use ortc_dtls::wire::NamedGroup;
use ortc_dtls::{
    CipherSuite, CloseReason, Event, HashAlgorithm, KeyingError, PeerVerification, ProtocolError,
    Role, SendError, Version,
};
use pair::{DELAY, Pair, config, pair, providers};

const ECDSA_SUITES: [CipherSuite; 3] = [
    CipherSuite::ECDHE_ECDSA_AES_128_GCM,
    CipherSuite::ECDHE_ECDSA_AES_256_GCM,
    CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305,
];

#[test]
fn every_suite_and_group_connects_with_both_providers() {
    for provider in providers() {
        for suite in ECDSA_SUITES {
            for group in [NamedGroup::X25519, NamedGroup::SECP256R1] {
                let mut pair = pair(&provider, |config| {
                    let config = config.cipher_suites(vec![suite]).unwrap();
                    config.groups(vec![group]).unwrap()
                });
                assert!(pair.connect(), "{suite} {group}");
                assert_eq!(pair.client.cipher_suite(), Some(suite));
                assert_eq!(pair.server.cipher_suite(), Some(suite));
                pair.assert_works();
            }
        }
    }
}

#[test]
fn a_handshake_takes_two_round_trips_and_four_flights() {
    let [provider, _] = providers();
    let mut pair = pair(&provider, |config| config);
    assert!(pair.connect());
    assert_eq!(pair.elapsed(), 4 * DELAY);
    assert_eq!(pair.sent.len(), 4);
    assert_eq!(pair.client.version(), Some(Version::DTLS12));
    assert_eq!(pair.client.version().unwrap().to_string(), "DTLS 1.2");
    assert_eq!(
        pair.client.cipher_suite().unwrap().to_string(),
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    );
    assert_eq!(
        pair.client.stats().dropped_total(),
        1,
        "the ChangeCipherSpec"
    );
    assert_eq!(pair.client.stats().retransmissions, 0);
}
