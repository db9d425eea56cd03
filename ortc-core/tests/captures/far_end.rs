//! The other end of a connection under test: ICE, DTLS and SRTP by hand, so that recorded packets
//! leave as they are, header and all, under keys of the test's own handshake.

use core::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use ortc_core::dtls::crypto::ring_provider;
use ortc_core::dtls::{self, Certificate, Endpoint, HashAlgorithm, Role, is_dtls};
use ortc_core::ice::stun::is_stun;
use ortc_core::ice::{Agent, Candidate, Config, RolePolicy};
use ortc_core::{
    Datagram, DtlsRole, Ecn, Event, LocalCandidates, Path, Profile, RTCConnection,
    RTCConnectionOptions,
};
use ortc_rtp::wire::rtcp::is_rtcp;
use ortc_srtp::{MasterKey, Receiver, Sender};

use crate::recording::{Call, End, Kind, Opened, origin};

/// A connection in the place of one end of a call, and a far end that sends what the other end
/// sent. Nothing takes time but the recording itself.
pub(crate) struct Session {
    pub(crate) connection: RTCConnection,
    pub(crate) events: Vec<Event>,
    /// RTCP of the connection, opened.
    pub(crate) feedback: Vec<Vec<u8>>,
    agent: Agent,
    endpoint: Endpoint,
    role: Role,
    srtp: Option<(Sender, Receiver)>,
    start: Instant,
    now: Instant,
}

fn near() -> SocketAddr {
    "10.0.0.1:5000".parse().unwrap()
}

fn far() -> SocketAddr {
    "10.0.0.2:5000".parse().unwrap()
}

impl Session {
    /// Connected, with every track of `from` described and the SRTP profile of the recording.
    pub(crate) fn new(call: &Call, from: End) -> Self {
        let (start, provider) = (origin(), ring_provider());
        let profile = Profile::from_id(call.facts.profile).unwrap();
        let (policies, roles) = if from == End::Browser {
            let policies = [RolePolicy::Controlled, RolePolicy::Controlling];
            (policies, call.facts.dtls_client == End::Browser)
        } else {
            let policies = [RolePolicy::Controlling, RolePolicy::Controlled];
            (policies, call.facts.dtls_client == End::Peer)
        };
        let (role, near_role) = if roles {
            (Role::Client, DtlsRole::Server)
        } else {
            (Role::Server, DtlsRole::Client)
        };

        let ice = |end: End, policy| {
            Config::default()
                .local_credentials(call.credentials(end))
                .role(policy)
        };
        let options = RTCConnectionOptions::new([7; 32])
            .ice(ice(from.other(), policies[0]))
            .local_address(near())
            .local_candidates(LocalCandidates::AtOnce)
            .dtls_role(near_role)
            .srtp_profiles(vec![profile])
            .extension_ids(call.facts.extension_ids.clone());
        let mut connection = RTCConnection::new(options, start).unwrap();

        let mut agent = Agent::new(ice(from, policies[1]), [8; 32], start);
        let certificate = Certificate::generate(&provider).unwrap();
        let local = connection.local().dtls.fingerprint.clone().unwrap();
        let config = dtls::Config::new(certificate.clone(), provider)
            .srtp_profiles(vec![profile.id()])
            .unwrap()
            .expected_fingerprints(vec![*local.strongest().unwrap()]);
        let endpoint = Endpoint::new(Arc::new(config), role, start);

        connection
            .set_remote_fingerprint(certificate.fingerprint(HashAlgorithm::Sha256), start)
            .unwrap();
        let ice = call.side(from).ice.clone();
        connection.set_remote_ice(ice, start).unwrap();
        for track in &call.side(from).tracks {
            connection.receive_track(track, start).unwrap();
        }
        connection.connect(start).unwrap();
        agent
            .set_remote_credentials(call.credentials(from.other()), start)
            .unwrap();
        agent
            .add_local_candidate(Candidate::host(far()).unwrap(), start)
            .unwrap();
        agent
            .add_remote_candidate(Candidate::host(near()).unwrap(), start)
            .unwrap();
        agent.connect(start).unwrap();

        let mut session = Self {
            connection,
            events: Vec::new(),
            feedback: Vec::new(),
            agent,
            endpoint,
            role,
            srtp: None,
            start,
            now: start,
        };
        session.handshake(profile);
        session
    }

