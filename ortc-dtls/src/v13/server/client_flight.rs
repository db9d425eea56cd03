//! Certificate, CertificateVerify and Finished of the client in (RFC 8446 §4.4).

use crate::config::Role;
use crate::context::Context;
use crate::established::{Established, KeyProved, Secrets, verify_finished};
use crate::event::{CloseReason, ProtocolError};
use crate::reassembly::Message;
use crate::v13::schedule::{ApplicationSecrets, FinishedKey};
use crate::v13::{
    Session, Transcript, finished, learn_certificate, read_application, unexpected,
    verify_certificate,
};
use crate::wire::HandshakeType;

/// What all states of this flight carry.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) session: Session,
    pub(super) finished: FinishedKey,
    pub(super) application: ApplicationSecrets,
    pub(super) transcript: Transcript,
}

#[derive(Debug)]
pub(crate) struct AwaitCertificate(pub(super) Box<Flight>);

impl AwaitCertificate {
    pub(super) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<AwaitVerify, CloseReason> {
        if message.kind != HandshakeType::CERTIFICATE {
            return Err(unexpected(message));
        }
        // Authentication is mutual in WebRTC (RFC 5763 §5): no certificate, no connection.
        learn_certificate(message, cx)?.ok_or(ProtocolError::CertificateRequired)?;
        self.0.transcript.add_received(message);
        Ok(AwaitVerify(self.0))
    }
}

#[derive(Debug)]
pub(crate) struct AwaitVerify(Box<Flight>);

impl AwaitVerify {
    pub(super) fn on_message(
        mut self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<AwaitFinished, CloseReason> {
        let proved = verify_certificate(message, Role::Client, &self.0.transcript, cx)?;
        self.0.transcript.add_received(message);
        Ok(AwaitFinished {
            flight: self.0,
            proved,
        })
    }
}

#[derive(Debug)]
pub(crate) struct AwaitFinished {
    flight: Box<Flight>,
    proved: KeyProved,
}

impl AwaitFinished {
    pub(super) fn on_message(
        self,
        message: &Message,
        cx: &mut Context,
    ) -> Result<Established, CloseReason> {
        if message.kind != HandshakeType::FINISHED {
            return Err(unexpected(message));
        }
        let Flight {
            session,
            finished: key,
            application,
            transcript,
        } = *self.flight;
        let expected = finished(cx, &key, &transcript);
        let finished = verify_finished(&message.body, expected.as_ref())?;
        let traffic = read_application(cx, Role::Server, &session, application)?;
        // The client repeats its flight until the ACK of this record (RFC 9147 §5.8.1).
        cx.flight.clear();
        cx.outbound.retire_epochs();
        Ok(Established::new(
            session.negotiated(),
            Secrets::V13(traffic),
            self.proved,
            finished,
        ))
    }
}
