//! The extensions that mean the same in both versions: use_srtp, application protocols and the
//! record size limit.

use super::extension;
use crate::config::Config;
use crate::context::Context;
use crate::event::ProtocolError;
use crate::record::MAX_CONTENTS;
use crate::wire::extension::Extensions;
use crate::wire::{ExtensionType, ProtocolVersion, writer};

/// What was agreed on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answers {
    pub(crate) srtp_profile: Option<u16>,
    /// Place in the configuration's list.
    pub(crate) application_protocol: Option<usize>,
    /// What the peer says of itself.
    record_size_limit: Option<u16>,
}

impl Answers {
    /// The server's choice out of what the client offers.
    pub(crate) fn choose(offered: &Extensions<'_>, config: &Config) -> Result<Self, ProtocolError> {
        let srtp_profile = malformed(offered.use_srtp())?.and_then(|use_srtp| {
            let ours = config.srtp_profiles.iter();
            ours.copied()
                .find(|&profile| use_srtp.profiles().any(|theirs| theirs == profile))
        });
        let ours = &config.application_protocols;
        let application_protocol = match malformed(offered.application_protocols())? {
            Some(names) if !ours.is_empty() => Some(
                ours.iter()
                    .position(|name| names.clone().any(|theirs| theirs == name))
                    .ok_or(ProtocolError::ApplicationProtocol)?,
            ),
            Some(_) | None => None,
        };
        Ok(Self {
            srtp_profile,
            application_protocol,
            record_size_limit: malformed(offered.record_size_limit())?,
        })
    }

    /// What the server chose, if it chose out of what was offered.
    pub(crate) fn accept(
        answered: &Extensions<'_>,
        config: &Config,
    ) -> Result<Self, ProtocolError> {
        let mut srtp_profile = None;
        if let Some(use_srtp) = malformed(answered.use_srtp())? {
            let mut profiles = use_srtp.profiles();
            srtp_profile = profiles
                .next()
                .filter(|profile| config.srtp_profiles.contains(profile));
            // Exactly one, out of ours, and the MKI that we sent: none (RFC 5764 §4.1.1, §4.1.3).
            if srtp_profile.is_none() || profiles.next().is_some() || !use_srtp.mki().is_empty() {
                return Err(ProtocolError::IllegalChoice("SRTP profile"));
            }
        }
        let mut application_protocol = None;
        if let Some(mut names) = malformed(answered.application_protocols())? {
            // Exactly one, out of ours (RFC 7301 §3.1).
            let chosen = names.next();
            let ours = &config.application_protocols;
            application_protocol = ours.iter().position(|name| Some(&**name) == chosen);
            if application_protocol.is_none() || names.next().is_some() {
                return Err(ProtocolError::IllegalChoice("application protocol"));
            }
        }
        Ok(Self {
            srtp_profile,
            application_protocol,
            record_size_limit: malformed(answered.record_size_limit())?,
        })
    }

    /// The record size limit has its effect.
    pub(crate) fn apply(&self, version: ProtocolVersion, cx: &mut Context) {
        // In DTLS 1.3 the type counts as well (RFC 8449 §4).
        let inner = usize::from(version == ProtocolVersion::DTLS13);
        if let Some(limit) = self.record_size_limit {
            cx.outbound.set_limit(usize::from(limit) - inner);
            let ours = usize::from(cx.config.record_size_limit) - inner;
            cx.receive_limit = ours.min(MAX_CONTENTS);
        }
    }

    /// Appends the server's answers in this version.
    pub(crate) fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>, config: &Config) {
        if let Some(profile) = self.srtp_profile {
            extension(out, ExtensionType::USE_SRTP, |out| {
                writer::vector16(out, |out| writer::u16(out, profile));
                writer::vector8(out, |_| ()); // MKI
            });
        }
        let name = self.application_protocol;
        if let Some(name) = name.and_then(|at| config.application_protocols.get(at)) {
            protocols(out, core::slice::from_ref(name));
        }
        if self.record_size_limit.is_some() {
            size_limit(version, out, config);
        }
    }

    /// Appends the client's offers.
    pub(super) fn encode_offers(out: &mut Vec<u8>, config: &Config) {
        if !config.srtp_profiles.is_empty() {
            extension(out, ExtensionType::USE_SRTP, |out| {
                writer::vector16(out, |out| {
                    for &profile in &config.srtp_profiles {
                        writer::u16(out, profile);
                    }
                });
                writer::vector8(out, |_| ()); // MKI
            });
        }
        if !config.application_protocols.is_empty() {
            protocols(out, &config.application_protocols);
        }
        let newest = if config.has_dtls13() {
            ProtocolVersion::DTLS13
        } else {
            ProtocolVersion::DTLS12
        };
        size_limit(newest, out, config);
    }
}

fn malformed<T>(parsed: Result<T, crate::wire::ParseError>) -> Result<T, ProtocolError> {
    parsed.map_err(ProtocolError::Malformed)
}

fn protocols(out: &mut Vec<u8>, names: &[Vec<u8>]) {
    extension(out, ExtensionType::ALPN, |out| {
        writer::vector16(out, |out| {
            for name in names {
                writer::vector8(out, |out| out.extend_from_slice(name));
            }
        });
    });
}

/// Clients refuse a limit above the greatest length of the version that was chosen (RFC 8449 §4).
fn size_limit(version: ProtocolVersion, out: &mut Vec<u8>, config: &Config) {
    let max = if version == ProtocolVersion::DTLS13 {
        16_385
    } else {
        16_384
    };
    extension(out, ExtensionType::RECORD_SIZE_LIMIT, |out| {
        writer::u16(out, config.record_size_limit.min(max));
    });
}
