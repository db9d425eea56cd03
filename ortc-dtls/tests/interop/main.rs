//! Handshakes with the command lines of OpenSSL and GnuTLS over loopback, in both roles, with ECDSA
//! and RSA on their side; both sides export the same keying material. Skipped where `openssl`, or
//! GnuTLS's programs, are missing.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the only tests with real sockets and a real clock"
)]

mod cookie;
mod driver;
mod legacy;
#[path = "../pair/mod.rs"]
mod pair;
mod peers;
mod renegotiation;

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::io::{ErrorKind, Write};
use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use driver::Driver;
use ortc_dtls::crypto::KeyAlgorithm;
use ortc_dtls::wire::NamedGroup;
use ortc_dtls::{
    Certificate, CertificateConfig, CipherSuite, ClientCertificate, CloseReason, Config,
    CookieGate, Endpoint, Event, Role, Verdict,
};
use peers::{OpenSsl, Peer};

const PATIENCE: Duration = Duration::from_secs(10);

/// What everybody has who changes nothing: a peer of DTLS 1.2 is offered 1.3 as well.
fn config() -> Config {
    let provider = pair::provider();
    Config::new(Certificate::generate(&provider).unwrap(), provider)
}

fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

/// Connects, exports, exchanges application data both ways, and closes. The server's first
/// choice of SRTP profiles counts.
fn converse(mut driver: Driver, mut peer: Peer, suite: &str) {
    driver.run(|event| *event == Event::Connected);
    let profile = match driver.endpoint.role() {
        Role::Client => 1,
        Role::Server => 8,
    };
    assert_eq!(driver.endpoint.srtp_profile(), Some(profile));
    let exported = peer.line_with("Keying material: ");
    // The peer asks for as many octets as the longest profile takes; shorter ones are its head.
    assert!(exported.starts_with(&driver.material()), "{exported}");
    assert_eq!(driver.endpoint.cipher_suite().unwrap().to_string(), suite);
    let bound = driver.endpoint.extended_master_secret();
    assert_eq!(bound, Some(peer.extended_master_secret));

    driver
        .endpoint
        .send(b"to openssl\n", Instant::now())
        .unwrap();
    peer.stdin.write_all(b"from openssl\n").unwrap();
    driver.run(|event| *event == Event::ApplicationData((&b"from openssl\n"[..]).into()));
    peer.line_with("to openssl");

    if driver.endpoint.role() == Role::Server {
        // A client that quits sends an authenticated close_notify.
        peer.stdin.write_all(b"Q\n").unwrap();
        driver.run(|event| *event == Event::Closed(CloseReason::PeerClosed));
    } else {
        // A server sees ours and is done with the connection.
        driver.endpoint.close(Instant::now());
        driver.run(|event| *event == Event::Closed(CloseReason::Local));
        peer.line_with("DONE");
    }
}

fn connect_to_server(
    name: &str,
    key: &[&str],
    options: &[&str],
    suite: &str,
    adapt: impl Fn(Config) -> Config,
) {
    if let Some(openssl) = OpenSsl::new(name, key) {
        connect_to(&openssl, options, suite, adapt);
    }
}

fn connect_to(openssl: &OpenSsl, options: &[&str], suite: &str, adapt: impl Fn(Config) -> Config) {
    // A port that is free now.
    let port = socket().local_addr().unwrap().port();
    let accept = port.to_string();
    let mut arguments = vec!["s_server", "-port", &accept, "-Verify", "1"];
    arguments.extend_from_slice(options);
    let peer = openssl.start(&arguments);
    peer.line_with("ACCEPT");
    let config = adapt(config().expected_fingerprints(vec![openssl.fingerprint]));
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    converse(
        Driver::new(config, Role::Client, socket(), Some(address)),
        peer,
        suite,
    );
}

fn accept_client(
    name: &str,
    key: &[&str],
    options: &[&str],
    suite: &str,
    adapt: impl Fn(Config) -> Config,
) {
    if let Some(openssl) = OpenSsl::new(name, key) {
        accept(&openssl, options, suite, adapt);
    }
}

fn accept(openssl: &OpenSsl, options: &[&str], suite: &str, adapt: impl Fn(Config) -> Config) {
    let socket = socket();
    let connect = socket.local_addr().unwrap().to_string();
    let mut arguments = vec!["s_client", "-connect", &connect];
    arguments.extend_from_slice(options);
    let peer = openssl.start(&arguments);
    let config = adapt(config().expected_fingerprints(vec![openssl.fingerprint]));
    converse(Driver::new(config, Role::Server, socket, None), peer, suite);
}

