//! How long it takes until data can flow both ways, in virtual time at a round trip of 50 ms,
//! from `connect` on both sides.

use core::net::SocketAddr;
use core::time::Duration;

use ortc_ice::{Config, Event, RolePolicy};
use ortc_testkit::link::Link;
use ortc_testkit::net::{Net, NodeId};
use ortc_testkit::props::ice::{
    Node, address, connect, run_until_usable, signal_candidates, signal_credentials, two_agents,
};

const DELAY: Duration = Duration::from_millis(25);

fn defaults() -> [Config; 2] {
    [Config::default(), Config::default()]
}

fn time_to_usable(net: &mut Net<Node>, a: NodeId, b: NodeId) -> Option<Duration> {
    let start = net.elapsed();
    let usable = run_until_usable(net, a, b, Duration::from_secs(60));
    usable.then(|| net.elapsed() - start)
}

/// Of `count` by `count` pairs only that of the last candidates, the lowest, works.
fn only_the_lowest_of(count: usize) -> Duration {
    let (mut net, a, b) = two_agents(7, defaults(), [count, count]);
    for i in 0..count {
        for j in 0..count {
            if (i, j) != (count - 1, count - 1) {
                net.block(address(1, i), address(2, j));
            }
        }
    }
    connect(&mut net, a, b, [count, count]);
    time_to_usable(&mut net, a, b).expect("the lowest pair works")
}

#[test]
fn one_pair_without_loss_takes_75_ms_at_most() {
    let (mut net, a, b) = two_agents(7, defaults(), [1, 1]);
    connect(&mut net, a, b, [1, 1]);
    let time = time_to_usable(&mut net, a, b).unwrap();
    println!("one pair: {time:?}");
    assert!(time <= Duration::from_millis(75));
}

#[test]
fn both_controlling_takes_75_ms_at_most() {
    for role in [RolePolicy::Controlling, RolePolicy::Controlled] {
        let configs = [Config::default().role(role), Config::default().role(role)];
        let (mut net, a, b) = two_agents(7, configs, [1, 1]);
        connect(&mut net, a, b, [1, 1]);
        let time = time_to_usable(&mut net, a, b).unwrap();
        println!("both {role:?}: {time:?}");
        assert!(time <= Duration::from_millis(75));
    }
}

#[test]
fn the_lowest_of_9_pairs_takes_125_ms_at_most() {
    let time = only_the_lowest_of(3);
    println!("lowest of 9: {time:?}");
    assert!(time <= Duration::from_millis(125));
}

/// Candidates of one address share a foundation, and such pairs wait for each other in RFC 8445
/// §6.1.2.6; here only while there is something else to check.
#[test]
fn the_lowest_of_9_pairs_of_one_foundation_takes_125_ms_at_most() {
    let port = |side: u8, index: u16| SocketAddr::from(([10, side, 0, 1], 5000 + index));
    let mut net = Net::new(7).link(Link::perfect(DELAY));
    let now = net.now();
    let sockets = [1, 2].map(|side| [0, 1, 2].map(|index| port(side, index)));
    let [a, b] = [0, 1].map(|side: u8| {
        let sockets = sockets[usize::from(side)];
        net.add(Node::new(Config::default(), side, &sockets, now), &sockets)
    });
    for (i, j) in (0..9)
        .map(|pair| (pair / 3, pair % 3))
        .filter(|pair| *pair != (2, 2))
    {
        net.block(port(1, i), port(2, j));
    }
    signal_credentials(&mut net, a, b);
    signal_credentials(&mut net, b, a);
    signal_candidates(&mut net, a, b, &sockets[0]);
    signal_candidates(&mut net, b, a, &sockets[1]);
    for node in [a, b] {
        net.node_mut(node).agent.connect(now).unwrap();
    }
    let time = time_to_usable(&mut net, a, b).unwrap();
    println!("lowest of 9, one foundation: {time:?}");
    assert!(time <= Duration::from_millis(125));
}

#[test]
fn the_lowest_of_36_pairs_takes_260_ms_at_most() {
    let time = only_the_lowest_of(6);
    println!("lowest of 36: {time:?}");
    assert!(time <= Duration::from_millis(260));
}

#[test]
fn with_20_percent_loss_half_take_150_ms_at_most_and_19_of_20_half_a_second() {
    let mut times: Vec<Duration> = (0..200)
        .map(|seed| {
            let (net, a, b) = two_agents(seed, defaults(), [1, 1]);
            let mut net = net.link(Link::perfect(DELAY).with_loss(0.2));
            connect(&mut net, a, b, [1, 1]);
            let time = time_to_usable(&mut net, a, b).unwrap();
            net.run_for(Duration::from_secs(60));
            for node in [a, b] {
                assert!(
                    !net.node(node).saw(|event| *event == Event::Failed),
                    "seed {seed}"
                );
            }
            time
        })
        .collect();
    times.sort_unstable();
    let (median, p95, worst) = (times[100], times[190], times[199]);
    println!("20 % loss: median {median:?}, 95th percentile {p95:?}, worst {worst:?}");
    assert!(median <= Duration::from_millis(150));
    assert!(p95 <= Duration::from_millis(500));
}
