//! One test for each member of the draft's WebIDL, by the interface that it belongs to.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "test code: a failed expectation is the report"
)]

mod capabilities;
mod connection;
mod descriptions;
mod dtmf_handler;
mod events;
mod media_stream;
mod options;
mod rtcp;
mod side;
mod table;
mod track;

use core::time::Duration;

use ortc_core::{
    Autostart, MediaKind, MediaStream, MediaStreamTrack, RTCConnection, RTCConnectionOptions,
    RTCTrack, RTCTrackFilter,
};
use ortc_testkit::call::{Call, address_a};
use ortc_testkit::link::Link;
use serde_json::Value;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn call(number: u64) -> Call {
    Call::new(number, Link::perfect(ms(10)), |_, options| options)
}

/// Two ends after the draft's signalling; the first sends sound and pictures.
fn connected(number: u64) -> Call {
    let mut call = call(number);
    call.a()
        .connection
        .add_stream(&stream("m1"), Autostart::Yes)
        .unwrap();
    call.signal();
    call.vouch();
    assert!(call.run_until_connected(ms(5_000)));
    call.net.run_for(ms(50));
    call
}

fn stream(id: &str) -> MediaStream {
    let mut stream = MediaStream::new(id);
    stream.add_track(&MediaStreamTrack::new(
        MediaKind::Audio,
        "mic",
        "Microphone",
    ));
    stream.add_track(&MediaStreamTrack::new(MediaKind::Video, "cam", "Camera"));
    stream
}

/// A connection by itself.
fn alone() -> (RTCConnection, std::time::Instant) {
    let now = call(1).net.now();
    let options = RTCConnectionOptions::new([3; 32]).local_address(address_a());
    (RTCConnection::new(options, now).unwrap(), now)
}

/// One that sends a stream, and the handle of its microphone.
fn sending() -> (RTCConnection, RTCTrack, std::time::Instant) {
    let (mut connection, now) = alone();
    connection
        .add_stream(&stream("m1"), Autostart::Yes)
        .unwrap();
    let track = connection.tracks(&RTCTrackFilter::default())[0];
    (connection, track, now)
}

/// Reads what the draft prints and writes it: the same members with the same values.
fn exact<T: serde::Serialize + serde::de::DeserializeOwned>(printed: &str) -> T {
    let value: Value = serde_json::from_str(printed).unwrap();
    let read: T = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), value);
    read
}
