//! What a complete handshake leaves, and the two proofs without which there is none.

use subtle::ConstantTimeEq as _;

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

/// The peer saw the same handshake. Only [`verify_finished`] makes one.
#[derive(Debug)]
pub(crate) struct FinishedProved(());

/// A complete handshake: cannot exist without both proofs.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) negotiated: Negotiated,
    pub(crate) secrets: Secrets,
    key: KeyProved,
    _finished: FinishedProved,
}

impl Established {
    pub(crate) const fn new(
        negotiated: Negotiated,
        secrets: Secrets,
        key: KeyProved,
        finished: FinishedProved,
    ) -> Self {
        Self {
            negotiated,
            secrets,
            key,
            _finished: finished,
        }
    }

    /// How the peer proved its key.
    pub(crate) const fn scheme(&self) -> SignatureScheme {
        self.key.0
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

/// Compares a Finished with what it must be.
pub(crate) fn verify_finished(body: &[u8], expected: &[u8]) -> Result<FinishedProved, CloseReason> {
    if bool::from(body.ct_eq(expected)) {
        Ok(FinishedProved(()))
    } else {
        Err(ProtocolError::Finished.into())
    }
}
