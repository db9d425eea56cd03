//! The handshake as the endpoint sees it: which version, which side, what is awaited.

use crate::config::{Config, Role};
use crate::context::Context;
use crate::established::Step;
use crate::event::CloseReason;
use crate::hello::{self, AwaitClientHello, AwaitServerHello};
use crate::reassembly::Message;
use crate::wire::{HandshakeType, ProtocolVersion};
use crate::{v12, v13};

/// A handshake that is not complete.
#[derive(Debug)]
pub(super) enum Handshake {
    ServerHello(AwaitServerHello),
    ClientHello(AwaitClientHello),
    Client12(v12::client::State),
    Server12(v12::server::State),
    Client13(v13::client::State),
    Server13(v13::server::State),
}

impl Handshake {
    /// The epoch in which the awaited message comes.
    pub(super) const fn expects_epoch(&self) -> u64 {
        match self {
            Self::ServerHello(_) | Self::ClientHello(_) => 0,
            Self::Client12(state) => state.expects_epoch(),
            Self::Server12(state) => state.expects_epoch(),
            Self::Client13(_) | Self::Server13(_) => v13::HANDSHAKE,
        }
    }

    pub(super) fn on_message(
        self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<Step<Self>, CloseReason> {
        Ok(match self {
            Self::ServerHello(state) => Step::Next(match state.on_message(message, cx)? {
                hello::ClientOutcome::Again(state) => Self::ServerHello(state),
                hello::ClientOutcome::V12(state) => Self::Client12(state),
                hello::ClientOutcome::V13(state) => Self::Client13(state),
            }),
            Self::ClientHello(state) => Step::Next(match state.on_message(message, cx)? {
                hello::ServerOutcome::Again(state) => Self::ClientHello(state),
                hello::ServerOutcome::V12(state) => Self::Server12(state),
                hello::ServerOutcome::V13(state) => Self::Server13(state),
            }),
            Self::Client12(state) => state.on_message(message, cx)?.map(Self::Client12),
            Self::Server12(state) => state.on_message(message, cx)?.map(Self::Server12),
            Self::Client13(state) => state.on_message(message, cx)?.map(Self::Client13),
            Self::Server13(state) => state.on_message(message, cx)?.map(Self::Server13),
        })
    }
}

/// Whether the message belongs to the beginning, before anything is agreed on.
pub(super) const fn is_hello(kind: HandshakeType) -> bool {
    matches!(
        kind,
        HandshakeType::CLIENT_HELLO
            | HandshakeType::SERVER_HELLO
            | HandshakeType::HELLO_VERIFY_REQUEST
    )
}

/// Whether a peer of this role's ever sends such a message unprotected, or protected in DTLS 1.2.
/// In DTLS 1.3 only the hellos are (RFC 9147 §6.1).
pub(super) fn accepts(
    role: Role,
    kind: HandshakeType,
    version: Option<ProtocolVersion>,
    config: &Config,
) -> bool {
    let hello = match role {
        Role::Client => HandshakeType::SERVER_HELLO,
        Role::Server => HandshakeType::CLIENT_HELLO,
    };
    let may_be_dtls12 = match version {
        Some(version) => version == ProtocolVersion::DTLS12,
        None => config.has_dtls12(),
    };
    kind == hello
        || may_be_dtls12
            && match role {
                Role::Client => matches!(
                    kind,
                    HandshakeType::HELLO_VERIFY_REQUEST
                        | HandshakeType::CERTIFICATE
                        | HandshakeType::SERVER_KEY_EXCHANGE
                        | HandshakeType::CERTIFICATE_REQUEST
                        | HandshakeType::SERVER_HELLO_DONE
                        | HandshakeType::FINISHED
                ),
                Role::Server => matches!(
                    kind,
                    HandshakeType::CERTIFICATE
                        | HandshakeType::CLIENT_KEY_EXCHANGE
                        | HandshakeType::CERTIFICATE_VERIFY
                        | HandshakeType::FINISHED
                ),
            }
}
