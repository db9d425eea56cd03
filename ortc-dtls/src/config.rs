//! Configuration of endpoints.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::certificate::Certificate;
use crate::crypto::Provider;
use crate::fingerprint::Fingerprint;
use crate::keying::srtp_lengths;
use crate::wire::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};
use crate::{v12, v13};

/// Which side begins (RFC 5763 §5 calls the client active).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sends the ClientHello.
    Client,
    /// Awaits a ClientHello.
    Server,
}

/// What happens when the handshake is complete and no fingerprint is expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PeerVerification {
    /// Keys and application data are held until a fingerprint is set or the peer accepted.
    #[default]
    HoldUntilVerified,
    /// The peer is trusted: open to anyone who can intercept the path. An expected fingerprint
    /// is still enforced.
    TrustFirst,
}

/// What a server, which asks each client for a certificate, does with one that shows none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClientCertificate {
    /// The handshake fails: in WebRTC both sides have one (RFC 5763 §5).
    #[default]
    Required,
    /// The handshake goes on, unless a fingerprint is expected. Nobody can tell who such a client
    /// is: it is never verified, and [`PeerVerification`] says whether it is held until
    /// [`Endpoint::accept_peer`](crate::Endpoint::accept_peer).
    Requested,
}

/// What happens with a peer of DTLS 1.2 that does not have the extended master secret (RFC 7627),
/// which binds the keys to the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExtendedMasterSecret {
    /// The handshake fails.
    #[default]
    Required,
    /// The handshake goes on with the master secret of RFC 5246 §8.1, for gateways that are older
    /// than the extension. Somebody between two such peers, to whom both have connected, can bring
    /// about the same keys on both sides (RFC 7627 §1). SRTP can still be keyed: where each side
    /// expects the other's fingerprint, nobody connects to both; but
    /// [`Endpoint::export_keying_material`](crate::Endpoint::export_keying_material) is refused, as
    /// RFC 7627 §5.4 demands.
    Preferred,
}

/// What the peer's close_notify ends in DTLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    Both,
    /// What it sends.
    Half,
}

/// No limit: the longest record of DTLS 1.3, with its type (RFC 8449 §4).
const MAX_RECORD_SIZE_LIMIT: u16 = (1 << 14) + 1;

/// Why a value cannot be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Below 256 or above 16384 octets.
    #[error("mtu is outside 256..=16384")]
    Mtu,
    /// An SRTP profile whose key lengths are not known here.
    #[error("unknown SRTP profile {0:#06x}")]
    SrtpProfile(u16),
    /// Empty, a suite that is not implemented, or none for a version that is switched on.
    #[error("cipher suites are empty, unknown or of another version")]
    CipherSuites,
    /// Empty, a version that is not implemented, or none that has a cipher suite.
    #[error("versions are empty, unknown or without a cipher suite")]
    Versions,
    /// Empty, an algorithm that is not implemented, or none of a version that is switched on.
    #[error("signature schemes are empty, unknown or of another version")]
    SignatureSchemes,
    /// Empty, or a group that is not implemented.
    #[error("groups are empty or unknown")]
    Groups,
    /// The first interval is zero or above the longest, or that above an hour.
    #[error("retransmission intervals are zero, out of order or above an hour")]
    Retransmission,
    /// A name that is empty or above 255 octets, or more than 1024 octets of names.
    #[error("application protocol names are empty or too long")]
    ApplicationProtocols,
    /// Outside 64 to 16385.
    #[error("record size limit is outside 64..=16385")]
    RecordSizeLimit,
    /// Keys cannot change before they were used.
    #[error("keys must protect at least one record")]
    KeyUpdate,
    /// Below 2 KiB or above 64 KiB.
    #[error("handshake message limit is outside 2048..=65536")]
    HandshakeMessage,
}

