//! ClientHello in: which version it is (RFC 8446 §4.2.1).

use crate::config::Config;
use crate::context::Context;
use crate::event::{CloseReason, ProtocolError};
use crate::reassembly::Message;
use crate::wire::hello::ClientHello;
use crate::wire::{HandshakeType, ProtocolVersion};
use crate::{v12, v13};

/// What a ClientHello led to.
#[derive(Debug)]
pub(crate) enum Outcome {
    Again(AwaitClientHello),
    V12(v12::server::State),
    V13(v13::server::State),
}

#[derive(Debug, Default)]
pub(crate) struct AwaitClientHello {
    /// What the client was asked for, once.
    retry: Option<v13::server::Retry>,
}

impl AwaitClientHello {
    /// The client was asked already, by whoever kept nothing of it but what is here.
    pub(crate) const fn asked(retry: Option<v13::server::Retry>) -> Self {
        Self { retry }
    }

    pub(crate) fn on_message(
        self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<Outcome, CloseReason> {
        if message.kind != HandshakeType::CLIENT_HELLO {
            return Err(ProtocolError::UnexpectedMessage(message.kind).into());
        }
        let hello = ClientHello::parse(&message.body)?;
        match (choose(&hello, &cx.config)?, self.retry) {
            (ProtocolVersion::DTLS13, retry) => Ok(
                match v13::server::on_client_hello(&hello, message, retry, cx)? {
                    v13::server::Outcome::Again(retry) => {
                        Outcome::Again(Self { retry: Some(retry) })
                    }
                    v13::server::Outcome::Next(state) => Outcome::V13(state),
                },
            ),
            (_, Some(_)) => Err(ProtocolError::SecondHello.into()),
            (_, None) => v12::server::on_client_hello(&hello, message, cx).map(Outcome::V12),
        }
    }
}

/// `supported_versions` decides where it is present; without it, versions count down.
pub(crate) fn choose(
    hello: &ClientHello<'_>,
    config: &Config,
) -> Result<ProtocolVersion, CloseReason> {
    let dtls12 = ProtocolVersion::DTLS12;
    let legacy = hello.legacy_version.0;
    let versions = hello.extensions.supported_versions()?;
    let offers = |wanted: ProtocolVersion| match versions.clone() {
        Some(mut versions) => versions.any(|version| version == wanted.0),
        None => wanted == dtls12 && legacy >> 8 == dtls12.0 >> 8 && legacy <= dtls12.0,
    };
    if config.has_dtls13() && offers(ProtocolVersion::DTLS13) {
        Ok(ProtocolVersion::DTLS13)
    } else if config.has_dtls12() && offers(dtls12) {
        Ok(dtls12)
    } else {
        Err(ProtocolError::Version.into())
    }
}
