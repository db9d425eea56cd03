//! The client after its ClientHello: the server's flight, its own.

mod hello;
mod server_flight;

pub(crate) use self::hello::{Retried, on_retry_request, on_server_hello};
use self::server_flight::{
    AwaitCertificate, AwaitExtensions, AwaitFinished, AwaitRequest, AwaitVerify,
};
use crate::context::Context;
use crate::established::Step;
use crate::event::CloseReason;
use crate::reassembly::Message;

/// What the client awaits, all in the handshake epoch.
#[derive(Debug)]
pub(crate) enum State {
    Extensions(AwaitExtensions),
    /// CertificateRequest or Certificate.
    Request(AwaitRequest),
    Certificate(AwaitCertificate),
    Verify(AwaitVerify),
    Finished(AwaitFinished),
}

impl State {
    pub(crate) fn on_message(
        self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<Step<Self>, CloseReason> {
        Ok(match self {
            Self::Extensions(state) => Step::Next(Self::Request(state.on_message(message, cx)?)),
            Self::Request(state) => Step::Next(state.on_message(message, cx)?),
            Self::Certificate(state) => Step::Next(Self::Verify(state.on_message(message, cx)?)),
            Self::Verify(state) => Step::Next(Self::Finished(state.on_message(message, cx)?)),
            Self::Finished(state) => Step::Done(Box::new(state.on_message(message, cx)?)),
        })
    }
}
