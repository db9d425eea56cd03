//! Two `RTCConnection`s on the virtual network, signalled as the draft's section 9.1 does it: JSON
//! texts with `iceInfo`, `candidate` and `track`.

use core::net::SocketAddr;
use core::time::Duration;
use std::time::Instant;

use ortc_core::{
    Datagram, Ecn, Event, Path, RTCConnection, RTCConnectionOptions, RTCIceCandidateDescription,
    RTCIceConnectionInfo, RTCTrackDescription, RTCTrackFilter,
};
use serde_json::{Value, json};

use crate::link::Link;
use crate::net::{Machine, Net, NodeId};

/// One end of a call, with the events that it told so far.
#[derive(Debug)]
pub struct Peer {
    /// The connection.
    pub connection: RTCConnection,
    /// Its events, in order, but for those that signalling took.
    pub events: Vec<Event>,
    /// Candidates that wait to be signalled.
    pub candidates: Vec<RTCIceCandidateDescription>,
}

impl Peer {
    /// An end whose candidates are applied as they come.
    #[must_use]
    pub fn new(connection: RTCConnection) -> Self {
        Self {
            connection,
            events: Vec::new(),
            candidates: Vec::new(),
        }
    }

    /// Takes out what the connection has to tell.
    pub fn drain(&mut self, now: Instant) {
        while let Some(event) = self.connection.poll_event() {
            if let Event::Candidate(candidate) = event {
                // Closing overtakes gathering in some stories; then the refusal is right.
                let _ = self.connection.set_local_candidate(&candidate, now);
                self.candidates.push(*candidate);
            } else {
                self.events.push(event);
            }
        }
    }

    /// Whether an event that fits was told.
    pub fn saw(&self, fits: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(fits)
    }

    /// How many events that fit were told.
    pub fn count(&self, fits: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| fits(event)).count()
    }

    /// The tones heard so far.
    #[must_use]
    pub fn tones(&self) -> String {
        let tone = |event: &Event| match event {
            Event::Dtmf { tone, .. } => Some(*tone),
            _ => None,
        };
        self.events.iter().filter_map(tone).collect()
    }

    /// What this end signals about itself: its ICE information first, then the rest.
    pub fn signals(&mut self) -> Vec<String> {
        let ice = self.connection.local().ice.clone().unwrap();
        let mut texts = vec![json!({ "iceInfo": ice }).to_string()];
        let candidates = self.candidates.drain(..);
        texts.extend(candidates.map(|candidate| json!({ "candidate": candidate }).to_string()));
        for track in self.connection.tracks(&RTCTrackFilter::default()) {
            let description = track.get_description(&self.connection).unwrap();
            texts.push(json!({ "track": description }).to_string());
        }
        texts
    }

    /// Takes one text of the other end, as the draft's example does.
    pub fn handle_signal(&mut self, text: &str, now: Instant) {
        let message: Value = serde_json::from_str(text).unwrap();
        if let Some(ice) = message.get("iceInfo") {
            let ice: RTCIceConnectionInfo = serde_json::from_value(ice.clone()).unwrap();
            self.connection.set_remote_ice(ice, now).unwrap();
            self.connection.connect(now).unwrap();
        }
        if let Some(candidate) = message.get("candidate") {
            let candidate: RTCIceCandidateDescription =
                serde_json::from_value(candidate.clone()).unwrap();
            self.connection
                .set_remote_candidate(&candidate, now)
                .unwrap();
        }
        if let Some(track) = message.get("track") {
            let track: RTCTrackDescription = serde_json::from_value(track.clone()).unwrap();
            self.connection.receive_track(&track, now).unwrap();
        }
    }
}

impl Machine for Peer {
    fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
        now: Instant,
    ) {
        let path = Path::udp(local, remote);
        self.connection.handle_datagram(
            Datagram {
                path,
                contents,
                ecn: Ecn::default(),
            },
            now,
        );
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
        self.drain(now);
    }

    fn poll_transmit(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let transmit = self.connection.poll_transmit(buf, now);
        self.drain(now);
        transmit.map(|transmit| (transmit.path.local, transmit.path.remote))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.connection.poll_timeout().map(|timeout| timeout.at)
    }
}

/// Two ends and the network between them.
#[derive(Debug)]
pub struct Call {
    /// The network.
    pub net: Net<Peer>,
    /// The end at 10.0.0.1.
    pub a: NodeId,
    /// The end at 10.0.0.2.
    pub b: NodeId,
}

/// Address of the first end.
#[must_use]
pub fn address_a() -> SocketAddr {
    "10.0.0.1:5000".parse().unwrap()
}

/// Address of the second end.
#[must_use]
pub fn address_b() -> SocketAddr {
    "10.0.0.2:5000".parse().unwrap()
}

/// A 32-octet seed made of a number.
#[must_use]
pub fn seed(number: u64, end: u8) -> [u8; 32] {
    let mut seed = [end; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    seed
}

impl Call {
    /// Two ends with these options, not signalled yet. `configure` gets each end's options with its
    /// address and seed set: 0 is the first end, 1 the second.
    #[must_use]
    pub fn new(
        number: u64,
        link: Link,
        mut configure: impl FnMut(usize, RTCConnectionOptions) -> RTCConnectionOptions,
    ) -> Self {
        let mut net = Net::new(number).link(link);
        let now = net.now();
        let mut end = |index: usize, address: SocketAddr| {
            let seed = seed(number, u8::try_from(index).unwrap());
            let options = RTCConnectionOptions::new(seed).local_address(address);
            let mut peer = Peer::new(RTCConnection::new(configure(index, options), now).unwrap());
            peer.drain(now);
            net.add(peer, &[address])
        };
        let (a, b) = (end(0, address_a()), end(1, address_b()));
        Self { net, a, b }
    }

    /// Signals everything both ways at once: information, candidates, tracks.
    pub fn signal(&mut self) {
        let (from_a, from_b) = (
            self.net.node_mut(self.a).signals(),
            self.net.node_mut(self.b).signals(),
        );
        let now = self.net.now();
        from_b
            .iter()
            .for_each(|text| self.net.node_mut(self.a).handle_signal(text, now));
        from_a
            .iter()
            .for_each(|text| self.net.node_mut(self.b).handle_signal(text, now));
    }

    /// Vouches, on both ends, for the certificate of the other.
    pub fn vouch(&mut self) {
        let print = |id| {
            let side = self.net.node(id).connection.local();
            *side.dtls.fingerprint.as_ref().unwrap().strongest().unwrap()
        };
        let (of_a, of_b) = (print(self.a), print(self.b));
        let now = self.net.now();
        self.net
            .node_mut(self.a)
            .connection
            .set_remote_fingerprint(of_b, now)
            .unwrap();
        self.net
            .node_mut(self.b)
            .connection
            .set_remote_fingerprint(of_a, now)
            .unwrap();
    }

    /// Runs until both ends are connected, at most this long; says whether they are.
    pub fn run_until_connected(&mut self, limit: Duration) -> bool {
        let (a, b, end) = (self.a, self.b, self.net.now() + limit);
        self.net.run_until(end, |net| {
            net.node(a).connection.is_connected() && net.node(b).connection.is_connected()
        })
    }

    /// The first end.
    pub fn a(&mut self) -> &mut Peer {
        self.net.node_mut(self.a)
    }

    /// The second end.
    pub fn b(&mut self) -> &mut Peer {
        self.net.node_mut(self.b)
    }
}
