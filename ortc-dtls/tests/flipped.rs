//! Whatever octet of whatever datagram is changed on the way: both connect with the same keys, or
//! somebody notices.

mod pair;

use core::mem;
use core::time::Duration;

use ortc_dtls::Version;
use pair::{DELAY, Pair, pair_of, provider};

/// Sends everything that is queued, with one bit of this octet of this datagram changed, and lets
/// it arrive.
fn pass(pair: &mut Pair, index: usize, at: usize) {
    let before = pair.sent.len();
    pair.transmit(&mut |_, _, _| vec![DELAY]);
    let place = index.checked_sub(before);
    if let Some(flying) = place.and_then(|place| pair.flying.get_mut(place))
        && let Some(octet) = flying.contents.get_mut(at)
    {
        *octet ^= 1 << (at % 8);
    }
    pair.now += DELAY;
    let now = pair.now;
    for mut flying in mem::take(&mut pair.flying) {
        pair.side(flying.to)
            .handle_datagram(&mut flying.contents, now);
    }
    pair.client.handle_timeout(now);
    pair.server.handle_timeout(now);
}

/// How many handshakes were repaired, and how many were not.
fn flip_each_octet(versions: &[Version]) -> [usize; 2] {
    let provider = provider();
    let mut clean = pair_of([versions; 2], &provider, |config| config);
    assert!(clean.connect());
    clean.settle();
    let (mut repaired, mut refused) = (0, 0);
    for (index, (_, contents)) in clean.sent.iter().enumerate() {
        for at in 0..contents.len() {
            let mut pair = pair_of([versions; 2], &provider, |config| config);
            let end = pair.now + Duration::from_millis(600);
            while !pair.connected() && pair.now < end {
                pass(&mut pair, index, at);
            }
            let what = format!("datagram {index}, octet {at}");
            if pair.connected() {
                assert_eq!(pair.client.version(), clean.client.version(), "{what}");
                pair.assert_works();
                repaired += 1;
            } else {
                refused += 1;
                let keys = [&pair.client, &pair.server].map(|side| side.srtp_keying().is_ok());
                assert_ne!(keys, [true, true], "{what}");
            }
        }
    }
    [repaired, refused]
}

#[test]
fn no_flipped_octet_goes_unnoticed_in_dtls_1_2() {
    let [repaired, refused] = flip_each_octet(&[Version::DTLS12]);
    assert!(repaired > 100 && refused > 500, "{repaired} {refused}");
}

/// What is protected is repaired by repetition; only the hellos can be spoilt. And there is no
/// downgrade.
#[test]
fn no_flipped_octet_goes_unnoticed_in_dtls_1_3() {
    let [repaired, refused] = flip_each_octet(&[Version::DTLS13, Version::DTLS12]);
    assert!(
        repaired > 1000 && (100..400).contains(&refused),
        "{repaired} {refused}"
    );
}
