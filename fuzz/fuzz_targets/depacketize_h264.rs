//! Fuzzes depacketize_h264.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ortc_testkit::props::payload::depacketize_h264(data));
#[cfg(not(fuzzing))]
fn main() {}
