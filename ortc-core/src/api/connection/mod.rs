//! RTCConnection (draft §2): the object that an application holds.

mod drive;
mod extended;
mod forwarding;
mod gathering;
mod network;
mod receiving;
mod sending;
mod signalling;
mod tones;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::{Certificate, Fingerprint};
use ortc_ice::{Candidate, Path};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::media::{ExtensionIds, MAX_WAIT, Media, MediaSettings, Output, SendTrack, Tap};
use crate::stats::{ConnectionStats, DtlsStats, ReceiveTrackStats, SendTrackStats};
use crate::transport::{Transport, Uplink};

use super::codec::RTCCodec;
use super::description::RTCIceCandidateDescription;
use super::error::{ConnectionError, DtlsError};
use super::event::{DisconnectReason, TapPacket};
use super::ice_server::Sources;
use super::options::{DescriptionForm, LocalCandidates, RTCConnectionOptions};
use super::side::{
    CertificateFingerprint, RTCConnectionSide, RTCDtlsConnectionInfo, RTCIceConnectionInfo,
};
use super::socket::{ConnectionId, Slots, SocketCandidates, SocketChange, SocketUpdate};
use super::stream::MediaStream;
use super::track::RTCTrack;

pub use forwarding::Forwarded;
pub use sending::{Autostart, RTCTrackFilter};
pub use tones::DtmfContainer;

/// A connection to one peer, with the media that goes over it (draft §2).
///
/// The names are the draft's, methods in snake case. There is no I/O inside: hand in datagrams and
/// the passing of deadlines, take out datagrams, events and the next deadline. Time is always the
/// last argument.
///
/// ```
/// use std::time::{Duration, Instant};
/// use ortc_core::{Event, RTCConnection, RTCConnectionOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let now = Instant::now();
/// let options = RTCConnectionOptions::new([7; 32]) // from the operating system, in earnest
///     .local_address("192.0.2.1:5000".parse()?);
/// let mut connection = RTCConnection::new(options, now)?;
///
/// while let Some(event) = connection.poll_event() {
///     if let Event::Candidate(candidate) = event {
///         connection.set_local_candidate(&candidate, now)?;
///         println!("to the peer: {}", serde_json::to_string(&candidate)?);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[doc(alias = "RtcConnection")]
#[derive(Debug)]
pub struct RTCConnection {
    local: RTCConnectionSide,
    remote: RTCConnectionSide,
    certificate: Certificate,
    state: State,
    /// The latest instant seen: an earlier one counts as this.
    now: Instant,
    rng: ChaCha20Rng,
    gathering: Gathering,
    transport: Transport,
    media: Media,
    output: Output,
    sending_streams: Vec<MediaStream>,
    link: Option<Link>,
    /// Servers, relays and streams, for those who use any.
    uplink: Option<Box<Uplink>>,
    expectation: Expectation,
    descriptions: DescriptionForm,
    /// What the peer's descriptions have said of its certificate.
    described_fingerprint: Option<CertificateFingerprint>,
    peer_wishes: extended::PeerWishes,
    /// Receiving tracks whose handler was told of.
    tone_handlers: BTreeSet<u32>,
    traffic: Traffic,
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `connect` was not called.
    New,
    /// Checks, then the handshake.
    Connecting,
    Connected,
    /// Consent expired; may come back.
    Interrupted,
    /// BYE and close_notify leave on this path, if there ever was one.
    Closing(Option<Path>),
    Closed,
}

/// Whether the application said which certificate the peer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expectation {
    Nothing,
    /// Told the application that it must decide.
    Asked,
    Settled,
}

/// Local addresses and the candidates made of them.
#[derive(Debug)]
struct Gathering {
    addresses: Vec<SocketAddr>,
    discovered: Vec<Discovered>,
    /// What the shared socket has found.
    shared: SocketCandidates,
    policy: LocalCandidates,
}

/// A local candidate, as it is signalled and as the agent has it.
#[derive(Debug)]
struct Discovered {
    description: RTCIceCandidateDescription,
    candidate: Candidate,
    applied: Applied,
}

/// Whether a candidate takes part in checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Applied {
    No,
    Yes,
}

/// The connection's end of a shared socket.
#[derive(Debug)]
struct Link {
    id: ConnectionId,
    updates: VecDeque<SocketUpdate>,
    slots: Slots,
}

/// What went through, in datagrams and octets.
#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    datagrams_received: u64,
    octets_received: u64,
    datagrams_sent: u64,
    octets_sent: u64,
}

