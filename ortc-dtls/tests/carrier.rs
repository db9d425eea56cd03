//! Handshakes whose flights something else carries: what travels in connectivity checks, as often
//! as there is one, and is lost as they are.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod craft13;
mod pair;

use core::time::Duration;
use std::collections::BTreeMap;

use craft13::Epoch;
use ortc_dtls::crypto::NamedGroup;
use ortc_dtls::{
    Carrier, CloseReason, Config, ConfigError, DropReason, Endpoint, Event, Role, Version,
};
use pair::{DELAY, Flying, Pair, pair_of, provider};

const VERSIONS: [Version; 2] = [Version::DTLS12, Version::DTLS13];
const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// Between two checks of one side.
const CHECKS: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(60);

/// A pair, and what carries the flights of some of its sides.
struct Carried {
    pair: Pair,
    by: [Carrier; 2],
    mtu: usize,
    /// Every datagram that was carried, the last time of each.
    carried: Vec<(Role, Vec<u8>)>,
}

/// Which of a hundred are lost, always the same ones.
struct Losses {
    state: u64,
    percent: u64,
}

impl Losses {
    fn next(&mut self) -> bool {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005) | 1;
        self.state = self.state.rotate_left(17).wrapping_add(0x9e37_79b9);
        (self.state >> 33) % 100 < self.percent
    }
}

const fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

impl Carried {
    fn new(version: Version, by: [Carrier; 2], mtu: usize) -> Self {
        Self::adapted(version, by, mtu, |config| config)
    }

    fn adapted(
        version: Version,
        by: [Carrier; 2],
        mtu: usize,
        adapt: impl Fn(Config) -> Config,
    ) -> Self {
        let adapt = |config: Config| adapt(config.key_log(true));
        let mut pair = pair_of([&[version]; 2], &provider(), adapt);
        let now = pair.now;
        for role in ROLES {
            pair.side(role).carry_flights(by[role as usize], now);
        }
        Self {
            pair,
            by,
            mtu,
            carried: Vec::new(),
        }
    }

    /// One check of this side: each datagram of its flight in a message of its own.
    fn check(&mut self, role: Role, losses: &mut Losses) {
        let at = self.pair.now + DELAY;
        let flight = self.pair.side(role).flight(self.mtu).unwrap();
        let datagrams: Vec<Vec<u8>> = flight.datagrams().map(<[u8]>::to_vec).collect();
        for contents in datagrams {
            assert!(contents.len() <= self.mtu);
            if !self.carried.contains(&(role, contents.clone())) {
                self.carried.push((role, contents.clone()));
            }
            if !losses.next() {
                let to = other(role);
                self.pair.flying.push(Flying { at, to, contents });
            }
        }
    }

    fn done(&self) -> bool {
        let awaits = |endpoint: &Endpoint| endpoint.awaits_answer();
        self.pair.connected() && !awaits(&self.pair.client) && !awaits(&self.pair.server)
    }

    /// Checks and, for sides without carrier, datagrams, both lossy, until the handshake is done.
    fn run(&mut self, losses: &mut Losses) -> bool {
        let end = self.pair.now + LIMIT;
        let mut round = 0_u32;
        while !self.done() && self.pair.now < end {
            round += 1;
            for role in ROLES {
                if self.by[role as usize] == Carrier::Outside {
                    self.check(role, losses);
                    if round.is_multiple_of(20) {
                        self.pair.side(role).renew_flight();
                    }
                }
            }
            let path = |_, _, _: &[u8]| {
                if losses.next() { vec![] } else { vec![DELAY] }
            };
            self.pair.run(CHECKS, path, |_| false);
        }
        self.done()
    }

    fn give_back(&mut self) {
        let now = self.pair.now;
        for role in ROLES {
            self.pair.side(role).carry_flights(Carrier::Datagrams, now);
        }
    }
}

#[test]
fn a_handshake_needs_nothing_but_the_carrier() {
    for version in VERSIONS {
        for mtu in [256, 1000] {
            for percent in [0, 20, 50] {
                for seed in 0..8 {
                    let mut carried = Carried::new(version, [Carrier::Outside; 2], mtu);
                    let state = seed;
                    assert!(
                        carried.run(&mut Losses { state, percent }),
                        "{version}, {mtu} octets, {percent} %, {seed}"
                    );
                    let sent = &carried.pair.sent;
                    assert!(sent.is_empty(), "no datagram of the endpoint's own");
                    carried.give_back();
                    carried.pair.assert_works();
                    for endpoint in [&carried.pair.client, &carried.pair.server] {
                        assert_eq!(endpoint.stats().retransmissions, 0);
                        assert_eq!(endpoint.poll_timeout(), None);
                    }
                }
            }
        }
    }
}

