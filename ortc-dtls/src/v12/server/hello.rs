//! ClientHello in; ServerHello to ServerHelloDone out (RFC 5246 §7.4.1 to §7.4.5).

use super::State;
use super::client_flight::AwaitCertificate;
use crate::config::Config;
use crate::context::Context;
use crate::crypto::{NamedGroup, SignatureScheme};
use crate::event::{CloseReason, ProtocolError};
use crate::flight::Await;
use crate::hello::{Answers, DOWNGRADE, connection_id, extension};
use crate::reassembly::Message;
use crate::transcript::Transcript;
use crate::v12::{
    Authentication, Session, Suite, has_extended_master_secret, has_group, signed_params,
};
use crate::wire::certificate::{self, CertificateRequest, ECDSA_SIGN, RSA_SIGN, Signed};
use crate::wire::hello::ClientHello;
use crate::wire::key_exchange::encode_params;
use crate::wire::{CipherSuite, ExtensionType, HandshakeType, ParseError, ProtocolVersion, writer};

/// What the ClientHello led to.
struct Choice {
    session: Session,
    group: NamedGroup,
    scheme: SignatureScheme,
    /// Extensions that are answered because they were there.
    point_formats: bool,
    renegotiation_info: bool,
}

/// The ClientHello of a client with which DTLS 1.2 is the best common version.
pub(crate) fn on_client_hello(
    hello: &ClientHello<'_>,
    message: &Message,
    cx: &mut Context,
) -> Result<State, CloseReason> {
    let choice = choose(hello, cx)?;
    choice.session.answers.apply(ProtocolVersion::DTLS12, cx);
    cx.on_id_offer(&hello.extensions)?;
    cx.negotiate_dtls12();
    let mut transcript = Transcript::default();
    transcript.add_received(message);
    send(&choice, message.message_seq, &mut transcript, cx).map(State::Certificate)
}

fn choose(hello: &ClientHello<'_>, cx: &Context) -> Result<Choice, CloseReason> {
    let config = &cx.config;
    let extensions = &hello.extensions;
    let extended_master_secret = has_extended_master_secret(extensions, config)?;
    if !extensions.renegotiation_is_initial() {
        return Err(ProtocolError::Renegotiation.into());
    }
    if !extensions.has_uncompressed_points()? {
        return Err(ProtocolError::Malformed(ParseError::Invalid("ec_point_formats")).into());
    }

    let key = config.certificate.key();
    let authentication = Authentication::of(key.public_key());
    let suite = config
        .cipher_suites
        .iter()
        .filter_map(|&id| Suite::find(id))
        .filter(|suite| suite.authentication == authentication)
        .find(|suite| hello.cipher_suites().any(|offered| offered == suite.id))
        .ok_or(ProtocolError::NothingInCommon("cipher suite"))?;
    let group = match extensions.list16(ExtensionType::SUPPORTED_GROUPS)? {
        Some(offered) => config
            .groups
            .iter()
            .copied()
            .filter(|&group| has_group(group))
            .find(|group| offered.clone().any(|theirs| theirs == group.0)),
        // The client leaves the choice to us (RFC 8422 §4); every implementation has P-256.
        None => Some(NamedGroup::SECP256R1).filter(|group| config.groups.contains(group)),
    };
    let offered = extensions
        .list16(ExtensionType::SIGNATURE_ALGORITHMS)?
        .ok_or(ProtocolError::NothingInCommon("signature algorithm"))?;
    let scheme = key
        .schemes()
        .iter()
        .filter(|scheme| config.schemes.contains(scheme))
        .find(|scheme| offered.clone().any(|theirs| theirs == scheme.0));
    let group = group.ok_or(ProtocolError::NothingInCommon("group"))?;
    let mut server_random = [0; 32];
    config.provider.random(&mut server_random)?;
    if config.has_dtls13() {
        // The client can see that this was not our best (RFC 8446 §4.1.3).
        if let Some(end) = server_random.last_chunk_mut() {
            *end = DOWNGRADE;
        }
    }
    Ok(Choice {
        session: Session {
            suite,
            client_random: *hello.random,
            server_random,
            extended_master_secret,
            group: Some(group),
            answers: Answers::choose(extensions, config)?,
        },
        group,
        scheme: *scheme.ok_or(ProtocolError::NothingInCommon("signature algorithm"))?,
        point_formats: extensions.get(ExtensionType::EC_POINT_FORMATS).is_some(),
        renegotiation_info: extensions.get(ExtensionType::RENEGOTIATION_INFO).is_some()
            || hello
                .cipher_suites()
                .any(|suite| suite == CipherSuite::EMPTY_RENEGOTIATION_INFO),
    })
}

fn send(
    choice: &Choice,
    answers: u16,
    transcript: &mut Transcript,
    cx: &mut Context,
) -> Result<AwaitCertificate, CloseReason> {
    let config = cx.config.clone();
    let session = choice.session;
    let exchange = config.provider.generate_key_exchange(choice.group)?;
    let mut params = Vec::with_capacity(72);
    encode_params(&mut params, choice.group, exchange.public_key());
    let key = config.certificate.key();
    let signature = key.sign(choice.scheme, &signed_params(&session, &params))?;

    cx.flight.begin(Some(answers), cx.now);
    transcript.add(cx.flight.message(HandshakeType::SERVER_HELLO, 0, |out| {
        let id = cx.ids.as_ref().map(|ids| ids.first());
        encode(out, choice, &config, id);
    }));
    transcript.start_hash(&*config.provider, session.suite.hash);
    transcript.add(cx.flight.message(HandshakeType::CERTIFICATE, 0, |out| {
        certificate::encode(out, config.certificate.chain());
    }));
    let kind = HandshakeType::SERVER_KEY_EXCHANGE;
    transcript.add(cx.flight.message(kind, 0, |out| {
        out.extend_from_slice(&params);
        let signed = Signed {
            scheme: choice.scheme,
            signature: &signature,
        };
        signed.encode(out);
    }));
    let kind = HandshakeType::CERTIFICATE_REQUEST;
    transcript.add(cx.flight.message(kind, 0, |out| {
        CertificateRequest::encode(out, &[ECDSA_SIGN, RSA_SIGN], &config.schemes);
    }));
    let kind = HandshakeType::SERVER_HELLO_DONE;
    transcript.add(cx.flight.message(kind, 0, |_| ()));
    cx.flight.launch(Await::Answer, cx.now);
    Ok(AwaitCertificate {
        session,
        exchange,
        transcript: core::mem::take(transcript),
    })
}

fn encode(out: &mut Vec<u8>, choice: &Choice, config: &Config, id: Option<&[u8]>) {
    writer::u16(out, ProtocolVersion::DTLS12.0);
    out.extend_from_slice(&choice.session.server_random);
    writer::vector8(out, |_| ()); // session_id: cannot be resumed
    writer::u16(out, choice.session.suite.id.0);
    out.push(0); // null compression
    writer::vector16(out, |out| {
        if choice.renegotiation_info {
            extension(out, ExtensionType::RENEGOTIATION_INFO, |out| out.push(0));
        }
        if choice.session.extended_master_secret {
            extension(out, ExtensionType::EXTENDED_MASTER_SECRET, |_| ());
        }
        if choice.point_formats {
            extension(out, ExtensionType::EC_POINT_FORMATS, |out| {
                out.extend_from_slice(&[1, 0]);
            });
        }
        choice
            .session
            .answers
            .encode(ProtocolVersion::DTLS12, out, config);
        if let Some(id) = id {
            connection_id(out, id);
        }
    });
}
