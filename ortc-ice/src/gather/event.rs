//! What a gatherer tells its embedder.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::ops::Range;
use core::time::Duration;

use thiserror::Error;

use crate::candidate::{Candidate, CandidateError, CandidateKind, TcpType};
use crate::path::{Path, StreamId};
use crate::stream::OpenStream;
use crate::turn::Failure;

/// A server that a gatherer was told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub(super) u32);

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A name that a gatherer asked its embedder to resolve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub(super) u64);

/// Something happened. Events keep their order, and strangers cause none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatherEvent {
    /// A candidate was found: add it to the agents that use this gatherer.
    Candidate(LocalCandidate),
    /// A candidate that was reported ends: its base was removed, the NAT gave the base another
    /// address, or the relay is lost.
    CandidateGone(LocalCandidate),
    /// The addresses of a host are needed, A and AAAA both: answer with
    /// [`resolved`](crate::Gatherer::resolved) or [`resolve_failed`](crate::Gatherer::resolve_failed).
    Resolve {
        /// Names the question.
        query: QueryId,
        /// The host name, as the URI has it.
        host: String,
    },
    /// A stream is needed: connect and answer with
    /// [`stream_opened`](crate::Gatherer::stream_opened) or
    /// [`stream_failed`](crate::Gatherer::stream_failed).
    OpenStream(OpenStream),
    /// A stream is not needed any more: send what was taken out for it, then close it.
    CloseStream(StreamId),
    /// Peers at this address cannot reach us through the relay.
    PermissionRefused {
        /// The relayed address.
        relayed: SocketAddr,
        /// The peer.
        peer: IpAddr,
    },
    /// Nothing more is to be had from a server until [`gather`](crate::Gatherer::gather) is called
    /// again. At most once a server and round.
    ServerFailed {
        /// Which.
        server: ServerId,
        /// Why; of several addresses or bases, the last.
        reason: ServerError,
    },
    /// Every server has answered or failed: once for each round that
    /// [`gather`](crate::Gatherer::gather) began; a call during a round joins it. What comes later (a candidate that changes) comes anyway.
    Complete,
}

/// Why a server gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The name has no address.
    #[error("its name cannot be resolved")]
    Unresolved,
    /// The embedder did not say what the addresses of the name are.
    #[error("its name was not resolved in time")]
    ResolverSilent,
    /// It has no address of the family and scope of a base: nothing that could be asked.
    #[error("no local address can reach it")]
    NoBase,
    /// It does not answer.
    #[error("it does not answer")]
    Timeout,
    /// It answered with an error (RFC 8489 §14.8).
    #[error("it refused with error {0}")]
    Refused(u16),
    /// Its answer has no address that could be ours.
    #[error("its answer cannot be used")]
    BadAnswer,
    /// The stream to it could not be opened, or was closed.
    #[error("no connection to it")]
    Stream,
    /// Nothing here speaks what its URI asks for: `turns` over UDP, which is DTLS.
    #[error("its transport is not supported")]
    Unsupported,
    /// A relay needs a user and a password.
    #[error("it needs a user and a password")]
    NoCredentials,
    /// The user or the password has characters that cannot be sent (RFC 8265).
    #[error("its user or password cannot be used")]
    BadCredentials,
    /// Another server of the list is the same, over the same transport.
    #[error("it is asked already, under another URI")]
    InUse,
    /// There is no allocation.
    #[error("it gives no relay: {0}")]
    Relay(#[source] Failure),
}

/// A candidate of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalCandidate {
    /// The type.
    pub kind: CandidateKind,
    /// The transport address.
    pub address: SocketAddr,
    /// What is sent from to use it; of a relayed candidate the address itself.
    pub base: SocketAddr,
    /// How it gets its connections; `None` is UDP.
    pub tcp: Option<TcpType>,
    /// The related address (RFC 8839 §5.1): of a server-reflexive candidate its base, of a relayed
    /// one the address that its server sees us at.
    pub related: Option<SocketAddr>,
    /// The server that it comes from, and its address, which is part of the foundation (RFC 8445
    /// §5.1.1.3).
    pub server: Option<(ServerId, IpAddr)>,
    /// How long the server took to answer; `None` for host candidates, and when the request was
    /// repeated, as nobody knows which of them was answered.
    pub rtt: Option<Duration>,
}

impl LocalCandidate {
    /// The candidate for [`Agent::add_local_candidate`](crate::Agent::add_local_candidate), which
    /// gives it foundation and priority.
    ///
    /// # Errors
    ///
    /// [`CandidateError`] when the addresses are none that a gatherer reports.
    pub fn candidate(&self) -> Result<Candidate, CandidateError> {
        let server = self.server.map(|(_, ip)| ip);
        let candidate = match (self.kind, server, self.tcp) {
            (CandidateKind::Relayed, Some(server), _) => {
                Candidate::relayed(self.address, self.related.unwrap_or(self.address), server)?
            }
            (CandidateKind::ServerReflexive | CandidateKind::PeerReflexive, Some(server), tcp) => {
                let candidate = Candidate::server_reflexive(self.address, self.base, server)?;
                match tcp {
                    Some(kind) => candidate.with_tcp_type(kind),
                    None => candidate,
                }
            }
            (_, _, Some(kind)) => Candidate::host_tcp(self.address, kind)?,
            (_, _, None) => Candidate::host(self.address)?,
        };
        Ok(candidate)
    }
}

/// What [`Gatherer::handle_datagram`](crate::Gatherer::handle_datagram) says about a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what is not the gatherer's is for the agent"]
pub enum Gathered {
    /// It is nothing that this gatherer asked for: give it to the agent, or the demultiplexer.
    NotMine,
    /// It was an answer, and is dealt with.
    Consumed,
    /// It came through a relay: go on with these octets of it as if they had arrived on this path.
    Relayed {
        /// From the relayed address to the peer.
        path: Path,
        /// The payload in the octets that were handed in.
        range: Range<usize>,
    },
}
