//! How long the epochs of DTLS 1.3 are read (RFC 9147 §4.2.1, §5.8.1, §8).

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use core::time::Duration;

use ortc_dtls::{DropReason, Event, KeyUpdate, Role};
use pair::{DELAY, Pair, pair13, provider};

/// The old keys are kept until the new ones were used (RFC 9147 §8).
#[test]
fn a_key_update_that_overtakes_the_acknowledgement_of_the_handshake_can_be_repeated() {
    let mut pair = pair13(&provider(), |config| config);
    let served = |pair: &Pair| pair.events[Role::Server as usize].contains(&Event::Connected);
    assert!(pair.run(Duration::from_secs(1), |_, _, _| vec![DELAY], served));
    // Of the client's last flight.
    let [acknowledgement] = &mut pair.flying[..] else {
        panic!("{:?}", pair.flying);
    };
    acknowledgement.at += 2 * DELAY;
    let now = pair.now;
    pair.server.update_keys(KeyUpdate::Own, now).unwrap();
    // What the client says of the update is lost.
    let lossy = |_, from, _: &[u8]| match from {
        Role::Client => vec![],
        Role::Server => vec![DELAY],
    };
    pair.run(4 * DELAY, lossy, |_| false);
    let now = pair.now;
    pair.server.send(b"under the old keys", now).unwrap();
    pair.settle();
    let data = Event::ApplicationData(b"under the old keys".as_slice().into());
    assert!(pair.events[Role::Client as usize].contains(&data));
    assert_eq!(pair.client.stats().dropped(DropReason::Epoch), 0);
    assert!(!pair.server.awaits_answer());
    pair.assert_works();
}
