//! Fuzzes tones on their way over a lossy network.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ortc_testkit::props::dtmf::tones_survive(data));
#[cfg(not(fuzzing))]
fn main() {}
