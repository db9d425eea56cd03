//! A NAT by the words of RFC 4787: mapping, filtering, hairpinning, expiry; and a firewall, which
//! filters and leaves addresses alone.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

/// How far something depends on the remote end (RFC 4787 §4.1 for mappings, §5 for filters).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependence {
    /// Endpoint-independent.
    Independent,
    /// Address-dependent.
    Address,
    /// Address- and port-dependent.
    AddressAndPort,
}

impl Dependence {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Independent, Self::Address, Self::AddressAndPort];

    /// What of a remote end matters.
    const fn of(self, remote: SocketAddr) -> Key {
        match self {
            Self::Independent => Key::Any,
            Self::Address => Key::Address(remote.ip()),
            Self::AddressAndPort => Key::AddressAndPort(remote),
        }
    }
}

/// As much of a remote end as a [`Dependence`] looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Any,
    Address(IpAddr),
    AddressAndPort(SocketAddr),
}

/// Whether two hosts inside reach each other by their external addresses (RFC 4787 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hairpin {
    /// They do; the one sees the external address of the other (REQ-9 a).
    On,
    /// They do not.
    Off,
}

/// Which packets keep a binding alive (RFC 4787 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refresh {
    /// Those from inside, as REQ-6 demands.
    Outbound,
    /// Those from outside too.
    Both,
}

/// What a NAT does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// When a second destination gets a second external port.
    pub mapping: Dependence,
    /// Who may send to an external port.
    pub filtering: Dependence,
    /// Between two hosts inside.
    pub hairpin: Hairpin,
    /// How long a binding, and a permission to pass its filter, lasts without a packet.
    pub expiry: Duration,
    /// Which packets count.
    pub refresh: Refresh,
}

impl Behaviour {
    /// A NAT with this mapping and filtering, without hairpinning, whose bindings last two minutes,
    /// the least that RFC 4787 REQ-5 allows.
    #[must_use]
    pub const fn new(mapping: Dependence, filtering: Dependence) -> Self {
        Self {
            mapping,
            filtering,
            hairpin: Hairpin::Off,
            expiry: Duration::from_secs(120),
            refresh: Refresh::Outbound,
        }
    }

    /// The same NAT with this hairpinning.
    #[must_use]
    pub const fn with_hairpin(self, hairpin: Hairpin) -> Self {
        Self { hairpin, ..self }
    }

    /// The same NAT whose bindings last this long.
    #[must_use]
    pub const fn with_expiry(self, expiry: Duration) -> Self {
        Self { expiry, ..self }
    }

    /// The same NAT with bindings that these packets keep alive.
    #[must_use]
    pub const fn with_refresh(self, refresh: Refresh) -> Self {
        Self { refresh, ..self }
    }
}

/// A binding of an external to an internal endpoint, with those whom its filter knows.
#[derive(Clone, Debug)]
struct Binding {
    internal: SocketAddr,
    key: Key,
    used_at: Instant,
    /// When each remote end was last sent to.
    sent_to: BTreeMap<SocketAddr, Instant>,
}

/// A NAT with one external address, or a firewall.
#[derive(Clone, Debug)]
pub struct Nat {
    behaviour: Behaviour,
    /// `None` for a firewall: the addresses inside are the addresses outside.
    external: Option<IpAddr>,
    next_port: u16,
    bindings: BTreeMap<SocketAddr, Binding>,
    by_inside: BTreeMap<(SocketAddr, Key), SocketAddr>,
}

/// The first external port; the ports of hosts are below.
const FIRST_PORT: u16 = 20_000;

impl Nat {
    /// A NAT with this external address.
    #[must_use]
    pub const fn new(behaviour: Behaviour, external: IpAddr) -> Self {
        Self {
            behaviour,
            external: Some(external),
            next_port: FIRST_PORT,
            bindings: BTreeMap::new(),
            by_inside: BTreeMap::new(),
        }
    }

    /// A firewall: filtering and expiry of the behaviour, no mapping, as RFC 6092 asks of IPv6.
    #[must_use]
    pub const fn firewall(behaviour: Behaviour) -> Self {
        let behaviour = Behaviour {
            mapping: Dependence::Independent,
            ..behaviour
        };
        Self {
            behaviour,
            external: None,
            next_port: FIRST_PORT,
            bindings: BTreeMap::new(),
            by_inside: BTreeMap::new(),
        }
    }

    /// Its address outside; `None` for a firewall.
    #[must_use]
    pub const fn external(&self) -> Option<IpAddr> {
        self.external
    }

    /// What it does.
    #[must_use]
    pub const fn behaviour(&self) -> Behaviour {
        self.behaviour
    }

    /// A packet from inside: as what source it leaves, with a binding made or kept alive.
    pub fn outbound(&mut self, from: SocketAddr, to: SocketAddr, now: Instant) -> SocketAddr {
        let key = self.behaviour.mapping.of(to);
        let known = self.by_inside.get(&(from, key)).copied();
        let external = match known.filter(|external| self.is_alive(external, now)) {
            Some(external) => external,
            None => self.bind(from, key, now),
        };
        if let Some(binding) = self.bindings.get_mut(&external) {
            binding.used_at = now;
            binding.sent_to.insert(to, now);
        }
        external
    }

    /// A packet from outside: to whom inside it goes, if it passes the filter.
    pub fn inbound(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        now: Instant,
    ) -> Option<SocketAddr> {
        if !self.is_alive(&to, now) {
            return None;
        }
        let Behaviour {
            filtering,
            expiry,
            refresh,
            ..
        } = self.behaviour;
        let binding = self.bindings.get_mut(&to)?;
        let wanted = filtering.of(from);
        let passes = filtering == Dependence::Independent
            || binding
                .sent_to
                .iter()
                .any(|(known, at)| filtering.of(*known) == wanted && now - *at < expiry);
        if passes && refresh == Refresh::Both {
            binding.used_at = now;
            if let Some(at) = binding.sent_to.get_mut(&from) {
                *at = now;
            }
        }
        passes.then_some(binding.internal)
    }

    /// Whether a packet from inside to this address comes back in, or is lost: `None` when it is
    /// for somebody else.
    #[must_use]
    pub fn hairpins(&self, to: IpAddr) -> Option<Hairpin> {
        (self.external == Some(to)).then_some(self.behaviour.hairpin)
    }

    /// How many bindings there are, those that have expired unnoticed included.
    #[must_use]
    pub fn bindings(&self) -> usize {
        self.bindings.len()
    }

    /// Forgets everything, as a box does that was restarted.
    pub fn reboot(&mut self) {
        self.bindings.clear();
        self.by_inside.clear();
    }

    fn is_alive(&self, external: &SocketAddr, now: Instant) -> bool {
        self.bindings
            .get(external)
            .is_some_and(|binding| now - binding.used_at < self.behaviour.expiry)
    }

    fn bind(&mut self, from: SocketAddr, key: Key, now: Instant) -> SocketAddr {
        let expiry = self.behaviour.expiry;
        let by_inside = &mut self.by_inside;
        self.bindings.retain(|_, binding| {
            let alive = now - binding.used_at < expiry;
            if !alive {
                by_inside.remove(&(binding.internal, binding.key));
            }
            alive
        });
        let external = match self.external {
            None => from,
            Some(ip) => {
                self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
                SocketAddr::new(ip, self.next_port)
            }
        };
        self.by_inside.insert((from, key), external);
        let binding = Binding {
            internal: from,
            key,
            used_at: now,
            sent_to: BTreeMap::new(),
        };
        self.bindings.insert(external, binding);
        external
    }
}
