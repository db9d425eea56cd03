//! coturn: a STUN and TURN server, where it is installed.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a real server needs real sockets and a real clock"
)]

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// The only user.
pub const USER: &str = "alice";
/// Her password.
pub const PASSWORD: &str = "secret";
/// The realm of the server.
pub const REALM: &str = "example.org";

/// How long the server may take to start.
const START: Duration = Duration::from_secs(20);
/// The ports of relayed addresses; below those that the system hands out by itself.
const RELAYS: (u16, u16) = (10_000, 32_000);

static STARTED: AtomicU32 = AtomicU32::new(0);

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Coturn {
    child: Child,
    folder: PathBuf,
    /// UDP and TCP.
    pub plain: SocketAddr,
    /// TLS over TCP; the certificate is in [`Self::certificate`].
    pub tls: SocketAddr,
    /// The certificate in PEM, for the name `localhost`.
    pub certificate: String,
}

impl Coturn {
    /// Starts a server on loopback with these arguments more; `None` where coturn is not installed.
    #[must_use]
    pub fn start(more: &[&str]) -> Option<Self> {
        Self::start_on(IpAddr::V4(Ipv4Addr::LOCALHOST), more)
    }

    /// Starts a server that listens at this address and relays from it. Arguments have the form
    /// `--name=value`: coturn ignores what comes after a space.
    #[must_use]
    pub fn start_on(listen: IpAddr, more: &[&str]) -> Option<Self> {
        let (plain, tls) = (free_port(listen), free_port(listen));
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("coturn-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let certificate = certificate(&folder);
        let place = |name: &str| folder.join(name).display().to_string();
        let mut command = Command::new("turnserver");
        command
            .arg("-n")
            .arg(format!("--listening-ip={listen}"))
            .arg(format!("--relay-ip={listen}"))
            .arg(format!("--listening-port={}", plain.port()))
            .arg(format!("--tls-listening-port={}", tls.port()))
            .arg(format!("--cert={}", place("cert.pem")))
            .arg(format!("--pkey={}", place("key.pem")))
            .arg("--lt-cred-mech")
            .arg(format!("--user={USER}:{PASSWORD}"))
            .arg(format!("--realm={REALM}"))
            .arg(format!("--min-port={}", RELAYS.0))
            .arg(format!("--max-port={}", RELAYS.1))
            .args(["--fingerprint", "--allow-loopback-peers", "--no-cli"])
            .arg("--log-file=stdout")
            .arg(format!("--pidfile={}", place("pid")))
            .arg(format!("--userdb={}", place("db.sqlite")))
            .args(more)
            .stdin(Stdio::null())
            .stdout(fs::File::create(folder.join("log")).unwrap())
            .stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            let _ = fs::remove_dir_all(&folder);
            println!("skipped: turnserver (coturn) is not installed");
            return None;
        };
        let server = Self {
            child,
            folder,
            plain,
            tls,
            certificate,
        };
        server.wait();
        Some(server)
    }

    /// What it has written to its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Until it answers a Binding request.
    fn wait(&self) {
        let socket = UdpSocket::bind(SocketAddr::new(self.plain.ip(), 0)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42];
        request.extend_from_slice(&[7; 12]);
        let began = Instant::now();
        while began.elapsed() < START {
            let _ = socket.send_to(&request, self.plain);
            if socket.recv_from(&mut [0; 1500]).is_ok() {
                return;
            }
        }
        panic!("coturn does not answer:\n{}", self.log());
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A port that is free for UDP and TCP, and so is the next one, which coturn may take as well.
fn free_port(ip: IpAddr) -> SocketAddr {
    for _ in 0..1000 {
        let listener = TcpListener::bind(SocketAddr::new(ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port");
}

fn certificate(folder: &std::path::Path) -> String {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
        .args(["ec_paramgen_curve:P-256", "-nodes", "-days", "30"])
        .args(["-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("cert.pem"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match made {
        Ok(status) if status.success() => fs::read_to_string(folder.join("cert.pem")).unwrap(),
        _ => String::new(),
    }
}
