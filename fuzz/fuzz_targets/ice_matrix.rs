//! Fuzzes two peers anywhere on the network.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ortc_testkit::props::ice_matrix::property(data));
#[cfg(not(fuzzing))]
fn main() {}
