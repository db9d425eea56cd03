//! DTLS 1.3 (RFC 9147, RFC 8446) as far as WebRTC uses it: full handshakes with (EC)DHE and
//! certificates on both sides, ACKs, KeyUpdates. No resumption, no early data.

mod ack;
#[cfg(test)]
mod captures;
pub(crate) mod client;
mod connection_id;
mod key_update;
mod schedule;
pub(crate) mod server;
mod suite;
mod transcript;

pub(crate) use self::ack::Acks;
pub(crate) use self::key_update::{PeerUpdate, Traffic};
use self::schedule::{ApplicationSecrets, FinishedKey, HandshakeSecrets, MasterSecret};
pub(crate) use self::suite::{SCHEMES, Suite};
pub(crate) use self::transcript::Transcript;
use crate::config::{Config, Role};
use crate::context::Context;
use crate::crypto::{CryptoError, Output};
use crate::established::{KeyProved, Negotiated, verify_signature};
use crate::event::{CloseReason, ProtocolError};
use crate::hello::Answers;
use crate::reassembly::Message;
use crate::record::{ReadEpoch, WriteEpoch};
use crate::wire::certificate::Signed;
use crate::wire::certificate13::Chain;
use crate::wire::{
    HandshakeType, NamedGroup, ProtocolVersion, Reader, SignatureScheme, certificate13,
};

/// The random of a ServerHello that is a HelloRetryRequest (RFC 8446 §4.1.3).
pub(crate) const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The epoch of handshake messages after the hellos (RFC 9147 §6.1).
pub(crate) const HANDSHAKE: u64 = 2;
/// The first epoch of application data.
pub(crate) const APPLICATION: u64 = 3;

/// What both hellos fixed.
#[derive(Clone, Copy, Debug)]
struct Session {
    suite: Suite,
    group: NamedGroup,
    client_random: [u8; 32],
    answers: Answers,
}

impl Session {
    const fn negotiated(&self) -> Negotiated {
        Negotiated {
            version: ProtocolVersion::DTLS13,
            suite: self.suite.id,
            group: Some(self.group),
            srtp_profile: self.answers.srtp_profile,
            application_protocol: self.answers.application_protocol,
            extended_master_secret: true,
        }
    }
}

/// What the rest of the handshake needs of its secrets.
#[derive(Debug)]
struct HandshakeKeys {
    client_finished: FinishedKey,
    server_finished: FinishedKey,
    master: MasterSecret,
}

/// From the shared secret to the keys of the handshake epoch, both directions of which are read
/// and written from now on. The transcript ends with the ServerHello.
fn start_handshake_epoch(
    cx: &mut Context,
    role: Role,
    session: &Session,
    shared: &[u8],
    transcript: &Transcript,
) -> Result<HandshakeKeys, CryptoError> {
    let provider = cx.config.provider.clone();
    let suite = session.suite;
    let secrets = HandshakeSecrets::new(&*provider, suite.hash, shared, &transcript.current())?;
    let random = &session.client_random;
    let (client, server) = (&secrets.client, &secrets.server);
    cx.log_key("CLIENT_HANDSHAKE_TRAFFIC_SECRET", random, client.as_ref());
    cx.log_key("SERVER_HANDSHAKE_TRAFFIC_SECRET", random, server.as_ref());
    let (client, client_finished) = client.handshake_keys(&*provider, suite)?;
    let (server, server_finished) = server.handshake_keys(&*provider, suite)?;
    let (read, write) = match role {
        Role::Client => (server, client),
        Role::Server => (client, server),
    };
    cx.install_read_epoch(ReadEpoch::new(read, HANDSHAKE));
    cx.outbound.install_epoch(WriteEpoch::new(write, HANDSHAKE));
    Ok(HandshakeKeys {
        client_finished,
        server_finished,
        master: secrets.master,
    })
}

/// The secrets of the connection, once the transcript ends with the server's Finished; what we
/// write from now on is in their first epoch.
fn start_application_secrets(
    cx: &mut Context,
    role: Role,
    session: &Session,
    master: &MasterSecret,
    transcript: &Transcript,
) -> Result<ApplicationSecrets, CryptoError> {
    let provider = cx.config.provider.clone();
    let secrets = master.application(&*provider, &transcript.current())?;
    let random = &session.client_random;
    for (label, secret) in [
        ("CLIENT_TRAFFIC_SECRET_0", secrets.client.as_ref()),
        ("SERVER_TRAFFIC_SECRET_0", secrets.server.as_ref()),
        ("EXPORTER_SECRET", secrets.exporter.as_ref()),
    ] {
        cx.log_key(label, random, secret);
    }
    let write = match role {
        Role::Client => &secrets.client,
        Role::Server => &secrets.server,
    };
    let keys = write.traffic_keys(&*provider, session.suite)?;
    cx.outbound
        .install_epoch(WriteEpoch::new(keys, APPLICATION));
    Ok(secrets)
}

