//! TLS over a stream, with the octets in our hands: the library that does it owns no socket either.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// Where systems keep the certificates that they trust.
const SYSTEM: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Whose certificates are believed.
#[derive(Clone)]
pub(crate) struct Trust(Arc<ClientConfig>);

impl Trust {
    /// The certificates in a file, or those of the system.
    pub(crate) fn new(file: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        match file {
            Some(file) => {
                let pem = fs::read(file)
                    .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
                if add(&mut roots, &pem) == 0 {
                    return Err(format!("{} holds no certificate", file.display()));
                }
            }
            None => {
                for file in SYSTEM {
                    let pem = fs::read(file).unwrap_or_default();
                    if add(&mut roots, &pem) > 0 {
                        break;
                    }
                }
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> usize {
    let certificates = CertificateDer::pem_slice_iter(pem).flatten();
    roots.add_parsable_certificates(certificates).0
}

pub(crate) struct Tls(ClientConnection);

impl Tls {
    /// Shakes hands, waiting for it.
    pub(crate) fn connect(
        trust: &Trust,
        server_name: &str,
        socket: &mut (impl Read + Write),
    ) -> Result<Self, String> {
        let name = ServerName::try_from(server_name.to_owned())
            .map_err(|_| format!("`{server_name}` is no name that a certificate can be for"))?;
        let mut connection =
            ClientConnection::new(trust.0.clone(), name).map_err(|error| error.to_string())?;
        while connection.is_handshaking() {
            connection
                .complete_io(socket)
                .map_err(|error| error.to_string())?;
        }
        Ok(Self(connection))
    }

    pub(crate) fn write(&mut self, octets: &[u8], socket: &mut impl Write) -> std::io::Result<()> {
        self.0.writer().write_all(octets)?;
        self.flush(socket)
    }

    fn flush(&mut self, socket: &mut impl Write) -> std::io::Result<()> {
        while self.0.wants_write() {
            self.0.write_tls(socket)?;
        }
        Ok(())
    }

    /// The octets inside; `None` when the connection is over.
    pub(crate) fn read(&mut self, mut octets: &[u8], socket: &mut impl Write) -> Option<Vec<u8>> {
        let mut inside = Vec::new();
        while !octets.is_empty() {
            self.0.read_tls(&mut octets).ok()?;
            self.0.process_new_packets().ok()?;
            let mut buf = [0; 4096];
            while let Ok(len) = self.0.reader().read(&mut buf) {
                if len == 0 {
                    break;
                }
                inside.extend_from_slice(buf.get(..len)?);
            }
        }
        self.flush(socket).ok()?;
        Some(inside)
    }
}
