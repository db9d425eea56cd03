//! ClientHello in; HelloRetryRequest, or ServerHello to Finished out (RFC 8446 §4.1 to §4.4).

use subtle::ConstantTimeEq as _;

use super::State;
use super::client_flight::{AwaitCertificate, Flight};
use crate::config::{Config, Role};
use crate::context::Context;
use crate::crypto::Provider;
use crate::event::{CloseReason, ProtocolError};
use crate::flight::Await;
use crate::hello::{Answers, connection_id, extension};
use crate::reassembly::Message;
use crate::v13::{
    HANDSHAKE, RETRY_RANDOM, Session, Suite, Transcript, own_scheme, send_certificate,
    send_finished, start_application_secrets, start_handshake_epoch,
};
use crate::wire::hello::ClientHello;
use crate::wire::key_share::{ClientShares, encode_entry, parse_cookie};
use crate::wire::{
    ExtensionType, HandshakeType, NamedGroup, ParseError, ProtocolVersion, SignatureScheme,
    certificate13, writer,
};

/// Octets of a cookie. It is compared with the one that this endpoint keeps, so that it needs no
/// structure.
const COOKIE: usize = 32;

/// What a ClientHello led to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The client was asked for another.
    Again(Retry),
    Next(State),
}

/// What the second ClientHello is measured by.
#[derive(Debug)]
pub(crate) struct Retry {
    request: RetryRequest,
    /// `None` when the second was measured before it came here.
    first: Option<First>,
    transcript: Transcript,
}

/// What an endpoint that asks by itself keeps of the first ClientHello.
#[derive(Debug)]
struct First {
    body: Vec<u8>,
    cookie: Option<[u8; COOKIE]>,
}

/// What a HelloRetryRequest says besides its cookie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryRequest {
    pub(crate) suite: Suite,
    pub(crate) group: NamedGroup,
    /// Whether the first ClientHello had a share of this group, so that none is asked for.
    pub(crate) had_share: bool,
}

impl RetryRequest {
    /// What a client is asked for whose first ClientHello this is.
    pub(crate) fn choose(hello: &ClientHello<'_>, config: &Config) -> Result<Self, CloseReason> {
        let choice = choose(hello, None, config)?;
        Ok(Self {
            suite: choice.suite,
            group: choice.group,
            had_share: choice.shares.get(choice.group).is_some(),
        })
    }

    /// Appends the body of the message.
    pub(crate) fn encode(&self, out: &mut Vec<u8>, cookie: Option<&[u8]>) {
        encode_hello(out, &RETRY_RANDOM, self.suite, |out| {
            if !self.had_share {
                extension(out, ExtensionType::KEY_SHARE, |out| {
                    writer::u16(out, self.group.0);
                });
            }
            if let Some(cookie) = cookie {
                extension(out, ExtensionType::COOKIE, |out| {
                    writer::vector16(out, |out| out.extend_from_slice(cookie));
                });
            }
        });
    }
}

impl Retry {
    /// Makes up for a request that was sent without keeping anything, with the hash of the first
    /// ClientHello, which the cookie carried (RFC 8446 §4.2.2).
    pub(crate) fn of(
        provider: &dyn Provider,
        request: RetryRequest,
        first: &[u8],
        cookie: &[u8],
    ) -> Self {
        let mut body = Vec::with_capacity(192);
        request.encode(&mut body, Some(cookie));
        let transcript = Transcript::of_retry(provider, request.suite.hash, first, &body);
        Self {
            request,
            first: None,
            transcript,
        }
    }
}

struct Choice<'a> {
    suite: Suite,
    group: NamedGroup,
    shares: ClientShares<'a>,
    scheme: SignatureScheme,
    answers: Answers,
}

pub(crate) fn on_client_hello(
    hello: &ClientHello<'_>,
    message: &Message,
    retry: Option<Retry>,
    cx: &mut Context,
) -> Result<Outcome, CloseReason> {
    let choice = choose(
        hello,
        retry.as_ref().map(|retry| retry.request.group),
        &cx.config,
    )?;
    cx.negotiate_dtls13();
    let share = choice.shares.get(choice.group);
    let (mut transcript, share) = match (retry, share) {
        (Some(retry), share) => {
            check_second(hello, &retry, &choice)?;
            let missing = ProtocolError::SecondHello;
            (retry.transcript, share.ok_or(missing)?)
        }
        (None, Some(share)) if !cx.config.cookie => {
            let provider = &*cx.config.provider;
            (Transcript::new(provider, choice.suite.hash), share)
        }
        (None, share) => {
            let had_share = share.is_some();
            return ask_again(&choice, had_share, message, cx).map(Outcome::Again);
        }
    };
    transcript.add_received(message);
    cx.on_id_offer(&hello.extensions)?;
    let random = *hello.random;
    let state = answer(&choice, share, random, message, transcript, cx)?;
    Ok(Outcome::Next(State::Certificate(state)))
}

