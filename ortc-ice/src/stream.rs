//! Byte streams that a machine asks its embedder for.

use core::net::SocketAddr;

/// What protects a stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Security {
    /// Nothing: plain TCP.
    Plain,
    /// TLS, which the embedder runs; what it hands in and takes out are the octets inside.
    Tls {
        /// The name that the certificate has to be valid for (RFC 8489 §6.2.3): a host name, or an
        /// IP address in text.
        server_name: String,
    },
}

/// A request to connect: answered by `stream_opened` or `stream_failed` of the machine that asked,
/// with the same two addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenStream {
    /// The address to bind before connecting; port 0 stands for any.
    pub local: SocketAddr,
    /// The address to connect to.
    pub remote: SocketAddr,
    /// What protects it.
    pub security: Security,
}
