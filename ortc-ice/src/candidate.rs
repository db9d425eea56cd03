//! Candidates: their kinds, priority (RFC 8445 §5.1.2.1) and foundation (§5.1.1.3).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

use crate::address::is_link_local;
pub(crate) use crate::address::{check_address, in_zone, zone};
use crate::credentials::is_ice_chars;
use crate::path::{Path, Transport};
use crate::priority;

/// The type of a candidate (RFC 8445 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateKind {
    /// An address of an interface.
    Host,
    /// An address that a STUN server saw.
    ServerReflexive,
    /// An address that the peer saw in a check.
    PeerReflexive,
    /// An address on a TURN server.
    Relayed,
}

impl CandidateKind {
    /// The type preference that RFC 8445 §5.1.2.2 recommends.
    #[must_use]
    pub const fn preference(self) -> u8 {
        match self {
            Self::Host => 126,
            Self::PeerReflexive => 110,
            Self::ServerReflexive => 100,
            Self::Relayed => 0,
        }
    }
}

/// How a TCP candidate gets its connections (RFC 6544 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TcpType {
    /// It opens connections from a port of the moment, and is signalled with port 9.
    Active,
    /// It accepts connections.
    Passive,
    /// Both sides open one connection at the same time.
    SimultaneousOpen,
}

impl TcpType {
    /// What the other end of its connections is (RFC 6544 §6.2).
    #[must_use]
    pub const fn counterpart(self) -> Self {
        match self {
            Self::Active => Self::Passive,
            Self::Passive => Self::Active,
            Self::SimultaneousOpen => Self::SimultaneousOpen,
        }
    }
}

/// The port of an active candidate in signalling: discard (RFC 6544 §4.5).
const DISCARD: u16 = 9;

/// The component of everything: RTP and RTCP share it (RFC 5761).
pub(crate) const COMPONENT: u16 = 1;

/// The longest foundation (RFC 8839 §5.1).
const FOUNDATION_MAX: usize = 32;

/// An address at which one side may be reached.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    foundation: String,
    component: u16,
    /// `None` is UDP.
    tcp: Option<TcpType>,
    priority: u32,
    address: SocketAddr,
    base: SocketAddr,
    kind: CandidateKind,
    related: Option<SocketAddr>,
    /// The server that it was learned from, part of its foundation; only of our own.
    server: Option<IpAddr>,
    local_preference: Option<u16>,
    concealed: bool,
}

/// Why something is not a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CandidateError {
    /// The address is unspecified, a multicast or broadcast address, IPv4 mapped into IPv6, or has
    /// port 0: nothing can be sent there.
    #[error("address is not a unicast destination with a port")]
    Address,
    /// The foundation does not have 1 to 32 ice-chars (RFC 8839 §5.1).
    #[error("foundation is not 1 to 32 ice-chars")]
    Foundation,
    /// The component is not 1 to 256 (RFC 8839 §5.1).
    #[error("component is not 1 to 256")]
    Component,
    /// The priority is not 1 to 2^31 - 1 (RFC 8445 §5.1.2).
    #[error("priority is not 1 to 2147483647")]
    Priority,
    /// The name is not a version 4 UUID and `.local`.
    #[error("name is not a version 4 uuid and .local")]
    Name,
}

impl Candidate {
    /// A host candidate of our own, over UDP, component 1; the agent that it is added to gives it
    /// priority and foundation. Loopback and link-local addresses are allowed: whoever lists the
    /// addresses decides.
    ///
    /// # Errors
    ///
    /// [`CandidateError::Address`] when nothing can be received there.
    pub fn host(address: SocketAddr) -> Result<Self, CandidateError> {
        check_address(address)?;
        Ok(Self::local(CandidateKind::Host, None, address, address))
    }

    /// A host candidate of our own over TCP (RFC 6544 §5.1). Of an active one only the IP address
    /// counts: its base has port 0, for a port of the moment, and it is signalled with port 9. The
    /// others are addresses of listening sockets.
    ///
    /// # Errors
    ///
    /// [`CandidateError::Address`] when nothing can be received there.
    pub fn host_tcp(mut address: SocketAddr, kind: TcpType) -> Result<Self, CandidateError> {
        let mut base = address;
        if kind == TcpType::Active {
            address.set_port(DISCARD);
            base.set_port(0);
        }
        check_address(address)?;
        Ok(Self::local(CandidateKind::Host, Some(kind), address, base))
    }

