//! A peer of an `RTCConnection` that the test moves by hand: real ICE, DTLS and SRTP, and then
//! whatever packets the test makes up, authentic ones among them.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use ortc_core::dtls::crypto::ring_provider;
use ortc_core::dtls::{Config, Endpoint, Event as DtlsEvent, Role};
use ortc_core::ice::{Agent, Config as IceConfig, Credentials, Event as IceEvent};
use ortc_core::{
    Certificate, Datagram, DtlsRole, Ecn, Event, Fingerprint, HashAlgorithm, MediaKind, Path,
    PeerVerification, Profile, RTCCodec, RTCConnection, RTCConnectionOptions,
    RTCIceCandidateDescription, RTCIceConnectionInfo, RTCTrackDescription,
};
use ortc_srtp::{MasterKey, Receiver, Sender};

use crate::call::{Peer, address_a, address_b, seed};
use crate::net::Net;

/// The side that the test moves.
#[derive(Debug)]
pub struct Puppet {
    /// Its ICE agent.
    pub ice: Agent,
    /// Its DTLS endpoint, once a pair is valid.
    pub dtls: Option<Endpoint>,
    config: Arc<Config>,
    /// What its certificate is known by.
    pub fingerprint: Fingerprint,
    role: Role,
    /// Its SRTP contexts, once the handshake is done.
    pub srtp: Option<(Sender, Receiver)>,
    /// Decrypted RTP and RTCP that came, in order.
    pub received: Vec<Vec<u8>>,
    /// DTLS application data that came.
    pub data: Vec<Vec<u8>>,
    /// Why DTLS ended.
    pub closed: Option<ortc_core::dtls::CloseReason>,
    out: VecDeque<Vec<u8>>,
}

/// A connection at 10.0.0.1 and a puppet at 10.0.0.2, with no delay between them.
#[derive(Debug)]
pub struct Stage {
    /// The connection.
    pub connection: RTCConnection,
    /// The other side.
    pub puppet: Puppet,
    /// What the connection told.
    pub events: Vec<Event>,
    /// Largest datagram that the connection sent.
    pub largest: usize,
    /// The virtual time.
    pub now: Instant,
    /// Whether events are left in the connection.
    pub keep_events: bool,
}

impl Stage {
    /// Both sides, not connected yet; the puppet is the DTLS client.
    #[must_use]
    pub fn new(
        number: u64,
        configure: impl FnOnce(RTCConnectionOptions) -> RTCConnectionOptions,
    ) -> Self {
        let now = Net::<Peer>::new(number).now();
        let options = RTCConnectionOptions::new(seed(number, 0))
            .local_address(address_a())
            .dtls_role(DtlsRole::Server);
        let connection = RTCConnection::new(configure(options), now).unwrap();
        let ice = Agent::new(IceConfig::default(), seed(number, 1), now);
        let certificate = Certificate::generate(&ring_provider()).unwrap();
        let fingerprint = certificate.fingerprint(HashAlgorithm::Sha256);
        let config = Config::new(certificate, ring_provider())
            .srtp_profiles(vec![Profile::AeadAes128Gcm.id()])
            .unwrap()
            .verification(PeerVerification::TrustFirst);
        Self {
            connection,
            puppet: Puppet {
                ice,
                dtls: None,
                config: Arc::new(config),
                fingerprint,
                role: Role::Client,
                srtp: None,
                received: Vec::new(),
                data: Vec::new(),
                closed: None,
                out: VecDeque::new(),
            },
            events: Vec::new(),
            largest: 0,
            now,
            keep_events: false,
        }
    }

    /// Both sides, connected, each sure of the other.
    #[must_use]
    pub fn connected(
        number: u64,
        configure: impl FnOnce(RTCConnectionOptions) -> RTCConnectionOptions,
    ) -> Self {
        let mut stage = Self::new(number, configure);
        stage.signal();
        stage.vouch();
        stage.run_for(Duration::from_secs(1));
        assert!(stage.connection.is_connected());
        assert!(stage.puppet.srtp.is_some());
        stage
    }