/// Sizes of datagram that a path MTU option may name: less than 256 octets cannot carry a check
/// with long credentials, more than 9,000 is no Ethernet.
const MTU_RANGE: core::ops::RangeInclusive<usize> = 256..=9_000;
/// Segments that Linux takes in one send (UDP_MAX_SEGMENTS).
const SEGMENT_RANGE: core::ops::RangeInclusive<usize> = 1..=64;
/// Where the doubling of DTLS retransmissions ends (RFC 6347 §4.2.4.1).
const LONGEST_RETRANSMISSION: Duration = Duration::from_secs(60);
/// Silence that may count as a disconnected track.
const RTP_TIMEOUT_RANGE: core::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(86_400);
/// Seconds since 1970 that leave room to count on.
const MAX_WALL_CLOCK: Duration = Duration::from_secs(1 << 40);

impl RTCConnection {
    /// A connection; gathering has begun and its candidates wait as events.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Option`] for a value out of its range, [`ConnectionError::Description`]
    /// for a server URI that cannot be read, [`ConnectionError::LocalAddress`] for an address that
    /// is none, [`ConnectionError::Certificate`] when none could be made.
    pub fn new(options: RTCConnectionOptions, now: Instant) -> Result<Self, ConnectionError> {
        check(&options)?;
        let mut rng = ChaCha20Rng::from_seed(options.seed);
        let [mut ice_seed, mut media_seed, mut gather_seed] = [[0; 32]; 3];
        rng.fill_bytes(&mut ice_seed);
        rng.fill_bytes(&mut media_seed);
        rng.fill_bytes(&mut gather_seed);

        let shared = options.socket;
        let certificate = match (&shared, options.certificate) {
            (Some(shared), _) => shared.certificate.clone(),
            (None, Some(certificate)) => certificate,
            (None, None) => Certificate::generate(&options.provider)?,
        };
        let mut ice = options.ice;
        if let Some(shared) = &shared {
            ice = ice.local_credentials(shared.credentials.clone());
        }
        let mut agent = ortc_ice::Agent::new(ice, ice_seed, now);
        if let Some(shared) = &shared {
            agent.share_socket(shared.tag.clone());
        }
        let mut dtls = ortc_dtls::Config::new(certificate.clone(), Arc::clone(&options.provider))
            .mtu(options.mtu)?
            .srtp_profiles(
                options
                    .srtp_profiles
                    .iter()
                    .map(|profile| profile.id())
                    .collect(),
            )?
            .verification(options.verification)
            .extended_master_secret(options.extended_master_secret)
            .key_log(options.key_log);
        if let Some(versions) = &options.dtls_versions {
            dtls = dtls.versions(versions)?;
        }
        if let Some(groups) = options.dtls_groups {
            dtls = dtls.groups(groups)?;
        }
        if let Some(first) = options.dtls_retransmission {
            dtls = dtls.retransmission(first, LONGEST_RETRANSMISSION.max(first))?;
        }

        let local = RTCConnectionSide {
            ice: Some(RTCIceConnectionInfo {
                username_frag: agent.local_credentials().ufrag().to_owned(),
                password: agent.local_credentials().password().to_owned(),
            }),
            dtls: RTCDtlsConnectionInfo {
                fingerprint: Some(CertificateFingerprint::of(|hash| {
                    certificate.fingerprint(hash)
                })),
            },
        };
        let sources = Sources {
            servers: &options.ice_servers,
            tcp: &options.local_tcp_addresses,
            config: options.gathering,
        };
        let uplink = match shared {
            Some(_) => None,
            None => sources.uplink(gather_seed, now)?,
        };
        let settings = MediaSettings {
            capabilities: options.capabilities,
            extension_ids: ExtensionIds::new(options.extension_ids),
            rtcp: options.rtcp,
            rtp_timeout: options.rtp_timeout,
            audio_wait: options.audio_wait,
            video_wait: options.video_wait,
            mtu: options.mtu,
            max_segments: options.max_segments,
        };
        let mut connection = Self {
            local,
            remote: RTCConnectionSide::default(),
            certificate,
            state: State::New,
            now,
            rng,
            gathering: Gathering {
                addresses: Vec::new(),
                discovered: Vec::new(),
                shared: shared
                    .as_ref()
                    .map(|shared| shared.candidates.clone())
                    .unwrap_or_default(),
                policy: options.local_candidates,
            },
            transport: Transport::new(agent, Arc::new(dtls), options.dtls_role),
            media: Media::new(settings, options.wall_clock, media_seed, now),
            output: Output {
                tap: options.tap.then(Tap::default),
                ..Output::default()
            },
            sending_streams: Vec::new(),
            link: shared.as_ref().map(|shared| Link {
                id: shared.id,
                updates: VecDeque::new(),
                slots: Slots::new(shared.slots.clone()),
            }),
            uplink,
            expectation: Expectation::Nothing,
            descriptions: options.descriptions,
            described_fingerprint: None,
            peer_wishes: extended::PeerWishes::default(),
            tone_handlers: BTreeSet::new(),
            traffic: Traffic::default(),
        };
        if shared.is_none() {
            for address in options.local_addresses {
                connection.list_address(address)?;
            }
        }
        connection.gather()?;
        Ok(connection)
    }

