//! A connection that packets come in on, and one that they leave on.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "test code: a failed expectation is the report"
)]
#![allow(unreachable_pub, reason = "a part of the test")]

use std::collections::BTreeMap;

use ortc_core::{
    Autostart, Event, Forwarded, MediaKind, MediaStream, MediaStreamTrack, RTCCodec, RTCTrack,
    RTCTrackDescription, RTCTrackFilter, ReceiveMode, ReceivedRtp, SendError, TapDirection,
};
use ortc_rtp::wire::RtpPacket;
use ortc_testkit::puppet::{Stage, description, rtp};

pub const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
pub const LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
pub const ORIENTATION: &str = "urn:3gpp:video-orientation";
pub const SEND_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";

/// SSRC of the source.
pub const SOURCE: u32 = 700;

pub fn ids(ids: &[(&str, u8)]) -> Option<BTreeMap<String, u8>> {
    let owned = ids.iter().map(|(uri, id)| ((*uri).to_owned(), *id));
    Some(owned.collect())
}

/// A camera whose sender calls VP8 120 and the orientation 4.
pub fn camera(ssrc: u32) -> RTCTrackDescription {
    let codecs = [RTCCodec::new(120, "VP8").with_clock_rate(90_000)];
    RTCTrackDescription {
        rtp_ext_header_ids: ids(&[(MID, 1), (SEND_TIME, 2), (ORIENTATION, 4)]),
        ..description(MediaKind::Video, ssrc, "camera", &codecs)
    }
}

/// Where packets come in, and where they leave.
pub struct Relay {
    pub source: Stage,
    pub leg: Stage,
    pub track: RTCTrack,
    /// Packets that have left, as the far end decrypted them.
    pub seen: usize,
}

pub fn relay(number: u64, described: &RTCTrackDescription) -> Relay {
    let mut source = Stage::connected(number, |options| options);
    let now = source.now;
    let connection = &mut source.connection;
    connection
        .receive_track_as(described, ReceiveMode::Raw, now)
        .unwrap();
    let mut leg = Stage::connected(number + 50, |options| options.mtu(1_300).tap(true));
    let connection = &mut leg.connection;
    let mut stream = MediaStream::new("out");
    stream.add_track(&MediaStreamTrack::new(described.kind, "t", "t"));
    connection.add_stream(&stream, Autostart::Yes).unwrap();
    let track = connection.tracks(&RTCTrackFilter::default())[0];
    let orientation = ids(&[(MID, 9), (ORIENTATION, 5), (LEVEL, 6), (SEND_TIME, 7)]);
    track
        .set_rtp_ext_header_ids(connection, orientation.unwrap())
        .unwrap();
    track.forward_from(connection, described).unwrap();
    leg.settle();
    leg.puppet.received.clear();
    Relay {
        source,
        leg,
        track,
        seen: 0,
    }
}

impl Relay {
    /// The packets that the source's connection has for the application.
    pub fn arrived(&mut self) -> Vec<ReceivedRtp> {
        let raw = |event| match event {
            Event::Rtp(packet) => Some(packet),
            _ => None,
        };
        self.source.events.drain(..).filter_map(raw).collect()
    }

    pub fn forward(&mut self, packet: &ReceivedRtp) -> Result<Forwarded, SendError> {
        let now = self.leg.now;
        self.leg.connection.forward(self.track, packet, now)
    }

    /// A packet of the source, from its sender to the far end of the leg.
    pub fn pass(&mut self, packet: &[u8]) {
        self.source.send_rtp(packet);
        for packet in self.arrived() {
            self.forward(&packet).unwrap();
        }
        self.leg.settle();
    }

    /// What has left since the last call of this.
    pub fn left(&mut self) -> Vec<Left> {
        let received = &self.leg.puppet.received[self.seen..];
        self.seen = self.leg.puppet.received.len();
        left(received)
    }

    /// Sequence numbers that left since the last call, from the first ever on.
    pub fn numbers(&mut self, origin: u16) -> Vec<u16> {
        let left = self.left();
        left.iter()
            .map(|packet| packet.sequence.wrapping_sub(origin))
            .collect()
    }

    /// The far end asks for this packet again.
    pub fn ask_for(&mut self, sequence: u16) {
        let mut nack = vec![0x81, 205, 0, 3, 0, 0, 0, 1];
        nack.extend_from_slice(&self.track.ssrc().to_be_bytes());
        nack.extend_from_slice(&sequence.to_be_bytes());
        nack.extend_from_slice(&[0, 0]);
        self.leg.send_rtcp(&nack);
    }

    /// What leaves in answer on the track's own source, before protection: the far end would refuse
    /// it, because it has the same packet.
    pub fn repeated(&mut self, sequence: u16) -> Vec<Left> {
        let connection = &mut self.leg.connection;
        while connection.poll_tap().is_some() {}
        self.ask_for(sequence);
        let connection = &mut self.leg.connection;
        let mut buf = Vec::new();
        while connection.poll_transmit(&mut buf, self.leg.now).is_some() {}
        let sent = core::iter::from_fn(|| connection.poll_tap());
        let sent = sent.filter(|tapped| tapped.direction == TapDirection::Sent);
        let packets: Vec<_> = sent.map(|tapped| tapped.packet.to_vec()).collect();
        left(&packets)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub ssrc: u32,
    pub payload_type: u8,
    pub marker: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub extensions: Vec<(u8, Vec<u8>)>,
    pub payload: Vec<u8>,
}

pub fn left(received: &[Vec<u8>]) -> Vec<Left> {
    let is_rtp = |packet: &&Vec<u8>| !(192..224).contains(&packet[1]);
    let parse = |packet: &Vec<u8>| {
        let view = RtpPacket::parse(packet).unwrap();
        Left {
            ssrc: view.ssrc(),
            payload_type: view.payload_type(),
            marker: view.marker(),
            sequence: view.sequence(),
            timestamp: view.timestamp(),
            extensions: view
                .extensions()
                .map(|(id, data)| (id, data.to_vec()))
                .collect(),
            payload: view.payload().to_vec(),
        }
    };
    received.iter().filter(is_rtp).map(parse).collect()
}

/// VP8 in packets of the camera.
pub fn picture(sequence: u16, timestamp: u32) -> Vec<u8> {
    rtp(SOURCE, 120, sequence, timestamp, &[0x10, 0, 1, 2])
}