    /// Signals credentials and candidates both ways, and connects.
    pub fn signal(&mut self) {
        self.drain();
        let now = self.now;
        let local = self.puppet.ice.local_credentials();
        let ice = RTCIceConnectionInfo {
            username_frag: local.ufrag().to_owned(),
            password: local.password().to_owned(),
        };
        let ours = self.connection.local().ice.clone().unwrap();
        let ours = Credentials::new(ours.username_frag.as_str(), ours.password.as_str()).unwrap();
        self.puppet.ice.set_remote_credentials(ours, now).unwrap();
        let host = ortc_core::ice::Candidate::host(address_b()).unwrap();
        let host = self.puppet.ice.add_local_candidate(host, now).unwrap();
        self.puppet.ice.connect(now).unwrap();
        self.connection.set_remote_ice(ice, now).unwrap();
        self.connection
            .set_remote_candidate(
                &RTCIceCandidateDescription {
                    foundation: host.foundation().to_owned(),
                    component: 1,
                    transport: "udp".to_owned(),
                    tcp_type: None,
                    priority: host.priority(),
                    connection_address: "10.0.0.2".to_owned(),
                    connection_port: 5000,
                    kind: "host".to_owned(),
                    rel_address: None,
                    rel_port: None,
                    dtls: None,
                },
                now,
            )
            .unwrap();
        self.connection.connect(now).unwrap();
    }

    /// Tells the connection the puppet's fingerprint.
    pub fn vouch(&mut self) {
        let print = self.puppet.fingerprint;
        self.connection
            .set_remote_fingerprint(print, self.now)
            .unwrap();
    }

    /// Takes out events; candidates are applied.
    pub fn drain(&mut self) {
        while !self.keep_events
            && let Some(event) = self.connection.poll_event()
        {
            if let Event::Candidate(candidate) = &event {
                let _ = self.connection.set_local_candidate(candidate, self.now);
            }
            self.events.push(event);
        }
    }

    /// How many events that fit were told.
    pub fn count(&self, fits: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| fits(event)).count()
    }

    /// Hands the connection a datagram from anywhere.
    pub fn inject_from(&mut self, remote: SocketAddr, mut contents: Vec<u8>) {
        let path = Path::udp(address_a(), remote);
        let datagram = Datagram {
            path,
            contents: &mut contents,
            ecn: Ecn::default(),
        };
        self.connection.handle_datagram(datagram, self.now);
        self.drain();
    }

    /// Hands the connection a datagram from the puppet's address.
    pub fn inject(&mut self, contents: Vec<u8>) {
        self.inject_from(address_b(), contents);
    }

    /// The same packet with SRTP's protection.
    pub fn protect_rtp(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut packet = packet.to_vec();
        let (sender, _) = self.puppet.srtp.as_mut().unwrap();
        sender.protect_rtp(&mut packet, 0).unwrap();
        packet
    }

    /// Hands the connection an authentic RTP packet.
    pub fn send_rtp(&mut self, packet: &[u8]) {
        let packet = self.protect_rtp(packet);
        self.inject(packet);
    }

    /// Hands the connection an authentic RTCP packet.
    pub fn send_rtcp(&mut self, packet: &[u8]) {
        let mut packet = packet.to_vec();
        let (sender, _) = self.puppet.srtp.as_mut().unwrap();
        sender.protect_rtcp(&mut packet, 0).unwrap();
        self.inject(packet);
    }

    /// Moves everything that is ready at this instant.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            let mut quiet = true;
            let mut buf = Vec::new();
            while let Some(transmit) = self.connection.poll_transmit(&mut buf, self.now) {
                quiet = false;
                self.largest = self.largest.max(transmit.len);
                self.puppet.handle(&mut buf, self.now);
                buf.clear();
            }
            self.drain();
            for datagram in self.puppet.outgoing(self.now) {
                quiet = false;
                self.inject(datagram);
            }
            let due = self.connection.poll_timeout();
            if due.is_some_and(|timeout| timeout.at <= self.now) {
                quiet = false;
                self.connection.handle_timeout(self.now);
                self.drain();
            }
            if quiet {
                return;
            }
        }
        panic!("the connection never comes to rest");
    }

    /// Runs for this long in virtual time.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.settle();
            let ours = self.connection.poll_timeout().map(|timeout| timeout.at);
            let next = ours.into_iter().chain(self.puppet.deadline()).min();
            match next {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    self.puppet.handle_timeout(self.now);
                }
                Some(_) | None => break,
            }
        }
        self.now = end;
    }
}

impl Puppet {
    fn handle(&mut self, contents: &mut [u8], now: Instant) {
        match contents.first() {
            Some(0..=3) => {
                let datagram = Datagram {
                    path: Path::udp(address_b(), address_a()),
                    contents,
                    ecn: Ecn::default(),
                };
                let _ = self.ice.handle_datagram(datagram, now);
            }
            Some(20..=63) => {
                if let Some(dtls) = &mut self.dtls {
                    dtls.handle_datagram(contents, now);
                }
            }
            Some(_) => {
                if let Some((_, receiver)) = &mut self.srtp {
                    let rtcp = (192..=223).contains(&contents[1]);
                    let opened = if rtcp {
                        receiver.unprotect_rtcp(contents)
                    } else {
                        receiver.unprotect_rtp(contents)
                    };
                    self.received.push(contents[..opened.unwrap()].to_vec());
                }
            }
            None => {}
        }
        self.pump(now);
    }

