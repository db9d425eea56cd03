//! The candidate attribute of SDP (RFC 8839 §5.1, RFC 6544 §4.5), for applications that signal with
//! it.

use core::fmt::Write;
use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;

use thiserror::Error;

use crate::candidate::{Candidate, CandidateError, CandidateKind, TcpType};
use crate::named_candidate::NamedCandidate;

/// A candidate of the peer as SDP spells it: with an address, or with a `.local` name.
///
/// ```
/// use ortc_ice::SignalledCandidate;
///
/// let line = "candidate:2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998";
/// let SignalledCandidate::Address(candidate) = line.parse()? else {
///     unreachable!("it has an address");
/// };
/// assert_eq!(candidate.to_sdp_attribute(), line);
/// # Ok::<(), ortc_ice::CandidateAttributeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalledCandidate {
    /// For [`Agent::add_remote_candidate`](crate::Agent::add_remote_candidate).
    Address(Candidate),
    /// For [`Agent::add_remote_name`](crate::Agent::add_remote_name).
    Name(NamedCandidate),
}

/// Why a line is no candidate attribute that can be used: leave the candidate out (RFC 8839 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CandidateAttributeError {
    /// It does not have the form of RFC 8839 §5.1.
    #[error("not a candidate attribute")]
    Form,
    /// A transport other than UDP and TCP.
    #[error("transport is not known")]
    Transport,
    /// A candidate type that is not known.
    #[error("candidate type is not known")]
    Kind,
    /// A TCP candidate without `tcptype`, one with an unknown one, or a UDP candidate with it.
    #[error("tcp type is missing or not known")]
    TcpType,
    /// A part that no agent can have signalled.
    #[error("candidate cannot be used")]
    Candidate(#[from] CandidateError),
}

impl Candidate {
    /// The candidate as an SDP attribute, without `a=`; for one of our own after the agent has
    /// given it foundation and priority.
    #[must_use]
    pub fn to_sdp_attribute(&self) -> String {
        let transport = if self.is_tcp() { "tcp" } else { "udp" };
        let kind = match self.kind() {
            CandidateKind::Host => "host",
            CandidateKind::ServerReflexive => "srflx",
            CandidateKind::PeerReflexive => "prflx",
            CandidateKind::Relayed => "relay",
        };
        let mut line = format!(
            "candidate:{} {} {transport} {} {} {} typ {kind}",
            self.foundation(),
            self.component(),
            self.priority(),
            self.address().ip(),
            self.address().port(),
        );
        if let Some(related) = self.related_address() {
            let _ = write!(line, " raddr {} rport {}", related.ip(), related.port());
        }
        let tcp_type = self.tcp_type().map(|kind| match kind {
            TcpType::Active => " tcptype active",
            TcpType::Passive => " tcptype passive",
            TcpType::SimultaneousOpen => " tcptype so",
        });
        line.push_str(tcp_type.unwrap_or_default());
        line
    }
}

impl FromStr for SignalledCandidate {
    type Err = CandidateAttributeError;

    /// Reads the attribute, with or without `a=`. Extensions that are not known are skipped, and so
    /// is a related address that cannot be read: it is for diagnostics only.
    fn from_str(text: &str) -> Result<Self, CandidateAttributeError> {
        use CandidateAttributeError::{Form, Kind, Transport};
        let text = text.strip_prefix("a=").unwrap_or(text);
        let line = text.strip_prefix("candidate:").ok_or(Form)?;
        let mut tokens = line.split(' ');
        let mut token = || tokens.next().ok_or(Form);
        let foundation = token()?;
        let component = number(token()?, 3)?;
        let transport = token()?;
        let priority = number(token()?, 10)?;
        let (address, port) = (token()?, number(token()?, 5)?);
        if token()? != "typ" {
            return Err(Form);
        }
        let kind = match token()? {
            "host" => CandidateKind::Host,
            "srflx" => CandidateKind::ServerReflexive,
            "prflx" => CandidateKind::PeerReflexive,
            "relay" => CandidateKind::Relayed,
            _ => return Err(Kind),
        };
        let (mut ip, mut rport, mut tcp) = (None, None, None);
        while let Some(name) = tokens.next() {
            let value = tokens.next().ok_or(Form)?;
            if name.is_empty() {
                return Err(Form);
            }
            match name {
                "raddr" => ip = value.parse::<IpAddr>().ok(),
                "rport" => rport = Some(number(value, 5)?),
                "tcptype" => tcp = Some(value),
                _ => {}
            }
        }
        let tcp = tcp_type(transport.eq_ignore_ascii_case("tcp"), tcp)?;
        if tcp.is_none() && !transport.eq_ignore_ascii_case("udp") {
            return Err(Transport);
        }
        let Ok(address) = address.parse::<IpAddr>() else {
            let named = NamedCandidate::new(foundation, component, priority, address, port, kind)?;
            return Ok(Self::Name(match tcp {
                Some(kind) => named.with_tcp_type(kind),
                None => named,
            }));
        };
        let related = ip.zip(rport).map(|(ip, port)| SocketAddr::new(ip, port));
        let address = SocketAddr::new(address, port);
        let candidate = Candidate::remote(foundation, component, priority, address, kind, related)?;
        Ok(Self::Address(match tcp {
            Some(kind) => candidate.with_tcp_type(kind),
            None => candidate,
        }))
    }
}

/// `tcptype`, which goes with TCP and with nothing else (RFC 6544 §4.5).
fn tcp_type(is_tcp: bool, value: Option<&str>) -> Result<Option<TcpType>, CandidateAttributeError> {
    match (is_tcp, value) {
        (true, Some("active")) => Ok(Some(TcpType::Active)),
        (true, Some("passive")) => Ok(Some(TcpType::Passive)),
        (true, Some("so")) => Ok(Some(TcpType::SimultaneousOpen)),
        (false, None) => Ok(None),
        (true, _) | (false, Some(_)) => Err(CandidateAttributeError::TcpType),
    }
}

/// A number of so many digits at most, and nothing but digits.
fn number<T: FromStr>(text: &str, digits: usize) -> Result<T, CandidateAttributeError> {
    let well_formed = text.len() <= digits && text.bytes().all(|octet| octet.is_ascii_digit());
    let parsed = text.parse().ok().filter(|_| well_formed);
    parsed.ok_or(CandidateAttributeError::Form)
}
