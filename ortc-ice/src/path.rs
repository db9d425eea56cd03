//! Where datagrams travel, and how they are handed over: by reference in, into a buffer out.

use core::net::SocketAddr;
use std::time::Instant;

/// A byte stream of the embedder, a TCP connection or TLS over one, by the number that the embedder
/// gave it. A number is never used again while anything still knows it: count up, or use the
/// descriptor only if it is closed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What carries a datagram between the two addresses of a [`Path`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// UDP.
    Udp,
    /// A byte stream of the embedder.
    Stream(StreamId),
    /// A byte stream that is not open yet, or not any more: of pairs over TCP in statistics; nothing
    /// is sent there.
    Unopened,
}

/// A transport with a local and a remote address: what a socket can send on.
///
/// The local address is the one that the socket is bound to (the base of RFC 8445 §4), never an
/// address that a NAT shows to others. An IPv4 address that a dual-stack socket shows as
/// `::ffff:a.b.c.d` has to be given as IPv4, or the datagram is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// What carries it.
    pub transport: Transport,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
}

impl Path {
    /// A path over a stream.
    #[must_use]
    pub const fn stream(stream: StreamId, local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            transport: Transport::Stream(stream),
            local,
            remote,
        }
    }

    /// A path over UDP.
    #[must_use]
    pub const fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            transport: Transport::Udp,
            local,
            remote,
        }
    }
}

/// The ECN field of the IP header (RFC 3168 §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Ecn {
    /// Not ECN-capable.
    #[default]
    NotEct,
    /// ECT(0).
    Ect0,
    /// ECT(1).
    Ect1,
    /// Congestion experienced.
    Ce,
}

/// Where the octets just appended to the caller's buffer go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a datagram that is not sent is lost"]
pub struct Transmit {
    /// The path to send on.
    pub path: Path,
    /// How many octets were appended.
    pub len: usize,
    /// When set, the octets are several datagrams of this length (the last may be shorter), to
    /// leave one by one or by UDP GSO. This crate never sets it.
    pub segment: Option<usize>,
    /// The mark to send with.
    pub ecn: Ecn,
}

/// A datagram that arrived.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// Where it arrived and where it came from.
    pub path: Path,
    /// Its octets; layers above decrypt in place, this crate only reads.
    pub contents: &'a mut [u8],
    /// The mark it came with.
    pub ecn: Ecn,
}

/// When to call `handle_timeout` next, and on whose behalf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// The instant; it has passed already when output is queued.
    pub at: Instant,
    /// The most urgent reason.
    pub timer: Timer,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Timer {
    /// Something is queued and waits to be polled.
    Output,
    /// The next slot of the pacer, `Ta` (RFC 8445 §14.2).
    Pacing,
    /// A pair: an unanswered check, the next consent check, or the end of consent.
    Pair,
    /// The end of patience (RFC 8863 §4).
    Patience,
    /// Of a gatherer: a request to a server that is not answered, the next keepalive, a name that
    /// is not resolved, a stream that does not open.
    Server,
    /// A TURN client: an unanswered request, or the next refresh of what it holds.
    Relay,
}
