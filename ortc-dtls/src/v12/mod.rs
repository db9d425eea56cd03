//! DTLS 1.2 (RFC 6347, RFC 5246) as far as WebRTC uses it: full handshakes with ECDHE, AEAD and
//! the extended master secret, which can be made optional. No resumption, no renegotiation.

pub(crate) mod client;
mod keys;
pub(crate) mod server;
mod suite;

use self::suite::Authentication;
pub(crate) use self::suite::{SCHEMES, Suite, has_group};
use crate::config::{Config, ExtendedMasterSecret};
use crate::context::Context;
use crate::established::{
    Established, FinishedProved, KeyProved, Negotiated, PeerKey, Secrets, verify_signature,
};
use crate::event::{CloseReason, ProtocolError};
use crate::hello::Answers;
use crate::keying::Tls12Secrets;
use crate::reassembly::Message;
use crate::wire::certificate::Signed;
use crate::wire::extension::Extensions;
use crate::wire::{ExtensionType, NamedGroup, ProtocolVersion};

/// What both hellos fixed.
#[derive(Clone, Copy, Debug)]
struct Session {
    suite: Suite,
    client_random: [u8; 32],
    server_random: [u8; 32],
    /// Whether both hellos have the extension (RFC 7627 §5.2).
    extended_master_secret: bool,
    /// Of the key exchange; a client learns it after the hellos.
    group: Option<NamedGroup>,
    answers: Answers,
}

impl Session {
    /// What the handshake ends with.
    const fn established(
        self,
        secrets: Tls12Secrets,
        key: PeerKey,
        finished: FinishedProved,
    ) -> Established {
        let negotiated = Negotiated {
            version: ProtocolVersion::DTLS12,
            suite: self.suite.id,
            group: self.group,
            srtp_profile: self.answers.srtp_profile,
            application_protocol: self.answers.application_protocol,
            extended_master_secret: self.extended_master_secret,
        };
        Established::new(negotiated, Secrets::V12(secrets), key, finished)
    }
}

/// Whether a hello has the extended master secret, without which it may be refused (RFC 7627 §5.2).
fn has_extended_master_secret(
    extensions: &Extensions<'_>,
    config: &Config,
) -> Result<bool, ProtocolError> {
    match (
        extensions.get(ExtensionType::EXTENDED_MASTER_SECRET),
        config.extended_master_secret,
    ) {
        (Some([]), _) => Ok(true),
        (None, ExtendedMasterSecret::Preferred) => Ok(false),
        (Some(_), ExtendedMasterSecret::Required | ExtendedMasterSecret::Preferred)
        | (None, ExtendedMasterSecret::Required) => Err(ProtocolError::NoExtendedMasterSecret),
    }
}

/// Verifies the peer's signature, if it is of a kind that was offered.
fn verify(cx: &Context, message: &[u8], signed: &Signed<'_>) -> Result<KeyProved, CloseReason> {
    if !cx.config.schemes.contains(&signed.scheme) {
        return Err(ProtocolError::Signature.into());
    }
    verify_signature(cx, message, signed)
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
