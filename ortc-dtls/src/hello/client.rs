//! ClientHello out; HelloVerifyRequest, HelloRetryRequest or ServerHello in (RFC 6347 §4.2.1,
//! RFC 9147 §5.1, RFC 8446 §4.1).

use super::verify::Verify;
use super::{Answers, connection_id, extension, says_downgrade};
use crate::config::Config;
use crate::context::Context;
use crate::crypto::{KeyExchange, NamedGroup};
use crate::event::{CloseReason, ProtocolError};
use crate::flight::{Acknowledgements, Await};
use crate::reassembly::Message;
use crate::wire::handshake::Fragment;
use crate::wire::hello::{ServerHello, parse_hello_verify_request};
use crate::wire::key_share::encode_entry;
use crate::wire::{ExtensionType, HandshakeType, ParseError, ProtocolVersion, writer};
use crate::{v12, v13};

/// Our half of a key exchange that a ClientHello offers.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) group: NamedGroup,
    pub(crate) exchange: Box<dyn KeyExchange>,
}

/// The number of a hello with a cookie.
const SECOND: u16 = 1;

/// What the server has asked for; it may ask once, and for a cookie of DTLS 1.2 again.
#[derive(Debug)]
enum Asked {
    Nothing,
    /// A cookie of DTLS 1.2.
    Verify(Verify),
    /// A cookie or another share of DTLS 1.3.
    Retry(v13::client::Retried),
}

/// What a message led to.
#[derive(Debug)]
pub(crate) enum Outcome {
    Again(AwaitServerHello),
    V12(v12::client::State),
    V13(v13::client::State),
}

#[derive(Debug)]
pub(crate) struct AwaitServerHello {
    random: [u8; 32],
    shares: Shares,
    asked: Asked,
}

/// At most one of a hybrid and one of another group.
pub(crate) type Shares = [Option<Share>; 2];

/// The parts of a ClientHello that change.
struct Hello<'a> {
    random: &'a [u8; 32],
    shares: &'a Shares,
    legacy_cookie: &'a [u8],
    cookie: &'a [u8],
    connection_id: Option<&'a [u8]>,
}

impl AwaitServerHello {
    /// Queues a ClientHello.
    pub(crate) fn start(cx: &mut Context) -> Result<Self, CloseReason> {
        let mut random = [0; 32];
        cx.config.provider.random(&mut random)?;
        let mut shares = Shares::default();
        if cx.config.has_dtls13() {
            cx.flight.set_acknowledgements(Acknowledgements::Possible);
            for (slot, group) in shares.iter_mut().zip(initial_shares(&cx.config.groups)) {
                *slot = Some(share(cx, group)?);
            }
        }
        let mut state = Self {
            random,
            shares,
            asked: Asked::Nothing,
        };
        state.send(cx, &[], &[], None);
        Ok(state)
    }

    fn send(
        &mut self,
        cx: &mut Context,
        legacy_cookie: &[u8],
        cookie: &[u8],
        answers: Option<u16>,
    ) {
        let config = &cx.config;
        let hello = Hello {
            random: &self.random,
            shares: &self.shares,
            legacy_cookie,
            cookie,
            connection_id: cx.ids.as_ref().map(|ids| ids.first()),
        };
        cx.acks.clear();
        cx.flight.begin(answers, cx.now);
        cx.flight.message(HandshakeType::CLIENT_HELLO, 0, |out| {
            hello.encode(out, config);
        });
        cx.flight.launch(Await::Answer, cx.now);
    }

    /// Whether a cookie may be asked for by a message in its turn.
    pub(crate) const fn is_first(&self) -> bool {
        matches!(self.asked, Asked::Nothing)
    }

    /// A HelloVerifyRequest after the first, whole: remembered, and not obeyed at once. Says whether
    /// it is a repetition.
    pub(crate) fn on_verify_again(&mut self, request: &Fragment<'_>, cx: &Context) -> bool {
        match &mut self.asked {
            Asked::Verify(verify) => verify.on_request(request, cx.flight.octets()),
            Asked::Nothing | Asked::Retry(_) => false,
        }
    }

