//! Two connected `RTCConnection`s joined directly: no network, no delay, a clock that the caller
//! moves. For measurements, where nothing but the connections should cost anything.

use core::time::Duration;
use std::time::Instant;

use ortc_core::{
    Autostart, Datagram, Ecn, Event, MediaKind, MediaStream, MediaStreamTrack, Path, Profile,
    RTCConnectionOptions, RTCTrack, RTCTrackFilter, ReceiveMode,
};

use crate::call::{Call, Peer};
use crate::link::Link;

/// Two connected ends.
#[derive(Debug)]
pub struct Pair {
    /// The end that sends.
    pub a: Peer,
    /// The end that receives.
    pub b: Peer,
    /// The time.
    pub now: Instant,
    /// Tracks of `a`, all described to `b`.
    pub tracks: Vec<RTCTrack>,
    buf: Vec<u8>,
}

impl Pair {
    /// Connected ends with this SRTP profile, `streams` tracks of this kind from `a` to `b`, which
    /// come out as `mode` says.
    #[must_use]
    pub fn connected(profile: Profile, kind: MediaKind, streams: usize, mode: ReceiveMode) -> Self {
        let configure = |_: usize, options: RTCConnectionOptions| {
            options.srtp_profiles(vec![profile]).mtu(1_400)
        };
        let mut call = Call::new(1, Link::perfect(Duration::from_millis(1)), configure);
        let mut stream = MediaStream::new("stream");
        for index in 0..streams {
            stream.add_track(&MediaStreamTrack::new(
                kind,
                format!("track-{index}"),
                "track",
            ));
        }
        if streams > 0 {
            call.a()
                .connection
                .add_stream(&stream, Autostart::Yes)
                .unwrap();
        }
        let tracks = call.a().connection.tracks(&RTCTrackFilter::default());
        let now = call.net.now();
        for track in &tracks {
            let description = track.get_description(&call.a().connection).unwrap();
            call.b()
                .connection
                .receive_track_as(&description, mode, now)
                .unwrap();
        }
        let signals = [call.a().signals(), call.b().signals()];
        let without_tracks = |text: &&String| !text.contains("\"track\"");
        for text in signals[0].iter().filter(without_tracks) {
            call.b().handle_signal(text, now);
        }
        for text in signals[1].iter().filter(without_tracks) {
            call.a().handle_signal(text, now);
        }
        call.vouch();
        assert!(call.run_until_connected(Duration::from_secs(5)));
        // Let the checks that confirm the pair, and the tails of the handshake, come to rest.
        call.net.run_for(Duration::from_secs(2));
        let now = call.net.now();
        let [mut a, mut b] = call.net.into_nodes().try_into().unwrap();
        // What signalling needed is no part of what is measured.
        a.candidates = Vec::new();
        b.candidates = Vec::new();
        Self {
            a,
            b,
            now,
            tracks,
            buf: Vec::with_capacity(2048),
        }
    }

    /// Moves what waits, both ways, until both are quiet; says how many datagrams moved.
    pub fn settle(&mut self) -> usize {
        let mut moved = 0;
        loop {
            let before = moved;
            moved += carry(&mut self.a, &mut self.b, &mut self.buf, self.now);
            moved += carry(&mut self.b, &mut self.a, &mut self.buf, self.now);
            if moved == before {
                return moved;
            }
        }
    }

    /// Moves the clock, with all that is due on the way.
    pub fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        loop {
            let due = |peer: &Peer| peer.connection.poll_timeout().map(|timeout| timeout.at);
            let next = [due(&self.a), due(&self.b)].into_iter().flatten().min();
            match next.filter(|at| *at <= end) {
                Some(at) => self.now = self.now.max(at),
                None => break,
            }
            self.a.connection.handle_timeout(self.now);
            self.b.connection.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    /// Throws away the events that wait on `b`, and says how many carried media.
    pub fn take_media(&mut self) -> usize {
        let mut media = 0;
        while let Some(event) = self.b.connection.poll_event() {
            media += usize::from(matches!(event, Event::Rtp(_) | Event::Frame(_)));
        }
        media
    }
}

fn carry(from: &mut Peer, to: &mut Peer, buf: &mut Vec<u8>, now: Instant) -> usize {
    let mut moved = 0;
    buf.clear();
    while let Some(transmit) = from.connection.poll_transmit(buf, now) {
        let path = Path::udp(transmit.path.remote, transmit.path.local);
        let datagram = Datagram {
            path,
            contents: buf,
            ecn: Ecn::default(),
        };
        to.connection.handle_datagram(datagram, now);
        buf.clear();
        moved += 1;
    }
    moved
}
