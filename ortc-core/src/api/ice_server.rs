//! RTCIceServer and its URIs (draft §2.3.4, RFC 7064, RFC 7065).

use core::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::error::DescriptionError;

/// A STUN or TURN server (draft §2.3.4).
#[doc(alias = "RtcIceServer")]
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RTCIceServer {
    /// URIs of one server; in JSON a string, as the draft's example has it, or a list, as its IDL.
    #[serde(with = "one_or_many")]
    pub url: Vec<String>,
    /// Password for a TURN server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// User for a TURN server; our extension, wins over the user inside the URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

impl fmt::Debug for RTCIceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RTCIceServer")
            .field("url", &self.url)
            .field(
                "credential",
                &self.credential.as_ref().map(|_| "<redacted>"),
            )
            .field("username", &self.username)
            .finish()
    }
}

impl Drop for RTCIceServer {
    fn drop(&mut self) {
        self.credential.zeroize();
    }
}

impl RTCIceServer {
    /// A server with one URI and no credential.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: vec![url.into()],
            credential: None,
            username: None,
        }
    }

    /// The URIs, read.
    ///
    /// # Errors
    ///
    /// [`DescriptionError::ServerUri`] for the first that cannot be read.
    pub fn uris(&self) -> Result<Vec<ServerUri>, DescriptionError> {
        self.url.iter().map(|uri| ServerUri::parse(uri)).collect()
    }

    /// User name for these URIs: the member, else what stands before `@` in the URI.
    #[must_use]
    pub fn user<'a>(&'a self, uri: &'a ServerUri) -> Option<&'a str> {
        self.username.as_deref().or(uri.user.as_deref())
    }
}

/// The scheme of a server URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// The `transport` of a TURN URI (RFC 7065 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerTransport {
    /// UDP, or DTLS for `turns`.
    Udp,
    /// TCP, or TLS for `turns`.
    Tcp,
}

/// A STUN or TURN URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUri {
    /// Scheme.
    pub scheme: ServerScheme,
    /// Percent-decoded user, as in the draft's `turn:user@host`.
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
    /// [`DescriptionError::ServerUri`] says what is wrong.
    pub fn parse(uri: &str) -> Result<Self, DescriptionError> {
        Self::read(uri).map_err(|problem| DescriptionError::ServerUri {
            uri: uri.to_owned(),
            problem,
        })
    }

    fn read(uri: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = uri.split_once(':').ok_or("it has no scheme")?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "stun" => ServerScheme::Stun,
            "stuns" => ServerScheme::Stuns,
            "turn" => ServerScheme::Turn,
            "turns" => ServerScheme::Turns,
            _ => return Err("the scheme must be stun, stuns, turn or turns"),
        };
        let is_turn = matches!(scheme, ServerScheme::Turn | ServerScheme::Turns);
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let transport = match query {
            None => None,
            Some(_) if !is_turn => return Err("only TURN URIs have a query"),
            Some("transport=udp") => Some(ServerTransport::Udp),
            Some("transport=tcp") => Some(ServerTransport::Tcp),
            Some(_) => return Err("the query must be transport=udp or transport=tcp"),
        };
        let (user, host_port) = match rest.rsplit_once('@') {
            Some((user, host_port)) if is_turn => (Some(percent_decode(user)?), host_port),
            Some(_) => return Err("only TURN URIs name a user"),
            None => (None, rest),
        };
        let (host, port) = split_port(host_port)?;
        let default_port = match scheme {
            ServerScheme::Stun | ServerScheme::Turn => 3478, // RFC 7064 §3.2
            ServerScheme::Stuns | ServerScheme::Turns => 5349,
        };
        let port = match port {
            None => default_port,
            Some(digits) => match digits.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err("the port must be 1 to 65535"),
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
}

fn split_port(host_port: &str) -> Result<(&str, Option<&str>), &'static str> {
    let (host, port) = if let Some(bracketed) = host_port.strip_prefix('[') {
        let (host, rest) = bracketed
            .split_once(']')
            .ok_or("the bracket is not closed")?;
        if host.parse::<core::net::Ipv6Addr>().is_err() {
            return Err("between the brackets must stand an IPv6 address");
        }
        match rest {
            "" => (host, None),
            _ => (
                host,
                Some(
                    rest.strip_prefix(':')
                        .ok_or("only a port may follow the bracket")?,
                ),
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
        return Err("the host is empty or has characters that no host has");
    }
    Ok((host, port))
}

fn percent_decode(text: &str) -> Result<String, &'static str> {
    const BAD: &str = "the user is not percent-encoded UTF-8";
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
        return Err("the user is empty");
    }
    String::from_utf8(decoded).map_err(|_| BAD)
}

/// `url` is a string in the draft's example and a list in its IDL; both are read.
mod one_or_many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }

    pub(super) fn serialize<S: Serializer>(urls: &[String], to: S) -> Result<S::Ok, S::Error> {
        match urls {
            [one] => one.serialize(to),
            many => many.serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
        Ok(match OneOrMany::deserialize(from)? {
            OneOrMany::One(url) => vec![url],
            OneOrMany::Many(urls) => urls,
        })
    }
}
