//! Two connections over real sockets in one event loop: a frame crosses, and the program ends.
#![expect(
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "the embedder owns the clock, and ignores the events that it has no use for"
)]
use core::error::Error;
use std::time::Instant;

use mio::{Events, Interest, Poll, Token, net::UdpSocket};
use ortc_core::*;
use ring::rand::{SecureRandom, SystemRandom};

struct End {
    socket: UdpSocket,
    connection: RTCConnection,
}

impl End {
    fn new(poll: &Poll, token: Token) -> Result<Self, Box<dyn Error>> {
        let mut socket = UdpSocket::bind("127.0.0.1:0".parse()?)?;
        let readable = Interest::READABLE;
        poll.registry().register(&mut socket, token, readable)?;
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| "entropy")?;
        let options = RTCConnectionOptions::new(seed).local_address(socket.local_addr()?);
        let connection = RTCConnection::new(options, now())?;
        Ok(Self { socket, connection })
    }

    /// Signalling is yours: what is read of `peer` here travels as you like, as JSON for example.
    fn meet(&mut self, peer: &RTCConnection) -> Result<(), Box<dyn Error>> {
        let RTCConnectionSide { ice, dtls } = peer.local().clone();
        let fingerprint = dtls.fingerprint.as_ref().and_then(|set| set.strongest());
        let fingerprint = *fingerprint.ok_or("no fingerprint")?;
        self.connection.set_remote_fingerprint(fingerprint, now())?;
        for track in peer.tracks(&RTCTrackFilter::default()) {
            let description = track.get_description(peer)?;
            self.connection.receive_track(&description, now())?;
        }
        self.connection
            .set_remote_ice(ice.ok_or("no ICE")?, now())?;
        Ok(self.connection.connect(now())?)
    }

    /// One turn: datagrams and time in, events and datagrams out. Says what frame has arrived.
    fn turn(&mut self, peer: &mut RTCConnection) -> Result<Option<ReceivedFrame>, Box<dyn Error>> {
        let (local, mut arrived) = (self.socket.local_addr()?, None);
        let (mut input, mut output) = ([0; 2_048], Vec::new());
        while let Ok((len, remote)) = self.socket.recv_from(&mut input) {
            let datagram = Datagram {
                path: Path::udp(local, remote),
                contents: input.get_mut(..len).unwrap_or_default(),
                ecn: Ecn::default(),
            };
            self.connection.handle_datagram(datagram, now());
        }
        self.connection.handle_timeout(now());
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Candidate(candidate) => {
                    self.connection.set_local_candidate(&candidate, now())?;
                    peer.set_remote_candidate(&candidate, now())?;
                }
                Event::Connected => {
                    for track in self.connection.tracks(&RTCTrackFilter::default()) {
                        let frame = Frame::new(&b"\xFCan Opus packet"[..], 0);
                        self.connection.send_frame(track, &frame, now())?;
                    }
                }
                Event::Frame(frame) => arrived = Some(frame),
                Event::Disconnected(reason) => return Err(reason.to_string().into()),
                _ => {}
            }
        }
        while let Some(transmit) = self.connection.poll_transmit(&mut output, now()) {
            self.socket.send_to(&output, transmit.path.remote)?;
            output.clear();
        }
        Ok(arrived)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(16));
    let (mut a, mut b) = (End::new(&poll, Token(0))?, End::new(&poll, Token(1))?);
    let mut stream = MediaStream::new("greeting");
    stream.add_track(&MediaStreamTrack::new(MediaKind::Audio, "mic", "Mike"));
    a.connection.add_stream(&stream, Autostart::Yes)?;
    a.meet(&b.connection)?;
    b.meet(&a.connection)?;
    loop {
        a.turn(&mut b.connection)?;
        if let Some(frame) = b.turn(&mut a.connection)? {
            println!("arrived: {:?}", frame.payload);
            return Ok(());
        }
        // Sleep until a datagram comes or something is due; output that waits is due now.
        let deadlines = [a.connection.poll_timeout(), b.connection.poll_timeout()];
        let due = deadlines.iter().flatten().map(|due| due.at).min();
        poll.poll(&mut events, due.map(|at| at.duration_since(now())))?;
    }
}

fn now() -> Instant {
    Instant::now()
}
