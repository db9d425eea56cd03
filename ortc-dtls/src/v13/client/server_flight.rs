//! EncryptedExtensions to Finished in, the client's flight out (RFC 8446 §4.3, §4.4).

use super::State;
use crate::config::Role;
use crate::context::Context;
use crate::established::{Established, KeyProved, PeerKey, Secrets, verify_finished};
use crate::event::{CloseReason, ProtocolError};
use crate::flight::Await;
use crate::hello::{Answers, is_offered};
use crate::reassembly::Message;
use crate::v13::{
    HANDSHAKE, HandshakeKeys, Session, Transcript, finished, learn_certificate, own_scheme,
    read_application, send_certificate, send_finished, start_application_secrets, unexpected,
    verify_certificate,
};
use crate::wire::extension::Extensions;
use crate::wire::{
    ExtensionType, HandshakeType, ParseError, ProtocolVersion, Reader, SignatureScheme,
    certificate13,
};

#[derive(Debug)]
pub(crate) struct AwaitExtensions {
    pub(super) session: Session,
    pub(super) keys: HandshakeKeys,
    pub(super) transcript: Transcript,
}

impl AwaitExtensions {
    pub(super) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<AwaitRequest, CloseReason> {
        if message.kind != HandshakeType::ENCRYPTED_EXTENSIONS {
            return Err(unexpected(message));
        }
        let mut reader = Reader::new(&message.body, "EncryptedExtensions");
        let list = reader.sub16("extensions")?;
        reader.finish()?;
        let extensions = Extensions::parse(list.rest())?;
        for (kind, _) in extensions.iter() {
            match kind {
                _ if !is_offered(kind, cx) => {
                    return Err(ProtocolError::UnsolicitedExtension(kind).into());
                }
                // What a server prefers is of no use here (RFC 8446 §4.2.7).
                ExtensionType::SUPPORTED_GROUPS
                | ExtensionType::USE_SRTP
                | ExtensionType::ALPN
                | ExtensionType::RECORD_SIZE_LIMIT => {}
                _ => return Err(ProtocolError::MisplacedExtension(kind).into()),
            }
        }
        self.session.answers = Answers::accept(&extensions, &cx.config)?;
        self.session.answers.apply(ProtocolVersion::DTLS13, cx);
        self.transcript.add_received(message);
        Ok(AwaitRequest {
            session: self.session,
            keys: self.keys,
            transcript: self.transcript,
        })
    }
}

/// What the server wants to know of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    /// Nothing.
    None,
    /// A certificate, of which we have none that it could verify.
    Unsuitable,
    /// Our certificate, proved with this signature.
    Certificate(SignatureScheme),
}

#[derive(Debug)]
pub(crate) struct AwaitRequest {
    session: Session,
    keys: HandshakeKeys,
    transcript: Transcript,
}

impl AwaitRequest {
    pub(super) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<State, CloseReason> {
        let request = match message.kind {
            HandshakeType::CERTIFICATE_REQUEST => {
                let request = answer(&certificate13::parse_request(&message.body)?, cx)?;
                self.transcript.add_received(message);
                request
            }
            _ => Request::None,
        };
        let state = AwaitCertificate {
            session: self.session,
            keys: self.keys,
            request,
            transcript: self.transcript,
        };
        match request {
            Request::None => state.on_message(message, cx).map(State::Verify),
            Request::Unsuitable | Request::Certificate(_) => Ok(State::Certificate(state)),
        }
    }
}

fn answer(request: &Extensions<'_>, cx: &Context) -> Result<Request, CloseReason> {
    let kind = ExtensionType::SIGNATURE_ALGORITHMS;
    let wanted = request
        .list16(kind)?
        .ok_or(ProtocolError::MissingExtension(kind))?;
    Ok(match own_scheme(&cx.config, wanted) {
        Some(scheme) => Request::Certificate(scheme),
        None => Request::Unsuitable,
    })
}

#[derive(Debug)]
pub(crate) struct AwaitCertificate {
    session: Session,
    keys: HandshakeKeys,
    request: Request,
    transcript: Transcript,
}

impl AwaitCertificate {
    pub(super) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<AwaitVerify, CloseReason> {
        if message.kind != HandshakeType::CERTIFICATE {
            return Err(unexpected(message));
        }
        // A server's list is never empty (RFC 8446 §4.4.2.4).
        learn_certificate(message, cx)?.ok_or(ParseError::Truncated("certificate_list"))?;
        self.transcript.add_received(message);
        Ok(AwaitVerify {
            session: self.session,
            keys: self.keys,
            request: self.request,
            transcript: self.transcript,
        })
    }
}

#[derive(Debug)]
pub(crate) struct AwaitVerify {
    session: Session,
    keys: HandshakeKeys,
    request: Request,
    transcript: Transcript,
}

impl AwaitVerify {
    pub(super) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<AwaitFinished, CloseReason> {
        let proved = verify_certificate(message, Role::Server, &self.transcript, cx)?;
        self.transcript.add_received(message);
        Ok(AwaitFinished {
            session: self.session,
            keys: self.keys,
            request: self.request,
            proved,
            transcript: self.transcript,
        })
    }
}

#[derive(Debug)]
pub(crate) struct AwaitFinished {
    session: Session,
    keys: HandshakeKeys,
    request: Request,
    proved: KeyProved,
    transcript: Transcript,
}

impl AwaitFinished {
    pub(super) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<Established, CloseReason> {
        if message.kind != HandshakeType::FINISHED {
            return Err(unexpected(message));
        }
        let (session, keys) = (self.session, self.keys);
        let transcript = &mut self.transcript;
        let expected = finished(cx, &keys.server_finished, transcript);
        let proved = verify_finished(&message.body, expected.as_ref())?;
        transcript.add_received(message);
        let up_to_server =
            start_application_secrets(cx, Role::Client, &session, &keys.master, transcript)?;

        // It is repeated until the server acknowledges it.
        cx.begin_flight(message.message_seq);
        match self.request {
            Request::None => {}
            Request::Unsuitable => {
                let kind = HandshakeType::CERTIFICATE;
                transcript.add_sent(cx.flight.message(kind, HANDSHAKE, |out| {
                    certificate13::encode(out, None);
                }));
            }
            Request::Certificate(scheme) => {
                send_certificate(cx, Role::Client, scheme, transcript)?;
            }
        }
        send_finished(cx, &keys.client_finished, transcript);
        cx.flight.launch(Await::Answer, cx.now);
        let traffic = read_application(cx, Role::Client, &session, up_to_server)?;
        Ok(Established::new(
            session.negotiated(),
            Secrets::V13(traffic),
            PeerKey::Proved(self.proved),
            proved,
        ))
    }
}
