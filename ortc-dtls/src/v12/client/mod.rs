//! The client after its ClientHello: the server's flight, Finished.

mod finished;
mod hello;
mod server_flight;

use self::finished::AwaitFinished;
pub(crate) use self::hello::on_server_hello;
use self::server_flight::{AwaitCertificate, AwaitHelloDone, AwaitKeyExchange};
use crate::context::Context;
use crate::established::Step;
use crate::event::CloseReason;
use crate::reassembly::Message;

/// What the client awaits.
#[derive(Debug)]
pub(crate) enum State {
    Certificate(AwaitCertificate),
    KeyExchange(AwaitKeyExchange),
    HelloDone(AwaitHelloDone),
    Finished(AwaitFinished),
}

impl State {
    /// The epoch in which the awaited message comes.
    pub(crate) const fn expects_epoch(&self) -> u64 {
        match self {
            Self::Finished(_) => 1,
            Self::Certificate(_) | Self::KeyExchange(_) | Self::HelloDone(_) => 0,
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
            Self::KeyExchange(state) => Step::Next(Self::HelloDone(state.on_message(message, cx)?)),
            Self::HelloDone(state) => Step::Next(state.on_message(message, cx)?),
            Self::Finished(state) => Step::Done(Box::new(state.on_message(message, cx)?)),
        })
    }
}
