//! The optional members of descriptions: what they say is heard, and said when the options ask.

use core::time::Duration;
use std::collections::BTreeMap;

use ortc_core::{
    Autostart, ConnectionError, DescriptionError, DescriptionForm, DtlsRole, Event, Frame,
    MediaKind, MediaStream, MediaStreamTrack, RTCDtlsParameters, RTCIceCandidateDescription,
    RTCTrackDescription, RTCTrackFilter,
};
use ortc_testkit::call::Call;
use ortc_testkit::puppet::{Stage, opus, rtp, vp8, with_extension};
use serde_json::{Value, json};

use super::{call, call_with, ms, stream};

const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

fn extended(number: u64, roles: [DtlsRole; 2]) -> Call {
    call_with(number, |index, options| {
        options
            .descriptions(DescriptionForm::Extended)
            .dtls_role(roles[index % 2])
    })
}

fn is_connected(event: &Event) -> bool {
    matches!(event, Event::Connected)
}

fn candidates(call: &mut Call) -> [RTCIceCandidateDescription; 2] {
    let now = call.net.now();
    [call.a, call.b].map(|id| {
        let peer = call.net.node_mut(id);
        peer.drain(now);
        peer.candidates[0].clone()
    })
}

#[test]
fn by_default_a_description_has_the_members_of_the_draft_only() {
    let mut call = call(600);
    let [candidate, _] = candidates(&mut call);
    assert_eq!(candidate.dtls, None);
    let mut stream = MediaStream::new("s");
    stream.add_track(&MediaStreamTrack::new(MediaKind::Audio, "a", "a"));
    let connection = &mut call.a().connection;
    connection.add_stream(&stream, Autostart::Yes).unwrap();
    let track = connection.tracks(&RTCTrackFilter::default())[0];
    let described = serde_json::to_value(track.get_description(connection).unwrap()).unwrap();
    let members: Vec<_> = described.as_object().unwrap().keys().collect();
    assert_eq!(members, ["codecs", "kind", "msid", "ssrc"]);
}

#[test]
fn an_extended_description_says_what_browsers_need_and_reads_back_the_same() {
    let mut call = extended(601, [DtlsRole::Client, DtlsRole::Auto]);
    let [ours, theirs] = candidates(&mut call);
    let json = serde_json::to_value(&ours).unwrap();
    assert_eq!(json["dtls"]["role"], "client");
    let print = json["dtls"]["fingerprint"]["sha-256"].as_str().unwrap();
    assert_eq!(print.len(), 32 * 3 - 1);
    assert_eq!(
        serde_json::from_value::<RTCIceCandidateDescription>(json).unwrap(),
        ours
    );
    assert_eq!(theirs.dtls.unwrap().role, DtlsRole::Auto);

    let mut stream = MediaStream::new("s");
    stream.add_track(&MediaStreamTrack::new(MediaKind::Video, "v", "v"));
    let connection = &mut call.a().connection;
    connection.add_stream(&stream, Autostart::Yes).unwrap();
    let track = connection.tracks(&RTCTrackFilter::default())[0];
    let own = BTreeMap::from([(MID.to_owned(), 9)]);
    track.set_rtp_ext_header_ids(connection, own).unwrap();
    let described = track.get_description(connection).unwrap();
    let json = serde_json::to_value(&described).unwrap();
    assert_eq!(json["rtcpFeedback"], json!(["nack", "nack pli", "ccm fir"]));
    assert_eq!(json["rtpExtHeaderIds"], json!({ MID: 9 }));
    assert_eq!(json["dtls"]["role"], "client");
    let back: RTCTrackDescription = serde_json::from_value::<Value>(json)
        .and_then(serde_json::from_value)
        .unwrap();
    assert_eq!(back, described);
}

