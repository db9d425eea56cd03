//! Certificate, ClientKeyExchange, CertificateVerify in (RFC 5246 §7.4.6 to §7.4.8).

use super::State;
use super::finished::AwaitFinished;
use crate::config::Role;
use crate::context::Context;
use crate::crypto::KeyExchange;
use crate::established::{AbsencePermitted, PeerKey, permit_absence};
use crate::event::{CloseReason, ProtocolError};
use crate::keying::Tls12Secrets;
use crate::reassembly::Message;
use crate::transcript::Transcript;
use crate::v12::{Session, keys, unexpected, verify};
use crate::wire::certificate::{Signed, parse_first};
use crate::wire::key_exchange::parse_client;
use crate::wire::{HandshakeType, Reader};

#[derive(Debug)]
pub(crate) struct AwaitCertificate {
    pub(super) session: Session,
    pub(super) exchange: Box<dyn KeyExchange>,
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
        let absent = match parse_first(&message.body)? {
            Some(der) => {
                cx.learn_peer(der)?;
                None
            }
            None => Some(permit_absence(cx, ProtocolError::NoCertificate)?),
        };
        self.transcript.add_received(message);
        Ok(AwaitKeyExchange {
            session: self.session,
            absent,
            exchange: self.exchange,
            transcript: self.transcript,
        })
    }
}

#[derive(Debug)]
pub(crate) struct AwaitKeyExchange {
    session: Session,
    /// The client showed no certificate, so that no CertificateVerify follows.
    absent: Option<AbsencePermitted>,
    exchange: Box<dyn KeyExchange>,
    transcript: Transcript,
}

impl AwaitKeyExchange {
    pub(super) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<State, CloseReason> {
        if message.kind != HandshakeType::CLIENT_KEY_EXCHANGE {
            return Err(unexpected(message));
        }
        let public = parse_client(&message.body)?;
        let pre_master = self
            .exchange
            .agree(public)
            .map_err(|_| ProtocolError::KeyShare)?;
        self.transcript.add_received(message);
        let (session, transcript) = (&self.session, &self.transcript);
        let secrets = keys::establish(cx, Role::Server, session, &pre_master, transcript)?;
        let Some(absent) = self.absent else {
            return Ok(State::Verify(AwaitVerify {
                session: self.session,
                secrets,
                transcript: self.transcript,
            }));
        };
        self.transcript.forget_messages();
        let expected = keys::verify_data(cx, Role::Client, &secrets, &self.transcript)?;
        Ok(State::Finished(AwaitFinished {
            session: self.session,
            secrets,
            key: PeerKey::Absent(absent),
            expected,
            transcript: self.transcript,
        }))
    }
}

#[derive(Debug)]
pub(crate) struct AwaitVerify {
    session: Session,
    secrets: Tls12Secrets,
    transcript: Transcript,
}

impl AwaitVerify {
    pub(super) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<AwaitFinished, CloseReason> {
        if message.kind != HandshakeType::CERTIFICATE_VERIFY {
            return Err(unexpected(message));
        }
        let reader = Reader::new(&message.body, "CertificateVerify");
        let signed = Signed::parse_last(reader)?;
        let proved = verify(cx, self.transcript.messages(), &signed)?;
        self.transcript.forget_messages();
        self.transcript.add_received(message);
        let expected = keys::verify_data(cx, Role::Client, &self.secrets, &self.transcript)?;
        Ok(AwaitFinished {
            session: self.session,
            secrets: self.secrets,
            key: PeerKey::Proved(proved),
            expected,
            transcript: self.transcript,
        })
    }
}
