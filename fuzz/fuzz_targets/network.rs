//! Fuzzes a connection with servers, names and byte streams.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ortc_testkit::props::network::servers_and_streams(data));
#[cfg(not(fuzzing))]
fn main() {}
