//! What can be said on the command line.

use core::net::IpAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use ortc_core::dtls::Version;
use ortc_core::ice::Config;
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
    /// DTLS role of this side.
    #[arg(long, value_enum, default_value_t = Dtls::Auto)]
    pub(crate) dtls: Dtls,
    /// Calls at a time; a page beyond them is told so.
    #[arg(long, default_value_t = 256)]
    pub(crate) calls: usize,
    /// Takes a page that does not say its fingerprint for who it shows itself to be.
    #[arg(long)]
    pub(crate) trust_first: bool,
    /// Serves the page from this folder and not the one in the program, to work on it.
    #[arg(long)]
    pub(crate) page: Option<PathBuf>,
    /// The only version of DTLS to speak; by default 1.3 or 1.2, as the page likes.
    #[arg(long, value_enum)]
    pub(crate) dtls_version: Option<DtlsVersion>,
    /// Prefer X25519MLKEM768 for the key exchange, which DTLS 1.3 has.
    #[arg(long)]
    pub(crate) post_quantum: bool,
    /// ICE role of this side. A page always begins as the controlling one.
    #[arg(long, value_enum, default_value_t = Ice::Controlled)]
    pub(crate) ice: Ice,
    /// Percentage of the datagrams to lose, both ways.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=50))]
    pub(crate) loss: u8,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Dtls {
    /// Left open by both sides: their credentials decide.
    Auto,
    Client,
    Server,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DtlsVersion {
    #[value(name = "1.2")]
    Dtls12,
    #[value(name = "1.3")]
    Dtls13,
}

impl From<DtlsVersion> for Version {
    fn from(version: DtlsVersion) -> Self {
        match version {
            DtlsVersion::Dtls12 => Self::DTLS12,
            DtlsVersion::Dtls13 => Self::DTLS13,
        }
    }
}

impl From<Dtls> for DtlsRole {
    fn from(role: Dtls) -> Self {
        match role {
            Dtls::Auto => Self::Auto,
            Dtls::Client => Self::Client,
            Dtls::Server => Self::Server,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ice {
    Controlled,
    /// Lite: answers checks and sends none (RFC 8445 §2.5).
    Lite,
    /// Conflicts with the page, which the two have to settle (RFC 8445 §7.3.1.1).
    Controlling,
}

impl From<Ice> for Config {
    fn from(role: Ice) -> Self {
        match role {
            Ice::Controlled => Self::default().role(RolePolicy::Controlled),
            Ice::Controlling => Self::default().role(RolePolicy::Controlling),
            Ice::Lite => Self::lite(),
        }
    }
}
