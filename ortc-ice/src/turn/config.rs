//! What one client is configured with.

use core::time::Duration;

use super::PeerPolicy;
use crate::stun::LongTermCredentials;

/// Of which families relayed addresses are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Families {
    /// IPv4, which is what every server gives when it is not asked for anything else.
    #[default]
    V4,
    /// IPv6, by REQUESTED-ADDRESS-FAMILY (RFC 8656 §7.1).
    V6,
    /// IPv4 and IPv6 together, by ADDITIONAL-ADDRESS-FAMILY; a server that has only one of them
    /// gives that one.
    Both,
}

/// What the relay speaks with peers (REQUESTED-TRANSPORT, RFC 8656 §18.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RelayTransport {
    /// UDP.
    #[default]
    Udp,
    /// TCP connections (RFC 6062).
    Tcp,
}

/// The configuration of a [`Client`](super::Client).
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) credentials: LongTermCredentials,
    pub(super) families: Families,
    pub(super) lifetime: Option<Duration>,
    pub(super) software: Option<String>,
    pub(super) dont_fragment: bool,
    pub(super) mobility: bool,
    pub(super) policy: PeerPolicy,
    pub(super) permissions_max: usize,
    pub(super) channels_max: usize,
    pub(super) inbound_max: usize,
    pub(super) relay: RelayTransport,
    pub(super) connections_max: usize,
}

impl Config {
    /// The defaults, with these credentials.
    #[must_use]
    pub const fn new(credentials: LongTermCredentials) -> Self {
        Self {
            credentials,
            families: Families::V4,
            lifetime: None,
            software: None,
            dont_fragment: false,
            mobility: false,
            policy: PeerPolicy::Safe,
            permissions_max: 256,
            channels_max: 256,
            inbound_max: 512 * 1024,
            relay: RelayTransport::Udp,
            connections_max: 16,
        }
    }

    /// The families of the relayed addresses; IPv4 by default.
    #[must_use]
    pub const fn families(mut self, families: Families) -> Self {
        self.families = families;
        self
    }

    /// The lifetime to ask for (RFC 8656 §7.1), rounded down to seconds. By default the server
    /// decides, which means 10 minutes. Whatever it grants is refreshed in time.
    #[must_use]
    pub const fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// The value of SOFTWARE (RFC 8489 §14.14) in requests, cut to 127 characters; none by default.
    #[must_use]
    pub fn software(mut self, software: &str) -> Self {
        self.software = Some(software.chars().take(127).collect());
        self
    }

    /// Whether to ask with DONT-FRAGMENT (RFC 8656 §7.1); not by default. A server that does not
    /// know it is asked again without.
    #[must_use]
    pub const fn dont_fragment(mut self, ask: bool) -> Self {
        self.dont_fragment = ask;
        self
    }

    /// Whether to ask for a ticket with which the allocation survives a change of our address (RFC
    /// 8016); not by default, as the ticket is worth the allocation to whoever has it.
    #[must_use]
    pub const fn mobility(mut self, ask: bool) -> Self {
        self.mobility = ask;
        self
    }

    /// Which addresses may be peers.
    #[must_use]
    pub const fn peer_policy(mut self, policy: PeerPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// How many addresses may have a permission at a time; 256 by default.
    #[must_use]
    pub const fn permissions_max(mut self, most: usize) -> Self {
        self.permissions_max = most;
        self
    }

    /// How many peers may have a channel at a time; 256 by default, and never more than the 4096
    /// that there are (RFC 8656 §12).
    #[must_use]
    pub const fn channels_max(mut self, most: usize) -> Self {
        self.channels_max = most;
        self
    }

    /// What the relay speaks with peers; UDP by default. TCP (RFC 6062) needs a path over a stream.
    #[must_use]
    pub const fn relay_transport(mut self, transport: RelayTransport) -> Self {
        self.relay = transport;
        self
    }

    /// How many TCP connections with peers there may be at a time (RFC 6062), those that are being
    /// made included; 16 by default.
    #[must_use]
    pub const fn connections_max(mut self, most: usize) -> Self {
        self.connections_max = most;
        self
    }

    /// How many octets of peers' data may wait for `poll_data` (streams only); 512 KiB by default.
    /// Data beyond them is dropped and counted.
    #[must_use]
    pub const fn inbound_max(mut self, most: usize) -> Self {
        self.inbound_max = most;
        self
    }
}