/// Both Finished are there: the peer's application data can be read.
fn read_application(
    cx: &mut Context,
    role: Role,
    session: &Session,
    secrets: ApplicationSecrets,
) -> Result<Traffic, CryptoError> {
    let (read, write) = match role {
        Role::Client => (secrets.server, secrets.client),
        Role::Server => (secrets.client, secrets.server),
    };
    let keys = read.traffic_keys(&*cx.config.provider, session.suite)?;
    cx.install_read_epoch(ReadEpoch::new(keys, APPLICATION));
    Ok(Traffic::new(
        role,
        session.suite,
        session.client_random,
        read.into_octets(),
        write.into_octets(),
        secrets.exporter,
    ))
}

/// The contents of the Finished of whoever has this key, after the transcript so far.
fn finished(cx: &Context, key: &FinishedKey, transcript: &Transcript) -> Output {
    key.verify_data(&*cx.config.provider, &transcript.current())
}

/// What a CertificateVerify covers (RFC 8446 §4.4.3).
struct SignedContents {
    octets: [u8; 64 + 34 + 48],
    len: usize,
}

impl SignedContents {
    /// Of this role, after the transcript so far.
    fn new(role: Role, transcript: &Transcript) -> Self {
        let context: &[u8] = match role {
            Role::Client => b"TLS 1.3, client CertificateVerify\0",
            Role::Server => b"TLS 1.3, server CertificateVerify\0",
        };
        let hash = transcript.current();
        let mut octets = [0x20; _];
        let mut len = 64;
        for part in [context, hash.as_ref()] {
            if let Some(to) = octets.get_mut(len..len + part.len()) {
                to.copy_from_slice(part);
                len += part.len();
            }
        }
        Self { octets, len }
    }
}

impl AsRef<[u8]> for SignedContents {
    fn as_ref(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }
}

/// The signature of our certificate that the peer verifies and DTLS 1.3 permits.
fn own_scheme(
    config: &Config,
    wanted: impl Iterator<Item = u16> + Clone,
) -> Option<SignatureScheme> {
    let key = config.certificate.key();
    let fits = |scheme: &&SignatureScheme| {
        suite::fits(**scheme, key.public_key()) && config.schemes13.contains(scheme)
    };
    let mut ours = key.schemes().iter().filter(fits);
    ours.find(|scheme| wanted.clone().any(|theirs| theirs == scheme.0))
        .copied()
}

/// Reads the certificate that the peer shows; `None` when it shows none.
fn learn_certificate(message: &Message, cx: &mut Context) -> Result<Option<()>, CloseReason> {
    let chain = Chain::parse(&message.body)?;
    if let Some(extension) = chain.extension {
        return Err(ProtocolError::UnsolicitedExtension(extension).into());
    }
    chain.first.map(|der| cx.learn_peer(der)).transpose()
}

/// Verifies the CertificateVerify of this role after the transcript so far.
fn verify_certificate(
    message: &Message,
    role: Role,
    transcript: &Transcript,
    cx: &Context,
) -> Result<KeyProved, CloseReason> {
    if message.kind != HandshakeType::CERTIFICATE_VERIFY {
        return Err(unexpected(message));
    }
    let signed = Signed::parse_last(Reader::new(&message.body, "CertificateVerify"))?;
    let peer = cx.peer.as_ref().ok_or(ProtocolError::NoCertificate)?;
    let key = peer.public_key().map_err(ProtocolError::Certificate)?;
    if !cx.config.schemes13.contains(&signed.scheme) || !suite::fits(signed.scheme, key) {
        return Err(ProtocolError::IllegalChoice("signature algorithm").into());
    }
    let contents = SignedContents::new(role, transcript);
    verify_signature(cx, contents.as_ref(), &signed)
}

/// Queues Certificate and CertificateVerify of this role.
fn send_certificate(
    cx: &mut Context,
    role: Role,
    scheme: SignatureScheme,
    transcript: &mut Transcript,
) -> Result<(), CloseReason> {
    let config = cx.config.clone();
    let certificate = &config.certificate;
    let kind = HandshakeType::CERTIFICATE;
    transcript.add_sent(cx.flight.message(kind, HANDSHAKE, |out| {
        certificate13::encode(out, certificate.chain());
    }));
    let contents = SignedContents::new(role, transcript);
    let signature = certificate.key().sign(scheme, contents.as_ref())?;
    let signed = Signed {
        scheme,
        signature: &signature,
    };
    let kind = HandshakeType::CERTIFICATE_VERIFY;
    transcript.add_sent(cx.flight.message(kind, HANDSHAKE, |out| signed.encode(out)));
    Ok(())
}

/// Queues the Finished of whoever has this key.
fn send_finished(cx: &mut Context, key: &FinishedKey, transcript: &mut Transcript) {
    let verify_data = finished(cx, key, transcript);
    let kind = HandshakeType::FINISHED;
    transcript.add_sent(cx.flight.message(kind, HANDSHAKE, |out| {
        out.extend_from_slice(verify_data.as_ref());
    }));
}

const fn unexpected(message: &Message) -> CloseReason {
    CloseReason::Protocol(ProtocolError::UnexpectedMessage(message.kind))
}
