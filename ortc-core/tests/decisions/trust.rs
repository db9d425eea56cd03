//! Whose certificate it is, and what flows before that is known.

use ortc_core::dtls::CloseReason;
use ortc_core::{
    Autostart, ConnectionError, DisconnectReason, DtlsRole, Event, Fingerprint, Frame,
    HashAlgorithm, PeerVerification, RTCConnectionOptions, RTCTrackFilter,
};
use ortc_testkit::call::Call;

use super::{call_with, frames, ms, stream};

fn holding(number: u64, options: impl Fn(RTCConnectionOptions) -> RTCConnectionOptions) -> Call {
    let mut call = call_with(number, |_, base| options(base));
    call.a()
        .connection
        .add_stream(&stream("s1"), Autostart::Yes)
        .unwrap();
    call.signal();
    call
}

fn fingerprint_of(call: &mut Call, end: usize, hash: &str) -> Fingerprint {
    let peer = if end == 0 { call.a() } else { call.b() };
    let dtls = &peer.connection.local().dtls;
    *dtls.fingerprint.as_ref().unwrap().get(hash).unwrap()
}

fn wrong() -> Fingerprint {
    Fingerprint::of(HashAlgorithm::Sha256, b"another certificate")
}

fn mismatched(events: &[Event]) -> bool {
    let reason = DisconnectReason::Dtls(CloseReason::FingerprintMismatch);
    events.last() == Some(&Event::Disconnected(reason))
}

fn keys(call: &mut Call, end: usize) -> bool {
    let now = call.net.now();
    let peer = if end == 0 { call.a() } else { call.b() };
    peer.connection.stats(now).srtp_profile.is_some()
}

#[test]
fn remote_fingerprint_none_holds_media_both_ways_until_it_is_accepted() {
    let mut call = holding(200, |options| options);
    assert_eq!(call.a().connection.remote().dtls.fingerprint, None);
    assert!(call.run_until_connected(ms(5_000)));
    call.net.run_for(ms(100));
    let shown = call
        .a()
        .connection
        .remote()
        .dtls
        .fingerprint
        .clone()
        .unwrap();
    assert_eq!(
        shown,
        call.b()
            .connection
            .local()
            .dtls
            .fingerprint
            .clone()
            .unwrap()
    );
    assert!(
        call.a()
            .saw(|event| *event == Event::Unverified(shown.clone()))
    );
    assert!(!keys(&mut call, 0) && !keys(&mut call, 1));

    let mic = call.a().connection.tracks(&RTCTrackFilter::default())[0];
    let now = call.net.now();
    let frame = Frame::new(vec![1, 2, 3], 0);
    call.a().connection.send_frame(mic, &frame, now).unwrap();
    let refused = call.a().connection.send_application_data(b"x", now);
    assert!(matches!(refused, Err(ConnectionError::Dtls(_))));
    call.net.run_for(ms(100));
    assert_eq!(frames(&mut call), 0);

    let now = call.net.now();
    call.a().connection.accept_remote_fingerprint(now).unwrap();
    assert_eq!(
        call.a().connection.accept_remote_fingerprint(now),
        Err(ConnectionError::NothingToAccept)
    );
    call.net.run_for(ms(100));
    assert_eq!(
        frames(&mut call),
        0,
        "the other side has not decided, so it holds what came"
    );
    let now = call.net.now();
    call.b().connection.accept_remote_fingerprint(now).unwrap();
    call.b().drain(now);
    assert_eq!(frames(&mut call), 1);
}

#[test]
fn remote_fingerprint_by_every_hash_is_taken_before_during_and_after_the_handshake() {
    let hashes = ["sha-1", "sha-224", "sha-256", "sha-384", "sha-512"];
    for (number, hash) in (210..).zip(hashes) {
        for moment in [0, 25, 3_000] {
            let mut call = holding(number, |options| options);
            call.net.run_for(ms(moment));
            for end in [0, 1] {
                let print = fingerprint_of(&mut call, 1 - end, hash);
                let now = call.net.now();
                let peer = if end == 0 { call.a() } else { call.b() };
                peer.connection.set_remote_fingerprint(print, now).unwrap();
            }
            assert!(call.run_until_connected(ms(5_000)));
            call.net.run_for(ms(50));
            assert!(
                keys(&mut call, 0) && keys(&mut call, 1),
                "{hash} at {moment}"
            );
        }
    }
}

