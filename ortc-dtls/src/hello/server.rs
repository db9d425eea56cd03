//! ClientHello in: which version it is (RFC 8446 §4.2.1), and in DTLS 1.2 whether its cookie is the
//! one that was asked for (RFC 6347 §4.2.1).

use core::time::Duration;

use crate::config::Config;
use crate::context::Context;
use crate::event::{CloseReason, ProtocolError};
use crate::flight::Await;
use crate::gate::{Claim, Cookies, MAX_MESSAGE_SEQ};
use crate::reassembly::Message;
use crate::wire::handshake::Fragment;
use crate::wire::hello::{ClientHello, encode_hello_verify_request};
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
    asked: Asked,
}

/// What a whole hello led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// The cookie is there: the handshake begins with this hello.
    Over,
    /// It was asked for.
    Again,
    /// It is for others to say.
    Nothing,
}

/// What the client was asked for.
#[derive(Debug, Default)]
enum Asked {
    #[default]
    Nothing,
    /// A cookie, in DTLS 1.2. It says what the hello said, so that nothing of that is kept and
    /// who is first with a hello takes nobody's place.
    Cookie(Box<Cookies>),
    /// A cookie, a share or both, in DTLS 1.3, once.
    Retry(v13::server::Retry),
    /// A cookie, in DTLS 1.2, by somebody else, who has seen it.
    Admitted,
}

impl AwaitClientHello {
    /// The client was asked already, by whoever kept nothing of it but what is here.
    pub(crate) fn asked(retry: Option<v13::server::Retry>) -> Self {
        Self {
            asked: retry.map_or(Asked::Admitted, Asked::Retry),
        }
    }

    /// A fragment, once a cookie was asked for. A whole hello counts whatever its number is, as it
    /// would if nothing were kept: a client that was asked more than once may have counted on or
    /// not, and somebody else may have counted for it.
    pub(crate) fn on_whole(&mut self, fragment: &Fragment<'_>, cx: &mut Context) -> Asking {
        let Asked::Cookie(cookies) = &mut self.asked else {
            return Asking::Nothing;
        };
        let message_seq = fragment.message_seq;
        let whole = fragment.body.len() as u64 == u64::from(fragment.length);
        let is_hello = fragment.kind == HandshakeType::CLIENT_HELLO;
        if !whole || !is_hello || message_seq > MAX_MESSAGE_SEQ {
            return Asking::Nothing;
        }
        let hello = match ClientHello::parse(fragment.body) {
            Ok(hello) if choose(&hello, &cx.config) == Ok(ProtocolVersion::DTLS12) => hello,
            Ok(_) | Err(_) => return Asking::Nothing,
        };
        if cookies.verify12(&claim(&hello), hello.cookie) {
            return Asking::Over;
        }
        let is_answered = cx.flight.answers() == Some(message_seq)
            && cx
                .flight
                .octets()
                .ends_with(cookies.issue12(&claim(&hello)));
        if is_answered {
            return Asking::Nothing;
        }
        ask(cookies, &hello, message_seq, cx);
        Asking::Again
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
        let dtls13 = choose(&hello, &cx.config)? == ProtocolVersion::DTLS13;
        let retry = match self.asked {
            Asked::Retry(retry) if dtls13 => Some(retry),
            Asked::Nothing if dtls13 => None,
            Asked::Nothing if cx.config.cookie => {
                let provider = cx.config.provider.clone();
                // A cookie counts for as long as the handshake may take.
                let mut cookies = Box::new(Cookies::new(provider, Duration::MAX, cx.now)?);
                ask(&mut cookies, &hello, message.message_seq, cx);
                return Ok(Outcome::Again(Self {
                    asked: Asked::Cookie(cookies),
                }));
            }
            Asked::Cookie(mut cookies) if !dtls13 => {
                if !cookies.verify12(&claim(&hello), hello.cookie) {
                    // One that does not count is as good as none (RFC 6347 §4.2.1).
                    ask(&mut cookies, &hello, message.message_seq, cx);
                    return Ok(Outcome::Again(Self {
                        asked: Asked::Cookie(cookies),
                    }));
                }
                cx.flight.number_from(message.message_seq);
                return v12::server::on_client_hello(&hello, message, cx).map(Outcome::V12);
            }
            Asked::Nothing | Asked::Admitted if !dtls13 => {
                return v12::server::on_client_hello(&hello, message, cx).map(Outcome::V12);
            }
            // Of another version than the one that was asked for something.
            Asked::Nothing | Asked::Cookie(_) | Asked::Retry(_) | Asked::Admitted => {
                return Err(ProtocolError::SecondHello.into());
            }
        };
        Ok(
            match v13::server::on_client_hello(&hello, message, retry, cx)? {
                v13::server::Outcome::Again(retry) => Outcome::Again(Self {
                    asked: Asked::Retry(retry),
                }),
                v13::server::Outcome::Next(state) => Outcome::V13(state),
            },
        )
    }
}

/// Of whom the endpoint hears there is one address, which it does not know.
const fn claim<'a>(hello: &'a ClientHello<'a>) -> Claim<'a> {
    Claim { peer: &[], hello }
}

/// Queues a HelloVerifyRequest with the number of the hello that it answers. Neither of them is a
/// part of the handshake (RFC 6347 §4.2.1, §4.2.6).
fn ask(cookies: &mut Cookies, hello: &ClientHello<'_>, message_seq: u16, cx: &mut Context) {
    let cookie = cookies.issue12(&claim(hello));
    cx.begin_flight(message_seq);
    cx.flight.number_from(message_seq);
    let kind = HandshakeType::HELLO_VERIFY_REQUEST;
    cx.flight.message(kind, 0, |out| {
        encode_hello_verify_request(out, cookie);
    });
    // The client repeats its hello if this is lost: no more leaves than came.
    cx.flight.launch(Await::Nothing, cx.now);
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
