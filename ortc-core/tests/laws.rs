//! The laws that every machine keeps, for RTCConnection.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a failed expectation is the report"
)]

use core::time::Duration;

use ortc_core::{
    Autostart, DtmfContainer, Frame, MediaKind, MediaStream, MediaStreamTrack, RTCConnection,
    RTCConnectionOptions, RTCTrackFilter,
};
use ortc_testkit::call::{Call, Peer, address_a, address_b, seed};
use ortc_testkit::laws::{
    Lawful, closed_is_final, due_timeouts_progress, early_timeouts_do_nothing,
    repeated_timeouts_do_nothing, replay_is_exact,
};
use ortc_testkit::link::Link;
use ortc_testkit::net::{Machine, Net, NodeId};
use ortc_testkit::provider::Deterministic;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A call under observation, with audio, video and tones one way, over a bad link.
fn call(number: u64) -> (Net<Lawful<Peer>>, NodeId, NodeId) {
    let link = Link::perfect(ms(20))
        .with_loss(0.1)
        .with_jitter(ms(15))
        .with_duplicate(0.05);
    let mut net = Net::new(number).link(link);
    let now = net.now();
    let mut ends = (0..).zip([address_a(), address_b()]).map(|(end, address)| {
        let options = RTCConnectionOptions::new(seed(number, end))
            .local_address(address)
            .rtp_timeout(ms(2_000))
            .provider(Deterministic::new(number * 2 + u64::from(end)));
        let mut peer = Peer::new(RTCConnection::new(options, now).unwrap());
        peer.drain(now);
        (Lawful::new(peer), address)
    });
    let ((mut first, at_a), (mut second, at_b)) = (ends.next().unwrap(), ends.next().unwrap());
    let mut stream = MediaStream::new("s");
    stream.add_track(&MediaStreamTrack::new(MediaKind::Audio, "mic", ""));
    stream.add_track(&MediaStreamTrack::new(MediaKind::Video, "cam", ""));
    let ours = &mut first.machine.connection;
    ours.add_stream(&stream, Autostart::Yes).unwrap();
    ours.add_dtmf_handler(DtmfContainer::First).unwrap();
    let print = |peer: &Peer| {
        let dtls = peer.connection.local().dtls.fingerprint.clone();
        *dtls.unwrap().strongest().unwrap()
    };
    let (of_a, of_b) = (print(&first.machine), print(&second.machine));
    first
        .machine
        .connection
        .set_remote_fingerprint(of_b, now)
        .unwrap();
    second
        .machine
        .connection
        .set_remote_fingerprint(of_a, now)
        .unwrap();
    let (from_a, from_b) = (first.machine.signals(), second.machine.signals());
    from_b
        .iter()
        .for_each(|text| first.machine.handle_signal(text, now));
    from_a
        .iter()
        .for_each(|text| second.machine.handle_signal(text, now));
    let (a, b) = (net.add(first, &[at_a]), net.add(second, &[at_b]));
    (net, a, b)
}

/// One step of media and 20 ms of time.
fn step(net: &mut Net<Lawful<Peer>>, a: NodeId, index: u64) {
    let now = net.now();
    let connection = &mut net.node_mut(a).machine.connection;
    let tracks = connection.tracks(&RTCTrackFilter::default());
    let [mic, cam] = tracks.as_slice() else {
        panic!("two tracks")
    };
    let audio = Frame::new(vec![0xFC, 1, 2], index * 960);
    let _ = connection.send_frame(*mic, &audio, now);
    let mut picture = vec![
        u8::from(!index.is_multiple_of(50)),
        0,
        0,
        0x9D,
        1,
        0x2A,
        0,
        0,
        0,
        0,
    ];
    picture.resize(2_500, 1);
    let _ = connection.send_frame(*cam, &Frame::new(picture, index * 1_800), now);
    if index == 40 {
        let handler = connection.add_dtmf_handler(DtmfContainer::First).unwrap();
        handler
            .insert_dtmf(connection, "12", None, None, now)
            .unwrap();
    }
    net.run_for(ms(20));
}

#[test]
fn early_timeouts_do_nothing_in_any_state() {
    let (mut net, a, b) = call(1);
    for index in 0..150 {
        step(&mut net, a, index);
        let now = net.now();
        repeated_timeouts_do_nothing(net.node_mut(a), &[now, now]);
        repeated_timeouts_do_nothing(net.node_mut(b), &[now, now]);
    }
    assert!(net.node(a).machine.connection.is_connected());
    assert!(net.node(a).checked > 10 && net.node(b).checked > 10);
    for steps in [0, 1, 2, 4, 8, 30, 60] {
        let (mut net, a, b) = call(7);
        for index in 0..steps {
            step(&mut net, a, index);
        }
        let now = net.now();
        early_timeouts_do_nothing(net.node_mut(a), now);
        early_timeouts_do_nothing(net.node_mut(b), now);
    }
}

