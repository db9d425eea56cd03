//! Handshakes with BoringSSL in memory, in both roles: keys of SRTP, exported key material and
//! application data agree, keys are changed, and either side can say good-bye.
#![expect(
    clippy::disallowed_methods,
    reason = "test code: one arbitrary instant"
)]

use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::crypto::{KeyAlgorithm, Provider, aws_lc_rs_provider, ring_provider};
use ortc_dtls::wire::NamedGroup;
use ortc_dtls::{Certificate, CertificateConfig, CipherSuite, Config, HashAlgorithm, KeyUpdate};
use ortc_dtls_peers::{BoringSsl, MTU, Ours, Role, Side, Version, carry, connect};

const RSA: [&[u8]; 2] = [
    include_bytes!("../../../tests/data/rsa2048.certificate.der"),
    include_bytes!("../../../tests/data/rsa2048.key.der"),
];

/// Lists with each group in the first place, ours and BoringSSL's. In DTLS 1.2 the curves of
/// certificates have to be there too (RFC 8422 §5.1).
const GROUPS: [(&[NamedGroup], &str); 3] = [
    (
        &[
            NamedGroup::X25519,
            NamedGroup::SECP256R1,
            NamedGroup::SECP384R1,
        ],
        "X25519:P-256:P-384",
    ),
    (
        &[NamedGroup::SECP256R1, NamedGroup::SECP384R1],
        "P-256:P-384",
    ),
    (
        &[NamedGroup::SECP384R1, NamedGroup::SECP256R1],
        "P-384:P-256",
    ),
];

/// A suite and its name in BoringSSL.
const ECDSA_SUITES: [(CipherSuite, &str); 3] = [
    (
        CipherSuite::ECDHE_ECDSA_AES_128_GCM,
        "ECDHE-ECDSA-AES128-GCM-SHA256",
    ),
    (
        CipherSuite::ECDHE_ECDSA_AES_256_GCM,
        "ECDHE-ECDSA-AES256-GCM-SHA384",
    ),
    (
        CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ),
];
const RSA_SUITES: [(CipherSuite, &str); 3] = [
    (
        CipherSuite::ECDHE_RSA_AES_128_GCM,
        "ECDHE-RSA-AES128-GCM-SHA256",
    ),
    (
        CipherSuite::ECDHE_RSA_AES_256_GCM,
        "ECDHE-RSA-AES256-GCM-SHA384",
    ),
    (
        CipherSuite::ECDHE_RSA_CHACHA20_POLY1305,
        "ECDHE-RSA-CHACHA20-POLY1305",
    ),
];

fn providers() -> [Arc<dyn Provider>; 2] {
    [ring_provider(), aws_lc_rs_provider()]
}

/// A certificate and its key as PKCS #8; none is RSA.
fn certificate(kind: Option<KeyAlgorithm>, provider: &Arc<dyn Provider>) -> (Certificate, Vec<u8>) {
    match kind {
        Some(kind) => {
            let config = CertificateConfig::default().key(kind);
            let (certificate, key) = Certificate::generate_with(provider, &config).unwrap();
            (certificate, key.to_vec())
        }
        None => {
            let certificate = Certificate::from_der(RSA[0], RSA[1], provider).unwrap();
            (certificate, RSA[1].to_vec())
        }
    }
}

struct Setting<'a> {
    provider: &'a Arc<dyn Provider>,
    /// Ours, then BoringSSL's.
    kinds: [Option<KeyAlgorithm>; 2],
    /// Ours, and the names of BoringSSL's.
    groups: (&'a [NamedGroup], &'a str),
    suite: (CipherSuite, &'a str),
    /// What both agree on.
    group: NamedGroup,
    version: Version,
    mtu: usize,
}