    /// A candidate of our own as a STUN server saw it, over UDP, and the address of the socket that
    /// it was asked from (RFC 8445 §5.1.1.2). [`with_tcp_type`](Self::with_tcp_type) makes it one
    /// over TCP.
    ///
    /// # Errors
    ///
    /// [`CandidateError::Address`] when one of the two is no unicast address with a port.
    pub fn server_reflexive(
        address: SocketAddr,
        base: SocketAddr,
        server: IpAddr,
    ) -> Result<Self, CandidateError> {
        check_address(address)?;
        check_address(base)?;
        let candidate = Self::local(CandidateKind::ServerReflexive, None, address, base);
        Ok(Self {
            related: Some(base),
            server: Some(server),
            ..candidate
        })
    }

    /// A candidate of our own on a TURN server, with our address as that server saw it (RFC 8445
    /// §5.1.1.2). Its base is the relayed address: the path of its pairs begins there, and whoever
    /// owns the allocation wraps what leaves on it.
    ///
    /// # Errors
    ///
    /// [`CandidateError::Address`] when the relayed address is no unicast address with a port.
    pub fn relayed(
        address: SocketAddr,
        mapped: SocketAddr,
        server: IpAddr,
    ) -> Result<Self, CandidateError> {
        check_address(address)?;
        let candidate = Self::local(CandidateKind::Relayed, None, address, address);
        Ok(Self {
            related: Some(mapped),
            server: Some(server),
            ..candidate
        })
    }

    /// One of our own, with the priority that it has if it stays the best of its kind.
    fn local(
        kind: CandidateKind,
        tcp: Option<TcpType>,
        address: SocketAddr,
        base: SocketAddr,
    ) -> Self {
        let mut candidate = Self {
            foundation: String::new(),
            component: COMPONENT,
            tcp,
            priority: 0,
            address,
            base,
            kind,
            related: None,
            server: None,
            local_preference: None,
            concealed: false,
        };
        let preference = candidate.preference_at(0);
        candidate.priority = priority::priority(candidate.kind, candidate.tcp, preference);
        candidate
    }

    /// A candidate of the peer, as it was signalled, over UDP. The zone of a link-local address
    /// means something to the peer only (RFC 4007 §6) and is left out; checks use the zone of the
    /// local candidate.
    ///
    /// # Errors
    ///
    /// [`CandidateError`] names the part that no agent can have signalled: leave it out.
    pub fn remote(
        foundation: &str,
        component: u16,
        priority: u32,
        address: SocketAddr,
        kind: CandidateKind,
        related: Option<SocketAddr>,
    ) -> Result<Self, CandidateError> {
        check_signalled(foundation, component, priority)?;
        check_address(address)?;
        let address = in_zone(address, 0);
        Ok(Self {
            foundation: foundation.to_owned(),
            component,
            tcp: None,
            priority,
            address,
            base: address,
            kind,
            related,
            server: None,
            local_preference: None,
            concealed: false,
        })
    }

    /// The same candidate over TCP (RFC 6544): one of the peer as it was signalled, or a
    /// server-reflexive one of ours.
    #[must_use]
    pub fn with_tcp_type(mut self, kind: TcpType) -> Self {
        self.tcp = Some(kind);
        if self.server.is_some() {
            let preference = self.local_preference.unwrap_or(self.preference_at(0));
            self.priority = priority::priority(self.kind, self.tcp, preference);
        }
        self
    }

    /// The peer's address as a check showed it (RFC 8445 §7.3.1.3). A PRIORITY that no candidate can
    /// have (§5.1.2) counts as the nearest that one can.
    pub(crate) fn remote_reflexive(
        foundation: String,
        priority: u32,
        address: SocketAddr,
        tcp: Option<TcpType>,
    ) -> Self {
        Self {
            foundation,
            component: COMPONENT,
            tcp,
            priority: priority.clamp(1, PRIORITY_MAX),
            address,
            base: address,
            kind: CandidateKind::PeerReflexive,
            related: None,
            server: None,
            local_preference: None,
            concealed: false,
        }
    }