fn choose<'a>(
    hello: &ClientHello<'a>,
    retried: Option<NamedGroup>,
    config: &Config,
) -> Result<Choice<'a>, CloseReason> {
    let extensions = &hello.extensions;
    // RFC 9147 §5.3, RFC 8446 §4.1.2.
    if !hello.cookie.is_empty() {
        return Err(ParseError::Invalid("legacy_cookie").into());
    }
    if hello.compression_methods != [0] {
        return Err(ParseError::Invalid("legacy_compression_methods").into());
    }
    // A client that would resume must say how, even where nothing is resumed (RFC 8446 §4.2.9).
    let missing = |kind| CloseReason::from(ProtocolError::MissingExtension(kind));
    let psk = ExtensionType::PRE_SHARED_KEY;
    if extensions.get(psk).is_some() {
        let modes = ExtensionType::PSK_KEY_EXCHANGE_MODES;
        extensions.get(modes).ok_or_else(|| missing(modes))?;
        // It is the last one (RFC 8446 §4.2.11).
        if extensions.iter().last().is_none_or(|(kind, _)| kind != psk) {
            return Err(ParseError::Invalid("pre_shared_key").into());
        }
    }

    let suite = config
        .cipher_suites
        .iter()
        .filter_map(|&id| Suite::find(id))
        .find(|suite| hello.cipher_suites().any(|offered| offered == suite.id))
        .ok_or(ProtocolError::NothingInCommon("cipher suite"))?;
    let kind = ExtensionType::SUPPORTED_GROUPS;
    let offered = extensions.list16(kind)?.ok_or_else(|| missing(kind))?;
    let kind = ExtensionType::KEY_SHARE;
    let shares = ClientShares::parse(extensions.get(kind).ok_or_else(|| missing(kind))?)?;
    if !(shares.iter()).all(|(group, _)| offered.clone().any(|other| other == group.0)) {
        return Err(ProtocolError::IllegalChoice("group of a key share").into());
    }
    let mut ours = (config.groups.iter().copied())
        .filter(|group| offered.clone().any(|theirs| theirs == group.0));
    // A share that is there saves a round trip; it counts more than preference.
    let group = match retried {
        Some(group) => Some(group),
        None => (ours.clone().find(|&group| shares.get(group).is_some())).or_else(|| ours.next()),
    };
    let kind = ExtensionType::SIGNATURE_ALGORITHMS;
    let schemes = extensions.list16(kind)?.ok_or_else(|| missing(kind))?;
    let scheme = own_scheme(config, schemes);
    Ok(Choice {
        suite,
        group: group.ok_or(ProtocolError::NothingInCommon("group"))?,
        shares,
        scheme: scheme.ok_or(ProtocolError::NothingInCommon("signature algorithm"))?,
        answers: Answers::choose(extensions, config)?,
    })
}

/// The second ClientHello is the first but for what was asked for (RFC 8446 §4.1.2).
fn check_second(
    second: &ClientHello<'_>,
    retry: &Retry,
    choice: &Choice<'_>,
) -> Result<(), CloseReason> {
    let request = &retry.request;
    // The share of the group that was asked for and no other; the suite that was said.
    let fits = request.had_share || choice.shares.iter().count() == 1;
    if !fits || choice.suite != request.suite {
        return Err(ProtocolError::SecondHello.into());
    }
    let Some(kept) = &retry.first else {
        return Ok(());
    };
    let first = ClientHello::parse(&kept.body)?;
    let same = first.legacy_version == second.legacy_version
        && first.random == second.random
        && first.session_id == second.session_id
        && first.cipher_suites().eq(second.cipher_suites())
        && lasting(&first, request.had_share).eq(lasting(second, request.had_share));
    let cookie = second.extensions.get(ExtensionType::COOKIE);
    let cookie = cookie.map(parse_cookie).transpose()?;
    let cookie_fits = match (&kept.cookie, cookie) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => ours.ct_eq(theirs).into(),
        (Some(_), None) | (None, Some(_)) => false,
    };
    if same && cookie_fits {
        Ok(())
    } else {
        Err(ProtocolError::SecondHello.into())
    }
}

