//! Fuzzes RTP header extensions.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ortc_testkit::props::rtp::header_extension(data));
#[cfg(not(fuzzing))]
fn main() {}
