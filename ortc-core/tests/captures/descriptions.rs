//! The JSON that page and peer exchanged in the calls without SDP.

use ortc_core::{
    Event, MediaKind, RTCConnection, RTCConnectionOptions, RTCDtlsConnectionInfo,
    RTCIceCandidateDescription, RTCIceConnectionInfo, RTCTrackDescription,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::recording::{Call, End, calls, origin};

fn exchanged() -> impl Iterator<Item = &'static Call> {
    let calls = calls().iter();
    calls.filter(|call| call.facts.descriptions == "exchanged")
}

/// As recorded, without the members that are left out when they are empty.
fn without_empty(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let empty = |name: &str, value: &Value| match name {
                "params" => value.as_array().is_some_and(Vec::is_empty),
                "rtpExtHeaders" => value.as_object().is_some_and(serde_json::Map::is_empty),
                _ => false,
            };
            let kept = members.iter().filter(|(name, value)| !empty(name, value));
            kept.map(|(name, value)| (name.clone(), without_empty(value)))
                .collect()
        }
        Value::Array(values) => values.iter().map(without_empty).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn round_trip<T: Serialize + DeserializeOwned>(recorded: &Value) {
    let read: T = serde_json::from_value(recorded.clone()).unwrap();
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(written, without_empty(recorded));
    let again: T = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), written);
}

#[test]
fn every_description_is_read_and_written_again() {
    let mut described = [0; 3];
    for call in exchanged() {
        let json: Value = serde_json::from_str(call.json).unwrap();
        for side in ["browserSide", "peerSide"] {
            round_trip::<RTCIceConnectionInfo>(&json[side]["ice"]);
            described[0] += 1;
            // The role is a member that the draft does not have: it is ignored.
            let mut dtls = json[side]["dtls"].clone();
            dtls.as_object_mut().unwrap().remove("role");
            round_trip::<RTCDtlsConnectionInfo>(&dtls);
            for candidate in json[side]["candidates"].as_array().unwrap() {
                round_trip::<RTCIceCandidateDescription>(candidate);
                described[1] += 1;
            }
            for track in json[side]["tracks"].as_array().unwrap() {
                round_trip::<RTCTrackDescription>(track);
                described[2] += 1;
            }
        }
    }
    assert_eq!(described[0], 8, "two sides of four calls");
    assert!(described[1] > 8 && described[2] == 16, "{described:?}");
}

#[test]
fn a_connection_takes_all_that_the_other_end_described() {
    for call in exchanged() {
        for from in End::BOTH {
            let now = origin();
            let options =
                RTCConnectionOptions::new([4; 32]).local_address("127.0.0.1:5000".parse().unwrap());
            let mut connection = RTCConnection::new(options, now).unwrap();
            let side = call.side(from);
            connection.set_remote_ice(side.ice.clone(), now).unwrap();
            let prints = side.dtls.fingerprint.as_ref().unwrap();
            let print = *prints.get("sha-256").unwrap();
            connection.set_remote_fingerprint(print, now).unwrap();
            for candidate in &side.candidates {
                let candidate: RTCIceCandidateDescription =
                    serde_json::from_value(candidate.clone()).unwrap();
                connection.set_remote_candidate(&candidate, now).unwrap();
            }
            let kinds: Vec<MediaKind> = side
                .tracks
                .iter()
                .map(|track| connection.receive_track(track, now).unwrap().kind())
                .collect();
            assert_eq!(kinds, [MediaKind::Audio, MediaKind::Video], "{}", call.name);

            let events: Vec<Event> = core::iter::from_fn(|| connection.poll_event()).collect();
            let count = |fits: fn(&Event) -> bool| events.iter().filter(|e| fits(e)).count();
            assert_eq!(count(|event| matches!(event, Event::AddStream(_))), 1);
            assert_eq!(count(|event| matches!(event, Event::AddDtmfHandler(_))), 1);
            let streams = connection.get_receiving_streams();
            assert_eq!(streams.len(), 1, "{}: one msid", call.name);
            assert_eq!(streams[0].tracks().len(), 2);
            assert_eq!(streams[0].id(), side.tracks[0].msid[0]);
        }
    }
}
