//! ServerHello in (RFC 5246 §7.4.1.3).

use super::State;
use super::server_flight::AwaitCertificate;
use crate::context::Context;
use crate::event::{CloseReason, ProtocolError};
use crate::hello::{Answers, is_offered};
use crate::reassembly::Message;
use crate::transcript::Transcript;
use crate::v12::{Session, Suite, has_extended_master_secret};
use crate::wire::hello::ServerHello;
use crate::wire::{ExtensionType, ProtocolVersion};

/// The ServerHello that chooses DTLS 1.2, in answer to the hello that is the flight.
pub(crate) fn on_server_hello(
    hello: &ServerHello<'_>,
    message: &Message,
    client_random: [u8; 32],
    cx: &mut Context,
) -> Result<State, CloseReason> {
    let session = accept(hello, client_random, cx)?;
    session.answers.apply(ProtocolVersion::DTLS12, cx);
    cx.on_id_answer(&hello.extensions)?;
    cx.negotiate_dtls12();
    let mut transcript = Transcript::default();
    transcript.add(cx.flight.octets());
    transcript.add_received(message);
    transcript.start_hash(&*cx.config.provider, session.suite.hash);
    Ok(State::Certificate(AwaitCertificate {
        session,
        transcript,
    }))
}

fn accept(
    hello: &ServerHello<'_>,
    client_random: [u8; 32],
    cx: &Context,
) -> Result<Session, CloseReason> {
    let config = &cx.config;
    let suite = Suite::find(hello.cipher_suite)
        .filter(|suite| config.cipher_suites.contains(&suite.id))
        .ok_or(ProtocolError::IllegalChoice("cipher suite"))?;
    for (kind, _) in hello.extensions.iter() {
        match kind {
            _ if !is_offered(kind, cx) => {
                return Err(ProtocolError::UnsolicitedExtension(kind).into());
            }
            // These are answered in DTLS 1.3 only.
            ExtensionType::SUPPORTED_VERSIONS | ExtensionType::KEY_SHARE => {
                return Err(ProtocolError::MisplacedExtension(kind).into());
            }
            _ => {}
        }
    }
    let extended_master_secret = has_extended_master_secret(&hello.extensions, config)?;
    if !hello.extensions.renegotiation_is_initial() {
        return Err(ProtocolError::Renegotiation.into());
    }
    if !hello.extensions.has_uncompressed_points()? {
        return Err(ProtocolError::IllegalChoice("point format").into());
    }
    Ok(Session {
        suite,
        client_random,
        server_random: *hello.random,
        extended_master_secret,
        group: None,
        answers: Answers::accept(&hello.extensions, config)?,
    })
}
