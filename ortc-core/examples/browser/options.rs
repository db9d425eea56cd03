//! What can be said on the command line.

use core::net::IpAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use ortc_core::{DtlsRole, RolePolicy};

/// Serves a page whose calls end here: camera and microphone are recorded and sent back, together
/// with a test film; two pages in one room see each other.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// TCP port of the page; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// Addresses for media; all of this machine's by default.
    #[arg(long = "address")]
    pub(crate) addresses: Vec<IpAddr>,
    /// UDP port of all calls; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) media_port: u16,
    /// Folder for the recordings.
    #[arg(long, default_value = "target/browser")]
    pub(crate) out: PathBuf,
    /// DTLS role of this side. It is said, because a browser that sends a ClientHello and gets one
    /// gives up.
    #[arg(long, value_enum, default_value_t = Dtls::Server)]
    pub(crate) dtls: Dtls,
    /// ICE role of this side. A page always begins as the controlling one.
    #[arg(long, value_enum, default_value_t = Ice::Controlled)]
    pub(crate) ice: Ice,
    /// Percentage of the datagrams to lose, both ways.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=50))]
    pub(crate) loss: u8,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Dtls {
    Client,
    Server,
}

impl From<Dtls> for DtlsRole {
    fn from(role: Dtls) -> Self {
        match role {
            Dtls::Client => Self::Client,
            Dtls::Server => Self::Server,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Ice {
    Controlled,
    /// Conflicts with the page, which the two have to settle (RFC 8445 §7.3.1.1).
    Controlling,
}

impl From<Ice> for RolePolicy {
    fn from(role: Ice) -> Self {
        match role {
            Ice::Controlled => Self::Controlled,
            Ice::Controlling => Self::Controlling,
        }
    }
}
