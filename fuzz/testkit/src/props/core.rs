//! Properties of core.

use core::time::Duration;

use ortc_core::{
    Autostart, DtmfContainer, Event, Frame, MediaKind, MediaStream, MediaStreamTrack,
    RTCConnection, RTCIceCandidateDescription, RTCIceConnectionInfo, RTCIceServer, RTCTrack,
    RTCTrackDescription, RTCTrackFilter, ReceiveMode, RtpToSend,
};

use crate::call::{Call, address_a, address_b};
use crate::link::Link;

/// Octets of a script, taken one by one; zero when it is over.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> u8 {
        match self.0 {
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
            [] => 0,
        }
    }

    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn text(&mut self, len: usize) -> String {
        String::from_utf8_lossy(self.bytes(len)).into_owned()
    }
}

/// Calls of a script, at most: what a fuzzer may spend on one input.
const MAX_STEPS: usize = 200;

/// Two connections, a script of calls in any order with any values, and datagrams made up, cut,
/// damaged and repeated. Nothing panics; the network never spins; a refused call leaves what can be
/// seen of the connection as it was; a closed one stays closed and silent.
pub fn connection_script(data: &[u8]) {
    let mut script = Script(data);
    let setup = script.byte();
    let mut call = Call::new(
        7,
        Link::perfect(Duration::from_millis(5)),
        |end, options| {
            let mtu = [256, 576, 1_200, 9_000][usize::from(setup >> 6)];
            let options = options.mtu(mtu).tap(setup & 0x20 != 0);
            if end == 0 {
                options.key_log(setup & 0x10 != 0)
            } else {
                options
            }
        },
    );
    if setup & 1 != 0 {
        call.a()
            .connection
            .add_stream(&stream("s0"), Autostart::Yes)
            .unwrap();
    }
    if setup & 2 != 0 {
        call.signal();
    }
    if setup & 4 != 0 {
        call.vouch();
    }
    if setup & 8 != 0 {
        call.net.run_for(Duration::from_millis(300));
    }
    let mut handles = Vec::new();
    for _ in 0..MAX_STEPS {
        if script.0.is_empty() {
            break;
        }
        step(&mut call, &mut script, &mut handles);
    }
    call.net.run_for(Duration::from_millis(200));
    let now = call.net.now();
    for id in [call.a, call.b] {
        let peer = call.net.node_mut(id);
        peer.connection.close(now);
        peer.drain(now);
    }
    call.net.run_for(Duration::from_secs(1));
    for id in [call.a, call.b] {
        let peer = call.net.node(id);
        assert!(peer.connection.is_closed());
        assert_eq!(peer.connection.poll_timeout(), None);
        let ends = |event: &Event| matches!(event, Event::Disconnected(_));
        let last = peer.events.iter().rfind(|event| ends(event));
        assert!(last.is_some(), "the end is told");
        assert_eq!(peer.events.last(), last, "and nothing after it");
    }
}

fn stream(id: &str) -> MediaStream {
    let mut stream = MediaStream::new(id);
    stream.add_track(&MediaStreamTrack::new(MediaKind::Audio, "mic", "Mic"));
    stream.add_track(&MediaStreamTrack::new(MediaKind::Video, "cam", "Cam"));
    stream
}

/// What an application can see of a connection without asking for events.
fn visible(connection: &RTCConnection) -> impl PartialEq + core::fmt::Debug + use<> {
    let tracks = connection.tracks(&RTCTrackFilter::default());
    let described: Vec<_> = tracks
        .iter()
        .map(|track| track.get_description(connection).unwrap())
        .collect();
    (
        connection.local().clone(),
        connection.remote().clone(),
        (connection.is_connected(), connection.is_closed()),
        described,
        connection.get_sending_streams(),
        connection.get_receiving_streams(),
    )
}

