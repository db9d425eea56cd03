//! Fuzzes dtls_gate.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ortc_testkit::props::dtls_gate::gate(data));
#[cfg(not(fuzzing))]
fn main() {}
