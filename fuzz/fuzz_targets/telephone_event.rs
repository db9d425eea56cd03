//! Fuzzes reading and writing telephone-event payloads.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ortc_testkit::props::dtmf::telephone_event(data));
#[cfg(not(fuzzing))]
fn main() {}
