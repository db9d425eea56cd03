//! The client: ClientHello, the server's flight, Finished.

mod finished;
mod hello;
mod server_flight;

use self::finished::AwaitFinished;
use self::hello::AwaitServerHello;
use self::server_flight::{AwaitCertificate, AwaitHelloDone, AwaitKeyExchange};
use super::Step;
use crate::context::Context;
use crate::event::CloseReason;
use crate::reassembly::Message;
use crate::wire::HandshakeType;

/// What the client awaits.
#[derive(Debug)]
pub(crate) enum State {
    ServerHello(AwaitServerHello),
    Certificate(AwaitCertificate),
    KeyExchange(AwaitKeyExchange),
    HelloDone(AwaitHelloDone),
    Finished(AwaitFinished),
}

impl State {
    /// Queues a ClientHello.
    pub(crate) fn start(cx: &mut Context) -> Result<Self, CloseReason> {
        AwaitServerHello::start(cx).map(Self::ServerHello)
    }

    /// The epoch in which the awaited message comes.
    pub(crate) const fn expects_epoch(&self) -> u16 {
        match self {
            Self::Finished(_) => 1,
            Self::ServerHello(_)
            | Self::Certificate(_)
            | Self::KeyExchange(_)
            | Self::HelloDone(_) => 0,
        }
    }

    /// Whether a server ever sends such a message in a first handshake.
    pub(crate) const fn accepts(kind: HandshakeType) -> bool {
        matches!(
            kind,
            HandshakeType::HELLO_VERIFY_REQUEST
                | HandshakeType::SERVER_HELLO
                | HandshakeType::CERTIFICATE
                | HandshakeType::SERVER_KEY_EXCHANGE
                | HandshakeType::CERTIFICATE_REQUEST
                | HandshakeType::SERVER_HELLO_DONE
                | HandshakeType::FINISHED
        )
    }

    pub(crate) fn on_message(
        self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<Step<Self>, CloseReason> {
        Ok(match self {
            Self::ServerHello(state) => Step::Next(state.on_message(message, cx)?),
            Self::Certificate(state) => {
                Step::Next(Self::KeyExchange(state.on_message(message, cx)?))
            }
            Self::KeyExchange(state) => Step::Next(Self::HelloDone(state.on_message(message, cx)?)),
            Self::HelloDone(state) => Step::Next(state.on_message(message, cx)?),
            Self::Finished(state) => Step::Done(state.on_message(message, cx)?),
        })
    }
}
