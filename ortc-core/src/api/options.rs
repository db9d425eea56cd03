//! How a connection is made (draft §2.3.3), with what the draft leaves to the implementation.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use ortc_dtls::crypto::{Provider, ring_provider};
use ortc_dtls::wire::NamedGroup;
use ortc_dtls::{Certificate, ExtendedMasterSecret, PeerVerification};
use ortc_ice::{GatherConfig, TcpType};
use ortc_srtp::Profile;
use serde::{Deserialize, Serialize};

use super::capabilities::{RTCCapabilities, get_rtc_capabilities};
use super::ice_server::RTCIceServer;
use super::socket::SharedSocket;

/// Which side sends the ClientHello (RFC 5763 §5, RFC 8842).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsRole {
    /// The ICE-controlled side is the client, as the later ORTC drafts say; a side that gets a
    /// ClientHello before it has sent one becomes the server. Where both sides use
    /// [`DescriptionForm::Extended`], an explicit role of the other decides; if both leave it open,
    /// the side whose `ufrag:password` compares smaller as octets is the client, so that a browser,
    /// which gives up when two clients meet, and which is controlling whatever the credentials say,
    /// comes to the same.
    #[default]
    Auto,
    /// Always the client.
    Client,
    /// Always the server.
    Server,
}

/// Whether discovered candidates take part in checks by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalCandidates {
    /// Only after [`RTCConnection::set_local_candidate`](super::RTCConnection::set_local_candidate),
    /// as the draft says.
    #[default]
    WhenSet,
    /// At once.
    AtOnce,
}

/// What candidates and tracks are described with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DescriptionForm {
    /// The members of the draft.
    #[default]
    Draft,
    /// And, as optional members that a peer by the draft ignores, what browsers need: fingerprint
    /// and DTLS role in each candidate and track, RTCP feedback and header-extension ids in each
    /// track.
    Extended,
}

/// Form of RTCP feedback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RtcpForm {
    /// Feedback leaves alone when that is shorter (RFC 5506); every browser reads it.
    #[default]
    ReducedSize,
    /// Every RTCP packet begins with a report (RFC 3550 §6.1).
    Compound,
}

/// How a connection is made (draft §2.3.3).
///
/// The seed is the one thing without a default: 32 octets from the operating system. A repeated
/// seed repeats ICE credentials, SSRCs and sequence numbers, and is for tests only.
#[doc(alias = "RtcConnectionOptions")]
#[derive(Clone)]
pub struct RTCConnectionOptions {
    pub(crate) seed: [u8; 32],
    pub(crate) wall_clock: Duration,
    pub(crate) ice_servers: Vec<RTCIceServer>,
    pub(crate) socket: Option<SharedSocket>,
    pub(crate) local_addresses: Vec<SocketAddr>,
    pub(crate) local_tcp_addresses: Vec<(SocketAddr, TcpType)>,
    pub(crate) gathering: GatherConfig,
    pub(crate) local_candidates: LocalCandidates,
    pub(crate) ice: ortc_ice::Config,
    pub(crate) dtls_role: DtlsRole,
    pub(crate) dtls_retransmission: Option<Duration>,
    pub(crate) dtls_versions: Option<Vec<ortc_dtls::Version>>,
    pub(crate) dtls_groups: Option<Vec<NamedGroup>>,
    pub(crate) extended_master_secret: ExtendedMasterSecret,
    pub(crate) verification: PeerVerification,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) srtp_profiles: Vec<Profile>,
    pub(crate) capabilities: RTCCapabilities,
    pub(crate) extension_ids: BTreeMap<String, u8>,
    pub(crate) rtcp: RtcpForm,
    pub(crate) rtp_timeout: Duration,
    pub(crate) audio_wait: Duration,
    pub(crate) video_wait: Duration,
    pub(crate) mtu: usize,
    pub(crate) max_segments: usize,
    pub(crate) descriptions: DescriptionForm,
    pub(crate) key_log: bool,
    pub(crate) tap: bool,
}

impl fmt::Debug for RTCConnectionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RTCConnectionOptions")
            .field("seed", &"<redacted>")
            .field("ice_servers", &self.ice_servers)
            .field("local_addresses", &self.local_addresses)
            .field("dtls_role", &self.dtls_role)
            .field("srtp_profiles", &self.srtp_profiles)
            .field("mtu", &self.mtu)
            .finish_non_exhaustive()
    }
}

/// Path MTU that every path of today's internet carries, in octets of UDP payload: the 1280 of
/// IPv6 less its headers and room for a tunnel.
pub const DEFAULT_MTU: usize = 1200;

