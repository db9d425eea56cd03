//! A handshake whose path was down for a while, at each of its steps: as soon as the owner says that
//! the path is up, both sides go on from where they were.

mod pair;

use core::time::Duration;

use ortc_dtls::{Config, Role, Version};
use pair::{DELAY, Pair, pair_of, provider};

const OUTAGE: Duration = Duration::from_secs(7);

/// A pair of which the first datagrams arrive in time, and nothing for seven seconds after that.
fn interrupted(version: Version, after: u32, adapt: impl Fn(Config) -> Config) -> Pair {
    let mut pair = pair_of([&[version]; 2], &provider(), adapt);
    if after > 0 {
        pair.run(after * DELAY, |_, _, _| vec![DELAY], |_| false);
    }
    pair.flying.clear();
    pair.run(OUTAGE, |_, _, _| vec![], |_| false);
    pair
}

/// Trips of a handshake without an outage.
const fn trips(version: Version) -> u32 {
    if version.0 == Version::DTLS12.0 { 4 } else { 3 }
}

fn is_up(pair: &mut Pair) {
    let now = pair.now;
    for role in [Role::Client, Role::Server] {
        pair.side(role).restart_timer(now);
    }
}

#[test]
fn a_path_that_comes_up_late_gets_the_current_flight_at_once() {
    for version in [Version::DTLS12, Version::DTLS13] {
        let adapts: [&dyn Fn(Config) -> Config; 2] = [&|c| c, &Config::rfc6347];
        for adapt in adapts {
            for after in 0..trips(version) {
                let mut pair = interrupted(version, after, adapt);
                assert!(!pair.connected(), "{version} {after}");
                let up = pair.now;
                is_up(&mut pair);
                assert!(pair.connect());
                let took = pair.now - up;
                // The last flight of DTLS 1.2 has no timer: the one before it brings it again.
                let again = u32::from(version == Version::DTLS12 && after == 3);
                let left = trips(version) - after + again;
                assert_eq!(took, left * DELAY, "{version} {after}");
                pair.assert_works();
                pair.settle();
                let sides = [&pair.client, &pair.server];
                assert!(sides.iter().all(|side| side.poll_timeout().is_none()));
            }
        }
    }
}
