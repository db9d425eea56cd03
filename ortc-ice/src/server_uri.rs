//! URIs of STUN and TURN servers (RFC 7064, RFC 7065).

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use core::str::FromStr;

use thiserror::Error;

/// The scheme of a server URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerScheme {
    /// `stun`, RFC 7064.
    Stun,
    /// `stuns`, STUN over TLS or DTLS.
    Stuns,
    /// `turn`, RFC 7065.
    Turn,
    /// `turns`, TURN over TLS or DTLS.
    Turns,
}

impl ServerScheme {
    /// Whether it names a relay.
    #[must_use]
    pub const fn is_turn(self) -> bool {
        matches!(self, Self::Turn | Self::Turns)
    }

    /// Whether it asks for TLS or DTLS.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Stuns | Self::Turns)
    }

    /// The port of a URI that names none (RFC 7064 §3.2, RFC 7065 §3.2).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        if self.is_secure() { 5349 } else { 3478 }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Stun => "stun",
            Self::Stuns => "stuns",
            Self::Turn => "turn",
            Self::Turns => "turns",
        }
    }
}

/// The `transport` of a TURN URI (RFC 7065 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerTransport {
    /// UDP, or DTLS for `turns`.
    Udp,
    /// TCP, or TLS for `turns`.
    Tcp,
}

/// Why something is not a server URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServerUriError {
    /// There is no colon.
    #[error("it has no scheme")]
    NoScheme,
    /// The scheme is none of the four.
    #[error("the scheme must be stun, stuns, turn or turns")]
    Scheme,
    /// A STUN URI has a query (RFC 7064 §3.1).
    #[error("only TURN URIs have a query")]
    StunQuery,
    /// The query is something else than a transport that we know.
    #[error("the query must be transport=udp or transport=tcp")]
    Query,
    /// A STUN URI names a user.
    #[error("only TURN URIs name a user")]
    StunUser,
    /// The user is empty.
    #[error("the user is empty")]
    EmptyUser,
    /// The user has a broken escape, or is not UTF-8.
    #[error("the user is not percent-encoded UTF-8")]
    User,
    /// An opening bracket without a closing one.
    #[error("the bracket is not closed")]
    Bracket,
    /// The brackets hold something else than an IPv6 address.
    #[error("between the brackets must stand an IPv6 address")]
    Ipv6,
    /// Something else than a port follows the brackets.
    #[error("only a port may follow the bracket")]
    AfterBracket,
    /// There is no host, or one that no resolver knows.
    #[error("the host is empty or has characters that no host has")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the port must be 1 to 65535")]
    Port,
}

/// A STUN or TURN URI.
///
/// ```
/// use ortc_ice::{ServerScheme, ServerTransport, ServerUri};
///
/// let uri: ServerUri = "turns:alice@turn.example.org?transport=tcp".parse()?;
/// assert_eq!(uri.scheme, ServerScheme::Turns);
/// assert_eq!((uri.host.as_str(), uri.port), ("turn.example.org", 5349));
/// assert_eq!(uri.transport, Some(ServerTransport::Tcp));
/// assert_eq!(uri.user.as_deref(), Some("alice"));
/// # Ok::<(), ortc_ice::ServerUriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerUri {
    /// Scheme.
    pub scheme: ServerScheme,
    /// Percent-decoded user, as in `turn:user@host`: not in RFC 7065, but in the ORTC draft and in
    /// older URIs.
    pub user: Option<String>,
    /// Host name or IP address, without the brackets of IPv6.
    pub host: String,
    /// Port; 3478, or 5349 for the secure schemes, when the URI names none.
    pub port: u16,
    /// Transport asked for; `None` leaves the choice.
    pub transport: Option<ServerTransport>,
}