impl RTCConnectionOptions {
    /// The defaults, with this seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            wall_clock: Duration::ZERO,
            ice_servers: Vec::new(),
            socket: None,
            local_addresses: Vec::new(),
            local_tcp_addresses: Vec::new(),
            gathering: GatherConfig::default(),
            local_candidates: LocalCandidates::default(),
            ice: ortc_ice::Config::default(),
            dtls_role: DtlsRole::default(),
            dtls_retransmission: None,
            dtls_versions: None,
            dtls_groups: None,
            extended_master_secret: ExtendedMasterSecret::default(),
            verification: PeerVerification::default(),
            certificate: None,
            provider: ring_provider(),
            srtp_profiles: vec![
                Profile::AeadAes128Gcm,
                Profile::AeadAes256Gcm,
                Profile::Aes128CmHmacSha1_80,
            ],
            capabilities: get_rtc_capabilities(),
            extension_ids: crate::media::extensions::DEFAULT_IDS
                .into_iter()
                .map(|(uri, id)| (uri.to_owned(), id))
                .collect(),
            rtcp: RtcpForm::default(),
            rtp_timeout: Duration::from_secs(25),
            audio_wait: Duration::from_millis(200),
            video_wait: Duration::from_millis(500),
            mtu: DEFAULT_MTU,
            max_segments: 1,
            descriptions: DescriptionForm::default(),
            key_log: false,
            tap: false,
        }
    }

    /// Time since the Unix epoch at the `now` of construction; RTCP sender reports carry it.
    /// Default zero: reports then count from 1970, which keeps lip sync but no date.
    #[must_use]
    pub fn wall_clock(self, since_unix_epoch: Duration) -> Self {
        Self {
            wall_clock: since_unix_epoch,
            ..self
        }
    }

    /// STUN and TURN servers (draft `iceServers`): asked from every local address as soon as the
    /// connection is made, for server-reflexive and relayed candidates. The URIs are read when the
    /// connection is made. With a shared socket they count for nothing: give them to the socket.
    #[doc(alias = "iceServers")]
    #[must_use]
    pub fn ice_servers(self, ice_servers: Vec<RTCIceServer>) -> Self {
        Self {
            ice_servers,
            ..self
        }
    }

    /// A place on a socket that others use too (draft `socket`): from
    /// [`RTCSocket::fork`](super::RTCSocket::fork) or [`RTCSocket::admit`](super::RTCSocket::admit).
    #[must_use]
    pub fn socket(self, socket: SharedSocket) -> Self {
        Self {
            socket: Some(socket),
            ..self
        }
    }

    /// Adds an address that the embedder has bound a UDP socket to. More can follow later with
    /// [`RTCConnection::add_local_address`](super::RTCConnection::add_local_address). With a shared
    /// socket it counts for nothing: the socket has addresses.
    #[must_use]
    pub fn local_address(mut self, address: SocketAddr) -> Self {
        self.local_addresses.push(address);
        self
    }

    /// Adds an address for candidates over TCP (RFC 6544): one that the embedder listens at for
    /// [`TcpType::Passive`], one to connect from, its port 0, for [`TcpType::Active`]. With a shared
    /// socket it counts for nothing: give it to the socket.
    #[must_use]
    pub fn local_tcp_address(mut self, address: SocketAddr, kind: TcpType) -> Self {
        self.local_tcp_addresses.push((address, kind));
        self
    }

    /// How servers are asked: repetitions, keep-alives, which addresses a relay may send to.
    #[must_use]
    pub fn gathering(self, gathering: GatherConfig) -> Self {
        Self { gathering, ..self }
    }

    /// Whether discovered candidates wait for `set_local_candidate`. Default: they wait.
    #[must_use]
    pub fn local_candidates(self, local_candidates: LocalCandidates) -> Self {
        Self {
            local_candidates,
            ..self
        }
    }

    /// The ICE agent's own configuration: role, pacing, consent, bounds.
    #[must_use]
    pub fn ice(self, ice: ortc_ice::Config) -> Self {
        Self { ice, ..self }
    }

    /// Which side sends the ClientHello. Default [`DtlsRole::Auto`].
    #[must_use]
    pub fn dtls_role(self, dtls_role: DtlsRole) -> Self {
        Self { dtls_role, ..self }
    }

    /// Time to the first retransmission of a DTLS flight; default 50 ms, as media clients do.
    #[must_use]
    pub fn dtls_retransmission(self, first: Duration) -> Self {
        Self {
            dtls_retransmission: Some(first),
            ..self
        }
    }

    /// Versions of DTLS that may be negotiated; by default 1.3 and 1.2. An empty list is refused when
    /// the connection is made.
    #[must_use]
    pub fn dtls_versions(self, versions: Vec<ortc_dtls::Version>) -> Self {
        Self {
            dtls_versions: Some(versions),
            ..self
        }
    }

    /// Groups for the key exchange of DTLS, most preferred first; by default X25519, P-256 and P-384.
    /// X25519MLKEM768 before them makes recorded calls safe from quantum computers to come, for
    /// 2.3 KiB more in the handshake: [`ortc_dtls::Config::groups`]. An empty list and a group that is
    /// none of these four are refused when the connection is made.
    #[must_use]
    pub fn dtls_groups(self, groups: Vec<NamedGroup>) -> Self {
        Self {
            dtls_groups: Some(groups),
            ..self
        }
    }

    /// What happens with a peer of DTLS 1.2 that does not have the extended master secret, as old
    /// gateways do not. Default [`ExtendedMasterSecret::Required`].
    #[must_use]
    pub fn extended_master_secret(self, policy: ExtendedMasterSecret) -> Self {
        Self {
            extended_master_secret: policy,
            ..self
        }
    }

    /// What happens when the handshake ends and no expected fingerprint was set. Default
    /// [`PeerVerification::HoldUntilVerified`]; [`PeerVerification::TrustFirst`] is what the draft
    /// itself describes and is open to interception by whoever carries the signalling's packets.
    #[must_use]
    pub fn peer_verification(self, verification: PeerVerification) -> Self {
        Self {
            verification,
            ..self
        }
    }

    /// The certificate to use. Default: a new self-signed one with ECDSA on P-256.
    #[must_use]
    pub fn certificate(self, certificate: Certificate) -> Self {
        Self {
            certificate: Some(certificate),
            ..self
        }
    }

    /// The cryptography behind DTLS. Default ring.
    #[must_use]
    pub fn provider(self, provider: Arc<dyn Provider>) -> Self {
        Self { provider, ..self }
    }

    /// SRTP profiles in order of preference; at least one. Default AEAD_AES_128_GCM,
    /// AEAD_AES_256_GCM, AES_CM_128_HMAC_SHA1_80: the last costs several times as much.
    #[must_use]
    pub fn srtp_profiles(self, srtp_profiles: Vec<Profile>) -> Self {
        Self {
            srtp_profiles,
            ..self
        }
    }

    /// What the embedder can encode and decode. Default: all that
    /// [`get_rtc_capabilities`] lists.
    #[must_use]
    pub fn capabilities(self, capabilities: RTCCapabilities) -> Self {
        Self {
            capabilities,
            ..self
        }
    }

    /// Ids of RTP header extensions by URI, 1 to 14 (RFC 8285 §4.2), replacing the default table;
    /// a bridge to SDP gives its `extmap`.
    #[must_use]
    pub fn extension_ids(self, extension_ids: BTreeMap<String, u8>) -> Self {
        Self {
            extension_ids,
            ..self
        }
    }

    /// Form of RTCP feedback. Default reduced-size.
    #[must_use]
    pub fn rtcp(self, rtcp: RtcpForm) -> Self {
        Self { rtcp, ..self }
    }

    /// Silence after which a receiving track counts as disconnected; 1 s to 24 h. Default 25 s:
    /// five times the 5 s of RFC 3550 §6.3.5.
    #[must_use]
    pub fn rtp_timeout(self, rtp_timeout: Duration) -> Self {
        Self {
            rtp_timeout,
            ..self
        }
    }

    /// How long a missing audio packet may hold back those after it; at most 60 s. Default 200 ms,
    /// room for one retransmission on a slow path.
    #[must_use]
    pub fn audio_wait(self, audio_wait: Duration) -> Self {
        Self { audio_wait, ..self }
    }

    /// How long a missing video packet may hold back those after it; at most 60 s. Default 500 ms,
    /// room for several retransmissions: a lost frame costs more than a late one.
    #[must_use]
    pub fn video_wait(self, video_wait: Duration) -> Self {
        Self { video_wait, ..self }
    }

    /// Largest UDP payload to send, in octets, 256 to 9000. Default [`DEFAULT_MTU`].
    #[must_use]
    pub fn mtu(self, mtu: usize) -> Self {
        Self { mtu, ..self }
    }

    /// Datagrams that one [`Transmit`](ortc_ice::Transmit) may hold, 1 to 64, for sockets with UDP
    /// segmentation offload: those of one length to one destination leave as a run, and `segment`
    /// says the length. Default 1: each datagram on its own, `segment` always `None`.
    #[must_use]
    pub fn max_segments(self, max_segments: usize) -> Self {
        Self {
            max_segments,
            ..self
        }
    }

    /// What descriptions of this side carry; by default what the draft has. What the peer's carry
    /// beyond it is heard in any case.
    #[must_use]
    pub fn descriptions(self, descriptions: DescriptionForm) -> Self {
        Self {
            descriptions,
            ..self
        }
    }

    /// Whether DTLS secrets are given out as [`Event::KeyLog`](super::Event::KeyLog) lines in the
    /// NSS format, for debugging. Default off: whoever has them reads the call.
    #[must_use]
    pub fn key_log(self, key_log: bool) -> Self {
        Self { key_log, ..self }
    }

    /// Whether decrypted RTP and RTCP can be taken with
    /// [`RTCConnection::poll_tap`](super::RTCConnection::poll_tap), for debugging. Default off.
    #[must_use]
    pub fn tap(self, tap: bool) -> Self {
        Self { tap, ..self }
    }
}