    /// This side (draft `local`): ICE credentials and the certificate's fingerprints.
    #[must_use]
    pub fn local(&self) -> &RTCConnectionSide {
        &self.local
    }

    /// The peer's side (draft `remote`): what was set of ICE, and the fingerprints once the
    /// handshake is done.
    #[must_use]
    pub fn remote(&self) -> &RTCConnectionSide {
        &self.remote
    }

    /// Whether media can be sent.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// Whether the end of this connection is done and told.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// The codecs that this connection supports (draft `getRTCCapabilities`, narrowed to what the
    /// options named).
    #[must_use]
    pub fn capabilities(&self) -> &super::RTCCapabilities {
        &self.media.settings.capabilities
    }

    /// A supported codec by name (draft `getRTCCodec`).
    #[must_use]
    pub fn codec(&self, name: &str) -> Option<&RTCCodec> {
        self.media.settings.capabilities.codec(name)
    }

    /// A snapshot of counters and measurements.
    #[must_use]
    pub fn stats(&self, now: Instant) -> ConnectionStats {
        let now = now.max(self.now);
        let dtls = self.transport.running().map(|running| DtlsStats {
            version: running.endpoint.version(),
            cipher_suite: running.endpoint.cipher_suite(),
            group: running.endpoint.group(),
            role: running.role,
            endpoint: running.endpoint.stats(),
        });
        let sending = self.media.senders.iter().map(|(_, track)| SendTrackStats {
            ssrc: track.ssrc,
            codec: track.active.codec.clone(),
            stream: track.stream.stats(),
            rtx: track.rtx.as_ref().map(|rtx| rtx.stream.stats()),
            key_frame_requests: track.key_frame_requests,
        });
        let receiving = self
            .media
            .receivers
            .iter()
            .map(|(_, track)| ReceiveTrackStats {
                ssrc: track.ssrc,
                codec: track
                    .current
                    .and_then(|id| track.payloads.codec(id))
                    .cloned(),
                stream: track.stream.stats(),
                frames: track.counters.frames,
                key_frames: track.counters.key_frames,
                gap_packets: track.counters.gap_packets,
                nacks: track.counters.nacks,
                recovered: track.nack.recovered(),
                repaired: track.counters.repaired,
                probes: track.counters.probes,
                key_frame_requests: track.counters.key_frame_requests,
                silence: track
                    .last_rtp
                    .map(|last| now.saturating_duration_since(last)),
            });
        ConnectionStats {
            ice: self.transport.ice.stats(),
            ice_role: match self.transport.ice.is_controlling() {
                true => ortc_ice::Role::Controlling,
                false => ortc_ice::Role::Controlled,
            },
            dtls,
            srtp_profile: self.transport.srtp.as_ref().map(|srtp| srtp.profile),
            datagrams_received: self.traffic.datagrams_received,
            octets_received: self.traffic.octets_received,
            datagrams_sent: self.traffic.datagrams_sent,
            octets_sent: self.traffic.octets_sent,
            drops: self.output.drops,
            sending: sending.collect(),
            receiving: receiving.collect(),
        }
    }

    /// The next decrypted packet, when the options ask for a tap; the oldest of more than 1,024
    /// that wait are lost.
    pub fn poll_tap(&mut self) -> Option<TapPacket> {
        self.output.tap.as_mut()?.pop()
    }

    /// Sends DTLS application data, one record a call.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Dtls`] before the handshake is done, or for more than a record or the
    /// path MTU holds.
    pub fn send_application_data(
        &mut self,
        data: &[u8],
        now: Instant,
    ) -> Result<(), ConnectionError> {
        self.open()?;
        let now = self.advance(now);
        let Some(running) = self.transport.running_mut() else {
            return Err(DtlsError("the handshake has not begun".to_owned()).into());
        };
        running
            .endpoint
            .send(data, now)
            .map_err(|error| DtlsError(error.to_string()))?;
        Ok(())
    }

    /// Fails once the connection is closing.
    fn open(&self) -> Result<(), ConnectionError> {
        match self.state {
            State::New | State::Connecting | State::Connected | State::Interrupted => Ok(()),
            State::Closing(_) | State::Closed => Err(ConnectionError::Closed),
        }
    }

