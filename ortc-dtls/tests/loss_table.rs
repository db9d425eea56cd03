//! How long a handshake takes over a path of 50 ms there and back that loses or reorders
//! datagrams, in virtual time. Prints the table of the crate documentation, and checks that it is
//! the one that stands there:
//!
//! ```text
//! cargo test -p ortc-dtls --test loss_table -- --nocapture
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod cheap;
mod node;
mod pair;

use core::time::Duration;
use std::sync::Arc;

use cheap::Cheap;
use node::time_to_connect;
use ortc_dtls::Version;
use ortc_dtls::crypto::Provider;
use ortc_testkit::link::Link;
use pair::{DELAY, configs};

/// Handshakes per cell.
const SEEDS: u64 = 300;

const VERSIONS: [Version; 2] = [Version::DTLS12, Version::DTLS13];

struct Path {
    name: &'static str,
    link: Link,
    /// Octets of a datagram.
    mtu: usize,
    /// The first and the longest interval between repetitions of a flight.
    intervals: [Duration; 2],
    /// Milliseconds that the median and the 95th percentile of either version stay below.
    bounds: [u128; 2],
}

fn paths() -> Vec<Path> {
    let perfect = Link::perfect(DELAY);
    // 25 ms on average, and what leaves together arrives in any order.
    let reordering =
        Link::perfect(Duration::from_millis(15)).with_jitter(Duration::from_millis(20));
    let path = |name, link, bounds| Path {
        name,
        link,
        mtu: 1200,
        intervals: [Duration::from_millis(50), Duration::from_secs(60)],
        bounds,
    };
    let half = perfect.with_loss(0.5);
    vec![
        path("nothing lost", perfect, [100, 100]),
        path("1 % lost", perfect.with_loss(0.01), [100, 150]),
        path("5 % lost", perfect.with_loss(0.05), [100, 200]),
        path("20 % lost", perfect.with_loss(0.2), [250, 750]),
        Path {
            intervals: [Duration::from_secs(1), Duration::from_secs(60)],
            ..path(
                "20 % lost, intervals of the RFC",
                perfect.with_loss(0.2),
                [1_500, 8_000],
            )
        },
        // Ten round trips fail in a row in one of twenty cases, and each doubles the interval.
        path("50 % lost", half, [800, 60_000]),
        Path {
            intervals: [Duration::from_millis(50), Duration::from_secs(1)],
            ..path("50 % lost, intervals of 1 s at most", half, [800, 10_000])
        },
        path("reordered", reordering, [125, 140]),
        Path {
            mtu: 300,
            ..path("reordered, datagrams of 300 octets", reordering, [150, 175])
        },
    ]
}

/// Milliseconds until both sides were connected: median and 95th percentile.
fn times(version: Version, path: &Path) -> [u128; 2] {
    let provider: Arc<dyn Provider> = Arc::new(Cheap::new(0));
    let configs = configs([&[version]; 2], &provider, |_, config| {
        config
            .mtu(path.mtu)
            .unwrap()
            .retransmission(path.intervals[0], path.intervals[1])
            .unwrap()
            .handshake_timeout(None)
    });
    let configs = configs.map(Arc::new);
    let mut times: Vec<u128> = (0..SEEDS)
        .map(|seed| time_to_connect(&configs, path.link, seed).as_millis())
        .collect();
    times.sort_unstable();
    [times[times.len() / 2], times[times.len() * 95 / 100]]
}

#[test]
fn the_table_of_handshake_times_is_the_documented_one() {
    let documented = include_str!("../src/lib.rs");
    let mut rows = vec![
        "| path | 1.2, median | 1.2, 95th percentile | 1.3, median | 1.3, 95th percentile |".into(),
        "|---|---|---|---|---|".into(),
    ];
    for path in paths() {
        let [v12, v13] = VERSIONS.map(|version| times(version, &path));
        // The last to be connected is the client after four trips, or the server after three.
        for (trips, [median, percentile95]) in [(4, v12), (3, v13)] {
            let least = trips * path.link.delay.as_millis();
            let name = path.name;
            assert!(
                median >= least && percentile95 >= median,
                "{name}: too fast"
            );
            assert!(median <= path.bounds[0], "{name}: {median}");
            assert!(percentile95 <= path.bounds[1], "{name}: {percentile95}");
        }
        let [[a, b], [c, d]] = [v12, v13];
        rows.push(format!("| {} | {a} | {b} | {c} | {d} |", path.name));
    }
    let table: String = rows.iter().map(|row| format!("//! {row}\n")).collect();
    println!("{table}");
    assert!(
        documented.contains(&table),
        "not the documented one:\n{table}"
    );
}
