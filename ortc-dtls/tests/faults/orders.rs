//! Every order in which the datagrams of a flight can come, one flight at a time: its receiver
//! sends what it sends when they come as they left, octet for octet.
//!
//! `cargo test` runs all orders of up to seven datagrams, an optimised build those of up to nine.
//! Eleven, a server's with X25519MLKEM768 and a long certificate in datagrams of 256 octets, have
//! forty million orders, which nobody would wait for. But exchanging neighbours makes any order out
//! of any other: if it mattered, there would be a set of datagrams after which it matters how the
//! next two come. So after every set the next three are tried in every order; the set and what
//! comes last are then in order, or backwards, and not in every other one. To have those too where
//! they are short, any five come first, and any five last, in every order.

use std::collections::BTreeMap;

use crate::QUICK;
use crate::kinds::{Issuers, MTUS, Setup, kinds};
use crate::path::{ROLES, record};

type Run<'a> = &'a mut dyn FnMut(&[usize]);

/// Some of the orders of so many.
type Orders = fn(usize, Run<'_>);

/// Every order of those from `from` on, as far as they differ before `until`; what follows stays as
/// it is.
fn each_order(order: &mut [usize], from: usize, until: usize, run: Run<'_>) {
    if from == until.min(order.len()) {
        return run(order);
    }
    for next in from..order.len() {
        order[from..=next].rotate_right(1);
        each_order(order, from + 1, until, run);
        order[from..=next].rotate_left(1);
    }
}

fn all(len: usize, run: Run<'_>) {
    let mut order: Vec<usize> = (0..len).collect();
    each_order(&mut order, 0, len, run);
}

/// As many as can be waited for, forwards and backwards: after any set of them, in order, any next
/// three in any order, and the rest in order; and any five first, in any order.
fn many(len: usize, run: Run<'_>) {
    let mut backwards = Vec::new();
    let mut both_ways = |order: &[usize]| {
        run(order);
        backwards.clear();
        backwards.extend(order.iter().rev());
        run(&backwards);
    };
    for set in 0..1_u32 << len {
        let comes_first = |place: &usize| set & (1 << place) != 0;
        let (mut order, rest): (Vec<usize>, Vec<usize>) = (0..len).partition(comes_first);
        let next = order.len();
        order.extend(rest);
        each_order(&mut order, next, next + 3, &mut both_ways);
    }
    let mut order: Vec<usize> = (0..len).collect();
    each_order(&mut order, 0, 5, &mut both_ways);
}

/// Any two come first, and the rest in order.
fn pairs(len: usize, run: Run<'_>) {
    let mut order: Vec<usize> = (0..len).collect();
    each_order(&mut order, 0, 2, run);
}

/// Runs the orders of every flight that `orders` has some for; says how many datagrams the flights
/// have, and how many orders that were.
fn reorder(orders: impl Fn(usize) -> Option<Orders>) -> BTreeMap<usize, usize> {
    let mut runs = BTreeMap::new();
    for kind in kinds() {
        for mtu in MTUS {
            for issuers in [Issuers::None, Issuers::Two] {
                let setup = Setup::new(kind, mtu, QUICK, issuers);
                for (recording, role) in record(&setup).iter().zip(ROLES) {
                    for flight in recording.flights() {
                        let Some(orders) = orders(flight.len()) else {
                            continue;
                        };
                        let runs = runs.entry(flight.len()).or_default();
                        orders(flight.len(), &mut |order| {
                            recording.replay(&setup, role, &flight, order);
                            *runs += 1;
                        });
                    }
                }
            }
        }
    }
    runs
}

#[test]
fn every_flight_may_come_in_every_order() {
    let runs = reorder(|len| match len {
        0..=1 => None,
        2..=7 => Some(all),
        8.. => Some(pairs),
    });
    println!("orders of flights of so many: {runs:?}");
    assert!(runs.keys().any(|&len| len > 7), "{runs:?}");
    assert_eq!(runs[&7] % 5040, 0, "{runs:?}");
}

#[test]
#[ignore = "for an optimised build"]
fn every_long_flight_may_come_in_every_order() {
    let runs = reorder(|len| match len {
        0..=7 => None,
        8..=9 => Some(all),
        10.. => Some(many),
    });
    println!("orders of flights of so many: {runs:?}");
    assert!(runs.keys().any(|&len| len > 9), "{runs:?}");
}

/// All that come of `orders`, sorted, each once.
fn collect(orders: Orders, len: usize) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    orders(len, &mut |order| found.push(order.to_vec()));
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn the_orders_are_all_of_them() {
    assert_eq!(collect(all, 1), [[0]]);
    assert_eq!(collect(all, 2), [[0, 1], [1, 0]]);
    let orders = collect(all, 5);
    assert_eq!(orders.len(), 120);
    let is_one = |order: &Vec<usize>| (0..5).all(|place| order.contains(&place));
    assert!(orders.iter().all(is_one));
    assert_eq!(collect(pairs, 5).len(), 20);
    assert_eq!(collect(many, 5).len(), 120);
    let many = collect(many, 8);
    assert!((10_000..40_320).contains(&many.len()), "{}", many.len());
    for swapped in 0..7 {
        let mut order: Vec<usize> = (0..8).collect();
        order.swap(swapped, swapped + 1);
        assert!(many.contains(&order));
    }
}
