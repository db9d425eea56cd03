//! Every fault that a path can do to a datagram, alone and together with every other, and every
//! order in which the datagrams of a flight can come: both sides connect, with the same keys, in
//! the time that the timer takes, and then are quiet.
//!
//! Each fault counts datagrams of both sides in the order in which they leave, so that those of
//! the client suffer as those of the server do, and repetitions as what they repeat. What
//! `cargo test` runs is all single faults and all pairs of them. Three at once, pairs with long
//! certificates, and pairs over a path on which everything is sent again before its answer comes,
//! are for an optimised build:
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
#[path = "../pair/mod.rs"]
mod pair;
mod path;

use core::time::Duration;

use path::{FAULTS, FIRST, Fault, Issuers, KINDS, Kind, LATE, Outcome, Plan, Setup};

const MTUS: [usize; 4] = [256, 576, 1200, 1500];

/// Faults reach so many datagrams beyond those of a handshake without any.
const REPEATED: usize = 4;

/// A round trip shorter than the first interval of the timer.
const QUICK: Duration = Duration::from_millis(20);
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
    let clean = setup.run(Plan::Faults(&[]));
    let longest = clean.flights.iter().max().unwrap();
    let mut runs = 0;
    let mut each = |faults: &[(usize, Fault)]| {
        let outcome = setup.run(Plan::Faults(faults));
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
    endure_two(KINDS[0]);
}

#[test]
fn any_two_faults_are_repaired_with_a_hello_verify_request() {
    endure_two(KINDS[1]);
}

#[test]
fn any_two_faults_are_repaired_in_dtls_1_3() {
    endure_two(KINDS[2]);
}

#[test]
fn any_two_faults_are_repaired_with_a_hello_retry_request() {
    endure_two(KINDS[3]);
}

#[test]
fn any_two_faults_are_repaired_with_a_hello_retry_request_without_state() {
    endure_two(KINDS[4]);
}

/// Nothing is lost, and no datagram is too long.
#[test]
fn every_size_of_datagrams_connects() {
    for kind in KINDS {
        for issuers in [Issuers::None, Issuers::Two] {
            let mut before = usize::MAX;
            for mtu in 256..=1500 {
                let setup = Setup::new(kind, mtu, QUICK, issuers);
                let outcome = setup.run(Plan::Faults(&[]));
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
    for kind in KINDS {
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
    for kind in KINDS {
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
    for kind in KINDS {
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

/// All orders of up to five; above, every exchange of two, every rotation, and backwards.
fn orders(len: usize) -> Vec<Vec<usize>> {
    let sent: Vec<usize> = (0..len).collect();
    if len <= 5 {
        let mut orders = vec![vec![]];
        for next in sent {
            let longer = |order: Vec<usize>| {
                (0..=order.len()).map(move |place| {
                    let mut order = order.clone();
                    order.insert(place, next);
                    order
                })
            };
            orders = orders.into_iter().flat_map(longer).collect();
        }
        return orders;
    }
    let mut orders = vec![sent.iter().rev().copied().collect()];
    for place in 0..len {
        let mut order = sent.clone();
        order.rotate_left(place);
        orders.push(order);
        for other in 0..place {
            let mut order = sent.clone();
            order.swap(place, other);
            orders.push(order);
        }
    }
    orders
}

#[test]
fn the_orders_of_a_flight_are_all_of_them() {
    assert_eq!(orders(1), [[0]]);
    assert_eq!(orders(2), [[1, 0], [0, 1]]);
    for (len, count) in [(5, 120), (7, 1 + 7 + 21)] {
        let mut all = orders(len);
        assert_eq!(all.len(), count);
        assert!(
            all.iter()
                .all(|order| (0..len).all(|place| order.contains(&place)))
        );
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}

#[test]
fn every_flight_may_come_in_every_order() {
    let mut runs = 0;
    let mut longest = 0;
    for kind in KINDS {
        for mtu in MTUS {
            for issuers in [Issuers::None, Issuers::Two] {
                let setup = Setup::new(kind, mtu, QUICK, issuers);
                let clean = setup.run(Plan::Faults(&[]));
                for (flight, &len) in clean.flights.iter().enumerate() {
                    longest = longest.max(len);
                    for order in orders(len) {
                        let outcome: Outcome = setup.run(Plan::Order(flight, &order));
                        assert_eq!(outcome.connected, clean.connected, "{order:?}");
                        assert_eq!(outcome.retransmissions, 0, "{order:?}");
                        runs += 1;
                    }
                }
            }
        }
    }
    assert!(longest > 5, "{longest}");
    println!("{runs} orders");
}