impl ServerUri {
    /// Reads a URI.
    ///
    /// # Errors
    ///
    /// [`ServerUriError`] says what is wrong.
    pub fn parse(uri: &str) -> Result<Self, ServerUriError> {
        let (scheme, rest) = uri.split_once(':').ok_or(ServerUriError::NoScheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "stun" => ServerScheme::Stun,
            "stuns" => ServerScheme::Stuns,
            "turn" => ServerScheme::Turn,
            "turns" => ServerScheme::Turns,
            _ => return Err(ServerUriError::Scheme),
        };
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let transport = match query {
            None => None,
            Some(_) if !scheme.is_turn() => return Err(ServerUriError::StunQuery),
            Some("transport=udp") => Some(ServerTransport::Udp),
            Some("transport=tcp") => Some(ServerTransport::Tcp),
            Some(_) => return Err(ServerUriError::Query),
        };
        let (user, host_port) = match rest.rsplit_once('@') {
            Some((user, host_port)) if scheme.is_turn() => (Some(percent_decode(user)?), host_port),
            Some(_) => return Err(ServerUriError::StunUser),
            None => (None, rest),
        };
        let (host, port) = split_port(host_port)?;
        let port = match port {
            None => scheme.default_port(),
            Some(digits) => match digits.parse() {
                Ok(port) if port > 0 => port,
                Ok(_) | Err(_) => return Err(ServerUriError::Port),
            },
        };
        Ok(Self {
            scheme,
            user,
            host: host.to_owned(),
            port,
            transport,
        })
    }

    /// The host when it is an address, which nobody has to resolve.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// What carries the messages: the transport asked for, else UDP, and TCP for the secure schemes
    /// (RFC 5928 §3, whose first choice for them is TLS).
    #[must_use]
    pub fn transport(&self) -> ServerTransport {
        self.transport.unwrap_or(if self.scheme.is_secure() {
            ServerTransport::Tcp
        } else {
            ServerTransport::Udp
        })
    }
}

impl FromStr for ServerUri {
    type Err = ServerUriError;

    fn from_str(uri: &str) -> Result<Self, ServerUriError> {
        Self::parse(uri)
    }
}

/// A URI that reads back as the same value.
impl fmt::Display for ServerUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme.name())?;
        if let Some(user) = &self.user {
            for octet in user.bytes() {
                if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
                    write!(f, "{}", char::from(octet))?;
                } else {
                    write!(f, "%{octet:02X}")?;
                }
            }
            f.write_str("@")?;
        }
        if self.host.parse::<Ipv6Addr>().is_ok() {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if self.port != self.scheme.default_port() {
            write!(f, ":{}", self.port)?;
        }
        match self.transport {
            None => Ok(()),
            Some(ServerTransport::Udp) => f.write_str("?transport=udp"),
            Some(ServerTransport::Tcp) => f.write_str("?transport=tcp"),
        }
    }
}

fn split_port(host_port: &str) -> Result<(&str, Option<&str>), ServerUriError> {
    let (host, port) = if let Some(bracketed) = host_port.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or(ServerUriError::Bracket)?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(ServerUriError::Ipv6);
        }
        match rest {
            "" => (host, None),
            _ => (
                host,
                Some(rest.strip_prefix(':').ok_or(ServerUriError::AfterBracket)?),
            ),
        }
    } else {
        match host_port.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host_port, None),
        }
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:%".contains(&byte);
    if host.is_empty() || !host.bytes().all(allowed) {
        return Err(ServerUriError::Host);
    }
    Ok((host, port))
}

fn percent_decode(text: &str) -> Result<String, ServerUriError> {
    const BAD: ServerUriError = ServerUriError::User;
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || {
                bytes
                    .next()
                    .and_then(|digit| char::from(digit).to_digit(16))
                    .ok_or(BAD)
            };
            let value = digit()? * 16 + digit()?;
            decoded.push(u8::try_from(value).map_err(|_| BAD)?);
        } else {
            decoded.push(byte);
        }
    }
    if decoded.is_empty() {
        return Err(ServerUriError::EmptyUser);
    }
    String::from_utf8(decoded).map_err(|_| BAD)
}
