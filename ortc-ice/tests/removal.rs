//! Local candidates that go: sockets that close, networks that shall not be used any more.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use core::net::SocketAddr;
use core::time::Duration;

use ortc_ice::{Agent, Candidate, Config, DropReason, Event, Path, PathState};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{Check, Node, deliver, puppet, sent};
use ortc_testkit::props::ice_candidates::{World, host, relay};

const SECOND: Duration = Duration::from_secs(1);

/// Both sides connected over the best of so many hosts each.
fn connected(hosts: usize) -> World {
    let mut world = World::new([Config::default(), Config::default()], 3);
    for side in [0, 1] {
        for index in 0..hosts {
            world.add(side, Candidate::host(host(side, index)).unwrap());
        }
    }
    world.connect();
    world.run_for(2 * SECOND);
    assert!(world.is_usable());
    world
}

fn count(world: &World, side: usize, is: impl Fn(&Event) -> bool) -> usize {
    world.sides[side]
        .events
        .iter()
        .filter(|event| is(event))
        .count()
}

#[test]
fn the_socket_in_use_goes_and_data_moves_to_another_valid_pair_at_once() {
    for side in [0, 1] {
        let mut world = connected(2);
        assert_eq!(world.data_paths()[side].unwrap().local, host(side, 0));
        world.unplug(side, host(side, 0));
        let path = world.data_paths()[side].unwrap();
        assert_eq!(path.local, host(side, 1), "without a moment in between");
        world.run_for(SECOND);
        assert!(world.is_usable());
        assert_eq!(
            count(&world, side, |event| *event == Event::ConsentExpired),
            0
        );
        // The other side notices by itself, or is told by the controlling one.
        world.run_for(10 * SECOND);
        let other = world.data_paths()[1 - side].unwrap();
        assert_eq!(other.remote, host(side, 1));
    }
}

#[test]
fn the_last_socket_goes_and_comes_back() {
    let mut world = connected(1);
    let before = world.sides[0]
        .agent
        .add_local_candidate(Candidate::host(host(0, 0)).unwrap(), world.now);
    world.unplug(0, host(0, 0));
    assert_eq!(world.data_paths()[0], None);
    world.run_for(SECOND);
    assert_eq!(count(&world, 0, |event| *event == Event::ConsentExpired), 1);
    assert!(world.sides[0].agent.stats().pairs.is_empty());

    let again = world.add(0, Candidate::host(host(0, 0)).unwrap());
    assert_eq!(
        Ok(again),
        before,
        "with the foundation and priority that it had"
    );
    assert!(world.run_until(2 * SECOND, |world| world.data_paths()[0].is_some()));
    assert_eq!(count(&world, 0, |event| *event == Event::Connected), 2);
}

#[test]
fn a_base_takes_along_what_was_learned_from_it() {
    let mut world = World::new([Config::default(), Config::default()], 3);
    let mapped: SocketAddr = "203.0.113.1:6000".parse().unwrap();
    world.add(0, Candidate::host(host(0, 0)).unwrap());
    let reflexive = Candidate::server_reflexive(mapped, host(0, 0), [192, 0, 2, 1].into()).unwrap();
    world.add(0, reflexive.clone());
    world.add(
        0,
        Candidate::relayed(relay(0, 0), mapped, [192, 0, 2, 1].into()).unwrap(),
    );
    world.add(1, Candidate::host(host(1, 0)).unwrap());
    world.connect();
    world.run_for(SECOND);
    assert_eq!(world.data_paths()[0].unwrap().local, host(0, 0));
    world.unplug(0, host(0, 0));
    assert_eq!(world.data_paths()[0].unwrap().local, relay(0, 0));
    let pairs = world.sides[0].agent.stats().pairs;
    assert!(pairs.iter().all(|pair| pair.path.local == relay(0, 0)));
    // It is not known any more, so that it is no twin of what is added now.
    let now = world.now;
    let placed = world.sides[0]
        .agent
        .add_local_candidate(reflexive, now)
        .unwrap();
    assert_eq!(placed.address(), mapped);
}

#[test]
fn a_reflexive_candidate_goes_alone() {
    let mut world = World::new([Config::default(), Config::default()], 3);
    let mapped: SocketAddr = "203.0.113.1:6000".parse().unwrap();
    world.add(0, Candidate::host(host(0, 0)).unwrap());
    world.add(
        0,
        Candidate::server_reflexive(mapped, host(0, 0), [192, 0, 2, 1].into()).unwrap(),
    );
    world.add(1, Candidate::host(host(1, 0)).unwrap());
    world.connect();
    world.run_for(SECOND);
    let path = world.data_paths()[0];
    let now = world.now;
    world.sides[0]
        .agent
        .remove_local_candidate(mapped, now)
        .unwrap();
    world.sides[0]
        .agent
        .remove_local_candidate(mapped, now)
        .unwrap();
    world.run_for(20 * SECOND);
    assert_eq!(world.data_paths()[0], path);
    assert_eq!(count(&world, 0, |event| *event == Event::ConsentExpired), 0);
}