    fn pump(&mut self, now: Instant) {
        while let Some(event) = self.ice.poll_event() {
            if event == IceEvent::Connected && self.dtls.is_none() {
                self.dtls = Some(Endpoint::new(Arc::clone(&self.config), self.role, now));
            }
        }
        let Some(dtls) = &mut self.dtls else { return };
        while let Some(event) = dtls.poll_event() {
            match event {
                DtlsEvent::Connected => {
                    let keying = dtls.srtp_keying().unwrap();
                    let profile = Profile::from_id(keying.profile).unwrap();
                    let key = |key, salt| MasterKey::new(profile, key, salt).unwrap();
                    let client = key(&keying.client_key, &keying.client_salt);
                    let server = key(&keying.server_key, &keying.server_salt);
                    let sender = Sender::new(&client, [1; 8]).max_sources(1 << 20);
                    self.srtp = Some((sender, Receiver::new(&server, [2; 8])));
                }
                DtlsEvent::ApplicationData(data) => self.data.push(data.to_vec()),
                DtlsEvent::Closed(reason) => self.closed = Some(reason),
                _ => {}
            }
        }
    }

    fn outgoing(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut buf = Vec::new();
        while self.ice.poll_transmit(&mut buf, now).is_some() {
            self.out.push_back(core::mem::take(&mut buf));
        }
        if let Some(dtls) = &mut self.dtls {
            while dtls.poll_transmit(&mut buf, now).is_some() {
                self.out.push_back(core::mem::take(&mut buf));
            }
        }
        self.pump(now);
        self.out.drain(..).collect()
    }

    fn deadline(&self) -> Option<Instant> {
        let ice = self.ice.poll_timeout().map(|timeout| timeout.at);
        let dtls = self.dtls.as_ref().and_then(Endpoint::poll_timeout);
        ice.into_iter().chain(dtls).min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.ice.handle_timeout(now);
        if let Some(dtls) = &mut self.dtls {
            dtls.handle_timeout(now);
        }
        self.pump(now);
    }
}

/// An RTP packet in plain text.
#[must_use]
pub fn rtp(ssrc: u32, payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&timestamp.to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// The same packet with one header extension element of the one-byte form (RFC 8285 §4.2).
#[must_use]
pub fn with_extension(packet: &[u8], id: u8, value: &[u8]) -> Vec<u8> {
    let mut block = vec![(id << 4) | u8::try_from(value.len() - 1).unwrap()];
    block.extend_from_slice(value);
    block.resize(block.len().next_multiple_of(4), 0);
    let words = u16::try_from(block.len() / 4).unwrap();
    let mut extended = packet[..12].to_vec();
    extended[0] |= 0x10;
    extended.extend_from_slice(&[0xBE, 0xDE]);
    extended.extend_from_slice(&words.to_be_bytes());
    extended.extend_from_slice(&block);
    extended.extend_from_slice(&packet[12..]);
    extended
}

/// An RTCP BYE of one source behind an empty receiver report.
#[must_use]
pub fn bye(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(&[0x81, 203, 0, 1]);
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet
}

/// A description of a track with these codecs.
#[must_use]
pub fn description(
    kind: MediaKind,
    ssrc: u32,
    msid: &str,
    codecs: &[RTCCodec],
) -> RTCTrackDescription {
    RTCTrackDescription {
        kind,
        ssrc: ssrc.to_string(),
        msid: vec![msid.to_owned()],
        codecs: codecs.to_vec(),
        media_attributes: Vec::new(),
        rtp_ext_headers: ortc_core::RtpExtHeaders::new(),
        rtx: None,
        rtcp_feedback: None,
        rtp_ext_header_ids: None,
        dtls: None,
    }
}

/// Opus audio with payload type 111.
#[must_use]
pub fn opus(ssrc: u32, msid: &str) -> RTCTrackDescription {
    let codec = RTCCodec::new(111, "opus")
        .with_clock_rate(48_000)
        .with_channels(2);
    description(MediaKind::Audio, ssrc, msid, &[codec])
}

/// VP8 video with payload type 96.
#[must_use]
pub fn vp8(ssrc: u32, msid: &str) -> RTCTrackDescription {
    let codec = RTCCodec::new(96, "vp8").with_clock_rate(90_000);
    description(MediaKind::Video, ssrc, msid, &[codec])
}
