//! What the embedder does beside sending and receiving datagrams: byte streams (RFC 6544) and names.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

use core::net::SocketAddr;
use core::time::Duration;
use std::time::Instant;

use ortc_core::{
    Autostart, Datagram, Ecn, Event, Frame, LocalCandidates, MediaKind, MediaStream,
    MediaStreamTrack, OpenStream, Path, RTCConnection, RTCConnectionOptions, RTCSocket,
    RTCTrackFilter, SocketOptions, StreamId, TcpType,
};
use ortc_testkit::call::{Peer, seed};
use ortc_testkit::net::Net;

const LISTENS: &str = "10.0.0.1:9000";
const CONNECTS: &str = "10.0.0.2:0";
const FROM: &str = "10.0.0.2:40000";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn origin() -> Instant {
    Net::<Peer>::new(0).now()
}

/// Two ends with nothing but TCP between them; one listens, the other connects.
struct Tcp {
    listens: RTCConnection,
    connects: RTCConnection,
    /// A socket that the listener is on.
    socket: Option<RTCSocket>,
    /// The numbers that the two give to the open stream.
    streams: Option<(StreamId, StreamId)>,
    serial: u64,
    opened: Vec<OpenStream>,
    frames: usize,
    now: Instant,
}

impl Tcp {
    fn new(shared: bool) -> Self {
        let now = origin();
        let at_once = |number| {
            RTCConnectionOptions::new(seed(number, 1)).local_candidates(LocalCandidates::AtOnce)
        };
        let (socket, options) = if shared {
            let options = SocketOptions::new(seed(5, 1));
            let options = options.local_tcp_address(at(LISTENS), TcpType::Passive);
            let mut socket = RTCSocket::new(options, now).unwrap();
            let options = at_once(1).socket(socket.admit().unwrap());
            (Some(socket), options)
        } else {
            let options = at_once(1).local_tcp_address(at(LISTENS), TcpType::Passive);
            (None, options)
        };
        let listens = RTCConnection::new(options, now).unwrap();
        let options = at_once(2)
            .local_tcp_address(at(CONNECTS), TcpType::Active)
            .max_segments(4);
        let connects = RTCConnection::new(options, now).unwrap();
        let mut tcp = Self {
            listens,
            connects,
            socket,
            streams: None,
            serial: 0,
            opened: Vec::new(),
            frames: 0,
            now,
        };
        tcp.signal();
        tcp
    }

    fn signal(&mut self) {
        let (one, other, now) = (&mut self.listens, &mut self.connects, self.now);
        for _ in 0..2 {
            let print = one.local().dtls.fingerprint.clone().unwrap();
            let print = *print.strongest().unwrap();
            other.set_remote_fingerprint(print, now).unwrap();
            other
                .set_remote_ice(one.local().ice.clone().unwrap(), now)
                .unwrap();
            while let Some(event) = one.poll_event() {
                if let Event::Candidate(candidate) = event {
                    assert_eq!(candidate.transport, "tcp");
                    // As it travels.
                    let text = serde_json::to_string(&candidate).unwrap();
                    assert!(text.contains("\"tcpType\":"), "{text}");
                    let read = serde_json::from_str(&text).unwrap();
                    other.set_remote_candidate(&read, now).unwrap();
                }
            }
            core::mem::swap(one, other);
        }
        one.connect(now).unwrap();
        other.connect(now).unwrap();
    }

