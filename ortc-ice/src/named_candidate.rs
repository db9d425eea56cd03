//! A candidate with a name instead of an address (draft-ietf-mmusic-mdns-ice-candidates §3.1.2.4).

use core::net::SocketAddr;

use crate::candidate::{Candidate, CandidateError, CandidateKind, TcpType, check_signalled};

/// A candidate of the peer that was signalled with a `.local` name; see
/// [`Agent::add_remote_name`](crate::Agent::add_remote_name).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCandidate {
    foundation: String,
    component: u16,
    priority: u32,
    name: String,
    port: u16,
    kind: CandidateKind,
    tcp: Option<TcpType>,
}

/// How long a version 4 UUID is in text (RFC 4122 §3).
const UUID: usize = 36;

impl NamedCandidate {
    /// A candidate as it was signalled, over UDP. The name is a version 4 UUID and `.local` (§3.1.1
    /// of the draft; others are not resolved, §3.2.2, as they may name any device); upper case
    /// counts as lower case.
    ///
    /// # Errors
    ///
    /// [`CandidateError`] names the part that no agent can have signalled: leave it out.
    pub fn new(
        foundation: &str,
        component: u16,
        priority: u32,
        name: &str,
        port: u16,
        kind: CandidateKind,
    ) -> Result<Self, CandidateError> {
        check_signalled(foundation, component, priority)?;
        let name = name.to_ascii_lowercase();
        let uuid = name.strip_suffix(".local").ok_or(CandidateError::Name)?;
        if !is_uuid(uuid) {
            return Err(CandidateError::Name);
        }
        if port == 0 {
            return Err(CandidateError::Address);
        }
        Ok(Self {
            foundation: foundation.to_owned(),
            component,
            priority,
            name,
            port,
            kind,
            tcp: None,
        })
    }

    /// The same candidate over TCP (RFC 6544).
    #[must_use]
    pub const fn with_tcp_type(mut self, kind: TcpType) -> Self {
        self.tcp = Some(kind);
        self
    }

    /// The name, lower case, with `.local`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The component, 1 to 256.
    #[must_use]
    pub const fn component(&self) -> u16 {
        self.component
    }

    /// The candidate with the address that the name has.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<Candidate> {
        let candidate = Candidate::remote(
            &self.foundation,
            self.component,
            self.priority,
            address,
            self.kind,
            None,
        );
        let candidate = candidate.ok()?.concealed();
        Some(match self.tcp {
            Some(kind) => candidate.with_tcp_type(kind),
            None => candidate,
        })
    }
}

fn is_uuid(text: &str) -> bool {
    let fits = |(place, octet): (usize, u8)| match place {
        8 | 13 | 18 | 23 => octet == b'-',
        14 => octet == b'4',
        19 => matches!(octet, b'8' | b'9' | b'a' | b'b'),
        _ => octet.is_ascii_hexdigit(),
    };
    text.len() == UUID && text.bytes().enumerate().all(fits)
}
