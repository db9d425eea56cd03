//! Two agents find each other.

use core::time::Duration;

use ortc_ice::{Config, Event, PathState, Role, RolePolicy};
use ortc_testkit::props::ice::{address, connect, run_until_usable, two_agents};

#[test]
fn two_agents_with_one_candidate_each_agree_on_the_pair() {
    let (mut net, a, b) = two_agents(1, [Config::default(), Config::default()], [1, 1]);
    connect(&mut net, a, b, [1, 1]);

    assert!(run_until_usable(&mut net, a, b, Duration::from_secs(1)));
    net.run_for(Duration::from_secs(1));

    let (agent_a, agent_b) = (&net.node(a).agent, &net.node(b).agent);
    let (path_a, path_b) = (agent_a.data_path().unwrap(), agent_b.data_path().unwrap());
    assert_eq!(
        (path_a.local, path_a.remote),
        (address(1, 0), address(2, 0))
    );
    assert_eq!((path_b.local, path_b.remote), (path_a.remote, path_a.local));
    assert_eq!(agent_a.path_state(&path_a), PathState::Valid);
    assert_ne!(agent_a.role(), agent_b.role());
    for node in [a, b] {
        let node = net.node(node);
        assert!(node.saw(|event| *event == Event::Connected));
        assert!(node.drops.is_empty(), "{:?}", node.drops);
        assert!(node.agent.stats().pairs[0].nominated);
    }
}

#[test]
fn the_side_with_the_greater_credentials_controls() {
    for seed in 0..16 {
        let (mut net, a, b) = two_agents(seed, [Config::default(), Config::default()], [1, 1]);
        connect(&mut net, a, b, [1, 1]);
        let text = |node| {
            let credentials = net.node(node).agent.local_credentials();
            format!("{}:{}", credentials.ufrag(), credentials.password())
        };
        let (role_a, role_b) = (net.node(a).agent.role(), net.node(b).agent.role());
        assert_eq!(role_a == Role::Controlling, text(a) > text(b));
        assert_ne!(role_a, role_b);
    }
}

#[test]
fn strict_profile_connects_too() {
    let controlling = Config::rfc8445().role(RolePolicy::Controlling);
    let (mut net, a, b) = two_agents(3, [controlling, Config::rfc8445()], [2, 2]);
    connect(&mut net, a, b, [2, 2]);
    assert!(run_until_usable(&mut net, a, b, Duration::from_secs(2)));
    net.run_for(Duration::from_secs(2));
    let (path_a, path_b) = (net.node(a).agent.data_path(), net.node(b).agent.data_path());
    assert_eq!(path_a.unwrap().remote, path_b.unwrap().local);
}