fn step(call: &mut Call, script: &mut Script<'_>, handles: &mut Vec<RTCTrack>) {
    let op = script.byte();
    let id = if op & 0x80 == 0 { call.a } else { call.b };
    let now = call.net.now();
    let connection = &mut call.net.node_mut(id).connection;
    handles.extend(connection.tracks(&RTCTrackFilter::default()));
    handles.dedup();
    if handles.len() > 64 {
        handles.drain(..32);
    }
    let pick = usize::from(script.byte());
    let handle = handles.get(pick % handles.len().max(1)).copied();
    let before = visible(connection);
    let refused = match op & 0x1F {
        0 => connection.connect(now).is_err(),
        1 => connection.update(now).is_err(),
        2 => {
            let name = format!("s{}", pick % 4);
            let start = if pick & 4 == 0 {
                Autostart::Yes
            } else {
                Autostart::No
            };
            connection.add_stream(&stream(&name), start).is_err()
        }
        3 => {
            let name = format!("s{}", pick % 4);
            connection
                .remove_stream(&MediaStream::new(name), now)
                .is_err()
        }
        4 => {
            let ssrc = u32::from(script.byte());
            let kind = if pick & 1 == 0 {
                MediaKind::Audio
            } else {
                MediaKind::Video
            };
            let codecs: Vec<_> = (0..pick % 5)
                .map(|_| {
                    const NAMES: [&str; 6] = ["opus", "dtmf", "vp8", "h264", "PCMU", "other"];
                    let name = NAMES[usize::from(script.byte()) % 6];
                    let codec = ortc_core::RTCCodec::new(script.byte(), name);
                    match script.byte() {
                        0 => codec,
                        rate => codec.with_clock_rate(u32::from(rate) * 1_000),
                    }
                })
                .collect();
            let mut description = crate::puppet::description(kind, ssrc, "m", &codecs);
            description.msid.push(script.text(2));
            let mode = if pick & 2 == 0 {
                ReceiveMode::Frames
            } else {
                ReceiveMode::Raw
            };
            connection
                .receive_track_as(&description, mode, now)
                .is_err()
        }
        5 => connection
            .stop_receiving(u32::from(script.byte()), now)
            .is_err(),
        6 => connection
            .request_key_frame(u32::from(script.byte()), now)
            .is_err(),
        7 => handle.is_some_and(|track| {
            let frame = Frame::new(
                script.bytes(pick * 8).to_vec(),
                u64::from(script.byte()) << 20,
            );
            connection.send_frame(track, &frame, now).is_err()
        }),
        8 => handle.is_some_and(|track| {
            let packet = RtpToSend {
                payload_type: script.byte(),
                marker: pick & 1 != 0,
                timestamp: u32::from(script.byte()) << 24,
                skip: u16::from(script.byte()) << 8,
                payload: script.bytes(pick * 8).to_vec().into(),
            };
            connection.send_rtp(track, packet, now).is_err()
        }),
        9 => handle.is_some_and(|track| track.remove(connection, now).is_err()),
        10 => handle.is_some_and(|track| match pick & 1 {
            0 => track.start(connection).is_err(),
            _ => track.stop(connection).is_err(),
        }),
        11 => handle.is_some_and(|track| {
            let mut codecs = track
                .codecs(connection)
                .map(<[_]>::to_vec)
                .unwrap_or_default();
            if !codecs.is_empty() {
                let by = usize::from(script.byte()) % codecs.len();
                codecs.rotate_left(by);
                codecs[0].payload_id = script.byte();
            }
            track.set_codecs(connection, codecs).is_err()
        }),
        12 => handle.is_some_and(|track| {
            let uri = "urn:ietf:params:rtp-hdrext:sdes:mid".to_owned();
            let headers = [(uri, script.text(pick)), ("x".to_owned(), "y".to_owned())];
            track
                .set_rtp_ext_headers(connection, headers.into())
                .is_err()
        }),
        13 => match connection.add_dtmf_handler(DtmfContainer::First) {
            Ok(handler) => {
                let (duration, gap) = (script.byte(), script.byte());
                let span =
                    |octet: u8| (octet != 0).then(|| Duration::from_millis(u64::from(octet) * 30));
                let tones = script.text(pick % 16);
                let _ = handler.insert_dtmf(connection, &tones, span(duration), span(gap), now);
                false
            }
            Err(_) => true,
        },
        14 => connection.restart_ice(now).is_err(),
        15 => {
            let ice = RTCIceConnectionInfo {
                username_frag: script.text(pick % 9),
                password: script.text(pick % 40),
            };
            connection.set_remote_ice(ice, now).is_err()
        }
        16 => {
            let candidate = RTCIceCandidateDescription {
                foundation: script.text(3),
                component: u16::from(script.byte() % 3),
                transport: "udp".to_owned(),
                tcp_type: None,
                priority: u32::from(script.byte()) << 20,
                connection_address: format!("10.0.0.{}", script.byte()),
                connection_port: u16::from(script.byte()) * 100,
                kind: "host".to_owned(),
                rel_address: None,
                rel_port: None,
                dtls: None,
            };
            connection.set_remote_candidate(&candidate, now).is_err()
        }
        17 => connection.end_of_remote_candidates(now).is_err(),
        18 => connection.accept_remote_fingerprint(now).is_err(),
        19 => connection
            .send_application_data(script.bytes(pick * 8), now)
            .is_err(),
        20 => {
            let address = format!("10.1.0.{}:{}", script.byte(), script.byte())
                .parse()
                .unwrap();
            if pick & 1 == 0 {
                connection.remove_local_address(address);
            }
            connection.add_local_address(address).is_err()
        }
        21 => connection.get_local_socket().is_err(),
        22 if pick > 250 => {
            connection.close(now);
            false
        }
        23 => {
            while connection.poll_tap().is_some() {}
            let _ = connection.stats(now);
            true
        }
        _ => false,
    };
    if refused {
        assert_eq!(
            visible(connection),
            before,
            "a refused call changed something: {}",
            op & 0x1F
        );
    }
    match op & 0x1F {
        24 => {
            // Made up.
            let mut contents = script.bytes(pick).to_vec();
            let (local, remote) = ends(call, id);
            call.net.inject(id, local, remote, &mut contents);
        }
        25 | 26 => {
            // One that was on the wire: again, cut or damaged.
            let place = usize::from(script.byte()) << 8 | usize::from(script.byte());
            let len = call.net.log.len().max(1);
            if let Some(sent) = call.net.log.get(place % len) {
                let mut contents = sent.contents.clone();
                if op & 0x1F == 26 {
                    let cut = usize::from(script.byte()) * 8;
                    contents.truncate(contents.len().saturating_sub(cut));
                    if let Some(octet) = contents.get_mut(pick) {
                        *octet ^= script.byte();
                    }
                }
                let (local, remote) = ends(call, id);
                call.net.inject(id, local, remote, &mut contents);
            }
        }
        27..=29 => call
            .net
            .run_for(Duration::from_millis(u64::from(script.byte()))),
        30 => call
            .net
            .run_for(Duration::from_millis(u64::from(script.byte()) * 40)),
        31 => {
            // The other end learns of everything again, as far as it wants to.
            let texts: Vec<RTCTrackDescription> = {
                let connection = &call.net.node(id).connection;
                let tracks = connection.tracks(&RTCTrackFilter::default());
                let described = tracks.iter().map(|track| track.get_description(connection));
                described.map(Result::unwrap).collect()
            };
            let other = if id == call.a { call.b } else { call.a };
            for description in texts {
                let _ = call
                    .net
                    .node_mut(other)
                    .connection
                    .receive_track(&description, now);
            }
        }
        _ => {}
    }
    let now = call.net.now();
    for id in [call.a, call.b] {
        call.net.node_mut(id).drain(now);
    }
}