/// Connects us in this role.
fn converse(role: Role, setting: &Setting<'_>) {
    let provider = setting.provider;
    let [(ours, _), (theirs, key)] = setting.kinds.map(|kind| certificate(kind, provider));
    let config = Config::new(ours, provider.clone())
        .groups(setting.groups.0.to_vec())
        .unwrap()
        .cipher_suites(vec![setting.suite.0])
        .unwrap()
        .versions(&[setting.version])
        .unwrap()
        .mtu(setting.mtu)
        .unwrap()
        .key_log(true)
        .expected_fingerprints(vec![theirs.fingerprint(HashAlgorithm::Sha256)]);
    let mut ours = Ours::new(Arc::new(config), role, Instant::now());
    let groups = setting.groups.1;
    let mut context = BoringSsl::context(setting.version, theirs.der(), &key, groups);
    if setting.version == Version::DTLS12 {
        context.set_cipher_list(setting.suite.1).unwrap();
    }
    let context = context.build();
    let mut buffer = Vec::new();
    let mut theirs = match role {
        Role::Client => BoringSsl::new(&context, Role::Server, setting.mtu),
        Role::Server => BoringSsl::new(&context, Role::Client, setting.mtu),
    };
    match role {
        Role::Client => connect(&mut ours, &mut theirs, &mut buffer),
        Role::Server => connect(&mut theirs, &mut ours, &mut buffer),
    }
    assert_eq!(ours.endpoint().cipher_suite(), Some(setting.suite.0));
    assert_eq!(theirs.cipher(), setting.suite.0.to_string());
    assert_eq!(ours.endpoint().group(), Some(setting.group));
    let keying = ours.keying();
    assert_eq!(keying.profile, 7);
    assert_eq!(keying, theirs.keying());

    for context in [None, Some(&b"context"[..]), Some(&[])] {
        let mut exported = [[0; 40]; 2];
        let label = "EXPERIMENTAL ours and theirs";
        (ours.endpoint())
            .export_keying_material(label, context, &mut exported[0])
            .unwrap();
        theirs.export(label, context, &mut exported[1]);
        assert_eq!(exported[0], exported[1]);
        assert_ne!(exported[0], [0; 40]);
    }

    assert_both_hear(&mut ours, &mut theirs, &mut buffer);
    if setting.version == Version::DTLS13 {
        let updated = match role {
            Role::Client => "SERVER_TRAFFIC_SECRET_1 ",
            Role::Server => "CLIENT_TRAFFIC_SECRET_1 ",
        };
        let scope = KeyUpdate::Both;
        ours.endpoint_mut()
            .update_keys(scope, Instant::now())
            .unwrap();
        for _ in 0..3 {
            assert_both_hear(&mut ours, &mut theirs, &mut buffer);
        }
        // BoringSSL's are changed, and so it has read what asked for it.
        assert!(ours.secrets().any(|line| line.starts_with(updated)));
    }
    let stats = ours.endpoint().stats();
    assert_eq!(stats.retransmissions, 0, "{stats:?}");

    match role {
        Role::Client => {
            ours.endpoint_mut().close(Instant::now());
            carry(&mut ours, &mut theirs, &mut buffer);
            assert!(theirs.is_closed());
        }
        Role::Server => {
            theirs.close();
            carry(&mut theirs, &mut ours, &mut buffer);
            assert!(ours.is_closed());
        }
    }
}

fn assert_both_hear(ours: &mut Ours, theirs: &mut BoringSsl, buffer: &mut Vec<u8>) {
    let mut received = Vec::new();
    ours.send(b"to BoringSSL");
    carry(ours, theirs, buffer);
    assert!(theirs.take(&mut received));
    assert_eq!(received, b"to BoringSSL");
    received.clear();
    theirs.send(b"from BoringSSL");
    carry(theirs, ours, buffer);
    assert!(ours.take(&mut received));
    assert_eq!(received, b"from BoringSSL");
}