#[test]
fn a_withdrawn_candidate_is_used_until_another_works() {
    let mut world = World::new([Config::default(), Config::default()], 3);
    for side in [0, 1] {
        world.add(side, Candidate::host(host(side, 0)).unwrap());
    }
    world.connect();
    world.run_for(SECOND);
    let controlling = usize::from(!world.sides[0].agent.is_controlling());
    let now = world.now;
    let ours = &mut world.sides[controlling].agent;
    ours.withdraw_local_candidate(host(controlling, 0), now)
        .unwrap();
    world.run_until(10 * SECOND, |world| {
        assert!(
            world.data_paths()[controlling].is_some(),
            "it works, so it stays"
        );
        false
    });
    assert_eq!(
        world.data_paths()[controlling].unwrap().local,
        host(controlling, 0)
    );

    world.add(controlling, Candidate::host(host(controlling, 1)).unwrap());
    world.run_until(10 * SECOND, |world| {
        assert!(world.is_usable(), "never without a path");
        false
    });
    assert_eq!(
        world.data_paths()[controlling].unwrap().local,
        host(controlling, 1)
    );
    assert_eq!(
        world.data_paths()[1 - controlling].unwrap().remote,
        host(controlling, 1)
    );
    let pairs = world.sides[controlling].agent.stats().pairs;
    assert!(
        pairs
            .iter()
            .all(|pair| pair.path.local == host(controlling, 1))
    );
    // The socket may be closed now.
    world.sides[controlling]
        .sockets
        .remove(&host(controlling, 0));
    world.run_for(40 * SECOND);
    assert!(world.is_usable());
}

#[test]
fn a_withdrawn_candidate_that_is_added_again_is_what_it_was() {
    let mut world = connected(1);
    let now = world.now;
    let ours = &mut world.sides[0].agent;
    let candidate = || Candidate::host(host(0, 0)).unwrap();
    let before = ours.add_local_candidate(candidate(), now).unwrap();
    let pairs = ours.stats().pairs;
    ours.withdraw_local_candidate(host(0, 0), now).unwrap();
    assert_ne!(ours.stats().pairs, pairs, "its pair is the last choice");
    assert_eq!(ours.add_local_candidate(candidate(), now).unwrap(), before);
    assert_eq!(ours.stats().pairs[0].priority, pairs[0].priority);
    world.run_for(40 * SECOND);
    assert!(world.is_usable());
}

#[test]
fn candidates_that_are_withdrawn_and_carry_nothing_go_at_once() {
    let mut world = connected(2);
    let path = world.data_paths()[0];
    let now = world.now;
    world.sides[0]
        .agent
        .withdraw_local_candidate(host(0, 1), now)
        .unwrap();
    let pairs = world.sides[0].agent.stats().pairs;
    assert!(pairs.iter().all(|pair| pair.path.local == host(0, 0)));
    assert_eq!(world.data_paths()[0], path);
    world.run_for(10 * SECOND);
    assert_eq!(world.data_paths()[0], path);
}

#[test]
fn a_socket_that_goes_during_a_restart_takes_the_old_pair_along() {
    let mut world = connected(2);
    let now = world.now;
    world.sides[0].agent.restart(now);
    assert_eq!(world.data_paths()[0].unwrap().local, host(0, 0));
    world.unplug(0, host(0, 0));
    assert_eq!(world.data_paths()[0], None);
    world.introduce();
    for side in [0, 1] {
        world.add(side, Candidate::host(host(side, 1)).unwrap());
    }
    assert!(world.run_until(5 * SECOND, World::is_usable));
    assert_eq!(world.data_paths()[0].unwrap().local, host(0, 1));
}

#[test]
fn checks_to_an_address_that_was_removed_are_dropped() {
    let now = Net::<Node>::new(0).now();
    let mut agent = Agent::new(Config::default(), [1; 32], now);
    agent
        .add_local_candidate(Candidate::host(host(0, 0)).unwrap(), now)
        .unwrap();
    let credentials = agent.local_credentials().clone();
    agent.set_remote_credentials(puppet(), now).unwrap();
    agent.connect(now).unwrap();
    let check = |number| Check::new(&credentials, puppet().ufrag(), number).encode();
    deliver(&mut agent, host(0, 0), host(1, 0), &check(1), now).unwrap();
    // Neither the answer nor the triggered check leaves any more.
    agent.remove_local_candidate(host(0, 0), now).unwrap();
    assert_eq!(sent(&mut agent, now).len(), 0);
    assert_eq!(
        deliver(&mut agent, host(0, 0), host(1, 0), &check(2), now),
        Err(DropReason::UnknownLocal)
    );
    let path = Path::udp(host(0, 0), host(1, 0));
    assert_eq!(agent.path_state(&path), PathState::Unknown);
    assert!(agent.stats().pairs.is_empty());
    agent
        .add_local_candidate(Candidate::host(host(0, 0)).unwrap(), now)
        .unwrap();
    deliver(&mut agent, host(0, 0), host(1, 0), &check(3), now).unwrap();
    assert_eq!(sent(&mut agent, now).len(), 1, "the answer");
    agent.handle_timeout(now + Duration::from_millis(5));
    assert_eq!(sent(&mut agent, now).len(), 1, "the triggered check");
}

#[test]
fn early_checks_to_an_address_that_was_removed_are_forgotten() {
    let now = Net::<Node>::new(0).now();
    let mut agent = Agent::new(Config::default(), [1; 32], now);
    for index in [0, 1] {
        agent
            .add_local_candidate(Candidate::host(host(0, index)).unwrap(), now)
            .unwrap();
    }
    let credentials = agent.local_credentials().clone();
    for index in [0, 1] {
        let check = Check::new(&credentials, puppet().ufrag(), 1).encode();
        deliver(&mut agent, host(0, index), host(1, 0), &check, now).unwrap();
    }
    agent.remove_local_candidate(host(0, 0), now).unwrap();
    agent.set_remote_credentials(puppet(), now).unwrap();
    agent.connect(now).unwrap();
    let pairs = agent.stats().pairs;
    assert_eq!(pairs.len(), 1);
    assert_eq!(pairs[0].path.local, host(0, 1));
}
