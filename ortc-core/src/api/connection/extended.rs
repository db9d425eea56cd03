//! What descriptions carry beyond the draft (optional members), said and heard.

use std::time::Instant;

use super::super::dtls_parameters::RTCDtlsParameters;
use super::super::error::ConnectionError;
use super::super::options::{DescriptionForm, DtlsRole};
use super::{Expectation, RTCConnection};

impl RTCConnection {
    /// What this side's descriptions say of DTLS, if the options ask for it.
    pub(super) fn described_dtls(&self) -> Option<Box<RTCDtlsParameters>> {
        let extended = self.descriptions == DescriptionForm::Extended;
        extended.then(|| {
            Box::new(RTCDtlsParameters {
                fingerprint: self.local.dtls.fingerprint.clone(),
                role: self.transport.dtls_role,
            })
        })
    }

    /// Whether [`take_dtls`](Self::take_dtls) would take this; asked before anything of the
    /// description is used.
    pub(super) fn check_dtls(
        &self,
        dtls: Option<&RTCDtlsParameters>,
    ) -> Result<(), ConnectionError> {
        let Some(dtls) = dtls else { return Ok(()) };
        let ours = self.transport.dtls_role;
        if ours != DtlsRole::Auto && ours == dtls.role && self.transport.running().is_none() {
            return Err(ConnectionError::DtlsRoles);
        }
        let said = dtls.fingerprint.as_ref();
        if let (Some(said), Some(known)) = (said, &self.described_fingerprint)
            && said != known
        {
            return Err(ConnectionError::FingerprintChanged);
        }
        if said.is_some_and(|said| said.strongest().is_none()) {
            return Err(ConnectionError::NoFingerprint);
        }
        Ok(())
    }

    /// The peer's description says whose certificate to expect and who begins. The first that says
    /// so counts, unless the application has said it already.
    pub(super) fn take_dtls(
        &mut self,
        dtls: Option<&RTCDtlsParameters>,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        let Some(dtls) = dtls else { return Ok(()) };
        if self.transport.dtls_role == DtlsRole::Auto && self.transport.running().is_none() {
            self.transport.dtls_role = match dtls.role {
                DtlsRole::Auto => DtlsRole::Auto,
                DtlsRole::Client => DtlsRole::Server,
                DtlsRole::Server => DtlsRole::Client,
            };
        }
        let Some(said) = &dtls.fingerprint else {
            return Ok(());
        };
        if self.described_fingerprint.is_some() {
            return Ok(());
        }
        self.described_fingerprint = Some(said.clone());
        match (self.expectation, said.strongest()) {
            (Expectation::Nothing | Expectation::Asked, Some(fingerprint)) => {
                self.set_remote_fingerprint(*fingerprint, now)
            }
            (Expectation::Settled, _) | (_, None) => Ok(()),
        }
    }
}