    /// The hello is to be repeated: with another cookie, where the server insists. It has the
    /// number of the one before, which a server that keeps something has seen and one that keeps
    /// nothing takes as it is.
    pub(crate) fn before_repetition(&mut self, cx: &mut Context) {
        let Asked::Verify(verify) = &mut self.asked else {
            return;
        };
        if let Some(cookie) = verify.take_other(cx.now) {
            self.asked = Asked::Verify(Verify::new(cx.now));
            cx.flight.number_from(SECOND);
            self.send(cx, &cookie, &[], cx.flight.answers());
        }
    }

    pub(crate) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<Outcome, CloseReason> {
        match (message.kind, &self.asked) {
            (HandshakeType::HELLO_VERIFY_REQUEST, Asked::Nothing) if cx.config.has_dtls12() => {
                let cookie = parse_hello_verify_request(&message.body)?;
                self.asked = Asked::Verify(Verify::new(cx.now));
                // The same hello again but for the cookie; neither it nor the request count.
                self.send(cx, cookie, &[], Some(message.message_seq));
                Ok(Outcome::Again(self))
            }
            (HandshakeType::SERVER_HELLO, _) => self.on_server_hello(message, cx),
            _ => Err(ProtocolError::UnexpectedMessage(message.kind).into()),
        }
    }

    fn on_server_hello(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<Outcome, CloseReason> {
        let hello = ServerHello::parse(&message.body)?;
        let retry = *hello.random == v13::RETRY_RANDOM;
        match version(&hello, retry, &self.asked, cx)? {
            ProtocolVersion::DTLS12 => {
                // Somebody made the server choose less than both can do.
                if cx.config.has_dtls13() && says_downgrade(hello.random) {
                    return Err(ProtocolError::Downgrade.into());
                }
                cx.flight.set_acknowledgements(Acknowledgements::Unknown);
                v12::client::on_server_hello(&hello, message, self.random, cx).map(Outcome::V12)
            }
            _ if retry => {
                if !matches!(self.asked, Asked::Nothing) {
                    // The second request in one handshake (RFC 8446 §4.1.4).
                    return Err(ProtocolError::UnexpectedMessage(message.kind).into());
                }
                let again = v13::client::on_retry_request(&hello, message, &self.shares, cx)?;
                if let Some(group) = again.group {
                    self.shares = [Some(share(cx, group)?), None];
                }
                cx.outbound.set_version(ProtocolVersion::DTLS12);
                self.asked = Asked::Retry(again.retried);
                self.send(cx, &[], &again.cookie, Some(message.message_seq));
                Ok(Outcome::Again(self))
            }
            _ => {
                let retried = match self.asked {
                    Asked::Retry(retried) => Some(retried),
                    Asked::Nothing | Asked::Verify(_) => None,
                };
                let (random, shares) = (self.random, self.shares);
                v13::client::on_server_hello(&hello, message, random, shares, retried, cx)
                    .map(Outcome::V13)
            }
        }
    }
}

/// The version that the server chose, if it is one that it may still choose.
fn version(
    hello: &ServerHello<'_>,
    retry: bool,
    asked: &Asked,
    cx: &Context,
) -> Result<ProtocolVersion, CloseReason> {
    let config = &cx.config;
    let version = match hello.extensions.selected_version()? {
        // `supported_versions` is not how older versions are chosen (RFC 8446 §4.2.1).
        Some(version) if version == ProtocolVersion::DTLS13.0 && config.has_dtls13() => {
            ProtocolVersion::DTLS13
        }
        Some(_) => return Err(ParseError::Invalid("supported_versions").into()),
        None if retry && config.has_dtls13() => {
            let kind = ExtensionType::SUPPORTED_VERSIONS;
            return Err(ProtocolError::MissingExtension(kind).into());
        }
        None => hello.version,
    };
    let offered = match version {
        ProtocolVersion::DTLS12 => config.has_dtls12(),
        ProtocolVersion::DTLS13 => config.has_dtls13(),
        _ => false,
    };
    if !offered {
        return Err(ProtocolError::Version.into());
    }
    match (asked, version) {
        // A server of DTLS 1.3 does not send a HelloVerifyRequest (RFC 9147 §5.2), one of DTLS 1.2
        // no HelloRetryRequest.
        (Asked::Verify(_), ProtocolVersion::DTLS13)
        | (Asked::Retry(_), ProtocolVersion::DTLS12) => {
            Err(ProtocolError::IllegalChoice("version").into())
        }
        _ => Ok(version),
    }
}

fn share(cx: &Context, group: NamedGroup) -> Result<Share, CloseReason> {
    let exchange = cx.config.provider.generate_key_exchange(group)?;
    Ok(Share { group, exchange })
}

/// The groups of which the first ClientHello has a share: the most preferred one, and for servers
/// that do not know it, another beside a hybrid.
fn initial_shares(groups: &[NamedGroup]) -> impl Iterator<Item = NamedGroup> {
    let is_hybrid = |group: &NamedGroup| *group == NamedGroup::X25519MLKEM768;
    let first = groups.first().copied();
    let other = groups.iter().copied().find(|group| !is_hybrid(group));
    let other = other.filter(|_| first.as_ref().is_some_and(is_hybrid));
    first.into_iter().chain(other)
}

/// Whether a server may answer with this extension.
pub(crate) fn is_offered(kind: ExtensionType, cx: &Context) -> bool {
    let config = &cx.config;
    match kind {
        ExtensionType::SUPPORTED_GROUPS
        | ExtensionType::SIGNATURE_ALGORITHMS
        | ExtensionType::RECORD_SIZE_LIMIT => true,
        ExtensionType::EC_POINT_FORMATS
        | ExtensionType::EXTENDED_MASTER_SECRET
        | ExtensionType::RENEGOTIATION_INFO => config.has_dtls12(),
        ExtensionType::SUPPORTED_VERSIONS | ExtensionType::KEY_SHARE => config.has_dtls13(),
        ExtensionType::USE_SRTP => !config.srtp_profiles.is_empty(),
        ExtensionType::ALPN => !config.application_protocols.is_empty(),
        ExtensionType::CONNECTION_ID => cx.ids.is_some(),
        _ => false,
    }
}

impl Hello<'_> {
    fn encode(&self, out: &mut Vec<u8>, config: &Config) {
        writer::u16(out, ProtocolVersion::DTLS12.0);
        out.extend_from_slice(self.random);
        writer::vector8(out, |_| ()); // session_id
        writer::vector8(out, |out| out.extend_from_slice(self.legacy_cookie));
        writer::vector16(out, |out| {
            for &suite in &config.cipher_suites {
                let v12 = config.has_dtls12() && v12::Suite::find(suite).is_some();
                if v12 || (config.has_dtls13() && v13::Suite::find(suite).is_some()) {
                    writer::u16(out, suite.0);
                }
            }
        });
        writer::vector8(out, |out| out.push(0)); // null compression
        writer::vector16(out, |out| self.encode_extensions(out, config));
    }

