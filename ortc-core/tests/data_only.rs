//! Connections that carry nothing but application data.

use core::time::Duration;

use ortc_core::{Datagram, Ecn, Event, MediaKind, Path, Profile, ReceiveMode};
use ortc_testkit::call::Peer;
use ortc_testkit::pair::Pair;

/// Between two messages of the peer.
const INTERVAL: Duration = Duration::from_millis(100);

/// Checks that `a` sends within 20 s in which none is answered, and messages that come meanwhile.
fn checks_unanswered(data: bool) -> (u64, usize) {
    let mut pair = Pair::connected(
        Profile::AeadAes128Gcm,
        MediaKind::Audio,
        0,
        ReceiveMode::Frames,
    );
    pair.a.drain(pair.now);
    let before = pair.a.connection.stats(pair.now).ice.counters.requests_sent;
    let mut buf = Vec::new();
    for _ in 0..200 {
        pair.now += INTERVAL;
        if data {
            let sent = pair.b.connection.send_application_data(b"data", pair.now);
            assert!(sent.is_ok());
        }
        let Pair { a, b, now, .. } = &mut pair;
        for peer in [&mut *a, &mut *b] {
            peer.connection.handle_timeout(*now);
        }
        while a.connection.poll_transmit(&mut buf, *now).is_some() {
            buf.clear();
        }
        while let Some(transmit) = b.connection.poll_transmit(&mut buf, *now) {
            // The answers to checks are lost, and the checks of `b` as well.
            if buf.first().is_some_and(|first| *first >= 20) {
                let datagram = Datagram {
                    path: Path::udp(transmit.path.remote, transmit.path.local),
                    contents: &mut buf,
                    ecn: Ecn::default(),
                };
                a.connection.handle_datagram(datagram, *now);
            }
            buf.clear();
        }
        Peer::drain(a, *now);
    }
    let after = pair.a.connection.stats(pair.now).ice.counters.requests_sent;
    let messages = pair
        .a
        .count(|event| matches!(event, Event::ApplicationData(_)));
    (after - before, messages)
}

/// A path whose checks are not answered is suspected, and checked often, unless something
/// authenticated comes over it: SRTP, or DTLS.
#[test]
fn data_that_arrives_keeps_a_path_from_being_suspected() {
    let (silent, _) = checks_unanswered(false);
    let (with_data, messages) = checks_unanswered(true);
    println!("{silent} checks without data, {with_data} with it");
    assert_eq!(messages, 200);
    assert!(with_data * 3 < silent, "{with_data} and {silent}");
}
