//! Fuzzes turn.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ortc_testkit::props::turn::turn(data));
#[cfg(not(fuzzing))]
fn main() {}
