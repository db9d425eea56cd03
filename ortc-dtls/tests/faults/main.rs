//! Every fault that a path can do to a datagram, alone and together with every other, and every
//! order in which the datagrams of a flight can come: both sides connect, with the same keys, in
//! the time that the timer takes, and then are quiet.
//!
//! Each fault counts datagrams of both sides in the order in which they leave, so that those of
//! the client suffer as those of the server do, and repetitions as what they repeat. What
//! `cargo test` runs is all single faults, all pairs of them, and all orders of most flights. Three
//! faults at once, pairs with long certificates, pairs over a path on which everything is sent
//! again before its answer comes, and the orders of the longest flights are for an optimised build:
//!
//! ```text
//! cargo test --release -p ortc-dtls --test faults -- --ignored --nocapture
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: a failed expectation is the report"
)]

#[path = "../cheap/mod.rs"]
mod cheap;
mod kinds;
mod orders;
#[path = "../pair/mod.rs"]
mod pair;
mod path;
mod replay;
mod side;

use core::time::Duration;

use kinds::{FIRST, Issuers, Kind, LONG_KINDS, MTUS, SHORT_KINDS, Setup, kinds};
use path::{FAULTS, Fault, LATE, run};

/// Faults reach so many datagrams beyond those of a handshake without any.
const REPEATED: usize = 4;

/// A round trip shorter than the first interval of the timer.
pub(crate) const QUICK: Duration = Duration::from_millis(20);
/// One that is longer: everything is sent twice.
const SLOW: Duration = Duration::from_millis(40);

/// Every way to have so many faults, at different datagrams below `end` and from `begin` on.
fn each_choice(
    count: usize,
    begin: usize,
    end: usize,
    chosen: &mut Vec<(usize, Fault)>,
    run: &mut impl FnMut(&[(usize, Fault)]),
) {
    if count == 0 {
        return run(chosen);
    }
    for index in begin..end {
        for fault in FAULTS {
            chosen.push((index, fault));
            each_choice(count - 1, index + 1, end, chosen, run);
            chosen.pop();
        }
    }
}

/// What so many faults may cost at most: each one interval of the timer, which doubles.
fn cost(faults: usize) -> Duration {
    FIRST * ((1 << faults) - 1)
}

/// Runs all ways to have so many faults; returns how many there are.
fn endure(setup: &Setup, faults: usize) -> usize {
    let clean = run(setup, &[]);
    let longest = clean.flights.iter().max().unwrap();
    let mut runs = 0;
    let mut each = |faults: &[(usize, Fault)]| {
        let outcome = run(setup, faults);
        let count = faults.len();
        let report = || format!("{faults:?} {outcome:?} {clean:?}");
        assert!(
            outcome.elapsed() <= clean.elapsed() + cost(count),
            "{}",
            report()
        );
        // The last copy may come after the end.
        assert!(
            outcome.quiet <= clean.quiet + cost(count) + LATE,
            "{}",
            report()
        );
        // A time-out of either side, and an answer to what came once more.
        let most = clean.retransmissions + 3 * count as u64;
        assert!(outcome.retransmissions <= most, "{}", report());
        // Repeated flights, each datagram of which may be acknowledged by itself.
        let repeated = usize::try_from(outcome.retransmissions).unwrap() * longest;
        let most = clean.sent() + 2 * repeated + count;
        assert!(outcome.sent() <= most, "{}", report());
        runs += 1;
    };
    each_choice(
        faults,
        0,
        clean.sent() + REPEATED,
        &mut Vec::new(),
        &mut each,
    );
    runs
}

/// Singles and pairs at every size of datagrams.
fn endure_two(kind: Kind) {
    let mut runs = 0;
    for mtu in MTUS {
        let setup = Setup::new(kind, mtu, QUICK, Issuers::None);
        runs += endure(&setup, 1) + endure(&setup, 2);
    }
    assert!(runs > 3_000, "{runs}");
    println!("{}: {runs} handshakes", kind.name);
}

#[test]
fn any_two_faults_are_repaired_in_dtls_1_2() {
    endure_two(SHORT_KINDS[0]);
}

#[test]
fn any_two_faults_are_repaired_with_a_hello_verify_request() {
    endure_two(SHORT_KINDS[1]);
}

#[test]
fn any_two_faults_are_repaired_in_dtls_1_3() {
    endure_two(SHORT_KINDS[2]);
}

#[test]
fn any_two_faults_are_repaired_with_a_hello_retry_request() {
    endure_two(SHORT_KINDS[3]);
}

#[test]
fn any_two_faults_are_repaired_with_a_hello_retry_request_without_state() {
    endure_two(SHORT_KINDS[4]);
}

#[test]
fn any_two_faults_are_repaired_with_a_hello_verify_request_of_the_endpoint() {
    endure_two(SHORT_KINDS[5]);
}

#[test]
fn any_two_faults_are_repaired_where_the_hello_is_long() {
    endure_two(LONG_KINDS[0]);
}

#[test]
fn any_two_faults_are_repaired_where_only_the_second_hello_is_long() {
    endure_two(LONG_KINDS[1]);
}

#[test]
fn any_two_faults_are_repaired_where_both_hellos_are_long() {
    endure_two(LONG_KINDS[2]);
}

/// Nothing is lost, and no datagram is too long.
#[test]
fn every_size_of_datagrams_connects() {
    for kind in kinds() {
        for issuers in [Issuers::None, Issuers::Two] {
            let mut before = usize::MAX;
            for mtu in 256..=1500 {
                let setup = Setup::new(kind, mtu, QUICK, issuers);
                let outcome = run(&setup, &[]);
                assert_eq!(outcome.retransmissions, 0, "{mtu}");
                assert!(outcome.sent() <= before, "{mtu}: more room, more datagrams");
                before = outcome.sent();
            }
        }
    }
}

/// Where a round trip takes longer than the timer waits.
#[test]
fn any_fault_is_repaired_where_everything_is_sent_twice() {
    for kind in kinds() {
        for mtu in MTUS {
            let setup = Setup::new(kind, mtu, SLOW, Issuers::None);
            endure(&setup, 1);
        }
    }
}

#[test]
#[ignore = "for an optimised build"]
fn any_three_faults_are_repaired() {
    let mut runs = 0;
    for kind in kinds() {
        for mtu in MTUS {
            runs += endure(&Setup::new(kind, mtu, QUICK, Issuers::None), 3);
        }
    }
    println!("three faults: {runs} handshakes");
}

#[test]
#[ignore = "for an optimised build"]
fn any_two_faults_are_repaired_with_long_flights_and_slow_paths() {
    let mut runs = 0;
    for kind in kinds() {
        for mtu in MTUS {
            for (trip, issuers) in [
                (SLOW, Issuers::None),
                (QUICK, Issuers::Two),
                (SLOW, Issuers::Two),
            ] {
                runs += endure(&Setup::new(kind, mtu, trip, issuers), 2);
            }
        }
    }
    println!("two faults: {runs} handshakes");
}