/// A browser says its fingerprint before anything else; nobody has to vouch for it then.
#[test]
fn a_fingerprint_in_a_candidate_is_expected_and_a_connection_needs_no_other_word() {
    let mut call = extended(602, [DtlsRole::Auto, DtlsRole::Auto]);
    call.signal();
    assert!(call.run_until_connected(Duration::from_secs(5)));
    for id in [call.a, call.b] {
        let unverified = |event: &Event| matches!(event, Event::Unverified(_));
        assert_eq!(call.net.node(id).count(unverified), 0);
        assert_eq!(call.net.node(id).count(is_connected), 1);
    }
}

#[test]
fn a_fingerprint_in_a_candidate_that_is_not_the_peers_ends_the_connection() {
    let mut call = extended(603, [DtlsRole::Auto, DtlsRole::Auto]);
    let [ours, _] = candidates(&mut call);
    call.b().candidates[0].dtls = ours.dtls;
    call.signal();
    assert!(!call.run_until_connected(Duration::from_secs(5)));
    assert!(call.a().connection.is_closed());
}

#[test]
fn the_peers_explicit_dtls_role_decides_for_a_side_that_left_it_open() {
    for (number, role) in [(604, DtlsRole::Client), (605, DtlsRole::Server)] {
        let mut call = extended(number, [DtlsRole::Auto, role]);
        call.signal();
        assert!(call.run_until_connected(Duration::from_secs(2)), "{role:?}");
        let now = call.net.now();
        let dtls = call.b().connection.stats(now).dtls.unwrap();
        let is_client = dtls.role == ortc_core::dtls::Role::Client;
        assert_eq!(is_client, role == DtlsRole::Client);
    }
}

#[test]
fn descriptions_that_contradict_are_refused_and_change_nothing() {
    let mut call = extended(606, [DtlsRole::Client, DtlsRole::Client]);
    let [ours, theirs] = candidates(&mut call);
    let now = call.net.now();
    let connection = &mut call.a().connection;
    assert_eq!(
        connection.set_remote_candidate(&theirs, now),
        Err(ConnectionError::DtlsRoles)
    );
    let open = |candidate: &RTCIceCandidateDescription| RTCIceCandidateDescription {
        dtls: candidate.dtls.clone().map(|dtls| {
            Box::new(RTCDtlsParameters {
                role: DtlsRole::Auto,
                ..*dtls
            })
        }),
        ..candidate.clone()
    };
    connection
        .set_remote_candidate(&open(&theirs), now)
        .unwrap();
    connection
        .set_remote_candidate(&open(&theirs), now)
        .unwrap();
    assert_eq!(
        connection.set_remote_candidate(&open(&ours), now),
        Err(ConnectionError::FingerprintChanged)
    );
    let empty = json!({ "fingerprint": {}, "role": "auto" });
    if let Ok(dtls) = serde_json::from_value(empty) {
        let mut track = opus(5, "m");
        track.dtls = Some(dtls);
        assert!(connection.receive_track(&track, now).is_err());
    }
    let mut ids = vp8(6, "m");
    for wrong in [0, 15] {
        ids.rtp_ext_header_ids = Some(BTreeMap::from([(MID.to_owned(), wrong)]));
        let refused = DescriptionError::ExtensionId(wrong);
        assert_eq!(connection.receive_track(&ids, now), Err(refused.into()));
    }
    assert!(connection.stats(now).receiving.is_empty());
}

/// One peer calls MID 3, another 7: the description of the track says which.
#[test]
fn a_track_is_bound_by_the_header_extension_ids_of_its_own_description() {
    let mut stage = Stage::connected(607, |options| options);
    let now = stage.now;
    let mut described = opus(1, "m");
    described.rtp_ext_headers = BTreeMap::from([(MID.to_owned(), "0".to_owned())]);
    described.rtp_ext_header_ids = Some(BTreeMap::from([(MID.to_owned(), 7)]));
    stage.connection.receive_track(&described, now).unwrap();
    let packet = |ssrc| rtp(ssrc, 111, 1, 0, &[0xFC, 1]);
    stage.send_rtp(&with_extension(&packet(50), 1, b"0"));
    assert_eq!(
        stage.count(|event| matches!(event, Event::UnknownTrack(_))),
        1
    );
    stage.send_rtp(&with_extension(&packet(51), 7, b"0"));
    assert_eq!(stage.count(|event| matches!(event, Event::Frame(_))), 1);
}