#[test]
fn due_timeouts_progress_in_any_state() {
    for steps in [0, 1, 3, 6, 20, 60] {
        let (mut net, a, b) = call(2);
        for index in 0..steps {
            step(&mut net, a, index);
        }
        // Alone from here on: what it sends is lost, and every deadline is met.
        for id in [a, b] {
            for _ in 0..300 {
                due_timeouts_progress(net.node_mut(id));
            }
        }
    }
}

#[test]
fn queued_output_is_due_after_every_command() {
    let (mut net, a, _) = call(3);
    for index in 0..60 {
        step(&mut net, a, index);
    }
    let now = net.now();
    let due = |net: &mut Net<Lawful<Peer>>, what: &str| {
        let at = net.node(a).poll_timeout();
        assert!(at.is_some_and(|at| at <= now), "{what}");
        let mut buf = Vec::new();
        let mut sent = 0;
        while net.node_mut(a).poll_transmit(&mut buf, now).is_some() {
            sent += 1;
        }
        assert!(sent > 0, "{what}");
    };
    let connection = |net: &mut Net<Lawful<Peer>>, act: &dyn Fn(&mut RTCConnection)| {
        act(&mut net.node_mut(a).machine.connection);
    };
    let track = |connection: &RTCConnection, index: usize| {
        connection
            .tracks(&RTCTrackFilter::default())
            .get(index)
            .copied()
            .unwrap()
    };
    connection(&mut net, &|c| {
        let mic = track(c, 0);
        c.send_frame(mic, &Frame::new(vec![1], 0), now).unwrap();
    });
    due(&mut net, "a frame");
    connection(&mut net, &|c| c.send_application_data(b"x", now).unwrap());
    due(&mut net, "application data");
    connection(&mut net, &|c| {
        let handler = c.add_dtmf_handler(DtmfContainer::First).unwrap();
        handler.insert_dtmf(c, "9", None, None, now).unwrap();
    });
    due(&mut net, "a tone");
    connection(&mut net, &|c| track(c, 1).remove(c, now).unwrap());
    due(&mut net, "a goodbye");
    connection(&mut net, &|c| c.close(now));
    due(&mut net, "the end");
}

#[test]
fn closed_is_final_however_it_came() {
    for steps in [0, 1, 2, 3, 5, 8, 60] {
        let (mut net, a, b) = call(4);
        for index in 0..steps {
            step(&mut net, a, index);
        }
        let inputs: Vec<Vec<u8>> = net.log.iter().map(|sent| sent.contents.clone()).collect();
        let now = net.now();
        for (id, local, remote) in [(a, address_a(), address_b()), (b, address_b(), address_a())] {
            let peer = &mut net.node_mut(id).machine;
            peer.connection.close(now);
            peer.drain(now);
            let told = peer.events.len();
            closed_is_final(net.node_mut(id), local, remote, &inputs, now);
            let peer = &mut net.node_mut(id).machine;
            peer.drain(now);
            assert_eq!(peer.events.len(), told, "an event after the last");
            assert!(peer.connection.is_closed());
        }
    }
}

#[test]
fn replay_is_exact_to_the_octet() {
    let story = || {
        let (mut net, a, _) = call(5);
        for index in 0..100 {
            step(&mut net, a, index);
        }
        assert!(net.node(a).machine.connection.is_connected());
        net
    };
    replay_is_exact(story, |first, second| {
        (
            first.by,
            first.local,
            first.remote,
            first.lost,
            &first.contents,
        ) == (
            second.by,
            second.local,
            second.remote,
            second.lost,
            &second.contents,
        )
    });
}

#[test]
fn time_that_goes_back_counts_as_the_latest_seen() {
    let mut call = Call::new(6, Link::perfect(ms(10)), |_, options| options);
    call.signal();
    call.vouch();
    let early = call.net.now();
    assert!(call.run_until_connected(ms(5_000)));
    call.net.run_for(ms(1_000));
    let deadline = call.a().poll_timeout();
    call.a().handle_timeout(early);
    assert_eq!(call.a().poll_timeout(), deadline);
    let _ = call.a().connection.stats(early);
}

/// Each can be moved to another thread.
#[test]
fn every_public_machine_is_send() {
    fn send<T: Send>() {}
    send::<RTCConnection>();
    send::<ortc_core::RTCSocket>();
    send::<ortc_core::SharedSocket>();
    send::<ortc_core::SocketUpdate>();
    send::<RTCConnectionOptions>();
    send::<ortc_core::SocketOptions>();
    send::<ortc_core::Event>();
    send::<ortc_core::RTCTrack>();
    send::<ortc_core::RTCDTMFHandler>();
    send::<MediaStream>();
    send::<ortc_core::ConnectionError>();
}
