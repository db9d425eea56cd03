//! Fuzzes the telephone-event sender.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ortc_testkit::props::dtmf::dtmf_sender(data));
#[cfg(not(fuzzing))]
fn main() {}
