//! The server after the ClientHello: the client's flight, Finished.

mod client_flight;
mod finished;
mod hello;

use self::client_flight::{AwaitCertificate, AwaitKeyExchange, AwaitVerify};
use self::finished::AwaitFinished;
pub(crate) use self::hello::on_client_hello;
use crate::context::Context;
use crate::established::Step;
use crate::event::CloseReason;
use crate::reassembly::Message;

/// What the server awaits.
#[derive(Debug)]
pub(crate) enum State {
    Certificate(AwaitCertificate),
    KeyExchange(AwaitKeyExchange),
    Verify(AwaitVerify),
    Finished(AwaitFinished),
}

impl State {
    /// The epoch in which the awaited message comes.
    pub(crate) const fn expects_epoch(&self) -> u64 {
        match self {
            Self::Finished(_) => 1,
            Self::Certificate(_) | Self::KeyExchange(_) | Self::Verify(_) => 0,
        }
    }

    pub(crate) fn on_message(
        self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<Step<Self>, CloseReason> {
        Ok(match self {
            Self::Certificate(state) => {
                Step::Next(Self::KeyExchange(state.on_message(message, cx)?))
            }
            Self::KeyExchange(state) => Step::Next(state.on_message(message, cx)?),
            Self::Verify(state) => Step::Next(Self::Finished(state.on_message(message, cx)?)),
            Self::Finished(state) => Step::Done(Box::new(state.on_message(message, cx)?)),
        })
    }
}
