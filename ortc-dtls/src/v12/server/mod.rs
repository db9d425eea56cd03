//! The server: ClientHello, the client's flight, Finished.

mod client_flight;
mod finished;
mod hello;

use self::client_flight::{AwaitCertificate, AwaitKeyExchange, AwaitVerify};
use self::finished::AwaitFinished;
use self::hello::AwaitClientHello;
use super::Step;
use crate::context::Context;
use crate::event::CloseReason;
use crate::reassembly::Message;
use crate::wire::HandshakeType;

/// What the server awaits.
#[derive(Debug)]
pub(crate) enum State {
    ClientHello(AwaitClientHello),
    Certificate(AwaitCertificate),
    KeyExchange(AwaitKeyExchange),
    Verify(AwaitVerify),
    Finished(AwaitFinished),
}

impl State {
    pub(crate) const fn start() -> Self {
        Self::ClientHello(AwaitClientHello)
    }

    /// The epoch in which the awaited message comes.
    pub(crate) const fn expects_epoch(&self) -> u16 {
        match self {
            Self::Finished(_) => 1,
            Self::ClientHello(_)
            | Self::Certificate(_)
            | Self::KeyExchange(_)
            | Self::Verify(_) => 0,
        }
    }

    /// Whether a client ever sends such a message.
    pub(crate) const fn accepts(kind: HandshakeType) -> bool {
        matches!(
            kind,
            HandshakeType::CLIENT_HELLO
                | HandshakeType::CERTIFICATE
                | HandshakeType::CLIENT_KEY_EXCHANGE
                | HandshakeType::CERTIFICATE_VERIFY
                | HandshakeType::FINISHED
        )
    }

    pub(crate) fn on_message(
        self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<Step<Self>, CloseReason> {
        Ok(match self {
            Self::ClientHello(state) => {
                Step::Next(Self::Certificate(state.on_message(message, cx)?))
            }
            Self::Certificate(state) => {
                Step::Next(Self::KeyExchange(state.on_message(message, cx)?))
            }
            Self::KeyExchange(state) => Step::Next(Self::Verify(state.on_message(message, cx)?)),
            Self::Verify(state) => Step::Next(Self::Finished(state.on_message(message, cx)?)),
            Self::Finished(state) => Step::Done(state.on_message(message, cx)?),
        })
    }
}