    fn encode_extensions(&self, out: &mut Vec<u8>, config: &Config) {
        if config.has_dtls12() {
            extension(out, ExtensionType::RENEGOTIATION_INFO, |out| out.push(0));
            extension(out, ExtensionType::EXTENDED_MASTER_SECRET, |_| ());
            extension(out, ExtensionType::EC_POINT_FORMATS, |out| {
                writer::vector8(out, |out| out.push(0)); // uncompressed
            });
        }
        extension(out, ExtensionType::SUPPORTED_GROUPS, |out| {
            writer::vector16(out, |out| {
                for group in &config.groups {
                    writer::u16(out, group.0);
                }
            });
        });
        let schemes: &[_] = if config.has_dtls12() {
            &config.schemes
        } else {
            &config.schemes13
        };
        extension(out, ExtensionType::SIGNATURE_ALGORITHMS, |out| {
            writer::vector16(out, |out| {
                for scheme in schemes {
                    writer::u16(out, scheme.0);
                }
            });
        });
        Answers::encode_offers(out, config);
        if let Some(id) = self.connection_id {
            connection_id(out, id);
        }
        if config.has_dtls13() {
            extension(out, ExtensionType::SUPPORTED_VERSIONS, |out| {
                writer::vector8(out, |out| {
                    writer::u16(out, ProtocolVersion::DTLS13.0);
                    if config.has_dtls12() {
                        writer::u16(out, ProtocolVersion::DTLS12.0);
                    }
                });
            });
            if !self.cookie.is_empty() {
                extension(out, ExtensionType::COOKIE, |out| {
                    writer::vector16(out, |out| out.extend_from_slice(self.cookie));
                });
            }
            extension(out, ExtensionType::KEY_SHARE, |out| {
                writer::vector16(out, |out| {
                    for share in self.shares.iter().flatten() {
                        encode_entry(out, share.group, share.exchange.public_key());
                    }
                });
            });
        }
    }
}