#[test]
fn one_side_may_have_a_carrier_and_the_other_not() {
    for version in VERSIONS {
        for by in [
            [Carrier::Outside, Carrier::Datagrams],
            [Carrier::Datagrams, Carrier::Outside],
        ] {
            for percent in [0, 20, 50] {
                for seed in 0..8 {
                    let mut carried = Carried::new(version, by, 1000);
                    let state = seed;
                    assert!(
                        carried.run(&mut Losses { state, percent }),
                        "{version} {by:?} {percent} % {seed}"
                    );
                    let sent = &carried.pair.sent;
                    let outside = |role: Role| by[role as usize] == Carrier::Outside;
                    assert!(sent.iter().all(|(role, _)| !outside(*role)));
                    carried.give_back();
                    carried.pair.assert_works();
                }
            }
        }
    }
}

/// A carrier that stops after so many checks: the path came up meanwhile.
#[test]
fn a_handshake_that_began_with_the_carrier_goes_on_without_it() {
    for version in VERSIONS {
        for checks in 0..6 {
            let mut carried = Carried::new(version, [Carrier::Outside; 2], 1000);
            let (state, percent) = (1, 0);
            for _ in 0..checks {
                for role in ROLES {
                    carried.check(role, &mut Losses { state, percent });
                }
                let path = |_, _, _: &[u8]| vec![DELAY];
                carried.pair.run(CHECKS / 2, path, |_| false);
            }
            assert!(carried.pair.sent.is_empty());
            carried.give_back();
            assert!(carried.pair.connect(), "{version} after {checks}");
            carried.pair.settle();
            carried.pair.assert_works();
            assert!(carried.done());
            assert_eq!(carried.pair.client.poll_timeout(), None);
            assert_eq!(carried.pair.server.poll_timeout(), None);
        }
    }
}

/// What travels both ways at once is twice the same handshake.
#[test]
fn flights_may_be_carried_and_sent_as_well() {
    for version in VERSIONS {
        for seed in 0..8 {
            let mut carried = Carried::new(version, [Carrier::Datagrams; 2], 1000);
            let mut losses = Losses {
                state: seed,
                percent: 30,
            };
            let end = carried.pair.now + LIMIT;
            while !carried.done() {
                assert!(carried.pair.now < end, "{version} {seed}");
                for role in ROLES {
                    carried.check(role, &mut losses);
                }
                let path = |_, _, _: &[u8]| if losses.next() { vec![] } else { vec![DELAY] };
                carried.pair.run(CHECKS, path, |_| false);
            }
            carried.pair.assert_works();
        }
    }
}

#[test]
fn with_ids_cookies_and_long_hellos_it_is_the_same() {
    for version in VERSIONS {
        let adapt = |config: Config| {
            let groups = vec![NamedGroup::X25519MLKEM768, NamedGroup::X25519];
            config
                .groups(groups)
                .unwrap()
                .cookie_exchange(true)
                .connection_id_length(Some(60))
        };
        for (state, percent) in [(1, 0), (2, 30)] {
            let mut carried = Carried::adapted(version, [Carrier::Outside; 2], 256, adapt);
            assert!(carried.run(&mut Losses { state, percent }), "{version}");
            carried.give_back();
            carried.pair.assert_works();
        }
    }
}

#[test]
fn the_generation_says_when_there_is_something_else_to_carry() {
    for version in VERSIONS {
        let mut carried = Carried::new(version, [Carrier::Outside; 2], 300);
        let mut seen: [BTreeMap<u32, Vec<Vec<u8>>>; 2] = Default::default();
        let mut losses = Losses {
            state: 3,
            percent: 20,
        };
        for _ in 0..60 {
            for role in ROLES {
                carried.check(role, &mut losses);
                let side = carried.pair.side(role);
                let before = side.flight_generation();
                let flight = side.flight(300).unwrap();
                assert_eq!(flight.generation(), before);
                let datagrams: Vec<_> = flight.datagrams().map(<[u8]>::to_vec).collect();
                assert_eq!(flight.is_empty(), datagrams.is_empty());
                let same = seen[role as usize]
                    .entry(before)
                    .or_insert(datagrams.clone());
                assert_eq!(*same, datagrams, "{version} {role:?}");
            }
            let path = |_, _, _: &[u8]| vec![DELAY];
            carried.pair.run(CHECKS, path, |_| false);
        }
        assert!(carried.done());
        for generations in &seen {
            assert!(generations.len() >= 2, "{version}");
        }
        // Another size or a renewed flight is another making.
        let client = &mut carried.pair.client;
        let before = client.flight_generation();
        client.renew_flight();
        assert_ne!(client.flight_generation(), before);
    }
}

