//! Servers that a test needs beside its peers.

pub mod stun_server;
pub mod turn_server;
mod wire;
