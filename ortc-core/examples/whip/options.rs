//! What can be said on the command line.

use core::net::{IpAddr, SocketAddr};

use clap::{Parser, ValueEnum};
use ortc_core::ice::Config;
use ortc_core::{MediaKind, RTCCodec, RolePolicy};

/// Takes what OBS, GStreamer, ffmpeg or a page publishes by WHIP (RFC 9725), and plays it to
/// everybody who asks by WHEP. The packets go on as they came: nothing is decoded.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Arguments {
    /// Where the HTTP server listens; port 0 takes a free one. Behind a server that speaks HTTPS,
    /// or on loopback, as here by default.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) http: SocketAddr,
    /// Addresses for media; all of this machine's by default.
    #[arg(long = "address")]
    pub(crate) addresses: Vec<IpAddr>,
    /// UDP port of all sessions; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) media_port: u16,
    /// Bearer token that every request must show; none is asked for by default.
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// STUN and TURN servers that clients are told of, for example stun:stun.example.net.
    #[arg(long = "ice-server")]
    pub(crate) ice_servers: Vec<String>,
    /// Video codecs that may be published, the best first; by default what the publisher likes
    /// best.
    #[arg(long, value_delimiter = ',')]
    pub(crate) video: Vec<String>,
    /// ICE of this side. Lite is what a server that everybody can reach needs, and some clients
    /// answer no checks as a full agent must have them answered.
    #[arg(long, value_enum, default_value_t = Ice::Lite)]
    pub(crate) ice: Ice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ice {
    /// Answers checks and sends none (RFC 8445 §2.5).
    Lite,
    /// Checks, and answers checks.
    Full,
}

impl From<Ice> for Config {
    fn from(ice: Ice) -> Self {
        match ice {
            // Whoever offers is controlling (RFC 8445 §6.1.1).
            Ice::Full => Self::default().role(RolePolicy::Controlled),
            Ice::Lite => Self::lite(),
        }
    }
}

impl Arguments {
    /// How much a codec is liked: the smallest number wins; `None` for one that is not.
    pub(crate) fn rank(&self, kind: MediaKind, codec: &RTCCodec) -> Option<usize> {
        if kind == MediaKind::Audio || self.video.is_empty() {
            return Some(0);
        }
        let mut names = self.video.iter();
        names.position(|name| name.eq_ignore_ascii_case(&codec.name))
    }
}
