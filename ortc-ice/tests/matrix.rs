//! Two peers wherever two peers can be: they connect whenever a path exists.

use core::time::Duration;

use ortc_testkit::nat::{Behaviour, Dependence, Hairpin};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice_matrix::{
    AccessV4, AccessV6, Host, LENGTH, Place, ROLES, SERVERS, STORIES, Scenario, Servers, WEATHERS,
    hole_punching_works, path_exists, property, run,
};
use proptest::prelude::*;

/// Two sites with a NAT each, STUN for both, fair weather.
fn plain() -> Scenario {
    Scenario::from_bytes(&[0; LENGTH])
}

/// The nine NATs of RFC 4787.
fn nats() -> Vec<Behaviour> {
    let mut all = Vec::new();
    for mapping in Dependence::ALL {
        for filtering in Dependence::ALL {
            all.push(Behaviour::new(mapping, filtering));
        }
    }
    all
}

/// What the probers of the oracle find is what the table says, for each NAT against each; so the one
/// is right about the other, both where there is a path and where there is none.
#[test]
fn the_oracle_agrees_with_the_table_of_hole_punching() {
    let now = Net::<Host>::new(0).now();
    let mut found = [0, 0];
    for a in nats() {
        for b in nats() {
            let mut scenario = plain();
            scenario.sites[0].nat = a;
            scenario.sites[1].nat = b;
            let works = hole_punching_works(&a, &b);
            assert_eq!(path_exists(&scenario, now), works, "{a:?} {b:?}");
            found[usize::from(works)] += 1;
            // A relay on either side reaches everybody who has told where he is.
            for side in [0, 1] {
                let mut relayed = scenario;
                relayed.sites[side].servers = Servers::Turn;
                assert!(path_exists(&relayed, now), "{a:?} {b:?} with a relay");
            }
            // Without servers nobody knows an address that leads anywhere.
            scenario.sites[0].servers = Servers::None;
            scenario.sites[1].servers = Servers::None;
            assert!(!path_exists(&scenario, now), "{a:?} {b:?} without servers");
            // Somebody on the internet needs none.
            scenario.sites[0].v4 = AccessV4::Open;
            assert!(path_exists(&scenario, now), "{b:?} to an open host");
        }
    }
    assert_eq!(found[0] + found[1], 81);
    assert!(found[0] > 20 && found[1] > 30, "{found:?}");
}

#[test]
fn the_oracle_knows_families_firewalls_and_neighbours() {
    let now = Net::<Host>::new(0).now();
    let mut scenario = plain();
    for site in &mut scenario.sites {
        site.v4 = AccessV4::None;
        site.v6 = AccessV6::Firewall;
        site.servers = Servers::None;
    }
    // RFC 6092: each opens its own firewall for the other.
    assert!(path_exists(&scenario, now));
    scenario.sites[1].v4 = AccessV4::Open;
    scenario.sites[1].v6 = AccessV6::None;
    assert!(!path_exists(&scenario, now), "one IPv6, one IPv4");
    scenario.sites[0].servers = Servers::Turn;
    assert!(path_exists(&scenario, now), "a relay has both");

    let symmetric = Behaviour::new(Dependence::AddressAndPort, Dependence::AddressAndPort);
    let mut neighbours = plain();
    neighbours.sites[0].nat = symmetric;
    neighbours.sites[1].nat = symmetric;
    neighbours.place = Place::Together;
    assert!(path_exists(&neighbours, now), "in one network");
    for (carrier, hairpin, expected) in [
        (Dependence::Independent, Hairpin::On, true),
        (Dependence::Independent, Hairpin::Off, false),
    ] {
        let mut sisters = plain();
        sisters.place = Place::Sisters;
        sisters.carrier = Behaviour::new(carrier, Dependence::Independent).with_hairpin(hairpin);
        assert_eq!(path_exists(&sisters, now), expected, "{hairpin:?}");
    }
}

#[test]
fn a_scenario_survives_being_written_down() {
    for byte in 0..=255 {
        let scenario = Scenario::from_bytes(&[byte; LENGTH]);
        assert_eq!(Scenario::from_bytes(&scenario.to_bytes()), scenario);
    }
}

/// Each NAT against each, with each distribution of the roles.
#[test]
fn nat_against_nat_in_every_role() {
    let mut grid = Grid::default();
    for a in nats() {
        for b in nats() {
            for roles in ROLES {
                let mut scenario = plain();
                scenario.sites[0].nat = a;
                scenario.sites[1].nat = b;
                scenario.roles = roles;
                scenario.manners.end_is_told = grid.runs() % 2 == 0;
                grid.run(scenario);
            }
        }
    }
    grid.report("NAT x NAT x roles", 405);
}

/// Each NAT of a kind against each, with each choice of servers on either side.
#[test]
fn nat_against_nat_with_any_servers() {
    let mut grid = Grid::default();
    for a in kinds() {
        for b in kinds() {
            for first in SERVERS {
                for second in SERVERS {
                    let mut scenario = plain();
                    scenario.sites[0].nat = a;
                    scenario.sites[1].nat = b;
                    scenario.sites[0].servers = first;
                    scenario.sites[1].servers = second;
                    scenario.manners.end_is_told = true;
                    grid.run(scenario);
                }
            }
        }
    }
    grid.report("NAT x NAT x servers", 144);
}

