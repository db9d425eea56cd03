//! What descriptions carry beyond the draft (optional members), said and heard.

use std::time::Instant;

use ortc_dtls::Role;

use super::super::dtls_parameters::RTCDtlsParameters;
use super::super::error::ConnectionError;
use super::super::options::{DescriptionForm, DtlsRole};
use super::super::side::RTCIceConnectionInfo;
use super::{Expectation, RTCConnection};
use crate::transport::{Lot, Place};

/// What the peer's descriptions have said of the DTLS role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PeerWishes {
    /// No description has come.
    #[default]
    Unheard,
    /// They say nothing of it, as the draft's.
    Unsaid,
    /// It leaves the role open.
    Open,
}

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
        self.take_wishes(dtls.map(|dtls| dtls.role), now);
        let Some(dtls) = dtls else { return Ok(()) };
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

    /// The peer's description came, with or without a word about its role.
    fn take_wishes(&mut self, role: Option<DtlsRole>, now: Instant) {
        if self.transport.dtls_role != DtlsRole::Auto || self.peer_wishes == PeerWishes::Open {
            return;
        }
        let told = match role {
            None => {
                self.peer_wishes = PeerWishes::Unsaid;
                None
            }
            Some(DtlsRole::Auto) => {
                self.peer_wishes = PeerWishes::Open;
                None
            }
            Some(DtlsRole::Client) => Some((DtlsRole::Server, Role::Server)),
            Some(DtlsRole::Server) => Some((DtlsRole::Client, Role::Client)),
        };
        let open = self.dtls_lot().place;
        if let Some(running) = self.transport.running_mut() {
            running.settle(told.map_or(open, |(_, role)| Place::Settled(role)), now);
            self.pump(now);
        } else if let Some((ours, _)) = told {
            self.transport.dtls_role = ours;
        }
    }

    /// What falls to this side if nobody told it a role. Where both descriptions leave it open, the
    /// credentials decide, which both sides know before anything else and which do not change while
    /// ICE roles are repaired; without descriptions, the ICE role.
    pub(super) fn dtls_lot(&self) -> Lot {
        let crossed = match (&self.local.ice, &self.remote.ice) {
            (Some(ours), Some(theirs)) if key(ours).lt(key(theirs)) => Role::Client,
            (Some(_) | None, Some(_) | None) => Role::Server,
        };
        let by_ice = match self.transport.ice.is_controlling() {
            true => Role::Server,
            false => Role::Client,
        };
        let place = match (self.descriptions, self.peer_wishes) {
            (DescriptionForm::Draft, _) | (_, PeerWishes::Unsaid) => Place::Guess(by_ice),
            (DescriptionForm::Extended, PeerWishes::Unheard) => Place::Undecided,
            (DescriptionForm::Extended, PeerWishes::Open) => Place::Settled(crossed),
        };
        Lot { place, crossed }
    }
}

/// What the rule for roles compares, as ICE does (`RolePolicy::ByCredentials`).
fn key(ice: &RTCIceConnectionInfo) -> impl Iterator<Item = u8> {
    let (fragment, password) = (ice.username_frag.bytes(), ice.password.bytes());
    fragment.chain([b':']).chain(password)
}