fn ends(call: &Call, id: crate::net::NodeId) -> (core::net::SocketAddr, core::net::SocketAddr) {
    if id == call.a {
        (address_a(), address_b())
    } else {
        (address_b(), address_a())
    }
}

/// JSON that somebody signals: what is read is written and read again as the same value, and a
/// connection takes it or refuses it, whole.
pub fn descriptions(data: &[u8]) {
    survives::<RTCTrackDescription>(data);
    survives::<RTCIceCandidateDescription>(data);
    survives::<RTCIceConnectionInfo>(data);
    survives::<RTCIceServer>(data);
    survives::<ortc_core::RTCDtlsConnectionInfo>(data);
    survives::<ortc_core::RTCCapabilities>(data);
    let mut call = Call::new(9, Link::perfect(Duration::from_millis(5)), |_, options| {
        options
    });
    let now = call.net.now();
    let connection = &mut call.a().connection;
    let before = visible(connection);
    if let Ok(description) = serde_json::from_slice::<RTCTrackDescription>(data) {
        match connection.receive_track(&description, now) {
            Ok(track) => {
                assert_eq!(track.kind(), description.kind);
                let streams = connection.get_receiving_streams();
                assert!(
                    description
                        .msid
                        .iter()
                        .all(|id| streams.iter().any(|s| s.id() == id))
                );
            }
            Err(_) => assert_eq!(visible(connection), before),
        }
    }
    if let Ok(candidate) = serde_json::from_slice::<RTCIceCandidateDescription>(data)
        && connection.set_remote_candidate(&candidate, now).is_ok()
    {
        assert!(candidate.socket_address().is_ok() || candidate.is_named());
    }
    if let Ok(ice) = serde_json::from_slice::<RTCIceConnectionInfo>(data)
        && connection.set_remote_ice(ice.clone(), now).is_ok()
    {
        assert_eq!(connection.remote().ice.as_ref(), Some(&ice));
    }
    if let Ok(server) = serde_json::from_slice::<RTCIceServer>(data)
        && let Ok(uris) = server.uris()
    {
        assert!(uris.iter().all(|uri| uri.port > 0 && !uri.host.is_empty()));
    }
}

fn survives<T>(data: &[u8])
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + core::fmt::Debug,
{
    if let Ok(value) = serde_json::from_slice::<T>(data) {
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
    }
}
