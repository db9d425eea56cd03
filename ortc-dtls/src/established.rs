//! What a complete handshake leaves, and the proofs without which there is none.

use subtle::ConstantTimeEq as _;

use crate::config::ClientCertificate;
use crate::context::Context;
use crate::crypto::Provider;
use crate::event::{CloseReason, ProtocolError};
use crate::keying::{KeyingError, Tls12Secrets};
use crate::v13::Traffic;
use crate::wire::certificate::Signed;
use crate::wire::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};

/// What was negotiated, whatever the version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Negotiated {
    pub(crate) version: ProtocolVersion,
    pub(crate) suite: CipherSuite,
    pub(crate) group: Option<NamedGroup>,
    pub(crate) srtp_profile: Option<u16>,
    /// Place in the configuration's list.
    pub(crate) application_protocol: Option<usize>,
    /// Whether the secrets are bound to the handshake (RFC 7627), as those of DTLS 1.3 always are.
    pub(crate) extended_master_secret: bool,
}

/// The secrets of a connection.
#[derive(Debug)]
pub(crate) enum Secrets {
    V12(Tls12Secrets),
    V13(Traffic),
}

impl Secrets {
    /// Exports key material (RFC 5705, RFC 8446 §7.5).
    pub(crate) fn export(
        &self,
        provider: &dyn Provider,
        label: &str,
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), KeyingError> {
        match self {
            Self::V12(secrets) => secrets.export(provider, label, context, out),
            Self::V13(traffic) => traffic.export(provider, label, context, out),
        }
    }
}

/// The peer holds the private key of its certificate. Only [`verify_signature`] makes one.
#[derive(Debug)]
pub(crate) struct KeyProved(SignatureScheme);

/// The client may go without a certificate. Only [`permit_absence`] makes one.
#[derive(Debug)]
pub(crate) struct AbsencePermitted(());

/// How the peer came to be let in.
#[derive(Debug)]
pub(crate) enum PeerKey {
    Proved(KeyProved),
    Absent(AbsencePermitted),
}

/// The peer saw the same handshake. Only [`verify_finished`] makes one.
#[derive(Debug)]
pub(crate) struct FinishedProved(());

/// A complete handshake: cannot exist without both proofs.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) negotiated: Negotiated,
    pub(crate) secrets: Secrets,
    key: PeerKey,
    _finished: FinishedProved,
}

impl Established {
    pub(crate) const fn new(
        negotiated: Negotiated,
        secrets: Secrets,
        key: PeerKey,
        finished: FinishedProved,
    ) -> Self {
        Self {
            negotiated,
            secrets,
            key,
            _finished: finished,
        }
    }

    /// How the peer proved its key, if it has one.
    pub(crate) const fn scheme(&self) -> Option<SignatureScheme> {
        match self.key {
            PeerKey::Proved(KeyProved(scheme)) => Some(scheme),
            PeerKey::Absent(_) => None,
        }
    }

    /// Whether the peer is a client that showed no certificate.
    pub(crate) const fn is_anonymous(&self) -> bool {
        matches!(self.key, PeerKey::Absent(_))
    }
}

/// What a message led to.
#[derive(Debug)]
pub(crate) enum Step<S> {
    /// More messages are needed.
    Next(S),
    /// The handshake is complete.
    Done(Box<Established>),
}

impl<S> Step<S> {
    pub(crate) fn map<T>(self, into: impl FnOnce(S) -> T) -> Step<T> {
        match self {
            Self::Next(state) => Step::Next(into(state)),
            Self::Done(established) => Step::Done(established),
        }
    }
}

/// Verifies the peer's signature with the key of the certificate that it sent; the caller has
/// checked that the scheme was offered and fits the key.
pub(crate) fn verify_signature(
    cx: &Context,
    message: &[u8],
    signed: &Signed<'_>,
) -> Result<KeyProved, CloseReason> {
    let peer = cx.peer.as_ref().ok_or(ProtocolError::NoCertificate)?;
    let key = peer.public_key().map_err(ProtocolError::Certificate)?;
    cx.config
        .provider
        .verify(signed.scheme, key, message, signed.signature)
        .map_err(|_| ProtocolError::Signature)?;
    Ok(KeyProved(signed.scheme))
}

/// A client shows no certificate: refused with this error, unless the configuration lets it in and
/// nobody in particular is expected.
pub(crate) fn permit_absence(
    cx: &Context,
    refusal: ProtocolError,
) -> Result<AbsencePermitted, CloseReason> {
    match cx.config.client_certificate {
        ClientCertificate::Requested if !cx.expects_someone() => Ok(AbsencePermitted(())),
        ClientCertificate::Requested | ClientCertificate::Required => Err(refusal.into()),
    }
}

/// Compares a Finished with what it must be.
pub(crate) fn verify_finished(body: &[u8], expected: &[u8]) -> Result<FinishedProved, CloseReason> {
    if bool::from(body.ct_eq(expected)) {
        Ok(FinishedProved(()))
    } else {
        Err(ProtocolError::Finished.into())
    }
}
