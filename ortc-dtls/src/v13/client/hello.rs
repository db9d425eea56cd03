//! ServerHello and HelloRetryRequest in (RFC 8446 §4.1.3, §4.1.4).

use super::State;
use super::server_flight::AwaitExtensions;
use crate::config::Role;
use crate::context::Context;
use crate::crypto::KeyExchange;
use crate::event::{CloseReason, ProtocolError};
use crate::hello::{Answers, Shares, is_offered};
use crate::reassembly::Message;
use crate::v13::{Session, Suite, Transcript, start_handshake_epoch};
use crate::wire::hello::ServerHello;
use crate::wire::{ExtensionType, NamedGroup, ParseError, ProtocolVersion, key_share};

/// Octets of a cookie that are sent back: the second ClientHello, whose extensions have room for
/// 65535, is the first and the cookie.
const MAX_COOKIE: usize = 1 << 15;

/// What a HelloRetryRequest fixed.
#[derive(Debug)]
pub(crate) struct Retried {
    suite: Suite,
    pub(crate) transcript: Transcript,
}

/// What the second ClientHello needs.
pub(crate) struct Retry {
    pub(crate) retried: Retried,
    pub(crate) group: Option<NamedGroup>,
    pub(crate) cookie: Vec<u8>,
}

/// A HelloRetryRequest in answer to the first ClientHello.
pub(crate) fn on_retry_request(
    hello: &ServerHello<'_>,
    message: &Message,
    shares: &Shares,
    cx: &Context,
) -> Result<Retry, CloseReason> {
    let suite = check(hello, cx, &[ExtensionType::COOKIE])?;
    let group = hello.extensions.get(ExtensionType::KEY_SHARE);
    let group = group.map(key_share::parse_retry).transpose()?;
    if let Some(group) = group {
        // One of ours, and not one whose share it has (RFC 8446 §4.2.8).
        let offered = cx.config.groups.contains(&group);
        if !offered || shares.iter().flatten().any(|share| share.group == group) {
            return Err(ProtocolError::IllegalChoice("group").into());
        }
    }
    let cookie = hello.extensions.get(ExtensionType::COOKIE);
    let cookie = cookie.map(key_share::parse_cookie).transpose()?;
    if group.is_none() && cookie.is_none() {
        return Err(ProtocolError::SecondHello.into());
    }
    if cookie.is_some_and(|cookie| cookie.len() > MAX_COOKIE) {
        return Err(ParseError::Invalid("length of the cookie").into());
    }
    let provider = &*cx.config.provider;
    let mut transcript = Transcript::new(provider, suite.hash);
    transcript.add_sent(cx.flight.octets());
    transcript.retry(provider);
    transcript.add_received(message);
    Ok(Retry {
        retried: Retried { suite, transcript },
        group,
        cookie: cookie.unwrap_or_default().to_vec(),
    })
}

/// The ServerHello that chooses DTLS 1.3.
pub(crate) fn on_server_hello(
    hello: &ServerHello<'_>,
    message: &Message,
    client_random: [u8; 32],
    shares: Shares,
    retried: Option<Retried>,
    cx: &mut Context,
) -> Result<State, CloseReason> {
    let suite = check(hello, cx, &[ExtensionType::CONNECTION_ID])?;
    let mut transcript = match retried {
        Some(retried) if retried.suite != suite => {
            return Err(ProtocolError::IllegalChoice("cipher suite").into());
        }
        Some(retried) => retried.transcript,
        None => Transcript::new(&*cx.config.provider, suite.hash),
    };
    transcript.add_sent(cx.flight.octets());
    transcript.add_received(message);
    let share = hello
        .extensions
        .get(ExtensionType::KEY_SHARE)
        .ok_or(ProtocolError::MissingExtension(ExtensionType::KEY_SHARE))?;
    let (group, public) = key_share::parse_server(share)?;
    let exchange: Box<dyn KeyExchange> = shares
        .into_iter()
        .flatten()
        .find(|share| share.group == group)
        .map(|share| share.exchange)
        .ok_or(ProtocolError::IllegalChoice("group"))?;
    let shared = exchange
        .agree(public)
        .map_err(|_| ProtocolError::KeyShare)?;
    let session = Session {
        suite,
        group,
        client_random,
        answers: Answers::default(),
    };
    cx.on_id_answer(&hello.extensions)?;
    cx.negotiate_dtls13();
    // An answer acknowledges it (RFC 9147 §7.2).
    cx.flight.settle(cx.now);
    let keys = start_handshake_epoch(cx, Role::Client, &session, &shared, &transcript)?;
    Ok(State::Extensions(AwaitExtensions {
        session,
        keys,
        transcript,
    }))
}

/// What ServerHello and HelloRetryRequest have in common.
fn check(
    hello: &ServerHello<'_>,
    cx: &Context,
    also: &[ExtensionType],
) -> Result<Suite, CloseReason> {
    if hello.version != ProtocolVersion::DTLS12 {
        return Err(ParseError::Invalid("legacy_version").into());
    }
    // Nothing was sent that could be echoed (RFC 9147 §5.3).
    if !hello.session_id.is_empty() {
        return Err(ParseError::Invalid("legacy_session_id_echo").into());
    }
    for (kind, _) in hello.extensions.iter() {
        match kind {
            ExtensionType::SUPPORTED_VERSIONS | ExtensionType::KEY_SHARE => {}
            ExtensionType::COOKIE if also.contains(&kind) => {}
            kind if !is_offered(kind, cx) => {
                return Err(ProtocolError::UnsolicitedExtension(kind).into());
            }
            kind if also.contains(&kind) => {}
            kind => return Err(ProtocolError::MisplacedExtension(kind).into()),
        }
    }
    Suite::find(hello.cipher_suite)
        .filter(|suite| cx.config.cipher_suites.contains(&suite.id))
        .ok_or_else(|| ProtocolError::IllegalChoice("cipher suite").into())
}
