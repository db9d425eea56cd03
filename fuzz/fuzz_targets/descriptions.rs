//! Fuzzes the JSON of descriptions.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ortc_testkit::props::core::descriptions(data));
#[cfg(not(fuzzing))]
fn main() {}
