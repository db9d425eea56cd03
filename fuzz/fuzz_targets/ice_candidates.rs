//! Fuzzes ice_candidates.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ortc_testkit::props::ice_candidates::come_and_go(data));
#[cfg(not(fuzzing))]
fn main() {}
