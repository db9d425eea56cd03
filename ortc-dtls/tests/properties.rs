//! The properties of the testkit over random input and over the committed corpus.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

use std::fs;
use std::path::Path;

use ortc_testkit::props::{dtls, dtls_gate};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

fn check(target: &str, cases: u32, longest: usize, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        seeds.push(fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(!seeds.is_empty(), "no corpus for {target}");
    for seed in &seeds {
        property(seed);
    }
    let mut runner = TestRunner::new(Config::with_cases(cases));
    runner
        .run(&vec(any::<u8>(), 0..longest), |data| {
            property(&data);
            Ok(())
        })
        .unwrap();
    // Seeds with a few octets changed reach deeper than octets at random.
    let changes = vec((any::<Index>(), any::<u8>()), 1..6);
    runner
        .run(&(any::<Index>(), changes), |(which, changes)| {
            let mut data = which.get(&seeds).clone();
            for (at, value) in changes {
                if !data.is_empty() {
                    *at.get_mut(&mut data) = value;
                }
            }
            property(&data);
            Ok(())
        })
        .unwrap();
}

#[test]
fn records() {
    check("dtls_record", 256, 600, dtls::record);
}

#[test]
fn handshake_messages() {
    check("dtls_handshake", 256, 600, dtls::handshake);
}

#[test]
fn certificates() {
    check("certificate", 256, 600, dtls::certificate);
}

#[test]
fn endpoints() {
    check("dtls_endpoint", 128, 200, dtls::endpoint);
}

#[test]
fn gates() {
    check("dtls_gate", 128, 200, dtls_gate::gate);
}