#[test]
fn feedback_that_a_description_leaves_out_is_not_sent() {
    let mut stage = Stage::connected(608, |options| options);
    let now = stage.now;
    let mut described = vp8(1, "m");
    described.rtcp_feedback = Some(vec!["ccm fir".to_owned()]);
    stage.connection.receive_track(&described, now).unwrap();
    for sequence in [1, 2, 9] {
        stage.send_rtp(&rtp(1, 96, sequence, 0, &[0x10, 0, 0, 0]));
    }
    stage.run_for(Duration::from_millis(500));
    let asked = |stage: &Stage| stage.connection.stats(stage.now).receiving[0].nacks;
    assert_eq!(asked(&stage), 0, "no NACK");
    described.rtcp_feedback = Some(vec!["nack".to_owned()]);
    stage.connection.receive_track(&described, now).unwrap();
    for sequence in [12, 20] {
        stage.send_rtp(&rtp(1, 96, sequence, 0, &[0x10, 0, 0, 0]));
    }
    stage.run_for(Duration::from_millis(500));
    assert!(asked(&stage) > 0);
}

/// Every optional member is optional: a peer that leaves one out, or all of them, is called.
#[test]
fn with_any_optional_member_absent_media_flows_both_ways() {
    const OPTIONAL: [&str; 5] = [
        "dtls",
        "rtx",
        "rtcpFeedback",
        "rtpExtHeaders",
        "rtpExtHeaderIds",
    ];
    let without: Vec<&[&str]> = OPTIONAL.chunks(1).chain([&OPTIONAL[..]]).collect();
    for (number, absent) in (620..).zip(without) {
        let mut call = extended(number, [DtlsRole::Auto, DtlsRole::Auto]);
        for id in [call.a, call.b] {
            let connection = &mut call.net.node_mut(id).connection;
            connection.add_stream(&stream("s"), Autostart::Yes).unwrap();
            let video = connection.tracks(&RTCTrackFilter::default())[1];
            let payloads = BTreeMap::from([(video.codecs(connection).unwrap()[0].payload_id, 97)]);
            video.set_rtx(connection, payloads).unwrap();
            let headers = BTreeMap::from([(MID.to_owned(), "1".to_owned())]);
            video.set_rtp_ext_headers(connection, headers).unwrap();
        }
        let texts = [call.a, call.b].map(|id| call.net.node_mut(id).signals());
        let said = texts.concat().join("\n");
        for member in OPTIONAL {
            assert!(said.contains(&format!("\"{member}\"")), "{member} is said");
        }
        let now = call.net.now();
        for (id, texts) in [(call.b, &texts[0]), (call.a, &texts[1])] {
            for text in texts {
                let mut message: Value = serde_json::from_str(text).unwrap();
                let described = message.as_object_mut().unwrap().values_mut();
                for members in described.filter_map(Value::as_object_mut) {
                    members.retain(|name, _| !absent.contains(&name.as_str()));
                }
                let text = message.to_string();
                call.net.node_mut(id).handle_signal(&text, now);
            }
        }
        call.vouch();
        assert!(call.run_until_connected(ms(2_000)), "{absent:?}");
        for index in 0..20_u64 {
            let now = call.net.now();
            for id in [call.a, call.b] {
                let connection = &mut call.net.node_mut(id).connection;
                let tracks = connection.tracks(&RTCTrackFilter::default());
                let sound = Frame::new(vec![0xFC, 1, 2, 3], index * 960);
                let picture = Frame::new(vec![0x10, 2, 3, 4], index * 3_000);
                connection.send_frame(tracks[0], &sound, now).unwrap();
                connection.send_frame(tracks[1], &picture, now).unwrap();
            }
            call.net.run_for(ms(20));
        }
        call.net.run_for(ms(500));
        for id in [call.a, call.b] {
            let frames = call
                .net
                .node(id)
                .count(|event| matches!(event, Event::Frame(_)));
            assert_eq!(frames, 40, "{absent:?}");
        }
    }
}
