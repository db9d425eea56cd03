//! Handshakes with NSS, the library of Firefox, over loopback in both roles, in DTLS 1.3 and, where
//! we have both versions, in DTLS 1.2: NSS's own `tstclnt` with the libraries of a Firefox that is
//! installed. Skipped where one of them is missing.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a test with real sockets and a real clock"
)]

mod pair;

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use ortc_dtls::wire::NamedGroup;
use ortc_dtls::{
    Certificate, CipherSuite, Config, CookieGate, Endpoint, Event, KeyUpdate, PeerVerification,
    Role, Verdict, Version,
};
use pair::provider;

/// Where Firefox keeps its libraries; those of the system may speak drafts of DTLS 1.3 only.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/firefox-esr",
    "/usr/lib/firefox",
    "/usr/lib64/firefox",
];

const PATIENCE: Duration = Duration::from_secs(10);

/// NSS with a database that has one certificate of its own.
struct Nss {
    libraries: &'static str,
    directory: PathBuf,
}

impl Nss {
    /// `None` where something is missing.
    fn new(name: &str) -> Option<Self> {
        let libraries = LIBRARIES
            .into_iter()
            .find(|path| Path::new(path).join("libssl3.so").exists());
        let present = |program| Command::new(program).arg("-H").output().is_ok();
        let (Some(libraries), true, true) = (libraries, present("certutil"), present("tstclnt"))
        else {
            println!("skipped: tstclnt, certutil or Firefox is not installed");
            return None;
        };
        let directory =
            std::env::temp_dir().join(format!("ortc-nss-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let database = format!("sql:{}", directory.display());
        let noise = directory.join("noise");
        fs::write(&noise, [7; 64]).unwrap();
        let certutil = |arguments: &[&str]| {
            let mut command = Command::new("certutil");
            let output = command.args(arguments).args(["-d", &database]).output();
            let output = output.unwrap();
            assert!(output.status.success(), "{output:?}");
        };
        certutil(&["-N", "--empty-password"]);
        let noise = noise.to_str().unwrap();
        certutil(&[
            "-S",
            "-n",
            "peer",
            "-s",
            "CN=peer",
            "-x",
            "-t",
            "CTu,Cu,Cu",
            "-k",
            "ec",
            "-q",
            "nistp256",
            "-z",
            noise,
        ]);
        Some(Self {
            libraries,
            directory,
        })
    }

    /// Starts as this role, at or towards this port.
    fn start(&self, version: Version, role: Role, port: u16) -> Running {
        let role = match role {
            Role::Client => "client",
            Role::Server => "server",
        };
        let database = format!("sql:{}", self.directory.display());
        let versions = if version == Version::DTLS13 {
            "tls1.3:tls1.3"
        } else {
            "tls1.2:tls1.2"
        };
        // What it exports is written by lines only to a terminal, unless `stdbuf` says so.
        let mut child = Command::new("stdbuf")
            .env("LD_LIBRARY_PATH", self.libraries)
            .args(["-oL", "tstclnt"])
            .args(["-P", role, "-h", "127.0.0.1", "-p", &port.to_string()])
            .args(["-d", &database, "-n", "peer", "-V", versions, "-o"])
            .args(["-x", "EXTRACTOR-dtls_srtp:60,EXPORTER-test:40:context"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                println!("tstclnt: {line}");
            }
        });
        Running { child, lines }
    }
}

impl Drop for Nss {
    fn drop(&mut self) {
        // What is left in a temporary directory harms nobody.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A running `tstclnt`, which ends with the test.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// The next key material that it prints, so many octets.
    fn exported(&self, ours: &mut Ours, len: usize) -> Vec<u8> {
        let (mut begun, mut octets) = (false, Vec::new());
        let complete = ours.run(|_| {
            while octets.len() < len
                && let Ok(line) = self.lines.try_recv()
            {
                if begun {
                    let digits = line.replace([':', ' '], "");
                    octets.extend(hex::decode(digits.trim()).unwrap());
                }
                begun |= line.contains("Keying Material:") && !line.contains("Exported");
            }
            octets.len() >= len
        });
        assert!(complete, "NSS prints no key material");
        octets
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our side: an endpoint and its socket.
struct Ours {
    endpoint: Endpoint,
    socket: UdpSocket,
    peer: Option<SocketAddr>,
    events: Vec<Event>,
}

impl Ours {
    fn new(config: Config, role: Role, peer: Option<SocketAddr>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        Self {
            endpoint: Endpoint::new(Arc::new(config), role, Instant::now()),
            socket,
            peer,
            events: Vec::new(),
        }
    }

    /// Runs until it is done or the patience is at its end.
    fn run(&mut self, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        let mut datagram = vec![0; 2048];
        while !done(self) {
            let now = Instant::now();
            if now > end {
                return false;
            }
            if let Some(peer) = self.peer {
                let mut out = Vec::new();
                while self.endpoint.poll_transmit(&mut out, now).is_some() {
                    // Nobody may listen yet.
                    let _ = self.socket.send_to(&out, peer);
                    out.clear();
                }
            }
            while let Some(event) = self.endpoint.poll_event() {
                self.events.push(event);
            }
            let wait = Duration::from_millis(5);
            self.socket.set_read_timeout(Some(wait)).unwrap();
            if let Ok((len, from)) = self.socket.recv_from(&mut datagram) {
                self.peer = Some(from);
                let contents = datagram.get_mut(..len).unwrap();
                self.endpoint.handle_datagram(contents, Instant::now());
            }
            let now = Instant::now();
            if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
                self.endpoint.handle_timeout(now);
            }
        }
        true
    }

    fn connected(&self) -> bool {
        self.events.contains(&Event::Connected)
    }
}

fn config(suite: CipherSuite, groups: &[NamedGroup]) -> Config {
    let provider = provider();
    Config::new(Certificate::generate(&provider).unwrap(), provider)
        .verification(PeerVerification::TrustFirst)
        .versions(&[Version::DTLS13])
        .unwrap()
        .cipher_suites(vec![suite])
        .unwrap()
        .groups(groups.to_vec())
        .unwrap()
}

/// Both export the same, with a context and without; data both ways, in DTLS 1.3 before and after
/// both sides have changed their keys.
fn converse(ours: &mut Ours, peer: &mut Running) {
    for (label, context, len) in [
        ("EXTRACTOR-dtls_srtp", None, 60),
        ("EXPORTER-test", Some(&b"context"[..]), 40),
    ] {
        let mut exported = vec![0; len];
        (ours.endpoint)
            .export_keying_material(label, context, &mut exported)
            .unwrap();
        assert_eq!(peer.exported(ours, len), exported, "{label}");
    }
    let mut stdin = peer.child.stdin.take().unwrap();
    for round in 0..3 {
        let text = format!("to NSS {round}");
        let now = Instant::now();
        ours.endpoint
            .send(format!("{text}\n").as_bytes(), now)
            .unwrap();
        assert!(
            ours.run(|_| peer.lines.try_recv().is_ok_and(|line| line.contains(&text))),
            "NSS does not print {text}"
        );
        let text = format!("from NSS {round}\n");
        stdin.write_all(text.as_bytes()).unwrap();
        stdin.flush().unwrap();
        let event = Event::ApplicationData(text.into_bytes().into());
        assert!(
            ours.run(|ours| ours.events.contains(&event)),
            "{:?}",
            ours.events
        );
        if ours.endpoint.version() == Some(Version::DTLS13) {
            ours.endpoint
                .update_keys(KeyUpdate::Both, Instant::now())
                .unwrap();
        }
    }
}

#[test]
fn a_server_of_nss_connects_and_changes_keys() {
    let Some(nss) = Nss::new("server") else {
        return;
    };
    for suite in [
        CipherSuite::AES_128_GCM_SHA256,
        CipherSuite::AES_256_GCM_SHA384,
        CipherSuite::CHACHA20_POLY1305_SHA256,
    ] {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap();
        drop(port);
        let mut peer = nss.start(Version::DTLS13, Role::Server, address.port());
        let groups = [NamedGroup::X25519, NamedGroup::SECP256R1];
        let mut ours = Ours::new(config(suite, &groups), Role::Client, Some(address));
        assert!(ours.run(Ours::connected), "{suite}: {:?}", ours.events);
        assert_eq!(ours.endpoint.cipher_suite(), Some(suite));
        converse(&mut ours, &mut peer);
    }
}

#[test]
fn a_client_of_nss_connects_and_changes_keys() {
    let Some(nss) = Nss::new("client") else {
        return;
    };
    for cookie in [false, true] {
        for groups in [&[NamedGroup::X25519][..], &[NamedGroup::SECP384R1]] {
            let suite = CipherSuite::AES_128_GCM_SHA256;
            let config = config(suite, groups).cookie_exchange(cookie);
            let mut ours = Ours::new(config, Role::Server, None);
            let port = ours.socket.local_addr().unwrap().port();
            let mut peer = nss.start(Version::DTLS13, Role::Client, port);
            assert!(ours.run(Ours::connected), "{groups:?}: {:?}", ours.events);
            converse(&mut ours, &mut peer);
        }
    }
}

#[test]
fn a_client_of_nss_passes_a_cookie_gate() {
    let Some(nss) = Nss::new("gate") else {
        return;
    };
    // With the second it is asked for another share as well.
    for groups in [&[NamedGroup::X25519][..], &[NamedGroup::SECP384R1]] {
        let config = config(CipherSuite::AES_128_GCM_SHA256, groups);
        let mut ours = Ours::new(config.clone(), Role::Server, None);
        let config = Arc::new(config);
        let mut gate = CookieGate::new(config.clone(), Instant::now()).unwrap();
        let port = ours.socket.local_addr().unwrap().port();
        let mut peer = nss.start(Version::DTLS13, Role::Client, port);
        ours.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut datagram = [0; 2048];
        let mut asked = 0;
        while ours.peer.is_none() {
            let (len, from) = ours.socket.recv_from(&mut datagram).unwrap();
            let contents = datagram.get(..len).unwrap();
            let (address, now) = (from.to_string(), Instant::now());
            let mut answer = Vec::new();
            let verdict = gate.admit(address.as_bytes(), contents, now, &mut answer);
            if let Verdict::Admit(admission) = verdict {
                ours.endpoint = Endpoint::accept(config.clone(), admission, now);
                ours.peer = Some(from);
            } else {
                asked += 1;
                ours.socket.send_to(&answer, from).unwrap();
            }
        }
        assert!(asked > 0);
        assert!(ours.run(Ours::connected), "{groups:?}: {:?}", ours.events);
        converse(&mut ours, &mut peer);
    }
}

/// Nothing is configured but whom to trust, so that both versions are offered and answered.
#[test]
fn a_peer_that_has_dtls_1_2_alone_connects_with_the_default_configuration() {
    let Some(nss) = Nss::new("older") else {
        return;
    };
    for version in [Version::DTLS12, Version::DTLS13] {
        for role in [Role::Client, Role::Server] {
            let provider = provider();
            let certificate = Certificate::generate(&provider).unwrap();
            let trust = PeerVerification::TrustFirst;
            let config = Config::new(certificate, provider).verification(trust);
            let (mut ours, mut peer);
            if role == Role::Server {
                ours = Ours::new(config, role, None);
                let port = ours.socket.local_addr().unwrap().port();
                peer = nss.start(version, Role::Client, port);
            } else {
                let port = UdpSocket::bind("127.0.0.1:0").unwrap();
                let address = port.local_addr().unwrap();
                drop(port);
                peer = nss.start(version, Role::Server, address.port());
                ours = Ours::new(config, role, Some(address));
            }
            let connected = ours.run(Ours::connected);
            let told = ours.endpoint.plaintext_alert();
            assert!(connected, "{version} {role:?} {:?} {told:?}", ours.events);
            assert_eq!(ours.endpoint.version(), Some(version));
            converse(&mut ours, &mut peer);
        }
    }
}
