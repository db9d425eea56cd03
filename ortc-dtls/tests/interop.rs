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

mod pair;

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use ortc_dtls::crypto::KeyAlgorithm;
use ortc_dtls::wire::NamedGroup;
use ortc_dtls::{
    Certificate, CertificateConfig, CipherSuite, ClientCertificate, CloseReason, Config,
    CookieGate, Endpoint, Event, Fingerprint, PeerVerification, Role, Verdict,
};

/// DTLS 1.2 alone, with what else is usual.
const GNUTLS_DTLS12: &str = "NORMAL:-VERS-ALL:+VERS-DTLS1.2";

const PATIENCE: Duration = Duration::from_secs(10);

/// `openssl` with a certificate of its own, in a directory of its own.
struct OpenSsl {
    directory: PathBuf,
    fingerprint: Fingerprint,
}

/// A running `openssl s_client` or `s_server`.
struct Peer {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl OpenSsl {
    /// `None` where there is no `openssl`.
    fn new(name: &str, key: &[&str]) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            println!("skipped: openssl is not installed");
            return None;
        }
        let directory =
            std::env::temp_dir().join(format!("ortc-dtls-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-subj", "/CN=peer", "-days", "10"])
            .args(["-keyout", "key.pem", "-out", "cert.pem", "-newkey"])
            .args(key)
            .current_dir(&directory)
            .output()
            .unwrap();
        assert!(made.status.success());
        let printed = Command::new("openssl")
            .args([
                "x509",
                "-in",
                "cert.pem",
                "-noout",
                "-fingerprint",
                "-sha512",
            ])
            .current_dir(&directory)
            .output()
            .unwrap();
        let printed = String::from_utf8(printed.stdout).unwrap();
        let (_, value) = printed.trim().split_once('=').unwrap();
        Some(Self {
            directory,
            fingerprint: Fingerprint::parse("sha-512", value).unwrap(),
        })
    }

    fn start(&self, arguments: &[&str]) -> Peer {
        let own = ["-cert", "cert.pem", "-key", "key.pem"];
        self.start_anonymous(&[arguments, &own].concat())
    }

    /// Without its certificate.
    fn start_anonymous(&self, arguments: &[&str]) -> Peer {
        let mut command = Command::new("openssl");
        command
            .args(arguments)
            .arg("-dtls1_2")
            .args(["-use_srtp", "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM"])
            .args([
                "-keymatexport",
                "EXTRACTOR-dtls_srtp",
                "-keymatexportlen",
                "88",
            ]);
        self.spawn(&mut command)
    }

    /// `gnutls-cli` or `gnutls-serv` with the certificate that OpenSSL made; `None` where it is
    /// missing.
    fn start_gnutls(&self, program: &str, arguments: &[&str]) -> Option<Peer> {
        if Command::new(program).arg("--version").output().is_err() {
            println!("skipped: {program} is not installed");
            return None;
        }
        // Its output is written by lines only to a terminal, unless `stdbuf` says so.
        let mut command = Command::new("stdbuf");
        command
            .args(["-oL", program, "--udp", "--priority", GNUTLS_DTLS12])
            .args(["--x509certfile", "cert.pem", "--x509keyfile", "key.pem"])
            .arg("--srtp-profiles=SRTP_AES128_CM_HMAC_SHA1_80")
            .args(arguments);
        Some(self.spawn(&mut command))
    }

    fn spawn(&self, command: &mut Command) -> Peer {
        let mut child = command
            .current_dir(&self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let stdin = child.stdin.take().unwrap();
        Peer {
            child,
            stdin,
            lines,
        }
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Peer {
    /// The rest of the first line that contains `text`.
    fn line_with(&self, text: &str) -> String {
        let mut seen = String::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            if let Some((_, rest)) = line.split_once(text) {
                return rest.trim().to_owned();
            }
            seen.push_str(&line);
            seen.push('\n');
        }
        panic!("no line with {text:?} in:\n{seen}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our endpoint behind a socket.
struct Driver {
    endpoint: Endpoint,
    socket: UdpSocket,
    peer: Option<SocketAddr>,
    events: Vec<Event>,
}

impl Driver {
    fn new(config: Config, role: Role, socket: UdpSocket, peer: Option<SocketAddr>) -> Self {
        Self {
            endpoint: Endpoint::new(Arc::new(config), role, Instant::now()),
            socket,
            peer,
            events: Vec::new(),
        }
    }

    /// Runs until an event satisfies `done`.
    fn run(&mut self, done: impl Fn(&Event) -> bool) {
        let end = Instant::now() + PATIENCE;
        let mut contents = [0; 2048];
        loop {
            assert!(
                Instant::now() < end,
                "{:?} {:?}",
                self.events,
                self.endpoint.stats()
            );
            let mut out = Vec::new();
            while let Some(peer) = self.peer {
                out.clear();
                if self
                    .endpoint
                    .poll_transmit(&mut out, Instant::now())
                    .is_none()
                {
                    break;
                }
                let _ = self.socket.send_to(&out, peer);
            }
            if self.events.iter().any(&done) {
                return;
            }
            self.socket
                .set_read_timeout(Some(Duration::from_millis(5)))
                .unwrap();
            if let Ok((len, from)) = self.socket.recv_from(&mut contents) {
                self.peer = Some(from);
                self.endpoint
                    .handle_datagram(&mut contents[..len], Instant::now());
            }
            self.endpoint.handle_timeout(Instant::now());
            while let Some(event) = self.endpoint.poll_event() {
                self.events.push(event);
            }
        }
    }

    fn material(&self) -> String {
        let keying = self.endpoint.srtp_keying().unwrap();
        let parts = [
            &keying.client_key,
            &keying.server_key,
            &keying.client_salt,
            &keying.server_salt,
        ];
        parts
            .iter()
            .map(|part| hex::encode_upper(&part[..]))
            .collect()
    }
}

fn config() -> Config {
    pair::config(&pair::provider()).verification(PeerVerification::HoldUntilVerified)
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
    let Some(openssl) = OpenSsl::new(name, key) else {
        return;
    };
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
    let Some(openssl) = OpenSsl::new(name, key) else {
        return;
    };
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
        let (len, from) = socket.recv_from(&mut contents).unwrap();
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
