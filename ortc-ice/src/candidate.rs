//! Candidates: their kinds, priority (RFC 8445 §5.1.2.1) and foundation (§5.1.1.3).

use core::fmt;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use thiserror::Error;

use crate::credentials::is_ice_chars;
use crate::path::Transport;

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

/// The component of everything: RTP and RTCP share it (RFC 5761).
pub(crate) const COMPONENT: u16 = 1;

/// The longest foundation (RFC 8839 §5.1).
const FOUNDATION_MAX: usize = 32;

/// An address at which one side may be reached.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    foundation: String,
    component: u16,
    transport: Transport,
    priority: u32,
    address: SocketAddr,
    base: SocketAddr,
    kind: CandidateKind,
    related: Option<SocketAddr>,
    local_preference: Option<u16>,
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
        let mut candidate = Self {
            foundation: String::new(),
            component: COMPONENT,
            transport: Transport::Udp,
            priority: 0,
            address,
            base: address,
            kind: CandidateKind::Host,
            related: None,
            local_preference: None,
        };
        candidate.priority = priority(candidate.kind, u16::MAX);
        Ok(candidate)
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
        if !(1..=FOUNDATION_MAX).contains(&foundation.len()) || !is_ice_chars(foundation) {
            return Err(CandidateError::Foundation);
        }
        if !(1..=256).contains(&component) {
            return Err(CandidateError::Component);
        }
        if !(1..=PRIORITY_MAX).contains(&priority) {
            return Err(CandidateError::Priority);
        }
        check_address(address)?;
        let address = in_zone(address, 0);
        Ok(Self {
            foundation: foundation.to_owned(),
            component,
            transport: Transport::Udp,
            priority,
            address,
            base: address,
            kind,
            related,
            local_preference: None,
        })
    }

    /// The peer's address as a check showed it (RFC 8445 §7.3.1.3). A PRIORITY that no candidate can
    /// have (§5.1.2) counts as the nearest that one can.
    pub(crate) fn remote_reflexive(foundation: String, priority: u32, address: SocketAddr) -> Self {
        Self {
            foundation,
            component: COMPONENT,
            transport: Transport::Udp,
            priority: priority.clamp(1, PRIORITY_MAX),
            address,
            base: address,
            kind: CandidateKind::PeerReflexive,
            related: None,
            local_preference: None,
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

    /// The same candidate with this local preference (RFC 8445 §5.1.2.1), higher is better; without
    /// it the agent prefers in the order in which candidates are added, IPv6 and IPv4 in turn
    /// (RFC 8421 §4), loopback last.
    #[must_use]
    pub fn with_local_preference(mut self, preference: u16) -> Self {
        self.local_preference = Some(preference);
        self.priority = priority(self.kind, preference);
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

    /// What carries its datagrams.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        self.transport
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
        self.priority = priority(self.kind, preference);
    }

    /// Whether foundations are equal by RFC 8445 §5.1.1.3: kind, base address and transport (the
    /// server, its fourth part, is that of reflexive and relayed candidates).
    pub(crate) fn shares_foundation(&self, other: &Self) -> bool {
        (self.kind, self.base.ip(), self.transport)
            == (other.kind, other.base.ip(), other.transport)
    }

    /// PRIORITY in a check from this candidate: what it would have as a peer-reflexive one (RFC
    /// 8445 §7.1.1).
    pub(crate) fn reflexive_priority(&self) -> u32 {
        let preference = self.local_preference.unwrap_or(u16::MAX);
        priority(CandidateKind::PeerReflexive, preference)
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
    /// link-local IPv6 only with its like (RFC 8445 §6.1.2.2).
    pub(crate) fn pairs_with(&self, remote: &Self) -> bool {
        self.component == remote.component
            && self.transport == remote.transport
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
            ..
        } = self;
        write!(
            f,
            "Candidate({kind:?} {address} foundation {foundation} priority {priority})"
        )
    }
}

/// The highest priority (RFC 8445 §5.1.2).
const PRIORITY_MAX: u32 = (1 << 31) - 1;

/// RFC 8445 §5.1.2.1.
fn priority(kind: CandidateKind, local_preference: u16) -> u32 {
    u32::from(kind.preference()) << 24
        | u32::from(local_preference) << 8
        | (256 - u32::from(COMPONENT))
}

/// Whether checks may be sent there at all; a stranger's request is held to this too.
pub(crate) fn check_address(address: SocketAddr) -> Result<(), CandidateError> {
    let ip = match address.ip() {
        IpAddr::V4(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast()),
        IpAddr::V6(ip) => {
            !(ip.is_unspecified() || ip.is_multicast() || ip.to_ipv4_mapped().is_some())
        }
    };
    if ip && address.port() != 0 {
        Ok(())
    } else {
        Err(CandidateError::Address)
    }
}

/// The address in a zone of this host (RFC 4007 §6); others than link-local ones have none.
pub(crate) fn in_zone(address: SocketAddr, zone: u32) -> SocketAddr {
    match address {
        SocketAddr::V6(mut address) if address.ip().is_unicast_link_local() => {
            address.set_scope_id(zone);
            address.into()
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => address,
    }
}

/// Its zone, 0 for none.
pub(crate) const fn zone(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V6(address) => address.scope_id(),
        SocketAddr::V4(_) => 0,
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false, // 169.254/16 may be paired with anything by RFC 8445 §6.1.2.2
        IpAddr::V6(ip) => Ipv6Addr::is_unicast_link_local(&ip),
    }
}
