//! Two endpoints connect: every suite, group, profile, provider; what each side knows then.

mod pair;

use core::time::Duration;

use ortc_dtls::crypto::KeyAlgorithm;
use ortc_dtls::wire::NamedGroup;
use ortc_dtls::{
    AlertDescription, Certificate, CertificateConfig, CipherSuite, CloseReason, Config,
    ConfigError, DropReason, Endpoint, Event, HashAlgorithm, KeyingError, PeerVerification,
    ProtocolError, Role, SendError, Version,
};
use ortc_testkit::provider::Deterministic;
use pair::{DELAY, Pair, config, pair, pair_by_role, provider, providers, verified};

const ECDSA_SUITES: [CipherSuite; 3] = [
    CipherSuite::ECDHE_ECDSA_AES_128_GCM,
    CipherSuite::ECDHE_ECDSA_AES_256_GCM,
    CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305,
];

#[test]
fn every_suite_and_group_connects_with_every_provider() {
    for provider in providers() {
        for suite in ECDSA_SUITES {
            for group in [
                NamedGroup::X25519,
                NamedGroup::SECP256R1,
                NamedGroup::SECP384R1,
            ] {
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

/// RFC 8422 §2.1: Ed25519 takes the suites of ECDSA.
#[test]
fn every_kind_of_certificate_connects_in_both_roles() {
    let kinds = [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::Ed25519,
    ];
    let versions = [Version::DTLS12, Version::DTLS13];
    let all = providers().into_iter();
    for (provider, version) in all.flat_map(|one| versions.map(|version| (one.clone(), version))) {
        let certificates = kinds.map(|kind| {
            let config = CertificateConfig::default().key(kind);
            Certificate::generate_with(&provider, &config).unwrap().0
        });
        let configured = |certificate: &Certificate| {
            let config = Config::new(certificate.clone(), provider.clone());
            config.versions(&[version]).unwrap()
        };
        for client in &certificates {
            for server in &certificates {
                let [of_client, of_server] =
                    verified(configured(client), configured(server), [client, server]);
                let mut pair = Pair::new(of_client, of_server);
                assert!(pair.connect());
                pair.assert_works();
                assert_eq!(pair.client.peer_certificate_der(), Some(server.der()));
                assert_eq!(pair.server.peer_certificate_der(), Some(client.der()));
            }
        }
    }
}

/// What stands behind a certificate is sent, and the peer looks at the first alone.
#[test]
fn a_certificate_with_its_issuers_connects() {
    let provider = provider();
    let config = CertificateConfig::default();
    let (leaf, key) = Certificate::generate_with(&provider, &config).unwrap();
    let issuer = Certificate::generate(&provider).unwrap();
    let chain = [leaf.der(), issuer.der()];
    let chained = Certificate::from_chain(&chain, &key, &provider).unwrap();
    assert!(chained.chain().eq(chain));
    for version in [Version::DTLS12, Version::DTLS13] {
        let make = || {
            let config = Config::new(chained.clone(), provider.clone());
            config.versions(&[version]).unwrap()
        };
        let [client, server] = verified(make(), make(), [&leaf, &leaf]);
        let mut pair = Pair::new(client, server);
        assert!(pair.connect());
        pair.assert_works();
        assert_eq!(pair.client.peer_certificate_der(), Some(leaf.der()));
        assert_eq!(pair.server.peer_certificate_der(), Some(leaf.der()));
        if version == Version::DTLS12 {
            for (role, datagram) in &pair.sent[1..3] {
                let sent = |der: &[u8]| datagram.windows(der.len()).any(|part| part == der);
                assert!(chain.into_iter().all(sent), "{role:?}");
            }
        }
    }
}

#[test]
fn a_handshake_takes_two_round_trips_and_four_flights() {
    let provider = provider();
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

#[test]
fn a_server_with_an_rsa_certificate_connects_with_every_rsa_suite() {
    let key = include_bytes!("data/rsa2048.key.der");
    let der = include_bytes!("data/rsa2048.certificate.der");
    let suites = [
        CipherSuite::ECDHE_RSA_AES_128_GCM,
        CipherSuite::ECDHE_RSA_AES_256_GCM,
        CipherSuite::ECDHE_RSA_CHACHA20_POLY1305,
    ];
    for provider in providers() {
        for suite in suites {
            let rsa = Certificate::from_der(der, key, &provider).unwrap();
            let ecdsa = Certificate::generate(&provider).unwrap();
            let client = pair::config12(ecdsa.clone(), &provider);
            let server = pair::config12(rsa.clone(), &provider);
            let server = server.cipher_suites(vec![suite]).unwrap();
            let [client, server] = verified(client, server, [&ecdsa, &rsa]);
            let mut pair = Pair::new(client, server);
            assert!(pair.connect(), "{suite}");
            assert_eq!(pair.client.cipher_suite(), Some(suite));
            pair.assert_works();
        }
    }
}

#[test]
fn a_client_proves_an_rsa_certificate() {
    let key = include_bytes!("data/rsa2048.key.der");
    let der = include_bytes!("data/rsa2048.certificate.der");
    for provider in providers() {
        let rsa = Certificate::from_der(der, key, &provider).unwrap();
        let ecdsa = Certificate::generate(&provider).unwrap();
        let client = pair::config12(rsa.clone(), &provider);
        let server = pair::config12(ecdsa.clone(), &provider);
        let [client, server] = verified(client, server, [&rsa, &ecdsa]);
        let mut pair = Pair::new(client, server);
        assert!(pair.connect());
        pair.assert_works();
    }
}

#[test]
fn the_server_picks_the_first_srtp_profile_of_its_own_list() {
    let provider = provider();
    let profiles = [vec![7, 8, 1], vec![2, 1, 7]];
    let mut pair = pair_by_role([&[Version::DTLS12]; 2], &provider, |role, config| {
        config
            .srtp_profiles(profiles[role as usize].clone())
            .unwrap()
    });
    assert!(pair.connect());
    assert_eq!(pair.client.srtp_profile(), Some(1));
    assert_eq!(pair.server.srtp_profile(), Some(1));
    let keying = pair.client.srtp_keying().unwrap();
    assert_eq!(
        (keying.client_key.len(), keying.client_salt.len()),
        (16, 14)
    );
    pair.assert_works();
}

#[test]
fn without_a_common_profile_there_is_a_connection_and_no_srtp() {
    let provider = provider();
    for profiles in [vec![], vec![2]] {
        let mut pair = pair_by_role(
            [&[Version::DTLS12]; 2],
            &provider,
            |role, config| match role {
                Role::Client => config,
                Role::Server => config.srtp_profiles(profiles.clone()).unwrap(),
            },
        );
        assert!(pair.connect());
        assert_eq!(pair.client.srtp_keying(), Err(KeyingError::NoSrtpProfile));
        assert_eq!(pair.server.srtp_keying(), Err(KeyingError::NoSrtpProfile));
    }
}

#[test]
fn nothing_in_common_closes_both_sides_at_the_first_flight() {
    let provider = provider();
    let client = config(&provider)
        .cipher_suites(vec![CipherSuite::ECDHE_ECDSA_AES_256_GCM])
        .unwrap();
    let server = config(&provider)
        .cipher_suites(vec![CipherSuite::ECDHE_ECDSA_AES_128_GCM])
        .unwrap();
    let client = client.handshake_timeout(Some(Duration::from_secs(3)));
    let mut pair = Pair::new(client, server);
    assert!(!pair.connect());
    let error = ProtocolError::NothingInCommon("cipher suite");
    assert_eq!(
        pair.closed(Role::Server),
        Some(CloseReason::Protocol(error))
    );
    // The alert came in plaintext: not obeyed, but remembered for whoever reads the reason.
    let alert = Some(AlertDescription::HANDSHAKE_FAILURE);
    assert_eq!(
        pair.closed(Role::Client),
        Some(CloseReason::Timeout { alert })
    );
    assert_eq!(pair.client.poll_timeout(), None);
    assert_eq!(pair.server.poll_timeout(), None);
}

#[test]
fn application_data_is_refused_before_the_connection_and_above_the_mtu() {
    let provider = provider();
    let mut pair = pair(&provider, |config| {
        config.mtu(600).unwrap().max_queued_data(2000)
    });
    let now = pair.now;
    assert_eq!(
        pair.client.send(b"early", now),
        Err(SendError::NotConnected)
    );
    assert!(pair.connect());
    let max = 600 - 13 - 8 - 16;
    assert_eq!(
        pair.client.send(&vec![0; max + 1], now),
        Err(SendError::TooLarge { max })
    );
    for _ in 0..3 {
        pair.client.send(&vec![7; max], now).unwrap();
    }
    assert_eq!(
        pair.client.send(&vec![7; max], now),
        Err(SendError::QueueFull)
    );
    let before = pair.sent.len();
    pair.settle();
    assert_eq!(pair.sent.len(), before + 3);
    assert!(pair.sent.iter().all(|(_, contents)| contents.len() <= 600));
    let data = Event::ApplicationData(vec![7; max].into());
    assert_eq!(
        pair.events[1]
            .iter()
            .filter(|event| **event == data)
            .count(),
        3
    );
}

#[test]
fn received_data_above_the_limit_is_dropped_and_counted() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config.max_queued_data(1000));
    assert!(pair.connect());
    let now = pair.now;
    let mut datagrams = Vec::new();
    for _ in 0..3 {
        pair.client.send(&[7; 400], now).unwrap();
        let mut contents = Vec::new();
        pair.client.poll_transmit(&mut contents, now).unwrap();
        datagrams.push(contents);
    }
    for contents in &mut datagrams {
        pair.server.handle_datagram(contents, now);
    }
    assert_eq!(pair.server.stats().dropped(DropReason::QueueFull), 1);
    assert!(matches!(
        pair.server.poll_event(),
        Some(Event::ApplicationData(_))
    ));
    assert!(matches!(
        pair.server.poll_event(),
        Some(Event::ApplicationData(_))
    ));
    assert_eq!(pair.server.poll_event(), None);
}

#[test]
fn close_sends_what_was_queued_and_then_close_notify() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config);
    assert!(pair.connect());
    let now = pair.now;
    pair.client.send(b"the last words", now).unwrap();
    pair.client.close(now);
    pair.client.close(now);
    assert_eq!(
        pair.client.poll_timeout(),
        Some(now),
        "what is queued is due"
    );
    pair.settle();
    let data = Event::ApplicationData((&b"the last words"[..]).into());
    assert!(pair.events[1].contains(&data));
    assert_eq!(pair.closed(Role::Client), Some(CloseReason::Local));
    assert_eq!(pair.closed(Role::Server), Some(CloseReason::PeerClosed));
    for role in [Role::Client, Role::Server] {
        let closed = |event: &&Event| matches!(event, Event::Closed(_));
        assert_eq!(pair.events[role as usize].iter().filter(closed).count(), 1);
        let later = pair.now + Duration::from_secs(3600);
        let endpoint = pair.side(role);
        endpoint.handle_timeout(later);
        endpoint.handle_datagram(&mut [22; 100], later);
        endpoint.close(later);
        assert_eq!(endpoint.poll_timeout(), None);
        assert_eq!(endpoint.poll_event(), None);
        assert_eq!(endpoint.poll_transmit(&mut Vec::new(), later), None);
        assert_eq!(endpoint.srtp_keying(), Err(KeyingError::NotConnected));
    }
}

#[test]
fn the_key_log_is_off_by_default_and_says_what_wireshark_reads() {
    let provider = provider();
    for on in [false, true] {
        let mut pair = pair(&provider, |config| config.key_log(on));
        assert!(pair.connect());
        let lines = pair.events.clone().map(|events| {
            let mut lines = Vec::new();
            for event in events {
                if let Event::KeyLog(line) = event {
                    lines.push(line.as_str().to_owned());
                }
            }
            lines
        });
        assert_eq!(lines[0], lines[1]);
        assert_eq!(lines[0].len(), usize::from(on));
        for line in &lines[0] {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(
                (words[0], words[1].len(), words[2].len()),
                ("CLIENT_RANDOM", 64, 96)
            );
        }
        assert!(!format!("{:?}", pair.events).contains("CLIENT_RANDOM"));
    }
}

/// The same seed and script: the same datagrams, events and deadlines.
#[test]
fn a_handshake_replays_to_the_octet_with_the_deterministic_provider() {
    let run = |seed| {
        let provider = Deterministic::new(seed);
        let mut pair = pair(&provider, |config| config);
        assert!(pair.connect());
        pair.assert_works();
        (pair.sent, pair.events)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).0, run(8).0);
}

