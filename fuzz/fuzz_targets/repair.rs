//! Fuzzes loss, copies and delay of media, and their repair.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ortc_testkit::props::repair::repair(data));
#[cfg(not(fuzzing))]
fn main() {}