/// No number of a protected record is used for two different ones, however often flights are
/// looked at, at whatever size, and sent besides.
#[test]
fn no_record_number_is_used_twice() {
    for version in VERSIONS {
        let mut carried = Carried::new(version, [Carrier::Datagrams; 2], 1000);
        let mut losses = Losses {
            state: 5,
            percent: 30,
        };
        for round in 0..100_usize {
            for role in ROLES {
                carried.mtu = [256, 300, 1000][round % 3];
                carried.check(role, &mut losses);
                if round.is_multiple_of(7) {
                    carried.pair.side(role).renew_flight();
                }
            }
            let path = |_, _, _: &[u8]| if losses.next() { vec![] } else { vec![DELAY] };
            carried.pair.run(CHECKS, path, |_| false);
        }
        assert!(carried.done());
        let all: Vec<_> = (carried.pair.sent.iter()).chain(&carried.carried).collect();
        let mut made = 0;
        for role in ROLES {
            let mut records: BTreeMap<(u64, u64), Vec<u8>> = BTreeMap::new();
            let mut note = |number, record: &[u8]| {
                let same = records.entry(number).or_insert_with(|| record.to_vec());
                assert_eq!(*same, record, "{version} {role:?} {number:?}");
            };
            for (_, datagram) in all.iter().filter(|(from, _)| *from == role) {
                match version {
                    Version::DTLS12 => {
                        for (header, contents) in craft::records(datagram) {
                            if header.epoch == 1 {
                                note((1, header.sequence), &contents);
                            }
                        }
                    }
                    _ => {
                        for epoch in [2, 3] {
                            let keys = Epoch::of(&provider(), &carried.pair, role, epoch);
                            for record in craft13::split(datagram) {
                                if let Some(plain) = keys.open(&record) {
                                    note((epoch, plain.sequence), &record);
                                }
                            }
                        }
                    }
                }
            }
            made += records.len();
        }
        assert!(made > 4, "{version}: {made}");
    }
}

#[test]
fn the_endpoint_is_silent_while_it_is_carried_and_times_out_all_the_same() {
    for version in VERSIONS {
        let timeout = Duration::from_secs(9);
        let adapt = |config: Config| config.handshake_timeout(Some(timeout));
        let mut carried = Carried::adapted(version, [Carrier::Outside; 2], 1000, adapt);
        let start = carried.pair.now;
        let client = &mut carried.pair.client;
        assert_eq!(client.poll_timeout(), Some(start + timeout));
        assert_eq!(client.poll_transmit(&mut Vec::new(), start), None);
        client.restart_timer(start);
        assert_eq!(client.poll_transmit(&mut Vec::new(), start), None);
        assert!(client.awaits_answer());
        client.handle_timeout(start + timeout);
        let closed = client.poll_event();
        let reason = CloseReason::Timeout { alert: None };
        assert_eq!(closed, Some(Event::Closed(reason)));
        assert!(client.flight(1000).unwrap().is_empty());
        assert!(!client.awaits_answer());
    }
}

#[test]
fn a_datagram_that_was_carried_twice_counts_once() {
    for version in VERSIONS {
        let mut carried = Carried::new(version, [Carrier::Outside; 2], 1000);
        let (state, percent) = (1, 0);
        for _ in 0..40 {
            for role in ROLES {
                carried.check(role, &mut Losses { state, percent });
            }
            let path = |_, _, _: &[u8]| vec![DELAY];
            carried.pair.run(CHECKS, path, |_| false);
        }
        assert!(carried.done());
        let connected = |events: &[Event]| {
            let is = |event: &&Event| **event == Event::Connected;
            events.iter().filter(is).count()
        };
        for role in ROLES {
            assert_eq!(connected(&carried.pair.events[role as usize]), 1);
            assert!(carried.pair.closed(role).is_none());
        }
        // The server's last flight, or its acknowledgement, is carried until it is given up.
        assert!(!carried.pair.server.flight(1000).unwrap().is_empty());
        let client = carried.pair.client.stats();
        assert!(client.dropped(DropReason::Replayed) > 5, "{version}");
        carried.give_back();
        carried.pair.settle();
        carried.pair.assert_works();
    }
}

#[test]
fn a_size_that_no_datagram_may_have_is_refused() {
    let mut carried = Carried::new(Version::DTLS13, [Carrier::Datagrams; 2], 1000);
    let client = &mut carried.pair.client;
    for mtu in [0, 255, 16_385, usize::MAX] {
        assert_eq!(client.flight(mtu).unwrap_err(), ConfigError::Mtu);
    }
    for mtu in [256, 16_384] {
        let flight = client.flight(mtu).unwrap();
        assert!(flight.awaits_answer() && !flight.is_empty());
        assert!(flight.datagrams().all(|datagram| datagram.len() <= mtu));
    }
    // Where the peer wants a long id, a short datagram has no room.
    let adapt = |config: Config| config.connection_id_length(Some(200));
    let mut carried = Carried::adapted(Version::DTLS13, [Carrier::Datagrams; 2], 1000, adapt);
    assert!(carried.pair.connect());
    let client = &mut carried.pair.client;
    assert_eq!(client.flight(256).unwrap_err(), ConfigError::Mtu);
    assert!(client.flight(400).is_ok());
}
