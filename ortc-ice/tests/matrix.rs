//! Two peers wherever two peers can be: they connect whenever a path exists.

use std::collections::BTreeSet;

use ortc_testkit::nat::{Behaviour, Dependence, Hairpin};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice_matrix::{
    AccessV4, AccessV6, Host, LENGTH, Place, ROLES, STORIES, Scenario, Servers, WEATHERS,
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

/// Each NAT against each, with each distribution of the roles: 405 runs.
#[test]
fn nat_against_nat_in_every_role() {
    let mut outcomes = [0, 0];
    for (index, a) in nats().into_iter().enumerate() {
        for (other, b) in nats().into_iter().enumerate() {
            for (third, roles) in ROLES.into_iter().enumerate() {
                let mut scenario = plain();
                scenario.seed = u16::try_from(index * 100 + other * 10 + third).unwrap();
                scenario.sites[0].nat = a;
                scenario.sites[1].nat = b;
                scenario.roles = roles;
                scenario.end_is_told = third % 2 == 0;
                let outcome = run(&scenario);
                outcomes[usize::from(outcome.connected)] += 1;
            }
        }
    }
    assert_eq!(outcomes[0] + outcomes[1], 405);
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

/// What is used, so that the grids above are what they say.
#[test]
fn the_grids_are_complete() {
    assert_eq!(STORIES.iter().collect::<BTreeSet<_>>().len(), 8);
    assert_eq!(WEATHERS.iter().collect::<BTreeSet<_>>().len(), 4);
    assert_eq!(ROLES.iter().collect::<BTreeSet<_>>().len(), 5);
}