#[test]
fn remote_fingerprint_that_does_not_match_ends_the_connection_without_keys() {
    for (number, moment) in (220..).zip([0, 25, 35, 45, 3_000]) {
        let mut call = holding(number, |options| options);
        call.net.run_for(ms(moment));
        let now = call.net.now();
        let set = call.a().connection.set_remote_fingerprint(wrong(), now);
        assert!(moment < 3_000 || matches!(set, Err(ConnectionError::Dtls(_))));
        call.net.run_for(ms(5_000));
        assert!(
            mismatched(&call.a().events),
            "{:?} at {moment}",
            call.a().events
        );
        assert!(call.a().connection.is_closed());
        let a = call.a;
        let mut ours = call.net.log.iter().filter(|sent| sent.by == a);
        assert!(
            // The shortest protected record of DTLS 1.3 is an alert.
            moment == 3_000
                || ours.any(|sent| matches!(sent.contents[..], [0x2c..0x30, ..])
                    && sent.contents.len() == 24),
            "an alert says so"
        );
        assert!(!keys(&mut call, 0) && !keys(&mut call, 1));
        let now = call.net.now();
        assert_eq!(
            call.a().connection.accept_remote_fingerprint(now),
            Err(ConnectionError::Closed)
        );
        let wait = if moment == 3_000 { 1 } else { 120_000 };
        call.net.run_for(ms(wait));
        assert!(
            call.b()
                .saw(|event| matches!(event, Event::Disconnected(_))),
            "the peer does not wait for ever: {:?} at {moment}",
            call.b().events
        );
    }
}

/// Both begin as client, so one gives way and starts over; what was set in between must hold.
#[test]
fn remote_fingerprint_set_during_a_role_collision_is_still_enforced() {
    for (number, first, second) in [
        (230, DtlsRole::Auto, DtlsRole::Client),
        (231, DtlsRole::Client, DtlsRole::Auto),
    ] {
        for moment in [21, 25, 31, 35, 41, 200, 800] {
            let mut call = call_with(number, |end, options| {
                let role = if end == 0 { first } else { second };
                options
                    .dtls_role(role)
                    .peer_verification(PeerVerification::TrustFirst)
            });
            let late = call.net.now() + ms(moment);
            call.signal();
            // The hello of the second end is lost for a while, so that the first begins alone.
            call.net.run_until(late, |_| false);
            let connected = call.a().connection.is_connected();
            let now = call.net.now();
            let _ = call.a().connection.set_remote_fingerprint(wrong(), now);
            call.net.run_for(ms(8_000));
            assert!(
                mismatched(&call.a().events),
                "{moment} {connected}: {:?}",
                call.a().events
            );
        }
    }
}

#[test]
fn trust_first_is_the_drafts_own_behaviour_and_asks_nothing() {
    let mut call = holding(240, |options| {
        options.peer_verification(PeerVerification::TrustFirst)
    });
    assert!(call.run_until_connected(ms(5_000)));
    call.net.run_for(ms(50));
    assert!(keys(&mut call, 0) && keys(&mut call, 1));
    assert!(!call.a().saw(|event| matches!(event, Event::Unverified(_))));
    assert!(call.a().connection.remote().dtls.fingerprint.is_some());
    let now = call.net.now();
    assert_eq!(
        call.a().connection.accept_remote_fingerprint(now),
        Err(ConnectionError::NothingToAccept)
    );
}

#[test]
fn trust_first_still_enforces_what_was_expected() {
    let mut call = holding(241, |options| {
        options.peer_verification(PeerVerification::TrustFirst)
    });
    let now = call.net.now();
    call.b()
        .connection
        .set_remote_fingerprint(wrong(), now)
        .unwrap();
    call.net.run_for(ms(5_000));
    assert!(mismatched(&call.b().events));
}
