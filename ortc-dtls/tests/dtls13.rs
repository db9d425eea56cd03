//! Handshakes of DTLS 1.3, and which version two sides come to (RFC 9147, RFC 8446 §4.2.1).

mod pair;

use core::time::Duration;

use ortc_dtls::crypto::{NamedGroup, SignatureScheme};
use ortc_dtls::{CipherSuite, CloseReason, Event, ProtocolError, Role, Version};
use pair::{DELAY, pair_of, pair13, provider, providers};

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
            let connected = pair.run(LIMIT, |_, _, _| vec![DELAY], pair::Pair::connected);
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
