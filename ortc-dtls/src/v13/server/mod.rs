//! The server after the ClientHello: the client's flight.

mod client_flight;
mod hello;

use self::client_flight::{AwaitCertificate, AwaitFinished, AwaitVerify};
pub(crate) use self::hello::{Outcome, Retry, RetryRequest, lasting, on_client_hello};
use crate::context::Context;
use crate::established::Step;
use crate::event::CloseReason;
use crate::reassembly::Message;

/// What the server awaits, all in the handshake epoch.
#[derive(Debug)]
pub(crate) enum State {
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
            Self::Certificate(state) => Step::Next(state.on_message(message, cx)?),
            Self::Verify(state) => Step::Next(Self::Finished(state.on_message(message, cx)?)),
            Self::Finished(state) => Step::Done(Box::new(state.on_message(message, cx)?)),
        })
    }
}