    /// Our own address as a response showed it (RFC 8445 §7.2.5.3.1).
    pub(crate) fn local_reflexive(&self, foundation: String, address: SocketAddr) -> Self {
        Self {
            foundation,
            priority: self.reflexive_priority(),
            address,
            kind: CandidateKind::PeerReflexive,
            related: Some(self.base),
            ..self.clone()
        }
    }

    /// The same candidate with this local preference (RFC 8445 §5.1.2.1), higher is better; over TCP
    /// its upper three bits are the direction preference of RFC 6544 §4.2. Without it the agent
    /// prefers in the order in which candidates are added, IPv6 and IPv4 in turn (RFC 8421 §4),
    /// loopback last, and a server-reflexive one as much as its base.
    #[must_use]
    pub fn with_local_preference(mut self, preference: u16) -> Self {
        self.local_preference = Some(preference);
        self.priority = priority::priority(self.kind, self.tcp, preference);
        self
    }

    /// The same candidate without its related address, for signalling that keeps it private: the
    /// unspecified address and port 9 stand for it (RFC 8839 §5.1; with host addresses behind
    /// `.local` names this is a must).
    #[must_use]
    pub fn with_hidden_related_address(mut self) -> Self {
        self.related = self.related.map(|_| {
            let unspecified: IpAddr = match self.address {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            SocketAddr::new(unspecified, DISCARD)
        });
        self
    }

    /// The foundation; empty until an agent has accepted the candidate.
    #[must_use]
    pub fn foundation(&self) -> &str {
        &self.foundation
    }

    /// The component, 1 to 256.
    #[must_use]
    pub const fn component(&self) -> u16 {
        self.component
    }

    /// How it gets its connections; `None` of a candidate over UDP.
    #[must_use]
    pub const fn tcp_type(&self) -> Option<TcpType> {
        self.tcp
    }

    /// The priority, 1 to 2^31 - 1, higher is better.
    #[must_use]
    pub const fn priority(&self) -> u32 {
        self.priority
    }

    /// The transport address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What we send from to use it (RFC 8445 §4); of a remote candidate, its address.
    #[must_use]
    pub const fn base(&self) -> SocketAddr {
        self.base
    }

    /// The type.
    #[must_use]
    pub const fn kind(&self) -> CandidateKind {
        self.kind
    }

    /// The server that a reflexive or relayed candidate of our own was learned from.
    #[must_use]
    pub const fn server(&self) -> Option<IpAddr> {
        self.server
    }

    /// The related address (RFC 8839 §5.1), for diagnostics only.
    #[must_use]
    pub const fn related_address(&self) -> Option<SocketAddr> {
        self.related
    }

    pub(crate) const fn local_preference(&self) -> Option<u16> {
        self.local_preference
    }

    /// Gives a local candidate what the agent computed.
    pub(crate) fn place(&mut self, foundation: String, preference: u16) {
        self.foundation = foundation;
        self.local_preference = Some(preference);
        self.priority = priority::priority(self.kind, self.tcp, preference);
    }

    /// Any other candidate is better than this one from now on.
    pub(crate) const fn demote(&mut self) {
        self.priority = 1;
    }

    /// Whether foundations are equal by RFC 8445 §5.1.1.3: kind, base address, server and transport.
    pub(crate) fn shares_foundation(&self, other: &Self) -> bool {
        (self.kind, self.base.ip(), self.server, self.is_tcp())
            == (other.kind, other.base.ip(), other.server, other.is_tcp())
    }

    pub(crate) const fn is_tcp(&self) -> bool {
        self.tcp.is_some()
    }

    /// Whether it is what we send from: all but reflexive ones.
    pub(crate) const fn is_base(&self) -> bool {
        matches!(self.kind, CandidateKind::Host | CandidateKind::Relayed)
    }

    /// Whether an agent may have it on its local side by command.
    pub(crate) const fn is_addable(&self) -> bool {
        match self.kind {
            CandidateKind::Host => true,
            CandidateKind::ServerReflexive | CandidateKind::Relayed => self.server.is_some(),
            CandidateKind::PeerReflexive => false,
        }
    }

    /// Whether a lite agent may have it (RFC 8445 §2.5, RFC 6544 §4.4).
    pub(crate) const fn is_lite(&self) -> bool {
        matches!(self.kind, CandidateKind::Host)
            && matches!(self.tcp, None | Some(TcpType::Passive))
    }

    /// A remote candidate that was signalled as a name: its address is not for relays.
    pub(crate) const fn concealed(mut self) -> Self {
        self.concealed = true;
        self
    }

    /// The local preference with this many better ones of the same kind.
    pub(crate) fn preference_at(&self, rank: u16) -> u16 {
        priority::preference_at(self.kind, self.tcp, self.base.ip(), rank)
    }

    /// The local preference of a candidate whose base has this one.
    pub(crate) const fn preference_like(&self, base: u16) -> u16 {
        priority::preference_like(self.kind, self.tcp, base)
    }

    /// PRIORITY in a check from this candidate: what it would have as a peer-reflexive one (RFC
    /// 8445 §7.1.1).
    pub(crate) fn reflexive_priority(&self) -> u32 {
        let preference = self.local_preference.unwrap_or(self.preference_at(0));
        priority::priority(CandidateKind::PeerReflexive, self.tcp, preference)
    }

    /// What a check from this local candidate to a remote one leaves on; over TCP a stream has to be
    /// opened first.
    pub(crate) fn path_to(&self, remote: &Self) -> Path {
        Path {
            transport: match self.tcp {
                None => Transport::Udp,
                Some(_) => Transport::Unopened,
            },
            local: self.base,
            remote: self.destination(remote),
        }
    }

    /// Whether a datagram on this path arrived at the socket of this local candidate; streams that
    /// were opened here are found by their pair.
    pub(crate) fn receives_on(&self, path: &Path) -> bool {
        let transport = match path.transport {
            Transport::Udp => self.tcp.is_none(),
            Transport::Stream(_) => self.is_tcp(),
            Transport::Unopened => false,
        };
        transport && self.base == path.local
    }

    /// The same remote candidate with its address as a check showed it: in its zone.
    pub(crate) fn at(self, address: SocketAddr) -> Self {
        Self {
            address,
            base: address,
            ..self
        }
    }

    /// Where checks to a remote candidate go from this one: a link-local address that has no zone
    /// is in ours.
    pub(crate) fn destination(&self, remote: &Self) -> SocketAddr {
        match zone(remote.address) {
            0 => in_zone(remote.address, zone(self.base)),
            _ => remote.address,
        }
    }

    /// Whether pairs of the two may be formed: same component, transport and address family, and
    /// link-local IPv6 only with its like (RFC 8445 §6.1.2.2); over TCP active with passive, and
    /// simultaneous-open with its like. A passive one waits for the peer (RFC 6544 §6.2).
    pub(crate) fn pairs_with(&self, remote: &Self) -> bool {
        self.component == remote.component
            && self.tcp.map(TcpType::counterpart) == remote.tcp
            && self.tcp != Some(TcpType::Passive)
            // A relay must not learn what a name conceals (mDNS draft, §3.3.2).
            && !(remote.concealed && matches!(self.kind, CandidateKind::Relayed))
            && self.address.is_ipv4() == remote.address.is_ipv4()
            && is_link_local(self.address.ip()) == is_link_local(remote.address.ip())
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            foundation,
            priority,
            address,
            kind,
            tcp,
            ..
        } = self;
        let over = match tcp {
            None => "",
            Some(TcpType::Active) => " tcp active",
            Some(TcpType::Passive) => " tcp passive",
            Some(TcpType::SimultaneousOpen) => " tcp so",
        };
        write!(
            f,
            "Candidate({kind:?}{over} {address} foundation {foundation} priority {priority})"
        )
    }
}

/// The highest priority (RFC 8445 §5.1.2).
const PRIORITY_MAX: u32 = (1 << 31) - 1;

/// What signalling may say of any candidate.
pub(crate) fn check_signalled(
    foundation: &str,
    component: u16,
    priority: u32,
) -> Result<(), CandidateError> {
    if !(1..=FOUNDATION_MAX).contains(&foundation.len()) || !is_ice_chars(foundation) {
        return Err(CandidateError::Foundation);
    }
    if !(1..=256).contains(&component) {
        return Err(CandidateError::Component);
    }
    if !(1..=PRIORITY_MAX).contains(&priority) {
        return Err(CandidateError::Priority);
    }
    Ok(())
}