#[test]
fn endpoints_and_certificates_can_move_between_threads() {
    fn assert_send<T: Send>() {}
    fn assert_sync<T: Sync>() {}
    assert_send::<Endpoint>();
    assert_send::<Certificate>();
    assert_sync::<Certificate>();
    assert_sync::<Config>();
}

#[test]
fn debug_output_shows_no_secret() {
    let provider = Deterministic::new(3);
    let mut pair = pair(&provider, |config| config.key_log(true));
    assert!(pair.connect());
    let keying = pair.client.srtp_keying().unwrap();
    let shown = format!("{:?} {:?} {:?}", pair.client, pair.server, keying);
    let key = &keying.client_key;
    assert!(!shown.contains(&hex::encode(&key[..])));
    assert!(!shown.contains(&format!("{:?}", &key[..4]).replace(['[', ']'], "")));
    let Some(Event::KeyLog(line)) = pair.events[0].first() else {
        panic!("no key log");
    };
    let master = hex::decode(line.as_str().rsplit(' ').next().unwrap()).unwrap();
    assert!(!shown.contains(&format!("{:?}", &master[..4]).replace(['[', ']'], "")));
}

#[test]
fn trust_first_connects_at_once_and_stays_unverified_until_a_fingerprint_matches() {
    let provider = provider();
    let server = config(&provider).verification(PeerVerification::TrustFirst);
    let client = config(&provider).verification(PeerVerification::TrustFirst);
    let mut pair = Pair::new(client, server);
    assert!(pair.connect());
    assert!(!pair.client.is_verified());
    pair.assert_works();
    let shown = pair.client.peer_fingerprint(HashAlgorithm::Sha384).unwrap();
    pair.client.set_expected_fingerprint(shown).unwrap();
    assert!(pair.client.is_verified());
    assert_eq!(pair.client.poll_event(), Some(Event::Verified));
}

