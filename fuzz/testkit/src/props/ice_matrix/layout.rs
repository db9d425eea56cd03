//! A scenario on the map: realms, NATs, addresses. The oracle and the run read the same map.

use core::net::{IpAddr, SocketAddr};

use super::scenario::{AccessV4, AccessV6, Place, Scenario};
use crate::nat::{Behaviour, Dependence, Nat};
use crate::topology::{Realm, Topology};

/// The port of every socket of a peer.
const PORT: u16 = 5_000;
/// The port of every server.
const SERVER_PORT: u16 = 3_478;

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The realms.
    pub topology: Topology,
    /// The sockets of both peers.
    pub sockets: [Vec<(Realm, SocketAddr)>; 2],
    /// The realms behind a NAT or a firewall, and whether that is for IPv4.
    pub gateways: Vec<(Realm, bool)>,
    /// Under which addresses the first peer is known anywhere.
    pub identities: Vec<IpAddr>,
}

impl Layout {
    /// The map of a scenario.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let mut layout = Self {
            topology: Topology::default(),
            sockets: [Vec::new(), Vec::new()],
            gateways: Vec::new(),
            identities: Vec::new(),
        };
        for ip in server_ips() {
            layout.topology.place(Realm::PUBLIC, ip);
        }
        let provider = match scenario.place {
            Place::Apart | Place::Together => Realm::PUBLIC,
            Place::Sisters => {
                let realm = layout.topology.add_realm();
                let external = IpAddr::from([203, 0, 113, 100]);
                layout.gate(realm, Realm::PUBLIC, Nat::new(scenario.carrier, external));
                layout.identities.push(external);
                realm
            }
        };
        let first = layout.add_site(scenario, 0, provider);
        let second = match scenario.place {
            Place::Together => first,
            Place::Apart | Place::Sisters => layout.add_site(scenario, 1, provider),
        };
        for (side, (v4, v6)) in [first, second].into_iter().enumerate() {
            let host = u8::try_from(side).unwrap() + 2;
            let site = match scenario.place {
                Place::Together => 0,
                Place::Apart | Place::Sisters => side,
            };
            if let Some(realm) = v4 {
                let last = match scenario.place {
                    Place::Together => host,
                    // The same address twice, each in a realm of its own.
                    Place::Apart | Place::Sisters => 2,
                };
                let ip = if realm == Realm::PUBLIC {
                    IpAddr::from([203, 0, 113, host])
                } else if realm == provider {
                    IpAddr::from([100, 64, 0, host])
                } else {
                    IpAddr::from([192, 168, 1, last])
                };
                layout.bind(side, realm, ip);
            }
            if let Some(realm) = v6 {
                let site = u16::try_from(site).unwrap() + 1;
                let ip = IpAddr::from([0x2001, 0xdb8, site, 0, 0, 0, 0, host.into()]);
                layout.bind(side, realm, ip);
            }
        }
        layout
    }

    /// The realms of a site's hosts, by family.
    fn add_site(
        &mut self,
        scenario: &Scenario,
        index: usize,
        provider: Realm,
    ) -> (Option<Realm>, Option<Realm>) {
        let site = &scenario.sites[index];
        let v4 = match site.v4 {
            AccessV4::None => None,
            AccessV4::Open => Some(provider),
            AccessV4::Nat => {
                let realm = self.topology.add_realm();
                let last = u8::try_from(index).unwrap() + 51;
                let external = if provider == Realm::PUBLIC {
                    IpAddr::from([203, 0, 113, last])
                } else {
                    IpAddr::from([100, 64, 0, last])
                };
                if index == 0 {
                    self.identities.push(external);
                }
                self.gate(realm, provider, Nat::new(site.nat, external));
                Some(realm)
            }
        };
        let v6 = match site.v6 {
            AccessV6::None => None,
            AccessV6::Open => Some(Realm::PUBLIC),
            AccessV6::Firewall => {
                let realm = self.topology.add_realm();
                let strict = Behaviour {
                    filtering: Dependence::AddressAndPort,
                    ..site.nat
                };
                self.gate(realm, Realm::PUBLIC, Nat::firewall(strict));
                Some(realm)
            }
        };
        (v4, v6)
    }

    fn gate(&mut self, inside: Realm, outside: Realm, nat: Nat) {
        let is_ipv4 = nat.external().is_some();
        self.topology.set_gateway(inside, outside, nat);
        self.gateways.push((inside, is_ipv4));
    }

    fn bind(&mut self, side: usize, realm: Realm, ip: IpAddr) {
        if side == 0 {
            self.identities.push(ip);
        }
        self.topology.place(realm, ip);
        self.sockets[side].push((realm, SocketAddr::new(ip, PORT)));
    }

    /// A socket of the first peer in another network, which is open, for the families that both have.
    #[must_use]
    pub fn elsewhere(&self) -> Vec<SocketAddr> {
        let mut addresses: Vec<_> = self.sockets[1].iter().map(|(_, at)| at.is_ipv4()).collect();
        addresses.dedup();
        addresses
            .into_iter()
            .map(|is_ipv4| {
                let ip = if is_ipv4 {
                    IpAddr::from([203, 0, 113, 200])
                } else {
                    IpAddr::from([0x2001, 0xdb8, 0x99, 0, 0, 0, 0, 1])
                };
                SocketAddr::new(ip, PORT)
            })
            .collect()
    }
}

/// The first and the other address of the STUN server, by family.
#[must_use]
pub(super) fn stun_ips() -> [IpAddr; 4] {
    [
        IpAddr::from([198, 51, 100, 20]),
        IpAddr::from([198, 51, 100, 21]),
        IpAddr::from([0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0x20]),
        IpAddr::from([0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0x21]),
    ]
}

/// Where the TURN server listens and relays, by family.
#[must_use]
pub(super) fn turn_ips() -> [IpAddr; 2] {
    [
        IpAddr::from([198, 51, 100, 10]),
        IpAddr::from([0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0x10]),
    ]
}

fn server_ips() -> Vec<IpAddr> {
    [stun_ips().as_slice(), turn_ips().as_slice()].concat()
}

/// What a client asks on a server.
#[must_use]
pub(super) const fn service(ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, SERVER_PORT)
}
