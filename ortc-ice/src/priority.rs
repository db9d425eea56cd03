//! Type and local preferences, and the priority that they make (RFC 8445 §5.1.2, RFC 6544 §4.2).

use core::net::IpAddr;

use crate::candidate::{COMPONENT, CandidateKind, TcpType};

/// The highest other-preference of a TCP candidate (RFC 6544 §4.2).
const OTHER_MAX: u16 = (1 << DIRECTION) - 1;

/// Where the direction preference of a TCP candidate stands in its local preference.
const DIRECTION: u32 = 13;

/// The loopback interface is preferred less than any other.
const LOOPBACK_PENALTY: u16 = 32_768;
const LOOPBACK_PENALTY_TCP: u16 = 4_096;

/// RFC 8445 §5.1.2.1.
pub(crate) const fn priority(
    kind: CandidateKind,
    tcp: Option<TcpType>,
    local_preference: u16,
) -> u32 {
    (type_preference(kind, tcp) as u32) << 24
        | (local_preference as u32) << 8
        | (256 - COMPONENT as u32)
}

/// Over TCP it is below those of all kinds over UDP but the relayed, as RFC 6544 §4.2 recommends for
/// media.
const fn type_preference(kind: CandidateKind, tcp: Option<TcpType>) -> u8 {
    match (kind, tcp) {
        (_, None) | (CandidateKind::Relayed, Some(_)) => kind.preference(),
        (CandidateKind::Host, Some(_)) => 90,
        (CandidateKind::PeerReflexive, Some(_)) => 80,
        (CandidateKind::ServerReflexive, Some(_)) => 75,
    }
}

/// The local preference of a candidate with this many better ones of its kind: over TCP the
/// direction comes first, loopback comes last.
pub(crate) fn preference_at(
    kind: CandidateKind,
    tcp: Option<TcpType>,
    base: IpAddr,
    rank: u16,
) -> u16 {
    let (top, penalty) = match tcp {
        None => (u16::MAX, LOOPBACK_PENALTY),
        Some(_) => (OTHER_MAX, LOOPBACK_PENALTY_TCP),
    };
    let penalty = if base.is_loopback() { penalty } else { 0 };
    let other = top.saturating_sub(rank).saturating_sub(penalty);
    preference_like(kind, tcp, other)
}

/// The local preference of a candidate whose base has this one.
pub(crate) const fn preference_like(kind: CandidateKind, tcp: Option<TcpType>, base: u16) -> u16 {
    match tcp {
        None => base,
        Some(tcp) => base & OTHER_MAX | direction_preference(kind, tcp) << DIRECTION,
    }
}

/// RFC 6544 §4.2.
const fn direction_preference(kind: CandidateKind, tcp: TcpType) -> u16 {
    let mapped = matches!(
        kind,
        CandidateKind::ServerReflexive | CandidateKind::PeerReflexive
    );
    match (tcp, mapped) {
        (TcpType::Active, false) | (TcpType::SimultaneousOpen, true) => 6,
        (TcpType::Passive, false) | (TcpType::Active, true) => 4,
        (TcpType::SimultaneousOpen, false) | (TcpType::Passive, true) => 2,
    }
}
