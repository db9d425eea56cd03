//! Fuzzes a socket with a script of connections and datagrams.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ortc_testkit::props::socket::routing(data));
#[cfg(not(fuzzing))]
fn main() {}
