//! What a connection that only stands there costs.

use core::time::Duration;

use allocation_counter::measure;
use ortc_core::{MediaKind, Profile, ReceiveMode};
use ortc_testkit::pair::Pair;

/// Heap of one connected side, in octets.
const MOST_HEAP: i64 = 24 * 1024;

/// What the pair of ends keeps on the heap, divided by two: warm-up of process-wide tables first.
#[test]
fn a_connected_side_keeps_less_than_24_kib_on_the_heap() {
    let connect = || {
        Pair::connected(
            Profile::AeadAes128Gcm,
            MediaKind::Audio,
            1,
            ReceiveMode::Frames,
        )
    };
    drop(connect());
    let mut pair = None;
    let info = measure(|| pair = Some(connect()));
    let each = info.bytes_current / 2;
    println!("heap of a connected side: {each} octets");
    assert!(each < MOST_HEAP, "{each} octets");
    drop(pair);
}

/// Consent alone keeps an idle connection awake: one check of ours and one of the peer's each 4 to
/// 6 s (RFC 7675 §5.1).
#[test]
fn an_idle_connection_wakes_for_nothing_but_consent() {
    let mut pair = Pair::connected(
        Profile::AeadAes128Gcm,
        MediaKind::Audio,
        50,
        ReceiveMode::Frames,
    );
    pair.advance(Duration::from_secs(60));
    let before = pair.a.connection.stats(pair.now);
    let (mut wakes, end) = (0, pair.now + Duration::from_secs(600));
    while let Some(at) = pair
        .a
        .connection
        .poll_timeout()
        .map(|timeout| timeout.at)
        .filter(|at| *at <= end)
    {
        wakes += 1;
        let step = at
            .saturating_duration_since(pair.now)
            .max(Duration::from_micros(1));
        pair.advance(step);
    }
    let after = pair.a.connection.stats(pair.now);
    let checks = after.ice.counters.requests_sent - before.ice.counters.requests_sent;
    assert!((100..=151).contains(&checks), "{checks} checks in 600 s");
    assert!(wakes <= 2 * checks, "{wakes} wakes for {checks} checks");
    let answers = after.ice.counters.responses_sent - before.ice.counters.responses_sent;
    assert_eq!(
        after.datagrams_sent - before.datagrams_sent,
        checks + answers
    );
}
