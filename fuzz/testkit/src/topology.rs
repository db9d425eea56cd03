//! Where the machines of the virtual network are: realms of addresses, one inside the other, with
//! NATs and firewalls between them.

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::nat::{Hairpin, Nat};

/// A realm of addresses (RFC 2663 §2.1): within it everybody reaches everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Realm(usize);

impl Realm {
    /// The internet, where a machine is unless it was placed elsewhere.
    pub const PUBLIC: Self = Self(0);
}

/// One family's way out of a realm.
#[derive(Clone, Debug)]
struct Gateway {
    nat: Nat,
    outside: Realm,
}

/// The realms, who is in them, and what lies between them.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    realms: usize,
    hosts: BTreeSet<(Realm, IpAddr)>,
    /// By realm, and whether it is for IPv4.
    gateways: BTreeMap<(Realm, bool), Gateway>,
    cut: BTreeSet<IpAddr>,
    /// Packets that a NAT or a firewall did not let in.
    pub filtered: usize,
}

/// A packet on its way through one realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leg {
    /// The realm.
    pub realm: Realm,
    /// Its source there.
    pub from: SocketAddr,
    /// Its destination there.
    pub to: SocketAddr,
}

impl Topology {
    /// A new realm; it has no way out until it gets a gateway.
    pub fn add_realm(&mut self) -> Realm {
        self.realms += 1;
        Realm(self.realms)
    }

    /// The way out of a realm for one family: a NAT for the family of its external address, a
    /// firewall for IPv6.
    pub fn set_gateway(&mut self, inside: Realm, outside: Realm, nat: Nat) {
        let is_ipv4 = nat.external().is_some_and(|ip| ip.is_ipv4());
        self.gateways
            .insert((inside, is_ipv4), Gateway { nat, outside });
    }

    /// The gateway of a realm, to look at or to reboot.
    pub fn gateway_mut(&mut self, inside: Realm, is_ipv4: bool) -> Option<&mut Nat> {
        self.gateways
            .get_mut(&(inside, is_ipv4))
            .map(|gateway| &mut gateway.nat)
    }

    /// Somebody is there from now on.
    pub fn place(&mut self, realm: Realm, ip: IpAddr) {
        self.hosts.insert((realm, ip));
    }

    /// From now on everything from or to this address is lost, as the realm sees it in which the
    /// packet travels between its NATs.
    pub fn cut(&mut self, ip: IpAddr) {
        self.cut.insert(ip);
    }

    /// Ends what `cut` began.
    pub fn mend(&mut self, ip: IpAddr) {
        self.cut.remove(&ip);
    }

    /// A packet leaves a host: up through the gateways until it is in the realm of its destination.
    /// `None` when there is no way.
    pub fn leave(
        &mut self,
        realm: Realm,
        from: SocketAddr,
        to: SocketAddr,
        now: Instant,
    ) -> Option<Leg> {
        let mut leg = Leg { realm, from, to };
        while !self.is_here(leg.realm, to.ip()) {
            let gateway = self.gateways.get_mut(&(leg.realm, to.is_ipv4()))?;
            match gateway.nat.hairpins(to.ip()) {
                Some(Hairpin::Off) => return None,
                Some(Hairpin::On) | None => {}
            }
            leg.from = gateway.nat.outbound(leg.from, to, now);
            leg.realm = gateway.outside;
        }
        let lost = self.cut.contains(&leg.from.ip()) || self.cut.contains(&to.ip());
        (!lost).then_some(leg)
    }

    /// A packet arrives in the realm of its destination: down through the gateways to a host.
    /// `None` when one of them, or nobody, wants it.
    pub fn enter(&mut self, leg: Leg, now: Instant) -> Option<Leg> {
        let mut leg = leg;
        while !self.hosts.contains(&(leg.realm, leg.to.ip())) {
            let inside = self.inside_of(leg.realm, leg.to.ip())?;
            let gateway = self.gateways.get_mut(&(inside, leg.to.is_ipv4()))?;
            let Some(to) = gateway.nat.inbound(leg.from, leg.to, now) else {
                self.filtered += 1;
                return None;
            };
            leg = Leg {
                realm: inside,
                to,
                ..leg
            };
        }
        Some(leg)
    }

    /// Whether a packet in this realm for this address need not go further up: a host has it, or a
    /// gateway whose outside this realm is.
    fn is_here(&self, realm: Realm, ip: IpAddr) -> bool {
        self.hosts.contains(&(realm, ip)) || self.inside_of(realm, ip).is_some()
    }

    /// The realm behind the gateway that answers for an address.
    fn inside_of(&self, outside: Realm, ip: IpAddr) -> Option<Realm> {
        self.gateways
            .iter()
            .filter(|((_, is_ipv4), gateway)| {
                gateway.outside == outside && *is_ipv4 == ip.is_ipv4()
            })
            .find(|((inside, _), gateway)| match gateway.nat.external() {
                Some(external) => external == ip,
                None => self.is_here(*inside, ip),
            })
            .map(|((inside, _), _)| *inside)
    }
}