const EC: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const EC384: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
const RSA: &[&str] = &["rsa:2048"];

#[test]
fn server_behind_a_cookie_gate() {
    let Some(openssl) = OpenSsl::new("gate", EC) else {
        return;
    };
    let socket = socket();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let connect = socket.local_addr().unwrap().to_string();
    let peer = openssl.start(&["s_client", "-connect", &connect]);
    let config = Arc::new(config().expected_fingerprints(vec![openssl.fingerprint]));
    let mut gate = CookieGate::new(config.clone(), Instant::now()).unwrap();
    let mut contents = [0; 2048];
    let mut asked = 0;
    let (endpoint, from) = loop {
        let received = socket.recv_from(&mut contents);
        if (received.as_ref()).is_err_and(|error| error.kind() == ErrorKind::Interrupted) {
            // Another test's peer has ended.
            continue;
        }
        let (len, from) = received.unwrap();
        let address = from.to_string();
        let (mut answer, now) = (Vec::new(), Instant::now());
        let verdict = gate.admit(address.as_bytes(), &contents[..len], now, &mut answer);
        if let Verdict::Admit(admission) = verdict {
            break (Endpoint::accept(config, admission, now), from);
        }
        asked += 1;
        socket.send_to(&answer, from).unwrap();
    };
    assert!(asked > 0);
    let driver = Driver {
        endpoint,
        socket,
        peer: Some(from),
        events: Vec::new(),
    };
    converse(driver, peer, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
}

#[test]
fn client_of_an_ecdsa_server() {
    let suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    connect_to_server(
        "ce",
        EC,
        &["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
        suite,
        |c| c,
    );
}

#[test]
fn client_of_an_rsa_server_with_chacha() {
    let suite = "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
    connect_to_server(
        "cr",
        RSA,
        &["-cipher", "ECDHE-RSA-CHACHA20-POLY1305"],
        suite,
        |c| c,
    );
}

#[test]
fn client_of_an_rsa_server_that_signs_with_pkcs1_and_asks_for_a_cookie() {
    let suite = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
    let options = [
        "-cipher",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "-sigalgs",
        "RSA+SHA512:ECDSA+SHA256",
        "-listen",
    ];
    connect_to_server("cc", RSA, &options, suite, |c| c);
}

#[test]
fn client_of_a_server_over_p256_with_small_datagrams() {
    let suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
    let options = ["-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384", "-mtu", "400"];
    connect_to_server("cs", EC, &options, suite, |config| {
        config
            .groups(vec![NamedGroup::SECP256R1])
            .unwrap()
            .mtu(256)
            .unwrap()
    });
}

#[test]
fn server_of_an_ecdsa_client() {
    let suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    accept_client("se", EC, &[], suite, |c| c);
}

#[test]
fn server_of_a_client_without_certificate() {
    let Some(openssl) = OpenSsl::new("sa", EC) else {
        return;
    };
    let socket = socket();
    let connect = socket.local_addr().unwrap().to_string();
    let peer = openssl.start_anonymous(&["s_client", "-connect", &connect]);
    let config = config().client_certificate(ClientCertificate::Requested);
    let mut driver = Driver::new(config, Role::Server, socket, None);
    driver.run(|event| *event == Event::Unverified);
    assert_eq!(driver.endpoint.peer_certificate_der(), None);
    driver.endpoint.accept_peer().unwrap();
    let suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    converse(driver, peer, suite);
}

#[test]
fn server_of_an_rsa_client_over_p256() {
    let suite = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
    accept_client("sr", RSA, &["-groups", "P-256"], suite, |config| {
        config
            .cipher_suites(vec![CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305])
            .unwrap()
    });
}

#[test]
fn server_of_a_p384_client_with_small_datagrams() {
    let suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
    accept_client(
        "ss",
        EC384,
        &["-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384", "-mtu", "256"],
        suite,
        |config| config.mtu(256).unwrap(),
    );
}

/// A client of `gnutls-serv`, which echoes what it is sent.
fn connect_to_gnutls(name: &str, key: &[&str], options: &[&str]) {
    let Some(openssl) = OpenSsl::new(name, key) else {
        return;
    };
    let port = socket().local_addr().unwrap().port();
    let listen = port.to_string();
    let mut arguments = vec!["--port", &listen, "--require-client-cert", "--echo"];
    arguments.extend_from_slice(options);
    let Some(peer) = openssl.start_gnutls("gnutls-serv", &arguments) else {
        return;
    };
    peer.line_with("Waiting for connection");
    let config = config().expected_fingerprints(vec![openssl.fingerprint]);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut driver = Driver::new(config, Role::Client, socket(), Some(address));
    driver.run(|event| *event == Event::Connected);
    assert_eq!(driver.endpoint.srtp_profile(), Some(1));
    driver
        .endpoint
        .send(b"to gnutls\n", Instant::now())
        .unwrap();
    driver.run(|event| *event == Event::ApplicationData((&b"to gnutls\n"[..]).into()));
}

/// The server of `gnutls-cli`, which prints what it exports.
fn accept_gnutls(name: &str, key: &[&str], options: &[&str]) {
    let Some(openssl) = OpenSsl::new(name, key) else {
        return;
    };
    let socket = socket();
    let port = socket.local_addr().unwrap().port().to_string();
    let mut arguments = vec!["--insecure", "--port", &port, "127.0.0.1"];
    arguments.extend_from_slice(&[
        "--keymatexport=EXTRACTOR-dtls_srtp",
        "--keymatexportsize=60",
    ]);
    arguments.extend_from_slice(options);
    let Some(mut peer) = openssl.start_gnutls("gnutls-cli", &arguments) else {
        return;
    };
    let config = config().expected_fingerprints(vec![openssl.fingerprint]);
    let mut driver = Driver::new(config, Role::Server, socket, None);
    driver.run(|event| *event == Event::Connected);
    assert_eq!(driver.endpoint.srtp_profile(), Some(1));
    let exported = peer.line_with("Key material: ").to_uppercase();
    assert_eq!(exported, driver.material());
    peer.stdin.write_all(b"from gnutls\n").unwrap();
    driver.run(|event| *event == Event::ApplicationData((&b"from gnutls\n"[..]).into()));
    driver
        .endpoint
        .send(b"to gnutls\n", Instant::now())
        .unwrap();
    driver.endpoint.close(Instant::now());
    driver.run(|event| *event == Event::Closed(CloseReason::Local));
    peer.line_with("to gnutls");
}

#[test]
fn client_of_a_gnutls_server_with_ecdsa_that_asks_for_a_cookie() {
    connect_to_gnutls("gce", EC, &[]);
}

#[test]
fn client_of_a_gnutls_server_with_rsa_in_small_datagrams() {
    connect_to_gnutls("gcr", RSA, &["--nocookie", "--mtu", "400"]);
}

#[test]
fn server_of_a_gnutls_client_with_ecdsa() {
    accept_gnutls("gse", EC, &[]);
}

#[test]
fn server_of_a_gnutls_client_with_rsa_in_small_datagrams() {
    accept_gnutls("gsr", RSA, &["--mtu", "400"]);
}

/// Every kind of certificate of ours, as OpenSSL reads and verifies it.
#[test]
fn openssl_verifies_our_certificates() {
    let Some(openssl) = OpenSsl::new("certs", EC) else {
        return;
    };
    for provider in pair::providers() {
        for (kind, expected) in [
            (KeyAlgorithm::EcdsaP256, "ecdsa-with-SHA256"),
            (KeyAlgorithm::EcdsaP384, "ecdsa-with-SHA384"),
            (KeyAlgorithm::Ed25519, "ED25519"),
        ] {
            let config = CertificateConfig::default().key(kind);
            let (certificate, key) = Certificate::generate_with(&provider, &config).unwrap();
            let run = |arguments: &[&str]| {
                let mut command = Command::new("openssl");
                command.args(arguments).current_dir(&openssl.directory);
                let output = command.output().unwrap();
                assert!(output.status.success(), "{arguments:?} {output:?}");
                String::from_utf8(output.stdout).unwrap()
            };
            fs::write(openssl.directory.join("own.der"), certificate.der()).unwrap();
            fs::write(openssl.directory.join("own.key"), &*key).unwrap();
            let text = run(&[
                "x509", "-inform", "DER", "-in", "own.der", "-noout", "-text",
            ]);
            assert!(text.contains(expected), "{text}");
            assert!(text.contains("Issuer: CN = WebRTC") && text.contains("Subject: CN = WebRTC"));
            run(&[
                "x509", "-inform", "DER", "-in", "own.der", "-out", "own.pem",
            ]);
            run(&["verify", "-check_ss_sig", "-CAfile", "own.pem", "own.pem"]);
            run(&[
                "pkey", "-inform", "DER", "-in", "own.key", "-noout", "-check",
            ]);
        }
    }
}
