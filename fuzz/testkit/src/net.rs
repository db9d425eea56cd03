//! The virtual network: machines, links between them, and a clock that only this file moves.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Instant;

use crate::link::{Fate, Link};
use crate::topology::{Leg, Realm, Topology};

/// A machine that the network drives. Implemented for every machine of the workspace that sends.
pub trait Machine {
    /// A datagram arrived at `local` from `remote`.
    fn handle_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
        now: Instant,
    );
    /// The deadline passed.
    fn handle_timeout(&mut self, now: Instant);
    /// Appends the next datagram to `buf` and says from where and to where it goes.
    fn poll_transmit(
        &mut self,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Option<(SocketAddr, SocketAddr)>;
    /// The next deadline.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// Names one machine of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(usize);

/// One datagram as it was sent, for assertions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When it left.
    pub at: Instant,
    /// Who sent it.
    pub by: NodeId,
    /// From where.
    pub local: SocketAddr,
    /// To where.
    pub remote: SocketAddr,
    /// Its octets.
    pub contents: Vec<u8>,
    /// No copy of it gets as far as the last NAT before its receiver.
    pub lost: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct InFlight {
    at: Instant,
    order: u64,
    leg: Leg,
    contents: Vec<u8>,
}

/// Machines of one kind on one virtual network.
#[derive(Debug)]
pub struct Net<M> {
    start: Instant,
    now: Instant,
    nodes: Vec<M>,
    owners: BTreeMap<(Realm, SocketAddr), NodeId>,
    homes: BTreeMap<(NodeId, SocketAddr), Realm>,
    /// Who has all ports of an address that nobody else listens on.
    servers: BTreeMap<(Realm, IpAddr), NodeId>,
    /// The realms and what lies between them; one flat network unless told otherwise.
    pub topology: Topology,
    default_link: Link,
    links: BTreeMap<(SocketAddr, SocketAddr), Link>,
    blocked: BTreeSet<(SocketAddr, SocketAddr)>,
    fate: Fate,
    in_flight: BinaryHeap<core::cmp::Reverse<InFlight>>,
    order: u64,
    /// Every datagram sent so far, when `record` is on.
    pub log: Vec<Sent>,
    /// How many datagrams were sent so far.
    pub sent: usize,
    /// Whether datagrams are kept in `log`; on by default.
    pub record: bool,
}

/// A machine that is asked more often than this in one instant is stuck in a loop.
const LOOP_LIMIT: usize = 100_000;

impl<M: Machine> Net<M> {
    /// An empty network whose clock starts at an arbitrary instant; the links are perfect with
    /// 25 ms one way (50 ms round trip) unless told otherwise.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one arbitrary origin of the virtual clock"
    )]
    pub fn new(seed: u64) -> Self {
        let start = Instant::now();
        Self {
            start,
            now: start,
            nodes: Vec::new(),
            owners: BTreeMap::new(),
            homes: BTreeMap::new(),
            servers: BTreeMap::new(),
            topology: Topology::default(),
            default_link: Link::perfect(Duration::from_millis(25)),
            links: BTreeMap::new(),
            blocked: BTreeSet::new(),
            fate: Fate::new(seed),
            in_flight: BinaryHeap::new(),
            order: 0,
            log: Vec::new(),
            sent: 0,
            record: true,
        }
    }

    /// The same network with this link wherever none was set.
    #[must_use]
    pub fn link(mut self, link: Link) -> Self {
        self.default_link = link;
        self
    }

    /// Replaces the default link from now on.
    pub fn set_link(&mut self, link: Link) {
        self.default_link = link;
    }

    /// Sets the link of one direction between two addresses.
    pub fn set_link_between(&mut self, from: SocketAddr, to: SocketAddr, link: Link) {
        self.links.insert((from, to), link);
    }

    /// Adds a machine that listens on these addresses.
    pub fn add(&mut self, machine: M, addresses: &[SocketAddr]) -> NodeId {
        let id = NodeId(self.nodes.len());
        self.nodes.push(machine);
        for address in addresses {
            self.attach(id, *address);
        }
        id
    }

    /// A machine listens on one more address from now on.
    pub fn attach(&mut self, id: NodeId, address: SocketAddr) {
        self.attach_in(Realm::PUBLIC, id, address);
    }

    /// A machine listens on one more address, in this realm, from now on.
    pub fn attach_in(&mut self, realm: Realm, id: NodeId, address: SocketAddr) {
        self.topology.place(realm, address.ip());
        self.owners.insert((realm, address), id);
        self.homes.insert((id, address), realm);
    }

    /// A machine listens on all ports of a public address on which no other listens.
    pub fn attach_all(&mut self, id: NodeId, ip: IpAddr) {
        self.topology.place(Realm::PUBLIC, ip);
        self.servers.insert((Realm::PUBLIC, ip), id);
    }

    /// A machine does not listen on an address any more; what it sends from there is lost.
    pub fn detach(&mut self, id: NodeId, address: SocketAddr) {
        if let Some(realm) = self.homes.get(&(id, address)) {
            self.owners.remove(&(*realm, address));
        }
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The virtual time since the network began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// A machine.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &M {
        &self.nodes[id.0]
    }

    /// A machine, to give it a command; what it wants to send leaves at the next step.
    pub fn node_mut(&mut self, id: NodeId) -> &mut M {
        &mut self.nodes[id.0]
    }

    /// The machines, without the network, in the order in which they were added.
    #[must_use]
    pub fn into_nodes(self) -> Vec<M> {
        self.nodes
    }

    /// Delivers a datagram made by the test, now, whatever the links say.
    pub fn inject(
        &mut self,
        to: NodeId,
        local: SocketAddr,
        remote: SocketAddr,
        contents: &mut [u8],
    ) {
        let now = self.now;
        self.nodes[to.0].handle_datagram(local, remote, contents, now);
    }

    /// Moves everything that is ready now: transmits, deliveries and deadlines at this instant.
    fn settle(&mut self) {
        let mut buf = Vec::with_capacity(2048);
        for _ in 0..LOOP_LIMIT {
            let mut quiet = true;
            for index in 0..self.nodes.len() {
                loop {
                    buf.clear();
                    let Some((local, remote)) = self.nodes[index].poll_transmit(&mut buf, self.now)
                    else {
                        break;
                    };
                    quiet = false;
                    self.send(NodeId(index), local, remote, &buf);
                }
                if self.nodes[index]
                    .poll_timeout()
                    .is_some_and(|at| at <= self.now)
                {
                    quiet = false;
                    self.nodes[index].handle_timeout(self.now);
                }
            }
            while self
                .in_flight
                .peek()
                .is_some_and(|next| next.0.at <= self.now)
            {
                let core::cmp::Reverse(mut flight) = self.in_flight.pop().unwrap();
                quiet = false;
                let now = self.now;
                let Some(leg) = self.topology.enter(flight.leg, now) else {
                    continue;
                };
                let owner = self.owners.get(&(leg.realm, leg.to));
                if let Some(to) = owner.or_else(|| self.servers.get(&(leg.realm, leg.to.ip()))) {
                    self.nodes[to.0].handle_datagram(leg.to, leg.from, &mut flight.contents, now);
                }
            }
            if quiet {
                return;
            }
        }
        panic!(
            "a machine never comes to rest: its deadline stays in the past, or it answers itself for ever"
        );
    }

    fn send(&mut self, by: NodeId, local: SocketAddr, remote: SocketAddr, contents: &[u8]) {
        let link = *self
            .links
            .get(&(local, remote))
            .unwrap_or(&self.default_link);
        self.sent += 1;
        let home = self.homes.get(&(by, local)).copied();
        let realm = home.unwrap_or(Realm::PUBLIC);
        let detached = home.is_some() && self.owners.get(&(realm, local)) != Some(&by);
        let blocked = detached || self.blocked.contains(&(local, remote));
        let leg = (!blocked)
            .then(|| self.topology.leave(realm, local, remote, self.now))
            .flatten();
        let mut lost = true;
        for delay in self.fate.arrivals(&link) {
            let Some(leg) = leg else {
                break;
            };
            lost = false;
            self.order += 1;
            self.in_flight.push(core::cmp::Reverse(InFlight {
                at: self.now + delay,
                order: self.order,
                leg,
                contents: contents.to_vec(),
            }));
        }
        if self.record {
            let contents = contents.to_vec();
            self.log.push(Sent {
                at: self.now,
                by,
                local,
                remote,
                contents,
                lost,
            });
        }
    }

    /// Loses everything between two addresses, in both directions, from now on.
    pub fn block(&mut self, a: SocketAddr, b: SocketAddr) {
        self.blocked.insert((a, b));
        self.blocked.insert((b, a));
    }

    /// Ends what `block` began.
    pub fn unblock(&mut self, a: SocketAddr, b: SocketAddr) {
        self.blocked.remove(&(a, b));
        self.blocked.remove(&(b, a));
    }

    /// The next instant at which anything happens.
    #[must_use]
    pub fn next_event(&self) -> Option<Instant> {
        let arrival = self.in_flight.peek().map(|next| next.0.at);
        let deadline = self.nodes.iter().filter_map(Machine::poll_timeout).min();
        arrival.into_iter().chain(deadline).min()
    }

    /// Runs for this long in virtual time.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.run_until(end, |_| false);
    }

    /// Runs until `done` says so or the instant `end` is reached; says whether `done` did.
    pub fn run_until(&mut self, end: Instant, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            match self.next_event() {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => {
                    self.now = self.now.max(end);
                    return false;
                }
            }
        }
    }
}
