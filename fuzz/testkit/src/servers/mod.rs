//! Servers that a test needs beside its peers: virtual ones, and real ones that it starts and ends.

pub mod coturn;
pub mod scripted;
pub mod stun_server;
pub mod turn_server;
mod wire;
