//! The secure path: ICE finds it, DTLS keys it, SRTP uses it.

mod association;
mod early_media;
mod keys;
mod uplink;

use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::{Config, Fingerprint, Receipt};
use ortc_ice::{Agent, Path, PathState};

use crate::api::DtlsRole;
use crate::stats::DropReason;

pub(crate) use association::{Association, Held, Lot, Place, RoleConflict, Running};
pub(crate) use early_media::EarlyMedia;
pub(crate) use keys::SrtpContexts;
pub(crate) use uplink::{Asker, Uplink, frame_run};

/// ICE, DTLS and SRTP of one connection.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) ice: Agent,
    pub(crate) association: Association,
    pub(crate) srtp: Option<Box<SrtpContexts>>,
    pub(crate) early_media: EarlyMedia,
    pub(crate) dtls_config: Arc<Config>,
    pub(crate) dtls_role: DtlsRole,
}

impl Transport {
    pub(crate) fn new(ice: Agent, dtls_config: Arc<Config>, dtls_role: DtlsRole) -> Self {
        Self {
            ice,
            association: Association::Waiting(Held::default()),
            srtp: None,
            early_media: EarlyMedia::default(),
            dtls_config,
            dtls_role,
        }
    }

    pub(crate) fn running(&self) -> Option<&Running> {
        match &self.association {
            Association::Running(running) => Some(running),
            Association::Waiting(_) => None,
        }
    }

    pub(crate) fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.association {
            Association::Running(running) => Some(running),
            Association::Waiting(_) => None,
        }
    }

    /// A DTLS datagram. It counts only from an address that an authenticated check came from; the
    /// gate stands here, where no embedder can forget it.
    pub(crate) fn handle_dtls(
        &mut self,
        path: &Path,
        contents: &mut [u8],
        now: Instant,
    ) -> Result<(), DropReason> {
        if self.ice.path_state(path) == PathState::Unknown {
            return Err(DropReason::DtlsUnvalidatedPath);
        }
        match &mut self.association {
            Association::Waiting(held) => {
                if held.push(contents) {
                    Ok(())
                } else {
                    Err(DropReason::DtlsHeldFull)
                }
            }
            Association::Running(running) => {
                if running.handle_datagram(contents, now) > Receipt::Nothing {
                    // The path carries what the peer sends, whatever becomes of the checks.
                    self.ice.authenticated_traffic(*path, now);
                }
                Ok(())
            }
        }
    }

    /// A pair is valid: the handshake begins, or goes on without waiting for its timer.
    pub(crate) fn pair_is_valid(&mut self, lot: Lot, now: Instant) {
        match &mut self.association {
            Association::Waiting(held) => {
                let held = core::mem::take(held);
                let running = Running::start(&self.dtls_config, self.dtls_role, lot, held, now);
                self.association = Association::Running(Box::new(running));
            }
            Association::Running(running) => running.endpoint.restart_timer(now),
        }
    }

    /// Sets whose certificate the peer must have, for the association that runs or comes.
    pub(crate) fn expect(&mut self, fingerprint: Fingerprint) -> Result<(), String> {
        if let Some(running) = self.running_mut() {
            let set = running.endpoint.set_expected_fingerprint(fingerprint);
            set.map_err(|error| error.to_string())?;
        }
        let config = Arc::make_mut(&mut self.dtls_config);
        *config = config.clone().expected_fingerprints(vec![fingerprint]);
        let config = Arc::clone(&self.dtls_config);
        if let Some(running) = self.running_mut() {
            running.reconfigure(&config, fingerprint);
        }
        Ok(())
    }

    /// SRTP or SRTCP before there are keys.
    pub(crate) fn hold_media(&mut self, path: &Path, contents: &[u8]) -> Result<(), DropReason> {
        let known = self.ice.path_state(path) != PathState::Unknown;
        if known && self.early_media.push(contents) {
            Ok(())
        } else {
            Err(DropReason::MediaBeforeKeys)
        }
    }
}
