//! RTCIceServer (draft §2.3.4); its URIs are read by the layer that asks the servers.

use core::fmt;
use core::net::SocketAddr;
use std::time::Instant;

use ortc_ice::{GatherConfig, GatherError, Gatherer, ServerCredentials, ServerUri, TcpType};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::transport::Uplink;

use super::error::{ConnectionError, DescriptionError};

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
        let read = |uri: &String| {
            ServerUri::parse(uri).map_err(|problem| DescriptionError::ServerUri {
                uri: uri.clone(),
                problem,
            })
        };
        self.url.iter().map(read).collect()
    }

    /// User name for these URIs: the member, else what stands before `@` in the URI.
    #[must_use]
    pub fn user<'a>(&'a self, uri: &'a ServerUri) -> Option<&'a str> {
        self.username.as_deref().or(uri.user.as_deref())
    }
}

/// What there is to gather from beside local addresses over UDP.
pub(crate) struct Sources<'a> {
    pub(crate) servers: &'a [RTCIceServer],
    pub(crate) tcp: &'a [(SocketAddr, TcpType)],
    pub(crate) config: GatherConfig,
}

impl Sources<'_> {
    /// Who asks them; `None` when there is nothing to ask.
    pub(crate) fn uplink(
        self,
        seed: [u8; 32],
        now: Instant,
    ) -> Result<Option<Box<Uplink>>, SourceError> {
        if self.servers.is_empty() && self.tcp.is_empty() {
            return Ok(None);
        }
        let mut gatherer = Gatherer::new(self.config, seed, now);
        for server in self.servers {
            for uri in server.uris()? {
                let user = server.user(&uri).map(str::to_owned);
                let credentials = user
                    .zip(server.credential.as_deref())
                    .map(|(user, password)| ServerCredentials::new(user, password));
                gatherer.add_server(uri, credentials)?;
            }
        }
        for (address, kind) in self.tcp {
            gatherer.add_tcp_base(*address, *kind)?;
        }
        Ok(Some(Box::new(Uplink::new(gatherer))))
    }
}

/// A server or an address that cannot be used.
pub(crate) enum SourceError {
    Uri(DescriptionError),
    Gather(GatherError),
}

impl From<DescriptionError> for SourceError {
    fn from(error: DescriptionError) -> Self {
        Self::Uri(error)
    }
}

impl From<GatherError> for SourceError {
    fn from(error: GatherError) -> Self {
        Self::Gather(error)
    }
}

impl From<SourceError> for ConnectionError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Uri(error) => Self::Description(error),
            SourceError::Gather(error) => Self::Gather(error),
        }
    }
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