    fn handshake(&mut self, profile: Profile) {
        let limit = self.now + core::time::Duration::from_secs(5);
        while !self.connection.is_connected() || self.endpoint.srtp_profile().is_none() {
            let next = self.next_deadline().unwrap();
            assert!(next < limit, "the handshake takes too long");
            self.run_until(next);
        }
        self.run_until(self.now);
        let keying = self.endpoint.srtp_keying().unwrap();
        assert_eq!(keying.profile, profile.id());
        let client = MasterKey::new(profile, &keying.client_key, &keying.client_salt).unwrap();
        let server = MasterKey::new(profile, &keying.server_key, &keying.server_salt).unwrap();
        let (ours, theirs) = match self.role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        self.srtp = Some((Sender::new(&ours, [1; 8]), Receiver::new(&theirs, [2; 8])));
        // The recording's clock begins now.
        self.start = self.now;
    }

    /// Sends a recorded packet at its time.
    pub(crate) fn send(&mut self, opened: &Opened) {
        self.run_until(self.start + opened.at);
        let (sender, _) = self.srtp.as_mut().unwrap();
        let mut packet = opened.packet.clone();
        match opened.kind {
            Kind::Rtcp => sender.protect_rtcp(&mut packet, 0).unwrap(),
            Kind::Rtp | Kind::Stun | Kind::Dtls => sender.protect_rtp(&mut packet, 0).unwrap(),
        }
        self.deliver(&mut packet);
        self.flush();
    }

    /// Lets time pass after the last packet.
    pub(crate) fn run_for(&mut self, time: core::time::Duration) {
        self.run_until(self.now + time);
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    fn next_deadline(&self) -> Option<Instant> {
        let connection = self.connection.poll_timeout().map(|timeout| timeout.at);
        let agent = self.agent.poll_timeout().map(|timeout| timeout.at);
        let endpoint = self.endpoint.poll_timeout();
        let endpoint = endpoint.filter(|_| self.agent.data_path().is_some());
        [connection, agent, endpoint].into_iter().flatten().min()
    }

    fn run_until(&mut self, end: Instant) {
        self.flush();
        while let Some(next) = self.next_deadline().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.connection.handle_timeout(self.now);
            self.agent.handle_timeout(self.now);
            if self.agent.data_path().is_some() {
                self.endpoint.handle_timeout(self.now);
            }
            self.flush();
        }
        self.now = self.now.max(end);
    }

    /// Carries datagrams both ways until neither end has any.
    fn flush(&mut self) {
        let mut buf = Vec::new();
        loop {
            buf.clear();
            if let Some(transmit) = self.connection.poll_transmit(&mut buf, self.now) {
                assert_eq!(transmit.path, Path::udp(near(), far()));
                self.take(&mut buf);
                continue;
            }
            if let Some(transmit) = self.agent.poll_transmit(&mut buf, self.now) {
                assert_eq!(transmit.path, Path::udp(far(), near()));
                self.deliver(&mut buf);
                continue;
            }
            let has_path = self.agent.data_path().is_some();
            if has_path && self.endpoint.poll_transmit(&mut buf, self.now).is_some() {
                self.deliver(&mut buf);
                continue;
            }
            while self.agent.poll_event().is_some() || self.endpoint.poll_event().is_some() {}
            return;
        }
    }

    fn deliver(&mut self, contents: &mut [u8]) {
        let (path, ecn) = (Path::udp(near(), far()), Ecn::default());
        let datagram = Datagram {
            path,
            contents,
            ecn,
        };
        self.connection.handle_datagram(datagram, self.now);
        while let Some(event) = self.connection.poll_event() {
            self.events.push(event);
        }
    }

    fn take(&mut self, contents: &mut [u8]) {
        let (path, ecn) = (Path::udp(far(), near()), Ecn::default());
        if is_stun(contents) {
            let datagram = Datagram {
                path,
                contents,
                ecn,
            };
            self.agent.handle_datagram(datagram, self.now).unwrap();
        } else if is_dtls(contents[0]) {
            self.endpoint.handle_datagram(contents, self.now);
        } else {
            assert!(is_rtcp(contents[1]), "no media of its own");
            let (_, receiver) = self.srtp.as_mut().unwrap();
            let len = receiver.unprotect_rtcp(contents).unwrap();
            self.feedback.push(contents[..len].to_vec());
        }
    }
}