/// What endpoints have in common; one configuration serves many.
#[derive(Clone)]
pub struct Config {
    pub(crate) certificate: Certificate,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) mtu: usize,
    pub(crate) srtp_profiles: Vec<u16>,
    pub(crate) versions: Vec<ProtocolVersion>,
    pub(crate) cipher_suites: Vec<CipherSuite>,
    pub(crate) application_protocols: Vec<Vec<u8>>,
    pub(crate) record_size_limit: u16,
    pub(crate) update_keys_after: u64,
    pub(crate) cookie: bool,
    pub(crate) groups: Vec<NamedGroup>,
    /// Of DTLS 1.2.
    pub(crate) schemes: Vec<SignatureScheme>,
    /// Those of them that DTLS 1.3 has as well.
    pub(crate) schemes13: Vec<SignatureScheme>,
    pub(crate) first_retransmission: Duration,
    pub(crate) max_retransmission: Duration,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) max_handshake_message: usize,
    pub(crate) max_queued: usize,
    pub(crate) verification: PeerVerification,
    pub(crate) client_certificate: ClientCertificate,
    pub(crate) extended_master_secret: ExtendedMasterSecret,
    pub(crate) expected: Vec<Fingerprint>,
    pub(crate) key_log: bool,
    pub(crate) connection_id_length: Option<u8>,
    pub(crate) closing: Closing,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("certificate", &self.certificate)
            .field("mtu", &self.mtu)
            .field("srtp_profiles", &self.srtp_profiles)
            .field("versions", &self.versions)
            .field("cipher_suites", &self.cipher_suites)
            .field("verification", &self.verification)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Everything at its default.
    #[must_use]
    pub fn new(certificate: Certificate, provider: Arc<dyn Provider>) -> Self {
        Self {
            certificate,
            provider,
            mtu: 1200,
            srtp_profiles: vec![0x0007, 0x0008, 0x0001],
            versions: vec![ProtocolVersion::DTLS13, ProtocolVersion::DTLS12],
            cipher_suites: v13::Suite::ALL
                .iter()
                .map(|suite| suite.id)
                .chain(v12::Suite::ALL.iter().map(|suite| suite.id))
                .collect(),
            application_protocols: Vec::new(),
            record_size_limit: MAX_RECORD_SIZE_LIMIT,
            update_keys_after: 1 << 23,
            cookie: false,
            groups: vec![
                NamedGroup::X25519,
                NamedGroup::SECP256R1,
                NamedGroup::SECP384R1,
            ],
            schemes: v12::SCHEMES.to_vec(),
            schemes13: v13::SCHEMES.to_vec(),
            first_retransmission: Duration::from_millis(50),
            max_retransmission: Duration::from_secs(60),
            handshake_timeout: Some(Duration::from_secs(180)),
            max_handshake_message: 16 * 1024,
            max_queued: 256 * 1024,
            verification: PeerVerification::default(),
            client_certificate: ClientCertificate::default(),
            extended_master_secret: ExtendedMasterSecret::default(),
            expected: Vec::new(),
            key_log: false,
            connection_id_length: None,
            closing: Closing::Both,
        }
    }

    /// The timer of RFC 6347 §4.2.4.1 and RFC 9147 §5.8.2: first retransmission after one second.
    ///
    /// The default of 50 ms is what WebRTC endpoints do, whose handshake follows a connectivity
    /// check that proved the path.
    #[must_use]
    pub const fn rfc6347(mut self) -> Self {
        self.first_retransmission = Duration::from_secs(1);
        self
    }

    /// Octets of UDP payload that a datagram may have. Default 1200; 256 to 16384.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Mtu`] outside this range.
    pub fn mtu(mut self, octets: usize) -> Result<Self, ConfigError> {
        if !(256..=16_384).contains(&octets) {
            return Err(ConfigError::Mtu);
        }
        self.mtu = octets;
        Ok(self)
    }

    /// SRTP protection profiles (RFC 5764 §4.1.2), most preferred first; a server picks the first
    /// of this list that the client offers. Default AEAD_AES_128_GCM (0x0007), AEAD_AES_256_GCM
    /// (0x0008), SRTP_AES128_CM_HMAC_SHA1_80 (0x0001). Empty: `use_srtp` is neither offered nor
    /// answered.
    ///
    /// # Errors
    ///
    /// [`ConfigError::SrtpProfile`] for a profile other than these and 0x0002.
    pub fn srtp_profiles(mut self, profiles: Vec<u16>) -> Result<Self, ConfigError> {
        let unknown = |profile: &&u16| srtp_lengths(**profile).is_none();
        if let Some(&profile) = profiles.iter().find(unknown) {
            return Err(ConfigError::SrtpProfile(profile));
        }
        self.srtp_profiles = profiles;
        Ok(self)
    }

    /// Versions that may be negotiated; the newest that both sides have is. Default DTLS 1.3 and
    /// DTLS 1.2. A version without a suite in [`Config::cipher_suites`] is not offered.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Versions`] when empty, not implemented, or none of them has a cipher suite.
    pub fn versions(mut self, versions: &[ProtocolVersion]) -> Result<Self, ConfigError> {
        let known = |version: &ProtocolVersion| {
            matches!(*version, ProtocolVersion::DTLS12 | ProtocolVersion::DTLS13)
        };
        self.versions = versions.to_vec();
        if !versions.iter().all(known) || !self.has_version() {
            return Err(ConfigError::Versions);
        }
        Ok(self)
    }

    /// Cipher suites, most preferred first; a server picks the first of this list that belongs to
    /// the version, the client offers and, in DTLS 1.2, its certificate can serve. Default: the
    /// three of DTLS 1.3 and all six of DTLS 1.2 that are implemented, AES-128-GCM first.
    ///
    /// # Errors
    ///
    /// [`ConfigError::CipherSuites`] when empty, not implemented, or of no version that is
    /// switched on.
    pub fn cipher_suites(mut self, suites: Vec<CipherSuite>) -> Result<Self, ConfigError> {
        let known = |&suite: &CipherSuite| {
            v12::Suite::find(suite).is_some() || v13::Suite::find(suite).is_some()
        };
        let all_known = suites.iter().all(known);
        self.cipher_suites = suites;
        if !all_known || !self.has_version() {
            return Err(ConfigError::CipherSuites);
        }
        Ok(self)
    }

    fn has_version(&self) -> bool {
        self.has_dtls12() || self.has_dtls13()
    }

    /// Whether DTLS 1.2 is switched on and has a cipher suite.
    pub(crate) fn has_dtls12(&self) -> bool {
        self.versions.contains(&ProtocolVersion::DTLS12)
            && !self.schemes.is_empty()
            && (self.cipher_suites.iter()).any(|&suite| v12::Suite::find(suite).is_some())
    }

    /// Whether DTLS 1.3 is switched on and has a cipher suite.
    pub(crate) fn has_dtls13(&self) -> bool {
        self.versions.contains(&ProtocolVersion::DTLS13)
            && !self.schemes13.is_empty()
            && (self.cipher_suites.iter()).any(|&suite| v13::Suite::find(suite).is_some())
    }

    /// Application protocols (RFC 7301), most preferred first: a client offers them, a server
    /// picks the first of this list that the client offers and refuses a client that offers none
    /// of them. Default none: the extension is neither sent nor looked at. Browsers know
    /// `webrtc` and `c-webrtc` (RFC 8833).
    ///
    /// # Errors
    ///
    /// [`ConfigError::ApplicationProtocols`] when a name is empty or above 255 octets, or all
    /// together above 1024.
    pub fn application_protocols(mut self, names: Vec<Vec<u8>>) -> Result<Self, ConfigError> {
        let fits = |name: &Vec<u8>| (1..=255).contains(&name.len());
        let total: usize = names.iter().map(|name| name.len() + 1).sum();
        if !names.iter().all(fits) || total > 1024 {
            return Err(ConfigError::ApplicationProtocols);
        }
        self.application_protocols = names;
        Ok(self)
    }

    /// Octets that a protected record of the peer may carry, which it is told (RFC 8449 §4):
    /// contents, and in DTLS 1.3 their type and padding. Default 16385, which is no limit; 64 to
    /// 16385. A longer record is dropped and counted.
    ///
    /// # Errors
    ///
    /// [`ConfigError::RecordSizeLimit`] outside this range.
    pub fn record_size_limit(mut self, octets: u16) -> Result<Self, ConfigError> {
        if !(64..=MAX_RECORD_SIZE_LIMIT).contains(&octets) {
            return Err(ConfigError::RecordSizeLimit);
        }
        self.record_size_limit = octets;
        Ok(self)
    }

    /// Records after which DTLS 1.3 changes the key that it writes with. Default 2^23; at least
    /// one. Half of what the AEAD may protect (RFC 9147 §4.5.3) is the end in any case.
    ///
    /// # Errors
    ///
    /// [`ConfigError::KeyUpdate`] for zero.
    pub fn update_keys_after(mut self, records: u64) -> Result<Self, ConfigError> {
        if records == 0 {
            return Err(ConfigError::KeyUpdate);
        }
        self.update_keys_after = records;
        Ok(self)
    }

    /// Whether a server first asks the client for a cookie (RFC 9147 §5.1, RFC 6347 §4.2.1), which
    /// costs a round trip and proves that the client can be reached. Default off: ICE has proved
    /// it. In DTLS 1.3 it asks by a HelloRetryRequest and keeps the first hello meanwhile, so that
    /// whoever is first with a hello counts; in DTLS 1.2 it asks by a HelloVerifyRequest and keeps a
    /// secret instead, asks again whoever has no cookie or a wrong one, and the first with the right
    /// one counts. Who must keep nothing before the proof uses a [`CookieGate`](crate::CookieGate);
    /// whom that let in is not asked again.
    #[must_use]
    pub const fn cookie_exchange(mut self, on: bool) -> Self {
        self.cookie = on;
        self
    }

    /// Groups for key exchange, most preferred first. Default X25519, P-256, P-384.
    ///
    /// A server of DTLS 1.2 with an ECDSA certificate may insist that its curve is in the client's
    /// list (RFC 8422 §5.1), so that a client does well to have P-256 there.
    ///
    /// X25519MLKEM768 belongs to DTLS 1.3 and makes recorded handshakes safe from quantum
    /// computers to come. It is not in the default because it is not free: 2.3 KiB more in the
    /// first two flights, a ClientHello of two datagrams instead of one, both of which have to
    /// arrive and a [`CookieGate`](crate::CookieGate) has to be told to put together, and about
    /// 60 µs of computing for both sides together (X25519 alone: about 210 µs; `cargo bench` in
    /// `benches/peers`). In front of the others it is used wherever the peer has it: Chromium and
    /// Firefox do, and as clients send shares of both, so that a server of ours that prefers it
    /// costs no round trip.
    ///
    /// A client sends a share of the first group, and where that is X25519MLKEM768 of the first
    /// other one as well; a server takes the first group that it has a share of, and else asks
    /// for one.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Groups`] when empty or not implemented.
    pub fn groups(mut self, groups: Vec<NamedGroup>) -> Result<Self, ConfigError> {
        let known = |group: &NamedGroup| {
            matches!(
                *group,
                NamedGroup::X25519MLKEM768
                    | NamedGroup::X25519
                    | NamedGroup::SECP256R1
                    | NamedGroup::SECP384R1
            )
        };
        if groups.is_empty() || !groups.iter().all(known) {
            return Err(ConfigError::Groups);
        }
        self.groups = groups;
        Ok(self)
    }

    /// Signature algorithms, most preferred first: the peer may prove its key with these, and we
    /// prove ours with nothing else. Default ECDSA with SHA-256 and SHA-384, Ed25519, RSA-PSS and
    /// RSA PKCS #1 with SHA-256, SHA-384 and SHA-512; the last three belong to DTLS 1.2. A version
    /// that has none of them is not offered.
    ///
    /// # Errors
    ///
    /// [`ConfigError::SignatureSchemes`] when empty, not implemented, or of no version that is
    /// switched on.
    pub fn signature_schemes(mut self, schemes: Vec<SignatureScheme>) -> Result<Self, ConfigError> {
        let in_dtls13 = |scheme: &SignatureScheme| v13::SCHEMES.contains(scheme);
        self.schemes13 = schemes.iter().copied().filter(in_dtls13).collect();
        let all_known = schemes.iter().all(|scheme| v12::SCHEMES.contains(scheme));
        self.schemes = schemes;
        if !all_known || !self.has_version() {
            return Err(ConfigError::SignatureSchemes);
        }
        Ok(self)
    }

    /// The first and the longest interval between retransmissions of a flight, which double.
    /// Default 50 ms and 60 s; RFC 6347 §4.2.4.1 has 1 s and 60 s.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Retransmission`] when the first is zero or above the longest, or the longest
    /// above an hour.
    pub fn retransmission(
        mut self,
        first: Duration,
        longest: Duration,
    ) -> Result<Self, ConfigError> {
        const MAX: Duration = Duration::from_secs(3600);
        if first.is_zero() || first > longest || longest > MAX {
            return Err(ConfigError::Retransmission);
        }
        self.first_retransmission = first;
        self.max_retransmission = longest;
        Ok(self)
    }

    /// How long a handshake may take from its first message on, and how long after it a message
    /// of DTLS 1.3 is repeated that the peer does not acknowledge; `None` has no end. Default
    /// 180 s.
    #[must_use]
    pub const fn handshake_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Octets that a handshake message of the peer may have. Default 16384; 2048 to 65536. A longer
    /// one is dropped in plaintext, and closes where it is authenticated. At most eight messages wait
    /// at once, in memory for what was received of them, and one more where fragments in plaintext
    /// contradict each other.
    ///
    /// # Errors
    ///
    /// [`ConfigError::HandshakeMessage`] outside this range.
    pub fn max_handshake_message(mut self, octets: usize) -> Result<Self, ConfigError> {
        if !(2048..=65_536).contains(&octets) {
            return Err(ConfigError::HandshakeMessage);
        }
        self.max_handshake_message = octets;
        Ok(self)
    }

    /// Octets of application data that may wait, in each direction, counting 64 for each record
    /// besides its contents. Default 262144. What comes above is dropped and counted, what is
    /// sent above refused.
    #[must_use]
    pub const fn max_queued_data(mut self, octets: usize) -> Self {
        self.max_queued = octets;
        self
    }

    /// What happens without an expected fingerprint. Default
    /// [`PeerVerification::HoldUntilVerified`].
    #[must_use]
    pub const fn verification(mut self, policy: PeerVerification) -> Self {
        self.verification = policy;
        self
    }

    /// What a server does with a client that shows no certificate. Default
    /// [`ClientCertificate::Required`].
    #[must_use]
    pub const fn client_certificate(mut self, policy: ClientCertificate) -> Self {
        self.client_certificate = policy;
        self
    }

    /// What happens with a peer of DTLS 1.2 without the extended master secret, which is always
    /// offered and answered. Default [`ExtendedMasterSecret::Required`].
    #[must_use]
    pub const fn extended_master_secret(mut self, policy: ExtendedMasterSecret) -> Self {
        self.extended_master_secret = policy;
        self
    }

    /// Fingerprints that the peer's certificate is measured by: it must match one of those with
    /// the strongest hash of the list (RFC 8122 §5.1). Default none.
    #[must_use]
    pub fn expected_fingerprints(mut self, fingerprints: Vec<Fingerprint>) -> Self {
        self.expected = fingerprints;
        self
    }

    /// Whether connection ids are negotiated (RFC 9146, RFC 9147 §9), and how many random octets
    /// each endpoint chooses as its own, which the peer is to put into every protected record.
    ///
    /// Default `None`: nothing is offered or answered, which is what WebRTC does, since ICE moves a
    /// connection from path to path. `Some(0)` writes what the peer wants and wants none itself.
    /// With 8 octets, thousands of endpoints behind one socket will not choose the same twice.
    ///
    /// An id makes a connection recognisable to whoever sees its records, on whichever path; in
    /// DTLS 1.2 it never changes (RFC 9146 §8).
    ///
    /// A server does not answer a client whose id would leave less than 64 octets of a datagram,
    /// and a client refuses such a server.
    #[must_use]
    pub const fn connection_id_length(mut self, octets: Option<u8>) -> Self {
        self.connection_id_length = octets;
        self
    }

    /// Whether a connection of DTLS 1.3 whose peer says that it sends no more stays open for what we
    /// send (RFC 8446 §6.1): [`Event::ReadClosed`](crate::Event::ReadClosed) tells of it, and the
    /// connection ends with [`Endpoint::close`](crate::Endpoint::close).
    ///
    /// Default off: it is closed at once, what was sent before leaves, and close_notify is
    /// answered. So do WebRTC endpoints, to which a close_notify says that the other has gone, and
    /// so does DTLS 1.2 in any case (RFC 5246 §7.2.1).
    #[must_use]
    pub const fn half_close(mut self, on: bool) -> Self {
        self.closing = if on { Closing::Half } else { Closing::Both };
        self
    }

    /// Whether [`Event::KeyLog`](crate::Event::KeyLog) is raised, for debugging. Default off.
    #[must_use]
    pub const fn key_log(mut self, on: bool) -> Self {
        self.key_log = on;
        self
    }
}
