//! Certificate, CertificateVerify and Finished of the client in (RFC 8446 §4.4).

use super::State;
use crate::config::Role;
use crate::context::Context;
use crate::established::{Established, PeerKey, Secrets, permit_absence, verify_finished};
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
    ) -> Result<State, CloseReason> {
        if message.kind != HandshakeType::CERTIFICATE {
            return Err(unexpected(message));
        }
        let absent = match learn_certificate(message, cx)? {
            Some(()) => None,
            None => Some(permit_absence(cx, ProtocolError::CertificateRequired)?),
        };
        self.0.transcript.add_received(message);
        Ok(match absent {
            None => State::Verify(AwaitVerify(self.0)),
            Some(absent) => State::Finished(AwaitFinished {
                flight: self.0,
                key: PeerKey::Absent(absent),
            }),
        })
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
            key: PeerKey::Proved(proved),
        })
    }
}

#[derive(Debug)]
pub(crate) struct AwaitFinished {
    flight: Box<Flight>,
    key: PeerKey,
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
            self.key,
            finished,
        ))
    }
}
