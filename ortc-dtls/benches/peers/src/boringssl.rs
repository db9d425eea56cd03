//! BoringSSL, through the crate `boring`, over datagrams in memory.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use boring::pkey::PKey;
use boring::ssl::{
    HandshakeError, MidHandshakeSslStream, Ssl, SslContext, SslContextBuilder, SslMethod,
    SslOptions, SslStream, SslVerifyMode, SslVersion,
};
use boring::x509::X509;
use ortc_dtls::Role;

use crate::{Keying, Side, Version};

/// Datagrams in and out.
#[derive(Debug, Default)]
struct Path {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

impl Read for Path {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.pop_front();
        let datagram = datagram.ok_or(io::ErrorKind::WouldBlock)?;
        out[..datagram.len()].copy_from_slice(&datagram);
        Ok(datagram.len())
    }
}

impl Write for Path {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outgoing.push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum State {
    Handshake(MidHandshakeSslStream<Path>),
    Connected(SslStream<Path>),
    Between,
}

/// An endpoint of BoringSSL. Its timers run on the system's clock; over a perfect path none ends.
pub struct BoringSsl(State);

impl BoringSsl {
    /// A context with a certificate in DER and its key as PKCS #8, which asks for the peer's
    /// certificate and takes any. `groups` are names of BoringSSL's, colons between.
    #[must_use]
    pub fn context(
        version: Version,
        certificate: &[u8],
        pkcs8: &[u8],
        groups: &str,
    ) -> SslContextBuilder {
        let version = match version {
            Version::DTLS13 => SslVersion::DTLS1_3,
            _ => SslVersion::DTLS1_2,
        };
        let mut context = SslContext::builder(SslMethod::dtls()).unwrap();
        context.set_min_proto_version(Some(version)).unwrap();
        context.set_max_proto_version(Some(version)).unwrap();
        let certificate = X509::from_der(certificate).unwrap();
        context.set_certificate(&certificate).unwrap();
        let key = PKey::private_key_from_pkcs8(pkcs8).unwrap();
        context.set_private_key(&key).unwrap();
        context.set_curves_list(groups).unwrap();
        context
            .set_tlsext_use_srtp("SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80")
            .unwrap();
        context.set_options(SslOptions::NO_QUERY_MTU);
        let mode = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
        context.set_custom_verify_callback(mode, |_| Ok(()));
        context
    }

    /// Begins.
    #[must_use]
    pub fn new(context: &SslContext, role: Role, mtu: usize) -> Self {
        let mut ssl = Ssl::new(context).unwrap();
        ssl.set_mtu(mtu.try_into().unwrap()).unwrap();
        let mut side = Self(State::Handshake(match role {
            Role::Client => ssl.setup_connect(Path::default()),
            Role::Server => ssl.setup_accept(Path::default()),
        }));
        side.go_on();
        side
    }

    /// The cipher suite's name in BoringSSL, once connected.
    #[must_use]
    pub fn cipher(&mut self) -> String {
        let cipher = self.stream().ssl().current_cipher();
        cipher.unwrap().standard_name().unwrap().to_owned()
    }

    /// Exports key material, once connected.
    pub fn export(&mut self, label: &str, context: Option<&[u8]>, out: &mut [u8]) {
        let ssl = self.stream().ssl();
        ssl.export_keying_material(out, label, context).unwrap();
    }

    /// Says good-bye.
    pub fn close(&mut self) {
        self.stream().shutdown().unwrap();
    }

    /// Whether the peer ended the connection with a close_notify.
    #[must_use]
    pub fn is_closed(&mut self) -> bool {
        matches!(self.stream().read(&mut [0; 16]), Ok(0))
    }

    fn go_on(&mut self) {
        self.0 = match std::mem::replace(&mut self.0, State::Between) {
            State::Handshake(handshake) => match handshake.handshake() {
                Ok(stream) => State::Connected(stream),
                Err(HandshakeError::WouldBlock(handshake)) => State::Handshake(handshake),
                Err(error) => panic!("{error}"),
            },
            state @ (State::Connected(_) | State::Between) => state,
        };
    }

    fn path(&mut self) -> &mut Path {
        match &mut self.0 {
            State::Handshake(handshake) => handshake.get_mut(),
            State::Connected(stream) => stream.get_mut(),
            State::Between => unreachable!("only while the handshake goes on"),
        }
    }

    fn stream(&mut self) -> &mut SslStream<Path> {
        match &mut self.0 {
            State::Connected(stream) => stream,
            State::Handshake(_) | State::Between => panic!("not connected"),
        }
    }
}

impl Side for BoringSsl {
    fn receive(&mut self, datagram: &mut [u8]) {
        self.path().incoming.push_back(datagram.to_vec());
        self.go_on();
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> bool {
        match self.path().outgoing.pop_front() {
            Some(datagram) => {
                out.extend_from_slice(&datagram);
                true
            }
            None => false,
        }
    }

    fn is_connected(&self) -> bool {
        matches!(self.0, State::Connected(_))
    }

    fn keying(&mut self) -> Keying {
        let ssl = self.stream().ssl();
        let profile = ssl.selected_srtp_profile().unwrap().id();
        let profile = u16::try_from(profile.as_raw()).unwrap();
        let len = if profile == 7 {
            2 * (16 + 12)
        } else {
            2 * (16 + 14)
        };
        let mut material = vec![0; len];
        ssl.export_keying_material(&mut material, "EXTRACTOR-dtls_srtp", None)
            .unwrap();
        Keying { profile, material }
    }

    fn send(&mut self, data: &[u8]) {
        assert_eq!(self.stream().write(data).unwrap(), data.len());
    }

    fn take(&mut self, out: &mut Vec<u8>) -> bool {
        let mut buffer = [0; 2048];
        match self.stream().read(&mut buffer) {
            Ok(len) => {
                out.extend_from_slice(&buffer[..len]);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        }
    }
}
