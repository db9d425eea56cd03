//! DTLS 1.2 (RFC 6347, RFC 5246) as far as WebRTC uses it: full handshakes with ECDHE, AEAD and
//! the extended master secret. No resumption, no renegotiation.

pub(crate) mod client;
mod keys;
pub(crate) mod server;
mod suite;

pub(crate) use self::suite::Suite;
use self::suite::{Authentication, SCHEMES};
use crate::context::Context;
use crate::event::{CloseReason, ProtocolError};
use crate::keying::Tls12Secrets;
use crate::reassembly::Message;
use crate::wire::certificate::Signed;

/// What a message led to.
#[derive(Debug)]
pub(crate) enum Step<S> {
    /// More messages are needed.
    Next(S),
    /// The handshake is complete.
    Done(Established),
}

impl<S> Step<S> {
    pub(crate) fn map<T>(self, into: impl FnOnce(S) -> T) -> Step<T> {
        match self {
            Self::Next(state) => Step::Next(into(state)),
            Self::Done(established) => Step::Done(established),
        }
    }
}

/// What both hellos fixed.
#[derive(Clone, Copy, Debug)]
struct Session {
    suite: Suite,
    client_random: [u8; 32],
    server_random: [u8; 32],
    srtp_profile: Option<u16>,
}

/// The peer holds the private key of its certificate. Only [`verify_signature`] makes one.
#[derive(Debug)]
struct KeyProved(());

/// The peer saw the same handshake. Only [`verify_finished`] makes one.
#[derive(Debug)]
struct FinishedProved(());

/// A complete handshake: cannot exist without both proofs.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) suite: Suite,
    pub(crate) srtp_profile: Option<u16>,
    pub(crate) secrets: Tls12Secrets,
    _proved: (KeyProved, FinishedProved),
}

impl Established {
    const fn new(
        session: Session,
        secrets: Tls12Secrets,
        key: KeyProved,
        finished: FinishedProved,
    ) -> Self {
        Self {
            suite: session.suite,
            srtp_profile: session.srtp_profile,
            secrets,
            _proved: (key, finished),
        }
    }
}

/// Verifies the peer's signature with the key of the certificate that it sent.
fn verify_signature(
    cx: &Context,
    message: &[u8],
    signed: &Signed<'_>,
) -> Result<KeyProved, CloseReason> {
    let peer = cx.peer.as_ref().ok_or(ProtocolError::NoCertificate)?;
    let key = peer.public_key().map_err(ProtocolError::Certificate)?;
    if !SCHEMES.contains(&signed.scheme) {
        return Err(ProtocolError::Signature.into());
    }
    cx.config
        .provider
        .verify(signed.scheme, key, message, signed.signature)
        .map_err(|_| ProtocolError::Signature)?;
    Ok(KeyProved(()))
}

/// Compares a Finished with what it must be.
fn verify_finished(body: &[u8], expected: &[u8]) -> Result<FinishedProved, CloseReason> {
    use subtle::ConstantTimeEq as _;
    if bool::from(body.ct_eq(expected)) {
        Ok(FinishedProved(()))
    } else {
        Err(ProtocolError::Finished.into())
    }
}

const fn unexpected(message: &Message) -> CloseReason {
    CloseReason::Protocol(ProtocolError::UnexpectedMessage(message.kind))
}

/// Messages without contents must be so.
fn expect_empty(message: &Message) -> Result<(), CloseReason> {
    if message.body.is_empty() {
        Ok(())
    } else {
        Err(crate::wire::ParseError::Trailing("ServerHelloDone").into())
    }
}

/// What a ServerKeyExchange signature covers (RFC 8422 §5.4).
fn signed_params(session: &Session, params: &[u8]) -> Vec<u8> {
    [&session.client_random, &session.server_random, params].concat()
}
