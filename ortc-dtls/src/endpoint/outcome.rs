//! What a handshake came to: the peer, what was negotiated, keys.

use super::{Endpoint, Verification};
use crate::established::Established;
use crate::fingerprint::{Fingerprint, HashAlgorithm};
use crate::keying::{KeyingError, SRTP_LABEL, SrtpKeying};
use crate::wire::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};

impl Endpoint {
    /// The fingerprint of the peer's certificate, while connected.
    #[must_use]
    pub fn peer_fingerprint(&self, algorithm: HashAlgorithm) -> Option<Fingerprint> {
        self.peer_certificate_der()
            .map(|der| Fingerprint::of(algorithm, der))
    }

    /// The peer's certificate, while connected; `None` for a client that showed none
    /// ([`ClientCertificate::Requested`](crate::ClientCertificate::Requested)).
    #[must_use]
    pub fn peer_certificate_der(&self) -> Option<&[u8]> {
        self.connected()?;
        self.cx.peer.as_ref().map(|peer| peer.der())
    }

    /// The keys of SRTP (RFC 5764 §4.2).
    ///
    /// # Errors
    ///
    /// [`KeyingError`]: not connected, not verified, or no profile negotiated.
    pub fn srtp_keying(&self) -> Result<SrtpKeying, KeyingError> {
        let established = self.open()?;
        let profile = established.negotiated.srtp_profile;
        let profile = profile.ok_or(KeyingError::NoSrtpProfile)?;
        let provider = &*self.cx.config.provider;
        SrtpKeying::derive(profile, |out| {
            established.secrets.export(provider, SRTP_LABEL, None, out)
        })
    }

    /// Exports key material (RFC 5705, RFC 8446 §7.5). In DTLS 1.2 an empty context differs from
    /// none.
    ///
    /// # Errors
    ///
    /// [`KeyingError`]: not connected, not verified, no extended master secret (see
    /// [`ExtendedMasterSecret::Preferred`](crate::ExtendedMasterSecret::Preferred)), a label of
    /// TLS itself, or a context above 65535 octets.
    pub fn export_keying_material(
        &self,
        label: &str,
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), KeyingError> {
        let established = self.open()?;
        if !established.negotiated.extended_master_secret {
            return Err(KeyingError::NoExtendedMasterSecret);
        }
        let provider = &*self.cx.config.provider;
        established.secrets.export(provider, label, context, out)
    }

    /// The cipher suite, while connected.
    #[must_use]
    pub fn cipher_suite(&self) -> Option<CipherSuite> {
        Some(self.connected()?.established.negotiated.suite)
    }

    /// The version, while connected.
    #[must_use]
    pub fn version(&self) -> Option<ProtocolVersion> {
        Some(self.connected()?.established.negotiated.version)
    }

    /// The SRTP profile (RFC 5764 §4.1.2), while connected.
    #[must_use]
    pub fn srtp_profile(&self) -> Option<u16> {
        self.connected()?.established.negotiated.srtp_profile
    }

    /// The group of the key exchange, while connected.
    #[must_use]
    pub fn group(&self) -> Option<NamedGroup> {
        self.connected()?.established.negotiated.group
    }

    /// Whether the keys are bound to the handshake (RFC 7627), while connected; always in DTLS 1.3.
    #[must_use]
    pub fn extended_master_secret(&self) -> Option<bool> {
        let negotiated = &self.connected()?.established.negotiated;
        Some(negotiated.extended_master_secret)
    }

    /// How the peer proved its key, while connected; `None` for a client without certificate.
    #[must_use]
    pub fn peer_signature_scheme(&self) -> Option<SignatureScheme> {
        self.connected()?.established.scheme()
    }

    /// The application protocol (RFC 7301), while connected.
    #[must_use]
    pub fn application_protocol(&self) -> Option<&[u8]> {
        let at = self
            .connected()?
            .established
            .negotiated
            .application_protocol?;
        self.cx
            .config
            .application_protocols
            .get(at)
            .map(|name| &**name)
    }

    /// What is behind the verification of the peer.
    pub(super) fn open(&self) -> Result<&Established, KeyingError> {
        let connected = self.connected().ok_or(KeyingError::NotConnected)?;
        match connected.verification {
            Verification::Nobody => Err(KeyingError::Unverified),
            Verification::Policy | Verification::Verified => Ok(&connected.established),
        }
    }
}
