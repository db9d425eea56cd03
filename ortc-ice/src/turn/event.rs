//! What a client has to say.

use core::net::{IpAddr, SocketAddr};

use thiserror::Error;

use super::ConnectionId;
use crate::stun::Refusal;

/// The family of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// Why an allocation, or a part of it, is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Failure {
    /// The server did not answer: 39.5 s after the request was first sent.
    #[error("no answer")]
    TimedOut,
    /// There were answers, and none had the right integrity (RFC 8489 §9.2.5).
    #[error("answers without the right integrity")]
    IntegrityViolated,
    /// A challenge could not be followed.
    #[error("authentication failed: {0}")]
    Refused(#[from] Refusal),
    /// The server challenged one request too often.
    #[error("challenged too often")]
    Challenges,
    /// The server answered with this error code (RFC 8656 §19): 403 forbidden, 440 address family,
    /// 441 wrong credentials, 486 quota (wait a minute), 508 capacity (wait a minute), ...
    #[error("error {0}")]
    Code(u16),
    /// Redirected too often, or to a server that was asked within the last five minutes (RFC 8489
    /// §10).
    #[error("redirected in a loop")]
    Redirection,
    /// The server said that it has no such allocation (437), or three of our addresses were in use.
    #[error("allocation mismatch")]
    Mismatch,
    /// The relayed address is not of a family that was asked for.
    #[error("relayed address of another family")]
    Family,
    /// The allocation was not refreshed in time.
    #[error("allocation expired")]
    Expired,
    /// The stream to the server was closed.
    #[error("stream closed")]
    StreamClosed,
    /// The stream carried something else.
    #[error("stream is not framed")]
    NotFramed,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// There is a relayed address; one event for each family.
    Allocated {
        /// The relayed address: a candidate.
        relayed: SocketAddr,
        /// Our address as the server sees it: a server-reflexive candidate, and the related address
        /// of the relayed one.
        mapped: SocketAddr,
    },
    /// Of the two families asked for this one did not come with the other (ADDRESS-ERROR-CODE, RFC
    /// 8656 §7.2). Servers that do not know ADDITIONAL-ADDRESS-FAMILY are among those with 440: a
    /// second client, from another address of ours, may get it by
    /// [`Families::V6`](super::Families::V6).
    FamilyRefused {
        /// The family.
        family: Family,
        /// The error code: 440 or 508.
        code: u16,
    },
    /// The server sends us to another one (300). The client waits for
    /// [`Client::move_to`](super::Client::move_to) with a path there, over the same transport.
    AlternateServer {
        /// The address of the other server.
        server: SocketAddr,
        /// The name to check its certificate for; `None`: the same as before (RFC 8489 §10).
        domain: Option<String>,
    },
    /// The server sees our address as already in use (437). The client waits for
    /// [`Client::move_to`](super::Client::move_to) with a path from another one; the third of them is
    /// the last that is tried (RFC 8656 §7.4).
    AddressInUse,
    /// The stream is gone and the allocation has a ticket: the client waits for
    /// [`Client::move_to`](super::Client::move_to) with another path to the server (RFC 8016).
    Detached,
    /// The allocation goes on over the new path (RFC 8016).
    Moved,
    /// Peers at this address can reach us through the relay from now on.
    Permitted {
        /// The address.
        peer: IpAddr,
    },
    /// There is no permission, or no longer one, for peers at this address.
    PermissionRefused {
        /// The address.
        peer: IpAddr,
        /// Why; 403 mostly.
        failure: Failure,
    },
    /// Data to this peer leaves as `ChannelData` from now on.
    ChannelBound {
        /// The peer.
        peer: SocketAddr,
    },
    /// There is no channel, or no longer one; data to this peer leaves in Send indications.
    ChannelRefused {
        /// The peer.
        peer: SocketAddr,
        /// Why.
        failure: Failure,
    },
    /// The relay has a TCP connection with this peer (RFC 6062), made by either side: open a stream
    /// to the server, over the same transport as ours, and call
    /// [`Client::bind_connection`](super::Client::bind_connection) within 30 s.
    Connection {
        /// The connection.
        connection: ConnectionId,
        /// The peer.
        peer: SocketAddr,
    },
    /// The server could not connect to this peer.
    ConnectFailed {
        /// The peer.
        peer: SocketAddr,
        /// Why: 446 when it has such a connection, 447 when the peer was not reached.
        failure: Failure,
    },
    /// The connection's stream carries what the peer sends, and to the peer what is written to it.
    ConnectionBound {
        /// The connection.
        connection: ConnectionId,
        /// The peer.
        peer: SocketAddr,
    },
    /// The server did not bind the connection; its stream is of no use.
    ConnectionFailed {
        /// The connection.
        connection: ConnectionId,
        /// Why.
        failure: Failure,
    },
    /// There will be no allocation. The last event.
    Failed(Failure),
    /// There was an allocation and it is gone. The last event.
    Lost(Failure),
    /// [`Client::close`](super::Client::close) was called. The last event.
    Closed,
}
