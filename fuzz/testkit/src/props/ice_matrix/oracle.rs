//! Whether a path exists, from the map alone: no agent, no time, no loss.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeSet;
use std::time::Instant;

use super::layout::{Layout, service, stun_ips, turn_ips};
use super::scenario::Scenario;
use crate::nat::{Behaviour, Dependence};
use crate::topology::{Leg, Realm, Topology};

/// Somewhere that a peer sends from: a socket, or a relay of its TURN server.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Door {
    realm: Realm,
    address: SocketAddr,
    /// For a relay: the addresses that may send to it (RFC 8656 §9).
    permitted: Option<BTreeSet<IpAddr>>,
}

/// Two probers on a map. Each sends from all its doors to every address of the other that it was
/// told or has seen packets from, answers everything to where it came from, and takes an answer only
/// from where it asked: the tools of ICE (RFC 8445 §7), without its economy.
#[derive(Debug)]
struct Probers {
    topology: Topology,
    now: Instant,
    doors: [Vec<Door>; 2],
    /// From which door to where.
    targets: [BTreeSet<(usize, SocketAddr)>; 2],
    /// What was answered.
    answered: [BTreeSet<(usize, SocketAddr)>; 2],
}

/// A packet of one side can need an answer of the other to pass, and that one before: four rounds
/// reach what can be reached; the rest is margin. Two NATs whose ports change with every destination
/// would go on for ever.
const ROUNDS: usize = 8;

/// Whether the two peers of a scenario can reach each other with host, reflexive and relayed
/// candidates.
#[must_use]
pub fn path_exists(scenario: &Scenario, now: Instant) -> bool {
    let layout = Layout::new(scenario);
    let mut probers = Probers {
        topology: layout.topology,
        now,
        doors: layout.sockets.map(|sockets| {
            sockets
                .into_iter()
                .map(|(realm, address)| Door {
                    realm,
                    address,
                    permitted: None,
                })
                .collect()
        }),
        targets: Default::default(),
        answered: Default::default(),
    };
    let known = [0, 1].map(|side| probers.gather(scenario, side));
    for side in [0, 1] {
        let theirs = &known[1 - side];
        for (index, door) in probers.doors[side].iter_mut().enumerate() {
            if let Some(permitted) = &mut door.permitted {
                permitted.extend(theirs.iter().map(SocketAddr::ip));
            }
            let alike = |to: &&SocketAddr| to.is_ipv4() == door.address.is_ipv4();
            let pairs = theirs.iter().filter(alike).map(|to| (index, *to));
            probers.targets[side].extend(pairs);
        }
    }
    (0..ROUNDS).any(|_| probers.round())
}

impl Probers {
    /// The candidates of a side; its relays become doors.
    fn gather(&mut self, scenario: &Scenario, side: usize) -> Vec<SocketAddr> {
        let (stun, turn) = scenario.sites[side].servers.has();
        let mut known = Vec::new();
        let mut served = false;
        for door in self.doors[side].clone() {
            known.push(door.address);
            for (asked, servers) in [(stun, &stun_ips()[..]), (turn, &turn_ips()[..])] {
                let alike = |ip: &&IpAddr| ip.is_ipv4() == door.address.is_ipv4();
                let Some(ip) = servers.iter().find(alike).filter(|_| asked) else {
                    continue;
                };
                let leg = self
                    .topology
                    .leave(door.realm, door.address, service(*ip), self.now);
                if let Some(leg) = leg {
                    known.push(leg.from);
                    served |= servers.len() == turn_ips().len();
                }
            }
        }
        if served {
            for (index, ip) in turn_ips().into_iter().enumerate() {
                let port = 60_000 + u16::try_from(2 * side + index).unwrap();
                let address = SocketAddr::new(ip, port);
                known.push(address);
                self.doors[side].push(Door {
                    realm: Realm::PUBLIC,
                    address,
                    permitted: Some(BTreeSet::new()),
                });
            }
        }
        known
    }

    /// Everybody sends to everybody once. Says whether both have an answer over one pair.
    fn round(&mut self) -> bool {
        let mut joined = BTreeSet::new();
        for side in [0, 1] {
            for (from, to) in self.targets[side].clone() {
                let Some((door, source)) = self.carry(side, from, to) else {
                    continue;
                };
                self.targets[1 - side].insert((door, source));
                // Whoever shows up at one door is let in at the relays too.
                for relay in &mut self.doors[1 - side] {
                    if let Some(permitted) = &mut relay.permitted {
                        permitted.insert(source.ip());
                    }
                }
                // The answer goes back the way the question came.
                if self.carry(1 - side, door, source) == Some((from, to)) {
                    self.answered[side].insert((from, to));
                    joined.insert((side, (from, to), (door, source)));
                }
            }
        }
        joined
            .iter()
            .any(|(side, _, theirs)| self.answered[1 - *side].contains(theirs))
    }

    /// One packet: at which door of the other side it arrives, and from where, if it does.
    fn carry(&mut self, side: usize, from: usize, to: SocketAddr) -> Option<(usize, SocketAddr)> {
        let door = &self.doors[side][from];
        let leg = self
            .topology
            .leave(door.realm, door.address, to, self.now)?;
        let Leg { realm, from, to } = self.topology.enter(leg, self.now)?;
        let index = self.doors[1 - side]
            .iter()
            .position(|door| (door.realm, door.address) == (realm, to))?;
        let refused = self.doors[1 - side][index]
            .permitted
            .as_ref()
            .is_some_and(|permitted| !permitted.contains(&from.ip()));
        (!refused).then_some((index, from))
    }
}

/// Two peers, each behind one NAT of its own with one address, both with a STUN server and without a
/// relay, over IPv4: the table of who reaches whom (RFC 5128 §3.3 in the words of RFC 4787).
///
/// `s` is the address that the STUN server saw. A NAT with endpoint-independent mapping sends from
/// `s` to everybody; another sends to the peer from a port that nobody was told.
#[must_use]
pub fn hole_punching_works(a: &Behaviour, b: &Behaviour) -> bool {
    use Dependence::{AddressAndPort, Independent};
    let told = |nat: &Behaviour| nat.mapping == Independent;
    match (told(a), told(b)) {
        // Each sends to where the other sends from, so each filter knows the other.
        (true, true) => true,
        // The one with the unknown port is let in by whoever does not look at ports: its address is
        // known. Packets the other way pass a filter that has seen them leave.
        (true, false) => a.filtering != AddressAndPort,
        (false, true) => b.filtering != AddressAndPort,
        // Nobody sends to where the other sends from. A first packet comes in only through a filter
        // that lets in everybody. Its sender must then let in an answer from an unknown port of a
        // known address. And one of the two ports must stay the same when the peer answers from
        // another port than the one that was sent to.
        (false, false) => {
            let meets = |sender: &Behaviour, receiver: &Behaviour| {
                receiver.filtering == Independent && sender.filtering != AddressAndPort
            };
            let chase = a.mapping == AddressAndPort && b.mapping == AddressAndPort;
            !chase && (meets(a, b) || meets(b, a))
        }
    }
}
