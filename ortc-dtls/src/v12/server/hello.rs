//! ClientHello in; ServerHello to ServerHelloDone out (RFC 5246 §7.4.1 to §7.4.5).

use super::client_flight::AwaitCertificate;
use crate::context::Context;
use crate::crypto::{NamedGroup, SignatureScheme};
use crate::event::{CloseReason, ProtocolError};
use crate::flight::Await;
use crate::reassembly::Message;
use crate::transcript::Transcript;
use crate::v12::{Authentication, SCHEMES, Session, Suite, signed_params, unexpected};
use crate::wire::certificate::{self, CertificateRequest, ECDSA_SIGN, RSA_SIGN, Signed};
use crate::wire::hello::ClientHello;
use crate::wire::key_exchange::encode_params;
use crate::wire::{CipherSuite, ExtensionType, HandshakeType, ParseError, ProtocolVersion, writer};

#[derive(Debug)]
pub(crate) struct AwaitClientHello;

/// What the ClientHello led to.
struct Choice {
    session: Session,
    group: NamedGroup,
    scheme: SignatureScheme,
    /// Extensions that are answered because they were there.
    point_formats: bool,
    renegotiation_info: bool,
}

impl AwaitClientHello {
    pub(super) fn on_message(
        self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<AwaitCertificate, CloseReason> {
        if message.kind != HandshakeType::CLIENT_HELLO {
            return Err(unexpected(message));
        }
        let hello = ClientHello::parse(&message.body)?;
        let choice = choose(&hello, cx)?;
        let mut transcript = Transcript::default();
        transcript.add_received(message);
        cx.outbound.set_version(ProtocolVersion::DTLS12);
        send(&choice, message.message_seq, &mut transcript, cx)
    }
}

fn choose(hello: &ClientHello<'_>, cx: &Context) -> Result<Choice, CloseReason> {
    let config = &cx.config;
    let extensions = &hello.extensions;
    check_version(hello)?;
    match extensions.get(ExtensionType::EXTENDED_MASTER_SECRET) {
        Some([]) => {}
        // RFC 7627 §5.3: without it the handshake is refused.
        Some(_) | None => return Err(ProtocolError::NoExtendedMasterSecret.into()),
    }
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
            .find(|group| offered.clone().any(|theirs| theirs == group.0)),
        // The client leaves the choice to us (RFC 8422 §4); every implementation has P-256.
        None => config
            .groups
            .iter()
            .find(|&&group| group == NamedGroup::SECP256R1),
    };
    let offered = extensions
        .list16(ExtensionType::SIGNATURE_ALGORITHMS)?
        .ok_or(ProtocolError::NothingInCommon("signature algorithm"))?;
    let scheme = key
        .schemes()
        .iter()
        .find(|scheme| offered.clone().any(|theirs| theirs == scheme.0));
    let srtp_profile = extensions.use_srtp()?.and_then(|use_srtp| {
        let ours = config.srtp_profiles.iter();
        ours.copied()
            .find(|&profile| use_srtp.profiles().any(|theirs| theirs == profile))
    });
    let mut server_random = [0; 32];
    config.provider.random(&mut server_random)?;
    Ok(Choice {
        session: Session {
            suite,
            client_random: *hello.random,
            server_random,
            srtp_profile,
        },
        group: *group.ok_or(ProtocolError::NothingInCommon("group"))?,
        scheme: *scheme.ok_or(ProtocolError::NothingInCommon("signature algorithm"))?,
        point_formats: extensions.get(ExtensionType::EC_POINT_FORMATS).is_some(),
        renegotiation_info: extensions.get(ExtensionType::RENEGOTIATION_INFO).is_some()
            || hello
                .cipher_suites()
                .any(|suite| suite == CipherSuite::EMPTY_RENEGOTIATION_INFO),
    })
}

/// `supported_versions` decides where it is present (RFC 8446 §4.2.1); versions count down.
fn check_version(hello: &ClientHello<'_>) -> Result<(), CloseReason> {
    let ours = ProtocolVersion::DTLS12.0;
    let offered = match hello.extensions.supported_versions()? {
        Some(mut versions) => versions.any(|version| version == ours),
        None => hello.legacy_version.0 >> 8 == ours >> 8 && hello.legacy_version.0 <= ours,
    };
    if offered {
        Ok(())
    } else {
        Err(ProtocolError::Version.into())
    }
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

    cx.flight.begin(Some(answers));
    transcript.add(cx.flight.message(HandshakeType::SERVER_HELLO, 0, |out| {
        encode(out, choice);
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
        CertificateRequest::encode(out, &[ECDSA_SIGN, RSA_SIGN], &SCHEMES);
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

fn encode(out: &mut Vec<u8>, choice: &Choice) {
    writer::u16(out, ProtocolVersion::DTLS12.0);
    out.extend_from_slice(&choice.session.server_random);
    writer::vector8(out, |_| ()); // session_id: cannot be resumed
    writer::u16(out, choice.session.suite.id.0);
    out.push(0); // null compression
    writer::vector16(out, |out| {
        if choice.renegotiation_info {
            writer::u16(out, ExtensionType::RENEGOTIATION_INFO.0);
            writer::vector16(out, |out| out.push(0));
        }
        writer::u16(out, ExtensionType::EXTENDED_MASTER_SECRET.0);
        writer::vector16(out, |_| ());
        if choice.point_formats {
            writer::u16(out, ExtensionType::EC_POINT_FORMATS.0);
            writer::vector16(out, |out| out.extend_from_slice(&[1, 0]));
        }
        if let Some(profile) = choice.session.srtp_profile {
            writer::u16(out, ExtensionType::USE_SRTP.0);
            writer::vector16(out, |out| {
                writer::vector16(out, |out| writer::u16(out, profile));
                writer::vector8(out, |_| ()); // MKI
            });
        }
    });
}