/// IPv4 through a NAT, directly, or not; IPv6 through a firewall, directly, or not; on either side,
/// with and without a relay.
#[test]
fn any_family_with_any_other() {
    let mut accesses = Vec::new();
    for v4 in [AccessV4::Nat, AccessV4::Open, AccessV4::None] {
        for v6 in [AccessV6::None, AccessV6::Open, AccessV6::Firewall] {
            if (v4, v6) != (AccessV4::None, AccessV6::None) {
                accesses.push((v4, v6));
            }
        }
    }
    let mut grid = Grid::default();
    for first in &accesses {
        for second in &accesses {
            for servers in [Servers::Stun, Servers::Turn] {
                let mut scenario = plain();
                for (site, access) in scenario.sites.iter_mut().zip([first, second]) {
                    (site.v4, site.v6) = *access;
                    site.nat = Behaviour::new(Dependence::Address, Dependence::AddressAndPort);
                }
                scenario.sites[0].servers = servers;
                scenario.manners.end_is_told = true;
                grid.run(scenario);
            }
        }
    }
    grid.report("families x families x relay", 128);
}

/// In one network, and behind one carrier, with and without hairpinning.
#[test]
fn neighbours_of_every_kind() {
    let mut grid = Grid::default();
    for place in [Place::Together, Place::Sisters] {
        for carrier in nats() {
            for hairpin in [Hairpin::On, Hairpin::Off] {
                for nat in kinds() {
                    let mut scenario = plain();
                    scenario.place = place;
                    scenario.carrier = carrier.with_hairpin(hairpin);
                    scenario.sites[0].nat = nat.with_hairpin(hairpin);
                    scenario.sites[1].nat = nat;
                    scenario.manners.end_is_told = true;
                    grid.run(scenario);
                }
            }
        }
    }
    grid.report("places x carriers x hairpin", 108);
}

/// Loss, disorder and duplicates; one side that begins late; candidates that come late.
#[test]
fn any_weather_and_any_pace_of_signalling() {
    let mut grid = Grid::default();
    for weather in WEATHERS {
        for skew in [0, 300, 2_000, 8_000] {
            for trickle in [0, 100, 1_500] {
                for strict in [false, true] {
                    for end_is_told in [false, true] {
                        let mut scenario = plain();
                        for site in &mut scenario.sites {
                            let mapping = Dependence::Independent;
                            site.nat = Behaviour::new(mapping, Dependence::AddressAndPort);
                        }
                        scenario.weather = weather;
                        scenario.skew = Duration::from_millis(skew);
                        scenario.trickle = Duration::from_millis(trickle);
                        scenario.strict = strict;
                        scenario.manners.end_is_told = end_is_told;
                        grid.run(scenario);
                    }
                }
            }
        }
    }
    grid.report("weather x skew x trickle", 192);
}

/// What can happen to a session, directly and through a relay.
#[test]
fn any_story_in_any_weather() {
    let mut grid = Grid::default();
    for story in STORIES {
        for weather in WEATHERS {
            for filtering in [Dependence::Address, Dependence::AddressAndPort] {
                for strict in [false, true] {
                    for data_counts in [false, true] {
                        let mut scenario = plain();
                        scenario.story = story;
                        scenario.weather = weather;
                        scenario.strict = strict;
                        scenario.manners.data_counts = data_counts;
                        for (site, servers) in scenario
                            .sites
                            .iter_mut()
                            .zip([Servers::Turn, Servers::Stun])
                        {
                            // By address: a hole can be punched; by port: it takes the relay.
                            site.nat = Behaviour::new(filtering, filtering)
                                .with_expiry(Duration::from_secs(30));
                            site.servers = servers;
                        }
                        scenario.sites[0].nat.mapping = match filtering {
                            Dependence::Independent | Dependence::Address => {
                                Dependence::Independent
                            }
                            Dependence::AddressAndPort => Dependence::AddressAndPort,
                        };
                        grid.run(scenario);
                    }
                }
            }
        }
    }
    grid.report("stories x weather", 256);
}

/// Runs of one grid, each with a seed of its own.
#[derive(Default)]
struct Grid {
    connected: usize,
    failed: usize,
    sent: usize,
    slowest: Duration,
}

impl Grid {
    fn runs(&self) -> usize {
        self.connected + self.failed
    }

    fn run(&mut self, scenario: Scenario) {
        let seed = u16::try_from(self.runs()).unwrap_or_default();
        let scenario = Scenario { seed, ..scenario };
        assert_eq!(Scenario::from_bytes(&scenario.to_bytes()), scenario);
        let outcome = run(&scenario);
        self.sent += outcome.sent;
        if outcome.connected {
            self.connected += 1;
            self.slowest = self.slowest.max(outcome.took);
        } else {
            self.failed += 1;
        }
    }

    fn report(&self, name: &str, runs: usize) {
        println!(
            "{name}: {} connected, the slowest after {:?}; {} without a path; {} datagrams",
            self.connected, self.slowest, self.failed, self.sent
        );
        assert_eq!(self.runs(), runs);
        assert!(self.connected > 0, "nothing was shown");
    }
}

/// One NAT that lets in everybody, one that lets in who was asked, one that is symmetric.
fn kinds() -> [Behaviour; 3] {
    [
        Behaviour::new(Dependence::Independent, Dependence::Independent),
        Behaviour::new(Dependence::Independent, Dependence::AddressAndPort),
        Behaviour::new(Dependence::AddressAndPort, Dependence::AddressAndPort),
    ]
}

/// Runs one scenario, as a failure printed it.
#[test]
fn one_scenario() {
    let Ok(text) = std::env::var("ICE_MATRIX") else {
        return;
    };
    let bytes = hex::decode(text).unwrap();
    let outcome = run(&Scenario::from_bytes(&bytes));
    println!("{outcome:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_two_peers_anywhere(data in prop::collection::vec(any::<u8>(), LENGTH)) {
        property(&data);
    }
}
