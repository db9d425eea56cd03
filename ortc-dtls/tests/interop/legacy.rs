//! OpenSSL without the extended master secret (RFC 7627 §5.2), in both roles.

use ortc_dtls::{
    CloseReason, Config, Event, ExtendedMasterSecret, KeyingError, ProtocolError, Role,
};

use crate::driver::Driver;
use crate::peers::OpenSsl;
use crate::{EC, RSA, accept, config, connect_to, socket};

fn legacy(name: &str, key: &[&str]) -> Option<OpenSsl> {
    OpenSsl::new(name, key).map(OpenSsl::without_extended_master_secret)
}

fn preferred(config: Config) -> Config {
    config.extended_master_secret(ExtendedMasterSecret::Preferred)
}

#[test]
fn client_of_a_server_without_extended_master_secret() {
    let suite = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
    if let Some(openssl) = legacy("lc", RSA) {
        connect_to(&openssl, &[], suite, preferred);
    }
}

#[test]
fn server_of_a_client_without_extended_master_secret() {
    let suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    if let Some(openssl) = legacy("ls", EC) {
        accept(&openssl, &[], suite, preferred);
    }
}

/// What is not bound to the handshake keys SRTP and nothing else (RFC 7627 §5.4).
#[test]
fn nothing_but_srtp_is_keyed_without_extended_master_secret() {
    let Some(openssl) = legacy("le", EC) else {
        return;
    };
    let socket = socket();
    let connect = socket.local_addr().unwrap().to_string();
    let _peer = openssl.start(&["s_client", "-connect", &connect]);
    let config = preferred(config().expected_fingerprints(vec![openssl.fingerprint]));
    let mut driver = Driver::new(config, Role::Server, socket, None);
    driver.run(|event| *event == Event::Connected);
    let mut out = [7; 20];
    let refused = driver
        .endpoint
        .export_keying_material("EXPORTER-test", None, &mut out);
    assert_eq!(refused, Err(KeyingError::NoExtendedMasterSecret));
    assert_eq!(out, [7; 20]);
    assert!(driver.endpoint.srtp_keying().is_ok());
}

#[test]
fn a_client_without_extended_master_secret_is_refused_by_default() {
    let Some(openssl) = legacy("lr", EC) else {
        return;
    };
    let socket = socket();
    let connect = socket.local_addr().unwrap().to_string();
    let _peer = openssl.start(&["s_client", "-connect", &connect]);
    let mut driver = Driver::new(config(), Role::Server, socket, None);
    let refused = CloseReason::Protocol(ProtocolError::NoExtendedMasterSecret);
    driver.run(|event| *event == Event::Closed(refused));
}