#[test]
fn every_suite_group_and_role_with_ecdsa() {
    for provider in &providers() {
        for role in [Role::Client, Role::Server] {
            for group in GROUPS {
                for suite in ECDSA_SUITES {
                    for kind in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384] {
                        converse(
                            role,
                            &Setting {
                                provider,
                                kinds: [Some(kind); 2],
                                groups: group,
                                group: group.0[0],
                                suite,
                                version: Version::DTLS12,
                                mtu: MTU,
                            },
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn every_suite_and_role_with_rsa_on_either_side() {
    for provider in &providers() {
        for role in [Role::Client, Role::Server] {
            for suite in RSA_SUITES {
                // The server's certificate decides about the suite.
                let both = [None, None];
                let server_alone = match role {
                    Role::Client => [Some(KeyAlgorithm::EcdsaP256), None],
                    Role::Server => [None, Some(KeyAlgorithm::EcdsaP256)],
                };
                for kinds in [both, server_alone] {
                    converse(
                        role,
                        &Setting {
                            provider,
                            kinds,
                            groups: GROUPS[0],
                            group: GROUPS[0].0[0],
                            suite,
                            version: Version::DTLS12,
                            mtu: MTU,
                        },
                    );
                }
            }
        }
    }
}

#[test]
fn small_datagrams_in_both_directions() {
    for provider in &providers() {
        for role in [Role::Client, Role::Server] {
            converse(
                role,
                &Setting {
                    provider,
                    kinds: [None, None],
                    groups: GROUPS[2],
                    group: GROUPS[2].0[0],
                    suite: RSA_SUITES[0],
                    version: Version::DTLS12,
                    mtu: 300,
                },
            );
        }
    }
}

#[test]
fn every_group_certificate_and_role_in_dtls_1_3() {
    let hybrid: (&[NamedGroup], _) = (&[NamedGroup::X25519MLKEM768], "X25519MLKEM768");
    let kinds = [
        Some(KeyAlgorithm::EcdsaP256),
        Some(KeyAlgorithm::EcdsaP384),
        None,
    ];
    for provider in &providers() {
        for role in [Role::Client, Role::Server] {
            for group in GROUPS.into_iter().chain([hybrid]) {
                for (kind, mtu) in kinds.into_iter().zip([MTU, MTU, 300]) {
                    converse(
                        role,
                        &Setting {
                            provider,
                            kinds: [kind; 2],
                            groups: group,
                            group: group.0[0],
                            suite: (CipherSuite::AES_128_GCM_SHA256, ""),
                            version: Version::DTLS13,
                            mtu,
                        },
                    );
                }
            }
        }
    }
}

#[test]
fn every_suite_and_role_in_dtls_1_3() {
    for provider in &providers() {
        for role in [Role::Client, Role::Server] {
            for suite in [
                CipherSuite::AES_128_GCM_SHA256,
                CipherSuite::AES_256_GCM_SHA384,
                CipherSuite::CHACHA20_POLY1305_SHA256,
            ] {
                converse(
                    role,
                    &Setting {
                        provider,
                        kinds: [Some(KeyAlgorithm::EcdsaP256); 2],
                        groups: GROUPS[0],
                        group: GROUPS[0].0[0],
                        suite: (suite, ""),
                        version: Version::DTLS13,
                        mtu: MTU,
                    },
                );
            }
        }
    }
}

/// Nothing is configured here but who the peer is.
#[test]
fn with_the_default_configuration_whichever_version_the_other_has() {
    let provider = &ring_provider();
    for role in [Role::Client, Role::Server] {
        for version in [Version::DTLS12, Version::DTLS13] {
            let kind = Some(KeyAlgorithm::EcdsaP256);
            let [(ours, _), (theirs, key)] = [(); 2].map(|()| certificate(kind, provider));
            let expected = vec![theirs.fingerprint(HashAlgorithm::Sha256)];
            let config = Config::new(ours, provider.clone()).expected_fingerprints(expected);
            let mut ours = Ours::new(Arc::new(config), role, Instant::now());
            let groups = "X25519MLKEM768:X25519:P-256";
            let context = BoringSsl::context(version, theirs.der(), &key, groups).build();
            let mut buffer = Vec::new();
            let other = match role {
                Role::Client => Role::Server,
                Role::Server => Role::Client,
            };
            let mut theirs = BoringSsl::new(&context, other, MTU);
            match role {
                Role::Client => connect(&mut ours, &mut theirs, &mut buffer),
                Role::Server => connect(&mut theirs, &mut ours, &mut buffer),
            }
            assert_eq!(ours.endpoint().version(), Some(version));
            assert_eq!(ours.keying(), theirs.keying());
            assert_both_hear(&mut ours, &mut theirs, &mut buffer);
        }
    }
}

/// Each side first offers a group that the other does not have: a HelloRetryRequest follows.
#[test]
fn a_hello_retry_request_in_either_direction() {
    for provider in &providers() {
        for role in [Role::Client, Role::Server] {
            let ours = match role {
                Role::Client => vec![NamedGroup::X25519, NamedGroup::SECP384R1],
                Role::Server => vec![NamedGroup::SECP384R1],
            };
            let theirs = match role {
                Role::Client => "P-256:P-384",
                Role::Server => "X25519:P-384",
            };
            converse(
                role,
                &Setting {
                    provider,
                    kinds: [Some(KeyAlgorithm::EcdsaP256); 2],
                    groups: (&ours, theirs),
                    group: NamedGroup::SECP384R1,
                    suite: (CipherSuite::AES_128_GCM_SHA256, ""),
                    version: Version::DTLS13,
                    mtu: MTU,
                },
            );
        }
    }
}