#[test]
fn nonsense_in_the_configuration_is_refused() {
    let provider = provider();
    let config = || config(&provider);
    let ms = Duration::from_millis;
    for octets in [0, 255, 16_385] {
        assert_eq!(config().mtu(octets).err(), Some(ConfigError::Mtu));
    }
    for octets in [0, 2047, 65_537] {
        let error = config().max_handshake_message(octets).err();
        assert_eq!(error, Some(ConfigError::HandshakeMessage));
    }
    let profile = config().srtp_profiles(vec![7, 5]).err();
    assert_eq!(profile, Some(ConfigError::SrtpProfile(5)));
    for suites in [vec![], vec![CipherSuite(0xc009)]] {
        let error = config().cipher_suites(suites).err();
        assert_eq!(error, Some(ConfigError::CipherSuites));
    }
    for groups in [vec![], vec![NamedGroup(0x19)]] {
        assert_eq!(config().groups(groups).err(), Some(ConfigError::Groups));
    }
    for (first, longest) in [(ms(0), ms(1)), (ms(2), ms(1)), (ms(1), Duration::MAX)] {
        let error = config().retransmission(first, longest).err();
        assert_eq!(error, Some(ConfigError::Retransmission));
    }
    // A time-out beyond the range of the clock is none.
    let forever = config().handshake_timeout(Some(Duration::MAX));
    let endpoint = Endpoint::new(forever.into(), Role::Client, pair::origin());
    assert!(endpoint.poll_timeout().is_some());
}

#[test]
fn an_earlier_instant_counts_as_the_latest_seen() {
    let provider = provider();
    let mut pair = pair(&provider, |config| config);
    let now = pair.now;
    let mut contents = Vec::new();
    pair.client
        .poll_transmit(&mut contents, now + Duration::from_secs(5))
        .unwrap();
    pair.client.handle_timeout(now);
    assert!(pair.client.poll_timeout().unwrap() > now + Duration::from_secs(5));
}
