//! Handshakes with `dimpl` in memory, in both roles and versions, with and without its cookie: keys of
//! SRTP agree, and application data goes both ways. Ours is what everybody has who changes nothing.
#![expect(
    clippy::disallowed_methods,
    reason = "test code: one arbitrary instant"
)]

use std::sync::Arc;
use std::time::Instant;

use dimpl::DtlsCertificate;
use ortc_dtls::crypto::ring_provider;
use ortc_dtls::{Certificate, CertificateConfig, Config, HashAlgorithm};
use ortc_dtls_peers::{Dimpl, Ours, Role, Side, Version, carry, connect};

fn converse(role: Role, version: Version, cookie: bool, mtu: usize) {
    let provider = ring_provider();
    let kind = CertificateConfig::default();
    let [(own, _), (certificate, key)] =
        [(); 2].map(|()| Certificate::generate_with(&provider, &kind).unwrap());
    let config = Config::new(own, provider)
        .mtu(mtu)
        .unwrap()
        .cookie_exchange(cookie)
        .expected_fingerprints(vec![certificate.fingerprint(HashAlgorithm::Sha256)]);
    let mut ours = Ours::new(Arc::new(config), role, Instant::now());

    let config = dimpl::Config::builder().mtu(mtu).use_server_cookie(cookie);
    let certificate = DtlsCertificate {
        certificate: certificate.der().to_vec(),
        private_key: key.to_vec(),
    };
    let (role, config) = match role {
        Role::Client => (Role::Server, config.build().unwrap()),
        Role::Server => (Role::Client, config.build().unwrap()),
    };
    let config = Arc::new(config);
    let mut theirs = Dimpl::new(config, version, certificate, role, Instant::now());

    let mut buffer = Vec::new();
    match role {
        Role::Client => connect(&mut theirs, &mut ours, &mut buffer),
        Role::Server => connect(&mut ours, &mut theirs, &mut buffer),
    }
    assert_eq!(ours.endpoint().version(), Some(version));
    assert_eq!(ours.keying(), theirs.keying());
    ours.send(b"from us");
    theirs.send(b"from them");
    carry(&mut ours, &mut theirs, &mut buffer);
    carry(&mut theirs, &mut ours, &mut buffer);
    let mut data = Vec::new();
    assert!(theirs.take(&mut data));
    assert_eq!(data, b"from us");
    data.clear();
    assert!(ours.take(&mut data));
    assert_eq!(data, b"from them");
}

#[test]
fn both_versions_connect_in_both_roles() {
    for version in [Version::DTLS12, Version::DTLS13] {
        for role in [Role::Client, Role::Server] {
            for cookie in [false, true] {
                for mtu in [400, 1200] {
                    converse(role, version, cookie, mtu);
                }
            }
        }
    }
}