    /// Moves the octets of the open stream, in pieces of 7, and opens it when it is wanted.
    fn step(&mut self) {
        let now = self.now;
        self.listens.handle_timeout(now);
        self.connects.handle_timeout(now);
        let mut buf = Vec::new();
        loop {
            let mut quiet = true;
            while let Some(event) = self.connects.poll_event() {
                if let Event::OpenStream(open) = event {
                    self.opened.push(*open);
                }
            }
            while let Some(event) = self.listens.poll_event() {
                self.frames += usize::from(matches!(event, Event::Frame(_)));
            }
            if let Some(socket) = &mut self.socket {
                while let Some(update) = self.listens.poll_socket_update() {
                    socket.handle_update(update, now);
                }
            }
            while let Some(sent) = self.connects.poll_transmit(&mut buf, now) {
                quiet = false;
                let (ours, theirs) = self.streams.unwrap();
                assert_eq!(sent.path, Path::stream(ours, at(FROM), at(LISTENS)));
                assert_eq!((sent.len, sent.segment), (buf.len(), None));
                for piece in buf.chunks(7) {
                    self.receive(theirs, piece);
                }
                buf.clear();
            }
            while let Some(sent) = self.listens.poll_transmit(&mut buf, now) {
                quiet = false;
                let (ours, theirs) = self.streams.unwrap();
                assert_eq!(sent.path, Path::stream(theirs, at(LISTENS), at(FROM)));
                for piece in buf.chunks(7) {
                    self.connects.handle_stream(ours, piece, now);
                }
                buf.clear();
            }
            if quiet {
                return;
            }
        }
    }

    fn receive(&mut self, stream: StreamId, octets: &[u8]) {
        let now = self.now;
        let Some(socket) = &mut self.socket else {
            return self.listens.handle_stream(stream, octets, now);
        };
        socket.handle_stream(stream, octets, now);
        let mut contents = Vec::new();
        while let Some((id, path)) = socket.poll_arrival(&mut contents) {
            assert_eq!(Some(id), self.listens.socket_id());
            let datagram = Datagram {
                path,
                contents: &mut contents,
                ecn: Ecn::default(),
            };
            self.listens.handle_datagram(datagram, now);
            contents.clear();
        }
    }

    /// Opens what was asked for.
    fn open(&mut self) {
        let open = self.opened.remove(0);
        assert_eq!((open.local, open.remote), (at(CONNECTS), at(LISTENS)));
        self.serial += 2;
        let (ours, theirs) = (StreamId(self.serial), StreamId(self.serial + 1));
        self.streams = Some((ours, theirs));
        match &mut self.socket {
            Some(socket) => socket.stream_accepted(theirs, at(LISTENS), at(FROM)),
            None => self
                .listens
                .stream_accepted(theirs, at(LISTENS), at(FROM), self.now),
        }
        self.connects
            .stream_opened(open.local, open.remote, ours, at(FROM), self.now);
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.step();
            self.now += ms(5);
        }
    }

    fn are_connected(&self) -> bool {
        self.listens.is_connected() && self.connects.is_connected()
    }
}

#[test]
fn two_ends_talk_over_a_stream_that_one_of_them_opens() {
    for shared in [false, true] {
        let mut tcp = Tcp::new(shared);
        tcp.run(ms(100));
        assert_eq!(tcp.opened.len(), 1);
        tcp.open();
        tcp.run(ms(2_000));
        assert!(tcp.are_connected());

        let mut stream = MediaStream::new("s");
        stream.add_track(&MediaStreamTrack::new(MediaKind::Audio, "mic", "mic"));
        tcp.connects.add_stream(&stream, Autostart::Yes).unwrap();
        let track = tcp.connects.tracks(&RTCTrackFilter::default())[0];
        let description = track.get_description(&tcp.connects).unwrap();
        tcp.listens.receive_track(&description, tcp.now).unwrap();
        // Packets of one length, which leave in one run.
        for index in 0..10 {
            let frame = Frame::new(vec![7; 100], index * 960);
            tcp.connects.send_frame(track, &frame, tcp.now).unwrap();
        }
        tcp.run(ms(500));
        assert_eq!(tcp.frames, 10);
    }
}

