//! Certificate to ServerHelloDone in; the client's second flight out (RFC 5246 §7.4).

use super::State;
use super::finished::AwaitFinished;
use crate::config::Role;
use crate::context::Context;
use crate::established::KeyProved;
use crate::event::{CloseReason, ProtocolError};
use crate::flight::Await;
use crate::reassembly::Message;
use crate::transcript::Transcript;
use crate::v12::{
    Authentication, Session, expect_empty, has_group, keys, signed_params, unexpected, verify,
};
use crate::wire::certificate::{
    self, CertificateRequest, ECDSA_SIGN, RSA_SIGN, Signed, parse_first,
};
use crate::wire::key_exchange::ServerKeyExchange;
use crate::wire::{HandshakeType, NamedGroup, ParseError, SignatureScheme, writer};

#[derive(Debug)]
pub(crate) struct AwaitCertificate {
    pub(super) session: Session,
    pub(super) transcript: Transcript,
}

impl AwaitCertificate {
    pub(super) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<AwaitKeyExchange, CloseReason> {
        if message.kind != HandshakeType::CERTIFICATE {
            return Err(unexpected(message));
        }
        let der = parse_first(&message.body)?.ok_or(ProtocolError::NoCertificate)?;
        cx.learn_peer(der)?;
        let peer = cx.peer.as_ref().ok_or(ProtocolError::NoCertificate)?;
        let key = peer.public_key().map_err(ProtocolError::Certificate)?;
        if Authentication::of(key) != self.session.suite.authentication {
            let error = ParseError::Invalid("kind of key for the cipher suite");
            return Err(ProtocolError::Certificate(error).into());
        }
        self.transcript.add_received(message);
        Ok(AwaitKeyExchange {
            session: self.session,
            transcript: self.transcript,
        })
    }
}

#[derive(Debug)]
pub(crate) struct AwaitKeyExchange {
    session: Session,
    transcript: Transcript,
}

impl AwaitKeyExchange {
    pub(super) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<AwaitHelloDone, CloseReason> {
        if message.kind != HandshakeType::SERVER_KEY_EXCHANGE {
            return Err(unexpected(message));
        }
        let exchange = ServerKeyExchange::parse(&message.body)?;
        if !cx.config.groups.contains(&exchange.group) || !has_group(exchange.group) {
            return Err(ProtocolError::IllegalChoice("group").into());
        }
        let signed = signed_params(&self.session, exchange.params);
        let proved = verify(cx, &signed, &exchange.signed)?;
        self.transcript.add_received(message);
        self.session.group = Some(exchange.group);
        Ok(AwaitHelloDone {
            session: self.session,
            proved,
            group: exchange.group,
            server_public: exchange.public.to_vec(),
            request: Request::None,
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
pub(crate) struct AwaitHelloDone {
    session: Session,
    proved: KeyProved,
    group: NamedGroup,
    server_public: Vec<u8>,
    request: Request,
    transcript: Transcript,
}

impl AwaitHelloDone {
    pub(super) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<State, CloseReason> {
        match message.kind {
            HandshakeType::CERTIFICATE_REQUEST if self.request == Request::None => {
                self.request = answer(&CertificateRequest::parse(&message.body)?, cx);
                self.transcript.add_received(message);
                Ok(State::HelloDone(self))
            }
            HandshakeType::SERVER_HELLO_DONE => {
                expect_empty(message)?;
                self.transcript.add_received(message);
                self.send(message.message_seq, cx).map(State::Finished)
            }
            _ => Err(unexpected(message)),
        }
    }

    fn send(mut self, answers: u16, cx: &mut Context) -> Result<AwaitFinished, CloseReason> {
        let config = cx.config.clone();
        let exchange = config.provider.generate_key_exchange(self.group)?;
        let transcript = &mut self.transcript;
        cx.flight.begin(Some(answers), cx.now);
        if self.request != Request::None {
            let chain = match self.request {
                Request::Certificate(_) => Some(config.certificate.chain()),
                Request::None | Request::Unsuitable => None,
            };
            transcript.add(cx.flight.message(HandshakeType::CERTIFICATE, 0, |out| {
                certificate::encode(out, chain.into_iter().flatten());
            }));
        }
        let kind = HandshakeType::CLIENT_KEY_EXCHANGE;
        transcript.add(cx.flight.message(kind, 0, |out| {
            writer::vector8(out, |out| out.extend_from_slice(exchange.public_key()));
        }));
        let pre_master = exchange
            .agree(&self.server_public)
            .map_err(|_| ProtocolError::KeyShare)?;
        let secrets = keys::establish(cx, Role::Client, &self.session, &pre_master, transcript)?;
        if let Request::Certificate(scheme) = self.request {
            let key = config.certificate.key();
            let signature = key.sign(scheme, transcript.messages())?;
            let signed = Signed {
                scheme,
                signature: &signature,
            };
            let kind = HandshakeType::CERTIFICATE_VERIFY;
            transcript.add(cx.flight.message(kind, 0, |out| signed.encode(out)));
        }
        transcript.forget_messages();
        let verify_data = keys::verify_data(cx, Role::Client, &secrets, transcript)?;
        cx.flight.change_cipher_spec();
        transcript.add(cx.flight.message(HandshakeType::FINISHED, 1, |out| {
            out.extend_from_slice(&verify_data);
        }));
        cx.flight.launch(Await::Answer, cx.now);
        let expected = keys::verify_data(cx, Role::Server, &secrets, transcript)?;
        Ok(AwaitFinished {
            session: self.session,
            secrets,
            proved: self.proved,
            expected,
        })
    }
}

fn answer(request: &CertificateRequest<'_>, cx: &Context) -> Request {
    let key = cx.config.certificate.key();
    let wanted = match Authentication::of(key.public_key()) {
        Authentication::Ecdsa => ECDSA_SIGN,
        Authentication::Rsa => RSA_SIGN,
    };
    let scheme = key
        .schemes()
        .iter()
        .filter(|scheme| cx.config.schemes.contains(scheme))
        .find(|&&ours| request.schemes().any(|theirs| theirs == ours));
    match scheme {
        Some(&scheme) if request.types.contains(&wanted) => Request::Certificate(scheme),
        Some(_) | None => Request::Unsuitable,
    }
}
