//! The command lines of OpenSSL and GnuTLS as peers.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use ortc_dtls::Fingerprint;

use crate::PATIENCE;

/// DTLS 1.2 alone, with what else is usual.
const GNUTLS_DTLS12: &str = "NORMAL:-VERS-ALL:+VERS-DTLS1.2";

/// What switches the extended master secret off, in the directory that `openssl` runs in.
const LEGACY: &str = "legacy.cnf";
const LEGACY_CONTENTS: &str = "openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = sessions
[sessions]
Options = -ExtendedMasterSecret
";

/// `openssl` with a certificate of its own, in a directory of its own.
pub(crate) struct OpenSsl {
    pub(crate) directory: PathBuf,
    pub(crate) fingerprint: Fingerprint,
    extended_master_secret: bool,
}

/// A running `openssl s_client` or `s_server`.
pub(crate) struct Peer {
    pub(crate) child: Child,
    pub(crate) stdin: ChildStdin,
    pub(crate) lines: Receiver<String>,
    pub(crate) extended_master_secret: bool,
}

impl OpenSsl {
    /// `None` where there is no `openssl`.
    pub(crate) fn new(name: &str, key: &[&str]) -> Option<Self> {
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
            extended_master_secret: true,
        })
    }

    /// As implementations are that do not know RFC 7627.
    pub(crate) fn without_extended_master_secret(mut self) -> Self {
        fs::write(self.directory.join(LEGACY), LEGACY_CONTENTS).unwrap();
        self.extended_master_secret = false;
        self
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Peer {
        let own = ["-cert", "cert.pem", "-key", "key.pem"];
        self.start_anonymous(&[arguments, &own].concat())
    }

    /// Without its certificate.
    pub(crate) fn start_anonymous(&self, arguments: &[&str]) -> Peer {
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
        if !self.extended_master_secret {
            command.env("OPENSSL_CONF", LEGACY);
        }
        self.spawn(&mut command)
    }

    /// `gnutls-cli` or `gnutls-serv` with the certificate that OpenSSL made; `None` where it is
    /// missing.
    pub(crate) fn start_gnutls(&self, program: &str, arguments: &[&str]) -> Option<Peer> {
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

    pub(crate) fn spawn(&self, command: &mut Command) -> Peer {
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
            extended_master_secret: self.extended_master_secret,
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
    pub(crate) fn line_with(&self, text: &str) -> String {
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