#[test]
fn a_stream_that_breaks_is_opened_again() {
    let mut tcp = Tcp::new(false);
    tcp.run(ms(100));
    tcp.open();
    tcp.run(ms(2_000));
    assert!(tcp.are_connected());
    let (ours, theirs) = tcp.streams.take().unwrap();
    tcp.connects.stream_closed(ours, tcp.now);
    tcp.listens.stream_closed(theirs, tcp.now);
    tcp.run(ms(500));
    assert_eq!(tcp.opened.len(), 1);
    tcp.open();
    tcp.run(ms(2_000));
    assert!(tcp.are_connected());
    // And one that nobody asked for is closed.
    let stray = StreamId(99);
    tcp.connects
        .stream_opened(at(CONNECTS), at("10.0.0.9:1"), stray, at(FROM), tcp.now);
    let closes = |event: &Event| *event == Event::CloseStream(stray);
    assert!(core::iter::from_fn(|| tcp.connects.poll_event()).any(|event| closes(&event)));
}

#[test]
fn a_stream_that_cannot_be_opened_and_octets_of_no_stream_change_nothing() {
    let mut tcp = Tcp::new(false);
    tcp.run(ms(100));
    let open = tcp.opened.remove(0);
    tcp.connects.stream_failed(open.local, open.remote, tcp.now);
    tcp.connects.handle_stream(StreamId(7), &[0; 100], tcp.now);
    tcp.run(ms(500));
    assert!(!tcp.are_connected());
    // A stranger fills a stream that was accepted: nothing comes of it.
    let stranger = StreamId(50);
    tcp.listens
        .stream_accepted(stranger, at(LISTENS), at("10.0.0.66:1"), tcp.now);
    for _ in 0..1_000 {
        tcp.listens.handle_stream(stranger, &[0x16; 500], tcp.now);
    }
    let mut buf = Vec::new();
    assert_eq!(tcp.listens.poll_transmit(&mut buf, tcp.now), None);
}

#[test]
fn the_name_that_a_peer_hides_behind_is_resolved_and_then_checked() {
    let now = origin();
    let options = RTCConnectionOptions::new(seed(1, 2))
        .local_address(at("10.0.0.1:5000"))
        .local_candidates(LocalCandidates::AtOnce);
    let mut connection = RTCConnection::new(options, now).unwrap();
    let ice = connection.local().ice.clone().unwrap();
    connection.set_remote_ice(ice, now).unwrap();
    connection.connect(now).unwrap();
    let text = r#"{"foundation":"1","component":1,"transport":"udp","priority":2113937151,
        "connectionAddress":"0B2CE2F5-5E1F-4F5B-9F5A-2C8A5D8B3F41.local","connectionPort":7000,
        "type":"host"}"#;
    let hidden = serde_json::from_str(text).unwrap();
    connection.set_remote_candidate(&hidden, now).unwrap();
    let mut asked = None;
    while let Some(event) = connection.poll_event() {
        if let Event::Resolve { query, name } = event {
            assert_eq!(name, "0b2ce2f5-5e1f-4f5b-9f5a-2c8a5d8b3f41.local");
            asked = Some(query);
        }
    }
    let mut buf = Vec::new();
    assert_eq!(connection.poll_transmit(&mut buf, now), None);
    let found = ["10.0.0.2".parse().unwrap()];
    connection.resolved(asked.unwrap(), &found, now);
    let sent = connection.poll_transmit(&mut buf, now).unwrap();
    assert_eq!(sent.path.remote, at("10.0.0.2:7000"));
}

#[test]
fn an_address_that_is_lost_takes_its_pairs_with_it_at_once() {
    let now = origin();
    let options = RTCConnectionOptions::new(seed(1, 2))
        .local_address(at("10.0.0.1:5000"))
        .local_candidates(LocalCandidates::AtOnce);
    let mut connection = RTCConnection::new(options, now).unwrap();
    connection
        .local_address_lost(at("10.0.0.1:5000"), now)
        .unwrap();
    assert!(connection.stats(now).ice.pairs.is_empty());
    while connection.poll_event().is_some() {}
    connection.update(now).unwrap();
    assert_eq!(connection.poll_event(), Some(Event::EndOfCandidates));
}
