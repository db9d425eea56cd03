//! The handshakes that are looked at.

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::crypto::{NamedGroup, Provider};
use ortc_dtls::{Certificate, CertificateConfig, Config, HashAlgorithm, Role, Version};

use crate::cheap::Cheap;

/// The first interval of the timer.
pub(crate) const FIRST: Duration = Duration::from_millis(50);

pub(crate) const MTUS: [usize; 4] = [256, 576, 1200, 1500];

/// How a server asks for a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    Never,
    /// The endpoint, which in DTLS 1.3 keeps the first hello.
    Endpoint,
    /// Nothing is kept.
    Gate,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    version: Version,
    cookie: Cookie,
    /// Of client and server.
    groups: [&'static [NamedGroup]; 2],
}

const SHORT: &[NamedGroup] = &[NamedGroup::X25519];
/// A ClientHello with this first has shares of both: two datagrams even on a wide path.
const LONG: &[NamedGroup] = &[NamedGroup::X25519MLKEM768, NamedGroup::X25519];

/// With hellos that fit into a datagram of the usual size.
pub(crate) const SHORT_KINDS: [Kind; 6] = [
    Kind {
        name: "1.2",
        version: Version::DTLS12,
        cookie: Cookie::Never,
        groups: [SHORT; 2],
    },
    Kind {
        name: "1.2, HelloVerifyRequest",
        version: Version::DTLS12,
        cookie: Cookie::Gate,
        groups: [SHORT; 2],
    },
    Kind {
        name: "1.3",
        version: Version::DTLS13,
        cookie: Cookie::Never,
        groups: [SHORT; 2],
    },
    Kind {
        name: "1.3, HelloRetryRequest",
        version: Version::DTLS13,
        cookie: Cookie::Endpoint,
        groups: [SHORT; 2],
    },
    Kind {
        name: "1.3, HelloRetryRequest without state",
        version: Version::DTLS13,
        cookie: Cookie::Gate,
        groups: [SHORT; 2],
    },
    Kind {
        name: "1.2, HelloVerifyRequest of the endpoint",
        version: Version::DTLS12,
        cookie: Cookie::Endpoint,
        groups: [SHORT; 2],
    },
];

/// With a share of X25519MLKEM768 in both hellos.
pub(crate) const LONG_KINDS: [Kind; 3] = [
    Kind {
        name: "1.3, X25519MLKEM768",
        version: Version::DTLS13,
        cookie: Cookie::Never,
        groups: [LONG; 2],
    },
    Kind {
        name: "1.3, X25519MLKEM768 after HelloRetryRequest",
        version: Version::DTLS13,
        cookie: Cookie::Endpoint,
        groups: [
            &[NamedGroup::X25519, NamedGroup::X25519MLKEM768],
            &[NamedGroup::X25519MLKEM768],
        ],
    },
    Kind {
        name: "1.3, X25519MLKEM768, HelloRetryRequest without state",
        version: Version::DTLS13,
        cookie: Cookie::Gate,
        groups: [LONG; 2],
    },
];

pub(crate) fn kinds() -> impl Iterator<Item = Kind> {
    SHORT_KINDS.into_iter().chain(LONG_KINDS)
}

/// What the certificates come with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Issuers {
    None,
    Two,
}

/// What the handshakes of one kind have in common: all of them are the same handshake, octet for
/// octet, until the path does something to it.
pub(crate) struct Setup {
    providers: [Arc<Cheap>; 2],
    configs: [Arc<Config>; 2],
    pub(crate) mtu: usize,
    pub(crate) cookie: Cookie,
    /// How long a datagram takes.
    pub(crate) trip: Duration,
    pub(crate) origin: Instant,
}

/// A certificate, and what it is sent with.
fn certificate(issuers: Issuers, provider: &Arc<dyn Provider>) -> Certificate {
    if issuers == Issuers::None {
        return Certificate::generate(provider).unwrap();
    }
    let config = CertificateConfig::default();
    let [(own, key), one, other] =
        [(); 3].map(|()| Certificate::generate_with(provider, &config).unwrap());
    let chain = [own.der(), one.0.der(), other.0.der()];
    Certificate::from_chain(&chain, &key, provider).unwrap()
}

impl Setup {
    pub(crate) fn new(kind: Kind, mtu: usize, trip: Duration, issuers: Issuers) -> Self {
        let providers = [0, 1].map(|seed| Arc::new(Cheap::new(seed)));
        let shared: [Arc<dyn Provider>; 2] = [providers[0].clone(), providers[1].clone()];
        let certificates = [0, 1].map(|me: usize| certificate(issuers, &shared[me]));
        let configs = [0, 1].map(|me: usize| {
            let peer = certificates[1 - me].fingerprint(HashAlgorithm::Sha256);
            let config = Config::new(certificates[me].clone(), shared[me].clone())
                .versions(&[kind.version])
                .unwrap()
                .groups(kind.groups[me].to_vec())
                .unwrap()
                .mtu(mtu)
                .unwrap()
                .retransmission(FIRST, Duration::from_secs(60))
                .unwrap()
                .cookie_exchange(kind.cookie == Cookie::Endpoint)
                .expected_fingerprints(vec![peer]);
            Arc::new(config)
        });
        Self {
            providers,
            configs,
            mtu,
            cookie: kind.cookie,
            trip,
            origin: crate::pair::origin(),
        }
    }

    /// The configuration of a side that begins anew.
    pub(crate) fn begin(&self, role: Role) -> Arc<Config> {
        self.providers[role as usize].rewind();
        self.configs[role as usize].clone()
    }
}