/// The extensions that the second ClientHello repeats (RFC 8446 §4.1.2).
pub(crate) fn lasting<'a>(
    hello: &ClientHello<'a>,
    had_share: bool,
) -> impl Iterator<Item = (ExtensionType, &'a [u8])> {
    hello
        .extensions
        .iter()
        .filter(move |&(kind, _)| match kind {
            ExtensionType::KEY_SHARE => had_share,
            ExtensionType::COOKIE
            | ExtensionType::EARLY_DATA
            | ExtensionType::PRE_SHARED_KEY
            | ExtensionType::PADDING => false,
            _ => true,
        })
}

fn ask_again(
    choice: &Choice<'_>,
    had_share: bool,
    message: &Message,
    cx: &mut Context,
) -> Result<Retry, CloseReason> {
    let provider = cx.config.provider.clone();
    let mut cookie = None;
    if cx.config.cookie {
        provider.random(cookie.insert([0; COOKIE]))?;
    }
    let request = RetryRequest {
        suite: choice.suite,
        group: choice.group,
        had_share,
    };
    let mut transcript = Transcript::new(&*provider, choice.suite.hash);
    transcript.add_received(message);
    transcript.retry(&*provider);
    cx.begin_flight(message.message_seq);
    transcript.add_sent(cx.flight.message(HandshakeType::SERVER_HELLO, 0, |out| {
        request.encode(out, cookie.as_ref().map(|cookie| &cookie[..]));
    }));
    // The client repeats its hello if this is lost: no more leaves than came.
    cx.flight.launch(Await::Nothing, cx.now);
    Ok(Retry {
        request,
        first: Some(First {
            body: message.body.clone(),
            cookie,
        }),
        transcript,
    })
}

fn answer(
    choice: &Choice<'_>,
    client_share: &[u8],
    client_random: [u8; 32],
    message: &Message,
    mut transcript: Transcript,
    cx: &mut Context,
) -> Result<AwaitCertificate, CloseReason> {
    let config = cx.config.clone();
    let session = Session {
        suite: choice.suite,
        group: choice.group,
        client_random,
        answers: choice.answers,
    };
    let mut random = [0; 32];
    config.provider.random(&mut random)?;
    let (share, shared) = config
        .provider
        .encapsulate(choice.group, client_share)
        .map_err(|_| ProtocolError::KeyShare)?;

    choice.answers.apply(ProtocolVersion::DTLS13, cx);
    cx.begin_flight(message.message_seq);
    transcript.add_sent(cx.flight.message(HandshakeType::SERVER_HELLO, 0, |out| {
        encode_hello(out, &random, choice.suite, |out| {
            extension(out, ExtensionType::KEY_SHARE, |out| {
                encode_entry(out, choice.group, &share);
            });
            if let Some(ids) = &cx.ids {
                connection_id(out, ids.first());
            }
        });
    }));
    let keys = start_handshake_epoch(cx, Role::Server, &session, &shared, &transcript)?;
    let kind = HandshakeType::ENCRYPTED_EXTENSIONS;
    transcript.add_sent(cx.flight.message(kind, HANDSHAKE, |out| {
        writer::vector16(out, |out| {
            choice.answers.encode(ProtocolVersion::DTLS13, out, &config)
        });
    }));
    let kind = HandshakeType::CERTIFICATE_REQUEST;
    transcript.add_sent(cx.flight.message(kind, HANDSHAKE, |out| {
        certificate13::encode_request(out, &config.schemes13);
    }));
    send_certificate(cx, Role::Server, choice.scheme, &mut transcript)?;
    send_finished(cx, &keys.server_finished, &mut transcript);
    let master = &keys.master;
    let application = start_application_secrets(cx, Role::Server, &session, master, &transcript)?;
    cx.flight.launch(Await::Answer, cx.now);
    Ok(AwaitCertificate(Box::new(Flight {
        session,
        finished: keys.client_finished,
        application,
        transcript,
    })))
}

/// ServerHello and HelloRetryRequest; `legacy_session_id` is not echoed (RFC 9147 §5.3).
fn encode_hello(
    out: &mut Vec<u8>,
    random: &[u8; 32],
    suite: Suite,
    extensions: impl FnOnce(&mut Vec<u8>),
) {
    writer::u16(out, ProtocolVersion::DTLS12.0);
    out.extend_from_slice(random);
    writer::vector8(out, |_| ()); // legacy_session_id_echo
    writer::u16(out, suite.id.0);
    out.push(0); // legacy_compression_method
    writer::vector16(out, |out| {
        extension(out, ExtensionType::SUPPORTED_VERSIONS, |out| {
            writer::u16(out, ProtocolVersion::DTLS13.0);
        });
        extensions(out);
    });
}