    /// Time never goes back.
    fn advance(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    /// Tells whoever routes or relays for this connection.
    fn tell_socket(&mut self, change: SocketChange) {
        if let Some(uplink) = &mut self.uplink {
            match &change {
                SocketChange::Path(path) => uplink.permit(path, self.now),
                SocketChange::Valid(path) => uplink.bind_channel(path, self.now),
                SocketChange::Suspected(path) => uplink.probe(path, self.now),
                SocketChange::RemoteUfrag(_)
                | SocketChange::Credentials(_)
                | SocketChange::Closed => {}
            }
        }
        if let Some(link) = &mut self.link {
            let update = SocketUpdate {
                id: link.id,
                change,
            };
            // A claim that waits need not be made twice; the order of the rest counts.
            match update.change {
                SocketChange::Path(_) | SocketChange::Suspected(_)
                    if link.updates.contains(&update) => {}
                SocketChange::Valid(_) => {
                    link.updates.retain(|waiting| *waiting != update);
                    link.updates.push_back(update);
                }
                SocketChange::Path(_)
                | SocketChange::Suspected(_)
                | SocketChange::RemoteUfrag(_)
                | SocketChange::Credentials(_)
                | SocketChange::Closed => link.updates.push_back(update),
            }
        }
    }

    pub(crate) fn sender(&self, handle: RTCTrack) -> Result<&SendTrack, ConnectionError> {
        let track = self
            .media
            .senders
            .get(handle.slot)
            .filter(|track| track.ssrc == handle.ssrc);
        track.ok_or(ConnectionError::UnknownTrack)
    }

    pub(crate) fn sender_mut(
        &mut self,
        handle: RTCTrack,
    ) -> Result<&mut SendTrack, ConnectionError> {
        self.open()?;
        let track = self
            .media
            .senders
            .get_mut(handle.slot)
            .filter(|track| track.ssrc == handle.ssrc);
        track.ok_or(ConnectionError::UnknownTrack)
    }

    /// The peer's fingerprints by every hash, once its certificate is proved to be its own.
    fn peer_fingerprints(&self) -> Option<CertificateFingerprint> {
        let endpoint = &self.transport.running()?.endpoint;
        let der = endpoint.peer_certificate_der()?;
        Some(CertificateFingerprint::of(|hash| {
            Fingerprint::of(hash, der)
        }))
    }

    /// Ends the connection for good, for a reason of its own. An alert that says so to the peer may
    /// still leave.
    fn fail(&mut self, reason: DisconnectReason) {
        let state = match self.transport.ice.data_path() {
            Some(path) => State::Closing(Some(path)),
            // Allocations are given back.
            None if self.gatherer().is_some() => State::Closing(None),
            None => State::Closed,
        };
        self.finish(state, reason);
        self.transport.ice.close();
    }

    fn finish(&mut self, state: State, reason: DisconnectReason) {
        self.state = state;
        self.media.stop();
        self.media.outbox.control.clear();
        self.transport.early_media.take();
        self.output.events.drop_media();
        self.output.events.push(super::Event::Disconnected(reason));
        self.tell_socket(SocketChange::Closed);
    }
}

/// Refuses options that cannot work.
fn check(options: &RTCConnectionOptions) -> Result<(), ConnectionError> {
    let refuse = |option, range| Err(ConnectionError::Option { option, range });
    if !MTU_RANGE.contains(&options.mtu) {
        return refuse("mtu", "256 to 9000 octets");
    }
    if !RTP_TIMEOUT_RANGE.contains(&options.rtp_timeout) {
        return refuse("rtp_timeout", "1 s to 24 h");
    }
    if options.audio_wait.max(options.video_wait) > MAX_WAIT {
        return refuse("audio_wait and video_wait", "at most 60 s");
    }
    if options.wall_clock > MAX_WALL_CLOCK {
        return refuse("wall_clock", "a date before the year 36812");
    }
    if !SEGMENT_RANGE.contains(&options.max_segments) {
        return refuse("max_segments", "1 to 64");
    }
    if options.srtp_profiles.is_empty() {
        return refuse("srtp_profiles", "at least one profile");
    }
    if !options
        .extension_ids
        .values()
        .all(|id| (1..=14).contains(id))
    {
        return refuse("extension_ids", "1 to 14 for each URI");
    }
    let ids: BTreeSet<u8> = options.extension_ids.values().copied().collect();
    if ids.len() != options.extension_ids.len() {
        return refuse("extension_ids", "different for each URI");
    }
    let codecs = options
        .capabilities
        .audio_codecs
        .iter()
        .chain(&options.capabilities.video_codecs);
    sending::check_payload_types(codecs.map(|codec| codec.payload_id))?;
    for server in &options.ice_servers {
        server.uris()?;
    }
    Ok(())
}
