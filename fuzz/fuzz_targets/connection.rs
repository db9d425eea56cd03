//! Fuzzes two connections with a script of calls and datagrams.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ortc_testkit::props::core::connection_script(data));
#[cfg(not(fuzzing))]
fn main() {}
